from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from nexus_sdk.demo.schema import fit

SAID = "Tell ann@example.org that 12 blue boxes left"

LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "maxLength": 5},
        {"type": "string", "minLength": 80},
        {"type": "string", "format": "date"},
        {"type": "integer", "minimum": 20},
        {"type": "integer", "multipleOf": 5},
        {"type": "number", "maximum": 3.5},
        {"type": "number", "exclusiveMinimum": 12},
        {"type": "number", "exclusiveMaximum": 12},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["null", "string"]},
        {"const": 7},
        {"enum": ["red", "blue"]},
        {},
    ]
)


def _nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(
        lambda properties: {
            "type": "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        }
    )
    arrays = st.builds(
        lambda item, low, more: {
            "type": "array",
            "items": item,
            "minItems": low,
            "maxItems": low + more,
        },
        inner,
        st.integers(0, 3),
        st.integers(0, 3),
    )
    tuples = st.lists(inner, min_size=1, max_size=3).map(
        lambda items: {"type": "array", "prefixItems": items}
    )
    unions = st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    return objects | arrays | tuples | unions


@given(st.recursive(LEAVES, _nested, max_leaves=12))
def test_the_value_fits_the_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(fit(schema, SAID))


def test_strings_are_the_words_of_the_prompt() -> None:
    schema = {"properties": {"to": {"format": "email"}, "text": {}, "count": {"type": "integer"}}}
    assert fit(schema, SAID) == {"to": "ann@example.org", "text": SAID, "count": 12}


def test_the_enum_member_that_was_named_is_chosen() -> None:
    assert fit({"enum": ["red", "blue"]}, SAID) == "blue"
    assert fit({"enum": ["red", "green"]}, SAID) == "red"


def test_references_and_intersections_are_followed() -> None:
    schema = {
        "$defs": {"Name": {"type": "string", "maxLength": 4}},
        "allOf": [
            {"properties": {"a": {"$ref": "#/$defs/Name"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ],
    }
    assert fit(schema, SAID) == {"a": "Tell", "b": True}


def test_a_recursive_schema_comes_to_an_end() -> None:
    tree = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "left": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#"}},
        },
        "required": ["name", "left"],
    }
    Draft202012Validator(tree).validate(fit(tree, SAID))


def test_a_schema_without_an_end_is_refused() -> None:
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    with pytest.raises(ValueError, match="without end"):
        fit(endless, SAID)
