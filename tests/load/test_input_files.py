"""Files that a user names are read whole or refused in a sentence."""

import io
from pathlib import Path

import pytest

from chaffinch.errors import InputError
from chaffinch.load.input_files import read_whole


def test_a_file_is_read_to_its_bound_and_not_beyond(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * (2 << 20))
    assert len(read_whole(file, 2 << 20, remedy="", excess="")) == 2 << 20
    with pytest.raises(InputError, match=r"/a is larger than 1 MiB: cut it$"):
        read_whole(file, 1 << 20, remedy="", excess=": cut it")
    with pytest.raises(InputError, match=r"^/dev/zero is larger than 1 MiB"):
        read_whole(Path("/dev/zero"), 1 << 20, remedy="", excess="")


def test_what_cannot_be_read_says_why_and_what_to_do(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "no", "No such file or directory"), (tmp_path, "Is a directory"), (Path("\0"), "")):
        with pytest.raises(InputError, match=rf"cannot be read \(.*{why}.*\): name another$"):
            read_whole(path, 10, remedy="name another", excess="")


def test_an_open_file_is_called_by_its_name_and_stays_open() -> None:
    opened = io.BytesIO(b"abc")
    assert read_whole(opened, 3, remedy="", excess="", name="standard input") == b"abc"
    assert not opened.closed
    with pytest.raises(InputError, match=r"^standard input is larger than 0 MiB"):
        read_whole(io.BytesIO(b"abc"), 2, remedy="", excess="", name="standard input")
