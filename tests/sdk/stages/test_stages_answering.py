"""What the caller gets, in its own dialect: answers, refusals, and what upstreams got wrong."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.playbook import FixedClock, chat
from tests.sdk.compliance.stage_lab import EVERYTHING, effective, hook, inspector

from nexus_sdk import errors
from nexus_sdk.attempts import Sent
from nexus_sdk.compliance.vault import Vault
from nexus_sdk.errors import Blocked, LimitExceeded, NexusError, QuotaExceeded, UpstreamFailed
from nexus_sdk.mac import Mac
from nexus_sdk.model import Failure, Request, Response, Target, Upstream, Usage
from nexus_sdk.stages import answering
from nexus_sdk.stages.reading import read
from nexus_sdk.stages.sending import Prepared
from nexus_sdk.stages.trail import Trail
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.stages.reading import Call

JSON = {"content-type": "application/json"}
EMAIL = "bob@corp-mail.com"
MESSAGES = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
REQUESTS: dict[str, Request] = {
    "openai_chat": chat(),
    "anthropic": replace(chat(), endpoint="messages", body=dumps(MESSAGES)),
    "openai_responses": replace(chat(), endpoint="responses", body=b'{"model":"m","input":"hi"}'),
}
ANSWERS: dict[str, Any] = {
    "openai_chat": {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": f"I am {EMAIL}"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    },
    "anthropic": {
        "id": "x",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": f"I am {EMAIL}"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    },
    "openai_responses": {
        "id": "x",
        "object": "response",
        "status": "completed",
        "model": "m",
        "output": [
            {
                "type": "message",
                "id": "i",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": f"I am {EMAIL}", "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    },
}
PAIRS = [(source, target) for source in ANSWERS for target in ANSWERS]


def call(dialect: str = "openai_chat", **more: Any) -> Call:
    return read(replace(REQUESTS[dialect], **more))


def sent(
    source: str, body: bytes, status: int = 200, *, vault: Vault | None = None, **more: Any
) -> Sent:
    upstream = Upstream("POST", "https://up.example", {}, b"", stream=False)
    rules = more.pop("rules", effective(hook(EVERYTHING)))
    dialect = DIALECTS[source] if source else None
    response = Response(status, JSON, body)
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        doc = None
    return Sent(
        Prepared(upstream, Target("p", "m"), dialect), response, inspector(rules, vault), None, doc
    )


# ---- whole answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_answer_is_judged_in_the_caller_s_dialect(source: str, target: str) -> None:
    body, _ = answering.whole(call(target), sent(source, dumps(ANSWERS[source])), 9)
    assert EMAIL.encode() not in body
    assert b"I am [REDACTED:EMAIL]" in body
    assert DIALECTS[target].usage(orjson.loads(body)) == Usage(3, 4)


def test_an_answer_without_a_date_is_of_now() -> None:
    body, _ = answering.whole(call(), sent("anthropic", dumps(ANSWERS["anthropic"])), 1_767_225_600)
    assert orjson.loads(body)["created"] == 1_767_225_600


def test_what_policy_does_not_touch_is_answered_byte_for_byte() -> None:
    body = dumps(ANSWERS["openai_chat"]).replace(EMAIL.encode(), b"bob").replace(b":", b" : ")
    assert answering.whole(call(), sent("openai_chat", body), 9) == (body, orjson.loads(body))


def test_a_blocked_answer_is_refused() -> None:
    blocking = effective(hook({"pii.email": "block"}))
    with pytest.raises(Blocked):
        answering.whole(
            call(), sent("openai_chat", dumps(ANSWERS["openai_chat"]), rules=blocking), 9
        )


@pytest.mark.parametrize("source", ANSWERS)
def test_the_tokens_of_an_answer(source: str) -> None:
    told = sent(source, dumps(ANSWERS[source]))
    assert answering.usage_of(call(), told) == Usage(3, 4)
    silent = sent(source, dumps({**ANSWERS[source], "usage": None}))
    assert answering.usage_of(call(), silent).estimated
    assert answering.usage_of(call(), silent).output == -(-len(silent.response.body) // 4)


BROKEN = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "message"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)


def places_of(doc: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inside = doc.items() if isinstance(doc, dict) else enumerate(doc if type(doc) is list else ())
    for key, value in inside:
        found += places_of(value, (*path, key))
    return found


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_answer_of_any_shape_is_told_or_is_the_upstream_s_fault(
    source: str, target: str, data: st.DataObject
) -> None:
    doc = orjson.loads(dumps(ANSWERS[source]))
    *path, last = data.draw(st.sampled_from(places_of(doc)))
    holder = doc
    for step in path:
        holder = holder[step]
    holder[last] = data.draw(BROKEN)
    told = sent(source, dumps(doc))
    assert answering.usage_of(call(target), told).output >= 0
    with suppress(UpstreamFailed):
        body, _ = answering.whole(call(target), told, 9)
        assert orjson.loads(body)


# ---- is it an answer at all ----------------------------------------------------------------------


def judged(status: int, body: bytes, kind: str = "application/json", /, **asked: Any) -> Any:
    return answering.judged(Response(status, {"content-type": kind}, body), call(**asked))


def test_an_answer_comes_with_its_document() -> None:
    response, doc = judged(200, b'{"choices":[]}')
    assert (response.status, doc) == (200, {"choices": []})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"<html>", "cannot be read"),
        (b'{"a":1,"a":2}', "stands twice"),
        (b"[]", "not a JSON object"),
        (b'{"error":{"code":"overloaded"}}', "an error inside: overloaded"),
        (b'{"error":{"type":"busy"}}', "an error inside: busy"),
        (b'{"error":{"code":529}}', "an error inside: 529"),
        (b'{"error":"some words"}', "an error inside: unnamed"),
        (b'{"error":{"code":["x"]}}', "an error inside: unnamed"),
        (b'{"object":"error","message":"no","code":"gone"}', "an error inside: gone"),
        (
            b'{"type":"error","error":{"type":"overloaded_error"}}',
            "an error inside: overloaded_error",
        ),
    ],
)
def test_a_success_that_is_none_is_a_failure(body: bytes, reason: str) -> None:
    failure, doc = judged(200, body)
    assert (failure.kind, doc) == ("protocol", None)
    assert reason in failure.reason


@pytest.mark.parametrize("status", [400, 429, 500])
def test_an_error_is_a_response(status: int) -> None:
    response, doc = judged(status, b"<html>")
    assert (response.status, doc) == (status, None)


def test_a_redirection_of_its_own_upstream_is_the_caller_s_to_follow() -> None:
    redirection = Response(301, {}, b"")
    assert answering.judged(redirection, call(), own=True) == (redirection, None)
    failure, _ = answering.judged(redirection, call(), own=False)
    assert isinstance(failure, Failure)
    assert "redirection (301)" in failure.reason


def test_a_redirection_would_lead_a_sidecar_s_caller_past_the_policy() -> None:
    failure, _ = judged(302, b"", door="sidecar")
    assert "redirection (302)" in failure.reason


@pytest.mark.parametrize("kind", ["application/json", ""])
def test_a_stream_that_is_none_is_a_failure(kind: str) -> None:
    body = dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True})
    failure, _ = judged(200, b"{}", kind, body=body)
    assert "where a stream was asked for" in failure.reason
    stream = Response(200, {"content-type": "text/event-stream"}, b"data: {}\n\n", streamed=True)
    assert answering.judged(stream, call(body=body)) == (stream, None)


def test_what_no_dialect_reads_is_not_judged() -> None:
    response = Response(200, {}, b"\x00")
    assert answering.judged(response, call(endpoint="")) == (response, None)


# ---- refusals ------------------------------------------------------------------------------------

ERRORS = [
    errors.Malformed("bad", param="model"),
    errors.Unsupported("cannot"),
    errors.Unauthenticated("who"),
    errors.NotAllowed("no", code="kill_switch"),
    errors.Blocked("stop", rules=["a", "b"]),
    errors.NotFound("where"),
    errors.TooLarge("big"),
    LimitExceeded("slow", limit="rpm", retry_after_s=1.2),
    QuotaExceeded("broke", limit="budget", retry_after_s=0.0),
    UpstreamFailed("cut", failure=Failure("timeout", "silent\r\nfor 5 s é")),
    errors.CallerLeft("gone"),
    errors.AuditUnavailable("disk"),
    NexusError("bug"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("dialect", REQUESTS)
def test_a_refusal_in_the_caller_s_dialect(dialect: str, error: NexusError) -> None:
    request = REQUESTS[dialect]
    answer = answering.refusal(error, Trail(request, "hash", "node", FixedClock()))
    assert answer.status == error.status
    doc = orjson.loads(answer.body)
    assert doc == DIALECTS[dialect].encode_error(error, request.id)
    assert doc["error"]["message"] == error.message
    headers = answer.headers
    assert headers["content-type"] == "application/json"
    assert headers["x-nexus-error"] == error.code
    assert headers["x-nexus-request-id"] == headers["x-request-id"] == request.id
    assert headers["x-should-retry"] == "false"
    for value in headers.values():
        assert value.isprintable()
        assert value.isascii()


def told(error: NexusError) -> Any:
    return answering.refusal(error, Trail(chat(), "hash", "node", FixedClock())).headers


def test_a_refusal_says_what_to_do() -> None:
    assert told(Blocked("stop", rules=["a", "b"]))["x-nexus-rules"] == "a,b"
    assert "x-nexus-rules" not in told(Blocked("stop"))
    limited = told(LimitExceeded("slow", limit="rpm", retry_after_s=1.2))
    assert (limited["retry-after"], limited["x-nexus-limit"]) == ("2", "rpm")
    assert told(QuotaExceeded("x", retry_after_s=0.0))["retry-after"] == "1"
    failed = told(UpstreamFailed("cut", failure=Failure("timeout", "silent\r\né")))
    assert (failed["x-nexus-failure"], failed["x-nexus-failure-reason"]) == ("timeout", "silent???")
    assert "x-nexus-failure" not in told(UpstreamFailed("cut"))


@pytest.mark.parametrize(
    ("endpoint", "headers", "dialect"),
    [
        ("chat", {}, "openai_chat"),
        ("messages", {}, "anthropic"),
        ("responses", {}, "openai_responses"),
        ("embeddings", {}, "openai_embeddings"),
        ("models", {}, "openai_chat"),
        ("models", {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("model", {"x-goog-api-key": "nvk_x"}, "gemini"),
        ("gemini_models", {}, "gemini"),
        ("models", {"user-agent": "cohere/7.3.1"}, "cohere"),
        ("", {}, "openai_chat"),
    ],
)
def test_the_dialect_of_errors(endpoint: str, headers: dict[str, str], dialect: str) -> None:
    request = replace(chat(), endpoint=endpoint, headers=headers)
    assert answering.dialect_of(request) is DIALECTS[dialect]


# ---- errors of upstreams -------------------------------------------------------------------------

ERROR = {"error": {"message": "no", "type": "t", "code": "c", "param": None}}


def test_an_error_in_the_caller_s_dialect_keeps_its_bytes() -> None:
    body = b'{ "error" : {"message":"no"} }'
    assert answering.upstream_error(call(), sent("openai_chat", body, 400)) == body


@pytest.mark.parametrize("body", [b"<html>502</html>", b"", b"[1]", b"\xff"])
def test_an_error_that_is_no_json_keeps_its_bytes(body: bytes) -> None:
    assert answering.upstream_error(call(), sent("openai_chat", body, 502)) == body


def test_an_error_of_another_dialect_is_told_in_the_caller_s() -> None:
    body = answering.upstream_error(call("anthropic"), sent("openai_chat", dumps(ERROR), 429))
    doc = orjson.loads(body)
    assert (doc["type"], doc["error"]["type"]) == ("error", "rate_limit_error")
    assert doc["error"]["message"] == "no"
    page = answering.upstream_error(
        call("anthropic"), sent("openai_chat", b"<html>busy</html>", 503)
    )
    assert orjson.loads(page)["error"]["message"] == "<html>busy</html>"


@pytest.mark.parametrize("source", ["openai_chat", "anthropic"])
def test_values_that_an_error_quotes_come_back(source: str) -> None:
    vault = Vault(Mac(b"k" * 32))
    token = vault.token("EMAIL", EMAIL)
    body = dumps({"error": {"message": f"cannot send to {token}", "type": "t"}})
    told_by = sent(source, body, 400, vault=vault)
    assert f"cannot send to {EMAIL}".encode() in answering.upstream_error(call(), told_by)


def test_an_error_where_no_dialect_reads_is_passed_on() -> None:
    assert answering.upstream_error(call(endpoint=""), sent("", b"\x00", 500)) == b"\x00"
    assert answering.upstream_error(call(), sent("", b"\x00", 500)) == b"\x00"


@settings(max_examples=300)
@given(
    st.sampled_from(list(ANSWERS)),
    st.sampled_from(list(ANSWERS)),
    st.recursive(BROKEN, lambda inner: st.fixed_dictionaries({"error": inner})),
)
def test_an_error_of_any_shape_is_told(source: str, target: str, doc: Any) -> None:
    body = answering.upstream_error(call(target), sent(source, dumps(doc), 400))
    if source != target:
        assert orjson.loads(body)["error"]["message"]


def test_a_failure_of_all_targets() -> None:
    once = answering.failed(Failure("connect", "refused"), 1)
    assert (once.code, once.status) == ("upstream_failed", 502)
    assert "tried once; the last time: refused" in once.message
    late = answering.failed(Failure("timeout", "silent"), 3)
    assert late.code == "upstream_timeout"
    assert "tried 3 times" in late.message


# ---- headers -------------------------------------------------------------------------------------

UPSTREAM_HEADERS = {
    "content-type": "application/json",
    "x-request-id": "up-1",
    "openai-processing-ms": "5",
    "x-ratelimit-remaining-tokens": "9",
    "set-cookie": "a=b",
    "server": "x",
    "connection": "close, X-Hop",
    "x-hop": "1",
    "x-nexus-error": "policy_blocked",
    "transfer-encoding": "chunked",
    "content-length": "5",
    "content-encoding": "gzip",
}


def test_headers_of_one_connection_end_there() -> None:
    inside = answering.relayed_headers(UPSTREAM_HEADERS, "sdk")
    assert not answering.HOP_BY_HOP & set(inside)
    assert inside["set-cookie"] == "a=b"
    assert inside["x-nexus-error"] == "policy_blocked", "the upstream may be a sidecar of ours"
    assert "x-hop" not in inside
    outside = answering.relayed_headers(UPSTREAM_HEADERS, "sidecar")
    assert set(outside) == {
        "content-type",
        "x-request-id",
        "openai-processing-ms",
        "x-ratelimit-remaining-tokens",
    }


def test_our_own_headers_tell_what_happened() -> None:
    trail = Trail(chat(), "hash", "node", FixedClock())
    assert answering.own_headers(trail) == {"x-nexus-request-id": "req-1", "x-nexus-cache": "off"}
    trail.target = Target("vendor", "big")
    trail.coerced.append("a->b")
    trail.dropped += ["seed (none)", "é\n"]
    for _ in range(2):
        trail.attempt(trail.target, Failure("connect", "x"), 0.0)
    assert answering.own_headers(trail) == {
        "x-nexus-request-id": "req-1",
        "x-nexus-cache": "off",
        "x-nexus-provider": "vendor",
        "x-nexus-model": "big",
        "x-nexus-attempts": "2",
        "x-nexus-coerced": "a->b",
        "x-nexus-dropped": "seed (none), ??",
    }
