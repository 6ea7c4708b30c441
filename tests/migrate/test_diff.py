"""Diffs: git applies them, names cannot steer a terminal, and no text makes them slow."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy_migrate import diff
from nymproxy_migrate.changes import FileChange, change
from nymproxy_migrate.model import Edit, Span

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.lists(st.sampled_from([b"a", b"b", b"\n", b"\r", b" "]), max_size=60).map(b"".join)


@st.composite
def file_changes(draw: st.DrawFn) -> FileChange:
    before = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(before)), min_size=2, max_size=8)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    spans = {Span(start, end) for start, end in pairs}
    edits = [Edit(span, draw(TEXTS)) for span in spans if not _touches(span, spans)]
    return change("f", before, edits)


def _touches(span: Span, spans: set[Span]) -> bool:
    return any(span != each and span.start <= each.end and each.start <= span.end for each in spans)


@pytest.mark.skipif(shutil.which("git") is None, reason="git applies the diffs")
@given(each=file_changes())
def test_git_applies_it(each: FileChange, tmp_path_factory: pytest.TempPathFactory) -> None:
    if each.before == each.after or not each.before or not each.after:
        return  # git wants to hear that a file becomes empty or was
    folder = tmp_path_factory.mktemp("diff")
    (folder / "f").write_bytes(each.before)
    git(folder, diff.unified([each]))
    assert (folder / "f").read_bytes() == each.after


def git(folder: Path, patch: bytes) -> None:
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, input=patch, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, (patch, done.stderr)


def test_context_and_hunks() -> None:
    before = b"".join(b"%d\n" % n for n in range(20))
    end = len(before)
    edits = [Edit(Span(0, 1), b"x"), Edit(Span(8, 9), b"y"), Edit(Span(end - 3, end), b"z")]
    assert diff.unified([change("f", before, edits)]).decode().splitlines() == [
        "--- a/f",
        "+++ b/f",
        "@@ -1,8 +1,8 @@",
        "-0",
        "+x",
        *(f" {n}" for n in range(1, 4)),
        "-4",
        "+y",
        *(f" {n}" for n in range(5, 8)),
        "@@ -17,4 +17,4 @@",
        *(f" {n}" for n in range(16, 19)),
        "-19",
        "+z",
        "\\ No newline at end of file",
    ]


@pytest.mark.skipif(shutil.which("git") is None, reason="git reads the names")
@pytest.mark.parametrize("name", ["a\x1b[2J.sh", 'q"\\.sh', "n\nn", "caf\xe9 x", "\udce9.sh"])
def test_names(name: str, tmp_path: Path) -> None:
    each = change(name, b"a\n", [Edit(Span(0, 1), b"b")])
    patch = diff.unified([each])
    (tmp_path / name).write_bytes(b"a\n")
    git(tmp_path, patch)
    assert (tmp_path / name).read_bytes() == b"b\n"
    assert b"\x1b" not in patch


@pytest.mark.timeout(20)
def test_a_text_that_is_hard_to_compare() -> None:
    """Every line as often as the standard library's matcher still looks at all of them."""
    lines = [b"line %d\n" % (number % 100) for number in range(100_000)]
    before = b"".join(lines)
    edits, offset = [], 0
    for number, line in enumerate(lines):
        if number % 3 == 0:
            edits.append(Edit(Span(offset, offset + 1), b"L"))
        offset += len(line)
    assert diff.unified([change("f", before, edits)]).count(b"\n-") == len(edits)
