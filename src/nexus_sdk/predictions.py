"""An attempt that takes several exchanges: a prediction is created, asked for until it has ended or
read along at an address of its own, and cancelled when nobody waits for it any more.

What comes next is decided by `wire/dialects/replicate/polling.py`, which also sees to it that every
address lies where the credential may go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.effects import Send, Wait
from nexus_sdk.errors import CallerLeft, UpstreamFailed
from nexus_sdk.model import Failure, Response
from nexus_sdk.stages import retry
from nexus_sdk.wire.dialects.replicate import polling, response, stream
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.effects import Flow
    from nexus_sdk.model import Headers, Upstream
    from nexus_sdk.pipe import Opening
    from nexus_sdk.stages.sending import Prepared
    from nexus_sdk.stages.trail import Clock
    from nexus_sdk.wire.json import Json

AGAIN_S = (1.0, 2.0, 4.0)
"""Waits before a question about a prediction is put again when it was not answered. To create
another one in its place would be paid for twice."""
CANCEL_S = 10.0
_ENDS_HERE = frozenset({"content-type", "idempotency-key", "accept"})
_JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class _Prediction:
    """One that is under way. `until`: when the caller's patience ends, by `clock`. `cancel`: what
    ends it, once its address is known."""

    upstream: Upstream
    base_url: str
    headers: Headers
    clock: Clock
    until: float | None
    opening: Opening | None
    cancel: Upstream | None = None

    def left_s(self) -> float | None:
        return None if self.until is None else self.until - self.clock.ticks()

    def lasts(self, seconds: float) -> bool:
        """Is there time for a wait of so long, and a question after it?"""
        left = self.left_s()
        return left is None or left > seconds

    def question(self, url: str) -> Upstream:
        return replace(
            self.upstream,
            method="GET",
            url=url,
            headers=self.headers,
            body=b"",
            stream=False,
            total_s=self.left_s(),
        )

    def told(self, doc: Json) -> None:
        """What a prediction says of how it is cancelled."""
        url = polling.cancel_url(doc, self.base_url)
        if url:
            self.cancel = replace(self.question(url), method="POST", total_s=CANCEL_S)


def send(
    prepared: Prepared, base_url: str, clock: Clock, opening: Opening | None
) -> Flow[Response | Failure]:
    """The ended prediction, or its stream, as if it had come in one exchange."""
    upstream = prepared.upstream
    patience_s = _patience_s(upstream)
    here = _Prediction(
        upstream,
        base_url,
        {name: text for name, text in upstream.headers.items() if name not in _ENDS_HERE},
        clock,
        None if patience_s is None else clock.ticks() + patience_s,
        opening,
    )
    own = polling.creation(patience_s, upstream.read_s, streams=opening is not None)
    headers = {**upstream.headers, **own}
    try:
        reply = yield from Send(replace(upstream, headers=headers, stream=False))
        reply = yield from _followed(here, reply)
    except CallerLeft:
        yield from _cancelled(here)
        raise
    return reply


def _patience_s(upstream: Upstream) -> float | None:
    """A prediction that is asked for again and again is a silent upstream all the while."""
    return upstream.read_s if upstream.total_s is None else upstream.total_s


def _followed(here: _Prediction, reply: Response | Failure) -> Flow[Response | Failure]:
    polls = 0
    while isinstance(reply, Response) and reply.status < 300:
        doc = _document(reply)
        here.told(doc)
        step = polling.next_step(doc, here.base_url, polls=polls, stream=here.opening is not None)
        if not isinstance(step, polling.Poll):
            return (yield from _ended(here, step, reply, doc))
        if not here.lasts(step.after_s):
            reply = Failure("timeout", "its prediction took longer than the time allowed in total")
            break
        yield from Wait(step.after_s)
        polls += 1
        reply = yield from _asked(here, step.url)
    yield from _cancelled(here)
    return reply


def _document(reply: Response) -> Json:
    try:
        doc = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return {}
    return doc if isinstance(doc, dict) else {}


def _asked(here: _Prediction, url: str) -> Flow[Response | Failure]:
    reply = yield from Send(here.question(url))
    for wait_s in AGAIN_S:
        if retry.outcome(reply) in (None, "ok") or not here.lasts(wait_s):
            break
        yield from Wait(wait_s)
        reply = yield from Send(here.question(url))
    return reply


def _ended(
    here: _Prediction, step: polling.Step, reply: Response, doc: Json
) -> Flow[Response | Failure]:
    if isinstance(step, polling.Failed):
        if doc.get("status") in response.ENDED_BADLY:
            return _told(step.error)
        yield from _cancelled(here)
        assert step.error.failure is not None
        return step.error.failure
    if isinstance(step, polling.Stream):
        return (yield from _read_along(here, step.url))
    return _whole(here, reply, doc)


def _told(error: UpstreamFailed) -> Response:
    """A prediction that failed, as an error of its service: it may be had elsewhere, and not by
    asking again."""
    body = {"title": "prediction failed", "detail": error.message, "code": error.code}
    return Response(502, {**_JSON, "x-should-retry": "false"}, dumps(body))


def _read_along(here: _Prediction, url: str) -> Flow[Response | Failure]:
    opening = here.opening
    assert opening is not None
    question = replace(
        here.question(url),
        headers={**here.headers, **polling.STREAM_HEADERS, "accept-encoding": "identity"},
        stream=True,
        total_s=here.upstream.total_s,
    )
    reply = yield from Send(question, opening)
    if opening.first:
        opening.cancel = here.cancel
    else:
        yield from _cancelled(here)
    return reply


def _whole(here: _Prediction, reply: Response, doc: Json) -> Response | Failure:
    """An ended prediction; as the stream that its model does not have, where one was asked for."""
    opening = here.opening
    if opening is None:
        return replace(reply, status=200)
    try:
        data = stream.written(doc)
    except UpstreamFailed as err:
        return err.failure or Failure("protocol", err.message)
    opening.feed(data)
    opening.pipe.usage = response.usage(doc)
    return Response(200, {"content-type": "text/event-stream"}, data, streamed=True)


def _cancelled(here: _Prediction) -> Flow[None]:
    """Nobody waits for it any more. Whether that was heard changes nothing here."""
    if here.cancel is not None:
        cancel, here.cancel = here.cancel, None
        yield from Send(cancel)
