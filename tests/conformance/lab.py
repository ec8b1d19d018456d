"""The product in front of the scripted model server, in this process and without a socket."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import httpx
from tests.conformance import places, plain_cells
from tests.conformance.doors import WIRES
from tests.conformance.vendors import Vendors

from nexus_sdk import settings as settings_module
from nexus_sdk.drivers.exchanges import SyncEvents
from nexus_sdk.drivers.own_client import SyncOwnClient
from nexus_sdk.model import Request
from nexus_sdk.nexus import Nexus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.conformance.values import Json

PIECE = 173
"""Bytes of a stream that arrive at once: it cuts events, and characters, anywhere."""


class Pieces(httpx.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), PIECE):
            yield self._body[start : start + PIECE]


@dataclass(frozen=True)
class Got:
    """What the caller got: `body` is all of a whole answer or of a stream."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    streamed: bool

    @property
    def told(self) -> str:
        """What the report of the request says."""
        names = ("x-nexus-dropped", "x-nexus-coerced")
        return ", ".join(filter(None, (self.headers.get(name) for name in names)))


class Served(Protocol):
    """Doors in front of `vendors`: in process, or over HTTP."""

    vendors: Vendors

    def ask(self, endpoint: str, path: str, body: Json, query: str = "") -> Got: ...


class Lab:
    """Serves requests at any door; the upstreams are `vendors`."""

    def __init__(self, nexus: Nexus, vendors: Vendors) -> None:
        self._nexus = nexus
        self.vendors = vendors
        transport = httpx.MockTransport(self._handle)
        self._upstream = SyncOwnClient(httpx.Client(transport=transport))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        reply = self.vendors.answer(url, request.headers, request.read())
        return httpx.Response(reply.status, headers=reply.headers, stream=Pieces(reply.body))

    def ask(self, endpoint: str, path: str, body: Json, query: str = "") -> Got:
        request = Request(
            id="req_1",
            door="sdk",
            endpoint=endpoint,
            body=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
            path=path,
            query=query,
        )
        served = self._nexus.run(request, upstream=self._upstream)
        if isinstance(served, SyncEvents):
            raw = b"".join(event.wire() for event in served)
            return Got(served.answer.status, served.answer.headers, raw, streamed=True)
        return Got(served.status, served.headers, served.body, streamed=False)


@contextmanager
def lab(folder: Path, **policy: Any) -> Iterator[Lab]:
    environ = {
        "NEXUS_STATE_DIR": str(folder / "state"),
        "NEXUS_CACHE_DIR": str(folder / "cache"),
        "NEXUS_AUDIT": "off",
    }
    settings = settings_module.read(environ)
    with Nexus(places.policy() | policy, settings=settings) as nexus:
        yield Lab(nexus, Vendors({**WIRES, **plain_cells.WIRES}))
