"""AWS's client, `boto3`, through a sidecar: Bedrock Runtime's Converse and ConverseStream."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from tests.sidecar.certificates import self_signed
from tests.sidecar.clients.doors import (
    ANSWER,
    BEGUN,
    CALL,
    FORBIDDEN,
    LOOK_UP,
    OPENAI,
    PNG,
    PNG_BASE64,
    SAID,
    SOMEBODY,
    TELLTALE,
    UPSTREAMS,
    Doors,
    Person,
)

from nexus_sidecar.server import Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ONCE: Any = {"total_max_attempts": 1}
TOOLS = {"tools": [{"toolSpec": {"name": "look_up", "inputSchema": {"json": LOOK_UP}}}]}


def user(text: str, *more: Any) -> list[Any]:
    return [{"role": "user", "content": [{"text": text}, *more]}]


class Making:
    """Makes clients, and closes them."""

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        self._url = url
        self._keys = keys
        self._made = ExitStack()

    def client(self, key: str = "good", retries: Any = ONCE, **more: Any) -> Any:
        """With a virtual key in the place of the access key's id."""
        given = {
            "region_name": "us-east-1",
            "endpoint_url": self._url,
            "aws_access_key_id": self._keys.get(key, key),
            "aws_secret_access_key": "unused",
            "config": Config(retries=retries),
            **more,
        }
        return self.kept(boto3.client("bedrock-runtime", **given))

    def kept(self, client: Any) -> Any:
        return self._made.enter_context(closing(client))

    def close(self) -> None:
        self._made.close()


@pytest.fixture
def making(doors: Doors) -> Iterator[Making]:
    with closing(Making(doors.url, doors.keys)) as made:
        yield made


@pytest.fixture
def client(making: Making) -> Any:
    return making.client()


def streamed(client: Any, **asked: Any) -> list[Any]:
    with closing(client.converse_stream(**asked)["stream"]) as stream:
        return list(stream)


def text_of(events: list[Any]) -> str:
    deltas = [event["contentBlockDelta"]["delta"] for event in events if is_delta(event)]
    return "".join(delta.get("text", "") for delta in deltas)


def is_delta(event: Any) -> bool:
    return "contentBlockDelta" in event


@UPSTREAMS
def test_converse(client: Any, model: str) -> None:
    got = client.converse(modelId=model, messages=user(SAID))
    assert got["output"]["message"] == {"role": "assistant", "content": [{"text": ANSWER}]}
    assert got["stopReason"] == "end_turn"
    assert got["usage"]["totalTokens"] > got["usage"]["inputTokens"] > 0


@UPSTREAMS
def test_converse_stream(client: Any, model: str) -> None:
    events = streamed(client, modelId=model, messages=user(SAID))
    assert events[0] == {"messageStart": {"role": "assistant"}}
    assert text_of(events) == ANSWER
    assert len(list(filter(is_delta, events))) > 2
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 0


@UPSTREAMS
def test_settings(doors: Doors, client: Any, model: str) -> None:
    got = client.converse(
        modelId=model,
        messages=user("one two three"),
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 1, "temperature": 0.5, "stopSequences": ["#"]},
    )
    assert got["stopReason"] == "max_tokens"
    assert "Be brief." in doors.seen()[-1].text


@UPSTREAMS
def test_tools(client: Any, model: str) -> None:
    asked: Any = {"modelId": model, "messages": user(CALL), "toolConfig": TOOLS}
    got = client.converse(**asked)
    assert got["stopReason"] == "tool_use"
    (use,) = [block["toolUse"] for block in got["output"]["message"]["content"]]
    assert (use["name"], use["input"]) == ("look_up", {"who": CALL})
    events = streamed(client, **asked)
    (start,) = [event["contentBlockStart"] for event in events if "contentBlockStart" in event]
    assert start["start"]["toolUse"]["name"] == "look_up"
    deltas = [event["contentBlockDelta"]["delta"] for event in filter(is_delta, events)]
    assert json.loads("".join(delta["toolUse"]["input"] for delta in deltas)) == use["input"]


@UPSTREAMS
def test_the_result_of_a_tool(client: Any, model: str) -> None:
    messages = user(CALL)
    got = client.converse(modelId=model, messages=messages, toolConfig=TOOLS)
    message = got["output"]["message"]
    result = {
        "toolUseId": message["content"][0]["toolUse"]["toolUseId"],
        "content": [{"text": "found her"}],
    }
    messages += [message, {"role": "user", "content": [{"toolResult": result}]}]
    final = client.converse(modelId=model, messages=messages, toolConfig=TOOLS)
    assert final["output"]["message"]["content"] == [{"text": "The tool said: found her"}]


@UPSTREAMS
def test_structured_output(client: Any, model: str) -> None:
    schema = Person.model_json_schema() | {"additionalProperties": False}
    wanted = {"jsonSchema": {"name": "person", "schema": json.dumps(schema)}}
    got = client.converse(
        modelId=model,
        messages=user(SOMEBODY),
        outputConfig={"textFormat": {"type": "json_schema", "structure": wanted}},
    )
    (block,) = got["output"]["message"]["content"]
    assert Person.model_validate_json(block["text"]).age == 7


@UPSTREAMS
def test_vision(doors: Doors, client: Any, model: str) -> None:
    picture = {"image": {"format": "png", "source": {"bytes": PNG}}}
    got = client.converse(modelId=model, messages=user("What is it?", picture))
    assert got["output"]["message"]["content"] == [{"text": "You said: What is it?"}]
    assert PNG_BASE64 in doors.seen()[-1].text


# ---- where the virtual key goes ------------------------------------------------------------------


def test_in_the_variables_of_the_environment(
    doors: Doors, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application need not be changed at all."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": doors.key,
        "AWS_SECRET_ACCESS_KEY": "unused",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": doors.url,
    }.items():
        monkeypatch.setenv(name, value)
    client = making.kept(boto3.Session().client("bedrock-runtime"))
    got = client.converse(modelId=OPENAI, messages=user(SAID))
    assert got["output"]["message"]["content"] == [{"text": ANSWER}]


def test_beside_credentials_of_aws(doors: Doors, making: Making) -> None:
    """The credentials are no key here, and go nowhere."""

    def add(request: Any, **_: Any) -> None:
        request.headers["x-nexus-virtual-key"] = doors.key

    client = making.client("AKIAIOSFODNN7EXAMPLE", aws_session_token="the-session")
    client.meta.events.register("before-send.bedrock-runtime.*", add)
    got = client.converse(modelId=OPENAI, messages=user(SAID))
    assert got["output"]["message"]["content"] == [{"text": ANSWER}]
    sent = json.dumps(dict(doors.seen()[-1].headers))
    assert "AKIAIOSFODNN7EXAMPLE" not in sent
    assert "the-session" not in sent


def test_in_the_place_of_a_signature(doors: Doors, making: Making) -> None:
    def add(request: Any, **_: Any) -> None:
        request.headers["authorization"] = f"Bearer {doors.key}"

    client = making.client(config=Config(signature_version=UNSIGNED, retries=ONCE))
    client.meta.events.register("before-send.bedrock-runtime.*", add)
    got = client.converse(modelId=OPENAI, messages=user(SAID))
    assert got["output"]["message"]["content"] == [{"text": ANSWER}]


def test_as_bedrock_s_own_api_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the client sends over TLS only."""
    certificate = self_signed(tmp_path)
    options = Options(port=0, certificate=certificate, key=certificate)
    with Doors(tmp_path, options) as secure:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", secure.key)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        made = boto3.Session().client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=secure.url,
            verify=str(certificate),
        )
        with closing(made) as client:
            assert text_of(streamed(client, modelId=OPENAI, messages=user(SAID))) == ANSWER
        secure.check()


# ---- what the policy does ------------------------------------------------------------------------


def refused(client: Any, model: str, text: str) -> list[ClientError]:
    """The error of a whole answer, and that of a stream."""
    found = []
    for operation in (client.converse, client.converse_stream):
        with pytest.raises(ClientError) as caught:
            operation(modelId=model, messages=user(text))
        found.append(caught.value)
    return found


def facts(error: ClientError) -> tuple[Any, Any]:
    told: Any = error.response
    assert told["Error"]["Message"]
    return told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]


def test_a_blocked_prompt(doors: Doors, client: Any) -> None:
    for error in refused(client, OPENAI, FORBIDDEN):
        assert isinstance(error, client.exceptions.AccessDeniedException)
        assert facts(error) == (403, "AccessDeniedException")
        assert "own.project" in str(error)
    assert doors.seen() == ()


def test_a_blocked_answer(client: Any) -> None:
    """As the status, and in a stream as an exception, behind what could be said."""
    with pytest.raises(client.exceptions.AccessDeniedException):
        client.converse(modelId=TELLTALE, messages=user("hi"))
    events: list[Any] = []
    with (
        closing(client.converse_stream(modelId=TELLTALE, messages=user("hi"))["stream"]) as stream,
        pytest.raises(EventStreamError, match=r"own\.project"),
    ):
        events.extend(stream)
    assert text_of(events) == BEGUN


def test_a_limit(doors: Doors, making: Making) -> None:
    client = making.client("spent")
    for error in refused(client, OPENAI, SAID):
        assert isinstance(error, client.exceptions.ThrottlingException)
        assert facts(error) == (429, "ThrottlingException")
        assert "one-token" in str(error)
    assert doors.seen() == ()


def test_a_wrong_key_and_an_unknown_model(making: Making, client: Any) -> None:
    for key in ("nvk_wrong", "AKIAIOSFODNN7EXAMPLE"):
        for error in refused(making.client(key), OPENAI, SAID):
            assert facts(error) == (401, "AccessDeniedException")
    for error in refused(client, "anthropic.claude-v9:0", SAID):
        assert isinstance(error, client.exceptions.ResourceNotFoundException)
        assert facts(error) == (404, "ResourceNotFoundException")


def test_a_client_that_tries_again(doors: Doors, making: Making) -> None:
    client = making.client(retries={"total_max_attempts": 2})
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId="busy", messages=user(SAID))
    assert len(doors.seen()) == 2


def test_a_client_that_tries_again_what_the_policy_refused(making: Making) -> None:
    client = making.client("spent", retries={"total_max_attempts": 2})
    with pytest.raises(client.exceptions.ThrottlingException) as caught:
        client.converse(modelId=OPENAI, messages=user(SAID))
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize("model", ["broken", "cut"])
def test_an_upstream_that_fails(client: Any, model: str) -> None:
    """Before the first byte: as the status."""
    with pytest.raises(client.exceptions.InternalServerException):
        streamed(client, modelId=model, messages=user(SAID))


def test_a_stream_that_breaks_is_no_whole_one(client: Any) -> None:
    """After the first byte: as an exception in the stream."""
    with pytest.raises(EventStreamError) as caught:
        streamed(client, modelId="error-event", messages=user(SAID))
    assert "internalServerException" in str(caught.value)


def test_an_operation_that_is_not_served(client: Any) -> None:
    with pytest.raises(ClientError) as caught:
        client.invoke_model(modelId=OPENAI, body=b"{}")
    assert facts(caught.value) == (404, "ResourceNotFoundException")
