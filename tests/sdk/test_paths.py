"""Operations whose path names the model: read, routed, sent on, and streamed in a framing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.framing_lab import LINES
from tests.playbook import FixedClock, chat, snapshot
from tests.sdk.test_pipeline import delta, said, sse

from nexus_sdk import delivery, pipe
from nexus_sdk.effects import Finish, Relay, Send
from nexus_sdk.errors import Malformed, NotFound
from nexus_sdk.model import Origin, Outcome, Request, Response, Target
from nexus_sdk.pipeline import handle
from nexus_sdk.policy import snapshot as snapshots
from nexus_sdk.policy.snapshot import Account
from nexus_sdk.stages import answering, reading, sending
from nexus_sdk.stages.reading import read
from nexus_sdk.stages.sending import prepare
from nexus_sdk.wire import endpoints, framing
from nexus_sdk.wire.dialects import DIALECTS, openai_chat
from nexus_sdk.wire.endpoints import ENDPOINTS, ROWS, Endpoint, Paths
from nexus_sdk.wire.framing import FRAMINGS
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.ways import Way

CHAT = openai_chat.DIALECT


def _without_place(doc: Any) -> Any:
    return {key: value for key, value in doc.items() if key not in ("model", "stream")}


BARE = replace(
    CHAT,
    name="bare",
    read=lambda doc: replace(CHAT.read({**doc, "model": "-"}), model="", stream=False),
    decode_request=CHAT.decode_request,
    encode_request=lambda chat, report: _without_place(CHAT.encode_request(chat, report)),
)
"""A dialect whose requests name no model: OpenAI's, but for that."""
_OPERATIONS = {
    **{row.key: row for row in ROWS if row.key in ENDPOINTS},
    **{
        row.key: replace(row, dialect="bare")
        for row in ROWS
        if row.key in ("generate_content", "converse")
    },
    "unread": Endpoint("unread", "POST", "/unread"),
}
_FRAMED = {"json_array": replace(LINES, name="json_array"), "aws_events": LINES}
GENERATE = "/models/{model}:generateContent"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    framings = {**FRAMINGS, **_FRAMED}
    monkeypatch.setattr(endpoints, "match", Paths(_OPERATIONS, framings).match)
    for module in (framing, pipe, delivery, sending):
        monkeypatch.setattr(module, "FRAMINGS", framings)
    for module in (reading, answering, snapshots):
        monkeypatch.setattr(module, "ENDPOINTS", _OPERATIONS)
    bridges = tuple(row.key for row in _OPERATIONS.values() if row.kind == "conversation")
    monkeypatch.setattr(sending, "_BRIDGES", {"conversation": bridges})
    for module in (reading, sending, answering):
        monkeypatch.setattr(module, "DIALECTS", {**DIALECTS, "bare": BARE})


def asked(path: str, endpoint: str = "generate_content", **more: Any) -> Request:
    body = {"messages": [{"role": "user", "content": "hi"}], **more}
    return replace(chat(), endpoint=endpoint, path=path, body=dumps(body))


def account(**ways: Way) -> Account:
    return Account("p", "openai", "https://p.example", ways, {})


# ---- reading -------------------------------------------------------------------------------------


def test_the_path_tells_the_model_and_whether_it_streams() -> None:
    call = read(asked("/models/g-1:streamGenerateContent"))
    assert (call.facts.model, call.facts.stream, call.framing) == ("g-1", True, "json_array")
    call = read(replace(asked("/models/g-1:streamGenerateContent"), query="alt=sse"))
    assert (call.facts.stream, call.framing) == (True, "sse")
    call = read(asked("/models/g-1:generateContent", stream=True))
    assert (call.facts.model, call.facts.stream) == ("g-1", False)
    assert read(asked("/model/a%3A0/converse", "converse")).facts.model == "a:0"


def test_a_path_without_its_model_is_refused() -> None:
    with pytest.raises(Malformed, match="names no model"):
        read(asked("/models/:generateContent"))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, b'{"model":"d","messages"'),
        ({"model": "d"}, b'"model":"d"}'),
        ({"model": "other"}, b'"model":"d"}'),
    ],
)
def test_a_deployment_s_path_says_the_model_whatever_the_body_does(
    more: dict[str, str], expected: bytes
) -> None:
    call = read(asked("/deployments/d/chat/completions", "chat", **more))
    assert call.facts.model == "d"
    assert expected in call.body
    assert orjson.loads(call.body) == call.doc
    if more.get("model") == "d":
        assert call.body == call.request.body


# ---- sending -------------------------------------------------------------------------------------

WAY = Way("bare", "/v1beta" + GENERATE, "/v1beta/models/{model}:streamGenerateContent?alt=sse")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/models/g-1:generateContent", "/v1beta/models/other:generateContent"),
        (
            "/models/g-1:streamGenerateContent",
            "/v1beta/models/other:streamGenerateContent?alt=sse",
        ),
    ],
)
def test_in_its_own_dialect_only_the_path_changes(path: str, url: str) -> None:
    request = asked(path)
    made = prepare(
        read(request), Target("p", "other"), account(generate_content=WAY), refuse_drops=True
    )
    assert made.upstream.url == f"https://p.example{url}"
    assert made.upstream.body == request.body
    assert made.framing == "sse"


@pytest.mark.parametrize(
    ("model", "plain", "path"),
    [
        ("a.b-v1:0", "", "a.b-v1%3A0"),
        ("arn:aws:x/y", "", "arn%3Aaws%3Ax%2Fy"),
        ("claude@20250929", "@", "claude@20250929"),
        ("owner/name", "/", "owner/name"),
        ("a?b#c", "", "a%3Fb%23c"),
    ],
)
def test_a_model_s_name_is_escaped_as_the_provider_has_it(
    model: str, plain: str, path: str
) -> None:
    way = Way("bare", "/model/{model}/converse", plain=plain)
    made = prepare(
        read(asked("/models/g:generateContent")),
        Target("p", model),
        account(converse=way),
        refuse_drops=True,
    )
    assert made.upstream.url == f"https://p.example/model/{path}/converse"


def test_translated_either_way_the_model_and_the_stream_are_where_they_belong() -> None:
    chat_way = account(chat=Way("openai_chat", "/chat/completions"))
    made = prepare(
        read(asked("/models/g:streamGenerateContent")),
        Target("p", "o"),
        chat_way,
        refuse_drops=True,
    )
    doc = orjson.loads(made.upstream.body)
    assert (doc["model"], doc["stream"]) == ("o", True)
    made = prepare(
        read(chat(stream=True)), Target("p", "g"), account(generate_content=WAY), refuse_drops=True
    )
    assert made.upstream.url.endswith("/v1beta/models/g:streamGenerateContent?alt=sse")
    assert not orjson.loads(made.upstream.body).keys() & {"model", "stream"}


def test_the_caller_s_own_upstream_gets_the_path_as_it_came() -> None:
    own = Account(
        "@up", "openai", "https://up.example", {"converse": Way("bare", "/x")}, {}, own=True
    )
    request = asked("/model/a%3a0/converse-stream", "converse")
    made = prepare(read(request), Target("@up", "a:0"), own, refuse_drops=True)
    assert made.upstream.url == "https://up.example/model/a%3a0/converse-stream"
    assert made.framing == "aws_events"
    assert made.upstream.streams_as == "application/x-lines"


def test_an_unread_operation_goes_where_the_provider_has_it() -> None:
    there = account(unread=Way("", "/v1/unread"))
    request = replace(
        chat(model="m"),
        endpoint="unread",
        path="/unread",
        headers={"content-type": "application/json"},
    )
    made = prepare(read(request), Target("p", "claude"), there, refuse_drops=True)
    assert made.upstream.url == "https://p.example/v1/unread"
    assert orjson.loads(made.upstream.body)["model"] == "claude"
    with pytest.raises(NotFound, match="no unread operation"):
        prepare(read(request), Target("p", "claude"), account(), refuse_drops=True)


# ---- streams, through the pipeline ---------------------------------------------------------------

PIECES = sse(delta("hel"), delta("lo"), delta(None, "stop"), b"[DONE]")


def streamed(request: Request, data: bytes) -> tuple[Any, list[Any]]:
    """The answer, and all events that go out."""
    flow = handle(request, snapshot(), FixedClock())
    sent: Any = flow.send(None)
    assert type(sent) is Send
    opening: Any = sent.opening
    opening.feed(data)
    relay: Any = flow.send(Response(200, {"content-type": "x/y"}, data, streamed=True))
    assert type(relay) is Relay
    out = list(relay.first)
    last: Any = flow.send(Outcome())
    while type(last) is not Finish:
        last = flow.send(None)
    return relay.answer, [*out, *last.tail]


def test_a_stream_goes_out_in_the_framing_that_the_path_asks_for() -> None:
    request = replace(asked("/models/g:streamGenerateContent"), origin=Origin("https://up.example"))
    lines = b"[" + b"\n".join(
        dumps(doc) for doc in (delta("hel"), delta("lo"), delta(None, "stop"))
    )
    answer, out = streamed(request, lines + b"\n]\n")
    data = b"".join(event.wire() for event in out)
    assert data.startswith(b'[{"id"')
    assert answer.headers["content-type"] == "x/y"


def test_a_whole_answer_has_no_framing() -> None:
    flow = handle(asked("/models/g:generateContent"), snapshot(), FixedClock())
    flow.send(None)
    last: Any = flow.send(said("ok"))
    for last in flow:
        if type(last) is Finish:
            break
    assert last.answer.status == 200


def test_a_cut_stream_ends_with_an_error_in_the_caller_s_framing() -> None:
    request = replace(asked("/models/g:streamGenerateContent"), origin=Origin("https://up.example"))
    _, out = streamed(request, b"[" + dumps(delta("hel")) + b"\n")
    last = b"".join(event.wire() for event in out).splitlines()
    assert last[-1] == b"]"
    assert b"error" in last[-2]


def test_another_framing_upstream_is_written_anew() -> None:
    policy = {
        "providers": {"p": {"kind": "openai_compatible", "base_url": "https://p.example/v1"}},
        "routing": {"models": {"g": "p/x"}},
    }
    flow = handle(asked("/models/g:streamGenerateContent"), snapshot(policy), FixedClock())
    sent: Any = flow.send(None)
    assert sent.upstream.url == "https://p.example/v1/chat/completions"
    sent.opening.feed(PIECES)
    reply = Response(200, {"content-type": "text/event-stream"}, PIECES, streamed=True)
    relay: Any = flow.send(reply)
    assert relay.answer.headers["content-type"] == "application/x-lines"
    data = b"".join(event.wire() for event in relay.first)
    assert data.startswith(b'[{"')
    assert b"data:" not in data
    flow.close()
