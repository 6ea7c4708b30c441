"""Fault plans: what goes wrong in a localnet, where and when, as data.

A plan is loaded from JSON, carries its seed, and is printed with it, so that a failing run can be
repeated. Links are named by the nodes at their ends (``gateway-0``, ``mix-1-0``; ``client`` stands
for every client) with shell patterns: ``mix-3-* -> gateway-*`` is the last mix to any gateway,
``client -> gateway-0`` what clients of the first gateway hand in, ``gateway-0 -> client`` what is
to be queued for them. What a gateway does to messages that it has acknowledged is a
:class:`PushFault`; what happens to a client's connection is a :class:`FaultEvent`.
"""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from nymproxy.errors import ConfigurationError
from nymproxy.localnet.fault_json import changed_fields, read_list, read_object

CLIENT_NAME = "client"
"""The name of the client end of every websocket."""


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigurationError(f"fault plan: {name} is {value}, expected a fraction from 0 to 1")


def _check_seconds(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ConfigurationError(f"fault plan: {name} is {value}, expected seconds, 0 or more")


def _is_within(elapsed: float, from_seconds: float, until_seconds: float | None) -> bool:
    return from_seconds <= elapsed and (until_seconds is None or elapsed < until_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFaults:
    """Faults of the packets on all links from ``source`` to ``target``.

    A packet on its way to a client that is lost here is lost before its acknowledgement is
    released, so its sender sends it again. :class:`PushFault` is what comes after.

    Attributes:
        source: pattern of the sending node's name.
        target: pattern of the receiving node's name.
        from_seconds: when the faults begin, counted from the moment the plan was installed.
        until_seconds: when they end; ``None``: never.
        blackhole: nothing passes.
        loss: fraction lost, each packet for itself.
        burst_start: probability that a packet is the first of a lost burst.
        burst_packets: mean length of a burst, in packets (geometric).
        corrupt: fraction with one bit flipped, somewhere in the Sphinx packet or message.
        duplicate: fraction sent twice.
        delay_seconds: extra delay of every packet.
        jitter_seconds: further delay, uniform from 0 to this.
        reorder: fraction held back by ``reorder_seconds``, so that later packets overtake them.
        reorder_seconds: for how long.
    """

    source: str = "*"
    target: str = "*"
    from_seconds: float = 0.0
    until_seconds: float | None = None
    blackhole: bool = False
    loss: float = 0.0
    burst_start: float = 0.0
    burst_packets: float = 10.0
    corrupt: float = 0.0
    duplicate: float = 0.0
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    reorder: float = 0.0
    reorder_seconds: float = 0.2

    def __post_init__(self) -> None:
        for name in ("loss", "burst_start", "corrupt", "duplicate", "reorder"):
            _check_fraction(name, getattr(self, name))
        for name in ("from_seconds", "delay_seconds", "jitter_seconds", "reorder_seconds"):
            _check_seconds(name, getattr(self, name))
        if self.until_seconds is not None:
            _check_seconds("until_seconds", self.until_seconds)
        if not (math.isfinite(self.burst_packets) and self.burst_packets >= 1):
            raise ConfigurationError("fault plan: burst_packets must be at least 1")

    def covers(self, source: str, target: str) -> bool:
        """Whether these faults are for the link between two named nodes."""
        return fnmatchcase(source, self.source) and fnmatchcase(target, self.target)

    def is_active(self, elapsed_seconds: float) -> bool:
        """Whether the faults happen at a time after the plan was installed."""
        return _is_within(elapsed_seconds, self.from_seconds, self.until_seconds)


class PushAction(enum.StrEnum):
    """What a gateway does to a message that it pushes to a client, and has acknowledged."""

    SWALLOW = "swallow"
    """Never push it."""
    ALTER = "alter"
    """Flip bits of it: no gateway can read a message, each can change it."""
    REPLAY = "replay"
    """Push it, and once more later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFault:
    """One thing that gateways do to messages for their clients, behind the acknowledgement.

    Attributes:
        action: what.
        gateway: pattern of the gateways' names.
        client: pattern of the clients' identities (base58, as in a Nym address).
        packet: pattern of the packet size: ``regular``, ``ack``, ``extended8``, ...
        from_seconds: when it begins, counted from the moment the plan was installed.
        until_seconds: when it ends; ``None``: never.
        probability: for each message.
        skip: how many messages are let through first.
        count: how many are done this to at most; ``None``: all. Counted for each gateway.
        offsets: for ``alter``, the bytes to change, negative ones from the end; none: one byte at
            random. Offsets beyond the message change nothing.
        mask: for ``alter``, the bits to flip in each of these bytes; 0: one at random.
        delay_seconds: for ``replay``, how much later the copy follows.
        jitter_seconds: for ``replay``, further delay, uniform from 0 to this.
    """

    action: PushAction
    gateway: str = "*"
    client: str = "*"
    packet: str = "*"
    from_seconds: float = 0.0
    until_seconds: float | None = None
    probability: float = 1.0
    skip: int = 0
    count: int | None = None
    offsets: tuple[int, ...] = ()
    mask: int = 0
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0

    def __post_init__(self) -> None:
        _check_fraction("probability", self.probability)
        for name in ("from_seconds", "delay_seconds", "jitter_seconds"):
            _check_seconds(name, getattr(self, name))
        if self.until_seconds is not None:
            _check_seconds("until_seconds", self.until_seconds)
        if self.skip < 0 or (self.count is not None and self.count < 0):
            raise ConfigurationError("fault plan: skip and count cannot be negative")
        if not 0 <= self.mask <= 0xFF:
            raise ConfigurationError("fault plan: mask must be from 0 to 255")

    def is_active(self, elapsed_seconds: float) -> bool:
        """Whether it happens at a time after the plan was installed."""
        return _is_within(elapsed_seconds, self.from_seconds, self.until_seconds)


class FaultAction(enum.StrEnum):
    """What a fault plan does to nodes and connections at a moment."""

    KILL = "kill"
    """End a node at once, as a killed process: nothing is flushed."""
    STOP = "stop"
    """End a node in order: clients get a close frame, and read everything sent before."""
    START = "start"
    """Start a node again, with its keys, its port and, a gateway, its state."""
    DISCONNECT = "disconnect"
    """Reset the connections of a node towards a peer (clients included); both may reconnect."""
    STALL = "stall"
    """Let nothing pass on connections of clients for some seconds; nothing is lost."""
    SWALLOW = "swallow"
    """Lose everything on connections of clients for some seconds, then reset them."""
    REMOVE = "remove"
    """End a node at once and for good: the directory does not list it any more."""


class DeadNodes(enum.StrEnum):
    """What the directory does about nodes that are down."""

    STAY = "stay"
    """It lists them all the same."""
    LEAVE = "leave"
    """It lists them for the rest of the epoch, then no more until they are up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """One action at one moment.

    Attributes:
        at_seconds: when, counted from the moment the plan was installed.
        action: what.
        node: pattern of the names of the nodes it is done to.
        peer: for ``disconnect``, ``stall`` and ``swallow``, pattern of the other end's name: a
            node's, ``client``, or the identity (base58) of one client.
        seconds: for ``stall`` and ``swallow``, how long. Where ``client`` matches ``peer``,
            connections that are made meanwhile fare alike.
    """

    at_seconds: float
    action: FaultAction
    node: str
    peer: str = "*"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        _check_seconds("at_seconds", self.at_seconds)
        _check_seconds("seconds", self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """All faults of a network. The empty plan, the default, has none.

    Attributes:
        seed: of all dice.
        links: what happens to packets between nodes.
        pushes: what gateways do to messages for their clients.
        events: what happens at a moment.
        dead_nodes: whether the directory lists nodes that are down.
    """

    seed: int = 0
    links: tuple[LinkFaults, ...] = ()
    pushes: tuple[PushFault, ...] = ()
    events: tuple[FaultEvent, ...] = ()
    dead_nodes: DeadNodes = DeadNodes.STAY

    @classmethod
    def from_json(cls, text: str) -> FaultPlan:
        """Read the JSON form, an object with the fields of this class (all optional).

        Raises:
            ConfigurationError: no JSON, an unknown field, or a value out of range.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"the fault plan is no JSON: {error}") from error
        return cls.from_dict(document)

    @classmethod
    def from_dict(cls, document: object) -> FaultPlan:
        """Read the plan from parsed JSON.

        Raises:
            ConfigurationError: an unknown field, or a value of another type or out of range.
        """
        values = read_object(document, "fault plan", {field.name for field in fields(cls)})
        seed = values.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ConfigurationError("fault plan: the seed must be an integer")
        dead_nodes = values.get("dead_nodes", DeadNodes.STAY)
        if dead_nodes not in tuple(DeadNodes):
            raise ConfigurationError(f"fault plan: dead_nodes is one of {', '.join(DeadNodes)}")
        return cls(
            seed=seed,
            links=read_list(LinkFaults, values, "links"),
            pushes=read_list(PushFault, values, "pushes"),
            events=read_list(FaultEvent, values, "events"),
            dead_nodes=DeadNodes(dead_nodes),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields of faults that have their default are left out."""
        return {
            "seed": self.seed,
            "links": [changed_fields(item) for item in self.links],
            "pushes": [changed_fields(item) for item in self.pushes],
            "events": [changed_fields(item) for item in self.events],
            "dead_nodes": self.dead_nodes.value,
        }

    def to_json(self) -> str:
        """Return the JSON text."""
        return json.dumps(self.to_dict())

    def __bool__(self) -> bool:
        return bool(
            self.links or self.pushes or self.events or self.dead_nodes is not DeadNodes.STAY
        )
