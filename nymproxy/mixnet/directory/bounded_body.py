"""The body of an answer, decompressed on the way, up to a limit. No I/O."""

from __future__ import annotations

import zlib
from typing import Final

from nymproxy.errors import DirectoryFormatError

SLICE_BYTES: Final = 256 * 1024
"""What one step decompresses: a fraction of a millisecond."""

_SLICE_MEMBERS: Final = 64
"""How many members of a gzip file, which may be empty, a step reads."""

_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS


class BoundedBody:
    """Collects a body.

    Args:
        encoding: the ``Content-Encoding`` of the answer.
        max_bytes: the most that it may be, decompressed.
    """

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._encoding = encoding.strip().lower()
        self._max_bytes = max_bytes
        self._body = bytearray()
        self._behind = b""
        self._inflater = zlib.decompressobj(_GZIP_FORMAT)

    @property
    def is_behind(self) -> bool:
        """True while something is left to be decompressed: feed it nothing to go on."""
        return bool(self._behind)

    def feed(self, chunk: bytes) -> DirectoryFormatError | None:
        """Take the next bytes, and return what is wrong with them, if anything.

        At most :data:`SLICE_BYTES` are decompressed at a time, so that others have their turn.
        """
        if self._encoding in ("", "identity"):
            self._body += chunk
        elif self._encoding in ("gzip", "x-gzip"):
            try:
                self._inflate(chunk)
            except zlib.error:
                return DirectoryFormatError("an answer whose compression is damaged")
        else:
            return DirectoryFormatError("an answer in a compression that was not asked for")
        if len(self._body) > self._max_bytes:
            return DirectoryFormatError(f"an answer of more than {self._max_bytes} bytes")
        return None

    def finish(self) -> bytes:
        """Return the whole body.

        Raises:
            DirectoryFormatError: it is empty, or its compressed form is cut off.
        """
        if not self._body:
            raise DirectoryFormatError("an empty answer")
        if self._encoding.endswith("gzip") and not self._inflater.eof:
            raise DirectoryFormatError("an answer whose compression is cut off")
        return bytes(self._body)

    def discard(self) -> None:
        """Let go of what was collected."""
        self._body, self._behind = bytearray(), b""

    def _inflate(self, chunk: bytes) -> None:
        chunk = self._behind + chunk
        room = min(self._max_bytes + 1 - len(self._body), SLICE_BYTES)
        for _ in range(_SLICE_MEMBERS):
            if not chunk or not room:
                break
            if self._inflater.eof:  # a gzip file may have several members
                self._inflater = zlib.decompressobj(_GZIP_FORMAT)
            piece = self._inflater.decompress(chunk, room)
            self._body += piece
            room -= len(piece)
            chunk = self._inflater.unused_data or self._inflater.unconsumed_tail
        self._behind = chunk
