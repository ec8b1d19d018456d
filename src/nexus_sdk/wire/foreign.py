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
    _tell_names(chat, origin, report)
    return natives.own(chat, origin, report)


def _tell_names(chat: Json, origin: str, report: Report) -> None:
    """What another vendor's message is labelled with, beyond an id that only it knows."""
    for place, message in enumerate(chat["messages"]):
        for entry in message.get("provider_blocks") or ():
            block = entry["block"]
            labels = block.keys() - {"type", "id"} if block.get("type") == "message" else ()
            if labels and entry["origin"] != origin:
                report.omitted(
                    f"messages.{place}.provider_blocks", "the labels of a message stay with it"
                )
