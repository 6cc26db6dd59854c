import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.cli.load import notice
from tests.cli.load.calling import Caller
from tests.load.answering import answering


@pytest.fixture
def load(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Caller:
    """`chaffinch load` on a state directory of its own."""
    for name in list(os.environ):
        if name.startswith(("CHAFFINCH_", "TARGET_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    notice.first_time(tmp_path / "state")
    return Caller(tmp_path / "state", capsys)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server that answers, without a path."""
    with answering() as url:
        yield url
