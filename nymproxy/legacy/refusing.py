"""Sessions in a protocol that a server does not accept: refused aloud, not ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import ResetCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy._limited_log import LimitedLog
    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.legacy.wire import Wire


async def refuse_all(
    acceptor: ChannelAcceptor, wire: Wire, accepted: Sequence[Wire], log: LimitedLog
) -> None:
    """Refuse every session of a protocol, until the acceptor or its transport ends.

    The client is told where its protocol has a word for that: an old one has none.
    """
    reason = f"this server accepts the wire {' and '.join(accepted)} only"
    while True:
        try:
            channel = await acceptor.accept()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return
        now = anyio.current_time()
        log.warning(now, "A session was refused: it speaks the wire %s, and %s", wire, reason)
        channel.abort(ResetCode.NOT_ACCEPTED, reason)
