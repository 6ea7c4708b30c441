"""How often something is done between two turns that others have in the event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@dataclass
class Calls:
    """Calls of a method.

    Attributes:
        total: all of them.
        longest: the most between two turns of somebody else.
    """

    total: int = 0
    longest: int = 0
    _in_a_row: int = 0

    def count(self) -> None:
        """Count one."""
        self.total += 1
        self._in_a_row += 1
        self.longest = max(self.longest, self._in_a_row)

    async def take_turns(self) -> None:
        """Be somebody else."""
        while True:
            await anyio.lowlevel.checkpoint()
            self._in_a_row = 0


@asynccontextmanager
async def counted_calls(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> AsyncIterator[Calls]:
    """Count the calls of a method of all objects of a class during the block."""
    calls, original = Calls(), getattr(owner, method)

    def counting(*arguments: Any) -> Any:
        calls.count()
        return original(*arguments)

    monkeypatch.setattr(owner, method, counting)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calls.take_turns)
        yield calls
        tasks.cancel_scope.cancel()
