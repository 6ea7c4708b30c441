"""Are the public names typed wholly, for every type checker? `make types` asks pyright.

No name of the package may have a type that pyright does not know, and no member of a public name
one that it has to infer. (What public names are made of inside may be inferred.)
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

MODULES = (
    "nymproxy",
    "nymproxy.stream.asyncio_streams",
    "nymproxy.stream.httpx_transport",
    "nymproxy.stream.tls",
    "nymproxy.testing",
    "nymproxy.testing.localnet",
)


def public_names() -> set[str]:
    """Return the public names, by the module where each is defined."""
    found = set()
    for name in MODULES:
        module = importlib.import_module(name)
        for public in module.__all__:
            value = getattr(module, public)
            if getattr(value, "__module__", "").startswith("nymproxy") and public[0] != "_":
                found.add(f"{value.__module__}.{value.__qualname__}")
    return found


def main() -> int:
    binaries = Path(sys.executable).parent
    asked = subprocess.run(
        [binaries / "pyright", "--verifytypes", "nymproxy", "--ignoreexternal", "--outputjson"],
        env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    report = json.loads(asked.stdout)["typeCompleteness"]
    public = public_names()
    wrong = 0
    for symbol in report["symbols"]:
        owner, _, member = symbol["name"].rpartition(".")
        texts = [each["message"].split("\n")[0] for each in symbol["diagnostics"]]
        inferred = [text for text in texts if "partially unknown" not in text]
        is_public = symbol["name"] in public or (owner in public and member[0] != "_")
        if is_public and inferred:
            wrong += 1
            print(f"{symbol['name']}: {inferred[0]}")
    unknown = report["exportedSymbolCounts"]["withUnknownType"]
    known = sum(report["exportedSymbolCounts"].values())
    print(f"{len(public)} public names, {wrong} faults; {unknown} of {known} types unknown inside")
    return 1 if wrong or unknown or not known else 0


if __name__ == "__main__":
    sys.exit(main())
