"""The sending task: takes fragments from the outbox when they are due and writes their packets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.lowlevel

from nymproxy.errors import AddressError, NetworkError, SphinxError
from nymproxy.mixnet.traffic import BackPressure, ExponentialSchedule, PacketKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.mixnet.pipeline import PacketBuilder
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.status import Tally
    from nymproxy.mixnet.traffic import Outbox, OutgoingFragment, TrafficProfile

_logger = logging.getLogger("nymproxy.client")


class PacketLink(Protocol):
    """The part of the gateway link that sending needs."""

    async def send(self, packets: Sequence[MixPacket]) -> None:
        """Write packets in one go; waits while there is no connection."""
        ...


class Sender:
    """Sends by the profile's schedule, or as fast as the window allows.

    It is the only one who writes packets, so what is in one batch leaves together. Batches are
    small: building one packet takes about half a millisecond, in which nothing else runs.

    Args:
        outbox: what is to be sent.
        builder: makes the packets.
        link: where they go.
        profile: the schedules.
        tally: counts what left.
        clock: monotonic seconds.
        random_bytes: source of the schedules.
    """

    BATCH: Final = 8

    def __init__(
        self,
        outbox: Outbox,
        builder: PacketBuilder,
        link: PacketLink,
        profile: TrafficProfile,
        tally: Tally,
        *,
        clock: Callable[[], float],
        random_bytes: RandomBytes,
    ) -> None:
        self._outbox = outbox
        self._builder = builder
        self._link = link
        self._profile = profile
        self._tally = tally
        self._clock = clock
        self._random = random_bytes
        self._work = anyio.Event()
        self._idle = anyio.Event()

    def wake(self) -> None:
        """Tell the sender that something may leave."""
        if not self._work.is_set():
            self._work.set()

    async def wait_idle(self) -> None:
        """Wait until there is nothing to send but what the schedule brings later."""
        await self._idle.wait()

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            ClientDisconnected: the link is closed, or lost for good.
        """
        mean = self._profile.sending_delay_seconds
        if mean is None:
            await self._run_unpaced()
        else:
            await self._run_paced(mean)

    # With a schedule.

    async def _run_paced(self, mean_seconds: float) -> None:
        now = self._clock()
        schedule = ExponentialSchedule(mean_seconds, self._random, now)
        pressure = BackPressure(now)
        loop_cover = self._loop_cover(now)
        self._idle.set()
        while True:
            wake_at = schedule.deadline
            if loop_cover is not None:
                wake_at = min(wake_at, loop_cover.deadline)
            await self._sleep_until(wake_at)
            now = self._clock()
            batch = _Batch()
            for _ in range(schedule.take_due(now, self.BATCH)):
                fragment = self._outbox.next_fragment()
                if fragment is None:
                    self._add_cover(batch, PacketKind.COVER)
                else:
                    self._add(batch, fragment, now)
            if loop_cover is not None and loop_cover.take_due(now, 1):
                self._add_cover(batch, PacketKind.LOOP_COVER)
            await self._write(batch)
            waited = self._clock() - now
            schedule.multiplier = pressure.written(self._clock(), waited / mean_seconds)

    async def _sleep_until(self, deadline: float) -> None:
        delay = deadline - self._clock()
        if delay > 0:
            await anyio.sleep(delay)
        else:
            await anyio.lowlevel.checkpoint()

    # Without one.

    async def _run_unpaced(self) -> None:
        loop_cover = self._loop_cover(self._clock())
        while True:
            await self._wait_for_work(loop_cover)
            now = self._clock()
            batch = _Batch()
            if loop_cover is not None and loop_cover.take_due(now, 1):
                self._add_cover(batch, PacketKind.LOOP_COVER)
            for _ in range(min(self.BATCH, self._outbox.sendable())):
                fragment = self._outbox.next_fragment()
                if fragment is None:
                    break
                self._add(batch, fragment, now)
            await self._write(batch)

    async def _wait_for_work(self, loop_cover: ExponentialSchedule | None) -> None:
        while not self._outbox.sendable():
            if loop_cover is not None and loop_cover.deadline <= self._clock():
                return
            self._work = anyio.Event()
            self._idle.set()
            if loop_cover is None:
                await self._work.wait()
            else:
                with anyio.move_on_after(loop_cover.deadline - self._clock()):
                    await self._work.wait()
            self._idle = anyio.Event()

    # Both.

    def _loop_cover(self, now: float) -> ExponentialSchedule | None:
        mean = self._profile.loop_cover_delay_seconds
        return None if mean is None else ExponentialSchedule(mean, self._random, now)

    def _add(self, batch: _Batch, fragment: OutgoingFragment, now: float) -> None:
        try:
            packet = self._builder.build(fragment)
        except NetworkError as error:
            # No route now. The timer brings the fragment back when there may be one again.
            self._tally.unbuilt[error.code] += 1
            self._outbox.start_timer(fragment, now)
        except (AddressError, SphinxError) as error:
            self._tally.unbuilt[error.code] += 1
            _logger.warning("a packet cannot be built: %s", error)
            self._outbox.give_up(fragment.message, error)
        else:
            batch.packets.append(packet)
            batch.kinds.append(fragment.kind)
            batch.fragments.append(fragment)

    def _add_cover(self, batch: _Batch, kind: PacketKind) -> None:
        try:
            batch.packets.append(self._builder.build_cover())
        except (NetworkError, SphinxError) as error:
            self._tally.unbuilt[error.code] += 1
        else:
            batch.kinds.append(kind)

    async def _write(self, batch: _Batch) -> None:
        if not batch.packets:
            return
        await self._link.send(batch.packets)
        now = self._clock()
        for fragment in batch.fragments:
            self._outbox.left(fragment, now)
        sent = self._tally.sent
        for kind in batch.kinds:
            sent[kind.value] += 1


class _Batch:
    """Packets that are written together."""

    __slots__ = ("fragments", "kinds", "packets")

    def __init__(self) -> None:
        self.packets: list[MixPacket] = []
        self.kinds: list[PacketKind] = []
        self.fragments: list[OutgoingFragment] = []
