"""Schemas: Google's subset of OpenAPI read as JSON Schema, and JSON Schema as far as Google keeps
to it.

Sources: https://ai.google.dev/api/caching#Schema, https://ai.google.dev/api/generate-content, under
`responseJsonSchema`: the keywords that are kept to. All others are ignored there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import without

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_IGNORED = frozenset({
    "pattern", "minLength", "maxLength", "multipleOf", "exclusiveMinimum", "exclusiveMaximum",
    "uniqueItems", "contains", "minContains", "maxContains", "minProperties", "maxProperties",
    "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas",
    "unevaluatedProperties", "unevaluatedItems", "not", "if", "then", "else", "contentEncoding",
    "contentMediaType", "contentSchema", "discriminator",
})  # fmt: skip
"""Keywords that limit a value and are not kept to."""
_NOISE = frozenset({"$schema", "$comment", "examples", "readOnly", "writeOnly", "deprecated"})
"""Keywords that ask for nothing."""
_ONE = ("items", "additionalProperties")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions")


def json_schema(schema: Json) -> Json:
    """Google's own form (types in capitals, `nullable`) as JSON Schema; JSON Schema as it is."""
    if not isinstance(schema, dict):
        return schema
    out = _mapped(schema, json_schema)
    nullable = out.pop("nullable", None)
    kind = out.get("type")
    if isinstance(kind, str) and kind != "TYPE_UNSPECIFIED":
        out["type"] = [kind.lower(), "null"] if nullable else kind.lower()
    elif nullable and "anyOf" in out:
        out["anyOf"] = [*out["anyOf"], {"type": "null"}]
    for key in _COUNTS:
        if isinstance(out.get(key), str) and out[key].isdigit():
            out[key] = int(out[key])  # int64 is a string in the JSON of protocol buffers
    return out


_COUNTS = (
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties",
)  # fmt: skip


def pruned(schema: Json, param: str, report: Report) -> Json:
    """`schema` without what Google does not keep to, each keyword told once."""
    gone: set[str] = set()
    out = _prune(schema, gone)
    for keyword in sorted(gone & _IGNORED):
        report.omitted(f"{param}.{keyword}", "Gemini does not keep to this keyword of a schema")
    if "const" in gone:
        report.coerced(f"{param}: const->enum")
    if "allOf" in gone:
        report.coerced(f"{param}: allOf->its one member")
    return out


def _prune(schema: Json, gone: set[str]) -> Json:
    if not isinstance(schema, dict):
        return schema
    gone |= schema.keys() & _IGNORED
    out = _mapped(without(schema, _IGNORED | _NOISE), lambda inner: _prune(inner, gone))
    if "const" in out:
        gone.add("const")
        out["enum"] = [out.pop("const")]
    if isinstance(out.get("allOf"), list) and len(out["allOf"]) == 1:
        gone.add("allOf")
        out = out.pop("allOf")[0] | out
    return out


def _mapped(schema: Json, change: Json) -> Json:
    """A copy of `schema` with `change` done to the schemas in it."""
    out = dict(schema)
    for key in _ONE:
        if isinstance(out.get(key), dict):
            out[key] = change(out[key])
    for key in _MANY:
        if isinstance(out.get(key), list):
            out[key] = [change(inner) for inner in out[key]]
    for key in _NAMED:
        if isinstance(out.get(key), dict):
            out[key] = {name: change(inner) for name, inner in out[key].items()}
    return out
