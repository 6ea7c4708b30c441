"""Base58 with the Bitcoin alphabet, no checksum, strict: no white space, no foreign character."""

from __future__ import annotations

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}


def encode(data: bytes) -> str:
    """Return the text of ``data``; each leading zero byte becomes a leading ``1``."""
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + "".join(reversed(digits))


def decode(text: str) -> bytes:
    """Return the bytes of ``text``.

    Raises:
        ValueError: for a character outside the alphabet.
    """
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            around = " (white space around it?)" if character.isspace() else ""
            raise ValueError(f"not a base58 text{around}")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip(_ALPHABET[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def decode_exactly(text: str, length: int) -> bytes:
    """Return the ``length`` bytes of ``text``.

    The text is refused before it is converted when it is longer than any text of ``length`` bytes,
    since the conversion takes quadratic time.

    Raises:
        ValueError: not base58, or not ``length`` bytes.
    """
    if len(text) > length * 138 // 100 + 1:
        raise ValueError(f"longer than {length} bytes in base58")
    data = decode(text)
    if len(data) != length:
        raise ValueError(f"{len(data)} bytes in base58, expected {length}")
    return data
