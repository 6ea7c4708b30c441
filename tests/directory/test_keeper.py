from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy._limited_log import LimitedLog
from nymproxy._signal import Signal
from nymproxy.errors import DirectoryUnavailable, NymError, TopologyUnavailable
from nymproxy.mixnet.directory import KeyRotationInfo, Topology
from nymproxy.mixnet.directory.keeper import TopologyKeeper
from nymproxy.mixnet.directory.topology_state import TOLERATED_FAILURES, TopologyState
from tests.directory.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600.0
START = 1_000_000.0 * HOUR  # seconds since 1970
INFO = KeyRotationInfo(
    validity_epochs=10,
    initial_epoch_id=80,
    epoch_id=100,
    epoch_start_ns=int(START * 1e9),
    epoch_duration_ns=int(HOUR * 1e9),
)
TOPOLOGY = Network().topology()
OTHER = Network(epoch_id=101).topology()
ERROR = DirectoryUnavailable("no directory gave a usable answer")


def state(failures: int = 0, info: KeyRotationInfo | None = INFO) -> TopologyState:
    made = TopologyState()
    made.succeeded(TOPOLOGY, 0.0)
    made.key_rotation = info
    for _ in range(failures):
        made.failed(ERROR)
    return made


def delay(made: TopologyState, seconds: float, spread: float = 0.5) -> float:
    return made.next_delay_seconds(int((START + seconds) * 1e9), spread, 300.0)


def test_the_regular_interval() -> None:
    assert delay(state(), 60) == 300
    assert delay(state(info=None), HOUR - 10) == 300
    assert delay(state(failures=3), HOUR - 10) == 300


def test_the_end_of_an_epoch_is_met() -> None:
    assert delay(state(), HOUR - 60) == pytest.approx(65)
    assert delay(state(), HOUR - 60, spread=0.0) == pytest.approx(62.5)
    assert delay(state(), HOUR - 60, spread=1.0) == pytest.approx(67.5)


def test_a_directory_that_is_late_is_asked_again_ever_more_slowly() -> None:
    assert delay(state(), HOUR + 0.1) == 0.5
    assert delay(state(), HOUR + 5) == pytest.approx(5)
    assert delay(state(), HOUR + 40) == pytest.approx(40)
    assert delay(state(), HOUR + 1000) == 300


def test_when_a_whole_epoch_was_missed_retries_come_sooner() -> None:
    """A laptop wakes, and its network is not there yet, or what it asked when it fell asleep fails:
    the keys may be dead meanwhile."""
    assert delay(state(failures=1), 2 * HOUR - 1) == 300
    delays = [delay(state(failures=count), 2 * HOUR + 1) for count in range(1, 9)]
    assert delays == [0.5, 5, 10, 20, 40, 80, 160, 300]


def test_without_a_topology_retries_come_sooner() -> None:
    empty = TopologyState()
    delays = []
    for _ in range(9):
        empty.failed(ERROR)
        delays.append(delay(empty, 0))
    assert delays == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@given(
    st.integers(0, 12),
    st.floats(-1e9, 1e9),
    st.floats(0, 1),
    st.integers(1, 10**18),
    st.integers(0, 2**32),
)
def test_a_delay_is_always_between_its_bounds(
    failures: int, seconds: float, spread: float, epoch_ns: int, epoch_id: int
) -> None:
    info = KeyRotationInfo(1, 0, epoch_id, int(START * 1e9), epoch_ns)
    assert 0.5 <= delay(state(failures, info), seconds, spread) <= 300


def _rotation(epoch_id: int, start: float, epoch_seconds: float) -> KeyRotationInfo:
    return KeyRotationInfo(1, 0, epoch_id, int((START + start) * 1e9), int(epoch_seconds * 1e9))


HURRYING: dict[str, Callable[[float], KeyRotationInfo]] = {
    "an epoch takes a nanosecond": lambda now: _rotation(100, 0, 1e-9),
    "an epoch takes a second": lambda now: _rotation(100, 0, 1),
    "an epoch takes four seconds": lambda now: _rotation(100, 0, 4),
    "it always is about to end": lambda now: _rotation(100, now - 3_599.999, 3_600),
    "it always has just ended": lambda now: _rotation(101, now, 3_600),
    "many were missed": lambda now: _rotation(1_000, now, 3_600),
}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("kind", HURRYING)
def test_a_directory_cannot_have_itself_asked_all_the_time(kind: str, fails: bool) -> None:
    """It was asked twice a second, for ever."""
    made, now, asked = state(), 0.0, 0
    while now < 3_600:
        made.key_rotation = HURRYING[kind](now)
        if fails and asked % 2:  # each second time
            made.failed(ERROR)
        else:
            made.succeeded(TOPOLOGY, now)
        now += delay(made, now)
        asked += 1
    assert asked <= 3_600 / 5 + 5


def test_who_was_held_back_is_trusted_again() -> None:
    made = state()
    made.key_rotation = _rotation(100, 0, 1)
    assert [delay(made, 0) for _ in range(6)][3:] == [4, 5, 5]
    was_held_back = made.is_held_back
    made.key_rotation = INFO
    assert delay(made, 60) == 300
    assert (was_held_back, made.is_held_back) == (True, False)
    assert delay(made, HOUR + 0.1) == 0.5


async def test_times_that_ask_too_much_are_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nymproxy.mixnet.directory.topology_state._MIN_DELAY_SECONDS", 1e-4)
    monkeypatch.setattr("nymproxy.mixnet.directory.topology_state.OFTEN_SECONDS", 1e-3)
    source = Source(TOPOLOGY)
    source.info = _rotation(100, 0, 1e-9)
    log = LimitedLog(logging.getLogger("nymproxy.mixnet.directory"), interval_seconds=3600)
    monkeypatch.setattr("nymproxy.mixnet.directory.keeper._log", log)
    async with anyio.create_task_group() as group:
        for _ in range(2):  # as the identities of a process
            group.start_soon(keeper(source).run)
        with anyio.fail_after(30):
            await source.fetched(40)
        group.cancel_scope.cancel()
    assert [each for each in caplog.messages if "asked all the time" in each] == [
        "the times of epochs that the directory tells would have it asked all the time: it is "
        "asked every 5 s"
    ]


def test_failures_keep_the_last_good_topology_up_to_a_limit() -> None:
    made = state()
    for count in range(1, TOLERATED_FAILURES + 1):
        assert made.failed(ERROR) is False
        assert made.current is TOPOLOGY
        assert made.failures == count
    assert made.generation == 1
    assert made.failed(ERROR) is True
    assert made.current is None
    assert made.generation == 2
    assert made.failed(ERROR) is False
    assert made.generation == 2
    assert made.succeeded(TOPOLOGY, 50.0) is True
    assert (made.failures, made.last_error, made.generation) == (0, None, 3)
    assert made.age_seconds(60.0) == 10.0


def test_a_success_starts_the_count_again() -> None:
    made = state(failures=TOLERATED_FAILURES)
    assert made.succeeded(Network().topology(), 1.0) is False
    assert made.generation == 1
    for _ in range(TOLERATED_FAILURES):
        assert made.failed(ERROR) is False


class Source:
    """Answers from a script of results, the last one for ever."""

    def __init__(self, *script: Topology | NymError) -> None:
        self.script = list(script)
        self.fetches = 0
        self.info: KeyRotationInfo | NymError = INFO
        self.before: Callable[[], object] | None = None
        self.gate: anyio.Event | None = None
        self.rotation_gate: anyio.Event | None = None
        self._fetched = Signal()

    async def fetched(self, times: int) -> None:
        """Wait until it was asked so many times."""
        while self.fetches < times:
            await self._fetched.wait()

    async def fetch_topology(self) -> Topology:
        self.fetches += 1
        self._fetched.set()
        if self.gate is not None:
            await self.gate.wait()
        await anyio.lowlevel.checkpoint()
        result = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(result, NymError):
            raise result
        return result

    async def fetch_key_rotation(self) -> KeyRotationInfo:
        if self.rotation_gate is not None:
            await self.rotation_gate.wait()
        if isinstance(self.info, NymError):
            raise self.info
        return self.info


def keeper(source: Source, refresh_seconds: float = 300.0) -> TopologyKeeper:
    return TopologyKeeper(
        source, refresh_seconds=refresh_seconds, unix_time=lambda: START, random_bytes=bytes
    )


async def test_a_refresh() -> None:
    kept = keeper(Source(TOPOLOGY))
    assert (kept.current, kept.age_seconds) == (None, None)
    with pytest.raises(TopologyUnavailable, match="none was fetched"):
        kept.require()
    assert await kept.refresh() is TOPOLOGY
    assert kept.require() is kept.current is TOPOLOGY
    assert kept.key_rotation is INFO
    assert kept.age_seconds is not None
    assert 0 <= kept.age_seconds < 5


async def test_a_failed_refresh_raises_and_keeps_what_there_is() -> None:
    kept = keeper(Source(TOPOLOGY, ERROR))
    await kept.refresh()
    with pytest.raises(DirectoryUnavailable):
        await kept.refresh()
    assert kept.current is TOPOLOGY
    assert (kept.failures, kept.last_error) == (1, ERROR)


async def test_a_failed_first_refresh_is_the_reason_given() -> None:
    kept = keeper(Source(ERROR))
    with pytest.raises(DirectoryUnavailable):
        await kept.refresh()
    with pytest.raises(TopologyUnavailable, match="no directory gave"):
        kept.require()


async def test_key_rotation_times_are_not_needed() -> None:
    source = Source(TOPOLOGY)
    source.info = ERROR
    kept = keeper(source)
    assert await kept.refresh() is TOPOLOGY
    assert kept.key_rotation is None


async def test_key_rotation_times_are_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nymproxy.mixnet.directory.keeper._KEY_ROTATION_GRACE_SECONDS", 0.01)
    source = Source(TOPOLOGY)
    source.rotation_gate = anyio.Event()
    kept = keeper(source)
    with anyio.fail_after(30):
        assert await kept.refresh() is TOPOLOGY


async def test_run_refreshes_on_schedule_and_tells_of_changes() -> None:
    kept = keeper(Source(TOPOLOGY, Network().topology(), ERROR, OTHER), refresh_seconds=0.02)
    async with anyio.create_task_group() as group:
        group.start_soon(kept.run)
        with anyio.fail_after(30):
            assert await kept.wait_changed(0) == 1
            assert kept.current is TOPOLOGY
            assert await kept.wait_changed(1) == 2
            assert kept.current is OTHER
            assert await kept.wait_changed(0) == 2
        group.cancel_scope.cancel()


async def test_a_machine_that_slept_refreshes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the event loop may have stood still meanwhile; the time of day has not."""
    monkeypatch.setattr("nymproxy.mixnet.directory.keeper._LOOK_SECONDS", 0.01)
    source, unix = Source(TOPOLOGY, OTHER), [START]
    kept = TopologyKeeper(source, unix_time=lambda: unix[0], random_bytes=bytes)
    await kept.refresh()
    async with anyio.create_task_group() as group:
        group.start_soon(kept.run)
        await anyio.wait_all_tasks_blocked()
        assert source.fetches == 1
        unix[0] += 8 * HOUR
        with anyio.fail_after(30):
            await kept.wait_changed(1)
        group.cancel_scope.cancel()
    assert kept.current is OTHER


async def test_run_outlives_failures() -> None:
    source = Source(ERROR, ERROR, TOPOLOGY)
    kept = keeper(source, refresh_seconds=0.01)
    async with anyio.create_task_group() as group:
        group.start_soon(kept.run)
        with anyio.fail_after(30):
            await kept.wait_changed(0)
        group.cancel_scope.cancel()
    assert kept.current is TOPOLOGY
    assert source.fetches == 3


async def test_callers_join_the_fetch_that_is_under_way() -> None:
    source = Source(TOPOLOGY)
    source.gate = anyio.Event()
    kept = keeper(source)
    got: list[Topology] = []

    async def refresh() -> None:
        got.append(await kept.refresh())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(refresh)
        await anyio.wait_all_tasks_blocked()
        source.gate.set()
    assert got == [TOPOLOGY] * 3
    assert source.fetches == 1


async def test_joined_callers_see_the_failure() -> None:
    source = Source(ERROR)
    source.gate = anyio.Event()
    kept = keeper(source)
    failures: list[NymError] = []

    async def refresh() -> None:
        try:
            await kept.refresh()
        except NymError as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(refresh)
        await anyio.wait_all_tasks_blocked()
        source.gate.set()
    assert failures == [ERROR] * 3
    assert kept.failures == 1


async def test_when_the_first_caller_is_cancelled_the_next_one_fetches() -> None:
    source = Source(TOPOLOGY)
    source.gate = anyio.Event()
    kept = keeper(source)
    got: list[Topology] = []
    scope = anyio.CancelScope()

    async def first() -> None:
        with scope:
            await kept.refresh()

    async def second() -> None:
        got.append(await kept.refresh())

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        source.gate.set()
    assert got == [TOPOLOGY]
    assert source.fetches == 2
    assert kept.failures == 0
