"""ClientMachine: everything that a Nym client decides, without I/O.

It is told what happens (a message is to be sent, packets left, something was pushed, the topology
or the link changed, time passed), each time with the clock. It says what leaves and when
(:meth:`ClientMachine.next_departure`, :meth:`~ClientMachine.next_batch`), what arrived
(:attr:`~ClientMachine.inbox`), when it wants to be called again
(:meth:`~ClientMachine.next_deadline`, :attr:`~ClientMachine.has_chores`), and what became of
messages (:class:`~nymproxy.mixnet.records.DeliveryRecord`). Whoever drives it looks at these after
every call: :class:`~nymproxy.mixnet.client.message_client.MessageClient` over a gateway link, and
the pretended networks of ``nymproxy.testing``.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryAbandoned,
    NymError,
)
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.machine.answers import SurbAnswers
from nymproxy.mixnet.machine.arrivals import Arrivals
from nymproxy.mixnet.machine.batches import BatchBuilder
from nymproxy.mixnet.machine.composer import Composer
from nymproxy.mixnet.machine.counting import counters_of, gauges_of
from nymproxy.mixnet.machine.inbox import Inbox, ReadingStall
from nymproxy.mixnet.machine.live_peers import LivePeers
from nymproxy.mixnet.machine.outages import Outages
from nymproxy.mixnet.machine.pacing import make_pacing
from nymproxy.mixnet.machine.status import READY, ClientStatus, Tally
from nymproxy.mixnet.machine.submission import Submissions
from nymproxy.mixnet.messages import CoverReceived
from nymproxy.mixnet.records import check_message
from nymproxy.mixnet.traffic import Outbox, ReplyController, SenderTags

if TYPE_CHECKING:
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.machine.batches import PacketBatch
    from nymproxy.mixnet.machine.pacing import Pacing
    from nymproxy.mixnet.machine.ports import PacketMaker
    from nymproxy.mixnet.machine.status import ClientCounters, ClientGauges
    from nymproxy.mixnet.machine.submission import Submission
    from nymproxy.mixnet.messages import InboundDecoder, ReplyKeyStore
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.traffic import Lane, TrafficProfile

_logger = logging.getLogger("nymproxy.client")

_LATE_SECONDS: Final = 0.1
_SLEPT_SECONDS: Final = 3.0
"""A deadline that was missed by more was not met late: the process stood still."""
_LOOK_SECONDS: Final = 1.0
"""So often it is looked whether it did: less often than packets come."""


class ClientMachine:
    """One client. Times are in seconds of one monotonic clock.

    Args:
        address: our own address.
        maker: makes packets; has a topology.
        decoder: opens what is pushed.
        reply_keys: the keys of the SURBs that we give out, which the decoder uses.
        profile: shapes the traffic.
        random_bytes: source of set ids, tags and schedules.
        now: the clock.
        pacing: when packets leave; by default as the profile says.
        memory: where everything is charged that others make the client keep.
    """

    def __init__(
        self,
        address: NymAddress,
        maker: PacketMaker,
        decoder: InboundDecoder,
        reply_keys: ReplyKeyStore,
        profile: TrafficProfile,
        *,
        random_bytes: RandomBytes,
        now: float,
        pacing: Pacing | None = None,
        memory: MemoryAccount | None = None,
    ) -> None:
        self.address = address
        self.profile = profile
        self.ended: ClientDisconnected | None = None
        """Why it has ended; ``None`` while it has not."""
        self.memory = MemoryAccount() if memory is None else memory
        self.inbox = Inbox(self.memory.share(None))
        """Messages for the application to take."""
        self._now = now
        self._maker = maker
        self._decoder = decoder
        self._pacing = pacing or make_pacing(profile, random_bytes, now)
        self._tags = SenderTags(random_bytes, profile.surbs.maximum_recipients)
        self._composer = Composer(address, maker, reply_keys, profile, random_bytes)
        self._rotation_id = maker.topology.rotation_id
        self._overlap_seconds = math.inf
        self._reply_keys = reply_keys
        self._outbox = Outbox(profile, self._rotation_id, self._composer.surb_request, self.memory)
        self._answers = SurbAnswers(
            self._composer, self._outbox, self._tags, profile.surbs, reply_keys
        )
        self.live_peers = LivePeers(self._outbox.replies, self._answers)
        self.outages = Outages()
        self._submissions = Submissions(
            self._outbox, self._composer, maker, self._tags, lambda: self._now
        )
        self._stall = ReadingStall()
        self._tally = Tally()
        self._batches = BatchBuilder(profile, maker, self._outbox, self._tally)
        self._arrivals = Arrivals(
            self.inbox, self._outbox, self._answers, self._batches, self._tally
        )
        self._ticked_at = self._looked_at = now
        self._link_status = READY

    # What the application does.

    def submit(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int,
        lane: Lane,
        now: float,
        any_surb: bool = False,
    ) -> Submission:
        """Begin to send a message; see :class:`Submission` for how it goes on; ``any_surb``: see
        :class:`~nymproxy.mixnet.transport.MessageTransport`.

        Raises:
            UnknownGateway: the recipient's gateway is not in the topology.
            TopologyUnavailable: there is no topology now.
            NoReplySurbs: nothing was received from this tag (recently).
            MessageTooLarge: over the limit.
            UsageError: an empty reply, SURBs for a reply, or fewer than none.
            ClientDisconnected: it has ended.
        """
        self._check_running(now)
        check_message(to, payload, surbs)
        payload = bytes(payload)
        if isinstance(to, SenderTag):
            return self._submissions.reply(to, payload, lane, any_surb=any_surb)
        return self._submissions.data(to, payload, lane, surbs)

    def submit_plain(self, to: NymAddress, payload: bytes, *, lane: Lane, now: float) -> Submission:
        """As :meth:`submit`, without even a sender tag: nothing links the message to others."""
        self._check_running(now)
        check_message(to, payload)
        return self._submissions.plain(to, bytes(payload), lane)

    def advance(self, submission: Submission, now: float) -> None:
        """Go on with a submission that is not made yet. Raises as :meth:`Submission.advance`."""
        self._now = now
        submission.advance(now)

    def forget(self, submission: Submission) -> None:
        """Record that nobody waits for a submission any more. Idempotent."""
        self._submissions.forget(submission)

    def discard_lane(self, lane: int) -> None:
        """Drop what waits in or for a lane, and retransmissions of it; their deliveries fail."""
        self._submissions.discard_lane(lane)
        self._outbox.discard_lane(lane)

    def knows(self, tag: SenderTag) -> bool:
        """Tell whether anything of a sender ever arrived (and it is not forgotten)."""
        return self._outbox.replies.knows(tag)

    def sender_tag_for(self, to: NymAddress) -> SenderTag:
        """Return the tag under which the client at an address knows us."""
        return self._tags.tag_for(to)

    def reply_surbs_held_by(self, to: NymAddress) -> int:
        """Return how many reply SURBs of ours the client at an address surely holds."""
        return self._reply_keys.surely_held_by(to)

    def reply_surbs_in_hand(self, tag: SenderTag, *, any_surb: bool = False) -> int:
        """Return how many packets could be sent to ``tag`` at once; the reserve counts with
        ``any_surb`` alone."""
        replies = self._outbox.replies
        return replies.held(tag) if any_surb else replies.usable(tag)

    def end(self, cause: NymError | None, now: float) -> None:
        """End: fail all that is under way. Idempotent.

        Args:
            cause: why the gateway is lost for good; ``None``: the owner closes the client.
            now: the clock.
        """
        self._now = now
        if self.ended is not None:
            return
        if cause is None:
            reason = "the client was closed"
        else:
            reason = f"the gateway is lost for good: {cause}"
            _logger.error("%s", reason)
        self.ended = ClientDisconnected(reason)
        self.ended.__cause__ = cause
        abandoned = DeliveryAbandoned(reason)
        abandoned.__cause__ = self.ended  # channels tell this from a message that was lost
        self._outbox.give_up_all(abandoned)
        self._submissions.fail_all(self.ended)
        for store in (
            self.inbox,
            self._outbox.replies,
            self._decoder.reassembler,
            self._reply_keys,
        ):
            store.close()
        self._batches.use_topology(None)  # which drops what was prepared, most of what it holds

    def _check_running(self, now: float) -> None:
        self._now = now
        if self.ended is not None:
            raise ClientDisconnected(str(self.ended)) from self.ended.__cause__

    # What leaves.

    def next_departure(self) -> float:
        """Return when :meth:`next_batch` may have something, in the clock's seconds."""
        return self._pacing.next_departure(self._outbox.sendable())

    def next_batch(self, now: float) -> PacketBatch:
        """Return the packets that leave now, perhaps none. Report them with :meth:`batch_left`."""
        self._now = now
        return self._batches.build(self._pacing.due(now, self._outbox.sendable()), now)

    def batch_left(self, batch: PacketBatch, now: float) -> None:
        """Record that a batch was handed to the gateway."""
        self._now = now
        self._batches.left(batch, now)
        self._pacing.written(now, now - batch.started_at)

    # What arrives.

    @property
    def may_read(self) -> bool:
        """False while the application does not take its messages: do not read the gateway."""
        return not self.inbox.is_full or self.ended is not None

    def reading_paused(self, now: float) -> None:
        """Record that the gateway is not read, since :attr:`may_read` is false."""
        self._stall.paused(now)

    def reading_resumed(self, now: float) -> None:
        """Record that it is read again."""
        self._stall.resumed(now)

    def frame_arrived(self, pushed: bytes, now: float) -> bool:
        """Take one message that the gateway pushed: an ack or a packet's content. Never raises.

        Returns False when it was cover: there is nothing to look at then.
        """
        self._now = now
        if self.ended is not None:
            return False
        self._wake(now)
        events = self._decoder.receive(pushed, now)
        if len(events) == 1 and isinstance(cover := events[0], CoverReceived):
            self._tally.covers_received += not cover.is_ack
            return False
        for event in events:
            self._arrivals.take(event, now)
        self.memory.settle()
        return True

    # Topology and link.

    def use_topology(self, topology: Topology | None, overlap_seconds: float, now: float) -> None:
        """Build packets from another topology; ``None``: there is none for now.

        Args:
            topology: the new one.
            overlap_seconds: how long nodes keep the keys of the key rotation before.
            now: the clock.
        """
        self._wake(now)
        self._now = now
        self._batches.use_topology(topology)
        self._overlap_seconds = overlap_seconds
        if topology is not None and topology.rotation_id != self._rotation_id:
            self._rotation_id = topology.rotation_id
            _logger.info("the network is in key rotation %d now", topology.rotation_id)
            self._outbox.rotated(topology.rotation_id, overlap_seconds, now)
            self._answers.rotated(topology.rotation_id, now)
        self._outbox.settle(now)

    def link_changed(self, trouble: str | None, now: float, blocked_by: str | None = None) -> None:
        """Take note of the gateway link: ``None`` while it works, else what it is doing, and the
        code of the error behind it."""
        self._now, self._link_status = now, READY
        if trouble is not None:
            self._link_status = ClientStatus(0.7, False, False, trouble, blocked_by)
            self._batches.interrupted()
        else:
            self._outbox.link_restored(now)
        self.outages.link_changed(now, is_connected=trouble is None)

    # Time, and work for idle moments.

    def next_deadline(self) -> float:
        """Return when :meth:`tick` is due."""
        timer = self._outbox.next_timer()
        if not self._outbox.needs_ticks:
            return timer
        return min(timer, self._ticked_at + ReplyController.TICK_SECONDS)

    def _wake(self, now: float) -> None:
        """Do what is long due, after a sleep, before anything else."""
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        if now - self.next_deadline() > _SLEPT_SECONDS:
            self.tick(now)

    def tick(self, now: float) -> None:
        """Do what is due by time.

        Called late, the process was not scheduled, and neither were acks read: the timers that
        fired meanwhile get some more time; the earliest does not, so that a process that is always
        late retransmits, too. The same holds while the application does not take its messages.
        """
        self._now = now
        late = now - self.next_deadline()
        if late > _SLEPT_SECONDS:
            self._outbox.slept(now, holds=late > self._overlap_seconds)
        stall = self._stall.seconds(now)
        if late > _LATE_SECONDS:
            stall = max(stall, late)
        if stall:
            self._batches.interrupted()
        self._outbox.expire(now, stall)
        if now >= self._ticked_at + ReplyController.TICK_SECONDS:
            self._ticked_at = now
            self._outbox.tick(now)

    @property
    def has_chores(self) -> bool:
        """True when :meth:`do_chore` has something to do."""
        if self._answers:
            return True
        nothing_leaves = self.next_departure() > self._now
        return nothing_leaves and self._batches.may_prepare(self._now)

    def do_chore(self, now: float) -> None:
        """Do a piece of work of a few milliseconds that need not be done at once: SURBs for those
        who asked for some, then headers for later packets."""
        self._now = now
        if self._answers:
            self._answers.advance(now)
        elif self._maker.wants_headers:
            self._maker.prepare_some()

    # What can be seen.

    @property
    def status(self) -> ClientStatus:
        """What it is doing."""
        if self.ended is not None:
            return ClientStatus(0.0, False, True, str(self.ended))
        if not self._maker.has_topology:
            return ClientStatus(0.5, False, False, "waiting for a topology")
        return self._link_status

    @property
    def counters(self) -> ClientCounters:
        """What it has done so far."""
        return counters_of(self._tally, self._outbox, self._decoder)

    @property
    def gauges(self) -> ClientGauges:
        """What it holds now."""
        return gauges_of(self._outbox)
