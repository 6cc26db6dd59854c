"""What importing the load tester costs: nothing until something of it is used."""

import subprocess
import sys

import chaffinch.load


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


def test_the_package_brings_nothing_in() -> None:
    assert not {"yaml", "msgspec", "typing", "chaffinch.load.plan"} & modules_after("import chaffinch.load")


def test_yaml_comes_with_files_alone() -> None:
    code = "from chaffinch.load import plan_for_url, from_environment, load_text\n"
    code += "plan_for_url('http://a.test')\nfrom_environment({'TARGET_URL': 'http://a.test'})"
    assert not {"yaml", "asyncio", "socket", "ssl"} & modules_after(code)


def test_every_name_is_there() -> None:
    for name in chaffinch.load.__all__:
        assert getattr(chaffinch.load, name) is not None
    assert dir(chaffinch.load) == chaffinch.load.__all__
