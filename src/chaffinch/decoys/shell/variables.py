"""The built-in commands that set and show the shell's variables and arguments."""

import re

from chaffinch.decoys.shell.call import Call


async def export(call: Call) -> int:
    shell = call.shell
    names = [arg for arg in call.args if not arg.startswith("-")]
    if not names:
        for name in sorted(shell.exported & shell.variables.keys()):
            call.print(
                f'declare -x {name}="{shell.variables[name]}"'
                if shell.flavor == "bash"
                else f"export {name}='{shell.variables[name]}'"
            )
        return 0
    for arg in names:
        name, equals, value = arg.partition("=")
        if not name.isidentifier():
            return call.builtin_fault(f"`{arg}': not a valid identifier")
        if equals:
            shell.assign(name, value)
        shell.exported.add(name)
    return 0


async def unset(call: Call) -> int:
    for name in call.args:
        call.shell.variables.pop(name, None)
        call.shell.exported.discard(name)
        if name == "HISTFILE":
            call.shell.history.append("")
    return 0


async def set_(call: Call) -> int:
    if not call.args:
        for name, value in sorted(call.shell.variables.items()):
            call.print(f"{name}={value}" if re.fullmatch(r"[\w./:@%+,-]*", value) else f"{name}='{value}'")
    elif call.args[0] == "--":
        call.shell.arguments = call.args[1:]
    return 0


async def read(call: Call) -> int:
    names = [arg for arg in call.args if not arg.startswith("-")] or ["REPLY"]
    if call.stdin.interactive:
        typed = await call.shell.ask(b"", echo="-s" not in call.args)
        line = (typed or b"") + (b"\n" if typed is not None else b"")
    else:
        line = call.stdin.line()
    words = line.decode("utf-8", "surrogateescape").strip().split(None, len(names) - 1)
    for at, name in enumerate(names):
        call.shell.assign(name, words[at] if at < len(words) else "")
    return int(not line.endswith(b"\n"))


async def shift(call: Call) -> int:
    count = int(call.args[0]) if call.args and call.args[0].isdecimal() else 1
    if count > len(call.shell.arguments):
        return 1
    del call.shell.arguments[:count]
    return 0
