"""Whatever channel carries it and however it is cut: a stream says what whole-text enforcement
would have said."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cutting import cut
from tests.sdk.compliance.stage_lab import effective, hook, inspector
from tests.sdk.compliance.stream_lab import (
    CHANNELS,
    Heard,
    chunk,
    enforced,
    events,
    heard,
    holds_json,
    whole_texts,
)

from nexus_sdk.compliance.streams import StreamEnforcer
from nexus_sdk.compliance.vault import Vault
from nexus_sdk.errors import Blocked
from nexus_sdk.mac import Mac
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.sse import StreamEvent
from nexus_sdk.wire.texts import Leaf

if TYPE_CHECKING:
    from nexus_sdk.compliance.hooks import Effective
    from nexus_sdk.wire.dialect import Channel

NAMES = sorted(CHANNELS)
EMAIL, CARD, KEY = "bob@corp-mail.com", "4111 1111 1111 1111", b"k" * 32
SECRETS = (("EMAIL", EMAIL), ("CARD", CARD), ("NAME", 'a "b" \\'))
VALUES = [
    EMAIL,
    "O'Neil+x@mail.corp-mail.co.uk",
    CARD,
    "4111111111111111",
    f"{CARD} 536-90-4399",
    "536-90-4399",
    "+1 (955) 810-4406",
    "GB82 WEST 1234 5698 7654 32",
    "blue",
    "project bluebird",
    "AB-1234",
    "x00ff00ffy",
    "x" + "0" * 39,
    "naïve 東京 ☕ 🙂",
    "the quick brown fox",
    'said "no"\\n',
    "\n",
    "@",
    "4",
    " ",
    "-",
]
REDACT = dict.fromkeys(["own.bird", "own.run", "own.code"], "redact")


@cache
def rules(*blocking: str, reversible: bool = False) -> Effective:
    from tests.sdk.compliance.stage_lab import EVERYTHING

    actions = EVERYTHING | {"own.stop": "redact"} | dict.fromkeys(blocking, "block")
    return effective(hook(actions, reversible=reversible))


@cache
def issued() -> tuple[str, ...]:
    """Tokens of the exchange, and two that only look like some."""
    vault = Vault(Mac(KEY))
    known = [
        vault.token("EMAIL", EMAIL),
        vault.token("CARD", CARD),
        vault.token("NAME", 'a "b" \\'),
    ]
    return (*known, "<EMAIL_aaaaaa>", "<EMAIL_")


def vault() -> Vault:
    made = Vault(Mac(KEY))
    for label, value in SECRETS:
        made.token(label, value)
    return made


PARTS = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from(issued()),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
TEXTS = st.lists(PARTS, min_size=1, max_size=6).map("".join)


@st.composite
def arguments(draw: st.DrawFn) -> str:
    """A tool call's arguments, maybe with needless escapes, maybe not finished."""
    value = draw(
        st.recursive(
            TEXTS | st.sampled_from([1, 4111111111111111, -4111111111111111, True, None]),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
            max_leaves=4,
        )
    )
    text = json.dumps(
        {"a": value}, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    if draw(st.booleans()):
        text = text.replace("@", "\\u0040")
    return text[: draw(st.integers(1, len(text)))] if draw(st.booleans()) else text


@st.composite
def wrote(draw: st.DrawFn, dialect: str) -> list[tuple[Channel, str]]:
    """Some channels' texts in pieces, the pieces of all in any order."""
    chosen = draw(st.lists(st.sampled_from(CHANNELS[dialect]), min_size=1, max_size=4, unique=True))
    queues = []
    for channel in chosen:
        text = draw(arguments() if holds_json(channel) else TEXTS)
        places = draw(st.lists(st.integers(0, 500), max_size=8))
        queues.append([(channel, piece) for piece in cut(text, places)])
    out = []
    while queues := [queue for queue in queues if queue]:
        out.append(queues[draw(st.integers(0, len(queues) - 1))].pop(0))
    return out


def whole(text: str, *, is_json: bool, blocking: tuple[str, ...] = ()) -> str:
    """What whole-text enforcement makes of it. Raises Blocked."""
    looking = inspector(rules(*blocking), vault())
    edits = looking.texts([Leaf(("text",), text, json_text=is_json)])
    return str(edits.get(("text",), text))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dialect", NAMES)
@settings(max_examples=800, deadline=None)
@given(data=st.data())
def test_a_stream_says_what_whole_enforcement_would(dialect: str, data: st.DataObject) -> None:
    said = data.draw(wrote(dialect))
    looking = inspector(rules(), vault())
    out = enforced(dialect, events(dialect, said), looking, rules(), restoring=True)
    wanted = {c: whole(t, is_json=holds_json(c)) for c, t in whole_texts(said).items()}
    found = heard(dialect, out)
    assert {c: t for c, t in found.texts.items() if t} == {c: t for c, t in wanted.items() if t}
    agrees(dialect, found)
    numbers = [e.doc["sequence_number"] for e in out if e.doc and "sequence_number" in e.doc]
    assert numbers == list(range(len(numbers)))


def agrees(dialect: str, found: Heard) -> None:
    """Repeats say what was streamed, and tokens spell nothing that was taken out of it."""
    for channel, text in found.repeats:
        if channel in found.texts:
            assert text == found.texts[channel], channel
    spoken = [text for channel, text in found.texts.items() if not holds_json(channel)]
    for tokens in found.tokens:
        inner = json.loads(tokens)
        for token in _listed(inner):
            assert any(token in text for text in spoken), token


def _listed(inner: Any) -> list[str]:
    """OpenAI's list of tokens, within an object or not; Gemini's; Cohere's chunk of text."""
    if isinstance(inner, dict) and "text" in inner:
        return [inner["text"]]
    members = inner if isinstance(inner, dict) else {"content": inner or []}
    listed = members.get("content") or members.get("chosenCandidates") or []
    return [token["token"] for token in listed]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dialect", NAMES)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_of_a_blocked_value_no_character_leaves(dialect: str, data: st.DataObject) -> None:
    said = data.draw(wrote(dialect))
    channel = data.draw(st.sampled_from(CHANNELS[dialect]))
    place = data.draw(st.integers(0, len(said)))
    pieces = cut(" top secret ", data.draw(st.lists(st.integers(0, 99))))
    said = [*said[:place], *((channel, piece) for piece in pieces), *said[place:]]
    looking, rulings = inspector(rules("own.stop"), vault()), rules("own.stop")
    enforcer = StreamEnforcer(DIALECTS[dialect], looking, rulings, restoring=True)
    out: list[StreamEvent] = []
    texts = whole_texts(said)
    blocked = [c for c, t in texts.items() if _is_blocked(t, is_json=holds_json(c))]
    refused: tuple[str, ...] = ()
    try:
        for told in events(dialect, said):
            out += enforcer.feed(told)
    except Blocked as err:
        refused = err.rules
    assert refused == (("own.stop",) if blocked else ())
    for name, text in heard(dialect, out).texts.items():
        until = texts[name].index("top secret") if name in blocked else None
        assert whole(texts[name][:until], is_json=holds_json(name)).startswith(text)


def _is_blocked(text: str, *, is_json: bool) -> bool:
    try:
        whole(text, is_json=is_json, blocking=("own.stop",))
    except Blocked:
        return True
    return False


# ---- what is held, and when it goes out ----------------------------------------------------------


def run(dialect: str, *given: StreamEvent, rulings: Effective | None = None) -> list[StreamEvent]:
    rulings = rulings or rules()
    enforcer = StreamEnforcer(
        DIALECTS[dialect], inspector(rulings, vault()), rulings, restoring=True
    )
    return [event for told in given for event in enforcer.feed(told)]


def contents(out: list[StreamEvent]) -> list[str | None]:
    return [e.doc["choices"][0]["delta"].get("content") if e.doc else None for e in out]


def test_prose_goes_out_at_once_and_byte_for_byte() -> None:
    given = [chunk(0, {"content": word}) for word in ("Hello ", "there, ", "friend. ")]
    for told in given:
        told.raw = b"as it came"
    assert run("openai_chat", *given) == given
    assert [told.raw for told in given] == [b"as it came"] * 3


def test_what_waits_goes_out_with_the_next_piece() -> None:
    out = run("openai_chat", chunk(0, {"content": "I am bob"}), chunk(0, {"content": " now. "}))
    assert contents(out) == ["I am ", "bob now. "]


def test_what_waits_goes_out_before_the_event_that_ends_its_choice() -> None:
    out = run("openai_chat", chunk(0, {"content": f"to {EMAIL}"}), chunk(0, {}, "stop"))
    assert contents(out) == ["to ", "[REDACTED:EMAIL]", None]
    assert out[1].doc["choices"][0]["finish_reason"] is None
    assert (out[1].doc["id"], out[1].doc["model"]) == ("c1", "m")


def test_what_waits_goes_out_in_the_event_that_ends_its_choice_when_that_has_text() -> None:
    out = run("openai_chat", chunk(0, {"content": "to bob"}), chunk(0, {"content": "by"}, "stop"))
    assert contents(out) == ["to ", "bobby"]


def test_one_choice_ends_and_the_other_goes_on() -> None:
    given = [chunk(0, {"content": "bob"}), chunk(1, {"content": "eve"}), chunk(0, {}, "stop")]
    out = run("openai_chat", *given, chunk(1, {"content": "@corp-mail.com"}), chunk(1, {}, "stop"))
    assert heard("openai_chat", out).texts == {
        (0, "content"): "bob",
        (1, "content"): "[REDACTED:EMAIL]",
    }


def test_a_bare_end_marker_ends_every_choice() -> None:
    done = StreamEvent("", b"[DONE]")
    out = run("openai_chat", chunk(0, {"content": EMAIL}), done)
    assert contents(out) == ["", "[REDACTED:EMAIL]", None]
    assert out[-1] is done


@pytest.mark.parametrize("finish", [None, ""])
def test_an_event_that_ends_nothing_lets_nothing_go(finish: Any) -> None:
    out = run(
        "openai_chat", chunk(0, {"content": "bob"}, finish), chunk(0, {"content": "@corp-mail.com"})
    )
    assert contents(out) == ["", ""]


def test_an_unfinished_escape_is_not_lost() -> None:
    given = chunk(0, {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":"x\\u00'}}]})
    out = run("openai_chat", given, chunk(0, {}, "length"))
    assert heard("openai_chat", out).texts == {(0, "tool", 0): '{"a":"x\\u00'}


def test_a_number_among_arguments_is_masked_as_a_string() -> None:
    pieces = ['{"n":-4111', "1111 ", '1111,"m":4111', "111111111", "111}"]
    given = [
        chunk(0, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        for piece in pieces
    ]
    out = run("openai_chat", *given, chunk(0, {}, "stop"))
    assert heard("openai_chat", out).texts == {
        (0, "tool", 0): '{"n":-41111111 1111,"m":"[REDACTED:CARD]"}'
    }


def told(kind: str, number: int, **members: Any) -> StreamEvent:
    """An event of a Responses stream."""
    place = {"output_index": 0, "content_index": 0, "sequence_number": number}
    return event(kind, {"type": kind, **place, **members})


def test_a_whole_text_that_was_never_streamed_is_judged_by_itself() -> None:
    item = {"id": "i", "type": "message", "content": [{"type": "output_text", "text": EMAIL}]}
    (out,) = run("openai_responses", told("response.output_item.done", 0, item=item))
    assert out.doc["item"]["content"][0]["text"] == "[REDACTED:EMAIL]"


def test_a_whole_text_that_differs_from_its_pieces_is_judged_by_itself() -> None:
    pieces = told("response.output_text.delta", 0, delta="nothing. ")
    out = run("openai_responses", pieces, told("response.output_text.done", 1, text=f"to {EMAIL}"))
    assert [e.doc.get("delta") or e.doc["text"] for e in out] == [
        "nothing. ",
        "to [REDACTED:EMAIL]",
    ]


def test_the_tokens_of_a_whole_text_that_was_changed_are_none() -> None:
    listed = [{"token": EMAIL}]
    (out,) = run(
        "openai_responses", told("response.output_text.done", 0, text=EMAIL, logprobs=listed)
    )
    assert out.doc["logprobs"] == []
    (out,) = run(
        "openai_responses", told("response.output_text.done", 0, text="x", logprobs=listed)
    )
    assert out.doc["logprobs"] == listed


def test_a_snapshot_beside_the_pieces_says_what_they_said() -> None:
    words = ["I am bob", "@corp", "-mail.com, ", "truly. "]
    given, so_far = [], ""
    for word in words:
        so_far += word
        given.append(chunk(0, {"content": word}, message={"role": "assistant", "content": so_far}))
    out = run("openai_chat", *given)
    heard_so_far = ""
    for event_out, piece in zip(out, contents(out), strict=True):
        heard_so_far += piece or ""
        assert event_out.doc["choices"][0]["message"]["content"] == heard_so_far
    assert heard_so_far == "I am [REDACTED:EMAIL], truly. "


def test_a_snapshot_of_another_text_is_judged_and_disturbs_no_piece() -> None:
    first = chunk(0, {"content": "I am bob"}, message={"content": f"I am {EMAIL} "})
    second = chunk(0, {"content": "@corp-mail.com "}, message={"content": "something else. "})
    out = run("openai_chat", first, second)
    assert contents(out) == ["I am ", "[REDACTED:EMAIL] "]
    told = [e.doc["choices"][0]["message"]["content"] for e in out]
    assert told == ["I am [REDACTED:EMAIL] ", "something else. "]


@pytest.mark.parametrize(
    "more", [{"text": EMAIL}, {"x": {"y": [EMAIL]}}, {"message": {"a": {"b": EMAIL}}}]
)
def test_nothing_beside_a_delta_goes_past_the_rules(more: Any) -> None:
    (out,) = run("openai_chat", chunk(0, {}, **more))
    assert EMAIL not in out.wire().decode()
    assert "[REDACTED:EMAIL]" in out.wire().decode()


@pytest.mark.parametrize("more", [{"note": EMAIL}, {"search": [{"title": EMAIL}]}])
def test_nothing_beside_the_choices_goes_past_the_rules(more: Any) -> None:
    (out,) = run("openai_chat", event("", {"id": "c", "choices": [], **more}))
    assert EMAIL not in out.wire().decode()
    assert "[REDACTED:EMAIL]" in out.wire().decode()


@pytest.mark.parametrize(
    "doc",
    [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "note": EMAIL},
        },
        {"type": "message_start", "message": {"content": [{"type": "text", "text": EMAIL}]}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "note": EMAIL}},
        {"type": "a_later_kind", "said": {"text": EMAIL}},
        {"type": "a_later_kind", "said": EMAIL},
    ],
)
def test_nothing_beside_the_pieces_of_a_block_goes_past_the_rules(doc: Any) -> None:
    *_, out = run("anthropic", event(doc["type"], doc))
    assert EMAIL not in out.wire().decode()
    assert "[REDACTED:EMAIL]" in out.wire().decode()


# ---- probabilities -------------------------------------------------------------------------------


def tokens(*words: str) -> dict[str, Any]:
    return {"content": [{"token": word} for word in words]}


def test_tokens_of_a_changed_text_go_and_others_stay() -> None:
    out = run(
        "openai_chat",
        chunk(0, {"content": "to bob"}, logprobs=tokens("to", " bob")),
        chunk(0, {"content": "@corp-mail.com"}, logprobs=tokens("@corp-mail.com")),
        chunk(0, {"content": " then"}, logprobs=tokens(" then")),
        chunk(0, {"content": " go. "}, logprobs=tokens(" go", ". ")),
    )
    assert [e.doc["choices"][0]["logprobs"] for e in out] == [None] * 4
    calm = chunk(0, {"content": "so. "}, logprobs=tokens("so", ". "))
    assert run("openai_chat", calm)[0].doc["choices"][0]["logprobs"] == tokens("so", ". ")


def test_tokens_of_another_text_of_the_choice_go_too() -> None:
    delta = {"refusal": f"no, {EMAIL} "}
    (out,) = run("openai_chat", chunk(0, delta, logprobs={"refusal": [{"token": EMAIL}]}))
    assert out.doc["choices"][0]["logprobs"] is None


def test_tokens_that_come_without_their_text_go_once_something_was_changed() -> None:
    late = chunk(0, {}, logprobs=tokens(EMAIL))
    other = chunk(1, {}, logprobs=tokens("fine"))
    first = [chunk(0, {"content": f"{EMAIL} ok. "}), chunk(1, {"content": "fine. "})]
    out = run("openai_chat", *first, late, other)
    assert out[-2].doc["choices"][0]["logprobs"] is None
    assert out[-1].doc["choices"][0]["logprobs"] == tokens("fine")


# ---- a stream that is cut off --------------------------------------------------------------------


def abandoned(dialect: str, said: list[tuple[Channel, str]]) -> dict[Channel, str]:
    looking, spoken = inspector(rules(), vault()), DIALECTS[dialect]
    enforcer = StreamEnforcer(spoken, looking, rules(), restoring=True)
    out: list[StreamEvent] = []
    for told in events(dialect, said):
        ends = spoken.closes(told.doc, told.name)
        if any(channel[: len(prefix)] == prefix for prefix in ends for channel, _ in said):
            break
        out += enforcer.feed(told)
    return heard(dialect, [*out, *enforcer.abandon()]).texts


@pytest.mark.parametrize(
    "dialect", [name for name in NAMES if any(map(holds_json, CHANNELS[name]))]
)
def test_of_a_cut_stream_only_masks_of_what_is_held_go_out(dialect: str) -> None:
    text, arguments = CHANNELS[dialect][1], next(c for c in CHANNELS[dialect] if holds_json(c))
    for held, told in {
        "4111 1111 1111 11": "",
        EMAIL: "[REDACTED:EMAIL]",
        "bob@corp": "",
        issued()[0]: EMAIL,
        issued()[0][:-1]: "",
    }.items():
        assert abandoned(dialect, [(text, f"it is {held}")])[text] == f"it is {told}"
        found = abandoned(dialect, [(arguments, f'{{"a":"it is {held}')])
        assert found[arguments] == f'{{"a":"it is {told}'
    assert abandoned(dialect, [(arguments, '{"a":41111111')])[arguments] == '{"a":'
    found = abandoned(dialect, [(arguments, '{"a":4111111111111111')])
    assert found[arguments] == '{"a":"[REDACTED:CARD]"'


# ---- what is only recorded -----------------------------------------------------------------------


def test_rules_that_only_record_see_the_whole_texts_decoded() -> None:
    recording = effective(hook({"pii.email": "approve", "own.code": "approve"}))
    looking = inspector(recording)
    said: list[tuple[Channel, str]] = [
        ((0, "content"), "I am bob@co"),
        ((0, "tool", 0), '{"to":"eve\\u0040corp'),
        ((0, "content"), "rp-mail.com AB-"),
        ((0, "tool", 0), '-mail.com"}'),
        ((0, "content"), "1234"),
    ]
    given = events("openai_chat", said)
    raw = [told.wire() for told in given]
    out = enforced("openai_chat", given, looking, recording)
    assert [told.wire() for told in out] == raw, "nothing is touched"
    assert sorted((f.rule, f.address, f.action) for f in looking.findings) == [
        ("own.code", "stream.0.content", "approve"),
        ("pii.email", "stream.0.content", "approve"),
        ("pii.email", "stream.0.tool.0#4", "approve"),
    ]


def test_what_acted_is_not_recorded_twice() -> None:
    mixed = effective(hook({"pii.email": "redact", "own.code": "approve"}))
    looking = inspector(mixed)
    said: list[tuple[Channel, str]] = [((0, "content"), f"{EMAIL} AB-1234 ")]
    enforced("openai_chat", events("openai_chat", said), looking, mixed)
    assert sorted(f.rule for f in looking.findings) == ["own.code", "pii.email"]
    assert {f.address for f in looking.findings} == {"stream.0.content"}


def test_the_bypass_lets_the_stream_go_as_it_is_and_records() -> None:
    looking = inspector(rules("own.stop"), act=False)
    said: list[tuple[Channel, str]] = [((0, "content"), f"top secret of {EMAIL}")]
    out = enforced("openai_chat", events("openai_chat", said), looking, rules("own.stop"))
    assert heard("openai_chat", out).texts == {(0, "content"): f"top secret of {EMAIL}"}
    assert sorted(f.rule for f in looking.findings) == ["own.stop", "pii.email"]


def test_the_characters_of_all_channels_are_counted_as_they_came() -> None:
    enforcer = StreamEnforcer(DIALECTS["openai_chat"], inspector(rules()), rules(), restoring=False)
    for told in (chunk(0, {"content": EMAIL}), chunk(1, {"refusal": "no"})):
        enforcer.feed(told)
    assert enforcer.output_chars() == enforcer.held == len(EMAIL) + 2


@pytest.mark.parametrize("dialect", NAMES)
def test_without_rules_that_act_nothing_is_touched(dialect: str) -> None:
    nothing = effective(hook({"own.bird": "approve"}), restore=False)
    given = events(dialect, [(CHANNELS[dialect][1], "bluebird"), (CHANNELS[dialect][2], EMAIL)])
    enforcer = StreamEnforcer(DIALECTS[dialect], inspector(nothing), nothing, restoring=True)
    assert [out for told in given for out in enforcer.feed(told)] == given
    assert (enforcer.held, enforcer.close(), enforcer.abandon()) == (0, [], [])
