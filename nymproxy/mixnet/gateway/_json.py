"""The reader of the JSON texts between a client and a gateway."""

from __future__ import annotations

from nymproxy._strict_json import JsonReader
from nymproxy.errors import GatewayProtocolError

# A text is at most 128 KiB, and bytes in it are arrays of integers.
READER = JsonReader(GatewayProtocolError, max_values=64 * 1024)
