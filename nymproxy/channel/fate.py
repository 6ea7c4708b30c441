"""What becomes of a message of a channel, as its packets tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nymproxy.errors import NymError


class Fate(NamedTuple):
    """What a message has come to so far; states never go back.

    Attributes:
        is_sent: its last packet has left for the gateway.
        is_acknowledged: the recipient's gateway has all of it.
        error: why the transport gave it up, if it did.
    """

    is_sent: bool = False
    is_acknowledged: bool = False
    error: NymError | None = None


ACKNOWLEDGED = Fate(is_sent=True, is_acknowledged=True)
