"""What every wire format offers: the contract between the pipeline and `wire/dialects/`.

The canonical form is the OpenAI chat.completions shape as plain JSON values (requests, answers and
chunks), extended so that nothing known is lost. The extensions, all optional:

- message `reasoning_content`: the readable reasoning; `reasoning_blocks`: `[{"origin", "block",
  "at"?, "order"?}]`, the vendor's own reasoning items with their signatures, replayed unchanged to
  the dialect named by `origin`;
- message `provider_blocks`: the same for items that only the origin knows (server tools and their
  results). `at` is how many characters of the message's text come before the block, 0 when absent;
  `order` its place among the blocks of both lists, its index in its own list when absent;
- message `annotations`: OpenAI's, each with `origin` and `block` when it was another vendor's
  citation;
- message `is_error` on a tool's result; `item_id` on a tool call; `cache_control` wherever it
  stood;
- request `provider_options`, and a text part's `native`: `wire/natives.py`;
- choice `native_finish_reason` and `stop_sequence`, where OpenAI's word says less; in a chunk,
  `tool_plan` (true) where its reasoning is Cohere's plan of tools;
- request `documents` and Cohere's switches, under its own names (`wire/grounding.py`);
- in a chunk, the entries of these lists carry `index`, as OpenAI's own lists do.

A field that a dialect does not know travels unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from nexus_sdk.values import value
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.errors import NexusError, UpstreamFailed
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json, Path
    from nexus_sdk.wire.texts import TextMap

type Channel = tuple[str | int, ...]
"""Names one text of a streamed answer: `(choice, "content")`, `(choice, "tool", 2)`. A prefix names
all below it."""
type SlotKind = Literal["text", "json", "whole", "whole_json", "logprobs"]


class Slot(NamedTuple):
    """A place in an event that holds text of an answer, as `holder[field]`.

    `text`: the next piece of the channel's text. `json`: the next piece of JSON text. `whole`,
    `whole_json`: all of the channel's text at once, either as a repeat of what was streamed or
    without any piece before it. `logprobs`: tokens of the channel's text once more, to be removed
    where the text was changed.
    """

    channel: Channel
    holder: Json
    field: str | int
    kind: SlotKind


@value
class Facts:
    """What the pipeline must know of a request. `deterministic`: temperature 0 or a seed.
    `wants_stream_usage`: the caller's dialect promises token counts at the end of this stream."""

    model: str
    stream: bool = False
    max_output_tokens: int | None = None
    n: int = 1
    tools: bool = False
    deterministic: bool = False
    wants_stream_usage: bool = False
    user: str = ""


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """An upstream's error: the HTTP status it came with, and its own words, empty where it said
    nothing. `retry_after_s`: seconds to wait, where the body tells them."""

    status: int
    message: str
    type: str = ""
    code: str = ""
    param: str = ""
    retry_after_s: float | None = None


@value
class Reply:
    """What an answer needs beyond its own content. `request` is the caller's document; `id`,
    `model` and `created` (seconds since the epoch) stand in where the upstream did not give its
    own. `kept_as`: the id that it must have, whatever the upstream's is."""

    request: Json
    id: str
    model: str
    created: int = 0
    kept_as: str = ""


class StreamDecoder(Protocol):
    """Events of the dialect in, canonical chunks out. Error events give nothing: see
    `Dialect.stream_error`."""

    def feed(self, event: StreamEvent) -> list[Json]: ...

    def close(self) -> list[Json]:
        """What was still held when the stream ended."""
        ...


class DecodeError(Protocol):
    """An upstream's error, from its status, its body, and its type where a header tells it."""

    def __call__(self, status: int, body: bytes, kind: str = "", /) -> ErrorFacts: ...


class StreamEncoder(Protocol):
    """Canonical chunks in, events of the dialect out."""

    def feed(self, chunk: Json) -> list[StreamEvent]: ...

    def close(self) -> list[StreamEvent]:
        """The events that end a whole stream. A cut stream ends with `Dialect.error_events`
        instead."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format, both ways, whole and streamed. Every function is pure; decoders and encoders
    are one stream's.

    - `read` checks the shape of a request. Raises Malformed with `param`.
    - `decode_*` give the canonical form; the request is a new document, parts may be shared with
      the given one. Raise Unsupported where the dialect itself cannot be expressed in it, Malformed
      where it is not well formed, `decode_response` also UpstreamFailed for an answer that is none.
    - `encode_request` tells `Report` what it changed or left out. It does not stream for you:
      `stream` travels.
    - `strip_foreign` is for a request that goes on in its own dialect: the same object, or a copy
      without what an earlier answer of another vendor left in the conversation, which this one
      would refuse.
    - `usage` and `stream_usage` read token counts, from a whole answer and from an event's
      document.
    - `slots`, `closes` and `delta` are for enforcement on a stream in this dialect: the texts of an
      event; the channel prefixes that end with it (`()` is all), so that held text must go out
      before; and a new event that carries `text`, which takes its ids from `like`.
    - `terminal` tells the event after which a stream is whole. `trailing`: more may follow it, as
      nothing marks the last event, so that a stream is read to the end of its body.
    - `resequencer` makes a function that numbers events anew, for a stream into which events were
      inserted.
    - `plain` names the events whose data is text, not JSON. A dialect with any is no door for
      streams: what reads along reads JSON.
    - `repeats`, where the body repeats the model of the path: the edits that make it another one.
    - `encode_error` is our own error as a body, `error_events` the same inside an open stream;
      `decode_error` reads an upstream's, and `relay_error` tells it in this dialect;
      `error_header`, where a header tells the type as well: that header, by status.
    """

    name: str
    text: TextMap
    read: Callable[[Json], Facts]
    decode_request: Callable[[Json], Json]
    encode_request: Callable[[Json, Report], Json]
    decode_response: Callable[[Json], Json]
    encode_response: Callable[[Json, Reply], Json]
    strip_foreign: Callable[[Json, Report], Json]
    usage: Callable[[Json], Usage | None]
    encode_error: Callable[[NexusError, str], Json]
    decode_error: DecodeError
    relay_error: Callable[[ErrorFacts, str], Json]
    error_events: Callable[[NexusError, str], list[StreamEvent]]
    stream_decoder: Callable[[], StreamDecoder]
    stream_encoder: Callable[[Reply], StreamEncoder]
    slots: Callable[[Json, str], list[Slot]]
    closes: Callable[[Json, str], list[Channel]]
    delta: Callable[[Channel, str, Json], StreamEvent]
    terminal: Callable[[StreamEvent], bool]
    stream_error: Callable[[StreamEvent], UpstreamFailed | None]
    stream_usage: Callable[[Json], Usage | None]
    resequencer: Callable[[], Callable[[StreamEvent], StreamEvent]]
    plain: frozenset[str] = frozenset()
    trailing: bool = False
    repeats: Callable[[Json, str], Mapping[Path, Json]] | None = None
    error_header: Callable[[int], Mapping[str, str]] | None = None


def event(name: str, doc: Json) -> StreamEvent:
    """A new event that carries `doc`."""
    return StreamEvent(name, dumps(doc), doc)


def as_they_are() -> Callable[[StreamEvent], StreamEvent]:
    """The resequencer of a dialect whose events bear no number."""
    return lambda event: event


def renamed(doc: Json, names: Mapping[str, str]) -> Json:
    """A copy of `doc` with keys replaced by `names`; the others stay."""
    return {names.get(key, key): value for key, value in doc.items()}


def inverted[K, V](table: Mapping[K, V]) -> dict[V, K]:
    """`table` read backwards. Raises ValueError when two rows share a value: such a table has one
    direction only."""
    back = {value: key for key, value in table.items()}
    if len(back) != len(table):
        raise ValueError("two rows share a value")
    return back
