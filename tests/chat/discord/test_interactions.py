"""Commands, buttons and menus: from the person to the last answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
import pytest

from tests.chat.discord.commands import NotOfferedError
from tests.chat.discord.interactions import Callback
from tests.chat.discord.listening import with_client
from tests.chat.discord.received import File

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.chat.discord.fake import Fake
    from tests.chat.discord.interactions import Asked
    from tests.chat.discord.listening import Listening

COMMANDS: list[dict[str, Any]] = [
    {
        "name": "mark",
        "description": "talk",
        "options": [
            {"name": "debug", "description": "why", "type": 5},
            {"name": "seed", "description": "words", "type": 3, "max_length": 50},
            {"name": "times", "description": "how often", "type": 4, "min_value": 1, "max_value": 3},
            {"name": "chance", "description": "how likely", "type": 10},
            {"name": "who", "description": "as whom", "type": 6},
            {"name": "role", "description": "a role", "type": 8},
            {"name": "file", "description": "a file", "type": 11},
            {"name": "mood", "description": "how", "type": 3, "choices": [{"name": "Good", "value": "good"}]},
        ],
    },
    {
        "name": "listen",
        "description": "channels",
        "options": [
            {
                "name": "add",
                "description": "more",
                "type": 1,
                "options": [
                    {"name": "channel-1", "description": "one", "type": 7, "required": True, "channel_types": [0, 5]}
                ],
            },
            {"name": "list", "description": "which", "type": 1},
        ],
    },
    {"name": "train", "description": "learn", "default_member_permissions": "2"},
]
MENU: dict[str, Any] = {
    "type": 1,
    "components": [
        {
            "type": 3,
            "custom_id": "menu",
            "max_values": 2,
            "options": [{"label": name, "value": name} for name in ("one", "two", "three")],
        }
    ],
}
BUTTONS: dict[str, Any] = {
    "type": 1,
    "components": [
        {"type": 2, "style": 1, "custom_id": "go", "label": "Go"},
        {"type": 2, "style": 1, "custom_id": "off", "label": "Off", "disabled": True},
    ],
}


async def asked(
    fake: Fake, client: Listening, command: str = "mark", options: Mapping[str, Any] | None = None, who: str = "member"
) -> tuple[Asked, discord.Interaction]:
    """Deploy the commands, give one, and what discord.py made of it."""
    if not fake.commands.names():
        await client.http.bulk_upsert_global_commands(client.application_id, COMMANDS)
    before = len(client.of("interaction"))
    given = fake.slash(fake.world.guild.member(who), fake.world.guild.channel("general"), command, options)
    await fake.wait_for(lambda: len(client.of("interaction")) > before)
    return given, client.of("interaction")[-1]


@with_client()
async def test_a_command_comes_with_who_gave_it_where(fake: Fake, client: Listening) -> None:
    given, interaction = await asked(fake, client, "mark", {"debug": True, "times": 2}, who="moderator")
    assert (interaction.user.name, interaction.channel.name) == ("moderator", "general")
    assert interaction.permissions.kick_members
    assert interaction.app_permissions.read_message_history
    assert interaction.guild is client.guilds[0]
    assert given.sent_ns > 0
    assert interaction.data["options"] == [
        {"name": "debug", "type": 5, "value": True},
        {"name": "times", "type": 4, "value": 2},
    ]


@with_client()
async def test_what_options_stand_for_is_resolved(fake: Fake, client: Listening) -> None:
    guild = fake.world.guild
    options = {"who": guild.member("other"), "role": guild.role("talkers"), "file": File("a.json", b"[]")}
    _, interaction = await asked(fake, client, "mark", options)
    resolved = interaction.data["resolved"]
    found = discord.app_commands.Namespace(interaction, resolved, interaction.data["options"])
    assert (found["who"].name, found["role"].name, found["file"].size) == ("other", "talkers", 2)
    assert await found["file"].read() == b"[]"
    _, interaction = await asked(fake, client, "listen add", {"channel-1": guild.channel("news")})
    (sub,) = interaction.data["options"]
    found = discord.app_commands.Namespace(interaction, interaction.data["resolved"], sub["options"])
    assert found["channel-1"].name == "news"


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("unknown", {}),
        ("listen", {}),
        ("listen remove", {}),
        ("listen add", {}),
        ("listen list more", {}),
        ("mark", {"other": 1}),
        ("mark", {"debug": 1}),
        ("mark", {"times": 4}),
        ("mark", {"times": True}),
        ("mark", {"seed": "x" * 51}),
        ("mark", {"mood": "bad"}),
        ("train", {}),
    ],
)
def test_what_discord_would_not_offer_cannot_be_given(command: str, options: dict[str, Any]) -> None:
    @with_client()
    async def run(fake: Fake, client: Listening) -> None:
        await client.http.bulk_upsert_global_commands(client.application_id, COMMANDS)
        with pytest.raises(NotOfferedError):
            fake.slash(fake.world.guild.member("member"), fake.world.guild.channel("general"), command, options)

    run()


@with_client()
async def test_channels_of_another_kind_are_not_offered(fake: Fake, client: Listening) -> None:
    with pytest.raises(NotOfferedError, match="voice"):
        await asked(fake, client, "listen add", {"channel-1": fake.world.guild.channel("voice")})


@with_client()
async def test_an_answer_at_once(fake: Fake, client: Listening) -> None:
    given, interaction = await asked(fake, client)
    response = await interaction.response.send_message("hello", ephemeral=True)
    (answer,) = fake.answers(given)
    assert (answer.content, answer.is_ephemeral, given.callback) == ("hello", True, Callback.MESSAGE)
    assert given.callback_flags == 64
    assert response.message_id == answer.id
    assert given.callback_ns > given.sent_ns
    assert fake.posted(fake.world.guild.channel("general")) == []
    with pytest.raises(discord.NotFound):
        await client.http.request(
            discord.http.Route("GET", "/channels/{c}/messages/{m}", c=given.channel.id, m=answer.id)
        )


@with_client()
async def test_thinking_is_shown_until_it_is_edited(fake: Fake, client: Listening) -> None:
    given, interaction = await asked(fake, client)
    await interaction.response.defer(thinking=True)
    assert given.is_thinking
    assert given.callback_flags == 0
    assert fake.answers(given) == ()
    assert fake.posted(given.channel) == []
    await interaction.edit_original_response(content="thought")
    assert [answer.content for answer in fake.answers(given)] == ["thought"]
    assert [message.content for message in fake.posted(given.channel)] == ["thought"]
    await interaction.followup.send("more", ephemeral=True)
    assert [(answer.content, answer.is_ephemeral) for answer in fake.answers(given)] == [
        ("thought", False),
        ("more", True),
    ]
    await interaction.delete_original_response()
    assert [answer.content for answer in fake.answers(given)] == ["more"]
    assert fake.posted(given.channel) == []
    with pytest.raises(discord.NotFound) as gone:
        await interaction.original_response()
    assert gone.value.code == 10008


@with_client()
async def test_the_first_message_after_thinking_takes_its_place_as_hidden_as_it_was(
    fake: Fake, client: Listening
) -> None:
    given, interaction = await asked(fake, client)
    await interaction.response.defer(thinking=True)
    await interaction.followup.send("no", ephemeral=True)
    (answer,) = fake.answers(given)
    assert answer is given.original
    assert not answer.is_ephemeral
    given, interaction = await asked(fake, client)
    await interaction.response.defer(thinking=True)
    await interaction.delete_original_response()
    await interaction.followup.send("no", ephemeral=True)
    (answer,) = fake.answers(given)
    assert answer.is_ephemeral


@with_client()
async def test_an_edit_does_not_speak_but_a_new_message_does(fake: Fake, client: Listening) -> None:
    given, interaction = await asked(fake, client)
    await interaction.response.defer(thinking=True)
    await interaction.edit_original_response(content="aloud?")
    assert not fake.answers(given)[0].tts
    await interaction.followup.send("aloud", tts=True)
    assert fake.answers(given)[1].tts


@with_client()
async def test_answers_ping_users_unless_they_are_told_not_to(fake: Fake, client: Listening) -> None:
    member = fake.world.guild.member("other")
    for body, pinged in [({}, [member.id]), ({"allowed_mentions": {"parse": []}}, [])]:
        given, interaction = await asked(fake, client)
        route = discord.http.Route("POST", "/interactions/{i}/{t}/callback", i=interaction.id, t=interaction.token)
        data = {"content": f"{member.mention} @everyone"} | body
        await client.http.request(route, json={"type": 4, "data": data})
        assert fake.answers(given)[0].pinged == pinged


@with_client()
async def test_an_interaction_is_answered_once_and_in_time(fake: Fake, client: Listening) -> None:
    _given, interaction = await asked(fake, client)
    body = discord.webhook.async_.interaction_response_params(5)
    adapter = discord.webhook.async_.async_context.get()

    async def answer(one: discord.Interaction) -> None:
        await adapter.create_interaction_response(one.id, one.token, session=one._session, params=body)

    await answer(interaction)
    with pytest.raises(discord.HTTPException) as twice:
        await answer(interaction)
    assert (twice.value.status, twice.value.code) == (400, 40060)
    _, late = await asked(fake, client)
    fake.world.clock.advance(3.1)
    with pytest.raises(discord.NotFound) as too_late:
        await answer(late)
    assert too_late.value.code == 10062
    with pytest.raises(discord.NotFound) as unanswered:
        await late.followup.send("x")
    assert unanswered.value.code == 10015


@with_client()
async def test_the_token_is_good_for_a_quarter_of_an_hour(fake: Fake, client: Listening) -> None:
    given, interaction = await asked(fake, client)
    await interaction.response.defer(thinking=True)
    await interaction.edit_original_response(content="early")
    fake.world.clock.advance(14 * 60)
    await interaction.edit_original_response(content="later")
    fake.world.clock.advance(61)
    for late in (interaction.edit_original_response(content="x"), interaction.followup.send("x")):
        with pytest.raises(discord.HTTPException) as refused:
            await late
        assert (refused.value.status, refused.value.code) == (401, 50027)
    (answer,) = fake.answers(given)
    channel = client.get_channel(given.channel.id)
    assert isinstance(channel, discord.TextChannel)
    await channel.get_partial_message(answer.id).edit(content="by its own token")
    assert answer.content == "by its own token"


@with_client()
async def test_buttons_and_menus(fake: Fake, client: Listening) -> None:
    given, interaction = await asked(fake, client)
    route = discord.http.Route("POST", "/interactions/{i}/{t}/callback", i=interaction.id, t=interaction.token)
    data = {"content": "choose", "components": [MENU, BUTTONS]}
    await client.http.request(route, json={"type": 4, "data": data})
    (message,) = fake.answers(given)
    member = fake.world.guild.member("member")
    chosen = fake.choose(member, message, "menu", ["two", "three"])
    await fake.wait_for(lambda: len(client.of("interaction")) == 2)
    got = client.of("interaction")[1]
    assert got.data == {"custom_id": "menu", "component_type": 3, "values": ["two", "three"]}
    assert got.message.id == message.id
    await got.response.edit_message(content="chosen")
    assert (message.content, fake.answers(chosen)) == ("chosen", (message,))
    pressed = fake.press(member, message, "go")
    await fake.wait_for(lambda: len(client.of("interaction")) == 3)
    got = client.of("interaction")[2]
    await got.response.defer()
    assert pressed.callback is Callback.THINKING_OF_UPDATE
    await got.edit_original_response(content="pressed", view=None)
    assert (message.content, message.components) == ("pressed", [])
    await got.followup.send("hidden", ephemeral=True)
    assert [answer.content for answer in fake.answers(pressed)] == ["pressed", "hidden"]


@with_client()
async def test_what_a_message_does_not_have_cannot_be_used(fake: Fake, client: Listening) -> None:
    given, interaction = await asked(fake, client)
    route = discord.http.Route("POST", "/interactions/{i}/{t}/callback", i=interaction.id, t=interaction.token)
    data = {"content": "choose", "components": [MENU, BUTTONS], "flags": 64}
    await client.http.request(route, json={"type": 4, "data": data})
    (message,) = fake.answers(given)
    member, other = fake.world.guild.member("member"), fake.world.guild.member("other")
    for act in (
        lambda: fake.press(member, message, "off"),
        lambda: fake.press(member, message, "stop"),
        lambda: fake.press(other, message, "go"),
        lambda: fake.choose(member, message, "menu", ["four"]),
        lambda: fake.choose(member, message, "menu", ["one", "two", "three"]),
        lambda: fake.choose(member, message, "menu", []),
    ):
        with pytest.raises(NotOfferedError):
            act()
    fake.press(member, message, "go")


@pytest.mark.parametrize(
    "wrong",
    [
        [{"name": "Mark", "description": "x"}],
        [{"name": "a b", "description": "x"}],
        [{"name": "mark"}],
        [{"name": "mark", "description": "x" * 101}],
        [{"name": "mark", "description": "x"}] * 2,
        [
            {
                "name": "m",
                "description": "x",
                "options": [{"name": str(n), "description": "x", "type": 3} for n in range(26)],
            }
        ],
        [
            {
                "name": "m",
                "description": "x",
                "options": [
                    {"name": "a", "description": "x", "type": 3},
                    {"name": "b", "description": "x", "type": 3, "required": True},
                ],
            }
        ],
        [
            {
                "name": "m",
                "description": "x",
                "options": [
                    {"name": "a", "description": "x", "type": 1},
                    {"name": "b", "description": "x", "type": 3},
                ],
            }
        ],
    ],
)
def test_commands_that_discord_does_not_take_are_refused(wrong: list[dict[str, Any]]) -> None:
    @with_client()
    async def run(fake: Fake, client: Listening) -> None:
        with pytest.raises(discord.HTTPException) as refused:
            await client.http.bulk_upsert_global_commands(client.application_id, wrong)
        assert refused.value.code == 50035
        assert fake.commands.names() == []

    run()


@with_client()
async def test_a_guilds_own_commands_go_first_and_keep_their_ids(fake: Fake, client: Listening) -> None:
    guild, application = fake.world.guild.id, client.application_id
    before = await client.http.bulk_upsert_global_commands(application, COMMANDS)
    after = await client.http.bulk_upsert_global_commands(application, COMMANDS[:1])
    assert after[0]["id"] == before[0]["id"]
    await client.http.bulk_upsert_guild_commands(application, guild, [{"name": "mark", "description": "own"}])
    assert [one["description"] for one in await client.http.get_guild_commands(application, guild)] == ["own"]
    given, _ = await asked(fake, client)
    assert given.data["id"] != after[0]["id"]
    await client.http.bulk_upsert_guild_commands(application, guild, [])
    given, _interaction = await asked(fake, client)
    assert given.data["id"] == after[0]["id"]
    assert [where for where, _ in fake.commands.deployments] == [0, 0, guild, guild]
