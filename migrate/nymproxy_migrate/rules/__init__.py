"""All rules by code. A rule is a module ``nymNNN`` in this package with a ``RULE``."""

from __future__ import annotations

import importlib
import pkgutil

from nymproxy_migrate.rules._rule import Rule as Rule

__all__ = ["RULES", "Rule", "explain"]


def _load() -> dict[str, Rule]:
    names = sorted(
        module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("nym")
    )
    rules = {}
    for name in names:
        rule: Rule = importlib.import_module(f"{__name__}.{name}").RULE
        rules[rule.code] = rule
    return rules


RULES: dict[str, Rule] = _load()


def explain(code: str) -> str:
    """Return what a rule means and what to do about it.

    Raises:
        KeyError: there is no such rule.
    """
    return RULES[code.upper()].explain()
