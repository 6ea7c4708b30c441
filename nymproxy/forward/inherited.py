"""Listening sockets that the service manager opened: sd_listen_fds(3), without a library."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_DESCRIPTOR = 3


def inherited_descriptors(environ: Mapping[str, str], process_id: int) -> dict[str, int]:
    """Return the descriptors by name; those without one are called by their number.

    Args:
        environ: ``LISTEN_PID``, ``LISTEN_FDS`` and ``LISTEN_FDNAMES``.
        process_id: ours; what is meant for another process is none of ours.
    """
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(process_id) or not count.isdecimal():
        return {}
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found = {}
    for index in range(int(count)):
        name = names[index] if index < len(names) else ""
        found[name or str(index)] = _FIRST_DESCRIPTOR + index
    return found


def inherited_socket(name: str, environ: Mapping[str, str] = os.environ) -> socket.socket:
    """Return a copy of an inherited listening socket, so that it can be used again later.

    Raises:
        ConfigurationError: there is none of that name.
        OSError: the descriptor is no socket.
    """
    found = inherited_descriptors(environ, os.getpid())
    if name not in found:
        known = ", ".join(found) or "none"
        raise ConfigurationError(
            f"no socket {name!r} was inherited (there are: {known}): set FileDescriptorName={name} "
            "in the socket unit"
        )
    return socket.socket(fileno=os.dup(found[name]))
