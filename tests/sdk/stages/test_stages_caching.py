from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.model import Cached, Caller, Target, Usage
from nexus_sdk.policy.document import Cache
from nexus_sdk.stages.caching import (
    STORED_AT,
    hit_headers,
    is_unfinished,
    key,
    refused_by,
    stamped,
    storable,
)
from nexus_sdk.stages.selectors import Ask

ALICE = Caller(key_id="k1", user="alice", project="p", organisation="acme")
ASK = Ask("gpt", endpoint="chat", dialect="openai_chat", caller=ALICE)
TARGETS = (Target("a", "x"), Target("b", "y"))
BODY: dict[str, Any] = {
    "model": "gpt",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0,
}
ON = Cache(enabled=True)


def keyed(
    cache: Cache = ON, ask: Ask = ASK, body: dict[str, Any] = BODY, **others: Any
) -> str | None:
    return key(cache, ask, others.get("targets", TARGETS), body, others.get("policy_hash", "h"))


def test_equal_requests_have_one_key() -> None:
    turned = orjson.loads(orjson.dumps(dict(reversed(BODY.items()))))
    assert keyed() is not None
    assert keyed() == keyed(body=turned) == keyed(targets=TARGETS[::-1])
    assert keyed() == keyed(ask=replace(ASK, draw=0.7, prompt_hash="x", input_tokens=9))


def test_the_key_is_the_same_in_every_process() -> None:
    """Nodes that share a store share their answers; a changed layout must be a decision."""
    many = tuple(Target(provider, model) for provider in "abc" for model in "xy")
    assert keyed(targets=many) == "6ed7c669ee8371eb52423947dd35238f11c7ee191a0966c911bc5e9c5ac9020f"


def test_a_stream_s_framing_is_in_the_key() -> None:
    """Stored streams are bytes."""
    stream = replace(ASK, stream=True)
    assert keyed(ask=stream) != keyed(ask=replace(stream, framing="json_array"))
    assert keyed() == keyed(ask=replace(ASK, framing="json_array"))


def other(caller: Caller, **more: Any) -> Ask:
    return replace(ASK, caller=caller, **more)


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY | {"messages": []}},
        {"body": BODY | {"user": "x"}},
        {"policy_hash": "other"},
        {"targets": TARGETS[:1]},
        {"targets": (Target("a", "x"), Target("b", "z"))},
        {"ask": other(replace(ALICE, key_id="k2"))},
        {"ask": replace(ASK, stream=True)},
        {"ask": replace(ASK, model="another")},
        {"ask": replace(ASK, endpoint="responses")},
        {"ask": replace(ASK, dialect="anthropic")},
        {"cache": Cache(enabled=True, scope="user")},
        {"cache": Cache(enabled=True, scope="all")},
    ],
)
def test_everything_that_decides_the_answer_is_in_the_key(changed: dict[str, Any]) -> None:
    assert keyed(**changed) not in (None, keyed())


@pytest.mark.parametrize(
    ("scope", "same", "another"),
    [
        ("key", replace(ALICE, user="bob"), replace(ALICE, key_id="k2")),
        ("user", replace(ALICE, key_id="k2"), replace(ALICE, organisation="other")),
        ("project", replace(ALICE, user="bob"), replace(ALICE, organisation="other")),
        (
            "organisation",
            replace(ALICE, user="bob", project="q"),
            replace(ALICE, organisation="other"),
        ),
    ],
)
def test_the_scope_is_who_shares(scope: Any, same: Caller, another: Caller) -> None:
    cache = Cache(enabled=True, scope=scope)
    assert keyed(cache) == keyed(cache, other(same))
    assert keyed(cache) != keyed(cache, other(another))


@pytest.mark.parametrize("scope", ["key", "user", "project", "organisation"])
def test_an_unknown_caller_shares_with_nobody(scope: Any) -> None:
    assert keyed(Cache(enabled=True, scope=scope), other(Caller())) is None


def test_scope_all_needs_to_know_nobody() -> None:
    cache = Cache(enabled=True, scope="all")
    assert keyed(cache, other(Caller())) == keyed(cache) is not None


PARTS = st.text(alphabet="ab\x00", max_size=3)


@given(a=st.tuples(PARTS, PARTS, PARTS), b=st.tuples(PARTS, PARTS, PARTS))
def test_no_two_scopes_read_the_same(a: tuple[str, str, str], b: tuple[str, str, str]) -> None:
    def of(user: str, organisation: str, policy_hash: str) -> str | None:
        caller = Caller(user="u" + user, organisation=organisation)
        return keyed(Cache(enabled=True, scope="user"), other(caller), policy_hash=policy_hash)

    assert (of(*a) == of(*b)) is (a == b)


@pytest.mark.parametrize(
    ("settings", "cached"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"temperature": 1}, False),
        ({"temperature": False}, False),
        ({"temperature": "0"}, False),
        ({"temperature": None}, False),
        ({}, False),
        ({"seed": 7, "temperature": 1}, True),
        ({"seed": 0}, True),
        ({"seed": None}, False),
        ({"temperature": 0, "n": 1}, True),
        ({"temperature": 0, "n": 2}, False),
        ({"generationConfig": {"temperature": 0}}, True),
        ({"generationConfig": {"temperature": 0, "candidateCount": 2}}, False),
        ({"generationConfig": {"temperature": 1}, "temperature": 0}, False),
        ({"generationConfig": 3, "temperature": 0}, False),
        ({"temperature": 0, "conversation": "c1"}, False),
        ({"temperature": 0, "background": True}, False),
    ],
)
def test_what_asks_for_determinism(settings: dict[str, Any], cached: bool) -> None:
    body = {"model": "gpt", **settings}
    assert (keyed(body=body) is not None) is cached


def test_always_takes_what_is_not_deterministic_but_not_what_has_state_or_variety() -> None:
    always = Cache(enabled=True, when="always")
    assert keyed(always, body={"model": "gpt", "temperature": 1}) is not None
    assert keyed(always, body={"model": "gpt", "n": 2}) is None
    assert keyed(always, body={"model": "gpt", "conversation": "c"}) is None


def test_embeddings_are_deterministic() -> None:
    assert (
        keyed(ask=replace(ASK, endpoint="embeddings"), body={"model": "e", "input": "x"})
        is not None
    )


def test_a_cache_that_is_off_has_no_keys() -> None:
    assert keyed(Cache(enabled=False, when="always")) is None


def test_a_body_that_cannot_be_written_is_not_cached() -> None:
    assert keyed(body=BODY | {"x": 2**80}) is None


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"cache-control": "max-age=0"}, False),
        ({"cache-control": "no-cache"}, True),
        ({"cache-control": "max-age=5, No-Store"}, True),
        ({"x-nexus-cache": "OFF"}, True),
        ({"x-nexus-cache": "on"}, False),
    ],
)
def test_a_caller_may_refuse_the_cache(headers: dict[str, str], refused: bool) -> None:
    assert refused_by(headers) is refused


# ---- storing

OK = b'{"choices": []}'


def answer(body: bytes = OK, status: int = 200, *, stream: bool = False) -> Cached:
    return Cached(status, {}, body, stream, Usage(), 0, "x", "a")


@pytest.mark.parametrize(
    ("cached", "complete", "stored"),
    [
        (answer(), True, True),
        (answer(), False, False),
        (answer(status=201), True, False),
        (answer(status=500), True, False),
        (answer(b""), True, False),
        (answer(b"data: x\n\n", stream=True), True, True),
        (answer(b"data: x\n\n", stream=True), False, False),
        (answer(b'"' + b"x" * 1021 + b'"'), True, True),
        (answer(b'"' + b"x" * 1023 + b'"'), True, False),
    ],
)
def test_only_whole_good_answers_are_stored(cached: Cached, complete: bool, stored: bool) -> None:
    assert storable(Cache(enabled=True, max_entry_bytes=1024), cached, complete=complete) is stored


@pytest.mark.parametrize(
    ("doc", "unfinished"),
    [
        ({}, False),
        ({"error": None}, False),
        ({"error": {}}, False),
        ({"error": "x"}, True),
        ({"type": "error"}, True),
        ({"status": "completed"}, False),
        ({"status": "failed"}, True),
        ({"status": "in_progress"}, True),
    ],
)
def test_what_is_no_answer_in_spite_of_its_status(doc: dict[str, Any], unfinished: bool) -> None:
    assert is_unfinished(doc) is unfinished


def test_a_hit_tells_its_age_and_hides_when_it_was_stored() -> None:
    stored = stamped({"content-type": "application/json"}, 1000.9)
    assert stored[STORED_AT] == "1000"
    assert hit_headers(stored, 1042.0) == {
        "content-type": "application/json",
        "x-nexus-cache": "hit",
        "age": "42",
    }
    assert hit_headers(stored, 900.0)["age"] == "0"
    assert hit_headers({}, 900.0) == {"x-nexus-cache": "hit", "age": "0"}
