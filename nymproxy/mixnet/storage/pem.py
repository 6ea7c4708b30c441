"""PEM files as nym-pemstore 1.21.6 writes them: raw key bytes, no ASN.1 inside."""

from __future__ import annotations

import base64
import binascii

from nymproxy.errors import StorageError

_CHARACTERS_A_LINE = 64


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


def decode_pem(content: bytes, tag: str, length: int) -> bytes:
    """Read a PEM file with exactly this tag and number of bytes; lines end with LF or CR LF.

    Raises:
        StorageError: it is something else.
    """
    try:
        lines = [line.strip() for line in content.decode("ascii").strip().splitlines()]
    except UnicodeDecodeError as error:
        raise StorageError("not a PEM file: it is not plain text") from error
    if len(lines) < 2 or not lines[0].startswith("-----BEGIN "):
        raise StorageError("not a PEM file: it does not begin with -----BEGIN")
    if (lines[0], lines[-1]) != (f"-----BEGIN {tag}-----", f"-----END {tag}-----"):
        raise StorageError(f"not the right PEM file: expected one tagged {tag!r}")
    try:
        data = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise StorageError("a damaged PEM file: its content is not base64") from error
    if len(data) != length:
        raise StorageError(f"a damaged PEM file: it holds {len(data)} bytes, not {length}")
    return data
