"""What is kept of the messages that gateways had stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.memory_account import MINIMUM_BYTES, MemoryAccount
from nymproxy.mixnet.gateway import backlog as module
from nymproxy.mixnet.gateway.backlog import Backlog

if TYPE_CHECKING:
    import pytest


def test_a_backlog_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BACKLOG_BYTES", 1_000)
    backlog = Backlog()
    assert [backlog.store(bytes(400)) for _ in range(3)] == [True, True, False]
    assert [len(message) for message in backlog.messages] == [400, 400]
    backlog.messages.clear()
    backlog.taken()
    assert backlog.store(bytes(400))
    backlog.close()


def test_messages_without_bytes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BACKLOG_BYTES", 1_000)
    backlog = Backlog()
    assert sum(backlog.store(b"") for _ in range(100)) == 15


def test_many_gateways_leave_half_of_the_account_to_peers() -> None:
    """64 MiB for each identity were in no account: a thousand of them, at a gateway that has
    "stored" so much for each, filled any memory."""
    account = MemoryAccount(MINIMUM_BYTES)
    backlogs = [Backlog(account) for _ in range(100)]
    for backlog in backlogs:
        while backlog.store(bytes(30_000)):
            pass
    assert 0.45 < account.used_bytes / account.maximum_bytes <= 0.5
    for backlog in backlogs[:50]:
        backlog.messages.clear()
        backlog.taken()
        backlog.taken()
    for backlog in backlogs[50:]:
        backlog.close()
    assert account.used_bytes == 0
