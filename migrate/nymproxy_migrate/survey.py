"""A first look at a tree: what one file says that matters for the others."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate import formats
from nymproxy_migrate.formats import containerfile
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import BinarySource, Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy_migrate.model import SourceFile

BY_NAME = (
    b"nym-proxy-client", b"nym-proxy-server", b"nym_proxy_client", b"nym_proxy_server",
    b"NymProxyClient", b"NymProxyServer", b"nym_sdk::tcp_proxy", b"nym-tcp-proxy-server",
    b"standalone-tcp-proxies", b"nym-zcash-grpc-demo",
)  # fmt: skip
"""The first six are the programs and their API."""
_BASE58 = rb"[1-9A-HJ-NP-Za-km-z]"
_GATEWAY = re.compile(rb"@" + _BASE58 + rb"{32,44}(?!" + _BASE58 + rb")")
_RECIPIENT = re.compile(_BASE58 + rb"{32,44}\." + _BASE58 + rb"{32,44}$")
_RECIPIENT_BYTES = 90


@dataclass(frozen=True, slots=True)
class Survey:
    """What a tree says.

    Attributes:
        shown: what speaks for programs with names that anybody's have.
        in_images: files and folders that are copied into an image which has no nymproxy yet, each
            with the file that does so.
        installing: the files that put an old program into an image.
    """

    shown: frozenset[Evidence] = frozenset()
    in_images: tuple[tuple[str, str], ...] = ()
    installing: tuple[str, ...] = ()

    def image_of(self, path: str) -> str | None:
        """Return the file that copies another one into an image."""
        for copied, by in self.in_images:
            if path == copied or path.startswith(f"{copied}/"):
                return by
        return None


def of_file(source: SourceFile) -> Survey | None:
    """Return what one file says, or None when it says nothing."""
    shown = _shown_by(source.data)
    in_images: list[tuple[str, str]] = []
    installs = False
    if formats.format_of(source.path, source.data) == "containerfile":
        text = Text.whole(source.data)
        in_images = [
            (path, source.path)
            for copied, binary in containerfile.copied_files(text)
            if binary is not BinarySource.PATH
            for path in _places(copied, source.path)
        ]
        installs = containerfile.installs_old(text)
    if not (shown or in_images or installs):
        return None
    return Survey(shown, tuple(in_images), (source.path,) if installs else ())


def merged(surveys: Iterable[Survey]) -> Survey:
    """Return what all files say together."""
    all_of_them = list(surveys)
    return Survey(
        frozenset(each for survey in all_of_them for each in survey.shown),
        tuple(each for survey in all_of_them for each in survey.in_images),
        tuple(each for survey in all_of_them for each in survey.installing),
    )


def _places(copied: str, containerfile_path: str) -> set[str]:
    """Return where a file may be that a Containerfile copies: beside it, or below the root."""
    plain = posixpath.normpath(copied.strip("\"'"))
    if plain in {".", "/"} or any(mark in plain for mark in "*$?["):
        return set()
    plain = plain.lstrip("/")
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(containerfile_path), plain))
    return {plain, beside}


def _shown_by(data: bytes) -> frozenset[Evidence]:
    if any(name in data for name in BY_NAME):
        return frozenset({Evidence.OLD_PROXIES, Evidence.NYM})
    return frozenset({Evidence.NYM}) if _has_address(data) else frozenset()


def _has_address(data: bytes) -> bool:
    # From the @ on: an expression that begins with 32 letters would be tried at each of them.
    return any(
        _RECIPIENT.search(data, max(0, found.start() - _RECIPIENT_BYTES), found.start())
        for found in _GATEWAY.finditer(data)
    )
