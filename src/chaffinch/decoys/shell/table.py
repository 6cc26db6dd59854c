"""Which commands a host has, and what its shell says around them: prompt, greeting, complaints."""

import errno
import functools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chaffinch.decoys.shell import syntax
from chaffinch.decoys.shell.call import Call, Command, decode
from chaffinch.decoys.view import EXECUTE, absolute
from chaffinch.personas.files import FileError, installed
from chaffinch.personas.persona import Persona

if TYPE_CHECKING:
    from chaffinch.decoys.shell.shell import Shell

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"


@functools.cache
def _every() -> dict[str, Command]:
    from chaffinch.decoys.shell import (
        accounts,
        archives,
        builtins,
        busybox,
        copying,
        fetching,
        files,
        finding,
        matching,
        network,
        packages,
        procps,
        system,
        text,
        units,
    )

    programs = files.COMMANDS | copying.COMMANDS | finding.COMMANDS | text.COMMANDS | matching.COMMANDS
    programs |= system.COMMANDS | procps.COMMANDS | units.COMMANDS | packages.COMMANDS | archives.COMMANDS
    programs |= network.COMMANDS | fetching.COMMANDS | busybox.COMMANDS | accounts.COMMANDS
    return programs | builtins.PROGRAMS | builtins.COMMANDS


@functools.cache
def _embedded() -> dict[str, Command]:
    from chaffinch.decoys.shell import builtins, busybox

    known = {*busybox.APPLETS, *builtins.COMMANDS} - {"enable", "help", "shopt", "declare", "typeset"}
    return {name: command for name, command in (_every() | busybox.ONLY).items() if name in known}


def commands_of(persona: Persona) -> Mapping[str, Command]:
    """The commands that a host of this kind answers."""
    return _embedded() if persona.os.family == "embedded" else _every()


def environment(shell: "Shell") -> dict[str, str]:
    """The variables that a login starts with, all exported."""
    user = shell.user
    found = {
        "SHELL": user.shell,
        "PWD": shell.cwd,
        "LOGNAME": user.name,
        "HOME": user.home,
        "LANG": "en_US.UTF-8",
        "USER": user.name,
        "PATH": SYSTEM_PATH if user.uid == 0 else USER_PATH,
    }
    if shell.interactive:
        found["TERM"] = "xterm-256color"
        found["SHLVL"] = "1"
    return found


def find(shell: "Shell", name: str) -> tuple[Command | None, int]:
    """The command that `name` runs, or None and the status of its failure: 127 not found, 126 not executable."""
    if "/" not in name:
        command = shell.commands.get(name)
        return command, 0 if command else 127
    try:
        where, entry = shell.view.locate(absolute(name, shell.cwd))
    except FileError as error:
        return None, 126 if error.errno == errno.EACCES else 127
    if entry.kind == "dir" or not shell.view.allows(entry, EXECUTE):
        return None, 126
    change = shell.view.overlay.get(where)
    if change is not None and not change.origin:
        return _written, 0
    program = (change.origin if change is not None else where).rpartition("/")[2]
    command = shell.commands.get(program) or shell.commands.get(name.rpartition("/")[2])
    return command or _silent, 0


async def _silent(call: Call) -> int:
    """A program that this shell knows nothing of ends without a word."""
    return 0


async def _written(call: Call) -> int:
    """A file that the peer wrote: a script is read as one, a program breaks."""
    from chaffinch.decoys.shell.accounts import script

    shell = call.shell
    path = call.called
    try:
        data = call.view.read(call.path(path))
    except FileError:
        return 126
    if data.startswith(b"\x7fELF"):
        await shell.sleep(0.3)
        call.complain(
            "Segmentation fault"
            if len(data) > 4096
            else f"{shell.speaker()}{path}: cannot execute binary file: Exec format error"
        )
        return 139 if len(data) > 4096 else 126
    return await script(
        call, path, "bash" if b"bash" in data[:32] else "dash" if shell.flavor != "ash" else "ash", call.args
    )


def not_run(shell: "Shell", name: str, status: int) -> str:
    """What the shell says of a command that it could not run."""
    if status == 126 and _is_directory(shell, name):
        words = "Is a directory"
    elif status == 127 and "/" not in name:
        words = "command not found" if shell.flavor == "bash" else "not found"
    else:
        words = "No such file or directory" if status == 127 else "Permission denied"
        if shell.flavor != "bash" and status == 127:
            words = "not found"
    return f"{shell.speaker()}{name}: {words}\n"


def _is_directory(shell: "Shell", name: str) -> bool:
    try:
        return shell.flavor == "bash" and shell.view.entry(absolute(name, shell.cwd)).kind == "dir"
    except FileError:
        return False


def cannot_open(shell: "Shell", word: str, words: str, *, reading: bool) -> str:
    """What the shell says of a redirection that fails."""
    if shell.flavor == "bash":
        return f"{shell.speaker()}{word}: {words}\n"
    if words == "No such file or directory":
        words = (
            "No such file"
            if reading
            else "Directory nonexistent"
            if shell.flavor == "dash"
            else "nonexistent directory"
        )
    if shell.flavor == "ash":
        return (
            f"{shell.speaker()}can't {'open' if reading else 'create'} {word}: {words.lower() if reading else words}\n"
        )
    return f"{shell.speaker()}cannot {'open' if reading else 'create'} {word}: {words}\n"


def syntax_fault(shell: "Shell", text: str, fault: syntax.SyntaxFault) -> str:
    """What the shell says of text that it cannot parse."""
    near = {"\n": "newline"}.get(fault.near, fault.near)
    if isinstance(fault, syntax.Unfinished):
        if shell.flavor != "bash":
            return f"{shell.speaker()}Syntax error: Unterminated quoted string\n"
        if near in "\"'`})":
            return f"{shell.speaker()}unexpected EOF while looking for matching `{near}'\n"
        end = shell.speaker().replace("line 1", f"line {text.count(chr(10)) + 2}")
        return f"{end}syntax error: unexpected end of file\n"
    if shell.flavor != "bash":
        return f'{shell.speaker()}Syntax error: "{near}" unexpected\n'
    first = f"{shell.speaker()}syntax error near unexpected token `{near}'\n"
    return first if shell.interactive else f"{first}{shell.speaker()}`{text.splitlines()[0]}'\n"


def prompt(shell: "Shell") -> str:
    """The prompt of the account's shell."""
    home = shell.variables.get("HOME", "")
    where = "~" + shell.cwd[len(home) :] if home and (shell.cwd + "/").startswith(home + "/") else shell.cwd
    sign = "#" if shell.user.uid == 0 else "$"
    if shell.flavor == "ash":
        return f"{where} {sign} " if where != "/" else f"/ {sign} "
    if shell.flavor == "dash":
        return f"{sign} "
    return f"{shell.user.name}@{shell.persona.hostname}:{where}{sign} "


def login_text(shell: "Shell", *, remote_login: bool) -> str:
    """The message of the day and the last login: sshd prints it last, login(1) first and with its zone and terminal."""
    persona = shell.persona
    if shell.flavor == "ash":
        return busybox_greeting(persona)
    lines = [read_text(shell, "/run/motd.dynamic"), read_text(shell, "/etc/motd")]
    last = last_login(shell)
    if last is not None:
        when, source = last
        if remote_login:
            lines.insert(
                0,
                time.strftime("Last login: %a %b %e %H:%M:%S UTC %Y", time.gmtime(when)) + f" from {source} on pts/0\n",
            )
        else:
            lines.append(time.strftime("Last login: %a %b %e %H:%M:%S %Y", time.gmtime(when)) + f" from {source}\n")
    return "".join(lines)


def busybox_greeting(persona: Persona) -> str:
    """What BusyBox's shell says when it starts."""
    return f"\n\n{busybox_version(persona)} built-in shell (ash)\nEnter 'help' for a list of built-in commands.\n\n"


def busybox_version(persona: Persona) -> str:
    """The first line of BusyBox's help."""
    telnet = persona.service("telnet")
    version = telnet.version if telnet and persona.os.family == "embedded" and telnet.version else "1.35.0"
    if persona.os.family != "embedded":
        return "BusyBox v1.35.0 (Debian 1:1.35.0-4+b3)"
    built = installed(persona) - 200 * 86400
    return time.strftime(f"BusyBox v{version} (%Y-%m-%d %H:%M:%S UTC)", time.gmtime(built))


def last_login(shell: "Shell") -> tuple[float, str] | None:
    """When and from where the account was last used by its owner: an address near the host's, in the last days, in
    working hours. None for the one in eight that never logged in."""
    persona = shell.persona
    draw = persona.derive(f"last login {shell.user.name}", 8)
    if draw[0] % 8 == 0:
        return None
    day = int(shell.now() // 86400)
    period = 2 + draw[1] % 9
    day -= 1 + (day + draw[2]) % period
    when = day * 86400 + 7 * 3600 + int.from_bytes(draw[3:5], "big") % 36000
    when = max(when, installed(persona) + 3600)
    network, _, own = persona.address.rpartition(".")
    near = 1 + (int(own) + 1 + draw[5] % 250) % 254 if own.isdecimal() else 1
    return when, f"{network}.{near}"


def read_text(shell: "Shell", path: str) -> str:
    """A small file's text, as root reads it; empty when it is not there."""
    return decode(shell.view.files.read(path))
