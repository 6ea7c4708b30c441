"""Writing a URL as the URL parser of the Rust programs prints it.

The part of the WHATWG URL standard (crate url 2.5) that can matter for an API URL in an env file:
``NYM_API`` goes through that parser, the entries of ``NYM_APIS`` do not.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv6Address
from urllib.parse import quote, unquote

from nymproxy.errors import ConfigurationError

_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
_CONTROLS_AND_SPACE = "".join(map(chr, range(0x21)))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\]]*\]|[^:@]*)(?::([0-9]*))?", re.DOTALL)
_NOT_IN_A_HOST = re.compile(r"[\x00-\x20\x7f#/:<>?@\[\\\]^|%]")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_KEPT_IN_A_PATH = "/!$%&'()*+,-.:;=@[\\]^_|~"
_KEPT_IN_A_QUERY = _KEPT_IN_A_PATH + "?`{}"


def normalise_url(text: str) -> str:
    """Return the normal form: lower-case host, no default port, ``/`` for an empty path.

    Raises:
        ConfigurationError: no absolute URL.
    """
    text = text.strip(_CONTROLS_AND_SPACE).translate({9: None, 10: None, 13: None})
    match = _SCHEME.fullmatch(text)
    if match is None:
        raise ConfigurationError("a URL starts with a scheme, such as http://")
    scheme, rest = match[1].lower(), match[2]
    if scheme not in _DEFAULT_PORTS:
        return f"{scheme}:{rest}"
    try:
        return _normalise_special(scheme, rest)
    except ValueError as error:  # includes what the standard library says of hosts
        raise ConfigurationError("a URL has no valid host or port") from error


def _normalise_special(scheme: str, rest: str) -> str:
    rest, hash_sign, fragment = rest.partition("#")
    rest, question_mark, query = rest.partition("?")
    authority, _, path = rest.replace("\\", "/").lstrip("/").partition("/")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ValueError("no authority")
    user, host, port = match.groups(default="")
    if port and int(port[-6:]) > 0xFFFF:
        raise ValueError("no port")
    port = port.lstrip("0") or port[:1]
    return "".join(
        (
            f"{scheme}://",
            f"{user}@" if user else "",
            _host(host),
            "" if port in ("", _DEFAULT_PORTS[scheme]) else f":{port}",
            _path(path),
            question_mark + quote(query, safe=_KEPT_IN_A_QUERY),
            hash_sign + quote(fragment, safe=_KEPT_IN_A_QUERY),
        )
    )


def _host(host: str) -> str:
    if host.startswith("["):
        return f"[{_ipv6(IPv6Address(host[1:-1]))}]"
    host = unquote(host, errors="strict")
    host = (host if host.isascii() else host.encode("idna").decode()).lower()
    if not host or _NOT_IN_A_HOST.search(host):
        raise ValueError("no host")
    if _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        try:
            return socket.inet_ntoa(socket.inet_aton(host.removesuffix(".")))
        except OSError as error:
            raise ValueError("no IPv4 address") from error
    return host


def _ipv6(ip: IPv6Address) -> str:
    """Write an address without dots, as that standard does and Python only before 3.13."""
    if ip.ipv4_mapped is None:
        return str(ip)
    high, low = divmod(int(ip.ipv4_mapped), 1 << 16)
    return f"::ffff:{high:x}:{low:x}"


def _path(path: str) -> str:
    segments: list[str] = []
    parts = path.split("/")
    for index, part in enumerate(parts):
        plain = part.lower().replace("%2e", ".")
        if plain == "..":
            del segments[-1:]
        elif plain != ".":
            segments.append(quote(part, safe=_KEPT_IN_A_PATH))
            continue
        if index == len(parts) - 1:
            segments.append("")
    return "/" + "/".join(segments)
