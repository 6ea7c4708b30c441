"""A small network as a directory describes it, and a server that answers for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream
from nacl.bindings import crypto_scalarmult_base, crypto_sign_seed_keypair

from nymproxy import _base58
from nymproxy.address import NodeIdentity
from nymproxy.mixnet.directory import Node, Topology
from nymproxy.mixnet.directory.bodies import (
    ACTIVE_MIXNODES_PATH,
    ALL_NODES_PATH,
    ENTRY_GATEWAYS_PATH,
    KEY_ROTATION_PATH,
    READER,
    REWARDED_SET_PATH,
    parse_nodes_page,
    parse_rewarded_set,
)
from nymproxy.mixnet.directory.node import parse_node


def identity(node_id: int) -> NodeIdentity:
    public, _ = crypto_sign_seed_keypair(bytes([node_id]) * 32)
    return NodeIdentity(public)


def node(node_id: int, *, gateway: bool = False, **changes: Any) -> dict[str, Any]:
    """Return an entry of a node list."""
    return {
        "node_id": node_id,
        "ed25519_identity_pubkey": str(identity(node_id)),
        "ip_addresses": [f"127.0.0.{node_id}"],
        "mix_port": 10000 + node_id,
        "x25519_sphinx_pubkey": _base58.encode(crypto_scalarmult_base(bytes([node_id]) * 32)),
        "role": "EntryGateway" if gateway else {"Mixnode": {"layer": 1}},
        "supported_roles": {
            "mixnode": not gateway,
            "entry": gateway,
            "exit_nr": gateway,
            "exit_ipr": gateway,
        },
        "entry": {"hostname": None, "ws_port": 9000, "wss_port": None} if gateway else None,
        "performance": "1",
        **changes,
    }


def read_node(fields: dict[str, Any]) -> Node:
    """Read an entry of a node list."""
    return parse_node(READER.read_object(json.dumps(fields)))


@dataclass
class Network:
    """What to answer; change the fields to make it change."""

    epoch_id: int = 100
    rotation_id: int = 2
    mixnodes: list[dict[str, Any]] = field(default_factory=lambda: [node(i) for i in (1, 2, 3)])
    gateways: list[dict[str, Any]] = field(
        default_factory=lambda: [node(i, gateway=True) for i in (4, 5)]
    )

    def metadata(self) -> dict[str, Any]:
        return {
            "status": None,
            "absolute_epoch_id": self.epoch_id,
            "rotation_id": self.rotation_id,
            "refreshed_at": "2026-01-02 03:04:05.678 +00:00:00",
        }

    def page(self, nodes: list[dict[str, Any]], total: int | None = None) -> dict[str, Any]:
        size = len(nodes)
        pagination = {"total": size if total is None else total, "page": 0, "size": size}
        return {
            "metadata": self.metadata(),
            "nodes": {"pagination": pagination, "data": nodes},
        }

    def rewarded_set(self) -> dict[str, Any]:
        return {
            "epoch_id": self.epoch_id,
            "entry_gateways": [4],
            "exit_gateways": [5],
            "layer1": [1],
            "layer2": [2],
            "layer3": [3],
            "standby": [],
        }

    def key_rotation(self) -> dict[str, Any]:
        return {
            "key_rotation_state": {"validity_epochs": 10, "initial_epoch_id": 80},
            "current_absolute_epoch_id": self.epoch_id,
            "current_epoch_start": "2026-01-02T03:00:00Z",
            "epoch_duration": {"secs": 3600, "nanos": 0},
            "progress": {},
        }

    def body(self, path: str) -> dict[str, Any]:
        makers: dict[str, Callable[[], dict[str, Any]]] = {
            KEY_ROTATION_PATH: self.key_rotation,
            REWARDED_SET_PATH: self.rewarded_set,
            ACTIVE_MIXNODES_PATH: lambda: self.page(self.mixnodes),
            ENTRY_GATEWAYS_PATH: lambda: self.page(self.gateways),
            ALL_NODES_PATH: lambda: self.page(self.mixnodes + self.gateways),
        }
        return makers[path]()

    def topology(self) -> Topology:
        return Topology.from_pages(
            parse_rewarded_set(encode(self.rewarded_set())),
            [
                parse_nodes_page(encode(self.page(self.mixnodes))),
                parse_nodes_page(encode(self.page(self.gateways))),
            ],
        )


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return the bytes of an HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


def json_answer(value: Any) -> bytes:
    return answer(encode(value), headers="Content-Type: application/json\r\n")


Handler = Callable[[str], bytes | None]
"""From the request target below the base path to the answer; ``None`` hangs up without one."""


def answers_for(network: Network) -> Handler:
    return lambda target: json_answer(network.body(urlsplit(target).path))


@dataclass
class Directory:
    """A running server.

    Attributes:
        url: its base URL.
        targets: the request targets seen, below the base path.
        heads: the request heads seen.
    """

    url: str
    targets: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [urlsplit(target).path for target in self.targets]


@asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[Directory]:
    """Answer on loopback, one request for each connection, below ``/api``."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    directory = Directory(f"http://127.0.0.1:{port}/api/")

    async def converse(stream: SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive()
            head = request.decode()
            directory.heads.append(head)
            target = head.split(" ")[1].removeprefix("/api")
            directory.targets.append(target)
            reply = handler(target)
            if reply is not None:
                with anyio.move_on_after(5):
                    await send(stream, reply)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, converse)
        yield directory
        group.cancel_scope.cancel()


async def send(stream: SocketStream, reply: bytes) -> None:
    try:
        await stream.send(reply)
    except anyio.BrokenResourceError:
        return  # a client that has read enough hangs up
