"""Takes from a Python on POSIX what one on Windows does not have, before anything else runs there.

``tests/cli/test_windows.py`` puts this folder on PYTHONPATH, which processes inherit. The standard
library and what we depend on know Windows, but would do here what POSIX needs: what they import
comes first. ``os.name`` and ``sys.platform`` stay, since the standard library would believe them.
"""

from __future__ import annotations

import importlib
import multiprocessing.connection
import os
import signal
import socket
import subprocess
import sys
import tempfile  # noqa: F401 - see above
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

for _name in os.environ["KNOWS_WINDOWS"].split():
    importlib.import_module(_name)

_MODULES = {"fcntl", "grp", "pwd", "resource", "termios"}
_OF_SIGNAL = (
    *("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGPROF", "SIG_BLOCK"),
    *("setitimer", "getitimer", "ITIMER_PROF", "pthread_sigmask"),
)
_OF_OS = (
    *("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "register_at_fork", "fork"),
    *("fchmod", "fchown", "getuid", "geteuid", "getegid", "getgroups", "killpg"),
    *("sched_getaffinity",),
)
_kill = signal.SIGKILL


class _Refuse:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in _MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _by_path(function: Callable[..., Any]) -> Callable[..., Any]:
    """What takes a path there takes neither a descriptor nor one of the folder to begin in."""

    def called(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        if isinstance(path, int) or any(name.endswith("dir_fd") for name in options):
            raise NotImplementedError("dir_fd unavailable on this platform")
        return function(path, *arguments, **options)

    return called


class _Popen(subprocess.Popen[Any]):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        if options.keys() & {"pass_fds", "preexec_fn", "start_new_session"}:
            raise ValueError("not supported on Windows platforms")
        super().__init__(*arguments, **options)

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, _kill)


for _name in _MODULES:
    sys.modules.pop(_name, None)
sys.meta_path.insert(0, _Refuse())
for _name in _OF_SIGNAL:
    delattr(signal, _name)
for _name in _OF_OS:
    delattr(os, _name)
del socket.AF_UNIX
for _name in ("open", "stat", "lstat", "unlink", "replace", "access", "scandir", "listdir"):
    setattr(os, _name, _by_path(getattr(os, _name)))
os.supports_dir_fd.clear()
os.supports_fd.clear()
subprocess.Popen = _Popen  # type: ignore[misc]
del multiprocessing.connection.Pipe  # what it makes cannot be handed down there as here
