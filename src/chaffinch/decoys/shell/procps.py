"""The commands of the procps package: the load, the memory, the processes."""

import re
import time

from chaffinch.decoys.shell.call import Call, Command, bad_usage, options
from chaffinch.decoys.shell.listing import human
from chaffinch.decoys.shell.processes import Process, processes, share
from chaffinch.personas import machine


def uptime_line(call: Call, users: int = 1) -> str:
    """The first line of `uptime`, `w` and `top`."""
    now = call.shell.now()
    up = int(now - call.shell.persona.booted(now))
    days, hours, minutes = up // 86400, up // 3600 % 24, up // 60 % 60
    text = f"{days} day{'s' if days != 1 else ''}, " if days else ""
    text += f"{hours:>2}:{minutes:02}" if hours else f"{minutes} min"
    loads = ", ".join(f"{load:.2f}" for load in machine.load_of(call.shell.persona, now))
    return (
        f"{time.strftime('%H:%M:%S', time.gmtime(now))} up {text},  {users} "
        f"user{'s' if users != 1 else ''},  load average: {loads}"
    )


async def uptime(call: Call) -> int:
    now = call.shell.now()
    if "-s" in call.args:
        call.print(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(call.shell.persona.booted(now))))
    elif "-p" in call.args:
        up = int(now - call.shell.persona.booted(now))
        parts = ((up // 604800, "week"), (up // 86400 % 7, "day"), (up // 3600 % 24, "hour"), (up // 60 % 60, "minute"))
        call.print("up " + ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in parts if count))
    else:
        call.print(" " + uptime_line(call))
    return 0


async def free(call: Call) -> int:
    flags, _, unknown = options(call.args, "hmgbkt", "s")
    if unknown:
        return bad_usage(call, unknown)
    persona = call.shell.persona
    total = machine.machine_of(persona).memory
    used, idle, shared, cached = machine.memory_of(persona, call.shell.now())
    swap = 998_396

    def shown(kib: int) -> str:
        if "h" in flags:
            return human(kib * 1024) + "i" if kib else "0B"
        return str(
            kib
            // {"m": 1024, "g": 1 << 20}.get(next((f for f in "mg" if f in flags), ""), 1)
            * (1024 if "b" in flags else 1)
        )

    call.print(
        f"{'':<15}"
        + "".join(
            f"{name:>{width}}"
            for name, width in (
                ("total", 5),
                ("used", 12),
                ("free", 12),
                ("shared", 12),
                ("buff/cache", 12),
                ("available", 12),
            )
        )
    )
    row = (total, used, idle, shared, cached, idle + cached * 9 // 10)
    call.print("Mem:    " + "".join(f"{shown(value):>12}" for value in row))
    call.print("Swap:   " + "".join(f"{shown(value):>12}" for value in (swap, 0, swap)))
    return 0


def _own(call: Call) -> list[Process]:
    """The processes of this login: the shell and the command that looks."""
    shell = call.shell
    who, since = shell.user.name, shell.since
    return [
        Process(
            shell.pid - 21,
            1,
            "root",
            f"sshd: {who} [priv]" if shell.tty == "pts/0" else "login -p --",
            17880,
            10900,
            "Ss",
            "?",
            since - 1,
            0,
        ),
        Process(shell.pid, shell.pid - 21, who, "-bash", 8204, 5056, "Ss", shell.tty, since, 0),
        Process(
            shell.pid + 31,
            shell.pid,
            who,
            " ".join([call.name, *call.args])[:256],
            11116,
            4512,
            "R+",
            shell.tty,
            shell.now(),
            0,
        ),
    ]


def _started(process: Process, now: float) -> str:
    return time.strftime("%H:%M" if now - process.started < 86400 else "%b%d", time.gmtime(process.started))


async def ps(call: Call) -> int:
    now, persona = call.shell.now(), call.shell.persona
    asked = "".join(arg.lstrip("-") for arg in call.args if not arg.startswith("--"))
    mine = _own(call)
    if call.shell.flavor == "ash":
        call.print("  PID USER       VSZ STAT COMMAND")
        for process in [*processes(persona, now), *mine[1:]]:
            call.print(
                f"{process.pid:>5} {process.user:<8} {process.virtual:>5} {process.state[:1]:<4} "
                f"{process.command.replace('-bash', '-sh')}"
            )
        return 0
    every = [*processes(persona, now), *mine] if re.search("[aexA]", asked) else mine[1:]
    if "u" in asked and "a" in asked:
        call.print("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND")
        for process in every:
            name = process.user if len(process.user) <= 8 else process.user[:7] + "+"
            busy = process.cpu * 100 / max(now - process.started, 1)
            spent = f"{process.cpu // 60}:{process.cpu % 60:02}"
            call.print(
                f"{name:<8} {process.pid:>7} {busy:>4.1f} {share(persona, process):>4.1f} "
                f"{process.virtual:>6} {process.resident:>5}"
                f" {process.tty:<8} {process.state:<4} {_started(process, now):<5} {spent:>6} {process.command}"
            )
    elif "f" in asked:
        call.print("UID          PID    PPID  C STIME TTY          TIME CMD")
        for process in every:
            name = process.user if len(process.user) <= 8 else process.user[:7] + "+"
            call.print(
                f"{name:<8} {process.pid:>7} {process.ppid:>7}  0 {_started(process, now):<5} "
                f"{process.tty:<8} {_clock(process.cpu)} {process.command}"
            )
    else:
        call.print("    PID TTY          TIME CMD")
        for process in every:
            word = process.command.split()[0].strip("[]:").rpartition("/")[2].lstrip("-")[:15]
            call.print(f"{process.pid:>7} {process.tty:<8} {_clock(process.cpu)} {word}")
    return 0


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


async def top(call: Call) -> int:
    persona, now = call.shell.persona, call.shell.now()
    every = [*processes(persona, now), *_own(call)]
    used, idle, _, cached = machine.memory_of(persona, now)
    total = machine.machine_of(persona).memory
    call.print(f"top - {uptime_line(call)}")
    call.print(f"Tasks: {len(every):>3} total,   1 running, {len(every) - 1:>3} sleeping,   0 stopped,   0 zombie")
    call.print("%Cpu(s):  0.3 us,  0.3 sy,  0.0 ni, 99.3 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st ")
    call.print(
        f"MiB Mem : {total / 1024:>8.1f} total, {idle / 1024:>8.1f} free, "
        f"{used / 1024:>8.1f} used, {cached / 1024:>8.1f} buff/cache     "
    )
    call.print(
        f"MiB Swap: {975.0:>8.1f} total, {975.0:>8.1f} free, {0.0:>8.1f} used. "
        f"{(idle + cached * 0.9) / 1024:>8.1f} avail Mem "
    )
    call.print("\n    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND")
    for process in every[: 60 if any("b" in arg for arg in call.args) else 16]:
        name = process.user if len(process.user) <= 8 else process.user[:7] + "+"
        word = process.command.split()[0].strip("[]:").rpartition("/")[2].lstrip("-")[:15]
        spent = f"{process.cpu // 60}:{process.cpu % 60:02}.{process.pid % 100:02}"
        call.print(
            f"{process.pid:>7} {name:<8}  20   0 {process.virtual:>7} {process.resident:>6} "
            f"{process.resident * 2 // 3:>6} {process.state[:1]}   0.0 "
            f"{share(persona, process):>5.1f} {spent:>9} {word}"
        )
    return 0


async def kill(call: Call) -> int:
    pids = [arg for arg in call.args if not re.fullmatch(r"-(?!-).*", arg)]
    if "-l" in call.args:
        call.print(" 1) SIGHUP\t 2) SIGINT\t 3) SIGQUIT\t 9) SIGKILL\t15) SIGTERM")
        return 0
    if not pids:
        return call.builtin_fault(
            "usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]", 2
        )
    status = 0
    running = {process.pid: process.user for process in [*processes(call.shell.persona, call.shell.now()), *_own(call)]}
    for pid in pids:
        if not pid.isdecimal():
            status = call.builtin_fault(f"{pid}: arguments must be process or job IDs")
        elif int(pid) not in running:
            call.complain(f"{call.shell.speaker()}kill: ({pid}) - No such process")
            status = 1
        elif call.shell.user.uid != 0 and running[int(pid)] != call.shell.user.name:
            call.complain(f"{call.shell.speaker()}kill: ({pid}) - Operation not permitted")
            status = 1
    return status


async def pgrep(call: Call) -> int:
    words = [arg for arg in call.args if not arg.startswith("-")]
    if not words:
        return call.fail(
            "no matching criteria specified\nTry `pgrep --help' for more information."
            if call.name == "pgrep"
            else "no process selection criteria",
            2,
        )
    found = [process for process in processes(call.shell.persona, call.shell.now()) if words[0] in process.command]
    for process in found if call.name != "pkill" else ():
        call.print(str(process.pid))
    if call.name == "killall" and not found:
        call.complain(f"{words[0]}: no process found")
    return int(not found)


COMMANDS: dict[str, Command] = {
    "uptime": uptime,
    "free": free,
    "ps": ps,
    "top": top,
    "kill": kill,
    "pkill": pgrep,
    "killall": pgrep,
    "pgrep": pgrep,
    "pidof": pgrep,
}
