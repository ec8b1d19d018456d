"""A policy, compiled: immutable, and swapped in whole. A request finishes on the snapshot it began
with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nexus_sdk.compliance.hooks import Hook, Stage, actions_for
from nexus_sdk.compliance.rules import built_in, load_pack, rule_from_expression, rule_from_words
from nexus_sdk.mac import Mac
from nexus_sdk.model import Credential
from nexus_sdk.policy.defaults import compliance
from nexus_sdk.providers.prices import Prices
from nexus_sdk.providers.row import AUTH
from nexus_sdk.providers.table import TABLE, auth_headers
from nexus_sdk.stages.adapting import NO_MANNERS, Manners
from nexus_sdk.stages.admission import Gate, gate
from nexus_sdk.stages.identity import KeyIndex
from nexus_sdk.stages.limits import Limits, compile_limits
from nexus_sdk.stages.retry import Health
from nexus_sdk.stages.routes import Routes, compile_routes
from nexus_sdk.stages.selectors import Names
from nexus_sdk.stages.tree import Leaf
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.ways import Way

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nexus_sdk.compliance.rules import Rule
    from nexus_sdk.model import Headers, Request, Target
    from nexus_sdk.policy import document as doc
    from nexus_sdk.policy.load import Loaded
    from nexus_sdk.providers.table import Row
    from nexus_sdk.stages.cost import Rates
    from nexus_sdk.stages.reading import Call

OWN_CONNECT_S, OWN_READ_S = 10.0, 600.0
"""Timeouts towards the caller's own upstream where the caller does not say (openai-python's
defaults are 5 and 600)."""

_MAX_RETRY_RULES = 64
"""Callers say how often to try; the rules made for them are remembered up to this number."""


@dataclass(frozen=True, slots=True)
class Account:
    """An upstream as the sending stage needs it. `own`: it is the caller's own, reached with the
    caller's headers. `keeps`: answers of the Responses API can be read and followed there.
    `endpoints`: by endpoint key, how it is done there; `families`: of some models otherwise.
    `defaults`: headers that a caller may set itself. `credential`: what a token or a signature is
    made from. `manners`: what models there do otherwise."""

    name: str
    kind: str
    base_url: str
    endpoints: Mapping[str, Way]
    headers: Headers = field(repr=False)
    defaults: frozenset[str] = frozenset()
    own: bool = False
    stream_usage: bool = False
    private_network: bool = False
    connect_s: float = OWN_CONNECT_S
    read_s: float = OWN_READ_S
    total_s: float | None = None
    families: tuple[tuple[Names, Mapping[str, Way]], ...] = ()
    credential: Credential | None = field(default=None, repr=False)
    manners: Manners = NO_MANNERS
    keeps: bool = False

    def ways(self, model: str) -> Mapping[str, Way]:
        """How operations with `model` are done there."""
        for names, ways in self.families:
            if model in names:
                return ways
        return self.endpoints

    @property
    def dialects(self) -> list[str]:
        """All that it speaks."""
        every = (self.endpoints, *(ways for _, ways in self.families))
        return [way.dialect for ways in every for way in ways.values() if way.dialect]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a request needs to know. `health` is the one thing in it that learns."""

    policy: doc.Policy
    hash: str
    node: str
    gate: Gate
    keys: KeyIndex
    routes: Routes
    limits: Limits
    prices: Prices
    accounts: Mapping[str, Account]
    request_hooks: Stage
    response_hooks: Stage
    placeholder_mac: Mac
    health: Health = field(default_factory=Health)
    _retries: dict[int, doc.Retry] = field(default_factory=dict, init=False, repr=False)

    @property
    def signs(self) -> bool:
        """Does any provider want a token or a signature that has to be had first?"""
        return any(account.credential is not None for account in self.accounts.values())

    def sticky(self, model: str) -> bool:
        """May the route of `model` depend on what the conversation begins with?"""
        return type(self.routes.trees.get(model)) not in (Leaf, NoneType)

    def retry(self, attempts: int) -> doc.Retry:
        """The retry rule with this many attempts."""
        rule = self._retries.get(attempts)
        if rule is None:
            rule = self.policy.routing.retry.model_copy(update={"attempts": attempts})
            if len(self._retries) < _MAX_RETRY_RULES:
                self._retries[attempts] = rule
        return rule

    def origin_name(self, request: Request) -> str:
        """What the caller's own upstream is called in plans and events. Empty when there is
        none."""
        return "" if request.origin is None else _own_name(request.origin.base_url)

    def account(self, target: Target, call: Call) -> Account:
        """Where `target` is. The policy's providers first, else the caller's own upstream."""
        known = self.accounts.get(target.provider)
        if known is not None:
            return known
        assert call.request.origin is not None, (
            "a plan names only providers and the caller's own upstream"
        )
        return _own(call.request.origin.base_url, call.endpoint.key if call.endpoint else "")

    def rates(self, target: Target) -> Rates | None:
        """What a token costs there; None when nobody said."""
        account = self.accounts.get(target.provider)
        kind = account.kind if account else _vendor(target.provider)
        return self.prices.find(target.provider, kind, target.model)


_VENDORS = {"api.openai.com": "openai", "api.anthropic.com": "anthropic"}
"""Whose prices hold where the caller's own upstream is the vendor itself. A server of one's own has
no known price, whatever its models are called."""


@lru_cache(maxsize=256)
def _vendor(name: str) -> str:
    return _VENDORS.get(name.removeprefix("@").partition("/")[0], "")


@lru_cache(maxsize=256)
def _own_name(base_url: str) -> str:
    """`@host:port/path`: no name of a provider begins so, and credentials of a URL never come into
    an event."""
    parts = urlsplit(base_url)
    return f"@{parts.netloc.rpartition('@')[2].lower()}{parts.path.rstrip('/')}"


@lru_cache(maxsize=256)
def _own(base_url: str, endpoint: str) -> Account:
    """The caller's own upstream speaks what the caller speaks, at the same place."""
    row = ENDPOINTS.get(endpoint)
    return Account(
        name=_own_name(base_url),
        kind="openai",
        base_url=base_url.rstrip("/"),
        endpoints={endpoint: Way(row.dialect, row.suffix)} if row else {},
        headers={},
        own=True,
        stream_usage=True,
        # The address is the application's own choice; only what no provider can be is refused.
        private_network=True,
        keeps=True,
    )


def compile_policy(loaded: Loaded, *, node: str, pepper: bytes, placeholder_key: bytes) -> Snapshot:
    """Raises BadPolicy for what only compiling shows."""
    policy = loaded.document
    accounts = {name: _account(name, provider) for name, provider in policy.providers.items()}
    speaks = {name: account.dialects for name, account in accounts.items()}
    request_hooks, response_hooks = _stages(loaded)
    return Snapshot(
        policy=policy,
        hash=loaded.hash,
        node=node,
        gate=gate(policy),
        keys=KeyIndex(policy.keys, pepper),
        routes=compile_routes(policy.routing, speaks),
        limits=compile_limits(policy.limits),
        prices=Prices(policy.prices),
        accounts=accounts,
        request_hooks=request_hooks,
        response_hooks=response_hooks,
        placeholder_mac=Mac(placeholder_key),
    )


def _account(name: str, provider: doc.Provider) -> Account:
    row = TABLE[provider.kind]
    words = addressed(row, provider)
    key = provider.api_key.get_secret_value() if provider.api_key else None
    own_headers = {n.lower(): value.get_secret_value() for n, value in provider.headers.items()}
    return Account(
        name=name,
        kind=row.name,
        base_url=(provider.base_url or filled(base_url(row, words), words)).rstrip("/"),
        endpoints=_filled(row.endpoints, words),
        headers=auth_headers(row, key) | own_headers,
        defaults=frozenset(row.headers) - own_headers.keys(),
        stream_usage=row.stream_usage if provider.stream_usage is None else provider.stream_usage,
        private_network=provider.private_network
        or (row.private_network and provider.base_url is None),
        connect_s=provider.timeouts.connect,
        read_s=provider.timeouts.read,
        total_s=provider.timeouts.total,
        families=tuple(
            (Names(family.models), _filled(family.endpoints, words)) for family in row.families
        ),
        credential=_credential(row, provider, words),
        manners=Manners(row.quirks),
        keeps=row.keeps_responses,
    )


def addressed(row: Row, provider: doc.Provider) -> dict[str, str]:
    """What the templates of the row are filled with."""
    return {
        name: given
        for name, default in row.fields.items()
        if (given := getattr(provider, name) or default)
    }


def base_url(row: Row, words: Mapping[str, str]) -> str:
    """The row's address for these words, still a template."""
    special = (row.base_urls.get(f"{name}={text}") for name, text in words.items())
    return next((url for url in special if url), row.base_url)


def filled(template: str, words: Mapping[str, str]) -> str:
    for name, text in words.items():
        template = template.replace(f"{{{name}}}", text)
    return template


def _filled(ways: Mapping[str, Way], words: Mapping[str, str]) -> dict[str, Way]:
    return {
        key: way._replace(path=filled(way.path, words), stream_path=filled(way.stream_path, words))
        for key, way in ways.items()
    }


def _credential(row: Row, provider: doc.Provider, words: Mapping[str, str]) -> Credential | None:
    given = provider.credentials
    if given is None:
        return None
    secrets = given.model_dump(exclude={"kind"}, exclude_none=True, context=_PLAIN)
    header, form = AUTH["bearer"]
    fields = tuple(sorted({**secrets, **words}.items()))
    return Credential(given.kind, fields, row.audience, header, form)


_PLAIN = {"secret": str}


def _stages(loaded: Loaded) -> tuple[Stage, Stage]:
    written = compliance(loaded.document)
    hooks: dict[str, list[Hook]] = {"request": [], "response": []}
    rules: dict[str, list[Rule]] = {"request": [], "response": []}
    for hook in written.hooks:
        found = [*_pack_rules(loaded, hook.packs), *(_own_rule(rule) for rule in hook.own)]
        actions = actions_for([rule.id for rule in found], hook.action, hook.rules)
        for stage in hook.stages:
            rules[stage] += found
            hooks[stage].append(_hook(hook, actions, stage))
    return (
        Stage(hooks["request"], rules["request"], restore=False),
        Stage(hooks["response"], rules["response"], restore=written.restore),
    )


def _hook(hook: doc.Hook, actions: Mapping[str, str], stage: str) -> Hook:
    """What an answer says of itself has nobody to be restored for: at that stage redaction is for
    good."""
    return Hook(
        name=hook.name,
        priority=hook.priority,
        actions=actions,
        reversible=hook.reversible and stage == "request",
        endpoints=_names(hook.endpoints),
        models=_names(hook.models),
        keys=_names(hook.keys),
    )


def _names(names: list[str] | None) -> Names | None:
    return None if names is None else Names(names)


def _pack_rules(loaded: Loaded, packs: Iterable[str]) -> Iterable[Rule]:
    for name in packs:
        text = loaded.packs.get(name)
        pack = built_in(name) if text is None else load_pack(text, name)
        yield from pack.rules


def _own_rule(rule: doc.Rule) -> Rule:
    if rule.words is not None:
        return rule_from_words(
            rule.id,
            rule.words,
            ignore_case=rule.ignore_case,
            boundary=rule.boundary,
            category=rule.category,
            severity=rule.severity,
            description=rule.description,
        )
    assert rule.expression is not None, "the loader has checked that one of the two is there"
    return rule_from_expression(
        rule.id,
        rule.expression,
        ignore_case=rule.ignore_case,
        boundary=rule.boundary,
        category=rule.category,
        severity=rule.severity,
        description=rule.description,
    )
