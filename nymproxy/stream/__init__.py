"""The Stream API: byte streams to Nym addresses, wire-compatible with nym-sdk 1.21.6.

:class:`MixnetClient` opens and accepts streams; :class:`StreamEndpoint` does the same over any
message transport. Adapters live in modules of their own: ``tls``, ``background`` (blocking
callers), ``asyncio_streams`` and ``httpx_transport``.
"""

from __future__ import annotations

from nymproxy.stream.client import MixnetClient as MixnetClient
from nymproxy.stream.endpoint import StreamEndpoint as StreamEndpoint
from nymproxy.stream.listener import MixnetListener as MixnetListener
from nymproxy.stream.protocol import StreamProtocol as StreamProtocol
from nymproxy.stream.stream import MixnetStream as MixnetStream
from nymproxy.stream.stream import StreamAttribute as StreamAttribute
from nymproxy.stream.traits import StreamOptions as StreamOptions
