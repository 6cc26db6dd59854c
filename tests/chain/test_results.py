"""The structs have exactly the fields that the core really writes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaffinch import _core
from chaffinch.chain import (
    Added,
    Bad,
    Cut,
    Merged,
    Options,
    Reference,
    Said,
    Stats,
    Trained,
    Verified,
)
from chaffinch.errors import InputError


@pytest.fixture
def core(tmp_path: Path) -> _core.Chain:
    return _core.Chain.open(tmp_path / "chain", write=True, create="{}")


def fields(struct: type[msgspec.Struct]) -> set[str]:
    return set(struct.__struct_fields__)


def test_options_are_those_of_the_core(core: _core.Chain) -> None:
    assert set(json.loads(core.options)) == fields(Options)
    assert msgspec.json.decode(core.options, type=Options) == Options()
    assert json.loads(Options().to_json()) == json.loads(core.options)


def test_every_result_has_the_fields_of_the_core(core: _core.Chain, tmp_path: Path) -> None:
    text = "the quick brown fox"
    added = json.loads(core.add([("7", "ann", "pets", 1_700_000_000_000, text, ["cdn/cat.png"])]))
    assert set(added) == fields(Added)
    assert set(added["cut"]) == fields(Cut)
    file = tmp_path / "some.ndjson"
    file.write_text('{"text": "a line of words"}\n{"text": 7}\n')
    trained = json.loads(core.train("some", file, skip_bad=True))
    assert set(trained) == fields(Trained)
    assert set(trained["first_bad"][0]) == fields(Bad)
    assert trained["first_bad"][0]["line"] == 2
    (reference,) = json.loads(core.references(text))
    assert set(reference) == fields(Reference)
    assert msgspec.json.decode(core.references(text), type=list[Reference])[0].attachments == ("cdn/cat.png",)
    illustration = core.illustration(text)
    assert illustration is not None
    assert set(json.loads(illustration)) == fields(Reference)
    assert set(json.loads(core.stats())) == fields(Stats)
    assert set(json.loads(core.merge())) == fields(Merged)
    assert set(json.loads(core.verify())) == fields(Verified)
    assert len(core.say(_core.Ask(novel=False))[0]) == len(fields(Said))


def test_a_bad_record_reads_like_the_core_writes_it() -> None:
    assert str(Bad("chat.ndjson", 17, "it has no text")) == "chat.ndjson, line 17: it has no text"


def test_lures_are_guarded_and_stand_on_three_authors() -> None:
    lures = Options.for_lures()
    assert (lures.guarded, lures.min_authors, lures.support) == (True, 3, "authors")


@pytest.mark.parametrize("options", [Options(order=5), Options(mode="letters"), Options(max_tokens=0)])  # type: ignore[arg-type]
def test_options_out_of_bounds_are_refused_by_the_chain(options: Options, tmp_path: Path) -> None:
    from chaffinch.chain import Chain

    with pytest.raises(InputError) as refused:
        Chain.open(tmp_path / "new", write=True, create=options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", [Cut, Added, Trained])
def test_sums_add_up_every_field(kind: type[Cut | Added | Trained]) -> None:
    def counted(struct: type[msgspec.Struct], start: int) -> dict[str, Any]:
        """Every count its own power of two, so that no two can be taken for each other."""
        made: dict[str, Any] = {}
        for number, field in enumerate(msgspec.structs.fields(struct)):
            if field.type is int:
                made[field.name] = start << number
            elif field.name != "first_bad":
                made[field.name] = counted(field.type, start << 8)
        return made

    one, other, both = (msgspec.convert(counted(kind, start), kind) for start in (1, 2, 3))
    assert one + other == both  # type: ignore[operator]
    assert one + kind() == one  # type: ignore[operator]


def test_a_sum_names_the_first_bad_records_and_counts_the_others() -> None:
    one, other = (
        Trained(bad=15, first_bad=tuple(Bad(name, line, "not UTF-8") for line in range(15))) for name in ("a", "b")
    )
    both = one + other
    assert both.bad == 30
    assert [bad.file for bad in both.first_bad] == ["a"] * 15 + ["b"] * 5
