"""What other vendors alone have in a canonical request: put in another form or left out, and told,
before one vendor's encoder reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import grounding, natives
from nexus_sdk.wire.geminis import without_geminis

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def settled(chat: Json, origin: str, report: Report) -> tuple[Json, Json]:
    """The request as the encoder of the dialect `origin` can take it, and that dialect's own
    options by name (`natives.py`)."""
    if origin != "cohere":
        chat = grounding.spread(chat, report)
    if origin != "gemini":
        chat = without_geminis(chat, report)
    for place, message in enumerate(chat["messages"]):
        if message["role"] == "assistant":
            _tell_labels(message, f"messages.{place}", origin, report)
    return natives.own(chat, origin, report)


_CITELESS = frozenset({"openai_responses", "gemini", "cohere"})
"""Dialects whose encoders make one text of a former answer's parts: their citations are told
here."""


def _tell_labels(message: Json, path: str, origin: str, report: Report) -> None:
    """What another vendor labelled its answer with, beyond an id that only it knows."""
    for entry in message.get("provider_blocks") or ():
        block = entry["block"]
        labels = block.keys() - {"type", "id"} if block.get("type") == "message" else ()
        if labels and entry["origin"] != origin:
            report.omitted(f"{path}.provider_blocks", "the labels of a message stay with it")
    content = message.get("content")
    if origin in _CITELESS and type(content) is list:
        for place, part in enumerate(content):
            if part.get("citations"):
                report.omitted(
                    f"{path}.content.{place}.citations",
                    "the citations of another vendor stay with it",
                )
