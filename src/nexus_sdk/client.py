"""`OpenAI` and `AsyncOpenAI`: the stock clients, governed. One import changes, nothing else."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import openai
from openai._compat import cached_property
from openai.resources import AsyncEmbeddings, Embeddings
from openai.resources.chat import AsyncChat, AsyncCompletions, Chat, Completions
from openai.resources.responses import AsyncResponses, Responses

from nexus_sdk.drivers.own_client import AsyncOwnClient, SyncOwnClient
from nexus_sdk.embeddings import decoded, wanted
from nexus_sdk.fastpath import FastPath, Unknown
from nexus_sdk.model import Answer
from nexus_sdk.nexus import Nexus
from nexus_sdk.refusals import status_error
from nexus_sdk.results import GovernedAsyncStream, GovernedStream, http, result
from nexus_sdk.transports import async_transport, sync_transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.policy.load import Source

_shared_lock = threading.Lock()
_shared: Nexus | None = None


def shared() -> Nexus:
    """The process's own Nexus, for clients that were given neither a policy nor one of their own."""
    global _shared  # noqa: PLW0603  one default policy per process, made when first needed
    with _shared_lock:
        if _shared is None:
            _shared = Nexus()
        return _shared


class _Governed:
    """What both clients add to the stock ones."""

    nexus: Nexus
    _fast: FastPath | None
    _governance: dict[str, Any]
    _own_client: Any

    def _govern(self, policy: Source, nexus: Nexus | None, user: str, tags: Mapping[str, str] | None) -> None:
        if policy is not None and nexus is not None:
            raise TypeError("give either policy= or nexus=, not both")
        self.nexus = nexus or (shared() if policy is None else Nexus(policy))
        caller = replace(self.nexus.app, user=user, tags=MappingProxyType(dict(tags or {})))
        self._caller = caller
        self._governance = {"nexus": self.nexus, "user": user, "tags": tags}
        self._own_client = None

    def _request(self, endpoint: str, given: dict[str, Any]) -> Any:
        """The fast path's request, or None when the call has to go the long way."""
        if self._own_client is not None:
            return None
        try:
            return self._fast.request(endpoint, given) if self._fast is not None else None
        except Unknown:
            return None

    def _make_status_error(self, err_msg: str, *, body: object, response: Any) -> openai.APIStatusError:
        ours = status_error(err_msg, body, response)
        if ours is not None:
            return ours
        stock: openai.APIStatusError = super()._make_status_error(err_msg, body=body, response=response)  # type: ignore[misc]
        return stock

    def _should_retry(self, response: Any) -> bool:  # noqa: ARG002
        """The pipeline has retried already, with this client's own patience."""
        return False

    def copy(self, **options: Any) -> Any:
        """As the stock client's, under the same policy, user and tags."""
        extra = {**self._governance, **(options.pop("_extra_kwargs", None) or {})}
        return super().copy(**options, _extra_kwargs=extra)  # type: ignore[misc]

    with_options = copy


class OpenAI(_Governed, openai.OpenAI):
    """`openai.OpenAI` under a policy. Takes all of its arguments, and:

    `policy`: a path, a dict or a `Policy`; without it the file that `NEXUS_POLICY` names, or the default policy.
    `nexus`: a shared `Nexus` instead. `user`, `tags`: who is calling and for what, for quotas and the audit trail.
    """

    def __init__(
        self,
        *,
        policy: Source = None,
        nexus: Nexus | None = None,
        user: str = "",
        tags: Mapping[str, str] | None = None,
        **stock: Any,
    ) -> None:
        self._fast = None
        self._govern(policy, nexus, user, tags)
        given = stock.pop("http_client", None)
        super().__init__(http_client=self._http_client(given, stock), **stock)
        self._fast = FastPath(self, self.nexus, self._caller)

    def _http_client(self, given: Any, stock: dict[str, Any]) -> Any:
        if getattr(given, "nexus", None) is self.nexus:
            self._own_client = given.own_client
            return given
        self._own_client = given
        upstream = None if given is None else SyncOwnClient(given)
        transport = sync_transport(self.nexus, http.__name__, self._caller, upstream)
        timeout = {"timeout": stock["timeout"]} if stock.get("timeout") is not None else {}
        client = openai.DefaultHttpxClient(transport=transport, **_given(timeout))
        client.nexus, client.own_client = self.nexus, given
        return client

    @cached_property
    def chat(self) -> Chat:
        return _Chat(self)

    @cached_property
    def responses(self) -> Responses:
        return _Responses(self)

    @cached_property
    def embeddings(self) -> Embeddings:
        return _Embeddings(self)

    def _call(self, request: Any) -> Any:
        answer = self.nexus.run(request)
        return result(self, request, answer) if isinstance(answer, Answer) else GovernedStream(self, request, answer)


class AsyncOpenAI(_Governed, openai.AsyncOpenAI):
    """`openai.AsyncOpenAI` under a policy; see `OpenAI`."""

    def __init__(
        self,
        *,
        policy: Source = None,
        nexus: Nexus | None = None,
        user: str = "",
        tags: Mapping[str, str] | None = None,
        **stock: Any,
    ) -> None:
        self._fast = None
        self._govern(policy, nexus, user, tags)
        given = stock.pop("http_client", None)
        super().__init__(http_client=self._http_client(given, stock), **stock)
        self._fast = FastPath(self, self.nexus, self._caller)

    def _http_client(self, given: Any, stock: dict[str, Any]) -> Any:
        if getattr(given, "nexus", None) is self.nexus:
            self._own_client = given.own_client
            return given
        self._own_client = given
        upstream = None if given is None else AsyncOwnClient(given)
        transport = async_transport(self.nexus, http.__name__, self._caller, upstream)
        timeout = {"timeout": stock["timeout"]} if stock.get("timeout") is not None else {}
        client = openai.DefaultAsyncHttpxClient(transport=transport, **_given(timeout))
        client.nexus, client.own_client = self.nexus, given
        return client

    @cached_property
    def chat(self) -> AsyncChat:
        return _AsyncChat(self)

    @cached_property
    def responses(self) -> AsyncResponses:
        return _AsyncResponses(self)

    @cached_property
    def embeddings(self) -> AsyncEmbeddings:
        return _AsyncEmbeddings(self)

    async def _call(self, request: Any) -> Any:
        answer = await self.nexus.arun(request)
        if isinstance(answer, Answer):
            return result(self, request, answer)
        return GovernedAsyncStream(self, request, answer)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not isinstance(value, openai.NotGiven)}


class _Completions(Completions):
    if not TYPE_CHECKING:

        def create(self, **given):
            if type(given.get("response_format")) is type:
                return super().create(**given)
            request = self._client._request("chat", given)
            return super().create(**given) if request is None else self._client._call(request)


class _AsyncCompletions(AsyncCompletions):
    if not TYPE_CHECKING:

        async def create(self, **given):
            if type(given.get("response_format")) is type:
                return await super().create(**given)
            request = self._client._request("chat", given)
            return await (super().create(**given) if request is None else self._client._call(request))


class _Chat(Chat):
    @cached_property
    def completions(self) -> Completions:
        return _Completions(self._client)


class _AsyncChat(AsyncChat):
    @cached_property
    def completions(self) -> AsyncCompletions:
        return _AsyncCompletions(self._client)


class _Responses(Responses):
    if not TYPE_CHECKING:

        def create(self, **given):
            request = self._client._request("responses", given)
            return super().create(**given) if request is None else self._client._call(request)


class _AsyncResponses(AsyncResponses):
    if not TYPE_CHECKING:

        async def create(self, **given):
            request = self._client._request("responses", given)
            return await (super().create(**given) if request is None else self._client._call(request))


class _Embeddings(Embeddings):
    if not TYPE_CHECKING:

        def create(self, **given):
            request = self._client._request("embeddings", wanted(given))
            if request is None:
                return super().create(**given)
            return decoded(self._client._call(request), given)


class _AsyncEmbeddings(AsyncEmbeddings):
    if not TYPE_CHECKING:

        async def create(self, **given):
            request = self._client._request("embeddings", wanted(given))
            if request is None:
                return await super().create(**given)
            return decoded(await self._client._call(request), given)
