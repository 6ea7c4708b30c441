"""PEM files as nym-pemstore 1.21.6 and 2.0.0 write them: raw key bytes, or those encrypted."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from nymproxy.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

_CHARACTERS_A_LINE = 64
_BEGIN = "-----BEGIN "
ENCRYPTED = "ENCRYPTED "
"""Before the tag of a private key that is under a passphrase."""


def encode_pem(tag: str, data: bytes) -> bytes:
    """Write base64 between BEGIN and END lines; lines have 64 characters and end with CR LF."""
    body = base64.b64encode(data).decode()
    lines = [f"-----BEGIN {tag}-----"]
    lines += [
        body[start : start + _CHARACTERS_A_LINE]
        for start in range(0, len(body), _CHARACTERS_A_LINE)
    ]
    lines.append(f"-----END {tag}-----")
    return "".join(f"{line}\r\n" for line in lines).encode()


def is_encrypted(content: bytes) -> bool:
    """Tell whether a PEM file holds what is under a passphrase, by its first line."""
    return content.startswith(f"{_BEGIN}{ENCRYPTED}".encode())


def decode_pem(
    content: bytes,
    tag: str,
    length: int,
    decrypt: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Read a PEM file with exactly this tag and number of bytes; lines end with LF or CR LF.

    Args:
        content: of the file.
        tag: that it has to have.
        length: of what is in it.
        decrypt: makes that of the content of one that is encrypted; ``None``: that is another tag.

    Raises:
        StorageError: it is something else.
    """
    try:
        lines = [line.strip() for line in content.decode("ascii").strip().splitlines()]
    except UnicodeDecodeError as error:
        raise StorageError("not a PEM file: it is not plain text") from error
    if len(lines) < 2 or not lines[0].startswith(_BEGIN):
        raise StorageError("not a PEM file: it does not begin with -----BEGIN")
    if decrypt is not None and is_encrypted(content.lstrip()):
        tag = ENCRYPTED + tag
    if (lines[0], lines[-1]) != (f"{_BEGIN}{tag}-----", f"-----END {tag}-----"):
        raise StorageError(f"not the right PEM file: expected one tagged {tag!r}")
    try:
        data = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise StorageError("a damaged PEM file: its content is not base64") from error
    if decrypt is not None and tag.startswith(ENCRYPTED):
        data = decrypt(data)
    if len(data) != length:
        raise StorageError(f"a damaged PEM file: it holds {len(data)} bytes, not {length}")
    return data
