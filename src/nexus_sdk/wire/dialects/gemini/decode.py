"""generateContent requests → canonical."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire import natives, shape
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects.gemini import contents, schema
from nexus_sdk.wire.dialects.gemini.spelling import camel, listed
from nexus_sdk.wire.dialects.gemini.words import (
    CONFIG,
    DEFAULT_SCHEMA_NAME,
    FIELDS,
    FORMAT,
    FREE,
    KNOWN,
    MODES,
    NAME,
    PART,
    RENAMES,
    TIERS,
)

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_TRANSLATED = frozenset({
    "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier",
    "model", "stream",
})  # fmt: skip
_FORMATS = frozenset({"responseMimeType", "responseSchema", "responseJsonSchema"})
_JSON = "application/json"


def read(doc: Json) -> Facts:
    """The facts that the body tells: the model and whether to stream stand in the path."""
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, FREE)
    told = camel(doc)
    shape.check(told, FIELDS)
    _check_contents(told)
    config = told.get("generationConfig") or {}
    shape.check(config, CONFIG, "generationConfig.")
    _check_parts(told.get("systemInstruction") or {}, "systemInstruction.")
    for place, tool in enumerate(_objects(told.get("tools"), "tools")):
        _objects(tool.get("functionDeclarations"), f"tools.{place}.functionDeclarations")
    return Facts(
        model="",
        max_output_tokens=config.get("maxOutputTokens"),
        n=config.get("candidateCount") or 1,
        tools=bool(told.get("tools")),
        deterministic=config.get("temperature") == 0 or config.get("seed") is not None,
        wants_stream_usage=True,
    )


def _check_contents(told: Json) -> None:
    found = _objects(told.get("contents"), "contents")
    if not found:
        raise Malformed("contents is missing; it must be a list of contents", param="contents")
    for place, content in enumerate(found):
        path = f"contents.{place}."
        shape.check(content, {"role": shape.TEXT}, path)
        _check_parts(content, path)


def _check_parts(content: Json, path: str) -> None:
    for place, part in enumerate(_objects(content.get("parts"), f"{path}parts")):
        shape.check(part, PART, f"{path}parts.{place}.")


def _objects(value: Json, path: str) -> list[Json]:
    found = listed(value) if isinstance(value, (dict, list, type(None))) else value
    if not shape.OBJECTS.fits(found):
        raise Malformed(f"{path} must be {shape.OBJECTS.wanted}", param=path)
    return list(found)


def request(doc: Json) -> Json:
    """Raises Unsupported for a part that is not known, Malformed for one without its members."""
    told = camel(doc)
    chat = without(told, _TRANSLATED)
    messages = _system(told.get("systemInstruction"))
    chat["messages"] = messages + contents.messages(listed(told.get("contents")))
    if told.get("tools") is not None:
        chat["tools"] = [one for tool in listed(told["tools"]) for one in _tools(tool)]
    chat |= _tool_config(told.get("toolConfig") or {})
    config = told.get("generationConfig") or {}
    chat |= _config(config)
    if "response_format" in chat:
        chat[natives.OPTIONS] = [_as_given(config)]
    if (tier := told.get("serviceTier")) is not None:
        chat["service_tier"] = TIERS.get(str(tier).lower(), tier)
    return chat


def _system(told: Json) -> list[Json]:
    texts = [part["text"] for part in listed((told or {}).get("parts")) if part.get("text")]
    if not texts:
        return []
    content = texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]
    return [{"role": "system", "content": content}]


def _tools(tool: Json) -> list[Json]:
    """The functions of a tool, each a tool of its own, and Google's own tools as they are."""
    functions = [_function(one) for one in listed(tool.get("functionDeclarations"))]
    rest = without(tool, {"functionDeclarations"})
    return functions + [{"type": kind, kind: told} for kind, told in rest.items()]


def _function(told: Json) -> Json:
    function = {key: told[key] for key in ("name", "description") if key in told}
    if told.get("parametersJsonSchema") is not None:
        function["parameters"] = told["parametersJsonSchema"]
    elif told.get("parameters") is not None:
        function["parameters"] = schema.json_schema(told["parameters"])
    rest = without(told, {"name", "description", "parameters", "parametersJsonSchema"})
    return {"type": "function", "function": function} | rest


def _tool_config(told: Json) -> Json:
    """`tool_choice`; what OpenAI has no word for stays in `toolConfig`."""
    rest = without(told, {"functionCallingConfig"})
    calling = dict(told.get("functionCallingConfig") or {})
    names, mode = calling.get("allowedFunctionNames") or [], calling.get("mode") or "AUTO"
    out: Json = {}
    if mode in MODES:
        out = {"tool_choice": _choice(MODES[mode], names)} if calling else {}
        calling = without(calling, {"allowedFunctionNames", "mode"})
    if calling:
        rest = rest | {"functionCallingConfig": calling}
    return out | ({"toolConfig": rest} if rest else {})


def _choice(mode: str, names: list[str]) -> Json:
    functions = [{"type": "function", "function": {"name": name}} for name in names]
    if not functions:
        return mode
    if mode == "required" and len(functions) == 1:
        return functions[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": functions}}


def _config(config: Json) -> Json:
    out = {RENAMES[key]: value for key, value in config.items() if key in RENAMES}
    rest = without(config, {*RENAMES, *_FORMATS, "thinkingConfig", "responseModalities"})
    if config.get("responseModalities"):
        out["modalities"] = [str(kind).lower() for kind in config["responseModalities"]]
    thinking = config.get("thinkingConfig") or {}
    wanted, kept = _format(config)
    rest |= kept
    return out | _thinking(thinking) | wanted | ({"generationConfig": rest} if rest else {})


def _format(config: Json) -> tuple[Json, Json]:
    """`response_format`, and what of the three members stays Gemini's own."""
    kind = config.get("responseMimeType")
    given = config.get("responseJsonSchema")
    if given is None and config.get("responseSchema") is not None:
        given = schema.json_schema(config["responseSchema"])
    if kind not in {None, _JSON, "text/plain"} or (given is not None and kind != _JSON):
        return {}, {key: config[key] for key in _FORMATS if key in config}
    if kind == "text/plain":
        return {"response_format": {"type": "text"}}, {}
    if kind is None:
        return {}, {}
    if given is None:
        return {"response_format": {"type": "json_object"}}, {}
    named = {"name": DEFAULT_SCHEMA_NAME, "strict": True, "schema": given}
    return {"response_format": {"type": "json_schema", "json_schema": named}}, {}


def _as_given(config: Json) -> Json:
    """The format of the answer as it was asked for: on its way back to Gemini it stays so, be its
    schema in OpenAPI's words or with keywords that Gemini passes over."""
    given = {key: config[key] for key in _FORMATS if key in config}
    return {
        "origin": NAME, "name": FORMAT, "value": given, "lost": [], "covers": ["response_format"],
    }  # fmt: skip


def _thinking(told: Json) -> Json:
    """A level is an effort; a budget, which OpenAI does not have, is Anthropic's `thinking`."""
    out: Json = {}
    shown, budget, level = (
        told.get("includeThoughts"), told.get("thinkingBudget"), told.get("thinkingLevel"),
    )  # fmt: skip
    if level is not None:
        out["reasoning_effort"] = str(level).lower()
    if budget is not None:
        out["thinking"] = _budget(budget, shown=bool(shown))
    elif shown:
        out["reasoning"] = {"summary": "auto"}
    return out


def _budget(budget: int, *, shown: bool) -> Json:
    if budget == 0:
        return {"type": "disabled"}
    told: Json = {"type": "enabled", "budget_tokens": budget}
    if budget < 0:
        told = {"type": "adaptive"}
    return told | ({} if shown else {"display": "omitted"})
