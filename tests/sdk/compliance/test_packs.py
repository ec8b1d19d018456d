"""The built-in packs: what they promise, and that Hyperscan reads them as `re` does."""

from __future__ import annotations

import re
from collections import Counter

import hyperscan
import pytest

from nexus_sdk.compliance.numbers import CANDIDATE
from nexus_sdk.compliance.rules import BUILT_IN, Rule, built_in
from nexus_sdk.compliance.scanner import Scanner
from nexus_sdk.compliance.validators import VALIDATORS

RULES = [rule for name in BUILT_IN for rule in built_in(name).rules]
EXPRESSED = [rule for rule in RULES if rule.expression]
MAX_DATABASE_BYTES = 4_000_000


def hits(rule: Rule, text: str) -> bool:
    return bool(Scanner([rule]).find([text]))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_finds_its_examples_only(rule: Rule) -> None:
    assert rule.examples
    assert rule.counterexamples
    assert [example for example in rule.examples if not hits(rule, example)] == []
    assert [example for example in rule.counterexamples if hits(rule, example)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_it_is_and_whence(rule: Rule) -> None:
    assert rule.description
    assert rule.source
    assert rule.label != "CUSTOM"
    assert not rule.description.endswith(".")


@pytest.mark.parametrize(
    "rule", [rule for rule in EXPRESSED if rule.pack == "nexus/secrets"], ids=lambda r: r.id
)
def test_rules_for_secrets_hold_a_literal(rule: Rule) -> None:
    """Without one, an expression costs the engine as much as all others together."""
    assert rule.literals


def test_packs_have_what_is_promised() -> None:
    ids = Counter(rule.id for rule in RULES)
    assert max(ids.values()) == 1
    assert {
        "pii.email",
        "pii.phone",
        "fin.card",
        "fin.iban",
        "pii.us.ssn",
        "pii.ip.v4",
        "pii.ip.v6",
    } <= set(ids)
    assert len(built_in("nexus/secrets").rules) >= 80
    assert {rule.severity for rule in built_in("nexus/pii").rules} == {"soft"}


def test_every_validator_is_used() -> None:
    assert {rule.validator for rule in RULES} - {""} == set(VALIDATORS)


@pytest.fixture(scope="module")
def database() -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    sources = [(rule.expression, rule.ignore_case) for rule in EXPRESSED] + [(CANDIDATE, False)]
    database.compile(
        expressions=[source.encode() for source, _ in sources],
        ids=list(range(len(sources))),
        flags=[
            hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if ignore_case else 0)
            for _, ignore_case in sources
        ],
    )
    return database


def fired(database: hyperscan.Database, text: str) -> set[int]:
    numbers: set[int] = set()

    def remember(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
        numbers.add(number)

    database.scan(text.encode(), match_event_handler=remember)
    return numbers


def test_hyperscan_fires_wherever_re_matches(database: hyperscan.Database) -> None:
    compiled = [
        re.compile(
            rule.expression, re.ASCII | re.DOTALL | (re.IGNORECASE if rule.ignore_case else 0)
        )
        for rule in EXPRESSED
    ]
    for rule in RULES:
        for text in (*rule.examples, *rule.counterexamples):
            matching = {number for number, pattern in enumerate(compiled) if pattern.search(text)}
            if re.search(CANDIDATE, text, re.ASCII):
                matching.add(len(EXPRESSED))
            assert fired(database, text) == matching, text


def test_the_database_stays_small(database: hyperscan.Database) -> None:
    assert len(hyperscan.dumpb(database)) < MAX_DATABASE_BYTES


@pytest.mark.parametrize("at", [0, 1, 40, 63, 64, 65, 120, 300])
def test_an_unterminated_private_key_is_taken_to_its_last_character(at: int) -> None:
    body = "MIIEowIBAAKCAQEA0Vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78L\n" * 5
    text = "x -----BEGIN RSA " + "PRIVATE KEY-----\n" + body[: 48 + at]
    (hit,) = Scanner([rule for rule in RULES if rule.id == "secret.private_key.pem"]).find([text])[
        0
    ]
    assert (hit.start, hit.end) == (2, len(text))


def test_a_private_key_ends_at_its_end() -> None:
    key = (
        "-----BEGIN "
        "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----"
    )
    (hit,) = Scanner([rule for rule in RULES if rule.id == "secret.private_key.pem"]).find(
        [key + "\nHello, all"]
    )[0]
    assert (hit.start, hit.end) == (0, len(key))
