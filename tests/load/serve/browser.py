"""The script of the live page, run by node: its figures by themselves, or all of it in a browser that is none."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chaffinch.load.serve import live

FOLDER = Path(live.__file__).parent
FIGURES, LIVE = ((FOLDER / name).read_text(encoding="utf-8") for name in live.SCRIPTS)


def node(script: str, given: str = "") -> Any:
    program = shutil.which("node")
    if program is None:
        pytest.skip("node (Debian: nodejs) is not installed: what the page's script does was not looked at")
    done = subprocess.run([program, "-e", script], input=given, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def browsed(answers: list[tuple[int, object] | None], *, token: str = "", typed: str = "") -> Any:
    """What the page shows and asks when it is answered so, look by look."""
    told = [None if one is None else {"status": one[0], "body": json.dumps(one[1])} for one in answers]
    given = {"script": FIGURES + LIVE, "token": token, "typed": typed, "answers": told}
    return node((Path(__file__).parent / "browser.js").read_text(encoding="utf-8"), json.dumps(given))
