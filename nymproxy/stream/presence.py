"""A question that shows whether a peer is there, and opens nothing: a RESUME of no stream.

Its MAC is random, so no key verifies it, and whoever knows NX1 answers with an unsealed RESET 6
(docs/wire.md, "Moving"). It costs one packet and a packet back; neither a stream nor a connection
to an upstream is opened by it. Rust peers, and ours without extensions, drop it unread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.nx2.frames import Ack, Resume
from nymproxy.stream.nx2.keys import MAC_LENGTH

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes

QUESTION_SURBS = 2
"""One for the answer, and one for sending it again; they fit the question's packet."""

_BYTE_15 = 0xAF
_SEQUENCE_OFFSET = 11


class PresenceQuestion(NamedTuple):
    """The bytes of a question, and how the answer to it begins."""

    question: bytes
    answer: bytes


def make_question(random_bytes: RandomBytes) -> PresenceQuestion:
    """Return a question about a stream id that nobody has."""
    stream_id = int.from_bytes(random_bytes(8), "big")
    fields = Resume(1, Ack(0, 0, 0)).encode() + random_bytes(MAC_LENGTH)
    question = StreamFrame(stream_id, MessageType.RESUME, 0, fields, _BYTE_15).encode()
    answer = StreamFrame(stream_id, MessageType.RESET).encode()[:_SEQUENCE_OFFSET]
    return PresenceQuestion(question, answer)
