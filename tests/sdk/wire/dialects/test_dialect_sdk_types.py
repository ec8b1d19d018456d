"""The vendors' own packages accept what we make: types, clients and the accumulators of their
streams."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import anthropic
import cohere
import httpx
import httpx2
import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as genai_types
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.errors import Blocked, LimitExceeded, Malformed
from nexus_sdk.wire.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANSWERS = {
    "openai_chat": ChatCompletion,
    "openai_responses": Response,
    "anthropic": Message,
    "cohere": V2ChatResponse,
    "gemini": genai_types.GenerateContentResponse,
}
EVENTS: dict[str, Any] = {
    "openai_chat": ChatCompletionChunk,
    "openai_responses": ResponseStreamEvent,
    "anthropic": RawMessageStreamEvent,
    "cohere": V2ChatStreamResponse,
    "gemini": genai_types.GenerateContentResponse,
}
BLOCKED = Blocked("blocked by rule 'pii.iban'", rules=["pii.iban"])


def strictly(kind: Any, doc: Any) -> Any:
    """`doc` as a vendor's type, with every required member there and of its type."""
    if kind is genai_types.GenerateContentResponse:
        return kind._from_response(response=doc, kwargs={})  # it lets unknown members by
    return TypeAdapter(kind).validate_json(json.dumps(doc))


@pytest.mark.parametrize("source", golden.cases("answers"), ids=golden.name)
@pytest.mark.parametrize("target", ANSWERS)
def test_our_answers_are_of_the_vendors_type(source: Path, target: str) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    body = DIALECTS[target].encode_response(chat, golden.reply())
    if target == "openai_chat":
        only_urls(body["choices"][0]["message"])
    strictly(ANSWERS[target], body)


def only_urls(message: Any) -> None:
    """OpenAI's type of an annotation is that of a page; another vendor's citation of a document is
    our extension."""
    told = message.get("annotations") or ()
    message["annotations"] = [one for one in told if one["type"] == "url_citation"]


@pytest.mark.parametrize("source", golden.cases("streams"), ids=golden.name)
@pytest.mark.parametrize("target", ANSWERS)
def test_our_events_are_of_the_vendors_types(source: Path, target: str) -> None:
    told = golden.chunks(source.parent.name, golden.events(source.read_bytes()))
    for event in golden.encoded(target, told):
        # Azure's head has no object; the chunk's type knows functions only, the API custom tools
        # too.
        if event.doc is None or event.doc.get("object") == "" or b'"custom"' in event.data:
            continue
        strictly(EVENTS[target], event.doc)


def openai_client(body: bytes) -> openai.OpenAI:
    stream = {"content-type": "text/event-stream"}
    answer = lambda request: httpx2.Response(200, headers=stream, content=body)  # noqa: E731
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="http://up/v1", http_client=http, max_retries=0)


def anthropic_client(body: bytes) -> anthropic.Anthropic:
    stream = {"content-type": "text/event-stream"}
    answer = lambda request: httpx2.Response(200, headers=stream, content=body)  # noqa: E731
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="k", base_url="http://up", http_client=http, max_retries=0)


def gemini_client(body: bytes, status: int = 200) -> genai.Client:
    stream = {"content-type": "text/event-stream"}
    answer = lambda request: httpx.Response(status, headers=stream, content=body)  # noqa: E731
    options = genai_types.HttpOptions(
        base_url="http://up", client_args={"transport": httpx.MockTransport(answer)}
    )
    return genai.Client(api_key="k", http_options=options)


def final_chat(body: bytes) -> Any:
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with openai_client(body).chat.completions.stream(**ask) as stream:
        return stream.get_final_completion().model_dump()


def final_response(body: bytes) -> Any:
    with openai_client(body).responses.stream(model="m", input="hi") as stream:
        for _ in stream:
            pass
        return stream.get_final_response().model_dump()


def final_message(body: bytes) -> Any:
    ask: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with anthropic_client(body).messages.stream(**ask) as stream:
        return stream.get_final_message().model_dump(warnings=False)


def cohere_client(body: bytes, status: int = 200) -> cohere.ClientV2:
    stream = {"content-type": "text/event-stream" if status == 200 else "application/json"}
    answer = lambda request: httpx.Response(status, headers=stream, content=body)  # noqa: E731
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return cohere.ClientV2(api_key="k", base_url="http://up", httpx_client=http)


def cohere_events(body: bytes) -> list[Any]:
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return list(cohere_client(body).chat_stream(**ask))


def final_cohere(body: bytes) -> Any:
    """The package has no accumulator: this one keeps one open call, as applications do."""
    message: dict[str, Any] = {"content": "", "tool_calls": []}
    for event in cohere_events(body):
        if event.type == "content-delta" and event.delta.message.content.text:
            message["content"] += event.delta.message.content.text
        elif event.type == "tool-call-start":
            call = event.delta.message.tool_calls.function
            message["tool_calls"].append({"name": call.name, "arguments": call.arguments})
        elif event.type == "tool-call-delta":
            piece = event.delta.message.tool_calls.function.arguments
            message["tool_calls"][-1]["arguments"] += piece
    return {"message": message}


def final_content(body: bytes) -> Any:
    """All the parts of a stream, as google-genai reads them."""
    parts: list[Any] = []
    client = gemini_client(body)  # kept: it closes when nobody holds it
    for piece in client.models.generate_content_stream(model="m", contents="hi"):
        assert piece.candidates
        content = piece.candidates[0].content
        parts += [part.model_dump(exclude_none=True) for part in (content and content.parts) or ()]
    return {"parts": parts}


FINALS: dict[str, Callable[[bytes], Any]] = {
    "openai_chat": final_chat,
    "openai_responses": final_response,
    "anthropic": final_message,
    "cohere": final_cohere,
    "gemini": final_content,
}
CANNOT = {
    ("openai_responses", "openai_chat-azure"): "get_final_response knows response.completed only",
    (
        "openai_chat",
        "openai_chat-azure",
    ): "the helper refuses answers that were cut by their length",
    ("openai_chat", "openai_responses-reasoning_and_tools"): "the helper knows no custom tools",
}
"""What the vendors' helpers do not read, whoever sends it."""


def told(answer: Any) -> Any:
    """What a final answer says, dialect by dialect alike: texts, reasoning, calls."""
    if "choices" in answer:
        message = answer["choices"][0]["message"]
        calls = [call.get("function") or call["custom"] for call in message.get("tool_calls") or ()]
        text = (message.get("content") or "") + (message.get("refusal") or "")
        return text, [(call["name"], call.get("arguments") or call.get("input")) for call in calls]
    if "message" in answer:
        message = answer["message"]
        return message["content"], [
            (call["name"], call["arguments"]) for call in message["tool_calls"]
        ]
    if "output" in answer:
        parts = [
            part
            for item in answer["output"]
            if item["type"] == "message"
            for part in item["content"]
        ]
        calls = [
            item
            for item in answer["output"]
            if item["type"].endswith("_call") and "call_id" in item
        ]
        text = "".join(part.get("text") or part.get("refusal") or "" for part in parts)
        return text, [(call["name"], call.get("arguments") or call.get("input")) for call in calls]
    if "parts" in answer:
        said = [part for part in answer["parts"] if "text" in part and not part.get("thought")]
        calls = [part["function_call"] for part in answer["parts"] if "function_call" in part]
        return "".join(part["text"] for part in said), [
            (call["name"], json.dumps(call["args"], ensure_ascii=False)) for call in calls
        ]
    text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
    calls = [block for block in answer["content"] if block["type"] == "tool_use"]
    return text, [(call["name"], json.dumps(call["input"], ensure_ascii=False)) for call in calls]


def same(calls: Any) -> Any:
    """Arguments compared as values; a custom tool's text is the member `input` for Anthropic."""
    out = []
    for name, text in calls:
        value = json.loads(text) if text.startswith("{") else {"input": text}
        out.append((name, value))
    return out


@pytest.mark.parametrize("source", golden.cases("streams"), ids=golden.name)
@pytest.mark.parametrize("target", ANSWERS)
def test_the_vendors_client_reads_our_stream_to_the_same_answer(source: Path, target: str) -> None:
    if reason := CANNOT.get((target, golden.name(source))):
        pytest.skip(reason)
    chunks = golden.chunks(source.parent.name, golden.events(source.read_bytes()))
    with warnings.catch_warnings():
        # The packages serialise their own unions with warnings.
        warnings.simplefilter("ignore", UserWarning)
        final = FINALS[target](golden.wire(golden.encoded(target, chunks)))
    text, calls = told(golden.merged(chunks))
    assert told(final)[0] == text
    assert same(told(final)[1]) == same(calls)


@pytest.mark.parametrize("error", [BLOCKED, LimitExceeded("slow down"), Malformed("no", param="n")])
@pytest.mark.parametrize("target", [name for name in FINALS if name != "cohere"])
def test_an_error_inside_a_stream_makes_the_vendors_client_raise(target: str, error: Any) -> None:
    events = DIALECTS[target].error_events(error, "req_1")
    whole = golden.cases("streams")
    source = next(path for path in whole if path.parent.name == target)
    begun = golden.events(source.read_bytes())[:3]
    with pytest.raises((openai.APIError, anthropic.APIError, genai_errors.APIError)) as raised:
        FINALS[target](golden.wire([*begun, *events]))
    assert error.message in str(raised.value)
    if isinstance(raised.value, genai_errors.APIError):
        assert raised.value.code == error.status
        assert raised.value.details["error"]["details"][0]["reason"] == error.code
        return
    body: Any = getattr(raised.value, "body", None)
    assert (body.get("error") or body)["code"] == error.code


def _reasons(error: Any) -> set[Any]:
    """Of Google's error details."""
    return {one.get("reason") for one in error.get("details") or ()}


def test_a_blocked_answer_names_its_rules_in_every_envelope() -> None:
    for dialect in DIALECTS.values():
        body = dialect.encode_error(BLOCKED, "req_1")
        error = body.get("error", body)
        # A `code` in Bedrock's body would be taken for the type of the exception; Google's is the
        # status.
        assert "policy_blocked" in {error.get("code"), error.get("reason")} | _reasons(error)
        assert "pii.iban" in json.dumps(error)
        assert "req_1" in json.dumps(body)


@pytest.mark.parametrize("target", ["openai_chat", "anthropic"])
def test_a_refused_request_becomes_the_vendors_own_exception(target: str) -> None:
    body = json.dumps(
        DIALECTS[target].encode_error(Malformed("no such n", param="n"), "req_1")
    ).encode()
    if target == "anthropic":
        answer = lambda request: httpx2.Response(400, content=body)  # noqa: E731
        http = httpx2.Client(transport=httpx2.MockTransport(answer))
        with pytest.raises(anthropic.BadRequestError, match="no such n"):
            anthropic.Anthropic(
                api_key="k", base_url="http://up", http_client=http
            ).messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
        return
    reply = lambda request: httpx2.Response(400, content=body)  # noqa: E731
    client = httpx2.Client(transport=httpx2.MockTransport(reply))
    with pytest.raises(openai.BadRequestError) as raised:
        openai.OpenAI(
            api_key="k", base_url="http://up", http_client=client
        ).chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert (raised.value.code, raised.value.param) == ("malformed_request", "n")


def test_an_error_inside_a_stream_is_the_last_that_coheres_client_sees() -> None:
    """It raises for nothing that a stream may hold: the finish reason tells."""
    source = next(path for path in golden.cases("streams") if path.parent.name == "cohere")
    begun = golden.events(source.read_bytes())[:3]
    ended = DIALECTS["cohere"].error_events(BLOCKED, "req_1")
    last = cohere_events(golden.wire([*begun, *ended]))[-1]
    assert last.type == "message-end"
    assert (last.delta.finish_reason, last.delta.error) == ("ERROR", BLOCKED.message)


def test_a_refused_request_becomes_coheres_own_exception() -> None:
    body = json.dumps(DIALECTS["cohere"].encode_error(Malformed("no such n", param="n"), "req_1"))
    with pytest.raises(cohere.BadRequestError, match="no such n"):
        cohere_client(body.encode(), 400).chat(model="m", messages=[])
