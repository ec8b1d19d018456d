from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.policy.document import Routing
from nexus_sdk.stages.routes import compile_routes
from nexus_sdk.stages.smart import MAX_TEXT, chosen, question
from nexus_sdk.stages.tree import Smart

NODE = {
    "smart": {
        "cheap": {"about": "small talk", "to": "a/1"},
        "deep work": {"about": "proofs", "to": "a/2"},
    },
    "router": "a/router",
    "otherwise": "a/3",
}


def smart() -> Smart:
    node = compile_routes(Routing.model_validate({"models": {"m": NODE}}), {"a": []}).trees["m"]
    assert isinstance(node, Smart)
    return node


def test_the_question_names_every_choice_and_holds_the_text_as_data() -> None:
    document: Any = question(smart(), "prove it")
    assert document["model"] == "router"
    system, user = document["messages"]
    assert "- cheap: small talk" in system["content"]
    assert "- deep work: proofs" in system["content"]
    assert user == {"role": "user", "content": "prove it"}
    assert "temperature" not in document
    assert orjson.dumps(document)


def test_a_long_text_keeps_its_beginning_and_end() -> None:
    text = "begin" + "x" * 50_000 + "end"
    document: Any = question(smart(), text)
    content = document["messages"][1]["content"]
    assert content.startswith("begin")
    assert content.endswith("end")
    assert len(content) < MAX_TEXT + 20


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("cheap", "cheap"),
        ("  Cheap.\n", "cheap"),
        ('"deep work"', "deep work"),
        ("**deep work**", "deep work"),
        ('{"choice": "deep work"}', "deep work"),
        ('{"choice": "CHEAP", "reason": "short"}', "cheap"),
        ('```json\n{"choice": "cheap"}\n```', "cheap"),
        ('```\n{"choice": "cheap"}\n```', "cheap"),
        ("```cheap```", "cheap"),
        ("", None),
        ("``````", None),
        ("```", None),
        ("{", None),
        ("{}", None),
        ('{"choice": 1}', None),
        ('{"choice": ["cheap"]}', None),
        ('["cheap"]', None),
        ("null", None),
        ("not cheap", None),
        ("cheap or deep work", None),
        ("expensive", None),
    ],
)
def test_an_answer_names_one_choice_or_none(answer: str, name: str | None) -> None:
    assert chosen(smart(), answer) == name


@given(answer=st.text(alphabet='{}[]"`: \ncheapoi', max_size=40))
def test_no_answer_breaks_the_reader(answer: str) -> None:
    assert chosen(smart(), answer) in (None, "cheap", "deep work")
