"""Files that come with `/train`: where they may come from, how large they may be, and what is learned of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from chaffinch.chain import Message
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.names import tenant_of
from chaffinch.chat.posting import attachment_origins
from chaffinch.chat.seen import Attached, Seen
from chaffinch.chat.training.files import fetch, is_at
from chaffinch.errors import InputError, RunError
from tests.chat.training.guilds import GUILD, Discord, Stage
from tests.chat.training.test_trainer import play

TENANT = tenant_of(GUILD)
OLD = {("5", "6", "7", "the old chain")}


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://cdn.discordapp.com/attachments/1/2/a.json?ex=1", True),
        ("https://media.discordapp.net/attachments/1/2/a.json", True),
        ("https://cdn.discordapp.com:443/a", False),
        ("http://cdn.discordapp.com/a", False),
        ("https://cdn.discordapp.com:22/a", False),
        ("https://cdn.discordapp.com.example/a", False),
        ("https://example/cdn.discordapp.com", False),
        ("https://cdn.discordapp.com@example/a", False),
        ("https://me@cdn.discordapp.com/a", False),
        ("https://127.0.0.1/a", False),
        ("file:///etc/passwd", False),
        ("https://[cdn.discordapp.com/a", False),
        ("", False),
    ],
)
def test_only_discords_own_files_are_fetched(url: str, may: bool) -> None:
    assert is_at(url, attachment_origins()) is may


@given(st.sampled_from(attachment_origins()), st.text())
def test_an_address_is_where_the_client_goes_by_it(origin: str, rest: str) -> None:
    try:
        goes = str(URL(origin + rest).origin())
    except ValueError:
        return
    assert not is_at(origin + rest, attachment_origins()) or goes == origin


Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def served(serve: Serve, then: Callable[[str], Awaitable[None]]) -> None:
    """A server of files on loopback."""
    application = web.Application()
    application.router.add_get("/{name}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await then(f"http://127.0.0.1:{runner.addresses[0][1]}/file")
    finally:
        await runner.cleanup()


def content(text: str) -> Serve:
    async def serve(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    return serve


def store(tmp_path: Path, serve: Serve, *, most: int = 1000, said: int = 10) -> Path:
    path = tmp_path / "bot" / "train-1.json"

    async def then(url: str) -> None:
        await fetch(Attached(1, "old.json", said, url), path, most, [url.removesuffix("/file")])

    asyncio.run(served(serve, then))
    return path


def test_a_file_is_stored_whole(tmp_path: Path) -> None:
    path = store(tmp_path, content("[]" + " " * 998))
    assert path.stat().st_size == 1000
    assert [one.name for one in path.parent.iterdir()] == [path.name]


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"[" * 1000)


async def elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/inside")


async def gone(_: web.Request) -> web.StreamResponse:
    return web.Response(status=404)


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "900"})
    await response.prepare(request)
    await response.write(b"[")
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.mark.parametrize(
    ("serve", "kind", "sentence"),
    [
        (endless, InputError, "the most is 1,000"),
        (elsewhere, RunError, "status 302"),
        (gone, RunError, "status 404"),
        (cut, RunError, "could not be fetched"),
        (content("hello"), InputError, "is no JSON"),
        (content(""), InputError, "is no JSON"),
        (content("\x1f\x8b\x08"), InputError, "is no JSON"),
    ],
)
def test_what_cannot_be_had_leaves_nothing(tmp_path: Path, serve: Serve, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        store(tmp_path, serve)
    assert list((tmp_path / "bot").iterdir()) == []


def test_a_file_that_says_it_is_too_large_is_not_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5,000 bytes, and the most is 1,000"):
        store(tmp_path, content("[]"), said=5000)


def train(tmp_path: Path, text: str, check: Callable[[Stage], Awaitable[None]], *, clean: bool = True) -> None:
    """A training by a file, in a guild that knows something."""

    async def scene(on: Stage) -> None:
        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])

        async def then(url: str) -> None:
            await on.train(clean=clean, file=Attached(1, "old.json", len(text), url))
            await on.over()

        await served(content(text), then)
        await check(on)
        assert on.book.training(GUILD) is None
        assert not await on.tenants.is_anew(TENANT)
        assert list((on.state / "bot").glob("train-*")) == []

    play(scene, tmp_path, Discord())


EXPORT = json.dumps(
    {
        "guild": {"id": str(GUILD), "name": "Garden club"},
        "channel": {"id": "800", "type": "GuildTextChat", "name": "roses"},
        "messages": [
            {
                "id": str(number),
                "type": "Default",
                "timestamp": "2024-05-17T09:30:00+00:00",
                "content": f"roses number {number}",
                "author": {"id": str(50 + number % 3), "name": "ann", "isBot": number == 9},
                "attachments": [],
            }
            for number in range(10)
        ],
    }
)


@pytest.mark.parametrize("clean", [True, False])
def test_the_list_of_the_older_bots(tmp_path: Path, clean: bool) -> None:
    text = json.dumps([{"message": f"some words {number}", "attachments": []} for number in range(50)])

    async def check(on: Stage) -> None:
        texts = {one[3] for one in await on.rows()}
        assert texts == {f"some words {number}" for number in range(50)} | (set() if clean else {"the old chain"})
        assert "Learned: 50 messages" in on.told()

    train(tmp_path, text, check, clean=clean)


def test_an_export_of_discord_keeps_ids_and_leaves_bots_out(tmp_path: Path) -> None:
    async def check(on: Stage) -> None:
        assert await on.rows() == {
            (str(number), str(50 + number % 3), "800", f"roses number {number}") for number in range(9)
        }
        assert "Of bots or the system: 1" in on.told()

    train(tmp_path, EXPORT, check)


@pytest.mark.parametrize(("of", "whose"), [("701", "another server, 701:"), ("0", "direct messages:")])
def test_an_export_of_another_guild_is_refused(tmp_path: Path, of: str, whose: str) -> None:
    async def scene(on: Stage) -> None:
        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])

        async def then(url: str) -> None:
            with pytest.raises(InputError, match=rf"old\.json is of {whose}"):
                await on.train(file=Attached(1, "old.json", 10, url))

        await served(content(EXPORT.replace(str(GUILD), of)), then)
        assert on.book.training(GUILD) is None
        assert not await on.tenants.is_anew(TENANT)
        assert list((on.state / "bot").glob("train-*")) == []
        assert await on.rows() == OLD

    play(scene, tmp_path, Discord())


def test_what_has_no_words_is_counted(tmp_path: Path) -> None:
    text = json.dumps(["", {"message": " "}, {"message": "", "attachments": ["https://a/b.png"]}, "the new chain"])

    async def check(on: Stage) -> None:
        assert "Learned: 1 message" in on.told()
        assert "Without words: 3" in on.told()

    train(tmp_path, text, check)


def test_a_file_makes_the_chain_as_the_guild_wants_it(tmp_path: Path) -> None:
    async def scene(on: Stage) -> None:
        await on.book.set_settings(GUILD, GuildSettings(backward=True))

        async def then(url: str) -> None:
            await on.train(file=Attached(1, "old.json", 10, url))
            await on.over()

        await served(content(EXPORT), then)
        assert (await on.tenants.stats(TENANT)).options.backward

    play(scene, tmp_path, Discord())


@pytest.mark.parametrize("clean", [True, False])
def test_who_opted_out_is_not_learned_from_a_file(tmp_path: Path, clean: bool) -> None:
    async def scene(on: Stage) -> None:
        await on.book.set_out(GUILD, 51, True)

        async def then(url: str) -> None:
            await on.train(clean=clean, file=Attached(1, "old.json", 10, url))
            await on.over()

        await served(content(EXPORT), then)
        assert {one[1] for one in await on.rows()} == {"50", "52"}
        assert "Learned: 6 messages" in on.told()

    play(scene, tmp_path, Discord())


@pytest.mark.parametrize("clean", [True, False])
def test_what_was_deleted_before_a_file_is_read_stays_forgotten_over_a_restart(tmp_path: Path, clean: bool) -> None:
    async def scene(on: Stage) -> None:
        async def then(url: str) -> None:
            await on.train(clean=clean, file=Attached(1, "old.json", 10, url))
            await on.trainer.stop()

        await served(content(EXPORT), then)
        assert on.book.training(GUILD) is not None
        await on.learner.deleted(GUILD, [4])
        await on.learner.deleted(GUILD, [5, 7])
        await on.book.set_channels(GUILD, [Channel(800, listens=True)])
        await on.learner.edited(Seen(GUILD, 800, 800, 6, 50, "roses that were edited", 0))
        await on.learner.edited(Seen(GUILD, 800, 800, 8, 50, "", 0))

    async def go_on(on: Stage) -> None:
        await on.learner.begin()
        await on.trainer.go_on()
        await on.over()
        assert {one[0] for one in await on.rows()} == {"0", "1", "2", "3", "6"}
        assert "roses that were edited" in {one[3] for one in await on.rows()}
        assert "Learned: 4 messages" in on.told()
        assert on.book.unlearnings.guilds() == []

    play(scene, tmp_path, Discord())
    play(go_on, tmp_path, Discord())


def test_what_is_older_than_the_guild_keeps_is_not_learned_from_a_file(tmp_path: Path) -> None:
    told = json.loads(EXPORT)
    for message in told["messages"][:4]:
        message["timestamp"] = datetime.now(UTC).isoformat()

    async def scene(on: Stage) -> None:
        await on.book.set_settings(GUILD, GuildSettings(retention_days=30))

        async def then(url: str) -> None:
            await on.train(file=Attached(1, "old.json", 10, url))
            await on.over()

        await served(content(json.dumps(told)), then)
        assert {one[0] for one in await on.rows()} == {"0", "1", "2", "3"}
        assert "Learned: 4 messages" in on.told()

    play(scene, tmp_path, Discord())


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        '[{"message": "one"},\n{"message": "two"},\n{"message": 3}]',
        '[{"message": "one"},\n{"message": "two"',
        '[{"message": "one"},\n\nnot JSON]',
    ],
)
def test_a_bad_file_is_told_with_its_line_and_locks_nothing(tmp_path: Path, text: str, clean: bool) -> None:
    async def check(on: Stage) -> None:
        assert await on.rows() == OLD
        assert "Old.json, line " in on.told()
        assert str(on.state) not in on.told()
        assert "--" not in on.told()
        assert "the chain is what it was" in on.told()

    train(tmp_path, text, check, clean=clean)


def test_a_file_is_gone_on_with_after_a_stop(tmp_path: Path) -> None:
    text = json.dumps([{"message": f"some words {number}", "attachments": []} for number in range(30_000)])

    async def scene(on: Stage) -> None:
        async def then(url: str) -> None:
            await on.train(file=Attached(1, "old.json", len(text), url))
            await on.trainer.stop()

        await served(content(text), then)
        assert on.book.training(GUILD) is not None

    async def go_on(on: Stage) -> None:
        await on.trainer.go_on()
        await on.over()
        assert len({one[3] for one in await on.rows()}) == 30_000

    play(scene, tmp_path, Discord())
    play(go_on, tmp_path, Discord())


def test_a_file_that_was_learned_before_a_kill_takes_its_place_after_it(tmp_path: Path) -> None:
    """The next start finds nothing left to learn in it, which does not say that there was nothing."""
    text = json.dumps([{"message": f"some words {number}", "attachments": []} for number in range(50)])

    async def scene(on: Stage) -> None:
        async def no_merge(*_: object, **__: object) -> None:
            merging.set()
            await asyncio.sleep(60)

        merging = asyncio.Event()
        on.tenants.merge = no_merge  # type: ignore[method-assign]
        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])

        async def then(url: str) -> None:
            await on.train(file=Attached(1, "old.json", len(text), url))
            await merging.wait()

        await served(content(text), then)
        assert await on.rows() == OLD

    async def go_on(on: Stage) -> None:
        await on.trainer.go_on()
        await on.over()
        assert {one[3] for one in await on.rows()} == {f"some words {number}" for number in range(50)}
        assert "Learned: 50 messages" in on.told()

    play(scene, tmp_path, Discord())
    play(go_on, tmp_path, Discord())


def test_a_file_can_be_stopped(tmp_path: Path) -> None:
    text = json.dumps([{"message": f"some words {number}", "attachments": []} for number in range(100_000)])

    async def scene(on: Stage) -> None:
        async def then(url: str) -> None:
            await on.train(file=Attached(1, "old.json", len(text), url))
            while (on.trainer.progress(GUILD) or pytest.fail("it is over")).file_fraction == 0:
                await asyncio.sleep(0.001)
            assert await on.trainer.cancel(GUILD)
            await on.over()

        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])
        await served(content(text), then)
        assert await on.rows() == OLD
        assert "thrown away" in on.told()

    play(scene, tmp_path, Discord())
