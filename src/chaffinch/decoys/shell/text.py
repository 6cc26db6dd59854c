"""Commands about text: they read their input, within bounds, and print."""

import re

from chaffinch.decoys.shell.call import Call, Command, bad_usage, encode, missing, options, quoted
from chaffinch.decoys.shell.matching import CLASSES
from chaffinch.decoys.shell.printing import printf, unescaped
from chaffinch.personas.files import FileError


async def head(call: Call) -> int:
    args = _old_count(call.args)
    flags, paths, unknown = options(args, "qvz", "nc")
    if unknown:
        return bad_usage(call, unknown)
    unit = "c" if "c" in flags else "n"
    asked = flags.get(unit, "10")
    found = re.fullmatch(r"([-+]?)(\d{1,12})([kKmM]?)", asked)
    if found is None:
        return call.fail(f"invalid number of {'bytes' if unit == 'c' else 'lines'}: {quoted(asked)}")
    count = int(found[2]) * {"": 1, "k": 1024, "m": 1 << 20}[found[3].lower()]
    contents = await _opened(call, paths)
    for at, (path, data) in enumerate(contents):
        if len(paths) > 1:
            call.print(("\n" if at else "") + f"==> {path} <==")
        call.write(_part(data, count, unit, found[1], first=call.name == "head"))
    return int(len(contents) < len(paths))


def _old_count(args: list[str]) -> list[str]:
    """`-5` is `-n 5`."""
    return [part for arg in args for part in (("-n", arg[1:]) if re.fullmatch(r"-\d+", arg) else (arg,))]


def _part(data: bytes, count: int, unit: str, sign: str, *, first: bool) -> bytes:
    if unit == "c":
        pieces: list[bytes] | bytes = data
    else:
        pieces = data.splitlines(keepends=True) if b"\r" not in data else [line + b"\n" for line in data.split(b"\n")]
    if first:
        part = pieces[:-count] if sign == "-" and count else pieces[:count]
    else:
        part = pieces[max(count - 1, 0) :] if sign == "+" else pieces[-count:] if count else pieces[:0]
    return part if isinstance(part, bytes) else b"".join(part)


async def _opened(call: Call, paths: list[str]) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for path in paths or ["-"]:
        try:
            data = await call.read() if path == "-" else call.view.read(call.path(path))
        except FileError as error:
            if error.strerror == "Is a directory":
                call.fail(f"error reading '{path}': Is a directory")
            else:
                call.fail(f"cannot open '{path}' for reading: {error.strerror}")
            continue
        found.append(("standard input" if path == "-" else path, data))
    return found


async def tail(call: Call) -> int:
    call.args = [arg for arg in call.args if arg not in ("-f", "-F")]
    return await head(call)


async def wc(call: Call) -> int:
    flags, paths, unknown = options(call.args, "lwcmL")
    if unknown:
        return bad_usage(call, unknown)
    wanted = [letter for letter in "lwmc" if letter in flags] or ["l", "w", "c"]
    rows: list[tuple[list[int], str]] = []
    for path, data in await call.sources(paths):
        counts = {
            "l": data.count(b"\n"),
            "w": len(data.split()),
            "c": len(data),
            "m": len(data.decode("utf-8", "replace")),
        }
        rows.append(([counts[letter] for letter in wanted], "" if path == "-" and not paths else path))
    if len(paths) > 1:
        rows.append(
            ([sum(column) for column in zip(*(row for row, _ in rows), strict=True)] or [0] * len(wanted), "total")
        )
    biggest = max((number for row, _ in rows for number in row), default=0)
    width = 1 if len(wanted) == 1 and len(rows) == 1 else 7 if not paths or paths == ["-"] else len(str(biggest))
    for row, name in rows:
        call.print(" ".join(f"{number:>{width}}" for number in row) + (f" {name}" if name else ""))
    return int(len(rows) - (len(paths) > 1) < len(paths))


async def sort(call: Call) -> int:
    flags, paths, unknown = options(call.args, "nrufhbVg", "kto")
    if unknown:
        return bad_usage(call, unknown)
    lines: list[str] = []
    for path in paths or ["-"]:
        try:
            data = await call.read() if path == "-" else call.view.read(call.path(path))
        except FileError as error:
            return call.fail(f"cannot read: {path}: {error.strerror}", 2)
        lines += data.decode("utf-8", "surrogateescape").splitlines()
    field = re.match(r"\d{1,4}", flags.get("k", ""))
    separator = flags.get("t") or None

    def key(line: str) -> tuple[float, str]:
        part = line
        if field is not None:
            parts = line.split(separator)
            part = parts[int(field[0]) - 1] if 0 < int(field[0]) <= len(parts) else ""
        numeric = {"n", "h", "g"} & flags.keys() or flags.get("k", "").endswith("n")
        number = re.match(r"\s*(-?\d{1,15}(?:\.\d{1,15})?)([KMGT]?)", part) if numeric else None
        scale = (
            {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[number[2]] if number and "h" in flags else 1
        )
        return (float(number[1]) * scale if number else 0.0, line.casefold() if "f" in flags else part)

    lines.sort(key=key, reverse="r" in flags or flags.get("k", "").endswith("r"))
    if "u" in flags:
        lines = list(dict.fromkeys(lines))
    call.print("".join(line + "\n" for line in lines), end="")
    return 0


async def uniq(call: Call) -> int:
    flags, paths, unknown = options(call.args, "cdui")
    if unknown:
        return bad_usage(call, unknown)
    groups: list[list[str]] = []
    for _, data in await call.sources(paths[:1]):
        for line in data.decode("utf-8", "surrogateescape").splitlines():
            if groups and groups[-1][0] == line:
                groups[-1].append(line)
            else:
                groups.append([line])
    for group in groups:
        if ("d" in flags and len(group) == 1) or ("u" in flags and len(group) > 1):
            continue
        call.print(f"{len(group):>7} {group[0]}" if "c" in flags else group[0])
    return 0


async def cut(call: Call) -> int:
    flags, paths, unknown = options(call.args, "sn", "dfcb")
    if unknown:
        return bad_usage(call, unknown)
    kind = next((letter for letter in "fcb" if letter in flags), "")
    if not kind:
        return missing(call, "you must specify a list of bytes, characters, or fields")
    wanted = _ranges(flags[kind])
    separator = flags.get("d", "\t") or "\t"
    for _, data in await call.sources(paths):
        for line in data.decode("utf-8", "surrogateescape").splitlines():
            if kind == "f" and separator not in line:
                if "s" not in flags:
                    call.print(line)
                continue
            pieces = line.split(separator) if kind == "f" else list(line)
            chosen = [piece for at, piece in enumerate(pieces, 1) if any(low <= at <= high for low, high in wanted)]
            call.print((separator if kind == "f" else "").join(chosen))
    return 0


def _ranges(text: str) -> list[tuple[int, int]]:
    found = []
    for part in text.split(",")[:64]:
        low, dash, high = part.partition("-")
        first = int(low) if low.isdecimal() else 1
        found.append((first, int(high) if high.isdecimal() else 1 << 30 if dash else first))
    return found


def _set(text: str) -> str:
    for name, characters in CLASSES.items():
        text = text.replace(name, characters)
    text = unescaped(text)[0]
    return re.sub(
        r"(.)-(.)",
        lambda found: "".join(map(chr, range(ord(found[1]), min(ord(found[2]), 0x10FF) + 1))),
        text,
        flags=re.S,
    )


async def tr(call: Call) -> int:
    flags, sets, unknown = options(call.args, "dscCt")
    if unknown:
        return bad_usage(call, unknown)
    if not sets or (len(sets) < 2 and not {"d", "s"} & flags.keys()):
        return missing(call, f"missing operand after {quoted(sets[0])}" if sets else "missing operand")
    text = (await call.read()).decode("utf-8", "surrogateescape")
    first = _set(sets[0][:512])
    complement = "c" in flags or "C" in flags

    def belongs(character: str) -> bool:
        return (character in first) != complement

    if "d" in flags:
        text = "".join(character for character in text if not belongs(character))
    elif len(sets) > 1:
        second = _set(sets[1][:512]) or " "
        table = {ord(one): second[min(at, len(second) - 1)] for at, one in enumerate(first)}
        text = "".join(second[-1] if belongs(c) else c for c in text) if complement else text.translate(table)
    if "s" in flags:
        squeezed = set(_set(sets[-1][:512]))
        text = re.sub(r"(.)\1+", lambda found: found[1] if found[1] in squeezed else found[0], text, flags=re.S)
    call.print(text, end="")
    return 0


async def tee(call: Call) -> int:
    data = await call.read()
    call.write(data)
    status = 0
    for path in [arg for arg in call.args if not arg.startswith("-")]:
        try:
            call.view.write(call.path(path), data, append="-a" in call.args)
        except FileError as error:
            status = call.fail_at(path, error)
    return status


async def digest(call: Call) -> int:
    import hashlib

    kind = call.name.removesuffix("sum")
    status = 0
    for path in [arg for arg in call.args if not arg.startswith("-")] or ["-"]:
        try:
            data = await call.read() if path == "-" else call.view.read(call.path(path))
        except FileError as error:
            status = call.fail_at(path, error)
            continue
        call.print(f"{hashlib.new(kind, data, usedforsecurity=False).hexdigest()}  {path}")
    return status


async def base64(call: Call) -> int:
    import base64 as codec
    import binascii

    flags, paths, unknown = options(call.args, "di", "w")
    if unknown:
        return bad_usage(call, unknown)
    for _, data in await call.sources(paths[:1]):
        if "d" in flags or "--decode" in flags:
            try:
                call.write(codec.b64decode(re.sub(rb"\s", b"", data), validate=True))
            except binascii.Error:
                return call.fail("invalid input")
            return 0
        text = codec.b64encode(data).decode()
        width = int(flags["w"]) if flags.get("w", "").isdecimal() else 76
        lines = [text[i : i + width] for i in range(0, len(text), width)] if width else [text]
        call.print("\n".join(lines), end="\n" if width and text else "")
        return 0
    return 1


async def xargs(call: Call) -> int:
    words = (await call.read()).decode("utf-8", "surrogateescape").split()[:1024]
    args = list(call.args)
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option in ("-n", "-I", "-P", "-L") and args:
            args.pop(0)
    return await call.shell.call((args or ["echo"])[0], [*args[1:], *words], call)


async def seq(call: Call) -> int:
    numbers = [int(arg) for arg in call.args if re.fullmatch(r"-?\d{1,9}", arg)]
    if not numbers:
        return missing(call)
    first = numbers[0] if len(numbers) > 1 else 1
    step = (numbers[1] if len(numbers) > 2 else 1) or 1
    for number in range(first, numbers[-1] + (1 if step > 0 else -1), step)[:20000]:
        call.print(str(number))
    return 0


async def rev(call: Call) -> int:
    for _, data in await call.sources(call.args):
        lines = data.decode("utf-8", "surrogateescape").splitlines()
        call.print("\n".join([line[::-1] for line in lines] if call.name == "rev" else lines[::-1]))
    return 0


async def basename(call: Call) -> int:
    if not call.args:
        return missing(call)
    path = call.args[0].rstrip("/") or "/"
    if call.name == "dirname":
        call.print(path.rpartition("/")[0] or ("/" if path.startswith("/") else "."))
    else:
        name = path.rpartition("/")[2] or path
        call.print(name.removesuffix(call.args[1]) if len(call.args) > 1 and name != call.args[1] else name)
    return 0


async def strings(call: Call) -> int:
    for _, data in await call.sources([arg for arg in call.args if not arg.startswith("-")]):
        for found in re.findall(rb"[\x20-\x7e]{4,}", data):
            call.write(found + b"\n")
    return 0


async def hexdump(call: Call) -> int:
    for _, data in await call.sources([arg for arg in call.args if not arg.startswith("-")]):
        for at in range(0, min(len(data), 65536), 16):
            part = data[at : at + 16]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
            pairs = " ".join(part[i : i + 2].hex() for i in range(0, len(part), 2))
            call.print(f"{at:08x}: {pairs:<39}  {text}")
    return 0


async def yes(call: Call) -> int:
    line = encode((" ".join(call.args) or "y") + "\n")
    while not call.out.full:
        call.write(line * 512)
    return 0


COMMANDS: dict[str, Command] = {
    "head": head,
    "tail": tail,
    "wc": wc,
    "sort": sort,
    "uniq": uniq,
    "cut": cut,
    "tr": tr,
    "tee": tee,
    "md5sum": digest,
    "sha1sum": digest,
    "sha256sum": digest,
    "sha512sum": digest,
    "base64": base64,
    "xargs": xargs,
    "seq": seq,
    "rev": rev,
    "tac": rev,
    "basename": basename,
    "dirname": basename,
    "strings": strings,
    "xxd": hexdump,
    "hexdump": hexdump,
    "yes": yes,
    "printf": printf,
}
