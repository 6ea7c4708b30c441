"""A first look at a tree: what one file says that matters for the others."""

from __future__ import annotations

import posixpath
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nymproxy_migrate import formats
from nymproxy_migrate.formats import containerfile
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy_migrate.model import BinarySource, SourceFile

BY_NAME = (
    b"nym-proxy-client", b"nym-proxy-server", b"nym_proxy_client", b"nym_proxy_server",
    b"NymProxyClient", b"NymProxyServer", b"nym_sdk::tcp_proxy", b"nym-tcp-proxy-server",
    b"standalone-tcp-proxies", b"nym-zcash-grpc-demo",
)  # fmt: skip
"""The first six are the programs and their API."""
SDK_FEATURES = {
    "tcp-proxy": re.compile(rb"\btcp_proxy\b"),
    "client-pool": re.compile(rb"\bclient_pool\b|\bClientPool\b"),
    "stream": re.compile(rb"\bMixnetStream\b|\bMixnetListener\b|\.open_stream\("),
}
"""Features that the repository of nym-sdk has since 1.21.6, with how a source uses each."""
_BASE58 = rb"[1-9A-HJ-NP-Za-km-z]"
_GATEWAY = re.compile(rb"@" + _BASE58 + rb"{32,44}(?!" + _BASE58 + rb")")
_RECIPIENT = re.compile(_BASE58 + rb"{32,44}\." + _BASE58 + rb"{32,44}$")
_RECIPIENT_BYTES = 90


@dataclass(frozen=True, slots=True)
class Survey:
    """What a tree says.

    Attributes:
        shown: what speaks for programs with names that anybody's have.
        in_images: files and folders that are copied into an image, each with the file that does so
            and where programs come from in that image.
        installing: the files that put an old program into an image.
        crate_roots: the sources that Cargo manifests name as roots of their own.
        sdk_names: what Cargo manifests call nym-sdk, where that is not its own name.
        sdk_features: what Rust sources use of it that has a feature in newer versions.
    """

    shown: frozenset[Evidence] = frozenset()
    in_images: tuple[tuple[str, str, BinarySource], ...] = ()
    installing: tuple[str, ...] = ()
    crate_roots: frozenset[str] = frozenset()
    sdk_names: frozenset[str] = frozenset()
    sdk_features: frozenset[str] = frozenset()

    def image_of(self, path: str) -> tuple[str, BinarySource] | None:
        """Return the file that copies another one into an image, and whose programs are there."""
        for copied, by, binary in self.in_images:
            if path == copied or path.startswith(f"{copied}/"):
                return by, binary
        return None


def of_file(source: SourceFile) -> Survey | None:
    """Return what one file says, or None when it says nothing."""
    shown = _shown_by(source.data)
    in_images: list[tuple[str, str, BinarySource]] = []
    installs = False
    if formats.format_of(source.path, source.data) == "containerfile":
        text = Text.whole(source.data)
        in_images = [
            (path, source.path, binary)
            for copied, binary in containerfile.copied_files(text)
            for path in _places(copied, source.path)
        ]
        installs = containerfile.installs_old(text)
    installing = (source.path,) if installs else ()
    roots, called = _said_by_manifest(source)
    features = _features_used(source)
    found = Survey(shown, tuple(in_images), installing, roots, called, features)
    return None if found == Survey() else found


def _said_by_manifest(source: SourceFile) -> tuple[frozenset[str], frozenset[str]]:
    """Return the roots that a Cargo manifest names, and what it calls nym-sdk."""
    if source.name != "Cargo.toml":
        return frozenset(), frozenset()
    try:
        manifest = tomllib.loads(source.data.decode("utf-8", "replace"))
    except tomllib.TOMLDecodeError:
        return frozenset(), frozenset()
    folder = posixpath.dirname(source.path)
    targets = [
        each for key in ("bin", "example", "test", "bench") for each in _tables(manifest, key)
    ]
    paths = [each["path"] for each in (*targets, *_tables(manifest, "lib")) if "path" in each]
    roots = (posixpath.normpath(posixpath.join(folder, path)) for path in map(str, paths))
    return frozenset(roots), frozenset(
        name.replace("-", "_")
        for key in ("dependencies", "dev-dependencies")
        for table in _tables(manifest, key)
        for name, spec in table.items()
        if isinstance(spec, dict) and str(spec.get("package", "")).replace("_", "-") == "nym-sdk"
    )


def _features_used(source: SourceFile) -> frozenset[str]:
    if not source.name.endswith(".rs") or b"nym_sdk" not in source.data:
        return frozenset()
    return frozenset(name for name, used in SDK_FEATURES.items() if used.search(source.data))


def _tables(manifest: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = manifest.get(key)
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, dict)]


def merged(surveys: Iterable[Survey]) -> Survey:
    """Return what all files say together."""
    all_of_them = list(surveys)
    return Survey(
        frozenset(each for survey in all_of_them for each in survey.shown),
        tuple(each for survey in all_of_them for each in survey.in_images),
        tuple(each for survey in all_of_them for each in survey.installing),
        frozenset(each for survey in all_of_them for each in survey.crate_roots),
        frozenset(each for survey in all_of_them for each in survey.sdk_names),
        frozenset(each for survey in all_of_them for each in survey.sdk_features),
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
