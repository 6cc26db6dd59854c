"""Each test's own directory, for journals."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal import in_memory


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chaffinch-test-", dir=in_memory.place()) as name:
        yield Path(name)
