"""What a group gives up before it serves: root, capabilities, new privileges, outbound connections, files that are
not its own.
"""

import contextlib
import functools
import os
import pwd
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from chaffinch import _core
from chaffinch.errors import InputError
from chaffinch.fleet.state import DIRECTORIES


def give_up(user: str, process_name: str, writable: Sequence[Path], state: Path, *, connect: bool) -> str:
    """Drop what this process does not need, and say what was dropped: the text stands in `status`.

    Started by root, the process becomes `user` where that user can reach the state directory and this Python (a
    private home hides both); else it stays uid 0 without a capability. Started by another user, it gives up what a
    service manager lent that user to bind low ports with. Landlock then forbids writing outside `writable` and,
    without `connect`, TCP connections, where the kernel has it.
    """
    _core.set_process_name(process_name)
    said = [_drop_root(user, state) if os.getuid() == 0 else _drop_capabilities()]
    _core.no_new_privs()
    done = _core.confine(writable, allow_connect=connect, allow_bind=True)
    if not done.abi:
        said.append("no landlock")
    else:
        said.append(f"landlock {done.abi}" + (", no connect" if done.connect_denied else ""))
    return ", ".join(said)


def hand_over(user: str, state: Path) -> None:
    """As root, before the fork: let the user that groups become into the state directory, and give it what they write.

    The directory itself stays root's. Raises `InputError` for an account that is not there.
    """
    if os.getuid() != 0:
        return
    entry, may = becoming(user, state)
    if not may:
        return
    state.chmod(0o711)
    for name in DIRECTORIES:
        os.chown(state / name, entry.pw_uid, entry.pw_gid)
        for inside in (state / name).iterdir():
            with contextlib.suppress(FileNotFoundError):  # another group's, which runs already
                os.chown(inside, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def make_own(user: str, state: Path, names: Iterable[str]) -> None:
    """Before rights are given up: make directories that only this process may write to. As root, give the user that it
    becomes what is in them, however deep: commands that root ran may have made it.
    """
    for name in names:
        (state / name).mkdir(mode=0o700, exist_ok=True)
        if os.getuid() != 0 or not (found := becoming(user, state))[1]:
            continue
        # By descriptors: what another process of that user puts in a directory's place meanwhile is not gone into.
        for _, folders, files, descriptor in os.fwalk(state / name):
            os.fchown(descriptor, found[0].pw_uid, found[0].pw_gid)
            for inside in (*folders, *files):
                with contextlib.suppress(FileNotFoundError):
                    os.chown(inside, found[0].pw_uid, found[0].pw_gid, dir_fd=descriptor, follow_symlinks=False)


@functools.cache
def becoming(user: str, state: Path) -> tuple[pwd.struct_passwd, bool]:
    """The account, and whether it can reach what a group needs; looked up once, before the fork, for all groups.

    Raises `InputError` as `account` does.
    """
    entry = account(user)
    return entry, reachable(entry, (state, Path(sys.prefix), Path(sys.base_prefix)))


def account(user: str) -> pwd.struct_passwd:
    """The system's account of that name. Raises `InputError` when there is none, or when it is root's."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise InputError(
            f"fleet.user is {user!r}, and this machine has no such account; name one that has no rights"
        ) from None
    if entry.pw_uid == 0:
        raise InputError("fleet.user is root; name an account that has no rights, such as nobody")
    return entry


def reachable(entry: pwd.struct_passwd, paths: Iterable[Path]) -> bool:
    """Whether that account may enter every directory on the way to these paths."""
    return all(_may_enter(entry, folder) for path in paths for folder in path.resolve().parents)


def _may_enter(entry: pwd.struct_passwd, folder: Path) -> bool:
    found = folder.stat()
    if found.st_uid == entry.pw_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == entry.pw_gid else stat.S_IXOTH))


def _drop_capabilities() -> str:
    _core.drop_capabilities()
    return f"uid {os.getuid()}"


def _drop_root(user: str, state: Path) -> str:
    entry, may = becoming(user, state)
    with contextlib.suppress(PermissionError):  # a container's root may have none to drop
        _core.drop_bounding_set()
    if may:
        try:
            os.setgroups([])
            os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
            os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
        except PermissionError:
            pass  # root without the capability to become another: it stays, and loses the rest
        else:
            return user
    _core.drop_capabilities()
    return "root without capabilities"
