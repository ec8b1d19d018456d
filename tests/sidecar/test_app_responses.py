"""The Responses API whole, through a sidecar: the official client, with upstreams that keep nothing
and with one that does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.sidecar.app_stack import Stack, key, policy

if TYPE_CHECKING:
    from collections.abc import Iterator


SAID = "I am emp-123456"
TOOL: Any = {
    "type": "function",
    "name": "look_up",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"who": {"type": "string"}},
        "required": ["who"],
    },
}
OTHERS = "gpt-by-anthropic"


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with stack.openai() as made:
        yield made


def last(stack: Stack) -> Any:
    """The body of the request that the provider saw last."""
    return json.loads(stack.seen()[-1].body)


def test_an_answer_is_followed_at_a_provider_that_keeps_none(
    stack: Stack, client: openai.OpenAI
) -> None:
    first = client.responses.create(model=OTHERS, input=SAID)
    assert first.model_dump()["store"] is True
    second = client.responses.create(
        model=OTHERS, input="and now?", previous_response_id=first.id, store=False
    )
    assert second.previous_response_id == first.id
    by_id = last(stack)
    assert "emp-123456" not in json.dumps(by_id)
    assert [turn["role"] for turn in by_id["messages"]] == ["user", "assistant", "user"]
    client.responses.create(
        model=OTHERS,
        input=[
            {"role": "user", "content": SAID},
            *[item.model_dump(exclude_none=True) for item in first.output],  # type: ignore[list-item]
            {"role": "user", "content": "and now?"},
        ],
        store=False,
    )
    assert last(stack) == by_id


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_matched_across_kept_turns(
    stack: Stack, client: openai.OpenAI, stream: bool
) -> None:
    asked = "call look_up for emp-123456"
    if stream:
        events = list(client.responses.create(model=OTHERS, input=asked, tools=[TOOL], stream=True))
        assert events[-1].type == "response.completed"
        first = events[-1].response
    else:
        first = client.responses.create(model=OTHERS, input=asked, tools=[TOOL])
    (call,) = [item for item in first.output if item.type == "function_call"]
    client.responses.create(
        model=OTHERS,
        previous_response_id=first.id,
        tools=[TOOL],
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "found"}],
    )
    said, called, result = last(stack)["messages"]
    assert (said["role"], called["role"], result["role"]) == ("user", "assistant", "user")
    (use,) = [block for block in called["content"] if block["type"] == "tool_use"]
    (told,) = result["content"]
    assert told["tool_use_id"] == use["id"] == call.call_id
    assert "emp-123456" not in json.dumps(last(stack))


def test_a_kept_answer_is_read_listed_and_deleted(stack: Stack, client: openai.OpenAI) -> None:
    before = len(stack.events())
    first = client.responses.create(model=OTHERS, input=SAID)
    second = client.responses.create(model=OTHERS, input="and now?", previous_response_id=first.id)
    assert client.responses.retrieve(first.id) == first
    items = list(client.responses.input_items.list(second.id, order="asc", limit=1))
    texts = [item.model_dump()["content"][0]["text"] for item in items]
    assert texts == [SAID, first.output_text, "and now?"]
    assert [item.id for item in client.responses.input_items.list(second.id)] == [
        item.id for item in reversed(items)
    ]
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(first.id)
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match="not found"):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=OTHERS, input="on", previous_response_id=second.id)
    assert refused.value.code == "previous_response_not_found"
    assert refused.value.param == "previous_response_id"
    assert len(stack.seen()) == 2, "no operation of these asks a model"
    fresh = stack.events()[before:]
    assert [event["endpoint"] for event in fresh] == [
        *["responses"] * 2,
        "response",
        *["response_items"] * 4,
        "response_cancel",
        "response_delete",
        "response",
        "responses",
    ]
    assert fresh[2]["model"] == OTHERS
    assert fresh[2]["usage"] is None
    assert [event["status"] for event in fresh[-4:]] == [400, 200, 404, 400]


def test_a_stream_is_told_again_from_any_event_on(stack: Stack, client: openai.OpenAI) -> None:
    events = list(client.responses.create(model=OTHERS, input=SAID, stream=True))
    made = events[-1].response.id  # type: ignore[union-attr]
    again = list(client.responses.retrieve(made, stream=True))
    assert [event.model_dump() for event in again] == [event.model_dump() for event in events]
    rest = list(client.responses.retrieve(made, stream=True, starting_after=3))
    assert [event.sequence_number for event in rest] == [e.sequence_number for e in events[4:]]
    assert len(stack.seen()) == 1


def test_an_answer_that_was_not_streamed_can_be_read_as_a_stream(client: openai.OpenAI) -> None:
    made = client.responses.create(model=OTHERS, input=SAID)
    *_, end = client.responses.retrieve(made.id, stream=True)
    assert end.type == "response.completed"
    assert end.response == made


def test_what_is_not_to_be_stored_is_not(client: openai.OpenAI) -> None:
    made = client.responses.create(model=OTHERS, input=SAID, store=False)
    assert made.model_dump()["store"] is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_background_is_refused_where_the_provider_has_none(
    stack: Stack, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=OTHERS, input=SAID, background=True)
    assert (refused.value.code, refused.value.param) == ("unsupported_feature", "background")
    assert not stack.seen()


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("order=up", "order"),
        ("after=nobody", "after"),
        ("before=nobody", "before"),
    ],
)
def test_pages_are_asked_for_in_the_api_s_words(
    client: openai.OpenAI, query: str, param: str
) -> None:
    made = client.responses.create(model=OTHERS, input=SAID)
    name, _, text = query.partition("=")
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.input_items.list(made.id, extra_query={name: text})
    assert refused.value.param == param


# ---- callers, and providers that keep answers themselves -----------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str, str]]:
    """A sidecar with two keys."""
    (one, first), (other, second) = key("one", user="ann"), key("other", user="bob")
    with Stack(
        tmp_path_factory.mktemp("two"), lambda url: policy(url, keys=[first, second])
    ) as made:
        yield made, one, other


@pytest.mark.parametrize("model", ["gpt-4o", OTHERS])
def test_another_caller_s_answer_is_none(two: tuple[Stack, str, str], model: str) -> None:
    stack, one, other = two
    with stack.openai(api_key=one) as mine, stack.openai(api_key=other) as theirs:
        made = mine.responses.create(model=model, input=SAID)
        stack.models.clear()
        refusals = []
        for asked in (made.id, "resp_nobody_s"):
            with pytest.raises(openai.NotFoundError) as refused:
                theirs.responses.retrieve(asked)
            refusals.append(refused.value.message.replace(asked, ""))
            with pytest.raises(openai.NotFoundError):
                theirs.responses.delete(asked)
            with pytest.raises(openai.NotFoundError):
                theirs.responses.cancel(asked)
            with pytest.raises(openai.NotFoundError):
                theirs.responses.input_items.list(asked)
            with pytest.raises(openai.BadRequestError, match="Previous response with id"):
                theirs.responses.create(model=model, input="on", previous_response_id=asked)
        assert refusals[0] == refusals[1]
        assert not stack.seen()


def test_a_provider_that_keeps_answers_is_asked_for_them(two: tuple[Stack, str, str]) -> None:
    stack, one, _ = two
    with stack.openai(api_key=one) as mine:
        made = mine.responses.create(model="gpt-4o", input=SAID)
        stack.models.clear()
        mine.responses.create(model="gpt-4o", input="on", previous_response_id=made.id)
        assert last(stack)["previous_response_id"] == made.id
        assert last(stack)["input"] == "on"
        with pytest.raises(openai.BadRequestError, match="kept by 'openai' alone"):
            mine.responses.create(model=OTHERS, input="on", previous_response_id=made.id)
        stack.models.clear()
        for operation in (mine.responses.retrieve, mine.responses.cancel, mine.responses.delete):
            with pytest.raises(openai.NotFoundError):  # the model server has none of these
                operation(made.id)
    sent = [(seen.method, seen.path) for seen in stack.seen()]
    assert sent == [
        ("GET", f"/v1/responses/{made.id}"),
        ("POST", f"/v1/responses/{made.id}/cancel"),
        ("DELETE", f"/v1/responses/{made.id}"),
    ]
