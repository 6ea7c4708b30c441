"""Shows as OpenTelemetry spans what a client does: tracing_with_opentelemetry.py ENV ADDRESS."""

import sys

import anyio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from nymproxy import MixnetClient, StreamClient, Trace, TraceEvent


def spans_of(tracer: Tracer) -> Trace:
    """Return a hook that makes a span of each operation, inside of the caller's present one."""
    running: dict[int, Span] = {}

    def show(event: TraceEvent) -> None:
        if event.phase == "started":
            running[event.number] = tracer.start_span(f"nymproxy.{event.operation}")
        span = running[event.number]
        span.set_attributes({f"nymproxy.{name}": value for name, value in event.facts.items()})
        if event.error is not None:
            span.set_status(Status(StatusCode.ERROR, type(event.error).__name__))
        if event.phase != "started":
            running.pop(event.number).end()

    return show


async def ask(client: StreamClient, address: str) -> bytes:
    async with await client.open_stream(address) as stream:
        await stream.send(b"hello through the mixnet")
        await stream.send_eof()
        return b"".join([data async for data in stream])


async def main(env: str, address: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))  # or to a collector
    hook = spans_of(provider.get_tracer("my program"))
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    async with await MixnetClient.connect(env, profile="bare", trace=hook) as client:
        print(await ask(client, address))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
