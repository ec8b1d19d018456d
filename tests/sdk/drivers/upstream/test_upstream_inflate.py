"""gzip under a bound."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.drivers.upstream.failures import CutShort, Garbled
from nexus_sdk.drivers.upstream.inflate import Gunzip, decoder


@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(1, 50), st.integers(1, 100))
def test_any_members_in_any_cuts_with_any_room(members: list[bytes], step: int, room: int) -> None:
    packed = b"".join(gzip.compress(member) for member in members)
    gunzip, got = Gunzip(), b""
    for at in range(0, len(packed), step):
        piece = gunzip.feed(packed[at : at + step], room)
        assert len(piece) <= room
        got += piece
        while gunzip.pending:
            got += gunzip.feed(b"", room)
    gunzip.finish()
    assert got == b"".join(members)


def test_every_prefix_is_cut_short() -> None:
    packed = gzip.compress(b"hello world")
    for end in range(1, len(packed)):
        gunzip = Gunzip()
        gunzip.feed(packed[:end], 100)
        with pytest.raises(CutShort):
            gunzip.finish()


def test_a_wrong_checksum_is_garbled() -> None:
    packed = bytearray(gzip.compress(b"hello world"))
    packed[-8] ^= 1
    with pytest.raises(Garbled):
        Gunzip().feed(bytes(packed), 100)


def test_an_empty_body_is_empty() -> None:
    Gunzip().finish()


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_what_is_not_coded_needs_no_decoder(coding: str) -> None:
    headers = {"content-encoding": coding, "content-length": "3"}
    assert decoder(headers) is None
    assert headers["content-length"] == "3"


def test_the_headers_of_the_coded_body_go_with_it() -> None:
    headers = {"content-encoding": "gzip", "content-length": "3", "x": "1"}
    assert isinstance(decoder(headers), Gunzip)
    assert headers == {"x": "1"}
