"""memcached, byte by byte: the text, meta and binary protocols, what is recorded, what is bounded."""

import asyncio
import struct

import pytest

from chaffinch.decoys.memcached.cache import CACHE_BYTES, Cache, Caches
from chaffinch.events import Command, Probe
from tests.decoys.harness import Recorded, decoy, persona


def ask(*sent: bytes, address: str = "127.77.3.9", chunk: int = 0, **options: str) -> tuple[list[bytes], Recorded]:
    """What one connection after the other gets, and what was recorded."""

    async def run() -> tuple[list[bytes], Recorded]:
        async with decoy("memcached", persona("memcached", address=address, **options)) as running:
            got = [await running.talk(data, wait=0.15, chunk=chunk) for data in sent]
            await running.settled()
            return got, running.recorded

    return asyncio.run(run())


def request(opcode: int, key: bytes = b"", value: bytes = b"", extras: bytes = b"") -> bytes:
    length = len(key) + len(value) + len(extras)
    return (
        struct.pack(">BBHBBHI4sQ", 0x80, opcode, len(key), len(extras), 0, 0, length, b"abcd", 0) + extras + key + value
    )


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (b"set a 5 0 2\r\nhi\r\nget a b\r\n", b"STORED\r\nVALUE a 5 2\r\nhi\r\nEND\r\n"),
        (b"set a 0 0 1 noreply\r\nx\r\nadd a 0 0 1\r\ny\r\n", b"NOT_STORED\r\n"),
        (b"set a 0 0 1\r\nxyz\r\nversion\r\n", b"CLIENT_ERROR bad data chunk\r\nERROR\r\nVERSION 1.6.18\r\n"),
        (b"set n 0 0 20\r\n18446744073709551615\r\nincr n 1\r\n", b"STORED\r\n0\r\n"),
        (b"set n 0 0 2\r\n10\r\ndecr n 1\r\nget n\r\n", b"STORED\r\n9\r\nVALUE n 0 2\r\n9 \r\nEND\r\n"),
        (b"get " + b"k" * 251 + b"\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"shutdown\r\n", b"ERROR: shutdown not enabled\r\n"),
        (b"nonsense\r\n\r\n", b"ERROR\r\nERROR\r\n"),
        (
            b"mn\r\nms m 2 F3\r\nab\r\nmg m v f s t\r\nmd m\r\nmg m v\r\n",
            b"MN\r\nHD\r\nVA 2 f3 s2 t-1\r\nab\r\nHD\r\nEN\r\n",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        (b"x" * 2100, b""),
    ],
)
@pytest.mark.parametrize("chunk", [0, 7])
def test_lines_are_answered_as_memcached_does(sent: bytes, reply: bytes, chunk: int) -> None:
    assert ask(sent, items="empty", address="127.77.41.1", chunk=chunk)[0] == [reply]


def test_the_binary_protocol() -> None:
    sent = request(1, b"k", b"v", bytes(8)) + request(0, b"k") + request(0x0B) + request(0x99) + request(7)
    reply = ask(sent, address="127.77.41.2")[0][0]
    assert reply[:2] == b"\x81\x01"
    assert b"\0\0\0\0v" in reply
    assert b"1.6.18" in reply
    assert b"Unknown command" in reply
    assert ask(request(0), address="127.77.41.2")[0][0].endswith(b"Invalid arguments")


def test_an_item_beyond_the_limit_is_read_past() -> None:
    sent = b"set big 0 0 1048576\r\n" + b"x" * 1048576 + b"\r\nversion\r\n"
    assert ask(sent)[0] == [b"SERVER_ERROR object too large for cache\r\nVERSION 1.6.18\r\n"]


def test_a_second_connection_finds_what_the_first_stored() -> None:
    assert ask(b"set m 0 0 1\r\n7\r\n", b"get m\r\n", address="127.77.41.3")[0][1] == b"VALUE m 0 1\r\n7\r\nEND\r\n"


def test_statistics_are_this_hosts_own() -> None:
    def fields(reply: bytes) -> dict[bytes, bytes]:
        return dict(line[5:].split(b" ", 1) for line in reply.split(b"\r\n") if line.startswith(b"STAT "))

    first, again = (fields(reply) for reply in ask(b"stats\r\n", b"stats\r\n", address="127.77.41.4")[0])
    other = fields(ask(b"stats\r\n", address="127.77.41.5")[0][0])
    assert list(first)[:4] == [b"pid", b"uptime", b"time", b"version"]
    assert len(first) == 92
    assert first[b"pid"] == again[b"pid"]
    assert (first[b"pid"], first[b"uptime"]) != (other[b"pid"], other[b"uptime"])
    assert int(first[b"curr_items"]) > 3


def test_keys_can_be_found_through_the_slabs() -> None:
    items = ask(b"stats items\r\n", b"lru_crawler metadump all\r\n", address="127.77.41.6")[0]
    assert items[0].startswith(b"STAT items:")
    number = items[0].split(b":")[1]
    dump = ask(b"stats cachedump %b 0\r\n" % number, address="127.77.41.6")[0][0]
    assert dump.startswith(b"ITEM ")
    assert items[1].startswith(b"key=")


def test_commands_and_probes_are_recorded() -> None:
    recorded = ask(b"get secret\r\n", b"GET / HTTP/1.0\r\n\r\n")[1]
    assert recorded.of(Command)[0].line == "get secret"
    assert recorded.of(Probe)[0].note == "http"


def test_the_cache_evicts_what_was_used_longest_ago() -> None:
    cache = Cache()
    for number in range(40):
        cache.put(b"k%d" % number, 0, b"x" * 100_000, 0.0)
    assert cache.held <= CACHE_BYTES
    assert cache.get(b"k0") is None
    assert cache.get(b"k39") is not None


def test_few_caches_are_kept() -> None:
    caches, host = Caches(), persona("memcached")
    for number in range(50):
        cache = caches.of(("127.77.0.1", 11211, str(number)), host)
        caches.keep(("127.77.0.1", 11211, str(number)), cache)
    assert len(caches) <= 8
