from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sdk.drivers.spool.spool_lab import KEY, OTHER_KEY

from nexus_sdk.drivers.spool.frame import GENESIS, Seal, Tip, parse, stamp

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    record=st.dictionaries(st.text(), JSON),
    seq=st.integers(0, 10**17),
    kind=st.sampled_from(["event", "gap"]),
)
def test_a_line_comes_apart_as_it_was_put_together(
    record: dict[str, Any], seq: int, kind: str
) -> None:
    seal = Seal(KEY, "c")
    at = stamp(1e9)
    line, tip = seal.line(Tip(seq, GENESIS), at, kind, orjson.dumps(record))
    found = parse(line)
    assert found is not None
    assert (found.seq, found.at, found.prev, found.kind, found.mac) == (
        seq + 1,
        at,
        GENESIS,
        kind,
        tip.mac,
    )
    assert found.value() == record
    assert orjson.loads(line)[kind] == record
    assert line.count(b"\n") == 1
    assert seal.holds(line)


@given(noise=st.binary(max_size=400))
def test_noise_is_no_line(noise: bytes) -> None:
    assert parse(noise) is None
    assert not Seal(KEY, "c").holds(noise)


@given(data=st.data())
def test_any_other_byte_breaks_the_mac(data: st.DataObject) -> None:
    line, _ = Seal(KEY, "c").line(Tip(), stamp(0), "event", b'{"a":1}')
    place = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
    assert not Seal(KEY, "c").holds(line[:place] + bytes([other]) + line[place + 1 :])


def test_the_mac_is_plain_hmac_of_the_text_before_it_under_the_chains_key() -> None:
    line, tip = Seal(KEY, "chain-1").line(Tip(), stamp(0), "event", b"{}")
    chain_key = hmac.new(KEY, b"nexus audit chain\0chain-1", hashlib.sha256).digest()
    text = line[: line.index(b',"mac"')]
    assert tip.mac == hmac.new(chain_key, text, hashlib.sha256).hexdigest()


def test_a_line_holds_only_in_its_own_chain_and_under_its_own_key() -> None:
    line, _ = Seal(KEY, "c").line(Tip(), stamp(0), "event", b"{}")
    assert not Seal(KEY, "d").holds(line)
    assert not Seal(OTHER_KEY, "c").holds(line)


def test_a_document_has_the_size_asked_for_and_is_json() -> None:
    seal = Seal(KEY, "c")
    text = seal.document({"a": 1}, 512)
    assert len(text) == 512
    assert seal.holds(text)
    assert orjson.loads(text)["a"] == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "1970-01-01T00:00:00.000000Z"), (1e9 + 0.5, "2001-09-09T01:46:40.500000Z")],
)
def test_stamps(seconds: float, text: str) -> None:
    assert stamp(seconds) == text
