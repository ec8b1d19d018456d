"""How a request asks the model server for a behaviour: `name=value` pairs or bare names, with `;`
between them.

They stand in the header `x-demo` (`status=429;retry-after=1;times=2`) or in the model's name after
its first `;` (`gpt-4o;chunks=100`); where both name one, the header wins. Values are
percent-decoded (`say=two%20words`).

What is said
    say=TEXT             answer this text
    chunks=N             answer a text of exactly N pieces
    think=TEXT           think this first: reasoning_content, a reasoning item or a thinking block
    refuse=TEXT          refuse with this text
    tool=NAME            call this tool, whatever the prompt says
    calls=N              call the tool N times in parallel
    finish=REASON        the finish reason, in the words of chat completions (`length`)
    nonutf8              the text holds a byte that is not UTF-8
    role-less            no delta names the role
    no-finish            no finish reason
    no-usage             no usage
When
    times=N              the first N requests that bring this script play it, the next are plain
    delay=S              S seconds before the first byte
    chunk-delay=S        S seconds between two events (or two pieces of `split`)
    hang                 no byte, ever
    hang-after=N         N bytes of the body, then silence
Instead of an answer
    status=N             this status; from 400 on with the error body of the format
    retry-after=TEXT     that header
    retry-after-ms=TEXT  that header
    location=URL         that header
    code=TEXT            the `code` of the error body
    html                 an HTML page, status 200
    garbage              bytes that are neither JSON nor events, under the usual content type
    empty                no body, status 200
    error-in-200         the error body under status 200 and the usual content type
Streams
    error-event-after=N  after N events an error event, then the end
    error-shape=SHAPE    that event as `named` (event: error), `flat` (no `error` object) or `vllm`
    empty-event          `event: ping` without data, after the first event
    comments             a comment line before every event
    bom                  a byte order mark first
    crlf                 lines end with CR LF
    cr                   lines end with CR
    no-done              the end is missing: `[DONE]`, `message_stop`, `response.completed`
    no-blank             no blank line after the last event
Transport
    split=N              the body in pieces of N bytes, each an HTTP chunk of its own
    cut-after=N          N bytes of the body, then the connection is closed, the framing unfinished
    reset                such a cut is a TCP reset
    end-after=N          N bytes of the body, then a regular end
    eof                  neither length nor chunks: the body ends with the connection
    gzip                 content-encoding: gzip, flushed after every event
    content-type=TEXT    that header
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

type Kind = Literal["text", "count", "seconds", "flag"]

BEHAVIOURS: Mapping[str, Kind] = {
    "say": "text",
    "chunks": "count",
    "think": "text",
    "refuse": "text",
    "tool": "text",
    "calls": "count",
    "finish": "text",
    "nonutf8": "flag",
    "role-less": "flag",
    "no-finish": "flag",
    "no-usage": "flag",
    "times": "count",
    "delay": "seconds",
    "chunk-delay": "seconds",
    "hang": "flag",
    "hang-after": "count",
    "status": "count",
    "retry-after": "text",
    "retry-after-ms": "text",
    "location": "text",
    "code": "text",
    "html": "flag",
    "garbage": "flag",
    "empty": "flag",
    "error-in-200": "flag",
    "error-event-after": "count",
    "error-shape": "text",
    "empty-event": "flag",
    "comments": "flag",
    "bom": "flag",
    "crlf": "flag",
    "cr": "flag",
    "no-done": "flag",
    "no-blank": "flag",
    "split": "count",
    "cut-after": "count",
    "reset": "flag",
    "end-after": "count",
    "eof": "flag",
    "gzip": "flag",
    "content-type": "text",
}


class BadScript(ValueError):
    """The script names something that is no row of the table, or a value of the wrong kind."""


@dataclass(frozen=True, slots=True)
class Script:
    """The behaviours of one request, checked. Times in seconds, sizes in bytes."""

    rows: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.rows

    def __bool__(self) -> bool:
        return bool(self.rows)

    def text(self, name: str, default: str = "") -> str:
        return self.rows.get(name, default)

    def count(self, name: str, default: int) -> int:
        return int(self.rows.get(name, default))

    def seconds(self, name: str) -> float:
        return float(self.rows.get(name, 0.0))

    def key(self) -> str:
        """Equal for requests that bring the same script: what `times` counts."""
        return repr(sorted(self.rows.items()))


PLAIN = Script({})


def read(model: str, header: str) -> Script:
    """The script of a request. Raises BadScript."""
    _, _, named = model.partition(";")
    if not named and not header:
        return PLAIN
    return Script(_rows(named) | _rows(header))


def _rows(text: str) -> dict[str, str]:
    rows = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, value = part.partition("=")
        rows[name] = unquote(value)
        _check(name, rows[name])
    return rows


def _check(name: str, value: str) -> None:
    kind = BEHAVIOURS.get(name)
    if kind is None:
        raise BadScript(f"no behaviour is called {name!r}; known: {', '.join(sorted(BEHAVIOURS))}")
    try:
        fits = {"text": True, "flag": not value}.get(kind)
        if fits is None:
            fits = (int(value) if kind == "count" else float(value)) >= 0
    except ValueError:
        fits = False
    if not fits:
        raise BadScript(f"{name}={value!r}: expected {_EXPECTED[kind]}")


_EXPECTED = {
    "flag": "no value",
    "count": "a whole number",
    "seconds": "a number of seconds",
    "text": "a text",
}
