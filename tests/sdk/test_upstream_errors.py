"""Upstreams' errors through the pipeline: their type in a header, when to come back, and refusals
that stay recognisable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from tests.playbook import FixedClock, chat, play, snapshot
from tests.sdk.test_pipeline import JSON, finish, said

from nexus_sdk.effects import Record, Send, Wait
from nexus_sdk.model import Request, Response
from nexus_sdk.pipeline import handle
from nexus_sdk.wire.json import dumps

CLOCK = FixedClock()


def to(kind: str, attempts: int = 1) -> dict[str, Any]:
    more = {"region": "eu-west-1"} if kind == "bedrock" else {}
    return {
        "providers": {"p": {"kind": kind, "api_key": "k", **more}},
        "routing": {"models": {"m": "p/m"}, "retry": {"attempts": attempts}},
    }


def converse(text: str = "hi") -> Request:
    doc = {"messages": [{"role": "user", "content": [{"text": text}]}]}
    return replace(
        chat(), endpoint="converse", path="/model/m/converse", body=dumps(doc), origin=None
    )


def answered(request: Request, policy: dict[str, Any], reply: Response) -> Any:
    found: list[Any] = []
    play(
        handle(request, snapshot(policy), CLOCK),
        (Send, reply),
        (Record, None),
        (found.append, None),
    )
    return found[0].answer


def test_the_type_of_a_bedrock_error_stands_in_its_header() -> None:
    headers = {**JSON, "x-amzn-errortype": "com.amazon#ThrottlingException:http://x/"}
    answer = answered(chat(), to("bedrock"), Response(429, headers, b'{"message":"slow"}'))
    assert orjson.loads(answer.body)["error"]["code"] == "ThrottlingException"


def test_callers_of_bedrock_find_it_there_as_well() -> None:
    error = {"error": {"message": "no", "type": "t", "code": "c"}}
    answer = answered(converse(), to("openai"), Response(429, JSON, dumps(error)))
    assert answer.headers["x-amzn-errortype"] == "ThrottlingException"
    assert orjson.loads(answer.body)["__type"] == "ThrottlingException"
    flow = handle(converse(), snapshot({"switches": {"kill": True, "kill_reason": "no"}}), CLOCK)
    flow.send(None)
    refused: Any = flow.send(None)
    assert refused.answer.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_bedrock_s_own_header_travels_untouched() -> None:
    headers = {**JSON, "x-amzn-errortype": "ServiceQuotaExceededException"}
    answer = answered(converse(), to("bedrock"), Response(400, headers, b'{"message":"quota"}'))
    assert answer.headers["x-amzn-errortype"] == "ServiceQuotaExceededException"
    assert answer.body == b'{"message":"quota"}'


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
BUSY = Response(429, JSON, dumps({"error": {"code": 429, "message": "q", "details": [RETRY]}}))


def test_a_delay_in_the_body_is_waited_for() -> None:
    whole = {"candidates": [{"content": {"parts": [{"text": "ok"}]}, "finishReason": "STOP"}]}
    play(
        handle(chat(), snapshot(to("gemini", 2)), CLOCK),
        (Send, BUSY),
        (Wait(2.0), None),
        (Send, Response(200, JSON, dumps(whole))),
        (Record, None),
        (finish(200, b"ok"), None),
    )


def test_a_delay_in_the_body_is_told_in_the_header_where_there_is_none() -> None:
    assert answered(chat(), to("gemini"), BUSY).headers["retry-after"] == "2"
    told = replace(BUSY, headers={**JSON, "retry-after": "9"})
    assert answered(chat(), to("gemini"), told).headers["retry-after"] == "9"
    odd = replace(BUSY, body=BUSY.body.replace(b"1.5s", b"soon"))
    assert "retry-after" not in answered(chat(), to("gemini"), odd).headers


def test_a_prompt_that_is_too_long_for_claude_has_openai_s_code() -> None:
    error = {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}
    reply = Response(400, JSON, dumps({"type": "error", "error": error}))
    told = orjson.loads(answered(chat(), to("anthropic"), reply).body)["error"]
    assert told["code"] == "context_length_exceeded"
    assert told["message"] == error["message"]


def test_the_same_dialect_s_error_is_not_touched() -> None:
    reply = replace(said("x"), status=400, body=b'{"error":{"message":"maximum context length"}}')
    assert answered(chat(), to("openai"), reply).body == reply.body
