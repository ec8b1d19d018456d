# ruff: noqa: SLF001 -- it says what the stock client's own machinery would
"""Keyword arguments straight to the pipeline: what the stock client's request machinery would send,
without it.

Whatever the fast path does not know for certain goes the long way, through the stock machinery over
our transport, with the same result. So it says None rather than guess."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openai
import orjson
import pydantic
from openai._models import FinalRequestOptions
from openai._types import NotGiven, Omit
from openai.resources import Embeddings
from openai.resources.chat import Completions
from openai.resources.responses import Responses

from nexus_sdk.embeddings import unsaid
from nexus_sdk.model import Origin, Patience, Request
from nexus_sdk.wire.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.model import Caller
    from nexus_sdk.nexus import Nexus

ABSENT = (NotGiven, Omit)
_FOR_US = frozenset({"extra_headers", "extra_query", "extra_body", "timeout"})
_CREATE: Mapping[str, Any] = {
    "chat": Completions.create,
    "responses": Responses.create,
    "embeddings": Embeddings.create,
}
_KNOWN = {
    endpoint: frozenset(inspect.signature(create).parameters) - {"self"}
    for endpoint, create in _CREATE.items()
}
_REQUIRED = {"chat": ("messages", "model"), "responses": (), "embeddings": ("input", "model")}
_NOT_HEADERS = frozenset({"x-stainless-raw-response", "____stainless_override_cast_to"})
"""What `with_raw_response` and `with_streaming_response` tell the stock machinery by way of
headers."""
_READ_TIMEOUT = "x-stainless-read-timeout"
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

_HOOKS = (
    "_auth_headers",
    "_build_headers",
    "_build_request",
    "_custom_auth",
    "_prepare_options",
    "_prepare_request",
    "_prepare_url",
    "_process_response",
    "_process_response_data",
    "_send_request",
    "_validate_headers",
    "auth_headers",
    "default_headers",
    "default_query",
    "post",
    "request",
)
"""Parts of the stock machinery that a subclass may replace; then all of its calls have to go
through it."""


class _Unknown(Exception):
    """The fast path does not know this; the stock machinery may."""


@dataclass(frozen=True, slots=True)
class _State:
    """What all calls of a client have in common for as long as `mark` holds. `headers`: None where
    only the stock machinery knows how to ask."""

    mark: tuple[object, ...]
    headers: dict[str, str] | None = field(repr=False)
    origin: Origin
    patience: Patience


class FastPath:
    """Makes the requests of one client."""

    def __init__(self, client: Any, nexus: Nexus, caller: Caller) -> None:
        self._client = client
        self._nexus = nexus
        self._caller = caller
        self._state = _State((), None, Origin(""), Patience())

    def request(self, endpoint: str, given: Mapping[str, Any]) -> Request | None:
        """The request of a `create` call with these keyword arguments; None for the long way."""
        state = self._current()
        if state.headers is None:
            return None
        try:
            return self._request(endpoint, given, state, state.headers)
        except _Unknown:
            return None

    def _request(
        self, endpoint: str, given: Mapping[str, Any], state: _State, headers: dict[str, str]
    ) -> Request:
        values = {name: value for name, value in given.items() if not isinstance(value, ABSENT)}
        _require(endpoint, values)
        patience = state.patience
        if not _FOR_US.isdisjoint(values):
            if "timeout" in values:
                patience = _patience(values.pop("timeout"), self._client.max_retries)
                headers = _reading_for(headers, patience)
            headers = _merged(headers, values.pop("extra_headers", None))
            values = _extended(values)
        if endpoint == "embeddings" and unsaid(given):
            values["encoding_format"] = "base64"
        return Request(
            id=self._nexus.new_id(),
            door="sdk",
            endpoint=endpoint,
            body=encode(values),
            headers=headers,
            path=ENDPOINTS[endpoint].suffix,
            caller=self._caller,
            origin=state.origin,
            patience=patience,
            own_encoding=True,
        )

    def _current(self) -> _State:
        """Made anew when the client's credentials, address or patience change: they are plain
        attributes."""
        client = self._client
        mark = (
            client._client,
            client._client.is_closed,
            client.api_key,
            client._base_url,
            client.organization,
            client.project,
            client.timeout,
            client.max_retries,
            client._custom_headers,
        )
        if mark != self._state.mark:
            try:
                patience, headers = _patience(client.timeout, client.max_retries), _headers(client)
            except _Unknown:
                patience, headers = Patience(), None
            origin = Origin(str(client.base_url).rstrip("/"))
            self._state = _State(mark, headers, origin, patience)
        return self._state


def encode(values: dict[str, Any]) -> bytes:
    """The body. Raises _Unknown for values that the stock client may know how to send and we do
    not."""
    try:
        body = orjson.dumps(values, default=_encodable, option=_OPTIONS)
    except (TypeError, RecursionError):
        raise _Unknown from None
    # orjson writes NaN as null, and the stock client refuses it: look closer only when there is a
    # null.
    if b"null" in body and not _finite(values):
        raise _Unknown
    return body


def _encodable(value: object) -> object:
    """Objects of the SDK inside the arguments, such as an answer's message that is sent back.
    `__api_exclude__` names what `.parse()` added to it."""
    if isinstance(value, pydantic.BaseModel):
        exclude = getattr(value, "__api_exclude__", None)
        return value.model_dump(exclude_unset=True, mode="json", by_alias=True, exclude=exclude)
    raise TypeError


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return True


def _require(endpoint: str, values: Mapping[str, Any]) -> None:
    """A missing or misspelt argument is the stock client's to complain of, in its own words."""
    if not _KNOWN[endpoint].issuperset(values) or any(n not in values for n in _REQUIRED[endpoint]):
        raise _Unknown


def _extended(values: dict[str, Any]) -> dict[str, Any]:
    if values.pop("extra_query", None):
        raise _Unknown
    extra = values.pop("extra_body", None)
    if extra is None:
        return values
    if not isinstance(extra, dict):
        raise _Unknown
    return values | extra


def _merged(headers: dict[str, str], extra: object) -> dict[str, str]:
    if extra is None:
        return headers
    if not isinstance(extra, dict):
        raise _Unknown
    out = dict(headers)
    for name, value in extra.items():
        if not _plain_text(name) or not _plain_text(value) or name.lower() in _NOT_HEADERS:
            raise _Unknown
        out[name.lower()] = value
    return out


def _plain_text(value: object) -> bool:
    return type(value) is str and value.isascii() and value.isprintable()


def _reading_for(headers: dict[str, str], patience: Patience) -> dict[str, str]:
    """The stock client tells the server how long it is going to wait."""
    rest = {name: value for name, value in headers.items() if name != _READ_TIMEOUT}
    return rest if patience.read_s is None else rest | {_READ_TIMEOUT: str(patience.read_s)}


def _patience(timeout: object, retries: int) -> Patience:
    """`timeout` as the stock client takes it. Raises _Unknown."""
    if timeout is None or type(timeout) is float or type(timeout) is int:
        return Patience(timeout, timeout, None, retries)
    try:
        return Patience(timeout.connect, timeout.read, None, retries)  # type: ignore[attr-defined]
    except AttributeError:
        raise _Unknown from None


def _headers(client: Any) -> dict[str, str]:
    """The headers that the stock machinery would send with every call of this client. Raises
    _Unknown."""
    if not _plain(client):
        raise _Unknown
    options = FinalRequestOptions.construct(
        method="post", url="/chat/completions", json_data={}, security={"bearer_auth": True}
    )
    built = client._build_headers(options, retries_taken=0)
    return {name.lower(): value for name, value in built.items()}


def _plain(client: Any) -> bool:
    """Does this client send a fixed key to its base URL, and nothing that we would not know of?"""
    kind, url = type(client), client.base_url
    stock = openai.AsyncOpenAI if isinstance(client, openai.AsyncOpenAI) else openai.OpenAI
    ours = next(base for base in kind.__mro__ if base.__module__ == "nexus_sdk.client")
    unusual = (
        client._client.is_closed
        or not client.api_key
        or client._custom_query
        or client._strict_response_validation
        or getattr(client, "_provider_runtime", None)
        or getattr(client, "workload_identity", None)
        or getattr(client, "_api_key_provider", None)
        or url.userinfo
        or url.query
        or url.fragment
    )
    return not unusual and all(
        getattr(kind, hook, None) is getattr(ours, hook, None)
        for hook in _HOOKS
        if hasattr(stock, hook)
    )
