"""The localnet for blocking tests, as the fixture that users get."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nymproxy import NymProxyClient, NymProxyServer
from nymproxy.testing.localnet import BackgroundLocalnet, FaultPlan, LinkFaults

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _echo_service() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def test_blocking_code_all_the_way(nymproxy_localnet: BackgroundLocalnet) -> None:
    env = nymproxy_localnet.env_file
    with (
        _echo_service() as upstream,
        NymProxyServer.in_background(upstream, None, env, profile="bare") as server,
    ):
        client = NymProxyClient(server.nym_address, listen_port=0, env=env, profile="bare")
        with (
            client.in_background() as running,
            socket.create_connection(running.local_address, timeout=20) as app,
        ):
            app.sendall(b"x" * 10_000)
            app.shutdown(socket.SHUT_WR)
            received = b""
            while data := app.recv(65536):
                received += data
    assert received == b"x" * 10_000


def test_faults_and_counters(nymproxy_localnet: BackgroundLocalnet) -> None:
    plan = FaultPlan(seed=3, links=(LinkFaults(loss=0.5),))
    nymproxy_localnet.set_faults(plan)
    assert nymproxy_localnet.counters()["fault_plan"] == plan.to_dict()
    nymproxy_localnet.set_faults(FaultPlan())
    nymproxy_localnet.kill_gateway(0)
    nymproxy_localnet.start_gateway(0)
    assert nymproxy_localnet.directory_url.startswith("http://127.0.0.1:")
