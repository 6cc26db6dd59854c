"""A guild whose chain is damaged: what its members are told, and that `/train` mends it."""

import logging
from pathlib import Path

import pytest

from chaffinch.chain import directory_of
from chaffinch.chat.calls.dispatch import DAMAGED
from chaffinch.chat.guild import Channel
from chaffinch.chat.names import tenant_of
from tests.chat.connected import Connected, connected, run


async def spoil(one: Connected, tenant: str) -> None:
    slot = await one.tenants._chains.seclude(tenant)
    one.tenants._chains.readmit(slot)
    manifest = directory_of(one.bot.tenants.state, tenant) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-7])


async def told(one: Connected, member: str, command: str) -> str:
    given = one.slash(member, command)
    await one.fake.wait_for(
        lambda: one.fake.answers(given) and not any(answer.is_loading for answer in one.fake.answers(given))
    )
    return one.fake.answers(given)[-1].content


def test_members_are_told_what_mends_a_damaged_chain_and_a_training_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            guild, general = one.world.guild.id, one.channel("general")
            one.bot.learner.postponed._again_seconds = 0.05
            await one.book.set_channels(guild, [Channel(general.id, listens=True)])
            await one.teach()
            await spoil(one, tenant_of(guild))
            assert await told(one, "member", "mark") == DAMAGED
            assert await told(one, "member", "privacy") == DAMAGED
            assert "could not be forgotten just now" in await told(one, "member", "forgetme")
            gone = one.fake.say(one.member("other"), general, "the chaffinch sings of what is taken back")
            kept = one.fake.say(one.member("other"), general, "the chaffinch sings of what stays")
            one.fake.delete(gone)
            await one.settled()
            assert guild in one.bot.learner.postponed
            one.slash("moderator", "train")
            await one.fake.wait_for(lambda: one.book.training(guild) is not None)
            await one.fake.wait_for(lambda: one.book.training(guild) is None)
            await one.fake.wait_for(lambda: guild not in one.bot.learner.postponed)
            texts = [one.text for one in await one.tenants.references(tenant_of(guild), "the chaffinch sings", 1000)]
            assert kept.content in texts
            assert gone.content not in texts
            await one.bot.keeper.keep()
            assert one.book.forgettings() == []

    with caplog.at_level(logging.WARNING):
        run(test)
    assert "bot.chain_damaged command=mark" in caplog.text
    assert "chaffinch sings" not in caplog.text
