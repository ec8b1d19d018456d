"""A caller that goes away: its upstream call ends, and one event says so."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.sidecar.app_stack import Stack, chat, policy

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from nexus_sdk.demo.journal import Seen


def received(seen: tuple[Seen, ...]) -> bool:
    return len(seen) == 1


def left(seen: tuple[Seen, ...]) -> bool:
    return [one.outcome for one in seen] == ["left"]


def answered(seen: tuple[Seen, ...]) -> bool:
    return [one.outcome for one in seen] == ["answered"]


def recorded(stack: Stack, since: int) -> Any:
    """The one event since."""
    (event,) = stack.events(since, count=1)
    return event


def read_until(sock: socket.socket, wanted: bytes) -> bytes:
    got = b""
    while wanted not in got:
        data = sock.recv(65536)
        assert data, got
        got += data
    return got


@pytest.mark.parametrize("stream", [False, True])
def test_before_the_first_byte(stack: Stack, stream: bool) -> None:
    before = len(stack.events())
    with stack.send("/v1/chat/completions", chat(model="silent", stream=stream)):
        assert stack.models.wait_for(received)
    assert stack.models.wait_for(left)
    event = recorded(stack, before)
    assert (event["outcome"], event["status"]) == ("caller_left", 499)


@pytest.mark.parametrize("model", ["slow", "stuck"])
def test_in_the_middle_of_a_stream(stack: Stack, model: str) -> None:
    before = len(stack.events())
    with stack.send("/v1/chat/completions", chat(model=model, stream=True)) as sock:
        read_until(sock, b'"content":"w0 "')
    assert stack.models.wait_for(left)
    event = recorded(stack, before)
    assert event["outcome"] == "caller_left", event
    assert event["usage"]["estimated"]
    assert event["usage"]["output"] >= 1


def test_while_it_does_not_read(stack: Stack) -> None:
    """A stream larger than what the connection holds: it waits for its caller, and ends with it."""
    before = len(stack.events())
    with stack.send("/v1/chat/completions", chat(model="endless", stream=True)) as sock:
        read_until(sock, b'"content":"w0 "')
    assert stack.models.wait_for(left)
    assert recorded(stack, before)["outcome"] == "caller_left"


def test_after_the_answer_nothing_is_cancelled(stack: Stack) -> None:
    before = len(stack.events())
    with stack.send("/v1/chat/completions", chat()) as sock:
        read_until(sock, b"You said: hello")
    assert stack.models.wait_for(answered)
    assert recorded(stack, before)["outcome"] == "complete"


def test_a_connection_serves_the_next_request_after_a_stream(stack: Stack) -> None:
    with stack.send("/v1/chat/completions", chat(stream=True)) as sock:
        read_until(sock, b"data: [DONE]\n\n\r\n0\r\n\r\n")
        body = json.dumps(chat("again")).encode()
        sock.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %b\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (stack.key.encode(), len(body), body)
        )
        read_until(sock, b"You said: again")


def strict(url: str) -> Any:
    return policy(url, audit={"mode": "strict"})


def test_a_strict_trail_has_one_event_too(tmp_path: Path) -> None:
    with Stack(tmp_path, strict) as stack:
        for stream in (False, True):
            stack.models.clear()
            with stack.send("/v1/chat/completions", chat(model="silent", stream=stream)):
                assert stack.models.wait_for(received)
            assert stack.models.wait_for(left)
        stack.stop()
        assert [event["outcome"] for event in stack.recorded()] == ["caller_left"] * 2


class SlowDisk:
    """A spool whose strict events are never on disk. Everything else is the real one's."""

    def __init__(self, spool: Any) -> None:
        self._spool = spool
        self.cancelled = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spool, name)

    async def append_strict_async(self, event: Any) -> None:
        self._spool.append(event)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled.set()


def test_while_its_event_is_being_written(tmp_path: Path) -> None:
    with Stack(tmp_path, strict) as stack:
        slow: Any = SlowDisk(stack.sidecar.nexus.spool)
        stack.sidecar.nexus.spool = slow
        with stack.send("/v1/chat/completions", chat()):
            stack.events(count=1)
        assert slow.cancelled.wait(5)
        stack.stop()
        assert [event["outcome"] for event in stack.recorded()] == ["complete"]
