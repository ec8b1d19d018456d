"""What the pipeline asks of the world. A driver performs these; nothing else in the core does I/O.

Each effect carries the type of its reply, so `hit = yield from Lookup(key)` is typed. `Effect` is a
closed union, and a test holds every driver's table of effects against it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

from nexus_sdk.model import Cached, Failure, Kept, Outcome, Refused, Response
from nexus_sdk.values import value

if TYPE_CHECKING:
    from nexus_sdk.model import Answer, Claim, Event, Upstream
    from nexus_sdk.wire.sse import StreamEvent

type Flow[R] = Generator[Effect, Any, R]


class Ask[R]:
    """Base of every effect; R is the type of the reply."""

    __slots__ = ()

    def __iter__(self) -> Flow[R]:
        reply: R = yield self  # type: ignore[misc]  # `Effect` is the union of all subclasses
        return reply


class Opening(Protocol):
    """Reads the first bytes of a stream until it is known whether it is an answer at all."""

    def feed(self, data: bytes) -> bool:
        """True once decided: no further byte is needed before the answer is committed."""
        ...


class Pipe(Protocol):
    """Bytes of the upstream in, events for the caller out. Pushes; never reads."""

    @property
    def stopped(self) -> bool:
        """Nothing more is wanted of the upstream."""
        ...

    @property
    def tells(self) -> bool:
        """Can it say in the stream that the stream was cut?"""
        ...

    @property
    def complete(self) -> bool:
        """The stream's end marker has come."""
        ...

    def feed(self, data: bytes) -> list[StreamEvent]:
        """What may be released now. The terminal event and all after it are kept for `Finish`."""
        ...


@value
class Lookup(Ask[Cached | None]):
    """The stored answer under `key`, or None. With `fold`, None makes this request the leader: the
    next ones with the same key wait until it stores an answer or gives up (`Store` with None, or
    its flow ends)."""

    key: str
    fold: bool = False


@value
class Store(Ask[None]):
    """Keep `answer` for `ttl_s`; None keeps nothing and lets those who wait go their own way."""

    key: str
    answer: Cached | None
    ttl_s: float


@value
class Reserve(Ask[str | Refused]):
    """Take all claims or none, atomically. Replies the reservation's id. What is taken `for_good`
    is never settled."""

    claims: tuple[Claim, ...]
    for_good: bool = False


@value
class Settle(Ask[None]):
    """Put the true amounts in place of the reserved ones, in the order of the claims. Settling
    twice counts once."""

    reservation: str
    amounts: tuple[int, ...]


@value
class Recall(Ask[tuple[Kept, ...]]):
    """The kept answer of this owner; with `chain`, also those that it follows, newest first. Empty
    when there is none: another owner's is none."""

    owner: str
    id: str
    chain: bool = False


@value
class Retain(Ask[None]):
    """Keep an answer for `ttl_s`, in place of what was kept under its id."""

    kept: Kept
    ttl_s: float


@value
class Forget(Ask[None]):
    """Keep an answer no longer, if this owner has it."""

    owner: str
    id: str


@value
class Send(Ask[Response | Failure]):
    """Make one HTTP exchange. A stream is read as far as `opening` asks; the rest waits for
    `Relay`."""

    upstream: Upstream
    opening: Opening | None = None


@value
class Wait(Ask[None]):
    seconds: float


@value
class Relay(Ask[Outcome]):
    """Begin a streamed answer and pump the open upstream stream through `pipe`. Replies after its
    last byte, or when the caller has gone. `first` is what the pipe already released."""

    answer: Answer
    pipe: Pipe
    first: tuple[StreamEvent, ...] = ()


@value
class Record(Ask[None]):
    """Promise an audit event. In strict mode the reply comes after it is on disk. Raises
    AuditUnavailable."""

    event: Event
    strict: bool = False


@value
class Finish(Ask[None]):
    """Give the caller the whole answer, or the last events of a stream already begun. The flow ends
    after it."""

    answer: Answer | None = None
    tail: tuple[StreamEvent, ...] = ()


type StoreEffect = Lookup | Store | Reserve | Settle | Record | Recall | Retain | Forget
type HostEffect = Send | Wait
type DoorEffect = Relay | Finish
type Effect = StoreEffect | HostEffect | DoorEffect
