"""Names that are imported when they are first used."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from nymproxy._lazy import lazy_names


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
