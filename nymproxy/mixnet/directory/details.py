"""Which network to use: the directory URLs, and the little else that a client needs to know.

The part of ``NymNetworkDetails`` of nym-network-defaults 1.21.6 (src/network.rs, src/mainnet.rs)
that a mixnet client uses. The chain, its contracts and the VPN API are never contacted.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nymproxy._arguments import path_of
from nymproxy._bounded_read import read_named
from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_logger = logging.getLogger("nymproxy.mixnet.directory")


LOCALNET_NAME = "localnet"


@dataclass(frozen=True, slots=True)
class ApiUrl:
    """One URL of the directory.

    Attributes:
        url: the base URL as it was configured; paths are appended to it.
        front_hosts: hosts for domain fronting, which nothing turns on; kept, not used.
    """

    url: str
    front_hosts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NetworkWarning:
    """Something in a configuration that the Rust programs treat in another way than meant.

    Attributes:
        code: ``nym-api-shadowed``, ``unquoted-json`` or ``file-not-loaded``.
        message: what happened and what to do.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NetworkDetails:
    """A network.

    Attributes:
        network_name: a label, such as ``mainnet``.
        nym_api_urls: the directory URLs, in the order in which they are tried; never empty.
        nyxd_url: the chain's RPC URL, never contacted; kept for tools that write env files.
        warnings: what was read in another way than the Rust programs would.
    """

    network_name: str
    nym_api_urls: tuple[ApiUrl, ...]
    nyxd_url: str
    warnings: tuple[NetworkWarning, ...] = ()

    def __post_init__(self) -> None:
        if not self.nym_api_urls:
            raise ConfigurationError("a network needs at least one directory URL")

    @property
    def is_localnet(self) -> bool:
        """True for a network that says it is an embedded one, and is on this machine."""
        return self.network_name == LOCALNET_NAME and all(
            _is_loopback(api.url) for api in self.nym_api_urls
        )

    @classmethod
    def of(cls, value: NetworkDetails | str | os.PathLike[str] | None) -> NetworkDetails:
        """Return a network that is given as such, or by the path of its env file.

        ``None`` means what the process's environment describes; that is mainnet if it describes
        none.

        Raises:
            ConfigurationError: it is something else, or as :meth:`from_env_file`.
        """
        if value is None or isinstance(value, cls):
            return value or cls.from_env_file(None)
        return cls.from_env_file(path_of(value, "a NetworkDetails, or the path of an env file,"))

    @classmethod
    def mainnet(cls) -> NetworkDetails:
        """Return the public network."""
        return MAINNET

    @classmethod
    def from_directory_url(cls, url: str) -> NetworkDetails:
        """Return the network that the directory at ``url`` describes."""
        return cls("custom", (ApiUrl(url),), MAINNET.nyxd_url)

    @classmethod
    def from_env_file(
        cls, path: str | os.PathLike[str] | None, environ: Mapping[str, str] | None = None
    ) -> NetworkDetails:
        """Read an env file as ``--env-path`` does, less its two traps; each gives a warning.

        A file that sets ``NYM_API`` only means that URL, where the Rust programs go to mainnet; and
        JSON without quotes in ``NYM_APIS`` is read, where they refuse the file. In everything else
        the rules of :func:`~nymproxy.mixnet.directory.read_env_file` hold: variables of the
        environment win over the file, and ``CONFIGURED`` in the environment means that the file is
        not loaded.

        Args:
            path: the file, or ``None`` for none. A pipe is waited for, to its end, for half a
                minute: in an event loop, use :meth:`from_env_text` with what it holds.
            environ: the environment; the process's own by default. It is not changed.

        Raises:
            ConfigurationError: the file cannot be read, or describes no network.
        """
        wanted = "the path of an env file"
        text = None if path is None else _read_text(path_of(path, wanted))
        details = cls.from_env_text(text, os.environ if environ is None else environ)
        for warning in details.warnings:
            _logger.warning("%s", warning.message)
        return details

    @classmethod
    def from_env_text(cls, text: str | None, environ: Mapping[str, str]) -> NetworkDetails:
        """As :meth:`from_env_file`, for the content of a file; its warnings are only returned.

        Raises:
            ConfigurationError: the text describes no network.
        """
        # Imported here because reading an env file needs the defaults of this module.
        from nymproxy.mixnet.directory.env_file import read_env_file_leniently

        return read_env_file_leniently(text, environ)


_MAX_ENV_FILE_BYTES = 1024 * 1024


def _read_text(path: Path) -> str:
    try:
        return read_named(path, _MAX_ENV_FILE_BYTES).decode()
    except OSError as error:
        raise ConfigurationError(
            f"the env file {path} cannot be read: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the env file {path} is not UTF-8 text") from error


MAINNET = NetworkDetails(
    network_name="mainnet",
    nym_api_urls=(
        ApiUrl("https://validator.nymtech.net/api/"),
        ApiUrl("https://nym-frontdoor.global.ssl.fastly.net/api/", ("yelp.global.ssl.fastly.net",)),
        ApiUrl("https://cdn1.media-platform.net/api/"),
    ),
    nyxd_url="https://rpc.nymtech.net",
)


def _is_loopback(url: str) -> bool:
    try:
        return ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False
