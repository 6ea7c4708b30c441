"""How nymproxy is installed, for every text that says so: never by a bare name.

No package index has it. Whoever registers its name in one would be installed by everybody whom we
had told to install that name. A wheel by its place and hash is what it is.
"""

from __future__ import annotations

from nymproxy import __version__

WHEEL = f"nymproxy-{__version__}-py3-none-any.whl"
"""The wheel that a checkout makes: ``python -m pip wheel --no-deps --wheel-dir dist .``"""

IN_IMAGE = f"nymproxy @ file:///tmp/{WHEEL}#sha256=HASH"
"""The requirement where an image has the wheel in ``/tmp``; pip refuses any other hash."""

INSTALL = f"pip install 'nymproxy @ file:///PATH/{WHEEL}#sha256=HASH'"
"""The command, with the wheel's place (a URL does, too) and its SHA-256."""

INSTALL_MIGRATE = INSTALL.replace("nymproxy @", "nymproxy[migrate] @")
"""The same with what this tool needs."""
