"""The rules of the front, one by one. What they do together is in test_gate.py."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sidecar import strict_http
from nexus_sidecar.strict_http import Chunked, Refused, Sized


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1/chat/completions",
        b"/v1/models/org%2Fname",
        b"/v1/models/ft:gpt-4o:acme::abc",
        b"/model/a.b-v1%3A0/converse",
        b"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprofile%2Fa.b/converse-stream",
        b"/v1/models/r%C3%A9sum%C3%A9%20x",
        b"/v1beta/models/gemini-2.5-pro:generateContent?alt=sse&key=a%2e%2e//;b",
        b"/a.b/..c/d..",
    ],
)
def test_plain_targets_pass(path: bytes) -> None:
    strict_http.check_target(b"POST", path)


@pytest.mark.parametrize(
    "path",
    [
        b"v1/x",
        b"*",
        b"http://h/v1/x",
        b"h:443",
        b"//v1/x",
        b"/v1//x",
        b"/v1/x/..",
        b"/v1/../x",
        b"/v1/./x",
        b"/v1/x/%2e%2e/y",
        b"/v1/x/%2E./y",
        b"/v1/x%2f..%2fy",
        b"/v1/x/a%2f%2fb",
        b"/v1%2fx",
        b"/models%2fx/y",
        b"/mod%65l/x/converse",
        b"/model/..%2fx/converse",
        b"/model/x%2f%2fy/converse",
        b"/model/x%253A0/converse",
        b"/%76%31/x",
        b"/v1/x/%61dmin",
        b"/v1/x/%00",
        b"/v1/x/%0d%0a",
        b"/v1/x/%7f",
        b"/v1/x/a%5cb",
        b"/v1/x/a%3bb",
        b"/v1/x/%252e",
        b"/v1/x/%zz",
        b"/v1/x/%u002e",
        b"/v1/x/%2",
        b"/v1/x/%c0%ae",
        b"/v1/x/%ff",
        b"/v1/x;a=b",
        b"/v1/x\\y",
        b"/v1/x#y",
        b"/v1/x?y#z",
    ],
)
def test_ambiguous_targets_are_refused(path: bytes) -> None:
    with pytest.raises(Refused) as caught:
        strict_http.check_target(b"POST", path)
    assert caught.value.status == 400


def test_only_some_methods_are_served() -> None:
    for method in strict_http.METHODS:
        strict_http.check_target(method, b"/")
    for method in (b"CONNECT", b"TRACE", b"PRI", b"BREW"):
        with pytest.raises(Refused):
            strict_http.check_target(method, b"/")


@pytest.mark.parametrize(
    "host",
    [b"h", b"h:8080", b"127.0.0.1:80", b"[::1]:8080", b"a_b.c-d.example.", b"h "],
)
def test_hosts(host: bytes) -> None:
    strict_http.check_headers([(b"host", host)])


@pytest.mark.parametrize(
    "host",
    [b"", b"a/b", b"a?b", b"a#b", b"u@h", b"h:", b"h:port", b"h:123456", b"[::1", b"a b", b"a,b"],
)
def test_wrong_hosts(host: bytes) -> None:
    with pytest.raises(Refused, match="host"):
        strict_http.check_headers([(b"host", host)])


def test_what_decides_comes_once() -> None:
    for name in strict_http.SINGLE - {b"host"}:
        strict_http.check_headers([(b"host", b"h"), (name, b"1")])
        with pytest.raises(Refused, match=f"{name.decode()} comes more than once"):
            strict_http.check_headers([(b"host", b"h"), (name, b"1"), (name, b"1")])


@pytest.mark.parametrize("name", [b"x_api_key", b"content_length", b"x_nexus-user", b"x-nexus_a"])
def test_a_name_in_disguise_is_refused(name: bytes) -> None:
    with pytest.raises(Refused, match="spelled with _"):
        strict_http.check_headers([(b"host", b"h"), (name, b"1")])
    strict_http.check_headers([(b"host", b"h"), (b"x_of_my_own", b"1")])


def test_lengths() -> None:
    assert strict_http.body_length("1.1", {}, 10) == 0
    assert strict_http.body_length("1.1", {b"content-length": b"010"}, 10) == 10
    assert strict_http.body_length("1.1", {b"transfer-encoding": b"Chunked"}, 10) is None
    with pytest.raises(Refused) as caught:
        strict_http.body_length("1.1", {b"content-length": b"11"}, 10)
    assert caught.value.status == 413


@pytest.mark.parametrize("length", [b"", b"+3", b"-3", b"0x3", b"1_0", b"3,3", b"3 ", b"9" * 16])
def test_wrong_lengths(length: bytes) -> None:
    with pytest.raises(Refused, match="decimal digits"):
        strict_http.body_length("1.1", {b"content-length": length}, 10**18)


def test_wrong_encodings() -> None:
    both = {b"content-length": b"3", b"transfer-encoding": b"chunked"}
    with pytest.raises(Refused, match="exclude each other"):
        strict_http.body_length("1.1", both, 10)
    for version, encoding in (("1.0", b"chunked"), ("1.1", b"gzip"), ("1.1", b"chunked ")):
        with pytest.raises(Refused, match="must be chunked"):
            strict_http.body_length(version, {b"transfer-encoding": encoding}, 10)


def body_of(content: list[bytes]) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in content if chunk)
    return chunks + b"0\r\n\r\n"


def run(chunked: Chunked, pieces: list[bytes]) -> bytes:
    """What a body took of the pieces; the rest of them comes after it."""
    buffer, took = bytearray(), b""
    for piece in pieces:
        buffer += piece
        count = chunked.take(buffer)
        took += buffer[:count]
        del buffer[:count]
    return took


def cut(whole: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[a:b] for a, b in pairwise(edges)]


@given(
    st.lists(st.binary(max_size=20), max_size=5),
    st.lists(st.integers(0, 500), max_size=8),
    st.binary(max_size=9),
)
def test_a_chunked_body_ends_where_it_ends(
    content: list[bytes], places: list[int], behind: bytes
) -> None:
    body = body_of(content)
    chunked = Chunked(1000)
    assert run(chunked, cut(body + behind, places)) == body
    assert chunked.done


@given(st.binary(max_size=40), st.lists(st.integers(0, 100), max_size=5))
def test_any_bytes_are_read_alike_however_they_are_cut(data: bytes, places: list[int]) -> None:
    def result(pieces: list[bytes]) -> tuple[bytes, bool] | str:
        chunked = Chunked(1000)
        try:
            return run(chunked, pieces), chunked.done
        except Refused as refused:
            return refused.code

    assert result(cut(b"4\r\nabcd" + data, places)) == result([b"4\r\nabcd" + data])


def test_a_chunked_body_is_bounded_before_it_is_there() -> None:
    chunked = Chunked(10)
    run(chunked, [b"8\r\n12345678\r\n"])
    with pytest.raises(Refused) as caught:
        chunked.take(bytearray(b"3\r\n"))
    assert caught.value.status == 413


def test_a_sized_body_takes_its_length() -> None:
    sized = Sized(5)
    assert [sized.take(bytearray(b"abc")), sized.take(bytearray(b"defg"))] == [3, 2]
    assert sized.done


def test_a_long_head_of_spaces_costs_no_time() -> None:
    head = b"GET / HTTP/1.1\r\na:" + b" " * 60_000 + b"\x01\r\n\r\n"
    with pytest.raises(Refused):
        strict_http.check_grammar(head)
