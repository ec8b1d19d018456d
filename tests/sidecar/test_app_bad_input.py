"""What is malformed, through the sidecar and in process: a typed error, one event, nothing sent."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from tests.sidecar.app_stack import MAX_BODY, Answered, chat, policy, settings
from tests.sidecar.bad_input import BODIES, BROKEN_STREAMS, FAULTS, GOOD, ODD_STREAMS

from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.nexus import Nexus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sidecar.app_stack import Stack

    from nexus_sdk.model import Event

PATH = "/v1/chat/completions"


class InProcess:
    """An httpx client under the same policy, with the names of a `Stack`."""

    def __init__(self, nexus: Nexus, models: ModelServer, noted: list[Event]) -> None:
        self.models = models
        self._noted = noted
        self.http = httpx.Client(transport=nexus.transport(), base_url=models.url)

    def post(self, path: str, body: Any, **headers: str) -> Answered:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", "authorization": "Bearer sk-own"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        got = self.http.post(path, content=content, headers=sent)
        return Answered(got.status_code, dict(got.headers), got.content)

    def events(self, since: int = 0) -> list[Event]:
        return self._noted[since:]


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    noted: list[Event] = []
    folder = tmp_path_factory.mktemp("process")
    with (
        ModelServer() as models,
        Nexus(policy(models.url), settings=settings(folder), observe=noted.append) as nexus,
    ):
        made = InProcess(nexus, models, noted)
        with made.http:
            yield made


@pytest.fixture(params=["sidecar", "in process"])
def door(request: pytest.FixtureRequest, stack: Stack, in_process: InProcess) -> Stack | InProcess:
    in_process.models.clear()
    return stack if request.param == "sidecar" else in_process


def refused(answered: Answered, code: str) -> None:
    error = answered.doc["error"]
    assert error["code"] == answered.headers["x-nexus-error"] == code
    assert error["message"]
    assert error["type"]


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused(door: Stack | InProcess, name: str) -> None:
    status, code, body = BODIES[name]
    before = len(door.events())
    answered = door.post(PATH, body)
    assert answered.status == status
    refused(answered, code)
    (event,) = door.events(before)
    assert event["status"] == status
    assert event["error"]["code"] == code
    assert door.models.requests == ()


def test_a_compressed_body_is_not_unpacked(door: Stack | InProcess) -> None:
    before = len(door.events())
    bomb = gzip.compress(b" " * 30_000_000)
    assert len(bomb) < MAX_BODY
    answered = door.post(PATH, bomb, content_encoding="gzip")
    assert answered.status == 400
    refused(answered, "unsupported_encoding")
    assert len(door.events(before)) == 1
    assert door.models.requests == ()


def test_a_body_that_is_too_large(stack: Stack, in_process: InProcess) -> None:
    """The gate refuses it unread, which is counted and no event; in process it is one."""
    large = GOOD + b" " * MAX_BODY
    before = len(stack.events()), len(in_process.events())
    metric = 'nexus_refused_total{code="payload_too_large"}'
    counted = stack.metric(metric)
    for door in (stack, in_process):
        answered = door.post(PATH, large)
        assert answered.status == 413
        assert answered.doc["error"]["code"] == "payload_too_large"
    assert stack.events(before[0]) == []
    assert stack.metric(metric) == counted + 1
    (event,) = in_process.events(before[1])
    assert event["error"]["code"] == "payload_too_large"


@pytest.mark.parametrize("name", FAULTS)
def test_an_upstream_that_fails(stack: Stack, name: str) -> None:
    before = len(stack.events())
    answered = stack.post(PATH, chat(model=name))
    assert answered.status == FAULTS[name]
    assert answered.doc["error"]["message"]
    (event,) = stack.events(before)
    assert event["status"] == FAULTS[name]
    if FAULTS[name] == 502:
        refused(answered, "upstream_failed")
    if name == "busy":
        assert answered.headers["retry-after"] == "7"


@pytest.mark.parametrize("name", FAULTS)
def test_an_upstream_that_fails_a_caller_of_messages(stack: Stack, name: str) -> None:
    before = len(stack.events())
    answered = stack.post("/v1/messages", chat(model=name, max_tokens=9))
    assert answered.status == FAULTS[name]
    assert answered.doc["type"] == "error"
    assert answered.doc["error"]["message"]
    assert len(stack.events(before)) == 1


def test_a_redirection_is_not_passed_on(stack: Stack) -> None:
    """The caller's client would follow it, with prompt and key, past the policy."""
    answered = stack.post(PATH, chat(model="redirect"))
    assert answered.status == 502
    assert "location" not in answered.headers


@pytest.mark.parametrize("name", ODD_STREAMS)
def test_a_stream_that_looks_odd(stack: Stack, name: str) -> None:
    before = len(stack.events())
    with stack.openai() as client:
        said = client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": "I am emp-123456"}], stream=True
        )
        text = "".join(c.choices[0].delta.content or "" for c in said if c.choices)
    assert text == "You said: I am emp-123456"
    (event,) = stack.events(before)
    assert (event["outcome"], event["restored"]) == ("complete", 1)


@pytest.mark.parametrize("name", BROKEN_STREAMS)
def test_a_stream_that_breaks_is_never_taken_for_a_whole_one(stack: Stack, name: str) -> None:
    before = len(stack.events())
    with stack.openai() as client, pytest.raises(openai.APIError):
        list(
            client.chat.completions.create(
                model=name, messages=[{"role": "user", "content": "a b c d e"}], stream=True
            )
        )
    (event,) = stack.events(before)
    cut_behind_words = name in {"not-utf8", "no-done"}
    assert event["outcome"] == ("truncated" if cut_behind_words else "failed")
    assert event["error"]["code"]
    assert b"[DONE]" not in stack.post(PATH, chat(model=name, stream=True)).body
