"""What to ask next for a prediction that has not ended. Pure: the pipeline sends and waits.

Create it with the headers of `creation`, and the answer comes ended where the model is quick. Then
`next_step` says where and when to ask, from the addresses in the answer. These are the upstream's
word, and a request to them bears the credential; so each must lie on the provider's own base URL,
or, for a stream, on Replicate's hosts.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Failure
from nexus_sdk.values import value
from nexus_sdk.wire.dialects.replicate import response

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

LONGEST_HOLD_S = 60
"""Replicate holds an answer back for up to 60 s, with `Prefer: wait` or `wait=<seconds>`
(https://replicate.com/docs/topics/predictions/create-a-prediction)."""
SHORTEST_LIFE_S = 5
"""`Cancel-After: <seconds>s` gives a prediction a deadline of its own
(https://replicate.com/changelog/2025-10-16-prediction-deadlines), of five seconds at least."""
STREAM_HEADERS = {"accept": "text/event-stream", "cache-control": "no-store"}

UNDER_WAY = frozenset({"starting", "processing"})
FIRST_WAIT_S = 0.5
"""What Replicate's own clients wait between two polls."""
LONGEST_WAIT_S = 5.0

STREAM_DOMAINS = (".replicate.com", ".replicate.net")
"""`stream.replicate.com` and `stream-b.svc.<region>.c.replicate.net` serve the streams of
`api.replicate.com`."""


@value
class Done:
    """The prediction has succeeded: decode the answer at hand."""


@value
class Poll:
    """Ask `url` (GET, with the account's headers) after so many seconds."""

    url: str
    after_s: float


@value
class Stream:
    """The stream is at `url` (GET, with the account's headers and `STREAM_HEADERS`)."""

    url: str


@value
class Failed:
    """There will be no answer."""

    error: UpstreamFailed


type Step = Done | Poll | Stream | Failed


def creation(patience_s: float | None, silence_s: float | None, *, streams: bool) -> dict[str, str]:
    """The headers that create a prediction for a caller who waits so long in all, and bears so long
    a silence. A stream's address comes at once, so that it is not waited for; and a prediction ends
    by itself where its caller cannot say any more that it is not wanted."""
    lives = (
        {} if patience_s is None else {"cancel-after": f"{max(ceil(patience_s), SHORTEST_LIFE_S)}s"}
    )
    if streams:
        return lives
    limits = [limit for limit in (patience_s, silence_s) if limit is not None]
    hold_s = int(min(limits, default=LONGEST_HOLD_S + 1)) - 1  # it comes before the caller gives up
    if hold_s >= LONGEST_HOLD_S:
        return {"prefer": "wait"} | lives
    return {"prefer": f"wait={max(hold_s, 1)}"} | lives


def cancel_url(answer: Json, base_url: str) -> str:
    """Where a prediction that is under way is cancelled (POST); empty where that is not known, or
    not the provider's."""
    told = answer if isinstance(answer, dict) else {}
    urls = told.get("urls")
    url = urls.get("cancel") if isinstance(urls, dict) else None
    under_way = told.get("status") in UNDER_WAY
    return url if under_way and isinstance(url, str) and on_base(url, base_url) else ""


def next_step(answer: Json, base_url: str, *, polls: int = 0, stream: bool = False) -> Step:
    """`polls`: how often it was asked for already, which makes the waits longer. `stream`: the
    caller wants to read along; a prediction whose model cannot is polled."""
    told = answer if isinstance(answer, dict) else {}
    status, urls = told.get("status"), told.get("urls")
    urls = urls if isinstance(urls, dict) else {}
    if status in response.ENDED_BADLY:
        return Failed(response.failed(str(status), told.get("error")))
    if stream and isinstance(urls.get("stream"), str):
        return _checked(Stream(urls["stream"]), on_stream_host(urls["stream"], base_url))
    if status == "succeeded":
        return Done()
    if status not in UNDER_WAY:
        return _failed("its answer is no prediction: its status is not known")
    url = urls.get("get")
    if not isinstance(url, str):
        return _failed("its prediction has not ended and has no address")
    wait_s = min(FIRST_WAIT_S * 2 ** min(polls, 16), LONGEST_WAIT_S)
    return _checked(Poll(url, wait_s), on_base(url, base_url))


def _checked(step: Step, allowed: bool) -> Step:  # noqa: FBT001  two calls, above
    return step if allowed else _failed("its prediction has an address that is not the provider's")


def _failed(reason: str) -> Failed:
    failure = Failure("protocol", reason)
    return Failed(UpstreamFailed(f"the upstream gave no usable answer: {reason}", failure=failure))


def on_base(url: str, base_url: str) -> bool:
    """Whether `url` lies below `base_url`: the same origin, and its path as a beginning."""
    base, asked = _split(base_url), _split(url)
    if base is None or asked is None or _origin(base) != _origin(asked):
        return False
    return asked.path.startswith(base.path.rstrip("/") + "/")


def on_stream_host(url: str, base_url: str) -> bool:
    """Below `base_url`, or on a host of Replicate where that is Replicate's too."""
    if on_base(url, base_url):
        return True
    base, asked = _split(base_url), _split(url)
    if base is None or asked is None or (asked.scheme, asked.port or 443) != ("https", 443):
        return False
    return _is_replicates(base) and _is_replicates(asked)


def _is_replicates(address: SplitResult) -> bool:
    return (address.hostname or "").endswith(STREAM_DOMAINS)


_DEFAULT_PORTS = {"https": 443, "http": 80}


def _origin(address: SplitResult) -> tuple[str, str, int]:
    port = address.port or _DEFAULT_PORTS[address.scheme]
    return address.scheme, address.hostname or "", port


def _split(url: str) -> SplitResult | None:
    """The parts of a plain web address; None for one with a user, a step upwards, or characters
    that two readers take for different things."""
    if not url.isascii() or not url.isprintable() or any(mark in url for mark in "\\@ #"):
        return None
    try:
        address = urlsplit(url)
        _ = address.port
    except ValueError:
        return None
    if address.scheme not in _DEFAULT_PORTS or not address.hostname:
        return None
    steps = address.path.lower().replace("%2e", ".").replace("%2f", "/").split("/")
    return None if {".", ".."} & set(steps) else address
