"""Step 8, the part without I/O: one target's HTTP exchange, always made from the same inspected
call."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, NotFound
from nexus_sdk.model import Target, Upstream
from nexus_sdk.values import value
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.json import dumps, insert, splice
from nexus_sdk.wire.shape import MISSHAPEN

if TYPE_CHECKING:
    from nexus_sdk.model import Headers, Patience
    from nexus_sdk.policy.snapshot import Account
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.wire.dialect import Dialect
    from nexus_sdk.wire.json import Json

BRIDGES = ("chat", "messages", "responses")
"""Conversations can go to any of these, in this order, where the target lacks the caller's own
endpoint."""

FORWARDED = frozenset(
    {
        "accept",
        "user-agent",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "anthropic-beta",
        "anthropic-version",
        "idempotency-key",
    }
)
"""The caller's headers that a provider of the policy gets. The caller's own upstream gets all but
`WITHHELD`."""
WITHHELD = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "accept-encoding",
        "proxy-authorization",
        "proxy-connection",
        "content-encoding",
    }
)
_PRIVATE = "x-nexus-"


@value
class Prepared:
    """`dialect` is what the answer will come in; None where no dialect reads it. `hide_usage`: the
    stream will tell token counts that the caller did not ask for."""

    upstream: Upstream
    target: Target
    dialect: Dialect | None
    report: Report = field(default_factory=Report)
    hide_usage: bool = False


def prepare(call: Call, target: Target, account: Account, *, refuse_drops: bool) -> Prepared:
    """Raises Unsupported for what the target cannot express, NotFound when it has no such
    operation."""
    report = Report()
    if call.dialect is None or call.endpoint is None:
        return Prepared(
            _upstream(call, account, call.request.path, call.body), target, None, report
        )
    endpoint = _endpoint(call, target, account)
    dialect = DIALECTS[account.endpoints[endpoint][0]]
    if dialect is call.dialect:
        doc = dialect.strip_foreign(call.doc, report)
        body = _same(call, doc, target)
    else:
        doc = _translated(call, call.dialect, dialect, target, report)
        body = dumps(doc)
    if refuse_drops:
        report.refuse_drops()
    hide = False
    if dialect.name == "openai_chat" and call.facts.stream and account.stream_usage:
        body, hide = _asking_for_usage(body, doc, report)
    upstream = _upstream(call, account, account.endpoints[endpoint][1], body)
    return Prepared(upstream, target, dialect, report, hide)


def _endpoint(call: Call, target: Target, account: Account) -> str:
    assert call.endpoint is not None
    key = call.endpoint.key
    if key in account.endpoints:
        return key
    bridge = next((b for b in BRIDGES if b in account.endpoints), None) if key in BRIDGES else None
    if bridge is None:
        raise NotFound(
            f"provider {target.provider!r} has no {key} operation; route {target.model!r} elsewhere"
        )
    return bridge


def _translated(
    call: Call, source: Dialect, dialect: Dialect, target: Target, report: Report
) -> Json:
    try:
        chat = source.decode_request(call.doc) | {"model": target.model}
        return dialect.encode_request(chat, report)
    except MISSHAPEN as err:
        raise Malformed(
            f"the request has not the shape of {source.name}, and cannot be translated for "
            f"{target.provider!r} ({type(err).__name__})"
        ) from err


def _same(call: Call, doc: Json, target: Target) -> bytes:
    """The caller's own bytes, with the model's name at the target where it differs. `doc` is
    another document than the caller's only where another vendor's reasoning had to go."""
    body = call.body if doc is call.doc else dumps(doc)
    if target.model == call.facts.model:
        return body
    return splice(body, {("model",): target.model})


def _asking_for_usage(body: bytes, doc: Json, report: Report) -> tuple[bytes, bool]:
    """Ask for token counts at the end of the stream; without them a cost is a guess. `doc` is what
    `body` says."""
    options = doc.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        return body, False
    report.coerced("stream_options.include_usage->true")
    wanted = {**(options or {}), "include_usage": True}
    if "stream_options" in doc:
        return splice(body, {("stream_options",): wanted}), True
    return insert(body, "stream_options", wanted), True


def _upstream(call: Call, account: Account, path: str, body: bytes) -> Upstream:
    request = call.request
    patience = request.patience
    # A provider of the policy gets nothing that could name the caller, and a query may hold a key.
    query = f"?{request.query}" if request.query and account.own else ""
    return Upstream(
        method=request.method,
        url=f"{account.base_url}{path}{query}",
        headers=_headers(call, account),
        body=body,
        stream=call.facts.stream or call.dialect is None,
        connect_s=_patient(patience.connect_s, account.connect_s),
        read_s=_patient(patience.read_s, account.read_s),
        total_s=patience.total_s if patience.total_s is not None else account.total_s,
        private_network=account.private_network,
    )


def _patient(asked: float | None, allowed: float) -> float:
    return allowed if asked is None else asked


def _headers(call: Call, account: Account) -> Headers:
    """The account's own headers last, so that no caller's header can take the place of a
    credential."""
    request = call.request
    if account.own:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in WITHHELD and not name.startswith(_PRIVATE)
        }
        content_type = request.headers.get("content-type")
        if content_type and call.dialect is None:
            headers["content-type"] = content_type
    else:
        headers = {n: v for n, v in request.headers.items() if n in FORWARDED}
    if call.dialect is not None:
        headers["content-type"] = "application/json"
    headers["accept-encoding"] = "identity" if call.facts.stream else "gzip"
    for name, own in account.headers.items():
        if name in account.defaults:
            headers.setdefault(name, own)
        else:
            headers[name] = own
    return headers


def patience_retries(patience: Patience, attempts: int) -> int:
    """Attempts at one target: the caller's own patience wins over the policy's."""
    return attempts if patience.retries is None else patience.retries + 1
