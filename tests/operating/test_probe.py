"""A server is asked every minute whether it is there, at the cost of a packet and one back."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nymproxy._signal import Signal
from nymproxy.cli.operator import status_text
from nymproxy.legacy.roster import ClientRoster
from nymproxy.mixnet.machine.status import READY
from nymproxy.operating.probe import ANSWER_SECONDS, INTERVAL_SECONDS, Probe
from nymproxy.operating.readiness import LOST_SECONDS
from nymproxy.operating.statistics import log_statistics
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.stream.traits import StreamOptions
from nymproxy.testing import MemoryNetwork
from tests.legacy.proxies import running_server, upstream
from tests.legacy.virtual_time import anyio_backend
from tests.operating.pretended import Made, supervised, until
from tests.operating.test_monitoring import monitoring_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.address import NymAddress
    from nymproxy.testing import MemoryEndpoint

__all__ = ["anyio_backend"]


class Reaching:
    """An endpoint as the roster knows clients: it reaches everybody."""

    def __init__(self, endpoint: MemoryEndpoint) -> None:
        self.ask = endpoint.ask
        self.counters, self.gauges = endpoint.counters, endpoint.gauges

    def reaches(self, _to: NymAddress) -> bool:
        return True


def roster_of(endpoint: MemoryEndpoint) -> ClientRoster:
    """A roster whose one client is the endpoint, and ready."""
    roster = ClientRoster()
    entry = roster.enter()
    entry.connected(Reaching(endpoint))  # type: ignore[arg-type]
    entry.show(READY)
    return roster


def is_troubled(probe: Probe) -> bool:
    return probe.trouble is not None and not probe.trouble.is_ready


@asynccontextmanager
async def probing(address: NymAddress, roster: ClientRoster) -> AsyncIterator[Probe]:
    probe = Probe(address, roster, Signal(), forward="one")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(probe.run)
        yield probe
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("accept", [("legacy", "stream"), ("legacy",), ("stream",)])
async def test_a_server_answers_without_a_session_or_a_connection(accept: tuple[str, ...]) -> None:
    accepted = []

    async def count(stream: anyio.abc.SocketStream) -> None:
        accepted.append(stream)

    async with (
        MemoryNetwork(seed=1) as network,
        upstream(count) as service,
        running_server(network, service, accept=accept) as server,
        probing(server.nym_address(), roster_of(network.endpoint("asking"))) as probe,
    ):
        assert is_troubled(probe)
        await until(lambda: probe.answered == 1)
        assert not is_troubled(probe)
        await anyio.sleep(10 * INTERVAL_SECONDS)
        assert 9 <= probe.answered <= 12
        assert probe.unanswered == 0
        assert sum(probe.trips.counts) == probe.answered
        assert sum(each.packet_count for each in network.messages()) == 2 * probe.answered
        assert not server.session_map()
    assert not accepted


async def test_a_server_asks_itself() -> None:
    async with MemoryNetwork(seed=1) as network, StreamEndpoint(network.endpoint("own")) as own:
        endpoint = network.find(own.address)
        assert endpoint is not None
        async with probing(own.address, roster_of(endpoint)) as probe:
            await until(lambda: probe.answered == 3)
            assert probe.unanswered == 0


async def test_no_answer_is_noticed_and_the_question_repeated_until_there_is_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with MemoryNetwork(seed=1) as network:
        roster = roster_of(network.endpoint("asking"))
        silent = network.endpoint("server")
        async with probing(silent.address, roster) as probe:
            await until(lambda: probe.unanswered == 3)
            assert probe.trouble is not None
            assert probe.trouble.blocked_by == "timeout"
            assert len(network.messages()) <= 4
            assert caplog.text.count("the probe failed") == 1
            async with StreamEndpoint(silent):
                await until(lambda: probe.trouble is None)
            began = anyio.current_time()
            await until(lambda: probe.trouble is not None)
            passed = anyio.current_time() - began
            assert passed <= 1.1 * INTERVAL_SECONDS + ANSWER_SECONDS + 1
            assert caplog.text.count("the probe failed") == 2


async def test_who_has_no_word_for_it_does_not_answer() -> None:
    options = StreamOptions(extensions=False)
    async with (
        MemoryNetwork(seed=1) as network,
        StreamEndpoint(network.endpoint("server"), options=options) as server,
        probing(server.address, roster_of(network.endpoint("asking"))) as probe,
    ):
        await until(lambda: probe.unanswered == 1)


async def test_without_a_client_it_waits_and_a_question_that_cannot_leave_is_no_answer() -> None:
    async with MemoryNetwork(seed=1) as network:
        endpoint, roster = network.endpoint("asking"), ClientRoster()
        async with probing(network.endpoint("server").address, roster) as probe:
            await anyio.sleep(600)
            assert probe.unanswered == 0
            endpoint.close()
            entry = roster.enter()
            entry.connected(Reaching(endpoint))  # type: ignore[arg-type]
            entry.show(READY)
            await until(lambda: probe.unanswered == 2)


async def test_a_forward_is_ready_while_its_probe_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    made = Made()
    async with MemoryNetwork(seed=1) as network:
        server = network.endpoint("server")
        plan = replace(made.plan(), probe=server.address, roster=roster_of(network.endpoint()))
        async with supervised(plan) as supervisor:
            monitoring = monitoring_of(supervisor)
            await until(lambda: made.proxies)
            assert (
                supervisor.why_not_ready == "server one: waiting for the answer to the first probe"
            )
            async with StreamEndpoint(server):
                await until(lambda: supervisor.why_not_ready is None)
                metrics = monitoring.answer("GET", "/metrics")
                log_statistics(list(supervisor.forwards.values()))
            text = status_text(monitoring.status())
            await until(lambda: supervisor.why_not_ready is not None)
            answer = monitoring.answer("GET", "/readyz")
    assert "probe: 1 of 1 answered; 0." in text
    assert answer is not None
    assert answer.status == 503
    assert b"the probe has no answer" in answer.body
    assert metrics is not None
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics.body.decode())
        for sample in family.samples
    }
    assert samples["nymproxy_probe_round_trip_seconds_count"] == 1
    assert samples["nymproxy_probes_unanswered_total"] == 0
    assert "'answered': 1" in caplog.text
    assert "not ready any more" in caplog.text
    assert LOST_SECONDS < ANSWER_SECONDS  # a probe that is lost once, and not again, is told nobody
