"""The commands that belong to the shell itself."""

import re
import time

from chaffinch.decoys.shell.call import Call, Command
from chaffinch.decoys.shell.conditions import test
from chaffinch.decoys.shell.printing import unescaped
from chaffinch.decoys.shell.variables import export, read, set_, shift, unset
from chaffinch.decoys.view import EXECUTE
from chaffinch.personas.files import FileError

_NAMES = [
    ".",
    ":",
    "[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
]

RESERVED = (
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "for",
    "while",
    "until",
    "do",
    "done",
    "case",
    "esac",
    "in",
    "{",
    "}",
    "!",
    "time",
    "function",
)


async def cd(call: Call) -> int:
    shell = call.shell
    args = [arg for arg in call.args if arg not in ("-P", "-L", "--")]
    if len(args) > 1:
        return call.builtin_fault("too many arguments")
    to = args[0] if args else shell.variables.get("HOME", "/")
    if to == "-":
        to = shell.variables.get("OLDPWD", "")
        if not to:
            return call.builtin_fault("OLDPWD not set")
        call.print(to)
    try:
        where, entry = call.view.locate(call.path(to))
        if entry.kind != "dir":
            return call.builtin_fault(f"{to}: Not a directory")
        if not call.view.allows(entry, EXECUTE):
            return call.builtin_fault(f"{to}: Permission denied")
    except FileError as error:
        if shell.flavor == "bash":
            return call.builtin_fault(f"{to}: {error.strerror}")
        return call.builtin_fault(f"can't cd to {to}", 2 if shell.flavor == "dash" else 1)
    shell.variables["OLDPWD"], shell.cwd = shell.cwd, where
    shell.variables["PWD"] = where
    return 0


async def pwd(call: Call) -> int:
    call.print(call.shell.cwd)
    return 0


async def echo(call: Call) -> int:
    args, newline = list(call.args), True
    escapes = call.shell.flavor == "dash"
    while args and re.fullmatch("-[neE]+", args[0]) and not (escapes and args[0] != "-n"):
        option = args.pop(0)
        newline = newline and "n" not in option
        escapes = escapes or "e" in option
    text = " ".join(args)
    if escapes:
        text, stopped = unescaped(text, octal_needs_zero=True)
        newline = newline and not stopped
    call.print(text, end="\n" if newline else "")
    return 0


async def exit_(call: Call) -> int:
    shell = call.shell
    if call.args and not re.fullmatch(r"-?\d{1,9}", call.args[0]):
        call.builtin_fault(f"{call.args[0]}: numeric argument required")
        shell.exit(2)
    shell.exit(int(call.args[0]) % 256 if call.args else shell.status)
    return 0


async def history(call: Call) -> int:
    shell = call.shell
    if "-c" in call.args or not shell.interactive:
        shell.history.clear()
        return 0
    lines = [*shell.view.files.read(f"{shell.user.home}/.bash_history").decode().splitlines(), *shell.history]
    count = int(call.args[0]) if call.args and call.args[0].isdecimal() else len(lines)
    for number, line in list(enumerate(lines, 1))[-count or len(lines) :]:
        call.print(f"{number:>5}  {line}")
    return 0


async def type_(call: Call) -> int:
    status = 0
    for name in [arg for arg in call.args if not arg.startswith("-")]:
        path = located(call, name)
        if name in RESERVED:
            call.print(f"{name} is a shell keyword")
        elif name in COMMANDS:
            call.print(f"{name} is a shell builtin")
        elif path:
            call.print(f"{name} is {path}")
        else:
            status = call.builtin_fault(f"{name}: not found")
    return status


def located(call: Call, name: str) -> str:
    """The path of a program in PATH, or an empty string."""
    if "/" in name:
        return name if call.view.exists(call.path(name)) else ""
    for directory in (call.shell.variable("PATH") or "").split(":")[:16]:
        path = f"{directory}/{name}"
        try:
            entry = call.view.entry(path)
        except FileError:
            continue
        if entry.kind == "file" and call.view.allows(entry, EXECUTE):
            return path
    return ""


async def which(call: Call) -> int:
    status = 0 if call.args else 1
    for name in [arg for arg in call.args if not arg.startswith("-")]:
        path = located(call, name)
        if path:
            call.print(path)
        else:
            status = 1
    return status


async def command(call: Call) -> int:
    args = list(call.args)
    if args and args[0] in ("-v", "-V"):
        status = 0
        for name in args[1:]:
            path = name if name in COMMANDS or name in RESERVED else located(call, name)
            if path:
                call.print(path)
            else:
                status = 1 if call.shell.flavor == "bash" else 127
        return status
    return await call.shell.call(args[0], args[1:], call) if args else 0


async def eval_(call: Call) -> int:
    return await call.shell.here(" ".join(call.args), call)


async def source(call: Call) -> int:
    if not call.args:
        return call.builtin_fault("filename argument required\n.: usage: . filename [arguments]", 2)
    try:
        text = call.view.read(call.path(call.args[0]))
    except FileError as error:
        call.complain(f"{call.shell.speaker()}{call.args[0]}: {error.strerror}")
        return 1
    if text.startswith(b"\x7fELF"):
        call.complain(f"{call.shell.speaker()}{call.name}: {call.args[0]}: cannot execute binary file")
        return 126
    return await call.shell.here(text.decode("utf-8", "surrogateescape"), call)


async def exec_(call: Call) -> int:
    if call.args:
        status = await call.shell.call(call.args[0], call.args[1:], call)
        call.shell.exit(status)
    return 0


async def umask(call: Call) -> int:
    if not call.args:
        call.print("0022")
    return 0


async def ulimit(call: Call) -> int:
    if not call.args or call.args[0] in ("-f", "-H", "-S"):
        call.print("unlimited")
    elif call.args[0] == "-n" and len(call.args) == 1:
        call.print("1024")
    return 0


async def enable(call: Call) -> int:
    if not call.args:
        for name in _NAMES:
            call.print(f"enable {name}")
        return 0
    for name in call.args:
        if name not in _NAMES and not name.startswith("-"):
            call.builtin_fault(f"{name}: not a shell builtin")
    return 1


async def help_(call: Call) -> int:
    call.print("GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)")
    call.print("These shell commands are defined internally.  Type `help' to see this list.")
    call.print("Type `help name' to find out more about the function `name'.")
    return 0


async def jump(call: Call) -> int:
    call.shell.jump(again=call.name == "continue")
    return 0


async def nothing(call: Call) -> int:
    return 0


async def false(call: Call) -> int:
    return 1


async def times(call: Call) -> int:
    call.print("0m0.012s 0m0.004s\n0m0.000s 0m0.000s")
    return 0


async def time_(call: Call) -> int:
    began = time.monotonic()
    status = await call.shell.call(call.args[0], call.args[1:], call) if call.args else 0
    took = time.monotonic() - began + 0.002
    call.complain(f"\nreal\t{int(took // 60)}m{took % 60:.3f}s\nuser\t0m0.001s\nsys\t0m0.001s")
    return status


COMMANDS: dict[str, Command] = {
    "cd": cd,
    "pwd": pwd,
    "echo": echo,
    "exit": exit_,
    "logout": exit_,
    "export": export,
    "declare": export,
    "typeset": export,
    "unset": unset,
    "set": set_,
    "history": history,
    "type": type_,
    "command": command,
    "builtin": command,
    "eval": eval_,
    ".": source,
    "source": source,
    "exec": exec_,
    "read": read,
    "shift": shift,
    "umask": umask,
    "ulimit": ulimit,
    "enable": enable,
    "help": help_,
    "break": jump,
    "continue": jump,
    ":": nothing,
    "true": nothing,
    "false": false,
    "times": times,
    "test": test,
    "[": test,
    "alias": nothing,
    "unalias": nothing,
    "shopt": nothing,
    "trap": nothing,
    "wait": nothing,
    "jobs": nothing,
    "hash": nothing,
    "disown": nothing,
    "local": export,
    "readonly": export,
    "return": exit_,
    "bg": nothing,
    "fg": nothing,
}

PROGRAMS: dict[str, Command] = {"which": which, "time": time_}
