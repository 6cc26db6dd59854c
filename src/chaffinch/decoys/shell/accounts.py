"""Commands about accounts, logins and other shells."""

import time

from chaffinch.decoys.shell.call import Call, Command, decode, quoted
from chaffinch.decoys.shell.procps import uptime_line
from chaffinch.events import Credential, printable
from chaffinch.personas.files import FileError, groups_of, installed

_NUMBERS = {
    "root": 0,
    "cdrom": 24,
    "floppy": 25,
    "sudo": 27,
    "audio": 29,
    "dip": 30,
    "video": 44,
    "plugdev": 46,
    "users": 100,
    "netdev": 106,
}


async def whoami(call: Call) -> int:
    call.print(call.shell.user.name)
    return 0


async def id_(call: Call) -> int:
    names = [arg for arg in call.args if not arg.startswith("-")]
    user = call.shell.persona.user(names[0]) if names else call.shell.user
    if user is None:
        return call.fail(f"{quoted(names[0])}: no such user")
    flags = "".join(arg[1:] for arg in call.args if arg.startswith("-"))
    groups = [
        (user.uid if group == user.name else _NUMBERS.get(group, 1000), group)
        for group in groups_of(call.shell.persona, user)
    ]
    if "G" in flags:
        call.print(" ".join(name if "n" in flags else str(number) for number, name in groups))
    elif "g" in flags:
        call.print(groups[0][1] if "n" in flags else str(groups[0][0]))
    elif "u" in flags:
        call.print(user.name if "n" in flags else str(user.uid))
    else:
        listed = ",".join(f"{number}({name})" for number, name in groups)
        call.print(f"uid={user.uid}({user.name}) gid={groups[0][0]}({groups[0][1]}) groups={listed}")
    return 0


async def groups(call: Call) -> int:
    call.print(" ".join(groups_of(call.shell.persona, call.shell.user)))
    return 0


async def w(call: Call) -> int:
    shell = call.shell
    call.print(" " + uptime_line(call))
    call.print("USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT")
    since = time.strftime("%H:%M", time.gmtime(shell.since))
    call.print(
        f"{shell.user.name[:8]:<8} {shell.tty:<8} {shell.source[:16]:<16} {since}    "
        f"0.00s  0.01s  0.00s {' '.join([call.name, *call.args])}"
    )
    return 0


async def who(call: Call) -> int:
    shell = call.shell
    since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(shell.since))
    call.print(f"{shell.user.name:<8} {shell.tty:<12} {since} ({shell.source})")
    return 0


async def users(call: Call) -> int:
    call.print(call.shell.user.name)
    return 0


async def last(call: Call) -> int:
    from chaffinch.decoys.shell.table import last_login

    shell = call.shell
    now = shell.now()
    since = time.gmtime(shell.since)
    call.print(
        f"{shell.user.name:<8} {shell.tty:<12} {shell.source:<16} "
        f"{time.strftime('%a %b %e %H:%M', since)}   still logged in"
    )
    before = last_login(shell)
    if before is not None:
        when = time.gmtime(before[0])
        call.print(
            f"{shell.user.name:<8} pts/0        {before[1]:<16} "
            f"{time.strftime('%a %b %e %H:%M', when)} - "
            f"{time.strftime('%H:%M', time.gmtime(before[0] + 1500))}  (00:25)"
        )
    booted = time.gmtime(shell.persona.booted(now))
    call.print(
        f"reboot   system boot  {shell.persona.os.kernel[:16]:<16} "
        f"{time.strftime('%a %b %e %H:%M', booted)}   still running"
    )
    begins = max(installed(shell.persona), int(now) - 20 * 86400)
    call.print("\nwtmp begins " + time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(begins)))
    return 0


async def lastlog(call: Call) -> int:
    call.print("Username         Port     From                                       Latest")
    for user in call.shell.persona.users:
        if user.name != call.shell.user.name:
            call.print(f"{user.name:<16}                                                     **Never logged in**")
    return 0


async def _password(call: Call, prompt: str) -> str | None:
    typed = await call.shell.ask(prompt.encode(), echo=False)
    return None if typed is None else decode(typed)


def _tried(call: Call, username: str, password: str, mechanism: str, *, accepted: bool) -> None:
    call.shell.record(Credential(printable(username, 256), printable(password, 256), mechanism, accepted))


async def sudo(call: Call) -> int:
    shell, user = call.shell, call.shell.user
    args = list(call.args)
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option in ("-u", "-g") and args:
            args.pop(0)
        if option in ("-i", "-s"):
            args = args or ["bash"]
        if option == "-n" and user.uid != 0:
            call.complain("sudo: a password is required")
            return 1
    if not call.args:
        call.complain(
            "usage: sudo -h | -K | -k | -V\nusage: sudo -v [-ABkNnS] [-g group] [-h host] [-p prompt] [-u user]"
        )
        return 1
    if user.uid == 0:
        return await shell.call(args[0], args[1:], call) if args else 0
    if shell.terminal is None:
        call.complain(
            "sudo: a terminal is required to read the password; either use the -S option to "
            "read from standard input or configure an askpass helper\nsudo: a password is "
            "required"
        )
        return 1
    for attempt in range(3):
        password = await _password(call, f"[sudo] password for {user.name}: ")
        if password is None:
            break
        right = bool(user.password) and password == user.password
        _tried(call, user.name, password, "sudo", accepted=False)
        if right:
            call.complain(f"{user.name} is not in the sudoers file.")
            return 1
        await shell.sleep(2)
        call.complain("Sorry, try again." if attempt < 2 else "sudo: 3 incorrect password attempts")
    return 1


async def su(call: Call) -> int:
    shell = call.shell
    names = [arg for arg in call.args if not arg.startswith("-")]
    name = names[0] if names else "root"
    user = shell.persona.user(name)
    if user is None:
        call.complain(f"su: user {name} does not exist or the user entry does not contain all the required fields")
        return 1
    if shell.user.uid != 0:
        password = await _password(call, "Password: ") or ""
        right = bool(user.password) and password == user.password
        _tried(call, name, password, "su", accepted=right)
        if not right:
            await shell.sleep(2.2)
            call.complain("su: Authentication failure")
            return 1
    if "-c" in call.args:
        return await shell.nested(names[-1], call, flavor=shell.flavor, arguments=[], user=user)
    shell.enter(shell.flavor, user, login="-" in call.args or "-l" in call.args)
    return 0


async def passwd(call: Call) -> int:
    shell = call.shell
    names = [arg for arg in call.args if not arg.startswith("-")]
    name = names[0] if names else shell.user.name
    if shell.persona.user(name) is None:
        return call.fail(f"user '{name}' does not exist")
    if shell.user.uid != 0:
        if names and name != shell.user.name:
            return call.fail(f"You may not view or modify password information for {name}.")
        call.print(f"Changing password for {name}.")
        current = await _password(call, "Current password: ")
        if current is None or current != shell.user.password:
            await shell.sleep(1.5)
            call.complain("passwd: Authentication token manipulation error\npasswd: password unchanged")
            return 10
    first = await _password(call, "New password: ")
    second = await _password(call, "Retype new password: ")
    _tried(call, name, first or "", "passwd", accepted=False)
    if not first or first != second:
        words = "No password has been supplied." if not first else "Sorry, passwords do not match."
        call.complain(f"{words}\npasswd: Authentication token manipulation error\npasswd: password unchanged")
        return 10
    call.complain("passwd: password updated successfully")
    return 0


async def chpasswd(call: Call) -> int:
    for line in decode(await call.read()).splitlines()[:16]:
        name, _, password = line.partition(":")
        _tried(call, name, password, "passwd", accepted=False)
        if call.shell.user.uid != 0:
            return call.fail("Permission denied.")
    return 0


async def useradd(call: Call) -> int:
    if call.shell.user.uid != 0:
        return (
            call.fail("Permission denied.\nuseradd: cannot lock /etc/passwd; try again later.")
            if call.name == "useradd"
            else call.fail("Only root may add a user or group to the system.")
        )
    return 0


async def crontab(call: Call) -> int:
    shell = call.shell
    where = f"/var/spool/cron/crontabs/{shell.user.name}"
    root = shell.view.as_user(shell.persona.users[0]) if shell.persona.users else shell.view
    try:
        if "-l" in call.args:
            call.write(root.read(where))
        elif "-r" in call.args:
            root.remove(where)
        elif "-e" in call.args:
            call.complain(f"no crontab for {shell.user.name} - using an empty one")
            return 1
        else:
            paths = [arg for arg in call.args if arg == "-" or not arg.startswith("-")]
            data = await call.read() if not paths or paths[0] == "-" else shell.view.read(call.path(paths[0]))
            root.write(where, data, mode=0o600)
    except FileError:
        call.complain(f"no crontab for {shell.user.name}")
        return 1
    return 0


async def shell_(call: Call) -> int:
    """`sh`, `bash`, `dash`: a command, a script, a piped script, or another shell at the terminal."""
    flavor = {"bash": "bash", "rbash": "bash"}.get(call.name, "dash")
    if call.shell.persona.os.family == "embedded":
        flavor = "ash"
    args = list(call.args)
    while args and args[0].startswith("-") and args[0] != "-c":
        letters = args.pop(0)
        if "c" in letters and not letters.startswith("--"):
            args.insert(0, "-c")
            break
    if args[:1] == ["-c"]:
        if len(args) < 2:
            call.complain(
                f"{call.name}: 0: -c requires an argument"
                if flavor == "dash"
                else f"{call.name}: -c: option requires an argument"
            )
            return 2
        return await call.shell.nested(args[1], call, flavor=flavor, arguments=args[3:], zero="".join(args[2:3]))
    if args:
        return await script(call, args[0], flavor, args[1:])
    if call.stdin.interactive:
        call.shell.enter(flavor, call.shell.user, login=False)
        return 0
    return await call.shell.nested(decode(await call.read()), call, flavor=flavor, arguments=[])


async def script(call: Call, path: str, flavor: str, arguments: list[str]) -> int:
    """Run a file's lines as another shell would."""
    try:
        data = call.view.read(call.path(path))
    except FileError as error:
        words = (
            f"{call.name}: 0: cannot open {path}: No such file"
            if flavor == "dash"
            else f"{call.name}: {path}: {error.strerror}"
        )
        call.complain(words)
        return 2 if flavor == "dash" else 127
    if data.startswith(b"\x7fELF"):
        call.complain(f"{path}: {path}: cannot execute binary file")
        return 126
    return await call.shell.nested(decode(data), call, flavor=flavor, arguments=arguments, zero=path)


COMMANDS: dict[str, Command] = {
    "whoami": whoami,
    "id": id_,
    "groups": groups,
    "w": w,
    "who": who,
    "users": users,
    "last": last,
    "lastlog": lastlog,
    "sudo": sudo,
    "su": su,
    "passwd": passwd,
    "chpasswd": chpasswd,
    "useradd": useradd,
    "adduser": useradd,
    "usermod": useradd,
    "userdel": useradd,
    "crontab": crontab,
    "sh": shell_,
    "bash": shell_,
    "dash": shell_,
    "rbash": shell_,
    "ash": shell_,
}
