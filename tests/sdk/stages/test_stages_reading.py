"""What came in is parsed once, strictly, in the caller's own format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.playbook import chat

from nexus_sdk.errors import Malformed
from nexus_sdk.model import Request
from nexus_sdk.stages.reading import read
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.texts import address

JSON = {"content-type": "application/json"}


def other(body: bytes, **headers: str) -> Request:
    """A request of an operation that no dialect reads."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(id="r", door="transport", endpoint="", body=body, headers=named, path="/batches")


@pytest.mark.parametrize(
    ("endpoint", "body", "dialect", "texts"),
    [
        (
            "chat",
            {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
            "openai_chat",
            ["hi"],
        ),
        ("responses", {"model": "m", "input": "hi"}, "openai_responses", ["hi"]),
        ("embeddings", {"model": "m", "input": ["a", "b"]}, "openai_embeddings", ["a", "b"]),
        (
            "messages",
            {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]},
            "anthropic",
            ["hi"],
        ),
    ],
)
def test_each_endpoint_is_read_in_its_dialect(
    endpoint: str, body: Any, dialect: str, texts: list[str]
) -> None:
    call = read(replace(chat(), endpoint=endpoint, body=dumps(body)))
    assert call.endpoint is not None
    assert call.dialect is not None
    assert (call.endpoint.key, call.dialect.name) == (endpoint, dialect)
    assert (call.doc, call.facts.model) == (body, "m")
    assert [leaf.text for leaf in call.texts] == texts


def test_tokens_are_estimated_from_all_texts_rounded_up() -> None:
    call = read(chat("x" * 9, metadata={"note": "1234"}))
    assert call.input_chars == 13
    assert call.input_tokens == 4
    assert read(other(b"")).input_tokens == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"x"', b'{"model":"m"}', b'{"model":"m","model":"n"}', b"{"]
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(replace(chat(), body=body))


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, identity"])
def test_a_compressed_body_is_refused_with_the_way_out(encoding: str) -> None:
    with pytest.raises(Malformed, match="without content-encoding") as caught:
        read(replace(chat(), headers={"content-encoding": encoding}))
    assert caught.value.code == "unsupported_encoding"
    with pytest.raises(Malformed):
        read(other(b"{}", content_type="application/json", content_encoding=encoding))


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_body_that_is_not_compressed_may_say_so(encoding: str) -> None:
    assert read(replace(chat(), headers={"content-encoding": encoding})).facts.model == "m"


# ---- operations that no dialect reads ------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["application/json", "application/JSON; charset=utf-8", "application/x+json"]
)
def test_nearly_every_string_of_other_json_is_text(kind: str) -> None:
    body = dumps(
        {
            "model": "whisper",
            "id": "b1",
            "prompt": "hello",
            "n": [{"note": "there"}],
            "stream": True,
        }
    )
    call = read(other(body, content_type=kind))
    assert (call.dialect, call.facts.model, call.facts.stream) == (None, "whisper", True)
    assert [(address(leaf.path), leaf.text) for leaf in call.texts] == [
        ("prompt", "hello"),
        ("n.0.note", "there"),
    ]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"--x\r\n...", {"content_type": "multipart/form-data; boundary=x"}),
        (b"\x00\x01", {}),
        (b"", {"content_type": "application/json"}),
    ],
)
def test_what_is_no_json_has_no_document(body: bytes, headers: dict[str, str]) -> None:
    call = read(other(body, **headers))
    assert (call.doc, call.texts, call.body) == (None, (), body)


@pytest.mark.parametrize(
    ("body", "texts"), [(b"[]", 0), (b'["a",["b"]]', 2), (b'"abc"', 0), (b"5", 0)]
)
def test_other_json_need_not_be_an_object(body: bytes, texts: int) -> None:
    call = read(other(body, content_type="application/json"))
    assert len(call.texts) == texts
    assert call.facts.model == ""


def test_a_model_that_is_no_name_is_none() -> None:
    call = read(other(b'{"model":5,"stream":"yes"}', content_type="application/json"))
    assert (call.facts.model, call.facts.stream) == ("", False)


def test_other_json_is_strict_too() -> None:
    with pytest.raises(Malformed, match="twice"):
        read(other(b'{"a":1,"a":2}', content_type="application/json"))


# ---- edits ---------------------------------------------------------------------------------------


def test_an_edited_call_says_the_same_everywhere() -> None:
    call = read(chat("hello", user="bob"))
    path = ("messages", 0, "content")
    edited = call.edited({path: "bye"})
    assert edited.doc["messages"][0]["content"] == "bye"
    assert edited.body == call.body.replace(b"hello", b"bye")
    assert [leaf.text for leaf in edited.texts] == ["bye", "bob"]
    assert edited.input_chars == call.input_chars, "what the caller sent is what is counted"
    assert call.doc["messages"][0]["content"] == "hello"
    assert call.edited({}) is call


def test_its_repr_shows_no_text() -> None:
    assert "hello" not in repr(read(chat("hello")))
