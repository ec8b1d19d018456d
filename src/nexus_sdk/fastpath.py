"""Keyword arguments straight to the pipeline: what the stock client's request machinery would send, without it.

Everything the fast path does not know goes the long way, through the stock machinery over our transport, with the same
result. So `encode` says None rather than guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import orjson
import pydantic
from openai._models import FinalRequestOptions
from openai._types import NotGiven, Omit

from nexus_sdk.model import Origin, Patience, Request
from nexus_sdk.wire.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.model import Caller
    from nexus_sdk.nexus import Nexus

RAW_RESPONSE_HEADER = "X-Stainless-Raw-Response"
_ABSENT = (NotGiven, Omit)
_REQUIRED = {"chat": ("messages", "model"), "responses": (), "embeddings": ("input", "model")}
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


class Unknown(Exception):
    """The fast path does not know this; the stock machinery does."""


class FastPath:
    """What one client's calls have in common. Made anew when the client's credentials or base URL change."""

    def __init__(self, client: Any, nexus: Nexus, caller: Caller) -> None:
        self._client = client
        self._nexus = nexus
        self._caller = caller
        self._mark: tuple[object, ...] = ()
        self._headers: dict[str, str] | None = None
        self._origin = Origin("")

    def request(self, endpoint: str, given: Mapping[str, Any]) -> Request:
        """The request of a `create` call with these keyword arguments. Raises Unknown."""
        self._refresh()
        if self._headers is None:
            raise Unknown
        values = {name: value for name, value in given.items() if not isinstance(value, _ABSENT)}
        headers = self._headers
        if extra := values.pop("extra_headers", None):
            headers = _merged(headers, extra)
        if values.pop("extra_query", None):
            raise Unknown
        timeout = values.pop("timeout", self._client.timeout)
        extra_body = values.pop("extra_body", None)
        if any(name not in values for name in _REQUIRED[endpoint]):
            raise Unknown
        if extra_body is not None:
            if not isinstance(extra_body, dict):
                raise Unknown
            values |= extra_body
        return Request(
            id=self._nexus.new_id(),
            door="sdk",
            endpoint=endpoint,
            body=encode(values),
            headers=headers,
            path=ENDPOINTS[endpoint].suffix,
            caller=self._caller,
            origin=self._origin,
            patience=_patience(timeout, self._client.max_retries),
            own_encoding=True,
        )

    def _refresh(self) -> None:
        client = self._client
        mark = (client.api_key, client._base_url, client.organization, client.project)  # noqa: SLF001
        if mark == self._mark:
            return
        self._mark = mark
        self._headers = _headers(client) if _plain(client) else None
        self._origin = Origin(str(client.base_url).rstrip("/"))


def encode(values: dict[str, Any]) -> bytes:
    """The body. Raises Unknown for values that the stock client may know how to send and we do not."""
    try:
        body = orjson.dumps(values, default=_encodable, option=_OPTIONS)
    except (TypeError, RecursionError):
        raise Unknown from None
    # orjson writes NaN as null, and the stock client refuses it: look closer only when there is a null.
    if b"null" in body and not _finite(values):
        raise Unknown
    return body


def _encodable(value: object) -> object:
    """Objects of the SDK inside the arguments, such as an answer's message that is sent back."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(exclude_unset=True, mode="json", by_alias=True)
    if type(value).__mro__[1:2] == (str,) and not hasattr(value, "value"):
        return str(value)
    raise TypeError


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return True


def _plain(client: Any) -> bool:
    """Does this client send a fixed key to its base URL, and nothing that we would not know of?"""
    kind = type(client)
    return (
        bool(client.api_key)
        and not client._custom_query  # noqa: SLF001
        and getattr(client, "_provider_runtime", None) is None
        and getattr(client, "workload_identity", None) is None
        and getattr(client, "_api_key_provider", None) is None
        and not client._strict_response_validation  # noqa: SLF001
        and kind._prepare_request in (openai.OpenAI._prepare_request, openai.AsyncOpenAI._prepare_request)  # noqa: SLF001
        and kind._build_headers in (openai.OpenAI._build_headers, openai.AsyncOpenAI._build_headers)  # noqa: SLF001
    )


def _headers(client: Any) -> dict[str, str]:
    """The headers that the stock machinery would send with every call of this client."""
    options = FinalRequestOptions.construct(method="post", url="/chat/completions", json_data={})
    built = client._build_headers(options, retries_taken=0)  # noqa: SLF001
    return {name.lower(): value for name, value in built.items()}


def _merged(headers: dict[str, str], extra: object) -> dict[str, str]:
    if not isinstance(extra, dict):
        raise Unknown
    out = dict(headers)
    for name, value in extra.items():
        if type(name) is not str or type(value) is not str or name == RAW_RESPONSE_HEADER:
            raise Unknown
        out[name.lower()] = value
    return out


def _patience(timeout: object, retries: int) -> Patience:
    if timeout is None or isinstance(timeout, float | int):
        seconds = None if timeout is None else float(timeout)
        return Patience(seconds, seconds, None, retries)
    connect, read = getattr(timeout, "connect", None), getattr(timeout, "read", None)
    return Patience(connect, read, None, retries)

