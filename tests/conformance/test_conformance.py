"""The matrix in little, and that its judge can say no."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.conformance import cells, documented, doors, matrix, page, places, plain_cells, troubles
from tests.conformance.features import FEATURES
from tests.conformance.lab import lab
from tests.conformance.places import NOT_DRIVEN, PLACES
from tests.conformance.values import Call, Say
from tests.conformance.wires import chat_answers

from nexus_sdk.providers.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.cells import Outcome
    from tests.conformance.lab import Lab

FEW = {"openai", "anthropic", "gemini", "bedrock", "cohere", "deepseek", "mistral", "voyage"}
"""One provider for each upstream format, and two copies of OpenAI's with ways of their own."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("conformance")) as running:
        yield running


def place(label: str) -> places.Place:
    return next(one for one in PLACES if one.label == label)


def outcome(served: Lab, door: str, label: str, feature: str, *, stream: bool) -> Outcome:
    found = next(one for one in doors.DOORS if one.name == door)
    asked = next(one for one in FEATURES if one.name == feature)
    return cells.Cell(served, found, place(label), asked).run(stream=stream)


@pytest.mark.parametrize(
    "door", [*(door.name for door in doors.DOORS), *(door.name for door in plain_cells.DOORS)]
)
def test_every_feature_reaches_the_provider_and_the_caller_or_is_refused(
    served: Lab, door: str
) -> None:
    tables = matrix.run(served, lambda name, label, feature: name == door and label in FEW)
    assert matrix.failures(tables) == []
    assert matrix.counted(tables)["pass"] >= 8


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_cell_of_the_whole_matrix_fails(served: Lab) -> None:
    tables = matrix.run(served)
    assert matrix.failures(tables) == []
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.replaced(text, "matrix", page.matrix(tables)), "run make conformance"


# ---- the judge can say no ------------------------------------------------------------------------


def test_a_refusal_without_a_documented_reason_fails(
    served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = outcome(served, "OpenAI chat", "anthropic", "seed", stream=False)
    assert told.kind == "refused"
    monkeypatch.setattr(documented, "REFUSALS", ())
    failed = outcome(served, "OpenAI chat", "anthropic", "seed", stream=False)
    assert (failed.kind, "without a documented reason" in failed.why) == ("FAIL", True)


def test_a_change_without_a_documented_reason_fails(
    served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = outcome(served, "Anthropic messages", "gemini", "cache markers", stream=True)
    assert told.kind == "told"
    monkeypatch.setattr(documented, "FORMS", ())
    failed = outcome(served, "Anthropic messages", "gemini", "cache markers", stream=True)
    assert (failed.kind, failed.why[:12]) == ("FAIL", "cache: asked")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_lost_something_fails(
    served: Lab, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    whole = chat_answers.answer

    def forgetful(say: Say, provider: str) -> object:
        return whole(replace(say, calls=say.calls[:1]), provider)

    wire = replace(served.vendors.wires["openai_chat"], answer=forgetful)
    monkeypatch.setattr(served.vendors, "wires", {**served.vendors.wires, "openai_chat": wire})
    spot = place("groq").spots["openai_chat"][0]
    known = served.vendors._spots[spot]
    monkeypatch.setitem(served.vendors._spots, spot, [(known[0][0], wire, None)])
    failed = outcome(served, "Anthropic messages", "groq", "parallel calls", stream=stream)
    assert (failed.kind, failed.why[:6]) == ("FAIL", "calls:")


def test_a_request_to_a_wrong_address_fails(served: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(served.vendors._spots, place("groq").spots["openai_chat"][0])
    failed = outcome(served, "OpenAI chat", "groq", "text", stream=False)
    assert (failed.kind, "nobody is at" in failed.why) == ("FAIL", True)


def test_a_request_that_a_vendors_package_refuses_fails(served: Lab) -> None:
    """Each judge, given a member that its vendor does not have."""
    for name, wire in doors.WIRES.items():
        body = wire.write(FEATURES[0].ask, "m", False)
        provider = "openai" if name.startswith("openai") else name
        wire.check(body, provider)
        with pytest.raises(AssertionError):
            wire.check(body | {"no_such_member": 1}, provider)


def test_a_cut_stream_that_ends_as_if_whole_fails(served: Lab) -> None:
    """The reader of each format wants its end mark."""
    say = Say(texts=("Hello there.",), calls=(Call("c1", "weather", {"city": "Bern"}),))
    for name, wire in doors.WIRES.items():
        told = replace(say, calls=()) if name == "openai_completions" else say
        raw = wire.stream(wire.answer(told, "openai"), {"stream_options": {"include_usage": True}})
        assert wire.said(wire.gather(raw))["texts"] == say.texts
        events = 3 if name == "gemini" else 2
        cut = raw[: -(len(raw) // events)]
        with pytest.raises((AssertionError, KeyError, ValueError)):
            wire.gather(cut[: cut.rfind(b"\n\n") + 2] if b"\n\n" in cut else cut)


def test_an_error_of_another_kind_is_told_apart(served: Lab) -> None:
    outcome(served, "OpenAI chat", "anthropic", "error: too many requests", stream=False)
    found = next(one for one in doors.DOORS if one.name == "OpenAI chat")
    served.vendors.expect(Say(trouble="auth"))
    body = found.wire.write(FEATURES[0].ask, "to-anthropic", False)
    got = served.ask("chat", "/chat/completions", body)
    troubles.check("openai_chat", "auth", got)
    with pytest.raises(AssertionError, match="status 401"):
        troubles.check("openai_chat", "rate", got)


# ---- the page and the places ---------------------------------------------------------------------


def test_every_row_of_the_table_has_a_place() -> None:
    assert {one.provider for one in PLACES} | NOT_DRIVEN.keys() == TABLE.keys()


def test_every_operation_of_a_row_has_an_address() -> None:
    """But for those that no matrix drives: moderations, lists, counts."""
    driven = doors.WIRES.keys() | plain_cells.WIRES.keys()
    for name, row in TABLE.items():
        told = {wire for one in PLACES if one.provider == name for wire in one.spots}
        assert name in NOT_DRIVEN or told == set(row.dialects) & driven, name


def test_the_page_says_of_the_providers_what_the_table_says() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.replaced(text, "providers", page.providers()), "run make conformance"
    assert all(f"### {name}\n" in text for name in TABLE)


def test_every_documented_refusal_stands_on_the_page() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert all(row.why in text for row in documented.REFUSALS)
    assert "**FAIL**" not in text
