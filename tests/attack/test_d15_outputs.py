"""D 15: what is in a tree cannot steer a terminal, nor say where an output goes, nor share keys."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nymproxy import UnsafePermissions
from nymproxy.mixnet.storage.directory import DirectoryStorage
from nymproxy_migrate.cli import main

if TYPE_CHECKING:
    from pathlib import Path

CLEAR = "\x1b[2J\x1b]0;owned\x07"
NAME = f"a{CLEAR}\x9b1m\u202e.sh"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / NAME).write_text(f"# {CLEAR}\nnym-proxy-client -s '{CLEAR}' --listen_port 81\n")
    (root / "b.py").write_text(
        "import subprocess\nsubprocess.run(f'nym-proxy-client \x1b[2J {x}')\n"
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(root)
    return root


def on_a_terminal(arguments: list[str], cwd: Path) -> bytes:
    """Run the tool on a terminal; return what the terminal got."""
    code = "import sys; from nymproxy_migrate.cli import main; sys.exit(main())"
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=cwd, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        got = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # what Linux says when the other end is closed
                break
            if not read:
                break
            got += read
        process.wait()
    os.close(ours)
    return got


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan"],
        ["scan", "--format", "github"],
        ["scan", "--format", "sarif"],
        ["scan", "--json"],
        ["rewrite"],
        ["rewrite", "--json"],
        ["plan", "-o", "-"],
        ["rewrite", "--write"],
        ["rewrite", "--plan", NAME],
        ["scan", f"no{CLEAR}such"],
        [f"--{CLEAR}"],
        ["sidecar", f"no{CLEAR}such"],
        ["rollback", CLEAR],
        ["doctor", "-c", CLEAR, "-e", "/dev/null", "--timeout", "1"],
    ],
    ids=lambda arguments: " ".join(arguments).encode("unicode_escape").decode()[:40],
)
def test_nothing_steers_the_terminal(tree: Path, arguments: list[str]) -> None:
    got = on_a_terminal(arguments, tree)
    assert got
    text = got.decode().replace("\r\n", "\n")
    strange = {each for each in text if not (each.isprintable() or each == "\n")}
    assert strange == set(), text


def test_a_diff_that_is_no_terminal_s_is_exact(
    tree: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    main(["rewrite"])
    patch = capfdbinary.readouterr().out
    subprocess.run(["git", "apply", "-"], input=patch, cwd=tree, check=True)
    assert CLEAR in (tree / NAME).read_text()
    assert "nymproxy client" in (tree / NAME).read_text()


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "file").write_text("precious\n")
    return folder / "file"


@pytest.mark.parametrize("shape", ["link", "folder", "hard link"])
def test_outputs_do_not_go_through_links(
    tree: Path, precious: Path, shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if shape == "link":
        (tree / "out.json").symlink_to(precious)
        name = "out.json"
    elif shape == "folder":
        (tree / "out").symlink_to(precious.parent)
        name = "out/file"
    else:
        (tree / "out.json").hardlink_to(precious)
        name = "out.json"
    code = main(["plan", "-o", name])
    assert precious.read_text() == "precious\n"
    if shape == "hard link":
        assert json.loads((tree / name).read_text())["files"]
    else:
        assert code == 2
        assert "symbolic link" in capsys.readouterr().err


def test_suggestions_do_not_go_through_links(tree: Path, precious: Path) -> None:
    (tree / "main.rs").write_text(
        "use nym_sdk::tcp_proxy::NymProxyClient;\n"
        "async fn f() { NymProxyClient::new(a, b, c, d).await; }\n"
    )
    (tree / "patch").mkdir()
    (tree / "patch/nymproxy.patch").symlink_to(precious)
    main(["rewrite", "--rust-suggest", "patch"])
    assert precious.read_text() == "precious\n"


async def test_keys_are_not_kept_where_others_can_write(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    storage = DirectoryStorage(shared / "keys")
    with pytest.raises(UnsafePermissions, match=f"chmod go-w '{shared}'"):
        await storage.load()
    await storage.close()
    shared.chmod(0o755)
    assert await storage.load() is None
    (shared / "keys").chmod(0o730)
    await storage.close()
    if os.geteuid() != 0:  # root's group is root's own
        with pytest.raises(UnsafePermissions):
            await storage.load()
    await storage.close()
