"""The judge of recorded traffic, on made-up exchanges: it passes what is whole and finds what is
lost."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bench.recorded import crossings, page, round_trips
from bench.recorded.__main__ import main
from bench.recorded.differences import Difference, differences, general
from bench.recorded.exchanges import Exchange, load
from bench.recorded.normal import normal
from bench.recorded.verdict import judge
from tests.sdk.ten_turns import ORIGINS, Client, stream
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.wire import aws_events
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path

PATHS = {
    "anthropic": "/v1/messages",
    "openai_responses": "/v1/responses",
    "openai_chat": "/v1/chat/completions",
    "cohere": "/v2/chat",
    "gemini": "/v1beta/models/g:generateContent",
    "bedrock": "/model/m/converse",
}
STREAMED = PATHS | {
    "gemini": "/v1beta/models/g:streamGenerateContent?alt=sse",
    "bedrock": "/model/m/converse-stream",
}


def asked(dialect: str) -> Any:
    talk = Client(dialect)
    talk.say("Look.")
    bare = dialect in {"gemini", "bedrock"}
    return {key: value for key, value in talk.doc.items() if key != "model" or not bare}


def row(dialect: str, path: str, response: Any, status: int = 200, **more: Any) -> Any:
    return {
        "host": "vendor.example",
        "method": "POST",
        "path": path,
        "request": {"json": asked(dialect)},
        "status": status,
        "response_headers": {},
        "response": response,
    } | more


def answered(dialect: str) -> Any:
    if dialect in ORIGINS:
        return ORIGINS[dialect](2)
    chat = DIALECTS["anthropic"].decode_response(ORIGINS["anthropic"](3))
    return DIALECTS[dialect].encode_response(chat, golden.reply())


def streamed(dialect: str) -> Any:
    source = dialect if dialect in {"anthropic", "gemini", "bedrock"} else "anthropic"
    events = golden.encoded(dialect, golden.chunks(source, told(source)))
    if dialect == "bedrock":
        wire = b"".join(map(aws_events.wire, events))
        return {"base64": base64.b64encode(wire).decode()}
    return {"text": golden.wire(events).decode()}


def told(dialect: str) -> Any:
    return golden.events(
        golden.wire([event(name, doc) for name, doc in stream(dialect, ORIGINS[dialect](2))])
    )


def rows() -> list[Any]:
    return [
        *(row(name, path, {"json": answered(name)}) for name, path in PATHS.items()),
        *(row(name, path, streamed(name)) for name, path in STREAMED.items()),
        row("anthropic", "/v1/messages", {"json": ERROR}, status=400),
        row("openai_chat", "/v1/files", {"json": {}}),
        row("openai_chat", "/v1/chat/completions", None),
        row("openai_chat", "/v1/chat/completions", None, request={"text": "---form"}),
        row("openai_chat", "/v1/embeddings", {"json": VECTORS}, request={"json": TEXTS}),
        row(
            "anthropic",
            "/v1/messages/count_tokens",
            {"json": {"input_tokens": 3}},
            request={"json": {"model": "m", "messages": golden.USER}},
        ),
    ]


ERROR = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "max_tokens is missing"},
    "request_id": "req_1",
}
TEXTS = {"model": "m", "input": ["one"]}
VECTORS = {
    "object": "list",
    "model": "m",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made-up.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(one).encode() for one in rows())))
    return path


def test_what_is_whole_is_judged_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file)]) == 0
    said = capsys.readouterr().out
    assert "losses: 0" in said
    for name in PATHS:
        for kind in ("request", "answer", "stream"):
            assert f"{name} {kind}: " in said
    assert "anthropic error: 1 of 1" in said
    assert "anthropic_count answer: 1 of 1" in said


def test_the_page_has_counts_and_parameters_and_nothing_that_was_said(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "DOCS", tmp_path / "fidelity.md")
    assert main([str(file), "--write-docs"]) == 0
    text = page.DOCS.read_text("utf-8")
    assert "| anthropic | 3 of 3 | 1 of 1 | 1 of 1 | 1 of 1 |" in text
    assert "### anthropic to gemini" in text
    assert "Step 2" not in text
    assert "1 no body of a dialect" in text


def test_lines_that_hold_no_exchange_say_why(file: Path) -> None:
    reasons = sorted(one for one in load(file) if isinstance(one, str))
    assert reasons == [
        "no body of a dialect",
        "the answer was not recorded",
        "the request was not recorded",
    ]


def exchange(file: Path, dialect: str, place: int = 0) -> Exchange:
    found = [one for one in load(file) if isinstance(one, Exchange) and one.dialect == dialect]
    return found[place]


@pytest.mark.parametrize("name", [*ORIGINS, "cohere"])
def test_a_member_that_does_not_come_back_is_a_loss(
    file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = DIALECTS[name]

    def forgetful(encode: Any) -> Any:
        return lambda chat, other: dict(list(encode(chat, other).items())[1:])

    broken = replace(
        dialect,
        encode_request=forgetful(dialect.encode_request),
        encode_response=forgetful(dialect.encode_response),
    )
    monkeypatch.setattr(round_trips, "DIALECTS", dict(DIALECTS) | {name: broken})
    one = exchange(file, name)
    assert round_trips.request(one)
    assert round_trips.answer(one)


def test_an_event_that_does_not_come_back_is_a_loss(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anthropic = DIALECTS["anthropic"]

    class Deaf:
        def __init__(self) -> None:
            self._decoder = anthropic.stream_decoder()

        def feed(self, told: Any) -> Any:
            return [] if told.doc.get("index") == 1 else self._decoder.feed(told)

        def close(self) -> Any:
            return self._decoder.close()

    monkeypatch.setattr(
        round_trips,
        "DIALECTS",
        dict(DIALECTS) | {"anthropic": replace(anthropic, stream_decoder=Deaf)},
    )
    assert round_trips.stream(exchange(file, "anthropic", 1))


def test_what_a_crossing_loses_in_silence_is_a_loss(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini = DIALECTS["gemini"]

    def silent(chat: Any, report: Any) -> Any:
        chat = chat | {"messages": chat["messages"][-1:], "tools": chat["tools"][:0]}
        return gemini.encode_request(chat | {"temperature": None}, report)

    monkeypatch.setattr(
        crossings, "DIALECTS", dict(DIALECTS) | {"gemini": replace(gemini, encode_request=silent)}
    )
    one = exchange(file, "openai_chat")
    one = replace(one, request=one.request | {"temperature": 0.5})
    untold = crossings.request(one, "gemini").untold
    assert "temperature" in untold
    assert "tools.*.name" in untold
    assert crossings.request(one, "anthropic").untold == []


def test_what_is_no_answer_is_told_with_its_place() -> None:
    one = Exchange("h", "anthropic", "", None, 200, answer={"type": "message"})
    assert [
        told for told in judge([one]).losses if told.startswith("exchange 1, anthropic, answer")
    ]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [Difference("a", 1, True)]),
        ({"a": [1, 2]}, {"a": [1]}, [Difference("a", [1, 2], [1])]),
        ({"a": [{"b": 1}]}, {"a": [{}]}, [Difference("a.0.b", 1, "(absent)")]),
        ({}, {"a": None}, [Difference("a", "(absent)", None)]),
    ],
)
def test_differences(before: Any, after: Any, found: list[Difference]) -> None:
    assert list(differences(before, after)) == found


def test_places_in_lists_are_one() -> None:
    assert general("messages.3.content.0.text") == "messages.*.content.*.text"


def test_null_in_a_users_own_data_is_a_value() -> None:
    doc = {"seed": None, "tools": [{"input_schema": {"default": None}, "x": None}]}
    assert normal(doc, "request", "anthropic") == {"tools": [{"input_schema": {"default": None}}]}


def golden_exchange(path: Path) -> Exchange:
    kind, dialect = path.parent.parent.name, path.parent.name
    head = ("golden", dialect, "gemini-3-pro" if dialect in {"gemini", "bedrock"} else "")
    if kind == "requests":
        return Exchange(*head, golden.load(path), 200)
    if kind == "answers":
        return Exchange(*head, None, 200, answer=golden.load(path))
    return Exchange(*head, None, 200, events=tuple(golden.events(path.read_bytes())))


GOLDEN = [
    path
    for kind in ("requests", "answers", "streams")
    for path in golden.cases(kind)
    if path.parent.name in golden.CHATS and path.stem != "replayed_reasoning"
]
"""All but a request that holds our own extensions, which no vendor's client sends."""


@pytest.mark.parametrize(
    "path", GOLDEN, ids=lambda path: f"{path.parent.parent.name}-{golden.name(path)}"
)
def test_every_golden_case_is_whole(path: Path) -> None:
    assert judge([golden_exchange(path)]).losses == []
