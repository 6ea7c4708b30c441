"""A whole network: packets from client to client, restarts, rotations, faults, and its end."""

from __future__ import annotations

import os
import re
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from nymproxy.errors import ConfigurationError, GatewayUnreachable, StorageLocked, UsageError
from nymproxy.localnet import (
    DeadNodes,
    FaultAction,
    FaultEvent,
    FaultPlan,
    LinkFaults,
    Localnet,
    LocalnetConfig,
    RunningLocalnet,
)
from nymproxy.localnet.fault_gates import FaultGate
from nymproxy.mixnet.directory import NetworkDetails, choose_gateway
from nymproxy.mixnet.directory.client import DirectoryClient
from nymproxy.mixnet.gateway import ClientIdentityKey
from nymproxy.mixnet.gateway.link import GatewayLink
from nymproxy.mixnet.gateway.listener import GatewayListener
from nymproxy.mixnet.gateway.responses import AuthenticateResponse, SendResponse
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize, build_header, build_packet
from tests.gateway.links import Pushed
from tests.localnet.client import (
    Client,
    Routes,
    ack_block,
    connected,
    packet_to,
    routes,
    websocket_to,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nymproxy.localnet import GatewayInfo

ACK = b"acknowledgement 21 b."


@asynccontextmanager
async def network(**settings: Any) -> AsyncIterator[RunningLocalnet]:
    async with Localnet(LocalnetConfig(**{"seed": 1} | settings)) as localnet:
        with anyio.fail_after(50):
            yield localnet


async def _totals(localnet: RunningLocalnet) -> dict[str, Any]:
    total: dict[str, Any] = (await localnet.counters())["total"]
    return total


async def _until(localnet: RunningLocalnet, path: str, count: int) -> None:
    """Wait until a total counter, e.g. ``dropped.replayed``, has reached a value."""
    value: Any = None
    with anyio.move_on_after(60):
        while value != count:
            value = await _totals(localnet)
            for key in path.split("."):
                value = value.get(key, {})
            await anyio.sleep(0.005)
    if value != count:
        raise TimeoutError(f"{path} is {value}, not {count}")


async def _until_back(gateway: GatewayInfo) -> None:
    with anyio.fail_after(60):
        while True:
            with suppress(OSError, GatewayUnreachable):
                async with websocket_to(gateway):
                    return
            await anyio.sleep(0.02)


async def _exchange(via: Routes, sender: Client, recipient: Client, text: bytes) -> None:
    """One message there, and its acknowledgement back."""
    await sender.send_packets([packet_to(via, recipient, text, ack_block(via, sender, ACK))])
    assert (await recipient.message()).rstrip(b"\0") == text
    assert await sender.message() == ACK


@pytest.mark.parametrize("processes", [1, 3])
async def test_a_message_arrives_and_is_acknowledged(processes: int) -> None:
    async with network(processes=processes) as localnet:
        via = await routes(localnet)
        async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
            sent = await alice.forward(
                packet_to(via, bob, b"hello", ack_block(via, alice, ACK), delay_ns=1_000_000)
            )
            assert isinstance(sent, SendResponse)
            assert sent.remaining_bandwidth == 64 * 1024**3 - 2413
            assert (await bob.message()).rstrip(b"\0") == b"hello"
            assert await alice.message() == ACK
        counters = await localnet.counters()
    nodes = counters["nodes"]
    assert nodes["gateway-0"]["from_client"] == {"regular": {"packets": 1, "bytes": 2413}}
    for mix in ("mix-1-0", "mix-2-0", "mix-3-0"):
        assert nodes[mix]["forwarded"]["regular"]["packets"] == 1
        assert nodes[mix]["forwarded"]["ack"]["packets"] == 1
    assert nodes["gateway-1"]["acks_released"]["ack"]["packets"] == 1
    assert nodes["gateway-0"]["pushed"] == {"ack": {"packets": 1, "bytes": 386}}
    assert counters["total"]["dropped"] == {}


async def test_one_gateway_serves_both_ends() -> None:
    async with network(gateways=1, mixes_per_layer=2) as localnet:
        via = await routes(localnet)
        async with connected(localnet) as alice, connected(localnet) as bob:
            await _exchange(via, alice, bob, b"to a neighbour")
            await _exchange(via, bob, alice, b"and back")


async def test_old_frames_lose_the_rotation_and_still_arrive() -> None:
    from nymproxy.localnet.framing import FrameVersion

    async with network(frame_version=FrameVersion.INITIAL) as localnet:
        via = await routes(localnet)
        async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
            await _exchange(via, alice, bob, b"version 7")


async def test_a_replayed_packet_dies_at_the_first_mix() -> None:
    async with network() as localnet:
        via = await routes(localnet)
        async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
            packet = packet_to(via, bob, b"once", ack_block(via, alice, ACK))
            await alice.send_packets([packet, packet, packet])
            await bob.message()
            await _until(localnet, "dropped.replayed", 2)
            assert (await localnet.counters())["nodes"]["mix-1-0"]["dropped"] == {"replayed": 2}


class TestDirectory:
    async def test_our_directory_client_reads_it(self) -> None:
        async with network(gateways=2, mixes_per_layer=2) as localnet:
            details = NetworkDetails.from_env_file(localnet.env_file, environ={})
            assert details.warnings == ()
            directory = DirectoryClient(details)
            topology = await directory.fetch_topology()
            gateways = await directory.fetch_gateways()
            rotation = await directory.fetch_key_rotation()
            assert topology.is_routable
            assert topology.rotation is KeyRotation.EVEN
            assert topology.epoch_id == localnet.epoch_id == rotation.expected_epoch(time.time_ns())
            assert topology.rotation_id == localnet.rotation_id == 2
            assert {node.identity for node in gateways} == {
                info.identity for info in localnet.gateways
            }
            for info in localnet.gateways:
                assert len(topology.route_to(info.identity, os.urandom)) == 4
                assert choose_gateway(gateways, info.identity, os.urandom).identity == info.identity
            extended = DirectoryClient(details, use_extended_topology=True)
            assert (await extended.fetch_topology()).is_routable

    async def test_only_five_paths_and_the_counters_are_served(self) -> None:
        async with network() as localnet, httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(
                localnet.directory_url + "v2/unstable/nym-nodes/skimmed/entry-gateways",
                params={"page": "0", "output": "bincode"},
                headers={"Accept": "application/bincode"},
            )
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert len(answer.json()["nodes"]["data"]) == 2
            for path in ("v1/nothing", "", "../secret", "v1/epoch"):
                assert (await http.get(localnet.directory_url + path)).status_code == 404
            post = await http.post(localnet.directory_url + "v1/nym-nodes/rewarded-set", json={})
            assert post.status_code == 405
            counters = (await http.get(localnet.counters_url)).json()
            assert set(counters) == {"nodes", "total", "fault_plan"}
            assert set(counters["nodes"]) == set(localnet.node_names)

    async def test_broken_http_does_no_harm(self) -> None:
        async with network() as localnet:
            port = int(localnet.directory_url.split(":")[2].split("/")[0])
            for garbage in (b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n"):
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    await stream.send(garbage)
                    await stream.send_eof()
                    while True:
                        try:
                            await stream.receive()
                        except (anyio.EndOfStream, anyio.BrokenResourceError):
                            break
            assert (await routes(localnet)).rotation is KeyRotation.EVEN


async def test_our_gateway_link_connects_and_reconnects() -> None:
    async with network() as localnet:
        via = await routes(localnet)
        info = localnet.gateways[0]
        identity = ClientIdentityKey.generate(os.urandom)
        link = GatewayLink(GatewayListener(info.identity, info.url, None), identity)
        await link.connect()
        async with connected(localnet, 1) as bob, anyio.create_task_group() as task_group:
            pushed = Pushed()
            task_group.start_soon(link.run, pushed.take)
            block = _block_for(via, identity, info.identity)
            await link.send([packet_to(via, bob, b"through the link", block)])
            assert (await bob.message()).rstrip(b"\0") == b"through the link"
            assert await pushed.receive() == ACK
            await link.aclose()
            task_group.cancel_scope.cancel()


def _block_for(via: Routes, identity: ClientIdentityKey, gateway: Any) -> bytes:
    header = build_header(
        via.to(gateway),
        [0] * 4,
        identity.public_key,
        rotation=via.rotation,
        random_bytes=os.urandom,
    )
    return header.first_hop.pad(19) + build_packet(header, ACK, PacketSize.ACK)


class TestRestarts:
    @pytest.mark.parametrize("orderly", [False, True])
    async def test_a_gateway_keeps_everything(self, orderly: bool) -> None:
        async with network() as localnet:
            via = await routes(localnet)
            async with connected(localnet, 1) as bob:
                pass
            async with connected(localnet, 0) as alice:
                await alice.send_packets(
                    [
                        packet_to(via, bob, b"%d" % number, ack_block(via, alice, ACK))
                        for number in range(20)
                    ]
                )
                for _ in range(20):  # Acknowledged: the gateway has them.
                    assert await alice.message() == ACK
            await localnet.kill_gateway(1, orderly=orderly)
            with pytest.raises(OSError, match=r".+"):
                async with websocket_to(bob.gateway):
                    pass
            await localnet.start_gateway(1)
            async with websocket_to(bob.gateway) as websocket:
                answer = await bob.authenticate(websocket, int(time.time()) + 1)
                assert answer == AuthenticateResponse(6, True, 64 * 1024**3)
                assert [message.rstrip(b"\0") for message in bob.pushed] == [
                    b"%d" % number for number in range(20)
                ]

    async def test_a_killed_gateway_acknowledges_nothing_it_could_lose(self) -> None:
        """Whatever was acknowledged before the kill was written, or is in the store."""
        async with network(acks_after_writing=True) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 1) as bob, connected(localnet, 0) as alice:
                count = 200
                await alice.send_packets(
                    [
                        packet_to(via, bob, b"%d" % number, ack_block(via, alice, b"%21d" % number))
                        for number in range(count)
                    ]
                )
                await bob.message()
                await localnet.kill_gateway(1)
                received = {0}
                with (
                    anyio.fail_after(30),
                    pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)),
                ):
                    await _collect(bob, received)
                acknowledged: set[int] = set()
                with anyio.move_on_after(0.3):
                    while True:
                        acknowledged.add(int(await alice.message()))
                await localnet.start_gateway(1)
                async with websocket_to(bob.gateway) as websocket:
                    bob.pushed.clear()
                    await bob.authenticate(websocket, int(time.time()) + 1)
                    received |= {int(message.rstrip(b"\0")) for message in bob.pushed}
            assert acknowledged <= received

    @pytest.mark.parametrize("processes", [1, 2])
    async def test_mix_nodes_come_back(self, processes: int) -> None:
        async with network(processes=processes) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                await _exchange(via, alice, bob, b"before")
                await localnet.kill_node("mix-2-0")
                await alice.send_packets([packet_to(via, bob, b"lost", ack_block(via, alice, ACK))])
                await _until(localnet, "dropped.connection_lost", 1)
                await localnet.start_node("mix-2-0")
                await localnet.start_node("mix-2-0")  # Up already: nothing happens.
                await _exchange(via, alice, bob, b"after")

    async def test_a_removed_gateway_is_gone_for_good(self) -> None:
        async with network() as localnet:
            await localnet.remove_node("gateway-1")
            gone = localnet.gateways[1]
            assert gone.identity.key not in (await routes(localnet)).gateways
            with pytest.raises(OSError, match=r".+"):
                async with websocket_to(gone):
                    pass
            with pytest.raises(UsageError, match="for good"):
                await localnet.start_gateway(1)

    @pytest.mark.parametrize("dead_nodes", DeadNodes)
    async def test_dead_nodes_leave_the_directory_after_the_epoch_or_stay(
        self, dead_nodes: DeadNodes
    ) -> None:
        plan = FaultPlan(dead_nodes=dead_nodes)
        async with network(mixes_per_layer=2, fault_plan=plan) as localnet:
            await localnet.kill_node("mix-2-0")
            assert len((await routes(localnet)).layers[1]) == 2
            await localnet.advance_epochs()
            left = 2 if dead_nodes is DeadNodes.STAY else 1
            assert len((await routes(localnet)).layers[1]) == left
            await localnet.start_node("mix-2-0")
            assert len((await routes(localnet)).layers[1]) == 2

    async def test_unknown_names_are_refused(self) -> None:
        async with network() as localnet:
            with pytest.raises(UsageError, match="mix-9-9"):
                await localnet.kill_node("mix-9-9")

    async def test_a_state_directory_is_the_same_network_again(self, tmp_path: Path) -> None:
        settings: dict[str, Any] = {"seed": None, "state_dir": tmp_path / "state"}
        async with network(**settings) as localnet:
            first = (localnet.gateways, localnet.directory_url, localnet.epoch_id)
            with pytest.raises(StorageLocked):
                async with Localnet(LocalnetConfig(**settings)):
                    pass
            async with connected(localnet, 0) as alice:
                pass
            await localnet.rotate_now()
        async with network(**settings) as localnet:
            assert (localnet.gateways, localnet.directory_url) == first[:2]
            assert localnet.rotation_id == 3
            async with websocket_to(alice.gateway) as websocket:
                answer = await alice.authenticate(websocket, int(time.time()) + 1)
                assert isinstance(answer, AuthenticateResponse)
        with pytest.raises(ConfigurationError, match="another seed"):
            async with Localnet(LocalnetConfig(seed=5, state_dir=tmp_path / "state")):
                pass
        assert (tmp_path / "state" / "network.json").stat().st_mode & 0o077 == 0


class TestRotation:
    @pytest.mark.parametrize("processes", [1, 2])
    async def test_old_keys_overlap_and_expire(self, processes: int) -> None:
        async with network(processes=processes) as localnet:
            old = await routes(localnet)
            await localnet.rotate_now()
            new = await routes(localnet)
            assert (old.rotation, new.rotation) == (KeyRotation.EVEN, KeyRotation.ODD)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                await _exchange(new, alice, bob, b"with the new keys")
                await _exchange(old, alice, bob, b"with the old keys")
                await localnet.advance_epochs()
                await alice.send_packets(
                    [packet_to(old, bob, b"too late", ack_block(old, alice, ACK))]
                )
                await _until(localnet, "dropped.expired_key", 1)
                await _exchange(new, alice, bob, b"still the new keys")

    async def test_epochs_pass_by_the_clock(self) -> None:
        now = time.time()
        config = LocalnetConfig(seed=1, epoch_seconds=10.0, epochs_per_rotation=2)
        async with Localnet(config, unix_time=lambda: now) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                odd, even = KeyRotation.ODD, KeyRotation.EVEN
                for rotation in (even, odd, odd, even, even, odd):
                    before, via = via, await routes(localnet)
                    assert via.rotation is rotation
                    with anyio.fail_after(30):
                        await _exchange(via, alice, bob, b"current")
                        await _exchange(before, alice, bob, b"previous")
                    now += 10.0


class TestFaults:
    @pytest.mark.parametrize("processes", [1, 2])
    async def test_loss_is_what_the_seed_says(self, processes: int) -> None:
        """Only data packets take this link: the acks end at the other gateway."""
        plan = FaultPlan(
            seed=7, links=(LinkFaults(source="mix-3-*", target="gateway-1", loss=0.5),)
        )
        gate = FaultGate("mix-3-0", "gateway-1", lambda _: None)
        gate.install(plan, 0.0)
        lost = [gate.apply(b"", 0.0) for _ in range(60)].count([])
        async with network(fault_plan=plan, processes=processes) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                await alice.send_packets(
                    [packet_to(via, bob, b"%d" % n, ack_block(via, alice, ACK)) for n in range(60)]
                )
                for _ in range(60 - lost):
                    await bob.message()
                    assert await alice.message() == ACK
                await localnet.set_faults(FaultPlan())
                await _exchange(via, alice, bob, b"all is well again")
            counters = await localnet.counters()
        assert counters["nodes"]["mix-3-0"]["injected"] == {"loss": lost}

    async def test_a_duplicate_is_dropped_as_a_replay(self) -> None:
        plan = FaultPlan(links=(LinkFaults(source="gateway-*", target="mix-1-*", duplicate=1.0),))
        async with network(fault_plan=plan) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                await _exchange(via, alice, bob, b"twice")
                await _until(localnet, "dropped.replayed", 2)

    async def test_corruption_is_noticed(self) -> None:
        plan = FaultPlan(links=(LinkFaults(source="mix-3-*", target="gateway-*", corrupt=1.0),))
        async with network(fault_plan=plan) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                await alice.send_packets([packet_to(via, bob, b"x", ack_block(via, alice, ACK))])
                await _until(localnet, "dropped.malformed", 1)

    async def test_a_blackhole_between_client_and_gateway(self) -> None:
        plan = FaultPlan(links=(LinkFaults(source="client", target="gateway-0", blackhole=True),))
        async with network(fault_plan=plan) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                answer = await alice.forward(packet_to(via, bob, b"x", ack_block(via, alice, ACK)))
                assert isinstance(answer, SendResponse)
                await _until(localnet, "injected.blackhole", 1)
                await localnet.set_faults(FaultPlan())
                await _exchange(via, alice, bob, b"y")

    async def test_events_happen_in_their_order(self) -> None:
        plan = FaultPlan(
            events=(
                FaultEvent(at_seconds=0.15, action=FaultAction.START, node="gateway-1"),
                FaultEvent(at_seconds=0.05, action=FaultAction.STOP, node="gateway-1"),
                FaultEvent(at_seconds=0.0, action=FaultAction.KILL, node="mix-2-*"),
                FaultEvent(at_seconds=0.1, action=FaultAction.START, node="mix-*"),
                FaultEvent(at_seconds=0.0, action=FaultAction.REMOVE, node="gateway-2"),
            )
        )
        async with network(gateways=3) as localnet:
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                await localnet.set_faults(plan)
                with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await bob.response()  # Reads on, and so answers the close frame.
                await _until_back(bob.gateway)  # the last event
                assert len((await routes(localnet)).gateways) == 2
                async with websocket_to(bob.gateway) as websocket:
                    await bob.authenticate(websocket, int(time.time()) + 1)
                    await _exchange(via, alice, bob, b"after all that")

    async def test_disconnect_resets_the_clients(self) -> None:
        async with (
            network() as localnet,
            connected(localnet, 0) as alice,
            connected(localnet, 1) as bob,
        ):
            assert await localnet.disconnect("gateway-0", "client") == 1
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await alice.response()
            await bob.claim()

    async def test_a_plan_is_shown_with_its_seed(self) -> None:
        plan = FaultPlan(seed=99, links=(LinkFaults(loss=0.01),))
        async with network(fault_plan=plan) as localnet:
            assert localnet.describe()["fault_plan"]["seed"] == 99
            assert (await localnet.counters())["fault_plan"] == plan.to_dict()


async def _collect(client: Client, received: set[int]) -> None:
    while True:
        received.add(int((await client.message()).rstrip(b"\0")))


class TestStartAndEnd:
    async def test_nothing_is_left(self) -> None:
        before = set(os.listdir("/proc/self/fd"))
        async with network(processes=2) as localnet:
            state_dir = localnet.state_dir
            via = await routes(localnet)
            async with connected(localnet, 0) as alice, connected(localnet, 1) as bob:
                await _exchange(via, alice, bob, b"x")
        assert not state_dir.exists()
        after = set(os.listdir("/proc/self/fd"))
        assert len(after) <= len(before)

    async def test_an_error_in_the_block_comes_out_as_it_is(self) -> None:
        with pytest.raises(KeyError, match="mine"):
            async with network():
                raise KeyError("mine")

    async def test_cancelling_ends_the_network(self) -> None:
        with anyio.move_on_after(0.2):
            async with Localnet(LocalnetConfig(seed=1)):
                await anyio.sleep_forever()

    async def test_chosen_ports(self) -> None:
        async with network(seed=2) as localnet:
            base_port = int(localnet.gateways[0].url.rpartition(":")[2])
            taken = LocalnetConfig(base_port=base_port)
            # Ports above the first may be taken too, by whoever.
            with pytest.raises(ConfigurationError, match="in use") as refused:
                async with Localnet(taken):
                    pass
            named = re.search(r"port (\d+) of 127\.0\.0\.1", str(refused.value))
            assert named is not None
            assert base_port <= int(named[1]) <= base_port + 7

    @pytest.mark.parametrize(
        "settings",
        [
            {"mixes_per_layer": 0},
            {"gateways": 0},
            {"processes": 0},
            {"base_port": 65535},
            {"epochs_per_rotation": 1},
            {"epoch_seconds": 0.0},
        ],
    )
    async def test_impossible_settings(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            async with Localnet(LocalnetConfig(**settings)):
                pass
