"""What the tests of Gemini's dialect share: requests, answers, and google-genai's own types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.genai import types
from tests.sdk.wire.dialects.dialect_golden import asked

from nexus_sdk.wire.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report

GEMINI = DIALECTS["gemini"]
GEMINI_USER = [{"role": "user", "parts": [{"text": "hi"}]}]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def ask(chat: Any, model: str = "gemini-3-pro") -> tuple[Any, Report]:
    return asked("gemini", {"model": model} | chat)


def told(*parts: Any, **more: Any) -> Any:
    """An answer of these parts."""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP"}
    return {"candidates": [candidate | more], "modelVersion": "m", "responseId": "r"}


def message(*parts: Any, **more: Any) -> Any:
    return GEMINI.decode_response(told(*parts, **more))["choices"][0]["message"]


def strictly(body: Any) -> None:
    """Every member of a request is of the type that the vendor's package has for it."""
    known = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
    known |= {"safetySettings", "labels", "cachedContent", "serviceTier"}
    assert body.keys() <= known
    for content in body["contents"]:
        types.Content.model_validate_json(json.dumps(content))
    kinds: dict[str, Any] = {
        "systemInstruction": types.Content,
        "toolConfig": types.ToolConfig,
        "generationConfig": types.GenerationConfig,
    }
    for key, kind in kinds.items():
        if key in body:
            kind.model_validate_json(json.dumps(body[key]))
    for tool in body.get("tools") or ():
        types.Tool.model_validate_json(json.dumps(tool))


def one_spelling(doc: Any) -> Any:
    """Gemini's names in camel case, and base64 in the usual alphabet."""
    text = json.dumps(doc).replace("UklGRg-_", "UklGRg+/")
    for name in (
        "inline_data", "mime_type", "generation_config", "media_resolution", "max_output_tokens",
    ):  # fmt: skip
        first, *rest = name.split("_")
        text = text.replace(f'"{name}"', f'"{first}{"".join(map(str.capitalize, rest))}"')
    return json.loads(text)


def json_schemas(doc: Any) -> Any:
    """Google's own form of schema as JSON Schema."""
    weather = doc["tools"][0]["functionDeclarations"][0]
    del weather["parameters"]
    city = {"type": ["string", "null"]}
    weather["parametersJsonSchema"] = {
        "type": "object",
        "properties": {"city": city},
        "required": ["city"],
    }
    return doc


GEMINIS_FORMS: dict[str, Callable[[Any], Any]] = {
    "media": one_spelling,
    "agent_turn": json_schemas,
    "structured": lambda doc: doc,
    "built_in_tools": lambda doc: doc,
}
"""What Gemini's codec makes of its own requests: the same in the newer form."""
