"""``nymproxy client``: a local TCP port whose connections come out at a proxy server's upstream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio

from nymproxy.cli.connection import connection_options, memory_account, traffic_profile
from nymproxy.cli.logs import set_up_logging
from nymproxy.cli.running import serve_until_told_to_end
from nymproxy.legacy import WireSettings
from nymproxy.legacy.client import NymProxyClient

if TYPE_CHECKING:
    from nymproxy.cli.settings import ClientSettings


async def _serve(settings: ClientSettings) -> None:
    client = NymProxyClient(
        settings.server_address,
        settings.listen_address,
        settings.listen_port,
        settings.close_timeout_seconds,
        settings.env_path,
        settings.client_pool_reserve,
        wire=settings.wire.value,
        identity_mode=settings.identity_mode.value,
        profile=traffic_profile(settings),
        options=connection_options(settings, os.environ),
        connect_timeout=settings.connect_timeout_seconds,
        settings=WireSettings().with_timeouts(idle=settings.idle_timeout_seconds),
        memory=memory_account(settings),
        max_connections=settings.max_connections,
    )

    def ready() -> dict[str, object]:
        host, port = client.local_address
        return {
            "event": "ready",
            "local_address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "wire": settings.wire.value,
            "identity_mode": settings.identity_mode.value,
        }

    await serve_until_told_to_end(
        client.run,
        client.disconnect,
        ready,
        address_file=settings.address_file,
        grace_period_seconds=settings.grace_period_seconds,
    )


def run(settings: ClientSettings) -> None:
    """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    set_up_logging(as_json=settings.json_logs, rust_log=os.environ.get("RUST_LOG"))
    anyio.run(_serve, settings)
