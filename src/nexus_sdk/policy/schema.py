"""The JSON Schema of the policy, for editors: `nexus policy schema`, and
`docs/policy.schema.json`."""

from __future__ import annotations

from typing import Any

from nexus_sdk.policy.document import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "policy.schema.json"
"""Relative, so that it resolves wherever the file is."""


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12. The descriptions are the docstrings of the document; titles, which
    pydantic makes of the fields' names, are left out. What the cross-checks refuse, it lets
    pass."""
    schema = _untitled(Policy.model_json_schema())
    return {"$schema": DIALECT, "$id": ID, "title": "Nexus policy", **schema}


def _untitled(schema: Any, *, names: bool = False) -> Any:
    """`schema` without titles. `names`: its keys are names of fields, one of which may be
    `title`."""
    if isinstance(schema, list):
        return [_untitled(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _untitled(value, names=not names and key in {"properties", "$defs"})
        for key, value in schema.items()
        if names or key != "title"
    }
