"""Everything that a gateway can push."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_scalarmult_base

from nymproxy.address import SenderTag
from nymproxy.mixnet.messages import (
    COVER_FRAGMENT_ID,
    AckReceived,
    CoverReceived,
    Fragment,
    FragmentKey,
    FragmentSetId,
    InboundEvent,
    MalformedInput,
    MessageReceived,
    NymMessage,
    PlainMessage,
    ReassemblyLimits,
    RepliableKind,
    RepliableMessage,
    ReplyMessage,
    ReplyPacketReceived,
    SurbRequest,
    SurbsReceived,
    SurbsRequested,
    build_cover_plaintext,
    detach_ack,
    encode_message,
    fragment_id,
    seal_fragment,
    seal_reply_fragment,
)
from nymproxy.mixnet.messages.cover import COVER_MARKER
from nymproxy.mixnet.messages.payload import open_fragment
from nymproxy.mixnet.sphinx import PacketSize
from tests.messages.builders import SMALL_ORDER_KEY, Client, make_surbs

TAG = SenderTag(b"an anonymous one")
SURBS = make_surbs(random.Random(0), 4)
DATA_SIZES = [size for size in PacketSize if size is not PacketSize.ACK]


def receive_all(client: Client, pushes: list[bytes], now: float = 0) -> list[InboundEvent]:
    return [event for pushed in pushes for event in client.decoder.receive(pushed, now)]


@pytest.mark.parametrize(
    ("message", "events"),
    [
        (PlainMessage(b""), [MessageReceived(b"", None)]),
        (PlainMessage(b"data"), [MessageReceived(b"data", None)]),
        (ReplyMessage(b"data"), [MessageReceived(b"data", None)]),
        (
            RepliableMessage(TAG, RepliableKind.DATA, SURBS, b"data"),
            [SurbsReceived(TAG, SURBS, False), MessageReceived(b"data", TAG)],
        ),
        (
            RepliableMessage(TAG, RepliableKind.DATA, (), b"data"),
            [MessageReceived(b"data", TAG)],
        ),
        (
            RepliableMessage(TAG, RepliableKind.ADDITIONAL_SURBS, SURBS),
            [SurbsReceived(TAG, SURBS, True)],
        ),
        (
            RepliableMessage(TAG, RepliableKind.HEARTBEAT, SURBS),
            [SurbsReceived(TAG, SURBS, False)],
        ),
        (RepliableMessage(TAG, RepliableKind.ADDITIONAL_SURBS, ()), []),
        (
            SurbRequest(Client.create(9).address, 7),
            [SurbsRequested(Client.create(9).address, 7, None)],
        ),
    ],
)
def test_each_kind_gives_its_events(message: NymMessage, events: list[InboundEvent]) -> None:
    client = Client.create()
    assert receive_all(client, client.pushes(message)) == events
    assert not client.decoder.malformed


@pytest.mark.parametrize("size", DATA_SIZES)
def test_long_messages_in_any_order_and_twice(size: PacketSize) -> None:
    client = Client.create()
    data = client.rng.randbytes(3 * size.plaintext_length)
    pushes = client.pushes(PlainMessage(data), size)
    twice = pushes * 2
    client.rng.shuffle(twice)
    assert receive_all(client, twice) == [MessageReceived(data, None)]
    assert not client.decoder.malformed


def test_a_message_in_linked_sets() -> None:
    client = Client.create(limits=ReassemblyLimits(finished_fragments=0))
    data = client.rng.randbytes(600_000)  # 375 fragments, so two sets
    pushes = client.pushes(PlainMessage(data))
    client.rng.shuffle(pushes)
    assert receive_all(client, pushes) == [MessageReceived(data, None)]


def test_replies_are_known_by_their_keys() -> None:
    client = Client.create()
    keys = [surb.encryption_key for surb in SURBS[:2]]
    client.reply_keys.add(keys, now=0)
    pushes = client.reply_pushes(ReplyMessage(bytes(2000)), keys)
    assert receive_all(client, pushes) == [MessageReceived(bytes(2000), None)]
    assert len(client.reply_keys) == 0
    # The keys are used up: what comes again is taken for a packet under an ephemeral key.
    assert receive_all(client, pushes) == []
    assert client.decoder.malformed == {MalformedInput.FRAGMENT: 2}


def test_a_request_for_surbs_says_under_whose_key_it_came() -> None:
    client, given_to, other = (Client.create(seed) for seed in range(3))
    keys = [surb.encryption_key for surb in SURBS]
    client.reply_keys.add(keys[:1], 0, given_to.address)
    request = SurbRequest(other.address, 7)
    assert receive_all(client, client.reply_pushes(request, keys[:1])) == [
        ReplyPacketReceived(given_to.address),
        SurbsRequested(other.address, 7, given_to.address),
    ]
    assert receive_all(client, client.pushes(request)) == [SurbsRequested(other.address, 7, None)]


def test_a_request_in_two_packets_came_under_nobodys_key() -> None:
    """Each of them could have come through the SURB of somebody else."""
    client, server = Client.create(), Client.create(1)
    keys = [surb.encryption_key for surb in SURBS[:2]]
    client.reply_keys.add(keys, 0, server.address)
    encoded = encode_message(SurbRequest(server.address, 7)) + b"\x01"
    set_id = FragmentSetId(5)
    halves = [
        Fragment(set_id, 2, 1, None, encoded[:50]),
        Fragment(set_id, 2, 2, None, encoded[50:]),
    ]
    pushed = [
        detach_ack(seal_reply_fragment(half.to_bytes(), client.ack(), key)).pushed
        for half, key in zip(halves, keys, strict=True)
    ]
    came = ReplyPacketReceived(server.address)
    assert receive_all(client, pushed) == [came, came, SurbsRequested(server.address, 7, None)]


def test_replies_after_a_day_are_not_read() -> None:
    client = Client.create()
    keys = [SURBS[0].encryption_key]
    client.reply_keys.add(keys, now=0)
    pushes = client.reply_pushes(ReplyMessage(b"late"), keys)
    assert receive_all(client, pushes, now=24 * 3600) == []
    assert client.decoder.malformed == {MalformedInput.FRAGMENT: 1}


def test_acks_name_their_fragments() -> None:
    client = Client.create()
    identifier = fragment_id(FragmentSetId(77), 3)
    ack = client.ack_key.seal(identifier, client.rng.randbytes)
    assert client.decoder.receive(ack, 0) == [AckReceived(identifier)]
    cover_ack = client.ack_key.seal(COVER_FRAGMENT_ID, client.rng.randbytes)
    assert client.decoder.receive(cover_ack, 0) == [CoverReceived(is_ack=True)]


@pytest.mark.parametrize("size", DATA_SIZES)
def test_cover_comes_back_as_cover(size: PacketSize) -> None:
    client = Client.create()
    plaintext = build_cover_plaintext(
        size, client.ack(), FragmentKey.draw(client.address.encryption, client.rng.randbytes)
    )
    assert len(plaintext) == size.plaintext_length
    pushed = detach_ack(plaintext).pushed
    content = open_fragment(pushed, client.encryption_private_key)
    assert content == (COVER_MARKER + b"\x01").ljust(len(content), b"\0")
    assert client.decoder.receive(pushed, 0) == [CoverReceived(is_ack=False)]


def push_of_content(client: Client, content: bytes) -> bytes:
    key = FragmentKey.draw(client.address.encryption, client.rng.randbytes)
    return detach_ack(seal_fragment(content, client.ack(), key)).pushed


MESSAGE_OF_NO_KIND = bytes.fromhex("800000050101000901")
MESSAGE_WITHOUT_PADDING = bytes.fromhex("800000050101000000")


def test_each_malformed_input_is_counted() -> None:
    client = Client.create()
    ack = bytearray(client.ack_key.seal(COVER_FRAGMENT_ID, client.rng.randbytes))
    ack[16] ^= 0x80
    other = Client.create(1)
    cases = {
        MalformedInput.ACK: [bytes(ack)],
        MalformedInput.LENGTH: [b"", bytes(20), bytes(22), bytes(32)],
        MalformedInput.EPHEMERAL_KEY: [SMALL_ORDER_KEY + bytes(1611)],
        MalformedInput.FRAGMENT: [
            *other.pushes(PlainMessage(b"for somebody else")),
            push_of_content(client, bytes(1611)),
            crypto_scalarmult_base(b"\x01" * 32) + b"x",
        ],
        MalformedInput.MESSAGE: [
            push_of_content(client, MESSAGE_OF_NO_KIND),
            push_of_content(client, MESSAGE_WITHOUT_PADDING),
        ],
    }
    for pushes in cases.values():
        assert receive_all(client, pushes) == []
    assert client.decoder.malformed == {reason: len(cases[reason]) for reason in MalformedInput}


def test_a_malformed_message_is_not_assembled_twice() -> None:
    client = Client.create()
    for _ in range(2):
        assert client.decoder.receive(push_of_content(client, MESSAGE_OF_NO_KIND), 0) == []
    assert client.decoder.malformed == {MalformedInput.MESSAGE: 1}
    assert client.decoder.reassembler.counts.late_duplicates == 1


@given(st.lists(st.binary(max_size=80) | st.binary(min_size=21, max_size=21)))
def test_any_pushes_are_survived(pushes: list[bytes]) -> None:
    client = Client.create()
    events = receive_all(client, pushes)
    assert len(events) + client.decoder.malformed.total() == len(pushes)


@given(st.binary(max_size=60), st.booleans())
def test_any_decrypted_content_is_survived(content: bytes, is_fragment: bool) -> None:
    client = Client.create()
    start = bytes.fromhex("80000005010100") if is_fragment else b""
    client.decoder.receive(push_of_content(client, start + content), 0)
