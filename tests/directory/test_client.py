"""The client against a real server on loopback, on both event loops."""

from __future__ import annotations

import gzip
import subprocess
import sys
from urllib.parse import urlsplit

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import (
    ConfigurationError,
    DirectoryFormatError,
    DirectoryUnavailable,
    TopologyUnavailable,
)
from nymproxy.mixnet.directory import ApiUrl, NetworkDetails
from nymproxy.mixnet.directory.bodies import (
    ACTIVE_MIXNODES_PATH,
    ALL_NODES_PATH,
    ENTRY_GATEWAYS_PATH,
    KEY_ROTATION_PATH,
    REWARDED_SET_PATH,
)
from nymproxy.mixnet.directory.bounded_body import SLICE_BYTES, BoundedBody
from nymproxy.mixnet.directory.client import DirectoryClient
from tests.directory.network import (
    Directory,
    Handler,
    Network,
    answer,
    answers_for,
    encode,
    json_answer,
    node,
    serve,
)


def details(*directories: Directory) -> NetworkDetails:
    return NetworkDetails("test", tuple([ApiUrl(item.url) for item in directories]), "")


async def unused_url() -> str:
    """Return a URL where nobody listens."""
    async with serve(lambda target: None) as directory:
        return directory.url


async def check_fallback(bad: Handler, requests: int) -> None:
    """The client asks the bad directory a number of times, then the good one, and stays there."""
    async with serve(bad) as first, serve(answers_for(Network())) as second:
        client = DirectoryClient(details(first, second), timeout_seconds=5)
        info = await client.fetch_key_rotation()
        assert info.epoch_id == 100
        assert first.targets == [KEY_ROTATION_PATH] * requests
        assert second.targets == [KEY_ROTATION_PATH]
        await client.fetch_key_rotation()
        assert len(first.targets) == requests


async def check_refusal(bad: Handler, reason: str, **options: float) -> None:
    async with serve(bad) as directory:
        client = DirectoryClient(details(directory), **options)  # type: ignore[arg-type]
        with pytest.raises(DirectoryUnavailable, match=reason) as caught:
            await client.fetch_key_rotation()
        assert urlsplit(directory.url).netloc in str(caught.value)
        assert "check the network connection" in str(caught.value)


async def test_the_topology_takes_three_requests() -> None:
    async with serve(answers_for(Network())) as directory:
        topology = await DirectoryClient(details(directory)).fetch_topology()
        assert topology == Network().topology()
        assert sorted(directory.targets) == sorted(
            [REWARDED_SET_PATH, f"{ACTIVE_MIXNODES_PATH}?page=0", f"{ENTRY_GATEWAYS_PATH}?page=0"]
        )
        head = directory.heads[0].lower()
        assert "accept: application/json\r\n" in head
        assert "gzip" in head


async def test_the_extended_topology_asks_for_all_nodes() -> None:
    network = Network()
    network.mixnodes.append(node(9))
    async with serve(answers_for(network)) as directory:
        client = DirectoryClient(details(directory), use_extended_topology=True)
        topology = await client.fetch_topology()
        assert 9 in topology.nodes
        assert sorted(directory.paths()) == sorted([REWARDED_SET_PATH, ALL_NODES_PATH])


async def test_the_user_of_a_url_is_sent() -> None:
    async with serve(answers_for(Network())) as directory:
        url = directory.url.replace("//", "//us%40er:word@")
        client = DirectoryClient(NetworkDetails.from_directory_url(url))
        await client.fetch_key_rotation()
        assert "Authorization: Basic dXNAZXI6d29yZA==" in directory.heads[0]


async def test_gateways_for_a_new_client() -> None:
    network = Network()
    network.gateways += [
        node(6, gateway=True, performance="0.49"),
        node(7),
        node(8, gateway=True, performance="0.5"),
    ]
    async with serve(answers_for(network)) as directory:
        gateways = await DirectoryClient(details(directory)).fetch_gateways()
        assert [item.node_id for item in gateways] == [4, 5, 8]
        assert directory.targets == [f"{ENTRY_GATEWAYS_PATH}?page=0"]


async def test_a_base_url_without_its_last_slash() -> None:
    async with serve(answers_for(Network())) as directory:
        url = directory.url.removesuffix("/") + "?ignored=1"
        client = DirectoryClient(NetworkDetails.from_directory_url(url))
        await client.fetch_key_rotation()
        assert directory.targets == [KEY_ROTATION_PATH]


async def test_compressed_answers() -> None:
    def compress(target: str) -> bytes:
        body = encode(Network().body(urlsplit(target).path))
        return answer(gzip.compress(body), headers="Content-Encoding: gzip\r\n")

    async with serve(compress) as directory:
        topology = await DirectoryClient(details(directory)).fetch_topology()
        assert topology == Network().topology()


async def test_chunked_answers_without_a_content_type() -> None:
    body = encode(Network().key_rotation())
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:]))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serve(lambda target: head + chunked + b"0\r\n\r\n") as directory:
        info = await DirectoryClient(details(directory)).fetch_key_rotation()
        assert info.epoch_id == 100


async def test_fallback_when_nobody_listens() -> None:
    url = await unused_url()
    async with serve(answers_for(Network())) as good:
        client = DirectoryClient(
            NetworkDetails("test", (ApiUrl(url), ApiUrl(good.url)), ""), timeout_seconds=5
        )
        assert (await client.fetch_topology()).is_routable


async def test_fallback_after_an_error_status() -> None:
    await check_fallback(lambda target: answer(b"broken", status="500 Internal Server Error"), 1)


async def test_fallback_after_a_lost_connection() -> None:
    await check_fallback(lambda target: None, 2)


async def test_fallback_after_an_incomplete_answer() -> None:
    await check_fallback(lambda target: json_answer({})[:-1], 2)


async def test_fallback_after_nonsense() -> None:
    await check_fallback(lambda target: b"nonsense\r\n\r\n", 2)
    await check_fallback(lambda target: answer(b"<html>"), 1)


async def test_fallback_after_a_timeout() -> None:
    async with serve(lambda target: json_answer({})) as silent:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener:  # accepts in the kernel, never answers
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            urls = (ApiUrl(f"http://127.0.0.1:{port}/"), ApiUrl(silent.url))
            client = DirectoryClient(NetworkDetails("test", urls, ""), timeout_seconds=1)
            with pytest.raises(DirectoryUnavailable, match="within 1 seconds"):
                await client.fetch_key_rotation()
            assert silent.targets == [KEY_ROTATION_PATH]


async def test_each_fetch_takes_all_its_parts_from_one_directory() -> None:
    broken, good = Network(epoch_id=100), Network(epoch_id=200)

    def partly(target: str) -> bytes:
        path = urlsplit(target).path
        return answer(b"[]") if path == ENTRY_GATEWAYS_PATH else json_answer(broken.body(path))

    async with serve(partly) as first, serve(answers_for(good)) as second:
        topology = await DirectoryClient(details(first, second)).fetch_topology()
        assert topology == good.topology()
        assert len(second.targets) == 3


async def test_statuses_are_named() -> None:
    await check_refusal(lambda target: answer(b"", status="404 Not Found"), "HTTP 404")
    moved = answer(b"", status="302 Found", headers="Location: http://127.0.0.1/\r\n")
    await check_refusal(lambda target: moved, "HTTP 302")


async def test_unusable_bodies_are_refused() -> None:
    await check_refusal(lambda target: answer(b""), "empty")
    await check_refusal(lambda target: answer(b"{}"), "is missing")
    await check_refusal(lambda target: answer(b"[]"), "no JSON object")
    bincode = answer(b"\0", headers="Content-Type: application/bincode\r\n")
    await check_refusal(lambda target: bincode, "bincode")
    damaged = answer(b"no gzip", headers="Content-Encoding: gzip\r\n")
    await check_refusal(lambda target: damaged, "compression is damaged")
    cut_off = answer(gzip.compress(b"[] ")[:-1], headers="Content-Encoding: gzip\r\n")
    await check_refusal(lambda target: cut_off, "compression is cut off")
    unasked = answer(b"[]", headers="Content-Encoding: br\r\n")
    await check_refusal(lambda target: unasked, "not asked for")


async def test_oversized_bodies_are_refused() -> None:
    large = b"[" + b" " * 3000 + b"]"
    await check_refusal(lambda target: answer(large), "more than 2000", max_body_bytes=2000)
    bomb = answer(gzip.compress(large), headers="Content-Encoding: gzip\r\n")
    assert len(bomb) < 500
    await check_refusal(lambda target: bomb, "more than 2000", max_body_bytes=2000)


async def test_a_long_body_is_not_read_to_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    endless = head + b" " * 1_000_000
    await check_refusal(lambda target: endless, "more than 2000", max_body_bytes=2000)


def feed(body: BoundedBody, chunk: bytes) -> DirectoryFormatError | None:
    """Give it all of a chunk."""
    problem = body.feed(chunk)
    while problem is None and body.is_behind:
        problem = body.feed(b"")
    return problem


def test_no_step_decompresses_much() -> None:
    """Neither of one member, nor of many that are empty."""
    body = BoundedBody("gzip", 10 * SLICE_BYTES)
    for member in (gzip.compress(bytes(3 * SLICE_BYTES)), gzip.compress(b"") * 200):
        steps = 1
        assert body.feed(member) is None
        while body.is_behind:
            assert body.feed(b"") is None
            steps += 1
        assert 3 <= steps <= 5
    assert body.finish() == bytes(3 * SLICE_BYTES)


@given(st.binary(max_size=300), st.integers(1, 40), st.integers(0, 200), st.booleans())
def test_bodies_are_collected_up_to_the_limit(
    body: bytes, step: int, limit: int, members: bool
) -> None:
    parts = [body[:100], body[100:]] if members else [body]
    packed = b"".join([gzip.compress(part) for part in parts])
    for encoding, wire in (("", body), ("gzip", packed)):
        collected = BoundedBody(encoding, limit)
        pieces = (wire[start : start + step] for start in range(0, len(wire), step))
        problems = [feed(collected, piece) for piece in pieces]
        if len(body) > limit:
            assert any(problems)
        elif body:
            assert not any(problems)
            assert collected.finish() == body


@given(st.lists(st.binary(max_size=30), max_size=5), st.sampled_from(["", "gzip", "br"]))
def test_arbitrary_bodies_never_crash(chunks: list[bytes], encoding: str) -> None:
    collected = BoundedBody(encoding, 50)
    problem = next((found for chunk in chunks if (found := feed(collected, chunk))), None)
    if problem is None:
        try:
            assert collected.finish()
        except DirectoryFormatError:
            return


async def test_large_bodies_within_the_limit_are_read() -> None:
    network = Network()
    network.gateways += [None] * 9_000  # type: ignore[list-item]
    async with serve(answers_for(network)) as directory:
        topology = await DirectoryClient(details(directory)).fetch_topology()
        assert topology.skipped_count == 9_000
        assert topology == Network().topology()


def changing(first: Network, then: Network) -> Handler:
    """Change the network after one list was read: the first fetch sees both states."""
    served: list[str] = []

    def handler(target: str) -> bytes:
        path = urlsplit(target).path
        served.append(path)
        return json_answer((first if served.count(path) == 1 else then).body(path))

    return handler


async def test_a_change_while_reading_is_read_once_more() -> None:
    old, new = Network(epoch_id=100), Network(epoch_id=101, rotation_id=3)
    mixed = changing(old, new)

    def handler(target: str) -> bytes | None:
        if urlsplit(target).path == REWARDED_SET_PATH:
            return json_answer(new.rewarded_set())
        return mixed(target)

    async with serve(handler) as directory:
        topology = await DirectoryClient(details(directory)).fetch_topology()
        assert topology == new.topology()
        assert len(directory.targets) == 6


async def test_a_directory_that_never_agrees_with_itself() -> None:
    def handler(target: str) -> bytes:
        path = urlsplit(target).path
        return json_answer(Network(epoch_id=99 if path == REWARDED_SET_PATH else 100).body(path))

    async with serve(handler) as directory:
        client = DirectoryClient(details(directory))
        with pytest.raises(DirectoryUnavailable, match="different moments"):
            await client.fetch_topology()
        assert len(directory.targets) == 6


async def test_a_network_without_routes() -> None:
    async with serve(answers_for(Network(mixnodes=[node(1), node(2)]))) as directory:
        with pytest.raises(TopologyUnavailable, match="try again later"):
            await DirectoryClient(details(directory)).fetch_topology()


async def test_pages_are_collected() -> None:
    network = Network()
    parts = [network.gateways[:1], network.gateways[1:]]

    def handler(target: str) -> bytes:
        parts_of_url = urlsplit(target)
        if parts_of_url.path != ENTRY_GATEWAYS_PATH:
            return json_answer(network.body(parts_of_url.path))
        number = int(parts_of_url.query.removeprefix("page="))
        return json_answer(network.page(parts[number], total=2))

    async with serve(handler) as directory:
        topology = await DirectoryClient(details(directory)).fetch_topology()
        assert topology == network.topology()


async def test_a_directory_that_announces_more_than_it_has() -> None:
    network = Network()

    def handler(target: str) -> bytes:
        nodes = network.gateways if target.endswith("page=0") else []
        return json_answer(network.page(nodes, total=1000))

    async with serve(handler) as directory:
        with pytest.raises(DirectoryUnavailable, match="fewer nodes than announced"):
            await DirectoryClient(details(directory)).fetch_gateways()
        assert len(directory.targets) == 2


async def test_all_failures_are_told() -> None:
    url = await unused_url()
    async with serve(lambda target: answer(b"", status="503 Busy")) as busy:
        urls = (ApiUrl(url), ApiUrl(busy.url.replace("http://", "http://user:secret@")))
        client = DirectoryClient(NetworkDetails("test", urls, ""))
        with pytest.raises(DirectoryUnavailable) as caught:
            await client.fetch_topology()
        message = str(caught.value)
        assert urlsplit(url).netloc in message
        assert "HTTP 503" in message
        assert "secret" not in message


async def test_a_cancelled_fetch_ends_at_once() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        client = DirectoryClient(NetworkDetails.from_directory_url(f"http://127.0.0.1:{port}"))
        with anyio.move_on_after(0.05) as scope:
            await client.fetch_topology()
        assert scope.cancelled_caught


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "ftp://h/", "http://", "http://h:99999/", "http://[/", "http://ü/"]
)
def test_unusable_directory_urls(url: str) -> None:
    with pytest.raises(ConfigurationError):
        DirectoryClient(NetworkDetails.from_directory_url(url))


def test_importing_the_client_does_not_import_http() -> None:
    code = (
        "import sys, nymproxy.mixnet.directory.client\n"
        "print(bool({'httpx', 'httpcore'} & sys.modules.keys()))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "False"
