"""Gemini's generateContent, countTokens and embeddings. Source: https://ai.google.dev/api, read
2025-11.

The path names the model and says whether the answer streams; `routed` puts both into the body,
where the other formats have them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nexus_sdk.demo.embeddings import DIMENSIONS, vector
from nexus_sdk.demo.messages import signature
from nexus_sdk.demo.metering import pieces
from nexus_sdk.demo.reply import Event, Prompt, Tool, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nexus_sdk.demo.reply import Reply

type Part = dict[str, Any]

FINISHES: Mapping[str, str] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
}
_SNAKE = re.compile(r"_([a-z])")
_FREE = frozenset({"args", "response", "parameters"})
"""Below these, and below schemas, is the user's own data."""
STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""https://ai.google.dev/gemini-api/docs/troubleshooting; all others are `INTERNAL`."""


def routed(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body, with what the path says of it, and its names in one spelling: the API takes
    `maxOutputTokens` and `max_output_tokens`, and Google's own client writes both."""
    name, colon, method = path.rpartition("/")[2].partition(":")
    if not colon:
        return body
    told: dict[str, Any] = _camel(body)
    return told | {"model": unquote(name), "stream": method == "streamGenerateContent"}


def _camel(node: Any) -> Any:
    if isinstance(node, list):
        return [_camel(one) for one in node]
    if not isinstance(node, dict):
        return node
    named = {_SNAKE.sub(lambda found: found[1].upper(), name): node[name] for name in node}
    return {
        name: value if name in _FREE or name.endswith("Schema") else _camel(value)
        for name, value in named.items()
    }


def read(body: dict[str, Any]) -> Prompt:
    contents = body["contents"]
    system = _text(body.get("systemInstruction") or {})
    texts = tuple(_text(content) for content in contents)
    spoken = [_text(content) for content in contents if content.get("role") != "model"]
    said = [text for text in spoken if text]
    config = body.get("generationConfig") or {}
    return Prompt(
        model=body["model"],
        texts=(system, *texts) if system else texts,
        said=said[-1] if said else "",
        stream=body["stream"],
        result=_result(contents[-1]),
        tools=tuple(_tools(body)),
        forced=_forced(body),
        schema=_schema(config),
        limit=config.get("maxOutputTokens"),
        choices=config.get("candidateCount") or 1,
        thinks=bool((config.get("thinkingConfig") or {}).get("includeThoughts")),
    )


def counted(body: dict[str, Any]) -> Prompt:
    """Of countTokens, which takes contents alone or a whole request."""
    return read(body | (body.get("generateContentRequest") or {}))


def _text(content: dict[str, Any]) -> str:
    return "\n".join(part["text"] for part in content.get("parts") or () if "text" in part)


def _result(content: dict[str, Any]) -> str | None:
    told = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
    return "\n".join(_told(one["response"]) for one in told) if told else None


def _told(response: dict[str, Any]) -> str:
    """What a function gave: usually under `result` or `output`."""
    for name in ("result", "output"):
        if isinstance(response.get(name), str):
            return str(response[name])
    return dumps(response)


def _calling(body: dict[str, Any]) -> dict[str, Any]:
    return (body.get("toolConfig") or {}).get("functionCallingConfig") or {}


def _tools(body: dict[str, Any]) -> Iterator[Tool]:
    if _calling(body).get("mode") == "NONE":
        return
    for tool in body.get("tools") or ():
        for declared in tool.get("functionDeclarations") or ():
            schema = declared.get("parametersJsonSchema") or _lower(declared.get("parameters"))
            yield Tool(declared["name"], schema or {})


def _forced(body: dict[str, Any]) -> str | None:
    calling = _calling(body)
    if calling.get("mode") != "ANY":
        return None
    names = calling.get("allowedFunctionNames") or [""]
    return str(names[0])


def _schema(config: dict[str, Any]) -> Any:
    if config.get("responseMimeType") != "application/json":
        return None
    anything = {"type": "object", "properties": {"answer": {"type": "string"}}}
    return config.get("responseJsonSchema") or _lower(config.get("responseSchema")) or anything


def _lower(schema: Any) -> Any:
    """Google's schemas name types in capitals, `OBJECT`."""
    if isinstance(schema, list):
        return [_lower(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else _lower(value)
        for key, value in schema.items()
    }


def whole(reply: Reply) -> dict[str, Any]:
    return _answer(reply, list(_parts(reply)), finished=True)


def events(reply: Reply, _body: Mapping[str, Any]) -> Iterator[Event]:
    """Every piece is an answer of its own; the last has the finish reason and the counts, and
    nothing else marks the end."""
    for part in _parts(reply):
        for piece in _cut(part, reply):
            yield Event("", dumps(_answer(reply, [piece], finished=False)))
    yield Event("", dumps(_answer(reply, [{"text": ""}], finished=True)), last=True)


def _cut(part: Part, reply: Reply) -> Iterator[Part]:
    """A function call comes whole."""
    if "text" not in part:
        yield part
        return
    for piece in pieces(part["text"]) if "thought" in part else reply.pieces:
        yield part | {"text": piece}


def _parts(reply: Reply) -> Iterator[Part]:
    if reply.thinking:
        yield {"text": reply.thinking, "thought": True}
    sealed = {"thoughtSignature": signature(reply.thinking)} if reply.thinking else {}
    if not reply.calls and not reply.refusal:
        yield {"text": reply.text}
    for call in reply.calls:
        told = {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}
        yield {"functionCall": told} | sealed
        sealed = {}


def _answer(reply: Reply, parts: list[Part], *, finished: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}}
    if finished and "no-finish" not in reply.script:
        candidate["finishReason"] = (
            "SAFETY" if reply.refusal else FINISHES.get(reply.finish, reply.finish)
        )
    answer: dict[str, Any] = {
        "candidates": [candidate | {"index": index} for index in range(reply.prompt.choices)],
        "modelVersion": reply.prompt.model,
        "responseId": reply.id,
    }
    counts = finished and "no-usage" not in reply.script
    return answer | {"usageMetadata": _usage(reply)} if counts else answer


def _usage(reply: Reply) -> dict[str, Any]:
    """The candidates' count leaves out the thoughts."""
    usage = reply.usage
    return {
        "promptTokenCount": usage.prompt,
        "cachedContentTokenCount": usage.cached,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.prompt + usage.output,
    }


def error(status: int, message: str, _code: str) -> dict[str, Any]:
    word = STATUSES.get(status, "INTERNAL")
    return {"error": {"code": status, "message": message, "status": word}}


def error_event(message: str, code: str) -> Event:
    return Event("", dumps(error(500, message, code)), last=True)


def embedded(body: dict[str, Any]) -> dict[str, Any]:
    """The answer of embedContent."""
    return {"embedding": _vector(body)}


def batch_embedded(body: dict[str, Any]) -> dict[str, Any]:
    """The answer of batchEmbedContents."""
    return {"embeddings": [_vector(request) for request in body["requests"]]}


def _vector(request: dict[str, Any]) -> dict[str, Any]:
    size = request.get("outputDimensionality") or DIMENSIONS
    return {"values": vector(_text(request["content"]), size)}
