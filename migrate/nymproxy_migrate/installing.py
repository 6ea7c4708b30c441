"""How nymproxy is installed, for every text that says so: never by a bare name.

No package index has it. Whoever registers its name in one would be installed by everybody whom we
had told to install that name. A wheel by its place and hash is what it is.
"""

from __future__ import annotations

from nymproxy import __version__

WHEEL = f"nymproxy-{__version__}-py3-none-any.whl"
"""The wheel that a checkout makes: ``python -m pip wheel --no-deps --wheel-dir dist .``"""

IN_IMAGE = f"nymproxy[cli] @ file:///tmp/{WHEEL}#sha256=HASH"
"""The requirement where an image has the wheel in ``/tmp``; pip refuses any other hash."""

INSTALL = f"pip install 'nymproxy[cli] @ file:///PATH/{WHEEL}#sha256=HASH'"
"""The command, with the wheel's place (a URL does, too) and its SHA-256."""

INSTALL_MIGRATE = INSTALL.replace("[cli]", "[migrate]")
"""The same with what this tool needs."""


def missing(error: BaseException) -> str | None:
    """Return what to say where the extra of this tool was not installed, or ``None``."""
    name = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    if not name or name.partition(".")[0] in {"nymproxy", "nymproxy_migrate"}:
        return None
    return f"the module {name} is missing: {INSTALL_MIGRATE}"
