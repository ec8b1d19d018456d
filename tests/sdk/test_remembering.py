"""A conversation that is followed by `previous_response_id` is the one that is sent as a whole."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.responses_lab import Lab, claude, openai_response, policy, sse, text

from nexus_sdk.model import Origin

TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
HIDDEN = {"type": "redacted_thinking", "data": "b3BhcXVl"}
WORDS = st.sampled_from(["hello", "bob@example.com", "mail ann@example.com, please", 'ä\n"q"', "x"])
SAID = st.sampled_from(["hello", " as ECHO says ", 'ä\n"q"', "x"])
"""ECHO: a placeholder that was in the request, as a model gives it back."""
BLOCKS = st.lists(
    st.one_of(
        st.sampled_from([SIGNED, HIDDEN]),
        SAID.map(text),
        st.builds(
            lambda words: {"type": "tool_use", "name": "look", "input": {"who": words}}, SAID
        ),
    ),
    min_size=1,
    max_size=4,
)
INPUTS = st.one_of(
    WORDS,
    WORDS.map(lambda words: [{"role": "user", "content": words}]),
    WORDS.map(
        lambda words: [
            {"role": "developer", "content": "be brief"},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": words}],
            },
        ]
    ),
)


def body(lab: Lab) -> Any:
    return json.loads(lab.sent[-1].body)


def answered(blocks: list[Any], turn: int) -> dict[str, Any]:
    """Thoughts come first, tools last, each call with its own id."""
    order = {"thinking": 0, "redacted_thinking": 0, "text": 1, "tool_use": 2}
    told = sorted(blocks, key=lambda block: order[block["type"]])
    named = [
        block | {"id": f"toolu_{turn}_{place}"} if block["type"] == "tool_use" else block
        for place, block in enumerate(told)
    ]
    return claude(*named)


@settings(max_examples=60, deadline=None)
@given(
    turns=st.lists(st.tuples(INPUTS, BLOCKS), min_size=1, max_size=4),
    last=st.tuples(INPUTS, st.sampled_from(["a", "g", "t", "q", "o"])),
)
def test_by_id_is_as_all_at_once(turns: list[Any], last: Any) -> None:
    lab = Lab()
    whole: list[Any] = []
    echo = "nobody"
    previous: dict[str, Any] = {}
    results: list[Any] = []
    for turn, (told, blocks) in enumerate(turns):
        lab.replies = [json.loads(json.dumps(answered(blocks, turn)).replace("ECHO", echo))]
        items = [*results, *as_items(told)]
        got = lab.create(model="at-a", input=items if results else told, tools=[TOOL], **previous)
        echo = next(iter(re.findall(r"<OWN_MAIL_\w+>", lab.sent[-1].body.decode())), echo)
        whole += [*items, *got["output"]]
        previous = {"previous_response_id": got["id"]}
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "found"}
            for item in got["output"]
            if item["type"] == "function_call"
        ]
    told, target = last
    items = [*results, *as_items(told)]
    asked = {"model": f"at-{target}", "tools": [TOOL], "store": False}
    lab.replies = [claude(text("end"))] * 2
    lab.ask("/responses", {**asked, "input": items, **previous})
    by_id = body(lab)
    lab.ask("/responses", {**asked, "input": [*whole, *items]})
    assert by_id == body(lab)
    assert "@example.com" not in json.dumps(by_id)


def as_items(told: Any) -> list[Any]:
    return [{"role": "user", "content": told}] if isinstance(told, str) else told


# ---- values --------------------------------------------------------------------------------------


def test_what_is_kept_has_placeholders_and_the_caller_has_its_values() -> None:
    lab = Lab()
    lab.replies = [claude(text("noted"))]
    first = lab.create(model="at-a", input="I am bob@example.com")
    kept = lab.store.recall(_owner(lab), first["id"])[0]
    for texts in (kept.body, kept.items, kept.events):
        assert b"@example.com" not in texts
    token = json.loads(lab.sent[0].body)["messages"][0]["content"].split()[-1]
    lab.replies = [claude(text(f"You are {token}"))]
    second = lab.create(model="at-a", input="who?", previous_response_id=first["id"])
    assert second["output"][0]["content"][0]["text"] == "You are bob@example.com"
    kept = lab.store.recall(_owner(lab), second["id"])[0]
    assert token.encode() in kept.body
    assert b"@example.com" not in kept.body
    again, _ = lab.ask(f"/responses/{second['id']}", method="GET")
    assert json.loads(again.body) == second


def test_without_restoring_no_value_is_kept() -> None:
    lab = Lab(policy(compliance={**_mail(), "restore": False}))
    lab.replies = [claude(text("noted"))]
    first = lab.create(model="at-a", input="I am bob@example.com")
    assert lab.store.recall(_owner(lab), first["id"])[0].values == b""


def test_a_rule_that_came_later_is_held_against_what_was_kept() -> None:
    lab = Lab(policy(compliance={"hooks": []}))
    lab.replies = [claude(text("noted"))]
    first = lab.create(model="at-a", input="I am bob@example.com")
    later = Lab(store=lab.store, replies=[claude(text("yes"))], count=10)
    later.create(model="at-a", input="on", previous_response_id=first["id"])
    assert b"@example.com" not in later.sent[0].body
    block = _mail()
    block["hooks"][0]["action"] = "block"
    strict = Lab(policy(compliance=block), store=lab.store, count=20)
    refused, _ = strict.ask(
        "/responses", {"model": "at-a", "input": "on", "previous_response_id": first["id"]}
    )
    assert refused.status == 403
    assert not strict.sent


def _mail() -> dict[str, Any]:
    from tests.sdk.responses_lab import MAIL

    return json.loads(json.dumps(MAIL))  # type: ignore[no-any-return]


def _owner(lab: Lab) -> str:
    from nexus_sdk.model import Caller
    from nexus_sdk.stages.keeping import owner

    return owner(Caller("app:lab", "ann"))


# ---- providers that keep answers themselves ------------------------------------------------------


def test_its_own_provider_goes_on_from_an_answer_byte_for_byte() -> None:
    lab = Lab()
    lab.replies = [openai_response("resp_1"), openai_response("resp_2")]
    lab.create(model="at-o", input="hello")
    sent = {"model": "m", "input": "on", "previous_response_id": "resp_1", "unknown": 1}
    lab.create(**{**sent, "model": "at-o"})
    assert body(lab) == sent


@pytest.mark.parametrize("target", ["x", "a", "q"])
def test_another_one_goes_on_from_what_always_keeps(target: str) -> None:
    lab = Lab(policy(responses={"store": "always"}))
    thought = {"id": "rs_1", "type": "reasoning", "summary": []}
    reply = openai_response("resp_1", "noted")
    reply["output"].insert(0, thought)
    lab.replies = [reply]
    lab.create(model="at-o", input="hello")
    lab.replies = [claude(text("x"))]
    lab.ask(
        "/responses",
        {"model": f"at-{target}", "input": "on", "previous_response_id": "resp_1"},
    )
    told = body(lab)
    assert "previous_response_id" not in told
    assert "rs_1" not in json.dumps(told)
    assert "msg_resp_1" not in json.dumps(told)
    assert [one["role"] for one in told.get("input") or told["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


def test_without_always_another_one_cannot() -> None:
    lab = Lab()
    lab.replies = [openai_response("resp_1")]
    lab.create(model="at-o", input="hello")
    refused, _ = lab.ask(
        "/responses", {"model": "at-a", "input": "on", "previous_response_id": "resp_1"}
    )
    assert (refused.status, b"kept by 'o' alone" in refused.body) == (400, True)
    assert len(lab.sent) == 1


def test_a_provider_s_answer_that_was_not_stored_is_nobody_s() -> None:
    lab = Lab()
    lab.replies = [openai_response("resp_1")]
    lab.create(model="at-o", input="hello", store=False)
    refused, _ = lab.ask("/responses/resp_1", method="GET")
    assert refused.status == 404


def test_never_keeps_no_text_and_knows_whose_answers_a_provider_keeps() -> None:
    lab = Lab(policy(responses={"store": "never"}))
    lab.replies = [openai_response("resp_1"), claude(text("x"))]
    lab.create(model="at-o", input="bob@example.com")
    kept = lab.store.recall(_owner(lab), "resp_1")[0]
    assert kept.size == 0
    got = lab.create(model="at-a", input="hello")
    assert got["store"] is False
    assert lab.store.recall(_owner(lab), got["id"]) == ()
    refused, _ = lab.ask("/responses", {"model": "at-a", "input": "x", "store": True})
    assert json.loads(refused.body)["error"]["param"] == "store"


def test_what_a_provider_gives_again_is_judged_and_costs_nothing() -> None:
    block = {"name": "b", "own": [{"id": "own.w", "words": ["Nightjar"]}], "action": "block"}
    rules = policy(compliance={"hooks": [block | {"stages": ["response"]}]})
    lab = Lab(rules)
    lab.replies = [openai_response("resp_1"), openai_response("resp_1", "so Nightjar")]
    lab.create(model="at-o", input="hello")
    refused, _ = lab.ask("/responses/resp_1", method="GET")
    assert (refused.status, b"Nightjar" in refused.body) == (403, False)
    lab.replies = [openai_response("resp_1")]
    got, _ = lab.ask("/responses/resp_1?include[]=x&api_key=secret", method="GET")
    assert got.status == 200
    assert lab.sent[-1].url == "https://api.openai.com/v1/responses/resp_1?include%5B%5D=x"
    assert lab.events[-1]["usage"] is None
    assert lab.events[-1]["cost"] == []


def test_a_provider_s_stream_is_read_again() -> None:
    events = [
        {"type": f"response.{name}", "sequence_number": n, "response": openai_response("resp_1")}
        for n, name in enumerate(("created", "completed"))
    ]
    lab = Lab()
    lab.replies = [sse(events), sse(events)]
    lab.ask("/responses", {"model": "at-o", "input": "hello", "stream": True, "background": True})
    assert lab.store.recall(_owner(lab), "resp_1")[0].native
    _, told = lab.ask("/responses/resp_1?stream=true&starting_after=0", method="GET")
    assert told == events
    assert lab.sent[-1].url.endswith("/responses/resp_1?stream=true&starting_after=0")


def test_a_deleted_answer_of_a_provider_is_forgotten() -> None:
    lab = Lab()
    lab.replies = [openai_response("resp_1"), {"id": "resp_1", "deleted": True}]
    lab.create(model="at-o", input="hello")
    got, _ = lab.ask("/responses/resp_1", method="DELETE")
    assert (got.status, lab.sent[-1].method) == (200, "DELETE")
    assert lab.store.recall(_owner(lab), "resp_1") == ()


def test_an_application_s_own_upstream_knows_its_own_answers() -> None:
    lab = Lab({"compliance": {"hooks": []}}, origin=Origin("https://up.example/v1", {}))
    lab.replies = [openai_response("resp_2"), openai_response("resp_0")]
    lab.create(model="m", input="on", previous_response_id="resp_0")
    assert body(lab)["previous_response_id"] == "resp_0"
    got, _ = lab.ask("/responses/resp_0?x=1", method="GET")
    assert got.status == 200
    assert lab.sent[-1].url == "https://up.example/v1/responses/resp_0?x=1"


def test_a_cached_answer_is_kept_for_everyone_who_gets_it() -> None:
    cache = {"enabled": True, "scope": "all", "when": "always"}
    lab = Lab(policy(cache=cache), replies=[claude(text("x"))])
    first = lab.create(model="at-a", input="hello")
    answer, _ = lab.ask("/responses", {"model": "at-a", "input": "hello"}, user="bob")
    assert answer.headers["x-nexus-cache"] == "hit"
    got, _ = lab.ask(f"/responses/{first['id']}", method="GET", user="bob")
    assert got.status == 200
    assert len(lab.sent) == 1


def test_an_upstream_that_names_all_its_answers_alike_makes_no_circle() -> None:
    lab = Lab(replies=[claude(text("x")), claude(text("y")), claude(text("z"))])
    first = lab.create(model="at-a", input="1")
    second = lab.create(model="at-a", input="2", previous_response_id=first["id"])
    lab.create(model="at-a", input="3", previous_response_id=second["id"])
    assert len(body(lab)["messages"]) == 5


def test_unknown_callers_are_not_one_caller() -> None:
    lab = Lab(replies=[claude(text("x"))], key="")
    got = lab.create(model="at-a", input="hello")
    assert got["store"] is False
    refused, _ = lab.ask(f"/responses/{got['id']}", method="GET")
    assert refused.status == 404


def test_an_id_of_ours_is_never_asked_of_a_provider() -> None:
    lab = Lab({"compliance": {"hooks": []}}, origin=Origin("https://up.example/v1", {}))
    refused, _ = lab.ask("/responses/resp_nexus_1", method="GET")
    assert refused.status == 404
    asked = {"model": "m", "input": "on", "previous_response_id": "resp_nexus_1"}
    refused, _ = lab.ask("/responses", asked)
    assert (refused.status, b"previous_response_not_found" in refused.body) == (400, True)
    closed = {"compliance": {"hooks": []}, "routing": {"unlisted": "refuse"}}
    lab = Lab(closed, origin=Origin("https://up.example/v1", {}))
    refused, _ = lab.ask("/responses/resp_1", method="GET")
    assert refused.status == 404
    assert not lab.sent


def test_a_stream_read_again_under_a_stricter_policy_gives_no_pieces() -> None:
    chunks: list[dict[str, Any]] = [
        {"type": "message_start", "message": claude()},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": piece},
            }
            for piece in ("so Night", "jar is")
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    lab = Lab(policy(compliance={"hooks": []}), replies=[sse(chunks)])
    _, told = lab.ask("/responses", {"model": "at-a", "input": "hello", "stream": True})
    made = told[-1]["response"]["id"]
    _, again = lab.ask(f"/responses/{made}?stream=true", method="GET")
    assert again == told
    _, rest = lab.ask(f"/responses/{made}?stream=true&starting_after=2", method="GET")
    assert rest == told[3:]
    refused, _ = lab.ask(f"/responses/{made}?stream=true&starting_after=x", method="GET")
    assert refused.status == 400
    hook = {"name": "n", "own": [{"id": "own.n", "words": ["Nightjar"]}], "stages": ["response"]}
    later = Lab(policy(compliance={"hooks": [hook]}), store=lab.store, count=50)
    _, again = later.ask(f"/responses/{made}?stream=true", method="GET")
    assert "jar" not in json.dumps(again)
    assert "[REDACTED" in json.dumps(again)
    assert not any(event["type"].endswith(".delta") for event in again)
