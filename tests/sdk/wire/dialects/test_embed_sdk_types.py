"""The vendors' own packages ask for embeddings as we read them, and read what we answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cohere
import httpx
import httpx2
import openai
import pytest
from google import genai
from google.genai import types
from openai.types import CreateEmbeddingResponse
from pydantic import TypeAdapter
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects import embed_cases as cases

from nexus_sdk.wire import embeddings
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VECTORS = [[0.5, -0.25, 1.0], [0.125, 0.75, -1.0]]
TEXTS = ["a boat", "an oar"]


def upstream(name: str, count: int = 2) -> Any:
    """An answer as a vendor would send it, in canonical form."""
    rows = [{"embedding": vector} for vector in VECTORS[:count]]
    chat = embeddings.answer(rows, embeddings.usage(7), {"model": "m"})
    request = cases.request_of(name, TEXTS[:count])
    wire = DIALECTS[name].encode_response(chat, cases.reply(request))
    return DIALECTS[name].decode_response(wire)


class Server:
    """Answers each request in a dialect, from an upstream of another."""

    def __init__(self, door: str, source: str, count: int = 2) -> None:
        self._door, self._answer = DIALECTS[door], upstream(source, count)
        self.asked: list[Any] = []
        self.path = ""

    def answer(self, content: bytes, path: str) -> bytes:
        self.asked.append(json.loads(content))
        self.path = path
        self._door.read(self.asked[0])
        self._door.decode_request(self.asked[0])
        return json.dumps(
            self._door.encode_response(self._answer, cases.reply(self.asked[0]))
        ).encode()

    def httpx(self, request: httpx.Request) -> httpx.Response:
        head = {"content-type": "application/json"}
        return httpx.Response(
            200, headers=head, content=self.answer(request.read(), request.url.path)
        )

    def httpx2(self, request: httpx2.Request) -> httpx2.Response:
        head = {"content-type": "application/json"}
        return httpx2.Response(
            200, headers=head, content=self.answer(request.read(), request.url.path)
        )


def by_openai(server: Server) -> list[list[float]]:
    http = httpx2.Client(transport=httpx2.MockTransport(server.httpx2))
    client = openai.OpenAI(api_key="k", base_url="http://up/v1", http_client=http)
    answer = client.embeddings.create(model="m", input=TEXTS)
    assert answer.usage.prompt_tokens in {7, 3}
    return [row.embedding for row in answer.data]


def by_cohere(server: Server) -> list[list[float]]:
    http = httpx.Client(transport=httpx.MockTransport(server.httpx))
    client = cohere.ClientV2(api_key="k", base_url="http://up", httpx_client=http)
    answer = client.embed(
        model="m", texts=TEXTS, input_type="search_document", embedding_types=["float", "base64"]
    )
    assert answer.embeddings.float_ is not None
    assert answer.embeddings.base64 is not None
    assert answer.texts == TEXTS
    return answer.embeddings.float_


def by_genai(server: Server) -> list[list[float]]:
    args = {"transport": httpx.MockTransport(server.httpx)}
    options = types.HttpOptions(base_url="http://up", client_args=args)
    client = genai.Client(api_key="k", http_options=options)
    config = types.EmbedContentConfig(task_type="RETRIEVAL_DOCUMENT", output_dimensionality=3)
    contents: Any = TEXTS
    answer = client.models.embed_content(model="m", contents=contents, config=config)
    assert server.path.endswith(":batchEmbedContents")
    return [row.values or [] for row in answer.embeddings or ()]


CLIENTS: dict[str, Callable[[Server], list[list[float]]]] = {
    "openai_embeddings": by_openai,
    "cohere_embed": by_cohere,
    "gemini_batch_embed": by_genai,
}


@pytest.mark.parametrize("door", CLIENTS)
@pytest.mark.parametrize("source", [name for name in cases.NAMES if name not in cases.ONE_A_CALL])
def test_the_vendors_client_reads_another_vendors_embeddings(door: str, source: str) -> None:
    assert CLIENTS[door](Server(door, source)) == VECTORS


@pytest.mark.parametrize("source", golden.cases("embeddings/answers"), ids=golden.name)
def test_our_answers_are_of_openais_type(source: Path) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    request = {"model": "m", "input": TEXTS[: len(chat["data"])]}
    answer = DIALECTS["openai_embeddings"].encode_response(chat, cases.reply(request))
    TypeAdapter(CreateEmbeddingResponse).validate_json(json.dumps(answer))


@pytest.mark.parametrize("source", golden.cases("embeddings/answers"), ids=golden.name)
def test_our_answers_are_of_coheres_type(source: Path) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    request = {"model": "m", "texts": TEXTS[: len(chat["data"])]}
    answer = DIALECTS["cohere_embed"].encode_response(chat, cases.reply(request))
    read = TypeAdapter(cohere.EmbedByTypeResponse).validate_json(json.dumps(answer))
    assert read.embeddings.float_ or read.embeddings.ubinary


@pytest.mark.parametrize("source", golden.cases("embeddings/answers"), ids=golden.name)
def test_googles_client_reads_our_answers(source: Path) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    request: dict[str, Any] = {"requests": [{}] * len(chat["data"])}
    answer = DIALECTS["gemini_batch_embed"].encode_response(chat, cases.reply(request))
    reply = lambda request: httpx.Response(200, json=answer)  # noqa: E731
    options = types.HttpOptions(
        base_url="http://up", client_args={"transport": httpx.MockTransport(reply)}
    )
    contents: Any = TEXTS[: len(chat["data"])]
    client = genai.Client(api_key="k", http_options=options)
    read = client.models.embed_content(model="m", contents=contents)
    told = answer.get("usageMetadata") or {}
    counted = read.usage_metadata.prompt_token_count if read.usage_metadata else None
    assert counted == told.get("promptTokenCount")
    assert [row.values for row in read.embeddings or ()] == [
        embeddings.floats(row) for row in embeddings.rows(chat, None)
    ]


# ---- what the packages send is what we would send ------------------------------------------------

CHAT: dict[str, Any] = {
    "model": "m",
    "input": TEXTS,
    "input_type": "search_document",
    "dimensions": 3,
}


def encoded(name: str, more: Any) -> Any:
    report = Report()
    body = DIALECTS[name].encode_request(CHAT | more, report)
    assert cases.told(report) == set()
    return body


def test_cohere_is_asked_as_its_own_package_asks() -> None:
    server = Server("cohere_embed", "openai_embeddings")
    http = httpx.Client(transport=httpx.MockTransport(server.httpx))
    cohere.ClientV2(api_key="k", base_url="http://up", httpx_client=http).embed(
        model="m",
        texts=TEXTS,
        input_type="search_document",
        embedding_types=["float", "int8"],
        output_dimension=3,
        truncate="START",
        max_tokens=9,
    )
    more = {"embedding_types": ["float", "int8"], "truncate": "START", "max_tokens": 9}
    assert server.asked == [encoded("cohere_embed", more)]


def test_gemini_is_asked_as_its_own_package_asks() -> None:
    server = Server("gemini_batch_embed", "openai_embeddings")
    by_genai(server)
    (asked,) = server.asked
    for request in asked["requests"]:
        request["content"].pop("role")  # a label that means nothing here
    assert asked == encoded("gemini_batch_embed", {})


def test_vertex_is_asked_as_its_own_package_asks() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, json.loads(request.read())))
        body = DIALECTS["vertex_embed"].encode_response(
            upstream("openai_embeddings", 1), cases.reply(seen[0][1])
        )
        return httpx.Response(200, headers={"content-type": "application/json"}, json=body)

    options = types.HttpOptions(
        base_url="http://up", client_args={"transport": httpx.MockTransport(answer)}
    )
    client = genai.Client(vertexai=True, api_key="k", http_options=options)
    config = types.EmbedContentConfig(
        task_type="RETRIEVAL_DOCUMENT", output_dimensionality=3, auto_truncate=False
    )
    read = client.models.embed_content(model="text-embedding-005", contents=TEXTS[0], config=config)
    ((path, asked),) = seen
    assert path.endswith("/text-embedding-005:predict")
    assert asked == encoded("vertex_embed", {"input": TEXTS[:1]})
    assert read.embeddings is not None
    assert read.embeddings[0].values == VECTORS[0]
    assert read.embeddings[0].statistics is not None
    assert read.embeddings[0].statistics.token_count == 7
