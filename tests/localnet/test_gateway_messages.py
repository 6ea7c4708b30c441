"""What the gateway pushes to a client, or stores for it, and when it releases the acks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy import _base58
from nymproxy.localnet import FaultPlan, LinkFaults, PushAction, PushFault, gateway_session
from nymproxy.localnet.core import SURB_ACK_BYTES
from nymproxy.localnet.counters import Direction, DropReason
from nymproxy.localnet.gateway_store import GatewayStore
from nymproxy.mixnet.gateway.encrypted_texts import (
    ForgetMe,
    ForgetMeAck,
    RememberMe,
    RememberMeAck,
    SessionType,
    open_response,
    seal_request,
)
from nymproxy.mixnet.gateway.responses import (
    AuthenticateResponse,
    EncryptedResponse,
    RegisterResponse,
)
from nymproxy.mixnet.sphinx import PacketSize
from tests.localnet.client import eventually, websocket_to
from tests.localnet.lone_gateway import LoneGateway, authentication, refused, registered

if TYPE_CHECKING:
    import pytest


class TestMessages:
    async def test_stored_messages_come_before_the_response_in_order(
        self, gateway: LoneGateway
    ) -> None:
        client = await registered(gateway)
        sent = [f"message {number}".encode() for number in range(250)]
        gateway.deliver(client, *sent[:200], acked=True)
        gateway.deliver(client, *sent[200:], acked=True)
        assert gateway.counters.packets(Direction.STORED) == 250
        assert gateway.counters.packets(Direction.ACKS_RELEASED) == 250
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert isinstance(answer, AuthenticateResponse)
            assert client.pushed == sent
        await eventually(lambda: len(gateway.node.connected_clients) == 0)
        gateway.now += 1
        client.pushed.clear()
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            assert client.pushed == []

    async def test_stored_messages_come_with_a_new_registration(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        gateway.deliver(client, b"stored")
        async with websocket_to(gateway.info) as websocket:
            assert isinstance(await client.register(websocket), RegisterResponse)
            assert client.pushed == [b"stored"]

    async def test_what_arrives_during_the_push_follows_it(
        self, gateway: LoneGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No message is left in the store while its client is connected."""
        client = await registered(gateway)
        gateway.deliver(client, b"stored")
        delete = GatewayStore.delete

        def deliver_then_delete(store: GatewayStore, address: bytes, messages: Any) -> None:
            gateway.deliver(client, b"live", acked=True)
            delete(store, address, messages)

        monkeypatch.setattr(GatewayStore, "delete", deliver_then_delete)
        async with websocket_to(gateway.info) as websocket:
            assert isinstance(
                await client.authenticate(websocket, int(gateway.now)), AuthenticateResponse
            )
            assert client.pushed == [b"stored"]
            client.pushed.clear()
            assert await client.message() == b"live"
        assert gateway.counters.packets(Direction.STORED) == 1

    async def test_what_is_queued_is_acknowledged_and_lost_with_the_connection(
        self, gateway: LoneGateway
    ) -> None:
        """spec/nodes.md 7.2, as real gateways do."""
        client = await registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            for _ in range(600):  # 19 MB, more than the sockets hold
                gateway.deliver(client, bytes(32363), acked=True)
            assert gateway.counters.packets(Direction.ACKS_RELEASED) == 600
        await eventually(lambda: len(gateway.node.connected_clients) == 0)
        written = gateway.counters.packets(Direction.PUSHED)
        assert gateway.counters.dropped(DropReason.CLIENT_GONE) == 600 - written > 0
        assert gateway.counters.packets(Direction.STORED) == 0

    async def test_an_ack_can_wait_for_the_write(self, gateway: LoneGateway) -> None:
        """What a client's socket does not take is not acknowledged, and stored when it goes."""
        gateway.environment.acks_after_writing = True
        await gateway.node.stop()
        await gateway.start()
        client = await registered(gateway)
        message = bytes(32363)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            await client.claim()
            for _ in range(600):  # 19 MB, more than the sockets hold
                gateway.deliver(client, message, acked=True)
            assert gateway.counters.packets(Direction.ACKS_RELEASED) == 0
            await eventually(lambda: gateway.counters.packets(Direction.ACKS_RELEASED) > 0)
            written = gateway.counters.packets(Direction.PUSHED)
            assert written == gateway.counters.packets(Direction.ACKS_RELEASED) < 600
        await eventually(lambda: gateway.counters.packets(Direction.ACKS_RELEASED) == 600)
        written = gateway.counters.packets(Direction.PUSHED)
        assert gateway.counters.packets(Direction.STORED) == 600 - written > 0

    async def test_a_client_that_does_not_read_is_bounded(
        self, gateway: LoneGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_session, "PUSH_LIMIT", 10)
        client = await registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            gateway.deliver(client, *[b"x"] * 15, acked=True)
            assert gateway.counters.dropped(DropReason.CLIENT_QUEUE_FULL) == 5
            await eventually(lambda: gateway.counters.packets(Direction.ACKS_RELEASED) == 10)

    async def test_an_injected_loss_takes_the_ack_with_it(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        gateway.gates.install(
            FaultPlan(
                links=(LinkFaults(source="gateway-0", target="client", loss=0.5, duplicate=0.2),)
            )
        )
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            gateway.deliver(client, *[b"m"] * 200, acked=True)
            lost = gateway.counters.injected("loss")
            twice = gateway.counters.injected("duplicate")
            assert 50 < lost < 150
            for _ in range(200 - lost + twice):
                await client.message()
            await eventually(
                lambda: gateway.counters.packets(Direction.ACKS_RELEASED) == 200 - lost
            )

    async def test_what_a_gateway_does_behind_the_ack(self, gateway: LoneGateway) -> None:
        client, other = await registered(gateway), await registered(gateway)
        name = _base58.encode(client.address)
        gateway.gates.install(
            FaultPlan(
                pushes=(
                    PushFault(action=PushAction.SWALLOW, client=name, count=1),
                    PushFault(action=PushAction.ALTER, client=name, count=1, offsets=(0,), mask=1),
                    PushFault(action=PushAction.REPLAY, client=name, skip=1, delay_seconds=0.05),
                )
            )
        )
        async with websocket_to(gateway.info) as websocket, websocket_to(gateway.info) as second:
            await client.authenticate(websocket, int(gateway.now))
            await other.authenticate(second, int(gateway.now))
            gateway.deliver(client, b"swallowed", b"altered", b"replayed", acked=True)
            gateway.deliver(other, b"well", acked=True)
            assert gateway.counters.packets(Direction.ACKS_RELEASED) == 4
            assert [await client.message() for _ in range(3)] == [
                b"`ltered",
                b"replayed",
                b"replayed",
            ]
            assert await other.message() == b"well"

    async def test_what_was_stored_is_no_safer(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        regular = bytes(PacketSize.REGULAR.plaintext_length - SURB_ACK_BYTES)
        gateway.deliver(client, regular, regular, b"an acknowledgement...")
        gateway.gates.install(
            FaultPlan(
                pushes=(
                    PushFault(action=PushAction.ALTER, packet="regular", offsets=(0,), mask=1),
                    PushFault(action=PushAction.SWALLOW, packet="regular", count=1),
                    PushFault(action=PushAction.REPLAY, packet="regular", delay_seconds=0.05),
                )
            )
        )
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            altered = b"\x01" + regular[1:]
            messages = [await client.message() for _ in range(3)]
            assert sorted(messages) == sorted([altered, altered, b"an acknowledgement..."])

    async def test_forget_me(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            assert client.key is not None
            for request, ack in (
                (RememberMe(SessionType.MIXNET), RememberMeAck()),
                (ForgetMe(client=False, stats=True), ForgetMeAck()),
                (ForgetMe(client=True, stats=True), ForgetMeAck()),
            ):
                sealed = seal_request(request, client.key, os.urandom(12))
                await websocket.send(sealed.encode())
                answer = await client.response()
                assert isinstance(answer, EncryptedResponse)
                assert open_response(answer, client.key) == ack
            gateway.deliver(client, b"still connected")
            assert await client.message() == b"still connected"
        await eventually(lambda: len(gateway.node.connected_clients) == 0)
        gateway.now += 1
        refusal = await refused(client, authentication(client, gateway.now))
        assert refusal == "the client is not registered"


async def test_an_orderly_stop_lets_clients_read_everything(gateway: LoneGateway) -> None:
    client = await registered(gateway)
    async with websocket_to(gateway.info) as websocket, anyio.create_task_group() as task_group:
        await client.authenticate(websocket, int(gateway.now))
        gateway.deliver(client, *[b"%d" % number for number in range(50)], acked=True)
        received: list[bytes] = []

        async def read() -> None:
            try:
                while True:
                    received.append(await client.message())
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

        task_group.start_soon(read)
        await gateway.node.stop()
    assert received == [b"%d" % number for number in range(50)]
    assert gateway.counters.packets(Direction.ACKS_RELEASED) == 50
