"""Cargo manifests that depend on nym-sdk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Evidence, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.cargo import Dependency, Manifest
    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.survey import Survey

RULE = Rule(
    code="NYM014",
    kind=Kind.RUST_API,
    title="nym-sdk is a dependency",
    why=(
        "nym-sdk holds the deprecated tcp_proxy module and the Stream module, so the "
        "dependency itself can stay. Streams came with 1.21; an older version has to be "
        "raised."
    ),
    next=(
        "Keep it at 1.21.6 or newer for streams; see the findings in the sources (NYM010 to "
        "NYM017) for what uses the old module. Where a newer one has features, add those that are "
        "used: tcp-proxy for the old module, client-pool, stream for what takes its place."
    ),
    example_before='[dependencies]\nnym-sdk = "1.21.6"',
    action=Action.INFO,
    needs_human=False,
)

FIRST_WITH_STREAMS = (1, 21)
_VERSION = re.compile(r"[\^~=v\s]*(\d+)(?:\.(\d+))?")


def find(manifest: Manifest, survey: Survey) -> Iterator[Finding]:
    """Yield the dependencies on nym-sdk that come from a registry or folder."""
    for dependency in manifest.dependencies:
        if dependency.crate == "nym-sdk" and not dependency.of_nym_git:
            span = manifest.place(dependency.path)
            message = _described(dependency) + features_to_add(dependency, survey)
            yield RULE.finding(manifest.source, span, message, needs=Evidence.OLD_PROXIES)
    for feature, entry in manifest.features:
        message = f"the feature {feature} depends on nym-sdk ({entry})"
        span = manifest.place(("features", feature))
        yield RULE.finding(manifest.source, span, message, needs=Evidence.OLD_PROXIES)


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


def features_to_add(dependency: Dependency, survey: Survey) -> str:
    """Say which features a newer version needs for what the sources of the tree use."""
    given = dependency.spec.get("features")
    listed = {str(each) for each in given} if isinstance(given, list) else set[str]()
    missing = sorted(survey.sdk_features - listed)
    if not missing or dependency.crate != "nym-sdk":
        return ""
    shown = ", ".join(f'"{each}"' for each in missing)
    plural = "s" if len(missing) > 1 else ""
    return f"; where a version has features, add the one{plural} that the sources use: {shown}"


def is_before_streams(version: str) -> bool:
    """Tell whether a version requirement asks for a nym-sdk without streams."""
    found = _VERSION.match(version)
    if found is None:
        return False
    minor = found[2]
    return (int(found[1]), FIRST_WITH_STREAMS[1] if minor is None else int(minor)) < (
        FIRST_WITH_STREAMS
    )
