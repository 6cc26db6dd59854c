"""INTO OUTFILE and INTO DUMPFILE: what would be written, and what the server says about the place."""

from chaffinch.decoys.mysql.results import Result, SqlError, plain

_WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/var/lib/mysql", "/run/mysqld")  # noqa: S108 - paths of the decoy host
_REFUSED = (
    *("/", "/etc", "/etc/cron.d", "/etc/mysql", "/home", "/opt", "/root", "/root/.ssh", "/srv", "/usr/bin", "/usr/lib"),
    *("/usr/lib/mysql/plugin", "/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/lib", "/var/log"),
    *("/var/spool/cron", "/var/spool/cron/crontabs", "/var/www", "/var/www/html"),
)


def content(result: Result, kind: str) -> bytes:
    """The file's bytes: a dump is its cells as they are, an outfile has tabs between them and a line for each row."""
    if kind == "dumpfile":
        return b"".join(plain(value, column.decimals) or b"" for row in result.rows[:1]
                        for value, column in zip(row, result.columns, strict=True))  # fmt: skip
    lines = []
    for row in result.rows:
        cells = [plain(value, column.decimals) for value, column in zip(row, result.columns, strict=True)]
        lines.append(b"\t".join(b"\\N" if cell is None else cell for cell in cells) + b"\n")
    return b"".join(lines)


def check(path: str) -> None:
    """Raise the error (1, 1086, 1290) that the server gives for a path it cannot write; nothing is written anywhere."""
    if not path.startswith("/"):
        return  # relative to the data directory
    folder = path.rpartition("/")[0] or "/"
    if path in _REFUSED or path in _WRITABLE:
        raise SqlError(1086, "HY000", f"File '{path}' already exists")
    if folder in _WRITABLE:
        return
    if folder in _REFUSED:
        raise SqlError(1, "HY000", f"Can't create/write to file '{path}' (Errcode: 13 \"Permission denied\")")
    raise _outside()


def check_readable(path: str) -> None:
    """Raise the error (1290) for a file of a folder that is not there."""
    if path.startswith("/") and (path.rpartition("/")[0] or "/") not in (*_WRITABLE, *_REFUSED):
        raise _outside()


def _outside() -> SqlError:
    why = "running with the --secure-file-priv option so it cannot execute this statement"
    return SqlError(1290, "HY000", f"The MariaDB server is {why}")
