"""Cargo manifests that take the old proxies from git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Evidence, Kind
from nymproxy_migrate.rules import nym014
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nymproxy_migrate.finders.cargo import Manifest
    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.survey import Survey

RULE = Rule(
    code="NYM015",
    kind=Kind.RUST_API,
    title="the old proxies or nym-sdk come from git",
    why=(
        "standalone-tcp-proxies holds nothing but the old proxies. A git dependency on "
        "nymtech/nym follows a branch where the tcp_proxy module can go away with any update."
    ),
    next=(
        "Remove the dependency on standalone-tcp-proxies; replace the one on nymtech/nym by a "
        'release from crates.io: `nym-sdk = "1.21.6"`.'
    ),
    example_before=(
        '[dependencies]\nnym-sdk = { git = "https://github.com/nymtech/nym", branch = "master" }'
    ),
)


def find(manifest: Manifest, survey: Survey) -> Iterator[Finding]:
    """Yield the dependencies on the repositories of nymtech that hold the old proxies."""
    for dependency in manifest.dependencies:
        needs = None if dependency.of_old_proxies else Evidence.OLD_PROXIES
        if dependency.of_old_proxies:
            message = f"{dependency.path[-1]} comes from the repository of the old proxies"
        elif dependency.of_nym_git and manifest.has_sdk_of_git:
            message = f"{dependency.crate} comes from git{_revision(dependency.spec)}"
        else:
            continue
        message += nym014.features_to_add(dependency, survey)
        span = manifest.place(dependency.path)
        yield RULE.finding(manifest.source, span, message, needs=needs)


def _revision(spec: Mapping[str, object]) -> str:
    for key in ("rev", "tag", "branch"):
        if isinstance(spec.get(key), str):
            return f", {key} {spec[key]}"
    return ", at whatever the default branch is"
