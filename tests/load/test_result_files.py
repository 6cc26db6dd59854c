"""Files of results are read or refused in a sentence, and written whole or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaffinch.errors import InputError, RunError
from chaffinch.load import result_files
from tests.load import running


def test_what_is_written_is_read(tmp_path: Path) -> None:
    labels = {name: running.label(5, 1) for name in running.HOSTILE}
    result = running.ran(labels=labels)
    file = tmp_path / "a.json"
    result_files.write(file, result.to_json())
    assert result_files.read(file) == result
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_fields_of_a_newer_version_pass(tmp_path: Path) -> None:
    body: dict[str, Any] = json.loads(running.ran().to_json())
    body["planet"] = {"name": "Earth"}
    body["latency_ms"]["corrected"]["p9999"] = 3.0
    del body["phases_ms"]
    found = result_files.decode(json.dumps(body).encode(), "b.json")
    assert msgspec.structs.replace(found, phases_ms=running.ran().phases_ms) == running.ran()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "x.json is not JSON"),
        (b"{", "x.json is not JSON"),
        (b"\xff\xfe", "x.json is not JSON"),
        (b"[]", "x.json has no results of a load run"),
        (b"{}", "x.json has no results of a load run: .*missing required field `version`"),
        (b'{"version":1,"requests":"many"}', r"has no results of a load run: .*\$.requests"),
        (b'{"version":9,"planet":1}', "x.json has results of format 9, and this version of chaffinch reads up to 1"),
    ],
)
def test_what_is_no_result_is_told_in_a_sentence(data: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(data)
    with pytest.raises(InputError, match=why) as error:
        result_files.read(file)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\): name a file that"):
        result_files.read(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read"):
        result_files.read(tmp_path)


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot be written \(No such file or directory\)"):
        result_files.write(tmp_path / "no" / "a.json", b"{}")
    with pytest.raises(RunError, match=r"/dev/full cannot be written \(No space left on device\)"):
        result_files.write(Path("/dev/full"), b"{}" * 10)
    old = tmp_path / "old.json"
    old.write_bytes(b"old")
    code = (
        "import resource, sys, pathlib\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "from chaffinch.load import result_files\n"
        "try: result_files.write(pathlib.Path(sys.argv[1]), b'x' * 1000)\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code, str(old)], capture_output=True, text=True, check=True)
    assert "cannot be written (File too large)" in said.stdout
    assert old.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["old.json"]


def test_a_link_stays_one_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    file, link = tmp_path / "a.json", tmp_path / "link.json"
    file.write_bytes(b"old")
    link.symlink_to(file)
    result_files.write(link, b"new")
    assert file.read_bytes() == b"new"
    assert link.is_symlink()
    reading, writing = os.pipe()
    result_files.write(Path(f"/dev/fd/{writing}"), b"through")
    assert os.read(reading, 100) == b"through"
    os.close(reading)
    os.close(writing)
