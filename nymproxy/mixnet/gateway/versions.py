"""Protocol versions of the gateway connection (nym-gateway-requests 1.21.6 src/lib.rs)."""

from __future__ import annotations

CURRENT_PROTOCOL_VERSION = 6
"""What we speak: version 6 added the "upgrade mode" flag."""

LOWEST_PROTOCOL_VERSION = 4
"""The first version with authentication v2; below it nothing is left that we could speak."""

KEY_ROTATION_VERSION = 5
"""The first version whose forwarded packets say which Sphinx key they were made for."""


def is_supported(version: int) -> bool:
    """Tell whether a connection may run with ``version``."""
    return LOWEST_PROTOCOL_VERSION <= version <= CURRENT_PROTOCOL_VERSION


def carries_key_rotation(version: int) -> bool:
    """Tell whether packets are forwarded in the form that names their key rotation."""
    return version >= KEY_ROTATION_VERSION
