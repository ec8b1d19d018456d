"""Members that go, come or get another name, in an object's bytes."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.wire.members import Change, changed, edited

RAW = (
    b'{ "model" : "m",\n  "temperature":0.5 ,"messages":[{"role":"user","content":"a \\", {"},\n'
    b'{"name" : "n", "role":"developer"}], "stop":["}","]"] ,"max_tokens": 5 }\n'
)
DOC = orjson.loads(RAW)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change("drop", ("model",)), RAW.replace(b'"model" : "m",\n  ', b"")),
        (Change("drop", ("temperature",)), RAW.replace(b'"temperature":0.5 ,', b"")),
        (Change("drop", ("max_tokens",)), RAW.replace(b',"max_tokens": 5', b"")),
        (Change("drop", ("stop",)), RAW.replace(b'"stop":["}","]"] ,', b"")),
        (Change("drop", ("messages", 1, "name")), RAW.replace(b'"name" : "n", ', b"")),
        (Change("drop", ("messages", 1, "role")), RAW.replace(b', "role":"developer"', b"")),
        (
            Change("rename", ("max_tokens",), "max_completion_tokens"),
            RAW.replace(b"max_tokens", b"max_completion_tokens"),
        ),
        (
            Change("set", ("messages", 1, "role"), "system"),
            RAW.replace(b'"developer"', b'"system"'),
        ),
        (Change("add", ("n",), 2), RAW.replace(b"{", b'{"n":2,', 1)),
    ],
)
def test_nothing_but_the_member_changes(change: Change, expected: bytes) -> None:
    assert edited(RAW, [change]) == expected
    before = copy.deepcopy(DOC)
    assert changed(DOC, [change]) == orjson.loads(expected)
    assert before == DOC, "the given document stays"


def test_a_key_that_is_spelled_with_escapes_is_found() -> None:
    raw = b'{"\\u0074op_k":1,"a":2}'
    assert edited(raw, [Change("drop", ("top_k",))]) == b'{"a":2}'
    assert edited(raw, [Change("rename", ("top_k",), "k")]) == b'{"k":1,"a":2}'


def test_the_only_member_may_go() -> None:
    assert edited(b'{ "a" : [1,{"b":2}] }', [Change("drop", ("a",))]) == b"{ }"


@pytest.mark.parametrize("path", [("nothing",), ("messages", 7, "role"), ("messages", 0, "x")])
def test_what_is_not_there_is_an_error(path: tuple[str | int, ...]) -> None:
    with pytest.raises((KeyError, IndexError)):
        edited(RAW, [Change("drop", path)])


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(doc=st.dictionaries(st.text(max_size=3), VALUES, min_size=1, max_size=6), data=st.data())
def test_bytes_and_values_agree(doc: dict[str, Any], data: st.DataObject) -> None:
    drops = data.draw(st.lists(st.sampled_from(sorted(doc)), unique=True))
    changes = [Change("drop", (name,)) for name in drops]
    for option in (0, orjson.OPT_INDENT_2):
        raw = orjson.dumps(doc, option=option)
        assert orjson.loads(edited(raw, changes)) == changed(doc, changes)
