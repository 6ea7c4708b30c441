"""Where a client is kept: in memory, or in a directory in the layout of the Rust clients.

The names here are the records; the storages are imported from their modules:
:mod:`~nymproxy.mixnet.storage.directory` and :mod:`~nymproxy.mixnet.storage.ephemeral`.
"""

from __future__ import annotations

from nymproxy.mixnet.storage.model import ClientKeys as ClientKeys
from nymproxy.mixnet.storage.model import ClientStorage as ClientStorage
from nymproxy.mixnet.storage.model import GatewayRegistration as GatewayRegistration
from nymproxy.mixnet.storage.model import StoredClient as StoredClient
