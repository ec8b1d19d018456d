"""Documents that an answer is to be grounded on, and what else Cohere's requests alone have.

In the canonical form Cohere's members stand as they came: `documents` beside the messages, and
`{"type": "document", "document": {"data", "id"?}}` among the parts of a tool's result. `spread`
makes of them what another API takes. Source: https://docs.cohere.com/reference/chat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import document_text, without

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

DISABLED = frozenset({"DISABLED", "OFF"})

_FEATURES = {
    "safety_mode": "safety modes are Cohere's",
    "raw_prompting": "a raw prompt can be given to Cohere only",
}
_NEUTRAL: dict[str, Json] = {"safety_mode": "CONTEXTUAL", "raw_prompting": False}
"""Values that ask for Cohere's own defaults."""
_HINTS = {
    "citation_options": "how citations are made cannot be chosen",
    "priority": "the target has no such priority",
}
_MEMBERS = frozenset({"documents", *_FEATURES, *_HINTS})


def spread(chat: Json, report: Report) -> Json:
    """A canonical request for an API that is not Cohere's: its documents as parts of the last
    user's message, its switches told. The same object when it has none of them."""
    if not chat.keys() & _MEMBERS:
        return chat
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            if chat.get(key) is not None and chat[key] != _NEUTRAL.get(key, ()):
                tell(key, reason)
    out = without(chat, _MEMBERS)
    if chat.get("documents"):
        report.coerced("documents->parts of the last user message")
        cited = (chat.get("citation_options") or {}).get("mode") not in DISABLED
        out["messages"] = _with_parts(chat["messages"], _parts(chat["documents"], cited=cited))
    return out


def _parts(documents: Json, *, cited: bool) -> list[Json]:
    marker = {"citations": {"enabled": True}} if cited else {}
    return [source(document) | marker for document in documents]


def _with_parts(messages: list[Json], parts: list[Json]) -> list[Json]:
    """The messages with `parts` before what the user said last; in a message of their own when no
    user said anything."""
    asked = [place for place, message in enumerate(messages) if message["role"] == "user"]
    if not asked:
        return [*messages, {"role": "user", "content": parts}]
    last = messages[asked[-1]]
    content = last.get("content") or []
    said = [{"type": "text", "text": content}] if isinstance(content, str) else content
    told = list(messages)
    told[asked[-1]] = last | {"content": [*parts, *said]}
    return told


def source(document: Json) -> Json:
    """A document of Cohere's, or a plain string, as the part that Anthropic takes."""
    title, text = document_text(document)
    told = {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "document", "source": told} | ({"title": title} if title else {})
