"""Commands that copy, move and link files."""

import errno
import re

from chaffinch.decoys.shell.call import Call, Command, bad_usage, missing, options, quoted
from chaffinch.decoys.shell.files import device
from chaffinch.decoys.view import READ, join
from chaffinch.personas.files import Entry, FileError


def _target(call: Call, source: str, to: str) -> str:
    """Where a copy or a move of `source` goes."""
    try:
        into = call.view.entry(call.path(to)).kind == "dir"
    except FileError:
        into = False
    return join(to, source.rstrip("/").rpartition("/")[2]) if into else to


async def cp(call: Call) -> int:
    flags, paths, unknown = options(call.args, "rRapfvniuLdPH", "t")
    if unknown:
        return bad_usage(call, unknown)
    if len(paths) < 2:
        return missing(
            call, f"missing destination file operand after '{paths[0]}'" if paths else "missing file operand"
        )
    *sources, to = paths
    status = 0
    for source in sources:
        try:
            entry = call.view.entry(call.path(source))
        except FileError as error:
            status = call.fail(f"cannot stat '{source}': {error.strerror}")
            continue
        deep = "r" in flags or "R" in flags or "a" in flags
        if entry.kind == "dir" and not deep:
            status = call.fail(f"-r not specified; omitting directory '{source}'")
            continue
        target = _target(call, source, to)
        if not _copied(call, source, entry, target):
            status = 1
        elif "v" in flags:
            call.print(f"'{source}' -> '{target}'")
    return status


def _copied(call: Call, source: str, entry: Entry, target: str) -> bool:
    try:
        if call.view.exists(call.path(target)) and call.view.locate(call.path(source)) == call.view.locate(
            call.path(target)
        ):
            call.fail(f"'{source}' and '{target}' are the same file")
            return False
        if not call.view.allows(entry, READ):
            call.fail(f"cannot open '{source}' for reading: Permission denied")
            return False
        if entry.kind != "dir":
            call.view.copy(call.path(source), call.path(target))
            return True
        if not call.view.exists(call.path(target)):
            call.view.mkdir(call.path(target))
        where = call.view.locate(call.path(source))[0]
        return all(
            _copied(call, join(source, child.name), child, join(target, child.name))
            for child in call.view.entries(where)
            if join(where, child.name) != call.view.locate(call.path(target))[0]
        )
    except FileError as error:
        kind = "directory" if entry.kind == "dir" else "regular file"
        words = f"error writing '{target}'" if error.errno == errno.ENOSPC else f"cannot create {kind} '{target}'"
        call.fail(f"{words}: {error.strerror}")
        return False


async def mv(call: Call) -> int:
    _, paths, unknown = options(call.args, "finvu", "t")
    if unknown:
        return bad_usage(call, unknown)
    if len(paths) < 2:
        return missing(
            call, f"missing destination file operand after '{paths[0]}'" if paths else "missing file operand"
        )
    *sources, to = paths
    status = 0
    for source in sources:
        target = _target(call, source, to)
        try:
            call.view.entry(call.path(source), follow=False)
        except FileError as error:
            status = call.fail(f"cannot stat '{source}': {error.strerror}")
            continue
        try:
            call.view.rename(call.path(source), call.path(target))
        except FileError as error:
            status = call.fail(f"cannot move '{source}' to '{target}': {error.strerror}")
    return status


async def ln(call: Call) -> int:
    flags, paths, unknown = options(call.args, "sfnvirT")
    if unknown:
        return bad_usage(call, unknown)
    if not paths:
        return missing(call, "missing file operand")
    target = paths[0]
    to = _target(call, target, paths[1] if len(paths) > 1 else ".")
    try:
        if "f" in flags and call.view.exists(call.path(to)):
            call.view.remove(call.path(to))
        if "s" in flags:
            call.view.symlink(target, call.path(to))
        elif call.view.exists(call.path(to)):
            raise FileError(errno.EEXIST, to)
        else:
            call.view.copy(call.path(target), call.path(to))
    except FileError as error:
        kind = "symbolic" if "s" in flags else "hard"
        return call.fail(f"failed to create {kind} link '{to}': {error.strerror}")
    return 0


async def dd(call: Call) -> int:
    given = dict(arg.partition("=")[::2] for arg in call.args)
    for key, value in given.items():
        if key not in ("if", "of", "bs", "count", "skip", "seek", "conv", "status", "ibs", "obs", "iflag", "oflag"):
            return call.fail(f"unrecognized operand {quoted(key + '=' + value)}\nTry 'dd --help' for more information.")
    sizes = {"k": 1024, "K": 1024, "M": 1 << 20, "G": 1 << 30, "": 1}
    size = re.fullmatch(r"(\d{1,9})([kKMG]?)B?", given.get("bs", "512"))
    block = int(size[1]) * sizes[size[2]] if size else 512
    count = int(given["count"]) if given.get("count", "").isdecimal() else None
    try:
        source = given.get("if")
        data = await call.read() if source is None else device(call, source) or call.view.read(call.path(source))
        skip = int(given["skip"]) * block if given.get("skip", "").isdecimal() else 0
        data = data[skip:][: None if count is None else count * block]
        if "of" in given:
            call.view.write(call.path(given["of"]), data)
        else:
            call.write(data)
    except FileError as error:
        return call.fail(
            f"failed to open "
            f"'{error.filename.rpartition('/')[2] if not given.get('if') else given['if']}': "
            f"{error.strerror}"
        )
    whole, part = divmod(len(data), max(block, 1))
    if given.get("status") != "none":
        took = max(len(data) / 2.1e8, 0.000041)
        call.complain(f"{whole}+{int(part > 0)} records in\n{whole}+{int(part > 0)} records out")
        if given.get("status") != "noxfer":
            call.complain(f"{len(data)} bytes{_si(len(data))} copied, {took:.6g} s, {len(data) / took / 1e6:.1f} MB/s")
    return 0


def _si(size: int) -> str:
    if size < 1000:
        return ""
    return (
        f" ({size / 1000:.1f} kB, {size / 1024:.1f} KiB)"
        if size < 1_000_000
        else f" ({size / 1e6:.1f} MB, {size / 1048576:.1f} MiB)"
    )


COMMANDS: dict[str, Command] = {
    "cp": cp,
    "mv": mv,
    "ln": ln,
    "dd": dd,
}
