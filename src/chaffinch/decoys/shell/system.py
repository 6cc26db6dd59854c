"""Commands about the system: what it is, its disks, its clock, its environment; and those that
want the whole screen."""

import re
import time

from chaffinch.decoys.shell.call import Call, Command, bad_usage, missing, options, quoted
from chaffinch.decoys.shell.files import cat
from chaffinch.decoys.shell.listing import human
from chaffinch.personas import machine


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


async def pager(call: Call) -> int:
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


COMMANDS: dict[str, Command] = {
    "uname": uname,
    "hostname": hostname,
    "arch": arch,
    "df": df,
    "mount": mount,
    "nproc": nproc,
    "lscpu": lscpu,
    "date": date,
    "sleep": sleep,
    "env": env,
    "printenv": env,
    "less": pager,
    "more": pager,
    "vi": editor,
    "vim.tiny": editor,
    "nano": editor,
    "clear": clear,
    "dmesg": dmesg,
    "sync": lastb,
}
