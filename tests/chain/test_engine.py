"""One chain from Python: what it learns, says, forgets and refuses."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaffinch.chain import (
    Ask,
    Chain,
    DamagedError,
    LockedError,
    Message,
    NothingNewError,
    Options,
    UnknownTenantError,
    mix,
)
from chaffinch.chain.engine import milliseconds
from chaffinch.errors import InputError

CATS = ["the cat sat on the mat", "the dog sat on the log", "a cat saw the dog run", "the dog saw a cat run home"]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with Chain.open(tmp_path / "pets", write=True, create=Options(order=1)) as chain:
        chain.add(Message(text, id=str(n), author="ann" if n % 2 else "bob") for n, text in enumerate(CATS))
        yield chain


def test_what_is_learned_is_said_in_a_new_way(chain: Chain) -> None:
    made = chain.generate(20, rng_seed=1)
    assert len(made) == 20
    assert not set(made) & set(CATS)
    words = {word for text in CATS for word in text.split()}
    assert {word for text in made for word in text.split()} <= words
    assert chain.generate(20, rng_seed=1) == made
    assert [one.text for one in chain.say(20, rng_seed=1)] == made


def test_what_is_asked_can_be_keywords_or_one_object(chain: Chain) -> None:
    assert all(text.startswith("the dog") for text in chain.generate(5, starting="the dog", novel=False))
    ask = Ask(starting="the dog", novel=False)
    assert chain.generate(5, ask=ask, rng_seed=3) == chain.generate(5, starting="the dog", novel=False, rng_seed=3)
    with pytest.raises(InputError, match="an Ask or its keywords, not both"):
        chain.generate(ask=ask, novel=True)
    with pytest.raises(InputError, match="not both"):
        chain.generate(seed="a", starting="the")


def test_nothing_new_is_an_error_of_its_own(tmp_path: Path) -> None:
    with Chain.open(tmp_path / "one", write=True, create=Options()) as chain:
        chain.add([Message("only this")])
        with pytest.raises(NothingNewError) as refused:
            chain.generate()
        assert refused.value.exit_code == 1
        assert chain.generate(novel=False) == ["only this"]
        with pytest.raises(NothingNewError):
            chain.generate(novel=False, starting="unheard")


def test_an_id_is_learned_once(chain: Chain) -> None:
    added = chain.add([Message("the same again", id="1"), Message("no id"), Message("no id"), Message("  ")])
    assert (added.learned, added.duplicates, added.empty) == (2, 1, 1)


def test_what_caps_take_is_counted(tmp_path: Path) -> None:
    with Chain.open(tmp_path / "small", write=True, create=Options(max_tokens=3, max_token_bytes=8)) as chain:
        added = chain.add([Message("one seventeen quarterly four five")])
        assert (added.cut.tokens_dropped, added.cut.tokens_shortened, added.cut.messages_cut) == (2, 2, 1)
        assert chain.stats().counters == {"tokens_dropped": 2, "tokens_shortened": 2, "messages_cut": 1}


def test_forgetting_by_exactly_one_thing(chain: Chain) -> None:
    assert chain.forget(author="ann") == 2
    assert chain.forget(message="0") == 1
    assert chain.forget(channel="none") == 0
    chain.add([Message("old words here", time_ms=1_000), Message("new words there", time_ms=2_000_000)])
    assert chain.forget(before=datetime.fromtimestamp(1000, UTC)) == 1
    assert chain.stats().messages == 2
    assert chain.stats().forgotten == 4
    assert chain.merge().dropped == 4
    assert chain.stats().forgotten == 0
    for given in ({}, {"author": "ann", "message": "2"}):
        with pytest.raises(InputError, match="exactly one of message, messages, author, channel and before"):
            chain.forget(**given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no time zone"):
        chain.forget(before=datetime(2024, 1, 1))  # noqa: DTZ001 - that is the point


def test_a_time_goes_to_the_millisecond_without_rounding() -> None:
    for ms in (0, 1, 1_700_000_000_001, 1_700_000_000_999, -1, -1_001, 253_402_300_799_999):
        assert milliseconds(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)) == ms


def test_training_resumes_and_reports(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"message number {n} of many\n" for n in range(10_000)))
    told: list[tuple[int, int, int | None]] = []

    def stop_early(*progress: int | None) -> bool:
        told.append(progress)  # type: ignore[arg-type]
        return False

    with Chain.open(tmp_path / "chain", write=True, create=Options()) as chain:
        first = chain.train(file, report=stop_early)
        assert 0 < first.added.learned < 10_000
        assert told[0][2] == file.stat().st_size
        second = chain.train(file)
        assert second.resumed == first.records
        assert first.added.learned + second.added.learned == 10_000
        assert chain.train(file).added.learned == 0

        def fail(*_: object) -> bool:
            raise KeyError("mine")

        file.write_text("another first line\n" * 5000)
        with pytest.raises(InputError, match="is not the file that was trained before"):
            chain.train(file)
        with pytest.raises(KeyError, match="mine"):
            chain.train(file, key="other", report=fail)


def test_a_bad_record_ends_a_training_unless_skipped(tmp_path: Path) -> None:
    file = tmp_path / "chat.ndjson"
    file.write_text('{"text": "good one"}\n{"text": \n{"text": "good two"}\n')
    with Chain.open(tmp_path / "chain", write=True, create=Options()) as chain:
        with pytest.raises(InputError, match="line 2"):
            chain.train(file)
        assert chain.stats().messages == 0
        trained = chain.train(file, skip_bad=True)
        assert (trained.added.learned, trained.bad, trained.first_bad[0].line) == (2, 1, 2)


def test_references_name_the_source(chain: Chain) -> None:
    first, *_ = chain.references("the cat sat on the mat", 2)
    assert (first.id, first.author, first.text) == ("0", "bob", CATS[0])


def test_an_illustration_goes_with_a_text_if_one_does(chain: Chain) -> None:
    assert chain.illustration("the dog sat") is None
    files = ("https://cdn.example/1.png", "https://cdn.example/2.png")
    chain.add(
        [
            Message("the dog sat in the sun", id="10", channel="7", time_ms=5, attachments=files),
            Message("look at this", id="11", attachments=files[:1]),
        ]
    )
    for _ in range(2):
        found = chain.illustration("the dog sat on the mat")
        assert found is not None
        assert (found.id, found.channel, found.time_ms, found.attachments) == ("10", "7", 5, files)
        assert (found.text, found.shared) == ("the dog sat in the sun", 2)
        others = [chain.illustration("something else", rng_seed=seed) for seed in range(50)]
        assert {one.id for one in others if one is not None and one.shared == 0} == {"10", "11"}
        again = [chain.illustration("something else", rng_seed=seed) for seed in range(50)]
        assert again == others
        chain.merge()
    chain.forget(messages=["10", "11"])
    assert chain.illustration("the dog sat on the mat") is None


def test_counting_by_author_or_channel(chain: Chain) -> None:
    chain.add([Message("words of a thread", id="20", author="ann", channel="7")])
    for _ in range(2):
        assert (chain.count(author="ann"), chain.count(author="bob"), chain.count(author="cid")) == (3, 2, 0)
        assert (chain.count(channel="7"), chain.count(channel="")) == (1, 4)
        chain.merge()
    chain.forget(message="20")
    assert (chain.count(author="ann"), chain.count(channel="7")) == (2, 0)
    for given in ({}, {"author": "ann", "channel": "7"}):
        with pytest.raises(InputError, match="exactly one of author and channel"):
            chain.count(**given)


def test_many_ids_are_forgotten_at_once_and_learned_anew(chain: Chain) -> None:
    assert chain.forget(messages=["0", "2", "2", "none"]) == 2
    assert chain.forget(messages=[]) == 0
    assert chain.forget(messages=["0", "2"]) == 0
    chain.merge()
    assert chain.forget(messages=["1", "3"]) == 2
    added = chain.add([Message(f"edited {n}", id=str(n)) for n in range(4)])
    assert (added.learned, added.duplicates) == (4, 0)
    with pytest.raises(InputError, match="the message id"):
        chain.forget(messages=["1", "x" * 2000])
    assert chain.stats().messages == 4


def test_one_writer_and_any_number_of_readers(chain: Chain) -> None:
    with pytest.raises(LockedError, match="is open for writing"):
        Chain.open(chain.directory, write=True)
    with Chain.open(chain.directory) as reader:
        assert not reader.is_writer
        with pytest.raises(InputError, match="open for reading only"):
            reader.add([Message("no")])
        chain.add([Message("a brand new thing")])
        reader.refresh()
        assert reader.stats().messages == len(CATS) + 1


def test_there_is_no_chain_or_it_is_closed(tmp_path: Path, chain: Chain) -> None:
    for write in (False, True):
        with pytest.raises(UnknownTenantError, match="there is no chain in"):
            Chain.open(tmp_path / "absent", write=write)
    assert not (tmp_path / "absent").exists()
    with pytest.raises(InputError, match="write=True"):
        Chain.open(tmp_path / "absent", create=Options())
    chain.close()
    chain.close()
    for call in (chain.generate, chain.stats, lambda: chain.options, lambda: chain.memory_bytes):
        with pytest.raises(InputError, match="is closed: open it again"):
            call()  # type: ignore[operator]


def test_a_damaged_chain_is_named(chain: Chain) -> None:
    chain.close()
    (chain.directory / "manifest.json").write_text("{")
    with pytest.raises(DamagedError, match=r"manifest\.json is damaged"):
        Chain.open(chain.directory)


def test_values_that_cannot_be_are_refused_in_a_sentence(chain: Chain) -> None:
    for wrong in (
        lambda: chain.generate(-1),
        lambda: chain.generate(rng_seed=1 << 64),
        lambda: chain.generate(max_tries=-1),
        lambda: chain.add([Message("x", time_ms=1 << 70)]),
    ):
        with pytest.raises(InputError, match="negative or too large"):
            wrong()  # type: ignore[no-untyped-call]
    with pytest.raises(InputError, match="lone surrogate at character 2"):
        chain.add([Message("ab\ud83d")])
    with pytest.raises(InputError, match="author"):
        chain.add([Message("x", author="a" * 256)])


def test_an_archive_makes_the_same_chain(chain: Chain, tmp_path: Path) -> None:
    archive = tmp_path / "pets.archive"
    assert chain.export(archive) == len(CATS)
    with pytest.raises(InputError, match="is there already"):
        chain.export(archive)
    assert Chain.import_archive(tmp_path / "copy", archive) == len(CATS)
    with Chain.open(tmp_path / "copy") as copy:
        assert copy.stats().messages == len(CATS)
        assert copy.options == chain.options


def test_a_merge_changes_what_may_change(chain: Chain) -> None:
    assert chain.merge().segments == 1
    changed = Options(order=1, max_copied_tokens=3)
    assert chain.merge(options=changed).messages == len(CATS)
    assert chain.options == changed
    with pytest.raises(InputError, match="cannot be changed"):
        chain.merge(options=Options(order=3))
    assert chain.verify().damage == ()


def test_a_mix_speaks_with_all_its_voices(chain: Chain, tmp_path: Path) -> None:
    with Chain.open(tmp_path / "other", write=True, create=Options(order=1)) as other:
        other.add(Message(text) for text in ["the ship saw the sea", "a storm sat on the sea", "the sea saw a ship"])
        words = {word for one in mix([(chain, 1), (other, 1)], 200, rng_seed=5) for word in one.text.split()}
        assert {"ship", "cat"} <= words
        only = {word for one in mix([(chain, 0), (other, 1)], 50, rng_seed=5, novel=False) for word in one.text.split()}
        assert "cat" not in only
        assert mix([(other, 1), (chain, 3)], 5, rng_seed=2) == mix([(chain, 1), (other, 1), (chain, 2)], 5, rng_seed=2)
        with pytest.raises(InputError, match="weight above 0"):
            mix([(chain, 0)])
        with pytest.raises(InputError, match="at least one chain"):
            mix([])


def test_mixing_while_all_learn_does_not_lock_up(chain: Chain, tmp_path: Path) -> None:
    with Chain.open(tmp_path / "other", write=True, create=Options(order=1)) as other:
        other.add(Message(text) for text in CATS)
        stop = threading.Event()

        def learn(one: Chain) -> None:
            while not stop.is_set():
                one.add([Message("the cat sat on a log")])

        def speak(*pair: Chain) -> None:
            for _ in range(300):
                mix([(one, 1) for one in pair], 2, novel=False)

        learners = [threading.Thread(target=learn, args=(one,), daemon=True) for one in (chain, other)]
        speakers = [
            threading.Thread(target=speak, args=pair, daemon=True) for pair in ((chain, other), (other, chain)) * 2
        ]
        for thread in learners + speakers:
            thread.start()
        for thread in speakers:
            thread.join(30)
            assert not thread.is_alive()
        stop.set()
        for thread in learners:
            thread.join(30)
