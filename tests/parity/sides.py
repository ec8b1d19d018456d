"""The same call through the stock client and through ours, each with an upstream of its own that
begins anew, so that ids and times are equal."""

from __future__ import annotations

import asyncio
import inspect
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openai
from tests.parity.portrait import portrait, portrait_of_error, portrait_of_response, told_upstream

import nexus_sdk
from nexus_sdk.demo.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.parity.portrait import Portrait

WATCHING: dict[str, Any] = {"compliance": {"hooks": []}}
"""A policy that changes nothing: for what has to be the same to the last chunk."""
NOON = 1_700_000_000.0

CLIENTS: Mapping[tuple[str, str], Any] = {
    ("stock", "sync"): openai.OpenAI,
    ("stock", "async"): openai.AsyncOpenAI,
    ("ours", "sync"): nexus_sdk.OpenAI,
    ("ours", "async"): nexus_sdk.AsyncOpenAI,
}


@dataclass(frozen=True, slots=True)
class Call:
    """`method` is the path on the client. `demo`: the upstream's script
    (`nexus_sdk/demo/script.py`)."""

    method: str
    arguments: dict[str, Any]
    demo: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method.split('.')[0]}-{self.demo or 'plain'}"


@dataclass(slots=True)
class Seen:
    """Everything that came of a call. `outcome` is first `returned`, `streamed` or `raised`, then
    what."""

    outcome: list[Portrait] = field(default_factory=list)
    requests: list[Portrait] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


def play(side: str, colour: str, call: Call, *, policy: Any = None) -> Seen:
    """Make the call and draw what can be seen of it."""
    return watch(
        side,
        colour,
        lambda client: _ask(client, call),
        policy=policy,
        demo=call.demo,
        **call.options,
    )


def watch(
    side: str,
    colour: str,
    act: Callable[[Any], Any],
    *,
    policy: Any = None,
    demo: str = "",
    **options: Any,
) -> Seen:
    """`act` on a client against a new upstream. It returns a result, a stream or an awaitable of
    one."""
    with (
        ModelServer(clock=lambda: NOON) as server,
        _client(side, colour, server, policy, demo, options) as found,
    ):
        client, seen = found
        if colour == "sync":
            _record(seen, lambda: _drawn(act(client)))
        else:
            _record(seen, lambda: asyncio.run(_adrawn(client, act)))
        seen.requests += [_request(request) for request in server.requests]
    return seen


@contextmanager
def _client(
    side: str, colour: str, server: ModelServer, policy: Any, demo: str, options: dict[str, Any]
) -> Iterator[tuple[Any, Seen]]:
    seen = Seen()
    given = {"base_url": f"{server.url}/v1", "api_key": "sk-test", "max_retries": 0, **options}
    if demo:
        given["default_headers"] = {"x-demo": demo, **given.get("default_headers", {})}
    if side == "stock":
        yield CLIENTS[side, colour](**given), seen
        return
    with nexus_sdk.Nexus(
        WATCHING if policy is None else policy, observe=seen.events.append
    ) as nexus:
        yield CLIENTS[side, colour](nexus=nexus, **given), seen


def _ask(client: Any, call: Call) -> Any:
    found = client
    for name in call.method.split("."):
        found = getattr(found, name)
    return found(**call.arguments)


def _record(seen: Seen, act: Callable[[], Portrait]) -> None:
    try:
        seen.outcome += act()
    except Exception as error:  # noqa: BLE001  whatever it is, it is compared
        seen.outcome += ["raised", portrait_of_error(error)]


def _drawn(result: Any) -> list[Portrait]:
    if not isinstance(result, openai.Stream):
        return ["returned", portrait(result)]
    drawn: list[Portrait] = ["streamed"]
    try:
        for item in result:
            drawn.append(portrait(item))  # noqa: PERF401  what came before an error counts
    except openai.APIError as error:
        drawn += ["raised", portrait_of_error(error)]
    return [*drawn, portrait_of_response(result.response)]


async def _adrawn(client: Any, act: Callable[[Any], Any]) -> list[Portrait]:
    async with client:
        result = act(client)
        if inspect.isawaitable(result):
            result = await result
        if not isinstance(result, openai.AsyncStream):
            return ["returned", portrait(result)]
        drawn: list[Portrait] = ["streamed"]
        try:
            async for item in result:
                drawn.append(portrait(item))  # noqa: PERF401  what came before an error counts
        except openai.APIError as error:
            drawn += ["raised", portrait_of_error(error)]
        return [*drawn, portrait_of_response(result.response)]


def _request(request: Any) -> Portrait:
    body = json.loads(request.body) if request.body[:1] == b"{" else request.text
    return {
        "method": request.method,
        "target": request.target,
        "headers": told_upstream(request.headers),
        "body": body,
    }
