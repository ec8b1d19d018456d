"""Every way an exchange can fail, as the failure that the pipeline sees."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.upstream import failures
from nexus_sdk.drivers.upstream.failures import explain
from nexus_sdk.model import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.model import Upstream

type Serve = Callable[[Callable[[Any], object]], Any]
type To = Callable[..., Upstream]

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def then_close(data: bytes) -> Callable[[Any], None]:
    def handler(peer: Any) -> None:
        peer.hear()
        peer.say(data)
        peer.sock.close()

    return handler


def then_reset(data: bytes) -> Callable[[Any], None]:
    def handler(peer: Any) -> None:
        peer.hear()
        peer.say(data)
        peer.reset()

    return handler


def then_wait(data: bytes) -> Callable[[Any], None]:
    def handler(peer: Any) -> None:
        peer.hear()
        peer.say(data)
        peer.wait_gone()

    return handler


CASES = {
    "reset before an answer": (then_reset(b""), "connect", "was reset"),
    "closed before an answer": (then_close(b""), "connect", "without an answer"),
    "cut in the head": (then_close(HEAD + b"x-a: 1\r\n"), "truncated", "inside a response"),
    "short of its length": (
        then_close(HEAD + b"content-length: 9\r\n\r\nfour"),
        "truncated",
        "inside",
    ),
    "reset in the body": (
        then_reset(HEAD + b"content-length: 9\r\n\r\nfour"),
        "truncated",
        "response",
    ),
    "cut between chunks": (then_close(CHUNKED + b"2\r\nab\r\n"), "truncated", "inside"),
    "cut in a chunk": (then_close(CHUNKED + b"9\r\nab"), "truncated", "inside"),
    "not HTTP": (then_close(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol", "does not answer in HTTP/1.1"),
    "HTTP/2": (then_close(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "protocol", "HTTP/1.1"),
    "two lengths": (
        then_close(HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        "protocol",
        "content-length",
    ),
    "a bad chunk": (then_close(CHUNKED + b"zz\r\nab"), "protocol", "chunk"),
    "silence": (then_wait(b""), "timeout", "silent for longer than the 0.15 s"),
    "silence in the head": (then_wait(HEAD), "timeout", "silent"),
    "silence in the body": (
        then_wait(HEAD + b"content-length: 9\r\n\r\nfour"),
        "timeout",
        "silent",
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_peer_does_wrong_is_a_failure_of_its_kind(
    serve: Serve, side: Any, to: To, name: str, stream: bool
) -> None:
    handler, kind, words = CASES[name]
    served = serve(handler)
    reply, body = side.send(to(served, read_s=0.15, stream=stream))
    assert isinstance(reply, Failure)
    assert (reply.kind, body) == (kind, None)
    assert words in reply.reason
    assert f"127.0.0.1:{served.port}" in reply.reason
    assert "CANARY" not in reply.reason


def test_a_closed_port_is_a_connect_failure(side: Any, to: To, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    served = serve(lambda peer: None)
    served.port = port
    reply, _ = side.send(to(served))
    assert reply == Failure("connect", f"127.0.0.1:{port} refused the connection")


def test_the_total_bounds_an_answer_that_drips(serve: Serve, side: Any, to: To) -> None:
    def drip(peer: Any) -> None:
        peer.hear()
        peer.say(HEAD + b"content-length: 100000\r\n\r\n")
        peer.sock.settimeout(0.02)
        while True:
            peer.say(b"x")
            try:
                if not peer.sock.recv(1):
                    return
            except TimeoutError:
                continue

    reply, _ = side.send(to(serve(drip), total_s=0.2, read_s=0.15))
    assert isinstance(reply, Failure)
    assert reply.kind == "timeout"
    assert "0.2 s allowed in total" in reply.reason


def test_a_peer_that_takes_no_bytes_is_silent_too(serve: Serve, side: Any, to: To) -> None:
    done = threading.Event()
    served = serve(lambda peer: done.wait(10))
    reply, _ = side.send(to(served, body=bytes(32 << 20), read_s=0.15))
    done.set()
    assert isinstance(reply, Failure)
    assert reply.kind == "timeout"
    assert "silent" in reply.reason


def test_none_waits_as_long_as_it_takes(serve: Serve, side: Any, to: To) -> None:
    served = serve(lambda peer: (peer.hear(), peer.answer()))
    assert side.send(to(served, read_s=None, total_s=None, connect_s=None))[0].body == b"ok"


def test_a_name_that_does_not_resolve(make_side: Any, to: To, serve: Serve) -> None:
    def lookup(name: str, port: int) -> tuple[str, ...]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    from dataclasses import replace

    call = replace(to(serve(lambda peer: None)), url="https://api.example.invalid/v1?key=CANARY")
    reply, _ = make_side(lookup=lookup).send(call)
    assert reply == Failure("connect", "the name of api.example.invalid:443 could not be resolved")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ssl.SSLCertVerificationError(1, "x"), "tls"),
        (ssl.SSLError(1, "x"), "tls"),
        (socket.gaierror(-2, "x"), "connect"),
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "connect"),
        (BrokenPipeError(), "connect"),
        (OSError(113, "No route to host"), "connect"),
    ],
)
def test_every_row_of_the_table_is_used(error: OSError, kind: str) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    failure = explain(error, "host:1")
    assert failure.kind == kind
    assert "host:1" in failure.reason
    row = next(row for row in failures.TABLE if isinstance(error, row[0]))
    others = [cls for cls, *_ in failures.TABLE if cls is not row[0] and issubclass(row[0], cls)]
    assert all(
        failures.TABLE.index(row) < [r[0] for r in failures.TABLE].index(cls) for cls in others
    )
