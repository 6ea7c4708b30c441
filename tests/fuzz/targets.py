"""What is fuzzed: each decoder of what comes from outside, as one function of bytes.

A target lets through only the errors that its decoder documents, and holds what was decoded against
its encoding. Its seeds are the recorded vectors, which come from the Rust crates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from nymproxy._strict_json import JsonReader
from nymproxy.address import NymAddress, SenderTag
from nymproxy.channel.segment import WHOLE_KINDS, SegmentKind
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import (
    AddressError,
    ChannelFormatError,
    ConfigurationError,
    DirectoryFormatError,
    GatewayProtocolError,
    MalformedDataError,
    MessageFormatError,
    SphinxError,
    StorageError,
)
from nymproxy.legacy.codec import LegacyCodec
from nymproxy.legacy.message import ProxiedMessage
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.localnet.framing import FrameDecoder
from nymproxy.mixnet.directory import read_env_file_leniently
from nymproxy.mixnet.directory.bodies import (
    parse_key_rotation,
    parse_nodes_page,
    parse_rewarded_set,
)
from nymproxy.mixnet.directory.url_text import normalise_url
from nymproxy.mixnet.gateway import requests, responses
from nymproxy.mixnet.gateway.frames import RequestKind, ResponseKind, open_frame
from nymproxy.mixnet.gateway.handshake_texts import parse_handshake_text
from nymproxy.mixnet.messages import (
    AckKey,
    Fragment,
    InboundDecoder,
    MixPacket,
    PacketOpener,
    Reassembler,
    ReassemblyLimits,
    ReplyKeyStore,
    ReplySurb,
    decode_message,
    detach_ack,
    encode_message,
)
from nymproxy.mixnet.messages.chunking import remove_padding
from nymproxy.mixnet.sphinx import (
    FinalHop,
    KeyRotation,
    NodeAddress,
    Surb,
    partially_unwrap,
    recover_plaintext,
)
from nymproxy.mixnet.storage.pem import decode_pem, encode_pem
from nymproxy.stream.codec import StreamCodec, StreamFrame
from nymproxy.stream.nx2.envelopes import read_own, unseal
from nymproxy.stream.nx2.frames import Accept, Ack, Alive, Ask, Offer, Resume, Seal
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions
from tests.fuzz import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

TAG = SenderTag(bytes(range(16)))


@dataclass(frozen=True)
class Target:
    """One decoder.

    Attributes:
        run: decodes; raises only when the decoder is wrong.
        seeds: inputs to begin with.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]


def binary(
    decode: Callable[[bytes], T],
    *errors: type[Exception],
    encode: Callable[[T], bytes] | None = None,
) -> Callable[[bytes], None]:
    """Make a target of a decoder of bytes; ``encode`` must lead back to what was decoded."""

    def run(data: bytes) -> None:
        try:
            value = decode(data)
        except errors:
            return
        if encode is not None:
            assert decode(encode(value)) == value

    return run


def text(
    decode: Callable[[str], T],
    *errors: type[Exception],
    encode: Callable[[T], str] | None = None,
) -> Callable[[bytes], None]:
    """Make a target of a decoder of text. All of Unicode is reached, lone surrogates as well."""

    def run(data: bytes) -> None:
        try:
            value = decode(data.decode("utf-8", "surrogateescape"))
        except errors:
            return
        if encode is not None:
            assert decode(encode(value)) == value

    return run


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut the input into messages, each behind its length in two bytes."""
    while data:
        length = int.from_bytes(data[:2], "big")
        yield data[2 : 2 + length]
        data = data[2 + length :]


def _hop(packet: bytes) -> None:
    result = partially_unwrap(packet, corpus.node_key()).finish()
    if isinstance(result, FinalHop):
        recover_plaintext(result.payload)


def _message(data: bytes) -> None:
    try:
        message = decode_message(data)
        encoded = encode_message(message)  # refuses SURBs that version 1 could mix, and 2 cannot
    except MessageFormatError:
        return
    assert decode_message(encoded) == message


def _pushed(data: bytes) -> None:
    """What a gateway pushes: it may be anything, and is counted when it is nothing."""
    opener = PacketOpener(corpus.encryption_key(), AckKey(bytes(16)), ReplyKeyStore())
    decoder = InboundDecoder(opener)
    for number, message in enumerate(pieces(data)):
        decoder.receive(message, now=float(number))


def _reassembled(data: bytes) -> None:
    limits = ReassemblyLimits()
    reassembler = Reassembler(limits)
    for number, piece in enumerate(pieces(data)):
        try:
            complete = reassembler.insert(Fragment.parse(piece), now=float(number))
            if complete is not None:
                decode_message(remove_padding(complete.padded))
        except MessageFormatError:
            continue


def _frames(data: bytes) -> None:
    decoder = FrameDecoder()
    for piece in pieces(data):
        if decoder.error is None:
            decoder.receive_data(piece)


def _conversation(data: bytes) -> None:
    """Messages of one peer into the table of all channels, at which nothing may raise."""
    protocols = (StreamProtocol(StreamOptions()), LegacyProtocol())
    table = ChannelTable(protocols, random_bytes=bytes)
    for protocol in protocols:
        table.listen(protocol, 8, 0.0)
    for number, message in enumerate(pieces(data)):
        table.message_received(message, TAG, float(number))
        table.tick(float(number))
        for machine in list(table.channels.values()):
            while machine.is_readable:
                machine.inbound.read(1 << 16)


def _nx2_fields(data: bytes) -> None:
    for decode in (Offer.decode, Accept.decode, Seal.decode):
        _one(lambda decode=decode: decode(data[4:]))  # type: ignore[misc]
    number = int.from_bytes(data[:4], "big")
    for numbered in (Ack.decode, Resume.decode, Ask.decode, Alive.decode):
        _one(lambda decode=numbered: decode(number, data[4:]))  # type: ignore[misc]


def _one(decode: Callable[[], object]) -> None:
    try:
        decode()
    except ChannelFormatError:
        return


def _nx2_frame(data: bytes) -> None:
    _one(lambda: read_own(data))
    _one(lambda: unseal([bytes(32)], TAG.value, data))


def _stream_segment(data: bytes) -> None:
    try:
        segment = STREAM_CODEC.decode(data)
    except ChannelFormatError:
        return
    if segment.kind in WHOLE_KINDS:  # the link opens them
        assert segment.payload == data
        return
    encoded = STREAM_CODEC.encode(segment)
    again = STREAM_CODEC.decode(encoded)
    assert STREAM_CODEC.encode(again) == encoded
    if segment.kind is not SegmentKind.RESET:  # a reason that was no UTF-8 grows, and is cut again
        assert again == segment


def _legacy_segment(data: bytes) -> None:
    try:
        segment = LEGACY_CODEC.decode(data)
    except ChannelFormatError:
        return
    again = LEGACY_CODEC.decode(LEGACY_CODEC.encode(segment))
    if segment.kind is SegmentKind.RESET:  # a reason that was no UTF-8 grows, and is cut again
        again = replace(again, reason=segment.reason)
    elif not segment.capabilities:  # a trailer that shows nothing is not written
        segment = replace(segment, capabilities=None)
    assert again == segment


def _request_frame(data: bytes) -> None:
    open_frame(corpus.FRAME_KEY, data, RequestKind)


def _response_frame(data: bytes) -> None:
    open_frame(corpus.FRAME_KEY, data, ResponseKind, allow_unencrypted=True)


def _env_file(content: str) -> None:
    read_env_file_leniently(content, {})


STREAM_CODEC = StreamCodec()
LEGACY_CODEC = LegacyCodec()
READER = JsonReader(GatewayProtocolError, max_values=10_000)

TARGETS = {
    target.name: target
    for target in (
        Target("sphinx-hop", binary(_hop, SphinxError), corpus.packets),
        Target("sphinx-surb", binary(Surb.parse, SphinxError, encode=Surb.to_bytes), corpus.surbs),
        Target(
            "node-address",
            binary(lambda data: NodeAddress.unpack(data)[0], SphinxError, encode=NodeAddress.pack),
            corpus.node_addresses,
        ),
        Target(
            "message",
            _message,
            corpus.messages,
        ),
        Target(
            "fragment",
            binary(Fragment.parse, MessageFormatError, encode=Fragment.to_bytes),
            corpus.fragments,
        ),
        Target("reassembly", _reassembled, corpus.fragment_sequences),
        Target(
            "reply-surb",
            binary(
                lambda data: ReplySurb.parse(data, KeyRotation.EVEN),
                MessageFormatError,
                encode=ReplySurb.to_bytes,
            ),
            corpus.reply_surbs,
        ),
        Target("ack-block", binary(detach_ack, MessageFormatError), corpus.ack_blocks),
        Target("padding", binary(remove_padding, MessageFormatError), corpus.padded),
        Target("pushed", _pushed, corpus.pushed),
        Target(
            "mix-packet-1",
            binary(MixPacket.decode_v1, MessageFormatError, encode=MixPacket.encode_v1),
            corpus.mix_packets_v1,
        ),
        Target(
            "mix-packet-2",
            binary(MixPacket.decode_v2, MessageFormatError, encode=MixPacket.encode_v2),
            corpus.mix_packets_v2,
        ),
        Target(
            "gateway-frame",
            binary(
                lambda data: open_frame(corpus.FRAME_KEY, data, RequestKind), GatewayProtocolError
            ),
            corpus.request_frames,
        ),
        Target(
            "pushed-frame",
            binary(
                lambda data: open_frame(
                    corpus.FRAME_KEY, data, ResponseKind, allow_unencrypted=True
                ),
                GatewayProtocolError,
            ),
            corpus.response_frames,
        ),
        Target(
            "gateway-request",
            text(
                requests.parse_request,
                GatewayProtocolError,
                encode=lambda request: request.encode(),
            ),
            corpus.request_texts,
        ),
        Target(
            "gateway-response",
            text(
                responses.parse_response,
                GatewayProtocolError,
                encode=lambda response: response.encode(),
            ),
            corpus.response_texts,
        ),
        Target(
            "handshake-text",
            text(
                parse_handshake_text,
                GatewayProtocolError,
                encode=lambda message: message.encode(),
            ),
            corpus.handshake_texts,
        ),
        Target("json", text(READER.read_object, GatewayProtocolError), corpus.response_texts),
        Target("nodes-page", binary(parse_nodes_page, DirectoryFormatError), corpus.node_pages),
        Target(
            "rewarded-set", binary(parse_rewarded_set, DirectoryFormatError), corpus.rewarded_sets
        ),
        Target(
            "key-rotation", binary(parse_key_rotation, DirectoryFormatError), corpus.key_rotations
        ),
        Target("env-file", text(_env_file, ConfigurationError), corpus.env_files),
        Target(
            "url",
            text(normalise_url, ConfigurationError, encode=lambda url: url),
            corpus.urls,
        ),
        Target("address", text(NymAddress.parse, AddressError, encode=str), corpus.addresses),
        Target(
            "address-bytes",
            binary(NymAddress.from_bytes, AddressError, encode=NymAddress.to_bytes),
            corpus.address_bytes,
        ),
        Target(
            "pem",
            binary(
                lambda data: decode_pem(data, corpus.PEM_TAG, 32),
                StorageError,
                encode=lambda key: encode_pem(corpus.PEM_TAG, key),
            ),
            corpus.pem_files,
        ),
        Target("frames-between-nodes", binary(_frames, MalformedDataError), corpus.node_frames),
        Target(
            "stream-frame",
            binary(StreamFrame.decode, ChannelFormatError, encode=StreamFrame.encode),
            corpus.stream_frames,
        ),
        Target(
            "stream-segment",
            _stream_segment,
            corpus.stream_frames,
        ),
        Target(
            "legacy-message",
            binary(ProxiedMessage.decode, ChannelFormatError, encode=ProxiedMessage.encode),
            corpus.legacy_messages,
        ),
        Target(
            "legacy-segment",
            _legacy_segment,
            corpus.legacy_messages,
        ),
        Target("nx2-fields", _nx2_fields, corpus.nx2_fields),
        Target("nx2-frame", _nx2_frame, corpus.nx2_frames),
        Target("channels", _conversation, corpus.conversations),
    )
}
