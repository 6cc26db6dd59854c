"""The embedded store: rows, questions, bounds, damage."""

import logging
import os
import stat
import threading
from pathlib import Path

import msgspec
import pytest

from chaffinch.config import StoreSettings
from chaffinch.errors import RunError
from chaffinch.store.protocol import ServiceCounts, SessionCounts, SessionFilter, SessionRow
from chaffinch.store.sqlite import SqliteStore
from tests.journal.events_of import Clocks

OPEN = SessionRow(
    id="a0", service="ssh", address="127.77.0.1", port=22, transport="tcp", source="127.0.0.1", source_port=40000,
    started=1000, ended=None, bytes_in=0, bytes_out=0, reason="", count=1, seq=1,
)  # fmt: skip
CLOSED = msgspec.structs.replace(
    OPEN, transport="", started=990, ended=2000, bytes_in=10, bytes_out=20, reason="peer", seq=5
)
WHOLE = msgspec.structs.replace(CLOSED, transport="tcp")


def rows(count: int) -> list[SessionRow]:
    """Sessions of two services, started one after the other."""
    services = ("ssh", "http")
    return [
        msgspec.structs.replace(
            CLOSED,
            id=f"{n:016x}",
            service=services[n % 2],
            source=f"127.0.0.{n % 5}",
            started=n,
            ended=n + 10,
            seq=n + 1,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("order", [[OPEN, CLOSED], [CLOSED, OPEN], [OPEN, CLOSED, OPEN, CLOSED]])
def test_opened_and_closed_make_one_row(tmp_path: Path, order: list[SessionRow]) -> None:
    store = SqliteStore(tmp_path / "store.db")
    for row in order:
        store.add_sessions([row], row.seq)
    assert store.sessions() == [WHOLE]
    store.add_sessions(order, 5)
    assert store.sessions() == [WHOLE]
    assert store.progress() == 5
    store.close()


def test_a_session_that_is_open(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.add_sessions([OPEN], 1)
    assert store.session("a0") == OPEN
    assert store.session("none") is None
    assert store.count() == SessionCounts(sessions=1, open=1, bytes_in=0, bytes_out=0)
    store.close()


def test_filters_and_pages(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    all_rows = rows(50)
    store.add_sessions(all_rows, 50)
    newest_first = all_rows[::-1]
    assert store.sessions() == newest_first
    assert store.sessions(SessionFilter(limit=3)) == newest_first[:3]
    assert store.sessions(SessionFilter(limit=3, after=newest_first[2].id)) == newest_first[3:6]
    assert store.sessions(SessionFilter(service="ssh")) == [row for row in newest_first if row.service == "ssh"]
    assert store.sessions(SessionFilter(source="127.0.0.3")) == [
        row for row in newest_first if row.source == "127.0.0.3"
    ]
    assert store.sessions(SessionFilter(address="127.77.9.9")) == []
    assert store.sessions(SessionFilter(since=45)) == newest_first[:5]
    assert store.count(SessionFilter(service="ssh", since=10)).sessions == 20
    assert store.services() == [ServiceCounts("http", 25), ServiceCounts("ssh", 25)]
    store.close()


def test_a_collapsed_row_counts_as_many(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.add_sessions([WHOLE, msgspec.structs.replace(WHOLE, id="c1", count=999)], 6)
    assert store.count() == SessionCounts(sessions=1000, open=0, bytes_in=20, bytes_out=40)
    assert store.services() == [ServiceCounts("ssh", 1000)]
    store.close()


def test_age(tmp_path: Path) -> None:
    clocks = Clocks()
    store = SqliteStore(tmp_path / "store.db", StoreSettings(max_age_days=10), clocks=clocks)
    store.add_sessions(rows(10), 10)
    clocks.pass_days(5)
    store.add_sessions([msgspec.structs.replace(WHOLE, id="late")], 11)
    clocks.wall += 10**18
    assert store.enforce_retention() == 0, "a clock that jumps deletes nothing"
    clocks.pass_days(6)
    assert store.enforce_retention() == 10
    assert [row.id for row in store.sessions()] == ["late"]
    clocks.pass_days(6)
    store.enforce_retention()
    assert store.sessions() == []
    assert store.progress() == 11
    store.close()


def test_bytes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", StoreSettings(max_bytes=1 << 20))
    all_rows = rows(20_000)
    for at in range(0, len(all_rows), 1000):
        store.add_sessions(all_rows[at : at + 1000], at + 1000)
    deleted = store.enforce_retention()
    left = store.sessions(SessionFilter(limit=100_000))
    assert len(left) + deleted == 20_000
    assert left == all_rows[: deleted - 1 : -1]
    store.close()
    assert (tmp_path / "store.db").stat().st_size <= 1 << 20


def test_damage_is_said_once_and_it_begins_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    store.add_sessions(rows(1000), 1000)
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with caplog.at_level(logging.ERROR), pytest.raises(RunError, match="was damaged"):
        store.sessions()
    assert caplog.text.count("store.damaged") == 1
    assert store.progress() == 0
    assert store.sessions() == []
    store.close()
    assert (tmp_path / "store.db.damaged").exists()


@pytest.mark.parametrize("content", [b"", b"x" * 10_000])
def test_another_file_in_its_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    store = SqliteStore(path)
    with pytest.raises(RunError, match="was damaged"):
        store.progress()
    assert store.progress() == 0
    store.close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    store.progress()
    store.close()
    with open(path, "r+b") as file:
        file.seek(60)
        file.write((9).to_bytes(4, "big"))
    with pytest.raises(RunError, match="has format 9, this release reads up to 1"):
        store.progress()
    assert path.exists()


def test_it_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be used"):
        SqliteStore(tmp_path / "missing" / "store.db").progress()


def test_file_is_private_and_shared_by_threads(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    threads = [threading.Thread(target=store.add_sessions, args=(rows(100), 100)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count().sessions == 100
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.close()


def test_inherited_over_a_fork(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.add_sessions(rows(10), 10)
    pid = os.fork()
    if pid == 0:
        store.add_sessions(rows(20), 20)
        store.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    store.add_sessions(rows(30), 30)
    assert (store.count().sessions, store.progress()) == (30, 30)
    store.close()
