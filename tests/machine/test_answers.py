"""SurbAnswers: who gets SURBs, how many, and that a failure gives the budget back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nymproxy.errors import (
    DeliveryAbandoned,
    NymError,
    SphinxError,
    SphinxErrorKind,
    UnknownGateway,
)
from tests.machine.driver import OPEN, HandClient, Stage, exchange

if TYPE_CHECKING:
    from nymproxy.mixnet.machine.answers import SurbAnswers


def met() -> tuple[HandClient, HandClient, SurbAnswers]:
    """A client that has written to a server, and the client's answers."""
    stage = Stage()
    client, server = stage.client("client"), stage.client("server")
    client.send(server)
    exchange(client, server)
    server.taken()
    return client, server, client.machine._answers


def test_a_stranger_gets_nothing() -> None:
    client, _server, answers = met()
    answers.requested(client.stage.client("stranger").address, 10, client.stage.now)
    assert not answers
    answers.advance(client.stage.now)
    assert client.leave() == []


def test_an_answer_is_made_in_pieces_and_arrives() -> None:
    client, server, answers = met()
    answers.requested(server.address, 10, client.stage.now)
    for _ in range(2):
        assert answers
        assert client.leave() == []
        answers.advance(client.stage.now)
    assert not answers
    server.hear(client.leave())
    [(_, correspondent)] = server.outbox.replies._correspondents.by_age()
    assert len(correspondent.stock) == 10


def test_a_large_one_comes_in_batches_and_no_more_than_the_maximum() -> None:
    client, server, answers = met()
    policy = replace(OPEN.surbs)
    answers.requested(server.address, 0xFFFFFFFF, client.stage.now)
    answers.requested(server.address, 1, client.stage.now)  # what is under way counts
    assert len(answers._batches) == policy.maximum_answer // policy.answer_batch
    exchange(client, server)
    [(_, correspondent)] = server.outbox.replies._correspondents.by_age()
    assert len(correspondent.stock) == policy.maximum_answer


@pytest.mark.parametrize(
    "error", [UnknownGateway("gone"), SphinxError(SphinxErrorKind.INVALID_ROUTE, "bad")]
)
def test_what_cannot_be_made_is_given_back(error: NymError) -> None:
    client, server, answers = met()
    client.maker.error = error
    answers.requested(server.address, OPEN.surbs.maximum_answer, client.stage.now)
    while answers:
        answers.advance(client.stage.now)
    client.maker.error = None
    client.stage.now += 10.0
    answers.requested(server.address, 5, client.stage.now)
    assert answers


def test_what_was_given_up_is_given_back_once() -> None:
    client, server, answers = met()
    answers.requested(server.address, OPEN.surbs.maximum_answer, client.stage.now)
    while answers:
        answers.advance(client.stage.now)
    client.stage.now += 10.0
    client.outbox.give_up_all(DeliveryAbandoned("enough"))
    answers.requested(server.address, OPEN.surbs.maximum_answer, client.stage.now)
    assert sum(size for _, size in answers._batches) == OPEN.surbs.maximum_answer
