"""Where the fuzz targets begin: what the Rust crates wrote, from the vector files."""

from __future__ import annotations

from functools import cache
from typing import Any

from nymproxy.mixnet.gateway.frames import RequestKind, ResponseKind, seal_frame
from nymproxy.mixnet.gateway.keys import SharedKey
from nymproxy.mixnet.storage.pem import encode_pem
from tests.vectors.files import load

PIPELINE = load("pipeline.json")
SPHINX = load("sphinx.json")
GATEWAY = load("gateway.json")
DIRECTORY = load("directory.json")
NODES = load("nodes.json")
APIS = load("apis.json")
NX2 = load("nx2.json")

PEM_TAG = "ED25519 PRIVATE KEY"
FRAME_KEY = SharedKey(bytes(range(32)))


def unhex(cases: list[dict[str, Any]], field: str) -> list[bytes]:
    return [bytes.fromhex(case[field]) for case in cases if isinstance(case.get(field), str)]


def joined(messages: list[bytes]) -> bytes:
    """Write messages as one input: each behind its length in two bytes."""
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def strings(value: Any) -> list[str]:
    """Every text anywhere in a section, for sections whose form does not matter here."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in strings(part)]


@cache
def node_key() -> bytes:
    """The key of the node that the first recorded packet goes to first."""
    return bytes.fromhex(SPHINX["packets"][0]["route"][0]["private_key"])


@cache
def encryption_key() -> bytes:
    return bytes.fromhex(PIPELINE["clients"]["bob"]["encryption_private"])


def packets() -> list[bytes]:
    return unhex(SPHINX["packets"], "packet")


def surbs() -> list[bytes]:
    return unhex(SPHINX["surbs"], "surb")


def node_addresses() -> list[bytes]:
    return unhex(PIPELINE["node_addresses"], "padded32")


def messages() -> list[bytes]:
    return unhex(PIPELINE["messages"], "nym_message")


def fragments() -> list[bytes]:
    return unhex(PIPELINE["fragment_parsing"], "bytes")


def fragment_sequences() -> list[bytes]:
    cases = [case for case in PIPELINE["reassembly"] if "fragments" in case]
    return [joined([bytes.fromhex(text) for text in case["fragments"]]) for case in cases]


def reply_surbs() -> list[bytes]:
    section = [surb for surb in PIPELINE["reply_surbs"].values() if isinstance(surb, dict)]
    return unhex(section, "reply_surb_bytes")


def ack_blocks() -> list[bytes]:
    return unhex(PIPELINE["surb_acks"], "surb_ack_bytes")


def padded() -> list[bytes]:
    return unhex(PIPELINE["padding_removal"], "bytes")


def pushed() -> list[bytes]:
    recorded = unhex(PIPELINE["regular_payloads"], "delivered_to_client")
    recorded += unhex(PIPELINE["surb_acks"], "delivered_to_client")
    return [joined([message]) for message in recorded] + [joined(recorded)]


def mix_packets_v1() -> list[bytes]:
    return unhex(PIPELINE["reply_payloads"], "mix_packet_v1")


def mix_packets_v2() -> list[bytes]:
    return unhex(PIPELINE["reply_payloads"], "mix_packet_v2")


def request_frames() -> list[bytes]:
    kind = RequestKind.FORWARD_SPHINX_V2
    plain = unhex(GATEWAY["binary_requests"], "plaintext")
    return [seal_frame(FRAME_KEY, kind, each, bytes(12)) for each in plain]


def response_frames() -> list[bytes]:
    kind = ResponseKind.PUSHED_MIX_MESSAGE
    return [seal_frame(FRAME_KEY, kind, b"message", bytes(12)), b"\x01\x00message"]


def request_texts() -> list[bytes]:
    return [case["json"].encode() for case in GATEWAY["text_requests"]]


def response_texts() -> list[bytes]:
    return [case["json"].encode() for case in GATEWAY["text_responses"]]


def handshake_texts() -> list[bytes]:
    return [case["json"].encode() for case in GATEWAY["handshake_texts"]]


def _bodies(part: str) -> list[bytes]:
    return [
        answers["json_text"].encode()
        for request, answers in DIRECTORY["endpoints"].items()
        if part in request
    ]


def node_pages() -> list[bytes]:
    return _bodies("skimmed")


def rewarded_sets() -> list[bytes]:
    return _bodies("rewarded-set")


def key_rotations() -> list[bytes]:
    return _bodies("key-rotation-info")


def env_files() -> list[bytes]:
    cases = DIRECTORY["env_files"]["cases"]
    return [case["file"].encode() for case in cases if case["file"]]


def urls() -> list[bytes]:
    return [
        b"http://[::ffff:192.0.2.1]:80/a/../b?q#f",
        b"HTTPS://user@Example.COM:443",
        b"ws:\\\\127.1\\x",
        "http://b\u00fccher.example/%41".encode(),
    ]


def addresses() -> list[bytes]:
    return [case["text"].encode() for case in PIPELINE["recipients"]]


def address_bytes() -> list[bytes]:
    return unhex(PIPELINE["recipients"], "bytes")


def pem_files() -> list[bytes]:
    return [encode_pem(PEM_TAG, bytes(range(32)))]


def node_frames() -> list[bytes]:
    frames = unhex(NODES["hops"][0]["steps"], "frame_in")
    return [joined(frames), joined([frames[0][:100], frames[0][100:]])]


def stream_frames() -> list[bytes]:
    decoded = unhex(APIS["lp_frame_decode"]["cases"], "input")
    return decoded + unhex(APIS["extension_frames"]["cases"], "input")


def legacy_messages() -> list[bytes]:
    return unhex(APIS["proxied_message_decode"]["cases"], "input")


def nx2_frames() -> list[bytes]:
    found = {text for text in strings(NX2) if len(text) > 60 and _is_hex(text)}
    return sorted(bytes.fromhex(text) for text in found if text.startswith("03"))


def nx2_fields() -> list[bytes]:
    return [frame[12:16] + frame[16:] for frame in nx2_frames()]


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and not set(text) - set("0123456789abcdef")


def conversations() -> list[bytes]:
    """Messages of each kind after one another, so that channels open, get data, and end."""
    encoded = unhex(APIS["lp_frame_encode"]["cases"], "encoded")
    legacy = unhex(APIS["proxied_message_encode"]["cases"], "encoded")
    return [joined(encoded), joined(legacy), joined(encoded + legacy), joined(stream_frames())]
