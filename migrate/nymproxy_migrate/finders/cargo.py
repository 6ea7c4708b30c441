"""Cargo manifests: dependencies on nym-sdk, and on the repositories of the old proxies."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy_migrate.finders import toml_places
from nymproxy_migrate.model import Finding, Kind, SourceFile, Span, Unparsable
from nymproxy_migrate.rules import nym014, nym015, nym090

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nymproxy_migrate.options import ScanOptions

CRATE = "nym-sdk"

_TABLES = frozenset(
    {"dependencies", "dev-dependencies", "build-dependencies"}
    | {"dev_dependencies", "build_dependencies"}
)
_OLD_PROXIES = re.compile(r"standalone-tcp-proxies|nym-zcash-grpc-demo")
_NYM = re.compile(r"nymtech/nym(?:\.git)?/?$")


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

    @property
    def of_old_proxies(self) -> bool:
        """It comes from a repository that holds nothing but the old proxies."""
        return _OLD_PROXIES.search(str(self.spec.get("git", ""))) is not None

    @property
    def of_nym_git(self) -> bool:
        """It comes from the repository of nym-sdk, or of the old proxies."""
        return self.of_old_proxies or _NYM.search(str(self.spec.get("git", ""))) is not None


@dataclass(slots=True)
class Manifest:
    """A Cargo manifest.

    Attributes:
        source: its file.
        dependencies: of the package, of targets, of the workspace.
        features: names of features that have to do with nym-sdk, with the entry that does.
    """

    source: SourceFile
    dependencies: list[Dependency] = field(init=False)
    features: list[tuple[str, str]] = field(init=False)
    _places: list[toml_places.Place] = field(init=False)

    def __post_init__(self) -> None:
        document = toml_places.parse(self.source.data)
        self.dependencies = list(dependencies(document))
        names = {each.path[-1] for each in self.dependencies if each.crate == CRATE}
        self.features = list(_features(document, names))
        self._places = list(toml_places.places(self.source.data))

    @property
    def has_sdk_of_git(self) -> bool:
        """Its nym-sdk comes from git: other crates of that repository have to go with it."""
        return any(each.of_nym_git and each.crate == CRATE for each in self.dependencies)

    def place(self, path: tuple[str, ...]) -> Span:
        """Return where a value stands."""
        return toml_places.best(self._places, path)


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the dependencies of a manifest that the migration concerns."""
    try:
        manifest = Manifest(source)
    except Unparsable as error:
        yield nym090.at(source, error.offset, str(error), Kind.RUST_API)
        return
    yield from nym014.find(manifest, options.survey)
    yield from nym015.find(manifest, options.survey)


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


def _features(document: Mapping[str, object], names: set[str]) -> Iterator[tuple[str, str]]:
    features = document.get("features")
    for feature, entries in features.items() if isinstance(features, dict) else ():
        for entry in entries if isinstance(entries, list) else ():
            name = re.split(r"[/?]", str(entry).removeprefix("dep:"))[0]
            if name in names:
                yield feature, str(entry)
