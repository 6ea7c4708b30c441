"""Programs that behave as the old ones do, for tests where those are not there.

They take the old flags, glue the config directory to HOME, and say in a log on standard error when
they are ready; what they speak is the old wire, by our own means.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """#!{python}
import json, os, signal, subprocess, sys

role = "server" if "server" in os.path.basename(sys.argv[0]) else "client"
own = ["--compat-config-dir", "--new-identity"] if role == "server" else ["--wire", "legacy"]
command = [sys.executable, "-m", "nymproxy", role, *sys.argv[1:], "--profile", "bare", *own]
child = subprocess.Popen([*command, "--grace-period", "0.1"], stdout=subprocess.PIPE)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
ready = json.loads(child.stdout.readline() or "{{}}")
if role == "server":
    print("INFO nym: Client created:", ready.get("address"), file=sys.stderr, flush=True)
else:
    print("INFO nym: Starting loop cover traffic stream...", file=sys.stderr, flush=True)
sys.exit(child.wait())
"""


def install(folder: Path) -> tuple[Path, Path]:
    """Put a client and a server into a folder; return where they are."""
    paths = folder / "nym-proxy-client", folder / "nym-proxy-server"
    for path in paths:
        path.write_text(_PROGRAM.format(python=sys.executable))
        path.chmod(0o755)
    return paths
