"""Dialects of operations that are never streamed: embeddings, counts of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import Dialect, as_they_are, event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.errors import NexusError
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.dialect import ErrorFacts, Facts, Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json, Path
    from nexus_sdk.wire.sse import StreamEvent
    from nexus_sdk.wire.texts import TextMap


def refuse_stream(doc: Json) -> None:
    """Raises Malformed for a request that asks for one."""
    if doc.get("stream"):
        raise Malformed("this operation is not streamed; leave stream out", param="stream")


def error_events(err: NexusError, request_id: str) -> list[StreamEvent]:
    return [event("", failures.openai_error(err, request_id))]


def _no_stream(*_: object) -> NoReturn:
    raise Unsupported("this operation is not streamed", param="stream")


def same(doc: Json, report: Report) -> Json:  # noqa: ARG001  no trace of another vendor stands there
    return doc


def dialect(  # noqa: PLR0913  the parts of a format
    name: str,
    *,
    text: TextMap,
    read: Callable[[Json], Facts],
    request: tuple[Callable[[Json], Json], Callable[[Json, Report], Json]],
    response: tuple[Callable[[Json], Json], Callable[[Json, Reply], Json]],
    usage: Callable[[Json], Usage | None],
    error: tuple[Callable[[NexusError, str], Json], Callable[[ErrorFacts, str], Json]],
    strip_foreign: Callable[[Json, Report], Json] = same,
    repeats: Callable[[Json, str], Mapping[Path, Json]] | None = None,
) -> Dialect:
    """The pairs are decoder and encoder; of errors, our own and another vendor's."""
    never: Any = _no_stream
    return Dialect(
        name=name,
        text=text,
        read=read,
        decode_request=request[0],
        encode_request=request[1],
        decode_response=response[0],
        encode_response=response[1],
        strip_foreign=strip_foreign,
        usage=usage,
        encode_error=error[0],
        decode_error=failures.read,
        relay_error=error[1],
        error_events=error_events,
        stream_decoder=never,
        stream_encoder=never,
        slots=never,
        closes=never,
        delta=never,
        terminal=never,
        stream_error=failures.in_stream,
        stream_usage=never,
        resequencer=as_they_are,
        repeats=repeats,
    )
