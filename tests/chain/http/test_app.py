"""The API as a client sees it: what each path answers, whom it refuses, and what it never tells."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chaffinch.chain.engine import Chain
from chaffinch.chain.http.app import Names
from chaffinch.chain.names import directory_of
from chaffinch.chain.results import Options
from chaffinch.config import ChainSettings
from tests.chain.http.running import Running, running, sentences
from tests.http.client import read_answer, request

Scene = Callable[[Running], Awaitable[None]]


def play(state: Path, scene: Scene, **settings: object) -> None:
    """Run a scene against a server."""

    async def run() -> None:
        async with running(state, **settings) as server:
            await scene(server)

    asyncio.run(run())


def test_what_is_learned_is_counted_and_can_be_talked_about(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        corpus = sentences()
        learned = (await server.learn("room", corpus)).json
        assert (learned["lines"], learned["learned"], learned["duplicates"]) == (len(corpus), len(corpus), 0)
        again = (await server.learn("room", corpus)).json
        assert (again["learned"], again["duplicates"]) == (0, len(corpus))
        answer = await server.ask("POST", "/v1/chains/room/generate", {"n": 20})
        assert answer.status == 200
        made = answer.json["messages"]
        assert len(made) == 20
        assert not {one["text"] for one in made} & set(corpus)
        assert all(one["score"] > 0 and one["tries"] > 0 and set(one) == {"text", "score", "tries"} for one in made)
        stats = (await server.ask("GET", "/v1/chains/room/stats")).json
        assert stats["messages"] == len(corpus)
        assert (await server.ask("GET", "/v1/chains")).json == {"chains": ["room"], "next": None}

    play(tmp_path, scene)


def test_what_is_asked_of_a_message_is_kept(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences())
        path = "/v1/chains/room/generate"
        made = (await server.ask("POST", path, {"n": 5, "starting": "the cat", "max_tokens": 9, "min_score": 2})).json
        for one in made["messages"]:
            assert one["text"].startswith("the cat ")
            assert len(one["text"].split()) <= 9
            assert one["score"] >= 2
        one, two = [(await server.ask("POST", path, {"n": 3, "rng_seed": 7})).body for _ in range(2)]
        assert one == two
        assert (await server.ask("POST", path, {"n": 3.0, "rng_seed": 7.0, "min_score": 0.0})).body == one
        assert (await server.ask("POST", path, {"n": 3.5})).status == 400
        ending = await server.ask("POST", path, {"n": 5, "ending": "every day", "containing": "likes"})
        assert ending.status == 200
        for made_one in ending.json["messages"]:
            assert made_one["text"].endswith("every day")
            assert "likes" in made_one["text"]

    play(tmp_path, scene, chain=ChainSettings(backward=True))


def test_nothing_new_is_said_in_a_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", ["one message only"])
        answer = await server.ask("POST", "/v1/chains/room/generate", {"containing": "zebra"})
        assert (answer.status, answer.json["code"]) == (409, "conflict")
        assert answer.json["detail"].endswith("ask with `seed` or `starting`")
        assert "--" not in answer.json["detail"]  # an option of a command that the client does not have
        answer = await server.ask("POST", "/v1/chains/room/generate", {"seed": "zebra"})
        assert (answer.status, answer.json["code"]) == (422, "nothing_new")
        assert answer.json["detail"].startswith("cannot say anything new about")
        assert answer.headers["content-type"] == "application/problem+json"
        assert caplog.records == []

    play(tmp_path, scene)


@pytest.mark.parametrize("path", ["messages", "merge"])
def test_what_is_refused_for_a_reason_of_the_servers_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    async def scene(server: Running) -> None:
        body = [{"text": "a"}] if path == "messages" else None
        with Chain.open(directory_of(tmp_path, "room"), write=True, create=Options()):
            answer = await server.ask("POST", f"/v1/chains/room/{path}", body)
        assert (answer.status, answer.json["code"]) == (503, "locked")
        (record,) = caplog.records
        start = f"http.refused path={path} tenant=room status=503 why={tmp_path / 'chains' / 'room'} "
        assert record.message.startswith(start)

    play(tmp_path, scene)


def test_who_removes_and_forgets_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "chaffinch.chain.http")

    async def scene(server: Running) -> None:
        (token,) = server.give_tokens(("the\nbot", ["room"], ("admin",)))
        messages = [{"text": "one", "author": "ann"}, {"text": "two", "author": "ann"}, {"text": "three"}]
        await server.ask("POST", "/v1/chains/room/messages", messages, token=token)
        assert (await server.ask("DELETE", "/v1/chains/room/messages?author=ann", token=token)).status == 200
        assert (await server.ask("DELETE", "/v1/chains/room", token=token)).status == 200
        assert [record.message for record in caplog.records] == [
            r"http.forgot by=author token='the\nbot' tenant=room done=2",
            r"http.removed token='the\nbot' tenant=room done=all",
        ]

    play(tmp_path, scene)


def test_who_forgets_and_goes_is_logged_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "chaffinch.chain.http")

    async def scene(server: Running) -> None:
        await server.learn("room", sentences())
        free = threading.Event()
        blocking = asyncio.create_task(server.pool.submit(free.wait, operation="test"))
        try:
            _, writer = await server.connect()
            writer.write(request("DELETE", "/v1/chains/room/messages?message=m1", token=server.token))
            while not server.pool.depth:
                await asyncio.sleep(0.01)
            writer.transport.abort()
            while not server.counted("chain_http_requests").get(("messages", "gone")):
                await asyncio.sleep(0.01)
        finally:
            free.set()
        await blocking
        assert [record.message for record in caplog.records] == [
            "http.forgot by=message token='all' tenant=room done=unknown"
        ]

    play(tmp_path, scene, chain=ChainSettings(threads=1))


def test_a_mix_speaks_with_both_and_needs_the_right_on_each(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("one", [text + " here" for text in sentences()])
        await server.learn("two", [text.replace("the ", "that ") for text in sentences()])
        both, first = server.give_tokens(("b", ["one", "two"], ("read",)), ("f", ["one"], ("read",)))
        path = "/v1/chains/one/generate"
        answer = await server.ask("POST", path, {"n": 50, "mix": {"two": 3}}, token=both)
        assert answer.status == 200
        assert any("that " in one["text"] for one in answer.json["messages"])
        for mix, status in (({"two": 1}, 403), ({"none": 1}, 403)):
            assert (await server.ask("POST", path, {"mix": mix}, token=first)).status == status

    play(tmp_path, scene)


def test_references_show_sources_to_an_admin_only(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences())
        path = "/v1/chains/room/generate"
        made = (await server.ask("POST", path, {"n": 12, "references": 2})).json["messages"]
        assert [len(one.get("references", ())) for one in made] == [2] * 10 + [0] * 2
        assert made[0]["references"][0]["text"] in sentences()
        (reader,) = server.give_tokens(("r", "*", ("read", "write")))
        assert (await server.ask("POST", path, {"references": 2}, token=reader)).status == 403

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("query", "gone"),
    [("author=ann", 3), ("channel=c1", 5), ("message=m1", 1), ("before=2024-01-01T00:00:03Z", 3), ("author=bob", 0)],
)
def test_what_is_forgotten_is_counted(tmp_path: Path, query: str, gone: int) -> None:
    async def scene(server: Running) -> None:
        lines = [
            {
                "text": text,
                "id": f"m{number}",
                "author": "ann" if number < 3 else "eve",
                "channel": f"c{number % 2}",
                "time": f"2024-01-01T00:00:{number:02}Z",
            }
            for number, text in enumerate(sentences()[:10])
        ]
        assert (await server.ask("POST", "/v1/chains/room/messages", lines)).json["learned"] == 10
        answer = await server.ask("DELETE", f"/v1/chains/room/messages?{query}")
        assert (answer.status, answer.json) == (200, {"forgotten": gone})
        assert (await server.ask("GET", "/v1/chains/room/stats")).json["messages"] == 10 - gone

    play(tmp_path, scene)


def test_a_chain_is_merged_and_removed(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences())
        for body in (None, {}, {"whole": True}):
            answer = await server.ask("POST", "/v1/chains/room/merge", body)
            assert (answer.status, answer.json["segments"]) == (200, 1)
        assert (await server.ask("DELETE", "/v1/chains/room")).json == {"removed": "room"}
        for method, path, sent in (
            ("GET", "stats", None),
            ("POST", "generate", {}),
            ("POST", "merge", None),
            ("DELETE", "messages?author=a", None),
        ):
            answer = await server.ask(method, f"/v1/chains/room/{path}", sent)
            assert (answer.status, answer.json["code"]) == (404, "unknown_tenant")
            assert str(tmp_path) not in answer.body.decode()
        assert (await server.ask("DELETE", "/v1/chains/room")).status == 404
        assert (await server.ask("GET", "/v1/chains")).json["chains"] == []

    play(tmp_path, scene)


def test_a_bad_line_stops_the_body_and_a_retry_learns_the_rest_once(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        path = "/v1/chains/room/messages"
        kind = {"Content-Type": "application/x-ndjson"}
        bad = b'{"text":"one two","id":"1"}\n{"text":2}\n{"text":"three four","id":"3"}\n'
        answer = await server.ask("POST", path, bad, headers=kind)
        assert answer.status == 400
        assert answer.json["detail"].startswith("line 2: ")
        assert answer.json["learned"]["learned"] == 1
        answer = await server.ask("POST", path + "?skip_bad=1", bad, headers=kind)
        found = answer.json
        assert (found["learned"], found["duplicates"], found["bad"]) == (1, 1, 1)
        assert found["first_bad"][0]["line"] == 2

    play(tmp_path, scene)


def test_strangers_learn_nothing(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("secret", sentences()[:5])
        (outside, feeder) = server.give_tokens(("o", ["mine"], ("read", "write", "admin")), ("f", "*", ("write",)))
        everything = [
            ("POST", "generate", {}),
            ("GET", "stats", None),
            ("POST", "merge", None),
            ("DELETE", "messages?author=a", None),
            ("POST", "messages", [{"text": "a"}]),
        ]
        for method, path, body in everything:
            there, absent = f"/v1/chains/secret/{path}", f"/v1/chains/absent/{path}"
            for token, status in (("", 401), ("cf_" + "x" * 43, 401), (outside, 403)):
                known = await server.ask(method, there, body, token=token)
                unknown = await server.ask(method, absent, body, token=token)
                assert (known.status, unknown.status) == (status, status)
                assert known.body.replace(b"secret", b"absent") == unknown.body
        assert (await server.ask("GET", "/v1/chains", token=outside)).json["chains"] == []
        assert (await server.ask("GET", "/v1/chains/secret/stats", token=feeder)).status == 403
        assert (await server.ask("DELETE", "/v1/chains/secret", token=feeder)).status == 403
        assert (await server.ask("GET", "/metrics", token=outside)).status == 403

    play(tmp_path, scene)


def test_lists_come_in_pages_of_what_the_token_reaches(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        for name in ("a", "b", "c", "d"):
            await server.learn(name, ["some words"])
        (some,) = server.give_tokens(("s", ["a", "c", "d", "z"], ("read",)))
        first = (await server.ask("GET", "/v1/chains?limit=2", token=some)).json
        assert first == {"chains": ["a", "c"], "next": "c"}
        assert (await server.ask("GET", "/v1/chains?after=c", token=some)).json == {"chains": ["d"], "next": None}

        async def everything() -> Names:
            raise AssertionError("chains of others were looked for")

        server.tenants.list = everything  # type: ignore[method-assign]
        last = (await server.ask("GET", "/v1/chains?after=a&limit=1", token=some)).json
        assert last == {"chains": ["c"], "next": "c"}

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/", None, {}, 404),
        ("GET", "/v1/chains/", None, {}, 404),
        ("PUT", "/v1/chains", None, {}, 405),
        ("GET", "/v1/chains/room/generate", None, {}, 405),
        ("GET", "/v1/chains/.hidden/stats", None, {}, 400),
        ("GET", "/v1/chains/a%2Fb/stats", None, {}, 400),
        ("GET", "/v1/chains/%FF/stats", None, {}, 400),
        ("GET", "/v1/chains?limit=0", None, {}, 400),
        ("GET", "/v1/chains?limit=1&limit=2", None, {}, 400),
        ("GET", "/v1/chains?colour=red", None, {}, 400),
        ("GET", "/v1/chains?after=%FF", None, {}, 400),
        ("POST", "/v1/chains/room/generate", b"{}", {}, 415),
        (
            "POST",
            "/v1/chains/room/generate",
            b"{}",
            {"Content-Type": "application/json", "Content-Encoding": "br"},
            415,
        ),
        ("POST", "/v1/chains/room/generate", b"{", {"Content-Type": "application/json"}, 400),
        ("POST", "/v1/chains/room/generate", b'"\xff"', {"Content-Type": "application/json"}, 400),
        ("POST", "/v1/chains/room/generate", {"n": 0}, {}, 400),
        ("POST", "/v1/chains/room/generate", {"n": 1001}, {}, 400),
        ("POST", "/v1/chains/room/generate", {"colour": "red"}, {}, 400),
        ("POST", "/v1/chains/room/generate", {"seed": "a", "starting": "b"}, {}, 400),
        ("POST", "/v1/chains/room/generate", {"min_tokens": 9, "max_tokens": 8}, {}, 400),
        ("POST", "/v1/chains/room/generate", {"min_tokens": 201}, {}, 400),
        ("POST", "/v1/chains/room/generate", {"mix": {"../up": 1}}, {}, 400),
        ("POST", "/v1/chains/room/generate", b" " * (300 << 10), {"Content-Type": "application/json"}, 413),
        ("POST", "/v1/chains/room/messages", b"", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/chains/room/messages?skip_bad=yes", [], {}, 400),
        ("DELETE", "/v1/chains/room/messages", None, {}, 400),
        ("DELETE", "/v1/chains/room/messages?author=a&channel=b", None, {}, 400),
        ("DELETE", "/v1/chains/room/messages?author=", None, {}, 400),
        ("DELETE", "/v1/chains/room/messages?before=noon", None, {}, 400),
        ("DELETE", "/v1/chains/room/messages?message=~x", None, {}, 400),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    tmp_path: Path, method: str, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    async def scene(server: Running) -> None:
        answer = await server.ask(method, path, body, headers=headers)  # type: ignore[arg-type]
        assert answer.status == status, answer
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json
        assert problem["status"] == status
        assert {"type", "title", "detail", "code"} <= set(problem)
        assert "\n" not in problem["detail"]
        assert ("allow" in answer.headers) == (status == 405)

    play(tmp_path, scene)


def test_what_needs_no_token_and_what_head_gives(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        assert (await server.ask("GET", "/healthz", token="")).json == {"status": "ok"}
        assert (await server.ask("GET", "/openapi.json", token="")).json["openapi"] == "3.1.0"
        reader, writer = await server.connect()
        writer.write(request("HEAD", "/healthz") + request("GET", "/healthz"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert (await read_answer(reader)).json == {"status": "ok"}
        writer.close()

    play(tmp_path, scene)


def test_the_metrics_page_counts_requests_by_path_and_status(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences()[:5])
        await server.ask("GET", "/nothing/here")
        page = (await server.ask("GET", "/metrics")).body.decode()
        assert 'chaffinch_chain_http_requests_total{path="messages",status="200"} 1' in page
        assert 'chaffinch_chain_http_requests_total{path="none",status="404"} 1' in page
        assert 'chaffinch_chain_http_seconds_count{path="messages"} 1' in page
        assert page.endswith("# EOF\n")

    play(tmp_path, scene)


def test_a_rate_is_kept_for_each_token(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        one, two = server.give_tokens(("one", "*", ("read",)), ("two", "*", ("read",)))
        answers = [await server.ask("GET", "/v1/chains", token=one) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["retry-after"] == "1"
        assert (await server.ask("GET", "/v1/chains", token=two)).status == 200

    play(tmp_path, scene, requests_per_second=3.0)


def test_a_full_queue_is_a_429_with_a_time(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        await server.learn("room", sentences())
        free = threading.Event()
        blocked = [asyncio.create_task(server.pool.submit(free.wait, operation="test", wait=True)) for _ in range(3)]
        try:
            while server.pool.depth < 2:
                await asyncio.sleep(0.01)
            for path, body in (("generate", {}), ("messages", [{"text": "one"}]), ("merge", None)):
                answer = await server.ask("POST", f"/v1/chains/room/{path}", body)
                assert (answer.status, answer.json["code"]) == (429, "busy")
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.json["detail"].endswith(f": try again in {answer.headers['retry-after']} s")
        finally:
            free.set()
        await asyncio.gather(*blocked)
        assert (await server.ask("POST", "/v1/chains/room/generate", {})).status == 200

    play(tmp_path, scene, chain=ChainSettings(threads=1, queue=2))


def test_a_long_body_is_refused_however_it_comes(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        path, kind = "/v1/chains/room/messages", {"Content-Type": "application/x-ndjson"}
        lines = b"".join(json.dumps({"text": f"word {number}"}).encode() + b"\n" for number in range(1000))
        assert (await server.ask("POST", path, lines, headers=kind)).status == 413
        chunked = kind | {"Transfer-Encoding": "chunked"}
        reader, writer = await server.connect()
        writer.write(request("POST", path, token=server.token, headers=chunked))
        for at in range(0, len(lines), 1000):
            piece = lines[at : at + 1000]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        writer.write(b"0\r\n\r\n")
        answer = await read_answer(reader)
        assert answer.status == 413
        assert answer.json["learned"]["learned"] >= 0
        writer.close()

    play(tmp_path, scene, max_body_bytes=8192)


def test_a_body_is_learned_while_it_comes(tmp_path: Path) -> None:
    async def scene(server: Running) -> None:
        headers = {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"}
        reader, writer = await server.connect()
        writer.write(request("POST", "/v1/chains/room/messages", token=server.token, headers=headers))
        lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in sentences()[:520])
        writer.write(f"{len(lines):x}\r\n".encode() + lines + b"\r\n")
        for _ in range(200):
            answer = await server.ask("GET", "/v1/chains/room/stats")
            if answer.status == 200 and answer.json["messages"] >= 512:
                break
            await asyncio.sleep(0.02)
        assert answer.json["messages"] == 512
        writer.write(b"0\r\n\r\n")
        assert (await read_answer(reader)).json["learned"] == 520
        writer.close()

    play(tmp_path, scene)
