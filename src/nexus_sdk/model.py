"""The values that travel between stages. Frozen, small, without behaviour beyond derived facts.

Units: times in seconds unless the name says otherwise, money in picodollars (1e-12 USD, whole
numbers, so that sums are exact), text positions in code points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from nexus_sdk.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

type Door = Literal["sdk", "transport", "sidecar"]
type Headers = Mapping[str, str]
"""Header names in lower case; a repeated header's values are joined with `, `."""

NOTHING: Mapping[str, str] = MappingProxyType({})
PICO_PER_USD = 10**12


@value
class Caller:
    """Who asks, as far as it is known. Empty means unknown, never 'everybody'."""

    key_id: str = ""
    user: str = ""
    project: str = ""
    organisation: str = ""
    app: str = ""
    tags: Mapping[str, str] = NOTHING


@value
class Origin:
    """Where an in-process caller would have sent its request without us, with its own credential
    headers."""

    base_url: str
    headers: Headers = field(default=NOTHING, repr=False)


@value
class Patience:
    """How long and how often a caller is willing to try. None: the policy decides.

    `read_s` is the longest silence, `total_s` the whole exchange up to the last byte of a whole
    answer.
    """

    connect_s: float | None = None
    read_s: float | None = None
    total_s: float | None = None
    retries: int | None = None


@value
class Request:
    """One call as it came through a door.

    `endpoint` is a key of `wire.endpoints.ENDPOINTS`, or empty for any other operation of the
    caller's own upstream; `path` is then what stands below the base URL. `own_encoding` marks a
    body that a door of ours encoded itself, so that it needs no check for duplicate keys. `peer` is
    the client's IP address, empty in process.
    """

    id: str
    door: Door
    endpoint: str
    body: bytes = field(repr=False)
    headers: Headers = field(default=NOTHING, repr=False)
    method: str = "POST"
    path: str = ""
    query: str = ""
    caller: Caller = Caller()
    origin: Origin | None = None
    patience: Patience = Patience()
    own_encoding: bool = False
    peer: str = ""


@value
class Target:
    """One place a request can be sent to: a provider of the policy and the model's name there."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token or a signature is made from, where a provider takes no fixed key.

    `kind` is a row of `providers/credentials.py`, `fields` its values by name. `audience`: what the
    token is for (a scope, a resource), and for a signature the service's name. `header` and `form`:
    how a token is sent.
    """

    kind: str
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    audience: str = ""
    header: str = "authorization"
    form: str = "Bearer {}"

    def get(self, name: str) -> str:
        """The value of a field; empty when it was not given."""
        return next((text for key, text in self.fields if key == name), "")


ANY_BYTES = "*/*"
"""For `Upstream.streams_as`: all but text and JSON, such as audio."""


@value
class Upstream:
    """One HTTP exchange to be made. `timeouts` are final, in seconds; None waits for ever.

    `credential`: who makes the exchange gets a token or a signature for it first. `streams_as`: a
    content type that is a stream's here, beside those that always are.
    """

    method: str
    url: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    stream: bool
    connect_s: float | None = 10.0
    read_s: float | None = 600.0
    total_s: float | None = 600.0
    private_network: bool = False
    credential: Credential | None = None
    streams_as: str = ""


@value
class Response:
    """An upstream's answer. Whole: `body` is all of it. Streamed: `body` is what was read to
    classify it, and the rest is read through `Relay`."""

    status: int
    headers: Headers
    body: bytes = field(repr=False, default=b"")
    streamed: bool = False


type FailureKind = Literal[
    "connect", "timeout", "protocol", "truncated", "refused_address", "tls", "credentials"
]


@value
class Failure:
    """An exchange that gave no response. `reason` is safe to show: no credential, no body."""

    kind: FailureKind
    reason: str


@value
class Answer:
    """What the caller gets: status, headers, and for a whole answer its body."""

    status: int
    headers: Headers
    body: bytes = field(repr=False, default=b"")


@value
class Outcome:
    """How a relayed stream ended. Neither flag nor failure: the upstream ended it and the caller
    stayed."""

    caller_left: bool = False
    failure: Failure | None = None


@value
class Usage:
    """Tokens of one exchange. `input` is all of the prompt, the cached parts included; `output`
    includes reasoning. `estimated`: counted by us, because the upstream did not say."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    estimated: bool = False


@value
class Claim:
    """A share of one limit's account, to be taken or refused together with the others of its
    reservation.

    `account` names limit, axis values and window: two claims with equal accounts share one counter.
    `amount` and `maximum` are in the limit's unit (requests, tokens, or picodollars).
    """

    account: str
    limit: str
    unit: Literal["requests", "tokens", "usd"]
    amount: int
    maximum: int
    resets_in_s: float


@value
class Refused:
    """A reservation that was not taken: nothing was counted. `claim` is the first that did not
    fit."""

    claim: Claim
    used: int


@value
class Cached:
    """A stored answer, in the caller's dialect. `stream`: `body` is the event stream as it was
    relayed."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    stream: bool
    usage: Usage
    cost_pico: int
    model: str
    provider: str


@value
class Kept:
    """An answer of the Responses API that is remembered, so that it can be read and followed later.

    `owner`: a digest of who made it. `asked`: the model that the caller named; `target`: where the
    answer came from; `native`: the provider keeps it too, under this id. `previous`: the answer
    that it follows. `body`, `items` (those of the request) and `events` are JSON and a stream, with
    placeholders where policy put them; empty when only the maker is remembered. `values`: JSON, the
    values of those placeholders that policy may turn back.
    """

    id: str
    owner: str
    asked: str
    target: Target
    native: bool = False
    previous: str = ""
    body: bytes = field(repr=False, default=b"")
    items: bytes = field(repr=False, default=b"")
    events: bytes = field(repr=False, default=b"")
    values: bytes = field(repr=False, default=b"")

    @property
    def size(self) -> int:
        """Bytes of all that is text."""
        return len(self.body) + len(self.items) + len(self.events) + len(self.values)


type Event = dict[str, Any]
"""One audit event: plain JSON values, no secret, no prompt (`stages/audit.py` builds it)."""
