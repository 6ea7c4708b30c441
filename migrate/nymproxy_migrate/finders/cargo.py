"""Cargo manifests: dependencies on nym-sdk, and on the repositories of the old proxies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.finders import toml_places
from nymproxy_migrate.model import Finding, Kind, SourceFile, Span, Unparsable
from nymproxy_migrate.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nymproxy_migrate.options import ScanOptions

CRATE = "nym-sdk"
FIRST_WITH_STREAMS = (1, 21)

_TABLES = frozenset(
    {"dependencies", "dev-dependencies", "build-dependencies"}
    | {"dev_dependencies", "build_dependencies"}
)
_OLD_PROXIES = re.compile(r"standalone-tcp-proxies|nym-zcash-grpc-demo")
_NYM = re.compile(r"nymtech/nym(?:\.git)?/?$")
_VERSION = re.compile(r"[\^~=v\s]*(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Dependency:
    """One dependency of a manifest.

    Attributes:
        path: the keys that lead to it.
        spec: its keys; a bare version is ``{"version": ...}``.
    """

    path: tuple[str, ...]
    spec: Mapping[str, object]

    @property
    def crate(self) -> str:
        """The name of the crate, however it is called here."""
        return str(self.spec.get("package", self.path[-1])).replace("_", "-")


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the dependencies of a manifest that the migration concerns."""
    try:
        document = toml_places.parse(source.data)
    except Unparsable as error:
        yield RULES["NYM090"].finding(source, Span(0, 0), str(error), kind=Kind.RUST_API)
        return
    places = list(toml_places.places(source.data))
    for dependency in dependencies(document):
        span = toml_places.best(places, dependency.path)
        git = dependency.spec.get("git")
        if isinstance(git, str) and _OLD_PROXIES.search(git):
            message = f"{dependency.path[-1]} comes from the repository of the old proxies"
            yield RULES["NYM015"].finding(source, span, message)
        elif isinstance(git, str) and _NYM.search(git):
            message = f"{dependency.crate} comes from git{_revision(dependency.spec)}"
            yield RULES["NYM015"].finding(source, span, message)
        elif dependency.crate == CRATE:
            yield RULES["NYM014"].finding(source, span, _described(dependency))
    names = {each.path[-1] for each in dependencies(document) if each.crate == CRATE}
    for feature, entry in _features(document, names):
        span = toml_places.best(places, ("features", feature))
        message = f"the feature {feature} depends on nym-sdk ({entry})"
        yield RULES["NYM014"].finding(source, span, message)


def dependencies(document: Mapping[str, object]) -> Iterator[Dependency]:
    """Yield all dependencies of a manifest: of the package, of targets, of the workspace."""
    yield from _tables(document, ())
    workspace = document.get("workspace")
    if isinstance(workspace, dict):
        yield from _tables(workspace, ("workspace",))
    for outer in ("target", "patch"):
        inner = document.get(outer)
        for name, table in inner.items() if isinstance(inner, dict) else ():
            if isinstance(table, dict) and outer == "target":
                yield from _tables(table, (outer, name))
            elif isinstance(table, dict):
                yield from _entries(table, (outer, name))


def _tables(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[Dependency]:
    for name in table.keys() & _TABLES:
        inner = table[name]
        if isinstance(inner, dict):
            yield from _entries(inner, (*path, name))


def _entries(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[Dependency]:
    for name, spec in table.items():
        if isinstance(spec, str):
            yield Dependency((*path, name), {"version": spec})
        elif isinstance(spec, dict):
            yield Dependency((*path, name), spec)


def _described(dependency: Dependency) -> str:
    spec, parts = dependency.spec, []
    version = spec.get("version")
    if isinstance(version, str):
        parts.append(f"version {version}")
        if is_before_streams(version):
            parts.append("which has no streams yet")
    if spec.get("workspace") is True:
        parts.append("version from the workspace")
    if "path" in spec:
        parts.append("a folder of its own")
    features = spec.get("features")
    if isinstance(features, list) and features:
        parts.append("features " + ", ".join(str(each) for each in features))
    if dependency.path[-1] != dependency.crate:
        parts.append(f"called {dependency.path[-1]} here")
    what = f" ({'; '.join(parts)})" if parts else ""
    return f"nym-sdk is a dependency{what}; whether its tcp_proxy is used, the sources say"


def is_before_streams(version: str) -> bool:
    """Tell whether a version requirement asks for a nym-sdk without streams."""
    found = _VERSION.match(version)
    if found is None:
        return False
    minor = found[2]
    return (int(found[1]), FIRST_WITH_STREAMS[1] if minor is None else int(minor)) < (
        FIRST_WITH_STREAMS
    )


def _revision(spec: Mapping[str, object]) -> str:
    for key in ("rev", "tag", "branch"):
        if isinstance(spec.get(key), str):
            return f", {key} {spec[key]}"
    return ", at whatever the default branch is"


def _features(document: Mapping[str, object], names: set[str]) -> Iterator[tuple[str, str]]:
    features = document.get("features")
    for feature, entries in features.items() if isinstance(features, dict) else ():
        for entry in entries if isinstance(entries, list) else ():
            name = re.split(r"[/?]", str(entry).removeprefix("dep:"))[0]
            if name in names:
                yield feature, str(entry)
