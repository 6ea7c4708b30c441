"""The way of one message into the outbox: made, admitted when there is room, or called off."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from nymproxy.address import SenderTag
from nymproxy.errors import DeliveryAbandoned, NoReplySurbs

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from nymproxy.address import NymAddress
    from nymproxy.errors import NymError
    from nymproxy.mixnet.machine.composer import Composed, Composer, SurbDraft
    from nymproxy.mixnet.machine.ports import PacketMaker
    from nymproxy.mixnet.records import DeliveryRecord
    from nymproxy.mixnet.traffic import (
        Lane,
        Outbox,
        OutgoingMessage,
        Reservation,
        Room,
        SenderTags,
    )


class Submission:
    """One message that the application wants to send.

    :meth:`advance` makes its reply SURBs, some at each call, until :attr:`is_made`. Then it waits
    for room: a reply first among those that wait for SURBs, then all in their lanes. It enters the
    outbox in the instant in which room is granted, not when somebody who waits for it is scheduled.
    So messages enter in the order in which they asked.

    Attributes:
        on_settled: called once, when the message is in the outbox or the submission has failed;
            set it after the last :meth:`advance` if :attr:`is_settled` is not true by then.
    """

    __slots__ = (
        "_clock",
        "_compose",
        "_composed",
        "_draft",
        "_outbox",
        "_reservations",
        "_steps",
        "error",
        "is_admitted",
        "lane",
        "on_settled",
    )

    def __init__(
        self,
        outbox: Outbox,
        lane: Lane,
        draft: SurbDraft | None,
        compose: Callable[[SurbDraft | None], Composed],
        clock: Callable[[], float],
    ) -> None:
        self.lane = lane
        self.is_admitted = False
        self.error: NymError | None = None
        self.on_settled: Callable[[], None] | None = None
        self._outbox = outbox
        self._draft = draft
        self._compose = compose
        self._clock = clock
        self._composed: Composed | None = None
        self._steps: deque[tuple[Room, Hashable]] = deque()
        self._reservations: list[tuple[Room, Reservation]] = []

    @property
    def is_made(self) -> bool:
        """True when the message is complete, and waits for room at the most."""
        return self._composed is not None

    @property
    def is_settled(self) -> bool:
        """True when the message is in the outbox, or never will be."""
        return self.is_admitted or self.error is not None

    @property
    def message(self) -> OutgoingMessage:
        """The message, once it is made."""
        assert self._composed is not None
        return self._composed.message

    @property
    def delivery(self) -> DeliveryRecord:
        """The fate of the message, once it is made."""
        return self.message.delivery

    def advance(self, now: float) -> None:
        """Do a small piece of the work.

        Raises:
            TopologyUnavailable, UnknownGateway, SphinxError: no SURBs can be made now.
        """
        if self._composed is not None or self.error is not None:
            return
        if self._draft is None or self._draft.advance(now):
            self._composed = self._compose(self._draft)
            message = self._composed.message
            if isinstance(message.to, SenderTag):
                self._steps.append((self._outbox.tag_room, message.to))
            self._steps.append((self._outbox.lane_room, message.lane))
            self._take_steps()

    def fail(self, error: NymError) -> None:
        """End it unless it is in the outbox already."""
        if not self.is_settled:
            self.error = error
            self._leave_rooms()
            self._settle()

    def call_off(self) -> None:
        """Nobody waits for it any more: give the message up, wherever it is by now."""
        error = DeliveryAbandoned("the sending task was cancelled")
        if self.is_admitted and self._composed is not None:
            self._outbox.give_up(self._composed.message, error)
        else:
            self.fail(error)

    def _take_steps(self) -> None:
        """Take the next steps as far as there is room; called again with each grant."""
        assert self._composed is not None
        while self._steps:
            room, key = self._steps.popleft()
            reservation = room.reserve(
                key,
                len(self._composed.fragments),
                self._take_steps,
                peer=self._composed.message.to,
            )
            self._reservations.append((room, reservation))
            if not reservation.granted:
                return
        self.is_admitted = True
        self._outbox.submit(*self._composed, self._clock())
        self._settle()

    def _leave_rooms(self) -> None:
        reservations, self._reservations = self._reservations, []
        for room, reservation in reservations:
            room.cancel(reservation)

    def _settle(self) -> None:
        self._reservations.clear()
        if self.on_settled is not None:
            self.on_settled()
            self.on_settled = None


class Submissions:
    """Begins submissions, and knows those that are not settled.

    Args:
        outbox: takes the messages.
        composer: makes them.
        maker: knows which gateways there are.
        tags: under which recipients know us.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        composer: Composer,
        maker: PacketMaker,
        tags: SenderTags,
        clock: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._composer = composer
        self._maker = maker
        self._tags = tags
        self._clock = clock
        self._waiting: dict[Submission, None] = {}

    def reply(self, to: SenderTag, payload: bytes, lane: Lane, *, any_surb: bool) -> Submission:
        """Begin to answer a sender.

        Raises:
            NoReplySurbs: nothing was received from this tag (recently).
        """
        if not self._outbox.replies.knows(to):
            raise NoReplySurbs("nothing was received from this sender tag (recently)")
        return self._begin(
            lane, None, lambda _: self._composer.reply(to, payload, lane, any_surb=any_surb)
        )

    def data(self, to: NymAddress, payload: bytes, lane: Lane, surbs: int) -> Submission:
        """Begin to send to an address, with reply SURBs.

        Raises:
            UnknownGateway: the recipient's gateway is not in the topology.
            TopologyUnavailable: there is no topology now.
        """
        self._maker.check_gateway(to.gateway)
        surbs = self._composer.with_spare(to, len(payload), surbs)
        draft = self._composer.draft_surbs(to, surbs) if surbs else None

        def compose(draft: SurbDraft | None) -> Composed:
            made = [] if draft is None else draft.surbs
            return self._composer.data(to, self._tags.tag_for(to), payload, made, lane)

        return self._begin(lane, draft, compose)

    def plain(self, to: NymAddress, payload: bytes, lane: Lane) -> Submission:
        """As :meth:`data`, without even a sender tag."""
        self._maker.check_gateway(to.gateway)
        return self._begin(lane, None, lambda _: self._composer.plain(to, payload, lane))

    def _begin(
        self, lane: Lane, draft: SurbDraft | None, compose: Callable[[SurbDraft | None], Composed]
    ) -> Submission:
        submission = Submission(self._outbox, lane, draft, compose, self._clock)
        submission.advance(self._clock())
        if not submission.is_settled:
            self._waiting[submission] = None
        return submission

    def forget(self, submission: Submission) -> None:
        """Record that nobody waits for it any more. Idempotent."""
        self._waiting.pop(submission, None)

    def discard_lane(self, lane: int) -> None:
        """Fail those in a lane."""
        error = DeliveryAbandoned("the lane of the message was discarded")
        for submission in [each for each in self._waiting if each.lane == lane]:
            submission.fail(error)

    def fail_all(self, error: NymError) -> None:
        """Fail all of them."""
        for submission in list(self._waiting):
            submission.fail(error)
