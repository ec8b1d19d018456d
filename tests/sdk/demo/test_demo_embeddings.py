from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from nexus_sdk.demo.embeddings import DIMENSIONS, vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.demo.model_server import ModelServer


@pytest.fixture
def client(server: ModelServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0) as client:
        yield client


@given(st.text(max_size=60), st.integers(1, 64))
def test_every_vector_has_length_one(text: str, dimensions: int) -> None:
    values = vector(text, dimensions)
    assert len(values) == dimensions
    assert math.isclose(math.fsum(value * value for value in values), 1.0)


def test_texts_that_share_words_are_nearer() -> None:
    def near(a: str, b: str) -> float:
        return math.fsum(x * y for x, y in zip(vector(a), vector(b), strict=True))

    asked = "How do I reset my password?"
    assert near(asked, "how do i reset my password") > 0.99
    assert near(asked, "How can I reset my old password") > 0.6
    assert near(asked, "Bananas are yellow") < 0.2


def test_base64_and_floats_are_the_same_vector(client: OpenAI) -> None:
    packed = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    floats = client.embeddings.create(model="e", input=["one", "two"], encoding_format="float")
    assert [one.index for one in packed.data] == [0, 1]
    assert len(packed.data[0].embedding) == DIMENSIONS
    for a, b in zip(packed.data, floats.data, strict=True):
        assert a.embedding == pytest.approx(b.embedding, abs=1e-7)
    assert packed.usage.prompt_tokens == 2


def test_dimensions_and_token_inputs(client: OpenAI) -> None:
    few = client.embeddings.create(model="e", input=[[1, 2], [3]], dimensions=8)
    same = client.embeddings.create(model="e", input=[1, 2], dimensions=8)
    assert [len(one.embedding) for one in few.data] == [8, 8]
    assert few.data[0].embedding == same.data[0].embedding
    assert few.data[0].embedding != few.data[1].embedding
