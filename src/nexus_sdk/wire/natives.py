"""What only one vendor has, on its way through the canonical form: back at its origin it is whole,
and every other vendor's encoder tells that it stays behind.

A request carries `provider_options`, a list of `{"origin", "name", "value"}`: members that only the
origin knows. Optional in an entry: `lost`, the addresses to report, where they are not `name`
itself (none, when other members of the request say the same); `covers`, those members, which the
origin leaves out; `hint`, true when the answer means the same without it; `must`, why no other
vendor can answer without it.

A text part carries `native`, `{"origin", "form"}`: in the origin's request it had another form, of
which it is the plain text. The citations of a former answer, `annotations` with an `origin`, are
its own too.

An answer, or a chunk of one, carries `provider_answer`, `{"origin", "members"}`: what its origin
alone tells beside the content. A chunk carries `provider_event`, `{"origin", "event"}`: an event of
the origin that has no other meaning. A message or a delta carries `native`, `{"origin", "form"}`:
the members as they were spelled. They are told at their origin; no other dialect has a place for
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire.canonical import without

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

OPTIONS = "provider_options"
ANSWER = "provider_answer"
EVENT = "provider_event"
MARKS = frozenset({ANSWER, EVENT})


def answer(origin: str, members: Json) -> Json:
    """The member of an answer or a chunk that keeps what only `origin` tells."""
    return {ANSWER: {"origin": origin, "members": members}}


def own_answer(chat: Json, origin: str) -> Json | None:
    """What `origin` alone told with this answer or chunk; None for another's."""
    told = chat.get(ANSWER)
    return told["members"] if told and told["origin"] == origin else None


def own_event(chunk: Json, origin: str) -> Json:
    """The event of `origin` that this chunk keeps; None where there is none."""
    told = chunk.get(EVENT)
    return told["event"] if told and told["origin"] == origin else None


def own(chat: Json, origin: str, report: Report) -> tuple[Json, Json]:
    """`chat` without options and without marks of others, and the options of `origin` by name.
    Raises Unsupported for an option of another that it must have."""
    entries = chat.get(OPTIONS) or ()
    mine = [entry for entry in entries if entry["origin"] == origin]
    for entry in entries:
        if entry["origin"] != origin:
            _tell(entry, report)
    covered = {OPTIONS, *(name for entry in mine for name in entry.get("covers") or ())}
    out = without(chat, covered) if entries else chat
    if any(_marked(message, origin) for message in chat["messages"]):
        messages = [
            _plain(message, f"messages.{i}", origin, report)
            if _marked(message, origin)
            else message
            for i, message in enumerate(chat["messages"])
        ]
        out = out | {"messages": messages}
    return out, {entry["name"]: entry["value"] for entry in mine}


def _tell(entry: Json, report: Report) -> None:
    if reason := entry.get("must"):
        raise Unsupported(f"{entry['name']}: {reason}", param=entry["name"])
    tell = report.omitted if entry.get("hint") else report.dropped
    for param in entry.get("lost", [entry["name"]]):
        tell(param, f"only {entry['origin']} has it")


def _marked(message: Json, origin: str) -> bool:
    content = message.get("content")
    if type(content) is list and any(_is_foreign(part, origin) for part in content):
        return True
    return any(_is_others(one, origin) for one in message.get("annotations") or ())


def _is_foreign(part: Json, origin: str) -> bool:
    return "native" in part and part["native"].get("origin") != origin


def _is_others(annotation: Json, origin: str) -> bool:
    return bool(annotation.get("origin", origin) != origin)


def _plain(message: Json, path: str, origin: str, report: Report) -> Json:
    out = dict(message)
    if type(message.get("content")) is list:
        parts = out["content"] = list(message["content"])
        for place, part in enumerate(parts):
            if _is_foreign(part, origin):
                report.coerced(f"{path}.content.{place}: {part['native'].get('form')}->text")
                parts[place] = without(part, {"native"})
    notes = out.pop("annotations", None) or ()
    own_notes = [one for one in notes if not _is_others(one, origin)]
    if len(own_notes) < len(notes):
        report.omitted(f"{path}.annotations", "the citations of another vendor stay with it")
    return out | ({"annotations": own_notes} if own_notes else {})
