"""Ten turns with tools and signed reasoning come back to their vendor as it made them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.sdk.ten_turns import ORIGINS, TURNS, Client, signed, stream
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

PAIRS = [(origin, client) for origin in ORIGINS for client in golden.CHATS]


def shown_whole(origin: str, client: str, answer: Any) -> Any:
    chat = DIALECTS[origin].decode_response(copy.deepcopy(answer))
    return DIALECTS[client].encode_response(chat, golden.reply())


def shown_streamed(origin: str, client: str, answer: Any) -> Any:
    """The vendor's stream of the answer, as the client puts its own stream together."""
    events = reread([event(name, doc) for name, doc in stream(origin, answer)])
    told = reread(golden.encoded(client, golden.chunks(origin, events)))
    return whole(client, golden.chunks(client, told))


def whole(dialect: str, chunks: list[Any]) -> Any:
    return DIALECTS[dialect].encode_response(golden.merged(chunks), golden.reply())


def reread(events: list[Any]) -> list[Any]:
    """The events as their reader gets them."""
    return golden.events(golden.wire(events))


@pytest.mark.parametrize("show", [shown_whole, shown_streamed])
@pytest.mark.parametrize(("origin", "client"), PAIRS)
def test_signed_reasoning_comes_back_as_it_was_made(origin: str, client: str, show: Any) -> None:
    talk = Client(client)
    talk.say("Look ten times.")
    made: list[Any] = []
    for turn in range(1, TURNS + 1):
        body = asked(origin, client, talk)
        assert signed(origin, body) == made, f"turn {turn}"
        answer = ORIGINS[origin](turn)
        made += signed(origin, answer)
        shown = show(origin, client, answer)
        talk.take(copy.deepcopy(shown))
        message = DIALECTS[client].decode_response(shown)["choices"][0]["message"]
        assert len(message.get("tool_calls") or ()) == turn % 3
        talk.results(message.get("tool_calls") or [])
    assert signed(origin, asked(origin, client, talk)) == made
    assert len(made) >= TURNS


def asked(origin: str, client: str, talk: Client) -> Any:
    """What the vendor is sent, and nothing that was asked is refused."""
    DIALECTS[client].read(talk.doc)
    chat = DIALECTS[client].decode_request(copy.deepcopy(talk.doc)) | {"model": "gemini-3-pro"}
    report = Report()
    body = DIALECTS[origin].encode_request(chat, report)
    assert report.drops == ()
    return body
