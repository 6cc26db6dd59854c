"""Data files: what is read of them, what is refused, with its line."""

from pathlib import Path

import msgspec
import pytest

from chaffinch.errors import InputError
from chaffinch.load.scenario import data
from chaffinch.load.scenario.data import read_data, read_rates


def rows(path: Path, form: str | None = None) -> tuple[tuple[str, ...], list[list[str]]]:
    found = read_data(path, form)
    return found.columns, msgspec.json.decode(bytes(found.rows), type=list[list[str]])


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes('\ufeffid, name\r\n1,"Ann, ""A"""\r\n\r\n2,"two\nlines\u2028"\r\n'.encode())
    assert rows(file) == (("id", "name"), [["1", 'Ann, "A"'], ["2", "two\nlines\u2028"]])


def test_json_keeps_values_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text('[{"id": 1.10, "name": "Ann"}, {"name": null, "id": {"a": [true]}}]')
    assert rows(file) == (("id", "name"), [["1.10", "Ann"], ['{"a": [true]}', ""]])


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("u.csv", "", "u.csv:1: there are no columns: the first line names them"),
        ("u.csv", "a,b\n", "u.csv has no rows: give at least one"),
        ("u.csv", "a,b\n1,2\n3\n", "u.csv:3: there are 1 values, where the first line names 2"),
        ("u.csv", "a,a\n1,2\n", 'u.csv:1: the column "a" is there twice'),
        ("u.csv", "a,\n1,2\n", 'u.csv:1: "" cannot name a variable: 1 to 64 characters without $, {, }'),
        ("u.csv", 'a\n"1\n', "u.csv:2: this is not CSV: unexpected end of data"),
        ("u.csv", 'a\n"1"x\n', "u.csv:2: this is not CSV: ',' expected after '\"'"),
        pytest.param("u.csv", "a\n" + "x" * 200_000, "u.csv:2: this is not CSV: field larger than", id="large"),
        ("u.json", "{}", "u.json: this is not a list of JSON objects: Expected `array`, got `object`"),
        (
            "u.json",
            "[{},\n}]",
            "u.json:2: this is not a list of JSON objects: JSON is malformed: invalid character (byte 5)",
        ),
        ("u.json", "[1]", "u.json: object 1 is not a JSON object: Expected `object`, got `int`"),
        ("u.json", "[]", "u.json has no rows: give at least one"),
        ("u.json", '[{"a":1},{"b":1}]', "u.json: object 2 has other members than the first one: a"),
        ("u.txt", "a", "u.txt: the ending does not tell the format: give format: csv or json"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read_data(file)
    assert str(error.value).startswith(f"{tmp_path}/{sentence}")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a file"):
        read_data(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"is not a file"):
        read_data(tmp_path, "csv")
    with pytest.raises(InputError, match=r"is not a file|cannot be read"):
        read_data(tmp_path / "a\0b.csv")
    (tmp_path / "latin.csv").write_bytes(b"a\n\xff\n")
    with pytest.raises(InputError, match=r"latin.csv:2: this is not UTF-8 \(byte 2\)"):
        read_data(tmp_path / "latin.csv")


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "u.csv"
    file.write_text("a\n1\n2\n3\n")
    monkeypatch.setattr(data, "MOST_ROWS", 2)
    with pytest.raises(InputError, match=r"u.csv:4: there are more than 2 rows: split the file"):
        read_data(file)
    monkeypatch.setattr(data, "MOST_BYTES", 3)
    with pytest.raises(InputError, match=r"u.csv is larger than 0 MiB: split it"):
        read_data(file)


def test_recorded_rates(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("time,rate\n10:00,5\n10:01,7.5\n\n10:02,30/m\n")
    assert read_rates(file) == (5.0, 7.5, 0.5)
    file.write_text("1\nfast\n")
    with pytest.raises(InputError, match=r'rates.csv:2: "fast" is not a rate'):
        read_rates(file)
    file.write_text("rate\n")
    with pytest.raises(InputError, match=r"has no rates"):
        read_rates(file)
