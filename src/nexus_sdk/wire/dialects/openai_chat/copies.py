"""What clients of the API's copies write otherwise, in the words of the API.

Source: the request types of mistralai 3.7 (https://docs.mistral.ai/api, chat).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_NAMES = {"random_seed": "seed"}
_CHOICES = {"any": "required"}


def plain(chat: Json) -> Json:
    """`chat` as OpenAI's own client would have written it."""
    told = dict(chat)
    for theirs, ours in _NAMES.items():
        if theirs in told:
            value = told.pop(theirs)
            told.setdefault(ours, value)
    choice = told.get("tool_choice")
    if isinstance(choice, str):
        told["tool_choice"] = _CHOICES.get(choice, choice)
    told["messages"] = [_message(message) for message in chat["messages"]]
    return told


def _message(message: Json) -> Json:
    content = message.get("content")
    if not isinstance(content, list) or not any(map(_is_bare, content)):
        return message
    parts = [_image(part) if _is_bare(part) else part for part in content]
    return message | {"content": parts}


def _is_bare(part: Json) -> bool:
    return part["type"] == "image_url" and isinstance(part.get("image_url"), str)


def _image(part: Json) -> Json:
    """An address alone, where the API has an object that holds it."""
    return part | {"image_url": {"url": part["image_url"]}}
