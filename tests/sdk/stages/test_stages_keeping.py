"""What is kept of an answer, and what a target is told in its place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.playbook import snapshot
from tests.sdk.responses_lab import openai_response, policy

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.model import Caller, Kept, Request, Target
from nexus_sdk.policy.document import Responses
from nexus_sdk.stages import keeping, reading
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.json import dumps

SNAPSHOT = snapshot(policy())
ANN = Caller("k", "ann")


def call(**body: Any) -> reading.Call:
    raw = dumps({"model": "at-a", "input": "on", **body})
    return reading.read(Request("a-b", "sdk", "responses", raw, path="/responses"))


def link(name: str, provider: str = "a", *, native: bool = False, **more: Any) -> Kept:
    body = dumps(openai_response(name))
    made = Kept(name, "o", "m", Target(provider, "m"), native=native, body=body, items=b"[]")
    return replace(made, **more)


def memory(asked: reading.Call, *history: Kept, store: Any = "auto") -> keeping.Memory:
    made = keeping.memory(asked, Responses(store=store), ANN)
    assert made is not None
    made.history, made.turns = history, keeping.turns(history)
    return made


def told(asked: reading.Call, held: keeping.Memory, provider: str = "a") -> Any:
    target = Target(provider, "m")
    return keeping.told(held, asked, target, SNAPSHOT.account(target, asked))


def test_owners_differ_in_every_part() -> None:
    callers = [
        ANN,
        Caller("k"),
        Caller("kann"),
        Caller("k", project="ann"),
        Caller("k", organisation="ann"),
        Caller("", "k", "ann"),
    ]
    assert len({keeping.owner(caller) for caller in callers}) == len(callers)
    assert keeping.owner(Caller("k", "ann", tags={"a": "b"})) == keeping.owner(ANN)


def test_what_asks_for_nothing_is_told_as_it_came() -> None:
    for provider in ("a", "o", "q"):
        asked = call()
        assert told(asked, memory(asked), provider) is asked
    kept_there = call(store=True, background=True)
    assert told(kept_there, memory(kept_there), "o") is kept_there


def test_store_is_ours_where_the_target_keeps_nothing() -> None:
    asked = call(store=True)
    assert "store" not in told(asked, memory(asked), "q").doc
    assert told(asked, memory(asked, store="never"), "q") is asked


def test_a_gap_in_a_conversation_is_named() -> None:
    asked = call(previous_response_id="r2")
    with pytest.raises(Malformed, match="'r1' not found"):
        told(asked, memory(asked, link("r2", previous="r1")))
    only_there = link("r1", "o", native=True, body=b"", items=b"")
    with pytest.raises(Unsupported, match="r1 is kept by 'o' alone"):
        told(asked, memory(asked, link("r2", previous="r1"), only_there))
    with pytest.raises(Malformed, match="'r2' not found"):
        told(asked, memory(asked))


def test_an_input_may_be_missing_when_something_is_followed() -> None:
    raw = dumps({"model": "at-a", "previous_response_id": "r1"})
    asked = reading.read(Request("a", "sdk", "responses", raw, path="/responses"))
    (item,) = told(asked, memory(asked, link("r1"))).doc["input"]
    assert item["id"] == "msg_r1"


def test_another_provider_is_not_told_ids_that_it_cannot_know() -> None:
    reply = openai_response("r1")
    sealed = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"}
    reply["output"] += [{"type": "reasoning", "id": "rs_1", "summary": []}, sealed]
    there = link("r1", "o", native=True, body=dumps(reply))
    asked = call(previous_response_id="r1")
    items = told(asked, memory(asked, there), "x").doc["input"]
    assert [item.get("type") for item in items] == ["message", "reasoning", None]
    assert not any("id" in item for item in items)
    assert told(asked, memory(asked, there), "o") is asked


def said(doc: Any, **more: Any) -> keeping.Said:
    return keeping.Said(doc, **{"native": False, "restores": True, **more})


def kept(asked: reading.Call, told: keeping.Said, issued: Any = (), **rule: Any) -> Any:
    held = memory(asked, **rule)
    return keeping.kept(held, asked, Target("a", "m"), told, dict(issued))


@pytest.mark.parametrize(
    ("store", "asked", "native", "remembered", "texts"),
    [
        ("auto", None, False, True, True),
        ("auto", None, True, True, False),
        ("auto", False, False, False, False),
        ("auto", False, True, False, False),
        ("always", None, False, True, True),
        ("always", None, True, True, True),
        ("always", False, True, False, False),
        ("never", True, False, False, False),
        ("never", True, True, True, False),
    ],
)
def test_policy_and_request_decide_together(
    store: str, asked: Any, native: bool, remembered: bool, texts: bool
) -> None:
    given = call() if asked is None else call(store=asked)
    found = kept(given, said(openai_response("r1"), native=native), store=store)
    assert (found is not None) == remembered
    assert bool(found and found.body) == texts


def test_values_are_hidden_wherever_they_stand() -> None:
    issued = {"<A_aaaaaa>": 'q"uote', "<B_bbbbbb>": 'q"uote and more', "<C_cccccc>": "4111111111"}
    arguments = json.dumps({"x": 'q"uote and more'})
    doc = openai_response("r1", 'a q"uote', metadata={"n": 4111111111})
    doc["output"].append({"type": "function_call", "call_id": "c", "arguments": arguments})
    done = event("response.completed", {"type": "response.completed", "response": doc})
    marker = event("", None)
    found = kept(call(), said(doc, events=(done, marker)), issued)
    read = json.loads(found.body)
    assert read["output"][0]["content"][0]["text"] == "a <A_aaaaaa>"
    assert json.loads(read["output"][1]["arguments"]) == {"x": "<B_bbbbbb>"}
    assert read["metadata"] == {"n": "<C_cccccc>"}
    assert b"uote" not in found.events
    assert json.loads(found.values) == issued


def test_values_are_not_kept_where_they_are_not_given_back() -> None:
    issued = {"<A_aaaaaa>": "secret"}
    found = kept(call(), said(openai_response("r1", "secret"), restores=False), issued)
    assert (found.values, b"secret" in found.body) == (b"", False)
    never = kept(call(), said(openai_response("r1"), native=True), issued, store="never")
    assert never.size == 0


def test_an_answer_without_an_id_or_an_end_is_not_kept() -> None:
    assert kept(call(), said(openai_response("r1") | {"id": None})) is None
    begun = kept(call(), said(openai_response("r1"), whole=False))
    assert begun.size == 0
    assert keeping.final(()) is None
    assert keeping.began((event("x", {"type": "x"}),)) is None
