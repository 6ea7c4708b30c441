"""The other side of the reply-SURB budget: our sender tags, and SURBs that we are asked for.

Rules of nym-client-core 1.21.6, src/client/replies/reply_controller, and
nym-client-core-surb-storage 1.21.6, src/tag_storage.rs.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

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


class AnswerBudget:
    """How many SURBs a request gets: what it asks for, within limits.

    Requests cannot be told from forged ones by their content, so what is handed out and has not
    left yet counts against the limit of a single request: asking faster gains nothing.
    """

    __slots__ = ("_outstanding", "_policy")

    def __init__(self, policy: SurbPolicy) -> None:
        self._policy = policy
        self._outstanding: dict[NymAddress, int] = {}

    def batches(self, recipient: NymAddress, amount: int) -> list[int]:
        """Return the sizes of the messages that answer a request; empty if it is refused."""
        used = self._outstanding.get(recipient, 0)
        granted = min(amount, self._policy.maximum_answer - used)
        if granted <= 0:
            return []
        self._outstanding[recipient] = used + granted
        batch = self._policy.answer_batch
        full, rest = divmod(granted, batch)
        return [batch] * full + [rest] * (rest > 0)

    def left(self, recipient: NymAddress, amount: int) -> None:
        """Record that SURBs granted before are on their way, or were given up."""
        rest = self._outstanding.get(recipient, 0) - amount
        if rest > 0:
            self._outstanding[recipient] = rest
        else:
            self._outstanding.pop(recipient, None)
