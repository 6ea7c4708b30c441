"""Fault plans: what goes wrong in a localnet, where and when, as data.

A plan is loaded from JSON, carries its seed, and is printed with it, so that a failing run can be
repeated. Links are named by the nodes at their ends (``gateway-0``, ``mix-1-0``; ``client`` stands
for every client) with shell patterns: ``mix-3-* -> gateway-*`` is the last mix to any gateway,
``client -> gateway-0`` what clients of the first gateway hand in, ``gateway-0 -> client`` what is
pushed to them.
"""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

CLIENT_NAME = "client"
"""The name of the client end of every websocket."""


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigurationError(f"fault plan: {name} is {value}, expected a fraction from 0 to 1")


def _check_seconds(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ConfigurationError(f"fault plan: {name} is {value}, expected seconds, 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFaults:
    """Faults of the packets on all links from ``source`` to ``target``.

    A packet on its way to a client that is lost here is lost before its acknowledgement is
    released, so its sender sends it again: a real websocket does not lose either.

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
        return self.from_seconds <= elapsed_seconds and (
            self.until_seconds is None or elapsed_seconds < self.until_seconds
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """One action at one moment.

    Attributes:
        at_seconds: when, counted from the moment the plan was installed.
        action: what.
        node: pattern of the names of the nodes it is done to.
        peer: for ``disconnect``, pattern of the other end's name.
    """

    at_seconds: float
    action: FaultAction
    node: str
    peer: str = "*"

    def __post_init__(self) -> None:
        _check_seconds("at_seconds", self.at_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """All faults of a network. The empty plan, the default, has none."""

    seed: int = 0
    links: tuple[LinkFaults, ...] = ()
    events: tuple[FaultEvent, ...] = field(default=())

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
        values = _object(document, "fault plan", {"seed", "links", "events"})
        seed = values.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ConfigurationError("fault plan: the seed must be an integer")
        return cls(
            seed=seed,
            links=tuple(_read(LinkFaults, item) for item in _list(values, "links")),
            events=tuple(_read(FaultEvent, item) for item in _list(values, "events")),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that have their default are left out."""
        return {
            "seed": self.seed,
            "links": [_changed_fields(item) for item in self.links],
            "events": [_changed_fields(item) for item in self.events],
        }

    def to_json(self) -> str:
        """Return the JSON text."""
        return json.dumps(self.to_dict())

    def __bool__(self) -> bool:
        return bool(self.links or self.events)


def _object(value: object, what: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{what}: expected a JSON object")
    unknown = sorted(set(value) - known)
    if unknown:
        raise ConfigurationError(
            f"{what}: unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    return value


def _list(values: Mapping[str, Any], name: str) -> list[Any]:
    items = values.get(name, [])
    if not isinstance(items, list):
        raise ConfigurationError(f"fault plan: {name} must be a list")
    return items


_READERS: dict[str, tuple[type, ...]] = {
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "bool": (bool,),
    "str": (str,),
    "FaultAction": (str,),
}


def _read(kind: type[T], document: object) -> T:
    """Build a dataclass from a JSON object, checking the type of each field."""
    known = {item.name: str(item.type) for item in fields(kind)}  # type: ignore[arg-type]
    values = dict(_object(document, f"fault plan, {kind.__name__}", set(known)))
    for name, value in values.items():
        allowed = _READERS[known[name]]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise ConfigurationError(f"fault plan: {name} has a value of the wrong type")
        if known[name] == "FaultAction":
            if value not in set(FaultAction):
                raise ConfigurationError(
                    f"fault plan: unknown action {value!r}; known are {', '.join(FaultAction)}"
                )
            values[name] = FaultAction(str(value))
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigurationError(f"fault plan, {kind.__name__}: a field is missing") from error


def _changed_fields(item: LinkFaults | FaultEvent) -> dict[str, Any]:
    return {
        entry.name: getattr(item, entry.name)
        for entry in fields(item)
        if getattr(item, entry.name) != entry.default
    }
