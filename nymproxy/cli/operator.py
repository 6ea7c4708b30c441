"""``nymproxy status``, ``top`` and ``sessions``: what is asked of a process that runs."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

import typer

from nymproxy.errors import ConfigurationError, NetworkError

if TYPE_CHECKING:
    from pathlib import Path

EXIT_READY = 0
EXIT_NOT_READY = 1
_SECONDS = 10.0
_MANY_LOST = 0.1


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("nymproxy", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class ControlSocket:
    """The control socket of a process.

    Args:
        path: as ``--control`` said where the process was started.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, method: str, target: str) -> tuple[int, str]:
        """Return the code and the text of an answer.

        Raises:
            NetworkError: nobody answers.
        """
        with closing(_UnixConnection(self._path)) as connection:
            try:
                connection.request(method, target)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            except (OSError, HTTPException) as error:
                raise NetworkError(
                    f"nobody answers at {self._path}: is the process running, and was it started "
                    "with --control and this path?"
                ) from error

    def status(self) -> dict[str, Any]:
        """Return what the process says of itself.

        Raises:
            NetworkError: nobody answers.
        """
        status: dict[str, Any] = json.loads(self.ask("GET", "/status")[1])
        return status

    def close_session(self, forward: str, number: int) -> None:
        """Have a session reset.

        Raises:
            ConfigurationError: there is none of that number.
            NetworkError: nobody answers.
        """
        code, text = self.ask("POST", f"/sessions/{forward}/{number}/close")
        if code != 200:
            raise ConfigurationError(text.strip())


def show_status(path: Path, *, as_json: bool) -> None:
    """Print the status; the exit code says whether the process is ready.

    Raises:
        NetworkError: nobody answers.
    """
    status = ControlSocket(path).status()
    typer.echo(json.dumps(status, indent=2) if as_json else status_text(status))
    raise typer.Exit(EXIT_READY if status["ready"] else EXIT_NOT_READY)


def status_text(status: dict[str, Any]) -> str:
    """Return a status for people."""
    memory = status["memory"]
    lines = [
        f"{'ready' if status['ready'] else 'NOT READY'}; running for {_span(status['seconds'])}",
        f"memory held for peers: {memory['held_bytes'] >> 20} of {memory['limit_bytes'] >> 20} MiB",
    ]
    for each in status["forwards"]:
        state = (
            "ready" if each["ready"] else f"NOT READY ({each['fraction']:.0%}): {each['status']}"
        )
        lines.append(f"\n{each['role']} {each['forward']}: {state}")
        if each["blocked_by"]:
            lines.append(f"  blocked by: {each['blocked_by']}")
        ended = ", ".join(f"{count} {reason}" for reason, count in each["sessions_ended"].items())
        count = f"  sessions: {each['sessions']} now, {each['sessions_begun']} begun"
        lines.append(f"{count}; ended: {ended}" if ended else count)
        lines.append(
            f"  bytes: {each['bytes_to_peer']:,} to the peer, {each['bytes_from_peer']:,} from it"
        )
        lines.append(
            f"  mixnet clients: {each['mixnet_clients_ready']} of {each['mixnet_clients']} ready, "
            f"gateways lost: {each['gateways_lost']}, retransmissions: {each['retransmissions']}"
        )
        if (share := each["lost_share"]) >= _MANY_LOST:
            lines.append(
                f"  {share:.0%} of its packets of the last seconds had to be sent again: the "
                "network loses them, or a machine on the way is too busy (a localnet logs "
                "queue_full then)"
            )
        if (seconds := mean_round_trip(each)) is not None:
            lines.append(f"  round trip: {seconds:.3f} s on average")
        if (probe := each["probe"]) is not None:
            last = "" if probe["last_seconds"] is None else f"; {probe['last_seconds']:.3f} s"
            asked = probe["answered"] + probe["unanswered"]
            lines.append(f"  probe: {probe['answered']} of {asked} answered{last}")
        lines += [
            f"  session {one['number']}: {one['protocol']}, {_span(one['seconds'])}, "
            f"{'ending, ' if one['is_ending'] else ''}"
            f"{one['bytes_to_peer']:,} bytes to the peer, {one['bytes_from_peer']:,} from it"
            for one in each["running_sessions"]
        ]
    return "\n".join(lines)


def mean_round_trip(forward: dict[str, Any]) -> float | None:
    """Return the mean time from a packet to its ack, in seconds; ``None``: nothing was measured."""
    count = sum(forward["round_trips"].values())
    return forward["round_trip_seconds"] / count if count else None


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def close_session(path: Path, session: str) -> None:
    """Have a session reset, by ``NUMBER`` or ``FORWARD/NUMBER``.

    Raises:
        ConfigurationError: there is none, or several forwards have one of that number.
        NetworkError: nobody answers.
    """
    control = ControlSocket(path)
    forward, _, number = session.rpartition("/")
    if not number.isdecimal():
        raise ConfigurationError(f"{session!r} is no session: give NUMBER, or FORWARD/NUMBER")
    if not forward:
        found = [
            each["forward"]
            for each in control.status()["forwards"]
            if any(one["number"] == int(number) for one in each["running_sessions"])
        ]
        if len(found) != 1:
            named = ", ".join(f"{each}/{number}" for each in found) or "no forward has it"
            raise ConfigurationError(f"which session {number}: {named}")
        (forward,) = found
    control.close_session(forward, int(number))
    typer.echo(f"closed {forward}/{number}")
