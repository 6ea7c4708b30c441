"""``--tls``, ``--proxy`` and ``--ca-file``, and the variables that people expect to do the same."""

from __future__ import annotations

import logging
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy._bounded_read import read_named
from nymproxy.address import NymAddress
from nymproxy.connection_options import ConnectionOptions
from nymproxy.errors import ConfigurationError
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.traffic import profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nymproxy.cli.inputs import Inputs
    from nymproxy.cli.settings import ProxySettings
    from nymproxy.mixnet.traffic import TrafficProfile

logger = logging.getLogger("nymproxy.cli")

_MAX_CA_BYTES = 4 << 20
_PROXY_VARIABLES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def connection_options(settings: ProxySettings, inputs: Inputs) -> ConnectionOptions:
    """Return what the flags say.

    Args:
        settings: the flags.
        inputs: where certificates are read.

    Raises:
        ConfigurationError: the proxy's URL or the certificates cannot be read.
    """
    return ConnectionOptions(
        tls=settings.tls.value,
        proxy=settings.proxy,
        ssl_context=None if settings.ca_file is None else inputs.read(settings.ca_file, _trusting),
    )


def traffic_profile(settings: ProxySettings) -> TrafficProfile:
    """Return the traffic profile that the flags say."""
    return replace(profile_of(settings.profile.value), copies=settings.copies)


def probe_address(settings: ProxySettings) -> NymAddress | None:
    """Return who is asked every minute, if anybody is.

    Raises:
        AddressError: it is no address.
    """
    return None if settings.probe is None else NymAddress.parse(settings.probe)


def memory_account(settings: ProxySettings) -> MemoryAccount:
    """Return the account of what others make the process keep."""
    limit = settings.memory_limit_mib
    return MemoryAccount(None if limit is None else limit << 20)


def _trusting(path: Path) -> ssl.SSLContext:
    try:
        # Bundles have comments in all languages; without any text it would trust the public ones.
        text = read_named(path, _MAX_CA_BYTES).decode("ascii", "ignore")
        return ssl.create_default_context(cadata=text or "none")
    except OSError as error:  # those of ssl are, too
        raise ConfigurationError(
            f"{path} holds no certificates that can be read: name a PEM file with --ca-file"
        ) from error


_NOT_USED = "set in the environment, but not used: %s; %s"


def warn_of_unused(environ: Mapping[str, str], *, has_proxy: bool, has_trust: bool) -> None:
    """Name variables that say something else than the flags, never their values: a proxy's may
    hold a password. Once for a process, whatever it runs."""
    if has_proxy:
        for name in _set(environ, ("NO_PROXY",)):
            logger.warning("%s is not used: --proxy is for all connections", name)
    else:
        names = _set(environ, _PROXY_VARIABLES)
        if names:
            logger.warning(_NOT_USED, ", ".join(names), "give the proxy with --proxy URL")
    if not has_trust:
        names = _set(environ, _TRUST_VARIABLES)
        if names:
            logger.warning(_NOT_USED, ", ".join(names), "name the file with --ca-file FILE")


def _set(environ: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    spellings = [spelling for name in names for spelling in (name, name.lower())]
    return [name for name in spellings if environ.get(name)]
