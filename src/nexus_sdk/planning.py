"""Step 5: which targets, in which order. A routing tree is pure; only a `smart` node has to ask a
model on the way."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from nexus_sdk import predictions
from nexus_sdk.effects import Send
from nexus_sdk.errors import NexusError
from nexus_sdk.model import Failure
from nexus_sdk.stages import answering, routing, smart
from nexus_sdk.stages.reading import Call
from nexus_sdk.stages.selectors import Ask
from nexus_sdk.stages.sending import prepare
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.shape import MISSHAPEN

if TYPE_CHECKING:
    from nexus_sdk.effects import Flow
    from nexus_sdk.exchange import Exchange
    from nexus_sdk.stages.routing import Plan
    from nexus_sdk.stages.tree import Smart

ROUTER_PREFIX_CHARS = 4096
"""How much of a conversation's beginning decides where it sticks."""


def ask_of(exchange: Exchange, call: Call) -> Ask:
    """What routing and limits may know of a request."""
    facts = call.facts
    return Ask(
        model=facts.model,
        endpoint=call.request.endpoint,
        dialect=call.dialect.name if call.dialect else "",
        stream=facts.stream,
        tools=facts.tools,
        input_tokens=call.input_tokens,
        caller=exchange.trail.caller,
        origin=exchange.snapshot.origin_name(call.request),
        prompt_hash=_prompt_hash(call) if exchange.snapshot.sticky(facts.model) else "",
        draw=exchange.clock.draw(),
        framing=call.framing,
        health=exchange.snapshot.health.at(exchange.clock.ticks()),
    )


def _prompt_hash(call: Call) -> str:
    """The same for every turn of one conversation: its first texts do not change."""
    first = "\0".join(leaf.text for leaf in call.texts[:2])
    return sha256(first[:ROUTER_PREFIX_CHARS].encode("utf-8", "surrogatepass")).hexdigest()


def plan(exchange: Exchange, call: Call) -> Flow[Plan]:
    """Raises NotFound, NotAllowed."""
    answers: dict[str, str | None] = {}
    while True:
        found = routing.plan(exchange.snapshot.routes, exchange.ask, answers)
        if isinstance(found, routing.Plan):
            return found
        answers[found.node.path] = yield from _choice(exchange, call, found.node)


def _choice(exchange: Exchange, call: Call, node: Smart) -> Flow[str | None]:
    """The router's choice; None on any fault of its, which takes the node's `otherwise`."""
    doc = smart.question(node, call.texts[-1].text if call.texts else "")
    chat = ENDPOINTS["chat"]
    request = exchange.trail.request
    question = Call(
        request, chat, DIALECTS[chat.dialect], doc, dumps(doc), Facts(model=node.router.model)
    )
    began = exchange.clock.ticks()
    try:
        account = exchange.snapshot.account(node.router, question)
        prepared = prepare(question, node.router, account, refuse_drops=False)
        upstream = replace(prepared.upstream, total_s=node.timeout_s, read_s=node.timeout_s)
        if prepared.predicts:
            hurried = replace(prepared, upstream=upstream)
            reply = yield from predictions.send(hurried, account.base_url, exchange.clock, None)
        else:
            reply = yield from Send(upstream)
        exchange.trail.attempt(node.router, reply, began)
        judged, answer = (
            (reply, None) if isinstance(reply, Failure) else answering.judged(reply, question)
        )
        if isinstance(judged, Failure) or judged.status >= 300 or prepared.dialect is None:
            return None
        if usage := prepared.dialect.usage(answer):
            exchange.book(node.router, usage)
        text = prepared.dialect.decode_response(answer)["choices"][0]["message"].get("content")
        return smart.chosen(node, text) if isinstance(text, str) else None
    except (NexusError, *MISSHAPEN) as err:
        exchange.trail.notes.append(
            f"router {node.router.provider}/{node.router.model}: {type(err).__name__}"
        )
        return None
