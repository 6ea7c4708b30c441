"""Fenced blocks of Markdown, as texts of their languages with the place of every byte."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.text import Hole, Text, TextBuilder
from nymproxy_migrate.model import Span
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {
    "": "block.sh", "sh": "block.sh", "bash": "block.sh", "shell": "block.sh", "zsh": "block.sh",
    "ksh": "block.sh", "console": "block.sh", "shell-session": "block.sh",
    "shellsession": "block.sh", "terminal": "block.sh", "text": "block.sh",
    "dockerfile": "Dockerfile", "docker": "Dockerfile", "containerfile": "Dockerfile",
    "yaml": "block.yaml", "yml": "block.yaml", "compose": "compose.yaml", "toml": "block.toml",
    "json": "block.json", "jsonc": "block.json", "ini": "block.ini", "conf": "block.ini",
    "systemd": "block.service", "service": "block.service", "unit": "block.service",
    "makefile": "Makefile", "make": "Makefile", "just": "justfile", "justfile": "justfile",
    "procfile": "Procfile", "python": "block.py", "py": "block.py", "nix": "block.nix",
    "hcl": "block.tf", "terraform": "block.tf", "tf": "block.tf", "env": "block.env",
    "dotenv": "block.env", "cron": "block.cron", "crontab": "block.cron", "rust": "block.rs",
    "rs": "block.rs", "go": "block.go", "golang": "block.go",
}  # fmt: skip
_PROMPT = re.compile(rb"[ \t]*(?:[\w.-]+@[\w.-]+[: ]?[^$#]*)?[$#%][ \t]+")
_SESSION = re.compile(rb"[ \t]*(?:[\w.-]+@[\w.-]+[: ]?[^$#\n]*)?\$[ \t]+\S")
_PLACEHOLDER = re.compile(rb"<[A-Za-z][^<>\n|&;$()\"'`]*>")
_LONE_RETURN = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        name: the name of a file that would hold the same.
        text: its content, without what Markdown puts in front of the lines.
    """

    name: str
    text: Text


def find(text: Text) -> Iterator[Block]:
    """Yield the fenced blocks whose language is known."""
    from markdown_it import MarkdownIt

    if _LONE_RETURN.search(text.data):
        return  # lines would be counted in two ways
    # One character for each byte; what makes a fence is ASCII.
    tokens = MarkdownIt("commonmark").parse(text.data.decode("latin-1"))
    starts = _line_starts(text.data)
    for token in tokens:
        if token.type != "fence" or token.map is None:
            continue
        language = (token.info.strip().split() or [""])[0].strip("{.}").partition(",")[0].lower()
        name = _NAMES.get(language)
        if name is None:
            continue
        lines = list(_lines(text, starts, token.map[0] + 1, token.content.encode("latin-1")))
        block = _built(text, lines, shell=name == "block.sh")
        if name == "block.ini" and b"[Service]" in block.data:
            name = "block.service"
        yield Block(name, block)


def alone(block: Block, size: int) -> bytes:
    """Return a file of a size that holds nothing but the block, at its place."""
    data = bytearray(b" " * size)
    for start, end, byte in zip(block.text.starts, block.text.ends, block.text.data, strict=False):
        if end - start == 1:
            data[start] = byte
    return bytes(data)


def _lines(text: Text, starts: list[int], first: int, content: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the lines of a block stand, without indentation and line ends."""
    if not content:
        return
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), first):
        start, end = starts[number], starts[number + 1]
        raw = text.data[start:end].rstrip(b"\r\n")
        if raw.endswith(line):
            yield start + len(raw) - len(line), start + len(raw)
        else:  # tabs that Markdown has expanded: the line has no place of its own
            yield start + len(raw), start + len(raw)


def _built(text: Text, lines: list[tuple[int, int]], *, shell: bool) -> Text:
    session = shell and any(_SESSION.match(text.data, start, end) for start, end in lines)
    builder = TextBuilder(text)
    continues = False
    end = 0
    for start, end in lines:
        begin = start
        if session:
            prompt = _PROMPT.match(text.data, start, end)
            begin = start if continues else (prompt.end() if prompt else end)
            continues = begin < end and text.data[begin:end].endswith(b"\\")
        builder.copy(begin, end)
        builder.copy(end, text.data.find(b"\n", end) + 1 or len(text.data))
    built = builder.build(end)
    return _without_placeholders(built) if shell else built


def _without_placeholders(text: Text) -> Text:
    holes = [
        Hole(Span(*match.span()), Piece(PieceKind.OPAQUE, match[0].decode("utf-8", "replace")))
        for match in _PLACEHOLDER.finditer(text.data)
    ]
    return text.masked(holes) if holes else text


def _line_starts(data: bytes) -> list[int]:
    starts = [0, *(match.end() for match in re.finditer(rb"\n", data))]
    return [*starts, len(data), len(data)]
