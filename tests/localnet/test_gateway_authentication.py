"""Authentication of a known client at the gateway, over its websocket."""

from __future__ import annotations

import anyio
import pytest

from nymproxy.localnet import gateway_session
from nymproxy.localnet.gateway_bandwidth import FREE_BANDWIDTH_BYTES
from nymproxy.mixnet.gateway import SharedKey
from nymproxy.mixnet.gateway.requests import AuthenticateV2
from nymproxy.mixnet.gateway.responses import (
    AuthenticateResponse,
    BandwidthResponse,
    OutOfBandwidthResponse,
)
from tests.localnet.client import Client, eventually, websocket_to
from tests.localnet.lone_gateway import (
    LoneGateway,
    authentication,
    blank_packet,
    refused,
    registered,
)


class TestAuthentication:
    async def test_a_known_client_comes_back(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert answer == AuthenticateResponse(6, True, 0)
            await client.claim()
        await eventually(lambda: len(gateway.node.connected_clients) == 0)
        gateway.now += 1
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert answer == AuthenticateResponse(6, True, FREE_BANDWIDTH_BYTES)

    async def test_an_expired_allowance_is_reported_as_zero(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            await client.claim()
            gateway.now += 86400 / 2  # midnight UTC
            assert await client.forward(blank_packet()) == OutOfBandwidthResponse(2413, 0)
            assert await client.claim() == BandwidthResponse(FREE_BANDWIDTH_BYTES)
        await eventually(lambda: len(gateway.node.connected_clients) == 0)
        gateway.now += 86400
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert answer == AuthenticateResponse(6, True, 0)

    @pytest.mark.parametrize(
        ("skew", "accepted"), [(120, True), (-120, True), (121, False), (-121, False)]
    )
    async def test_clocks_may_differ_by_two_minutes(
        self, gateway: LoneGateway, skew: int, accepted: bool
    ) -> None:
        client = await registered(gateway)
        gateway.now = float(int(gateway.now))
        request = authentication(client, gateway.now + skew)
        if accepted:
            async with websocket_to(gateway.info) as client.websocket:
                await client.websocket.send(request.encode())
                assert isinstance(await client.response(), AuthenticateResponse)
        else:
            assert "excessively skewed" in await refused(client, request)

    @pytest.mark.parametrize("version", [3, 7])
    async def test_unsupported_versions(self, gateway: LoneGateway, version: int) -> None:
        client = await registered(gateway)
        request = authentication(client, gateway.now, protocol_version=version)
        refusal = await refused(client, request)
        assert f"Ours is 6 and the client reports {version}" in refusal

    async def test_unknown_clients(self, gateway: LoneGateway) -> None:
        client = Client(gateway.info)
        client.key = SharedKey(bytes(32))
        request = authentication(client, gateway.now)
        assert await refused(client, request) == "the client is not registered"

    async def test_another_shared_key(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        client.key = SharedKey(bytes(32))
        refusal = await refused(client, authentication(client, gateway.now))
        assert refusal == "failed to verify provided address ciphertext"

    async def test_another_signature(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        request = authentication(client, gateway.now)
        forged = AuthenticateV2(
            request.protocol_version,
            request.client_identity,
            request.address_ciphertext,
            request.nonce,
            request.unix_timestamp + 1,
            request.signature,
        )
        assert await refused(client, forged) == "failed to verify request signature"

    async def test_timestamps_increase_strictly_also_across_a_restart(
        self, gateway: LoneGateway
    ) -> None:
        client = await registered(gateway)
        request = authentication(client, gateway.now)
        async with websocket_to(gateway.info) as client.websocket:
            await client.websocket.send(request.encode())
            assert isinstance(await client.response(), AuthenticateResponse)
        await eventually(lambda: len(gateway.node.connected_clients) == 0)
        assert "smaller or equal" in await refused(client, request)
        await gateway.node.kill()
        async with anyio.create_task_group() as task_group:
            await task_group.start(gateway.node.run)
            assert "smaller or equal" in await refused(client, request)
            async with websocket_to(gateway.info) as websocket:
                answer = await client.authenticate(websocket, int(gateway.now) + 1)
                assert isinstance(answer, AuthenticateResponse)
            await gateway.node.kill()

    async def test_a_live_connection_is_kept(self, gateway: LoneGateway) -> None:
        client = await registered(gateway)
        async with websocket_to(gateway.info) as websocket, anyio.create_task_group() as tasks:
            await client.authenticate(websocket, int(gateway.now))
            tasks.start_soon(websocket.receive)  # answers the gateway's ping
            gateway.now += 5
            refusal = await refused(client, authentication(client, gateway.now))
            assert refusal == "There is already an open connection to this client"
            tasks.cancel_scope.cancel()

    async def test_a_dead_connection_is_replaced(
        self, gateway: LoneGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_session, "PING_SECONDS", 0.05)
        client = await registered(gateway)
        async with websocket_to(gateway.info) as silent, websocket_to(gateway.info) as websocket:
            await client.authenticate(silent, int(gateway.now))
            gateway.now += 5
            answer = await client.authenticate(websocket, int(gateway.now))
            assert isinstance(answer, AuthenticateResponse)
            gateway.deliver(client, b"to the new one")
            assert await client.message() == b"to the new one"
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await silent.receive()
            assert len(gateway.node.connected_clients) == 1

    async def test_an_authentication_older_than_the_session_is_stale(
        self, gateway: LoneGateway
    ) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            # The same second as the registration: truncated, it lies before the session's start.
            gateway.now += 0.5
            refusal = await refused(client, authentication(client, int(gateway.now)))
            assert refusal == "attempted to overwrite client session with a stale authentication"
