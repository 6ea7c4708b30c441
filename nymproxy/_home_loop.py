"""The event loop where something lives. A call from another one would wait for ever."""

from __future__ import annotations

from anyio import NoEventLoopError
from anyio.lowlevel import current_token

from nymproxy.errors import UsageError


class HomeLoop:
    """Remembers the running event loop, and refuses calls from elsewhere.

    A process that was forked has no event loop of its parent's, whatever it inherits.

    Args:
        what: lives there, for the message.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._token = current_token()

    def check(self) -> None:
        """Refuse to go on elsewhere.

        Raises:
            UsageError: another event loop runs here, or none.
        """
        try:
            is_home = current_token() == self._token
        except NoEventLoopError:
            is_home = False
        if not is_home:
            raise UsageError(
                f"{self._what} is used outside of the event loop where it was made (another "
                "thread, another run, or a forked process): make one there"
            )
