"""What each side of a legacy session knows of the other, and what follows from it."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nymproxy._arguments import check_number
from nymproxy.channel import (
    AbortSignal,
    Capability,
    EndSignal,
    PeerMemory,
    PeerTraits,
    Segment,
    SegmentKind,
)
from nymproxy.channel.quirks import Quirks
from nymproxy.channel.rules import KIB, ChannelRules, FlowRules, OrderRules, QuietRules, SendRules
from nymproxy.errors import ConfigurationError
from nymproxy.legacy.message import MESSAGE_ID_MODULUS
from nymproxy.legacy.pacing import FIRST_GAP_SECONDS, LegacyPacing
from nymproxy.legacy.quirks import OldClientQuirks, WakeUp

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.legacy.session_id import SessionIdVersion
    from nymproxy.legacy.turns import ServerTurns

logger = logging.getLogger("nymproxy.legacy")

MIN_FIRST_SURBS = 20
"""Ten are reserved by the receiver for its own requests, so fewer leave nothing to answer with."""
ANSWER_SURBS = 3
"""With a question: they fit into its packet, and a server that was restarted has no others."""
ASKER_DEAD_SECONDS = 100.0
"""A client that asks every 20 s, and is silent for so long, is gone."""
LAST_MESSAGE_ID = 65534
"""Towards an old peer ids never wrap: it would sort 65535 and 0 the wrong way round."""
_PIECE_BYTES = 32 * KIB
_PIECE_BYTES_TO_OLD_SERVER = 64 * KIB
_PIECE_BYTES_TO_ENDED_OLD_CLIENT = 128 * KIB


@dataclass(frozen=True, slots=True)
class LegacySettings:
    """Settings of the legacy protocol; times in seconds.

    Attributes:
        close_timeout_seconds: client: after the app's end was acknowledged, so long without a
            message from the server ends the session.
        session_id_version: 8 numbers from 0 and shows the server that this is not an old client;
            4 looks like one: ids from 1, so a seven-second delay at old servers, no wake-up, and
            no Close from ours.
        surbs_initial: reply SURBs with the first message of a session, at least 20.
        surbs_per_message: reply SURBs with each later one; the packet layer answers the server's
            requests for more.
        pacing_seconds: gap after a short message towards an old server; 0 for none.
        first_gap_seconds: gap after the first message towards an old server.
        second_close_after_seconds: an old server may have ignored the first Close.
        wake_up_after_seconds: when the app is silent so long, an empty message makes the server
            connect, so that an upstream can speak first.
        s2c_idle_eof_seconds: silence of the server taken as its end; ``None``: never.
        connect_timeout_seconds: client: nothing at all came from the server for so long, with
            nothing more to send; ``None``: no limit.
        session_idle_timeout_seconds: a session without any message.
        half_closed_timeout_seconds: server: the same when one direction has ended.
        close_to_legacy_clients: server: send Close to old clients too, which may make them write
            data again.
        zero_grace_seconds: server: hold id 1 of an old client back, so that a 0 can still come.
        gap_timeout_seconds: a missing message ends the session after so long.
        reorder_limit_messages: messages that wait behind a missing one.
        reorder_limit_bytes: their bytes.
        send_window_bytes: bytes of a session that wait to leave.

    Raises:
        ConfigurationError: a value that cannot work.
    """

    close_timeout_seconds: float = 60.0
    session_id_version: SessionIdVersion = 8
    surbs_initial: int = 100
    surbs_per_message: int = 0
    pacing_seconds: float = 0.25
    first_gap_seconds: float = FIRST_GAP_SECONDS
    second_close_after_seconds: float = 3.0
    wake_up_after_seconds: float = 1.0
    s2c_idle_eof_seconds: float | None = None
    connect_timeout_seconds: float | None = None
    session_idle_timeout_seconds: float = 30 * 60.0
    half_closed_timeout_seconds: float = 10 * 60.0
    close_to_legacy_clients: bool = False
    zero_grace_seconds: float = 0.0
    gap_timeout_seconds: float = 120.0
    reorder_limit_messages: int = 4096
    reorder_limit_bytes: int = 64 * 1024 * KIB
    send_window_bytes: int = 256 * KIB

    def __post_init__(self) -> None:
        check_number(
            self.surbs_initial,
            "the number of reply SURBs with a session's first message",
            least=MIN_FIRST_SURBS,
            whole=True,
            why=": with fewer the server cannot answer",
        )
        if self.session_id_version not in (4, 8):
            raise ConfigurationError(
                f"the session id version is 8 or 4, not {self.session_id_version}"
            )
        for name, value in (
            ("close timeout", self.close_timeout_seconds),
            ("pacing", self.pacing_seconds),
            ("first gap", self.first_gap_seconds),
            ("number of SURBs per message", self.surbs_per_message),
        ):
            check_number(value, f"the {name}")


def is_question(segment: Segment) -> bool:
    """Tell whether a client of ours asks if its session is there: an empty message that is not the
    first says nothing else."""
    return segment.kind is SegmentKind.DATA and not segment.payload and segment.sequence > 0


def _described(segment: Segment) -> str:
    session_id = uuid.UUID(int=segment.channel_id)
    return f"id {segment.sequence} for session {session_id} of {len(segment.payload)} bytes"


def _rules(settings: LegacySettings, quiet: QuietRules, *, first: tuple[int, int]) -> ChannelRules:
    """``first``: the first number that is sent, and the first that is expected."""
    return ChannelRules(
        has_open=False,
        order=OrderRules(
            sequence_modulus=MESSAGE_ID_MODULUS,
            first_send_sequence=first[0],
            first_receive_sequence=first[1],
            reorder_limit_frames=settings.reorder_limit_messages,
            reorder_limit_bytes=settings.reorder_limit_bytes,
            gap_timeout_seconds=settings.gap_timeout_seconds,
        ),
        sending=SendRules(send_window_bytes=settings.send_window_bytes),
        flow=FlowRules(unread_limit_bytes=settings.reorder_limit_bytes),
        quiet=quiet,
    )


class ServerTraits(PeerTraits):
    """A server, seen by a client: an old one until it has shown its trailer.

    What was learned of a server holds for later sessions with the same address.
    """

    def __init__(
        self,
        settings: LegacySettings,
        to: NymAddress,
        memory: PeerMemory,
        *,
        packet_rate: float | None,
        turns: ServerTurns | None = None,
    ) -> None:
        self._first_id = 0 if settings.session_id_version == 8 else 1
        quiet = QuietRules(
            idle_timeout_seconds=settings.session_idle_timeout_seconds,
            answer_timeout_seconds=settings.close_timeout_seconds,
            silence_end_seconds=settings.s2c_idle_eof_seconds,
            connect_timeout_seconds=settings.connect_timeout_seconds,
        )
        super().__init__(_rules(settings, quiet, first=(self._first_id, 0)))
        self._settings = settings
        self._to = to
        self._memory = memory
        self._wake_up: WakeUp | None = None
        known = memory.recall(to)
        self.is_modern = known is not None and Capability.SINGLE_CLOSE in known
        if not self.is_modern:
            self.pacing = LegacyPacing(
                gap_seconds=settings.pacing_seconds,
                first_gap_seconds=settings.first_gap_seconds,
                packet_rate=packet_rate,
                turns=turns,
                server=to,
            )

    def quirks(self, now: float) -> Quirks:
        """Wake the server, unless it would hold the wake-up back as well (ids from 1)."""
        if self._first_id:
            return Quirks()
        self._wake_up = WakeUp(now + self._settings.wake_up_after_seconds)
        return self._wake_up

    def segment_received(self, segment: Segment) -> None:
        """Learn from the server's trailer."""
        shown = segment.capabilities
        if not shown:
            return
        if shown != self._memory.recall(self._to):
            self._memory.remember(self._to, shown)
        if Capability.SINGLE_CLOSE in shown:
            self.is_modern = True
            self.pacing = None
            if self._wake_up is not None:
                self._wake_up.may_ask()

    @property
    def max_payload_bytes(self) -> int:
        """Fewer, larger messages are safer at an old server."""
        return _PIECE_BYTES if self.is_modern else _PIECE_BYTES_TO_OLD_SERVER

    @property
    def max_unsent_messages(self) -> int:
        """While one waits to leave for an old server, what follows is merged."""
        return super().max_unsent_messages if self.is_modern else 1

    @property
    def last_send_index(self) -> int | None:
        """Ids wrap only towards a server that can order them."""
        return None if self.is_modern else LAST_MESSAGE_ID - self._first_id

    def stamp(self, segment: Segment) -> Segment:
        """Show with the first message that we ask, and write the old client's log line."""
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("Sent message with %s", _described(segment))
        is_first = segment.kind is SegmentKind.DATA and segment.sequence == 0
        return replace(segment, capabilities=Capability.ASKS) if is_first else segment

    def surbs(self, segment: Segment, *, first: bool) -> int:
        """Many with the first message; then the server asks for what it needs."""
        if first:
            return self._settings.surbs_initial
        is_question = segment.kind is SegmentKind.DATA and not segment.payload
        return ANSWER_SURBS if is_question else self._settings.surbs_per_message

    def may_send(self, kind: SegmentKind) -> bool:
        """A Close is always understood; that it is an abort, by a server of ours. An unknown one
        may be ours, and an old one does not look behind the message."""
        marks_aborts = self._settings.session_id_version == 8
        return kind is SegmentKind.FIN or (kind is SegmentKind.RESET and marks_aborts)

    @property
    def end_signal(self) -> EndSignal:
        """The app's end is a Close."""
        return EndSignal.FIN

    @property
    def repeat_end_after_seconds(self) -> float | None:
        """An old server honours a due Close only when another message arrives."""
        return None if self.is_modern else self._settings.second_close_after_seconds

    @property
    def abort_signal(self) -> AbortSignal:
        """A broken app is a Close too, in its place in the order: an old server can be told
        nothing better, and one that has not shown itself yet may be old."""
        return AbortSignal.RESET if self.is_modern else AbortSignal.FIN

    @property
    def peer_signals_end(self) -> bool:
        """An old server never sends a Close: after its silence the app sees an orderly end."""
        return self.is_modern


class ClientTraits(PeerTraits):
    """A client, seen by a server; its session id tells whether it is an old one."""

    def __init__(
        self, settings: LegacySettings, *, is_modern: bool, accepts_streams: bool = False
    ) -> None:
        quiet = QuietRules(
            idle_timeout_seconds=settings.session_idle_timeout_seconds,
            half_closed_timeout_seconds=settings.half_closed_timeout_seconds,
        )
        super().__init__(_rules(settings, quiet, first=(0, 0 if is_modern else 1)))
        self._zero_grace_seconds = settings.zero_grace_seconds
        self.is_modern = is_modern
        self._shown = Capability.SINGLE_CLOSE
        if accepts_streams:
            self._shown |= Capability.STREAMS
        self._has_ended_old = False
        self._gets_close = is_modern or settings.close_to_legacy_clients

    def quirks(self, now: float) -> Quirks:
        """An old client has several."""
        if self.is_modern:
            return Quirks()
        return OldClientQuirks(now, zero_grace_seconds=self._zero_grace_seconds)

    def segment_received(self, segment: Segment) -> None:
        """Note the end of an old client, and that one of ours asks whether we are there: it says so
        at once, or does so (an older nymproxy).

        From its end on an old client has no timer: a message that arrived before an earlier one
        waits in its buffer until another arrives.
        """
        if segment.kind is SegmentKind.FIN and not self.is_modern:
            self._has_ended_old = True
        asks = Capability.ASKS in (segment.capabilities or Capability.NONE)
        if self.is_modern and (asks or is_question(segment)):
            quiet = replace(self.rules.quiet, dead_seconds=ASKER_DEAD_SECONDS)
            self.rules = replace(self.rules, quiet=quiet)

    @property
    def max_payload_bytes(self) -> int:
        """Receivers of either kind take any size; in few messages there is little to reorder."""
        return _PIECE_BYTES_TO_ENDED_OLD_CLIENT if self._has_ended_old else _PIECE_BYTES

    @property
    def max_unsent_messages(self) -> int:
        """While one waits to leave for an old client that has ended, what follows is merged."""
        return 1 if self._has_ended_old else super().max_unsent_messages

    @property
    def last_send_index(self) -> int | None:
        """Ids wrap only towards a client that can order them."""
        return None if self.is_modern else LAST_MESSAGE_ID

    def stamp(self, segment: Segment) -> Segment:
        """Show ourselves to clients that look for it, and write the old server's log line."""
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("Sent reply with %s", _described(segment))
        return replace(segment, capabilities=self._shown) if self.is_modern else segment

    def may_send(self, kind: SegmentKind) -> bool:
        """A Close to an old client may make it write data again, without end."""
        if kind is SegmentKind.RESET:
            return self.is_modern
        return kind is SegmentKind.FIN and self._gets_close

    def asks_for_end(self, segment: Segment) -> bool:
        """A client of ours asks if its session is there."""
        return self.is_modern and is_question(segment)

    @property
    def greets_with_data(self) -> bool:
        """An empty message tells the client at once, within one round trip, who we are."""
        return self.is_modern

    @property
    def end_signal(self) -> EndSignal:
        """The upstream's end is a Close, where it is understood."""
        return EndSignal.FIN if self._gets_close else EndSignal.NONE

    @property
    def abort_signal(self) -> AbortSignal:
        """To an old client, an upstream that cannot be reached or broke is a Close at best."""
        if self.is_modern:
            return AbortSignal.RESET
        return AbortSignal.FIN if self._gets_close else AbortSignal.NONE

    @property
    def peer_signals_end(self) -> bool:
        """Clients of either kind send a Close."""
        return True
