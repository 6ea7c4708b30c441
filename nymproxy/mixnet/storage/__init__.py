"""Where a client is kept: in memory, or in a directory in the layout of the Rust clients."""

from __future__ import annotations

from nymproxy.mixnet.storage.directory import DirectoryStorage as DirectoryStorage
from nymproxy.mixnet.storage.directory import nym_address_of as nym_address_of
from nymproxy.mixnet.storage.ephemeral import EphemeralStorage as EphemeralStorage
from nymproxy.mixnet.storage.model import ClientKeys as ClientKeys
from nymproxy.mixnet.storage.model import ClientStorage as ClientStorage
from nymproxy.mixnet.storage.model import GatewayRegistration as GatewayRegistration
from nymproxy.mixnet.storage.model import StoredClient as StoredClient
from nymproxy.mixnet.storage.registrations import KnownGateway as KnownGateway
from nymproxy.mixnet.storage.registrations import KnownGateways as KnownGateways
from nymproxy.mixnet.storage.registrations import read_gateways as read_gateways
