"""Whole documents: what is found is replaced at its place, told without its value, given back
exactly."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sdk.compliance.stage_lab import effective, hook, inspector

from nexus_sdk.compliance import inspection
from nexus_sdk.compliance.inspection import Inspector, strictest
from nexus_sdk.compliance.vault import PLACEHOLDER, Vault
from nexus_sdk.errors import Blocked
from nexus_sdk.mac import Mac
from nexus_sdk.wire.json import dumps, splice
from nexus_sdk.wire.texts import TextMap

KEY = b"k" * 32
EMAIL = "bob@corp-mail.com"
CARD = "4111 1111 1111 1111"
MAP = TextMap(skip=frozenset({"role"}), json_text=frozenset({"arguments"}))


def edited(inspecting: Inspector, doc: Any) -> Any:
    return json.loads(splice(dumps(doc), inspecting.document(doc, MAP)))


def masked(text: str, **actions: str) -> str:
    rules = {name.replace("_", "."): action for name, action in actions.items()}
    doc = edited(inspector(effective(hook(rules or None))), {"text": text})
    return str(doc["text"])


# ---- redaction -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("nothing here", "nothing here"),
        (f"mail {EMAIL} now", "mail [REDACTED:EMAIL] now"),
        (f"{EMAIL},{EMAIL}", "[REDACTED:EMAIL],[REDACTED:EMAIL]"),
        (f"{CARD} 536-90-4399", "[REDACTED:CARD] [REDACTED:SSN]"),
        ("naïve 東京 🙂 bluebird ☕", "naïve 東京 🙂 [REDACTED:OWN_BIRD] ☕"),
        ("", ""),
    ],
)
def test_values_are_masked_and_the_rest_stays(text: str, result: str) -> None:
    assert masked(text) == result


def test_hits_that_overlap_become_one_mask_by_the_longest() -> None:
    rules = effective(hook({"own.run": "redact", "own.bird": "redact", "pii.email": "redact"}))
    looking = inspector(rules)
    assert edited(looking, {"t": "blue@corp-mail.com"}) == {"t": "[REDACTED:EMAIL]"}
    assert {finding.rule for finding in looking.findings} == {"own.bird", "pii.email"}
    assert looking.redacted == 1


def test_of_hits_that_overlap_the_strictest_decides() -> None:
    rules = effective(hook({"own.bird": "block", "pii.email": "redact"}))
    looking = inspector(rules)
    with pytest.raises(Blocked) as caught:
        looking.document({"t": "blue@corp-mail.com"}, MAP)
    assert caught.value.rules == ("own.bird",)


def test_a_rule_that_only_records_changes_nothing() -> None:
    looking = inspector(effective(hook({"own.bird": "approve"})))
    assert looking.document({"t": "bluebird"}, MAP) == {}
    assert [(f.rule, f.action) for f in looking.findings] == [("own.bird", "approve")]
    assert (looking.decision, looking.redacted) == ("approve", 0)


def test_numbers_of_the_document_get_masks_too() -> None:
    looking = inspector(effective())
    assert edited(looking, {"card": 4111111111111111, "n": 12}) == {
        "card": "[REDACTED:CARD]",
        "n": 12,
    }


def test_every_place_of_a_document_is_told_by_its_address() -> None:
    looking = inspector(effective())
    doc = {
        "messages": [
            {"role": "user", "content": f"I am {EMAIL}"},
            {"content": [{"text": "bluebird"}, {"arguments": f'{{"to":"{EMAIL}"}}'}]},
        ]
    }
    looking.document(doc, MAP)
    assert [(f.address, f.rule) for f in looking.findings] == [
        ("messages.0.content", "pii.email"),
        ("messages.1.content.0.text", "own.bird"),
        ("messages.1.content.1.arguments#4", "pii.email"),
    ]


def test_logprobs_beside_a_changed_text_go_with_it() -> None:
    doc = {
        "choices": [
            {"message": {"content": EMAIL}, "logprobs": {"content": [{"token": "bob"}]}},
            {"message": {"content": "fine"}, "logprobs": {"content": [{"token": "fine"}]}},
        ],
        "output": [{"content": [{"text": EMAIL, "logprobs": [{"token": "bob"}]}]}],
    }
    words = TextMap(skip=frozenset({"logprobs"}))
    looking = inspector(effective())
    result = json.loads(splice(dumps(doc), looking.document(doc, words)))
    assert [choice["logprobs"] for choice in result["choices"]] == [
        None,
        {"content": [{"token": "fine"}]},
    ]
    assert result["output"][0]["content"][0]["logprobs"] == []


# ---- JSON in strings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (f'{{"to": "{EMAIL}", "n": 1}}', '{"to": "[REDACTED:EMAIL]", "n": 1}'),
        (r'{"to":"bob\u0040corp-mail.com"}', '{"to":"[REDACTED:EMAIL]"}'),
        (
            r'{"a":"x\n\"q\" \ud83d\ude42 bluebird\t."}',
            r'{"a":"x\n\"q\" \ud83d\ude42 [REDACTED:OWN_BIRD]\t."}',
        ),
        ('{"card": 4111111111111111 , "ok": true}', '{"card": "[REDACTED:CARD]" , "ok": true}'),
        ('{"card":-4111111111111111}', '{"card":"-[REDACTED:CARD]"}'),
        (f'{{"{EMAIL}": 1}}', '{"[REDACTED:EMAIL]": 1}'),
        (f'{{"to":"{EMAIL}', '{"to":"[REDACTED:EMAIL]'),
        (f"{{'card': '{CARD}'}}", "{'card': \"'[REDACTED:CARD]'\"}"),
        (f"call {EMAIL}", '"call [REDACTED:EMAIL]"'),
        ('{"a": {"b": ["bluebird"]}}', '{"a": {"b": ["[REDACTED:OWN_BIRD]"]}}'),
        ("not json, and nothing to find", "not json, and nothing to find"),
        ('["4111 1111", "1111 1111"]', '["4111 1111", "1111 1111"]'),
    ],
)
def test_arguments_are_judged_decoded_and_put_back_encoded(arguments: str, result: str) -> None:
    assert edited(inspector(effective()), {"arguments": arguments}) == {"arguments": result}


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.booleans())
def test_whatever_stands_around_a_value_in_arguments_stays_valid(around: str, plain: bool) -> None:
    value = {"a": f"{around} {EMAIL} {around}", "b": [around, 4111111111111111]}
    doc = {"arguments": json.dumps(value, ensure_ascii=plain)}
    result = json.loads(
        edited(inspector(effective(hook({"pii.email": "redact", "fin.card": "redact"}))), doc)[
            "arguments"
        ]
    )
    assert "[REDACTED:EMAIL]" in result["a"]
    assert EMAIL not in result["a"]


# ---- placeholders, there and back ----------------------------------------------------------------


def there_and_back(vault: Vault) -> tuple[Inspector, Inspector]:
    request = effective(hook({"pii.email": "redact", "fin.card": "redact"}, reversible=True))
    response = effective(hook({"own.bird": "redact", "pii.email": "redact"}))
    return inspector(request, vault, stage="request"), inspector(response, vault)


def test_the_answer_gets_its_values_back() -> None:
    out, back = there_and_back(Vault(Mac(KEY)))
    sent = edited(out, {"text": f"write to {EMAIL}, again {EMAIL}"})["text"]
    (token,) = set(re.findall(PLACEHOLDER, sent))
    assert sent == f"write to {token}, again {token}"
    answer = edited(back, {"text": f"I wrote to {token}."})
    assert answer == {"text": f"I wrote to {EMAIL}."}
    assert (out.redacted, back.restored, back.redacted) == (2, 1, 0)


def test_what_was_restored_is_not_redacted_again_and_what_the_model_adds_is() -> None:
    out, back = there_and_back(Vault(Mac(KEY)))
    token = edited(out, {"text": EMAIL})["text"]
    answer = edited(back, {"text": f"{token} and eve@corp-mail.com"})
    assert answer == {"text": f"{EMAIL} and [REDACTED:EMAIL]"}


@pytest.mark.parametrize("text", ["<EMAIL_aaaaaa>", "<CARD_abc234>", "<EMAIL_", "<EMAIL_AAAAAA>"])
def test_a_token_that_this_exchange_did_not_issue_stays(text: str) -> None:
    out, back = there_and_back(Vault(Mac(KEY)))
    out.document({"text": EMAIL}, MAP)
    assert back.document({"text": text}, MAP) == {}


def test_a_restored_value_is_escaped_where_it_stands_in_json() -> None:
    vault = Vault(Mac(KEY))
    token = vault.token("NAME", 'a "quoted" \\ name\n')
    _, back = there_and_back(vault)
    doc = {"arguments": json.dumps({"who": token, "n": [1]}), "other": {"arguments": token}}
    result = edited(back, doc)
    assert json.loads(result["arguments"]) == {"who": 'a "quoted" \\ name\n', "n": [1]}
    assert json.loads(result["other"]["arguments"]) == 'a "quoted" \\ name\n'


def test_without_restoring_a_placeholder_stays() -> None:
    vault = Vault(Mac(KEY))
    token = vault.token("EMAIL", EMAIL)
    assert inspector(effective(restore=False), vault).document({"t": token}, MAP) == {}


# ---- evidence ------------------------------------------------------------------------------------


def test_a_finding_holds_nothing_of_the_value() -> None:
    vault = Vault(Mac(KEY))
    rules = effective(hook({"pii.email": "redact"}, name="hook-1"))
    looking = inspector(rules, vault, stage="request")
    looking.document({"a": f"x {EMAIL}", "b": f"{EMAIL} y", "c": "eve@corp-mail.com"}, MAP)
    told = json.dumps([finding.line() for finding in looking.findings])
    assert "bob" not in told
    assert "corp" not in told
    one, same, other = looking.findings
    assert one.fingerprint == same.fingerprint == vault.fingerprint(EMAIL)
    assert one.fingerprint != other.fingerprint
    assert (one.hook, one.action, one.stage) == ("hook-1", "redact", "request")
    assert (one.category, one.severity) == (one.line()["category"], one.line()["severity"])


def test_findings_are_bounded_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MAX_FINDINGS", 3)
    looking = inspector(effective())
    doc = {"t": [EMAIL] * 5}
    assert len(looking.document(doc, MAP)) == 5
    assert (len(looking.findings), looking.uncounted, looking.redacted) == (3, 2, 5)


# ---- blocking and the bypass ---------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "word"), [("request", "request"), ("response", "answer")])
def test_a_block_names_every_rule_once_and_no_value(stage: str, word: str) -> None:
    rules = effective(hook({"own.bird": "block", "own.stop": "block", "pii.email": "redact"}))
    looking = inspector(rules, stage=stage)
    with pytest.raises(Blocked) as caught:
        looking.document({"t": ["bluebird", "top secret", f"bluebird {EMAIL}"]}, MAP)
    assert caught.value.rules == ("own.bird", "own.stop")
    assert f"this {word} pass: own.bird, own.stop matched" in caught.value.message
    assert "bluebird" not in caught.value.message
    assert looking.decision == "block"
    assert len(looking.findings) == 4, "all there is to see is recorded"


def test_the_bypass_finds_and_does_not_act() -> None:
    vault = Vault(Mac(KEY))
    token = vault.token("EMAIL", EMAIL)
    looking = inspector(effective(), vault, act=False)
    assert edited(looking, {"t": f"top secret of {EMAIL}"}) == {"t": f"top secret of {EMAIL}"}
    assert {finding.rule for finding in looking.findings} == {"own.stop", "pii.email"}
    assert (looking.decision, looking.redacted) == ("approve", 0)
    assert edited(looking, {"t": token}) == {"t": EMAIL}, "values given out before come back"


def test_the_strictest_of_some_actions() -> None:
    assert strictest([]) == "approve"
    assert strictest(["redact", "block", "approve"]) == "block"
