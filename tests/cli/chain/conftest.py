import os
from pathlib import Path

import pytest

from tests.cli.chain.calling import Caller


@pytest.fixture
def chain(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Caller:
    """`chaffinch chain` on a state directory that is not there yet."""
    for name in list(os.environ):
        if name.startswith("CHAFFINCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Caller(tmp_path / "state", capsys)
