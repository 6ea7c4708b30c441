"""Vector files of the same schemas with other contents: what the tests may rely on is the schema.

The files are those of this folder with every stream renamed and its payloads changed, with gateways
that insist on a lower protocol, and with first hops whose addresses have every form. Frames are
sealed anew by our own code: these files show that the *tests* hold on files that they have not
seen; that the product agrees with Rust, the recorded ones show.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from nymproxy.mixnet.gateway import HandshakePayload, RequestKind, SharedKey, seal_frame
from nymproxy.mixnet.gateway.versions import LOWEST_PROTOCOL_VERSION
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress
from tests.vectors.files import VECTORS, load

if TYPE_CHECKING:
    from pathlib import Path

INSISTED_VERSIONS = (5, LOWEST_PROTOCOL_VERSION, LOWEST_PROTOCOL_VERSION - 1)
ADDRESSES = ("[::ffff:192.0.2.1]:1789", "[::c000:201]:0", "[2001:db8::]:65535", "0.0.0.0:1")
STREAM_MASK = 0xA5A5_0000_FFFF_5A5A


def write_altered(directory: Path) -> None:
    """Write a whole set of altered files into ``directory``, which exists and is empty."""
    for path in VECTORS.iterdir():
        if path.suffix in (".json", ".tar"):
            shutil.copyfile(path, directory / path.name)
    for name, alter in (("apis.json", _altered_apis), ("gateway.json", _altered_gateway)):
        (directory / name).write_text(json.dumps(alter(json.loads(json.dumps(load(name))))))


def _altered_apis(apis: dict[str, Any]) -> dict[str, Any]:
    for case in apis["stream_map"]["cases"]:
        operations = [step["op"] for step in case["steps"]]
        streams = {operation["stream"] for operation in operations if "stream" in operation}
        payloads = {operation["payload"] for operation in operations if "payload" in operation}
        new_texts = {name: f"{int(name, 16) ^ STREAM_MASK:016x}" for name in streams}
        # Payloads of ranges are numbers by the schema, and an empty one is the end of a stream.
        new_texts |= {payload: payload + "5a" for payload in payloads if payload}
        case["steps"] = _replaced(case["steps"], new_texts)
    return apis


def _replaced(value: Any, new_texts: dict[str, str]) -> Any:
    if isinstance(value, str):
        return new_texts.get(value, value)
    if isinstance(value, list):
        return [_replaced(item, new_texts) for item in value]
    if isinstance(value, dict):
        return {new_texts.get(key, key): _replaced(item, new_texts) for key, item in value.items()}
    return value


def _altered_gateway(gateway: dict[str, Any]) -> dict[str, Any]:
    whole = [case for case in gateway["handshakes"] if "shared_key" in case]
    for case in whole:
        gateway["handshakes"] += [
            _insisting(case, version)
            for version in INSISTED_VERSIONS
            if version < case["client_proposed_protocol"]
        ]
    key = SharedKey(bytes.fromhex(gateway["shared_key"]))
    gateway["binary_requests"] += [
        _sent_to(address, case, key) for case in gateway["binary_requests"] for address in ADDRESSES
    ]
    return gateway


def _insisting(case: dict[str, Any], version: int) -> dict[str, Any]:
    """The same handshake with a gateway that speaks no higher one: nothing signs the version."""
    texts, decoded = [case["messages"][0]], [case["messages_decoded"][0]]
    for message, fields in zip(case["messages"][1:], case["messages_decoded"][1:], strict=True):
        payload = HandshakePayload(version, bytes.fromhex(fields["data"]))
        texts.append({**message, "text": payload.encode()})
        decoded.append({**fields, "protocol_version": version})
    return {
        **case,
        "name": f"{case['name']}_gateway_insists_on_{version}",
        "negotiated_protocol": version,
        "messages": texts,
        "messages_decoded": decoded,
    }


def _sent_to(address: str, case: dict[str, Any], key: SharedKey) -> dict[str, Any]:
    """The same request with another first hop."""
    host, _, port = address.rpartition(":")
    first_hop = NodeAddress.parse(host.strip("[]"), int(port))
    packet = MixPacket(
        first_hop, KeyRotation(case["key_rotation"]), bytes.fromhex(case["sphinx_packet"])
    )
    is_v2 = case["kind"] == "ForwardSphinxV2"
    plaintext = packet.encode_v2() if is_v2 else packet.encode_v1()
    kind = RequestKind.FORWARD_SPHINX_V2 if is_v2 else RequestKind.FORWARD_SPHINX
    frame = seal_frame(key, kind, plaintext, bytes.fromhex(case["nonce"]))
    return {
        **case,
        "next_hop": address,
        "plaintext": plaintext.hex(),
        "ws_binary_message": frame.hex(),
    }
