"""Step 10: what the caller gets, in its own dialect; whole answers, refusals, and upstreams'
errors."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Blocked, LimitExceeded, Malformed, UpstreamFailed
from nexus_sdk.model import Answer, Failure, Response, Usage
from nexus_sdk.stages import catalog
from nexus_sdk.wire import error_reasons, estimates, failures
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.json import dumps, parse, splice
from nexus_sdk.wire.shape import MISSHAPEN
from nexus_sdk.wire.texts import ANY_TEXT, Leaf

if TYPE_CHECKING:
    from nexus_sdk.attempts import Sent
    from nexus_sdk.errors import NexusError
    from nexus_sdk.model import Door, Headers, Request
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.stages.trail import Trail
    from nexus_sdk.wire.dialect import Dialect
    from nexus_sdk.wire.json import Json

PLAIN = "openai_chat"
"""The error dialect of operations that have none of their own."""
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "content-encoding",
    }
)
_KEPT_INSIDE = frozenset(
    {"set-cookie", "server", "via", "alt-svc", "strict-transport-security", "cf-ray"}
)
"""What an upstream says to us and not to a caller of the sidecar."""
_HIDDEN_OUTSIDE = HOP_BY_HOP | _KEPT_INSIDE
MAX_HEADER_LIST = 1000


def dialect_of(request: Request) -> Dialect:
    """The dialect in which this caller reads errors."""
    if request.endpoint in catalog.LISTS:
        return DIALECTS.get(catalog.vendor_of(request)) or DIALECTS[PLAIN]
    endpoint = ENDPOINTS.get(request.endpoint)
    name = endpoint.dialect or endpoint.errors if endpoint else ""
    return DIALECTS.get(name) or DIALECTS[PLAIN]


def refusal(error: NexusError, trail: Trail) -> Answer:
    """Our own error as the caller's dialect tells it."""
    request = trail.request
    dialect = dialect_of(request)
    headers = {
        "content-type": "application/json",
        **own_headers(trail),
        "x-nexus-error": error.code,
        "x-request-id": request.id,
        "request-id": request.id,
        "x-should-retry": "false",
    }
    headers |= error_headers(dialect, error.status)
    if isinstance(error, LimitExceeded):
        headers["retry-after"] = str(max(ceil(error.retry_after_s), 1))
        headers["x-nexus-limit"] = error.limit
    if isinstance(error, Blocked) and error.rules:
        headers["x-nexus-rules"] = ",".join(error.rules)[:MAX_HEADER_LIST]
    if isinstance(error, UpstreamFailed) and error.failure is not None:
        headers["x-nexus-failure"] = error.failure.kind
        headers["x-nexus-failure-reason"] = _listed([error.failure.reason])
    return Answer(error.status, headers, dumps(dialect.encode_error(error, request.id)))


def error_headers(dialect: Dialect, status: int) -> Headers:
    """What this dialect tells of an error in a header."""
    return dialect.error_header(status) if dialect.error_header is not None else {}


def own_headers(trail: Trail) -> dict[str, str]:
    """What we say of the exchange ourselves. Never a secret, never content."""
    headers = {"x-nexus-request-id": trail.request.id, "x-nexus-cache": trail.cache}
    if trail.target is not None:
        headers["x-nexus-provider"] = trail.target.provider
        headers["x-nexus-model"] = trail.target.model
    if trail.attempts > 1:
        headers["x-nexus-attempts"] = str(trail.attempts)
    if trail.coerced:
        headers["x-nexus-coerced"] = _listed(trail.coerced)
    if trail.dropped:
        headers["x-nexus-dropped"] = _listed(trail.dropped)
    return headers


def _listed(items: list[str]) -> str:
    text = ", ".join(items)[:MAX_HEADER_LIST]
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def relayed_headers(upstream: Headers, door: Door) -> dict[str, str]:
    """The upstream's headers that travel on. In process all do that describe the answer; a caller
    of the sidecar takes what is named like ours for our own word, so that a provider cannot say
    it. RFC 9110, 7.6.1: headers that `connection` names end here."""
    outside = door == "sidecar"
    hidden = _HIDDEN_OUTSIDE if outside else HOP_BY_HOP
    if named := upstream.get("connection"):
        hidden = hidden.union(name.strip().lower() for name in named.split(","))
    return {
        name: value
        for name, value in upstream.items()
        if name not in hidden and not (outside and name.startswith("x-nexus-"))
    }


def judged(response: Response, call: Call, *, own: bool = False) -> tuple[Response | Failure, Json]:
    """The response, with its document when it is a whole answer. One that is none (HTML, an error
    inside a 200, no stream where one was asked) is a failure. So is a redirection, but for one of
    the caller's `own` upstream in process: there the client's next request comes through here as
    well. A caller of the sidecar would follow it past the policy, and any other back to here."""
    if 300 <= response.status < 400 and not (own and call.request.door != "sidecar"):
        reason = f"it answered with a redirection ({response.status}): its base_url has changed"
        return Failure("protocol", reason), None
    if response.status >= 300 or call.dialect is None:
        return _told_when(response) if response.status >= 400 else response, None
    if call.facts.stream and not response.streamed:
        kind = response.headers.get("content-type", "no content type")[:64]
        return Failure("protocol", f"it answered with {kind} where a stream was asked for"), None
    return (response, None) if response.streamed else _judged_whole(response)


def _told_when(response: Response) -> Response:
    """An error whose body says how long to wait (Google's `RetryInfo`) says it in the header that
    retries and clients read."""
    if b"retryDelay" not in response.body or "retry-after" in response.headers:
        return response
    wait_s = failures.read(response.status, response.body).retry_after_s
    if not wait_s:
        return response
    return replace(response, headers={**response.headers, "retry-after": str(ceil(wait_s))})


def _judged_whole(response: Response) -> tuple[Response | Failure, Json]:
    try:
        doc = parse(response.body)
    except Malformed as err:
        return Failure("protocol", f"its answer cannot be read: {err.message}"), None
    if not isinstance(doc, dict):
        return Failure("protocol", "its answer is not a JSON object"), None
    if doc.get("error") or doc.get("object") == "error" or doc.get("type") == "error":
        said = _said(doc.get("error") or doc)
        return Failure("protocol", f"it answered 200 with an error inside: {said}"), None
    return response, doc


def _said(error: Json) -> str:
    code = error.get("code") or error.get("type") if isinstance(error, dict) else None
    return str(code)[:64] if isinstance(code, str | int) else "unnamed"


def whole(call: Call, sent: Sent, now: int) -> tuple[bytes, Json]:
    """The answer's body for the caller, and its document as it was before policy changed its texts.
    `now`: seconds since the epoch, for an answer that does not say when it was made. Raises
    Blocked, UpstreamFailed."""
    prepared, doc, body = sent.prepared, sent.doc, sent.response.body
    assert call.dialect is not None
    assert prepared.dialect is not None
    if prepared.dialect is not call.dialect:
        doc = _translated(call, prepared.dialect, doc, now)
        body = dumps(doc)
    return splice(body, sent.inspector.document(doc, call.dialect.text)), doc


def passed_on(sent: Sent) -> tuple[bytes, Json, str]:
    """An answer that no dialect reads: its body with the texts that policy changed, its document
    where it is JSON, and a note on what was not scanned. Raises Blocked."""
    body = sent.response.body
    kind = sent.response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not body:
        return body, None, ""
    try:
        if "json" in kind:
            doc = parse(body)
            edits = sent.inspector.document(doc, ANY_TEXT) if isinstance(doc, dict | list) else {}
            return splice(body, edits) if edits else body, doc, ""
        if kind.startswith("text/"):
            edits = sent.inspector.texts([Leaf((), body.decode())])
            return str(edits[()]).encode() if edits else body, None, ""
    except (Malformed, UnicodeDecodeError):
        pass
    return body, None, f"unscanned: the answer is {kind[:64] or 'of no content type'}"


def _translated(call: Call, source: Dialect, doc: Json, now: int) -> Json:
    dialect = call.dialect
    assert dialect is not None
    try:
        return dialect.encode_response(source.decode_response(doc), call.reply(now))
    except (Malformed, *MISSHAPEN) as err:
        said = err.message if isinstance(err, Malformed) else type(err).__name__
        reason = f"its answer cannot be translated from {source.name}: {said}"
        raise UpstreamFailed(
            f"the upstream gave no usable answer: {reason}", failure=Failure("protocol", reason)
        ) from err


def usage_of(call: Call, sent: Sent) -> Usage:
    """The tokens that a whole answer took."""
    assert sent.prepared.dialect is not None
    return sent.prepared.dialect.usage(sent.doc) or estimated(call, len(sent.response.body))


def estimated(call: Call, output_chars: int) -> Usage:
    """Tokens by the rule of thumb, for an upstream that does not tell."""
    return Usage(call.input_tokens, estimates.tokens(output_chars), estimated=True)


def upstream_error(call: Call, sent: Sent) -> bytes:
    """An upstream's error: its own bytes where the caller speaks its dialect, else told in the
    caller's. Values that it quotes are restored, and nothing else is touched."""
    prepared, body = sent.prepared, sent.response.body
    if call.dialect is None or prepared.dialect is None:
        return body
    if prepared.dialect is not call.dialect:
        kind = sent.response.headers.get("x-amzn-errortype", "")
        told = prepared.dialect.decode_error(sent.response.status, body, kind)
        told = error_reasons.worded(told, call.dialect.name)
        body = dumps(call.dialect.relay_error(told, call.request.id))
    try:
        doc = orjson.loads(body)
        return (
            splice(body, sent.inspector.document(doc, call.dialect.text))
            if isinstance(doc, dict)
            else body
        )
    except (orjson.JSONDecodeError, KeyError):
        return body


def failed(failure: Failure, tried: int) -> UpstreamFailed:
    """No target gave an answer."""
    times = "once" if tried == 1 else f"{tried} times"
    return UpstreamFailed(
        f"the upstream gave no usable answer, tried {times}; the last time: {failure.reason}",
        failure=failure,
        code="upstream_timeout" if failure.kind == "timeout" else None,
    )
