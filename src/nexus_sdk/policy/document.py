"""The policy as it is written: one document, validated as a whole. `load.py` reads it,
`snapshot.py` compiles it.

Nothing here is a setting of the process (`settings.py`). Every model refuses unknown fields, so
that a typing error never becomes a rule that does nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nexus_sdk.policy.parts import (
    TARGET,
    Action,
    Axis,
    Name,
    Part,
    Place,
    RuleAction,
    Secret,
    Severity,
    Stage,
    StickyBy,
    TargetName,
    Unit,
    Window,
)
from nexus_sdk.policy.routing_document import (
    NODE_KINDS,
    ABSplit,
    Case,
    Choice,
    Conditional,
    Fallback,
    LoadBalance,
    Narrow,
    Node,
    PolicyNode,
    Retry,
    Routing,
    Single,
    Smart,
    Weighted,
    When,
)

__all__ = [
    "NODE_KINDS",
    "TARGET",
    "ABSplit",
    "Action",
    "Admission",
    "Audit",
    "Axis",
    "Cache",
    "Case",
    "Choice",
    "Compliance",
    "Conditional",
    "Credentials",
    "Fallback",
    "Hook",
    "Key",
    "Limit",
    "LoadBalance",
    "Name",
    "Narrow",
    "Node",
    "Part",
    "Place",
    "Policy",
    "PolicyNode",
    "Price",
    "Provider",
    "Responses",
    "Retry",
    "Routing",
    "Rule",
    "RuleAction",
    "Secret",
    "Severity",
    "Single",
    "Smart",
    "Stage",
    "StickyBy",
    "Switches",
    "TargetName",
    "Timeouts",
    "Unit",
    "Weighted",
    "When",
    "Window",
]


class Timeouts(Part):
    """Seconds. `read` is the longest silence of the upstream, `total` bounds a whole answer."""

    connect: float = Field(default=10, gt=0, le=120)
    read: float = Field(default=600, gt=0, le=3600)
    total: float = Field(default=600, gt=0, le=7200)


class Credentials(Part):
    """A credential in place of a fixed key. `kind` is a row of `providers/credentials.py`, which
    says what it needs; what it can find in the process's environment may be left out."""

    kind: str
    token: Secret | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    profile: str | None = None
    role_arn: str | None = None
    session_name: str | None = None
    tenant: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    api_key: Secret | None = None
    key_json: Secret | None = None
    """A service account's key file, as text."""
    file: str | None = None
    """The path of the file that holds it: a service account's key, a profile's credentials, a web
    identity's token."""


class Provider(Part):
    """An upstream account. `kind` is a row of `providers/table.py`; what is set here wins over the
    row."""

    kind: str
    base_url: str | None = None
    api_key: Secret | None = None
    credentials: Credentials | None = None
    """In place of `api_key`, where tokens are fetched or requests signed."""
    region: Place | None = None
    project: Place | None = None
    location: Place | None = None
    resource: Place | None = None
    """Parts of the address, at providers that have such."""
    api_version: Place | None = None
    headers: dict[str, Secret] = {}
    private_network: bool = False
    """Allow addresses of private ranges and of this machine (a local vLLM or Ollama)."""
    stream_usage: bool | None = None
    timeouts: Timeouts = Timeouts()


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


class Responses(Part):
    """Answers of the Responses API, kept so that they can be read and followed by
    `previous_response_id`.

    `auto`: those that the request does not say `store: false` of and whose provider keeps none.
    `always`: also those that the provider keeps, so that another one can go on with them. `never`:
    no text. Whoever made an answer that its provider keeps is remembered in any case.
    """

    store: Literal["auto", "always", "never"] = "auto"
    ttl_s: float = Field(default=2_592_000, gt=0, le=31_536_000)
    """OpenAI keeps them for 30 days."""
    max_bytes: int = Field(default=256 * 1024**2, ge=1024**2)
    """Of all that is kept; those that were not used longest go first."""


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
    responses: Responses = Responses()
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
