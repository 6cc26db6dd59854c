"""The probe and what runs it: sums, agreement, interpreters, and modules that behave badly."""

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaffinch.errors import InputError
from chaffinch.floor import entry, measure
from chaffinch.floor.findings import Asked, Report, report
from tests.floor.packages import entry_in, reported, written

PEERS = ("hypothesis", "schemathesis", "werkzeug.serving", "requests", "msgspec", "markovify", "yaml", "asyncio",
         "http.server", "email.mime.text")  # fmt: skip


def of(name: str, python: str = sys.executable) -> Report:
    chosen = entry.of_modules([name])
    return report(chosen, measure.measure(chosen, python, 60), Asked())


def others() -> list[str]:
    """The other interpreters of this machine."""
    found = [shutil.which(f"python3.{minor}") for minor in range(8, 15)]
    homes = Path.home().glob(".pyenv/versions/3.*/bin/python3")
    runs = [str(one) for one in (*filter(None, found), *homes)]
    can = "import sys; sys.exit(sys.version_info < (3, 8))"
    return [one for one in runs if subprocess.run([one, "-c", can], check=False, capture_output=True).returncode == 0]


@pytest.mark.parametrize("name", PEERS)
def test_packages_that_nobody_here_wrote_add_up(name: str) -> None:
    found = of(name)
    assert found.entry_bytes + sum(one.own_bytes for one in found.imports) == found.bytes
    grown = found.after.anonymous_bytes - found.before.anonymous_bytes
    assert found.bytes == pytest.approx(grown, rel=0.05, abs=400_000)
    assert name in {one.name for one in found.imports}
    top = next(one for one in found.imports if not one.above)
    assert top.only_bytes <= found.bytes
    assert top.seconds == pytest.approx(sum(one.own_seconds for one in found.imports), rel=0.2, abs=0.05)


def test_runs_agree_on_the_whole_and_on_each_import() -> None:
    first, second = of("asyncio"), of("asyncio")
    assert first.bytes == pytest.approx(second.bytes, rel=0.02)
    theirs = {one.name: one.bytes for one in second.imports}
    assert {one.name for one in first.imports} == set(theirs)
    for one in first.imports:
        assert one.bytes == pytest.approx(theirs[one.name], rel=0.05, abs=65_536), one.name


def test_the_whole_is_what_an_interpreter_without_the_probe_takes() -> None:
    code = (
        "def anonymous():\n with open('/proc/self/smaps_rollup') as file:\n"
        "  return sum(int(line.split()[1]) for line in file if line.startswith('Anonymous'))\n"
        "was = anonymous(); import asyncio; print((anonymous() - was) * 1024)"
    )
    variables = {**os.environ, "PYTHONHASHSEED": "0"}
    bare = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables)
    assert of("asyncio").bytes == pytest.approx(int(bare.stdout), rel=0.08, abs=400_000)


@pytest.mark.parametrize("python", others())
def test_other_interpreters_measure_themselves(python: str, tmp_path: Path) -> None:
    written(tmp_path, {"app.py": "import left\nimport json\n", "left.py": "import asyncio\n"})
    found = reported(tmp_path, "import app", python)
    assert {"asyncio.events", "json.decoder", "left"} <= {one.name for one in found.imports}
    assert found.entry_bytes + sum(one.own_bytes for one in found.imports) == found.bytes
    assert Path(found.deferrals[0].place.file).name in ("app.py", "left.py")


BEHAVE: dict[str, str] = {
    "prints": """
        import sys
        print("hello" * 10_000)
        sys.stderr.write("there")
    """,
    "threads": """
        import threading, time
        threading.Thread(target=time.sleep, args=(60,)).start()
    """,
    "forks": """
        import os, time
        if os.fork() == 0:
            time.sleep(60)
    """,
    "forks_and_returns": """
        import os
        if os.fork() != 0:
            os.wait()
    """,
    "closes_everything": """
        import os
        os.closerange(0, 100)
    """,
    "goes_away": """
        import os
        os.chdir("/")
    """,
    "replaces_itself": """
        import sys, types
        sys.modules[__name__] = types.ModuleType(__name__)
    """,
    "puts_objects": """
        import sys
        sys.modules["odd"] = object()
        sys.modules["none"] = None
        import odd
    """,
    "has_no_spec": """
        import sys
        del sys.modules[__name__].__spec__
        sys.modules["other"] = sys.modules[__name__]
    """,
    "hooks": """
        import builtins
        old = builtins.__import__
        def hook(name, *rest, **more):
            return old(name, *rest, **more)
        builtins.__import__ = hook
        import json
    """,
    "finds": """
        import sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "decimal":
                    import json
        sys.meta_path.insert(0, Finder())
        import decimal
    """,
    "goes_without": """
        for name in ("broken_one", "nowhere"):
            try:
                __import__(name)
            except ImportError:
                pass
    """,
    "imports_often": """
        def work():
            import json
        for _ in range(50_000):
            work()
    """,
    "has_a_strange_name": """
        import importlib
        importlib.import_module("str\u00e4nge")
    """,
    "imports_in_a_thread": """
        import threading
        def work():
            import decimal
        one = threading.Thread(target=work)
        one.start()
        one.join()
    """,
}


@pytest.mark.parametrize("name", BEHAVE)
def test_a_module_that_behaves_oddly_is_measured(name: str, tmp_path: Path) -> None:
    files = {f"{one}.py": text for one, text in BEHAVE.items()}
    files |= {"broken_one.py": "import json\nraise ImportError('no')\n", "str\u00e4nge.py": "import json\n"}
    found = reported(written(tmp_path, files), f"import {name}\nimport fractions", sys.executable)
    names = {one.name for one in found.imports}
    assert {name, "fractions"} <= names
    assert found.entry_bytes + sum(one.own_bytes for one in found.imports) == found.bytes
    expected = {"finds": "decimal", "hooks": "json", "goes_without": "broken_one", "imports_in_a_thread": "decimal",
                "has_a_strange_name": "str\u00e4nge"}  # fmt: skip
    assert expected.get(name, name) in names
    assert found.threads == (name == "threads")
    failed = {one.name for one in found.imports if one.failed}
    assert failed == ({"broken_one", "nowhere"} if name == "goes_without" else set())


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "import nowhere_at_all",
            "failed while it was imported: ModuleNotFoundError: No module named 'nowhere_at_all'",
        ),
        ("import broken", r"failed while it was imported: ValueError: bad \(.*broken.py:2\)"),
        ("import leaves", r"left while it was imported: SystemExit: 3 \(.*leaves.py:1\)"),
        ("import goes", r"left while it was imported: os._exit: 4 \(.*goes.py:2\)"),
        ("import dies", "ended by signal 11 while it imported the test"),
        ("import becomes", "ended with exit code 1 while it imported the test"),
        ("import wrong", "failed while it was imported: SyntaxError"),
    ],
)
def test_what_does_not_come_to_its_end_is_told(code: str, sentence: str, tmp_path: Path) -> None:
    files = {
        "broken.py": "\nraise ValueError('bad')\n",
        "leaves.py": "raise SystemExit(3)\n",
        "goes.py": "import os\nos._exit(4)\n",
        "dies.py": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
        "becomes.py": "import os\nos.execv('/bin/false', ['false'])\n",
        "wrong.py": "import (\n",
    }
    with pytest.raises(InputError, match=sentence):
        measure.measure(entry_in(written(tmp_path, files), code), sys.executable, 60)


def test_what_waits_for_ever_is_stopped_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "child"
    text = f"import os, time\npid = os.fork()\nif pid:\n    open({str(note)!r}, 'w').write(str(pid))\ntime.sleep(600)\n"
    began = time.monotonic()
    with pytest.raises(InputError, match=r"was not done after 1\.5 s"):
        measure.measure(entry_in(written(tmp_path, {"waits.py": text}), "import waits"), sys.executable, 1.5)
    assert time.monotonic() - began < 20
    for _ in range(200):
        status = Path(f"/proc/{note.read_text()}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("its child goes on")


def test_a_program_that_is_no_interpreter_is_told() -> None:
    with pytest.raises(InputError, match=r"cannot run .*: No such file"):
        measure.measure(entry.of_modules(["json"]), "/nowhere/python", 60)
    with pytest.raises(InputError, match="/bin/false ended with exit code 1"):
        measure.measure(entry.of_modules(["json"]), "/bin/false", 60)


def test_compiling_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(f"def work{number}(a, b, c=3):\n    return [a + b for _ in range(c)]" for number in range(3000))
    taken = []
    for kept in (False, True):
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "" if kept else "1")
        folder = written(tmp_path / str(kept), {"long.py": text})
        taken.append(reported(folder, "import long", sys.executable))
        assert (folder / "__pycache__").exists() == kept
    assert taken[0].compiled == taken[1].compiled == 0
    assert taken[0].bytes == pytest.approx(taken[1].bytes, rel=0.1, abs=200_000)


def test_as_many_imports_within_one_another_as_without_the_probe(tmp_path: Path) -> None:
    files = {f"deep{number}.py": f"import deep{number + 1}\n" for number in range(120)}
    files["deep120.py"] = "import json\n"
    folder = written(tmp_path, files)
    for python in (sys.executable, *others()):
        subprocess.run([python, "-c", "import deep0"], cwd=folder, check=True)
        found = reported(folder, "import deep0", python)
        assert found.deferrals[0].frees_modules >= 120, python


def test_the_probe_brings_nothing_along() -> None:
    """What it imported itself could not be seen being imported."""
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    found = measure.measure(entry.of_code("pass"), sys.executable, 60)
    assert set(found.modules) - set(bare.stdout.split()) <= {"builtins", "posix", "time", "_thread"}
    assert not found.loads


def test_every_call_place_of_a_lazy_import_is_kept(tmp_path: Path) -> None:
    files = {"app.py": "import lazy\nlazy.work()\nlazy.work()\n", "lazy.py": "def work():\n    import json\n"}
    chosen = entry_in(written(tmp_path, files), "import app")
    uses = measure.measure(chosen, sys.executable, 60).uses
    lines = [use.line for use in uses if use.targets == ("json",)]
    assert lines == [2, 3]
    assert all(first != second for first, second in itertools.pairwise(uses))
