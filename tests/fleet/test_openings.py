"""What a reload opens before anything is touched: all of it, or nothing."""

import errno
import os
import socket
from pathlib import Path

import pytest

from chaffinch.config import CaptureSettings, Config, NetworkSettings
from chaffinch.errors import RunError
from chaffinch.fleet import assemble, openings
from chaffinch.fleet.parts import Draft
from tests.fleet.reloading import free_port
from tests.fleet.test_rehearsal import descriptors, parts_of


def draft_at(offset: int) -> Draft:
    return assemble.draft(Config(network=NetworkSettings(port_offset=offset)), b"test")


def test_what_it_has_is_not_opened_again(tmp_path: Path) -> None:
    offset = free_port() % 20000 + 10000
    first = openings.opened(draft_at(offset), parts_of(tmp_path))
    before = descriptors()
    same = openings.opened(draft_at(offset), first)
    assert [one.socket for one in same.listeners] == [one.socket for one in first.listeners]
    assert descriptors() == before
    for one in first.listeners:
        one.socket.close()


def test_a_machine_without_descriptors_is_one_sentence_and_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, before = parts_of(tmp_path), descriptors()

    def no_way_out(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(openings, "_let_out", no_way_out)
    with pytest.raises(RunError, match=r"what the new configuration needs \(Too many open files\); try again later"):
        openings.opened(draft_at(free_port() % 20000 + 10000), parts)
    assert descriptors() == before


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may open a packet socket")
def test_a_port_that_is_taken_leaves_no_raw_socket(tmp_path: Path) -> None:
    parts = parts_of(tmp_path)
    with socket.create_server(("127.0.0.1", free_port() % 20000 + 10000)) as other:
        draft = assemble.draft(_with_capture(other.getsockname()[1] - 22), b"test")
        before = descriptors()
        with pytest.raises(RunError, match=r"\(ssh\) is taken by"):
            openings.opened(draft, parts)
        assert descriptors() == before


def _with_capture(offset: int) -> Config:
    return Config(network=NetworkSettings(port_offset=offset), capture=CaptureSettings(enabled=True))
