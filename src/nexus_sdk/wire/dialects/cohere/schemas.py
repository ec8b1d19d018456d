"""JSON schemas, pruned to what Cohere holds an answer to.

Source: https://docs.cohere.com/docs/structured-outputs ("Schema constraints", "Unsupported schema
features"). A limit that cannot be enforced is told to the model in the description beside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_LIMITS = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
    "maxItems", "minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties",
})  # fmt: skip
_FORMATS = frozenset({"date-time", "uuid", "date", "time"})
_UNSUPPORTED_PATTERN = re.compile(r"\^|(?<!\\)\$|\?=|\?!")
_NAMED = ("properties", "$defs", "definitions")
"""Keywords with a schema under each name."""
_LISTED = ("anyOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")


def pruned(schema: Json, path: str, report: Report) -> Json:
    """The same object when nothing had to go."""
    if not isinstance(schema, dict):
        return schema
    out = _required(_limited(_composed(schema, path, report), path, report), path, report)
    below: Json = {}
    for key in _NAMED:
        if isinstance(out.get(key), dict):
            below[key] = {
                name: pruned(inner, f"{path}.{key}.{name}", report)
                for name, inner in out[key].items()
            }
    for key in _LISTED:
        if isinstance(out.get(key), list):
            below[key] = [
                pruned(inner, f"{path}.{key}.{i}", report) for i, inner in enumerate(out[key])
            ]
    for key in _SINGLE:
        if isinstance(out.get(key), dict):
            below[key] = pruned(out[key], f"{path}.{key}", report)
    return out if out is schema and all(out[key] == below[key] for key in below) else out | below


def _composed(schema: Json, path: str, report: Report) -> Json:
    """Of the compositions only `anyOf` is taken."""
    out = schema
    parts = out.get("allOf")
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
        report.coerced(f"{path}.allOf->its one schema")
        out = parts[0] | without(out, {"allOf"})
    if "oneOf" in out and "anyOf" not in out:
        report.coerced(f"{path}.oneOf->anyOf")
        out = without(out, {"oneOf"}) | {"anyOf": out["oneOf"]}
    for key in ("allOf", "oneOf", "not"):
        if key in out:
            report.dropped(f"{path}.{key}", "schemas cannot be composed so")
            out = without(out, {key})
    return out


def _limited(schema: Json, path: str, report: Report) -> Json:
    gone = {key for key in _LIMITS & schema.keys() if not isinstance(schema[key], dict)}
    if schema.get("format") not in {None, *_FORMATS} and isinstance(schema["format"], str):
        gone.add("format")
    out = schema
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and _UNSUPPORTED_PATTERN.search(pattern):
        bare = pattern.removeprefix("^").removesuffix("$")
        if _UNSUPPORTED_PATTERN.search(bare) or bare.endswith("\\"):
            gone.add("pattern")
        else:
            report.coerced(f"{path}.pattern: {pattern}->{bare}")
            out = out | {"pattern": bare}
    if not gone:
        return out
    told = ", ".join(f"{key}: {dumps(schema[key]).decode()}" for key in sorted(gone))
    report.coerced(f"{path}: {told}->(description)")
    said = schema.get("description")
    return without(out, gone) | {"description": f"{said} ({told})" if said else told}


def _required(schema: Json, path: str, report: Report) -> Json:
    """Every object must require something. One that requires all is an object of the schema too."""
    if not schema.get("properties") or schema.get("required"):
        return schema
    if schema.get("type") not in {"object", None} or not isinstance(schema["properties"], dict):
        return schema
    report.coerced(f"{path}.required: none->all")
    return schema | {"required": list(schema["properties"])}
