"""The flags of the old programs (nym-sdk src/tcp_proxy/bin/proxy_client.rs and proxy_server.rs).

What ``nymproxy client`` and ``nymproxy server`` take beside their own flags, and what
``nymproxy-migrate`` reads in old commands.
"""

from __future__ import annotations

SHORT: dict[str, dict[str, str]] = {
    "client": {
        "server-address": "-s",
        "listen-address": "",
        "listen-port": "",
        "close-timeout": "",
        "env-path": "-e",
        "client-pool-reserve": "",
    },
    "server": {
        "upstream-tcp-address": "-u",
        "config-dir": "-c",
        "env-path": "-e",
        "gateway": "-g",
    },
}
"""By command and long name: the short name, or nothing."""

RENAMED = {"upstream-address": "upstream-tcp-address"}
"""Flags of the demonstration of 2024 by the names that they have had since."""

DEFAULT_CONFIG_DIR = "/tmp/nym-tcp-proxy-server"
"""The old server's default, before HOME is put in front of it."""
