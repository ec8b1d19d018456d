"""The model server as a server: connections, what it keeps, its life as a thread and as a
process."""

from __future__ import annotations

import socket
import subprocess
import sys

import httpx
import pytest

from nexus_sdk.demo.journal import MAX_BODY_BYTES
from nexus_sdk.demo.model_server import ModelServer

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nX-Demo: %b\r\nContent-Length: %d\r\n\r\n"
BODY = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}'


def ask(said: bytes = b"abcdef", script: bytes = b"") -> bytes:
    body = BODY % said
    return HEAD % (script, len(body)) + body


SILENT = [b"hang", b"hang-after=9", b"delay=3600", b"chunk-delay=60"]


def connect(server: ModelServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def until(sock: socket.socket, mark: bytes, times: int = 1) -> bytes:
    got = b""
    while got.count(mark) < times:
        data = sock.recv(65536)
        assert data, f"closed after {got!r}"
        got += data
    return got


def test_pipelined_requests_are_answered_in_order(server: ModelServer) -> None:
    with connect(server) as sock:
        sock.sendall(ask(b"first") + ask(b"second", b"delay=0;split=9") + ask(b"third"))
        got = until(sock, b"You said: third")
    places = [got.index(word) for word in (b"first", b"third")]
    assert places == sorted(places)
    assert [seen.outcome for seen in server.requests[:2]] == ["answered", "answered"]


def test_a_request_in_single_bytes_is_understood(server: ModelServer) -> None:
    with connect(server) as sock:
        for byte in ask():
            sock.sendall(bytes([byte]))
        until(sock, b"You said: abcdef")


def test_a_client_that_asks_first_is_told_to_go_on(server: ModelServer) -> None:
    head, _, body = ask().partition(b"\r\n\r\n")
    with connect(server) as sock:
        sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        until(sock, b"100 Continue\r\n\r\n")
        sock.sendall(body)
        until(sock, b"You said: abcdef")


def test_a_client_that_wants_no_more_is_let_go(server: ModelServer) -> None:
    with connect(server) as sock:
        sock.sendall(ask().replace(b"Host: h", b"Connection: close"))
        until(sock, b"You said")
        while sock.recv(65536):
            pass


def test_what_is_no_http_is_refused_and_closed(server: ModelServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n" + ask())
        got = until(sock, b"not a request line")
        assert got.startswith(b"HTTP/1.1 400 ")
        assert sock.recv(65536) == b""
    assert server.requests == ()


@pytest.mark.parametrize("script", SILENT)
def test_a_client_that_leaves_is_noticed(server: ModelServer, script: bytes) -> None:
    with connect(server) as sock:
        sock.sendall(ask(script=script + b";split=9"))
        assert server.wait_for(lambda seen: len(seen) == 1)
        assert server.requests[0].outcome == ""
    assert server.wait_for(lambda seen: seen[0].outcome == "left")


def test_an_answer_larger_than_the_sockets_buffers_arrives_whole(server: ModelServer) -> None:
    said = b"x" * 7_000_000
    with connect(server) as sock:
        sock.sendall(ask(said, b"split=65536;chunk-delay=0"))
        assert server.wait_for(lambda seen: len(seen) == 1)
        got = bytearray()
        while not got.endswith(b"\r\n0\r\n\r\n"):
            got += sock.recv(1 << 20)
    assert len(got) > len(said)
    assert server.wait_for(lambda seen: seen[0].outcome == "answered")
    assert len(server.requests[0].body) == MAX_BODY_BYTES


def test_what_was_received_can_be_looked_at(server: ModelServer) -> None:
    with httpx.Client(base_url=server.url, headers={"authorization": "Bearer secret"}) as client:
        body = {"model": "m", "messages": [{"role": "user", "content": "my address"}]}
        client.post("/v1/chat/completions?a=b", json=body)
        client.post("/v1/messages", content=b"\xff")
        first, second = client.get("/_seen").json()["requests"]
        assert (first["method"], first["path"]) == ("POST", "/v1/chat/completions?a=b")
        assert first["headers"]["authorization"] == "Bearer secret"
        assert "my address" in first["body"]
        assert first["outcome"] == "answered"
        assert second["body"] == "\ufffd"
        newer = client.get("/_seen", params={"since": first["number"]}).json()["requests"]
        assert [seen["number"] for seen in newer] == [second["number"]]
        assert client.get("/_seen?since=x").status_code == 400
        assert client.delete("/_seen").status_code == 204
        assert client.get("/_seen").json() == {"requests": []}
    assert server.requests == ()


def test_only_the_newest_requests_are_kept() -> None:
    with ModelServer(keep=2) as server, httpx.Client(base_url=server.url) as client:
        for name in "abc":
            client.get(f"/{name}")
        assert [seen.path for seen in server.requests] == ["/b", "/c"]
        assert not server.wait_for(lambda seen: len(seen) > 2, timeout_s=0)


def test_a_server_can_be_stopped_twice_and_its_port_taken_again() -> None:
    server = ModelServer()
    url = server.start()
    port = int(url.rpartition(":")[2])
    with connect(server) as sock:
        sock.sendall(ask(script=b"hang"))
        assert server.wait_for(lambda seen: len(seen) == 1)
        server.stop()
        assert sock.recv(1) == b""
    server.stop()
    with ModelServer(port) as again:
        assert again.url == url
        with pytest.raises(OSError, match="in use"):
            ModelServer(port).start()


def test_a_process_of_its_own_prints_its_url_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "nexus_sdk.demo.model_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/v1/models").json()["object"] == "list"
        process.terminate()
        assert process.wait(10) == 0
