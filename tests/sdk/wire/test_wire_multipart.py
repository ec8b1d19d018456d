"""Forms with files: read strictly, searched for text, and edited in place."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.multipart import MAX_PARTS, Form, parse
from nexus_sdk.wire.texts import ANY_TEXT

PNG = b"\x89PNG\r\n\x1a\n--x\r\n\x00\xff"
LINES = b'{"custom_id":"a","body":{"input":"mail bob"}}\n\n{"custom_id":"b","n": 1.50}\n'


def encoded(data: Any = None, files: Any = None) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://x/", data=data, files=files)
    return request.read(), request.headers["content-type"]


def form(data: Any = None, files: Any = None) -> Form:
    found = parse(*encoded(data, files))
    assert found is not None
    return found


WHOLE = form(
    {"model": "m", "prompt": "a fox"},
    {
        "image": ("a.png", PNG, "image/png"),
        "file": ("b.jsonl", LINES, "application/octet-stream"),
        "notes": ("n.txt", b"one\r\ntwo", "text/plain"),
    },
)


def test_what_httpx_writes_is_read() -> None:
    assert [part.name for part in WHOLE.parts] == ["model", "prompt", "image", "file", "notes"]
    assert [WHOLE.content(part) for part in WHOLE.parts[2:]] == [PNG, LINES, b"one\r\ntwo"]
    assert (WHOLE.get("model"), WHOLE.get("absent")) == ("m", "")


def test_texts_are_found_in_fields_lines_and_text_files() -> None:
    known, texts = WHOLE.texts(ANY_TEXT)
    assert [(leaf.path, leaf.text) for leaf in texts] == [
        ((1,), "a fox"),
        ((3, 0, "custom_id"), "a"),
        ((3, 0, "body", "input"), "mail bob"),
        ((3, 2, "custom_id"), "b"),
        ((4,), "one\r\ntwo"),
    ]
    assert known.unread == ("image (image/png)",)


def test_edits_leave_every_other_byte() -> None:
    edits = {(1,): "a *", (3, 0, "body", "input"): "mail *", (4,): "*"}
    made = WHOLE.edited(edits)
    wanted = WHOLE.body.replace(b"a fox", b"a *").replace(b"mail bob", b"mail *")
    assert made.body == wanted.replace(b"one\r\ntwo", b"*")
    again = made.with_value("model", "another")
    assert again.body == made.body.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nanother\r\n")
    assert [again.content(part) for part in again.parts] == [
        b"another",
        b"a *",
        PNG,
        LINES.replace(b"bob", b"*"),
        b"*",
    ]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.jsonl", b'{"a":1,"a":2}', "application/json"),
        ("a.jsonl", b"not json", "text/plain"),
        ("a.jsonl", b'"text"', "text/plain"),
        ("a.txt", b"\xff\xfe", "text/plain"),
        ("a.mp3", b"words", "audio/mpeg"),
    ],
)
def test_what_is_no_plain_text_is_named(name: str, content: bytes, kind: str) -> None:
    known, texts = form(files={"file": (name, content, kind)}).texts(ANY_TEXT)
    assert (known.unread, texts) == ((f"file ({kind})",), ())


def test_a_field_that_is_there_twice_is_refused_when_it_matters() -> None:
    twice = form({"model": ["a", "b"]}, {"f": ("f.txt", b"x", "text/plain")})
    with pytest.raises(Malformed, match="twice"):
        twice.get("model")


HEAD = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
GOOD = HEAD + b"text\r\n--b--\r\n"


def test_a_part_may_be_empty() -> None:
    found = parse(HEAD + b"\r\n--b--", "multipart/form-data; boundary=b")
    assert found is not None
    assert found.get("a") == ""


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (GOOD, "multipart/mixed; boundary=b"),
        (GOOD, "multipart/form-data"),
        (GOOD, "multipart/form-data; boundary=c"),
        (GOOD, "multipart/form-data; boundary=b; boundary=c"),
        (b"preamble\r\n" + GOOD, "multipart/form-data; boundary=b"),
        (GOOD + b"epilogue", "multipart/form-data; boundary=b"),
        (GOOD[:-4], "multipart/form-data; boundary=b"),
        (b"--b--\r\n", "multipart/form-data; boundary=b"),
        (GOOD.replace(b'; name="a"', b""), "multipart/form-data; boundary=b"),
        (GOOD.replace(b'"a"', b"a"), "multipart/form-data; boundary=b"),
        (GOOD.replace(b'"a"', b"\"a\"; filename*=utf-8''x"), "multipart/form-data; boundary=b"),
        (GOOD.replace(b'name="a"', b'name="a"; name="b"'), "multipart/form-data; boundary=b"),
        (
            GOOD.replace(b"\r\n\r\n", b"\r\nContent-Disposition: form-data\r\n\r\n"),
            "multipart/form-data; boundary=b",
        ),
        (
            GOOD.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
            "multipart/form-data; boundary=b",
        ),
        (GOOD.replace(b"\r\n\r\n", b"\r\nodd\r\n\r\n"), "multipart/form-data; boundary=b"),
        ((HEAD + b"\r\n") * (MAX_PARTS + 1) + b"--b--", "multipart/form-data; boundary=b"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(body: bytes, kind: str) -> None:
    assert parse(body, kind) is None


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_any_contents_come_out_as_they_went_in(contents: list[bytes]) -> None:
    files = [("f", (f"{place}.bin", one, "x/y")) for place, one in enumerate(contents)]
    found = form(files=files)
    assert [found.content(part) for part in found.parts] == contents
    assert found.edited({}).body == found.body


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    found = parse(HEAD + body, "multipart/form-data; boundary=b")
    if found is not None:
        found.texts(ANY_TEXT)
