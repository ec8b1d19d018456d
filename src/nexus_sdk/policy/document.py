"""The policy as it is written: one document, validated as a whole. `load.py` reads it,
`snapshot.py` compiles it.

Nothing here is a setting of the process (`settings.py`). Every model refuses unknown fields, so
that a typing error never becomes a rule that does nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    SecretStr,
    SerializationInfo,
    Tag,
    WithJsonSchema,
)

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
TARGET = r"^[a-z0-9][a-z0-9._-]{0,63}/\S{1,200}$"
TargetName = Annotated[str, Field(pattern=TARGET)]
"""`provider/model`: a provider of this policy and the model's name there."""
Action = Literal["approve", "redact", "block"]
RuleAction = Literal["approve", "redact", "block", "off"]
Stage = Literal["request", "response"]
Severity = Literal["hard", "soft", "warn"]
Axis = Literal["key", "user", "project", "organisation", "provider", "model"]
StickyBy = Literal["key", "user", "project", "organisation", "provider", "model", "prompt"]
Unit = Literal["requests", "tokens", "usd"]
Window = Literal["minute", "hour", "day", "week", "month"]


def _written(value: SecretStr, info: SerializationInfo) -> object:
    show = (info.context or {}).get("secret")
    return show(value.get_secret_value()) if show else str(value)


Secret = Annotated[SecretStr, Field(min_length=1), PlainSerializer(_written)]
"""Masked in every dump, unless its context says how secrets are written: `{"secret": function of
the text}`."""


class Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Timeouts(Part):
    """Seconds. `read` is the longest silence of the upstream, `total` bounds a whole answer."""

    connect: float = Field(default=10, gt=0, le=120)
    read: float = Field(default=600, gt=0, le=3600)
    total: float = Field(default=600, gt=0, le=7200)


class Provider(Part):
    """An upstream account. `kind` is a row of `providers/table.py`; what is set here wins over the
    row."""

    kind: str
    base_url: str | None = None
    api_key: Secret | None = None
    headers: dict[str, Secret] = {}
    private_network: bool = False
    """Allow addresses of private ranges and of this machine (a local vLLM or Ollama)."""
    stream_usage: bool | None = None
    timeouts: Timeouts = Timeouts()


def _word(value: object) -> object:
    """YAML reads an unquoted `429` as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _enum(*words: str) -> WithJsonSchema:
    return WithJsonSchema({"enum": [*words, *(int(word) for word in words if word.isdigit())]})


FallbackOn = Annotated[
    Literal["network", "timeout", "429", "5xx", "401", "403", "404"],
    BeforeValidator(_word),
    _enum("network", "timeout", "429", "5xx", "401", "403", "404"),
]
RetryOn = Annotated[
    Literal["network", "timeout", "429", "5xx"],
    BeforeValidator(_word),
    _enum("network", "timeout", "429", "5xx"),
]


class Weighted(Part):
    to: Node
    weight: int = Field(default=1, ge=1, le=1000)


class Single(Part):
    single: TargetName


class Fallback(Part):
    """Each in turn, until one gives an answer. `on` narrows which failures move on; all retryable
    ones otherwise."""

    fallback: list[Node] = Field(min_length=1)
    on: list[FallbackOn] | None = None


class LoadBalance(Part):
    """One by weight, the others behind it. With `sticky_by`, the same value goes to the same
    place."""

    loadbalance: list[Weighted] = Field(min_length=1)
    sticky_by: StickyBy | None = None


class ABSplit(Part):
    """One by weight, and it alone, so that the arms stay comparable. Always sticky: by user, else
    key, else prompt."""

    ab_split: dict[str, Weighted] = Field(min_length=2)


class When(Part):
    """All that is set must hold. Lists: any of. Names may hold `*`."""

    model: list[str] | None = None
    user: list[str] | None = None
    key: list[str] | None = None
    project: list[str] | None = None
    organisation: list[str] | None = None
    tags: dict[str, str] | None = None
    endpoint: list[str] | None = None
    stream: bool | None = None
    tools: bool | None = None
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None


class Case(Part):
    when: When
    then: Node


class Conditional(Part):
    conditional: list[Case] = Field(min_length=1)
    otherwise: Node | None = None


class Narrow(Part):
    allow_providers: list[str] | None = None
    deny_providers: list[str] = []
    allow_models: list[str] | None = None
    deny_models: list[str] = []


class PolicyNode(Part):
    """What `then` gives, less what the narrowing takes away. Names may hold `*`."""

    policy: Narrow
    then: Node


class Choice(Part):
    about: str = Field(min_length=1, max_length=500)
    to: Node


class Smart(Part):
    """A model picks one of `choices` by their descriptions, seeing the redacted last user message
    only. Any fault of the router, or an answer that names none, takes `otherwise`. Its cost is
    booked to the request."""

    smart: dict[str, Choice] = Field(min_length=1)
    router: TargetName
    otherwise: Node
    timeout_s: float = Field(default=3, gt=0, le=60)


def _shorthand(value: object) -> object:
    return {"single": value} if isinstance(value, str) else value


NODE_KINDS: dict[str, type[Part]] = {
    "single": Single,
    "fallback": Fallback,
    "loadbalance": LoadBalance,
    "ab_split": ABSplit,
    "conditional": Conditional,
    "policy": PolicyNode,
    "smart": Smart,
}
"""The field that tells a routing node's kind. Its tag, as it stands in pydantic's locations, is
`node:<field>`."""


def _tag(value: object) -> str | None:
    named = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return next((f"node:{kind}" for kind in NODE_KINDS if kind in named), None)


class _InSchema:
    """Says in the JSON Schema that a plain string will do as well."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": TARGET}, handler(core)]}


Node = Annotated[
    Annotated[Single, Tag("node:single")]
    | Annotated[Fallback, Tag("node:fallback")]
    | Annotated[LoadBalance, Tag("node:loadbalance")]
    | Annotated[ABSplit, Tag("node:ab_split")]
    | Annotated[Conditional, Tag("node:conditional")]
    | Annotated[PolicyNode, Tag("node:policy")]
    | Annotated[Smart, Tag("node:smart")],
    Discriminator(
        _tag,
        custom_error_type="routing_node",
        custom_error_message="must be 'provider/model' or a map with one of "
        + ", ".join(NODE_KINDS),
    ),
    BeforeValidator(_shorthand),
    _InSchema(),
]
"""A routing tree. A plain string `provider/model` is short for `single`."""


class Retry(Part):
    """Attempts at one target, the first included. Seconds; the provider's Retry-After wins up to
    `max_delay_s`."""

    attempts: int = Field(default=2, ge=1, le=10)
    on: list[RetryOn] = ["network", "timeout", "429", "5xx"]
    delay_s: float = Field(default=0.25, ge=0, le=60)
    max_delay_s: float = Field(default=8, ge=0, le=300)


class Routing(Part):
    """`models`: what callers may ask for, and where it goes. `unlisted`: what happens to any other
    name: `provider` sends it to the caller's own upstream, or to the first provider whose dialect
    the caller speaks; `refuse` answers 404."""

    models: dict[str, Node] = {}
    unlisted: Literal["provider", "refuse"] = "provider"
    retry: Retry = Retry()


class Key(Part):
    """A virtual key. `digest` is its HMAC-SHA256, never the key itself (`stages/identity.py`)."""

    id: Name
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    hint: str = Field(default="", max_length=16)
    name: str = ""
    user: str = ""
    project: str = ""
    organisation: str = ""
    tags: dict[str, str] = {}
    models: list[str] | None = None
    """Names the key may ask for; may hold `*`. None: all."""
    created: str = ""
    expires: str = ""
    """RFC 3339, UTC. Empty: never."""
    revoked: bool = False


class Rule(Part):
    """A rule of the policy's own. Exactly one of `expression` and `words`."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    expression: str | None = Field(default=None, max_length=2000)
    words: list[str] | None = None
    ignore_case: bool = True
    boundary: Literal["word", "digit", "none"] = "word"
    category: str = "custom"
    severity: Severity = "soft"
    description: str = ""


class Hook(Part):
    """Rules and what to do when they match. Hooks run in ascending priority; the strictest decision
    wins.

    `rules` overrides the action of single rules (`pii.email`) or of all under a prefix (`pii.*`);
    the longest wins.
    """

    name: Name
    stages: list[Stage] = Field(default=["request"], min_length=1)
    packs: list[str] = []
    """Names of rule packs: built in (`nexus/pii`, `nexus/secrets`), or files
    (`./packs/mine.yaml`)."""
    own: list[Rule] = []
    action: Action = "redact"
    rules: dict[str, RuleAction] = {}
    priority: int = 100
    reversible: bool = True
    """Redact to a placeholder that is restored in the answer; otherwise to `[REDACTED:<RULE>]` for
    good."""
    endpoints: list[str] | None = None
    models: list[str] | None = None
    keys: list[str] | None = None


class Compliance(Part):
    hooks: list[Hook] = []
    restore: bool = True
    """Put the values back where the answer holds our placeholders."""


class Limit(Part):
    """At most `max` units per window, counted apart for every combination of the values of `per`.

    Windows are of the calendar, UTC. `usd` may be a decimal. `enforce: false` counts and reports
    only.
    """

    name: Name
    unit: Unit
    max: float = Field(gt=0)
    window: Window
    per: list[Axis] = []
    when: When | None = None
    enforce: bool = True


class Cache(Part):
    """Exact answers again. `scope`: who may share one. `when`: only requests that ask for
    determinism (`temperature` 0 or a seed), or all."""

    enabled: bool = False
    ttl_s: float = Field(default=3600, gt=0, le=604800)
    scope: Literal["key", "user", "project", "organisation", "all"] = "key"
    when: Literal["deterministic", "always"] = "deterministic"
    max_entries: int = Field(default=10_000, ge=1)
    max_entry_bytes: int = Field(default=1024 * 1024, ge=1024)
    fold: bool = True
    """Equal requests in flight share one upstream call."""


class Audit(Part):
    """`strict`: an event is on disk before the caller has its last byte; `batched`: within one
    group commit."""

    mode: Literal["batched", "strict"] = "batched"
    max_bytes: int = Field(default=1024**3, ge=1024**2)
    segment_bytes: int = Field(default=16 * 1024**2, ge=64 * 1024)


class Price(Part):
    """USD for a million tokens. What is absent costs as the plain kind (cached input as input,
    reasoning as output)."""

    input: float = Field(ge=0)
    output: float = Field(default=0, ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    reasoning: float | None = Field(default=None, ge=0)
    above_input_tokens: int | None = None
    """A tier: from this many input tokens on, `tier` holds for the whole request."""
    tier: Price | None = None


class Switches(Part):
    """`kill`: refuse everything. `bypass_compliance_until`: hooks decide and record, but do not act
    (RFC 3339, UTC)."""

    kill: bool = False
    kill_reason: str = ""
    bypass_compliance_until: str = ""
    bypass_reason: str = ""


class Admission(Part):
    max_body_bytes: int = Field(default=10 * 1024**2, ge=1024)
    allow_addresses: list[str] | None = None
    """CIDR ranges that may call the sidecar. None: all."""
    deny_addresses: list[str] = []


class Policy(Part):
    """Everything a node needs. An empty document is valid: it is the default policy."""

    version: Literal[1] = 1
    name: str = ""
    organisation: str = ""
    include: list[str] = []
    """Other files, relative to this one; what is set here wins, lists are joined."""
    providers: dict[Name, Provider] = {}
    routing: Routing = Routing()
    keys: list[Key] = []
    keys_pepper: Secret | None = None
    """The secret under which the digests of `keys` were made. A fleet shares one through `${ENV}`;
    without it, each installation has its own in its state directory."""
    compliance: Compliance | None = None
    """None: the default hooks (`policy/defaults.py`)."""
    limits: list[Limit] = []
    cache: Cache = Cache()
    audit: Audit = Audit()
    prices: dict[str, Price] = {}
    """By `provider/model` or `model`; may hold `*`."""
    admission: Admission = Admission()
    switches: Switches = Switches()
    on_uninspected: Literal["allow", "refuse"] = "allow"
    """What no rule can read (file uploads, audio): passed on and recorded as unscanned, or refused
    with 403."""
    on_unsupported: Literal["refuse", "drop"] = "refuse"
    """A feature the target cannot express: 400, or left out and listed in `x-nexus-dropped`."""


_RECURSIVE: list[type[Part]] = [*NODE_KINDS.values(), Weighted, Case, Choice, Routing, Policy]
for _model in _RECURSIVE:
    _model.model_rebuild()
