"""What the bot says: never a source, as free as it was asked to be, no longer than may be, and why it says nothing."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from chaffinch.chain import Message, NothingNewError
from chaffinch.chain.results import Said
from chaffinch.chat.book.book import Training
from chaffinch.chat.content import WORDLESS, said_length
from chaffinch.chat.guild import GuildSettings
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.chat.talking.pictures import Picture, Pictures
from chaffinch.chat.talking.talker import Talker
from chaffinch.errors import InputError
from tests.chat.learning.test_learner import ANN, BEN, GUILD, Parts, parts

WORDS = [
    "the",
    "a",
    "this",
    "my",
    "tea",
    "coffee",
    "build",
    "deploy",
    "is",
    "was",
    "gets",
    "red",
    "cold",
    "slow",
    "good",
    "again",
    "today",
    "here",
    "now",
    "and",
]


async def no_refresh(addresses: Sequence[str]) -> Mapping[str, str]:
    raise AssertionError(addresses)


class Album(Pictures):
    """Pictures without a CDN: what was asked for."""

    def __init__(self, one: Parts) -> None:
        super().__init__(no_refresh, one.settings, one.measures, origins=())
        self.asked: list[str] = []

    async def fetch(self, guild: int, address: str) -> Picture | None:
        self.asked.append(address)
        return Picture("cat.png", b"cat")


class Scene:
    def __init__(self, one: Parts) -> None:
        self.parts = one
        self.album = Album(one)
        self.talker = Talker(one.book, one.tenants, one.settings, self.album, one.measures, chance=random.Random(1))

    async def teach(self, texts: Sequence[str], tenant: str = tenant_of(GUILD), **more: object) -> None:
        many = [Message(text, id=str(number), **more) for number, text in enumerate(texts)]  # type: ignore[arg-type]
        await self.parts.tenants.add(tenant, many)


def play(state: Path, act: Callable[[Scene], Awaitable[None]], **settings: object) -> None:
    async def run() -> None:
        async with parts(state, **settings) as one:
            await act(Scene(one))

    asyncio.run(asyncio.wait_for(run(), 60))


def corpus(messages: int = 2000, words: Sequence[str] = WORDS, seed: int = 1) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(words, k=chance.randrange(4, 12))) for _ in range(messages)]


SMALL = [
    "the tea is hot today",
    "the tea is good",
    "my tea is cold",
    "the coffee is good today",
    "my coffee is hot",
]
"""So alike that no message of it has a score of 10."""


def test_nothing_that_is_said_equals_a_source_and_all_of_it_is_as_free_as_asked(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = corpus()
        await scene.teach(texts)
        for _ in range(200):
            spoken = await scene.talker.say(GUILD)
            assert spoken.text not in texts
            assert spoken.score >= 10
            assert 1 <= spoken.tries <= 1000
            assert not spoken.seed_dropped

    play(tmp_path, act)


def test_a_seed_begins_what_is_said_and_is_dropped_where_nothing_goes_with_it(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(corpus())
        spoken = await scene.talker.say(GUILD, seed="  my coffee ")
        assert spoken.text.startswith("my coffee ")
        assert not spoken.seed_dropped
        for seed in ("holiday", "what do you think of that?", "x" * 5000):
            spoken = await scene.talker.say(GUILD, seed=seed)
            assert seed not in spoken.text
            assert spoken.seed_dropped

    play(tmp_path, act)


def test_a_small_corpus_speaks_too_with_less_freedom_and_never_by_copying(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(SMALL)
        said = [await scene.talker.say(GUILD) for _ in range(30)]
        assert all(one.text not in SMALL for one in said)
        assert max(one.score for one in said) < 10
        spoken = await scene.talker.say(GUILD, seed="my")
        assert spoken.text.startswith("my ")
        assert not spoken.seed_dropped
        assert spoken.tries > 2000  # those of the steps that failed are among them

    play(tmp_path, act)


def test_where_all_would_be_a_copy_nothing_is_said(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(["one two three four", "five six seven"])
        with pytest.raises(NothingNewError, match=r"Nothing new comes to mind: .*/listen add.*/train"):
            await scene.talker.say(GUILD, seed="one")

    play(tmp_path, act)


def test_without_a_chain_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(NothingNewError, match=r"Nothing was learned here yet: .*/listen add.*/train"):
            await scene.talker.say(GUILD)
        await scene.parts.book.set_training(Training(GUILD, True, 0, 1, 1, 1, "", "reading"))
        with pytest.raises(NothingNewError, match="a training is going on"):
            await scene.talker.say(GUILD)

    play(tmp_path, act)


def test_a_chain_of_which_all_was_forgotten_has_learned_nothing(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(SMALL, author="ann")
        await scene.parts.tenants.forget(tenant_of(GUILD), author="ann")
        with pytest.raises(NothingNewError, match="Nothing was learned here yet"):
            await scene.talker.say(GUILD)

    play(tmp_path, act)


@pytest.mark.parametrize("longest", [12, 40, 100, 2000])
@pytest.mark.parametrize("letters", ["abcdef", "абвгде", "日本語文字", "😀😎🐦🎉🍵"])
def test_what_is_said_is_no_longer_than_the_guild_wants_in_any_script(
    tmp_path: Path, longest: int, letters: str
) -> None:
    words = ["".join(random.Random(n).choices(letters, k=2)) for n in range(12)]

    async def act(scene: Scene) -> None:
        texts = corpus(500, words)
        await scene.teach(texts)
        await scene.parts.book.set_settings(GUILD, GuildSettings(max_length=longest))
        said = [(await scene.talker.say(GUILD, seed=words[0])).text for _ in range(20)]
        assert max(said_length(text) for text in said) <= longest
        assert not set(said) & set(texts)

    play(tmp_path, act)


def test_a_length_that_few_messages_have_is_met(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        chance = random.Random(1)
        await scene.teach([" ".join(chance.choices(WORDS, k=chance.choice([3, *[15] * 30]))) for _ in range(2000)])
        await scene.parts.book.set_settings(GUILD, GuildSettings(max_length=30))
        for _ in range(30):
            spoken = await scene.talker.say(GUILD)
            assert len(spoken.text) <= 30
            assert spoken.score >= 10

    play(tmp_path, act)


def test_of_those_that_are_less_free_than_asked_the_freest_is_said(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(SMALL)
        made: list[Said] = []
        say = scene.parts.tenants.say

        async def watched(*asked: object, **how: object) -> list[Said]:
            made[:] = await say(*asked, **how)  # type: ignore[arg-type]
            return made

        scene.parts.tenants.say = watched  # type: ignore[assignment, method-assign]
        for _ in range(20):
            spoken = await scene.talker.say(GUILD)
            assert len(made) == 8
            assert spoken.score == max(one.score for one in made)

    play(tmp_path, act)


def test_a_length_that_nothing_has_is_named(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(corpus(words=[word for word in WORDS if len(word) > 1]))
        await scene.parts.book.set_settings(GUILD, GuildSettings(max_length=1))
        with pytest.raises(NothingNewError, match=r"in 1 characters \(max_length of /settings\)"):
            await scene.talker.say(GUILD)

    play(tmp_path, act)


def test_words_that_are_to_be_in_it_are_never_left_out(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.parts.book.set_settings(GUILD, GuildSettings(backward=True))
        for number, text in enumerate(corpus(500)):
            await scene.parts.tenants.add(
                tenant_of(GUILD),
                [Message(text, id=str(number))],
                options=scene.parts.learner.options(GUILD),
            )
        for _ in range(20):
            assert "coffee" in (await scene.talker.say(GUILD, contains="coffee")).text.split()
        with pytest.raises(NothingNewError, match="with 'holiday' in it"):
            await scene.talker.say(GUILD, contains="holiday")

    play(tmp_path, act)


def test_a_chain_that_cannot_be_asked_for_them_says_what_to_do(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(corpus(100))
        with pytest.raises(InputError, match=r"switches backward on with /settings.*/train clean:True"):
            await scene.talker.say(GUILD, contains="coffee")

    play(tmp_path, act)


def test_a_member_is_spoken_as_only_if_they_agreed(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(corpus(), own_of(GUILD, ANN))
        await scene.teach(corpus(words=["only", "ben", "says", "such", "things", "ever"]))
        with pytest.raises(InputError, match=r"/mychain"):
            await scene.talker.say(GUILD, user=ANN)
        await scene.parts.book.set_own(GUILD, ANN, True)
        assert not {"ben", "says"} & set((await scene.talker.say(GUILD, user=ANN)).text.split())
        await scene.parts.book.set_own(GUILD, BEN, True)
        with pytest.raises(NothingNewError, match="Nothing was learned yet from this member"):
            await scene.talker.say(GUILD, user=BEN)

    play(tmp_path, act)


def test_sources_are_shown_when_they_are_asked_for(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        texts = corpus()
        await scene.teach(texts, author="7", channel="8")
        assert (await scene.talker.say(GUILD)).sources == ()
        shown = [one for _ in range(10) for one in (await scene.talker.say(GUILD, sources=True)).sources]
        assert 10 <= len(shown) <= 50
        assert all(one.text in texts and one.author == "7" and one.channel == "8" for one in shown)

    play(tmp_path, act)


def test_a_picture_of_a_source_goes_along_as_often_as_the_guild_wants(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(corpus(), attachments=("https://cdn.discordapp.com/attachments/1/2/cat.png",))
        assert (await scene.talker.say(GUILD)).picture == Picture("cat.png", b"cat")
        for chance, least, most in [(0.0, 0, 0), (0.5, 20, 80)]:
            await scene.parts.book.set_settings(GUILD, GuildSettings(image_chance=chance))
            had = sum([(await scene.talker.say(GUILD)).picture is not None for _ in range(100)])
            assert least <= had <= most
        assert set(scene.album.asked) == {"https://cdn.discordapp.com/attachments/1/2/cat.png"}

    play(tmp_path, act)


def test_pictures_that_were_posted_without_words_go_along_and_are_never_said(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(corpus())
        address = "https://cdn.discordapp.com/attachments/1/2/cat.png"
        alone = [Message(WORDLESS, id=f"p{number}", attachments=(address,)) for number in range(len(corpus()))]
        await scene.parts.tenants.add(tenant_of(GUILD), alone)
        said = [await scene.talker.say(GUILD) for _ in range(200)]
        assert not any(WORDLESS in one.text for one in said)
        assert all(one.picture == Picture("cat.png", b"cat") for one in said)

    play(tmp_path, act)


def test_where_there_is_nothing_but_pictures_nothing_is_said(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach([WORDLESS] * 9, attachments=("https://cdn.discordapp.com/attachments/1/2/cat.png",))
        with pytest.raises(NothingNewError, match="Nothing new comes to mind"):
            await scene.talker.say(GUILD)

    play(tmp_path, act)


def test_without_attachments_there_is_no_picture_and_that_is_counted(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.teach(corpus())
        assert (await scene.talker.say(GUILD)).picture is None
        assert scene.parts.count("bot_pictures") == 1
        assert scene.album.asked == []

    play(tmp_path, act)
