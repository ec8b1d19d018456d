from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from nexus_sdk.demo.delivery import End, Outgoing, deliver
from nexus_sdk.demo.frames import frames
from nexus_sdk.demo.reply import Event
from nexus_sdk.demo.script import read

if TYPE_CHECKING:
    from nexus_sdk.demo.delivery import Step

WHOLE = Outgoing(200, {"a": "b"}, (b"0123456789",))
STREAM = Outgoing(200, {"a": "b"}, (b"01234", b"56789"), streamed=True)
EVENTS = [Event("", "one"), Event("two", "2\ue000"), Event("", "[DONE]", last=True)]
FAILURE = Event("", '{"error":{}}', last=True)


def steps(answer: Outgoing, script: str = "") -> list[Step]:
    return list(deliver(answer, read("", script)))


def sent(answer: Outgoing, script: str = "") -> bytes:
    return b"".join(step for step in steps(answer, script) if isinstance(step, bytes))


def body(answer: Outgoing, script: str = "") -> bytes:
    return sent(answer, script).partition(b"\r\n\r\n")[2]


def head(answer: Outgoing, script: str = "") -> bytes:
    return sent(answer, script).partition(b"\r\n\r\n")[0]


def test_a_plain_answer_is_one_write() -> None:
    assert steps(WHOLE) == [b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 10\r\n\r\n0123456789"]
    assert len(steps(STREAM)) == 1
    assert body(STREAM) == b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"


def test_pauses() -> None:
    assert steps(WHOLE, "delay=0.5")[0] == 0.5
    assert steps(STREAM, "chunk-delay=0.2")[1:] == [
        b"5\r\n01234\r\n",
        0.2,
        b"5\r\n56789\r\n",
        b"0\r\n\r\n",
    ]
    assert steps(WHOLE, "hang") == [End.SILENCE]


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("cut-after=7", End.CLOSE),
        ("cut-after=7;reset", End.RESET),
        ("hang-after=7", End.SILENCE),
    ],
)
def test_an_answer_broken_off_keeps_its_framing(script: str, end: End) -> None:
    assert steps(WHOLE, script)[-1] is end
    assert b"content-length: 10" in head(WHOLE, script)
    assert body(WHOLE, script) == b"0123456"
    assert body(STREAM, script) == b"5\r\n01234\r\n2\r\n56\r\n"


def test_an_answer_that_is_too_short_ends_regularly() -> None:
    assert sent(WHOLE, "end-after=3").endswith(b"content-length: 3\r\n\r\n012")
    assert body(STREAM, "end-after=6") == b"5\r\n01234\r\n1\r\n5\r\n0\r\n\r\n"
    assert body(STREAM, "end-after=0") == b"0\r\n\r\n"


def test_split_cuts_anywhere() -> None:
    assert body(WHOLE, "split=4") == b"4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n"
    assert body(STREAM, "split=4") == body(WHOLE, "split=4")
    assert steps(STREAM, "split=5")[2] == 0.0


def test_the_end_of_the_connection_ends_the_body() -> None:
    for answer in (WHOLE, STREAM):
        assert steps(answer, "eof")[-1] is End.CLOSE
        assert sent(answer, "eof") == b"HTTP/1.1 200 OK\r\na: b\r\n\r\n0123456789"


def test_gzip_is_announced() -> None:
    assert b"content-encoding: gzip" in head(WHOLE, "gzip")
    assert gzip.decompress(body(WHOLE, "gzip")) == b"0123456789"


def test_some_answers_have_no_body() -> None:
    assert sent(Outgoing(204, {}, ())) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert sent(Outgoing(204, {}, (b"x",)), "delay=0") == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_an_unknown_status_has_a_phrase() -> None:
    assert sent(Outgoing(529, {}, ())).startswith(b"HTTP/1.1 529 Unknown\r\n")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", b"data: one\n\nevent: two\ndata: 2\xee\x80\x80\n\ndata: [DONE]\n\n"),
        ("no-done", b"data: one\n\nevent: two\ndata: 2\xff\n\n"),
        ("no-done;crlf", b"data: one\r\n\r\nevent: two\r\ndata: 2\xff\r\n\r\n"),
        ("no-done;cr", b"data: one\r\revent: two\rdata: 2\xff\r\r"),
        ("no-done;no-blank", b"data: one\n\nevent: two\ndata: 2\xff"),
        ("no-done;bom", b"\xef\xbb\xbfdata: one\n\nevent: two\ndata: 2\xff\n\n"),
        ("error-event-after=1", b'data: one\n\ndata: {"error":{}}\n\n'),
        (
            "error-event-after=0;error-shape=named",
            b'event: error\ndata: {"error":{}}\n\n',
        ),
        (
            "error-event-after=0;error-shape=flat",
            b'event: error\ndata: {"message":"the model failed","code":"server_error"}\n\n',
        ),
        ("error-event-after=0;comments", b': keep-alive\n\ndata: {"error":{}}\n\n'),
        ("error-event-after=1;empty-event", b'data: one\n\nevent: ping\n\ndata: {"error":{}}\n\n'),
    ],
)
def test_the_faults_of_a_stream(script: str, expected: bytes) -> None:
    assert b"".join(frames(EVENTS, read("", script), FAILURE)) == expected


def test_vllm_has_an_error_of_its_own() -> None:
    (piece,) = frames(EVENTS, read("", "error-event-after=0;error-shape=vllm"), FAILURE)
    assert piece.startswith(b'data: {"object":"error"')
