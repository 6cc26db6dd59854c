"""The tests' own commands."""

import subprocess
from pathlib import Path

import pytest

from chaffinch.fleet import control
from tests.fleet import running


def test_a_command_has_the_patience_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it has half a second for a supervisor that says nothing, which `status` waits for longer."""
    monkeypatch.setattr(running, "PATIENCE", 0.05)
    with control.listen(tmp_path), pytest.raises(subprocess.TimeoutExpired):
        running.Fleet(tmp_path).call("status", timeout=10)
