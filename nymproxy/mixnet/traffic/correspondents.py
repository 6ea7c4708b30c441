"""The anonymous senders that a client has heard of: their SURBs, and what waits for more."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from nymproxy.mixnet.traffic.asked import Asked
from nymproxy.mixnet.traffic.outgoing import ControlLane
from nymproxy.mixnet.traffic.standing import Rank, Standing
from nymproxy.mixnet.traffic.surbs import SpendingRate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nymproxy.address import SenderTag
    from nymproxy.mixnet.traffic.outgoing import Lane, OutgoingFragment
    from nymproxy.mixnet.traffic.profile import SurbPolicy
    from nymproxy.mixnet.traffic.reply_actions import ReplyActions
    from nymproxy.mixnet.traffic.surbs import SurbStock

_LOOKS: Final = 16
"""How many are looked at for one that can go; their order makes up for the rest."""


class Correspondent:
    """One anonymous sender: the SURBs it gave us, and the fragments that wait for more.

    Attributes:
        stock: the SURBs in hand.
        rate: how fast they are spent.
        asked: the SURBs that it was asked for.
        fed_at: when it gave some last; at first, when it was met.
        standing: what shows that it is there.
    """

    __slots__ = (
        "asked",
        "fed_at",
        "rate",
        "retransmissions",
        "standing",
        "stock",
        "waiting",
    )

    def __init__(self, stock: SurbStock, now: float) -> None:
        self.stock = stock
        self.rate = SpendingRate(now)
        self.asked = Asked(now)
        self.fed_at = now
        self.standing = Standing()
        self.waiting: OrderedDict[Lane, deque[OutgoingFragment]] = OrderedDict()
        self.retransmissions: deque[OutgoingFragment] = deque()

    @property
    def is_waiting(self) -> bool:
        """True while fragments wait for SURBs."""
        return self.stock.waiting_fragments > 0 or bool(self.retransmissions)

    @property
    def demand(self) -> int:
        """How many fragments wait."""
        return self.stock.waiting_fragments + len(self.retransmissions)

    def is_hopeless(self, fed_before: float) -> bool:
        """Tell whether no SURB is in hand, and none on its way: none was asked for, and none has
        come since a time, after which what was seen first has overtaken no others."""
        return not len(self.stock) and not self.asked.pending and self.fed_at < fed_before

    def is_silent(self, now: float, seconds: float) -> bool:
        """Tell whether it has given no SURB for so long, though it could have: a request had left
        by then, or none is under way."""
        if now - self.fed_at <= seconds:
            return False
        return not self.asked.pending or self.asked.owes_seconds(now) > seconds

    def wanted(self, policy: SurbPolicy, now: float) -> tuple[int, int]:
        """Return how many SURBs there should be, those that were asked for included, and the least
        number that is worth a request."""
        ahead = min(self.rate.expected(now), policy.maximum_held // 2)
        if not self.is_waiting and not ahead:
            return 0, 1
        # Each request costs a SURB itself: unless what waits depends on it, it has some size.
        if not self.is_waiting:
            least = max(policy.minimum_request, ahead // 4)
        elif self.asked.pending < policy.maximum_request:
            least = 1
        else:
            least = max(policy.minimum_request, policy.maximum_request // 2)
        return min(policy.maximum_held, self.demand + policy.reserve + ahead), least

    def wait(self, lane: Lane, fragments: Sequence[OutgoingFragment]) -> None:
        """Let fragments of a lane wait."""
        self.waiting.setdefault(lane, deque()).extend(fragments)
        self.stock.waiting_fragments += len(fragments)

    def discard(self, lane: Lane) -> list[OutgoingFragment]:
        """Take out what waits in a lane; retransmissions are dropped when they are met."""
        queue = self.waiting.pop(lane, None)
        if queue is None:
            return []
        self.stock.waiting_fragments -= len(queue)
        self.stock.charge()
        return list(queue)

    def next_waiting(self, dropped: list[OutgoingFragment]) -> tuple[Lane, OutgoingFragment] | None:
        """Take the next fragment: retransmissions first, then the lanes in turn.

        Those that need not be sent any more are added to ``dropped``.
        """
        while self.is_waiting:
            lane: Lane
            if self.retransmissions:
                lane, fragment = ControlLane.RETRANSMISSION, self.retransmissions.popleft()
            else:
                lane, queue = next(iter(self.waiting.items()))
                fragment = queue.popleft()
                self.stock.waiting_fragments -= 1
                if queue:
                    self.waiting.move_to_end(lane)
                else:
                    del self.waiting[lane]
            if not fragment.is_done:
                return lane, fragment
            dropped.append(fragment)
        return None

    def longest_waiting(
        self, fragment: OutgoingFragment, dropped: list[OutgoingFragment]
    ) -> OutgoingFragment:
        """Let a retransmission wait behind the others, and take the first one out: itself, where
        none waits.

        Those that need not be sent any more are added to ``dropped``.
        """
        queue = self.retransmissions
        queue.append(fragment)
        while queue[0].is_done and queue[0] is not fragment:
            dropped.append(queue.popleft())
        return queue.popleft()

    def abandon(self, actions: ReplyActions) -> None:
        """Take out all that waits: it will get no SURB."""
        while (following := self.next_waiting(actions.dropped)) is not None:
            actions.abandoned.append(following[1])
        self.stock.charge()
        self.asked.repetitions = 0


class Correspondents:
    """The bounded store of them. A new one makes room at the cost of the one that was not heard of
    for longest, among those with which nothing goes on.

    Args:
        maximum: of all, whatever goes on with them.
        idle_maximum: above it one goes for each that comes, if nothing goes on with it.
    """

    __slots__ = ("_by_tag", "_holders", "_idle_maximum", "_maximum")

    def __init__(self, maximum: int, idle_maximum: int) -> None:
        self._maximum = maximum
        self._idle_maximum = min(maximum, idle_maximum)
        self._by_tag: OrderedDict[SenderTag, Correspondent] = OrderedDict()
        self._holders: Counter[SenderTag] = Counter()

    def __len__(self) -> int:
        return len(self._by_tag)

    def __contains__(self, tag: SenderTag) -> bool:
        return tag in self._by_tag

    def get(self, tag: SenderTag) -> Correspondent | None:
        """Return one, if it is known."""
        return self._by_tag.get(tag)

    def asked_of(self, tag: SenderTag) -> Asked | None:
        """Return what one was asked for, if it is known."""
        correspondent = self._by_tag.get(tag)
        return None if correspondent is None else correspondent.asked

    def by_age(self) -> list[tuple[SenderTag, Correspondent]]:
        """Return all; the one not heard of for longest comes first."""
        return list(self._by_tag.items())

    def losers(
        self,
        wanted_by: SenderTag,
        reserve: int,
        now: float,
        silence_seconds: float,
        *,
        all_of_them: bool,
    ) -> Iterator[Correspondent]:
        """Return those that make room for what is to wait for another: see
        :meth:`~nymproxy.mixnet.traffic.replies.ReplyController.displace`.

        Args:
            wanted_by: who is to have the room.
            reserve: SURBs that are not for what waits.
            now: the clock.
            silence_seconds: who gave none for so long loses first, if it could have.
            all_of_them: proven ones that wait for us lose, too.
        """
        known = self._by_tag.get(wanted_by)
        least = 0 if known is None else known.demand
        found = [
            (
                each.is_silent(now, silence_seconds),
                each.standing.rank,
                now - each.fed_at > silence_seconds,
                each.demand,
                number,
                each,
            )
            for number, (tag, each) in enumerate(self._by_tag.items())
            if each.demand > least
            and tag != wanted_by
            and len(each.stock) <= reserve
            and (
                all_of_them
                or each.standing.rank is not Rank.PROVEN
                or each.is_silent(now, silence_seconds)
            )
        ]
        return (loser for *_, loser in sorted(found, reverse=True))

    def heard_of(self, tag: SenderTag) -> Correspondent | None:
        """Return one that was just heard of, if it is known."""
        correspondent = self._by_tag.get(tag)
        if correspondent is not None:
            self._by_tag.move_to_end(tag)
        return correspondent

    def add(self, tag: SenderTag, correspondent: Correspondent) -> Correspondent | None:
        """Add one; return the one that had to make room."""
        forgotten = self._make_room() if len(self._by_tag) >= self._idle_maximum else None
        self._by_tag[tag] = correspondent
        return forgotten

    def forget(self, tag: SenderTag) -> None:
        """Remove one."""
        del self._by_tag[tag]

    def hold(self, tag: SenderTag) -> None:
        """Take note that a channel goes on with one; :meth:`let_go` must follow."""
        self._holders[tag] += 1

    def let_go(self, tag: SenderTag) -> None:
        """Take note that a channel that held one is over."""
        self._holders[tag] -= 1
        if not self._holders[tag]:
            del self._holders[tag]

    def is_live(self, tag: SenderTag) -> bool:
        """Tell whether a channel goes on with one, or something waits for its SURBs."""
        correspondent = self._by_tag.get(tag)
        return tag in self._holders or (correspondent is not None and correspondent.is_waiting)

    def _make_room(self) -> Correspondent | None:
        for tag in list(islice(self._by_tag, _LOOKS)):
            if not self.is_live(tag):
                return self._by_tag.pop(tag)
            self._by_tag.move_to_end(tag)  # what goes on with it is a sign of it, too
        return self._by_tag.popitem(last=False)[1] if len(self) >= self._maximum else None
