"""`test` and `[`: what they hold for true."""

import re

from chaffinch.decoys.shell.call import Call
from chaffinch.personas.files import FileError


async def test(call: Call) -> int:
    args = list(call.args)
    if call.name == "[" and (not args or args.pop() != "]"):
        return call.builtin_fault("missing `]'", 2)
    return int(not _true(call, args))


def _true(call: Call, args: list[str]) -> bool:
    for joiner, combine in (("-o", any), ("-a", all)):
        if joiner in args[1:-1]:
            at = args.index(joiner, 1)
            return combine((_true(call, args[:at]), _true(call, args[at + 1 :])))
    if args and args[0] == "!":
        return not _true(call, args[1:])
    if len(args) == 2:
        return _unary(call, *args)
    if len(args) == 3:
        return _binary(*args)
    return len(args) == 1 and bool(args[0])


def _unary(call: Call, operator: str, operand: str) -> bool:  # noqa: PLR0911  one answer an operator
    if operator in ("-n", "-z"):
        return bool(operand) == (operator == "-n")
    if operator == "-t":
        return call.shell.interactive
    try:
        entry = call.view.entry(call.path(operand), follow=operator not in ("-L", "-h"))
    except FileError:
        return False
    match operator:
        case "-f":
            return entry.kind == "file"
        case "-d":
            return entry.kind == "dir"
        case "-L" | "-h":
            return entry.kind == "link"
        case "-s":
            return entry.size > 0
        case "-r" | "-w" | "-x":
            return call.view.allows(entry, {"-r": 4, "-w": 2, "-x": 1}[operator])
        case "-c" | "-b":
            return entry.kind == {"-c": "char", "-b": "block"}[operator]
        case "-u":
            return bool(entry.mode & 0o4000)
    return operator in ("-e", "-a", "-O", "-G")


def _binary(left: str, operator: str, right: str) -> bool:
    if operator in ("=", "==", "!="):
        return (left == right) != (operator == "!=")
    numbers = [int(text) if re.fullmatch(r"\s*-?\d{1,18}\s*", text) else 0 for text in (left, right)]
    one, two = numbers
    return {
        "-eq": one == two,
        "-ne": one != two,
        "-lt": one < two,
        "-le": one <= two,
        "-gt": one > two,
        "-ge": one >= two,
    }.get(operator, False)
