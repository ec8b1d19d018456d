"""The routing part of the policy document: trees of strategies, retries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from nexus_sdk.policy.parts import TARGET, Part, StickyBy, TargetName


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


_RECURSIVE: list[type[Part]] = [*NODE_KINDS.values(), Weighted, Case, Choice, Routing]
for _model in _RECURSIVE:
    _model.model_rebuild()
