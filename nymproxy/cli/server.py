"""``nymproxy server``: a Nym address whose connections come out at one TCP service."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy.cli.logs import set_up_logging
from nymproxy.cli.old_flags import DEFAULT_CONFIG_DIR
from nymproxy.cli.running import serve_until_told_to_end
from nymproxy.errors import ConfigurationError
from nymproxy.legacy import LegacySettings, WireSettings
from nymproxy.legacy.server import NymProxyServer

if TYPE_CHECKING:
    from nymproxy.cli.settings import ServerSettings

logger = logging.getLogger("nymproxy.cli")


def effective_config_dir(given: str | None, *, compat: bool, home: str | None) -> Path:
    """Return the directory that ``-c`` means.

    The path as given; or, with ``compat`` and without ``-c``, what the old binary made of it:
    $HOME and the text, one behind the other, with nothing in between.

    Raises:
        ConfigurationError: HOME is needed and not set.
    """
    if given is not None and not compat:
        return Path(given)
    if not home:
        raise ConfigurationError("HOME is not set: say where the keys are with --config-dir DIR")
    return Path(home + (DEFAULT_CONFIG_DIR if given is None else given))


def _explain_directory(settings: ServerSettings, directory: Path, home: str | None) -> None:
    """Say what an operator of the old binary may not expect about ``-c``."""
    if settings.compat_config_dir:
        logger.warning(
            "--compat-config-dir: the keys are in %s; better say -c with that path", directory
        )
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


async def _serve(settings: ServerSettings) -> None:
    home = os.environ.get("HOME")
    directory = effective_config_dir(
        settings.config_dir, compat=settings.compat_config_dir, home=home
    )
    _explain_directory(settings, directory, home)
    server = await NymProxyServer.create(
        settings.upstream_tcp_address,
        directory,
        settings.env_path,
        settings.gateway,
        accept=settings.accept.protocols,
        profile=settings.profile.value,
        settings=WireSettings(
            legacy=LegacySettings(close_to_legacy_clients=settings.close_to_legacy_clients)
        ),
    )

    def ready() -> dict[str, object]:
        return {
            "event": "ready",
            "address": str(server.nym_address()),
            "upstream": settings.upstream_tcp_address,
            "accept": list(settings.accept.protocols),
            "config_dir": str(directory),
        }

    await serve_until_told_to_end(
        server.run,
        server.disconnect,
        ready,
        address_file=settings.address_file,
        grace_period_seconds=settings.grace_period_seconds,
    )


def run(settings: ServerSettings) -> None:
    """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    set_up_logging(as_json=settings.json_logs, rust_log=os.environ.get("RUST_LOG"))
    anyio.run(_serve, settings)
