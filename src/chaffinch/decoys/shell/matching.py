"""Commands that match patterns in text, which are a peer's and so must not run for ever."""

import re

from chaffinch.decoys.shell.call import Call, Command, options
from chaffinch.decoys.shell.finding import walk
from chaffinch.personas.files import FileError

CLASSES = {
    "[:lower:]": "abcdefghijklmnopqrstuvwxyz", "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "[:digit:]": "0123456789",
    "[:space:]": " \t\n\r\v\f", "[:blank:]": " \t", "[:punct:]": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
}  # fmt: skip
CLASSES["[:alpha:]"] = CLASSES["[:upper:]"] + CLASSES["[:lower:]"]
CLASSES["[:alnum:]"] = CLASSES["[:digit:]"] + CLASSES["[:alpha:]"]

_PATTERN_CHARACTERS = 256


def compiled(pattern: str, *, fixed: bool, extended: bool, ignore_case: bool) -> re.Pattern[str]:
    """A POSIX pattern as a regular expression. Repetition of groups is taken as text: a peer's pattern must not run
    for ever."""
    pattern = pattern[:_PATTERN_CHARACTERS]
    if not fixed and not extended:  # basic: the escaped operators are the special ones
        pattern = re.sub(r"\\([|(){}+?])|([|(){}+?])", lambda found: found[1] or "\\" + found[2], pattern)
    for name, characters in CLASSES.items():
        pattern = pattern.replace(name, re.escape(characters)) if not fixed else pattern
    try:
        if fixed or re.search(r"\)[*+{]|[*+}][*+{]|\\[1-9]", pattern) or len(re.findall(r"[*+{]", pattern)) > 4:
            raise re.error(pattern)
        return re.compile(pattern, re.I if ignore_case else 0)
    except re.error:
        return re.compile(re.escape(pattern), re.I if ignore_case else 0)


async def grep(call: Call) -> int:
    flags, rest, unknown = options(call.args, "ivncEFlqrRwohHxsaPL", "eABCm")
    if unknown:
        call.fail(f"invalid option -- '{unknown[1]}'")
    if unknown or (not rest and "e" not in flags):
        call.complain("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.")
        return 2
    pattern = flags["e"] if "e" in flags else rest.pop(0)
    extended = "E" in flags or "P" in flags or call.name == "egrep"
    expression = compiled(
        pattern, fixed="F" in flags or call.name == "fgrep", extended=extended, ignore_case="i" in flags
    )
    if "w" in flags or "x" in flags:
        expression = re.compile(
            rf"\b(?:{expression.pattern})\b" if "w" in flags else rf"^(?:{expression.pattern})$", expression.flags
        )
    status, paths, failed = 1, rest or ["-"], False
    if "r" in flags or "R" in flags:
        paths = [
            below for path in rest or ["."] for below in [path, *walk(call, path)] if not _is_directory(call, below)
        ]
    for path in paths:
        try:
            data = await call.read() if path == "-" else call.view.read(call.path(path))
        except FileError as error:
            failed = True
            if "s" not in flags:
                call.fail_at(path, error)
            continue
        named = (len(paths) > 1 or "r" in flags or "R" in flags or "H" in flags) and "h" not in flags
        if _grepped(call, flags, expression, "(standard input)" if path == "-" else path, data, named=named):
            status = 0
    return 2 if failed and status else status


def _is_directory(call: Call, path: str) -> bool:
    try:
        return call.view.entry(call.path(path)).kind == "dir"
    except FileError:
        return False


def _grepped(
    call: Call, flags: dict[str, str], expression: re.Pattern[str], path: str, data: bytes, *, named: bool
) -> bool:
    prefix = f"{path}:" if named else ""
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    matched = [(at, line) for at, line in enumerate(lines, 1) if bool(expression.search(line[:4096])) != ("v" in flags)]
    if "m" in flags and flags["m"].isdecimal():
        matched = matched[: int(flags["m"])]
    if "q" in flags:
        return bool(matched)
    if "c" in flags:
        call.print(f"{prefix}{len(matched)}")
    elif "l" in flags:
        if matched:
            call.print(path)
    elif b"\0" in data and "a" not in flags:
        if matched:
            call.print(f"grep: {path}: binary file matches")
    else:
        for at, line in matched:
            number = f"{at}:" if "n" in flags else ""
            for text in [found[0] for found in expression.finditer(line)] if "o" in flags else [line]:
                call.print(f"{prefix}{number}{text}")
    return bool(matched)


async def sed(call: Call) -> int:
    """`s/a/b/`, `Np` and `Nd`; anything else passes the text through."""
    flags, rest, _ = options(call.args, "nirEsz", "e")
    script = flags.get("e") or (rest.pop(0) if rest else "")
    found = re.fullmatch(r"s(.)(.*?)\1(.*?)\1([gi]*)", script, re.S)
    printed = re.fullmatch(r"(\d{1,6})(?:,(\d{1,6}|\$))?([pd])", script)
    for _, data in await call.sources(rest):
        for at, line in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
            shown = line
            if found is not None:
                expression = compiled(
                    found[2], fixed=False, extended="E" in flags or "r" in flags, ignore_case="i" in found[4]
                )
                replacement = found[3]
                shown = expression.sub(lambda _, text=replacement: text, line[:4096], count=0 if "g" in found[4] else 1)
            if printed is not None:
                last = at if printed[2] == "$" else int(printed[2] or printed[1])
                within = int(printed[1]) <= at <= last
                if within == (printed[3] == "d"):
                    continue
            elif "n" in flags:
                continue
            call.print(shown)
    return 0


async def awk(call: Call) -> int:
    """`{print $N}`, with -F; anything else prints nothing."""
    flags, rest, _ = options(call.args, "", "Fvf")
    script = rest.pop(0) if rest else ""
    found = re.fullmatch(r"\s*(?:/([^/]*)/)?\s*\{\s*print\s*([$\w, ]*?)\s*;?\s*\}\s*", script)
    if not script:
        call.complain("usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]")
        return 2
    for _, data in await call.sources(rest):
        for line in data.decode("utf-8", "surrogateescape").splitlines() if found is not None else ():
            if found is not None and found[1] and found[1] not in line:
                continue
            fields = [line, *line.split(flags.get("F") or None)]
            names = re.findall(r"\$(\d{1,3}|NF)", found[2]) if found is not None else []
            chosen = [
                fields[-1] if name == "NF" else fields[int(name)] if int(name) < len(fields) else "" for name in names
            ]
            call.print(" ".join(chosen) if names else line)
    return 0


COMMANDS: dict[str, Command] = {
    "grep": grep,
    "egrep": grep,
    "fgrep": grep,
    "sed": sed,
    "awk": awk,
    "mawk": awk,
}
