"""Bodies that no door may let through, and upstreams that do not answer as they should."""

from __future__ import annotations

import json
from typing import Any

from tests.sidecar.app_stack import MAX_BODY, chat

GOOD = json.dumps(chat()).encode()


def body(**more: Any) -> bytes:
    return json.dumps(chat(**more)).encode()


def spliced(member: bytes) -> bytes:
    """A good body with `member` behind its last one."""
    return GOOD[:-1] + b", " + member + b"}"


BODIES: dict[str, tuple[int, str, bytes]] = {
    "nothing": (400, "malformed_request", b""),
    "half a document": (400, "malformed_request", GOOD[:-5]),
    "something behind it": (400, "malformed_request", GOOD + b"{}"),
    "no object": (400, "malformed_request", b'["model"]'),
    "a key twice": (400, "malformed_request", spliced(b'"model": "other"')),
    "a key twice in another case": (400, "malformed_request", spliced(b'"Messages": []')),
    "a key twice, escaped": (400, "malformed_request", spliced(b'"mod\\u0065l": "other"')),
    "not a number": (400, "malformed_request", spliced(b'"temperature": NaN')),
    "infinity": (400, "malformed_request", spliced(b'"temperature": -Infinity')),
    "an endless number": (400, "malformed_request", spliced(b'"seed": ' + b"9" * 5000)),
    "deep nesting": (400, "malformed_request", spliced(b'"x": ' + b"[" * 5000 + b"]" * 5000)),
    "a model that is no text": (400, "malformed_request", body(model=5)),
    "no model": (400, "malformed_request", b'{"messages": [{"role": "user", "content": "x"}]}'),
    "messages that are no list": (400, "malformed_request", body(messages="hello")),
    "a message that is no object": (400, "malformed_request", body(messages=["hello"])),
    "content that is no text": (
        400,
        "malformed_request",
        body(messages=[{"role": "user", "content": 5}]),
    ),
    "bytes that are no UTF-8": (400, "malformed_request", GOOD.replace(b"hello", b"\xff\xfe")),
    "half a surrogate pair": (400, "malformed_request", GOOD.replace(b"hello", b"\\ud83d")),
    "a byte order mark": (400, "malformed_request", b"\xef\xbb\xbf" + GOOD),
    "an unknown model": (404, "not_found", body(model="gpt-nobody")),
    "a model with a line end": (404, "not_found", body(model="gpt-4o\r\nx-evil: 1")),
    "a word that blocks": (403, "policy_blocked", body(text="about Nightjar")),
    "a body of the largest size": (400, "malformed_request", b" " * MAX_BODY),
}
"""Status, code, body. None of these may reach an upstream."""

FAULTS: dict[str, int] = {
    "html": 502,
    "garbage": 502,
    "empty": 502,
    "error-in-200": 502,
    "cut": 502,
    "reset": 502,
    "ended": 502,
    "not-utf8": 502,
    "dead": 502,
    "busy": 429,
    "broken": 500,
    "wrong": 400,
}
"""By model: the status for the caller of a whole answer."""

BROKEN_STREAMS = (
    "garbage",
    "empty",
    "error-in-200",
    "cut",
    "reset",
    "ended",
    "not-utf8",
    "no-done",
    "error-event",
    "html",
)
ODD_STREAMS = ("empty-event", "comments", "bom", "crlf", "cr", "no-blank", "split", "gzip")
"""Streams that are in order, however they look."""
