"""What a server would do with the config directory: go on with which address, or refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy import NymAddress, StorageError, UnsafePermissions, preview_start
from nymproxy_migrate.doctor.model import Check, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy import NodeIdentity, StartPreview

START = "server-start"

_GO_ON = "no client knows it: restore the folder, or name the old one with -c"


def check_start(directory: Path, gateway: NodeIdentity | None, *, needs_keys: bool) -> Check:
    """Open the directory as a server does, with its own code, and change nothing.

    Args:
        directory: the config directory; it need not be there.
        gateway: the one that is asked for with ``--gateway``.
        needs_keys: the server is told that old keys are there.
    """
    try:
        preview = preview_start(directory)
    except StorageError as error:
        return judge_refusal(error)
    return judge_start(preview, gateway, needs_keys=needs_keys)


def judge_refusal(error: StorageError) -> Check:
    """Judge a directory with which no server starts."""
    if isinstance(error, UnsafePermissions):
        cause, following = "others could use or replace the keys", "do what is said here"
    else:
        cause = "what is there is damaged, encrypted, incomplete or of two clients"
        following = "restore all five keys and the gateway database from one backup"
    # The message names paths, which the terminal may show.
    return Check(START, Verdict.FAIL, f"it is refused: {cause}", following, detail=str(error))


def judge_start(preview: StartPreview, gateway: NodeIdentity | None, *, needs_keys: bool) -> Check:
    """Judge what a start would go on with."""
    if not preview.has_keys and needs_keys:
        cause = "it is refused: there are no keys where --compat-config-dir expects old ones"
        following = "say where they are with -c, or start with a new address: --new-identity"
        return Check(START, Verdict.FAIL, cause, following)
    if not preview.has_keys:
        return Check(START, Verdict.WARN, "it makes new keys, and with them a NEW address", _GO_ON)
    if preview.address is None:
        cause = "it keeps the keys and chooses a gateway, and with it gets a NEW address"
        return Check(START, Verdict.WARN, cause, _GO_ON)
    if gateway not in (None, preview.gateway):
        cause = "it changes to the gateway that is asked for, and with it gets a NEW address"
        following = "leave --gateway out to keep the address"
        return Check(START, Verdict.WARN, cause, following, detail=_beginning(preview.address))
    cause = "it goes on with the OLD address: keys and gateway are there, and it can use them"
    return Check(START, Verdict.OK, cause, detail=_beginning(preview.address))


def _beginning(address: NymAddress) -> str:
    return f"it starts with {str(address)[:6]}..."
