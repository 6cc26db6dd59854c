"""Messages that the bot sends: what Discord takes, and what it makes of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import discord
import pytest

from tests.chat.discord.listening import with_client

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.listening import Listening

SEND = "POST /channels/{channel_id}/messages"


def place(fake: Fake, client: Listening, name: str = "general") -> discord.TextChannel:
    channel = client.get_channel(fake.world.guild.channel(name).id)
    assert isinstance(channel, discord.TextChannel)
    return channel


@with_client()
async def test_a_message_stands_in_its_channel_and_comes_back(fake: Fake, client: Listening) -> None:
    sent = await place(fake, client).send(" hello ", tts=True)
    await fake.wait_for(lambda: client.texts() == ["hello"])
    (message,) = fake.posted(fake.world.guild.channel("general"))
    assert (message.id, message.content, message.tts) == (sent.id, "hello", True)
    assert message.allowed_mentions == {"parse": []}
    assert client.of("message")[0].author == client.user
    await sent.edit(content="other")
    assert (message.content, message.edited_ms is None) == ("other", False)
    await fake.wait_for(lambda: client.of("raw_message_edit"))
    await sent.delete()
    assert fake.posted(fake.world.guild.channel("general")) == []


@with_client()
async def test_files_are_uploaded_and_can_be_fetched(fake: Fake, client: Listening) -> None:
    content = bytes(range(256)) * 40
    files = [discord.File(io.BytesIO(content), "a.png"), discord.File(io.BytesIO(b"{}"), "b.json")]
    sent = await place(fake, client).send("look", files=files)
    assert [attached.filename for attached in sent.attachments] == ["a.png", "b.json"]
    assert await sent.attachments[0].read() == content
    assert fake.requested(SEND)[0].files[0].content == content
    await sent.edit(attachments=[sent.attachments[1]])
    (message,) = fake.posted(fake.world.guild.channel("general"))
    assert [attached.name for attached in message.attachments] == ["b.json"]
    with pytest.raises(discord.HTTPException) as refused:
        await place(fake, client).send(file=discord.File(io.BytesIO(bytes((10 << 20) + 1)), "large"))
    assert (refused.value.status, refused.value.code) == (413, 40005)


@with_client()
async def test_a_reply_names_its_message_and_pings_nobody(fake: Fake, client: Listening) -> None:
    member, general = fake.world.guild.member("member"), fake.world.guild.channel("general")
    fake.say(member, general, "question")
    await fake.wait_for(client.texts)
    text = f"{member.mention} @everyone {fake.world.guild.role('admins').mention}"
    await client.of("message")[0].reply(text, mention_author=False)
    (message,) = fake.posted(general)
    assert message.reply_to is not None
    assert message.reply_to.content == "question"
    assert message.pinged == []
    allowed = discord.AllowedMentions.all()
    await client.of("message")[0].reply(text, allowed_mentions=allowed)
    pinged = {member.id, fake.world.guild.id, fake.world.guild.role("admins").id}
    assert set(fake.posted(general)[1].pinged) == pinged
    await client.of("message")[0].reply("`@everyone`", allowed_mentions=allowed)
    assert fake.posted(general)[2].pinged == [member.id]


@with_client()
async def test_a_reply_to_what_is_gone_is_refused(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    said = fake.say(fake.world.guild.member("member"), general, "gone")
    await fake.wait_for(client.texts)
    fake.delete(said)
    with pytest.raises(discord.HTTPException) as refused:
        await client.of("message")[0].reply("what?")
    assert refused.value.code == 50035
    reference = client.of("message")[0].to_reference(fail_if_not_exists=False)
    await place(fake, client).send("what?", reference=reference)
    assert fake.posted(general)[0].reply_to is None


def row(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(parts)}


def menu(count: int, **more: Any) -> dict[str, Any]:
    options = [{"label": f"line {number}", "value": str(number)} for number in range(count)]
    return {"type": 3, "custom_id": "menu", "options": options} | more


BUTTON = {"type": 2, "style": 1, "custom_id": "go", "label": "Go"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"content": "x" * 2001}, 50035),
        ({}, 50006),
        ({"content": " \n"}, 50006),
        ({"embeds": [{"title": "x" * 257}]}, 50035),
        ({"embeds": [{"fields": [{"name": "", "value": "x"}]}]}, 50035),
        ({"embeds": [{"description": "x" * 4000}] * 2}, 50035),
        ({"content": "x", "embeds": [{"title": "x"}] * 11}, 50035),
        ({"components": [row(menu(26))]}, 50035),
        ({"components": [row(menu(0))]}, 50035),
        ({"components": [row(menu(3, max_values=4))]}, 50035),
        ({"components": [row(menu(1), BUTTON)]}, 50035),
        ({"components": [row(BUTTON, BUTTON)]}, 50035),
        ({"components": [row(*[BUTTON | {"custom_id": str(number)} for number in range(6)])]}, 50035),
        ({"components": [row(BUTTON | {"label": "x" * 81})]}, 50035),
        ({"components": [BUTTON]}, 50035),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 50035),
        ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, 50035),
    ],
)
def test_what_discord_does_not_take_is_refused(body: dict[str, Any], code: int) -> None:
    @with_client()
    async def run(fake: Fake, client: Listening) -> None:
        general = fake.world.guild.channel("general")
        route = discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=general.id)
        with pytest.raises(discord.HTTPException) as refused:
            await client.http.request(route, json=body)
        assert (refused.value.status, refused.value.code) == (400, code)
        assert fake.posted(general) == []

    run()


@with_client()
async def test_what_discord_takes(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    route = discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=general.id)
    rows = [row(menu(25, min_values=0, max_values=25)), row(BUTTON)]
    await client.http.request(route, json={"content": "x" * 2000, "components": rows})
    await client.http.request(route, json={"embeds": [{"title": "x", "description": "y" * 4096}]})
    assert [len(message.components) for message in fake.posted(general)] == [2, 0]


@with_client()
async def test_the_bot_needs_its_permissions(fake: Fake, client: Listening) -> None:
    me, member = fake.world.guild.me, fake.world.guild.member("member")
    assert me is not None
    said = fake.say(member, fake.world.guild.channel("general"), "mine")
    for bit, what in [
        (1 << 12, {"tts": True}),
        (1 << 15, {"file": discord.File(io.BytesIO(b"x"), "x")}),
        (1 << 11, {}),
    ]:
        fake.world.guild.channel("general").overwrites[fake.world.bot.id] = (0, bit)
        with pytest.raises(discord.Forbidden) as refused:
            await place(fake, client).send("x", **what)
        assert refused.value.code == 50013
    with pytest.raises(discord.Forbidden) as other:
        await place(fake, client).get_partial_message(said.id).edit(content="yours")
    assert other.value.code == 50005
    with pytest.raises(discord.Forbidden):
        await place(fake, client).get_partial_message(said.id).delete()
    with pytest.raises(discord.NotFound) as gone:
        await place(fake, client).fetch_message(5)
    assert gone.value.code == 10008


@with_client()
async def test_a_conversation_can_be_opened(fake: Fake, client: Listening) -> None:
    member = fake.world.guild.member("member")
    user = await client.fetch_user(member.id)
    await user.send("hello")
    assert [one.content for one in fake.posted(fake.world.conversation(member.user))] == ["hello"]
