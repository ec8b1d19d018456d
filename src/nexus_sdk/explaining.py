"""`nexus explain`: what would happen to a request and why. Runs the pipeline's own decisions; sends
nothing, counts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nexus_sdk import remembering
from nexus_sdk.effects import Recall
from nexus_sdk.errors import Blocked, Malformed, NexusError
from nexus_sdk.exchange import Exchange
from nexus_sdk.model import Origin, Request
from nexus_sdk.stages import admission, caching, identity, keeping, limits, reading, routing
from nexus_sdk.stages.cost import usd
from nexus_sdk.stages.sending import prepare
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.texts import address

if TYPE_CHECKING:
    from nexus_sdk.drivers.responses import ResponseStore
    from nexus_sdk.model import Caller
    from nexus_sdk.nexus import Nexus
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.stages.tree import Step

VENDORS = {"chat": "https://api.openai.com/v1", "messages": "https://api.anthropic.com/v1"}
"""Where an application's own client would send, when the policy does not say."""

type Explanation = dict[str, Any]


def explain(
    nexus: Nexus, request: Request | dict[str, Any], endpoint: str, caller: Caller | None = None
) -> Explanation:
    """The decisions in the order of the pipeline, as plain JSON values: `would` is `send`, `refuse`
    or `answer`.

    A dict is taken for the body of a request to `endpoint`, by `caller`, or else by this
    application. No value that a rule found is in it.
    """
    if isinstance(request, dict):
        request = _request(nexus, request, endpoint, caller or nexus.app)
    exchange = Exchange(request, nexus.snapshot, nexus.clock)
    told: Explanation = {
        "policy": nexus.snapshot.hash,
        "endpoint": request.endpoint,
        "would": "send",
    }
    try:
        _decisions(exchange, request, told, nexus.responses)
    except NexusError as err:
        told["would"] = "refuse"
        told["error"] = _error(err)
    told["findings"] = [
        finding.line() for inspector in exchange.trail.inspectors for finding in inspector.findings
    ]
    return told


def _request(nexus: Nexus, body: dict[str, Any], endpoint: str, caller: Caller) -> Request:
    if endpoint not in ENDPOINTS:
        raise Malformed(
            f"unknown endpoint {endpoint!r}; known: {', '.join(ENDPOINTS)}", param="endpoint"
        )
    path = ENDPOINTS[endpoint].suffix
    if "{model}" in path:
        path = path.replace("{model}", quote(str(body.get("model", "")), safe=""))
        body = {name: value for name, value in body.items() if name != "model"}
    return Request(
        id=nexus.new_id(),
        door="sdk",
        endpoint=endpoint,
        body=dumps(body),
        path=path,
        caller=caller,
        origin=Origin(VENDORS.get(endpoint, VENDORS["chat"])),
    )


def _decisions(
    exchange: Exchange, request: Request, told: Explanation, kept: ResponseStore
) -> None:
    snapshot, now = exchange.snapshot, exchange.clock.now()
    admission.admit(snapshot.gate, body_bytes=len(request.body), peer=request.peer)
    if request.door == "sidecar":
        exchange.trail.caller = identity.identify(
            snapshot.keys, request.headers, now, query=request.query
        )
    told["caller"] = {"key": exchange.trail.caller.key_id, "user": exchange.trail.caller.user}
    call = reading.read(request)
    exchange.read(call)
    told["model"] = call.facts.model
    told["stream"] = call.facts.stream
    told["texts"] = len(call.texts)
    told["estimated_input_tokens"] = call.input_tokens
    snapshot.keys.require_model(exchange.trail.caller, call.facts.model)
    told["routing"] = routing.explain(snapshot.routes, exchange.ask)
    call = _recalled(exchange, call, kept)
    inspector = exchange.request_inspector(call)
    edits = inspector.texts(list(call.texts))
    told["redacted"] = [
        {"address": address(path), "becomes": _shown(text)} for path, text in edits.items()
    ]
    call = call.edited(edits)
    plan = _plan(exchange, told)
    key = None
    if call.dialect is not None and not caching.refused_by(request.headers):
        reached = [step.target for step in plan.steps]
        key = caching.key(snapshot.policy.cache, exchange.ask, reached, call.doc, snapshot.hash)
    told["cache"] = "would be looked up" if key else "not used for this request"
    told["admission_limits"] = [
        c.limit for c in limits.admission_claims(snapshot.limits, exchange.ask, now)
    ]
    told["targets"] = targets = [_target(exchange, call, step) for step in plan.steps]
    if refused := targets[0].get("refused"):
        # What the first target cannot be asked is not asked of the next one: the caller hears it.
        told["would"], told["error"] = "refuse", refused


def _recalled(exchange: Exchange, call: Call, kept: ResponseStore) -> Call:
    """The call with what it follows, where it may follow anything."""
    flow = remembering.begin(exchange, call)
    try:
        asked = next(flow)
        assert isinstance(asked, Recall), "all that is wanted before a request is judged"
        flow.send(kept.recall(asked.owner, asked.id, chain=asked.chain))
    except StopIteration as end:
        found: Call = end.value
        return found
    raise AssertionError("nothing else is wanted")


def _plan(exchange: Exchange, told: Explanation) -> routing.Plan:
    """The plan that holds when no router gives an answer."""
    answers: dict[str, str | None] = {}
    while True:
        found = routing.plan(exchange.snapshot.routes, exchange.ask, answers)
        if isinstance(found, routing.Plan):
            return found
        router = found.node.router
        told.setdefault("router", f"{router.provider}/{router.model} would be asked; without it:")
        answers[found.node.path] = None


def _target(exchange: Exchange, call: Call, step: Step) -> Explanation:
    snapshot = exchange.snapshot
    account = snapshot.account(step.target, call)
    rates = snapshot.rates(step.target)
    amounts = limits.estimate(
        call.input_chars, call.facts.max_output_tokens, rates, answers=call.facts.n
    )
    told: Explanation = {
        "provider": step.target.provider,
        "model": step.target.model,
        "rule": step.rule,
        "arm": step.arm,
        "health": (exchange.ask.health or (lambda _: "available"))(step.target.provider),
        "estimated_cost_usd": None if amounts.usd_pico is None else usd(amounts.usd_pico),
    }
    try:
        claims = limits.target_claims(
            snapshot.limits, exchange.ask, step.target, amounts, exchange.clock.now()
        )
        told["limits"] = [claim.limit for claim in claims]
        memory = exchange.memory
        asked = call if memory is None else keeping.told(memory, call, step.target, account)
        prepared = prepare(
            asked, step.target, account, refuse_drops=snapshot.policy.on_unsupported == "refuse"
        )
        told["url"] = prepared.upstream.url
        told["dialect"] = prepared.dialect.name if prepared.dialect else ""
        told["translated"] = prepared.dialect is not call.dialect
        told["body_bytes"] = len(prepared.upstream.body)
        told["coerced"] = [*prepared.report.changes, *keeping.changes(call, asked)]
        told["dropped"] = [
            f"{loss.param}: {loss.reason}"
            for loss in prepared.report.drops + prepared.report.omissions
        ]
    except NexusError as err:
        told["refused"] = _error(err)
    return told


def _error(err: NexusError) -> Explanation:
    told: Explanation = {"status": err.status, "code": err.code, "message": err.message}
    if isinstance(err, Blocked):
        told["rules"] = list(err.rules)
    return told


def _shown(text: object) -> str:
    """The redacted text, which holds placeholders and none of the values; long ones cut."""
    shown = str(text)
    return shown if len(shown) <= 2000 else shown[:2000] + "..."
