"""Asking the directory: the five requests of a 1.21.6 client, over a list of URLs.

Requests and their order of nym-client-core 1.21.6 (src/client/topology_control/nym_api_provider.rs,
src/init/helpers.rs). Other than the Rust clients we use every URL for every request, ask for JSON
only, and skip malformed nodes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import anyio

from nymproxy._arguments import of_kind
from nymproxy.connection_options import DEFAULT_OPTIONS, ConnectionOptions
from nymproxy.errors import (
    ConfigurationError,
    DirectoryFormatError,
    DirectoryUnavailable,
    NetworkError,
    NymError,
    TopologyUnavailable,
)
from nymproxy.mixnet.directory.bodies import (
    ACTIVE_MIXNODES_PATH,
    ALL_NODES_PATH,
    ENTRY_GATEWAYS_PATH,
    KEY_ROTATION_PATH,
    REWARDED_SET_PATH,
    NodesPage,
    RewardedSet,
    parse_key_rotation,
    parse_nodes_page,
    parse_rewarded_set,
)
from nymproxy.mixnet.directory.details import NetworkDetails
from nymproxy.mixnet.directory.http_session import HttpSession, http_session
from nymproxy.mixnet.directory.topology import (
    MINIMUM_PERFORMANCE_PERCENT,
    Topology,
    is_consistent,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

    from nymproxy.mixnet.directory.node import Node
    from nymproxy.mixnet.directory.rotation import KeyRotationInfo

T = TypeVar("T")

_logger = logging.getLogger("nymproxy.mixnet.directory")

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Of one body, decompressed. The largest of the network has about one."""

MINIMUM_LAYER_NODES = 8
"""Networks with smaller layers are warned about; the public one has five times as many."""

_MAX_PAGES = 1000

_LIMITS_A_FETCH = 4
"""The time of how many requests one directory has for all of a fetch, pages included. An honest one
is asked twice, with what is asked at the same time, if everything is on the first page."""


class DirectoryClient:
    """Fetches from the first directory URL that gives a usable answer.

    It stays with a URL that worked. Each fetch takes all its parts from one URL, so that keys,
    roles and rotation belong together.
    """

    def __init__(
        self,
        details: NetworkDetails | str | os.PathLike[str] | None = None,
        *,
        timeout_seconds: float = 30.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        minimum_performance_percent: int = MINIMUM_PERFORMANCE_PERCENT,
        use_extended_topology: bool = False,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            details: the network, or the path of its env file; by default what the environment
                describes, or mainnet.
            timeout_seconds: limit for each request; a fetch from one URL may take four times that.
            max_body_bytes: limit for each body, decompressed.
            options: how to connect.
            minimum_performance_percent: nodes below it are left out.
            use_extended_topology: know all nodes, not only those with a role and the gateways.

        Raises:
            ConfigurationError: the env file cannot be used, or a directory URL is neither http nor
                https.
        """
        details = NetworkDetails.of(details)
        self._bases = [_base_url(api.url) for api in details.nym_api_urls]
        self._is_localnet = details.is_localnet
        self._oddities: list[str] = []
        self._current = 0
        self._timeout_seconds = timeout_seconds
        self._max_body_bytes = max_body_bytes
        self._options = of_kind(options, ConnectionOptions, "ConnectionOptions")
        self._minimum_performance_percent = minimum_performance_percent
        self._use_extended_topology = use_extended_topology

    async def fetch_topology(self) -> Topology:
        """Fetch roles and nodes, once more if they are of different moments.

        Raises:
            TopologyUnavailable: the directories answer, but no route can be made now.
            DirectoryUnavailable: no directory gave a usable answer.
        """
        return await self._from_any(self._topology)

    async def fetch_gateways(self) -> list[Node]:
        """Fetch the gateways that a new client may register at.

        Raises:
            DirectoryUnavailable: no directory gave a usable answer.
        """
        pages = await self._from_any(lambda source: source.pages(ENTRY_GATEWAYS_PATH))
        nodes = [node for page in pages for node in page.nodes]
        minimum = self._minimum_performance_percent
        return [node for node in nodes if node.entry and node.performance_percent >= minimum]

    async def fetch_key_rotation(self) -> KeyRotationInfo:
        """Fetch the epoch and key rotation times.

        Raises:
            DirectoryUnavailable: no directory gave a usable answer.
        """
        return await self._from_any(
            lambda source: source.get(KEY_ROTATION_PATH, parse_key_rotation)
        )

    async def _topology(self, source: _Source) -> Topology:
        rewarded_set, pages = await self._parts(source)
        if not is_consistent(rewarded_set, pages):
            _logger.info("the directory changed while it was read: reading it once more")
            rewarded_set, pages = await self._parts(source)
        topology = Topology.from_pages(
            rewarded_set, pages, minimum_performance_percent=self._minimum_performance_percent
        )
        self._warn(topology)
        if not topology.is_routable:
            raise TopologyUnavailable("a mix layer without usable nodes, or no gateways")
        return topology

    def _warn(self, topology: Topology) -> None:
        """Say what is odd about a topology, if it is not what was said last."""
        oddities: list[str] = []
        if topology.skipped_count:
            oddities.append(f"{topology.skipped_count} nodes were malformed, and left out")
        if topology.repeated_count:
            oddities.append(f"{topology.repeated_count} mix nodes stood there twice")
        if topology.smallest_layer < MINIMUM_LAYER_NODES and not self._is_localnet:
            oddities.append(
                f"a mix layer has {topology.smallest_layer} nodes, so packets hide among few ways"
            )
        if oddities != self._oddities:
            self._oddities = oddities
            for oddity in oddities:
                _logger.warning("the directory's answer is odd: %s", oddity)

    async def _parts(self, source: _Source) -> tuple[RewardedSet, list[NodesPage]]:
        paths = [ACTIVE_MIXNODES_PATH, ENTRY_GATEWAYS_PATH]
        if self._use_extended_topology:
            paths = [ALL_NODES_PATH]
        rewarded_sets: list[RewardedSet] = []
        pages: dict[str, list[NodesPage]] = {}

        async def fetch_roles() -> None:
            rewarded_sets.append(await source.get(REWARDED_SET_PATH, parse_rewarded_set))

        async def fetch_nodes(path: str) -> None:
            pages[path] = await source.pages(path)

        await _run_all(fetch_roles, *[lambda path=path: fetch_nodes(path) for path in paths])
        return rewarded_sets[0], [page for path in paths for page in pages[path]]

    async def _from_any(self, fetch: Callable[[_Source], Awaitable[T]]) -> T:
        failures: list[tuple[str, NymError]] = []
        async with http_session(
            timeout_seconds=self._timeout_seconds,
            max_body_bytes=self._max_body_bytes,
            options=self._options,
        ) as session:
            for step in range(len(self._bases)):
                index = (self._current + step) % len(self._bases)
                base = self._bases[index]
                try:
                    result = await self._in_time(fetch(_Source(session, base)))
                except (NetworkError, DirectoryFormatError) as error:
                    failures.append((_host(base), error))
                    _logger.debug("no usable answer from %s: %s", *failures[-1])
                else:
                    self._current = index
                    return result
        raise _combined(failures)

    async def _in_time(self, fetch: Awaitable[T]) -> T:
        limit_seconds = _LIMITS_A_FETCH * self._timeout_seconds
        try:
            with anyio.fail_after(limit_seconds):
                return await fetch
        except TimeoutError as error:
            raise DirectoryUnavailable(
                f"not everything within {limit_seconds:g} seconds"
            ) from error


class _Source:
    """One directory URL within one session."""

    def __init__(self, session: HttpSession, base: str) -> None:
        self._session = session
        self._base = base

    async def get(self, path: str, parse: Callable[[bytes], T]) -> T:
        return await self._session.get(self._base + path, parse)

    async def pages(self, path: str) -> list[NodesPage]:
        """Fetch all pages of a node list; the real server gives all nodes on the first."""
        pages: list[NodesPage] = []
        collected = 0
        for number in range(_MAX_PAGES):
            page = await self.get(f"{path}?page={number}", parse_nodes_page)
            pages.append(page)
            collected += page.entry_count
            if collected >= pages[0].total:
                return pages
            if not page.entry_count:
                break
        raise DirectoryFormatError("fewer nodes than announced")


async def _run_all(*calls: Callable[[], Awaitable[None]]) -> None:
    """Run calls at the same time; the first error ends the others and is raised by itself."""
    errors: list[NymError] = []

    async def run(call: Callable[[], Awaitable[None]]) -> None:
        try:
            await call()
        except NymError as error:
            errors.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(run, call)
    if errors:
        raise errors[0]


def _base_url(url: str) -> str:
    """Cut a URL to the part that paths are appended to."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ConfigurationError("a directory URL cannot be read: correct it") from error
    if not usable or not url.isascii():
        raise ConfigurationError(
            "a directory URL starts with http:// or https:// and a host, and has ASCII only"
        )
    return parts._replace(path=parts.path.removesuffix("/"), query="", fragment="").geturl()


def _host(base: str) -> str:
    return urlsplit(base).netloc.rpartition("@")[2]


def _combined(failures: list[tuple[str, NymError]]) -> NymError:
    reasons = "; ".join(f"{host}: {error}" for host, error in failures)
    if all(isinstance(error, TopologyUnavailable) for _, error in failures):
        combined: NymError = TopologyUnavailable(
            f"no route can be made now ({reasons}): the network may be restarting, try again later"
        )
    else:
        combined = DirectoryUnavailable(
            f"no directory gave a usable answer ({reasons}): check the network connection and the"
            " directory URLs of the env file"
        )
    combined.__cause__ = failures[-1][1]
    return combined
