"""What several files of these tests are given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.test_only import Split


@pytest.fixture
def split(tmp_path: Path) -> Iterator[Split]:
    made = Split(tmp_path)
    try:
        made.decoys.start()
        made.start_back()
        yield made
    finally:
        made.end()
