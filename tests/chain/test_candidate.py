"""Which tenants are on the candidate configuration, and what they get."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chain import Candidate, Message, Options, Pool, Tenants, UnknownTenantError, configuration_of
from chaffinch.config import CandidateSettings, ChainSettings
from chaffinch.errors import InputError
from chaffinch.metrics.registry import Registry

NAMES = [f"guild-{number}" for number in range(10_000)]


def on_it(share: float) -> set[str]:
    return {name for name in NAMES if configuration_of(name, CandidateSettings(share=share)) == "candidate"}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_the_share_is_met(share: float) -> None:
    spread = 4 * (share * (1 - share) * len(NAMES)) ** 0.5
    assert abs(len(on_it(share)) - share * len(NAMES)) <= spread


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(NAMES))
def test_who_is_on_it_stays_on_it_when_the_share_grows(one: float, other: float, name: str) -> None:
    less, more = sorted((one, other))
    if configuration_of(name, CandidateSettings(share=less)) == "candidate":
        assert configuration_of(name, CandidateSettings(share=more)) == "candidate"


def test_the_position_is_the_documented_formula() -> None:
    digest = hashlib.blake2b(b"guild-7", digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    assert configuration_of("guild-7", CandidateSettings(share=position - 1e-6)) == "current"
    assert configuration_of("guild-7", CandidateSettings(share=position + 1e-6)) == "candidate"


def test_named_tenants_are_on_it_whatever_the_share() -> None:
    settings = CandidateSettings(tenants=("vip",))
    assert configuration_of("vip", settings) == "candidate"
    assert configuration_of("other", settings) == "current"


def test_what_the_candidate_changes() -> None:
    candidate = Candidate(
        ChainSettings(
            order=2, guarded=True, support="messages", candidate=CandidateSettings(tenants=("c",), order=3, novel="off")
        )
    )
    assert candidate.options("c") == Options(order=3, guarded=True, min_authors=3, support="messages")
    assert Candidate(ChainSettings(guarded=True, min_authors=2)).options("x").min_authors == 2
    assert candidate.options("x").order == 2
    assert candidate.asked("c", {}) == {"novel": False}
    assert candidate.asked("c", {"novel": True}) == {"novel": True}
    assert candidate.asked("x", {"seed": "a"}) == {"seed": "a"}
    assert candidate.voices("c") == [("c", 1)]


def test_a_mix_has_the_tenant_itself_in_it() -> None:
    candidate = Candidate(ChainSettings(candidate=CandidateSettings(tenants=("c", "common"), mix=("common:2", ".:4"))))
    assert candidate.voices("c") == [("c", 4), ("common", 2)]
    assert candidate.voices("common") == [("common", 4)]
    assert candidate.voices("x") == [("x", 1)]
    assert Candidate(ChainSettings(candidate=CandidateSettings(share=1, mix=("a:1",)))).voices("b") == [
        ("b", 1),
        ("a", 1),
    ]


@pytest.mark.parametrize(
    "part", ["common", "common:", ":3", "common:-1", "common:x", "a/b:1", "common:4294967296", "c:²"]
)
def test_a_mix_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(InputError):
        Candidate(ChainSettings(candidate=CandidateSettings(mix=(part,))))


def test_the_metrics_carry_which(tmp_path: Path) -> None:
    registry = Registry()
    settings = ChainSettings(candidate=CandidateSettings(tenants=("c", "alone"), novel="off", mix=("common:1",)))

    async def test() -> None:
        async with Pool(registry=registry) as pool, Tenants(tmp_path, pool, settings) as tenants:
            for tenant in ("c", "x", "common"):
                await tenants.add(tenant, [Message(f"{tenant} says this"), Message(f"{tenant} said that")])
            assert {word for text in await tenants.generate("c", 50) for word in text.split()} >= {"c", "common"}
            assert await tenants.generate("x", novel=False)
            assert (await tenants.say("c"))[0].tries >= 1
            with pytest.raises(UnknownTenantError):
                await tenants.generate("alone")

    asyncio.run(test())
    counted = {
        sample.labels: sample.value
        for family in registry.snapshot().families
        if family.name == "chain_generated"
        for sample in family.samples
    }
    assert counted == {
        (("configuration", "candidate"), ("outcome", "said")): 2,
        (("configuration", "candidate"), ("outcome", "error")): 1,
        (("configuration", "current"), ("outcome", "said")): 1,
    }
    times = registry.latency("chain_generation_seconds", "configuration").histograms
    assert {name: times.totals(number).count for number, name in times.labels()} == {"candidate": 2, "current": 1}


def test_a_voice_without_a_chain_is_left_out_and_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    candidate = CandidateSettings(tenants=("t", "mute"), mix=("gone:1000", "common:1"))

    def said_of(name: str) -> list[str]:
        return [line for line in caplog.messages if line.startswith("chain.candidate.mix") and f"tenant={name}" in line]

    async def scene() -> None:
        async with Pool(2) as pool, Tenants(tmp_path, pool, ChainSettings(candidate=candidate)) as many:
            await many.add("t", [Message("one two three")])
            assert set(await many.generate("t", 20, novel=False)) == {"one two three"}
            await many.add("common", [Message("six seven")])
            assert {one.text for one in await many.say("t", 200, novel=False)} == {"one two three", "six seven"}
            assert (len(said_of("gone")), len(said_of("common"))) == (1, 1)
            await many.add("gone", [Message("eight nine")])
            assert "eight nine" in await many.generate("t", 200, novel=False)
            await many.remove("gone")
            await many.generate("t", novel=False)
            assert len(said_of("gone")) == 2
            with pytest.raises(UnknownTenantError, match="gone"):  # who asks for a voice misses it
                await many.mix([("t", 1), ("gone", 1)])
            with pytest.raises(UnknownTenantError, match="mute"):  # nobody is asked to speak in another's place
                await many.generate("mute")

    asyncio.run(scene())


def test_who_only_lets_others_speak_is_told_that_none_can(tmp_path: Path) -> None:
    candidate = CandidateSettings(tenants=("t",), mix=(".:0", "gone:1"))

    async def scene() -> None:
        async with Pool(2) as pool, Tenants(tmp_path, pool, ChainSettings(candidate=candidate)) as many:
            await many.add("t", [Message("one two three")])
            with pytest.raises(UnknownTenantError, match="none has a chain: add messages to one of them"):
                await many.generate("t")

    asyncio.run(scene())
