"""What is computed of a run's memory beside what `load run` takes: never less, and not much more.

Short runs against a server in Python; docs/memory-guard.md has longer ones against nginx, over TLS and HTTP/2 too.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from chaffinch.cli.load import notice
from tests.load.answering import answering

MB: Final = 1 << 20

MOST: Final = 1.15
"""What is computed may be so many times what is measured."""

SCENARIO: Final = """\
version: "1.0"
config: {{baseUrl: {url}, workers: 10, duration: 30s, requests: 20000}}
percentiles: {{labels: {labels}}}
scenarios:
  - name: look
    dataFile: {{path: rows.csv, format: csv, strategy: cycle}}
    steps: [{{name: get, label: "item ${{id}}", request: {{path: /}}}}]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with answering() as url:
        yield url


def measured(folder: Path, *arguments: str) -> tuple[float, float, int]:
    """Megabytes computed and at the peak, and labels."""
    notice.first_time(folder / "state")
    command = [sys.executable, "-m", "chaffinch", "--state", str(folder / "state"), "load", "run", *arguments]
    report = folder / "report.json"
    done = subprocess.run(
        [*command, "--profile-memory", "--json", str(report)], capture_output=True, text=True, timeout=60, check=True
    )
    result = json.loads(report.read_bytes())
    computed = re.findall(r"^together +([\d.]+) MB", done.stdout, re.MULTILINE)
    return float(computed[0]), result["memory"]["peak_rss_bytes"] / MB, len(result["labels"])


@pytest.mark.parametrize("arguments", [("-c", "10"), ("-c", "500"), ("-c", "10", "--threads", "4")])
def test_users_and_threads(server: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    computed, peak, _ = measured(tmp_path, server, "--duration", "1s", *arguments)
    assert peak <= computed <= peak * MOST


@pytest.mark.parametrize("labels", [1000, 10_000])
def test_labels(server: str, tmp_path: Path, labels: int) -> None:
    (tmp_path / "rows.csv").write_text("id\n" + "".join(f"{number}\n" for number in range(labels)))
    page = tmp_path / "page.yaml"
    page.write_text(SCENARIO.format(url=server, labels=labels))
    computed, peak, seen = measured(tmp_path, str(page), "--memory", "64M")
    assert seen == labels
    assert peak <= computed <= min(64, peak * MOST)
