"""Services are found by name, without importing more than the one that is asked for."""

import subprocess
import sys

import pytest

from chaffinch.decoys import registry
from chaffinch.errors import InputError


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_built_in_service_has_its_handler(name: str) -> None:
    handler = registry.load(name)
    assert handler.spec.name == name
    assert 0 < handler.spec.tcp < 65536
    assert 0 < handler.spec.idle <= handler.spec.total


def test_an_unknown_service_is_refused_with_what_there_is() -> None:
    with pytest.raises(InputError, match="no module has a service named 'gopher'; there are: ftp, http"):
        registry.load("gopher")


def test_finding_imports_nothing() -> None:
    code = (
        "import sys; from chaffinch.decoys import registry; registry.find('redis'); "
        "print([m for m in sys.modules if m.startswith('chaffinch.decoys.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['chaffinch.decoys.registry']\n"


def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.refuse_missing("ssh")
    registry.refuse_missing("redis")
    monkeypatch.setitem(registry.NEEDS, "ssh", ("no_such_library", "ssh"))
    with pytest.raises(InputError, match=r"needs no_such_library: install it with `pip install 'chaffinch\[ssh\]'`"):
        registry.refuse_missing("ssh")
