"""What a script does to an answer, seen by a client over a real connection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.demo.model_server import ModelServer

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(server: ModelServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


def ask(client: httpx.Client, script: str, **fields: Any) -> httpx.Response:
    path = "/v1/chat/completions"
    return client.post(path, json=BODY | fields, headers={"x-demo": script})


def content(raw: bytes) -> str:
    """The text of a chat stream."""
    lines = [line for line in raw.decode().splitlines() if line.startswith("data: {")]
    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in lines]
    return "".join(delta.get("content") or "" for delta in deltas)


def test_the_first_requests_fail_and_the_next_one_does_not(client: httpx.Client) -> None:
    script = "status=429;retry-after=1;retry-after-ms=900;code=slow_down;times=2"
    answers = [ask(client, script) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[0].headers["retry-after-ms"] == "900"
    assert answers[0].json()["error"]["type"] == "rate_limit_error"
    assert answers[0].json()["error"]["code"] == "slow_down"
    client.delete("/_seen")
    assert ask(client, script).status_code == 429


def test_a_redirect(client: httpx.Client) -> None:
    answer = ask(client, "status=307;location=http://169.254.169.254/")
    assert (answer.status_code, answer.headers["location"]) == (307, "http://169.254.169.254/")


@pytest.mark.parametrize("stream", [False, True])
def test_what_stands_in_the_place_of_an_answer(client: httpx.Client, *, stream: bool) -> None:
    usual = "text/event-stream; charset=utf-8" if stream else "application/json"
    html = ask(client, "html", stream=stream)
    assert (html.status_code, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    garbage = ask(client, "garbage", stream=stream)
    assert (garbage.headers["content-type"], garbage.content[:2]) == (usual, b"\x00\x01")
    empty = ask(client, "empty", stream=stream)
    assert (empty.status_code, empty.headers["content-type"], empty.content) == (200, usual, b"")
    error = ask(client, "error-in-200", stream=stream)
    assert (error.status_code, error.headers["content-type"]) == (200, usual)
    assert error.json()["error"]["type"] == "server_error"


def test_a_content_type_of_choice(client: httpx.Client) -> None:
    answer = ask(client, "content-type=text/plain%3B%20charset=latin-1", stream=True)
    assert answer.headers["content-type"] == "text/plain; charset=latin-1"


@pytest.mark.parametrize("reset", ["", ";reset"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_is_a_broken_transfer(server: ModelServer, *, stream: bool, reset: str) -> None:
    with httpx.Client(base_url=server.url) as client, pytest.raises(httpx.TransportError):
        ask(client, f"cut-after=120{reset}", stream=stream)
    assert server.wait_for(lambda seen: seen[-1].outcome == "cut")


def test_a_byte_that_is_not_utf8(client: httpx.Client) -> None:
    for stream in (False, True):
        raw = ask(client, "nonutf8", stream=stream).content
        assert b"\xff" in raw
        assert b"\xee\x80\x80" not in raw


def test_what_an_answer_can_lack(client: httpx.Client) -> None:
    script = "role-less;no-finish;no-usage;no-done"
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    raw = ask(client, script, **asked).text
    assert content(raw.encode()) == "You said: hello"
    for missing in ('"role"', '"stop"', "prompt_tokens", "[DONE]"):
        assert missing not in raw
    whole = ask(client, script).json()
    assert whole["choices"][0]["finish_reason"] is None
    assert "usage" not in whole


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_the_other_formats_can_lack_it_too(client: httpx.Client, path: str) -> None:
    script = {"x-demo": "no-finish;no-usage;no-done"}
    asked = BODY | {"stream": True, "max_tokens": 50, "input": "hello"}
    raw = client.post(path, json=asked, headers=script).text
    for missing in ("response.completed", "message_stop", "message_delta", '"input_tokens"'):
        assert missing not in raw
    whole = client.post(path, json=BODY | {"input": "x"}, headers=script).json()
    assert whole.get("usage") is None


@pytest.mark.parametrize("script", ["split=1", "split=7;chunk-delay=0", "gzip;split=5", "eof"])
def test_however_it_is_cut_the_stream_is_the_same(client: httpx.Client, script: str) -> None:
    assert content(ask(client, script, stream=True).content) == "You said: hello"


def test_a_number_of_chunks(client: httpx.Client) -> None:
    raw = ask(client, "chunks=250", stream=True).text
    assert raw.count('"content":"w') == 250


def test_a_forced_finish(client: httpx.Client) -> None:
    answer = ask(client, "finish=content_filter;say=stop%20there").json()
    assert answer["choices"][0]["finish_reason"] == "content_filter"
    assert answer["choices"][0]["message"]["content"] == "stop there"


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v1/chat/completions", {"model": "m"}, "does not fit /chat/completions"),
        ("/v1/chat/completions", [], "no attribute"),
        ("/v1/chat/completions", {"model": "m;nope"}, "no behaviour is called 'nope'"),
        ("/v1/messages", {"model": "m"}, "does not fit /messages"),
        ("/v1/embeddings", {"model": "m"}, "does not fit /embeddings"),
    ],
)
def test_a_wrong_body_is_a_400(client: httpx.Client, path: str, body: Any, says: str) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


def test_an_unknown_path_is_a_404(client: httpx.Client) -> None:
    assert client.get("/v1/nothing").status_code == 404
    assert client.get("/v1/chat/completions").status_code == 404
    assert client.get("/v1/messages").json()["type"] == "error"
