"""A localnet as a process of its own: one ready line, and an end in order."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from nymproxy.localnet import LocalnetConfig
from nymproxy.localnet.faults import FaultPlan, PushAction, PushFault
from nymproxy.localnet.process import run_localnet
from nymproxy.testing.orphans import ends_with_us

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import json, sys
from pathlib import Path
from nymproxy.localnet import LocalnetConfig, serve_localnet
config = LocalnetConfig(seed=1, processes=int(sys.argv[2]), state_dir=Path(sys.argv[3]))
serve_localnet(
    config,
    ready=lambda description: print(json.dumps(description), flush=True),
    backend=sys.argv[1],
)
"""


@contextmanager
def _process(
    tmp_path: Path, backend: str = "asyncio", processes: int = 1
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start a localnet, and wait for its ready line; whatever happens, it ends."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, backend, str(processes), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        with process, ends_with_us(process.pid):
            yield process, json.loads(process.stdout.readline())
            process.kill()
    finally:
        process.kill()


def _children(process: subprocess.Popen[str]) -> list[int]:
    pid = process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _has_ended(pid: int) -> bool:
    """Whether a process is gone, or dead and waiting for its new parent to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, backend: str, number: signal.Signals) -> None:
    with _process(tmp_path, backend) as (process, ready):
        assert set(ready) >= {"directory_url", "env_file", "gateways", "counters_url", "fault_plan"}
        assert [set(gateway) for gateway in ready["gateways"]] == [{"name", "identity", "url"}] * 2
        assert ready["directory_url"] in Path(ready["env_file"]).read_text()
        counters = httpx.get(ready["counters_url"], trust_env=False).json()
        assert set(counters["nodes"]) == {*ready["mix_nodes"], "gateway-0", "gateway-1"}
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert (output, errors) == ("", "")


def test_further_signals_leave_the_status_of_an_orderly_end(tmp_path: Path) -> None:
    """Once the second one had its default effect: killed by SIGTERM, a traceback at SIGINT."""
    with _process(tmp_path) as (process, _):
        for number in [signal.SIGHUP, *[signal.SIGTERM, signal.SIGINT] * 3]:
            process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    # What a second signal ends at once says so; where the first one was quicker there is no word.
    assert output == ""
    assert "Traceback" not in errors


def test_a_signal_ends_a_network_that_is_not_up_yet(tmp_path: Path) -> None:
    slow = PROGRAM.replace("print(json", "None and print(json") + "raise SystemExit(7)"
    begun = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    hook = f"""
from nymproxy.localnet import network
lay_out = network.lay_out
def told(*arguments):
    {begun}
    return lay_out(*arguments)
network.lay_out = told
"""
    process = subprocess.run(
        [sys.executable, "-c", hook + slow, "asyncio", "1", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout) == (7, ""), process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    with _process(tmp_path, processes=3) as (process, _):
        workers = _children(process)
        assert len(workers) == 2
        os.kill(process.pid, number)
        process.wait(timeout=60)
        deadline = time.monotonic() + 60
        while not all(_has_ended(pid) for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_sighup_reads_the_fault_plan_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nymproxy.localnet")
    plans = [FaultPlan(seed=7, pushes=(PushFault(action=PushAction.SWALLOW),)), None]
    read = anyio.Event(), anyio.Event()
    ready = anyio.Event()

    def new_faults() -> FaultPlan:
        read[2 - len(plans)].set()
        plan = plans.pop(0)
        if plan is None:
            raise FileNotFoundError("no such file")
        return plan

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            run = partial(run_localnet, ready=lambda _: ready.set(), new_faults=new_faults)
            tasks.start_soon(run, LocalnetConfig(seed=1))
            await ready.wait()
            for event in read:
                os.kill(os.getpid(), signal.SIGHUP)
                await event.wait()
            os.kill(os.getpid(), signal.SIGTERM)
    assert any(text.startswith("fault plan with seed 7") for text in caplog.messages)
    assert "the fault plan stays as it was: no such file" in caplog.messages
