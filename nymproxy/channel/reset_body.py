"""Why a channel was reset, as bytes: in a RESET frame of streams, and in the trailer of a legacy
session's Close.

Layout (docs/wire.md): code u32 BE, then at most 200 bytes of UTF-8 for people.
"""

from __future__ import annotations

from nymproxy.errors import ChannelFormatError, ResetCode

MAX_REASON_BYTES = 200
_CODE_LENGTH = 4


def encode_reset(code: ResetCode, reason: str) -> bytes:
    """Return the bytes; what is too long is cut."""
    text = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES]
    # A cut in the middle of a character is dropped, not sent.
    return code.to_bytes(_CODE_LENGTH, "big") + text.decode("utf-8", "ignore").encode()


def decode_reset(body: bytes) -> tuple[ResetCode, str]:
    """Read the bytes.

    Raises:
        ChannelFormatError: there is no whole code.
    """
    if len(body) < _CODE_LENGTH:
        raise ChannelFormatError("a RESET frame without a whole code")
    number = int.from_bytes(body[:_CODE_LENGTH], "big")
    try:
        code = ResetCode(number)
    except ValueError:
        code = ResetCode.CANCELLED
    text = body[_CODE_LENGTH : _CODE_LENGTH + MAX_REASON_BYTES]
    return code, text.decode("utf-8", "replace")
