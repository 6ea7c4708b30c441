"""YAML with the place of every byte: documents as nodes, scalars as texts.

The parser is ruamel.yaml's, of which only the marks are used. What a scalar means is derived from
the bytes again, style by style, so that each byte of it has a place; both readings must agree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nymproxy_migrate.formats import templates
from nymproxy_migrate.formats.split import lines
from nymproxy_migrate.formats.text import Recode, Text, TextBuilder, ascii_only, same
from nymproxy_migrate.model import Unparsable

if TYPE_CHECKING:
    from collections.abc import Iterator

YamlNode = Any
"""A node of ruamel.yaml, whose classes carry no types."""

_PROPERTIES = re.compile(rb"(?:[&!][^\s]*[ \t]+)*")
_DOUBLE_ESCAPE = re.compile(
    rb"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|\r?\n[ \t]*|(.))"
)
_DOUBLE_VALUES = {
    b"0": b"\0", b"a": b"\a", b"b": b"\b", b"t": b"\t", b"\t": b"\t", b"n": b"\n", b"v": b"\v",
    b"f": b"\f", b"r": b"\r", b"e": b"\x1b", b"N": b"\xc2\x85", b"_": b"\xc2\xa0",
}  # fmt: skip
_CONTROLS = re.compile(rb"[\x00-\x1f]")
_FOLD = re.compile(rb"[ \t]*(\r?\n)(?:[ \t]*\r?\n)*[ \t]*")
PLAIN = re.compile(rb"[A-Za-z0-9_./+=^-][A-Za-z0-9_./@+=^:-]*(?<!:)|")
_BLOCK_HEADER = re.compile(rb"[|>]([+-]?)([1-9]?)([+-]?)[ \t]*(?:#[^\n]*)?\r?\n")


class Document:
    """One YAML text: its nodes, and their texts."""

    def __init__(self, text: Text) -> None:
        self.text = templates.mask(text)

    def roots(self) -> Iterator[YamlNode]:
        """Yield the root node of each document.

        Raises:
            Unparsable: the text is not YAML.
        """
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        data = ascii_only(self.text.data)
        if self.text.data.startswith(b"\xef\xbb\xbf"):
            data = b"#X\n" + data[3:]
        parser = YAML(typ="safe", pure=True)
        parser.allow_duplicate_keys = True
        # YAML allows to use the name of an anchor again; nobody wants a warning about it.
        parser.composer.warn_double_anchors = False
        try:
            yield from (node for node in parser.compose_all(data.decode("ascii")) if node)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            offset = self.text.span(mark.index, mark.index).start if mark else 0
            raise Unparsable(f"not valid YAML: {error.problem}", offset) from error
        except (YAMLError, ValueError) as error:
            raise Unparsable("not valid YAML") from error

    def scalar(self, node: YamlNode, *, flow: bool = False) -> Text:
        """Return the text of a scalar.

        Raises:
            Unparsable: its bytes cannot be mapped one by one.
        """
        start, end = node.start_mark.index, node.end_mark.index
        properties = _PROPERTIES.match(self.text.data, start, end)
        start = properties.end() if properties else start
        builder = TextBuilder(self.text)
        codec: tuple[Recode, Recode] = (same, same)
        if node.style in ("|", ">"):
            self._block(builder, start, end, folded=node.style == ">")
        elif node.style == "'":
            self._quoted(builder, start + 1, end - 1, re.compile(rb"''"))
            codec = (_encode_single, lambda raw: raw.replace(b"''", b"'"))
        elif node.style == '"':
            self._quoted(builder, start + 1, end - 1, _DOUBLE_ESCAPE)
            codec = (escape_double, _decode_double)
        else:
            self._quoted(builder, start, end, None)
            codec = (_encode_flow_plain if flow else _encode_plain, same)
        result = builder.build(end, *codec)
        value = ascii_only(str(node.value).encode("utf-8", "surrogatepass"))
        if ascii_only(result.data).rstrip() != value.rstrip():
            raise Unparsable("a value that cannot be mapped to its bytes", self.text.starts[start])
        return result

    def _quoted(
        self, builder: TextBuilder, start: int, end: int, escape: re.Pattern[bytes] | None
    ) -> None:
        """Copy flow text: escapes, and line breaks that become a space."""
        data = self.text.data
        position = start
        while position < end:
            found = escape.match(data, position, end) if escape else None
            if found is not None:
                builder.put(_unescaped(found), position, found.end())
                position = found.end()
                continue
            fold = _FOLD.match(data, position, end) if data[position] in b" \t\r\n" else None
            if fold is not None:
                breaks = fold[0].count(b"\n")
                builder.put(b" " if breaks == 1 else b"\n" * (breaks - 1), position, fold.end())
                position = fold.end()
                continue
            builder.copy(position, position + 1)
            position += 1

    def _block(self, builder: TextBuilder, start: int, end: int, *, folded: bool) -> None:
        data = self.text.data
        header = _BLOCK_HEADER.match(data, start, end)
        if header is None:
            return
        spans = [(header.end() + a, header.end() + b) for a, b in lines(data[header.end() : end])]
        indents = [_indent(data, a, b) for a, b in spans if data[a:b].strip(b" ")]
        if not indents:
            return
        # An explicit indentation counts from the parent; the first line has it or more.
        indent = min(indents)
        for index, (first, last) in enumerate(spans):
            content = min(first + indent, last)
            builder.copy(content, last)
            following = spans[index + 1] if index + 1 < len(spans) else None
            break_end = data.find(b"\n", last) + 1 or last
            if folded and following is not None and self._folds(content, last, following, indent):
                builder.put(b" ", last, break_end)
            elif not (folded and content == last and index and self._was_text(spans, index)):
                builder.put(b"\n", last, break_end)

    def _folds(self, start: int, end: int, following: tuple[int, int], indent: int) -> bool:
        """Tell whether the break behind a line of a folded block is a space."""
        data = self.text.data
        after = data[min(following[0] + indent, following[1]) : following[1]]
        line = data[start:end]
        return bool(line and after) and line[:1] not in b" \t" and after[:1] not in b" \t"

    def _was_text(self, spans: list[tuple[int, int]], index: int) -> bool:
        """The first of some empty lines in a folded block stands for the break before it."""
        first, last = spans[index - 1]
        return bool(self.text.data[first:last].strip())


def get(node: YamlNode, *keys: str) -> YamlNode | None:
    """Return the value of the first key that a mapping has, merges included."""
    merged: list[YamlNode] = []
    for key, value in node.value:
        if key.value in keys:
            found: YamlNode = value
            return found
        if key.value == "<<":
            merged += value.value if value.id == "sequence" else [value]
    for other in merged:
        if other.id == "mapping":
            deeper = get(other, *keys)
            if deeper is not None:
                return deeper
    return None


def text_value(node: YamlNode | None) -> str | None:
    """Return a scalar's value, or None."""
    return str(node.value) if node is not None and node.id == "scalar" else None


def _indent(data: bytes, start: int, end: int) -> int:
    line = data[start:end]
    return len(line) - len(line.lstrip(b" "))


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[0] == b"''":
        return b"'"
    code = found[1] or found[2] or found[3]
    if code:
        return chr(int(code, 16)).encode("utf-8", "surrogatepass")
    if found[4] is None:
        return b""
    return _DOUBLE_VALUES.get(found[4], found[4])


def _decode_double(raw: bytes) -> bytes:
    return _DOUBLE_ESCAPE.sub(_unescaped, raw)


def _encode_single(data: bytes) -> bytes:
    if b"\n" in data:
        raise ValueError("a line break cannot stand in single quotes")
    return data.replace(b"'", b"''")


def escape_double(data: bytes) -> bytes:
    """Return the content of a double-quoted scalar."""
    data = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return _CONTROLS.sub(lambda found: b"\\x%02x" % ord(found[0]), data)


def _encode_plain(data: bytes) -> bytes:
    if re.search(rb": |:$|#|\n|^[ \t]+$", data) and data != b" ":
        raise ValueError("the YAML value would need quotes")
    return data


def _encode_flow_plain(data: bytes) -> bytes:
    if re.search(rb"[\[\]{},]", data):
        raise ValueError("the YAML value would need quotes")
    return _encode_plain(data)
