"""What is measured is what the rows say: prompts of a size, without and with findings, never
twice."""

from __future__ import annotations

import re
from itertools import islice

import pytest
from bench.client import supply
from bench.null_upstream import CHUNKS, Null, NullStream, pieces, whole_answer
from bench.policy import GOOD, NotMeasured, Witness, everything_on
from bench.prompts import SENSITIVE, VARIETY, prompts
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.compliance.rules import built_in
from nexus_sdk.compliance.scanner import Scanner
from nexus_sdk.model import Upstream
from nexus_sdk.policy.load import load_policy
from nexus_sdk.wire.sse import Decoder

KIB = 1024
CALL = Upstream("POST", "https://api.example/v1", {}, b"", stream=True)


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """The rules of the default hook on requests, by their own search."""
    return Scanner(
        [rule for pack in ("nexus/pii", "nexus/secrets") for rule in built_in(pack).rules]
    )


@given(st.integers(len(SENSITIVE) + 7, 3000), st.sampled_from(["", SENSITIVE]))
def test_a_prompt_has_exactly_the_bytes_asked_for(size: int, holding: str) -> None:
    for text in islice(prompts(size, holding=holding), 3):
        assert len(text.encode()) == size
        assert holding in text


def test_a_size_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        next(prompts(20, holding=SENSITIVE))


def test_no_two_prompts_of_a_process_are_equal() -> None:
    """Equal ones would be answered by the cache, by whichever measurement they were asked first."""
    texts = [text for _ in range(3) for text in islice(prompts(KIB), VARIETY + 10)]
    texts += [supply()()["messages"][0]["content"] for _ in range(3)]
    assert len(set(texts)) == len(texts)


def test_texts_are_those_of_the_seed() -> None:
    def bodies(seed: int) -> list[str]:
        return [text.partition(" ")[2] for text in islice(prompts(KIB, seed=seed), 4)]

    assert bodies(1) == bodies(1)
    assert bodies(1) != bodies(2)


def test_texts_are_varied_and_hold_what_real_ones_hold() -> None:
    text = next(prompts(50 * KIB))
    words = re.findall(r"[a-z]+", text.lower())
    assert len(set(words)) > len(words) / 4
    for kind in (r"\d", r"[.,?!]", r"[{}();=]", r"\n"):
        assert len(re.findall(kind, text)) > 20


def test_plain_prompts_have_no_finding(scanner: Scanner) -> None:
    texts = [*islice(prompts(KIB), VARIETY), *islice(prompts(50 * KIB), 3)]
    assert scanner.find(texts) == {}


def test_sensitive_prompts_have_three(scanner: Scanner) -> None:
    found = scanner.find(list(islice(prompts(KIB, holding=SENSITIVE), 5)))
    assert {
        index: len({hit.start for hit in hits}) for index, hits in found.items()
    } == dict.fromkeys(range(5), 3)


@pytest.mark.parametrize("upstream", ["", "http://127.0.0.1:1"])
def test_everything_is_on(upstream: str) -> None:
    policy = load_policy(everything_on(upstream), environ_lookup=lambda _name: None).document
    assert policy.compliance is None, "the default hooks"
    assert {limit.unit for limit in policy.limits} == {"requests", "tokens", "usd"}
    assert policy.cache.enabled
    assert policy.cache.when == "always"
    assert policy.prices
    assert policy.audit.mode == "batched"


def test_what_the_upstream_did_not_answer_is_not_measured() -> None:
    witness = Witness()
    with pytest.raises(NotMeasured, match="no exchange"):
        witness.check()
    for kind in GOOD:
        witness.observe(dict(zip(("cache", "status", "outcome"), kind, strict=True)))
    witness.check()
    witness.observe({"cache": "hit", "status": 200, "outcome": "complete"})
    with pytest.raises(NotMeasured, match="hit"):
        witness.check()


def test_the_answer_that_nobody_sent_has_a_size() -> None:
    assert len(whole_answer(KIB)) == KIB
    reply, _ = Null().send(CALL)
    assert reply.body == whole_answer()


def test_the_stream_that_nobody_sent_has_its_chunks() -> None:
    reply, body = NullStream().send(CALL)
    read = [reply.body, *iter(body.read, b"")]
    assert read == pieces()
    texts = [event for event in Decoder().feed(b"".join(read)) if b'"content"' in event.data]
    assert len(texts) == CHUNKS
