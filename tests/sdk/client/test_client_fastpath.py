"""The short way knows what it knows, and says so of the rest."""

from __future__ import annotations

import collections
import enum
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._types import not_given, omit
from openai._utils._json import openapi_dumps
from tests.sdk.client.conftest import ASK

from nexus_sdk.fastpath import _Unknown, encode
from nexus_sdk.results import http

if TYPE_CHECKING:
    from collections.abc import Callable

    import nexus_sdk

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from([object(), {1: 2}, b"x", {1}, ("a", None)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=3))
def test_a_body_is_what_the_stock_client_would_send(values: dict[str, Any]) -> None:
    try:
        body = encode(values)
    except _Unknown:
        return
    assert json.loads(body) == json.loads(openapi_dumps(values))


class Word(str, enum.Enum):  # noqa: UP042  as older code has it
    LOW = "low"


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        Word.LOW,
        Text("a"),
        collections.OrderedDict(a=1),
        collections.defaultdict(list, a=[1]),
        enum.IntEnum("Number", {"ONE": 1}).ONE,  # type: ignore[attr-defined]
        True,
        2**63,
        1e300,
        -0.0,
    ],
    ids=repr,
)
def test_subclasses_and_limits_are_encoded_alike(value: Any) -> None:
    assert json.loads(encode({"a": value})) == json.loads(openapi_dumps({"a": value}))


@pytest.mark.parametrize(
    "more",
    [
        {"extra_query": {"a": "1"}},
        {"extra_headers": {"X-Stainless-Raw-Response": "true"}},
        {"extra_headers": {"x-a": "1\r\nx-b: 2"}},
        {"extra_headers": {"x-a": omit}},
        {"extra_headers": [("x-a", "1")]},
        {"extra_body": [1]},
        {"timeout": (1, 2)},
        {"temprature": 1},
        {"temperature": float("nan")},
        {"metadata": {"a": omit}},
        {"messages": iter(())},
        {"model": omit},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_is_not_known_for_certain_goes_the_long_way(
    more: dict[str, Any], client: nexus_sdk.OpenAI
) -> None:
    assert client._fast.request("chat", {**ASK, **more}) is None


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"temperature": omit, "top_p": not_given, "timeout": not_given},
        {"extra_headers": {"X-A": "1"}, "extra_body": {"top_k": 1}, "extra_query": None},
        {"timeout": 3},
        {"timeout": http.Timeout(3, connect=1)},
        {"timeout": None},
        {"stream": True},
    ],
    ids=lambda more: "-".join(more) or "plain",
)
def test_what_is_known_goes_the_short_way(more: dict[str, Any], client: nexus_sdk.OpenAI) -> None:
    request = client._fast.request("chat", {**ASK, **more})
    assert request is not None
    assert request.origin is not None
    assert request.origin.base_url == str(client.base_url).rstrip("/")
    assert request.headers["authorization"] == "Bearer sk-test"


def changed(name: str, value: Any) -> Callable[[Any], Any]:
    def change(client: nexus_sdk.OpenAI) -> nexus_sdk.OpenAI:
        setattr(client, name, value)
        return client

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.with_options(default_query={"a": "1"}),
        lambda client: client.with_options(api_key=lambda: "sk-fresh"),
        changed("api_key", ""),
        changed("base_url", "http://ann:secret@127.0.0.1/v1"),
        changed("base_url", "http://127.0.0.1/v1?a=1"),
        changed("_strict_response_validation", True),
    ],
    ids=("query", "key", "no-key", "password", "address-query", "strict"),
)
def test_a_client_that_is_out_of_the_ordinary_goes_the_long_way(
    change: Callable[[Any], Any], client: nexus_sdk.OpenAI
) -> None:
    assert change(client)._fast.request("chat", ASK) is None


def test_the_callers_patience_goes_along(client: nexus_sdk.OpenAI) -> None:
    asked = {**ASK, "timeout": http.Timeout(7, connect=2)}
    request = client.with_options(max_retries=4)._fast.request("chat", asked)
    assert request is not None
    patience = request.patience
    assert (patience.connect_s, patience.read_s, patience.retries) == (2, 7, 4)
    assert request.headers["x-stainless-read-timeout"] == "7"
