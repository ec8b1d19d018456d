"""Events as bytes, with the faults that a script puts into a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.demo.reply import NOT_UTF8, Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nexus_sdk.demo.script import Script

COMMENT = b": keep-alive\n\n"
EMPTY_EVENT = b"event: ping\n\n"
BOM = b"\xef\xbb\xbf"

_SHAPES: Mapping[str, str] = {
    "flat": '{"message":"the model failed","code":"server_error"}',
    "vllm": '{"object":"error","message":"the model failed","type":"ServerError","code":500}',
}


def frames(events: Iterable[Event], script: Script, failure: Event) -> list[bytes]:
    """One piece of bytes for each event. `failure` is the error event of the format."""
    if not script:
        return [encode(event) for event in events]
    pieces = [encode(event) for event in _chosen(events, script, failure)]
    if "comments" in script:
        pieces = [COMMENT + piece for piece in pieces]
    if "empty-event" in script:
        pieces.insert(1, EMPTY_EVENT)
    if "no-blank" in script:
        pieces[-1:] = [piece.removesuffix(b"\n\n") for piece in pieces[-1:]]
    if "bom" in script:
        pieces.insert(0, BOM)
    return [_line_ends(piece, script).replace(NOT_UTF8.encode(), b"\xff") for piece in pieces]


def _chosen(events: Iterable[Event], script: Script, failure: Event) -> list[Event]:
    kept = list(events)
    if "error-event-after" in script:
        return [*kept[: script.count("error-event-after", 0)], _shaped(failure, script)]
    return [event for event in kept if not event.last] if "no-done" in script else kept


def _shaped(failure: Event, script: Script) -> Event:
    shape = script.text("error-shape")
    if shape == "named":
        return failure._replace(name="error")
    return (
        Event("error" if shape == "flat" else "", _SHAPES[shape]) if shape in _SHAPES else failure
    )


def encode(event: Event) -> bytes:
    if event.name:
        return f"event: {event.name}\ndata: {event.data}\n\n".encode("utf-8", "surrogatepass")
    return f"data: {event.data}\n\n".encode("utf-8", "surrogatepass")


def _line_ends(piece: bytes, script: Script) -> bytes:
    if "crlf" in script:
        return piece.replace(b"\n", b"\r\n")
    return piece.replace(b"\n", b"\r") if "cr" in script else piece
