"""``nymproxy server``: a Nym address whose connections come out at one TCP service."""

from __future__ import annotations

import logging
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy.cli.connection import connection_options, probe_address, traffic_profile
from nymproxy.cli.inputs import Inputs
from nymproxy.cli.keys import without_limits
from nymproxy.cli.old_flags import DEFAULT_CONFIG_DIR
from nymproxy.cli.passphrase import asked_passphrase, key_passphrase
from nymproxy.cli.running import run_all
from nymproxy.errors import ConfigurationError
from nymproxy.legacy import LegacySettings, WireSettings
from nymproxy.legacy.limits import SessionLimits
from nymproxy.legacy.server import NymProxyServer
from nymproxy.mixnet.storage.identities import KeyDirectory
from nymproxy.mixnet.storage.key_files import present_key_files
from nymproxy.operating.forward import Plan
from nymproxy.operating.logs import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nymproxy.cli.settings import ServerSettings
    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.operating.groups import IdentityGroups

logger = logging.getLogger("nymproxy.cli")


def old_home(environ: Mapping[str, str]) -> str | None:
    """Return the home that the old binary took: HOME, or what the account database says.

    Source: the crate dirs 5, ``home_dir``, which nym-sdk calls.
    """
    if home := environ.get("HOME"):
        return home
    try:
        return pwd.getpwuid(os.getuid()).pw_dir or None
    except KeyError:
        return None


def effective_config_dir(given: str | None, *, compat: bool, home: str | None) -> Path:
    """Return the directory that ``-c`` means.

    The path as given; or, with ``compat`` and without ``-c``, what the old binary made of it:
    the home and the text, one behind the other, with nothing in between.

    Raises:
        ConfigurationError: a home is needed, and there is none.
    """
    if given is not None and not compat:
        return Path(given)
    if not home:
        raise ConfigurationError(
            "HOME is not set, and this user has no home: say where the keys are with "
            "--config-dir DIR"
        )
    return Path(home + (DEFAULT_CONFIG_DIR if given is None else given))


def expect_keys(directory: Path) -> None:
    """Check that an old server's keys are there: another address would be found by nobody.

    Raises:
        ConfigurationError: there are none.
    """
    if not present_key_files(directory):
        raise ConfigurationError(
            f"there are no keys in {directory}, where --compat-config-dir expects those of an old "
            "server: say where they are with -c, or add --new-identity to start with a new Nym "
            "address"
        )


def _explain_directory(settings: ServerSettings, directory: Path, home: str | None) -> None:
    """Say what an operator of the old binary may not expect about ``-c``."""
    if settings.compat_config_dir:
        logger.info("--compat-config-dir: the keys are in %s", directory)
        return
    if settings.config_dir is None or directory.exists() or not home:
        return
    old = Path(home + settings.config_dir)
    if old.exists():
        logger.warning(
            "%s does not exist, but %s does, where the old binary kept its keys: "
            "use -c %s to keep that Nym address",
            directory,
            old,
            old,
        )


def plan_of(
    settings: ServerSettings,
    name: str,
    memory: MemoryAccount,
    inputs: Inputs,
    asked: str | None = None,
) -> Plan:
    """Return what the settings ask for.

    Args:
        settings: of the server.
        name: of the forward.
        memory: the account of the process.
        inputs: where files are read that the settings name.
        asked: the passphrase that somebody has typed.

    Raises:
        AddressError: what is to be probed is no address.
        ConfigurationError: a file cannot be read.
        UnsafePermissions: everybody can read the file of the passphrase.
    """
    network = inputs.network(settings.env_path)
    options = connection_options(settings, inputs)
    passphrase = asked or key_passphrase(settings.key_passphrase_file, os.environ, inputs)

    async def make(roster: ClientRoster) -> NymProxyServer:
        return await NymProxyServer.create(
            settings.upstream_tcp_address,
            KeyDirectory(_prepared_directory(settings), passphrase),
            gateway=settings.gateway,
            network=network,
            gateways=settings.gateways,
            accept=settings.accept.protocols,
            profile=traffic_profile(settings),
            options=options,
            memory=memory,
            settings=WireSettings(
                legacy=LegacySettings(close_to_legacy_clients=settings.close_to_legacy_clients)
            ).with_timeouts(idle=settings.idle_timeout_seconds),
            allowed_upstreams=settings.allowed_upstreams,
            max_sessions=settings.max_sessions,
            max_sessions_per_client=settings.max_sessions_per_client,
            connect_rate=settings.connect_rate,
            roster=roster,
        )

    def describe(server: NymProxyServer) -> dict[str, object]:
        return {
            "name": name,
            "address": str(server.nym_address()),
            "addresses": [str(address) for address in server.nym_addresses()],
            "upstream": settings.upstream_tcp_address,
            "accept": list(settings.accept.protocols),
            "config_dir": str(_directory(settings)),
        }

    def adjust(server: NymProxyServer) -> None:
        server.use_limits(
            SessionLimits(
                sessions=settings.max_sessions,
                sessions_per_client=settings.max_sessions_per_client,
                connects_per_second=settings.connect_rate,
            )
        )

    return Plan(
        name=name,
        role="server",
        settings=settings,
        fixed=without_limits(settings, "server"),
        make=make,
        describe=describe,
        adjust=adjust,
        address_file=settings.address_file,
        probe=probe_address(settings),
    )


def _directory(settings: ServerSettings) -> Path:
    home = old_home(os.environ)
    return effective_config_dir(settings.config_dir, compat=settings.compat_config_dir, home=home)


def _prepared_directory(settings: ServerSettings) -> Path:
    directory = _directory(settings)
    if settings.compat_config_dir and not settings.new_identity:
        expect_keys(directory)
    _explain_directory(settings, directory, old_home(os.environ))
    return directory


def run(settings: ServerSettings) -> None:
    """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    inputs = Inputs()
    log_to_stderr()
    given = key_passphrase(settings.key_passphrase_file, os.environ, inputs)
    asked = asked_passphrase(_directory(settings)) if given is None else None

    def plans_of(memory: MemoryAccount, _groups: IdentityGroups) -> list[Plan]:
        return [plan_of(settings, "server", memory, inputs, asked)]

    run_all(plans_of, settings, settings.env_path)
