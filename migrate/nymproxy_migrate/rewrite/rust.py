"""A suggestion for Rust programs: the old constructors from a module of their own, over streams.

What changes are `use` lines and paths, the line that declares the module, arguments that early
forms of the constructors did not have, and what a manifest lacks. Nothing here writes to a tree.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from nymproxy_migrate import survey
from nymproxy_migrate.changes import FileChange, change
from nymproxy_migrate.finders import cargo, rust, toml_places
from nymproxy_migrate.finders.rust import RustFile
from nymproxy_migrate.finders.rust_names import CLIENT, SERVER, Names, path_of, text
from nymproxy_migrate.formats import syntax
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Edit, SourceFile, Span, Unparsable
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.rewrite import rust_uses
from nymproxy_migrate.rewrite.rust_uses import MODULE, OLD_MODULE
from nymproxy_migrate.rules import nym014

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tree_sitter import Node

SDK_VERSION = "1.21.6"
READ = (".rs", "Cargo.toml")
"""The ends of the names of files that matter."""

_PROXIES = frozenset({CLIENT, SERVER})
_CANNOT_FOLLOW = {
    "NYM012": "it uses messages or buffers of the old protocol",
    "NYM017": "it uses internals of the old server",
    "NYM018": "it is a private copy of the old module",
    "NYM090": "it does not parse",
}
_ADDED = {
    (CLIENT, 4): "None, 0",
    (CLIENT, 5): "0",
    (SERVER, 2): "None, None",
    (SERVER, 3): "None",
}
"""Arguments that the early forms did not have; a pool of 0 is none, as it was then."""
_ARITIES = {
    (CLIENT, "new"): {4, 5, 6},
    (CLIENT, "new_with_defaults"): {2},
    (SERVER, "new"): {2, 3, 4},
}
_CRATE_FOLDERS = frozenset({"bin", "examples", "tests", "benches"})
_NEEDED = {"anyhow": '"1"', "tokio": '{ version = "1.47", features = ["full"] }'}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is suggested.

    Attributes:
        changes: the files that a patch changes.
        left: what a human must do, by path.
        homes: where copies of the module belong.
    """

    changes: tuple[FileChange, ...]
    left: tuple[tuple[str, str], ...]
    homes: tuple[str, ...]


def module_source() -> str:
    """Return the text of the module."""
    return (resources.files("nymproxy_migrate") / "rust" / f"{MODULE}.rs").read_text("utf-8")


def suggest(sources: Iterable[SourceFile]) -> Suggestion:
    """Return what would move the Rust programs among some files to streams."""
    files = {each.path: each for each in sources if each.name.endswith(READ)}
    said = survey.merged(filter(None, map(survey.of_file, files.values())))
    edits: dict[str, list[Edit]] = {}
    left: list[tuple[str, str]] = []
    declared: dict[str, str] = {}
    for path in sorted(each for each in files if each.endswith(".rs")):
        file = RustFile(files[path], said)
        found = list(_edits_in(file))
        reason = _reason_against(file, ScanOptions(survey=said)) if found else None
        if reason is not None:
            left.append((path, f"left as it is: {reason}"))
        if not found or reason is not None:
            continue
        edits.setdefault(path, []).extend(found)
        root = _crate_root(path, files, said)
        if root is None:
            left.append((path, f"add `mod {MODULE};` to the root of its crate"))
        else:
            declared[root] = _home_of(root)
    for root, home in declared.items():
        edits.setdefault(root, []).extend(_declaration(files[root], home))
    manifests = filter(None, {_manifest_of(path, files) for path in edits})
    for manifest in sorted(manifests):
        found, missing = _manifest_edits(files[manifest])
        edits.setdefault(manifest, []).extend(found)
        left += [(manifest, each) for each in missing]
    changes = [change(path, files[path].data, edits[path]) for path in sorted(edits) if edits[path]]
    return Suggestion(tuple(changes), tuple(left), tuple(sorted(set(declared.values()))))


def _reason_against(file: RustFile, options: ScanOptions) -> str | None:
    for use in file.uses:
        arities = _ARITIES.get((use.known.name, "::".join(use.known.rest)))
        if arities and use.arguments is not None and len(use.arguments) not in arities:
            return "no published version takes these arguments, so it never compiled"
    codes = [finding.code for finding in rust.find(file.source, options)]
    return next((_CANNOT_FOLLOW[code] for code in codes if code in _CANNOT_FOLLOW), None)


def _edits_in(file: RustFile) -> Iterator[Edit]:
    names = file.names
    for node, scope in names.nodes:
        if node.type == "use_declaration":
            yield from rust_uses.edits_of(node, scope)
        elif node.type in {"scoped_identifier", "scoped_type_identifier"}:
            known = scope.known(path_of(node))
            if node.parent is not None and node.parent.type.startswith("scoped_"):
                continue
            module = _old_module_in(node, names)
            if module is not None and known is not None and known.name in _PROXIES:
                yield Edit(Span(module.start_byte, module.end_byte), f"crate::{MODULE}".encode())
    yield from _in_macros(names)
    for use in file.uses:
        added = _ADDED.get((use.known.name, len(use.arguments or ())))
        if added is not None and use.known.rest == ("new",) and use.end_of_arguments is not None:
            end = use.end_of_arguments
            yield Edit(Span(end, end), f", {added}".encode())


def _old_module_in(node: Node, names: Names) -> Node | None:
    """Return the part of a path that spells the old module out."""
    inner: Node | None = node
    while inner is not None and inner.type.startswith("scoped_"):
        if names.scope_of(inner).resolve(path_of(inner)) == OLD_MODULE:
            return inner
        inner = inner.child_by_field_name("path")
    return None


def _in_macros(names: Names) -> Iterator[Edit]:
    for tree, scope in names.nodes:
        if tree.type != "token_tree":
            continue
        children = tree.children
        for position in range(len(children) - 4):
            crate, first, module, second, name = children[position : position + 5]
            if [first.type, second.type] != ["::", "::"] or text(name) not in _PROXIES:
                continue
            if scope.resolve((text(crate), text(module))) == OLD_MODULE:
                yield Edit(Span(crate.start_byte, module.end_byte), f"crate::{MODULE}".encode())


def _crate_root(path: str, files: Mapping[str, SourceFile], said: survey.Survey) -> str | None:
    """Return the root of the crate that a file belongs to, when it is among the files."""
    folder, name = posixpath.split(path)
    is_root = name in {"main.rs", "lib.rs"} or posixpath.basename(folder) in _CRATE_FOLDERS
    if is_root or path in said.crate_roots:
        return path
    while True:
        # The only root of its own that stands beside or above it.
        named = [each for each in said.crate_roots if posixpath.dirname(each) == folder]
        if len(named) == 1 and named[0] in files:
            return named[0]
        for candidate in ("lib.rs", "main.rs"):
            root = posixpath.join(folder, candidate)
            if root in files:
                return root
        if not folder:
            return None
        folder = posixpath.dirname(folder)


def _home_of(root: str) -> str:
    """Return where the module of a crate belongs; programs of one package share it."""
    folder = posixpath.dirname(root)
    if posixpath.basename(folder) == "bin":
        folder = posixpath.dirname(folder)
    elif posixpath.basename(folder) in _CRATE_FOLDERS and posixpath.basename(root) != "main.rs":
        folder = posixpath.join(posixpath.dirname(folder), "src")
    return posixpath.join(folder, f"{MODULE}.rs")


def _declaration(source: SourceFile, home: str) -> Iterator[Edit]:
    """Yield the line that declares the module in the root of a crate."""
    root = syntax.parse("rust", Text.whole(source.data))
    children = [each for each in root.children if each.type != "shebang"]
    if any(each.type == "mod_item" and _is_module(each) for each in children):
        return
    start = 0
    for position, child in enumerate(children):
        is_inner = text(child).startswith(("//!", "/*!", "#!"))
        start = position + 1 if is_inner else start
    while start < len(children) and _is_plain_comment(children[start]):
        start += 1
    at = children[start].start_byte if start < len(children) else len(source.data)
    relative = posixpath.relpath(home, posixpath.dirname(source.path) or ".")
    attribute = "" if relative == f"{MODULE}.rs" else f'#[path = "{relative}"]\n'
    yield Edit(Span(at, at), f"{attribute}mod {MODULE};\n".encode())


def _is_module(item: Node) -> bool:
    name = item.child_by_field_name("name")
    return name is not None and text(name) == MODULE


def _is_plain_comment(node: Node) -> bool:
    return node.type.endswith("_comment") and not text(node).startswith(("///", "/**"))


def _manifest_of(path: str, files: Mapping[str, SourceFile]) -> str | None:
    folder = posixpath.dirname(path)
    while True:
        manifest = posixpath.join(folder, "Cargo.toml")
        if manifest in files:
            return manifest
        if not folder:
            return None
        folder = posixpath.dirname(folder)


def _manifest_edits(source: SourceFile) -> tuple[list[Edit], list[str]]:
    """Return what a manifest lacks for the module, and what only a human can add."""
    try:
        document = toml_places.parse(source.data)
    except Unparsable as error:
        return [], [str(error)]
    places = list(toml_places.places(source.data))
    entries = [each for each in cargo.dependencies(document) if each.path[:1] == ("dependencies",)]
    sdk = next((each for each in entries if each.crate == cargo.CRATE), None)
    if sdk is None:
        return [], [f'nym-sdk = "{SDK_VERSION}" must be among its dependencies']
    edits, left = _version_edits(source, sdk, places)
    if "git" in sdk.spec:
        of_git = {each.crate for each in entries if each.spec.get("git") == sdk.spec["git"]}
        with_it = ", and ".join([f'nym-sdk = "{SDK_VERSION}"', *sorted(of_git - {cargo.CRATE})])
        left.append(f"take nym-sdk from crates.io, with all of its repository: {with_it}")
    span = toml_places.best(places, sdk.path)
    is_line = any(place.path == sdk.path and place.span == span for place in places)
    is_line = is_line and not source.data[span.start : span.end].startswith(b"[")
    for name in _NEEDED.keys() - {each.crate for each in entries}:
        line = f"{name} = {_NEEDED[name]}"
        if is_line:
            edits.append(Edit(Span(span.start, span.start), f"{line}\n".encode()))
        else:
            left.append(f"{line} must be among its dependencies")
    return sorted(edits), sorted(left)


def _version_edits(
    source: SourceFile, sdk: cargo.Dependency, places: Sequence[toml_places.Place]
) -> tuple[list[Edit], list[str]]:
    """Return the edit that raises nym-sdk to a version with streams, where it has one without."""
    version = sdk.spec.get("version")
    if "git" in sdk.spec or not isinstance(version, str) or not nym014.is_before_streams(version):
        return [], []
    written = toml_places.best(places, (*sdk.path, "version"))
    old = f'"{version}"'.encode()
    at = source.data.find(old, written.start, written.end)
    if at < 0:
        return [], [f"raise nym-sdk to {SDK_VERSION}"]
    return [Edit(Span(at, at + len(old)), f'"{SDK_VERSION}"'.encode())], []
