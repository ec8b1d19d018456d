"""Ended predictions ↔ canonical answers, and errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nexus_sdk.errors import Blocked, Malformed, UpstreamFailed
from nexus_sdk.model import Failure, Usage
from nexus_sdk.wire import counts
from nexus_sdk.wire.canonical import text_of, without
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.wire.dialect import ErrorFacts, Reply
    from nexus_sdk.wire.json import Json

ENDED_BADLY = frozenset({"failed", "canceled", "aborted"})
_TRANSLATED = frozenset({"id", "model", "version", "input", "output", "status", "error"})
_OURS = frozenset({"urls", "logs", "source", "data_removed"})
"""Of use to the account alone: addresses that its credential opens, and what the machine said."""


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a prediction that failed or has not ended, and for a document that
    is none."""
    status = doc.get("status") if isinstance(doc, dict) else None
    if status in ENDED_BADLY:
        raise failed(str(status), doc.get("error"))
    if status != "succeeded":
        raise UpstreamFailed("the upstream's answer is no prediction that has ended")
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": _text(doc.get("output"))},
        "finish_reason": "stop",
    }
    used = usage(doc)
    told = {} if used is None else {"usage": counts.canonical(used)}
    head = {"id": doc.get("id") or "", "object": "chat.completion"}
    head["model"] = doc.get("model") or doc.get("version") or ""
    return without(doc, _TRANSLATED | _OURS) | head | {"choices": [choice]} | told


def failed(status: str, error: Json) -> UpstreamFailed:
    """A prediction that ended without an answer, in its own words."""
    said = error if isinstance(error, str) and error else f"the prediction was {status}"
    return UpstreamFailed(
        said,
        failure=Failure("protocol", f"its prediction was {status}"),
        code=f"prediction_{status}",
    )


def _text(output: Json) -> str:
    """A text, a list of its pieces, or another value as JSON. Raises UpstreamFailed for none."""
    if output is None:
        raise UpstreamFailed("the upstream's prediction has no output")
    if isinstance(output, str):
        return output
    if isinstance(output, list) and all(isinstance(piece, str) for piece in output):
        return "".join(output)
    return dumps(output).decode()


def encode(chat: Json, reply: Reply) -> Json:
    """One that has succeeded. Language models answer a list of pieces; this has one. Raises
    UpstreamFailed for tool calls, which a prediction cannot tell."""
    message = chat["choices"][0]["message"]
    if message.get("tool_calls"):
        raise UpstreamFailed("the upstream's answer calls tools, which a prediction cannot tell")
    text = text_of(message.get("content")) or message.get("refusal") or ""
    moment = datetime.fromtimestamp(chat.get("created") or reply.created, UTC).isoformat()
    body: Json = {
        "id": chat.get("id") or reply.id,
        "model": chat.get("model") or reply.model,
        "version": reply.request.get("version") or "",
        "input": reply.request.get("input") or {},
        "output": [text],
        "status": "succeeded",
        "error": None,
        "created_at": moment,
        "completed_at": moment,
        "urls": {},
        "metrics": _metrics(chat.get("usage")),
    }
    rest = without(chat, {"choices", "usage", "object", "created", "service_tier"})
    return body | without(rest, body.keys() - {"metrics", "created_at", "completed_at"})


def _metrics(told: Json) -> Json:
    used = counts.read(told)
    if used is None:
        return {}
    return {"input_token_count": used.input, "output_token_count": used.output}


def usage(doc: Json) -> Usage | None:
    """Official models count tokens; the others are paid by the second."""
    told = doc.get("metrics")
    if not isinstance(told, dict) or not told.keys() & {"input_token_count", "output_token_count"}:
        return None
    tokens = (told.get("input_token_count"), told.get("output_token_count"))
    return Usage(input=counts.count(tokens[0]), output=counts.count(tokens[1]))


def encode_error(err: NexusError, request_id: str) -> Json:
    """RFC 9457's members, as Replicate writes them, https://replicate.com/docs/reference/http."""
    body: Json = {"title": err.kind, "detail": err.message, "status": err.status}
    body |= {"code": err.code, "request_id": request_id}
    if isinstance(err, Malformed) and err.param:
        body["param"] = err.param
    if isinstance(err, Blocked):
        body["rules"] = list(err.rules)
    return body


def relay_error(told: ErrorFacts, request_id: str) -> Json:
    body: Json = {"title": told.type or "upstream error", "detail": told.message}
    more = {"status": told.status, "code": told.code, "param": told.param}
    return body | {key: value for key, value in more.items() if value} | {"request_id": request_id}
