"""What is said of packages of every shape, measured in a fresh interpreter."""

import sys
from pathlib import Path

import pytest

from chaffinch.errors import InputError
from chaffinch.floor.findings import Asked, Place, Report
from tests.floor.packages import reported, written

HEAVY = "data = [str(number) * 20 for number in range(40_000)]\n"
"""Takes more than five megabytes, and less than ten."""
LEAST = 5_000_000


def at(place: Place) -> tuple[str, int]:
    return Path(place.file).name, place.line


def sized(report: Report) -> dict[str, int]:
    return {one.name: one.bytes for one in report.imports}


def test_a_chain_names_the_statement_that_frees_most(tmp_path: Path) -> None:
    written(tmp_path, {"app.py": "\nimport middle\n", "middle.py": "\n\nimport heavy\n", "heavy.py": HEAVY})
    report = reported(tmp_path, "import app", sys.executable)
    assert at(report.deferrals[0].place) == ("app.py", 2)
    assert report.deferrals[0].frees_bytes > LEAST
    assert report.deferrals[0].frees_modules == 2
    assert {one.name: one.above for one in report.imports} == {"app": "", "middle": "app", "heavy": "middle"}
    assert sized(report)["heavy"] > LEAST


def test_of_a_diamond_no_single_statement_is_named_but_both_are(tmp_path: Path) -> None:
    files = {"app.py": "import left\nimport right\n", "left.py": "import heavy\n", "right.py": "\nimport heavy\n"}
    written(tmp_path, files | {"heavy.py": HEAVY})
    report = reported(tmp_path, "import app", sys.executable, Asked(free=("heavy",)))
    assert all(deferral.frees_bytes < LEAST / 10 for deferral in report.deferrals)
    assert [holding.module for holding in report.shared] == ["heavy"]
    assert [at(place) for place in report.shared[0].places] == [("left.py", 1), ("right.py", 2)]
    assert len(report.freeing[0].places) == 2
    assert report.freeing[0].frees_bytes > LEAST


def test_what_a_deferral_leaves_is_told_with_who_holds_it(tmp_path: Path) -> None:
    files = {
        "app.py": "import left\nimport right\n",
        "left.py": HEAVY + "import shared\n",
        "right.py": "import shared\n",
    }
    written(tmp_path, files | {"shared.py": HEAVY})
    first = reported(tmp_path, "import app", sys.executable).deferrals[0]
    assert at(first.place) == ("app.py", 1)
    assert [(held.module, [at(place) for place in held.places]) for held in first.held] == [
        ("shared", [("right.py", 1)])
    ]
    assert LEAST < first.frees_bytes < 2 * LEAST


def test_the_model_says_what_deferring_really_frees(tmp_path: Path) -> None:
    files = {"app.py": "import middle, json\n", "middle.py": "import heavy\nimport decimal, http.client\n"}
    written(tmp_path / "with", files | {"heavy.py": HEAVY})
    written(tmp_path / "without", {"app.py": "import json\n"})
    before = reported(tmp_path / "with", "import app", sys.executable)
    after = reported(tmp_path / "without", "import app", sys.executable)
    chosen = next(deferral for deferral in before.deferrals if deferral.place.imports[0] == "middle")
    freed = before.after.anonymous_bytes - after.after.anonymous_bytes
    assert chosen.frees_bytes == pytest.approx(freed, rel=0.1, abs=300_000)


def test_cycles_relative_imports_and_submodules(tmp_path: Path) -> None:
    files = {
        "pack/__init__.py": "from . import one\n",
        "pack/one.py": "from pack import two\nfrom .below import three\n",
        "pack/two.py": "from . import one\n",
        "pack/below/__init__.py": "",
        "pack/below/three.py": "from ..two import one\nfrom .. import below\n" + HEAVY,
        "space/part.py": "import pack\n",
    }
    written(tmp_path, files)
    report = reported(tmp_path, "import space.part", sys.executable)
    assert set(sized(report)) == {
        "space",
        "space.part",
        "pack",
        "pack.one",
        "pack.two",
        "pack.below",
        "pack.below.three",
    }
    assert at(report.deferrals[0].place) == ("part.py", 1)
    # All of it is needed by way of one statement, whatever the cycle.
    inner = reported(tmp_path, "import pack", sys.executable, Asked(free=("pack.below",)))
    assert at(inner.deferrals[0].place) == ("__init__.py", 1)
    assert inner.deferrals[0].frees_bytes > LEAST
    assert len(inner.freeing[0].places) == 1


def test_an_import_in_a_function_belongs_to_the_line_that_called_it(tmp_path: Path) -> None:
    files = {
        "app.py": "import lazy\n\n\nlazy.work()\n",
        "lazy.py": "def work():\n    import heavy\n",
        "heavy.py": HEAVY,
    }
    report = reported(written(tmp_path, files), "import app", sys.executable)
    place = report.deferrals[0].place
    assert at(place) == ("app.py", 4)
    assert place.via.endswith("lazy.py:2")
    uncalled = reported(tmp_path, "import lazy", sys.executable)
    assert set(sized(uncalled)) == {"lazy"}


def test_importlib_import_module_is_a_statement_too(tmp_path: Path) -> None:
    files = {"app.py": "import importlib\nimportlib.import_module('heavy')\n", "heavy.py": HEAVY}
    report = reported(written(tmp_path, files), "import app", sys.executable)
    assert at(report.deferrals[0].place) == ("app.py", 2)


def test_a_package_of_others_can_be_freed_only_from_the_users_own_code(tmp_path: Path) -> None:
    written(tmp_path, {"app.py": "import bare\n", "bare.py": "import asyncio\n"})
    report = reported(tmp_path, "import bare, json", sys.executable, Asked(free=("ssl", "json")))
    ssl, json = report.freeing
    assert [at(place) for place in ssl.places] == [("bare.py", 1)]
    assert not json.places
    assert [at(place) for place in json.fixed] == [("<entry>", 3)]
    own = reported(tmp_path, "import bare", sys.executable, Asked(free=("ssl",), own=("asyncio",)))
    assert len(own.freeing[0].places) == 1
    with pytest.raises(InputError, match="--free numpy: it is not imported"):
        reported(tmp_path, "import bare", sys.executable, Asked(free=("numpy",)))


def test_what_is_forbidden_is_told_with_the_way_to_it(tmp_path: Path) -> None:
    written(tmp_path, {"app.py": "import middle\n", "middle.py": "\nimport json.decoder\n"})
    asked = Asked(forbid=("json", "sqlite3", "sys"), budget_bytes=1 << 30)
    report = reported(tmp_path, "import app", sys.executable, asked)
    assert [one.package for one in report.forbidden] == ["json", "sys"]
    assert [at(place) for place in report.forbidden[0].way] == [("<entry>", 3), ("app.py", 1), ("middle.py", 2)]
    assert report.forbidden[1].way == ()
    assert report.crossed
    assert not reported(tmp_path, "import app", sys.executable, Asked(budget_bytes=1 << 30)).crossed
    assert reported(tmp_path, "import app", sys.executable, Asked(budget_bytes=1 << 20)).crossed


def test_pages_of_a_shared_library_are_told_beside_what_a_deferral_frees(tmp_path: Path) -> None:
    written(tmp_path, {"app.py": "import keys\n", "keys.py": "import _ssl\n"})
    first = reported(tmp_path, "import app", sys.executable, Asked(free=("_ssl",)))
    assert first.deferrals[0].frees_mapped_bytes > 500_000
    assert first.freeing[0].frees_mapped_bytes == pytest.approx(first.deferrals[0].frees_mapped_bytes, rel=0.2)
    assert first.deferrals[0].frees_mapped_bytes <= first.mapped_bytes
