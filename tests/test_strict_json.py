"""The JSON reader: what serde_json refuses, and what is refused before it is parsed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy._strict_json import (
    I64,
    MAX_CONTAINERS,
    MAX_DEPTH,
    MAX_RUN,
    U8,
    U64,
    Fields,
    JsonReader,
    write_object,
)
from nymproxy.errors import DirectoryFormatError

if TYPE_CHECKING:
    from collections.abc import Callable

READER = JsonReader(DirectoryFormatError, max_values=1000)


def read(**fields: object) -> Fields:
    return READER.read_object(json.dumps(fields))


def test_values_are_read_by_type() -> None:
    fields = read(n=5, t=True, s="text", o=[0, 255], b="AAE=", x={"y": None}, l=[1, "a"])
    assert fields.integer("n", U8) == 5
    assert fields.integer("absent", U8, 7) == 7
    assert fields.boolean("t")
    assert fields.boolean("absent", False) is False
    assert fields.text("s") == "text"
    assert fields.octets("o", 2) == b"\x00\xff"
    assert fields.integers("o", U64) == (0, 255)
    assert fields.base64("b") == b"\x00\x01"
    assert not fields.nested("x").has("y")
    assert "y" in fields.nested("x")
    assert fields.nested("x").only() == ("y", None)
    assert fields.array("l") == [1, "a"]
    assert fields.any("x") == read(y=None)
    assert fields.any("x") != read(y=0)


@pytest.mark.parametrize(
    "use",
    [
        lambda fields: fields.integer("absent", U8),
        lambda fields: fields.integer("large", U8),
        lambda fields: fields.integer("true", U8),
        lambda fields: fields.integer("float", I64),
        lambda fields: fields.integer("null", U8, 0),
        lambda fields: fields.boolean("one"),
        lambda fields: fields.text("one"),
        lambda fields: fields.text("surrogate"),
        lambda fields: fields.octets("large"),
        lambda fields: fields.octets("octets", 1),
        lambda fields: fields.octets("wide"),
        lambda fields: fields.base64("not canonical"),
        lambda fields: fields.nested("octets"),
        lambda fields: fields.array("one"),
        lambda fields: fields.only(),
    ],
)
def test_everything_else_is_the_error_of_the_reader(use: Callable[[Fields], object]) -> None:
    fields = READER.read_object(
        '{"large":256,"true":true,"float":1.0,"null":null,"one":1,"surrogate":"\\ud800",'
        '"octets":[1,2],"wide":[256],"not canonical":"AAF="}'
    )
    with pytest.raises(DirectoryFormatError):
        use(fields)


def test_what_is_given_twice_is_not_read() -> None:
    fields = READER.read_object('{"a":1,"a":1,"b":2}')
    assert fields.integer("b", U8) == 2
    with pytest.raises(DirectoryFormatError, match="twice"):
        fields.integer("a", U8)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "1", '{"a":NaN}', '{"a":' + "9" * 5000 + "}", b"\xff", "{}{}", "{"]
)
def test_what_is_no_object(text: str | bytes) -> None:
    with pytest.raises(DirectoryFormatError):
        READER.read_object(text)


def test_minus_zero_is_no_integer() -> None:
    with pytest.raises(DirectoryFormatError):
        READER.read_object('{"a":-0}').integer("a", I64)


def nested(levels: int) -> str:
    return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_depth_has_a_limit() -> None:
    READER.read_object(nested(MAX_DEPTH))
    READER.read_object('{"a":"' + "[" * 500 + '"}')
    with pytest.raises(DirectoryFormatError, match="levels"):
        READER.read_object(nested(MAX_DEPTH + 1))
    with pytest.raises(DirectoryFormatError, match="levels"):
        READER.read_object('{"\\"":"\\\\","a":' + nested(MAX_DEPTH) + "}")


def test_the_number_of_values_has_a_limit() -> None:
    READER.read_object(json.dumps({"a": [0] * 998}))
    for filler in ("0", "{}", '""'):
        with pytest.raises(DirectoryFormatError, match="values"):
            READER.read_object('{"a":[' + ",".join([filler] * 1000) + "]}")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("9" * 3000, "number"),
        ("-1." + "9" * 3000, "number"),
        ("[" + ",".join(["[]"] * MAX_CONTAINERS) + "]", "objects and arrays"),
        ("[" + ",".join(["{}", *['"strings"'] * (MAX_RUN + 1)]) + "]", "in a row"),
        ('[{},"' + "x" * 2_000_000 + '"]', "string"),
        ('[{},"' + "x" * 70_000, "string"),
        ("[" + "0," * 600_000 + "0]", "structure"),
    ],
)
def test_what_takes_long_in_one_go_is_refused_before_it_is_parsed(value: str, what: str) -> None:
    reader = JsonReader(DirectoryFormatError, max_values=1_000_000)
    with pytest.raises(DirectoryFormatError, match=what):
        reader.read_object('{"a":' + value + "}")


def test_what_is_just_as_long_as_it_may_be_is_read() -> None:
    reader = JsonReader(DirectoryFormatError, max_values=1_000_000)
    row = ['"s"'] * (MAX_RUN - 10)
    values = ["9" * 1000, "0." + "9" * 1000, "{}", *row, "{}", *row, '"' + "x" * 1_000_000 + '"']
    assert len(reader.read_object('{"a":[' + ",".join(values) + "]}").array("a")) == len(values)


@pytest.mark.parametrize("text", ['"' * 300_000, '"\\' * 300_000, '\\"' * 300_000, "]" * 300_000])
def test_sizing_up_takes_a_time_that_grows_with_the_length_only(text: str) -> None:
    """A text of quotation marks must not make the search start over at each of them."""
    started = time.process_time()
    with pytest.raises(DirectoryFormatError):
        READER.read_object("[" * 100 + text)
    assert time.process_time() - started < 2.0


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


def plain(value: object) -> object:
    if isinstance(value, Fields):
        return {name: plain(value.any(name)) for name in value._pairs}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


@given(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=5))
def test_what_was_written_is_read_again(fields: dict[str, object]) -> None:
    text = write_object(fields)
    assert plain(READER.read_object(text)) == plain(READER.read_object(text.encode())) == fields


def test_many_objects_and_a_long_text_are_read() -> None:
    """Now and then, others have their turn meanwhile."""
    text = '{"a":[' + ",".join(["{}"] * 300) + f'],"b":"{"x" * 200_000}"}}'
    assert len(READER.read_object(text).array("a")) == 300
