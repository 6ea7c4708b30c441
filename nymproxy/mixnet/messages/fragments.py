"""Fragments, the pieces of a message that fit one packet, and their identifiers
(nym-sphinx-chunking 1.21.6, src/fragment.rs).

Vectors: tests/vectors/pipeline.json, sections ``fragment_parsing`` and ``splitting``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NewType

from nymproxy.errors import MessageFormatError

FragmentSetId = NewType("FragmentSetId", int)
"""Names one set of at most 255 fragments: 1 to 2^31 - 1, drawn at random by the sender."""

FragmentId = NewType("FragmentId", bytes)
"""Names one fragment, in acks: ``set id (4, top bit 0) || position (1)``. Sorts by both."""

MAX_FRAGMENTS_PER_SET = 255
UNLINKED_HEADER_LENGTH = 7
LINKED_HEADER_LENGTH = 10

COVER_FRAGMENT_ID = FragmentId(bytes(5))
"""What the acks of cover packets carry; set id 0 is never a real one."""

_TOP_BIT = 1 << 31
_START = struct.Struct(">IBB")
_UNLINKED = struct.Struct(">IBBx")
_LINKED = struct.Struct(">IBBI")
_LINK = struct.Struct(">I")
_IDENTIFIER = struct.Struct(">IB")


def fragment_id(set_id: FragmentSetId, position: int) -> FragmentId:
    """Return the identifier of the fragment at ``position`` (1 to 255) of a set."""
    return FragmentId(_IDENTIFIER.pack(set_id, position))


def parse_fragment_id(data: bytes) -> FragmentId:
    """Read the 5 bytes of an identifier (:data:`COVER_FRAGMENT_ID` included).

    Raises:
        MessageFormatError: another length, or the top bit is set.
    """
    if len(data) != _IDENTIFIER.size or data[0] & 0x80:
        raise MessageFormatError("not a fragment identifier; check the ack key")
    return FragmentId(data)


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment: position ``position`` (from 1) of the ``total`` fragments of its set.

    A message of more than 255 fragments takes several sets, linked both ways: ``linked_set_id`` is
    the previous set's id in a set's first fragment and the next set's id in its 255th; no other
    fragment has one.

    Layout: ``(0x80000000 | set id)(4) || total(1) || position(1) || link || payload``, where the
    link is one zero byte or ``(0x80000000 | linked set id)(4)``.

    Raises:
        MessageFormatError: the fields contradict each other.
    """

    set_id: FragmentSetId
    total: int
    position: int
    linked_set_id: FragmentSetId | None
    payload: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.set_id < _TOP_BIT:
            raise MessageFormatError("the set id of a fragment is out of range")
        if not 1 <= self.position <= self.total <= MAX_FRAGMENTS_PER_SET:
            raise MessageFormatError("a fragment's position is outside its set")
        link = self.linked_set_id
        if link is None:
            return
        if not 0 < link < _TOP_BIT or link == self.set_id:
            raise MessageFormatError("a fragment is linked to an impossible set")
        if self.position != 1 and self.position != MAX_FRAGMENTS_PER_SET:
            raise MessageFormatError("a fragment in the middle of its set is linked")

    @classmethod
    def parse(cls, data: bytes) -> Fragment:
        """Read a fragment; all bytes after the header are its payload.

        Raises:
            MessageFormatError: too short, a marker bit is missing, or the fields contradict
                each other.
        """
        if len(data) < UNLINKED_HEADER_LENGTH:
            raise MessageFormatError("a fragment is shorter than its header")
        first_word, total, position = _START.unpack_from(data)
        if first_word < _TOP_BIT:
            raise MessageFormatError("a fragment does not start with its marker bit")
        set_id = FragmentSetId(first_word - _TOP_BIT)
        if data[_START.size] == 0:
            return cls(set_id, total, position, None, data[UNLINKED_HEADER_LENGTH:])
        if len(data) < LINKED_HEADER_LENGTH:
            raise MessageFormatError("a linked fragment is shorter than its header")
        (link_word,) = _LINK.unpack_from(data, _START.size)
        if link_word < _TOP_BIT:
            raise MessageFormatError("a fragment's link does not start with its marker bit")
        link = FragmentSetId(link_word - _TOP_BIT)
        return cls(set_id, total, position, link, data[LINKED_HEADER_LENGTH:])

    def to_bytes(self) -> bytes:
        """Return header and payload."""
        word = _TOP_BIT | self.set_id
        if self.linked_set_id is None:
            return _UNLINKED.pack(word, self.total, self.position) + self.payload
        link_word = _TOP_BIT | self.linked_set_id
        return _LINKED.pack(word, self.total, self.position, link_word) + self.payload

    @property
    def id(self) -> FragmentId:
        """The identifier that the ack of this fragment carries."""
        return fragment_id(self.set_id, self.position)

    @property
    def previous_set_id(self) -> FragmentSetId | None:
        """The set before this one, if this is the first fragment of a set that has one."""
        return self.linked_set_id if self.position == 1 else None

    @property
    def next_set_id(self) -> FragmentSetId | None:
        """The set after this one, if this is the 255th fragment of a set that has one."""
        return self.linked_set_id if self.position == MAX_FRAGMENTS_PER_SET else None
