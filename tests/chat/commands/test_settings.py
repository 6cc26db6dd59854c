"""What moderators chose for a guild."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaffinch.chat.commands.settings import OPTIONS, changed
from chaffinch.chat.guild import GuildSettings
from chaffinch.errors import InputError
from tests.chat.connected import connected, run

KINDS = {"number": "number", "integer": "whole", "boolean": "switch", "string": "text"}


def test_every_setting_is_an_option_with_its_bounds() -> None:
    schema = msgspec.json.schema(GuildSettings)["$defs"]["GuildSettings"]["properties"]

    assert [option.name for option in OPTIONS] == list(GuildSettings.__struct_fields__)
    for option in OPTIONS:
        field = schema[option.name]
        if option.kind != "role":
            assert option.kind == KINDS[field["type"]], option.name
        if option.kind in ("whole", "number"):
            assert (option.least, option.most) == (field["minimum"], field["maximum"]), option.name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_length": 80}, {"max_length": 80}),
        ({"quiet_from": "22:00", "quiet_until": "7:30"}, {"quiet_from": "22:00", "quiet_until": "07:30"}),
        ({"timezone": "Europe/Berlin"}, {"timezone": "Europe/Berlin"}),
    ],
)
def test_what_is_chosen(options: dict[str, Any], expected: dict[str, Any]) -> None:
    settings = changed(GuildSettings(cooldown_seconds=3.0), options)

    assert settings == msgspec.structs.replace(GuildSettings(cooldown_seconds=3.0), **expected)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"quiet_from": "25:00", "quiet_until": "07:00"}, "no time of day"),
        ({"quiet_from": "22:00"}, "both ends"),
        ({"quiet_until": "22:00"}, "both ends"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "settings reset"),
        ({"timezone": "Middle/Earth"}, "Middle/Earth"),
        ({"timezone": "../../etc/passwd"}, "zone"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        changed(GuildSettings(), options)


def test_settings_through_discord(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            guild = one.world.guild
            shown = await one.asked("member", "settings show")
            assert shown.is_ephemeral
            assert [field["name"] for field in shown.embeds[0]["fields"]] == [option.name for option in OPTIONS]
            assert "moderators" in (await one.asked("member", "settings set", {"max_length": 5})).content
            await one.asked("moderator", "settings set", {"max_length": 80, "opt_out_role": guild.role("unlearned")})
            assert one.book.settings(guild.id).max_length == 80
            assert one.book.settings(guild.id).opt_out_role == guild.role("unlearned").id
            refused = await one.asked("moderator", "settings set", {"quiet_from": "22:00"})
            assert refused.is_ephemeral
            assert refused.content.startswith("Quiet hours need both ends")
            assert (await one.asked("moderator", "settings set")).content.startswith("Name what to change")
            await one.told("moderator", "!mark settings set quiet_from:22:00 quiet_until:07:30 backward")
            settings = one.book.settings(guild.id)
            assert (settings.quiet_from, settings.quiet_until, settings.backward) == ("22:00", "07:30", True)
            await one.asked("admin", "settings reset", {"name": "quiet_until"})
            assert one.book.settings(guild.id) == msgspec.structs.replace(settings, quiet_from="", quiet_until="")
            await one.told("admin", "!mark settings reset name:opt_out_role")
            assert one.book.settings(guild.id).opt_out_role == 0
            assert one.book.settings(guild.id).max_length == 80

    run(test)


def test_settings_chosen_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            asked = [
                one.slash("moderator", "settings set", {"max_length": 80}),
                one.slash("admin", "settings set", {"image_chance": 0.25}),
                one.slash("owner", "settings set", {"retention_days": 30}),
            ]
            for each in asked:
                await one.answered(each)
            settings = one.book.settings(one.world.guild.id)
            assert (settings.max_length, settings.image_chance, settings.retention_days) == (80, 0.25, 30)

    run(test)
