"""Processes that read what others have written, so that none of it can stop or fill the tool.

A parser in C or Rust can crash on six kilobytes, and one in Python can take gigabytes or minutes.
Each piece of work runs in a process with limits of memory and processor time: what is over one of
them comes back as a :class:`Failure` with its reason, and all other work goes on.
"""

from __future__ import annotations

from nymproxy_migrate.workers.limits import Failure as Failure
from nymproxy_migrate.workers.pool import Pool as Pool
from nymproxy_migrate.workers.pool import call as call
