"""`contents` → canonical messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialects.gemini import model_turn, parts
from nexus_sdk.wire.dialects.gemini.model_turn import made_id
from nexus_sdk.wire.dialects.gemini.spelling import listed
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


class Calls:
    """The calls of a conversation that wait for their results. Gemini matches a result by its id,
    or by its name and order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, str]] = []
        self._unknown = 0

    def made(self, calls: list[Json]) -> None:
        self._waiting += [(call["id"], call["function"]["name"]) for call in calls]

    def answered(self, result: Json) -> tuple[str, bool]:
        """The id of the call that a result answers, and whether the call is known by the result's
        name."""
        name = result.get("name") or ""
        for place, (own, called) in enumerate(self._waiting):
            if result.get("id") == own or (not result.get("id") and called == name):
                del self._waiting[place]
                return own, called == name
        self._unknown += 1
        return result.get("id") or made_id("result", self._unknown, {"name": name}), False


def messages(contents: list[Json]) -> list[Json]:
    """Raises Unsupported for a part that is not known, Malformed for one without its members."""
    calls = Calls()
    out: list[Json] = []
    for place, content in enumerate(contents):
        path, role = f"contents.{place}", content.get("role") or "user"
        told = listed(content.get("parts"))
        if role == "model":
            out.append(_model(told, place, path))
            calls.made(out[-1].get("tool_calls") or [])
        elif role in {"user", "function", "tool"}:
            out += _user(told, path, calls)
        else:
            raise Malformed(f"{path}.role must be user or model", param=f"{path}.role")
    return out


def _model(told: list[Json], place: int, path: str) -> Json:
    for i, part in enumerate(told):
        if "functionCall" in part and not (part["functionCall"] or {}).get("name"):
            param = f"{path}.parts.{i}.functionCall.name"
            raise Malformed(f"{param} is missing", param=param)
    return {"role": "assistant"} | model_turn.message(told, f"turn {place}", sent_back=True)


def _user(told: list[Json], path: str, calls: Calls) -> list[Json]:
    """Results of tools are messages of their own, before the rest."""
    results = [
        _result(part["functionResponse"], f"{path}.parts.{i}", calls)
        for i, part in enumerate(told)
        if "functionResponse" in part
    ]
    rest = [
        parts.decode(part, f"{path}.parts.{i}")
        for i, part in enumerate(told)
        if "functionResponse" not in part
    ]
    if not rest and results:
        return results
    return [*results, {"role": "user", "content": _plain(rest)}]


def _plain(content: list[Json]) -> Json:
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return content[0]["text"]
    return content


def _result(told: Json, path: str, calls: Calls) -> Json:
    name, known = calls.answered(told)
    text, failed = unwrapped(told.get("response") or {})
    content: Json = text
    if told.get("parts"):
        shown = [
            parts.decode(part, f"{path}.functionResponse.parts.{i}")
            for i, part in enumerate(listed(told["parts"]))
        ]
        content = [{"type": "text", "text": text}, *shown]
    message = {"role": "tool", "tool_call_id": name, "content": content}
    named = {} if known or not told.get("name") else {"name": told["name"]}
    error = {"is_error": True} if failed else {}
    return message | named | error | without(told, {"id", "name", "response", "parts"})


def wrapped(text: str, *, failed: bool) -> Json:
    """A tool's text as the object that Gemini wants: `error` or `result` holds it, unless it is an
    object itself. Source: https://ai.google.dev/api/caching#FunctionResponse."""
    try:
        value = orjson.loads(text) if text.lstrip().startswith("{") else None
    except orjson.JSONDecodeError:
        value = None
    if failed:
        return value if isinstance(value, dict) and "error" in value else {"error": text}
    return value if isinstance(value, dict) else {"result": text}


def unwrapped(response: Json) -> tuple[str, bool]:
    """The text of a result, and whether it tells an error; `wrapped` makes it the same again."""
    failed = "error" in response
    key = "error" if failed else "result"
    text = response.get(key)
    if (
        response.keys() == {key}
        and isinstance(text, str)
        and wrapped(text, failed=failed) == response
    ):
        return text, failed
    return dumps(response).decode(), failed
