"""How an answer leaves: what goes out together, and how it is framed."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import openai
import pytest
from tests.sidecar.app_stack import chat
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from nexus_sdk.model import Answer
from nexus_sdk.wire.sse import StreamEvent
from nexus_sidecar.app import App
from nexus_sidecar.cycle import Cycle
from nexus_sidecar.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.sidecar.app_stack import Stack


class Batches:
    """A stream of two events that became known together, and of one behind them."""

    def __init__(self) -> None:
        self.answer = Answer(200, {"content-type": "text/event-stream"})
        self.closed = False

    async def batches(self) -> AsyncIterator[list[StreamEvent]]:
        yield [StreamEvent("", b"1"), StreamEvent("", b"2")]
        yield [StreamEvent("", b"3")]

    async def close(self) -> None:
        self.closed = True


def test_events_that_became_known_together_leave_together() -> None:
    events, sent = Batches(), []

    async def arun(request: object) -> Batches:
        return events

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body"))

    nexus = SimpleNamespace(arun=arun, new_id=lambda: "1")
    app = App(cast("Any", nexus), Metrics(), cast("Any", None), cast("Any", None))
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "headers": [],
        "query_string": b"",
        "client": None,
    }
    asyncio.run(app(scope, receive, send))
    assert sent == [None, b"data: 1\n\ndata: 2\n\n", b"data: 3\n\n", b""]
    assert events.closed


class Transport:
    """Keeps what was written, write by write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True


class Sent:
    """One cycle, and what came of its messages."""

    def __init__(self, method: str = "POST", version: str = "1.1", *, keeps: bool = True) -> None:
        self.transport = Transport()
        self.over = 0
        stock = RequestResponseCycle(
            scope=cast("Any", {"method": method, "http_version": version}),
            transport=cast("Any", self.transport),
            flow=cast("Any", SimpleNamespace(write_paused=False)),
            logger=cast("Any", None),
            access_logger=cast("Any", None),
            access_log=False,
            default_headers=[(b"date", b"today")],
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keeps,
            on_response=self._end,
        )
        self.cycle = Cycle(stock)

    def _end(self) -> None:
        self.over += 1

    def start(self, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        message = {"type": "http.response.start", "status": status, "headers": list(headers)}
        asyncio.run(self.cycle.send(cast("Any", message)))

    def body(self, body: bytes, *, more: bool = False) -> None:
        message = {"type": "http.response.body", "body": body, "more_body": more}
        asyncio.run(self.cycle.send(cast("Any", message)))


def length(count: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % count


def test_head_and_body_are_one_write() -> None:
    sent = Sent()
    sent.start(length(2))
    sent.body(b"ok")
    assert sent.transport.writes == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\nok"
    ]
    assert (sent.over, sent.transport.closed) == (1, False)


def test_a_stream_is_chunked() -> None:
    sent = Sent()
    sent.start()
    sent.body(b"x" * 16, more=True)
    sent.body(b"", more=True)
    sent.body(b"")
    assert sent.transport.writes == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n10\r\n"
        + b"x" * 16
        + b"\r\n",
        b"0\r\n\r\n",
    ]


def test_a_client_of_http_1_0_reads_to_the_end_of_the_connection() -> None:
    sent = Sent(version="1.0", keeps=False)
    sent.start()
    sent.body(b"one", more=True)
    sent.body(b"two")
    assert b"".join(sent.transport.writes).endswith(b"connection: close\r\n\r\nonetwo")
    assert sent.transport.closed


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_an_answer_without_a_body(method: str, status: int) -> None:
    sent = Sent(method)
    sent.start(length(2), status=status)
    sent.body(b"ok")
    assert b"".join(sent.transport.writes).endswith(b"content-length: 2\r\n\r\n")
    assert sent.over == 1


def test_the_application_may_end_the_connection() -> None:
    sent = Sent()
    sent.start((b"connection", b"close"), length(0))
    sent.body(b"")
    assert sent.transport.writes[0].count(b"connection:") == 1
    assert sent.transport.closed


@pytest.mark.parametrize(
    ("first", "last"), [(b"", b"too long"), (b"", b"1"), (b"1", b""), (b"1", b"23")]
)
def test_a_body_of_another_length_is_not_sent(first: bytes, last: bytes) -> None:
    sent = Sent()
    sent.start(length(2))
    sent.body(first, more=True)
    with pytest.raises(RuntimeError, match="content-length"):
        sent.body(last)
    assert sent.over == 0


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\0"])
def test_a_header_that_would_end_its_line_is_not_sent(value: bytes) -> None:
    sent = Sent()
    with pytest.raises(RuntimeError, match="control character"):
        sent.start((b"x-name", value))
    assert sent.transport.writes == []


def test_messages_out_of_order() -> None:
    sent = Sent()
    with pytest.raises(RuntimeError, match=r"http\.response\.body"):
        sent.body(b"x")
    sent.start(length(0))
    with pytest.raises(RuntimeError, match=r"http\.response\.start"):
        sent.start(length(0))
    sent.body(b"")
    with pytest.raises(RuntimeError, match=r"http\.response\.body"):
        sent.body(b"x")


def test_a_client_that_left_is_sent_nothing() -> None:
    sent = Sent()
    sent.cycle.disconnected = True
    sent.start(length(0))
    assert sent.transport.writes == []


def test_http_1_0_over_a_socket(stack: Stack) -> None:
    body = json.dumps(chat(stream=True)).encode()
    with stack.connect() as sock:
        sock.sendall(
            b"POST /v1/chat/completions HTTP/1.0\r\nHost: h\r\nAuthorization: Bearer %b\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (stack.key.encode(), len(body), body)
        )
        got = b""
        while data := sock.recv(65536):
            got += data
    assert b"transfer-encoding" not in got
    assert got.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("path", "headers", "named"),
    [
        ("/v1/models", {}, "data"),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, "data"),
        ("/v1beta/models", {}, "models"),
    ],
)
def test_the_lists_of_models(stack: Stack, path: str, headers: dict[str, str], named: str) -> None:
    key = {"authorization": f"Bearer {stack.key}"}
    told = httpx.get(f"{stack.url}{path}", headers=key | headers)
    assert told.status_code == 200
    entry = told.json()[named][0]
    assert entry["nexus"]["targets"]
    assert httpx.get(f"{stack.url}{path}", headers=headers).status_code == 401


def test_one_model_by_its_name(stack: Stack) -> None:
    with stack.openai() as client:
        found = client.models.retrieve("gpt-4o")
        assert found.id == "gpt-4o"
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("nothing")
    assert caught.value.code == "model_not_found"
    with stack.anthropic() as other:
        assert other.models.retrieve("claude-opus-5").id == "claude-opus-5"
