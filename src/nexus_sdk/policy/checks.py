"""What the shape of a document cannot say: names that must exist, be unique or be well formed.

`FINDINGS` has the checks of each part of the document. A check gives findings: the place below its
part, the reason, and the value it is about, if that may be shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from nexus_sdk.errors import BadPolicy
from nexus_sdk.policy import document as doc
from nexus_sdk.policy.defaults import KEYS
from nexus_sdk.policy.instants import seconds
from nexus_sdk.policy.problems import Problem, path_name
from nexus_sdk.providers import base_url
from nexus_sdk.providers.credentials import KINDS
from nexus_sdk.providers.table import TABLE
from nexus_sdk.spelling import did_you_mean
from nexus_sdk.stages.selectors import Names
from nexus_sdk.wire.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nexus_sdk.policy.tree import Path
    from nexus_sdk.providers.credentials import CredentialKind
    from nexus_sdk.providers.row import Row

type Finding = tuple[Path, str] | tuple[Path, str, str]

MAX_ROUTING_DEPTH = 10
MIN_PEPPER_CHARS = 32
_NODES = tuple(doc.NODE_KINDS.values())


@dataclass(frozen=True, slots=True)
class Known:
    """What a part may refer to: the policy's providers, and by pack the ids of its rules."""

    providers: frozenset[str]
    rules: Mapping[str, frozenset[str]]


def problems(document: doc.Policy, rules: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    """Everything that is wrong with a document of the right shape."""
    known = Known(frozenset(document.providers), rules)
    for path, part, depth in _parts(document, (), 0):
        if depth > MAX_ROUTING_DEPTH:
            yield Problem(path, f"is a routing tree deeper than {MAX_ROUTING_DEPTH} nodes")
        for below, *words in FINDINGS.get(type(part), _none)(part, known):
            yield Problem((*path, *below), *words)


def _parts(value: object, path: Path, depth: int) -> Iterator[tuple[Path, doc.Part, int]]:
    """Every part with its path, and how many routing nodes it is deep."""
    match value:
        case doc.Part():
            depth = depth + 1 if isinstance(value, _NODES) else depth
            yield path, value, depth
            for name in type(value).model_fields:
                yield from _parts(getattr(value, name), (*path, name), depth)
        case dict():
            for name, child in value.items():
                yield from _parts(child, (*path, name), depth)
        case list():
            for at, child in enumerate(value):
                yield from _parts(child, (*path, at), depth)


def _none(_part: doc.Part, _known: Known) -> Iterator[Finding]:
    return iter(())


def _policy(part: doc.Policy, _known: Known) -> Iterator[Finding]:
    hooks = part.compliance.hooks if part.compliance else []
    yield from _unique((("compliance", "hooks", i, "name"), h.name) for i, h in enumerate(hooks))
    yield from _unique((("limits", i, "name"), limit.name) for i, limit in enumerate(part.limits))
    yield from _unique((("keys", i, "id"), key.id) for i, key in enumerate(part.keys))
    yield from _unique((("keys", i, "digest"), key.digest) for i, key in enumerate(part.keys))
    for pattern in part.prices:
        if _NOT_IN_A_NAME.search(pattern):
            yield ("prices", pattern), _NO_NAME
    pepper = part.keys_pepper
    if pepper is not None and len(pepper.get_secret_value()) < MIN_PEPPER_CHARS:
        yield ("keys_pepper",), f"must have at least {MIN_PEPPER_CHARS} characters"


def _unique(named: Iterable[tuple[Path, str]]) -> Iterator[Finding]:
    first: dict[str, Path] = {}
    for path, name in named:
        if name in first:
            yield path, f"is taken by {path_name(first[name][:-1])}", name
        else:
            first[name] = path


def _provider(part: doc.Provider, _known: Known) -> Iterator[Finding]:
    row = TABLE.get(part.kind)
    if row is None:
        kinds = ", ".join(TABLE)
        yield (
            ("kind",),
            f"is no kind of provider: {kinds}{did_you_mean(part.kind, TABLE)}",
            part.kind,
        )
    else:
        yield from _addressed(part, row)
        yield from _credential(part, row)
    if part.base_url is not None:
        reason = base_url.objection(part.base_url, private_network=part.private_network)
        if reason:
            yield ("base_url",), reason
    yield from _headers(part)


def _addressed(part: doc.Provider, row: Row) -> Iterator[Finding]:
    """Is there an address, and no word for it that this kind has no use for?"""
    if part.base_url is None and not row.base_url:
        yield ("base_url",), f"is required with kind: {part.kind}"
    paths = [text for way in row.ways for text in (way.path, way.stream_path)]
    templates = " ".join([*paths, row.base_url if part.base_url is None else ""])
    for name in _WORDS:
        given = getattr(part, name)
        if given is not None and name not in row.fields:
            yield (name,), f"is no field of kind: {part.kind}", given
        elif given is None and f"{{{name}}}" in templates and row.fields.get(name) is None:
            yield (name,), f"is required with kind: {part.kind}"


_WORDS = ("region", "project", "location", "resource", "api_version")


def _credential(part: doc.Provider, row: Row) -> Iterator[Finding]:
    given = part.credentials
    if given is None:
        return
    if part.api_key is not None:
        yield ("credentials",), "and api_key exclude each other; give one"
    if given.kind not in row.credentials:
        known = ", ".join(row.credentials) or "it takes api_key alone"
        near = did_you_mean(given.kind, row.credentials)
        reason = f"is no kind of credentials for {part.kind}: {known}{near}"
        yield ("credentials", "kind"), reason, given.kind
        return
    if part.base_url is not None and part.base_url.startswith("http:") and not part.private_network:
        yield ("base_url",), "must begin with https://, because a token is sent there"
    yield from _credential_fields(given, KINDS[given.kind])


def _credential_fields(given: doc.Credentials, kind: CredentialKind) -> Iterator[Finding]:
    there = {name for name in given.model_fields_set if name != "kind"}
    for name in sorted(there - kind.fields):
        yield ("credentials", name), f"is no field of credentials of kind: {kind.name}"
    for name in kind.needs:
        if name not in there:
            yield ("credentials", name), f"is required with kind: {kind.name}"
    if kind.either and len(there.intersection(kind.either)) != 1:
        yield ("credentials",), f"needs exactly one of {' and '.join(kind.either)}"


def _headers(part: doc.Provider) -> Iterator[Finding]:
    if part.api_key is not None and not _KEY.fullmatch(part.api_key.get_secret_value()):
        yield ("api_key",), "must be plain ASCII without blanks or line ends"
    for name, value in part.headers.items():
        if not _TOKEN.fullmatch(name):
            yield ("headers", name), "is not the name of a header"
        elif name.lower() in _OURS:
            yield ("headers", name), "is set by the client itself"
        elif not _HEADER_TEXT.fullmatch(value.get_secret_value()):
            yield ("headers", name), "must be plain ASCII without line ends"


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_KEY = re.compile(r"[!-~]+")
_HEADER_TEXT = re.compile(r"[!-~]([ -~]*[!-~])?")
"""RFC 9110, 5.1 and 5.5, without what it keeps for old servers' sake."""
_OURS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
     "upgrade", "expect", "proxy-authorization", "proxy-connection", "accept-encoding")
)  # fmt: skip


def _single(part: doc.Single, known: Known) -> Iterator[Finding]:
    return _target("single", part.single, known)


def _smart(part: doc.Smart, known: Known) -> Iterator[Finding]:
    return _target("router", part.router, known)


def _target(field: str, target: str, known: Known) -> Iterator[Finding]:
    provider = target.partition("/")[0]
    if provider not in known.providers:
        names = ", ".join(sorted(known.providers)) or "none"
        hint = did_you_mean(provider, known.providers)
        if provider in KEYS:
            hint = f"; add it, or set {KEYS[provider]}"
        yield (field,), f"is no provider of this policy, which has: {names}{hint}", provider


def _balance(part: doc.LoadBalance, _known: Known) -> Iterator[Finding]:
    if part.sticky_by in {"provider", "model"}:
        yield ("sticky_by",), "is known only once a target is chosen", part.sticky_by


def _key(part: doc.Key, _known: Known) -> Iterator[Finding]:
    yield from _patterns("models", part.models)
    yield from _instant("created", part.created)
    yield from _instant("expires", part.expires)


def _switches(part: doc.Switches, _known: Known) -> Iterator[Finding]:
    return _instant("bypass_compliance_until", part.bypass_compliance_until)


def _instant(field: str, text: str) -> Iterator[Finding]:
    try:
        if text:
            seconds(text)
    except ValueError as err:
        yield (field,), str(err), text


def _admission(part: doc.Admission, _known: Known) -> Iterator[Finding]:
    for field in ("allow_addresses", "deny_addresses"):
        for at, text in enumerate(getattr(part, field) or ()):
            try:
                ip_network(text)
            except ValueError as err:
                host_bits = "host bits" in str(err)
                reason = "has bits set beyond its prefix" if host_bits else "is no address or range"
                yield (field, at), f"{reason}; write 10.0.0.0/8 or 2001:db8::/32", text


def _limit(part: doc.Limit, _known: Known) -> Iterator[Finding]:
    if part.unit != "usd" and part.max != int(part.max):
        yield ("max",), f"must be a whole number of {part.unit}"
    if len(set(part.per)) < len(part.per):
        yield ("per",), "names an axis twice"


def _price(part: doc.Price, _known: Known) -> Iterator[Finding]:
    if (part.tier is None) != (part.above_input_tokens is None):
        missing = "tier" if part.tier is None else "above_input_tokens"
        yield (missing,), "is required: `tier` and `above_input_tokens` go together"


def _when(part: doc.When, _known: Known) -> Iterator[Finding]:
    for field in ("model", "user", "key", "project", "organisation"):
        yield from _patterns(field, getattr(part, field))
    yield from _endpoints("endpoint", part.endpoint)
    least, most = part.min_input_tokens, part.max_input_tokens
    if least is not None and most is not None and least > most:
        yield ("max_input_tokens",), f"must be at least min_input_tokens, {least}"


def _narrow(part: doc.Narrow, _known: Known) -> Iterator[Finding]:
    for field in doc.Narrow.model_fields:
        yield from _patterns(field, getattr(part, field))


def _hook(part: doc.Hook, known: Known) -> Iterator[Finding]:
    yield from _patterns("models", part.models)
    yield from _patterns("keys", part.keys)
    yield from _endpoints("endpoints", part.endpoints)
    yield from _unique((("own", at, "id"), rule.id) for at, rule in enumerate(part.own))
    unread = [pack for pack in part.packs if not known.rules.get(pack)]
    if unread:
        return
    rules = {rule.id for rule in part.own}.union(*(known.rules[pack] for pack in part.packs))
    for name in part.rules:
        wanted = Names([name])
        if not any(rule in wanted for rule in rules):
            yield ("rules", name), f"is no rule of this hook{did_you_mean(name, rules)}"


def _rule(part: doc.Rule, _known: Known) -> Iterator[Finding]:
    from nexus_sdk.compliance.rules import rule_from_expression, rule_from_words

    if (part.expression is None) == (part.words is None):
        yield (), "needs either `expression` or `words`"
        return
    try:
        if part.expression is not None:
            rule_from_expression(part.id, part.expression, where="")
        else:
            rule_from_words(part.id, part.words or (), where="")
    except BadPolicy as err:
        for problem in err.problems:
            reason = problem.removeprefix(f": rule {part.id}: ")
            yield ("words" if part.words is not None else "expression",), reason.split(": ", 1)[-1]


def _endpoints(field: str, names: list[str] | None) -> Iterator[Finding]:
    for at, name in enumerate(names or ()):
        if not any(key in Names([name]) for key in ENDPOINTS):
            known = f"{', '.join(ENDPOINTS)}{did_you_mean(name, ENDPOINTS)}"
            yield (field, at), f"is no endpoint: {known}", name


_NOT_IN_A_NAME = re.compile(r"[\^$|?\\]|\*\*|\A\s|\s\Z|\A\Z|[\x00-\x1f\x7f]")
_NO_NAME = "is no name: `*` is the only wildcard"


def _patterns(field: str, names: list[str] | None) -> Iterator[Finding]:
    for at, name in enumerate(names or ()):
        if _NOT_IN_A_NAME.search(name):
            yield (field, at), _NO_NAME, name


FINDINGS: dict[type[doc.Part], Callable[[Any, Known], Iterator[Finding]]] = {
    doc.Policy: _policy,
    doc.Provider: _provider,
    doc.Single: _single,
    doc.Smart: _smart,
    doc.LoadBalance: _balance,
    doc.Key: _key,
    doc.Switches: _switches,
    doc.Admission: _admission,
    doc.Limit: _limit,
    doc.Price: _price,
    doc.When: _when,
    doc.Narrow: _narrow,
    doc.Hook: _hook,
    doc.Rule: _rule,
}
