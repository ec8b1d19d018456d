"""Counts of tokens where nobody counts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nexus_sdk.model import Request
from nexus_sdk.stages import counting
from nexus_sdk.stages.reading import Call
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.texts import leaves


def call(name: str, doc: Any) -> Call:
    dialect = DIALECTS[name]
    texts = tuple(leaves(doc, dialect.text))
    chars = sum(len(leaf.text) for leaf in texts)
    request = Request(id="req_1", door="sidecar", endpoint="count_tokens", body=dumps(doc))
    return Call(request, None, dialect, doc, request.body, dialect.read(doc), texts, chars)


ASKED: list[tuple[str, Any, Any]] = [
    (
        "anthropic_count",
        {"model": "m", "messages": [{"role": "user", "content": "x" * 41}]},
        {"input_tokens": 11, "estimated": True},
    ),
    (
        "openai_count",
        {"model": "m", "input": "x" * 40},
        {"object": "response.input_tokens", "input_tokens": 10, "estimated": True},
    ),
    (
        "gemini_count",
        {"contents": [{"role": "user", "parts": [{"text": "x" * 40}]}]},
        {"totalTokens": 10, "estimated": True},
    ),
]


@pytest.mark.parametrize(("name", "doc", "answer"), ASKED)
def test_an_estimate_says_that_it_is_one(name: str, doc: Any, answer: Any) -> None:
    assert orjson.loads(counting.estimate(call(name, doc))) == answer
    assert "estimated" in counting.COERCED


def test_tools_and_system_count_and_images_do_not() -> None:
    image = {"type": "base64", "media_type": "image/png", "data": "aWk=" * 99}
    content = [{"type": "text", "text": "xxxx"}, {"type": "image", "source": image}]
    doc = {"model": "m", "messages": [{"role": "user", "content": content}]}
    alone = orjson.loads(counting.estimate(call("anthropic_count", doc)))["input_tokens"]
    assert alone == 1
    more = doc | {"system": "y" * 40, "tools": [{"name": "f", "description": "z" * 40}]}
    told = orjson.loads(counting.estimate(call("anthropic_count", more)))["input_tokens"]
    assert 21 <= told <= 23
