# ruff: noqa: SLF001 -- the stock client is ours to override
"""`OpenAI` and `AsyncOpenAI`: the stock clients, governed. One import changes, nothing else."""

from __future__ import annotations

import atexit
import importlib
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast

import openai
from openai._compat import cached_property
from openai.resources import AsyncEmbeddings, Embeddings
from openai.resources.chat import AsyncChat, AsyncCompletions, Chat, Completions
from openai.resources.responses import AsyncResponses, Responses

from nexus_sdk.drivers.own_client import AsyncOwnClient, SyncOwnClient
from nexus_sdk.fastpath import FastPath
from nexus_sdk.model import Answer
from nexus_sdk.nexus import Nexus
from nexus_sdk.refusals import no_answer, status_error
from nexus_sdk.results import FAMILY, GovernedAsyncStream, GovernedStream, http, result
from nexus_sdk.sockets import refusal, without_sockets
from nexus_sdk.stock_objects import from_document
from nexus_sdk.transports import (
    RETRIES,
    Traffic,
    async_transport,
    family_of,
    sync_transport,
    traffic_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from openai.resources.beta import AsyncBeta, Beta
    from openai.resources.realtime import AsyncRealtime, Realtime

    from nexus_sdk.policy.load import Source

    type Fresh = str | Callable[[], str] | None
    type AsyncFresh = str | Callable[[], Awaitable[str]] | None


class Stock(TypedDict, total=False):
    """The stock clients' own arguments. `Any` where the type is of one major version, or of one
    family of HTTP clients."""

    admin_api_key: str | None
    workload_identity: Any
    organization: str | None
    project: str | None
    webhook_secret: str | None
    provider: Any
    base_url: Any
    data_residency: Any
    websocket_base_url: Any
    timeout: Any
    max_retries: int
    default_headers: Mapping[str, str] | None
    default_query: Mapping[str, object] | None
    http_client: Any
    _strict_response_validation: bool
    _enforce_credentials: bool


class SyncStock(Stock, total=False):
    api_key: Fresh


class AsyncStock(Stock, total=False):
    api_key: AsyncFresh


_shared_lock = threading.Lock()
_shared: Nexus | None = None


def shared() -> Nexus:
    """The process's own Nexus, for clients that were given neither a policy nor one of their
    own."""
    global _shared  # noqa: PLW0603  one default policy per process, made when first needed
    with _shared_lock:
        if _shared is None:
            _shared = Nexus()
            atexit.register(_shared.close)
        return _shared


class _Governed:
    """What both clients add to the stock ones. `nexus`: the policy in force."""

    nexus: Nexus
    max_retries: int
    _strict_response_validation: bool
    _fast: FastPath
    _upstream: Any
    _own_nexus: bool
    _governance: Mapping[str, Any]

    def _govern(
        self, policy: Source, nexus: Nexus | None, user: str, tags: Mapping[str, str] | None
    ) -> None:
        if policy is not None and nexus is not None:
            raise TypeError("give either policy= or nexus=, not both")
        self._own_nexus = policy is not None
        self.nexus = nexus or (shared() if policy is None else Nexus(policy))
        self._caller = self.nexus.caller(user, tags)
        self._governance = {"nexus": self.nexus, "user": user, "tags": tags}

    def _http_client(self, given: Any, colour: str, own: Any, make: Any) -> Any:
        """An HTTP client whose every request goes through the pipeline, and from there, when the
        caller gave one, through `given`. Colour: the class's name in both families."""
        known = traffic_of(given)
        if known is not None and known.nexus is self.nexus and known.caller == self._caller:
            self._upstream = known.upstream
            return given
        options: dict[str, Any] = {}
        self._upstream = None
        if given is not None:
            family = family_of(given)
            if not family or not isinstance(
                given, getattr(importlib.import_module(family), colour)
            ):
                raise TypeError(
                    f"Invalid `http_client` argument; Expected an instance of `{FAMILY}.{colour}` "
                    f"but got {type(given)}"
                )
            self._upstream = own(given)
            options["timeout"] = http.Timeout(**given.timeout.as_dict())
            options["follow_redirects"] = given.follow_redirects
        traffic = Traffic(
            self.nexus,
            self._caller,
            door="sdk",
            upstream=self._upstream,
            failed=no_answer,
        )
        default = {
            "Client": openai.DefaultHttpxClient,
            "AsyncClient": openai.DefaultAsyncHttpxClient,
        }
        return default[colour](transport=make(traffic, FAMILY), **options)

    def _build_request(self, options: Any, *, retries_taken: int = 0) -> Any:
        request = super()._build_request(options, retries_taken=retries_taken)  # type: ignore[misc]
        retries = options.get_max_retries(self.max_retries)
        request.extensions = {**request.extensions, RETRIES: retries}
        return request

    def _process_response_data(self, *, data: object, cast_to: Any, response: Any) -> Any:
        built = None
        if not self._strict_response_validation:
            built = from_document(cast_to, data)
        if built is not None:
            return built
        return super()._process_response_data(  # type: ignore[misc]
            data=data, cast_to=cast_to, response=response
        )

    def _should_retry(self, response: Any) -> bool:  # noqa: ARG002
        """The pipeline has retried already, with this client's own patience."""
        return False

    def _make_status_error(
        self, err_msg: str, *, body: object, response: Any
    ) -> openai.APIStatusError:
        ours = status_error(err_msg, body, response)
        if ours is not None:
            return ours
        stock: openai.APIStatusError = super()._make_status_error(  # type: ignore[misc]
            err_msg, body=body, response=response
        )
        return stock

    if not TYPE_CHECKING:  # the stock client's signature holds

        def copy(self, **options: Any) -> Any:
            """As the stock client's, under the same policy, user and tags."""
            extra = {**self._governance, **(options.pop("_extra_kwargs", None) or {})}
            return super().copy(**options, _extra_kwargs=extra)

        with_options = copy


def _retried(response: Any) -> int:
    """How often the pipeline tried again for this response."""
    attempts = response.headers.get("x-nexus-attempts", "1")
    return int(attempts) - 1 if attempts.isdecimal() else 0


class OpenAI(_Governed, openai.OpenAI):
    """`openai.OpenAI` under a policy. Takes all of its arguments, and:

    `policy`: a path, a dict or a `Policy`; without it the file that `NEXUS_POLICY` names, or the
    default policy. `nexus`: a shared `Nexus` instead. `user`, `tags`: who is calling and for what,
    for quotas and the audit trail."""

    def __init__(
        self,
        *,
        policy: Source = None,
        nexus: Nexus | None = None,
        user: str = "",
        tags: Mapping[str, str] | None = None,
        **stock: Unpack[SyncStock],
    ) -> None:
        self._govern(policy, nexus, user, tags)
        given = stock.get("http_client")
        stock["http_client"] = self._http_client(given, "Client", SyncOwnClient, sync_transport)
        super().__init__(**stock)
        self._fast = FastPath(self, self.nexus, self._caller)

    @cached_property
    def realtime(self) -> Realtime:
        return cast("Realtime", without_sockets(super().realtime))

    @cached_property
    def beta(self) -> Beta:
        found = super().beta
        without_sockets(found.realtime, "beta.realtime")
        return found

    @cached_property
    def chat(self) -> Chat:
        return _Chat(self)

    @cached_property
    def responses(self) -> Responses:
        return _Responses(self)

    @cached_property
    def embeddings(self) -> Embeddings:
        return _Embeddings(self)

    def close(self) -> None:
        """Close the HTTP client, and the policy that was made for this client alone."""
        super().close()
        if self._own_nexus:
            self.nexus.close()

    def _create(self, endpoint: str, long_way: Any, given: dict[str, Any]) -> Any:
        """A `create` call. A redirect too goes the long way: the stock machinery knows when to
        follow one."""
        request = self._fast.request(endpoint, given)
        if request is None:
            return long_way(**given)
        answer = self.nexus.run(request, upstream=self._upstream)
        if not isinstance(answer, Answer):
            return GovernedStream(self, request, answer)
        if 300 <= answer.status < 400:
            return long_way(**given)
        return result(self, request, answer, given)

    if not TYPE_CHECKING:

        def _process_response(self, *, response, retries_taken=0, **rest):
            taken = retries_taken + _retried(response)
            return super()._process_response(response=response, retries_taken=taken, **rest)


class AsyncOpenAI(_Governed, openai.AsyncOpenAI):
    """`openai.AsyncOpenAI` under a policy; see `OpenAI`."""

    def __init__(
        self,
        *,
        policy: Source = None,
        nexus: Nexus | None = None,
        user: str = "",
        tags: Mapping[str, str] | None = None,
        **stock: Unpack[AsyncStock],
    ) -> None:
        self._govern(policy, nexus, user, tags)
        given = stock.get("http_client")
        client = self._http_client(given, "AsyncClient", AsyncOwnClient, async_transport)
        stock["http_client"] = client
        super().__init__(**stock)
        self._fast = FastPath(self, self.nexus, self._caller)

    @cached_property
    def realtime(self) -> AsyncRealtime:
        return cast("AsyncRealtime", without_sockets(super().realtime))

    @cached_property
    def beta(self) -> AsyncBeta:
        found = super().beta
        without_sockets(found.realtime, "beta.realtime")
        return found

    @cached_property
    def chat(self) -> AsyncChat:
        return _AsyncChat(self)

    @cached_property
    def responses(self) -> AsyncResponses:
        return _AsyncResponses(self)

    @cached_property
    def embeddings(self) -> AsyncEmbeddings:
        return _AsyncEmbeddings(self)

    async def close(self) -> None:
        """Close the HTTP client, and the policy that was made for this client alone."""
        await super().close()
        if self._own_nexus:
            await self.nexus.aclose()

    async def _create(self, endpoint: str, long_way: Any, given: dict[str, Any]) -> Any:
        """A `create` call; see `OpenAI._create`."""
        request = self._fast.request(endpoint, given)
        if request is None:
            return await long_way(**given)
        answer = await self.nexus.arun(request, upstream=self._upstream)
        if not isinstance(answer, Answer):
            return GovernedAsyncStream(self, request, answer)
        if 300 <= answer.status < 400:
            return await long_way(**given)
        return result(self, request, answer, given)

    if not TYPE_CHECKING:

        async def _process_response(self, *, response, retries_taken=0, **rest):
            taken = retries_taken + _retried(response)
            return await super()._process_response(response=response, retries_taken=taken, **rest)


# The resources keep the stock signatures, for type checkers and for `inspect.signature`.


class _Completions(Completions):
    if not TYPE_CHECKING:

        @wraps(Completions.create)
        def create(self, **given):
            return self._client._create("chat", super().create, given)


class _AsyncCompletions(AsyncCompletions):
    if not TYPE_CHECKING:

        @wraps(AsyncCompletions.create)
        async def create(self, **given):
            return await self._client._create("chat", super().create, given)


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

        @wraps(Responses.create)
        def create(self, **given):
            return self._client._create("responses", super().create, given)

        def connect(self, *_given, **_options):
            raise refusal("responses")


class _AsyncResponses(AsyncResponses):
    if not TYPE_CHECKING:

        @wraps(AsyncResponses.create)
        async def create(self, **given):
            return await self._client._create("responses", super().create, given)

        def connect(self, *_given, **_options):
            raise refusal("responses")


class _Embeddings(Embeddings):
    if not TYPE_CHECKING:

        @wraps(Embeddings.create)
        def create(self, **given):
            return self._client._create("embeddings", super().create, given)


class _AsyncEmbeddings(AsyncEmbeddings):
    if not TYPE_CHECKING:

        @wraps(AsyncEmbeddings.create)
        async def create(self, **given):
            return await self._client._create("embeddings", super().create, given)
