"""nymproxy.mixnet.records: what becomes of one message, and what no transport sends."""

from __future__ import annotations

import pytest

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import DeliveryAbandoned, MessageTooLarge, UsageError
from nymproxy.mixnet.records import MAX_MESSAGE_BYTES, DeliveryRecord, check_bytes, check_message
from tests.channel.builders import ADDRESS

TAG = SenderTag(bytes(16))


def watched() -> tuple[DeliveryRecord, list[str]]:
    """A record, and what its listener saw of it at each change."""
    record, seen = DeliveryRecord(3), []

    def listen(changed: DeliveryRecord) -> None:
        assert changed is record
        names = {"sent": record.is_sent, "acknowledged": record.is_acknowledged}
        seen.append("+".join(name for name, holds in names.items() if holds) or "neither")

    record.subscribe(listen)
    return record, seen


def test_a_message_is_sent_and_then_acknowledged() -> None:
    record, seen = watched()
    record.mark_sent()
    record.mark_sent()
    assert seen == ["sent"]
    record.mark_acknowledged()
    record.mark_acknowledged()

    assert seen == ["sent", "sent+acknowledged"]


def test_acknowledged_implies_sent() -> None:
    record, seen = watched()
    record.mark_acknowledged()
    assert seen == ["sent+acknowledged"]


@pytest.mark.parametrize("is_sent", [False, True])
def test_a_failed_message_stays_failed(is_sent: bool) -> None:
    record, seen = watched()
    if is_sent:
        record.mark_sent()
    error = DeliveryAbandoned("given up")
    record.fail(error)
    record.fail(DeliveryAbandoned("again"))
    record.mark_sent()
    record.mark_acknowledged()
    assert record.error is error
    assert (record.is_sent, record.is_acknowledged) == (is_sent, False)
    assert len(seen) == (2 if is_sent else 1)


def test_who_asks_late_is_told_at_once_and_who_settled_is_forgotten() -> None:
    record, seen = watched()
    record.mark_acknowledged()
    late: list[DeliveryRecord] = []
    record.subscribe(late.append)
    assert late == [record]
    record.fail(DeliveryAbandoned("too late"))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("to", "length", "surbs"),
    [(TAG, 0, 0), (TAG, 1, 1), (TAG, 1, -1), (ADDRESS, 0, -1), (ADDRESS, 1, -5)],
)
def test_what_makes_no_sense(to: NymAddress | SenderTag, length: int, surbs: int) -> None:
    with pytest.raises(UsageError):
        check_message(to, bytes(length), surbs)


@pytest.mark.parametrize("to", [TAG, ADDRESS])
def test_what_is_too_large(to: NymAddress | SenderTag) -> None:
    check_message(to, bytes(MAX_MESSAGE_BYTES))
    with pytest.raises(MessageTooLarge):
        check_message(to, bytes(MAX_MESSAGE_BYTES + 1))


def test_an_empty_message_to_an_address_may_carry_surbs() -> None:
    check_message(ADDRESS, b"", 10)


def test_what_is_no_address_or_no_bytes_is_refused() -> None:
    with pytest.raises(UsageError, match="not to str"):
        check_message("somebody", b"x")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not int"):
        check_bytes(5)
