"""Making one good connection: which key to use, when to authenticate, when to register again."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.errors import ClientNotRegistered, ClockSkew, GatewayRefused
from nymproxy.mixnet.gateway.connection import GatewayConnection, open_listener
from nymproxy.mixnet.gateway.protocol import GatewayClientProtocol
from nymproxy.mixnet.gateway.refusals import RefusalKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.mixnet.gateway.backlog import Backlog
    from nymproxy.mixnet.gateway.events import Authenticating, Registered
    from nymproxy.mixnet.gateway.keys import ClientIdentityKey, SharedKey
    from nymproxy.mixnet.gateway.limits import PhaseLimits
    from nymproxy.mixnet.gateway.listener import GatewayListener
    from nymproxy.mixnet.randomness import RandomBytes

_log = logging.getLogger("nymproxy.gateway")

MAX_SECOND_WAIT = 5.0
"""How long to wait for a second that was not used before; longer means the clock was set back."""


@dataclass
class Establisher:
    """What a client needs to connect again and again, and what it learns by it.

    Attributes:
        listener: the gateway; may be replaced (same identity) when the directory has news.
        identity: the client's own key.
        key: the shared key, None before the first registration.
        last_second: the latest Unix second that must not be used again.
        store_key: stores a new shared key before it is used.
        store_second: stores the second of an authentication before it is sent.
        clock: monotonic seconds.
        unix_time: wall-clock seconds.
        random_bytes: source of keys and nonces.
        sleep: waits for so many seconds.
        limits: time limits of the phases.
        options: how to reach the gateway.
        backlog: messages that the gateway has handed over and nobody has taken yet.
        refusal: why the gateway said no last.
    """

    listener: GatewayListener
    identity: ClientIdentityKey
    key: SharedKey | None
    last_second: int
    store_key: Callable[[bytes], Awaitable[None]]
    store_second: Callable[[int], Awaitable[None]]
    clock: Callable[[], float]
    unix_time: Callable[[], float]
    random_bytes: RandomBytes
    sleep: Callable[[float], Awaitable[None]]
    limits: PhaseLimits
    options: ConnectionOptions
    backlog: Backlog
    refusal: RefusalKind | None = field(default=None, init=False)

    async def establish(self) -> GatewayConnection:
        """Connect; when the gateway has lost us, register again with it, once.

        Returns:
            A connection that is streaming.

        Raises:
            NymError: as :meth:`GatewayConnection.establish` and the callbacks raise them.
        """
        try:
            return await self._try_once()
        except ClientNotRegistered as error:
            if self.key is None:
                raise
            _log.warning("%s; doing so", error)
        old_key, self.key = self.key, None
        try:
            return await self._try_once()
        finally:
            self.key = self.key or old_key

    async def establish_first(self) -> GatewayConnection:
        """Connect for the first time: wait if somebody has used this very second, once."""
        try:
            return await self.establish()
        except GatewayRefused:
            if self.refusal is not RefusalKind.REUSED_SECOND:
                raise
        await self.sleep(1.0)
        return await self.establish()

    async def _try_once(self) -> GatewayConnection:
        self.refusal = None
        if self.key is not None:
            await self._await_unused_second()
        protocol = GatewayClientProtocol(
            self.identity,
            self.listener.identity,
            shared_key=self.key,
            random_bytes=self.random_bytes,
            limits=self.limits,
        )
        websocket = await open_listener(
            self.listener, limit_seconds=self.limits.connect, options=self.options
        )
        connection = GatewayConnection(
            websocket, protocol, clock=self.clock, unix_time=self.unix_time
        )
        try:
            await connection.establish(
                self.backlog,
                on_registered=self._registered,
                on_authenticating=self._authenticating,
            )
        except BaseException:
            self.refusal = protocol.refusal
            await connection.aclose()
            raise
        return connection

    async def _await_unused_second(self) -> None:
        """Wait until no earlier authentication carries the current second.

        Gateways accept each second once, for ever; a future second must not be invented.
        """
        while (wait := self.last_second + 1 - self.unix_time()) > 0:
            if wait > MAX_SECOND_WAIT:
                raise ClockSkew(
                    f"the last authentication lies {math.ceil(wait)} s in the future: this "
                    "machine's clock was set back; set it right, or wait"
                )
            await self.sleep(wait)

    async def _registered(self, event: Registered) -> None:
        await self.store_key(event.shared_key.to_bytes())
        self.key = event.shared_key
        await self._use_second(event.unix_second)

    async def _authenticating(self, event: Authenticating) -> None:
        await self._use_second(event.unix_second)

    async def _use_second(self, unix_second: int) -> None:
        self.last_second = max(self.last_second, unix_second)
        await self.store_second(self.last_second)
