"""The model that a body names, or not, and the one that its target knows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.playbook import FixedClock, snapshot

from nexus_sdk.model import Origin, Request
from nexus_sdk.pipeline import handle
from nexus_sdk.wire.json import dumps

CLOCK = FixedClock()
MODERATED = "omni-moderation-latest"
BATCH = "/models/m:batchEmbedContents"


def sent(endpoint: str, path: str, body: bytes, kind: str) -> Any:
    """The body that goes out, to a target whose model has another name."""
    policy = {
        "providers": {"p": {"kind": kind, "api_key": "k"}},
        "routing": {"models": dict.fromkeys(("m", MODERATED), "p/other")},
    }
    request = Request("r", "sdk", endpoint, body, path=path, origin=Origin("https://up.example"))
    effect: Any = handle(request, snapshot(policy), CLOCK).send(None)
    return effect.upstream.body


def test_a_body_without_a_model_gets_that_of_the_target_and_keeps_every_byte() -> None:
    body = b'{ "input": "a\\u0062c" }'
    found = sent("moderations", "/moderations", body, "openai")
    assert orjson.loads(found) == {"input": "abc", "model": "other"}
    assert b'"input": "a\\u0062c"' in found


def test_a_null_model_is_replaced() -> None:
    found = sent("moderations", "/moderations", b'{"model": null, "input": "a"}', "openai")
    assert found == b'{"model": "other", "input": "a"}'


@pytest.mark.parametrize("named", ["models/m", "models/another"])
def test_each_request_of_a_batch_names_the_model_of_the_path(named: str) -> None:
    one = {"model": named, "content": {"parts": [{"text": "a"}]}}
    bare = {"content": {"parts": [{"text": "b"}]}}
    body = dumps({"requests": [one, bare], "unknown": 1})
    found = sent("batch_embed_contents", BATCH, body, "gemini")
    wanted = {"requests": [one | {"model": "models/other"}, bare], "unknown": 1}
    assert found == dumps(wanted)


def test_one_embedding_names_the_model_of_the_path() -> None:
    doc = {"model": "models/m", "content": {"parts": [{"text": "a"}]}}
    found = sent("embed_content", "/models/m:embedContent", dumps(doc), "gemini")
    assert found == dumps(doc | {"model": "models/other"})
