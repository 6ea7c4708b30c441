"""Ten thousand files: the time and memory that a scan takes with its workers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import pytest

if TYPE_CHECKING:
    from pathlib import Path

FILES = 10_000
MOST_SECONDS = 20.0
MOST_BYTES = 300_000_000

_PYTHON = "import subprocess\n" + "".join(f"def f{n}(x):\n    return x + {n}\n" for n in range(60))
KINDS = {
    "start.sh": "#!/bin/sh\nexec nym-proxy-client -s A\n",
    "call.py": _PYTHON + "subprocess.run(['nym-proxy-client', '-s', 'A'])\n",
    "compose.yml": "services:\n  a:\n    image: debian\n    command: nym-proxy-client -s A\n",
    "main.rs": "use nym_sdk::tcp_proxy::NymProxyClient;\nfn main() {}\n",
}


def make_tree(root: Path) -> None:
    prose = "word " * 1500
    for number in range(FILES // 20):
        folder = root / f"part-{number % 50}" / f"each-{number}"
        folder.mkdir(parents=True)
        for name, text in KINDS.items():
            (folder / name).write_text(text)
        for other in range(20 - len(KINDS)):
            (folder / f"other-{other}.txt").write_text(prose)


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
def test_ten_thousand_files(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    code = "import sys; from nymproxy_migrate.cli import main; sys.exit(main(['scan', '--json']))"
    began = time.monotonic()
    with open(tmp_path / "output", "wb") as output:
        process = psutil.Popen([sys.executable, "-c", code], stdout=output, cwd=tmp_path / "tree")
        most = 0
        while process.poll() is None:
            try:
                everyone = [process, *process.children(recursive=True)]
                most = max(most, sum(each.memory_info().rss for each in everyone))
            except psutil.Error:
                pass
            time.sleep(0.1)
    took = time.monotonic() - began
    print(f"{took:.1f} s, {most / 1e6:.0f} MB in all processes")
    codes = {each["code"] for each in json.loads((tmp_path / "output").read_bytes())["findings"]}
    assert process.returncode == 1
    assert {"NYM001", "NYM005"} <= codes
    assert took < MOST_SECONDS
    assert most < MOST_BYTES


def test_the_command_runs_without_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text(KINDS["start.sh"])
    code = "import sys; from nymproxy_migrate.cli import main; sys.exit(main(['scan']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (1, b"")
