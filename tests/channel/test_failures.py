"""nymproxy.channel.failures: what an application is told."""

from __future__ import annotations

import pytest

from nymproxy.channel.failures import message_given_up, reset_by_peer, too_quiet
from nymproxy.channel.idle import Quiet
from nymproxy.channel.segment import ChannelId, Segment, SegmentKind
from nymproxy.errors import DeliveryAbandoned, ResetCode, StreamRefused


@pytest.mark.parametrize("code", ResetCode)
def test_a_reset_is_told_with_its_code_and_what_can_be_printed_of_its_reason(
    code: ResetCode,
) -> None:
    reset = Segment(SegmentKind.RESET, ChannelId(7), reset_code=code, reason="gone\x1b[2J\n")
    error = reset_by_peer(reset)
    assert error.reset_code is code
    assert str(error).endswith(f"({code.name.lower()}: gone?[2J?)")
    assert isinstance(error, StreamRefused) == (code in (ResetCode.REFUSED, ResetCode.NOT_ACCEPTED))


def test_a_lost_message_has_its_cause() -> None:
    cause = DeliveryAbandoned("given up")
    assert message_given_up(cause).__cause__ is cause


def test_each_quiet_that_is_an_error_has_its_words() -> None:
    said = {str(too_quiet(quiet)) for quiet in Quiet if quiet is not Quiet.SILENCE}
    assert len(said) == len(Quiet) - 1
