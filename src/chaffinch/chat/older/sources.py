"""Which files of a folder have messages, and which way each is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from chaffinch.chat.older import exports
from chaffinch.chat.older.database import is_database
from chaffinch.chat.older.exports import Kind
from chaffinch.errors import InputError

ENDINGS: Final = (".json", ".json5", ".jsonl", ".ndjson")
PACKED: Final = ("", ".gz", ".xz", ".zst")
"""Of a folder's files these are looked into, whatever their names are otherwise: exports come with pictures beside."""

BESIDE: Final = ("-wal", "-shm", "-journal")
"""How files end that belong to a database."""


class Found(msgspec.Struct, frozen=True):
    """The files, by how they are read."""

    databases: tuple[Path, ...] = ()
    exports: tuple[tuple[Path, Kind], ...] = ()
    """What older bots kept or exported, that is no array of messages."""
    files: tuple[Path, ...] = ()
    """What the chain itself reads."""
    passed_over: tuple[Path, ...] = ()

    @property
    def count(self) -> int:
        """How many are read."""
        return len(self.databases) + len(self.exports) + len(self.files)


def look(path: Path) -> Found:
    """The file, or those of the folder and of what is below it. Raises `InputError` where there is none to read."""
    try:
        found = _sorted(path, [path]) if not path.is_dir() else _sorted(path, list(_below(path)))
    except OSError as error:
        raise InputError(f"{error.filename or path} cannot be read ({error.strerror}); name another file") from None
    if not found.count:
        raise InputError(
            f"{path} has nothing that an older bot or DiscordChatExporter wrote: name its db.sqlite3, its JSON, or the "
            "folder of them"
        )
    return found


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _sorted(named: Path, paths: list[Path]) -> Found:
    """A file that was named is read or refused; of a folder what has no messages is passed over."""
    databases, older = [], []
    files: list[Path] = []
    passed_over: list[Path] = []
    for path in paths:
        if path != named and path.name.endswith(BESIDE):
            continue
        if is_database(path):
            databases.append(path)
        elif path != named and not path.name.lower().endswith(_ALL_ENDINGS):
            passed_over.append(path)
        elif (kind := exports.kind_of(path)) is None:
            (files if path == named or exports.holds_messages(path) else passed_over).append(path)
        elif path != named and kind in ("chains", "settings"):
            passed_over.append(path)
        else:
            older.append((path, kind))
    return Found(tuple(databases), tuple(older), tuple(files), tuple(passed_over))


_ALL_ENDINGS: Final = tuple(ending + packed for ending in ENDINGS for packed in PACKED)
