"""YAML to nodes: what scalars mean, where they stand, which bounds hold."""

import time

import pytest

from chaffinch.errors import InputError
from chaffinch.load.scenario import nodes
from chaffinch.load.scenario.faults import Faults
from chaffinch.load.scenario.nodes import Items, Scalar, Table, as_json, compose


def composed(text: str) -> nodes.Node:
    faults = Faults("a.yaml")
    node = compose(text, faults)
    faults.check()
    return node


def test_lines_are_those_of_the_file() -> None:
    root = composed("a: 1\nb:\n  - x\n  - {c: y}\n")
    assert isinstance(root, Table)
    listed = root.get("b")
    assert isinstance(listed, Items)
    assert [one.line for one in listed.items] == [3, 4]
    inner = listed.items[1]
    assert isinstance(inner, Table)
    assert inner.get("c") == Scalar(4, "y", plain=True)


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("null", "null"), ("~", "null"), ("true", "true"), ("False", "false"), ("yes", '"yes"'), ("on", '"on"'),
        ("1", "1"), ("1.10", "1.10"), ("-0.5e3", "-0.5e3"), ("0x1F", "31"), ("0o17", "15"), ("007", "7"),
        ("+5", "5"), (".5", "0.5"), ("12:30", '"12:30"'), ("1_000", '"1_000"'), (".inf", '".inf"'),
        ("1e999", '"1e999"'),
        ("12345678901234567890123", "12345678901234567890123"), ("'1'", '"1"'),
        ('"true"', '"true"'), ("!!str 1", '"1"'),
        ("2026-01-02", '"2026-01-02"'), ("[a, {b: [1, null]}]", '["a",{"b":[1,null]}]'), ("{}", "{}"),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, json: str) -> None:
    assert as_json(composed(text)) == json


def test_aliases_and_merges() -> None:
    text = "base: &b {a: 1, c: 2}\nuse: *b\nmerged: {<<: *b, a: 9}\nboth: {<<: [*b, {d: 4}]}\n"
    assert as_json(composed(text)) == (
        '{"base":{"a":1,"c":2},"use":{"a":1,"c":2},"merged":{"a":9,"c":2},"both":{"a":1,"c":2,"d":4}}'
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'a.yaml:1: the file is empty: begin with version: "1.0"'),
        ("a: 1\na: 2\n", 'a.yaml:2: the key "a" is there twice, first in line 1'),
        ("a: [1, 2\n", "a.yaml:2: this is not YAML: did not find expected ',' or ']'"),
        ("a: b: c\n", "a.yaml:1: this is not YAML: mapping values are not allowed in this context"),
        ("a: 1\n\tb: 2\n", "a.yaml:2: this is not YAML: found a tab character that violates indentation"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2: a second document begins here: a scenario file has one"),
        ("a: *b\n", "a.yaml:1: the alias *b stands for nothing before it"),
        ("a: &a [*a]\n", "a.yaml:1: the alias *a stands for nothing before it"),
        (
            "a: !python/object:os.system x\n",
            'a.yaml:1: the tag "!python/object:os.system" is not known here: leave it out',
        ),
        ("{[1]: 2}\n", "a.yaml:1: a key must be a text"),
        ("a: {<<: 1}\n", "a.yaml:1: << takes a mapping or a list of mappings"),
        ("a: 'x\x00y'\n", "a.yaml:1: this is not YAML: control characters are not allowed"),
        ("a: 1\nb: \ud800\n", "a.yaml is not UTF-8: it has a lone surrogate"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        composed(text)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(20)),
        "a: &a '" + "x" * 1_000_000 + "'\nb: [" + ", ".join(["*a"] * 1000) + "]\n",
        "a: &a {"
        + ", ".join(f"k{n}: v" for n in range(1000))
        + "}\n"
        + "".join(f"b{n}: {{<<: *a}}\n" for n in range(1000)),
        "[" + "x, " * 300_000 + "]",
        "a: '" + "x" * (5 << 20) + "'",
    ],
    ids=["lists", "mappings", "dashes", "laughs", "long aliases", "merges", "many", "large"],
)
def test_bombs_are_refused_quickly(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(InputError):
        composed(text)
    assert time.perf_counter() - began < 5
