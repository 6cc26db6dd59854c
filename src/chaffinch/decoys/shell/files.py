"""Commands about files: they see and change the source's view, nothing else."""

import errno
import itertools
import re

from chaffinch.decoys.overlay import READ, join
from chaffinch.decoys.shell.call import Call, Command, options, quoted
from chaffinch.decoys.shell.listing import inode, ls, permissions, uid_of
from chaffinch.personas.files import Entry, FileError

FOUND = 2000
"""How many paths `find` and the recursive commands look at."""


def bad_usage(call: Call, unknown: str) -> int:
    """GNU's answer to an option that is not known, or that lacks its value."""
    if unknown.endswith(":"):
        words = f"option requires an argument -- '{unknown[1]}'"
    else:
        words = f"invalid option -- '{unknown[1]}'"
    return call.fail(f"{words}\nTry '{call.name} --help' for more information.")


def missing(call: Call, what: str = "missing operand") -> int:
    """GNU's answer to too few arguments."""
    return call.fail(f"{what}\nTry '{call.name} --help' for more information.")


def walk(call: Call, path: str, depth: int = 12) -> list[str]:
    """Everything below a directory, parents first."""
    found: list[str] = []
    pending = [(path, 0)]
    while pending and len(found) < FOUND:
        here, level = pending.pop()
        try:
            entries = call.view.entries(call.path(here)) if level < depth else []
        except FileError as error:
            call.fail(f"cannot open directory '{here}': {error.strerror}") if call.name != "find" else call.complain(
                f"find: {quoted(here)}: {error.strerror}"
            )
            continue
        below = [(join(here, entry.name), entry) for entry in entries]
        found += [name for name, _ in below]
        pending += [(name, level + 1) for name, entry in reversed(below) if entry.kind == "dir"]
    return found


async def cat(call: Call) -> int:
    flags, paths, unknown = options(call.args, "nbsAvETet")
    if unknown:
        return bad_usage(call, unknown)
    status, number = 0, 0
    for path in paths or ["-"]:
        try:
            data = await call.read() if path == "-" else _device(call, path) or call.view.read(call.path(path))
        except FileError as error:
            status = call.fail_at(path, error)
            continue
        if not flags:
            call.write(data)
            continue
        for line in data.splitlines(keepends=True):
            if "n" in flags or ("b" in flags and line.strip()):
                number += 1
                call.write(b"%6d\t" % number)
            call.write(line.replace(b"\n", b"$\n") if "A" in flags or "E" in flags else line)
    return status


def _device(call: Call, path: str) -> bytes:
    """The endless devices give what a peer would wait to see the end of; here they do end."""
    if path in ("/dev/urandom", "/dev/random"):
        return call.shell.random.randbytes(64 << 10)
    return bytes(64 << 10) if path == "/dev/zero" else b""


async def touch(call: Call) -> int:
    _, paths, unknown = options(call.args, "acmf", "drt")
    if unknown:
        return bad_usage(call, unknown)
    if not paths:
        return missing(call, "missing file operand")
    status = 0
    for path in paths:
        try:
            if call.view.exists(call.path(path)):
                call.view.touch(call.path(path))
            else:
                call.view.write(call.path(path), b"")
        except FileError as error:
            words = "Permission denied" if error.errno == errno.EPERM else error.strerror
            status = call.fail(f"cannot touch '{path}': {words}")
    return status


async def mkdir(call: Call) -> int:
    flags, paths, unknown = options(call.args, "pv", "m")
    if unknown:
        return bad_usage(call, unknown)
    if not paths:
        return missing(call)
    status = 0
    for path in paths:
        steps = [path]
        if "p" in flags or "--parents" in flags:
            parts = path.rstrip("/").split("/")
            steps = ["/".join(parts[: i + 1]) or "/" for i in range(len(parts))]
        for step in steps:
            if len(steps) > 1 and call.view.exists(call.path(step)):
                continue
            try:
                call.view.mkdir(
                    call.path(step), int(flags.get("m") or "755", 8) if flags.get("m", "755").isdecimal() else 0o755
                )
            except FileError as error:
                if not ("p" in flags and error.errno == errno.EEXIST):
                    status = call.fail(f"cannot create directory {quoted(path)}: {error.strerror}")
                break
            if "v" in flags:
                call.print(f"mkdir: created directory '{step}'")
    return status


async def rmdir(call: Call) -> int:
    status = 0
    for path in call.args:
        try:
            call.view.rmdir(call.path(path))
        except FileError as error:
            status = call.fail(f"failed to remove '{path}': {error.strerror}")
    return status if call.args else missing(call)


async def rm(call: Call) -> int:
    flags, paths, unknown = options(call.args, "rRfivdI")
    if unknown:
        return bad_usage(call, unknown)
    deep, force = "r" in flags or "R" in flags or "--recursive" in flags, "f" in flags or "--force" in flags
    if not paths:
        return 0 if force else missing(call)
    status = 0
    for path in paths:
        if (
            deep
            and call.view.exists(call.path(path))
            and call.view.locate(call.path(path))[0] == "/"
            and "--no-preserve-root" not in flags
        ):
            call.complain(
                "rm: it is dangerous to operate recursively on '/'\nrm: use --no-preserve-root "
                "to override this failsafe"
            )
            status = 1
        elif not _removed(call, path, deep=deep, force=force):
            status = 1
    return status


def _removed(call: Call, path: str, *, deep: bool, force: bool) -> bool:
    where = call.path(path)
    try:
        entry = call.view.entry(where, follow=False)
        if entry.kind == "dir" and not deep:
            call.fail(f"cannot remove '{path}': Is a directory")
            return False
        if entry.kind == "dir":
            for name in call.view.names(where):
                if not _removed(call, join(path, name), deep=True, force=force):
                    return False
            call.view.rmdir(where)
        else:
            call.view.remove(where)
    except FileError as error:
        if not (force and error.errno == errno.ENOENT):
            words = "Operation not permitted" if error.errno == errno.EPERM else error.strerror
            call.fail(f"cannot remove '{path}': {words}")
            return False
    return True


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


_SYMBOLIC = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")


def new_mode(old: int, text: str, *, directory: bool) -> int | None:
    """The mode that `chmod text` makes of `old`; None if it is not one."""
    if re.fullmatch(r"[0-7]{1,5}", text):
        return int(text, 8) & 0o7777
    for clause in text.split(","):
        found = _SYMBOLIC.fullmatch(clause)
        if found is None:
            return None
        who, operator, letters = found.groups()
        who = "ugo" if not who or "a" in who else who
        bits = sum(
            {"r": 4, "w": 2, "x": 1, "X": int(directory or bool(old & 0o111))}.get(letter, 0) for letter in set(letters)
        )
        mask = sum(bits << {"u": 6, "g": 3, "o": 0}[one] for one in set(who))
        mask |= (0o4000 if "u" in who and "s" in letters else 0) | (0o1000 if "t" in letters else 0)
        every = sum(7 << {"u": 6, "g": 3, "o": 0}[one] for one in set(who))
        old = old | mask if operator == "+" else old & ~mask if operator == "-" else old & ~every | mask
    return old


async def chmod(call: Call) -> int:
    args = [arg for arg in call.args if arg not in ("-R", "-f", "-v", "-c", "--recursive")]
    if len(args) < 2:
        return missing(call, f"missing operand after {quoted(args[0])}" if args else "missing operand")
    mode, *paths = args
    status = 0
    for path in paths:
        try:
            entry = call.view.entry(call.path(path))
            changed = new_mode(entry.mode, mode, directory=entry.kind == "dir")
            if changed is None:
                return call.fail(f"invalid mode: {quoted(mode)}\nTry 'chmod --help' for more information.")
            call.view.chmod(call.path(path), changed)
        except FileError as error:
            words = f"cannot access '{path}'" if error.errno == errno.ENOENT else f"changing permissions of '{path}'"
            status = call.fail(f"{words}: {error.strerror}")
    return status


async def chown(call: Call) -> int:
    args = [arg for arg in call.args if not arg.startswith("-")]
    if len(args) < 2:
        return missing(call, f"missing operand after {quoted(args[0])}" if args else "missing operand")
    who, *paths = args
    owner, _, group = (who.replace(".", ":", 1) if ":" not in who else who).partition(":")
    if call.name == "chgrp":
        owner, group = "", who
    if owner and owner not in ("root", "www-data", "nobody") and call.shell.persona.user(owner) is None:
        return call.fail(f"invalid user: {quoted(who)}")
    status = 0
    for path in paths:
        try:
            call.view.chown(call.path(path), owner, group)
        except FileError as error:
            words = f"cannot access '{path}'" if error.errno == errno.ENOENT else f"changing ownership of '{path}'"
            status = call.fail(f"{words}: {error.strerror}")
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


async def find(call: Call) -> int:
    roots: list[str] = []
    args = list(call.args)
    while args and not args[0].startswith(("-", "(", "!")):
        roots.append(args.pop(0))
    tests = dict(itertools.pairwise(args))
    status = 0
    for root in roots or ["."]:
        try:
            call.view.entry(call.path(root))
        except FileError as error:
            call.complain(f"find: {quoted(root)}: {error.strerror}")
            status = 1
            continue
        limit = int(tests["-maxdepth"]) if tests.get("-maxdepth", "").isdecimal() else 12
        for path in [root, *walk(call, root, limit)]:
            if _wanted(call, path, tests):
                call.print(path)
    return status


def _wanted(call: Call, path: str, tests: dict[str, str]) -> bool:
    import fnmatch

    try:
        entry = call.view.entry(call.path(path), follow=False)
    except FileError:
        return False
    name = path.rstrip("/").rpartition("/")[2] or path
    if "-name" in tests and not fnmatch.fnmatchcase(name, tests["-name"][:256]):
        return False
    if "-iname" in tests and not fnmatch.fnmatchcase(name.lower(), tests["-iname"][:256].lower()):
        return False
    if (
        "-type" in tests
        and tests["-type"] != {"file": "f", "dir": "d", "link": "l", "char": "c", "block": "b"}[entry.kind]
    ):
        return False
    if "-user" in tests and tests["-user"] != entry.owner:
        return False
    if "-perm" in tests:
        asked = tests["-perm"].lstrip("-/")
        bits = int(asked, 8) if re.fullmatch("[0-7]{1,5}", asked) else 0o4000 if "s" in asked else 0
        return entry.mode & bits == bits if tests["-perm"].startswith("-") else bool(entry.mode & bits)
    return "-writable" not in tests or call.view.allows(entry, 2)


async def stat(call: Call) -> int:
    import time

    status = 0
    for path in [arg for arg in call.args if not arg.startswith("-")]:
        try:
            entry = call.view.entry(call.path(path), follow=False)
        except FileError as error:
            status = call.fail(f"cannot statx '{path}': {error.strerror}")
            continue
        kind = {
            "file": "regular file",
            "dir": "directory",
            "link": "symbolic link",
            "char": "character special file",
            "block": "block special file",
        }[entry.kind]
        if entry.kind == "file" and not entry.size:
            kind = "regular empty file"
        when = time.strftime("%Y-%m-%d %H:%M:%S.000000000 +0000", time.gmtime(entry.mtime))
        uid, gid = uid_of(call, entry.owner), uid_of(call, entry.group)
        call.print(f"  File: {path}")
        call.print(f"  Size: {entry.size:<10}\tBlocks: {-(-entry.size // 4096) * 8:<10} IO Block: 4096   {kind}")
        call.print(f"Device: 8,1\tInode: {inode(entry):<11} Links: {2 if entry.kind == 'dir' else 1}")
        call.print(
            f"Access: ({entry.mode:04o}/{permissions(entry)})  Uid: "
            f"({uid:>5}/{entry.owner:>8})   Gid: ({gid:>5}/{entry.group:>8})"
        )
        call.print(f"Access: {when}\nModify: {when}\nChange: {when}\n Birth: {when}")
    return status if call.args else missing(call)


async def du(call: Call) -> int:
    flags, paths, unknown = options(call.args, "shackm", "d")
    if unknown:
        return bad_usage(call, unknown)
    from chaffinch.decoys.shell.listing import human

    for path in paths or ["."]:
        try:
            below = [call.view.entry(call.path(each), follow=False) for each in [path, *walk(call, path)]]
        except FileError as error:
            return call.fail(f"cannot access '{path}': {error.strerror}")
        blocks = sum(-(-entry.size // 4096) * 4 for entry in below)
        call.print(f"{human(blocks * 1024) if 'h' in flags else blocks}\t{path}")
    return 0


async def readlink(call: Call) -> int:
    flags, paths, _ = options(call.args, "femnqsvz")
    status = 0
    for path in paths:
        try:
            if flags or call.name == "realpath":
                call.print(call.view.locate(call.path(path))[0])
                continue
            entry = call.view.entry(call.path(path), follow=False)
            if entry.kind == "link":
                call.print(entry.target)
            else:
                status = 1
        except FileError:
            status = 1
    return status if paths else missing(call)


async def file(call: Call) -> int:
    for path in call.args:
        try:
            entry = call.view.entry(call.path(path))
            data = b"" if entry.kind == "dir" else call.view.read(call.path(path))
        except FileError as error:
            call.print(f"{path}: cannot open `{path}' ({error.strerror})")
            continue
        call.print(f"{path}: {_kind(entry, data)}")
    return 0


def _kind(entry: Entry, data: bytes) -> str:
    if entry.kind == "dir":
        return "sticky, directory" if entry.mode & 0o1000 else "directory"
    if not data:
        return "empty"
    if data.startswith(b"\x7fELF"):
        bits = "64-bit" if data[4] == 2 else "32-bit"
        return f"ELF {bits} LSB pie executable, x86-64, version 1 (SYSV), dynamically linked, stripped"
    if data.startswith(b"#!"):
        return "POSIX shell script, ASCII text executable"
    return "ASCII text" if data.isascii() else "data"


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
        data = await call.read() if source is None else _device(call, source) or call.view.read(call.path(source))
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
    "ls": ls,
    "dir": ls,
    "cat": cat,
    "touch": touch,
    "mkdir": mkdir,
    "rmdir": rmdir,
    "rm": rm,
    "cp": cp,
    "mv": mv,
    "chmod": chmod,
    "chown": chown,
    "chgrp": chown,
    "ln": ln,
    "find": find,
    "stat": stat,
    "du": du,
    "readlink": readlink,
    "realpath": readlink,
    "file": file,
    "dd": dd,
}
