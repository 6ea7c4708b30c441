"""Parts of parity on their own: linkability, memory, and what the command makes of a report."""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import anyio
import pytest

from nymproxy import Received, SenderTag
from nymproxy.testing.counters import NetworkTotals
from nymproxy.testing.upstream import serve_upstream
from nymproxy_migrate.cli import main
from nymproxy_migrate.cli import parity as command
from nymproxy_migrate.parity import linkability
from nymproxy_migrate.parity.measure import Linkability
from nymproxy_migrate.parity.model import Row, Verdict
from nymproxy_migrate.parity.sides import peak_memory_bytes
from tests.legacy.addresses import some_address
from tests.migrate.parity_faults import target
from tests.migrate.parity_reports import empty

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Self

    from nymproxy import NymAddress
    from nymproxy.testing.workloads import Target


@dataclass
class Post:
    """Receives messages with these tags, and then no more."""

    tags: list[int | None]
    address: NymAddress

    def receive(self) -> AsyncIterator[Received]:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        if not self.tags:
            await anyio.sleep_forever()
        number = self.tags.pop(0)
        return Received(b"hello", None if number is None else SenderTag(bytes([number]) * 16))


@asynccontextmanager
async def some_client(_address: str) -> AsyncIterator[Target]:
    async with serve_upstream() as upstream:
        yield target(upstream.http)


@pytest.mark.parametrize(
    ("tags", "told_apart"), [([1, 2, 3], 3), ([1, 1, None, 1], 1), ([1, 2, 1, 2], 2), ([], 0)]
)
async def test_a_post_counts_senders(
    tags: list[int | None], told_apart: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkability, "ARRIVAL_SECONDS", 0.1)
    registered = iter([4, 9])

    async def network() -> NetworkTotals:
        return NetworkTotals(registrations=next(registered))

    post = Post(list(tags), some_address())
    found = await linkability.watch(post, some_client, network)
    assert found == Linkability(3, told_apart, 5)


def test_peak_memory_is_that_of_a_process_that_runs() -> None:
    peak = peak_memory_bytes(os.getpid())
    assert peak is None or peak > 1 << 20
    assert peak_memory_bytes(1 << 30) is None


WORSE = Row("download.order", "In order", "download", "", True, False, Verdict.WORSE)


@pytest.mark.parametrize("form", ["text", "json", "junit", "html"])
def test_a_worse_row_is_named_and_fails_the_command(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = replace(empty(), rows=(WORSE,))

    async def run(_asked: object) -> object:
        return report

    monkeypatch.setattr(command, "run", run)
    output = tmp_path / "report"
    assert main(["parity", "--format", form, "--output", str(output)]) == 1
    text = output.read_text()
    assert (WORSE.title if form == "text" else WORSE.name) in text  # people, programs
    assert capsys.readouterr().out == ""
    if form == "json":
        assert json.loads(text)["worse"] == ["download.order"]
    if form == "junit":
        assert ElementTree.fromstring(text)[0].get("failures") == "1"


def test_an_output_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", "--output", str(tmp_path / "no/file")]) == 2
    assert "its folder does not exist" in capsys.readouterr().err
