"""What one call to a provider costs us, less everything else: our upstream client beside others.

Every client talks to the same server in another process, whose CPU is not counted. pyreqwest is
measured where it is installed; its own threads count, because CPU is that of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import httpx2

from bench.measure import Crowd, calls, interleave
from bench.raw_server import ANSWER, certificates, raw_server
from bench.rows import Row
from nexus_sdk.drivers.upstream import AsyncUpstream, SyncUpstream
from nexus_sdk.model import Response, Upstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bench.measure import Turn
    from bench.rows import Plan

    type Once = Callable[[None], None]
    type AsyncOnce = Callable[[None], Awaitable[None]]

reqwest: Any = None
with contextlib.suppress(ImportError):
    reqwest = importlib.import_module("pyreqwest.client")

IN_FLIGHT = 50
OURS = "nexus"
KINDS = {
    "sync": "sync",
    "async": f"async, {IN_FLIGHT} in flight",
    "uvloop": f"async, {IN_FLIGHT} in flight, uvloop",
    "stream": "stream of 100 chunks",
}
REQUEST = b'{"model":"gpt-4o","messages":[{"role":"user","content":"' + b"hello " * 100 + b'"}]}'
HEADERS = {
    "authorization": "Bearer sk-0000",
    "content-type": "application/json",
    "accept": "application/json",
}


def run(plan: Plan) -> list[Row]:
    chain, pem = certificates()
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        plain, secure = stack.enter_context(raw_server(chain))
        runners = {
            kind: stack.enter_context(asyncio.Runner(loop_factory=factory))
            for kind, factory in _loops().items()
        }
        for over, base in (("plain", plain), ("TLS", secure)):
            turns = contenders(base, pem, runners, plan.of(400, 60))
            found = interleave(turns, plan.of(7, 1))
            rows += [
                Row(
                    f"upstream client, {KINDS[kind]}, {over}: CPU",
                    "us",
                    found[kind, OURS].cpu_us,
                    found[kind, name].cpu_us,
                    name,
                )
                for kind, name in turns
                if name != OURS
            ]
    return rows


def _loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """By kind of call, what makes its event loop; uvloop where it is installed."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"async": asyncio.new_event_loop}
    with contextlib.suppress(ImportError):
        loops["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return loops


def upstream(base: str, *, stream: bool = False) -> Upstream:
    path = "/stream" if stream else "/v1/chat/completions"
    return Upstream("POST", base + path, HEADERS, REQUEST, stream, private_network=True)


class Opened:
    """An opening that is satisfied at once."""

    def feed(self, data: bytes) -> bool:
        return bool(data)


def ours(base: str, pem: bytes) -> Once:
    client, call = SyncUpstream(roots_pem=pem.decode()), upstream(base)

    def once(_given: None) -> None:
        reply, _ = client.send(call)
        assert isinstance(reply, Response)
        assert len(reply.body) == len(ANSWER)

    return once


def ours_stream(base: str, pem: bytes) -> Once:
    client, call = SyncUpstream(roots_pem=pem.decode()), upstream(base, stream=True)

    def once(_given: None) -> None:
        _, body = client.send(call, Opened())
        assert body is not None
        while body.read():
            pass

    return once


def httpx_family(module: Any) -> Callable[[str, bytes], Once]:
    def make(base: str, pem: bytes) -> Once:
        client = module.Client(verify=ssl.create_default_context(cadata=pem.decode()))

        def once(_given: None) -> None:
            reply = client.post(base + "/v1/chat/completions", headers=HEADERS, content=REQUEST)
            assert len(reply.content) == len(ANSWER)

        return once

    return make


def httpx_family_stream(module: Any) -> Callable[[str, bytes], Once]:
    def make(base: str, pem: bytes) -> Once:
        client = module.Client(verify=ssl.create_default_context(cadata=pem.decode()))

        def once(_given: None) -> None:
            with client.stream("POST", base + "/stream", headers=HEADERS, content=REQUEST) as reply:
                for _ in reply.iter_raw():
                    pass

        return once

    return make


def pyreqwest_sync(base: str, pem: bytes) -> Once:
    client = reqwest.SyncClientBuilder().add_root_certificate_pem(pem).build()

    def once(_given: None) -> None:
        request = client.post(base + "/v1/chat/completions").headers(HEADERS).body_bytes(REQUEST)
        assert len(request.build().send().bytes()) == len(ANSWER)

    return once


def pyreqwest_stream(base: str, pem: bytes) -> Once:
    client = reqwest.SyncClientBuilder().add_root_certificate_pem(pem).build()

    def once(_given: None) -> None:
        request = client.post(base + "/stream").headers(HEADERS).body_bytes(REQUEST)
        with request.streamed_read_buffer_limit(0).build_streamed() as reply:
            while reply.body_reader.read_chunk():
                pass

    return once


def async_ours(base: str, pem: bytes) -> AsyncOnce:
    client, call = AsyncUpstream(roots_pem=pem.decode()), upstream(base)

    async def once(_given: None) -> None:
        reply, _ = await client.send(call)
        assert isinstance(reply, Response)
        assert len(reply.body) == len(ANSWER)

    return once


def async_httpx_family(module: Any) -> Callable[[str, bytes], AsyncOnce]:
    def make(base: str, pem: bytes) -> AsyncOnce:
        limits = module.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        trust = ssl.create_default_context(cadata=pem.decode())
        client = module.AsyncClient(verify=trust, limits=limits)
        url = base + "/v1/chat/completions"

        async def once(_given: None) -> None:
            reply = await client.post(url, headers=HEADERS, content=REQUEST)
            assert len(reply.content) == len(ANSWER)

        return once

    return make


def async_pyreqwest(base: str, pem: bytes) -> AsyncOnce:
    client = reqwest.ClientBuilder().add_root_certificate_pem(pem).build()

    async def once(_given: None) -> None:
        request = client.post(base + "/v1/chat/completions").headers(HEADERS).body_bytes(REQUEST)
        assert len(await (await request.build().send()).bytes()) == len(ANSWER)

    return once


def contenders(
    base: str, pem: bytes, runners: Mapping[str, asyncio.Runner], count: int
) -> dict[tuple[str, str], Turn]:
    """The turns, by kind of call and name of the client."""
    slow, few = max(count // 4, IN_FLIGHT), max(count // 20, 5)

    def one(make: Callable[[str, bytes], Once], number: int) -> Turn:
        return calls(make(base, pem), _nothing, number)

    rows = {
        ("sync", OURS): one(ours, count),
        ("sync", "httpx"): one(httpx_family(httpx), slow),
        ("sync", "httpx2"): one(httpx_family(httpx2), slow),
        ("stream", OURS): one(ours_stream, few),
        ("stream", "httpx"): one(httpx_family_stream(httpx), few),
        ("stream", "httpx2"): one(httpx_family_stream(httpx2), few),
    }
    if reqwest is not None:
        rows["sync", "pyreqwest"] = one(pyreqwest_sync, count)
        rows["stream", "pyreqwest"] = one(pyreqwest_stream, few)
    for kind, runner in runners.items():
        crowd = Crowd(runner, IN_FLIGHT)
        rows[kind, OURS] = crowd.calls(async_ours(base, pem), _nothing, count)
        for name, family in (("httpx", httpx), ("httpx2", httpx2)):
            once = async_httpx_family(family)(base, pem)
            rows[kind, name] = crowd.calls(once, _nothing, slow)
        if reqwest is not None:
            rows[kind, "pyreqwest"] = crowd.calls(async_pyreqwest(base, pem), _nothing, count)
    return rows


def _nothing() -> None:
    """Every call is the same."""
