"""Commands that look for files and say what they are."""

import itertools
import re

from chaffinch.decoys import globbing
from chaffinch.decoys.shell.call import Call, Command, bad_usage, missing, options, quoted
from chaffinch.decoys.shell.listing import human, inode, permissions, uid_of
from chaffinch.decoys.view import join
from chaffinch.personas.files import Entry, FileError

FOUND = 2000
"""How many paths `find` and the recursive commands look at."""


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
    try:
        entry = call.view.entry(call.path(path), follow=False)
    except FileError:
        return False
    name = path.rstrip("/").rpartition("/")[2] or path
    if "-name" in tests and not globbing.matches(name, tests["-name"]):
        return False
    if "-iname" in tests and not globbing.matches(name.lower(), tests["-iname"].lower()):
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


COMMANDS: dict[str, Command] = {
    "find": find,
    "stat": stat,
    "du": du,
    "readlink": readlink,
    "realpath": readlink,
    "file": file,
}
