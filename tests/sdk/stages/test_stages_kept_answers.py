"""Pages of items, and events again."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import ResponseItemList
from tests.sdk.responses_lab import openai_response

from nexus_sdk.errors import Malformed
from nexus_sdk.model import Kept, Target
from nexus_sdk.stages.kept_answers import page, recorded, told_again
from nexus_sdk.wire.json import dumps


def link(name: str, items: Any, **more: Any) -> Kept:
    body = dumps(openai_response(name, f"said by {name}"))
    return Kept(name, "ann", "m", Target("p", "m"), body=body, items=dumps(items), **more)


USER = {"role": "user", "content": "hello"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "found"}
HISTORY = (link("r2", [RESULT, USER], previous="r1"), link("r1", [USER | {"id": "mine"}]))
NAMES = ["mine", "msg_r1", "item_nexus_r2_in_0", "msg_nexus_r2_in_1"]


def ids(**query: str) -> list[str]:
    return [item["id"] for item in page(HISTORY, query)["data"]]


def test_the_items_that_an_answer_was_made_from_newest_first() -> None:
    assert ids() == NAMES[::-1]
    assert ids(order="asc") == NAMES
    assert ids(order="asc", limit="2") == NAMES[:2]


def test_a_page_is_what_the_official_type_takes() -> None:
    found = page(HISTORY, {})
    assert ResponseItemList.model_validate(found).model_dump(exclude_unset=True) == found
    assert found["data"][0]["content"] == [{"type": "input_text", "text": "hello"}]
    assert found["data"][2]["content"][0]["text"] == "said by r1"
    assert (found["first_id"], found["last_id"], found["has_more"]) == (NAMES[3], "mine", False)


def test_pages_follow_each_other_in_both_directions() -> None:
    assert ids(order="asc", after="msg_r1") == NAMES[2:]
    assert ids(order="asc", before=NAMES[3], limit="2") == NAMES[1:3]
    assert ids(order="asc", after="mine", before=NAMES[3]) == NAMES[1:3]
    assert ids(order="asc", after=NAMES[3]) == []
    first = page(HISTORY, {"limit": "3"})
    assert first["has_more"] is True
    rest = page(HISTORY, {"limit": "3", "after": first["last_id"]})
    assert ([item["id"] for item in rest["data"]], rest["has_more"]) == (["mine"], False)


def test_an_assistant_s_own_text_is_output() -> None:
    (item,) = page((link("r1", [{"role": "assistant", "content": "hi"}]),), {})["data"]
    assert item["content"] == [{"type": "output_text", "text": "hi", "annotations": []}]


def test_of_an_answer_that_is_not_kept_here_nothing_is_listed() -> None:
    empty = Kept("r1", "ann", "m", Target("p", "m"))
    found = page((empty,), {})
    assert (found["data"], found["first_id"], found["has_more"]) == ([], None, False)


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "-1"}, {"limit": "9" * 40}, {"order": ""}],
)
def test_what_is_no_page_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Malformed) as refused:
        page(HISTORY, query)
    assert refused.value.param in query


def test_an_answer_is_told_as_a_stream() -> None:
    doc = openai_response("r1")
    events = told_again(doc)
    assert [event.doc["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "output_item.done",
        "completed",
    ]
    assert [event.doc["sequence_number"] for event in events] == [0, 1, 2, 3, 4]
    assert events[-1].doc["response"] == doc
    assert events[0].doc["response"]["output"] == []
    cut = told_again(doc | {"status": "incomplete"})
    assert cut[-1].name == "response.incomplete"


def test_a_recorded_stream_is_its_events_without_the_marker() -> None:
    stream = b'event: a\ndata: {"n":1}\n\ndata: [DONE]\n\n'
    (event,) = recorded(stream)
    assert (event.name, event.doc, event.wire()) == ("a", {"n": 1}, b'event: a\ndata: {"n":1}\n\n')
