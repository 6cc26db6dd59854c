"""The documents say what the code does: settings, events, limits, commands, links."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from chaffinch.cli import COMMANDS
from chaffinch.config import Config
from chaffinch.decoys import registry, stream
from chaffinch.fleet import workers

ROOT = Path(__file__).resolve().parent.parent


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_generate"] = module
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date() -> None:
    made = generator()
    for name, page in made.PAGES.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), f"run `make docs` for docs/{name}"


def test_every_link_leads_somewhere() -> None:
    assert generator().broken_links() == []


def test_the_limits_page_has_the_services_numbers() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    for name in registry.BUILT_IN:
        spec = registry.load(name).spec
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
        for number in (f"{spec.idle:.0f} s", f"{spec.total:.0f} s", f"{spec.bytes_in >> 20} MiB"):
            assert number in row, (name, number)
    assert f"{stream.READ_BYTES >> 10} KiB" in page
    assert f"{stream.WRITE_BYTES >> 10} KiB" in page
    config = Config()
    assert f"{config.decoys.sessions:,}" in page
    assert f"{config.decoys.rate_entries:,}" in page
    assert f"{config.journal.queue_events:,}" in page
    assert f"{config.store.max_bytes >> 20} MiB" in page


def test_every_command_and_worker_is_documented() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"## {command}" in page
    table = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8")
    for worker in workers.table(registry.BUILT_IN):
        assert re.search(rf"^\| `{re.escape(worker.name)}` \| {worker.group} \|", table, re.MULTILINE), worker.name
    assert "make up" in readme
    assert "make test" in readme


def test_nothing_names_an_absolute_path_of_a_machine() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "src").rglob("*.py")]:
        assert "/work/" not in page.read_text(encoding="utf-8"), page
