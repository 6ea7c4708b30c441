"""The Stream API: byte streams to Nym addresses, wire-compatible with nym-sdk 1.21.6.

``client.MixnetClient`` opens and accepts streams; ``endpoint.StreamEndpoint`` does the same over
any message transport. Adapters: ``tls``, ``background`` (blocking callers), ``asyncio_streams`` and
``httpx_transport``.
"""

from __future__ import annotations

from nymproxy.stream.protocol import StreamProtocol as StreamProtocol
from nymproxy.stream.traits import StreamOptions as StreamOptions
