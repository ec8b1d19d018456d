"""An upstream that is not there: it answers at once, so that what is measured is the pipeline
alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nexus_sdk.model import Response

if TYPE_CHECKING:
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import Upstream

CHUNKS = 100
HEADERS = {
    "content-type": "application/json",
    "x-request-id": "req_0123456789abcdef",
    "openai-processing-ms": "412",
    "x-ratelimit-remaining-requests": "9999",
}
_WORDS = "The benchmark's answer is the same every time. "


def whole_answer(size: int = 1024) -> bytes:
    """A chat completion of about `size` bytes."""
    message = {"role": "assistant", "content": "", "refusal": None}
    doc: dict[str, Any] = {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "bench",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 210, "completion_tokens": 115, "total_tokens": 325},
    }
    message["content"] = (_WORDS * (size // len(_WORDS) + 1))[: size - len(json.dumps(doc))]
    return json.dumps(doc).encode()


def pieces(count: int = CHUNKS) -> list[bytes]:
    """The events of a streamed chat completion of `count` pieces of text, as bytes."""
    words = [f" {word}" for word in (_WORDS * count).split()[:count]]
    events = [_event({"content": word}) for word in words]
    usage: dict[str, Any] = {
        "choices": [],
        "usage": {"prompt_tokens": 210, "completion_tokens": count, "total_tokens": 210 + count},
    }
    return [
        _event({"role": "assistant"}),
        *events,
        _event({}, "stop"),
        _event(None, **usage),
        b"data: [DONE]\n\n",
    ]


def _event(delta: dict[str, str] | None, finish: str | None = None, **more: Any) -> bytes:
    doc = {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "bench",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        **more,
    }
    return b"data: %b\n\n" % json.dumps(doc).encode()


class Null:
    """Has `send` as `SyncUpstream` does: one whole answer, again and again."""

    def __init__(self) -> None:
        self._answer = Response(200, HEADERS, whole_answer())

    def send(self, _call: Upstream, _opening: Opening | None = None) -> tuple[Response, None]:
        return self._answer, None


class NullStream:
    """As `Null`, a stream that hands out one event a read."""

    def __init__(self, count: int = CHUNKS) -> None:
        self._pieces = pieces(count)
        self._head = {**HEADERS, "content-type": "text/event-stream"}

    def send(self, _call: Upstream, opening: Opening | None = None) -> tuple[Response, Body]:
        body = Body(self._pieces)
        head = b""
        while data := body.read():
            head += data
            if opening is None or opening.feed(data):
                break
        return Response(200, self._head, head, streamed=True), body


class Body:
    """Has `read` and `close` as an upstream's stream does."""

    def __init__(self, given: list[bytes]) -> None:
        self._left = iter(given)

    def read(self) -> bytes:
        return next(self._left, b"")

    def close(self) -> None:
        self._left = iter(())

    def finish(self) -> None:
        """There is no connection to give back."""
