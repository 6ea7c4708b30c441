"""What monitoring and the operator's commands ask a process, and what it answers.

``/healthz``: the event loop turns. ``/readyz``: traffic can flow, or 503 and why not. ``/metrics``.
Only on the control socket, which is its user's alone: ``/status``, and ``POST`` to
``/sessions/FORWARD/NUMBER/close``.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nymproxy.operating.http_server import Answer
from nymproxy.operating.statistics import statistics_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.memory_account import MemoryAccount
    from nymproxy.operating.supervisor import Supervisor

CONTROL_SOCKET_MODE = 0o600
_JSON = "application/json"
_MOST_DIGITS = 18


class Monitoring:
    """Answers requests.

    Args:
        supervisor: of the process.
        account: of the process.
        metrics: answers ``/metrics``; ``None``: there is none.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        account: MemoryAccount,
        metrics: Callable[[], Answer] | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._account = account
        self._metrics = metrics
        self._started = time.time()

    def answer(self, method: str, path: str) -> Answer | None:
        """Answer what anybody who reaches the socket may ask."""
        if method != "GET":
            return None
        if path == "/healthz":
            return Answer(200, b"ok\n")
        if path == "/readyz":
            why_not = self._supervisor.why_not_ready
            body = f"{why_not or 'ready'}\n".encode()
            return Answer(200 if why_not is None else 503, body)
        if path == "/metrics" and self._metrics is not None:
            return self._metrics()
        return None

    def answer_operator(self, method: str, path: str) -> Answer | None:
        """Answer what the operator may ask, too."""
        if method == "GET" and path == "/status":
            return Answer(200, json.dumps(self.status()).encode() + b"\n", _JSON)
        parts = path.strip("/").split("/")
        if method == "POST" and len(parts) == 4 and (parts[0], parts[3]) == ("sessions", "close"):
            return self._close(parts[1], parts[2])
        return self.answer(method, path)

    def _close(self, name: str, number: str) -> Answer:
        forward = self._supervisor.forwards.get(name)
        if forward is None or forward.proxy is None:
            return Answer(404, f"there is no forward {name} that runs\n".encode())
        is_number = number.isdecimal() and len(number) <= _MOST_DIGITS
        if not is_number or not forward.proxy.close_session(int(number)):
            return Answer(404, f"{name} has no session {number}\n".encode())
        return Answer(200, b"closed\n")

    def status(self) -> dict[str, Any]:
        """Return all that there is to tell: no addresses, and no ids of sessions on the wire."""
        account = self._account
        return {
            "ready": self._supervisor.why_not_ready is None,
            "why_not_ready": self._supervisor.why_not_ready,
            "seconds": round(time.time() - self._started, 1),
            "memory": {
                "held_bytes": account.used_bytes,
                "limit_bytes": account.maximum_bytes,
                "reclaimed_bytes": account.reclaimed_bytes,
            },
            "forwards": [
                {
                    **statistics_of(forward),
                    "round_trips": forward.roster.counters.round_trips,
                    "round_trip_seconds": forward.roster.counters.round_trip_seconds,
                    "running_sessions": [
                        {key: value for key, value in asdict(each).items() if key != "session_id"}
                        for each in (
                            () if forward.proxy is None else forward.proxy.session_map().values()
                        )
                    ],
                }
                for forward in self._supervisor.forwards.values()
            ],
        }
