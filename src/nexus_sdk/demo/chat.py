"""OpenAI chat completions. Source: https://platform.openai.com/docs/api-reference/chat, read
2025-11.

`reasoning_content` is DeepSeek's extension, which several others serve as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nexus_sdk.demo.metering import pieces
from nexus_sdk.demo.reply import Event, Prompt, Tool, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nexus_sdk.demo.reply import Reply

KINDS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}
FINGERPRINT = "fp_demo"


def read(body: dict[str, Any]) -> Prompt:
    messages = body["messages"]
    texts = tuple(content_text(message.get("content")) for message in messages)
    spoken = [
        text for text, message in zip(texts, messages, strict=True) if message["role"] == "user"
    ]
    return Prompt(
        model=body["model"],
        texts=texts,
        said=spoken[-1] if spoken else "",
        stream=bool(body.get("stream")),
        result=texts[-1] if messages and messages[-1]["role"] == "tool" else None,
        tools=tuple(_tools(body)),
        forced=forced(body.get("tool_choice")),
        schema=_schema(body.get("response_format") or {}),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        choices=body.get("n") or 1,
    )


def content_text(content: Any) -> str:
    """The text of a message's content: a string, or parts of which some have text."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if "text" in part)


def forced(choice: Any) -> str | None:
    """The tool that `tool_choice` demands: empty for any tool, None for no demand."""
    if isinstance(choice, dict):
        return str(choice.get("function", choice).get("name", ""))
    return "" if choice == "required" else None


def _tools(body: dict[str, Any]) -> Iterator[Tool]:
    for tool in body.get("tools") or ():
        if tool.get("type") == "function" and body.get("tool_choice") != "none":
            yield Tool(tool["function"]["name"], tool["function"].get("parameters") or {})


def _schema(wanted: dict[str, Any]) -> Any:
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return (wanted.get("json_schema") or {}).get("schema")


def whole(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if reply.calls or reply.refusal else reply.text,
        "refusal": reply.refusal or None,
        "annotations": [],
    }
    if reply.thinking:
        message["reasoning_content"] = reply.thinking
    if reply.calls:
        message["tool_calls"] = [_call(call.id, call.name, call.arguments) for call in reply.calls]
    finish = None if "no-finish" in reply.script else reply.finish
    answer = _head(reply, "chat.completion") | {
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": finish}
            for index in range(reply.prompt.choices)
        ],
    }
    return answer if "no-usage" in reply.script else answer | {"usage": _usage(reply)}


def events(reply: Reply, body: Mapping[str, Any]) -> Iterator[Event]:
    """The stream: role, reasoning, content or tool calls, finish, usage when asked for,
    `[DONE]`.
    """
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    counts = wants_usage and "no-usage" not in reply.script
    head = _head(reply, "chat.completion.chunk") | ({"usage": None} if counts else {})
    for delta, finish in _deltas(reply):
        for index in range(reply.prompt.choices):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield Event("", dumps(head | {"choices": [choice]}))
    if counts:
        yield Event("", dumps(head | {"choices": [], "usage": _usage(reply)}))
    yield Event("", "[DONE]", last=True)


def _deltas(reply: Reply) -> Iterator[tuple[dict[str, Any], str | None]]:
    if "role-less" not in reply.script:
        yield {"role": "assistant", "content": None if reply.calls else "", "refusal": None}, None
    for piece in pieces(reply.thinking):
        yield {"reasoning_content": piece}, None
    for piece in pieces(reply.refusal):
        yield {"refusal": piece}, None
    for piece in reply.pieces:
        yield {"content": piece}, None
    for index, call in enumerate(reply.calls):
        yield {"tool_calls": [{"index": index} | _call(call.id, call.name, "")]}, None
        for piece in pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None
    if "no-finish" not in reply.script:
        yield {}, reply.finish


def _call(identity: str, name: str, arguments: str) -> dict[str, Any]:
    return {
        "id": f"call_{identity}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply.id}",
        "object": kind,
        "created": reply.created,
        "model": reply.prompt.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def error(status: int, message: str, code: str) -> dict[str, Any]:
    """The error body of OpenAI's API; Responses and embeddings have the same."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code or None}}


def error_event(message: str, code: str) -> Event:
    return Event("", dumps(error(500, message, code)), last=True)
