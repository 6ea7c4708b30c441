"""Made-up parity reports for the tests of their renderings."""

from __future__ import annotations

import random

from nymproxy_migrate.parity.model import (
    GoodputSeries,
    MixDelays,
    PacketsSeries,
    ParityReport,
    Row,
    Side,
    Verdict,
)

_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def realistic(*, worse: bool = True) -> ParityReport:
    """Return a report as a run on the local mixnet makes one; every figure is invented."""
    rows = (
        Row("download.digest", "Bytes arrive unchanged", "Download of 4 MB", "", _DIGEST, _DIGEST,
            Verdict.SAME),
        Row("download.goodput", "Goodput", "Download of 4 MB", "kB/s", 412.71, 466.02,
            Verdict.BETTER, "25 %"),
        Row("download.first_byte_ms", "First byte", "Download of 4 MB", "ms", 182.4, 171.93,
            Verdict.BETTER, "25 %"),
        Row("half_close.server_sees_eof", "The server sees the client's EOF", "Half-close", "",
            True, not worse, Verdict.WORSE if worse else Verdict.SAME, "none",
            "The server waited 10 s for the end of the upload and never saw it." if worse else ""),
        Row("half_close.reply_digest", "The reply after it arrives", "Half-close", "", _DIGEST,
            None if worse else _DIGEST, Verdict.WORSE if worse else Verdict.SAME),
        Row("echo.rtt_p50_ms", "Round trip, median", "Echo of 64 bytes", "ms", 98.213, 97.4,
            Verdict.SAME, "25 %"),
        Row("echo.rtt_p95_ms", "Round trip, 95th percentile", "Echo of 64 bytes", "ms", 176.0,
            191.2, Verdict.SAME, "25 %", "Falls behind by 8.6 %, within the allowance."),
        Row("linkability.sender_tags", "Sender tags the server sees for 4 connections",
            "What the server can link", "", 4, 1, Verdict.WORSE if worse else Verdict.SAME, "none",
            "All connections of one client share an identity; --pool 4 gives each its own."),
        Row("memory.client_peak", "Memory of the client", "Memory", "MB", None, None,
            Verdict.SKIPPED, "50 %",
            "Both sides run in this process, so their memory cannot be told apart."),
    )  # fmt: skip
    return ParityReport(
        tool_version="0.1.0",
        started_at="2026-01-31T12:00:00Z",
        seconds=41.7,
        against="localnet",
        machine={
            "Python": "3.11.2 (CPython)",
            "processors": "2 x Intel(R) Xeon(R) Processor @ 2.60GHz",
            "load before": "0.42",
            "system": "Linux-6.1.0-18-amd64-x86_64-with-glibc2.36",
        },
        rows=rows,
        echo_round_trips_seconds=_echoes(),
        goodput=tuple(_transfer(name, side) for name in ("download", "upload") for side in Side),
        packets=(
            PacketsSeries("echo of 64 bytes", Side.LEGACY, 1830, 1830 * 2413, 25_600),
            PacketsSeries("echo of 64 bytes", Side.STREAM, 1644, 1644 * 2413, 25_600),
            PacketsSeries("download of 4 MB", Side.LEGACY, 5411, 5411 * 2413, 4_194_304),
            PacketsSeries("download of 4 MB", Side.STREAM, 4890, 4890 * 2413, 4_194_304),
            PacketsSeries("upload of 4 MB", Side.LEGACY, 5212, 5212 * 2413, 4_194_304),
            PacketsSeries("upload of 4 MB", Side.STREAM, 4790, 4790 * 2413, 4_194_304),
        ),
        mix_delays=MixDelays(hops_each_way=3, mean_seconds=0.015),
    )


def empty() -> ParityReport:
    """Return a report of a run that did nothing."""
    return ParityReport("0.1.0", "2026-01-31T12:00:00Z", 0.0, "servers", {}, ())


def _echoes() -> dict[Side, tuple[float, ...]]:
    dice = random.Random(7)
    return {
        side: tuple(base + sum(dice.expovariate(1 / 0.015) for _ in range(6)) for _ in range(count))
        for side, base, count in ((Side.LEGACY, 0.012, 200), (Side.STREAM, 0.009, 200))
    }


def _transfer(name: str, side: Side) -> GoodputSeries:
    dice = random.Random(f"{name} {side}")
    seconds, received = [], []
    now, total = 0.17, 0
    while total < 4_194_304:
        now += dice.expovariate(250 if side is Side.STREAM else 220)
        total += 1900
        seconds.append(now)
        received.append(min(total, 4_194_304))
    return GoodputSeries(name, side, tuple(seconds), tuple(received))
