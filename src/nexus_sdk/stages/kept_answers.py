"""Kept answers as their clients read them: the pages of their items, and their events again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects.openai_responses.words import OURS
from nexus_sdk.wire.sse import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.model import Kept
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

MAX_PAGE, PAGE = 100, 20
"""Items of one page: at most, and without `limit`
(https://platform.openai.com/docs/api-reference/responses/input-items)."""


def page(history: tuple[Kept, ...], query: Mapping[str, str]) -> Json:
    """The items that an answer was made from, those of the answers that it follows included.
    Raises Malformed."""
    items = _numbered(history)
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise Malformed(f"order must be asc or desc, not {order[:32]!r}", param="order")
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    first = _place(ids, query, "after") + 1 if "after" in query else 0
    last = _place(ids, query, "before") if "before" in query else len(items)
    limit = _limit(query.get("limit", str(PAGE)))
    shown = items[first:last]
    # Before an item means next to it, unless it is also said where to begin.
    data = shown[-limit:] if "before" in query and "after" not in query else shown[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(shown) > len(data),
    }


def _limit(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given[:9]) <= MAX_PAGE:
        raise Malformed(f"limit must be a number from 1 to {MAX_PAGE}", param="limit")
    return int(given)


def _place(ids: list[str], query: Mapping[str, str], name: str) -> int:
    if query[name] not in ids:
        raise Malformed(f"{name}: there is no item {query[name][:64]!r}", param=name)
    return ids.index(query[name])


_PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


def _numbered(history: tuple[Kept, ...]) -> list[Json]:
    """The items of all requests and, but for the last, of the answers, each with an id."""
    out: list[Json] = []
    for place, link in enumerate(reversed(history), start=1):
        if not link.body:
            continue
        items = orjson.loads(link.items)
        if place < len(history):
            items += orjson.loads(link.body)["output"]
        out += [_listed(item, link.id, number) for number, item in enumerate(items)]
    return out


def _listed(item: Json, response: str, number: int) -> Json:
    """An item of the input as the API lists it: its parts written out, with an id and a status."""
    kind = item.get("type") or "message"
    made = f"{_PREFIXES.get(kind, 'item')}{OURS}{response}_in_{number}"
    full = {"id": made, "type": kind, "status": "completed"} | item
    if kind == "message" and isinstance(item.get("content"), str):
        assistant = item.get("role") == "assistant"
        part: Json = {"type": "output_text" if assistant else "input_text", "text": item["content"]}
        full["content"] = [part | ({"annotations": []} if assistant else {})]
    return full


def told_again(doc: Json) -> list[StreamEvent]:
    """The events of an answer that was not streamed: each item at once."""
    opened = doc | {"status": "in_progress", "output": [], "usage": None}
    steps: list[Json] = [
        {"type": f"response.{name}", "response": opened} for name in ("created", "in_progress")
    ]
    for index, item in enumerate(doc["output"]):
        steps += [
            {"type": f"response.output_item.{name}", "output_index": index, "item": item}
            for name in ("added", "done")
        ]
    ended = doc.get("status") or "completed"
    steps.append({"type": f"response.{ended}", "response": doc})
    return [
        new_event(step["type"], step | {"sequence_number": number})
        for number, step in enumerate(steps)
    ]


def recorded(stream: bytes) -> list[StreamEvent]:
    """The events of a stream that was kept, but for a bare end marker."""
    events = Decoder().feed(stream)
    for event in events:
        event.doc = None if event.data.startswith(b"[DONE]") else orjson.loads(event.data)
    return [event for event in events if event.doc is not None]
