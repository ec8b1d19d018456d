"""The few ways in which two documents may differ and still say the same: each is a rule with its
reason. Everything else that a round trip changes is a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson

from bench.recorded.folding import anthropic_events, bedrock_events, gemini_events
from nexus_sdk.wire.canonical import modern, without
from nexus_sdk.wire.dialects.gemini import schema
from nexus_sdk.wire.dialects.gemini.sealing import standard
from nexus_sdk.wire.dialects.gemini.spelling import camel, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nexus_sdk.wire.json import Json

type What = Literal["request", "answer", "events"]

_DATA = frozenset({
    "parameters", "parametersJsonSchema", "parameters_json_schema", "schema", "input_schema",
    "inputSchema", "input", "args", "json", "metadata", "properties", "responseJsonSchema",
})  # fmt: skip
"""Below these stands a user's own data, in which null is a value."""
_EMBEDDINGS = frozenset({
    "titan_embed", "nova_embed", "bedrock_cohere_embed", "gemini_embed", "gemini_batch_embed",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """`says`: why the two forms mean the same. `apply` gives the common form."""

    says: str
    what: What
    dialects: Collection[str]
    apply: Callable[[Json], Json]


def no_nulls(node: Json, *, data: bool = False) -> Json:
    """`node` without null members, but for a user's own data. A list that is `data` (the input of a
    Responses request) is none."""
    if type(node) is dict:
        return {
            key: no_nulls(value, data=key in _DATA and type(value) is dict)
            for key, value in node.items()
            if value is not None or data
        }
    return [no_nulls(value, data=data) for value in node] if type(node) is list else node


def _drop(doc: Json, **values: Any) -> Json:
    """`doc` less the members that have these very values."""
    return {key: value for key, value in doc.items() if key not in values or value != values[key]}


def _each(node: Json, change: Callable[[Json], Json]) -> Json:
    """`node` with `change` made to every object in it, the innermost first."""
    if type(node) is list:
        return [_each(item, change) for item in node]
    if type(node) is not dict:
        return node
    return change({key: _each(value, change) for key, value in node.items()})


def _schema_as_json(doc: Json) -> Json:
    def change(node: Json) -> Json:
        told = node.get("schema")
        return node | {"schema": orjson.loads(told)} if isinstance(told, str) else node

    return (
        doc | {"outputConfig": _each(doc["outputConfig"], change)} if "outputConfig" in doc else doc
    )


def _gemini_tools(doc: Json) -> Json:
    tools = [_each(tool, _json_schema) for tool in listed(doc.get("tools")) or ()]
    return without(doc, {"tools"}) | ({"tools": tools} if tools else {})


def _json_schema(node: Json) -> Json:
    if "name" not in node or "parameters" not in node:
        return node
    told = schema.json_schema(node["parameters"])
    return without(node, {"parameters"}) | {"parametersJsonSchema": told}


def _no_role(doc: Json) -> Json:
    told = doc.get("systemInstruction")
    return doc | {"systemInstruction": without(told, {"role"})} if isinstance(told, dict) else doc


def _standard_base64(doc: Json) -> Json:
    def change(node: Json) -> Json:
        told = node.get("inlineData")
        if not isinstance(told, dict):
            return node
        return node | {"inlineData": told | {"data": standard(told["data"])}}

    return _each(doc, change)


def _input_items(doc: Json) -> Json:
    """Responses: text alone is one message; a first system text is the instructions."""
    told = doc.get("input")
    if isinstance(told, str):
        told = [{"role": "user", "content": told}]
    items = [_item(item) for item in told or ()]
    first = items[0] if items else {}
    if first.get("role") == "system" and "instructions" not in doc and len(items) > 1:
        return doc | {"instructions": first["content"], "input": items[1:]}
    return doc | {"input": items}


def _item(item: Json) -> Json:
    if item.get("type", "message") != "message":
        return without(item, {"status"}) if item["type"].endswith("_call") else item
    content = item.get("content")
    if isinstance(content, list):
        parts = [_drop(part, annotations=[], logprobs=[]) for part in content]
        alone = len(parts) == 1 and parts[0].keys() <= {"type", "text"}
        content = parts[0]["text"] if alone and "text" in parts[0] else parts
    return without(item, {"type", "status"}) | {"content": content}


def _said(doc: Json) -> Json:
    said = {"instructions": "", "tools": [], "truncation": "disabled"}
    return _drop(doc, **said, text={"format": {"type": "text"}})


def _store_untold(doc: Json) -> Json:
    return doc | {"store": bool(doc.get("store"))}


_USUAL = frozenset({"completed", "in_progress"})


def _counted(doc: Json) -> Json:
    told = doc.get("usage")
    return doc | {"usage": _no_zeros(told)} if isinstance(told, dict) else doc


def _no_zeros(counts: Json) -> Json:
    """Without counts of zero, and without details that have none but those."""
    told = {
        key: _no_zeros(value) if type(value) is dict else value for key, value in counts.items()
    }
    return {
        key: value for key, value in told.items() if value not in (0, {}) or type(value) is bool
    }


def _output(doc: Json) -> Json:
    def change(node: Json) -> Json:
        kind = node.get("type")
        if kind == "output_text":
            return _drop(node, logprobs=[], annotations=[])
        if kind in {"message", "function_call", "custom_tool_call"}:
            return without(node, {"status"}) if node.get("status") in _USUAL else node
        return node

    return _counted(_each(doc, change))


def _unnamed(events: Json) -> Json:
    """Azure sends chunks of its filter without an id, and one that holds nothing."""
    return [[name, without(doc, {"id", "model", "created"})] for name, doc in events]


def _users(doc: Json) -> Json:
    told = [{"role": "user"} | content for content in listed(doc.get("contents"))]
    return doc | {"contents": told}


def _unpadded(events: Json) -> Json:
    return [[name, without(doc, {"p", "obfuscation"})] for name, doc in events]


def _named_by_type(events: Json) -> Json:
    return [[doc.get("type", name), doc] for name, doc in events if doc]


def _output_events(events: Json) -> Json:
    told = [[name, no_nulls(_output(_drop(doc, logprobs=[])))] for name, doc in events]
    return [
        [name, doc | {"response": _counted(doc["response"])} if "response" in doc else doc]
        for name, doc in told
    ]


def _sealed_once(events: Json) -> Json:
    def change(node: Json) -> Json:
        gone = {"encrypted_content", "id"} if node.get("type") == "reasoning" else set()
        return without(_drop(node, output_text=""), gone)

    return [
        [name, doc | {"response": _each(doc["response"], change)} if "response" in doc else doc]
        for name, doc in events
    ]


_RESPONSES = ("openai_responses",)
_ALL = ("",)

RULES = (
    Rule("a null member of the protocol is an absent one", "request", _ALL, no_nulls),
    Rule("a null member of an answer is an absent one", "answer", _ALL, no_nulls),
    Rule("the model stands in the path", "request", _EMBEDDINGS,
         lambda doc: without(doc, {"model"})),
    Rule("an empty `system` and an empty `inferenceConfig` say nothing", "request", ("bedrock",),
         lambda doc: _drop(doc, system=[], inferenceConfig={})),
    Rule("a schema is compared as JSON, not as text", "request", ("bedrock",), _schema_as_json),
    Rule("snake_case names are read as camelCase, as the API does", "request", ("gemini",), camel),
    Rule("`systemInstruction` has no role", "request", ("gemini",), _no_role),
    Rule("one tool may stand for a list; `parameters` is compared as the JSON Schema it means",
         "request", ("gemini",), _gemini_tools),
    Rule("base64url is base64", "request", ("gemini",), _standard_base64),
    Rule("an empty `generationConfig` says nothing", "request", ("gemini",),
         lambda doc: _drop(doc, generationConfig={})),
    Rule("a message of one text may be a mere string, and names neither type nor status; a first "
         "system message is `instructions`", "request", _RESPONSES, _input_items),
    Rule("empty `instructions` and `tools`, `text.format` of text and `truncation` disabled say "
         "nothing", "request", _RESPONSES, _said),
    Rule("`store` is always told: what is not said to be kept is not kept", "request", _RESPONSES,
         _store_untold),
    Rule("a function that does not say `strict` is told as it is", "request", _RESPONSES,
         lambda doc: _each(doc, lambda node: _drop(node, strict=False))),
    Rule("a count of zero may go untold", "answer", ("anthropic", "bedrock", "cohere"), _counted),
    Rule("the first candidate's index and a count of zero may go untold", "answer", ("gemini",),
         lambda doc: _each(doc, lambda node: _drop(node, index=0, candidatesTokenCount=0))),
    Rule("`embeddingsByType` repeats `embedding`", "answer", ("titan_embed",),
         lambda doc: without(doc, {"embeddingsByType"}) if "embedding" in doc else doc),
    Rule("empty lists of annotations and probabilities, `completed` of an item and a count of zero "
         "may go untold", "answer", _RESPONSES, _output),
    Rule("padding against eavesdroppers is not content", "events", ("bedrock", *_RESPONSES),
         _unpadded),
    Rule("an event is named by its type, and `[DONE]` may follow", "events", _RESPONSES,
         _named_by_type),
    Rule("as in whole answers", "events", _RESPONSES, _output_events),
    Rule("the last event repeats the items; ciphertext and id of reasoning are those of its end",
         "events", _RESPONSES, _sealed_once),
    Rule("pings tell nothing; the pieces of a server tool's input and of a signature are one; "
         "citations are told at the end of their text; a call without arguments may be told as "
         "`{}`", "events", ("anthropic",), anthropic_events),
    Rule("the pieces of a tool's input are one; a call without arguments may be told as `{}`",
         "events", ("bedrock",), bedrock_events),
    Rule("a chunk without a name of its own is told with the answer's", "events", ("openai_chat",),
         _unnamed),
    Rule("the former `functions` are read as `tools`", "request", ("openai_chat",), modern),
    Rule("contents without a role are the user's", "request", ("gemini",), _users),
    Rule("parts are told one by one, and reason and counts at the end", "events", ("gemini",),
         gemini_events),
)  # fmt: skip


def normal(doc: Json, what: What, dialect: str) -> Json:
    for rule in RULES:
        if rule.what == what and (dialect in rule.dialects or rule.dialects is _ALL):
            doc = rule.apply(doc)
    return doc
