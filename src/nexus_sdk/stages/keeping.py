"""What is kept of the Responses API, and how a kept conversation goes on at any target.

OpenAI's own API keeps answers: `previous_response_id` goes on from one, and clients read, list and
delete them (https://platform.openai.com/docs/guides/conversation-state). Where the target keeps
none, we do. A kept text is what was inspected, with its placeholders
(`docs/decisions/0008-kept-answers.md`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import orjson

from nexus_sdk.errors import Malformed, NotFound, Unsupported
from nexus_sdk.model import Kept
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.openai_responses.stream import ENDS
from nexus_sdk.wire.dialects.openai_responses.words import OURS
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.json import at, dumps
from nexus_sdk.wire.json_text import escaped
from nexus_sdk.wire.texts import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nexus_sdk.model import Caller, Target
    from nexus_sdk.policy.document import Responses
    from nexus_sdk.policy.snapshot import Account
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

DIALECT = "openai_responses"
OPERATIONS = frozenset(key for key, row in ENDPOINTS.items() if row.kind == "kept")
"""The operations on answers that are kept."""


@dataclass(slots=True)
class Memory:
    """Of one request. `owner`: a digest of who asks. `wants`: the request lets its answer be kept.
    `history`: the kept answers that it follows, newest first; `turns`: their items, oldest first,
    inspected once more."""

    owner: str
    rule: Responses
    wants: bool
    history: tuple[Kept, ...] = ()
    turns: list[Turn] = field(default_factory=list)

    @property
    def texts(self) -> bool:
        """Is the answer of a target kept that keeps none itself?"""
        return self.wants and self.rule.store != "never"


class Turn(NamedTuple):
    """A kept answer and all of its items, those of the request first."""

    kept: Kept
    items: list[Json]


def owner(caller: Caller) -> str:
    """Who made an answer, as a digest: the key, and on whose behalf."""
    who = (caller.key_id, caller.user, caller.project, caller.organisation)
    return sha256(orjson.dumps(who)).hexdigest()


def memory(call: Call, rule: Responses, caller: Caller) -> Memory | None:
    """None for what nobody keeps. Unknown callers are not one caller, so theirs is not kept."""
    if call.dialect is None or call.dialect.name != DIALECT:
        return None
    wants = call.doc.get("store") is not False and bool(caller.key_id)
    return Memory(owner(caller), rule, wants)


def id_for(call: Call) -> str:
    """The id of an answer that we keep: an upstream's own need not be unique."""
    return f"resp{OURS}{call.request.id.replace('-', '')}"


def is_ours(response_id: str) -> bool:
    """No provider knows such an id, so none is asked for it."""
    return OURS in response_id


# ---- refusals, in OpenAI's words -----------------------------------------------------------------


def unknown_previous(response_id: str) -> Malformed:
    """The API answers 400 here, and 404 where an answer itself is asked for
    (https://developers.openai.com/api/docs/guides/websocket-mode, errors)."""
    return Malformed(
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def unknown(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id}' not found.")


# ---- going on from a kept answer -----------------------------------------------------------------


def told_items(given: Json) -> list[Json]:
    """The `input` of a request as a list of items."""
    if given is None:
        return []
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given)


def turns(history: tuple[Kept, ...]) -> list[Turn]:
    """What is kept of a conversation, oldest first."""
    return [
        Turn(kept, orjson.loads(kept.items) + orjson.loads(kept.body)["output"])
        for kept in reversed(history)
        if kept.body
    ]


def is_native(target: Target, account: Account) -> bool:
    """Does the target keep the answers of this API itself?"""
    return account.keeps and (account.own or _speaks(target, account))


def _speaks(target: Target, account: Account) -> bool:
    way = account.ways(target.model).get("responses")
    return way is not None and way.dialect == DIALECT


def told(memory: Memory, call: Call, target: Target, account: Account) -> Call:
    """The request as this target has to be told it: as it came where the target knows what went
    before, else with the whole conversation. Raises Unsupported, Malformed."""
    native = is_native(target, account)
    previous = call.doc.get("previous_response_id")
    if native and _is_known_there(memory, previous, target, account):
        return call
    gone = set() if native else _kept_here(memory, call)
    if previous:
        gone.add("previous_response_id")
    doc = without(call.doc, gone)
    if previous:
        if not memory.history:
            raise unknown_previous(previous)
        _refuse_gaps(memory.history)
        speaks = native or _speaks(target, account)
        before = [
            item
            for kept, items in memory.turns
            for item in (_moved(items) if speaks and _is_elsewhere(kept, target) else items)
        ]
        doc["input"] = [*before, *told_items(call.doc.get("input"))]
    return replace(call, doc=doc, body=dumps(doc)) if gone else call


def changes(call: Call, told: Call) -> list[str]:
    """What `told` changed, for the report of fidelity."""
    if told is call:
        return []
    words = {"previous_response_id": "input", "store": "(kept here)"}
    return [f"{name}->{form}" for name, form in words.items() if name in call.doc.keys() - told.doc]


def _is_known_there(memory: Memory, previous: str | None, target: Target, account: Account) -> bool:
    """An id that we do not know may still be one of the caller's own account."""
    if not previous:
        return True
    if not memory.history:
        return account.own
    head = memory.history[0]
    return head.native and not _is_elsewhere(head, target)


def _is_elsewhere(kept: Kept, target: Target) -> bool:
    return kept.native and kept.target.provider != target.provider


def _kept_here(memory: Memory, call: Call) -> set[str]:
    """The members that a target which keeps nothing is not told. Raises Unsupported."""
    if call.doc.get("background"):
        raise Unsupported(
            "background: this model's provider makes no answers in the background; "
            "leave it out, or stream",
            param="background",
        )
    return {"store"} if call.doc.get("store") and memory.texts else set()


def _refuse_gaps(history: tuple[Kept, ...]) -> None:
    for kept in history:
        if not kept.body:
            raise Unsupported(
                f"previous_response_id: {kept.id} is kept by {kept.target.provider!r} alone; "
                "send the whole conversation, or set `responses: {store: always}` in the policy",
                param="previous_response_id",
            )
    if history[-1].previous:
        raise unknown_previous(history[-1].previous)


def _moved(items: list[Json]) -> list[Json]:
    """Items that another provider keeps, for one that does not know their ids; reasoning of which
    only the id could be sent stays out."""
    return [
        without(item, {"id"})
        for item in items
        if item.get("type") != "reasoning" or item.get("encrypted_content")
    ]


# ---- what is kept --------------------------------------------------------------------------------


def kept(
    memory: Memory, call: Call, target: Target, said: Said, issued: Mapping[str, str]
) -> Kept | None:
    """What is kept of an answer; None for nothing. `issued`: the values that policy put
    placeholders for."""
    rule, doc = memory.rule, said.doc
    if not memory.wants or not isinstance(doc.get("id"), str):
        return None
    if not said.native and rule.store == "never":
        return None
    made = Kept(
        doc["id"],
        memory.owner,
        call.facts.model,
        target,
        native=said.native,
        previous=call.doc.get("previous_response_id") or "",
    )
    if rule.store != "never" and said.restores and issued:
        made = replace(made, values=dumps(dict(issued)))
    if not said.whole or (said.native and rule.store != "always"):
        return made
    swaps = _swaps(issued)
    return replace(
        made,
        body=dumps(_hidden(doc, swaps)),
        items=dumps(told_items(call.doc.get("input"))),
        events=b"".join([_hidden_event(event, swaps).wire() for event in said.events]),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as the caller was given it; `events` when it was streamed. `native`: its provider
    keeps it. `restores`: policy puts values back into answers. `whole`: it has come to its end."""

    doc: Json
    native: bool
    restores: bool
    events: tuple[StreamEvent, ...] = ()
    whole: bool = True


def final(events: Iterable[StreamEvent]) -> Json:
    """The answer that a whole stream ended with; None without one."""
    for event in reversed(tuple(events)):
        doc = event.doc
        if isinstance(doc, dict) and doc.get("type") in ENDS:
            return orjson.loads(event.data)["response"]
    return None


def began(events: Iterable[StreamEvent]) -> Json:
    """The answer as a stream's first events tell it; None when they do not."""
    for event in events:
        doc = event.doc
        if isinstance(doc, dict) and isinstance(doc.get("response"), dict):
            return doc["response"]
    return None


def _swaps(issued: Mapping[str, str]) -> list[tuple[str, str]]:
    """Values and their placeholders, the longest first: one may be a part of another."""
    every = {text: token for token, value in issued.items() for text in (escaped(value), value)}
    return sorted(every.items(), key=lambda pair: -len(pair[0]))


def _hidden(doc: Json, swaps: list[tuple[str, str]]) -> Json:
    """`doc`, its values turned into placeholders again, in place."""
    for leaf in leaves(doc, DIALECTS[DIALECT].text) if swaps else ():
        text = leaf.text
        for value, token in swaps:
            text = text.replace(value, token)
        if text != leaf.text:
            at(doc, leaf.path[:-1])[leaf.path[-1]] = text
    return doc


def _hidden_event(event: StreamEvent, swaps: list[tuple[str, str]]) -> StreamEvent:
    if not swaps or event.doc is None:
        return event
    return new_event(event.name, _hidden(orjson.loads(event.data), swaps))
