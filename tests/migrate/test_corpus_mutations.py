"""Files of the corpus, written differently: no byte outside of a command changes, and once only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy_migrate.changes import change
from nymproxy_migrate.model import SourceFile
from nymproxy_migrate.scan import scan_source
from tests.migrate.corpus_cases import CORPUS, files_below, load
from tests.migrate.tools import parses

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.options import ScanOptions

    Mutation = Callable[[bytes, int, int], bytes]

SEEDS = [
    (case.name, path, data, case.options)
    for case in load()
    for path, data in files_below(CORPUS / case.name / "tree").items()
    if case.expected and b"nym" in data
]
WORD = re.compile(rb"[^\s'\"\\\[\]{},=]+")
SPACE = re.compile(rb"[ \t]+")
LINE_END = re.compile(rb"\r?\n|\Z")
QUOTED = re.compile(rb"'[^'\"\\\n$]*'|\"[^'\"\\\n$]*\"")


def _at(pattern: re.Pattern[bytes], how: Callable[[bytes], bytes]) -> Mutation:
    """Return what writes one place, of those that match, in another way."""

    def mutate(data: bytes, near: int, skip: int) -> bytes:
        places = list(pattern.finditer(data, near)) or list(pattern.finditer(data))
        if not places:
            return data
        place = places[skip % len(places)]
        return data[: place.start()] + how(place[0]) + data[place.end() :]

    return mutate


MUTATIONS: dict[str, Mutation] = {
    "single quotes": _at(WORD, lambda word: b"'" + word + b"'"),
    "double quotes": _at(WORD, lambda word: b'"' + word + b'"'),
    "half a word in quotes": _at(WORD, lambda word: word[:3] + b'"' + word[3:] + b'"'),
    "other quotes": _at(QUOTED, lambda text: text.translate(bytes.maketrans(b"'\"", b"\"'"))),
    "no quotes": _at(QUOTED, lambda text: text[1:-1]),
    "an escape": _at(WORD, lambda word: word[:1] + b"\\" + word[1:]),
    "more space": _at(SPACE, lambda space: space + b"  "),
    "a tab": _at(SPACE, lambda space: b"\t"),
    "a continuation": _at(SPACE, lambda space: b" \\\n" + space),
    "a line break": _at(SPACE, lambda space: b"\n" + space),
    "a comment behind": _at(LINE_END, lambda end: b"  # nym-proxy-client -s A" + end),
    "a comment line": _at(LINE_END, lambda end: b"\n# nym-proxy-server 'x" + (end or b"\n")),
    "an empty line": _at(LINE_END, lambda end: end + (end or b"\n")),
    "space at the end": _at(LINE_END, lambda end: b" \t" + end),
    "line ends of Windows": lambda data, near, skip: re.sub(rb"\r?\n", b"\r\n", data),
    "no last line end": lambda data, near, skip: data.rstrip(b"\r\n"),
    "Latin-1": _at(WORD, lambda word: word + b"\xe9"),
    "an equals sign": _at(re.compile(rb"(?<=-[a-z]) (?=\w)"), lambda space: b"="),
}


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes, ScanOptions, list[str]]:
    """Draw a file of the corpus with some mutations, most of them close to a command."""
    case, path, data, options = draw(st.sampled_from(SEEDS))
    log = [case]
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(MUTATIONS)))
        places = [found.start() for found in re.finditer(rb"nym|proxy_", data)] or [0]
        skip = draw(st.integers(0, 8))
        data = MUTATIONS[name](data, draw(st.sampled_from(places)), skip)
        log.append(f"{name}, {skip}")
    return path, data, options, log


def _outside(data: bytes, found: list[Finding]) -> list[bytes]:
    """Return what stands outside of the commands that are rewritten."""
    spans = sorted({finding.span for finding in found if finding.edits})
    parts, position = [], 0
    for span in spans:
        parts.append(data[position : span.start])
        position = max(position, span.end)
    return [*parts, data[position:]] if parts else [data, data]


@settings(max_examples=6 * settings().max_examples)
@given(mutated())
def test_only_commands_change_and_once(
    case: tuple[str, bytes, ScanOptions, list[str]],
) -> None:
    path, data, options, _ = case
    found = scan_source(SourceFile(path, data), options)
    assert not [finding for finding in found if "cannot be judged" in finding.message]
    edits = [edit for finding in found for edit in finding.edits]
    for finding in found:
        for edit in finding.edits:
            assert finding.span.start <= edit.span.start <= edit.span.end <= finding.span.end
    result = change(path, data, edits).after
    first, *middle, last = _outside(data, found)
    assert result.startswith(first)
    assert result.endswith(last)
    position = len(first)
    for part in middle:
        assert part in result[position:]
        position = result.index(part, position) + len(part)
    again = scan_source(SourceFile(path, result), options)
    assert [finding for finding in again if finding.edits] == []
    if not path.endswith(".sh") and edits and parses(path, data):
        assert parses(path, result)
