"""Commands about the system: what it is, how it is doing, what runs on it."""

import re
import time

from chaffinch.decoys.shell.call import Call, Command, options, quoted
from chaffinch.decoys.shell.files import bad_usage, missing
from chaffinch.decoys.shell.listing import human
from chaffinch.decoys.shell.processes import Process, processes, share
from chaffinch.personas import machine
from chaffinch.personas.files import FileError


async def uname(call: Call) -> int:
    flags, rest, unknown = options(call.args, "asnrvmpio")
    if unknown:
        return bad_usage(call, unknown)
    if rest:
        return call.fail(f"extra operand {quoted(rest[0])}\nTry 'uname --help' for more information.")
    persona = call.shell.persona
    parts = {
        "s": "Linux",
        "n": persona.hostname,
        "r": persona.os.kernel,
        "v": machine.kernel_build(persona),
        "m": persona.os.machine,
        "p": "unknown",
        "i": "unknown",
        "o": "GNU/Linux",
    }
    wanted = (
        "snrvmo" if "a" in flags or "--all" in flags else "".join(letter for letter in parts if letter in flags) or "s"
    )
    call.print(" ".join(parts[letter] for letter in wanted))
    return 0


async def hostname(call: Call) -> int:
    persona = call.shell.persona
    if call.args and not call.args[0].startswith("-"):
        if call.shell.user.uid != 0:
            return call.fail("you must be root to change the host name")
        return 0
    text = (
        persona.fqdn
        if "-f" in call.args or "--fqdn" in call.args
        else persona.domain
        if "-d" in call.args
        else persona.hostname
    )
    call.print(persona.address + " " if {"-I", "-i"} & set(call.args) else text)
    return 0


async def arch(call: Call) -> int:
    call.print(call.shell.persona.os.machine)
    return 0


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


async def df(call: Call) -> int:
    flags, _, unknown = options(call.args, "hTkmail", "t")
    if unknown:
        return bad_usage(call, unknown)
    box = machine.machine_of(call.shell.persona)
    whole = box.disk * 1048576 * 95 // 100 - 1_100_000
    used = int(whole * box.used)
    rows = (
        ("udev", "devtmpfs", box.memory // 2 - 13000, 0, "/dev"),
        ("tmpfs", "tmpfs", box.memory // 10, 480 + box.cores * 96, "/run"),
        ("/dev/sda1", "ext4", whole, used, "/"),
        ("tmpfs", "tmpfs", box.memory // 2, 0, "/dev/shm"),  # noqa: S108  the host's, not ours
        ("tmpfs", "tmpfs", 5120, 0, "/run/lock"),
        ("tmpfs", "tmpfs", box.memory // 10, 0, f"/run/user/{call.shell.user.uid}"),
    )
    table = [
        [
            "Filesystem",
            "Size" if "h" in flags else "1K-blocks",
            "Used",
            "Avail" if "h" in flags else "Available",
            "Use%",
            "Mounted on",
        ]
    ]
    for name, kind, size, taken, where in rows:
        spare = (size * 95 // 100 if kind == "ext4" else size) - taken
        share_used = -(-taken * 100 // (taken + spare))
        shown = [human(n * 1024) if "h" in flags and n else str(n) for n in (size, taken, spare)]
        table.append([name, *shown, f"{share_used}%", where])
        if "T" in flags:
            table[-1].insert(1, kind)
    if "T" in flags:
        table[0].insert(1, "Type")
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    left = {0, len(widths) - 1} | ({1} if "T" in flags else set())
    for row in table:
        cells = (
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        call.print(" ".join(cells).rstrip())
    return 0


async def mount(call: Call) -> int:
    if call.args and call.shell.user.uid != 0:
        return call.fail(
            'only root can use "--options" option'
            if "-o" in call.args
            else f"{call.args[-1]}: must be superuser to use mount.",
            1,
        )
    if call.args:
        return call.fail(f"{call.args[-1]}: mount point does not exist.", 32)
    for line in call.view.files.read("/proc/self/mounts").decode().splitlines():
        device, where, kind, flags, *_ = line.split()
        call.print(f"{device} on {where} type {kind} ({flags})")
    return 0


async def nproc(call: Call) -> int:
    call.print(str(machine.machine_of(call.shell.persona).cores))
    return 0


async def lscpu(call: Call) -> int:
    box, system = machine.machine_of(call.shell.persona), call.shell.persona.os
    last = f"0-{box.cores - 1}" if box.cores > 1 else "0"
    rows = (
        ("Architecture:", system.machine),
        ("CPU op-mode(s):", "32-bit, 64-bit"),
        ("Address sizes:", "46 bits physical, 48 bits virtual"),
        ("Byte Order:", "Little Endian"),
        ("CPU(s):", box.cores),
        ("On-line CPU(s) list:", last),
        ("Vendor ID:", box.vendor),
        ("Model name:", box.model),
        ("CPU family:", box.family),
        ("Model:", box.number),
        ("Thread(s) per core:", 1),
        ("Core(s) per socket:", 1),
        ("Socket(s):", box.cores),
        ("Stepping:", box.stepping),
        ("BogoMIPS:", f"{box.mhz * 2:.2f}"),
        ("Hypervisor vendor:", "KVM"),
        ("Virtualization type:", "full"),
    )
    for name, value in rows:
        call.print(f"{name:<33}{value}")
    return 0


# Processes ----------------------------------------------------------------------------------------------------------


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


# Time, services, packages -------------------------------------------------------------------------------------------


async def date(call: Call) -> int:
    moment = time.gmtime(call.shell.now())
    form = next((arg[1:] for arg in call.args if arg.startswith("+")), "")
    if "-s" in call.args or "--set" in call.args:
        return call.fail("cannot set date: Operation not permitted")
    if form:
        form = form.replace("%s", str(int(call.shell.now()))).replace("%N", f"{int(call.shell.now() * 1e9) % 10**9:09}")
        call.print(time.strftime(form[:256].encode("ascii", "replace").decode(), moment).replace("GMT", "UTC"))
    elif "-R" in call.args:
        call.print(time.strftime("%a, %d %b %Y %H:%M:%S +0000", moment))
    else:
        call.print(
            time.strftime(
                "%a %b %e %r UTC %Y" if call.shell.variable("LANG") == "en_US.UTF-8" else "%a %b %e %T UTC %Y", moment
            )
        )
    return 0


async def sleep(call: Call) -> int:
    if not call.args:
        return missing(call)
    total = 0.0
    for arg in call.args:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{0,9})?)([smhd]?)", arg)
        if found is None:
            return call.fail(f"invalid time interval {quoted(arg)}\nTry 'sleep --help' for more information.")
        total += float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
    await call.shell.sleep(total)
    return 0


_UNITS = {
    "ssh": "ssh",
    "http": "nginx",
    "ftp": "vsftpd",
    "smtp": "postfix",
    "redis": "redis-server",
    "mysql": "mariadb",
    "memcached": "memcached",
    "telnet": "inetutils-inetd",
}


async def systemctl(call: Call) -> int:
    words = [arg for arg in call.args if not arg.startswith("-")]
    units = {
        "cron",
        "rsyslog",
        "systemd-journald",
        "dbus",
        *(_UNITS[s.name] for s in call.shell.persona.services if s.name in _UNITS),
    }
    verb, unit = [*words, "", ""][:2] if words else ("list-units", "")
    name = unit.removesuffix(".service")
    aliases = {"sshd": "ssh", "mysql": "mariadb", "redis": "redis-server"}
    known = aliases.get(name, name) in units
    if verb in ("is-active", "is-enabled"):
        call.print(("active" if verb == "is-active" else "enabled") if known else "inactive")
        return 0 if known else 3
    if verb == "status" and unit:
        if not known:
            call.complain(f"Unit {name}.service could not be found.")
            return 4
        booted = call.shell.persona.booted(call.shell.now())
        stamp = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(booted + 9))
        days = int(call.shell.now() - booted) // 86400
        name = aliases.get(name, name)
        call.print(
            f"● {name}.service - {name}\n     Loaded: loaded "
            f"(/lib/systemd/system/{name}.service; enabled; preset: enabled)"
        )
        call.print(f"     Active: active (running) since {stamp}; {days} days ago")
        return 0
    if verb in ("start", "stop", "restart", "reload", "enable", "disable", "mask"):
        if not known:
            word = "Failed to " + (
                f"{verb} {name}.service: Unit {name}.service not found."
                if verb in ("start", "restart", "reload")
                else f"{verb} {name}.service: Unit {name}.service not loaded."
                if verb == "stop"
                else f"{verb} unit: Unit file {name}.service does not exist."
            )
            call.complain(word)
            return 5
        if call.shell.user.uid != 0:
            call.complain(
                f"Failed to {verb} {name}.service: Interactive authentication required.\nSee "
                f"system logs and 'systemctl status {name}.service' for details."
            )
            return 1
        return 0
    call.print("  UNIT                       LOAD   ACTIVE SUB     DESCRIPTION")
    for each in sorted(units):
        call.print(f"  {each + '.service':<26} loaded active running {each}")
    return 0


async def service(call: Call) -> int:
    if len(call.args) < 2:
        call.complain("Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]")
        return 1
    call.args = [call.args[1], call.args[0]]
    return await systemctl(call)


async def apt(call: Call) -> int:
    verb = next((arg for arg in call.args if not arg.startswith("-")), "")
    if call.shell.user.uid != 0 and verb in (
        "update",
        "install",
        "upgrade",
        "remove",
        "full-upgrade",
        "dist-upgrade",
        "purge",
    ):
        lock = "/var/lib/apt/lists/lock" if verb == "update" else "/var/lib/dpkg/lock-frontend"
        if verb == "update":
            call.print("Reading package lists... Done")
            call.complain(
                f"E: Could not open lock file {lock} - open (13: Permission denied)\nE: Unable to "
                f"lock directory /var/lib/apt/lists/"
            )
        else:
            call.complain(
                f"E: Could not open lock file {lock} - open (13: Permission denied)\nE: Unable to "
                f"acquire the dpkg frontend lock ({lock}), are you root?"
            )
        return 100
    if verb == "update":
        sources = [line.split()[1:3] for line in call.view.files.read("/etc/apt/sources.list").decode().splitlines()]
        await call.shell.sleep(6)
        for url, suite in sources:
            call.print(
                f"Err:1 {url.rstrip('/')} {suite} InRelease\n  Temporary failure resolving '{url.split('/')[2]}'"
            )
        call.print(
            "Reading package lists... Done\nBuilding dependency tree... Done\nReading state "
            "information... Done\nAll packages are up to date."
        )
        for url, suite in sources:
            call.complain(
                f"W: Failed to fetch {url.rstrip('/')}/dists/{suite}/InRelease  Temporary failure "
                f"resolving '{url.split('/')[2]}'"
            )
        call.complain("W: Some index files failed to download. They have been ignored, or old ones used instead.")
        return 0
    call.print("Reading package lists... Done\nBuilding dependency tree... Done\nReading state information... Done")
    name = next((arg for arg in reversed(call.args) if not arg.startswith("-")), "")
    if verb == "install" and name != verb:
        call.complain(f"E: Unable to locate package {name}")
        return 100
    call.print("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.")
    return 0


_PACKAGES = (
    ("adduser", "3.134", "all", "add and remove users and groups"),
    ("apt", "2.6.1", "amd64", "commandline package manager"),
    ("base-files", "12.4+deb12u8", "amd64", "Debian base system miscellaneous files"),
    ("bash", "5.2.15-2+b7", "amd64", "GNU Bourne Again SHell"),
    ("busybox", "1:1.35.0-4+b3", "amd64", "Tiny utilities for small and embedded systems"),
    ("coreutils", "9.1-1", "amd64", "GNU core utilities"),
    ("cron", "3.0pl1-162", "amd64", "process scheduling daemon"),
    ("curl", "7.88.1-10+deb12u8", "amd64", "command line tool for transferring data with URL syntax"),
    ("dpkg", "1.21.22", "amd64", "Debian package management system"),
    ("libc6:amd64", "2.36-9+deb12u9", "amd64", "GNU C Library: Shared libraries"),
    ("nano", "7.2-1+deb12u1", "amd64", "small, friendly text editor inspired by Pico"),
    ("perl", "5.36.0-7+deb12u1", "amd64", "Larry Wall's Practical Extraction and Report Language"),
    ("python3", "3.11.2-1+b1", "amd64", "interactive high-level object-oriented language (default python3 version)"),
    ("systemd", "252.31-1~deb12u1", "amd64", "system and service manager"),
    ("wget", "1.21.3-1+deb12u1", "amd64", "retrieves files from the web"),
)


async def dpkg(call: Call) -> int:
    if not call.args:
        call.complain("dpkg: error: need an action option")
        return 2
    if call.args[0] in ("-l", "--list"):
        call.print(
            "Desired=Unknown/Install/Remove/Purge/Hold\n| "
            "Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend"
        )
        call.print("|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)")
        call.print(
            f"||/ {'Name':<14} {'Version':<20} {'Architecture':<12} Description\n"
            f"+++-{'=' * 14}-{'=' * 20}-{'=' * 12}-{'=' * 44}"
        )
        for name, version, architecture, words in _PACKAGES:
            if len(call.args) < 2 or call.args[1].strip("*") in name:
                call.print(f"ii  {name:<14} {version:<20} {architecture:<12} {words}")
        return 0
    if call.shell.user.uid != 0:
        call.complain("dpkg: error: requested operation requires superuser privilege")
        return 2
    call.complain(f"dpkg: error: cannot access archive '{call.args[-1]}': No such file or directory")
    return 2


async def env(call: Call) -> int:
    shell = call.shell
    args = [arg for arg in call.args if "=" not in arg and not arg.startswith("-")]
    if args and call.name == "env":
        return await shell.call(args[0], args[1:], call)
    for name in args if call.name == "printenv" else ():
        value = shell.variables.get(name)
        if value is None or name not in shell.exported:
            return 1
        call.print(value)
    for name, value in shell.variables.items() if not args else ():
        if name in shell.exported:
            call.print(f"{name}={value}")
    return 0


async def tar(call: Call) -> int:
    name = next((arg for arg in call.args[1:] if not arg.startswith("-")), "")
    if not call.args:
        call.complain(
            "tar: You must specify one of the '-Acdtrux', '--delete' or '--test-label' "
            "options\nTry 'tar --help' or 'tar --usage' for more information."
        )
        return 2
    try:
        if "c" in call.args[0]:
            call.view.write(call.path(name), b"\x1f\x8b\x08\0" + bytes(10236))
            return 0
        data = call.view.read(call.path(name))
    except FileError as error:
        call.complain(f"tar: {name}: Cannot open: {error.strerror}\ntar: Error is not recoverable: exiting now")
        return 2
    if data.startswith(b"\x1f\x8b"):
        call.complain("\ngzip: stdin: unexpected end of file")
    call.complain("tar: This does not look like a tar archive\ntar: Exiting with failure status due to previous errors")
    return 2


async def gunzip(call: Call) -> int:
    for path in [arg for arg in call.args if not arg.startswith("-")]:
        try:
            data = call.view.read(call.path(path))
        except FileError as error:
            call.complain(f"gzip: {path}: {error.strerror}")
            return 1
        call.complain(
            f"\ngzip: {path}: {'unexpected end of file' if data.startswith(bytes((31, 139))) else 'not in gzip format'}"
        )
        return 1
    return 0


async def pager(call: Call) -> int:
    from chaffinch.decoys.shell.files import cat

    return await cat(call)


async def editor(call: Call) -> int:
    call.complain(
        "Error opening terminal: unknown." if call.name == "nano" else "Vim: Warning: Output is not to a terminal"
    )
    return 1


async def clear(call: Call) -> int:
    call.write(b"\x1b[H\x1b[2J\x1b[3J")
    return 0


async def dmesg(call: Call) -> int:
    if call.shell.user.uid != 0:
        return call.fail("read kernel buffer failed: Operation not permitted")
    persona = call.shell.persona
    call.print(f"[    0.000000] {call.view.files.read('/proc/version').decode().strip()}")
    call.print(f"[    0.000000] Command line: {call.view.files.read('/proc/cmdline').decode().strip()}")
    call.print(f"[    0.812345] Memory: {machine.machine_of(persona).memory}K available")
    return 0


async def lastb(call: Call) -> int:
    return 0


async def reboot(call: Call) -> int:
    if call.shell.user.uid != 0:
        call.complain(
            f"Call to {'PowerOff' if call.name != 'reboot' else 'Reboot'} failed: Interactive authentication required."
        )
        return 1
    await call.shell.sleep(1.5)
    call.shell.exit(0)
    return 0


COMMANDS: dict[str, Command] = {
    "uname": uname,
    "hostname": hostname,
    "arch": arch,
    "uptime": uptime,
    "free": free,
    "df": df,
    "mount": mount,
    "nproc": nproc,
    "lscpu": lscpu,
    "ps": ps,
    "top": top,
    "kill": kill,
    "pkill": pgrep,
    "killall": pgrep,
    "pgrep": pgrep,
    "pidof": pgrep,
    "date": date,
    "sleep": sleep,
    "systemctl": systemctl,
    "service": service,
    "apt": apt,
    "apt-get": apt,
    "dpkg": dpkg,
    "env": env,
    "printenv": env,
    "tar": tar,
    "gunzip": gunzip,
    "gzip": gunzip,
    "zcat": gunzip,
    "less": pager,
    "more": pager,
    "vi": editor,
    "vim.tiny": editor,
    "nano": editor,
    "clear": clear,
    "dmesg": dmesg,
    "reboot": reboot,
    "poweroff": reboot,
    "halt": reboot,
    "shutdown": reboot,
    "sync": lastb,
}
