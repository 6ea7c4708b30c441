"""A client that is forgotten when the process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.lowlevel

from nymproxy.errors import StorageError
from nymproxy.mixnet.storage.model import StoredClient

if TYPE_CHECKING:
    from nymproxy.mixnet.storage.model import ClientKeys, GatewayRegistration


class EphemeralStorage:
    """Keeps a client in memory, so that it survives reconnections and nothing else."""

    def __init__(self) -> None:
        self._keys: ClientKeys | None = None
        self._registration: GatewayRegistration | None = None
        self._last_authentication = 0

    async def load(self) -> StoredClient | None:
        """Return what was saved before."""
        await anyio.lowlevel.checkpoint()
        if self._keys is None:
            return None
        return StoredClient(self._keys, self._registration, self._last_authentication)

    async def save_keys(self, keys: ClientKeys) -> None:
        """Keep the keys.

        Raises:
            StorageError: other keys are kept already.
        """
        await anyio.lowlevel.checkpoint()
        if self._keys not in (None, keys):
            raise StorageError("the storage already holds other keys: use a new one")
        self._keys = keys

    async def save_registration(self, registration: GatewayRegistration) -> None:
        """Keep the registration."""
        await anyio.lowlevel.checkpoint()
        self._registration = registration

    async def save_last_authentication(self, unix_second: int) -> None:
        """Keep the second."""
        await anyio.lowlevel.checkpoint()
        self._last_authentication = unix_second

    async def close(self) -> None:
        """Do nothing: the content lives as long as the object."""
        await anyio.lowlevel.checkpoint()
