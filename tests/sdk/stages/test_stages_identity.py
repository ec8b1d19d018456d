"""A key is found by its digest, in one place of a request, and never shown again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.errors import Malformed, NotAllowed, Unauthenticated
from nexus_sdk.model import Caller
from nexus_sdk.policy.document import Key
from nexus_sdk.stages import identity
from nexus_sdk.stages.identity import KeyIndex, digest, identify, mint, presented

PEPPER = b"p" * 32
KEY = mint(bytes(range(32)))
OTHER = mint(bytes(32))
NOON = 43_200.0


def index(**fields: Any) -> KeyIndex:
    key = Key.model_validate({"id": "ci", "digest": digest(KEY, PEPPER)} | fields)
    return KeyIndex([key], PEPPER)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def refusal(keys: KeyIndex, headers: dict[str, str], now_s: float = NOON) -> tuple[str, str]:
    with pytest.raises(Unauthenticated) as caught:
        identify(keys, headers, now_s)
    return caught.value.code, caught.value.message


# minting


def test_a_key_is_its_entropy_in_hexadecimal() -> None:
    assert re.fullmatch(r"nvk_[0-9a-f]{64}", KEY)
    assert KEY.endswith("1c1d1e1f")
    assert identity.hint(KEY) == "nvk_00010203"


@pytest.mark.parametrize("count", [0, 16, 31, 33])
def test_a_key_of_less_entropy_is_not_made(count: int) -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        mint(bytes(count))


def test_the_digest_is_an_hmac_under_the_pepper() -> None:
    # RFC 4231, test case 2
    assert digest("what do ya want for nothing?", b"Jefe") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    assert digest(KEY, PEPPER) != digest(KEY, b"q" * 32)


@given(st.text())
def test_any_text_has_a_digest(text: str) -> None:
    assert len(digest(text, PEPPER)) == 64


# identifying


def test_a_known_key_tells_who_calls() -> None:
    keys = index(user="ada", project="engine", organisation="acme", tags={"team": "x"})
    assert identify(keys, bearer(KEY), NOON) == Caller(
        key_id="ci", user="ada", project="engine", organisation="acme", tags={"team": "x"}
    )


def test_a_key_is_found_among_others_of_the_same_prefix() -> None:
    wanted = digest(KEY, PEPPER)
    twin = wanted[:-1] + ("0" if wanted[-1] != "0" else "1")
    keys = [Key(id="twin", digest=twin), Key(id="ci", digest=wanted), Key(id="z", digest="f" * 64)]
    found = KeyIndex(keys, PEPPER)
    assert identify(found, bearer(KEY), NOON).key_id == "ci"
    assert len(found) == 3
    assert refusal(KeyIndex(keys[:1], PEPPER), bearer(KEY))[0] == "invalid_api_key"


def test_no_key_is_told_with_the_way_to_send_one() -> None:
    code, message = refusal(index(), {})
    assert code == "missing_api_key"
    assert "Authorization: Bearer nvk_" in message


def test_an_unknown_key_is_told_by_its_first_characters() -> None:
    assert refusal(index(), bearer(OTHER)) == (
        "invalid_api_key",
        "the API key 'nvk_0000...' is not known here",
    )


def test_a_key_under_another_pepper_is_unknown() -> None:
    key = Key(id="ci", digest=digest(KEY, b"another pepper"))
    assert refusal(KeyIndex([key], PEPPER), bearer(KEY))[0] == "invalid_api_key"


def test_a_revoked_key_is_refused_also_when_it_has_expired() -> None:
    keys = index(revoked=True, expires="1970-01-01T00:00:00Z")
    assert refusal(keys, bearer(KEY)) == ("key_revoked", "the API key 'nvk_0001...' was revoked")


def test_a_key_expires_at_its_instant() -> None:
    keys = index(expires="1970-01-01T12:00:00Z")
    assert identify(keys, bearer(KEY), NOON - 0.001).key_id == "ci"
    assert refusal(keys, bearer(KEY), NOON)[0] == "key_expired"


@given(st.text(st.characters(exclude_characters=","), min_size=5))
def test_a_message_holds_no_more_than_eight_characters_of_a_key(key: str) -> None:
    if presented({"x-api-key": key}) is None:
        return
    code, message = refusal(index(), {"x-api-key": key})
    assert code == "invalid_api_key"
    assert message.isprintable()
    assert message.isascii()
    shown = message.removeprefix("the API key ").removesuffix(" is not known here")
    start = key.strip()
    if len(start) > 4:
        kept = start[: min(8, len(start) // 2)]
        assert shown == ascii(kept + "...")


def test_the_index_shows_nothing() -> None:
    assert repr(index()) == "KeyIndex(1 keys)"


# where a key stands


def signed(access_key: str) -> str:
    """As an AWS client signs, https://docs.aws.amazon.com/IAM/latest/UserGuide (signing)."""
    scope = f"{access_key}/20260130/us-east-1/bedrock/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=ab12"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"authorization": ""}, None),
        ({"authorization": "Bearer"}, None),
        ({"authorization": f"Basic {KEY}"}, None),
        ({"authorization": f"bearer   {KEY} "}, KEY),
        ({"x-nexus-virtual-key": KEY}, KEY),
        ({"x-api-key": KEY}, KEY),
        ({"x-goog-api-key": KEY}, KEY),
        ({"api-key": KEY}, KEY),
        ({"x-other": KEY}, None),
        ({"x-api-key": KEY, "authorization": f"Bearer {KEY}"}, KEY),
        ({"x-api-key": f"{KEY}, {KEY}"}, KEY),
        ({"authorization": "Bearer sk-own", "x-nexus-virtual-key": KEY}, KEY),
        ({"authorization": "Bearer unused", "x-api-key": KEY}, KEY),
        ({"authorization": "Bearer sk-own"}, "sk-own"),
        ({"authorization": signed(KEY)}, KEY),
        ({"authorization": signed("AKIAIOSFODNN7EXAMPLE")}, None),
        ({"authorization": signed("AKIAIOSFODNN7EXAMPLE"), "x-nexus-virtual-key": KEY}, KEY),
        ({"authorization": f"AWS4-HMAC-SHA256 Signature={KEY}"}, None),
        ({"authorization": f"AWS4-HMAC-SHA256 {KEY}"}, None),
    ],
)
def test_the_key_that_a_request_presents(headers: dict[str, str], expected: str | None) -> None:
    assert presented(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY, "authorization": f"Bearer {OTHER}"},
        {"x-api-key": f"{KEY}, {OTHER}"},
        {"authorization": f"Bearer {KEY}, Bearer {OTHER}"},
        {"authorization": "Bearer a", "api-key": "b"},
        {"x-nexus-virtual-key": "mistyped", "authorization": f"Bearer {KEY}"},
    ],
)
def test_two_different_keys_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Malformed, match="more than one API key") as caught:
        presented(headers)
    assert KEY not in caught.value.message
    assert all(name in caught.value.message for name in headers)


@pytest.mark.parametrize(
    "query",
    ["key=AIza", "a=1&API_KEY=x", "api-key=", "access_token=x", f"x={KEY}", f"x=%6Evk_{KEY[4:]}"],
)
def test_a_key_in_the_url_is_refused(query: str) -> None:
    with pytest.raises(Malformed, match="URLs are logged") as caught:
        identify(index(), bearer(KEY), NOON, query=query)
    assert caught.value.code == "key_in_url"
    assert query not in caught.value.message


@pytest.mark.parametrize("query", ["", "alt=sse", "after=nvk", "monkey=1", "%"])
def test_any_other_query_is_let_pass(query: str) -> None:
    assert identify(index(), bearer(KEY), NOON, query=query).key_id == "ci"


# models


@pytest.mark.parametrize(
    ("models", "model", "allowed"),
    [
        (None, "anything", True),
        ([], "anything", False),
        (["fast", "gpt-4*"], "fast", True),
        (["fast", "gpt-4*"], "gpt-4.1", True),
        (["fast", "gpt-4*"], "gpt-5", False),
        (["fast"], "Fast", False),
        (["*"], "", True),
    ],
)
def test_a_key_may_ask_for_its_models(models: list[str] | None, model: str, allowed: bool) -> None:
    keys = index(models=models)
    caller = identify(keys, bearer(KEY), NOON)
    if allowed:
        keys.require_model(caller, model)
        return
    with pytest.raises(NotAllowed) as caught:
        keys.require_model(caller, model)
    assert caught.value.code == "model_not_allowed"


def test_the_refused_model_is_told_harmlessly() -> None:
    keys = index(models=["fast", "slow"])
    with pytest.raises(NotAllowed) as caught:
        keys.require_model(Caller(key_id="ci"), "a\n" + "b" * 5000)
    message = caught.value.message
    assert message.isprintable()
    assert len(message) < 250
    assert message.endswith("it may use: fast, slow")


def test_a_caller_without_a_key_is_not_limited_by_one() -> None:
    index(models=[]).require_model(Caller(app="notebook"), "anything")
