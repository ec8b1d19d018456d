"""What clients of the copies of OpenAI's API write otherwise, translated for other vendors."""

from __future__ import annotations

from typing import Any

import pytest

from nexus_sdk.wire.dialects import DIALECTS

CHAT = DIALECTS["openai_chat"]
HI = {"role": "user", "content": "hi"}
URL = "https://example.com/a.png"


def decoded(**more: Any) -> Any:
    return CHAT.decode_request({"model": "m", "messages": [HI], **more})


@pytest.mark.parametrize("url", [URL, {"url": URL}])
def test_a_picture_s_address_may_stand_alone(url: Any) -> None:
    text = {"type": "text", "text": "Which?"}
    asked = {"role": "user", "content": [text, {"type": "image_url", "image_url": url}]}
    (message,) = decoded(messages=[asked])["messages"]
    assert message["content"] == [text, {"type": "image_url", "image_url": {"url": URL}}]
    assert asked["content"][1] == {"type": "image_url", "image_url": url}


def test_a_seed_by_mistral_s_name() -> None:
    assert decoded(random_seed=7)["seed"] == 7
    assert "random_seed" not in decoded(random_seed=7)
    assert decoded(random_seed=7, seed=1)["seed"] == 1


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [("any", "required"), ("auto", "auto"), ({"type": "function"}, {"type": "function"})],
)
def test_a_tool_that_must_be_called(asked: Any, canonical: Any) -> None:
    assert decoded(tool_choice=asked)["tool_choice"] == canonical


def test_a_request_in_openai_s_own_words_stays_as_it_is() -> None:
    asked = {"model": "m", "messages": [HI], "seed": 1, "extra": {"any": "thing"}}
    assert CHAT.decode_request(asked) == asked
