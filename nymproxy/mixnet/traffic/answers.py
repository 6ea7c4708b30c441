"""The other side of the reply-SURB budget: our sender tags, and SURBs that we are asked for.

Rules of nym-client-core 1.21.6, src/client/replies/reply_controller, and
nym-client-core-surb-storage 1.21.6, src/tag_storage.rs.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from nymproxy.address import SenderTag

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.traffic.profile import SurbPolicy

_TAG_LENGTH = 16


class SenderTags:
    """The tag by which each recipient knows us: made at the first message, then kept.

    Bounded; the recipient not written to for longest is forgotten, and meets a new stranger later.
    """

    __slots__ = ("_maximum", "_random", "_tags")

    def __init__(self, random_bytes: RandomBytes, maximum: int) -> None:
        self._random = random_bytes
        self._maximum = maximum
        self._tags: OrderedDict[NymAddress, SenderTag] = OrderedDict()

    def tag_for(self, recipient: NymAddress) -> SenderTag:
        """Return our tag for a recipient, drawing one if it has none."""
        tag = self._tags.get(recipient)
        if tag is None:
            tag = self._tags[recipient] = SenderTag(self._random(_TAG_LENGTH))
            if len(self._tags) > self._maximum:
                self._tags.popitem(last=False)
        else:
            self._tags.move_to_end(recipient)
        return tag

    def known(self, recipient: NymAddress) -> SenderTag | None:
        """Return our tag for exactly this recipient, if we wrote to it before."""
        return self._tags.get(recipient)


class _Account:
    """What one recipient was given, and what it has made of it."""

    __slots__ = ("at", "large_at", "outstanding", "unused", "used")

    def __init__(self, used: int, now: float) -> None:
        self.outstanding = 0
        self.unused = 0.0
        self.used = used
        self.at = now
        self.large_at = -math.inf


class AnswerBudget:
    """How many SURBs a request gets: what it asks for, within limits.

    What a request says proves no need, and its answer takes a packet of ours for three SURBs. So,
    for each recipient:

    * what is handed out and has not left yet counts against the limit of a single request;
    * a large answer, of more than any client asks for at once, is given once a second;
    * no more than ``maximum_unused`` are given ahead of the replies that come. A tenth more than
      come may get lost, and some are forgiven each second.
    """

    _LARGE_INTERVAL_SECONDS: Final = 1.0
    _RETURNED_PER_REPLY: Final = 1.1
    _FORGIVEN_PER_SECOND: Final = 10.0

    __slots__ = ("_accounts", "_policy")

    def __init__(self, policy: SurbPolicy) -> None:
        self._policy = policy
        self._accounts: OrderedDict[NymAddress, _Account] = OrderedDict()

    def batches(self, recipient: NymAddress, amount: int, used: int, now: float) -> list[int]:
        """Return the sizes of the messages that answer a request; empty if it is refused.

        Args:
            recipient: who asks.
            amount: for how many.
            used: replies that came from it through SURBs of ours so far, a running count.
            now: the clock.
        """
        policy = self._policy
        account = self._account_of(recipient, used, now)
        granted = min(
            amount,
            policy.maximum_answer - account.outstanding,
            int(policy.maximum_unused - account.unused),
        )
        if granted > policy.maximum_request:
            if now - account.large_at < self._LARGE_INTERVAL_SECONDS:
                granted = policy.maximum_request
            else:
                account.large_at = now
        if granted < min(policy.minimum_request, amount) or not granted:
            return []  # a few are not worth a message; there will be more a second later
        account.outstanding += granted
        account.unused += granted
        full, rest = divmod(granted, policy.answer_batch)
        return [policy.answer_batch] * full + [rest] * (rest > 0)

    def left(self, recipient: NymAddress, amount: int) -> None:
        """Record that SURBs granted before are on their way, or were given up."""
        account = self._accounts.get(recipient)
        if account is not None:
            account.outstanding = max(0, account.outstanding - amount)

    def _account_of(self, recipient: NymAddress, used: int, now: float) -> _Account:
        account = self._accounts.get(recipient)
        if account is None:
            if len(self._accounts) >= self._policy.maximum_recipients:
                self._accounts.popitem(last=False)
            account = self._accounts[recipient] = _Account(used, now)
            return account
        self._accounts.move_to_end(recipient)
        came = used - account.used if used >= account.used else used  # it began to count anew
        returned = came * self._RETURNED_PER_REPLY
        forgiven = (now - account.at) * self._FORGIVEN_PER_SECOND
        account.unused = max(0.0, account.unused - returned - forgiven)
        account.used = used
        account.at = now
        return account
