"""Runs a module as ``python -m`` would, and looks every few milliseconds at what it is doing.

``python -m benchmarks.sampler OUT.json module arguments...``: the figures are written when the
module ends. The clock is the process's own CPU time (``ITIMER_PROF``), so waiting does not count,
and the cost is a few per cent, where a tracing profiler doubles the cost of every call. A look
happens when the interpreter gets to it, so a call into C may count as the Python code after it.
"""

from __future__ import annotations

import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

INTERVAL_SECONDS = 0.002
RESET_SIGNAL = signal.SIGUSR1
"""Forget what was seen so far: starting up is not what is measured."""
TOP = 10
OTHER = "other"
EVENT_LOOP = "event loop"

# The first file name part, from the innermost frame outwards, that says whose work it is.
AREAS: tuple[tuple[str, str], ...] = (
    ("/mixnet/sphinx/", "sphinx"),
    ("/mixnet/messages/acks.py", "acks"),
    ("/mixnet/messages/", "messages"),
    ("/mixnet/gateway/frames.py", "gateway cipher"),
    ("/mixnet/gateway/keys.py", "gateway cipher"),
    ("/mixnet/gateway/", "framing"),
    ("/websockets/", "framing"),
    ("/localnet/framing.py", "framing"),
    ("/mixnet/traffic/", "traffic"),
    ("/mixnet/", "client"),
    ("/nymproxy/channel/", "channels"),
    ("/nymproxy/stream/", "channels"),
    ("/nymproxy/legacy/", "channels"),
    ("/nymproxy/forward/", "channels"),
    ("/nymproxy/localnet/", "nodes"),
    ("/anyio/", EVENT_LOOP),
    ("/asyncio/", EVENT_LOOP),
    ("/selectors.py", EVENT_LOOP),
)


def area_of(files: list[str]) -> str:
    """Return whose work a stack is, given its file names from the innermost frame outwards.

    Acks are Sphinx packets too: what is done for one counts as an ack.
    """
    area = OTHER
    for file in files:
        for part, name in AREAS:
            if part in file:
                if name != "sphinx":
                    return name if area == OTHER or name == "acks" else area
                area = name
                break
        else:
            continue
        if area != "sphinx":
            return area
    return area


class Sampler:
    """Counts stacks by area and by function while it is on."""

    def __init__(self) -> None:
        self.areas: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.samples = 0

    def start(self) -> None:
        """Look at the main thread from now on."""
        signal.signal(RESET_SIGNAL, lambda _number, _frame: self.reset())
        signal.signal(signal.SIGPROF, self._look)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def reset(self) -> None:
        """Forget what was seen so far."""
        self.areas.clear()
        self.functions.clear()
        self.samples = 0

    def stop(self) -> None:
        """Stop looking."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self.samples += 1
        code = frame.f_code
        self.functions[f"{_short(code.co_filename)}:{code.co_qualname}"] += 1
        files: list[str] = []
        current: FrameType | None = frame
        while current is not None and len(files) < 40:
            files.append(current.f_code.co_filename)
            current = current.f_back
        self.areas[area_of(files)] += 1

    def report(self) -> dict[str, Any]:
        """Return shares of the samples: all areas, and the heaviest functions."""
        total = max(1, self.samples)
        return {
            "samples": self.samples,
            "areas": {name: count / total for name, count in self.areas.most_common()},
            "functions": {name: count / total for name, count in self.functions.most_common(TOP)},
        }


def _short(file: str) -> str:
    parts = Path(file).parts
    for root in ("nymproxy", "site-packages"):
        if root in parts:
            at = len(parts) - 1 - parts[::-1].index(root)
            return "/".join(parts[at + (root == "site-packages") :])
    return "/".join(parts[-2:])


def main(arguments: list[str]) -> None:
    """Run the module named by the arguments."""
    output, module, *rest = arguments
    sampler = Sampler()
    sys.argv = [module, *rest]
    sampler.start()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sampler.stop()
        Path(output).write_text(json.dumps(sampler.report()))


if __name__ == "__main__":
    main(sys.argv[1:])
