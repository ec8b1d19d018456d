"""Placeholders: stable, told apart, given back exactly, and silent about what they stand for."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.compliance import vault as vaults
from nexus_sdk.compliance.vault import MAX_LENGTH, PLACEHOLDER, Vault, normalised
from nexus_sdk.mac import Mac

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = b"k" * 32
LABELS = st.from_regex(r"[A-Z][A-Z_]{0,39}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def tokens(values: Sequence[str], key: bytes = KEY) -> list[str]:
    vault = Vault(Mac(key))
    return [vault.token("EMAIL", value) for value in values]


@given(LABELS, VALUES)
def test_a_token_can_be_found_again(label: str, value: str) -> None:
    token = Vault(Mac(KEY)).token(label, value)
    assert re.fullmatch(PLACEHOLDER, token)
    assert len(token) <= MAX_LENGTH
    assert token.startswith(f"<{label}_")


@given(st.lists(st.tuples(LABELS, VALUES), max_size=12))
def test_every_value_comes_back_exactly(issued: list[tuple[str, str]]) -> None:
    vault = Vault(Mac(KEY))
    given_out = {(label, value): vault.token(label, value) for label, value in issued}
    for (label, value), token in given_out.items():
        assert vault.value(token) == value
        assert vault.token(label, value) == token
    assert len(vault) == len(set(given_out.values())) == len(given_out)


def test_the_same_value_has_the_same_token_in_every_exchange() -> None:
    assert tokens(["a@b.co", "c@d.co"]) == list(reversed(tokens(["c@d.co", "a@b.co"])))


def test_another_installation_has_other_tokens() -> None:
    assert set(tokens(["a@b.co", "c@d.co"])).isdisjoint(tokens(["a@b.co", "c@d.co"], b"x" * 32))


def test_the_type_is_part_of_the_token() -> None:
    vault = Vault(Mac(KEY))
    card, phone = vault.token("CARD", "4111"), vault.token("PHONE", "4111")
    assert card.removeprefix("<CARD_") != phone.removeprefix("<PHONE_")
    assert (vault.value(card), vault.value(phone)) == ("4111", "4111")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bob@Example.org", "bob@example.org"),
        ("4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("+1 (555) 867-5309", "15558675309"),
        ("GB82 WEST 1234 5698 7654 32", "gb82west12345698765432"),
    ],
)
def test_spellings_of_one_value_share_a_token_across_exchanges(one: str, other: str) -> None:
    assert tokens([one]) == tokens([other])


def test_two_spellings_in_one_exchange_both_come_back_as_they_were() -> None:
    vault = Vault(Mac(KEY))
    first, second = vault.token("EMAIL", "Bob@x.org"), vault.token("EMAIL", "bob@x.org")
    assert first != second
    assert (vault.value(first), vault.value(second)) == ("Bob@x.org", "bob@x.org")


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("a.b-c@x.org", "a.b-c@x.org"),
        ("Straße", "strasse"),
        ("1.2.3.4", "1234"),
        ("12.2.3.4", "12234"),
        ("sk-AB12", "sk-ab12"),
    ],
)
def test_only_what_is_mostly_digits_loses_its_separators(value: str, normal: str) -> None:
    assert normalised(value) == normal


def test_values_that_share_the_short_digest_get_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaults, "_SHORT", 0)
    first, second = tokens(["a@b.co", "c@d.co"])
    assert first == "<EMAIL_>"
    assert len(second) == len("<EMAIL_>") + 12


def test_what_was_not_issued_stands_for_nothing() -> None:
    vault = Vault(Mac(KEY))
    token = vault.token("EMAIL", "a@b.co")
    assert Vault(Mac(KEY)).value(token) is None
    assert vault.value(token.upper()) is None
    assert vault.value(token[:-2] + ">") is None


def test_it_shows_no_value() -> None:
    vault = Vault(Mac(KEY))
    vault.token("EMAIL", "a@b.co")
    assert repr(vault) == str(vault) == "Vault(1 values)"
    with pytest.raises(TypeError):
        pickle.dumps(vault)


def test_a_fingerprint_compares_and_tells_nothing_else() -> None:
    vault = Vault(Mac(KEY))
    told = vault.fingerprint("4111 1111 1111 1111")
    assert told == Vault(Mac(KEY)).fingerprint("4111 1111 1111 1111")
    assert re.fullmatch("[0-9a-f]{16}", told)
    assert told not in {vault.fingerprint("4111111111111111"), Vault(Mac(b"x")).fingerprint("4111")}
    assert len(vault) == 0
