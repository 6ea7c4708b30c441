"""What findings say: places, the new command in the style of its format, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from nymproxy_migrate.cli import main
from nymproxy_migrate.report import layout, text
from nymproxy_migrate.report.style import Style
from nymproxy_migrate.rules import RULES
from nymproxy_migrate.scan import ScanResult, scan
from tests.migrate.tools import ADDRESS, findings

CORPUS = Path(__file__).parent / "corpus"


def of_corpus(name: str) -> ScanResult:
    return scan([CORPUS / name / "tree"])


@pytest.mark.parametrize(
    ("path", "content", "shown"),
    [
        ("a.json", '{"command": ["nym-proxy-client", "-s", "A"]}', '["nymproxy", "client", '),
        (
            "Dockerfile",
            'FROM debian\nRUN pip install nymproxy\nCMD ["nym-proxy-client", "-s", "A"]',
            '["nymproxy", "client", "-s", "A"]',
        ),
        (
            "compose.yaml",
            "services:\n a:\n  image: nymproxy\n  command:\n"
            "  - nym-proxy-client\n  - -s  # to\n  - 'A'",
            "[nymproxy, client, -s, 'A']",
        ),
        (
            "b.py",
            "import subprocess\nsubprocess.run(['nym-proxy-client', '-s=A'])",
            "['nymproxy', 'client', '--server-address=A']",
        ),
        (
            "c.py",
            'import asyncio\nasyncio.create_subprocess_exec("nym-proxy-client", "-s", "A")',
            'it becomes: "nymproxy", "client", "-s", "A"',
        ),
        (
            "a.plist",
            "<key>ProgramArguments</key>\n<array>\n<string>nym-proxy-client</string>\n"
            "<string>-s</string>\n<string>A</string>\n</array>",
            "<array><string>/usr/local/bin/nymproxy</string><string>client</string>",
        ),
    ],
)
def test_a_list_is_shown_as_a_list_of_its_format(path: str, content: str, shown: str) -> None:
    assert shown in "\n".join(each.message for each in findings(path, content))


def test_a_refusal_says_where_program_and_arguments_stand() -> None:
    told = {each.path: each.message for each in of_corpus("refused-in-two-places").findings}
    assert told["Dockerfile"].endswith("its program stands in line 2, its arguments in line 3")
    assert told["compose.yaml"].endswith("its program stands in line 4, its arguments in line 5")
    assert told["pod.yaml"].endswith("its program stands in line 8, its arguments in line 10")
    (together,) = findings("a.sh", "nym-proxy-client \\\n  -s A \\\n -s B")
    assert together.message.endswith("--server-address is given twice")


def test_arguments_in_a_variable_say_where_it_is_set_and_what_can_stay() -> None:
    array, other = of_corpus("shell-array-arguments").findings
    assert array.message.endswith("${ARGS[@]} (ARGS is set in line 2, 3)")
    assert array.next.startswith("Put `nymproxy client` in the place")
    assert other.message.endswith("$@")
    assert "--compat-config-dir" in other.next


def test_what_does_not_parse_says_what_helps() -> None:
    (template,) = of_corpus("template-unfilled").findings
    assert template.message.endswith("line 6 names an old program")
    assert "helm template" in template.next
    json5 = next(each for each in of_corpus("json-with-comments").findings if "90" in each.code)
    assert "JSON5" in json5.next
    (broken,) = findings("a.yaml", "command: [nym-proxy-client, -s")
    assert "names an old" not in broken.message
    assert broken.next == RULES["NYM090"].next


def test_advice_is_given_once(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("nym-proxy-client -s A\n" * 3)
    (tmp_path / "b.sh").write_text(f"nym-proxy-client -s {ADDRESS}\n")
    report = text.render(scan([tmp_path]))
    assert report.count("Apply it with") == 1
    assert report.count("NYM001") == 5
    assert report.partition("\nwhat to do:\n")[2].count("  NYM") == 1


@pytest.mark.parametrize("columns", [40, 80, 120, 300])
@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_gets_files_with_their_findings_in_its_width(columns: int, colour: bool) -> None:
    result = of_corpus("whole-project")
    report = text.render(result, Style(colour, columns))
    for tone in ("1", "2", "32", "33", "0"):
        report = report.replace(f"\x1b[{tone}m", "")
    found = report.partition("\nwhat to do:")[0].splitlines()
    files = [line for line in found if not line.startswith(" ")]
    assert files == [result.shown(each) for each in dict.fromkeys(f.path for f in result.findings)]
    widest = min(columns, 120)
    for line in report.splitlines()[:-1]:
        if line in files:
            continue
        text_of_line = line.split("  ")[-1].strip()
        assert len(line) <= widest or " " not in text_of_line, line
    assert all(each.code in report for each in result.findings)


def test_a_terminal_gets_the_beginning_of_addresses(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text(f"nym-proxy-client -s {ADDRESS} --listen-port 1\n")
    result = scan([tmp_path])
    report = text.render(result, Style(False, 80))
    assert f"-s {ADDRESS[:8]}... --listen-port" in " ".join(report.split())
    assert ADDRESS not in report
    assert ADDRESS in text.render(result)


def test_an_image_that_has_been_told_of_is_not_told_of_again(tmp_path: Path) -> None:
    service = "    image: example/nym-proxy-client:1\n"
    (tmp_path / "compose.yaml").write_text(
        f"services:\n  a:\n{service}    command: [nym-proxy-client, -s, A]\n"
    )
    assert "NYM093" not in {each.code for each in scan([tmp_path]).findings}
    (tmp_path / "compose.yaml").write_text(f"services:\n  a:\n{service}")
    assert "NYM093" in {each.code for each in scan([tmp_path]).findings}


def test_an_index_of_all_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    told = capsys.readouterr().out
    assert [code for code in RULES if f"{code}  " not in told] == []
    assert max(map(len, told.splitlines())) <= 80
    assert "(--decide NYM060=per-connection|pool|shared)" in " ".join(told.split())


def test_prose_ends_where_the_page_does(capsys: pytest.CaptureFixture[str]) -> None:
    for code in RULES:
        main(["explain", code])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("    ")] == []


def test_lines() -> None:
    assert layout.wrapped("a b", None, "> ") == "> a b\n"
    assert layout.wrapped("", 80, "> ") == "> \n"
    assert layout.wrapped("x" * 200, 80) == "x" * 200 + "\n"
    assert layout.paragraphs("a\n\n    code", 80) == "a\n\n    code"


def test_what_is_left_stands_below_each_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = f"nym-proxy-client -s {ADDRESS} --client-pool-reserve 4\n"
    for name in ("a.sh", "b.sh"):
        (tmp_path / name).write_text(f"{pool}cargo install nym-sdk\n")
    monkeypatch.chdir(tmp_path)
    main(["rewrite"])
    places = [
        line.split(": ")[0] for line in capsys.readouterr().err.splitlines() if ".sh:" in line
    ]
    assert len(places) == 4
    assert places == sorted(places)
