"""Whether the peer is there, and still has our streams: ASK, ALIVE, and how long is too long.

All times are of a clock that stands still while the process sleeps or its client has no gateway:
:class:`ConnectedClock`. Only the silence of a peer that could have been heard counts.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.errors import ChannelFormatError
from nymproxy.mixnet.randomness import uniform_fraction
from nymproxy.stream.codec import MessageType
from nymproxy.stream.nx2.envelopes import read_own, write_own
from nymproxy.stream.nx2.frames import MAX_ASKED, MIN_ASK_SECONDS, RANDOM_LENGTH, Alive, Ask
from nymproxy.stream.nx2.keys import alive_key, ask_key, has_valid_mac

if TYPE_CHECKING:
    from collections.abc import Collection

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.randomness import RandomBytes

DEAD_INTERVALS = 5
HEARD_INTERVALS = 2
"""So often an acceptor is asked that is heard all the time: what it says on one stream says nothing
of the others, of which either end may have been lost with a RESET."""
REPEAT_SECONDS = (4.0, 8.0)
ALIVE_PAUSE_SECONDS = 2.0
_OUTSTANDING = 4


class ConnectedClock:
    """A clock that counts only time in which the peer could have been heard.

    Args:
        now: of the clock that it is driven by.
    """

    def __init__(self, now: float) -> None:
        self._last = now
        self._awake_until = now
        self._seconds = 0.0
        self._is_connected = True

    @property
    def seconds(self) -> float:
        """Connected time since the start, up to the last :meth:`observe`."""
        return self._seconds

    def observe(self, now: float) -> float:
        """Count the time up to now, and return :attr:`seconds`."""
        if self._is_connected:
            self._seconds += max(0.0, min(now, self._awake_until) - self._last)
        self._last = now
        return self._seconds

    def announce(self, wakes_at: float) -> None:
        """Say when, at the latest, the process looks at the clock again.

        Time behind that was slept through: a process that runs is there when its timer is due.
        """
        self._awake_until = max(wakes_at, self._last)

    def connection_changed(self, now: float, *, is_connected: bool) -> None:
        """Note that the client has, or has lost, its gateway."""
        self.observe(now)
        self._is_connected = is_connected


@dataclass(slots=True)
class _Outstanding:
    ask: Ask
    asked_at: float


class Asker:
    """The dialer's side towards one acceptor's address.

    Args:
        tag: ours, now in use towards that address.
        address: which is asked.
        random_bytes: for nonces and pauses.
        now: connected time of creation.
    """

    def __init__(
        self, tag: SenderTag, address: NymAddress, random_bytes: RandomBytes, now: float
    ) -> None:
        self._address = address
        self._context = tag.value + address.to_bytes()
        self._random_bytes = random_bytes
        self._interval = float(MIN_ASK_SECONDS)
        self._heard_at = self._asked_at = now
        self._streams: dict[int, float] = {}  # since when they are known to the acceptor
        self.has_had_streams = False
        """The acceptor may remember the numbers of our ASKs."""
        self._outstanding: list[_Outstanding] = []
        self._number = 0
        self._repeats = 0
        self.ask_at = math.inf
        """When :meth:`take_due` has something, or should be asked again; connected time."""

    def moved(self, tag: SenderTag) -> None:
        """Ask under another tag from now on; answers to what was asked before are not taken."""
        self._context = tag.value + self._address.to_bytes()
        self._outstanding.clear()

    def wants(self, ask_seconds: int) -> None:
        """Take the interval that an ACCEPT names; the longest one counts."""
        self._interval = max(self._interval, float(ask_seconds))

    def add_stream(self, stream_id: int, now: float) -> None:
        """Note a stream of which a frame of the acceptor has verified."""
        if not self._streams:
            self._heard_at = self._asked_at = now
            self._repeats = 0  # of questions about others, perhaps long ago
            self._schedule(now)
        self._streams.setdefault(stream_id, now)
        self.has_had_streams = True

    def remove_stream(self, stream_id: int) -> None:
        """Forget a stream that is over."""
        self._streams.pop(stream_id, None)
        if not self._streams:
            self.ask_at = math.inf
            self._outstanding.clear()

    def heard(self, now: float) -> None:
        """Note a frame of the acceptor that verified, and was new.

        It puts a question off, but answers none: what the acceptor says comes also when nothing of
        ours reaches it.
        """
        self._heard_at = now
        if self._streams and not self._repeats:
            self._schedule(now)

    @property
    def dead_at(self) -> float:
        """When the acceptor is taken for dead; ``math.inf`` without streams."""
        return self._heard_at + DEAD_INTERVALS * self._interval if self._streams else math.inf

    @property
    def is_unanswered(self) -> bool:
        """True when the last question, and those before it, have had their time."""
        return self._repeats > len(REPEAT_SECONDS)

    def ask_now(self, now: float) -> None:
        """Ask as soon as possible: something hints that the acceptor has lost a stream."""
        if self._streams:
            self.search(now)

    def search(self, now: float) -> None:
        """Ask as soon as possible, three times at most, also without a stream: is anybody there?"""
        self._repeats = 0
        self.ask_at = min(self.ask_at, now)

    def take_due(self, now: float) -> bytes | None:
        """Return an ASK that is due."""
        if now < self.ask_at:
            return None
        ids = list(self._streams)[:MAX_ASKED]
        for stream_id in ids:  # the next ASK begins with the others
            self._streams[stream_id] = self._streams.pop(stream_id)
        self._number += 1
        self._asked_at = now
        ask = Ask(self._number, tuple(ids), self._random_bytes(RANDOM_LENGTH))
        self._outstanding = [*self._outstanding[1 - _OUTSTANDING :], _Outstanding(ask, now)]
        if self._repeats < len(REPEAT_SECONDS):
            self.ask_at = now + REPEAT_SECONDS[self._repeats]
        elif self._streams:
            self._schedule(now)
        else:
            self.ask_at = math.inf
        self._repeats += 1
        return write_own(
            MessageType.ASK,
            0,
            ask.number,
            ask.encode(),
            key=ask_key(ask.nonce),
            context=self._context,
        )

    def take_alive(self, frame: bytes, now: float) -> list[int]:
        """Take an ALIVE; returns the streams that the acceptor has lost.

        Raises:
            ChannelFormatError: it answers no ASK that is outstanding, or does not verify.
        """
        own = read_own(frame)
        alive = Alive.decode(own.sequence, own.payload)
        asked = next((each for each in self._outstanding if each.ask.number == alive.number), None)
        if (
            own.message_type is not MessageType.ALIVE
            or asked is None
            or len(alive.has_stream) != len(asked.ask.stream_ids)
            or not has_valid_mac(alive_key(asked.ask.nonce), self._context, frame)
        ):
            raise ChannelFormatError("an ALIVE that answers no question of ours")
        self._outstanding.remove(asked)
        self._repeats, self.ask_at = 0, math.inf
        self.heard(now)
        answers = zip(asked.ask.stream_ids, alive.has_stream, strict=True)
        return [each for each, has in answers if not has and each in self._streams]

    def _schedule(self, now: float) -> None:
        fraction = 0.75 + 0.25 * uniform_fraction(self._random_bytes)
        anyway_at = self._asked_at + HEARD_INTERVALS * self._interval
        self.ask_at = min(now + fraction * self._interval, anyway_at)


class Missing(enum.Enum):
    """What it means that a dialer does not name a stream."""

    DOUBTED = "doubted"
    GONE = "gone"


class Answerer:
    """The acceptor's side towards one sender tag.

    Args:
        now: connected time of creation.
        ask_seconds: the interval that our ACCEPTs name.
    """

    def __init__(self, now: float, ask_seconds: int = MIN_ASK_SECONDS) -> None:
        self._dead_after = float(DEAD_INTERVALS * ask_seconds)
        self._heard_at = now
        self._largest = 0
        self._answered_at = -math.inf
        self._unnamed: dict[int, int] = {}  # by how many ASKs in a row a stream was not named
        self._missing_since: dict[int, float] = {}

    def heard(self, now: float, stream_id: int | None = None) -> None:
        """Note a frame of the dialer, of one of its streams perhaps, that verified, and was new."""
        self._heard_at = now
        if self._missing_since and stream_id is not None:
            self._missing_since.pop(stream_id, None)

    @property
    def dead_at(self) -> float:
        """When the dialer is taken for dead; connected time."""
        return self._heard_at + self._dead_after

    def take_ask(self, ask: Ask, now: float) -> bool:
        """Note an ASK that verified; returns whether to answer it.

        One with an old number is a copy: it neither shows life nor gets an answer.
        """
        if ask.number <= self._largest:
            return False
        self._largest = ask.number
        self.heard(now)
        if now < self._answered_at + ALIVE_PAUSE_SECONDS:
            return False
        self._answered_at = now
        return True

    def take_missing(self, ask: Ask, stream_ids: Collection[int], now: float) -> dict[int, Missing]:
        """Return which streams under that tag the dialer would have named by now if it had them.

        It names 64 at a time, in turn. A stream that has just begun, or an ASK that was lost, may
        make it look so: the stream is gone if it goes on, and nothing of it is heard, for as long
        as it takes to be dead.
        """
        named = set(ask.stream_ids)
        turns = math.ceil(len(stream_ids) / MAX_ASKED)
        before, since = self._unnamed, self._missing_since
        self._unnamed = {each: before.get(each, 0) + 1 for each in stream_ids if each not in named}
        missing = [each for each, count in self._unnamed.items() if count >= turns]
        self._missing_since = {each: since.get(each, now) for each in missing}
        return {
            each: Missing.GONE if now >= at + self._dead_after else Missing.DOUBTED
            for each, at in self._missing_since.items()
        }


def read_ask(frame: bytes, tag: SenderTag, address: NymAddress) -> Ask:
    """Read an ASK that came under ``tag`` at our ``address``.

    Raises:
        ChannelFormatError: malformed, or altered.
    """
    own = read_own(frame)
    if own.message_type is not MessageType.ASK:
        raise ChannelFormatError(f"{own.message_type.name} is no ASK")
    ask = Ask.decode(own.sequence, own.payload)
    if not has_valid_mac(ask_key(ask.nonce), tag.value + address.to_bytes(), frame):
        raise ChannelFormatError("ASK that does not verify")
    return ask


def write_alive(
    ask: Ask, has_stream: tuple[bool, ...], tag: SenderTag, address: NymAddress
) -> bytes:
    """Return the answer to an ASK; also a process that was just started can give it."""
    return write_own(
        MessageType.ALIVE,
        0,
        ask.number,
        Alive(ask.number, has_stream).encode(),
        key=alive_key(ask.nonce),
        context=tag.value + address.to_bytes(),
    )
