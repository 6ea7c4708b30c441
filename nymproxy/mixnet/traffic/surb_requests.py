"""When an anonymous sender is asked for more reply SURBs, and for how many.

Rules of nym-client-core 1.21.6, src/client/replies/reply_controller, where requests do not look
ahead; ours do (:class:`~nymproxy.mixnet.traffic.surbs.SpendingRate`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.mixnet.traffic.reply_actions import SurbRequestPlan

if TYPE_CHECKING:
    from nymproxy.address import SenderTag
    from nymproxy.mixnet.traffic.correspondents import Correspondent
    from nymproxy.mixnet.traffic.profile import SurbPolicy
    from nymproxy.mixnet.traffic.reply_actions import ReplyActions
    from nymproxy.mixnet.traffic.surbs import Waking


class SurbRequests:
    """Makes the requests; each costs a SURB of the one who is asked.

    Args:
        policy: the budget.
        waking: which SURBs may be used.
    """

    __slots__ = ("_policy", "_waking")

    def __init__(self, policy: SurbPolicy, waking: Waking) -> None:
        self._policy = policy
        self._waking = waking

    def make(
        self,
        tag: SenderTag,
        correspondent: Correspondent,
        amount: int,
        now: float,
        actions: ReplyActions,
    ) -> bool:
        """Ask for about an amount; tell whether there was a SURB to ask with."""
        surb = self._waking.take(correspondent.stock)
        if surb is None:
            return False
        amount = min(self._policy.maximum_request, max(amount, self._policy.minimum_request))
        correspondent.asked.ask(amount)
        actions.requests.append(SurbRequestPlan(tag, amount, surb))
        return True

    def by_need(
        self, tag: SenderTag, correspondent: Correspondent, now: float, actions: ReplyActions
    ) -> None:
        """Ask for what is missing: for what waits, and for what is to be expected."""
        if self._waking.holds:
            return
        policy = self._policy
        wanted, least = correspondent.wanted(policy, now)
        while True:
            missing = wanted - correspondent.asked.pending - correspondent.stock.fresh
            if missing < least or not self.make(tag, correspondent, missing, now, actions):
                return
            least = max(least, policy.minimum_request)

    def repeat_or_give_up(
        self, tag: SenderTag, correspondent: Correspondent, now: float, actions: ReplyActions
    ) -> None:
        """Ask again a sender that does not answer and for whom something waits, or abandon that."""
        policy = self._policy
        if correspondent.is_hopeless(now - policy.overtaking_seconds):
            correspondent.abandon(actions)
            return
        asked = correspondent.asked
        is_silent = asked.owes_seconds(now) > policy.drop_seconds
        if is_silent or asked.repetitions > policy.maximum_rerequests:
            correspondent.abandon(actions)
        elif asked.silence(now) > policy.rerequest_seconds:
            asked.lost(now, early=False)
            # One request only: what is left of the reserve must last for all repetitions.
            self.make(tag, correspondent, correspondent.demand, now, actions)
