from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import DirectoryFormatError
from nymproxy.mixnet.directory.bodies import (
    MAX_NODES,
    parse_key_rotation,
    parse_nodes_page,
    parse_rewarded_set,
)
from nymproxy.mixnet.directory.times import refreshed_at_ns, rfc3339_ns
from tests.directory.network import Network, encode, node

PARSERS = [parse_key_rotation, parse_nodes_page, parse_rewarded_set]
BODIES = [
    Network().key_rotation(),
    Network().page([node(1), node(4, gateway=True)]),
    Network().rewarded_set(),
]


def test_malformed_nodes_are_left_out_and_counted() -> None:
    entries: list[Any] = [node(1), node(2, mix_port="x"), None, 5, node(3)]
    page = parse_nodes_page(encode(Network().page(entries)))
    assert [item.node_id for item in page.nodes] == [1, 3]
    assert page.malformed_count == 3
    assert page.entry_count == page.total == 5


def test_lists_longer_than_any_network_are_refused() -> None:
    for entries, total in (([node(1)], MAX_NODES + 1), ([None] * (MAX_NODES + 1), 1)):
        with pytest.raises(DirectoryFormatError, match="more than 10000 nodes"):
            parse_nodes_page(encode(Network().page(entries, total)))  # type: ignore[arg-type]


def test_rewarded_sets_larger_than_any_network_are_refused() -> None:
    """One id a hundred thousand times in each layer held everybody up for 0.2 s."""
    third = MAX_NODES // 3
    body = {**Network().rewarded_set(), "layer1": [1] * third, "layer2": [2] * third}
    assert len(parse_rewarded_set(encode(body)).layers[0]) == third
    body["standby"] = [3] * (third + 1)
    with pytest.raises(DirectoryFormatError, match="more than"):
        parse_rewarded_set(encode(body))


def test_unreadable_refresh_times_count_as_1970() -> None:
    body = Network().page([node(1)])
    body["metadata"]["refreshed_at"] = "yesterday"
    assert parse_nodes_page(encode(body)).metadata.refreshed_at_ns == 0


def test_epoch_id_of_the_rewarded_set_has_a_default() -> None:
    body = Network().rewarded_set()
    del body["epoch_id"]
    assert parse_rewarded_set(encode(body)).epoch_id == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("key_rotation_state", "validity_epochs"), 0),
        (("epoch_duration", "secs"), 0),
        (("epoch_duration", "secs"), -1),
        (("current_epoch_start",), "2026-01-02 03:00:00"),
        (("current_epoch_start",), None),
        (("current_absolute_epoch_id",), 2**32),
    ],
)
def test_malformed_key_rotation(path: tuple[str, ...], value: Any) -> None:
    body = Network().key_rotation()
    target = body
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(DirectoryFormatError):
        parse_key_rotation(encode(body))


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"null", b"[]", b"1", b"[" * 100_000])
def test_what_is_no_body_at_all(body: bytes) -> None:
    for parse in PARSERS:
        with pytest.raises(DirectoryFormatError):
            parse(body)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.just("2026-01-02T03:00:00Z"),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(PARSERS), json_values | st.binary(max_size=40))
def test_arbitrary_bodies(parse: Any, value: Any) -> None:
    body = value if isinstance(value, bytes) else encode(value)
    with pytest.raises(DirectoryFormatError):
        parse(body)


@given(st.sampled_from(range(3)), st.data())
def test_one_field_replaced_gives_a_result_or_the_documented_error(
    index: int, data: st.DataObject
) -> None:
    parse, body = PARSERS[index], BODIES[index]
    mutated = encode(_mutated(body, data))
    try:
        result = parse(mutated)
    except DirectoryFormatError:
        return
    assert result == parse(mutated)


def _mutated(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: _mutated(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        position = data.draw(st.integers(0, len(value) - 1))
        return [*value[:position], _mutated(value[position], data), *value[position + 1 :]]
    return data.draw(json_values)


SECOND = 10**9
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02t00:00:01z", DAY + SECOND),
        ("1970-01-01T01:00:00.5+01:00", SECOND // 2),
        ("1969-12-31T23:00:00-01:00", 0),
        ("1970-01-01T00:00:00.1234567899Z", 123456789),
    ],
)
def test_rfc3339(text: str, expected: int) -> None:
    assert rfc3339_ns(text) == refreshed_at_ns(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02 00:00:00.0 +00:00:00", DAY),
        ("1970-01-01 00:00:00.123456789 +00", 123456789),
        ("1970-01-01 01:30:00.5 +01:30", SECOND // 2),
        ("1970-01-01 00:00:00.5 -00:00:01", SECOND + SECOND // 2),
        ("1970-01-02 00:00:00 +00:00:00", 0),  # without a fraction it is neither form
        ("1970-13-01 00:00:00.0 +00:00:00", 0),
        ("1970-01-02 00:00:00.0", 0),
        ("", 0),
    ],
)
def test_the_human_readable_form(text: str, expected: int) -> None:
    assert refreshed_at_ns(text) == expected
    with pytest.raises(DirectoryFormatError):
        rfc3339_ns(text)


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{1,9}.{1,9}"))
def test_any_text_is_some_time(text: str) -> None:
    assert isinstance(refreshed_at_ns(text), int)
