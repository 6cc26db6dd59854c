"""The memcached decoy beside the memcached of Debian: the same bytes to both, and real clients."""

import asyncio
import re
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.clients.wire import ask_all, free_port, need
from tests.clients.wire import run as run_program
from tests.decoys.harness import decoy, persona

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[str, int]]:
    """A memcached as Debian starts it, on a port of its own."""
    program, port = need("memcached"), free_port()
    server = subprocess.Popen([program, "-u", "nobody", "-l", "127.0.0.1", "-p", str(port), "-U", "0"])
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < until, "memcached did not start"
                time.sleep(0.05)
        yield "127.0.0.1", port
    finally:
        server.terminate()
        server.wait(10)


LINES = [
    *(
        "get",
        "gets",
        "gat",
        "gat 0",
        "gat x a",
        "touch a",
        "touch a x",
        "touch nokey 0",
        "set",
        "set a",
        "set a 0 0 x",
        "set a 0 0 -1",
    ),
    *(
        "delete",
        "delete nokey 0",
        "delete a 1",
        "delete a b c",
        "incr nokey 1",
        "incr nokey x",
        "incr a",
        "incr n 1 2 3",
        "version",
    ),
    *(
        "version foo",
        "VERSION",
        "verbosity",
        "verbosity 1",
        "verbosity x",
        "quit",
        "shutdown",
        "shutdown graceful",
        "foo",
        "",
        " ",
    ),
    *(
        "stats foo",
        "stats a b c",
        "stats sizes",
        "stats cachedump",
        "stats cachedump 1",
        "stats cachedump 100 0",
        "stats cachedump x 0",
    ),
    *(
        "stats detail",
        "stats detail foo",
        "stats extstore",
        "stats proxy",
        "lru_crawler",
        "lru_crawler foo",
        "lru",
        "lru tune 1 2",
        "slabs",
    ),
    *(
        "slabs reassign 1 2",
        "slabs foo",
        "watch foo",
        "cache_memlimit",
        "cache_memlimit 1",
        "refresh_certs",
        "misbehave",
        "mn",
        "mg",
    ),
    *(
        "mg nokey",
        "mg nokey v",
        "md",
        "md nokey",
        "ms",
        "ms m",
        "ms m x",
        "ma",
        "ma nokey",
        "me",
        "me nokey",
        "mz",
        "mg z b",
        "mn q",
    ),
    *(
        "GET / HTTP/1.1",
        "GET a",
        "HEAD / HTTP/1.0",
        "get / HTTP/1.1",
        "POST",
        "lru_crawler mgdump all",
        "get a\0b",
        "flush_all x",
    ),
    *(
        "get " + "k" * 251,
        "delete " + "k" * 251,
        "incr " + "k" * 251 + " 1",
        "mg " + "k" * 251,
        "get " + "a " * 1200,
        "x" * 2100,
    ),
]
"""One line each, whose reply does not depend on the host or on what else was asked."""

RAW = [
    *(
        b"set {0} 0 0 1\r\nxyz\r\nversion\r\n",
        b"set {0} x 0 1\r\nx\r\n",
        b"set {0} 0 0 1 noreply foo\r\nx\r\n",
        b"set {0} 0 0 1\nx\nversion\n",
    ),
    *(
        b"set {0} 0 0 2147483647\r\nxx\r\n",
        b"set {0} 0 0 4294967296\r\nxx\r\n",
        b"set {0} 0 -1 1\r\nx\r\nget {0}\r\n",
        b"x" * 2100,
    ),
    (
        b"set {0} 5 0 2\r\nab\r\nget {0} {0}\r\nadd {0} 0 0 1\r\nx\r\nreplace {0} 6 0 1\r\nz\r\n"
        b"append {0} 0 0 1\r\nQ\r\nprepend {0} 0 0 1\r\nP\r\nget {0}\r\n"
    ),
    (
        b"set {0} 0 0 2\r\n10\r\nincr {0} 5\r\ndecr {0} 20\r\nget {0}\r\nincr {0} x\r\nincr {0} -1\r\n"
        b"incr {0} 1 noreply\r\nget {0}\r\n"
    ),
    (
        b"set {0} 0 0 20\r\n18446744073709551615\r\nincr {0} 1\r\nset {0} 0 0 1\r\nx\r\nincr {0} 1\r\n"
        b"delete {0}\r\ndelete {0}\r\n"
    ),
    b"cas {0} 0 0 1 1\r\nx\r\nset {0} 0 0 1\r\nx\r\ncas {0} 0 0 1 999999999\r\ny\r\ncas {0} 0 0 1 x\r\ny\r\n",
    (
        b"set {0} 7 0 3\r\nabc\r\nmg {0}\r\nmg {0} v\r\nmg {0} v f s t k O123\r\nmg {0} h l\r\nmd {0} q\r\n"
        b"md {0} q\r\nmn\r\n"
    ),
    (
        b"ms {0} 2 T0 F5\r\nab\r\nms {0} 2 q\r\nab\r\nms {0} 2 ME\r\nab\r\nms {0} 2 MA\r\nab\r\nmg {0} v k\r\n"
        b"ms {0} 1 MX\r\nx\r\nms {0} 1 M\r\nx\r\n"
    ),
    (
        b"ms {0} 1\r\n5\r\nma {0}\r\nma {0} v\r\nma {0} MD v\r\nma {0} D5 v\r\nma {0}n N0 J7 v\r\n"
        b"ma {0}n v t\r\nmg {0}v N30 v t\r\nmg {0}v v\r\n"
    ),
    b"set {0} 0 0 1048576\r\n" + b"x" * 1048576 + b"\r\nversion\r\n",
    *(
        b"\x80\x0a" + bytes(22),
        b"\x80\x0b" + bytes(22),
        b"\x80\x07" + bytes(22),
        b"\x80\x99" + bytes(22),
        b"\x80\x21" + bytes(22),
    ),
    *(
        b"\x81\x0a" + bytes(22),
        b"\x80\x00" + bytes(22),
        b"\x80\x0a" + bytes(9) + b"\5" + bytes(12) + b"abcde",
        b"version\r\n\x80\x0a" + bytes(22),
    ),
    b"\x80\0\0\1" + bytes(7) + b"\1abcd" + bytes(8) + b"!",
    *(b"\x16\x03\x01\x02\x00\x01\x00", b"\x00\r\n", b"get nokey", b"get a\nget b\n"),
]
"""Whole conversations; `{0}` becomes a key of their own."""


def probes() -> dict[str, bytes]:
    """Everything that is asked of both."""
    talks = [*(line.encode() + b"\r\n" for line in LINES), *RAW]
    return {f"{number}: {talk[:60]!r}": talk.replace(b"{0}", b"key%d" % number) for number, talk in enumerate(talks)}


def test_the_decoy_answers_as_the_real_server_does(real: tuple[str, int]) -> None:
    async def run() -> None:
        async with decoy("memcached", persona("memcached", address="127.77.44.1", items="empty")) as running:
            where = real, (running.address, running.port)
            expected, got = await asyncio.gather(*(ask_all(one, probes(), wait=1.0) for one in where))
        assert got == expected

    asyncio.run(run())


@pytest.mark.parametrize("what", [b"stats", b"stats settings", b"stats items", b"stats slabs"])
def test_statistics_have_the_real_names_in_their_order(real: tuple[str, int], what: bytes) -> None:
    async def run() -> None:
        asked = {"stats": b"flush_all\r\nset page 0 0 20\r\n" + b"x" * 20 + b"\r\n" + what + b"\r\n"}
        async with decoy("memcached", persona("memcached", address="127.77.44.2", items="empty")) as running:
            where = real, (running.address, running.port)
            expected, got = await asyncio.gather(*(ask_all(one, asked) for one in where))
        assert _names(got["stats"][0]) == _names(expected["stats"][0])

    asyncio.run(run())


def _names(reply: bytes) -> list[bytes]:
    return re.findall(rb"STAT (\S+) ", reply)


def test_nmap_names_the_product() -> None:
    need("nmap")

    async def run() -> None:
        async with decoy("memcached", persona("memcached", address="127.77.44.3")) as running:
            # nmap asks other questions first on other ports, and then names no version of the real server either.
            running.listener.close()
            running.listener = socket.create_server((running.address, 11211))
            running.listener.setblocking(False)
            at = ("-Pn", "-n", "-sV", "-p", "11211", "--script", "memcached-info", running.address)
            printed = (await run_program("nmap", *at))[1]
            assert re.search(r"memcached\s+Memcached 1\.6\.18 \(uptime \d+ seconds\)", printed)
            assert "Server time" in printed or "memcached-info" in printed
            assert "chaffinch" not in printed.lower()

    asyncio.run(run())


def test_netcat() -> None:
    need("nc")

    async def run() -> None:
        async with decoy("memcached", persona("memcached", address="127.77.44.4")) as running:
            sent = b"set nc 0 60 2\r\nok\r\nget nc\r\nquit\r\n"
            printed = (await run_program("nc", running.address, str(running.port), input=sent))[1]
            assert printed == "STORED\r\nVALUE nc 0 2\r\nok\r\nEND\r\n"

    asyncio.run(run())
