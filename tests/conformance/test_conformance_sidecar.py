"""A smaller matrix through the real sidecar, over sockets on both sides."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.conformance import cells, doors, places
from tests.conformance.features import FEATURES
from tests.conformance.lab import Got
from tests.conformance.sockets import server
from tests.conformance.vendors import Vendors

from nexus_sdk.settings import Settings
from nexus_sidecar.server import Options, Sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator

BASES = {
    "openai": "api.openai.com/v1",
    "anthropic": "api.anthropic.com",
    "gemini": "generativelanguage.googleapis.com",
    "bedrock": "bedrock-runtime.eu-central-1.amazonaws.com",
    "cohere": "api.cohere.com",
}
BEFORE = {
    "OpenAI chat": "/v1",
    "OpenAI completions": "/v1",
    "OpenAI Responses": "/v1",
    "Anthropic messages": "/v1",
    "Gemini generateContent": "/v1beta",
    "Azure deployments": "/openai",
    "Bedrock Converse": "",
    "Cohere chat": "",
}
"""What stands before the path of each door at the sidecar."""
SOME = ("text", "parallel calls", "reasoning replayed to its origin", "seed", "cut stream",
        "error: too many requests", "error inside a 200")  # fmt: skip


class Outside:
    """As `lab.Lab`, over HTTP."""

    def __init__(self, sidecar: Sidecar, vendors: Vendors) -> None:
        self.vendors = vendors
        self._url, key = sidecar.url, sidecar.minted
        self._client = httpx.Client(timeout=20, headers={"authorization": f"Bearer {key}"})
        self.before = ""

    def ask(self, endpoint: str, path: str, body: Any, query: str = "") -> Got:
        url = f"{self._url}{self.before}{path}" + (f"?{query}" if query else "")
        got = self._client.post(url, json=body)
        kind = got.headers["content-type"]
        streamed = "event-stream" in kind or "eventstream" in kind
        return Got(got.status_code, got.headers, got.content, streamed)

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("sidecar")
    vendors = Vendors(doors.WIRES)
    upstream = server(vendors)
    few = tuple(place for place in places.PLACES if place.label in BASES)
    policy = places.policy(few)
    for name, base in BASES.items():
        url = f"http://127.0.0.1:{upstream.server_address[1]}/{base}"
        policy["providers"][name] |= {"base_url": url, "private_network": True}
    settings = Settings(state_dir=folder / "state", cache_dir=folder / "cache", node="test")
    sidecar = Sidecar(policy, Options(port=0), settings)
    ready = threading.Event()
    threads = [
        threading.Thread(target=upstream.serve_forever),
        threading.Thread(target=sidecar.serve, args=(ready.set,)),
    ]
    for thread in threads:
        thread.start()
    assert ready.wait(20)
    client = Outside(sidecar, vendors)
    yield client
    client.close()
    sidecar.stop()
    upstream.shutdown()
    for thread in threads:
        thread.join(20)
    upstream.server_close()


@pytest.mark.parametrize("label", BASES)
@pytest.mark.parametrize("door", BEFORE)
def test_a_feature_passes_the_sidecar_as_it_does_in_process(
    outside: Outside, door: str, label: str
) -> None:
    found = next(one for one in doors.DOORS if one.name == door)
    place = next(one for one in places.PLACES if one.label == label)
    outside.before = BEFORE[door]
    failed = []
    for feature in FEATURES:
        if feature.name not in SOME:
            continue
        cell = cells.Cell(outside, found, place, feature)
        outcomes = [cell.run(stream=way) for way in feature.ways]
        failed += [(feature.name, one.why) for one in outcomes if one.kind == "FAIL"]
    assert failed == []
