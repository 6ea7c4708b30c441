"""Names that are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from nymproxy._lazy import _OnDemand, lazy_names, put_off


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("a_package")
    module.__dict__["__getattr__"] = lazy_names("a_package", {"math": "pi tau", "cmath": "nanj"})
    monkeypatch.setitem(sys.modules, "a_package", module)
    return module


def test_a_name_comes_from_its_module_and_stays(package: ModuleType) -> None:
    assert "pi" not in vars(package)
    assert package.pi == pytest.approx(3.14159, abs=1e-5)
    assert "pi" in vars(package)
    assert "tau" not in vars(package)


def test_an_unknown_name_is_an_attribute_error_that_names_the_package(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="'a_package' has no attribute 'e'"):
        _ = package.e


def test_a_module_that_is_put_off_is_there_when_something_of_it_is_used() -> None:
    code = """
import sys
from nymproxy._lazy import put_off
put_off("importlib.metadata")
put_off("importlib.metadata")
import importlib.metadata
import websockets.client
print("email" in sys.modules)
from importlib.metadata import version
print("email" in sys.modules, version("anyio") == importlib.metadata.version("anyio"))
put_off("importlib.metadata")
print(importlib.metadata.__file__ is not None)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert done.split() == ["False", "True", "True", "True"]


def test_a_module_that_is_there_is_not_put_off() -> None:
    import email.utils

    put_off("email.utils")
    assert sys.modules["email.utils"] is email.utils
    stand_in = _OnDemand("email.utils")
    assert stand_in.__getattr__("parsedate") is email.utils.parsedate
