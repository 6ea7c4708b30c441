"""The env file, and what it leads to: the directory, the gateway, and the directory's clock."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nymproxy import ConfigurationError, DirectoryClient, NetworkDetails, NymError
from nymproxy_migrate.doctor.endpoint import Endpoint, why_unreachable
from nymproxy_migrate.doctor.model import Check, Network, Verdict
from nymproxy_migrate.doctor.threads import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy import NodeIdentity
    from nymproxy_migrate.doctor.model import Settings

ENV_FILE = "env-file"
DIRECTORY = "directory"
GATEWAY = "gateway"
CLOCK = "clock"

GATEWAY_TOLERANCE_SECONDS = 120
"""How far off a gateway lets a client's clock be (nym-node 1.21.6)."""
_WORTH_A_WARNING_SECONDS = 30

_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")

_NO_NETWORK = "the env file describes no network"


# The env file.


async def read_env_file(settings: Settings) -> tuple[Check, Network]:
    """Read the env file; the other checks need what it says."""
    try:
        details = await in_daemon_thread(lambda: NetworkDetails.from_env_file(settings.env_path))
    except ConfigurationError as error:
        return judge_env_error(settings, error), Network(None)
    return judge_env_file(settings, details), Network(details)


def judge_env_error(settings: Settings, error: ConfigurationError) -> Check:
    """Judge an env file that describes no network."""
    if isinstance(error.__cause__, OSError):
        cause = error.__cause__.strerror or type(error.__cause__).__name__
        return Check(
            ENV_FILE,
            Verdict.FAIL,
            f"the env file cannot be read: {cause}",
            "name a readable file with --env-path",
            detail=str(settings.env_path),
        )
    # The message may quote a line of the file, and so belongs to the terminal only.
    return Check(
        ENV_FILE,
        Verdict.FAIL,
        "the env file describes no network",
        "correct the file; `nymproxy-migrate scan` names the line",
        detail=str(error),
    )


def judge_env_file(settings: Settings, details: NetworkDetails) -> Check:
    """Judge an env file that could be read: does it mean the same to the old programs?"""
    count = len(details.nym_api_urls)
    urls = f"{count} directory URL{'s' if count > 1 else ''}"
    if details.warnings:
        causes = "; ".join(f"{warning.code}: {warning.message}" for warning in details.warnings)
        return Check(
            ENV_FILE, Verdict.WARN, causes, "correct the file before old programs read it again"
        )
    if settings.env_path is None:
        return Check(ENV_FILE, Verdict.OK, f"none given: the public network, {urls}")
    return Check(ENV_FILE, Verdict.OK, f"{urls}, the same to old and new programs")


# The directory and its gateways.


def _client(details: NetworkDetails, settings: Settings) -> DirectoryClient:
    each = settings.deadline_seconds / len(details.nym_api_urls)
    return DirectoryClient(details, timeout_seconds=max(1.0, 0.9 * each))


async def check_directory(settings: Settings, network: Network) -> Check:
    """Ask the directory for a topology, as a client does before its first packet."""
    if network.details is None:
        return Check(DIRECTORY, Verdict.SKIPPED, _NO_NETWORK)
    try:
        topology = await _client(network.details, settings).fetch_topology()
    except NymError as error:
        return judge_directory_error(error, network.details)
    return Check(DIRECTORY, Verdict.OK, f"it lists {len(topology.nodes)} nodes that can be used")


def judge_directory_error(error: NymError, details: NetworkDetails) -> Check:
    """Judge a directory that gave no topology."""
    # Its cause is the same without host names, which come from the env file.
    cause = error.__cause__ if isinstance(error.__cause__, NymError) else None
    hosts = ", ".join(_host(api.url) for api in details.nym_api_urls)
    return Check(
        DIRECTORY,
        Verdict.FAIL,
        f"no usable answer: {cause or error.code}",
        "check the network connection and the directory URLs of the env file",
        detail=f"asked: {hosts}",
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "a URL that cannot be read"


async def check_gateway(
    settings: Settings, network: Network, of_address: NodeIdentity | None
) -> Check:
    """Look for the gateway among those of the directory, and connect to it.

    Args:
        settings: name a gateway, perhaps.
        network: where the directory is.
        of_address: the gateway of the Nym address that the config directory holds.
    """
    if network.details is None:
        return Check(GATEWAY, Verdict.SKIPPED, _NO_NETWORK)
    try:
        nodes = await _client(network.details, settings).fetch_gateways()
    except NymError:
        return Check(GATEWAY, Verdict.SKIPPED, "the directory gives no usable answer")
    wanted = settings.gateway or of_address
    node = next((each for each in nodes if each.identity == wanted), None)
    if node is None or node.entry is None:
        return judge_gateways(settings.gateway, of_address, len(nodes))
    host = node.entry.hostname or str(node.entry.ip_addresses[0])
    listener = Endpoint(host, node.entry.ws_port)
    return judge_listener(listener, await why_unreachable(listener))


def judge_gateways(
    given: NodeIdentity | None, of_address: NodeIdentity | None, count: int
) -> Check:
    """Judge a list of gateways that the wanted one, if any, is not on."""
    if given is not None:
        return Check(
            GATEWAY,
            Verdict.FAIL,
            f"the gateway of --gateway is not among the {count} that take clients",
            "correct --gateway, or leave it out to let one be chosen",
            detail=str(given),
        )
    if of_address is not None:
        return Check(
            GATEWAY,
            Verdict.FAIL,
            f"the gateway of the Nym address is not among the {count} that take clients",
            "wait for it to come back, or make a new address in another config directory and give "
            "it to all clients",
            detail=str(of_address),
        )
    if count == 0:
        return Check(
            GATEWAY, Verdict.FAIL, "no gateway takes clients now", "try again in some minutes"
        )
    return Check(GATEWAY, Verdict.OK, f"{count} take clients; one will be chosen at random")


def judge_listener(listener: Endpoint, problem: str | None) -> Check:
    """Judge the connection to the wanted gateway."""
    if problem is None:
        return Check(GATEWAY, Verdict.OK, "it takes clients and can be reached")
    return Check(
        GATEWAY,
        Verdict.FAIL,
        f"the directory lists it, but it cannot be reached: {problem}",
        f"allow outgoing TCP connections to port {listener.port}",
        detail=str(listener),
    )


# The clock.


async def check_clock(settings: Settings, network: Network) -> Check:
    """Compare this machine's clock with the date in the directory's answers."""
    if network.details is None:
        return Check(CLOCK, Verdict.SKIPPED, _NO_NETWORK)
    urls = [api.url for api in network.details.nym_api_urls]
    return judge_clock(await _first_skew(urls, settings.deadline_seconds))


async def _first_skew(urls: Sequence[str], deadline_seconds: float) -> float | None:
    """Return how many seconds this clock is ahead of the first directory that sends a date."""
    await in_daemon_thread(_import_httpx)
    import httpx

    async with httpx.AsyncClient(
        timeout=max(1.0, 0.9 * deadline_seconds / len(urls)), mounts=dict.fromkeys(_LOOPBACK)
    ) as client:
        for url in urls:
            before = time.time()
            try:
                # Any answer has a date, also a refusal; its body does not matter.
                async with client.stream("GET", url) as response:
                    after = time.time()
                    date = response.headers.get("date", "")
                    await response.aclose()
            except (httpx.HTTPError, httpx.InvalidURL):
                continue
            skew = skew_of(date, before, after)
            if skew is not None:
                return skew
    return None


def _import_httpx() -> None:
    import httpx  # noqa: F401 - takes 0.3 s the first time, which must not hold up the others


def skew_of(date: str, before: float, after: float) -> float | None:
    """Return how far a clock is ahead of a ``Date`` header, at least; None if it is no date.

    Args:
        date: the header, in whole seconds.
        before: the clock when the request was sent, in Unix seconds.
        after: the clock when the answer came.
    """
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    # It was made at some time in between, and cut down to the second.
    if after < theirs:
        return after - theirs
    return max(0.0, before - (theirs + 1))


def judge_clock(skew: float | None) -> Check:
    """Judge the clock by how far it is ahead of the directory's."""
    if skew is None:
        return Check(CLOCK, Verdict.SKIPPED, "no directory answers with a date")
    if abs(skew) < _WORTH_A_WARNING_SECONDS:
        return Check(CLOCK, Verdict.OK, f"within {_WORTH_A_WARNING_SECONDS} s of the directory's")
    cause = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the directory's"
    next_step = "timedatectl set-ntp true"
    if abs(skew) < GATEWAY_TOLERANCE_SECONDS:
        return Check(CLOCK, Verdict.WARN, cause, next_step)
    cause += f"; gateways refuse clients from {GATEWAY_TOLERANCE_SECONDS} s on"
    return Check(CLOCK, Verdict.FAIL, cause, next_step)
