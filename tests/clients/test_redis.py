"""The Redis decoy beside the Redis of Debian: the same bytes to both, and real clients."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator

import pytest

from chaffinch.events import Command, Credential
from tests.clients.wire import ask_all, free_port, need
from tests.decoys.harness import decoy, persona

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A Redis server that anybody may use, as the decoy claims to be."""
    program = need("redis-server")
    home = tmp_path_factory.mktemp("redis")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), "--save", "", "--protected-mode", "no"]
    server = subprocess.Popen(
        [program, *options, "--enable-protected-configs", "yes"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 10
        while subprocess.run([need("redis-cli"), "-p", str(port), "ping"], capture_output=True, check=False).returncode:
            assert time.monotonic() < until, "redis-server did not start"
            time.sleep(0.1)
        yield "127.0.0.1", port
    finally:
        server.terminate()
        server.wait(10)


LINES = [
    *(
        b"PING",
        b"ping hello",
        b"ping a b",
        b"FOO bar baz",
        b"FOO",
        b"foo 'a' \"\\x41\\n\"",
        b"get",
        b"GeT a b",
        b'set "a b',
        b"set 'a b",
    ),
    *(
        b"quit a b",
        b"POST / HTTP/1.1",
        b"HOST: x",
        b"",
        b'echo "a"b',
        b'echo a"b c"',
        b"foo " + b"a" * 200,
        b"A" * 300 + b" b",
    ),
    *(
        b"hello 4",
        b"hello x",
        b"hello 2 auth",
        b"hello 2 auth root x",
        b"hello 2 foo",
        b"auth x",
        b"auth default x",
        b"auth root x",
    ),
    *(
        b"auth a b c",
        b"auth",
        b"select 15",
        b"select 16",
        b"select -1",
        b"select x",
        b"client",
        b"client foo",
        b"client id a",
    ),
    *(
        b"config",
        b"config get",
        b"config foo bar",
        b"config set",
        b"config set foo bar",
        b"config set port x",
        b"config set dir /nonexist",
    ),
    *(
        b"config set dbfilename a/b",
        b"config set appendonly maybe",
        b"config set maxclients -1",
        b"config set daemonize yes",
    ),
    *(
        b"config set loglevel foo",
        b"config set requirepass x requirepass y",
        b"config get dbfilename",
        b"config get timeout",
        b"config help",
    ),
    *(
        b"module list",
        b"module load /tmp/x.so",
        b"module unload foo",
        b"debug sleep 0",
        b"debug",
        b"slowlog get",
        b"slowlog len",
    ),
    *(
        b"slowlog foo",
        b"latency doctor",
        b"latency latest",
        b"latency history",
        b"memory doctor",
        b"memory usage foo",
        b"acl whoami",
    ),
    *(
        b"acl list",
        b"acl users",
        b"acl cat",
        b"acl getuser default",
        b"cluster info",
        b"cluster nodes",
        b"cluster foo",
        b"cluster help",
    ),
    *(
        b"object encoding nokey",
        b"object help",
        b"role",
        b"slaveof a b",
        b"shutdown foo",
        b"shutdown abort",
        b"eval",
        b'eval "return 1" 0',
    ),
    *(
        b'eval "return" 0',
        b'eval "retur" 0',
        b"eval \"return redis.call('get','nokey')\" 0",
        b'eval "return 1" x',
        b'eval "return 1" 5',
    ),
    *(
        b'eval "return 1" -1',
        b"evalsha x 0",
        b'script load "return 1"',
        b"script exists x",
        b"script kill",
        b"script foo",
        b"function list",
    ),
    *(
        b"exec",
        b"discard",
        b"publish a b",
        b"unsubscribe",
        b"reset",
        b"command count",
        b"command docs get",
        b"command foo",
    ),
    *(
        b"command info foo",
        b"command getkeys get a",
        b"command getkeys mset a 1 b 2",
        b"command help",
        b"client setname 'a b'",
    ),
    *(
        b"client kill 1.2.3.4:5",
        b"client no-evict on",
        b"client reply off",
        b"client getredir",
        b"client trackinginfo",
        b"client help",
    ),
    *(
        b"client setinfo lib-name x",
        b"dump nokey",
        b"asking",
        b"failover",
        b"lolwut",
        b"wait 0 0",
        b"flushall foo",
        b"info foo",
        b"ttl nokey",
    ),
    *(
        b"eval 'return package' 0",
        b"geoadd",
        b"xlen nokey",
        b"pfcount nokey",
        b"acl deluser default",
        b"acl cat nosuch",
        b"latency help",
    ),
]
"""One inline request each, whose reply does not depend on the host or on what else was asked."""

RAW = [
    *(
        b"\n\n\nPING\n",
        b"*\r\n",
        b"*x\r\n",
        b"*-1\r\nPING\r\n",
        b"*0\r\nPING\r\n",
        b"*1\r\nx\r\n",
        b"*1\r\n\n\r\n",
        b"*1\r\n\x80\r\n",
    ),
    *(
        b"*1\r\n$-1\r\n",
        b"*1\r\n$600000000\r\n",
        b"*2147483647\r\n",
        b"*2147483648\r\n",
        b"*1\r\n$x\r\n",
        b"\0\0\0\r\n",
        b"\x80\r\n",
    ),
    *(
        b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
        b"A" * 70000,
        b"*" + b"1" * 70000,
        b"*1\r\n$" + b"1" * 70000,
        b"QUIT\r\nPING\r\n",
    ),
    *(
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"+01\r\n",
        b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    ),
    b"multi\r\nset {0} 1\r\nget {0}\r\nexec\r\n",
    b"multi\r\nmulti\r\nfoo\r\nexec\r\n",
    b"multi\r\nwatch a\r\nexec\r\n",
    b"subscribe a\r\nget a\r\nping\r\nunsubscribe\r\nping\r\n",
    b"hello 2 setname foo bar\r\nclient getname\r\n",
    (
        b"set {0} v nx\r\nset {0} w nx\r\nset {0} w xx get\r\nset {0} x ex 0\r\nset {0} x ex\r\n"
        b"set {0} y ex 10 px 5\r\nttl {0}\r\nget {0}\r\n"
    ),
    (
        b"set {0} 10\r\nincr {0}\r\ndecrby {0} 5\r\nincrby {0} x\r\nappend {0} zz\r\nincr {0}\r\nstrlen {0}\r\n"
        b"lpush {0} a\r\ntype {0}\r\n"
    ),
    (
        b"set {0} v\r\nexpire {0} 100\r\nttl {0}\r\nexpire {0} 50 gt\r\npersist {0}\r\nttl {0}\r\n"
        b"expire {0} x\r\nexpire {0} -1\r\nexists {0}\r\n"
    ),
    (
        b"hset {0} a 1 b 2\r\nhget {0} a\r\nhgetall {0}\r\nhdel {0} a zz\r\nhlen {0}\r\nhset {0} a\r\n"
        b"hincrby {0} b 5\r\nobject encoding {0}\r\n"
    ),
    (
        b"rpush {0} a b c\r\nlpush {0} x y\r\nlrange {0} 0 -1\r\nlpop {0} 2\r\nrpop {0}\r\nllen {0}\r\n"
        b"lindex {0} 9\r\nlset {0} 9 x\r\nlpop {0} -1\r\n"
    ),
    (
        b"sadd {0} 3 1 2\r\nsmembers {0}\r\nsismember {0} 1\r\nsrem {0} 1 9\r\nscard {0}\r\n"
        b"object encoding {0}\r\nget {0}\r\n"
    ),
    (
        b"zadd {0} 1 a 2.5 b\r\nzadd {0} x c\r\nzrange {0} 0 -1 withscores\r\nzscore {0} b\r\n"
        b"zadd {0} xx ch 7 a\r\nzcard {0}\r\nzrevrange {0} 0 0\r\n"
    ),
    b"hello 3\r\nget {0}\r\nhgetall {0}\r\nsmembers {0}\r\nzadd {0} 1.5 m\r\nzscore {0} m\r\n",
    (
        b"mset {0} 1 {0}b 2\r\nmget {0} {0}b {0}c\r\nmset a\r\ngetset {0} 9\r\ndel {0} {0}b {0}c\r\n"
        b"getrange {0} 0 -1\r\nsetrange {0} 2 x\r\nget {0}\r\n"
    ),
    (
        b"setbit {0} 7 1\r\ngetbit {0} 7\r\nbitcount {0}\r\nsetbit {0} -1 1\r\nsetex {0} 0 x\r\n"
        b"setex {0} 9 x\r\nrename nokey {0}\r\nrename {0} {0}z\r\n"
    ),
    (
        b"scan x\r\nscan 0 count 0\r\nscan 0 foo 1\r\nkeys\r\nsort nokey\r\nswapdb 0 99\r\nmove {0} 0\r\n"
        b"incrbyfloat {0} 1.5\r\nincrbyfloat {0} x\r\n"
    ),
]
"""Whole conversations; `{0}` becomes a key of their own."""


def probes() -> dict[str, bytes]:
    """Everything that is asked of both."""
    talks = [*(line + b"\r\n" for line in LINES), *RAW]
    return {f"{number}: {talk[:60]!r}": talk.replace(b"{0}", b"key%d" % number) for number, talk in enumerate(talks)}


def test_the_decoy_answers_as_the_real_server_does(real: tuple[str, int]) -> None:
    async def run() -> None:
        async with decoy("redis", persona("redis", address="127.77.43.1", keyspace="empty")) as running:
            where = real, (running.address, running.port)
            expected, got = await asyncio.gather(*(ask_all(one, probes(), wait=1.0) for one in where))
        assert {name: _comparable(answer) for name, answer in got.items()} == {
            name: _comparable(answer) for name, answer in expected.items()
        }

    asyncio.run(run())


def _comparable(answer: tuple[bytes, str]) -> tuple[bytes, str]:
    """HELLO's connection number is each server's own."""
    head, found, tail = answer[0].partition(b"$2\r\nid\r\n:")
    return (head + found + tail.partition(b"\r\n")[2], answer[1])


def test_info_has_the_real_fields_in_their_order(real: tuple[str, int]) -> None:
    def names(text: bytes) -> list[bytes]:
        fields = [line.partition(b":")[0] for line in text.split(b"\r\n")]
        return [
            name
            for name in fields
            if name and not name.startswith((b"$", b"db", b"errorstat", b"cmdstat", b"latency_p"))
        ]

    async def run() -> None:
        asked = {"info": b"info\r\n", "all": b"info everything\r\n"}
        async with decoy("redis", persona("redis", address="127.77.43.2")) as running:
            where = real, (running.address, running.port)
            expected, got = await asyncio.gather(*(ask_all(one, asked) for one in where))
        for name in asked:
            assert names(got[name][0]) == names(expected[name][0])

    asyncio.run(run())


async def _output(*command: str, stdin: bytes = b"", seconds: float = 60.0) -> str:
    """What a program prints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(seconds):
            return (await process.communicate(stdin))[0].decode(errors="replace")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def test_redis_cli() -> None:
    program = need("redis-cli")

    async def run() -> None:
        async with decoy("redis", persona("redis", address="127.77.43.3")) as running:
            at = (program, "-h", running.address, "-p", str(running.port))
            assert await _output(*at, "set", "greeting", "hi there") == "OK\n"
            assert await _output(*at, "get", "greeting") == "hi there\n"
            assert "greeting" in await _output(*at, "--scan")
            assert "redis_version:7.0.15" in await _output(*at, "info", "server")
            typed = await _output(
                *at, stdin=b"config set dir /root/.ssh\nconfig get dir\nhello 3\nhgetall nokey\ncommand docs get\n"
            )
            assert "/root/.ssh" in typed
            assert "Get the value of a key" in typed
            assert await _output(*at, "-3", "ping") == "PONG\n"
            lines = [command.line for command in running.recorded.of(Command)]
            assert 'set greeting "hi there"' in lines

    asyncio.run(run())


def test_redis_benchmark() -> None:
    program = need("redis-benchmark")

    async def run() -> None:
        async with decoy("redis", persona("redis", address="127.77.43.4")) as running:
            tests = "ping,set,get,incr,lpush,lpop,sadd,hset,mset"
            at = ("-h", running.address, "-p", str(running.port))
            printed = await _output(program, *at, "-n", "200", "-c", "10", "-P", "4", "-q", "-t", tests)
            assert printed.count("requests per second") == 10
            assert "rror" not in printed.replace("ERROR: failed to fetch CONFIG", "")

    asyncio.run(run())


def test_nmap_names_the_product() -> None:
    program = need("nmap")

    async def run() -> None:
        async with decoy("redis", persona("redis", address="127.77.43.5")) as running:
            at = ("-Pn", "-n", "-sV", "-p", str(running.port), "--script", "redis-info", running.address)
            printed = await _output(program, *at)
            assert "Redis key-value store 7.0.15" in printed
            assert "Operating System: Linux 6.1.0-28-amd64 x86_64" in printed
            assert "chaffinch" not in printed.lower()

    asyncio.run(run())


def test_hydra_finds_the_password() -> None:
    program = need("hydra")

    async def run() -> None:
        host = persona("redis", address="127.77.43.6", requirepass="letmein")
        async with decoy("redis", host) as running:
            words = "wrong\nletmein\n"
            with contextlib.closing(_temporary(words)) as path:
                at = ("-P", path.name, "-s", str(running.port), "-t", "2", "-I", running.address, "redis")
                printed = await _output(program, *at)
            assert "password: letmein" in printed
            assert {login.secret for login in running.recorded.of(Credential)} >= {"wrong", "letmein"}

    asyncio.run(run())


def _temporary(text: str):  # type: ignore[no-untyped-def]  # the type is private to tempfile
    import tempfile

    file = tempfile.NamedTemporaryFile("w")  # noqa: SIM115  # the caller closes it
    file.write(text)
    file.flush()
    return file
