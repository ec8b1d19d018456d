"""Moderations of the model server, through the official OpenAI client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai import OpenAI

if TYPE_CHECKING:
    from nexus_sdk.demo.model_server import ModelServer

PARTS: Any = [{"type": "text", "text": "kill"}]


def test_each_text_has_its_result(server: ModelServer) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
        got = client.moderations.create(input=["I will KILL it", "hello"])
        parts = client.moderations.create(input=PARTS)
    assert [result.flagged for result in got.results] == [True, False]
    assert got.results[0].categories.violence is True
    assert got.results[0].categories.hate is False
    assert [result.flagged for result in parts.results] == [True]
