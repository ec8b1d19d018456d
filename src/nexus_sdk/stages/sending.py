"""Step 8, the part without I/O: one target's HTTP exchange, always made from the same inspected
call."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from nexus_sdk.errors import Malformed, NotFound
from nexus_sdk.model import ANY_BYTES, Target, Upstream
from nexus_sdk.stages import counting
from nexus_sdk.values import value
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.framing import FRAMINGS, SSE
from nexus_sdk.wire.json import dumps, insert, splice
from nexus_sdk.wire.members import edited
from nexus_sdk.wire.shape import MISSHAPEN

if TYPE_CHECKING:
    from nexus_sdk.model import Headers, Patience
    from nexus_sdk.policy.snapshot import Account
    from nexus_sdk.stages.adapting import Manner
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.wire.dialect import Dialect
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.ways import Way

_BRIDGES = {
    kind: tuple(row.key for row in ENDPOINTS.values() if row.kind == kind)
    for kind in ("conversation", "embeddings", "rerank", counting.KIND)
}
"""A call can go to any endpoint of its kind, in this order, where the target lacks the caller's
own."""

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
_NOWHERE = Upstream("", "", {}, b"", stream=False)


@value
class Prepared:
    """`dialect` is what the answer will come in; None where no dialect reads it. `hide_usage`: the
    stream will tell token counts that the caller did not ask for. `framing`: how it will frame its
    events. `predicts`: the answer takes several exchanges. `answer`: our own,
    nothing is sent."""

    upstream: Upstream
    target: Target
    dialect: Dialect | None
    report: Report = field(default_factory=Report)
    hide_usage: bool = False
    framing: str = SSE
    predicts: bool = False
    answer: bytes = b""


def prepare(call: Call, target: Target, account: Account, *, refuse_drops: bool) -> Prepared:
    """Raises Unsupported for what the target cannot express, NotFound when it has no such
    operation."""
    if call.dialect is None or call.endpoint is None:
        return _unread(call, target, account)
    if call.endpoint.kind == "kept":
        return _kept(call, target, account)
    way = _way(call, target, account)
    if way is None:
        return _estimated(call, target)
    dialect = DIALECTS[way.dialect]
    manner = account.manners.of(dialect.name, target.model)
    report = manner.report()
    if dialect is call.dialect:
        doc = dialect.strip_foreign(call.doc, report)
        body, doc = _adapted(_same(call, doc, target), doc, manner, report)
    else:
        doc = _translated(call, call.dialect, dialect, target, report)
        doc, _ = manner.adapted(doc, report)
        body = dumps(doc)
    if refuse_drops:
        report.refuse_drops()
    hide = False
    if dialect.name == "openai_chat" and call.facts.stream and account.stream_usage:
        body, hide = _asking_for_usage(body, doc, report)
    framing = call.framing if account.own else way.framing
    upstream = _upstream(call, account, _path(call, target, account, way), body, framing)
    return Prepared(upstream, target, dialect, report, hide, framing, way.predicts)


def _unread(call: Call, target: Target, account: Account) -> Prepared:
    """What no dialect reads goes on as it came, to where the target has this operation."""
    path, body = call.request.path, call.body
    if call.endpoint is not None and not account.own:
        way = _way(call, target, account)
        assert way is not None, "what is counted is read by a dialect"
        path = _path(call, target, account, way)
        if call.facts.model != target.model:
            body = _named_anew(call, target.model)
    return Prepared(_upstream(call, account, path, body), target, None)


_KEPT_QUERY = frozenset({
    "after", "before", "include", "include[]", "include_obfuscation", "limit", "order",
    "starting_after", "stream",
})  # fmt: skip


def _kept(call: Call, target: Target, account: Account) -> Prepared:
    """An operation on an answer that the target keeps. Of the query goes what the API knows."""
    path = call.request.path
    if not account.own:
        way = account.ways(target.model)["responses"]
        asked = parse_qsl(call.request.query, keep_blank_values=True)
        query = urlencode([(name, text) for name, text in asked if name in _KEPT_QUERY])
        path = way.path + path.removeprefix("/responses") + (f"?{query}" if query else "")
    return Prepared(_upstream(call, account, path, call.body), target, call.dialect)


def _named_anew(call: Call, model: str) -> bytes:
    """The body with another model where it names one."""
    if call.form is not None:
        return call.form.with_value("model", model).body
    named = isinstance(call.doc, dict) and isinstance(call.doc.get("model"), str)
    return splice(call.body, {("model",): model}) if named else call.body


def _way(call: Call, target: Target, account: Account) -> Way | None:
    """None: nobody at the target counts tokens."""
    assert call.endpoint is not None
    ways, endpoint = account.ways(target.model), call.endpoint
    if (way := ways.get(endpoint.key)) is not None:
        return way
    for bridge in _BRIDGES.get(endpoint.kind, ()) if call.dialect is not None else ():
        if bridge in ways:
            return ways[bridge]
    if endpoint.kind == counting.KIND and call.dialect is not None:
        return None
    raise NotFound(
        f"provider {target.provider!r} has no {endpoint.key} operation; "
        f"route {target.model!r} to one that has it (docs/providers.md lists them)"
    )


def _estimated(call: Call, target: Target) -> Prepared:
    report = Report()
    report.coerced(counting.COERCED)
    return Prepared(_NOWHERE, target, call.dialect, report, answer=counting.estimate(call))


def _path(call: Call, target: Target, account: Account, way: Way) -> str:
    """Below the base URL. The caller's own upstream gets the path as it came, however the model's
    name is spelled in it."""
    assert call.endpoint is not None
    if account.own and call.endpoint.key == call.request.endpoint:
        return call.request.path
    path = way.stream_path if call.facts.stream and way.stream_path else way.path
    if "{model}" not in path:
        return path
    return path.replace("{model}", quote(target.model, safe=way.plain))


def _translated(
    call: Call, source: Dialect, dialect: Dialect, target: Target, report: Report
) -> Json:
    assert call.endpoint is not None
    told: dict[str, Json] = {"model": target.model}
    if call.endpoint.bare and call.facts.stream:
        told["stream"] = True
    try:
        return dialect.encode_request(source.decode_request(call.doc) | told, report)
    except MISSHAPEN as err:
        raise Malformed(
            f"the request has not the shape of {source.name}, and cannot be translated for "
            f"{target.provider!r} ({type(err).__name__})"
        ) from err


def _same(call: Call, doc: Json, target: Target) -> bytes:
    """The caller's own bytes, with the model's name at the target where it differs. `doc` is
    another document than the caller's only where another vendor's reasoning had to go."""
    assert call.endpoint is not None
    body = call.body if doc is call.doc else dumps(doc)
    if call.endpoint.bare:
        repeats = call.dialect.repeats if call.dialect else None
        edits = repeats(doc, target.model) if repeats else None
        return splice(body, edits) if edits else body
    if target.model == call.facts.model:
        return body
    if "model" not in doc:
        return insert(body, "model", target.model)
    return splice(body, {("model",): target.model})


def _adapted(body: bytes, doc: Json, manner: Manner, report: Report) -> tuple[bytes, Json]:
    """The body with what the target does otherwise, and every other byte as it was. `doc` is what
    `body` says, but for the model's name."""
    if not manner.quirks:
        return body, doc
    doc, changes = manner.adapted(doc, report)
    return edited(body, changes), doc


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


def _upstream(call: Call, account: Account, path: str, body: bytes, framing: str = SSE) -> Upstream:
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
        credential=account.credential,
        streams_as=_streams_as(call, framing),
    )


def _streams_as(call: Call, framing: str) -> str:
    if call.dialect is None:
        return ANY_BYTES
    return "" if framing == SSE else FRAMINGS[framing].content_type


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
    else:
        headers = {n: v for n, v in request.headers.items() if n in FORWARDED}
    if call.dialect is not None:
        headers["content-type"] = "application/json"
    elif content_type := request.headers.get("content-type"):
        headers["content-type"] = content_type
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
