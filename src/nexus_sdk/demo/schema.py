"""A JSON value that fits a JSON Schema and is made of the words of a prompt.

Covers what function parameters and structured outputs use (draft 2020-12: type, properties,
required, items, enum, const, anyOf, oneOf, allOf, $ref into the document, bounds, format). A
`pattern` is not looked at.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_DEPTH = 4
"""Beyond it optional properties and items are left out, so that a recursive schema comes to an
end.
"""

ENDLESS_DEPTH = 32
"""No schema in use nests what it requires this deep."""

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

_FORMATS: Mapping[str, str] = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "PT1M",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
    "email": "someone@example.com",
}


def fit(schema: Any, words: str) -> Any:
    """A value that `schema` accepts: strings are `words`, numbers are taken from it."""
    return _Fitting(schema, words).value(schema, 0)


@dataclass(frozen=True, slots=True)
class _Fitting:
    root: Any
    words: str

    def value(self, given: Any, depth: int) -> Any:
        """Raises ValueError for a schema that demands itself without end."""
        if not isinstance(given, dict) or not given:
            return self.words
        if depth > ENDLESS_DEPTH:
            raise ValueError("the schema demands itself without end")
        schema = self._resolve(given, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choose(schema["enum"])
        make: Maker = _MAKERS.get(_type(schema), _string)
        return make(self, schema, depth)

    def _resolve(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """`schema` with references, unions and intersections replaced by what they stand for."""
        for _ in range(MAX_DEPTH):
            if "$ref" in schema:
                schema = self._target(schema["$ref"]) | {
                    k: v for k, v in schema.items() if k != "$ref"
                }
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                rest = {k: v for k, v in schema.items() if k not in {"anyOf", "oneOf"}}
                schema = rest | self._option(options, depth)
            elif "allOf" in schema:
                schema = _merged(
                    [{k: v for k, v in schema.items() if k != "allOf"}, *schema["allOf"]]
                )
            else:
                break
        return schema

    def _option(self, options: list[Any], depth: int) -> dict[str, Any]:
        """The first that is not null; null, when that is allowed and the value is deep already."""
        nulls = [option for option in options if option.get("type") == "null"]
        others = [option for option in options if option.get("type") != "null"]
        first: dict[str, Any] = (nulls + others if depth > MAX_DEPTH else others + nulls)[0]
        return first

    def _target(self, ref: str) -> dict[str, Any]:
        found: Any = self.root
        for step in ref.removeprefix("#").strip("/").split("/"):
            if step:
                found = found[step.replace("~1", "/").replace("~0", "~")]
        return dict(found)

    def _choose(self, options: list[Any]) -> Any:
        spoken = self.words.lower()
        return next((option for option in options if str(option).lower() in spoken), options[0])


def _object(fitting: _Fitting, schema: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    optional = () if depth > MAX_DEPTH else properties
    names = dict.fromkeys([*optional, *required])
    return {name: fitting.value(properties.get(name, {}), depth + 1) for name in names}


def _array(fitting: _Fitting, schema: dict[str, Any], depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [fitting.value(item, depth + 1) for item in schema["prefixItems"]]
    wanted = 0 if depth > MAX_DEPTH else min(1, int(schema.get("maxItems", 1)))
    length = max(wanted, int(schema.get("minItems", 0)))
    return [fitting.value(schema.get("items", {}), depth + 1) for _ in range(length)]


def _string(fitting: _Fitting, schema: dict[str, Any], _depth: int) -> str:
    if schema.get("format") == "email" and (spoken := _EMAIL.search(fitting.words)):
        return spoken[0]
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    text = fitting.words[: schema.get("maxLength", len(fitting.words))]
    return text.ljust(schema.get("minLength", 0), ".")


def _number(fitting: _Fitting, schema: dict[str, Any], _depth: int) -> float:
    spoken = _NUMBER.search(fitting.words)
    low = float(schema.get("minimum", schema.get("exclusiveMinimum", -math.inf)))
    high = float(schema.get("maximum", schema.get("exclusiveMaximum", math.inf)))
    value = min(max(float(spoken[0]) if spoken else 1.0, low), high)
    if value == schema.get("exclusiveMinimum"):
        return value + 1
    return value - 1 if value == schema.get("exclusiveMaximum") else value


def _integer(fitting: _Fitting, schema: dict[str, Any], depth: int) -> int:
    step = int(schema.get("multipleOf", 1)) or 1
    return -(-int(_number(fitting, schema, depth)) // step) * step


def _true(_fitting: _Fitting, _schema: dict[str, Any], _depth: int) -> bool:
    return True


def _null(_fitting: _Fitting, _schema: dict[str, Any], _depth: int) -> None:
    return None


type Maker = Callable[[_Fitting, dict[str, Any], int], Any]

_MAKERS: Mapping[str, Maker] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _true,
    "null": _null,
}


def _type(schema: dict[str, Any]) -> str:
    declared = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(declared, list):
        return next((str(one) for one in declared if one != "null"), "null")
    return str(declared)


def _merged(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for schema in schemas:
        properties = merged.get("properties", {}) | schema.get("properties", {})
        required = [*merged.get("required", []), *schema.get("required", [])]
        merged |= schema
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged
