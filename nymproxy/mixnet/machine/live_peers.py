"""With whom a channel goes on: what concerns the SURBs of such peers is worth a packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.address import SenderTag

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.mixnet.machine.answers import SurbAnswers
    from nymproxy.mixnet.traffic import ReplyController


class LivePeers:
    """Tells those who hold SURBs of a peer, or have given it some, that they matter.

    Args:
        replies: has the SURBs of senders.
        answers: gives SURBs to recipients.
    """

    def __init__(self, replies: ReplyController, answers: SurbAnswers) -> None:
        self._replies = replies
        self._answers = answers

    def hold(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel goes on with a peer; :meth:`let_go` must follow."""
        if isinstance(peer, SenderTag):
            self._replies.hold(peer)
        else:
            self._answers.hold(peer)

    def let_go(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel that held a peer is over."""
        if isinstance(peer, SenderTag):
            self._replies.let_go(peer)
        else:
            self._answers.let_go(peer)
