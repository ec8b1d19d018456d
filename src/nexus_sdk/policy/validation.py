"""What pydantic finds wrong with a document, in our words and at our places.

pydantic names an error by its type and by a location that also holds the tags of routing nodes.
Both are translated here; its own sentences, and above all the input it quotes, are not shown.
"""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from nexus_sdk.policy.document import NODE_KINDS, TARGET, Name, Part, Policy
from nexus_sdk.policy.parts import PLACE
from nexus_sdk.policy.problems import Problem
from nexus_sdk.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nexus_sdk.policy.tree import Path, Tree

type Error = Mapping[str, Any]
"""One entry of `ValidationError.errors()`: type, loc, input, ctx."""

_TAG = "node:"
_REASONS = {
    "string_type": "must be text; put it in quotes",
    "string_unicode": "must be text in Unicode",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of a usual size",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map of fields",
    "greater_than": "must be greater than {gt:.15g}",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
}
"""By pydantic's error type; the braces are filled from the error's context."""

_PLACE = "must be a word of an address: letters, digits, '.', '_', ':' and '-'"
_NAME = next(field.pattern for field in get_args(Name)[1].metadata)
_PATTERNS = {
    TARGET: "must be provider/model, like openai/gpt-4o-mini",
    PLACE: _PLACE,
    _NAME: "must be a name: lower-case letters, digits, '.', '_' and '-', at most 64",
    r"^[0-9a-f]{64}$": "must be 64 hexadecimal digits, as `nexus keys add` writes them",
}


def problems(errors: Iterable[Error], tree: Tree) -> list[Problem]:
    """One problem for each error, at its path in `tree`."""
    return [_problem(error, tree) for error in errors]


def _problem(error: Error, tree: Tree) -> Problem:
    given, context = error.get("input"), error.get("ctx", {})
    if given is None and error["type"] not in _SPECIAL:
        reason = "has no value; give it one or leave it out"
    elif special := _SPECIAL.get(error["type"]):
        reason = special(error)
    else:
        reason = _REASONS.get(error["type"], "is not valid").format_map(context)
    return Problem(_path(error["loc"], tree), reason)


def _unknown(error: Error) -> str:
    *above, name = error["loc"]
    return "is no field" + did_you_mean(str(name), _fields(above))


def _pattern(error: Error) -> str:
    pattern = error["ctx"]["pattern"]
    return _PATTERNS.get(pattern, f"must match {pattern}")


def _choice(error: Error) -> str:
    """pydantic lists the choices as `'a', 'b' or 'c'`."""
    expected, given = error["ctx"]["expected"], error["input"]
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    near = did_you_mean(given, words) if isinstance(given, str) else ""
    return f"must be {'one of ' if len(words) > 1 else ''}{expected}{near}"


def _node(error: Error) -> str:
    given = error["input"]
    near = did_you_mean(next(iter(given), ""), NODE_KINDS) if isinstance(given, dict) else ""
    return f"{error['msg']}{near}"


def _short(error: Error) -> str:
    """Of a secret pydantic says `Value`, of a list or map its kind."""
    context = error["ctx"]
    if context.get("field_type") == "Value":
        return "must not be empty"
    least = context["min_length"]
    return f"must have at least {least} {'entry' if least == 1 else 'entries'}"


_SPECIAL: Mapping[str, Callable[[Error], str]] = {
    "extra_forbidden": _unknown,
    "missing": lambda _: "is required",
    "string_pattern_mismatch": _pattern,
    "literal_error": _choice,
    "routing_node": _node,
    "too_short": _short,
}


def _path(location: tuple[str | int, ...], tree: Tree) -> Path:
    """The location as a path of the document, without the tags of routing nodes."""
    path: list[str | int] = []
    here: Tree | None = tree
    for step in location:
        there = here.child(step) if here is not None else None
        if there is None and isinstance(step, str) and (step.startswith(_TAG) or step == "[key]"):
            continue
        path.append(step)
        here = there
    return tuple(path)


def _fields(location: Sequence[str | int]) -> Iterable[str]:
    """The fields of the model at `location`."""
    here: object = Policy
    for step in location:
        here = _within(here, step)
    return here.model_fields if isinstance(here, type) and issubclass(here, Part) else ()


def _within(kind: object, step: str | int) -> object:
    """The type of what stands at `step` in a value of type `kind`."""
    if isinstance(step, str) and step.startswith(_TAG):
        return NODE_KINDS[step.removeprefix(_TAG)]
    if isinstance(kind, type) and issubclass(kind, Part):
        return _plain(kind.model_fields[str(step)].annotation)
    return _plain(get_args(kind)[-1])


def _plain(kind: object) -> object:
    """`kind` without annotations and without None."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        some = [arg for arg in get_args(kind) if arg is not type(None)]
        return _plain(some[0]) if len(some) == 1 else kind
    return kind
