"""The canonical form of embeddings, and what every embeddings dialect does with it.

It is the form of OpenAI's API (https://platform.openai.com/docs/api-reference/embeddings), extended
so that nothing known is lost. Requests, all optional:

- an item of `input` may be `{"content": [parts], "title"?}`: parts are `text`, `image_url` and
  `file` as in a chat; the title is that of a document;
- `input_type`: what the embeddings are for, in the words of `PURPOSES`;
- `truncate`: `START` or `END` of an input that is too long is cut off. `NONE`, and saying nothing,
  is what OpenAI does: such an input is refused;
- `max_tokens`: an input is too long from there;
- `embedding_types`: Cohere's words (`float`, `int8`, `uint8`, `binary`, `ubinary`, and `base64` for
  floats in base64), and `bits` for one whole number a bit; absent means `float`;
- `normalize`: false for vectors of another length than 1.

Answers: an item of `data` has `by_type`, vectors by their type, where there are more than one or
others than floats. `usage` has what a vendor counts beside the tokens under its own names. What
Cohere's answers repeat of the request (`ECHOES`) goes to its own clients alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire import estimates, vectors
from nexus_sdk.wire.vectors import unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

MEMBERS = frozenset({
    "model", "input", "dimensions", "encoding_format", "user", "input_type", "truncate",
    "max_tokens", "embedding_types", "normalize",
})  # fmt: skip
"""Canonical members of a request. Whatever else stands there travels."""

PURPOSES = frozenset({
    "search_document", "search_query", "classification", "clustering", "semantic_similarity",
    "question_answering", "fact_verification", "code_retrieval", "text_retrieval",
    "image_retrieval", "video_retrieval", "document_retrieval", "audio_retrieval", "image",
})  # fmt: skip
_ALIASES = {
    "query": "search_query",
    "document": "search_document",
    "passage": "search_document",
    "retrieval_query": "search_query",
    "retrieval_document": "search_document",
    "code_retrieval_query": "code_retrieval",
}
"""The words of Voyage, NVIDIA and Gemini, which callers of the OpenAI shape use as well."""
_NEAREST = dict.fromkeys(
    (
        "question_answering", "fact_verification", "code_retrieval", "text_retrieval",
        "image_retrieval", "video_retrieval", "document_retrieval", "audio_retrieval",
    ),
    "search_query",
)  # fmt: skip
"""Each is the asking side of a search, of one kind."""

GOOGLE_PURPOSES = {
    "search_query": "RETRIEVAL_QUERY",
    "search_document": "RETRIEVAL_DOCUMENT",
    "semantic_similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "question_answering": "QUESTION_ANSWERING",
    "fact_verification": "FACT_VERIFICATION",
    "code_retrieval": "CODE_RETRIEVAL_QUERY",
}
"""Task types of Gemini and of Vertex, https://ai.google.dev/api/embeddings#v1beta.TaskType."""

FLOATS = frozenset({"float", "base64"})

# ---- requests ------------------------------------------------------------------------------------


def purpose(
    chat: Json, names: Mapping[str, str], report: Report, default: str | None = None
) -> str | None:
    """What the embeddings are for, in a target's words; `names` are canonical → own. A target that
    has to be told something has a `default`."""
    told = chat.get("input_type")
    if told == "image":
        told = None
    word = "absent" if told is None else str(told).lower()
    word = _ALIASES.get(word, word)
    if word in names:
        return names[word]
    if told in names.values():
        return str(told)
    own = names.get(_NEAREST.get(word, ""), default)
    if own is not None:
        report.coerced(f"input_type: {word[:32]}->{own}")
    elif told is not None:
        report.omitted("input_type", f"embeddings cannot be made for {word[:32]!r} there")
    return own


def tell(
    chat: Json, report: Report, dropped: Mapping[str, str], omitted: Mapping[str, str]
) -> None:
    """Reports what of these the caller asked for. `normalize: true` asks for what is usual."""
    for tell_it, table in ((report.dropped, dropped), (report.omitted, omitted)):
        for key, reason in table.items():
            if chat.get(key) is not None and not (key == "normalize" and chat[key]):
                tell_it(key, reason)


NO_LABEL = {"user": "there is no such label"}
NO_CUT = {"truncate": "an input that is too long is refused, not cut"}
NO_CEILING = {"max_tokens": "inputs cannot be cut to a number of tokens"}
NO_CHOICE_OF_LENGTH = {"normalize": "the length of the vectors cannot be chosen"}


def cuts(chat: Json) -> bool:
    """May an input that is too long be cut?"""
    return chat.get("truncate") not in {None, "NONE"}


def kinds(chat: Json, known: frozenset[str], report: Report) -> list[str]:
    """The types of vectors that a target is asked for, of those that it knows; empty when the
    caller did not say. Floats in base64 are floats to a target without such a type."""
    asked = list(chat.get("embedding_types") or ())
    own = [kind if kind in known else "float" for kind in asked if kind in known | FLOATS]
    for kind in asked:
        if kind not in known | FLOATS:
            report.dropped("embedding_types", f"there are no vectors of type {str(kind)[:32]!r}")
    return list(dict.fromkeys(own))


def items(chat: Json) -> list[Json]:
    """The inputs, each a text or an object with `content`. Raises Unsupported for tokens."""
    told = chat["input"]
    given = told if isinstance(told, list) else [told]
    for place, item in enumerate(given):
        if not isinstance(item, (str, dict)):
            where = "input" if isinstance(item, int) else f"input.{place}"
            raise Unsupported("tokens mean nothing to this target; give text", param=where)
    return given


def texts(chat: Json, report: Report) -> list[str]:
    """The inputs for a target that takes texts alone. Raises Unsupported for others."""
    return [text(item, f"input.{place}", report) for place, item in enumerate(items(chat))]


def text(item: Json, path: str, report: Report) -> str:
    """One input as a text. Raises Unsupported for one that has other parts."""
    if isinstance(item, str):
        return item
    untitled(item, path, report)
    parts = item["content"]
    for place, part in enumerate(parts):
        if part.get("type") != "text":
            raise Unsupported(
                f"this target embeds texts, and {path} is {str(part.get('type'))[:32]!r}",
                param=f"{path}.content.{place}",
            )
    if len(parts) != 1:
        report.coerced(f"{path}.content->one text")
    return "\n".join(part["text"] for part in parts)


def image(part: Json, path: str, report: Report) -> str:
    """The URL of an image, for a target that has no grades of detail."""
    told = part["image_url"]
    if told.get("detail") not in {None, "auto"}:
        report.omitted(f"{path}.image_url.detail", "images have no grades of detail there")
    return str(told.get("url") or "")


def untitled(item: Json, path: str, report: Report) -> None:
    """For a target whose documents have no titles."""
    if item.get("title") is not None:
        report.omitted(f"{path}.title", "documents have no titles there")


def only(given: list[Json], name: str) -> Json:
    """The one input of a target that takes one a call. Raises Unsupported for more."""
    if len(given) != 1:
        raise Unsupported(
            f"{name} takes one input a call, and there are {len(given)}: send them one by one",
            param="input",
        )
    return given[0]


def unlisted(given: list[Json]) -> Json:
    """`input` of a dialect that has one input a call, or several."""
    return given[0] if len(given) == 1 else given


def part(text: str) -> Json:
    return {"type": "text", "text": text}


def item(parts: list[Json], title: Json = None) -> Json:
    """A canonical input: a text where that says all."""
    if title is None and len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return {"content": parts} | ({} if title is None else {"title": title})


def count(given: Json) -> int | None:
    """How many inputs an `input` member has; None where it is none. A list of tokens is one."""
    if isinstance(given, list) and not (given and isinstance(given[0], int)):
        return len(given)
    return None if given is None else 1


ECHOES = frozenset({"texts", "images", "response_type"})
HEAD = frozenset({"object", "data", "usage", "model", "id"}) | ECHOES
"""Members of a canonical answer. Whatever else stands there travels."""

# ---- answers -------------------------------------------------------------------------------------


def answer(given: list[Json], usage: Json | None, rest: Json) -> Json:
    """A canonical answer of `data` items that lack their head. `rest` travels."""
    data = [{"object": "embedding", "index": place} | told for place, told in enumerate(given)]
    return rest | {"object": "list", "data": data} | ({} if usage is None else {"usage": usage})


def rows(chat: Json, expected: int | None) -> list[Json]:
    """The items of an answer in the order of the inputs. Raises UpstreamFailed when it does not
    answer each of `expected` inputs; None for a number that is not known."""
    data = chat["data"]
    if expected is not None and len(data) != expected:
        raise unusable(f"it holds {len(data)} embeddings for {expected} inputs")
    given = sorted(data, key=lambda row: row.get("index", 0))
    if [row.get("index", place) for place, row in enumerate(given)] != list(range(len(given))):
        raise unusable("its embeddings are not numbered from 0 on")
    if not all(row.get("embedding") for row in given):
        raise unusable("one of its embeddings is empty")
    return given


def by_type(row: Json, asked: list[str]) -> Json:
    """The vectors of an item under their types. A vector of no told type is one of floats, or of
    the one type that was `asked` for."""
    if row.get("by_type"):
        return row["by_type"]
    vector = row["embedding"]
    if isinstance(vector, str):
        return {"base64": vector}
    quantised = len(asked) == 1 and asked[0] not in FLOATS and not vectors.are_floats(vector)
    return {asked[0] if quantised else "float": vector}


def floats(row: Json) -> list[float]:
    """The vector of an item for a caller who reads floats."""
    told = row.get("by_type") or {}
    return vectors.numbers(told.get("float") or told.get("base64") or row["embedding"])


def input_tokens(chat: Json) -> int | None:
    """The tokens of an answer's inputs; None where nobody counted."""
    usage = chat.get("usage")
    if not isinstance(usage, dict):
        return None
    told = usage.get("prompt_tokens") or usage.get("total_tokens")
    return told if isinstance(told, int) else None


def usage(tokens: int) -> Json:
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def estimated(request: Json) -> Json:
    """The `usage` of an answer whose upstream does not count, from a request of OpenAI's form."""
    given = request.get("input")
    listed = given if isinstance(given, list) else [given]
    chars = sum(len(told) for told in listed if isinstance(told, str))
    ids = sum(1 if isinstance(told, int) else len(told) for told in listed if _is_tokens(told))
    return usage(estimates.tokens(chars) + ids) | {"estimated": True}


def _is_tokens(told: Json) -> bool:
    return isinstance(told, (int, list))
