"""What the measured coverage must be, on made-up measurements."""

from __future__ import annotations

from typing import Any

from tests import coverage_gate
from tests.coverage_gate import Measured, by_room, complaints, percent, read_report
from tests.test_sans_io import sans_io_modules


def readme(modules: list[Measured], *, more: int = 0) -> str:
    """What README.md has to say of a measurement, or of one with more to measure."""
    count = sum(each.count for each in modules) + more
    return f"{int(percent(modules))} % of all {count:,} branches and lines"


def file(statements: int, covered: int, lines: list[int], branches: list[list[int]]) -> Any:
    return {
        "summary": {
            "num_statements": statements,
            "num_branches": 4,
            "covered_lines": covered,
            "covered_branches": 4 - len(branches),
        },
        "missing_lines": lines,
        "missing_branches": branches,
    }


def everything(*, lacks: str = "", count: int = 100, covered: int = 97) -> list[Measured]:
    """All modules without I/O, whole, and one other; ``lacks`` names one that is not."""
    modules = [
        Measured(name, 1, 1, ("7", "8->9") if name == lacks else ())
        for name in sorted(sans_io_modules())
    ]
    return [*modules, Measured("nymproxy.mixnet.client.message_client", count, covered, ("5",))]


def test_a_report_is_read() -> None:
    report = {
        "files": {
            "nymproxy/a/b.py": file(10, 9, [3], [[3, 4], [5, 6]]),
            "migrate/nymproxy_migrate/__init__.py": file(1, 1, [], []),
        }
    }
    first, second = read_report(report)
    assert first == Measured("nymproxy.a.b", 14, 11, ("3", "5->6"))
    assert (second.module, second.missing) == ("nymproxy_migrate", ())
    assert percent([first, second]) == 100 * 16 / 19


def test_what_holds() -> None:
    modules = everything()
    for core in (True, False):
        assert complaints(modules, core=core, readme=readme(modules)) == []


def test_a_branch_of_a_machine_is_missed_also_when_the_whole_is_fine() -> None:
    name = "nymproxy.mixnet.sphinx.keys"
    modules = everything(lacks=name)
    (complaint,) = complaints(modules, core=True, readme=readme(modules))
    assert complaint.startswith(name)
    assert complaint.endswith("7, 8->9")


def test_a_machine_that_no_test_imported_was_not_measured() -> None:
    modules = [each for each in everything() if each.module != "nymproxy.address"]
    assert complaints(modules, core=True, readme=readme(modules)) == [
        "nymproxy.address was not measured"
    ]


def test_the_number_in_the_readme_is_the_measured_one() -> None:
    modules = everything(count=100_000, covered=97_900)
    count = sum(each.count for each in modules)
    wanted = [f"README.md must say 97 % of all {count:,} branches and lines"]
    assert complaints(modules, core=False, readme="") == wanted
    assert complaints(modules, core=False, readme=readme(modules, more=6_000)) == wanted
    assert complaints(modules, core=False, readme=readme(modules)) == []


def test_the_core_tests_see_that_the_readme_speaks_of_the_code_as_it_is() -> None:
    modules = everything(count=100_000, covered=97_000)
    assert complaints(modules, core=True, readme=readme(modules, more=4_000)) == []
    assert complaints(modules, core=True, readme="") == []
    for text in (readme(modules, more=6_000), readme(modules).replace("97 %", "94 %")):
        (complaint,) = complaints(modules, core=True, readme=text)
        assert complaint.endswith("say there what `make coverage` measures today")


def test_the_whole_has_a_floor() -> None:
    modules = everything(count=100_000, covered=94_000)
    found = complaints(modules, core=False, readme=readme(modules))
    assert found == ["the whole is covered at 94.0 %, and must be at 95 %"]


def test_rooms_are_told_with_what_lacks_most() -> None:
    table = by_room(everything(covered=50))
    assert "most in nymproxy.mixnet.client.message_client" in table
    assert table.splitlines()[-1].endswith("whole")
    assert coverage_gate.FLOOR_PERCENT == 95
