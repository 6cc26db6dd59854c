"""Commands about files: they see and change the source's view, nothing else."""

import errno
import re

from chaffinch.decoys.shell.call import Call, Command, bad_usage, missing, options, quoted
from chaffinch.decoys.shell.listing import ls
from chaffinch.decoys.view import join
from chaffinch.personas.files import FileError


async def cat(call: Call) -> int:
    flags, paths, unknown = options(call.args, "nbsAvETet")
    if unknown:
        return bad_usage(call, unknown)
    status, number = 0, 0
    for path in paths or ["-"]:
        try:
            data = await call.read() if path == "-" else device(call, path) or call.view.read(call.path(path))
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


def device(call: Call, path: str) -> bytes:
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


COMMANDS: dict[str, Command] = {
    "ls": ls,
    "dir": ls,
    "cat": cat,
    "touch": touch,
    "mkdir": mkdir,
    "rmdir": rmdir,
    "rm": rm,
    "chmod": chmod,
    "chown": chown,
    "chgrp": chown,
}
