"""Does an exchange come back as it was from its own dialect's canonical form?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bench.recorded.differences import Difference, differences
from bench.recorded.normal import normal
from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire.dialect import Reply
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.recorded.exchanges import Exchange
    from nexus_sdk.wire.dialect import Dialect
    from nexus_sdk.wire.json import Json


def again(doc: Json) -> Json:
    """A copy that shares nothing."""
    return orjson.loads(orjson.dumps(doc))


def canonical_request(exchange: Exchange) -> Json:
    chat = DIALECTS[exchange.dialect].decode_request(again(exchange.request))
    return ({"model": exchange.model} if exchange.model else {}) | chat


def reply_to(exchange: Exchange) -> Reply:
    """To a caller who asks for the counts of a stream: some providers tell them unasked."""
    asked = exchange.request or {}
    options = (asked.get("stream_options") or {}) | {"include_usage": True}
    return Reply(asked | {"stream_options": options}, "request", exchange.model or "model", 1)


def request(exchange: Exchange) -> list[Difference]:
    """A chat completion is canonical as it is: it goes on as it would to a provider of its own
    dialect. What of it OpenAI alone would not take is judged as a crossing."""
    dialect = DIALECTS[exchange.dialect]
    asked = exchange.request
    named = exchange.model and "model" not in asked and exchange.dialect == "anthropic"
    dialect.read(asked | {"model": exchange.model} if named else asked)
    report = Report()
    if dialect.strip_foreign(asked, report) is not asked:
        return [Difference("(strip_foreign)", "untouched", "changed")]
    chat = canonical_request(exchange)
    own = exchange.dialect == "openai_chat"
    back = chat if own else dialect.encode_request(again(chat), report)
    told = [Difference(loss.param, "sent", loss.reason) for loss in report.drops + report.omissions]
    told += [Difference(change, "as it was", "changed") for change in report.changes]
    if named:
        back = {key: value for key, value in back.items() if key != "model"}
    before, after = (normal(doc, "request", exchange.dialect) for doc in (asked, back))
    return told + list(differences(before, after))


UNFINISHED = frozenset({"queued", "in_progress"})


def answer(exchange: Exchange) -> list[Difference]:
    dialect = DIALECTS[exchange.dialect]
    if is_unfinished(exchange):
        return []
    chat = dialect.decode_response(again(exchange.answer))
    back = dialect.encode_response(again(chat), reply_to(exchange))
    before, after = (normal(doc, "answer", exchange.dialect) for doc in (exchange.answer, back))
    return [told for told in differences(before, after) if not _filled_in(told)]


def _filled_in(told: Difference) -> bool:
    """Is it a name that the upstream did not give, and our own stands in for?"""
    return told.path in {"responseId", "modelVersion", "model"} and told.before == "(absent)"


def chunks(dialect: Dialect, events: Iterable[StreamEvent]) -> list[Json]:
    decoder = dialect.stream_decoder()
    out: list[Json] = []
    for event in events:
        if error := dialect.stream_error(event):
            raise error
        out += decoder.feed(StreamEvent(event.name, event.data, again(event.doc)))
    return out + decoder.close()


def told_events(dialect: Dialect, told: list[Json], reply: Reply) -> list[StreamEvent]:
    encoder = dialect.stream_encoder(reply)
    return [event for chunk in told for event in encoder.feed(again(chunk))] + encoder.close()


def stream(exchange: Exchange) -> list[Difference]:
    dialect = DIALECTS[exchange.dialect]
    try:
        told = chunks(dialect, exchange.events)
    except UpstreamFailed as failed:
        # The stream ends in the vendor's error: it is told as that, and never as an end.
        return [] if str(failed) else [Difference("(error)", "told", "without a message")]
    back = told_events(dialect, told, reply_to(exchange))
    before, after = (
        normal(_listed(events), "events", exchange.dialect) for events in (exchange.events, back)
    )
    return list(differences(before, after))


def _listed(events: Iterable[StreamEvent]) -> Json:
    return [
        [event.name, orjson.loads(event.data) if event.data[:1] == b"{" else {}] for event in events
    ]


def error(exchange: Exchange) -> list[Difference]:
    """Whatever the body says of the error (its type, code, parameter, words) is told in every
    dialect's own shape, so that it is read there again."""
    dialect = DIALECTS[exchange.dialect]
    facts = dialect.decode_error(exchange.status, exchange.error)
    body = orjson.loads(exchange.error)
    back = dialect.relay_error(facts, "request")
    return [
        told
        for told in differences(body, back)
        if told.before != "(absent)" and told.path not in {"id", "request_id"} and told.before
    ]


def is_unfinished(exchange: Exchange) -> bool:
    """Is the answer one to a request in the background, which is no answer yet?"""
    return exchange.answer is not None and exchange.answer.get("status") in UNFINISHED
