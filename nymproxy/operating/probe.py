"""Whether a server is there, asked through the mixnet every minute, by an identity of the forward.

What is asked opens nothing (:mod:`nymproxy.stream.presence`): one packet, and one back. Where a
profile has cover they leave and come in its place.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from nymproxy._log_fields import fields
from nymproxy.errors import NymError, PhaseTimeout
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.mixnet.randomness import system_random_bytes, uniform_fraction
from nymproxy.mixnet.traffic.round_trips import RoundTrips
from nymproxy.stream.presence import QUESTION_SURBS, make_question

if TYPE_CHECKING:
    from nymproxy._signal import Signal
    from nymproxy.address import NymAddress
    from nymproxy.legacy.roster import ClientRoster

logger = logging.getLogger("nymproxy.operating")

INTERVAL_SECONDS = 60.0
"""Between two questions; a tenth less or more, so that those of several forwards do not meet."""
ANSWER_SECONDS = 20.0
"""No answer by then, and there is none: the next question follows at once."""
_PAUSE_SECONDS = 2.0
"""After a question that could not be sent."""


class Probe:
    """Asks, as long as :meth:`run` runs.

    Args:
        address: who is asked; it need not be who a client's connections go to.
        roster: whose clients ask.
        changed: set when :attr:`trouble` may be another one.
        forward: whose it is, for the log.
    """

    def __init__(
        self, address: NymAddress, roster: ClientRoster, changed: Signal, *, forward: str
    ) -> None:
        self.trips = RoundTrips()
        """How long the answers took, from the question on."""
        self.answered = 0
        self.unanswered = 0
        self.last_seconds: float | None = None
        """What the last answer took."""
        self._address = address
        self._roster = roster
        self._changed = changed
        self._forward = forward
        self._is_answered = False

    @property
    def trouble(self) -> ClientStatus | None:
        """The status of a forward that is ready but for this; ``None``: the last question was
        answered."""
        if self._is_answered:
            return None
        reason = (
            "the probe has no answer: its server is not there, or no nymproxy"
            if self.unanswered
            else "waiting for the answer to the first probe"
        )
        return ClientStatus(
            0.97, False, False, reason, PhaseTimeout.code if self.unanswered else None
        )

    async def run(self) -> None:
        """Ask, until cancelled."""
        while True:
            client = self._roster.client_for(self._address)
            if client is None:
                await self._roster.changed.wait()
                continue
            began = anyio.current_time()
            error: NymError | None = None
            with anyio.move_on_after(ANSWER_SECONDS) as scope:
                try:
                    question, answer = make_question(system_random_bytes)
                    await client.ask(self._address, question, answer, surbs=QUESTION_SURBS)
                except NymError as failure:
                    error = failure
            if error is None and not scope.cancelled_caught:
                self._take_answer(anyio.current_time() - began)
                jitter = 0.9 + 0.2 * uniform_fraction(system_random_bytes)
                await anyio.sleep(INTERVAL_SECONDS * jitter)
            else:
                self._take_silence(error)
                await anyio.sleep(0 if error is None else _PAUSE_SECONDS)

    def _take_answer(self, seconds: float) -> None:
        self.answered += 1
        self.last_seconds = seconds
        self.trips.measured(seconds)
        if not self._is_answered:
            self._is_answered = True
            self._changed.set()

    def _take_silence(self, error: NymError | None) -> None:
        self.unanswered += 1
        if self._is_answered or self.unanswered == 1:
            reason = "no answer" if error is None else str(error)
            logger.warning(
                "%s: the probe failed: %s",
                self._forward,
                reason,
                extra=fields(
                    "probe-failed",
                    forward=self._forward,
                    reason=PhaseTimeout.code if error is None else error.code,
                ),
            )
        self._is_answered = False
        self._changed.set()
