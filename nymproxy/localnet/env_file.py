"""The env file that makes a client, ours or a Rust one, use this network.

Rules of nym-network-defaults 1.21.6 (src/env_setup.rs): NYM_APIS is JSON and must stand in single
quotes, since the reader removes double ones; addresses are IP literals, because Rust clients do not
ask the system's resolver; what is left out becomes a mainnet default that is never contacted.
"""

from __future__ import annotations

import json

from nymproxy.mixnet.directory.details import LOCALNET_NAME


def env_file_text(directory_url: str) -> str:
    """Return the text of the file for a directory base URL (``http://127.0.0.1:PORT/api/``)."""
    apis = json.dumps([{"url": directory_url, "front_hosts": None}], separators=(",", ":"))
    return "\n".join(
        (
            f"NETWORK_NAME={LOCALNET_NAME}",
            "NYXD=http://127.0.0.1:26657",
            "NYXD_WS=ws://127.0.0.1:26657/websocket",
            f"NYM_API={directory_url}",
            f"NYM_APIS='{apis}'",
            "NYM_VPN_APIS='[]'",
            "",
        )
    )
