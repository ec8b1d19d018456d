"""Embeddings through every pair of dialects: what is not reported arrives, and comes back."""

from __future__ import annotations

import base64
import copy
import struct
from itertools import permutations
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.sdk.wire.dialects import embed_cases as cases

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire import embeddings, vectors
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

PAIRS = list(permutations(cases.NAMES, 2))
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
URL = {"url": "data:image/png;base64,aWk="}
IMAGE: dict[str, Any] = {"content": [{"type": "image_url", "image_url": URL}]}
images = st.just(IMAGE)
titled = st.builds(
    lambda text, title: {"content": [{"type": "text", "text": text}], "title": title}, texts, texts
)
requests = st.fixed_dictionaries(
    {
        "input": st.lists(texts, min_size=1, max_size=3)
        | st.lists(texts | images | titled, min_size=1, max_size=2)
    },
    optional={
        "dimensions": st.integers(1, 4096),
        "input_type": st.sampled_from(sorted(embeddings.PURPOSES - {"image"})),
        "truncate": st.sampled_from(["NONE", "START", "END"]),
        "max_tokens": st.integers(1, 9999),
        "embedding_types": st.lists(
            st.sampled_from(["float", "int8", "uint8", "binary", "ubinary", "bits"]),
            min_size=1,
            max_size=2,
            unique=True,
        ),
        "normalize": st.booleans(),
        "user": texts,
    },
)
DEFAULTS: dict[str, set[Any]] = {
    "truncate": {"NONE"},
    "normalize": {True},
    "embedding_types": {"float"},
}
"""What saying nothing means."""


def plain(chat: Any) -> Any:
    """A request without what asks for nothing, its inputs a list."""
    out = {key: value for key, value in chat.items() if key in embeddings.MEMBERS}
    out.pop("model", None)
    for key, neutral in DEFAULTS.items():
        told = out.get(key)
        if told is not None and set(told if isinstance(told, list) else [told]) <= neutral:
            del out[key]
    given = out["input"]
    out["input"] = given if isinstance(given, list) else [given]
    if all(item == IMAGE for item in out["input"]):
        out.pop("truncate", None)  # nothing could be cut
    return out


def through(name: str, chat: Any, report: Report) -> Any:
    """The request as this dialect tells it."""
    dialect = DIALECTS[name]
    body = dialect.encode_request(copy.deepcopy(chat), report)
    dialect.read(body)
    return dialect.decode_request(body)


@pytest.mark.parametrize("name", cases.NAMES)
@settings(max_examples=60, deadline=None)
@given(chat=requests)
def test_a_member_of_a_request_arrives_or_is_reported(name: str, chat: Any) -> None:
    report = Report()
    try:
        back = plain(through(name, {"model": "m"} | chat, report))
    except Unsupported as err:
        back, refused = plain(chat), err.param or ""
    else:
        refused = "input"
    assert refused.startswith("input")
    sent, reported = plain(chat), cases.told(report)
    for key in sorted(sent.keys() | back.keys()):
        assert sent.get(key) == back.get(key) or key in reported, (key, sent, back)


@pytest.mark.parametrize(("first", "second"), PAIRS)
@settings(max_examples=12, deadline=None)
@given(chat=requests)
def test_a_request_comes_back_through_another_dialect_as_far_as_it_was_not_reported(
    first: str, second: str, chat: Any
) -> None:
    told, report = Report(), Report()
    try:
        mine = through(first, {"model": "m"} | chat, Report())
        theirs = through(second, mine | {"model": "m"}, told)
        back = through(first, theirs | {"model": "m"}, report)
    except Unsupported:
        assume(False)
        return
    reported = cases.told(told) | cases.told(report)
    sent, got = plain(mine), plain(back)
    for key in sorted(sent.keys() | got.keys()):
        assert sent.get(key) == got.get(key) or key in reported, (key, sent, got)


floats = st.floats(-1, 1, width=32)


@st.composite
def matrices(draw: st.DrawFn, rows: int) -> list[list[float]]:
    width = draw(st.integers(1, 5))
    return [draw(st.lists(floats, min_size=width, max_size=width)) for _ in range(rows)]


@pytest.mark.parametrize(("upstream", "door"), PAIRS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_vectors_reach_a_client_of_another_dialect_bit_by_bit(
    upstream: str, door: str, data: st.DataObject
) -> None:
    many = {upstream, door}.isdisjoint(cases.ONE_A_CALL)
    count = data.draw(st.integers(1, 3 if many else 1))
    matrix = data.draw(matrices(count))
    words = [f"text {place}" for place in range(count)]
    rows = [{"embedding": vector} for vector in matrix]
    usage = embeddings.usage(data.draw(st.integers(1, 10**6)))
    chat = embeddings.answer(rows, usage, {"model": "m"})
    sent = DIALECTS[upstream].encode_response(chat, cases.reply(cases.request_of(upstream, words)))
    received = DIALECTS[upstream].decode_response(copy.deepcopy(sent))
    request = cases.request_of(door, words)
    shown = DIALECTS[door].encode_response(received, cases.reply(request))
    back = DIALECTS[door].decode_response(shown)
    got = [vectors.numbers(row["embedding"]) for row in embeddings.rows(back, count)]
    assert [struct.pack(f"<{len(v)}d", *v) for v in got] == [
        struct.pack(f"<{len(v)}d", *v) for v in matrix
    ]
    counted = {upstream, door} - UNCOUNTED == {upstream, door}
    if counted:
        told = DIALECTS[door].usage(shown)
        assert told is not None
        assert told.input == usage["prompt_tokens"]


UNCOUNTED = {"nova_embed", "bedrock_cohere_embed"}
"""Their counts stand in a header of the answer."""


@given(vector=st.lists(floats, min_size=1, max_size=9))
def test_base64_and_back_is_the_same_vector(vector: list[float]) -> None:
    assert vectors.numbers(vectors.base64_text(vector)) == vector
    raw = struct.pack(f"<{len(vector)}f", *vector)
    assert base64.b64decode(vectors.base64_text(vector)) == raw
