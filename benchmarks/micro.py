"""W15: the CPU time of single operations, by the clock of the thread.

A trial runs an operation once, or a few times if it is shorter than the clock is fine, and one
record is one trial. Minimum and median are for the reader of the records to take: the minimum is
what the code costs, the median what it costs on this machine at this load.
"""

from __future__ import annotations

import ctypes
import gc
import random
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.signing import SigningKey

from nymproxy.address import NodeIdentity, NymAddress
from nymproxy.legacy.message import Data, ProxiedMessage
from nymproxy.mixnet.directory import Node, Topology
from nymproxy.mixnet.directory.bodies import RewardedSet
from nymproxy.mixnet.gateway import RequestKind, SharedKey, open_frame, seal_frame
from nymproxy.mixnet.machine import PacketBuilder
from nymproxy.mixnet.messages import (
    AckKey,
    CoverKeys,
    FragmentId,
    MixPacket,
    PlainMessage,
    Reassembler,
    build_ack,
    encode_message,
    split_message,
)
from nymproxy.mixnet.randomness import exponential_delays_ns, system_random_bytes
from nymproxy.mixnet.records import DeliveryRecord
from nymproxy.mixnet.sphinx import NodeAddress, PacketSize, build_header, partially_unwrap
from nymproxy.mixnet.traffic import (
    DEFAULT,
    OutgoingFragment,
    OutgoingMessage,
    PacketKind,
)
from nymproxy.stream.codec import MessageType, StreamFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NONCE_BYTES = 12
OPERATIONS = (
    "data_packet",
    "data_packet_prepared",
    "ack_packet",
    "surb_create",
    "surb_use",
    "unwrap",
    "gateway_frame",
    "reassemble_1mb",
    "lp_frame",
    "proxied_message",
)
WIRE_OF = {"lp_frame": "stream", "proxied_message": "legacy"}
"""All others cost the same on both wires."""

SCALAR_MULTIPLICATIONS = {
    # (any base, fixed base): what no implementation of these operations can do without.
    "data_packet": (9, 3),
    "ack_packet": (4, 1),
    "surb_create": (4, 1),
    "unwrap": (2, 0),
}
ROUNDS = 5
ROUND_PAUSE_SECONDS = 0.3
_FRAME_PAYLOAD_BYTES = 1500
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_MESSAGE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation to time.

    Attributes:
        name: as in ``params.operation``.
        prepare: makes what one run needs, outside the timed part, and returns the timed part.
        repeat: runs in one trial.
        trials: trials in a full measurement.
    """

    name: str
    prepare: Callable[[], Callable[[], object]]
    repeat: int = 1
    trials: int = 600


class Bench:
    """A network on paper, seeded, with the client stack's own parts around it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bytes = self.random.randbytes
        self.client_bytes = system_random_bytes  # what the client draws is part of its cost
        private_keys, nodes = {}, {}
        for number in range(1, 6):
            private = private_keys[number] = self.bytes(32)
            identity = NodeIdentity(bytes(SigningKey(self.bytes(32)).verify_key))
            address = NodeAddress.parse("127.0.0.1", 1000 + number)
            nodes[number] = Node(number, identity, crypto_scalarmult_base(private), address)
        roles = RewardedSet(1, (4,), (5,), ((1,), (2,), (3,)), ())
        self.first_private_key = private_keys[1]
        self.topology = Topology(1, 2, roles, nodes)
        self.encryption_private = self.bytes(32)
        self.address = NymAddress(
            bytes(SigningKey(self.bytes(32)).verify_key),
            crypto_scalarmult_base(self.encryption_private),
            nodes[4].identity,
        )
        self.recipient = NymAddress(
            bytes(SigningKey(self.bytes(32)).verify_key),
            crypto_scalarmult_base(self.bytes(32)),
            nodes[5].identity,
        )
        self.ack_key = AckKey(self.bytes(16))
        self.shared_key = SharedKey(self.bytes(32))

    def builder(self, pool_size: int) -> PacketBuilder:
        """Return the client's packet builder, with or without prepared headers."""
        profile = replace(DEFAULT, header_pool_size=pool_size)
        cover_keys = CoverKeys(self.encryption_private)
        builder = PacketBuilder(self.address, self.ack_key, profile, self.client_bytes, cover_keys)
        builder.use_topology(self.topology)
        return builder

    def fragments(self) -> Iterator[OutgoingFragment]:
        """Yield full fragments to the recipient, without end."""
        encoded = encode_message(PlainMessage(self.bytes(100_000)))
        while True:
            pieces = split_message(encoded, PacketSize.REGULAR, self.bytes)[:-1]
            message = OutgoingMessage(
                DeliveryRecord(len(pieces)), PacketKind.DATA, self.recipient, 1, 10
            )
            for piece in pieces:
                yield OutgoingFragment(message, piece.id, piece.to_bytes(), PacketSize.REGULAR)

    def seal(self, packet: MixPacket) -> bytes:
        """Seal the gateway frame of a packet, as the gateway protocol does."""
        nonce = self.client_bytes(NONCE_BYTES)
        return seal_frame(self.shared_key, RequestKind.FORWARD_SPHINX_V2, packet.encode_v2(), nonce)

    # The operations. Each returns what prepares one run.

    def data_packet(self) -> Callable[[], Callable[[], object]]:
        """Packet, its ack, ephemeral encryption, gateway frame; all headers made on the spot."""
        builder, fragments = self.builder(0), self.fragments()

        def prepare() -> Callable[[], object]:
            fragment = next(fragments)
            return lambda: self.seal(builder.build(fragment).packet)

        return prepare

    def data_packet_prepared(self) -> Callable[[], Callable[[], object]]:
        """The same, with headers and key prepared before."""
        builder, fragments = self.builder(64), self.fragments()
        for _ in range(8):  # the pool grows with the demand it sees
            builder.build(next(fragments))

        def prepare() -> Callable[[], object]:
            while builder.wants_headers:
                builder.prepare_some()
            fragment = next(fragments)
            return lambda: self.seal(builder.build(fragment).packet)

        return prepare

    def ack_packet(self) -> Callable[[], Callable[[], object]]:
        """The ack alone: header to ourselves and 21 bytes of payload."""
        identifier = FragmentId(b"\x80\x00\x00\x01\x01")
        mean = DEFAULT.ack_delay_seconds

        def run() -> object:
            route = self.topology.route_to(self.address.gateway, self.client_bytes)
            header = build_header(
                route,
                exponential_delays_ns(self.client_bytes, mean, len(route)),
                self.address.identity,
                rotation=self.topology.rotation,
                random_bytes=self.client_bytes,
            )
            return build_ack(header, self.ack_key, identifier, self.client_bytes)

        return lambda: run

    def surb_create(self) -> Callable[[], Callable[[], object]]:
        """One reply SURB with its key, as bytes."""
        builder = self.builder(0)
        return lambda: lambda: builder.create_surb(self.topology).to_bytes()

    def surb_use(self) -> Callable[[], Callable[[], object]]:
        """Payload layers of a regular packet from a SURB as it was received."""
        builder, plaintext = self.builder(0), self.bytes(PacketSize.REGULAR.plaintext_length)

        def prepare() -> Callable[[], object]:
            surb = builder.create_surb(self.topology).surb
            return lambda: surb.use(plaintext, PacketSize.REGULAR)

        return prepare

    def unwrap(self) -> Callable[[], Callable[[], object]]:
        """One hop of a regular packet, at the first mix node."""
        builder, fragments = self.builder(0), self.fragments()

        def prepare() -> Callable[[], object]:
            packet = builder.build(next(fragments)).packet.packet
            return lambda: partially_unwrap(packet, self.first_private_key).finish()

        return prepare

    def gateway_frame(self) -> Callable[[], Callable[[], object]]:
        """Seal a frame with a regular packet, and open it."""
        packet = self.builder(0).build(next(self.fragments())).packet
        return lambda: lambda: open_frame(self.shared_key, self.seal(packet), RequestKind)

    def reassemble_1mb(self) -> Callable[[], Callable[[], object]]:
        """Split a message of 1 MB into fragments as bytes, and put it together again."""
        encoded = encode_message(PlainMessage(self.bytes(1_000_000)))

        def run() -> object:
            reassembler = Reassembler()
            for fragment in split_message(encoded, PacketSize.REGULAR, self.bytes):
                whole = reassembler.insert(type(fragment).parse(fragment.to_bytes()), 0.0)
            return whole

        return lambda: run

    def lp_frame(self) -> Callable[[], Callable[[], object]]:
        """Encode and decode a stream frame."""
        frame = StreamFrame(
            self.random.getrandbits(64), MessageType.DATA, 7, self.bytes(_FRAME_PAYLOAD_BYTES)
        )
        return lambda: lambda: StreamFrame.decode(frame.encode())

    def proxied_message(self) -> Callable[[], Callable[[], object]]:
        """Encode and decode a message of the legacy protocol."""
        session = uuid.UUID(bytes=self.bytes(16), version=4)
        message = ProxiedMessage(Data(self.bytes(_MESSAGE_BYTES)), session, 7)
        return lambda: lambda: ProxiedMessage.decode(message.encode())


def operations(bench: Bench) -> list[Operation]:
    """Return all operations, ready to be timed."""
    shapes = {
        "gateway_frame": (10, 300),
        "reassemble_1mb": (1, 240),
        "lp_frame": (50, 200),
        "proxied_message": (50, 200),
    }
    return [
        Operation(name, getattr(bench, name)(), *shapes.get(name, (1, 600))) for name in OPERATIONS
    ]


def time_operation(operation: Operation, trials: int) -> list[float]:
    """Return microseconds of thread CPU time of each trial, after a discarded warm-up."""
    for _ in range(max(1, trials // 10)):
        operation.prepare()()
    samples = []
    for _ in range(trials):
        run = operation.prepare()
        started = time.thread_time_ns()
        for _ in range(operation.repeat):
            run()
        ended = time.thread_time_ns()
        samples.append((ended - started) / operation.repeat / 1000)
    return samples


def _keep_freed_memory() -> None:
    """Have the C library give nothing back to the system, if it is glibc.

    By what the thread and its heap went through before, it gives megabytes back after each trial
    or does not, and the pages that are missing in the next one are half of its time.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
        mallopt(_M_MMAP_THRESHOLD, 1 << 25)


def time_in_rounds(
    listed: Sequence[Operation], divisor: int
) -> Iterator[tuple[Operation, list[float]]]:
    """Yield samples of each operation in turn, several times.

    What else uses the caches makes an operation on a megabyte dearer, and a scalar multiplication
    not at all. That comes and goes, and all trials of one operation take less than a second.
    """
    _keep_freed_memory()
    gc.collect()
    gc.disable()  # a collection would be charged to whichever trial it hits
    try:
        for number in range(ROUNDS):
            time.sleep(ROUND_PAUSE_SECONDS if number else 0)
            for operation in listed:
                trials = max(4, operation.trials // divisor // ROUNDS)
                yield operation, time_operation(operation, trials)
    finally:
        gc.enable()


def floor_us(operation: str, variable_base_us: float, fixed_base_us: float) -> float | None:
    """Return what an operation's scalar multiplications alone take; ``None`` without any."""
    counts = SCALAR_MULTIPLICATIONS.get(operation)
    if counts is None:
        return None
    return counts[0] * variable_base_us + counts[1] * fixed_base_us


def scalar_multiplications(bench: Bench) -> list[Operation]:
    """Return the primitives of :func:`floor_us`: any base, fixed base."""
    scalar, point = bench.bytes(32), crypto_scalarmult_base(bench.bytes(32))
    return [
        Operation("x25519", lambda: lambda: crypto_scalarmult(scalar, point), 10, 100),
        Operation("x25519_base", lambda: lambda: crypto_scalarmult_base(scalar), 10, 100),
    ]
