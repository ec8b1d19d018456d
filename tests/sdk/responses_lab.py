"""The pipeline with a store of responses and scripted upstreams, without any I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tests.playbook import FixedClock, snapshot

from nexus_sdk.drivers.responses import MemoryResponses
from nexus_sdk.effects import (
    Finish,
    Forget,
    Lookup,
    Recall,
    Record,
    Relay,
    Retain,
    Send,
    Settle,
    Store,
)
from nexus_sdk.model import Caller, Origin, Outcome, Request, Response
from nexus_sdk.pipeline import handle
from nexus_sdk.wire.endpoints import match
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nexus_sdk.drivers.responses import ResponseStore
    from nexus_sdk.model import Answer, Event, Upstream

JSON = {"content-type": "application/json"}
MAIL: dict[str, Any] = {
    "hooks": [
        {
            "name": "mail",
            "stages": ["request"],
            "own": [{"id": "own.mail", "expression": "[a-z]{1,20}@example\\.com"}],
        }
    ]
}
KINDS = {"o": "openai", "x": "xai", "a": "anthropic", "g": "gemini", "q": "groq", "t": "together"}


def policy(**more: Any) -> dict[str, Any]:
    """A provider of each kind, and a model at each."""
    return {
        "providers": {name: {"kind": kind, "api_key": "k"} for name, kind in KINDS.items()},
        "routing": {
            "models": {f"at-{name}": f"{name}/m" for name in KINDS},
            "unlisted": "refuse",
            "retry": {"attempts": 1},
        },
        "compliance": MAIL,
        **more,
    }


@dataclass
class Lab:
    """`replies`: documents that upstreams answer with, the next one first; a `Response` as it
    is."""

    rules: dict[str, Any] = field(default_factory=policy)
    store: ResponseStore = field(default_factory=MemoryResponses)
    replies: list[Any] = field(default_factory=list)
    sent: list[Upstream] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    cache: dict[str, Any] = field(default_factory=dict)
    origin: Origin | None = None
    key: str = "app:lab"
    count: int = 0

    def __post_init__(self) -> None:
        self.snapshot = snapshot(self.rules)

    def ask(
        self, path: str, body: Any = None, *, method: str = "POST", user: str = "ann"
    ) -> tuple[Answer, list[Any]]:
        """The answer, and the documents of its stream."""
        path, _, query = path.partition("?")
        found = match(method, path)
        assert found is not None
        self.count += 1
        request = Request(
            id=f"00000000-0000-0000-0000-{self.count:012}",
            door="sdk",
            endpoint=found.endpoint.key,
            body=b"" if body is None else dumps(body),
            method=method,
            path=path,
            query=query,
            caller=Caller(self.key, user),
            origin=self.origin,
        )
        return self._run(request)

    def create(self, **body: Any) -> Any:
        answer, _ = self.ask("/responses", body)
        assert answer.status == 200, answer.body
        return _doc(answer)

    def _run(self, request: Request) -> tuple[Answer, list[Any]]:
        flow, reply, begun, told = handle(request, self.snapshot, FixedClock()), None, None, []
        while True:
            try:
                effect: Any = flow.send(reply)
            except StopIteration:
                assert begun is not None
                return begun, told
            reply = None
            if type(effect) is Finish:
                begun = effect.answer or begun
                told += [event.doc for event in effect.tail]
            elif type(effect) is Relay:
                begun, reply = effect.answer, Outcome()
                told += [event.doc for event in (*effect.first, *effect.pipe.feed(b""))]
            else:
                reply = self._performed(effect)

    def _performed(self, effect: Any) -> Any:
        return self._PERFORMING[type(effect)](self, effect)

    def _send(self, effect: Send) -> Response:
        self.sent.append(effect.upstream)
        reply = self.replies.pop(0)
        made = reply if isinstance(reply, Response) else Response(200, JSON, dumps(reply))
        if made.streamed:
            assert effect.opening is not None
            effect.opening.feed(made.body)
        return made

    _PERFORMING: ClassVar[dict[type, Callable[[Any, Any], object]]] = {
        Send: _send,
        Recall: lambda lab, told: lab.store.recall(told.owner, told.id, chain=told.chain),
        Retain: lambda lab, told: lab.store.retain(told.kept, told.ttl_s),
        Forget: lambda lab, told: lab.store.forget(told.owner, told.id),
        Record: lambda lab, told: lab.events.append(told.event),
        Lookup: lambda lab, told: lab.cache.get(told.key),
        Store: lambda lab, told: lab.cache.update({told.key: told.answer} if told.answer else {}),
        Settle: lambda _lab, _told: None,
    }


def _doc(answer: Answer) -> Any:
    return json.loads(answer.body)


def claude(*content: Any) -> dict[str, Any]:
    """An answer of Anthropic's."""
    uses = any(block["type"] == "tool_use" for block in content)
    return {
        "id": "msg_same",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": list(content),
        "stop_reason": "tool_use" if uses else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def openai_response(name: str, said: str = "hi", **more: Any) -> dict[str, Any]:
    """An answer of a provider that speaks this API."""
    part = {"type": "output_text", "text": said, "annotations": []}
    item = {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed"}
    return {
        "id": name,
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "error": None,
        "output": [item | {"content": [part]}],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        **more,
    }


def sse(events: Iterable[dict[str, Any]]) -> Response:
    """A stream that was read to its end at once."""
    body = b"".join(
        f"event: {doc['type']}\n".encode() + b"data: " + dumps(doc) + b"\n\n" for doc in events
    )
    return Response(200, {"content-type": "text/event-stream"}, body, streamed=True)
