"""Objects of the `openai` package, built from an answer exactly as the stock client builds them.

pydantic-core validates a document many times faster than the stock client's own `construct`, with the same result
wherever strict validation says yes, but for one thing: it counts unknown fields as set, and `construct` does not (inside
a union, optional fields included, it validates too). Wherever strict validation says no (a word that is newer than the
installed package, a number where text was expected) the stock code builds the object, leniently, as it always does.
"""

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


def whole(endpoint: str, body: bytes) -> Any:
    """The object for an answer's body; None where only the stock code can build it."""
    try:
        built = validator(WHOLE[endpoint]).validate_json(body, strict=True)
    except pydantic.ValidationError:
        return None
    forget_extras(built)
    return built


def chunk(event: StreamEvent) -> Any:
    try:
        built = validator(ChatCompletionChunk).validate_python(event.doc, strict=True)
    except pydantic.ValidationError:
        return construct_type(type_=ChatCompletionChunk, value=json.loads(event.data))
    forget_extras(built)
    return built


def response_event(event: StreamEvent) -> Any:
    told = event.doc.get("type")
    model = _event_types().get(told) if isinstance(told, str) else None
    if model is not None:
        try:
            return validator(model).validate_python(event.doc, strict=True)
        except pydantic.ValidationError:
            pass
    return construct_type(type_=ResponseStreamEvent, value=json.loads(event.data))


BUILD: Mapping[str, Build] = {"chat": chunk, "responses": response_event}


@cache
def validator(kind: type[pydantic.BaseModel]) -> Any:
    """The `openai` package leaves it to the first use to compile a model, which wants a call stack of some depth."""
    kind.model_rebuild()
    return kind.__pydantic_validator__


def forget_extras(model: pydantic.BaseModel) -> None:
    """Make unknown fields count as not set, here and in the models inside that `construct` builds."""
    if extra := model.__pydantic_extra__:
        model.__pydantic_fields_set__.difference_update(extra)
    values = model.__dict__
    for name in _constructed(type(model)):
        value = values[name]
        if type(value) is list:
            for item in value:
                forget_extras(item)
        elif value is not None:
            forget_extras(value)


@cache
def _constructed(kind: type[pydantic.BaseModel]) -> tuple[str, ...]:
    """The fields that are a model or a list of models: not those of a union, which the stock code validates."""
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
