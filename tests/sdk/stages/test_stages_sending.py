"""One target's HTTP exchange: the same inspected call, the target's own name, path and
credential."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.playbook import UPSTREAM, chat

from nexus_sdk.errors import Malformed, NotFound, Unsupported
from nexus_sdk.model import Origin, Patience, Request, Target
from nexus_sdk.policy.snapshot import Account
from nexus_sdk.stages.reading import read
from nexus_sdk.stages.sending import FORWARDED, WITHHELD, patience_retries, prepare
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.ways import Way

if TYPE_CHECKING:
    from nexus_sdk.stages.sending import Prepared

CHAT = {"chat": Way("openai_chat", "/chat/completions")}
OWN = Account("@up", "openai", UPSTREAM, CHAT, {}, own=True)
VENDOR = Account(
    "vendor",
    "openai",
    "https://vendor.example/v1",
    CHAT,
    {"authorization": "Bearer vendor-key", "x-version": "1"},
    defaults=frozenset({"x-version"}),
)
CLAUDE = Account(
    "claude",
    "anthropic",
    "https://claude.example",
    {"messages": Way("anthropic", "/v1/messages")},
    {"x-api-key": "claude-key", "anthropic-version": "2023-06-01"},
    defaults=frozenset({"anthropic-version"}),
)
CALLER = {
    "authorization": "Bearer caller-key",
    "x-api-key": "caller-key",
    "api-key": "caller-key",
    "cookie": "session=caller-key",
    "x-nexus-virtual-key": "caller-key",
    "x-nexus-cache": "off",
    "user-agent": "app/1",
    "openai-organization": "org",
    "idempotency-key": "i1",
    "x-stainless-lang": "python",
    "content-type": "application/json",
    "content-length": "5",
    "host": "up.example",
    "connection": "keep-alive",
    "accept-encoding": "br",
}


def prepared(request: Request, account: Account, model: str = "m", **more: Any) -> Prepared:
    refuse = more.pop("refuse_drops", True)
    return prepare(read(request), Target(account.name, model), account, refuse_drops=refuse)


def messages(**more: Any) -> Request:
    doc = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}
    return replace(chat(), endpoint="messages", body=dumps(doc), path="/messages")


# ---- whose credential goes where -----------------------------------------------------------------


def test_the_caller_s_own_upstream_gets_its_headers_and_no_credential_of_ours() -> None:
    sent = prepared(replace(chat(), headers=CALLER), OWN).upstream.headers
    kept = {name for name in CALLER if name not in WITHHELD and not name.startswith("x-nexus-")}
    assert {name: sent[name] for name in kept} == {name: CALLER[name] for name in kept}
    assert set(sent) == kept | {"content-type", "accept-encoding"}
    assert "vendor-key" not in str(sent)


@pytest.mark.parametrize("account", [VENDOR, CLAUDE], ids=lambda account: account.name)
def test_a_provider_of_the_policy_gets_nothing_that_names_the_caller(account: Account) -> None:
    sent = prepared(replace(chat(), headers=CALLER), account).upstream.headers
    assert "caller-key" not in str(sent)
    ours = {"content-type", "accept-encoding", *account.headers}
    assert set(sent) - ours == {"user-agent", "openai-organization", "idempotency-key"}
    assert set(sent) - ours <= FORWARDED


def test_the_account_s_credential_wins_over_any_header_of_the_caller() -> None:
    sent = prepared(replace(chat(), headers=CALLER), VENDOR).upstream.headers
    assert sent["authorization"] == "Bearer vendor-key"
    shadowing = replace(VENDOR, headers={"user-agent": "policy/1"}, defaults=frozenset())
    assert (
        prepared(replace(chat(), headers=CALLER), shadowing).upstream.headers["user-agent"]
        == "policy/1"
    )


def test_a_default_header_yields_to_the_caller_s() -> None:
    assert prepared(messages(), CLAUDE).upstream.headers["anthropic-version"] == "2023-06-01"
    newer = replace(messages(), headers={"anthropic-version": "2030-01-01"})
    assert prepared(newer, CLAUDE).upstream.headers["anthropic-version"] == "2030-01-01"


def test_only_the_caller_s_own_upstream_gets_its_query() -> None:
    asked = replace(chat(), query="api-version=1&key=caller-key")
    assert (
        prepared(asked, OWN).upstream.url
        == f"{UPSTREAM}/chat/completions?api-version=1&key=caller-key"
    )
    assert prepared(asked, VENDOR).upstream.url == "https://vendor.example/v1/chat/completions"


# ---- the body ------------------------------------------------------------------------------------


def test_in_its_own_dialect_a_request_goes_out_byte_for_byte() -> None:
    spelled = replace(
        chat(), body=b'{ "model" : "m", "messages":[{"role":"user", "content":"x"} ],"x":1.50 }'
    )
    assert prepared(spelled, OWN).upstream.body == spelled.body
    assert prepared(spelled, VENDOR).upstream.body == spelled.body


def test_the_model_s_name_at_the_target_is_all_that_changes() -> None:
    spelled = replace(
        chat(), body=b'{ "model" : "m", "messages":[{"role":"user", "content":"x"} ],"x":1.50 }'
    )
    assert prepared(spelled, VENDOR, "big").upstream.body == spelled.body.replace(b'"m"', b'"big"')


def test_another_dialect_gets_a_translation_at_its_own_path() -> None:
    made = prepared(chat("hello"), CLAUDE, "claude-1")
    assert made.dialect is DIALECTS["anthropic"]
    assert made.upstream.url == "https://claude.example/v1/messages"
    doc = orjson.loads(made.upstream.body)
    assert (doc["model"], doc["messages"]) == ("claude-1", [{"role": "user", "content": "hello"}])
    back = prepared(messages(), VENDOR, "gpt-1")
    assert orjson.loads(back.upstream.body)["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("endpoints", "taken"),
    [
        (("chat", "messages"), "chat"),
        (("messages", "responses"), "messages"),
        (("responses",), "responses"),
    ],
)
def test_a_conversation_takes_the_first_bridge_there_is(
    endpoints: tuple[str, ...], taken: str
) -> None:
    rows = {
        "chat": Way("openai_chat", "/c"),
        "messages": Way("anthropic", "/m"),
        "responses": Way("openai_responses", "/r"),
    }
    account = replace(VENDOR, endpoints={name: rows[name] for name in endpoints})
    request = messages() if "messages" not in endpoints else chat()
    assert prepared(request, account).upstream.url.endswith(rows[taken].path)


@pytest.mark.parametrize("endpoints", [{}, {"embeddings": Way("openai_embeddings", "/embeddings")}])
def test_a_target_without_the_operation_is_told_by_name(endpoints: Any) -> None:
    with pytest.raises(NotFound, match="provider 'vendor' has no chat operation"):
        prepared(chat(), replace(VENDOR, endpoints=endpoints))


def test_embeddings_have_no_bridge() -> None:
    request = replace(chat(), endpoint="embeddings", body=b'{"model":"m","input":"x"}')
    with pytest.raises(NotFound, match="no embeddings operation"):
        prepared(request, VENDOR)


def test_what_the_target_cannot_express_is_refused_or_listed() -> None:
    asked = chat(n=2, logprobs=True)
    with pytest.raises(Unsupported):
        prepared(asked, CLAUDE)
    made = prepared(asked, CLAUDE, refuse_drops=False)
    assert made.report.drops


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": 5}]},
        {"response_format": {"type": "json_schema"}},
    ],
)
def test_a_request_that_cannot_be_translated_for_its_shape_is_the_caller_s_fault(more: Any) -> None:
    with pytest.raises(Malformed, match=r"shape of openai_chat|must be"):
        prepared(chat(**more), CLAUDE)


def test_another_vendor_s_reasoning_is_left_out_and_told() -> None:
    block = {
        "origin": "anthropic",
        "block": {"type": "thinking", "thinking": "hm", "signature": "s"},
    }
    turn = {"role": "assistant", "content": "x", "reasoning_blocks": [block]}
    request = chat(messages=[turn, {"role": "user", "content": "hi"}])
    made = prepared(request, VENDOR, "big")
    assert b"signature" not in made.upstream.body
    assert made.report.omissions
    assert orjson.loads(made.upstream.body)["model"] == "big"


# ---- asking for token counts ---------------------------------------------------------------------

COUNTING, STRICT = replace(VENDOR, stream_usage=True), VENDOR


@pytest.mark.parametrize(
    ("asked", "sent", "hidden"),
    [
        ({}, {"include_usage": True}, True),
        ({"stream_options": None}, {"include_usage": True}, True),
        ({"stream_options": {}}, {"include_usage": True}, True),
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}, True),
        ({"stream_options": {"x": 1}}, {"x": 1, "include_usage": True}, True),
        ({"stream_options": {"include_usage": True}}, {"include_usage": True}, False),
    ],
)
def test_a_stream_is_asked_for_its_counts(asked: Any, sent: Any, hidden: bool) -> None:
    made = prepared(chat(stream=True, **asked), COUNTING)
    doc = orjson.loads(made.upstream.body)
    assert (doc.pop("stream_options"), made.hide_usage) == (sent, hidden)
    assert doc == dict(orjson.loads(chat(stream=True).body).items())
    assert bool(made.report.changes) == hidden


@pytest.mark.parametrize("account", [STRICT, COUNTING])
def test_nobody_else_is_asked(account: Account) -> None:
    plain = prepared(chat(), account)
    assert (plain.upstream.body, plain.hide_usage) == (chat().body, False)
    stream = prepared(chat(stream=True), STRICT)
    assert (stream.upstream.body, stream.hide_usage) == (chat(stream=True).body, False)


def test_a_translated_stream_is_asked_too() -> None:
    made = prepared(messages(stream=True), COUNTING)
    assert orjson.loads(made.upstream.body)["stream_options"] == {"include_usage": True}
    doc = {
        "model": "m",
        "input": "hi",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
    }
    made = prepared(replace(chat(), endpoint="responses", body=dumps(doc)), COUNTING)
    assert orjson.loads(made.upstream.body)["stream_options"]["include_usage"] is True


# ---- the exchange --------------------------------------------------------------------------------


@pytest.mark.parametrize(("stream", "encoding"), [(False, "gzip"), (True, "identity")])
def test_a_stream_is_not_compressed(stream: bool, encoding: str) -> None:
    made = prepared(chat(stream=stream), OWN).upstream
    assert (made.stream, made.headers["accept-encoding"]) == (stream, encoding)
    assert made.headers["content-type"] == "application/json"


def test_the_caller_s_patience_wins_and_the_account_s_holds_else() -> None:
    account = replace(VENDOR, connect_s=1.0, read_s=2.0, total_s=3.0, private_network=True)
    plain = prepared(chat(), account).upstream
    assert (plain.connect_s, plain.read_s, plain.total_s) == (1.0, 2.0, 3.0)
    assert plain.private_network
    hasty = replace(chat(), patience=Patience(connect_s=0.1, read_s=0.2, total_s=0.3))
    made = prepared(hasty, account).upstream
    assert (made.connect_s, made.read_s, made.total_s) == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(("retries", "attempts"), [(None, 3), (0, 1), (4, 5)])
def test_attempts_are_the_policy_s_or_the_caller_s(retries: int | None, attempts: int) -> None:
    assert patience_retries(Patience(retries=retries), 3) == attempts


def test_an_operation_that_no_dialect_reads_goes_out_as_it_came() -> None:
    request = Request(
        id="r",
        door="transport",
        endpoint="",
        body=b"--x",
        headers={**CALLER, "content-type": "multipart/form-data; boundary=x"},
        method="PUT",
        path="/files/1",
        query="a=b",
        origin=Origin(UPSTREAM),
    )
    account = replace(OWN, endpoints={})
    made = prepare(read(request), Target("@up", ""), account, refuse_drops=True)
    assert (made.upstream.method, made.upstream.url) == ("PUT", f"{UPSTREAM}/files/1?a=b")
    assert made.upstream.body == b"--x"
    assert made.upstream.headers["content-type"] == "multipart/form-data; boundary=x"
    assert made.upstream.headers["authorization"] == "Bearer caller-key"
    assert made.dialect is None
    assert made.upstream.stream, "what it answers is not known: a stream is relayed as one"


def test_its_repr_shows_neither_key_nor_body() -> None:
    shown = repr(prepared(chat("hello"), VENDOR)) + repr(VENDOR)
    assert "vendor-key" not in shown
    assert "hello" not in shown
