"""The document is true: schemathesis sends what it allows and what it forbids, and compares every answer with it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from chaffinch.chain.http.limits import (
    BATCH_BYTES,
    BATCH_MESSAGES,
    JSON_BYTES,
    LINE_BYTES,
    MOST_BAD,
    PATIENCE_SECONDS,
    TURN_LINES,
)
from chaffinch.chain.http.openapi import document
from chaffinch.chain.http.wire import MOST_TRIES
from chaffinch.config import ServeSettings
from chaffinch.http.limits import HEAD_BYTES, LINGERING, Bounds
from tests.chain.http.process import ENVIRONMENT, served
from tests.chain.http.running import lines, sentences
from tests.chain.http.schemathesis_hooks import ROOM
from tests.http.client import request

ROOT = Path(__file__).resolve().parents[3]

CONFIG = """
hooks = "tests.chain.http.schemathesis_hooks"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "422", "429"]
"""


def test_schemathesis_finds_nothing_that_is_not_as_documented(tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    with served(tmp_path / "state") as server:
        body = lines(sentences())
        headers = {"Content-Type": "application/x-ndjson"}
        assert server.ask(request("POST", f"/v1/chains/{ROOM}/messages", body, server.token, headers)).status == 200
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
                *(f"http://127.0.0.1:{server.port}/openapi.json", "--header", f"Authorization: Bearer {server.token}"),
                *("--max-examples", "8", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--no-color"),
            ],
            cwd=tmp_path,
            env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("9 passed") == 2  # all but the document itself
        assert "Missing test data" not in done.stdout
        assert server.process.poll() is None


def test_the_page_has_every_operation_code_and_bound() -> None:
    page = (ROOT / "docs" / "chain-http.md").read_text(encoding="utf-8")
    described = json.loads(document(1 << 20))
    for path, operations in described["paths"].items():
        for method in operations.keys() - {"parameters"}:
            assert f"`{method.upper()} {path}`" in page
    sources = [one for part in ("chain/http", "http") for one in (ROOT / "src/chaffinch" / part).glob("*.py")]
    refusal = re.compile(r'RefusalError\(\s*[\w ]+,\s*"(\w+)"')
    codes = {code for source in sources for code in refusal.findall(source.read_text())}
    assert {"busy", "slow", "bad_line", "malformed", "unknown_tenant", "stopping", "storage"} <= codes
    for code in codes | {"busy"}:
        assert f"`{code}`" in page
    served, bounds = ServeSettings(), Bounds()
    for bound in (
        f"{served.connections} (`chain.serve.connections`)",
        f"{LINGERING} that were refused and are read for {bounds.linger_seconds:g} s",
        f"{HEAD_BYTES >> 10} KiB, within {bounds.head_seconds:g} s",
        f"{bounds.idle_seconds:g} s",
        f"{served.max_body_bytes >> 20} MiB (`chain.serve.max_body_bytes`)",
        f"pause for {bounds.quiet_seconds:g} s and take {bounds.body_seconds:g} s",
        f"{JSON_BYTES >> 10} KiB",
        f"{LINE_BYTES >> 20} MiB; {BATCH_MESSAGES} messages or {BATCH_BYTES >> 20} MiB are held",
        f"{bounds.write_seconds:g} s; a peer that takes none",
        f"{MOST_BAD:,} with `?skip_bad=1`, none without; after {TURN_LINES} lines others have a turn",
        f"waited for, for {PATIENCE_SECONDS:g} s a batch",
        f"{MOST_TRIES:,} tries together",
        f"`chain.serve.drain_seconds`\n({served.drain_seconds:g})",
    ):
        assert bound in page
