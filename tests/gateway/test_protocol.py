"""The client's state machine, driven directly: no sockets, times as arguments."""

from __future__ import annotations

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import NodeIdentity
from nymproxy.errors import (
    ClientNotRegistered,
    GatewayProtocolError,
    GatewayRefused,
    NymError,
    OutOfBandwidth,
    PhaseTimeout,
)
from nymproxy.mixnet.gateway import (
    ClientIdentityKey,
    GatewayClientProtocol,
    GatewayHandshake,
    PhaseLimits,
    RequestKind,
    ResponseKind,
    SharedKey,
    open_frame,
    parse_handshake_text,
    requests,
    responses,
    seal_frame,
)
from nymproxy.mixnet.gateway.encrypted_texts import ForgetMeAck, seal_response
from nymproxy.mixnet.gateway.events import (
    Authenticating,
    BandwidthChanged,
    GatewayEvent,
    Pushed,
    Registered,
    SensitiveAnswer,
    Streaming,
)
from nymproxy.mixnet.gateway.phases import Phase
from nymproxy.mixnet.gateway.refusals import RefusalKind
from nymproxy.mixnet.messages import MixPacket
from tests.gateway.fake_gateway import CREDENTIALS, FREE_BYTES, NOT_REGISTERED, PACKET

CLIENT = ClientIdentityKey(b"c" * 32)
GATEWAY = ClientIdentityKey(b"g" * 32)
KEY = SharedKey(b"k" * 32)
NOON = 1_800_000_000.75 // 86_400 * 86_400 + 43_200.75
CLAIM = requests.ClaimFreeTestnetBandwidth().encode()


class Driver:
    """Feeds a protocol, with a clock that tests move."""

    def __init__(self, *, shared_key: SharedKey | None = KEY) -> None:
        self.now = 100.0
        self.unix_time = NOON
        self.protocol = GatewayClientProtocol(
            CLIENT,
            NodeIdentity(GATEWAY.public_key),
            shared_key=shared_key,
            random_bytes=Random(1).randbytes,
        )

    def start(self) -> None:
        self.protocol.start(self.now)
        assert self.texts() == ['{"type":"supportedProtocol"}']

    def texts(self) -> list[str]:
        return self.protocol.texts_to_send()

    def say(self, response: responses.GatewayResponse | str) -> list[GatewayEvent]:
        text = response if isinstance(response, str) else response.encode()
        return self.protocol.receive_text(text, self.now, self.unix_time)

    def push(self, message: bytes, key: SharedKey = KEY) -> list[GatewayEvent]:
        frame = seal_frame(key, ResponseKind.PUSHED_MIX_MESSAGE, message, b"n" * 12)
        return self.protocol.receive_binary(frame, self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.unix_time += seconds

    def time_out(self) -> None:
        deadline = self.protocol.deadline
        assert deadline is not None
        self.advance(deadline - self.now)
        self.protocol.time_out(self.now, self.unix_time)


def authenticating(version: int = 6) -> Driver:
    driver = Driver()
    driver.start()
    events = driver.say(responses.SupportedProtocolResponse(version))
    assert events == [Authenticating(int(NOON))]
    (text,) = driver.texts()
    request = requests.parse_request(text)
    assert isinstance(request, requests.AuthenticateV2)
    assert (request.protocol_version, request.unix_timestamp) == (version, int(NOON))
    return driver


def streaming(version: int = 6, available: int = FREE_BYTES) -> Driver:
    driver = authenticating(version)
    events = driver.say(responses.AuthenticateResponse(version, True, available))
    assert events == [BandwidthChanged(available), Streaming()]
    assert driver.texts() == []
    return driver


def in_phase(phase: Phase) -> Driver:
    """Bring a fresh driver into a phase."""
    if phase is Phase.STREAMING:
        return streaming()
    if phase in (Phase.AUTHENTICATING, Phase.CLAIMING):
        driver = authenticating()
        if phase is Phase.CLAIMING:
            driver.say(responses.AuthenticateResponse(6, True, 0))
        return driver
    driver = Driver(shared_key=None)
    driver.start()
    if phase is not Phase.ASKING_VERSION:
        driver.say(responses.SupportedProtocolResponse(6))
        register_until(driver, phase)
    return driver


def register_until(driver: Driver, phase: Phase) -> None:
    gateway = GatewayHandshake(GATEWAY, random_bytes=Random(2).randbytes)
    while driver.protocol.phase is not phase:
        (text,) = driver.texts()
        driver.say(gateway.receive(parse_handshake_text(text)).encode())


PHASES = [phase for phase in Phase if phase is not Phase.NEW]


@pytest.mark.parametrize("phase", PHASES)
def test_phases(phase: Phase) -> None:
    driver = in_phase(phase)
    assert driver.protocol.phase is phase
    assert driver.protocol.is_streaming is (phase is Phase.STREAMING)


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [
        (Phase.ASKING_VERSION, PhaseLimits().version),
        (Phase.EXCHANGING_KEYS, PhaseLimits().handshake),
        (Phase.AWAITING_CONFIRMATION, PhaseLimits().handshake),
        (Phase.AWAITING_REGISTRATION, PhaseLimits().authenticate),
        (Phase.AUTHENTICATING, PhaseLimits().authenticate),
        (Phase.CLAIMING, PhaseLimits().claim),
    ],
)
def test_deadlines(phase: Phase, seconds: float) -> None:
    driver = in_phase(phase)
    driver.texts()
    start = driver.now
    assert driver.protocol.deadline == start + seconds
    driver.protocol.time_out(start + seconds - 0.01, NOON)  # too early: nothing happens
    with pytest.raises(PhaseTimeout, match="did not answer in time while"):
        driver.time_out()
    texts = driver.texts()
    if phase in (Phase.EXCHANGING_KEYS, Phase.AWAITING_CONFIRMATION):
        assert texts == [
            '{"type":"handshakeError","message":"timed out waiting for a handshake message"}'
        ]
    else:
        assert texts == []


def test_registration() -> None:
    driver = in_phase(Phase.AWAITING_REGISTRATION)
    assert driver.texts() == []
    key = driver.protocol._opening.receiving_key or KEY
    # A stored message comes under the new key, one under an old key is passed over.
    assert driver.push(b"stored", key) == [Pushed(b"stored")]
    assert driver.push(b"lost", KEY) == []
    assert driver.say(responses.SendResponse(5)) == []
    assert driver.say(responses.RegisterResponse(6, True)) == [Registered(key, int(NOON))]
    assert driver.texts() == [CLAIM]
    assert driver.say(responses.BandwidthResponse(FREE_BYTES)) == [
        BandwidthChanged(FREE_BYTES),
        Streaming(),
    ]


def test_registration_texts_that_are_passed_over() -> None:
    driver = in_phase(Phase.EXCHANGING_KEYS)
    for text in ("{", '{"type":"unknown"}', responses.SendResponse(1).encode()):
        assert driver.say(text) == []
    assert driver.protocol.receive_binary(b"\x01\x01" + b"x" * 50, driver.now) == []
    with pytest.raises(GatewayRefused, match="stop the other process"):
        driver.say(responses.ErrorResponse("There is already an open connection to this client"))
    assert driver.protocol.refusal is RefusalKind.DUPLICATE


def test_registration_failure_is_told_to_the_gateway() -> None:
    driver = in_phase(Phase.EXCHANGING_KEYS)
    driver.texts()
    with pytest.raises(GatewayProtocolError):
        driver.say('{"type":"handshakePayload","protocol_version":6,"data":[1]}')
    assert driver.texts() == [
        '{"type":"handshakeError","message":"received response was malformed:"}'
    ]


@pytest.mark.parametrize("version", [0, 1, 3, 7, 255])
def test_version_of_the_authentication_answer(version: int) -> None:
    driver = authenticating()
    with pytest.raises(GatewayRefused, match="choose another gateway"):
        driver.say(responses.AuthenticateResponse(version, True, FREE_BYTES))
    assert driver.protocol.refusal is RefusalKind.VERSION


def test_authentication_answers() -> None:
    driver = authenticating()
    assert driver.push(b"stored") == [Pushed(b"stored")]
    assert driver.protocol.receive_binary(b"\x01\x01" + b"x" * 50, driver.now) == []
    with pytest.raises(GatewayRefused, match="did not accept"):
        driver.say(responses.AuthenticateResponse(6, False, 0))

    driver = authenticating()
    with pytest.raises(ClientNotRegistered):
        driver.say(responses.ErrorResponse(NOT_REGISTERED))
    assert driver.protocol.refusal is RefusalKind.NOT_REGISTERED


@pytest.mark.parametrize("phase", [Phase.ASKING_VERSION, Phase.AUTHENTICATING])
@pytest.mark.parametrize(
    "response",
    [
        responses.BandwidthResponse(1),
        responses.TicketReplayResponse(),
        responses.OutOfBandwidthResponse(1, 0),
        responses.RegisterResponse(6, True),
    ],
    ids=lambda response: type(response).__name__,
)
def test_unexpected_answers(phase: Phase, response: responses.GatewayResponse) -> None:
    driver = in_phase(phase)
    with pytest.raises(GatewayProtocolError, match=type(response).__name__):
        driver.say(response)


def sealed(driver: Driver) -> tuple[RequestKind, bytes]:
    (frame,) = driver.protocol.seal_packets([PACKET])
    opened = open_frame(KEY, frame, RequestKind)
    return opened.kind, opened.plaintext


def test_packets_in_both_forms() -> None:
    kind, plaintext = sealed(streaming(version=4))
    assert kind is RequestKind.FORWARD_SPHINX
    assert MixPacket.decode_v1(plaintext).packet == PACKET.packet
    kind, plaintext = sealed(streaming(version=5))
    assert kind is RequestKind.FORWARD_SPHINX_V2
    assert MixPacket.decode_v2(plaintext) == PACKET


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase is not Phase.STREAMING])
def test_no_packets_before_streaming(phase: Phase) -> None:
    driver = in_phase(phase)
    assert not driver.protocol.renew_bandwidth(driver.now, driver.unix_time)
    with pytest.raises(GatewayProtocolError):
        driver.protocol.seal_packets([PACKET])


def test_nonces_differ() -> None:
    frames = streaming().protocol.seal_packets([PACKET] * 3)
    assert len({frame[2:14] for frame in frames}) == 3


def is_claiming(driver: Driver) -> bool:
    return driver.protocol.allowance.claimed_at is not None


def test_what_never_resolves_a_claim() -> None:
    driver = streaming(available=40_000_000)
    driver.say(responses.SendResponse(39_999_999))
    assert driver.protocol.renew_bandwidth(driver.now, driver.unix_time)
    assert driver.texts() == [CLAIM]
    answer = seal_response(ForgetMeAck(), KEY, b"n" * 12)
    assert driver.say(responses.SendResponse(39_000_000)) == [BandwidthChanged(39_000_000)]
    assert driver.say(answer) == [SensitiveAnswer(ForgetMeAck())]
    assert driver.say(responses.OutOfBandwidthResponse(2413, 100)) == [BandwidthChanged(100)]
    assert driver.push(b"message") == [Pushed(b"message")]
    assert is_claiming(driver)
    assert driver.texts() == []  # one claim at a time
    assert not driver.protocol.renew_bandwidth(driver.now, driver.unix_time)
    assert driver.say(responses.BandwidthResponse(FREE_BYTES)) == [BandwidthChanged(FREE_BYTES)]
    assert not is_claiming(driver)
    assert driver.protocol.renew_bandwidth(driver.now, driver.unix_time)
    assert driver.texts() == []


def test_out_of_bandwidth_claims_at_once() -> None:
    driver = streaming()
    driver.say(responses.OutOfBandwidthResponse(2413, 0))
    assert driver.texts() == [CLAIM]


def test_midnight_claims_before_the_next_packet() -> None:
    driver = streaming()
    driver.advance(43_200)
    driver.protocol.receive_pong(driver.now)
    assert not driver.protocol.renew_bandwidth(driver.now, driver.unix_time)
    assert driver.texts() == [CLAIM]
    driver.say(responses.SendResponse(FREE_BYTES))  # still the old allowance
    assert not driver.protocol.renew_bandwidth(driver.now, driver.unix_time)
    driver.say(responses.BandwidthResponse(FREE_BYTES))
    assert driver.protocol.renew_bandwidth(driver.now, driver.unix_time)
    assert driver.texts() == []


def test_failed_claims() -> None:
    driver = in_phase(Phase.CLAIMING)
    with pytest.raises(GatewayRefused):
        driver.say(responses.ErrorResponse(CREDENTIALS))
    assert driver.protocol.refusal is RefusalKind.PAYMENT_REQUIRED
    driver = in_phase(Phase.CLAIMING)
    with pytest.raises(OutOfBandwidth):
        driver.say(responses.BandwidthResponse(0))


def test_small_grants_are_used_and_renewed_now_and_then() -> None:
    driver = in_phase(Phase.CLAIMING)
    driver.texts()
    driver.say(responses.BandwidthResponse(5000))
    assert driver.protocol.is_streaming
    driver.say(responses.OutOfBandwidthResponse(8557, 5000))
    assert driver.texts() == []
    driver.time_out()
    assert driver.texts() == [CLAIM]
    assert not driver.protocol.take_ping()


def test_claim_time_limit_while_streaming() -> None:
    driver = streaming()
    driver.say(responses.OutOfBandwidthResponse(2413, 0))
    for _ in range(2):
        driver.advance(14)
        driver.protocol.receive_pong(driver.now)
    with pytest.raises(PhaseTimeout, match="bandwidth claim"):
        driver.time_out()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (responses.ErrorResponse("Provided binary request was malformed").encode(), GatewayRefused),
        (responses.TicketReplayResponse().encode(), GatewayProtocolError),
        ("{", GatewayProtocolError),
        ('{"type":"new"}', GatewayProtocolError),
    ],
)
def test_fatal_texts(text: str, error: type[NymError]) -> None:
    with pytest.raises(error):
        streaming().say(text)


def test_texts_that_are_passed_over_while_streaming() -> None:
    driver = streaming()
    assert driver.say(responses.SupportedProtocolResponse(6)) == []
    assert driver.say(responses.RegisterResponse(6, True)) == []
    assert driver.say(responses.EncryptedResponse(b"x", b"y")) == []
    assert driver.say(responses.BandwidthResponse(7)) == [BandwidthChanged(7)]


@pytest.mark.parametrize("frame", [b"", b"\x01", b"\x01\x00" + b"x" * 40, b"\x01\x01" + b"x" * 40])
def test_fatal_frames(frame: bytes) -> None:
    driver = streaming()
    with pytest.raises(GatewayProtocolError):
        driver.protocol.receive_binary(frame, driver.now)


def test_keep_alive() -> None:
    limits = PhaseLimits()
    driver = streaming()
    driver.advance(limits.idle - 1)
    driver.say(responses.SendResponse(FREE_BYTES))
    assert driver.protocol.deadline == driver.now + limits.idle
    driver.time_out()
    assert driver.protocol.take_ping()
    assert not driver.protocol.take_ping()
    driver.protocol.receive_pong(driver.now + 1)
    driver.advance(1)
    driver.time_out()
    assert driver.protocol.take_ping()
    with pytest.raises(PhaseTimeout, match="gone silent"):
        driver.time_out()


def test_postponing() -> None:
    """Time in which nobody read says nothing about the peer."""
    driver = streaming()
    idle = driver.protocol.deadline
    assert idle is not None
    driver.protocol.postpone(1000.0)
    assert driver.protocol.deadline == idle + 1000.0
    driver.time_out()
    assert driver.protocol.take_ping()
    pong = driver.protocol.deadline
    assert pong is not None
    driver.protocol.postpone(50.0)
    assert driver.protocol.deadline == pong + 50.0

    driver = streaming()
    driver.say(responses.OutOfBandwidthResponse(2413, 0))
    claim = driver.protocol.deadline
    assert claim == driver.now + PhaseLimits().claim
    driver.protocol.postpone(1000.0)
    assert driver.protocol.deadline == claim + 1000.0


def test_nothing_before_the_start() -> None:
    driver = Driver()
    assert driver.protocol.deadline is None
    driver.protocol.time_out(1e9, NOON)
    with pytest.raises(GatewayProtocolError):
        driver.say(responses.SendResponse(1))


ANY_RESPONSE = st.sampled_from(
    [
        responses.SupportedProtocolResponse(6).encode(),
        responses.RegisterResponse(6, True).encode(),
        responses.AuthenticateResponse(6, True, 5).encode(),
        responses.BandwidthResponse(50_000_000).encode(),
        responses.SendResponse(1).encode(),
        responses.OutOfBandwidthResponse(1, 0).encode(),
        responses.EncryptedResponse(b"", b"").encode(),
        '{"type":"handshakePayload","protocol_version":6,"data":[1]}',
    ]
)


@given(
    st.sampled_from(PHASES),
    st.lists(
        st.one_of(ANY_RESPONSE, st.text(max_size=10), st.binary(max_size=60), st.floats(0, 100)),
        max_size=8,
    ),
)
def test_never_crashes(phase: Phase, happenings: list[str | bytes | float]) -> None:
    """Whatever comes in whatever phase: an event, or one of our errors; and always a deadline."""
    driver = in_phase(phase)
    with contextlib.suppress(NymError):
        for happening in happenings:
            match happening:
                case str():
                    driver.say(happening)
                case bytes():
                    driver.protocol.receive_binary(happening, driver.now)
                case _:
                    driver.advance(happening)
                    driver.protocol.time_out(driver.now, driver.unix_time)
            assert driver.protocol.deadline is not None
            driver.protocol.renew_bandwidth(driver.now, driver.unix_time)


@pytest.mark.parametrize("phase", [Phase.ASKING_VERSION, Phase.AUTHENTICATING])
def test_texts_before_the_answer_that_are_passed_over(phase: Phase) -> None:
    driver = in_phase(phase)
    assert driver.say(responses.SendResponse(1)) == []
    assert driver.protocol.phase is phase
