"""What the link to a gateway tells of itself."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.errors import NymError


class LinkState(enum.Enum):
    """What a link is doing."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The state of a link, and the last thing that went wrong."""

    state: LinkState
    error: NymError | None = None
