"""Objects of the `openai` package, built from an answer exactly as the stock client builds them.

pydantic-core validates a document many times faster than the stock client's own `construct`, with
the same result wherever strict validation says yes, but for one thing: it counts unknown fields as
set, and `construct` does not (inside a union, optional fields included, it validates too). Wherever
strict validation says no (a word that is newer than the installed package, a number where text was
expected) the stock code builds the object, leniently, as it always does."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pydantic
from openai._models import construct_type
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.wire.sse import StreamEvent

    type Build = Callable[[StreamEvent], Any]

WHOLE: Mapping[str, Any] = {
    "chat": ChatCompletion,
    "responses": Response,
    "embeddings": CreateEmbeddingResponse,
}
"""What a whole answer of each endpoint is."""
EVENT: Mapping[str, Any] = {"chat": ChatCompletionChunk, "responses": ResponseStreamEvent}
"""What an event of each endpoint's stream is."""
_CONSTRUCTED: tuple[object, ...] = (ChatCompletion, ChatCompletionChunk, Response)


def whole(endpoint: str, body: bytes) -> Any:
    """The object for an answer's body; None where only the stock code can build it."""
    try:
        built = validator(WHOLE[endpoint]).validate_json(body, strict=True)
    except pydantic.ValidationError:
        return None
    forget_extras(built)
    return built


def from_document(kind: object, doc: object) -> Any:
    """The object of that kind for a document; None where only the stock code can build it, or knows
    the kind."""
    if kind is ResponseStreamEvent:
        return _event(doc)
    if kind not in _CONSTRUCTED:
        return None
    try:
        built = validator(kind).validate_python(doc, strict=True)
    except pydantic.ValidationError:
        return None
    forget_extras(built)
    return built


def _event(doc: Any) -> Any:
    told = doc.get("type") if isinstance(doc, dict) else None
    model = _event_types().get(told) if isinstance(told, str) else None
    if model is None:
        return None
    try:
        return validator(model).validate_python(doc, strict=True)
    except pydantic.ValidationError:
        return None


def chunk(event: StreamEvent) -> Any:
    built = from_document(ChatCompletionChunk, event.doc)
    return _constructed_event(ChatCompletionChunk, event) if built is None else built


def response_event(event: StreamEvent) -> Any:
    built = _event(event.doc)
    return _constructed_event(ResponseStreamEvent, event) if built is None else built


def _constructed_event(kind: Any, event: StreamEvent) -> Any:
    return construct_type(type_=kind, value=json.loads(event.data))


BUILD: Mapping[str, Build] = {"chat": chunk, "responses": response_event}


@cache
def validator(kind: Any) -> Any:
    """The `openai` package leaves it to the first use to compile a model, which wants a call stack
    of some depth."""
    kind.model_rebuild()
    return kind.__pydantic_validator__


def forget_extras(model: pydantic.BaseModel) -> None:
    """Make unknown fields count as not set, here and in the models inside that `construct`
    builds."""
    if extra := model.__pydantic_extra__:
        model.__pydantic_fields_set__.difference_update(extra)
    values = model.__dict__
    for name in _built_inside(type(model)):
        value = values[name]
        if type(value) is list:
            for item in value:
                forget_extras(item)
        elif value is not None:
            forget_extras(value)


@cache
def _built_inside(kind: type[pydantic.BaseModel]) -> tuple[str, ...]:
    """The fields that are a model or a list of models: not those of a union, which the stock code
    validates."""
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if _is_model(field.annotation)
        or (get_origin(field.annotation) is list and _is_model(get_args(field.annotation)[0]))
    )


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)


@cache
def _event_types() -> dict[str, Any]:
    """The model of each Responses event, by its `type`."""
    union = get_args(ResponseStreamEvent)[0]
    return {
        name: model
        for model in get_args(union)
        for name in get_args(model.model_fields["type"].annotation)
    }
