"""Makes nx2.json from docs/wire.md alone: a second reading of that page, which shares no line
with nymproxy's own code. Run it after the page has changed: ``python tests/vectors/make_nx2.py``.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from blake3 import blake3

FILE = Path(__file__).with_name("nx2.json")
SEED = 20261130
# Any address will do: the keys of two test vectors of RFC 8032, and an X25519 key.
ADDRESS = bytes.fromhex(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
)
OPEN, DATA, FIN, RESET, WINDOW, PROBE = 0x00, 0x01, 0xE1, 0xE2, 0xE3, 0xE4
OFFER, ACCEPT, SEAL, ACK, RESUME, ASK, ALIVE = range(0xE5, 0xEC)


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def key(purpose: str, material: bytes) -> bytes:
    return blake3(material, derive_key_context="nymproxy nx2 " + purpose).digest()


def mac(mac_key: bytes, *parts: bytes) -> bytes:
    return blake3(b"".join(parts), key=mac_key).digest()[:16]


def header(stream_id: int, kind: int, sequence: int, *, sealed: bool) -> bytes:
    byte = 0xA0 | 1 | 2 | 8 | (4 if sealed else 0)
    return b"\x03\x00" + u64(stream_id) + u8(kind) + u32(sequence) + u8(byte)


def ack_fields(counter: int, echo: int, limit: int, ranges: list[tuple[int, int]]) -> bytes:
    listed = b"".join(u32(first) + u32(last) for first, last in ranges)
    return u32(counter) + u32(echo) + u64(limit) + u8(len(ranges)) + listed


class Stream:
    """One stream's secrets, and frames on it."""

    def __init__(self, source: random.Random) -> None:
        self.id = source.getrandbits(64)
        self.tag = source.randbytes(16)
        self.r_d = source.randbytes(32)
        self.r_a = source.randbytes(32)
        version = u8(1)
        both = self.r_d + self.r_a + u64(self.id) + version
        self.keys = {
            "offer": key("offer", self.r_d),
            "accept": key("accept", self.r_d + self.r_a),
            "early": key("early", self.r_d + u64(self.id) + version),
            "d2a": key("d2a", both),
            "a2d": key("a2d", both),
            "resume": key("resume", both),
        }

    def own(
        self, name: str, kind: int, sequence: int, fields: bytes, *context: bytes
    ) -> dict[str, Any]:
        head = header(self.id, kind, sequence, sealed=kind in (SEAL, ACK, RESUME))
        return {
            "key": name,
            "fields": fields.hex(),
            "frame": (head + fields + mac(self.keys[name], *context, head, fields)).hex(),
        }

    def sealed(
        self, name: str, kind: int, sequence: int, payload: bytes, expected: int, counter: int
    ) -> dict[str, Any]:
        head = header(self.id, kind, sequence, sealed=True)
        front = b"" if kind in (DATA, FIN) else u32(counter)
        body = front + payload + u32(expected)
        return {
            "key": name,
            "plain": (header(self.id, kind, sequence, sealed=False) + payload).hex(),
            "next_expected": expected,
            "counter": counter if front else None,
            "frame": (head + body + mac(self.keys[name], self.tag, head, body)).hex(),
        }


def digest(items: list[tuple[int, int, bytes]]) -> bytes:
    hasher = blake3()
    for kind, sequence, payload in items:
        hasher.update(u8(kind) + u32(sequence) + u32(len(payload)) + payload)
    return hasher.digest()


def stream_vectors(source: random.Random) -> dict[str, Any]:
    """All frames of one stream."""
    stream = Stream(source)
    context = (stream.tag, ADDRESS)
    minutes = source.randrange(28_000_000, 30_000_000)
    data = source.randbytes(source.randrange(1, 40))
    items = [(OPEN, 0, b""), (DATA, 0, source.randbytes(20)), (DATA, 1, b""), (FIN, 2, b"")]
    sealed_from = len(items) - 1
    ranges = [(sealed_from + 1, sealed_from + 1), (sealed_from + 3, sealed_from + 9)]
    counter, limit, new_tag = source.getrandbits(31), source.getrandbits(40), source.randbytes(16)
    fields = ack_fields(counter, 3, limit, ranges)
    answer = bytes.fromhex(stream.sealed("a2d", DATA, 0, data, 0, 0)["frame"])
    question = bytes.fromhex(stream.sealed("d2a", DATA, sealed_from, data, 0, 0)["frame"])
    reset = u32(1) + b"refused"
    offers = [
        {
            "minutes": minutes,
            "seal_follows": follows,
            "data": payload.hex(),
            **stream.own(
                "offer",
                OFFER,
                0,
                u8(1) + u8(1 if follows else 0) + u32(minutes) + stream.r_d + payload,
                *context,
            ),
        }
        for follows, payload in ((True, b""), (False, b""), (False, data))
    ]
    accepts = [
        {
            "confirm": confirm,
            "refused": refused,
            "ask_seconds": seconds,
            "alternates": [ADDRESS.hex()] * count,
            "first": first.hex(),
            **stream.own(
                "accept",
                ACCEPT,
                0,
                u8(1)
                + u8((1 if confirm else 0) + (2 if refused else 0))
                + u8(seconds)
                + stream.r_a
                + u8(count)
                + ADDRESS * count
                + first,
                *context,
            ),
        }
        for confirm, refused, seconds, count, first in (
            (False, False, 20, 0, b""),
            (True, False, 100, 4, b""),
            (False, True, 20, 0, b""),
            (False, False, 20, 0, answer),
            (False, False, 50, 2, answer),
        )
    ]
    return {
        "stream_id": stream.id,
        "tag": stream.tag.hex(),
        "address": ADDRESS.hex(),
        "dialer_random": stream.r_d.hex(),
        "acceptor_random": stream.r_a.hex(),
        "keys": {name: value.hex() for name, value in stream.keys.items()},
        "offers": offers,
        "accepts": accepts,
        "seals": [
            {
                "items": [[kind, sequence, payload.hex()] for kind, sequence, payload in items],
                "sequence": sealed_from,
                "next_expected": sealed_from,
                "counter": counter,
                "echo": 3,
                "limit": limit,
                "ranges": ranges,
                "first": first.hex(),
                **stream.own(
                    "d2a",
                    SEAL,
                    sealed_from,
                    digest(items) + u32(sealed_from) + fields + first,
                    stream.tag,
                ),
            }
            for first in (b"", question)
        ],
        "acks": [
            {
                "next_expected": sealed_from,
                "counter": counter,
                "echo": 3,
                "limit": limit,
                "ranges": ranges,
                **stream.own(name, ACK, sealed_from, fields, stream.tag),
            }
            for name in ("d2a", "a2d")
        ],
        "resume": {
            "new_tag": new_tag.hex(),
            "move": 2,
            **stream.own("resume", RESUME, sealed_from, u32(2) + fields, new_tag, ADDRESS),
        },
        "sealed": [
            stream.sealed(name, kind, sequence, payload, 17, counter)
            for name, kind, sequence, payload in (
                ("early", DATA, 0, data),
                ("d2a", DATA, 5, data),
                ("a2d", DATA, 2**32 - 2, b""),
                ("d2a", FIN, 6, b""),
                ("a2d", PROBE, 9, b""),
                ("d2a", WINDOW, 17, u64(limit)),
                ("a2d", RESET, 1, reset),
                ("early", RESET, 0, reset),
            )
        ],
    }


def liveness_vectors(source: random.Random) -> dict[str, Any]:
    """An ASK and its ALIVE."""
    tag, nonce = source.randbytes(16), source.randbytes(32)
    ids = [source.getrandbits(64) for _ in range(11)]
    has = [source.random() < 0.5 for _ in ids]
    number = source.randrange(1, 2**32)
    bitmap = bytearray(2)
    for i, bit in enumerate(has):
        bitmap[i // 8] |= (1 if bit else 0) << (i % 8)
    frames = {}
    for name, kind, fields in (
        ("ask", ASK, u8(len(ids)) + b"".join(map(u64, ids)) + nonce),
        ("alive", ALIVE, u8(len(has)) + bytes(bitmap)),
    ):
        head = header(0, kind, number, sealed=False)
        frames[name] = (head + fields + mac(key(name, nonce), tag, ADDRESS, head, fields)).hex()
    return {
        "tag": tag.hex(),
        "address": ADDRESS.hex(),
        "nonce": nonce.hex(),
        "number": number,
        "stream_ids": ids,
        "has_stream": has,
        **frames,
    }


def make() -> str:
    """Return the text of the file."""
    source = random.Random(SEED)
    vectors = {
        "streams": [stream_vectors(source) for _ in range(3)],
        "liveness": [liveness_vectors(source) for _ in range(3)],
    }
    return json.dumps(vectors, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(make())
