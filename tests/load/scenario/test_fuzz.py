"""The reader under mutated files: whatever comes, it is read or refused with an `InputError`, soon and in bounds."""

import contextlib
import json
import os
import random
import re
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from chaffinch.errors import InputError
from chaffinch.load.scenario.files import load_file, load_text
from tests.load.scenario.test_files import WHOLE

ROUNDS = 1500

LONG_SECONDS = 60 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 0
"""How long each test goes on where the long ones are asked for, and on other files each time."""

TOKENS = [
    "", "null", "~", "true", "-1", "0", "1e400", "9" * 30, "0x1f", "0.1", ".inf", "[]", "{}", "''", '"', "'", "[", "]",
    "{", "}", ":", ": ", ",", "- ", "&a", "*a", "<<: *a", "!!str", "!x", "|", ">", "#", "---", "...", "\t", "\n",
    "\r\n",     "${", "${a}", "$", "%", "\ufeff", "\x00", "\x85", "\u2028", "\ud800", "\U0001f600", "é", "http://", "http://${h}/",
    "::1", "1m", "-5s", "99999d", "200-100", "p99<", "a" * 300, "\\", "\\x", '"\\ud83d"', "model: steps", "..",
    "type: cookie", "users.csv",
]  # fmt: skip

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 10**30, 1e300, "", "x", "a" * 5000, "1m", "0s", "500us", "10KB", "50%", "2xx", "$",
    "${id}", "/", "http://b.test/x", "http://${h}", "a.test:127.0.0.1:1", "users.csv", "ca.pem", ".", "\0", "\r\n",
    "\u2028", "GET", "rps", "jsonPath", "1.0", [], {}, [[]], [{}], ["a", 1], {"a": 1}, {"min": "1s", "max": "1ms"},
    {"type": "regex"}, {"model": "steps", "steps": [{"rate": 1, "for": "1s"}]},
    {"model": "replay", "interval": "1s", "path": "users.csv"},
]  # fmt: skip


class Chance(random.Random):
    """Names its seed among the variables of a failing test, so that its round can be made again."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.made_of = seed

    def __repr__(self) -> str:
        return f"Chance({self.made_of})"


def rounds(few: int, seed: int) -> Iterator[Chance]:
    """The chance of each round: one for the few, or another for each as long as `LONG_SECONDS`."""
    if not LONG_SECONDS:
        yield from [Chance(seed)] * few
        return
    end = time.monotonic() + LONG_SECONDS
    number = time.time_ns()
    while time.monotonic() < end:
        number += 1
        yield Chance(number)


def changed(value: Any, chance: random.Random) -> Any:
    """A tree with one value of it replaced, removed, copied or renamed."""
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.1:
        return chance.choice(VALUES)
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [*value[:at], *([] if chance.random() < 0.1 else [changed(value[at], chance)]), *value[at + 1 :]]
    key = chance.choice(list(value))
    rest = {name: one for name, one in value.items() if name != key}
    match chance.randrange(12):
        case 0:
            return rest
        case 1:
            return {**rest, key[: chance.randrange(len(key) + 1)] + chance.choice(["", "x", "\u00e9"]): value[key]}
        case _:
            return {**rest, key: changed(value[key], chance)}


def mutated(text: str, chance: random.Random) -> str:
    """The text with one to four changes: of characters, words, lines, or the order of lines."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(7):
            case 0:
                text = text[:at] + text[at + chance.randint(1, 8) :]
            case 1:
                text = text[:at] + chance.choice(TOKENS) + text[at:]
            case 2:
                words = [found.span() for found in re.finditer(r"[^\s:,\[\]{}]+", text)] or [(0, 0)]
                start, end = chance.choice(words)
                text = text[:start] + chance.choice(TOKENS) + text[end:]
            case 3:
                lines = text.split("\n")
                first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
                lines[first], lines[second] = lines[second], lines[first]
                text = "\n".join(lines)
            case 4:
                lines = text.split("\n")
                lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                text = "\n".join(lines)
            case 5:
                lines = text.split("\n")
                chosen = chance.randrange(len(lines))
                lines[chosen] = " " * chance.randint(0, 8) + lines[chosen].strip()
                text = "\n".join(lines)
            case _:
                text = text[:at]
    return text


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("id\n1\n")
    for name in ("ca.pem", "me.pem", "me.key"):
        (tmp_path / name).write_text("")
    read = refused = 0
    slowest = 0.0
    for chance in rounds(ROUNDS, 4):
        text = mutated(WHOLE, chance)
        began = time.process_time()
        try:
            load_text(text, "shop.yaml", tmp_path).plan.to_json()
            read += 1
        except InputError as error:
            refused += 1
            lines = str(error).split("\n")
            assert len(lines) <= 21
            assert all(line.startswith("shop.yaml") and len(line) < 1000 for line in lines), text
        slowest = max(slowest, time.process_time() - began)
    assert read
    assert refused
    assert slowest < 1


def test_changed_trees_are_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("id\n1\n")
    for name in ("ca.pem", "me.pem", "me.key"):
        (tmp_path / name).write_text("")
    whole = yaml.safe_load(WHOLE)
    read = refused = 0
    for chance in rounds(ROUNDS, 7):
        tree = whole
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            tree = changed(tree, chance)
        text = json.dumps(tree)
        said = ""
        try:
            json.loads(load_text(text, "shop.yaml", tmp_path).plan.to_json())
            read += 1
        except InputError as error:
            refused += 1
            said = str(error)
        assert max(map(len, said.split("\n"))) < 1000
    assert read > (read + refused) / 10
    assert refused > (read + refused) / 4


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    for chance in rounds(300, 5):
        file.write_bytes(chance.randbytes(chance.randrange(200)))
        with pytest.raises(InputError):
            load_file(file)


def test_mutated_data_files_are_read_or_refused(tmp_path: Path) -> None:
    text = (
        'version: "1.0"\nconfig: {baseUrl: "http://a.test"}\n'
        "scenarios: [{name: s, dataFile: {path: FILE}, steps: [{request: {path: /}}]}]\n"
    )
    seeds = {"u.csv": 'id,name\n1,"a ""b"""\n2,c\n', "u.json": '[{"id": 1, "name": "a"}, {"id": 2, "name": null}]'}
    for chance in rounds(400, 6):
        for name, seed in seeds.items():
            (tmp_path / name).write_bytes(mutated(seed, chance).encode("utf-8", "surrogatepass"))
            with contextlib.suppress(InputError):
                load_text(text.replace("FILE", name), "shop.yaml", tmp_path).plan.to_json()


def test_a_large_file_stays_in_bounds() -> None:
    steps = "".join(
        f"      - request: {{path: /p{n}, headers: {{X: '{n}'}}}}\n        thinkTime: 1s\n" for n in range(1000)
    )
    scenarios = "".join(f"  - name: s{n}\n    steps:\n{steps}" for n in range(3))
    text = f'version: "1.0"\nconfig: {{baseUrl: "http://a.test"}}\nscenarios:\n{scenarios}'
    tracemalloc.start()
    began = time.process_time()
    loaded = load_text(text, "large.yaml")
    spent = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(len(one.steps) for one in loaded.plan.scenarios) == 3000
    assert peak < 60e6
    assert spent < 60
