"""Scripts that look for lines in the log of the old programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.log_lines import LOG_LINES, looked_for
from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.scan import scan
from tests.migrate.tools import codes, findings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "docker logs nym-proxy | grep 'Client created:'\n"),
        ("a.sh", "journalctl -u nym-proxy-server | sed -n 's/.*Client created: //p'\n"),
        ("a.sh", "journalctl -u nym-proxy-server -g 'Client created'\n"),
        ("a.sh", 'ADDRESS=$(sudo awk "/Client created:/ {print \\$NF}" /var/log/nym.log)\n'),
        ("a.sh", "grep -i 'client created' nym.log\n"),
        ("a.sh", "until grep -q 'Our Nym address is' log; do sleep 1; done\n"),
        ("a.sh", "tail -f nym.log | grep -oP 'Client\\s+created:\\s*\\K.*'\n"),
        ("a.sh", "bash -c \"cat nym.log | grep 'Spawned a new session handler'\"\n"),
        ("a.sh", 'if [[ $line == *"Client created: "* ]]; then echo nym; fi\n'),
        ("a.sh", 'case $line in *"Client created: "*) echo nym ;; esac\n'),
        ("a.sh", "nym=${line#*Client created: }\n"),
        (
            "compose.yml",
            "services:\n  nym:\n    command: nymproxy server\n    healthcheck:\n"
            "      test: [CMD-SHELL, \"grep -q 'Client created' /log\"]\n",
        ),
        ("Makefile", "address:\n\t@grep 'Client created' nym.log\n"),
        ("a.py", "nym = [line for line in log if 'Client created:' in line]\n"),
        ("a.py", "import re\nnym = re.search(r'Client created: (\\S+)', text)\n"),
        ("a.py", "MARK = 'Client created: '\nnym = line.partition(MARK)[2]\n"),
        ("a.py", "if line.startswith(('x', b'Our Nym address is')): pass\n"),
        ("a.py", "import os\nos.system('grep \"Client created\" nym.log')\n"),
    ],
)
def test_what_looks_for_an_old_line(path: str, text: str) -> None:
    (found,) = (one for one in findings(path, text) if one.code == "NYM070")
    assert (found.kind, found.action) == (Kind.LOG_SCRAPE, Action.REPORT)
    assert found.needs_human
    place = found.span.of(text.encode())
    assert b"\n" not in place
    assert len(place) < len(text)


def test_what_to_do_depends_on_the_line() -> None:
    (address,) = findings("a.sh", "grep 'Client created' nym.log\n")
    assert "--address-file" in address.next
    (session,) = findings("a.sh", "grep 'Closing write end of session' log\n")
    assert "--address-file" not in session.next


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "echo 'Client created: nym'\n"),
        ("a.sh", "# grep 'Client created' nym.log\nls\n"),
        ("a.sh", "grep nym 'client.log' created\n"),
        ("a.sh", "logger 'Our Nym address is'\n"),
        ("a.py", "print('Client created: nym')\n"),
        ("a.py", "nym = 'Client created:'\n"),
        ("a.py", "nym = 1\nif 'Client created:' in line\n"),
        ("a.md", "`grep 'Our Nym address is'`\n"),
        ("a.sh", "nymproxy server --address-file a && grep . a\n"),
    ],
)
def test_what_does_not(path: str, text: str) -> None:
    assert codes(path, text) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("watch.sh", "journalctl -u backup | sed -n 's/.*Client created: //p'\n"),
        ("watch.py", "import re\nre.search('Starting session:', line)\n"),
    ],
)
def test_a_file_that_does_not_say_whose_log_it_reads(path: str, text: str, tmp_path: Path) -> None:
    (tmp_path / path).write_text(text)
    assert scan([tmp_path]).findings == ()
    (tmp_path / "client.sh").write_text("nym-proxy-client -s A\n")
    assert "NYM070" not in {each.code for each in scan([tmp_path]).findings}
    (tmp_path / "server.sh").write_text("nym-proxy-server -u a:1\n")
    assert "NYM070" in {each.code for each in scan([tmp_path]).findings}


@pytest.mark.parametrize("line", LOG_LINES, ids=lambda line: line.text)
def test_each_line_is_known(line: object) -> None:
    text = getattr(line, "text", "")
    assert looked_for(f"INFO {text} 1") == line
    assert looked_for(text.replace(" ", r"\s+")) == line
    assert looked_for(text.replace(" ", "")) is None
