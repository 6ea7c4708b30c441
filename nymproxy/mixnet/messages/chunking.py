"""Padding a message and cutting it into fragments (nym-sphinx-chunking 1.21.6, src/set.rs and
src/lib.rs; padding: nym-sphinx 1.21.6, src/message.rs).

Vectors: tests/vectors/pipeline.json, sections ``fragment_capacity``, ``splitting``, ``messages``
and ``padding_removal``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nymproxy.errors import MessageFormatError, UsageError
from nymproxy.mixnet.messages._layout import fragment_length
from nymproxy.mixnet.messages.fragments import (
    LINKED_HEADER_LENGTH,
    MAX_FRAGMENTS_PER_SET,
    UNLINKED_HEADER_LENGTH,
    Fragment,
    FragmentSetId,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx import PacketSize

_PADDING_MARKER = b"\x01"


class FragmentsNeeded(NamedTuple):
    """How many fragments some bytes take, and how many more bytes the last one could hold."""

    fragments: int
    space_left: int


class _Capacity(NamedTuple):
    """Payload bytes of fragments and of full sets, for one fragment length."""

    unlinked: int
    linked: int

    @classmethod
    def of(cls, fragment_bytes: int) -> _Capacity:
        if fragment_bytes <= LINKED_HEADER_LENGTH:
            raise UsageError(f"fragments of {fragment_bytes} bytes have no room for a payload")
        return cls(fragment_bytes - UNLINKED_HEADER_LENGTH, fragment_bytes - LINKED_HEADER_LENGTH)

    @property
    def unlinked_set(self) -> int:
        """A full set without links: the largest message in one set."""
        return MAX_FRAGMENTS_PER_SET * self.unlinked

    @property
    def end_set(self) -> int:
        """A full set linked on one side: the first of several."""
        return self.unlinked_set - self.unlinked + self.linked

    @property
    def middle_set(self) -> int:
        """A full set linked on both sides."""
        return self.unlinked_set - 2 * (self.unlinked - self.linked)


def sets_needed(length: int, fragment_bytes: int) -> int:
    """Return the number of sets that ``length`` padded bytes take.

    Args:
        length: bytes of message and padding.
        fragment_bytes: bytes of one whole fragment, see :func:`fragment_length`.
    """
    capacity = _Capacity.of(fragment_bytes)
    if length <= capacity.unlinked_set:
        return 1
    if length <= 2 * capacity.end_set:
        return 2
    return 2 + _ceil(length - 2 * capacity.end_set, capacity.middle_set)


def _ceil(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def fragments_needed(length: int, fragment_bytes: int) -> FragmentsNeeded:
    """Return how many fragments ``length`` bytes take and the space left in the last of them.

    Args:
        length: bytes to carry; for a message to send, one more than its length, because the
            padding has at least its marker byte.
        fragment_bytes: bytes of one whole fragment, see :func:`fragment_length`.
    """
    capacity = _Capacity.of(fragment_bytes)
    set_count = sets_needed(length, fragment_bytes)
    full = MAX_FRAGMENTS_PER_SET * (set_count - 1)
    rest = length
    if set_count > 1:
        # Two links between each pair of neighbours; all but the last one are in the full sets.
        linked = 2 * set_count - 3
        rest -= linked * capacity.linked + (full - linked) * capacity.unlinked
        if rest <= capacity.linked:
            return FragmentsNeeded(full + 1, capacity.linked - rest)
        full += 1
        rest -= capacity.linked
    count = max(1, _ceil(rest, capacity.unlinked))
    return FragmentsNeeded(full + count, count * capacity.unlinked - rest)


def pad(message: bytes, fragment_bytes: int) -> bytes:
    """Append ``01`` and as many zeros as fill the last fragment."""
    _, zeros = fragments_needed(len(message) + 1, fragment_bytes)
    return b"".join((message, _PADDING_MARKER, bytes(zeros)))


def remove_padding(padded: bytes) -> bytes:
    """Cut at the last ``01``. What follows it is not looked at, as in Rust.

    Raises:
        MessageFormatError: there is no ``01``, or nothing before it.
    """
    end = padded.rfind(_PADDING_MARKER)
    if end < 0:
        raise MessageFormatError("a reassembled message has no padding marker")
    if end == 0:
        raise MessageFormatError("a reassembled message is empty")
    return padded[:end]


def split_message(
    nym_message: bytes, size: PacketSize, random_bytes: RandomBytes
) -> list[Fragment]:
    """Pad an encoded message and cut it into fragments that fill packets of ``size`` exactly.

    Args:
        nym_message: what :func:`~nymproxy.mixnet.messages.encode_message` returned.
        size: the size of the packets that will carry it; not ``ACK``.
        random_bytes: source of the set ids.
    """
    length = fragment_length(size)
    padded = pad(nym_message, length)
    set_ids = draw_set_ids(sets_needed(len(padded), length), random_bytes)
    return split(padded, length, set_ids)


def draw_set_ids(count: int, random_bytes: RandomBytes) -> list[FragmentSetId]:
    """Draw ``count`` different set ids: absolute values of random 32-bit integers, never 0."""
    drawn: dict[FragmentSetId, None] = {}
    while len(drawn) < count:
        number = int.from_bytes(random_bytes(4), "big", signed=True)
        if number not in (0, -(1 << 31)):
            drawn[FragmentSetId(abs(number))] = None
    return list(drawn)


def split(data: bytes, fragment_bytes: int, set_ids: Sequence[FragmentSetId]) -> list[Fragment]:
    """Cut padded bytes into fragments of ``fragment_bytes``, in order.

    Args:
        data: the bytes; if they were not padded, the last fragment is shorter.
        fragment_bytes: bytes of one whole fragment.
        set_ids: :func:`sets_needed` different ids.

    Raises:
        UsageError: another number of set ids is needed.
    """
    set_count = sets_needed(len(data), fragment_bytes)
    if len(set_ids) != set_count:
        raise UsageError(f"the message takes {set_count} sets, but {len(set_ids)} ids were given")
    return list(_split(data, _Capacity.of(fragment_bytes), set_ids))


def _split(
    data: bytes, capacity: _Capacity, set_ids: Sequence[FragmentSetId]
) -> Iterator[Fragment]:
    offset = 0
    for index, set_id in enumerate(set_ids):
        previous = set_ids[index - 1] if index > 0 else None
        following = set_ids[index + 1] if index + 1 < len(set_ids) else None
        if following is not None:
            total = MAX_FRAGMENTS_PER_SET
        else:
            saved = 0 if previous is None else capacity.unlinked - capacity.linked
            total = max(1, _ceil(len(data) - offset + saved, capacity.unlinked))
        for position in range(1, total + 1):
            link = None
            if position == 1:
                link = previous
            elif position == MAX_FRAGMENTS_PER_SET:
                link = following
            end = offset + (capacity.unlinked if link is None else capacity.linked)
            yield Fragment(set_id, total, position, link, data[offset:end])
            offset = end
