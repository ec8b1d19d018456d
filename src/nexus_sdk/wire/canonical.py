"""Building and taking apart the canonical form (`wire/dialect.py`), as every translating dialect
needs it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

EXTENSIONS = frozenset({"reasoning_content", "reasoning_blocks", "provider_blocks", "annotations"})
"""Members of a canonical message that OpenAI's own requests do not have."""


class Head:
    """What every chunk of one stream repeats."""

    __slots__ = ("created", "id", "model")

    def __init__(self, id: str = "", model: str = "", created: int = 0) -> None:  # noqa: A002  its name on the wire
        self.id = id
        self.model = model
        self.created = created

    def chunk(self, delta: Json, *, finish: str | None = None) -> Json:
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": finish}])

    def usage(self, usage: Json) -> Json:
        """The chunk after the last choice."""
        return self._chunk([]) | {"usage": usage}

    def native(self, origin: str, event: Json) -> Json:
        """The chunk of an event that has a meaning for `origin` alone (`wire/natives.py`)."""
        return self._chunk([]) | {"provider_event": {"origin": origin, "event": event}}

    def _chunk(self, choices: list[Json]) -> Json:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def text_of(content: Json) -> str:
    """All the text of a message's content."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or () if isinstance(part, dict))


def is_data_url(url: str) -> bool:
    return url.startswith("data:")


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def split_data_url(url: str, param: str) -> tuple[str, str]:
    """Media type and base64 of a `data:` URL, RFC 2397. Raises Malformed when it is not base64."""
    head, comma, data = url.removeprefix("data:").partition(",")
    media_type, mark, _ = head.partition(";base64")
    if not comma or not mark:
        raise Malformed(f"{param} must be a base64 data URL", param=param)
    return media_type, data


def pieces(text: str, marks: Iterable[int]) -> list[tuple[int, str]]:
    """`text` cut at `marks` (characters from its start), each piece with its place. No piece is
    empty."""
    cuts = sorted({0, len(text), *(mark for mark in marks if 0 < mark < len(text))})
    return [(start, text[start:end]) for start, end in pairwise(cuts)]


type Place = tuple[int, int]
"""Where an opaque block stands: characters of text before it, then its order among the opaque
blocks."""


def interleave(
    texts: Sequence[tuple[int, Json]], blocks: Sequence[tuple[Place, Json]]
) -> list[Json]:
    """Text blocks and others in one order: a block that stands at a character comes before the text
    from there."""
    out: list[Json] = []
    waiting = sorted(blocks, key=lambda block: block[0])
    place = 0
    for start, text in texts:
        while place < len(waiting) and waiting[place][0][0] <= start:
            out.append(waiting[place][1])
            place += 1
        out.append(text)
    return out + [block for _, block in waiting[place:]]


def placed(message: Json, field: str) -> list[tuple[Place, Json]]:
    """The entries of an opaque list of a message, with their places."""
    entries = message.get(field) or ()
    return [((entry.get("at", 0), entry.get("order", i)), entry) for i, entry in enumerate(entries)]


def opaque(message: Json, field: str, origin: str) -> list[tuple[Place, Json]]:
    """The blocks of `origin` in an opaque list of a message, with their places."""
    return [
        (place, entry["block"])
        for place, entry in placed(message, field)
        if entry["origin"] == origin
    ]


def foreign(message: Json, field: str, origin: str) -> list[Json]:
    """The entries of an opaque list that another dialect made."""
    return [entry for entry in message.get(field) or () if entry["origin"] != origin]


def entry(origin: str, block: Json) -> Json:
    """An entry of an opaque list, before it has its place."""
    return {"origin": origin, "block": block}


class Placing:
    """Gives the entries of a message's opaque lists their places, in the order in which they
    come."""

    def __init__(self) -> None:
        self._order = 0
        self._counts: dict[str, int] = {}

    def put(self, field: str, told: Json, at: int) -> tuple[int, Json]:
        """The entry's index in the list `field`, and the entry. `order` is told where the index
        does not."""
        index, order = self._counts.get(field, 0), self._order
        self._counts[field] = index + 1
        self._order += 1
        return index, told | ({"at": at} if at else {}) | (
            {"order": order} if order != index else {}
        )


def stranded(message: Json, origin: str) -> bool:
    """Whether another dialect's items stand in `provider_blocks`, beyond the mere names of its
    messages and the places of its calls."""
    told = foreign(message, "provider_blocks", origin)
    return any(entry["block"].get("type") not in {"message", "call"} for entry in told)


def tell_file_extras(part: Json, path: str, report: Report) -> None:
    """Tells what Anthropic's documents have beside the file: their citations are asked for, and
    `context` is read."""
    for key in sorted(part.keys() - {"type", "file"}):
        told = part[key]
        asked = (
            told.get("enabled")
            if isinstance(told, dict) and key == "citations"
            else key == "context"
        )
        tell = report.dropped if asked else report.omitted
        tell(f"{path}.{key}", "a file part has no such member")


def refuse_address(file: Json, path: str) -> None:
    """Raises Unsupported for a file by an address that only its vendor reads (Google's): others
    know their own files by an id."""
    if "://" in (file.get("file_id") or ""):
        raise Unsupported("the file of another vendor cannot be read", param=f"{path}.file.file_id")


def plain_text(part: Json) -> str | None:
    """The text of Anthropic's documents of text or of parts, and of its search results; of Cohere's
    documents; None for any other part."""
    if "document" in part:
        return "\n\n".join(filter(None, document_text(part["document"])))
    source = part.get("source") or {}
    if part["type"] == "search_result":
        heads, body = [part.get("title"), source], text_of(part.get("content"))
    elif part["type"] == "document" and source.get("type") in {"text", "content"}:
        heads, body = (
            [part.get("title"), part.get("context")],
            source.get("data") or text_of(source.get("content")),
        )
    else:
        return None
    return "\n\n".join([*(str(head) for head in heads if head), body])


def document_text(document: Json) -> tuple[str, str]:
    """Title and text of one of Cohere's documents, which may be a mere string: its own text, where
    it has nothing beside it but a title; else all of its data as JSON."""
    data = document.get("data") if isinstance(document, dict) else document
    if isinstance(data, str):
        return "", data
    members = data or {}
    named = [key for key in ("text", "snippet", "content") if isinstance(members.get(key), str)]
    title = members.get("title") or ""
    if len(named) == 1 and isinstance(title, str) and members.keys() <= {*named, "title"}:
        return title, members[named[0]]
    return "", dumps(members).decode()


def tool_kind(tool: Json) -> str:
    """A tool's type. Mistral's and Groq's clients leave it out for functions."""
    return str(tool.get("type") or ("function" if "function" in tool else ""))


def without_choice(body: Json) -> Json:
    """`body` less what says how tools are chosen, when it has no tools (any more): the APIs refuse
    the one without the other, and an empty list."""
    return (
        body
        if body.get("tools")
        else without(body, {"tools", "tool_choice", "parallel_tool_calls"})
    )


def tool_calls(message: Json) -> list[Json]:
    """The tool calls of an assistant's message, the one of the former `function_call` included."""
    calls = list(message.get("tool_calls") or ())
    if message.get("function_call"):
        call = message["function_call"]
        calls.append({"id": legacy_id(call["name"]), "type": "function", "function": call})
    return calls


def legacy_id(name: str) -> str:
    """The id of a call of the former function API, which had none: the name of the function."""
    return f"call_{name}"


def modern(chat: Json) -> Json:
    """`chat` with the former `functions` and `function_call` as `tools` and `tool_choice`, and
    `function` messages as results of tools. OpenAI deprecated them in November 2023; old clients
    still send them."""
    out = dict(chat)
    functions, choice = out.pop("functions", None), out.pop("function_call", None)
    if functions:
        tools = [{"type": "function", "function": function} for function in functions]
        out["tools"] = [*(out.get("tools") or ()), *tools]
    if choice is not None:
        named = isinstance(choice, dict)
        out["tool_choice"] = {"type": "function", "function": choice} if named else choice
    out["messages"] = [_modern_message(message) for message in out["messages"]]
    return out


def _modern_message(message: Json) -> Json:
    if message.get("role") != "function":
        return message
    rest = {key: value for key, value in message.items() if key not in {"role", "name"}}
    return {"role": "tool", "tool_call_id": legacy_id(message.get("name") or "")} | rest


def without(node: Json, keys: Iterable[str]) -> Json:
    """A copy of `node` less `keys`."""
    gone = frozenset(keys)
    return {key: value for key, value in node.items() if key not in gone}
