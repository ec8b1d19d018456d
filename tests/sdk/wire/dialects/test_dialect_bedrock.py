"""Converse: judged by botocore's service model and read by boto3's client."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.validate import ParamValidator
from tests.cutting import cuts
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, answer, asked, chunk, message_of

from nexus_sdk.errors import (
    Blocked,
    LimitExceeded,
    Malformed,
    NexusError,
    NotFound,
    Unsupported,
    UpstreamFailed,
)
from nexus_sdk.wire import aws_events
from nexus_sdk.wire.dialect import ErrorFacts
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.bedrock import names, words
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEDROCK = DIALECTS["bedrock"]
SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
FREE = {"json", "input", "additionalModelRequestFields"}


def blobs(node: Any) -> Any:
    """A body as boto3's callers give it: binary members are bytes."""
    if isinstance(node, list):
        return [blobs(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        binary = key in {"bytes", "redactedContent"} and isinstance(value, str)
        out[key] = base64.b64decode(value) if binary else value if key in FREE else blobs(value)
    return out


def valid(body: Any) -> None:
    """Raises unless Converse's own input shape has this body."""
    shape = SERVICE.operation_model("Converse").input_shape
    report = ParamValidator().validate({"modelId": "m"} | blobs(body), shape)
    assert not report.has_errors(), report.generate_report()


class Raw:
    """A body as botocore's HTTP layer hands it over."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        yield self._body

    def close(self) -> None:
        pass


class Client:
    """boto3's client, whose requests are answered here."""

    def __init__(self, body: bytes, status: int = 200, content_type: str = "application/json"):
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        config = Config(retries={"total_max_attempts": 1})
        client: Any = boto3.client(
            "bedrock-runtime", region_name="eu-west-1", config=config, **keys
        )
        self._answer = (status, {"content-type": content_type}, Raw(body))
        client.meta.events.register("before-send.bedrock-runtime", self._send)
        self.sent: Any = None
        self.client = client

    def _send(self, request: Any, **kwargs: Any) -> AWSResponse:
        self.sent = request
        return AWSResponse(request.url, *self._answer)


def whole(body: Any, status: int = 200) -> Any:
    return Client(json.dumps(body).encode(), status).client.converse(modelId="m", messages=[])


def streamed(events: list[StreamEvent]) -> list[Any]:
    raw = b"".join(aws_events.wire(event) for event in events)
    client = Client(raw, content_type=aws_events.CONTENT_TYPE).client
    return list(client.converse_stream(modelId="m", messages=[])["stream"])


# ---- requests


def sent_to_bedrock() -> list[Path]:
    made = sorted((golden.ROOT / "requests").rglob("*.to.bedrock.json"))
    own = [path for path in golden.cases("requests") if path.parent.name == "bedrock"]
    return own + [path for path in made if "body" in golden.load(path)]


@pytest.mark.parametrize("path", sent_to_bedrock(), ids=golden.name)
def test_what_we_send_is_of_the_services_shape(path: Path) -> None:
    doc = golden.load(path)
    valid(doc["body"] if ".to." in path.name else doc)


def test_some_requests_of_every_dialect_are_sent() -> None:
    assert {path.parent.name for path in sent_to_bedrock()} == set(golden.CHATS)


@pytest.mark.parametrize(
    "source",
    [path for path in golden.cases("requests") if path.parent.name == "bedrock"],
    ids=golden.name,
)
def test_what_boto3_sends_is_read(source: Path) -> None:
    doc = golden.load(source)
    client = Client(b"{}")
    client.client.converse(modelId=CLAUDE, **blobs(doc))
    assert client.sent.url.endswith(
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    )
    sent = json.loads(client.sent.body)
    assert sent == doc
    BEDROCK.read(sent)


def test_unions_that_the_service_knows_are_known() -> None:
    """Every content block, stop reason and format of the service model is ours too."""
    shape = SERVICE.operation_model("Converse").input_shape
    block = shape.members["messages"].member.members["content"].member
    assert set(block.members) == set(words.BLOCK)
    reasons = SERVICE.operation_model("Converse").output_shape.members["stopReason"].enum
    assert set(reasons) == {*words.FINISH, *words.FINISH_FINER}
    formats = {
        kind: set(block.members[kind].members["format"].enum)
        for kind in ("image", "document", "video", "audio")
    }
    assert formats["image"] == set(words.IMAGES)
    assert formats["document"] == set(words.DOCUMENTS)
    assert formats["video"] == set(words.VIDEOS)
    assert formats["audio"] == set(words.AUDIO_FORMATS)
    assert set(shape.members) - {"modelId"} == set(words.FIELDS)


# ---- answers


@pytest.mark.parametrize("source", golden.cases("answers"), ids=golden.name)
def test_boto3_reads_our_answers(source: Path) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    body = BEDROCK.encode_response(chat, golden.reply())
    shape = SERVICE.operation_model("Converse").output_shape
    assert set(shape.required_members) <= body.keys()
    told = whole(body)
    assert told["output"]["message"] == blobs(body["output"]["message"])
    assert told["stopReason"] == body["stopReason"]
    assert told["usage"].items() <= body["usage"].items()
    report = ParamValidator().validate(
        {key: told[key] for key in shape.members if key in told}, shape
    )
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("source", golden.cases("streams"), ids=golden.name)
def test_boto3_reads_our_streams(source: Path) -> None:
    told = golden.chunks(source.parent.name, golden.events(source.read_bytes()))
    events = golden.encoded("bedrock", told)
    read = streamed(events)
    assert [next(iter(one)) for one in read] == [event.name for event in events]
    text = "".join(
        one["contentBlockDelta"]["delta"].get("text", "")
        for one in read
        if "contentBlockDelta" in one
    )
    message = golden.merged(told)["choices"][0]["message"]
    assert text == (message.get("content") or "") + (message.get("refusal") or "")
    assert read[-1]["metadata"]["usage"]["outputTokens"] == 42
    shape = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
    for one in read:
        ((name, value),) = one.items()
        report = ParamValidator().validate(value, shape.members[name])
        assert not report.has_errors(), report.generate_report()


OWN_STREAMS = [path for path in golden.cases("streams") if path.parent.name == "bedrock"]


@pytest.mark.parametrize("source", OWN_STREAMS, ids=golden.name)
def test_a_stream_survives_its_own_codec_block_by_block(source: Path) -> None:
    events = golden.events(source.read_bytes())
    back = golden.encoded("bedrock", golden.chunks("bedrock", events))
    assert joined(back) == joined(events)


def joined(events: list[StreamEvent]) -> list[Any]:
    """The events without padding, pieces of one text as one, and without an input of nothing."""
    out: list[Any] = []
    for event in events:
        doc = {key: value for key, value in copy.deepcopy(event.doc).items() if key != "p"}
        piece = doc.get("delta", {})
        if piece == {"toolUse": {"input": "{}"}}:
            continue
        last = out[-1][1].get("delta", {}) if out else {}
        if "text" in piece and "text" in last:
            last["text"] += piece["text"]
        elif "toolUse" in piece and "toolUse" in last:
            last["toolUse"]["input"] += piece["toolUse"]["input"]
        elif "text" in piece.get("reasoningContent", {}) and "reasoningContent" in last:
            last["reasoningContent"]["text"] += piece["reasoningContent"]["text"]
        else:
            out.append((event.name, doc))
    return out


@pytest.mark.parametrize("source", OWN_STREAMS, ids=golden.name)
def test_a_stream_in_messages_reads_the_same_however_it_is_cut(source: Path) -> None:
    events = golden.events(source.read_bytes())
    given = [(event.name, event.data) for event in events]
    raw = b"".join(aws_events.wire(StreamEvent(*event)) for event in given)
    for pieces in cuts(raw):
        decoder = aws_events.Decoder()
        told = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
        assert [(event.name, event.data) for event in told] == given


@pytest.mark.parametrize("source", OWN_STREAMS, ids=golden.name)
def test_a_stream_that_is_cut_has_no_end(source: Path) -> None:
    """At every byte: either the codec says that a message is cut, or the end mark is missing. What
    follows the end mark is counts."""
    events = golden.events(source.read_bytes())[:-1]
    assert events[-1].name == "messageStop"
    raw = b"".join(aws_events.wire(StreamEvent(event.name, event.data)) for event in events)
    ends = {0}
    for event in events:
        ends.add(max(ends) + len(aws_events.wire(StreamEvent(event.name, event.data))))
    for end in range(len(raw)):
        decoder = aws_events.Decoder()
        told = decoder.feed(raw[:end])
        assert not any(BEDROCK.terminal(event) for event in told)
        if end not in ends:
            with pytest.raises(UpstreamFailed, match="inside a message"):
                decoder.close()


# ---- errors

REFUSALS: list[tuple[NexusError, str, str]] = [
    (Malformed("no such n", param="n"), "ValidationException", "validationException"),
    (Blocked("blocked", rules=["pii.iban"]), "AccessDeniedException", "validationException"),
    (NotFound("no such model"), "ResourceNotFoundException", "validationException"),
    (LimitExceeded("slow down"), "ThrottlingException", "throttlingException"),
    (UpstreamFailed("broken"), "InternalServerException", "internalServerException"),
]


@pytest.mark.parametrize(("error", "code", "in_stream"), REFUSALS)
def test_boto3_raises_our_errors(error: NexusError, code: str, in_stream: str) -> None:
    body = BEDROCK.encode_error(error, "req_1")
    with pytest.raises(ClientError) as raised:
        whole(body, error.status)
    assert raised.value.response["Error"] == {"Message": error.message, "Code": code}
    events = BEDROCK.error_events(error, "req_1")
    begun = [new_event("messageStart", {"role": "assistant"}), *events]
    with pytest.raises(EventStreamError) as raised_in_stream:
        streamed(begun)
    assert raised_in_stream.value.response["Error"] == {"Message": error.message, "Code": in_stream}


def test_an_error_tells_its_code_its_parameter_and_its_rules() -> None:
    body = BEDROCK.encode_error(Blocked("blocked", rules=["pii.iban"]), "req_1")
    assert body == {
        "message": "blocked",
        "__type": "AccessDeniedException",
        "reason": "policy_blocked",
        "requestId": "req_1",
        "rules": ["pii.iban"],
    }
    body = BEDROCK.encode_error(Malformed("no such n", param="n"), "req_1")
    assert (body["reason"], body["param"]) == ("malformed_request", "n")
    told = BEDROCK.relay_error(ErrorFacts(429, "slow", "theirs", "", "p"), "req_1")
    assert told == {
        "message": "slow",
        "__type": "ThrottlingException",
        "requestId": "req_1",
        "reason": "theirs",
        "param": "p",
    }
    assert BEDROCK.relay_error(ErrorFacts(418, "no"), "r")["__type"] == "InternalServerException"


BODIES = [
    (b'{"message":"no"}', ErrorFacts(400, "no")),
    (b'{"Message":"no"}', ErrorFacts(400, "no")),
    (
        b'{"message":"no","__type":"ValidationException"}',
        ErrorFacts(400, "no", "ValidationException"),
    ),
    (
        b'{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}',
        ErrorFacts(400, "no", "AccessDeniedException"),
    ),
    (
        b'{"message":"no","__type":"ThrottlingException:http://internal.amazon.com/coral/"}',
        ErrorFacts(400, "no", "ThrottlingException"),
    ),
]


@pytest.mark.parametrize(("body", "facts"), BODIES)
def test_an_upstreams_error_is_read(body: bytes, facts: ErrorFacts) -> None:
    assert BEDROCK.decode_error(400, body) == facts


def test_an_exception_in_a_stream_ends_it_with_its_name() -> None:
    for name in SERVICE.operation_model("ConverseStream").output_shape.members["stream"].members:
        event = new_event(name, {"message": "too much"})
        err = BEDROCK.stream_error(event)
        if not name.endswith("Exception"):
            assert err is None
            continue
        assert err is not None
        assert (err.message, err.code) == ("too much", name)
        assert BEDROCK.terminal(event)
    told = {"message": "failed", "originalStatusCode": 503, "originalMessage": "no room"}
    err = BEDROCK.stream_error(new_event("modelStreamErrorException", told))
    assert err is not None
    assert err.message == "failed: no room"
    assert BEDROCK.stream_error(StreamEvent("throttlingException", b"{}", {})) is not None


def test_an_error_that_came_as_a_whole_answer_keeps_its_words() -> None:
    body = {"message": "too much", "__type": "ThrottlingException"}
    with pytest.raises(UpstreamFailed, match="too much") as raised:
        BEDROCK.decode_response(body)
    assert raised.value.code == "ThrottlingException"


# ---- names and ids


def test_ids_that_bedrock_does_not_take_are_made_anew_alike_for_call_and_result() -> None:
    given = ["call_1", "a|b", "a b", "x" * 65, "東京", ""]
    made = [names.call_id(one) for one in given]
    assert made[0] == "call_1"
    assert len(set(made)) == len(made)
    assert all(0 < len(one) <= 64 for one in made)
    calls = [
        {"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for one in given
    ]
    results = [{"role": "tool", "tool_call_id": one, "content": "4"} for one in given]
    messages = [*USER, {"role": "assistant", "tool_calls": calls}, *results]
    body, report = asked("bedrock", {"messages": messages})
    valid(body)
    ids = [block["toolUse"]["toolUseId"] for block in body["messages"][1]["content"]]
    assert ids == made
    assert [block["toolResult"]["toolUseId"] for block in body["messages"][2]["content"]] == made
    assert sum("tool_call" in change for change in report.changes) == 10


@pytest.mark.parametrize(
    ("given", "form", "made"),
    [
        ("report.pdf", "pdf", "report"),
        ("Report (1) [x]-y.PDF", "pdf", "Report (1) [x]-y"),
        ("a.b_c/d.pdf", "pdf", "a-b-c-d"),
        ("two  blanks\t\nhere", "txt", "two blanks here"),
        ("..pdf", "pdf", "-"),
        (".pdf", "pdf", "document"),
        ("n" * 300, "pdf", "n" * 200),
    ],
)
def test_a_documents_name_is_of_the_characters_that_bedrock_takes(
    given: str, form: str, made: str
) -> None:
    assert names.document_name(given, form) == made


def test_no_two_documents_have_one_name_and_changes_are_told() -> None:
    data = "data:application/pdf;base64,JVBERi0="
    parts = [
        {"type": "file", "file": {"filename": name, "file_data": data}}
        for name in ("a.pdf", "a.pdf", "b_c.pdf", "d")
    ]
    body, report = asked("bedrock", {"messages": [{"role": "user", "content": parts}]})
    told = [block["document"]["name"] for block in body["messages"][0]["content"]]
    assert told == ["a", "a 2", "b-c", "d"]
    assert report.changes == (
        "messages.0.content.1.file: the document's name->a 2",
        "messages.0.content.2.file: the document's name->b-c",
    )


def test_a_tools_name_that_bedrock_does_not_take_is_refused() -> None:
    tool = {"type": "function", "function": {"name": "a.b"}}
    with pytest.raises(Unsupported) as refused:
        asked("bedrock", {"tools": [tool]})
    assert refused.value.param == "tools.0.function.name"


# ---- tools

TOOLS = [{"type": "function", "function": {"name": "f", "description": ""}}]
CALL = {"id": "c", "type": "function", "function": {"name": "g", "arguments": ""}}
CALLED = [
    *USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": ""},
]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "f"}}, {"tool": {"name": "f"}}),
        (None, None),
    ],
)
def test_a_choice_of_tools_goes_both_ways(choice: Any, told: Any) -> None:
    body, report = asked("bedrock", {"tools": TOOLS, "tool_choice": choice})
    valid(body)
    assert body["toolConfig"].get("toolChoice") == told
    assert BEDROCK.decode_request(body).get("tool_choice") == choice
    assert (report.drops, report.omissions, report.changes) == ((), (), ())


def test_tools_that_may_not_be_called_are_left_out() -> None:
    body, report = asked("bedrock", {"tools": TOOLS, "tool_choice": "none"})
    assert "toolConfig" not in body
    assert report.changes == ("tool_choice: none->(without tools)",)


def test_where_tools_have_been_called_they_cannot_be_forbidden() -> None:
    body, report = asked("bedrock", {"messages": CALLED, "tools": TOOLS, "tool_choice": "none"})
    assert "toolChoice" not in body["toolConfig"]
    assert [loss.param for loss in report.drops] == ["tool_choice"]


def test_a_conversation_with_calls_has_tools() -> None:
    body, report = asked("bedrock", {"messages": CALLED})
    valid(body)
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["g"]
    assert report.changes == ("tools: absent->those that the conversation calls",)


def test_other_choices_and_tools_are_told() -> None:
    tools = [*TOOLS, {"type": "custom", "custom": {"name": "sh"}}, {"type": "web_search"}]
    body, report = asked("bedrock", {"tools": tools, "tool_choice": {"type": "allowed_tools"}})
    valid(body)
    assert [loss.param for loss in report.drops] == ["tools.1", "tools.2", "tool_choice"]


def test_one_call_at_a_time_is_for_claude_alone() -> None:
    only = {"tools": TOOLS, "parallel_tool_calls": False}
    body, report = asked("bedrock", only | {"model": CLAUDE, "tool_choice": "auto"})
    told = {"type": "auto", "disable_parallel_tool_use": True}
    assert body["additionalModelRequestFields"] == {"tool_choice": told}
    assert "toolChoice" not in body["toolConfig"]
    assert len(report.changes) == 1
    assert BEDROCK.decode_request(body)["parallel_tool_calls"] is False
    for more in ({"model": "amazon.nova-pro-v1:0"}, {"model": CLAUDE, "tool_choice": "required"}):
        body, report = asked("bedrock", only | more)
        assert [loss.param for loss in report.drops] == ["parallel_tool_calls"]
        assert "additionalModelRequestFields" not in body


def test_a_cache_point_among_tools_must_follow_one() -> None:
    doc = {"messages": [], "toolConfig": {"tools": [{"cachePoint": {"type": "default"}}]}}
    with pytest.raises(Malformed) as refused:
        BEDROCK.decode_request(doc)
    assert refused.value.param == "toolConfig.tools.0"


def test_a_choice_and_a_role_that_are_not_known_are_malformed() -> None:
    for doc, param in (
        ({"toolConfig": {"tools": [], "toolChoice": {"some": {}}}}, "toolConfig.toolChoice"),
        ({"messages": [{"role": "narrator", "content": []}]}, "messages.0.role"),
        (
            {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}},
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
    ):
        with pytest.raises(Malformed) as refused:
            BEDROCK.decode_request(doc)
        assert refused.value.param == param


# ---- reasoning

EFFORTS: list[tuple[str, str, Any]] = [
    (CLAUDE, "high", {"outputConfig": {"effort": "high"}}),
    (CLAUDE, "minimal", {"outputConfig": {"effort": "low"}}),
    ("some.model", "max", {"outputConfig": {"effort": "max"}}),
    (
        "us.amazon.nova-2-lite-v1:0",
        "xhigh",
        {
            "additionalModelRequestFields": {
                "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}
            }
        },
    ),
    (
        "openai.gpt-oss-120b-1:0",
        "low",
        {"additionalModelRequestFields": {"reasoning_effort": "low"}},
    ),
    (
        "qwen.qwen3-32b-v1:0",
        "medium",
        {"additionalModelRequestFields": {"reasoning_config": "medium"}},
    ),
]


@pytest.mark.parametrize(("model", "effort", "told"), EFFORTS)
def test_an_effort_is_told_as_the_model_wants_it(model: str, effort: str, told: Any) -> None:
    body, report = asked("bedrock", {"model": model, "reasoning_effort": effort})
    valid(body)
    assert {key: value for key, value in body.items() if key != "messages"} == told
    assert bool(report.changes) == (effort in {"minimal", "xhigh"})
    assert BEDROCK.decode_request(body)["reasoning_effort"] in {effort, "low", "high"}


def test_an_effort_that_there_is_not_is_told() -> None:
    body, report = asked(
        "bedrock", {"model": CLAUDE, "reasoning": {"effort": "none", "summary": 1}}
    )
    assert "outputConfig" not in body
    assert [loss.param for loss in report.omissions] == ["reasoning", "reasoning_effort"]


THINKING: list[tuple[str, Any, Any, int]] = [
    (CLAUDE, {"type": "enabled", "budget_tokens": 1024}, None, 0),
    ("some.model", {"type": "adaptive"}, None, 0),
    ("amazon.nova-2-lite-v1:0", {"type": "enabled", "budget_tokens": 1024}, "low", 1),
    ("amazon.nova-2-lite-v1:0", {"type": "enabled", "budget_tokens": 9000}, "medium", 1),
    ("amazon.nova-2-lite-v1:0", {"type": "enabled", "budget_tokens": 32000}, "high", 1),
    ("amazon.nova-2-lite-v1:0", {"type": "disabled"}, "", 0),
    ("amazon.nova-2-lite-v1:0", {"type": "adaptive"}, "", 1),
]


@pytest.mark.parametrize(("model", "thinking", "effort", "changes"), THINKING)
def test_a_budget_of_thinking_goes_to_claude_and_is_an_effort_elsewhere(
    model: str, thinking: Any, effort: Any, changes: int
) -> None:
    body, report = asked("bedrock", {"model": model, "thinking": thinking})
    fields = body.get("additionalModelRequestFields") or {}
    if effort is None:
        assert fields == {"thinking": thinking}
    else:
        told = (fields.get("reasoningConfig") or {}).get("maxReasoningEffort", "")
        assert told == effort
    assert len(report.changes) + len(report.omissions) == changes


def test_claudes_own_fields_reach_anthropic_by_their_names() -> None:
    fields = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 4, "odd": 1}
    doc = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    chat = BEDROCK.decode_request(doc | {"additionalModelRequestFields": fields})
    body, report = asked("anthropic", chat)
    assert (body["thinking"], body["top_k"]) == (fields["thinking"], 4)
    assert "provider_options" not in body
    assert [loss.param for loss in report.drops] == ["additionalModelRequestFields.odd"]
    chat = BEDROCK.decode_request(
        doc | {"additionalModelRequestFields": {"reasoning_config": fields["thinking"]}}
    )
    assert asked("anthropic", chat)[0]["thinking"] == fields["thinking"]


def test_a_callers_own_fields_win_and_those_of_converse_stay_on_top() -> None:
    chat = {
        "top_k": 4,
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "additionalModelRequestFields": {"top_k": 5, "odd": 1},
    }
    body, report = asked("bedrock", chat)
    valid(body)
    assert body["guardrailConfig"] == chat["guardrailConfig"]
    assert body["additionalModelRequestFields"] == {"top_k": 5, "odd": 1}
    assert report.changes == ("top_k->additionalModelRequestFields.top_k",)


# ---- conversations


def test_roles_alternate() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        *USER,
        {"role": "user", "content": "there", "name": "Ann"},
        {"role": "assistant", "content": "Hi", "refusal": None},
        {"role": "assistant", "content": ""},
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "No."}],
            "audio": {"id": 1},
        },
        {"role": "developer", "content": "Now in German."},
        *USER,
    ]
    body, report = asked("bedrock", {"messages": messages})
    valid(body)
    assert body["system"] == [{"text": "Be brief."}]
    roles = [turn["role"] for turn in body["messages"]]
    assert roles == ["user", "assistant", "system", "user"]
    assert body["messages"][0]["content"] == [{"text": "hi"}, {"text": "there"}]
    assert body["messages"][1]["content"] == [{"text": "Hi"}, {"text": "No."}]
    assert report.changes == (
        "messages.2: joined with the turn before it",
        "messages.4: an empty turn->(left out)",
        "messages.5: joined with the turn before it",
    )
    assert [loss.param for loss in report.drops] == ["messages.5.audio"]
    assert [loss.param for loss in report.omissions] == ["messages.2.name"]


def test_cache_markers_are_cache_points() -> None:
    hour = {"type": "ephemeral", "ttl": "1h"}
    odd = {"type": "ephemeral", "ttl": "7d"}
    text = {"type": "text", "text": "long", "cache_control": hour}
    messages = [
        {"role": "system", "content": "Be brief.", "cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": [text, {"type": "text", "text": "", "cache_control": hour}]},
        {"role": "assistant", "content": [text], "tool_calls": [CALL | {"cache_control": odd}]},
        {"role": "tool", "tool_call_id": "c", "content": [text], "cache_control": hour},
    ]
    body, report = asked("bedrock", {"messages": messages, "cache_control": hour})
    valid(body)
    plain, long = (
        {"cachePoint": {"type": "default"}},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
    )
    assert body["system"] == [{"text": "Be brief."}, plain]
    kinds = [
        [next(iter(block)) for block in turn["content"] if block not in (plain, long)]
        + [block for block in turn["content"] if block in (plain, long)]
        for turn in body["messages"]
    ]
    assert kinds == [["text", long, long], ["text", "toolUse", long, plain], ["toolResult", long]]
    assert [loss.param for loss in report.omissions] == [
        "cache_control",
        "messages.2.tool_calls.0.cache_control",
        "messages.3.content.cache_control",
    ]


def test_a_cache_point_before_anything_is_kept() -> None:
    point = {"cachePoint": {"type": "default"}}
    turns = [
        {"role": "user", "content": [point, {"text": "hi"}]},
        {"role": "assistant", "content": [point, {"text": "ho"}]},
        {"role": "user", "content": [{"text": "hi"}]},
    ]
    doc = {"system": [point], "messages": turns}
    chat = BEDROCK.decode_request(copy.deepcopy(doc))
    assert BEDROCK.encode_request(chat, Report()) == doc


def test_what_another_vendor_added_to_calls_and_turns_is_told() -> None:
    call = CALL | {"extra_content": {"google": {"thought_signature": "x"}}}
    messages = [
        {"role": "user", "content": "hi", "weight": 1},
        {"role": "assistant", "tool_calls": [call], "reasoning_content": "Hm."},
        {"role": "tool", "tool_call_id": "c", "content": "4", "duration": 3},
    ]
    body, report = asked("bedrock", {"messages": messages})
    valid(body)
    assert [loss.param for loss in report.omissions] == [
        "messages.0.weight",
        "messages.1.reasoning_content",
        "messages.1.tool_calls.0.extra_content",
        "messages.2.duration",
    ]


def test_blocks_and_citations_of_others_stay_behind() -> None:
    note = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "u"}}
    theirs = {
        "type": "citation",
        "origin": "anthropic",
        "start_index": 0,
        "end_index": 1,
        "block": {},
    }
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": "Hi", "citations": [{}]}],
        "annotations": [note, theirs],
        "provider_blocks": [{"origin": "anthropic", "block": {"type": "server_tool_use"}}],
        "reasoning_blocks": [{"origin": "anthropic", "block": {"type": "thinking"}}],
    }
    body, report = asked("bedrock", {"messages": [*USER, message]})
    assert body["messages"][1]["content"] == [{"text": "Hi"}]
    assert [loss.param for loss in report.drops] == ["messages.1.provider_blocks"]
    assert [loss.param for loss in report.omissions] == [
        "messages.1.annotations",
        "messages.1.reasoning_blocks",
        "messages.1.annotations",
        "messages.1.content.0.citations",
    ]


def test_labels_go_where_they_fit() -> None:
    body, report = asked(
        "bedrock", {"metadata": {"team": "a b", "run": ""}, "service_tier": "auto"}
    )
    valid(body)
    assert body["requestMetadata"] == {"team": "a b", "run": ""}
    assert BEDROCK.decode_request(body)["metadata"] == body["requestMetadata"]
    assert report.omissions == ()
    for metadata in ({"team": "ü"}, {"n": 1}, {str(i): "x" for i in range(17)}):
        body, report = asked("bedrock", {"metadata": metadata, "service_tier": "scale"})
        assert "requestMetadata" not in body
        assert "serviceTier" not in body
        assert [loss.param for loss in report.omissions] == ["metadata", "service_tier"]


NOBODYS: list[Any] = [
    {"audio": {"format": "new", "source": {"bytes": "aWk="}}},
    {"audio": {"format": "mp3", "source": {"s3Location": {"uri": "s3://bucket/a"}}}},
    {"video": {"format": "new", "source": {"bytes": "aWk="}}},
    {"image": {"format": "new", "source": {"bytes": "aWk="}}},
    {"document": {"format": "new", "name": "a", "source": {"bytes": "aWk="}}},
    {"guardContent": {"image": {"format": "png", "source": {"bytes": "aWk="}}}},
    {"toolAddition": {"tool": {"name": "f"}}},
    {"toolRemoval": {"tool": {"name": "f"}}},
    {"toolResult": {"toolUseId": "t", "content": [{"json": {}}], "type": "x_result"}},
]


@pytest.mark.parametrize("block", NOBODYS)
def test_what_only_bedrock_has_is_kept_for_it_and_refused_elsewhere(block: Any) -> None:
    doc = {"messages": [{"role": "user", "content": [block]}]}
    chat = BEDROCK.decode_request(copy.deepcopy(doc))
    assert BEDROCK.encode_request(chat, Report()) == doc
    for target in golden.CHATS:
        if target != "bedrock":
            with pytest.raises(Unsupported) as refused:
                asked(target, chat)
            assert refused.value.param == "messages.0.content.0.type"


def test_an_answers_reasoning_of_an_unknown_kind_is_kept() -> None:
    content = [{"reasoningContent": {"newKind": {"a": 1}}}, {"text": "4"}]
    turns = [
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": content},
    ]
    chat = BEDROCK.decode_request({"messages": copy.deepcopy(turns)})
    assert BEDROCK.encode_request(chat, Report()) == {"messages": turns}


def test_parts_of_other_vendors_that_bedrock_can_take() -> None:
    parts = [
        {"type": "refusal", "refusal": "No."},
        {"type": "refusal", "refusal": ""},
        {"type": "text", "text": "x", "citations": [{"type": "char_location"}]},
        {"type": "image_url", "image_url": {"url": "s3://bucket/a.png", "detail": "auto"}},
        {"type": "file", "file": {"file_url": "s3://bucket/a.b.PDF"}},
    ]
    answered = {"role": "assistant", "content": "Well.", "refusal": "No."}
    messages = [{"role": "user", "content": parts}, answered]
    body, report = asked("bedrock", {"messages": messages})
    valid(body)
    assert body["messages"][0]["content"] == [
        {"text": "No."},
        {"text": "x"},
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}},
        {
            "document": {
                "format": "pdf",
                "name": "document",
                "source": {"s3Location": {"uri": "s3://bucket/a.b.PDF"}},
            }
        },
    ]
    assert body["messages"][1]["content"] == [{"text": "Well."}, {"text": "No."}]
    assert [loss.param for loss in report.omissions] == ["messages.0.content.2.citations"]


def test_a_schema_is_always_strict_and_a_tools_other_members_are_told() -> None:
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": {"type": "object"}},
    }
    tool = TOOLS[0] | {"defer_loading": True}
    body, report = asked("bedrock", {"response_format": wanted, "tools": [tool]})
    valid(body)
    told = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert told == {"schema": '{"type":"object"}'}
    assert report.changes == ("response_format: strict->true (there is no other)",)
    assert [loss.param for loss in report.omissions] == ["tools.0.defer_loading"]


def test_fields_of_a_bedrock_client_and_of_the_canonical_form_meet() -> None:
    doc = {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "additionalModelRequestFields": {"odd": 1},
        "new_field": 2,
    }
    chat = BEDROCK.decode_request(doc)
    body, _ = asked("bedrock", chat)
    assert body["additionalModelRequestFields"] == {"new_field": 2, "odd": 1}


# ---- citations


def test_a_citation_of_a_document_comes_back() -> None:
    citation = {
        "title": "Map",
        "sourceContent": [{"text": "x"}],
        "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}},
    }
    cited = {"citationsContent": {"content": [{"text": "Yes"}], "citations": [citation]}}
    content = [{"text": "So."}, cited, {"text": " Well."}]
    doc = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "end_turn",
    }
    chat = BEDROCK.decode_response(doc)
    note = chat["choices"][0]["message"]["annotations"][0]
    assert (note["type"], note["start_index"], note["end_index"]) == ("citation", 3, 6)
    assert BEDROCK.encode_response(chat, golden.reply())["output"] == doc["output"]
    replayed, report = asked("bedrock", {"messages": [*USER, chat["choices"][0]["message"]]})
    assert replayed["messages"][1]["content"] == content
    assert report.omissions == ()


def test_a_citation_whose_range_is_cut_stands_at_its_beginning() -> None:
    def note(start: int, end: int, url: str) -> Any:
        told = {"start_index": start, "end_index": end, "url": url, "title": ""}
        return {"type": "url_citation", "url_citation": told}

    notes = [note(0, 4, "u1"), note(0, 2, "u2"), note(3, 90, "u3")]
    body = BEDROCK.encode_response(
        answer({"content": "abcd", "annotations": notes}), golden.reply()
    )
    first, second = body["output"]["message"]["content"]
    cited = [one["location"]["web"]["url"] for one in first["citationsContent"]["citations"]]
    assert (cited, second) == (["u2", "u1"], {"text": "cd"})
    notes = [note(0, 4, "u1"), note(2, 4, "u2")]
    body = BEDROCK.encode_response(
        answer({"content": "abcd", "annotations": notes}), golden.reply()
    )
    told = [block["citationsContent"] for block in body["output"]["message"]["content"]]
    assert [one["content"][0]["text"] for one in told] == ["ab", "cd"]
    assert [one["citations"][0]["location"]["web"]["url"] for one in told] == ["u1", "u2"]


# ---- streams


def converse(*events: tuple[str, Any]) -> list[StreamEvent]:
    return [new_event(name, doc) for name, doc in events]


def delta(index: int, **piece: Any) -> tuple[str, Any]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": piece}


def stop(index: int) -> tuple[str, Any]:
    return "contentBlockStop", {"contentBlockIndex": index}


def test_rare_events_of_a_stream() -> None:
    start = {"toolResult": {"toolUseId": "t", "type": "x_result"}}
    events = converse(
        ("news", {"a": 1}),
        delta(0, text=""),
        stop(0),
        stop(7),
        ("contentBlockStart", {"contentBlockIndex": 1, "start": start}),
        delta(1, toolResult=[{"text": "a"}]),
        delta(1, toolResult=[{"text": "b"}, {"json": {"c": 1}}]),
        stop(1),
        delta(2, reasoningContent={"signature": "c2ln"}),
        stop(2),
        delta(3, reasoningContent={"text": "One."}),
        stop(3),
        delta(4, reasoningContent={"text": "Two."}),
        stop(4),
    )
    events.append(StreamEvent("messageStop", b"no json", None))
    told = message_of(events, "bedrock")
    assert told["provider_blocks"][0]["block"]["toolResult"]["content"] == [
        {"text": "ab"},
        {"json": {"c": 1}},
    ]
    assert told["reasoning_content"] == "One.\n\nTwo."
    assert [one["block"] for one in told["reasoning_blocks"]] == [
        {"type": "reasoningText", "text": "", "signature": "c2ln"},
        {"type": "reasoningText", "text": "One."},
        {"type": "reasoningText", "text": "Two."},
    ]


def test_a_servers_tool_input_that_is_no_json_is_the_upstreams_failure() -> None:
    call = {"toolUseId": "t", "name": "x", "type": "server_tool_use"}
    begin = ("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": call}})
    with pytest.raises(UpstreamFailed, match="not JSON"):
        golden.chunks("bedrock", converse(begin, delta(0, toolUse={"input": "{"}), stop(0)))


def test_reasoning_that_was_not_streamed_or_is_closed_is_told_by_its_block() -> None:
    block = {"type": "thinking", "thinking": "So", "signature": "c2ln"}
    entry = {"index": 0, "origin": "anthropic", "block": block}
    events = golden.encoded(
        "bedrock", [chunk({"reasoning_blocks": [entry]}), chunk({"content": "4"})]
    )
    assert message_of(events, "bedrock")["reasoning_blocks"][0]["block"] == block
    chunks = [
        chunk({"reasoning_content": "So"}),
        chunk({"content": "4"}),
        chunk({"reasoning_blocks": [entry]}),
    ]
    kinds = [
        next(iter(event.doc["delta"]["reasoningContent"]))
        for event in golden.encoded("bedrock", chunks)
        if "reasoningContent" in event.doc.get("delta", {})
    ]
    assert kinds == ["text", "redactedContent"]


def test_text_in_the_middle_of_a_calls_arguments_waits_for_their_end() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":'}}
    rest = {"index": 0, "function": {"arguments": "1}"}}
    chunks = [
        chunk({"tool_calls": [call]}),
        chunk({"content": "By the way"}),
        chunk({"tool_calls": [rest]}, "tool_calls"),
    ]
    told = message_of(golden.encoded("bedrock", chunks), "bedrock")
    assert told["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    assert told["content"] == "By the way"


REASONS = [
    ({"finish_reason": "stop"}, "end_turn"),
    ({"finish_reason": "stop", "stop_sequence": "END"}, "stop_sequence"),
    ({"finish_reason": "stop", "native_finish_reason": "stop_sequence"}, "stop_sequence"),
    ({"finish_reason": "content_filter", "native_finish_reason": "refusal"}, "content_filtered"),
    ({"finish_reason": "function_call"}, "tool_use"),
    ({"finish_reason": "length"}, "max_tokens"),
    ({"finish_reason": "eos"}, "end_turn"),
    ({"finish_reason": None}, "end_turn"),
]


@pytest.mark.parametrize(("choice", "reason"), REASONS)
def test_reasons_of_others_in_bedrocks_words(choice: Any, reason: str) -> None:
    told = answer({"content": "x"})
    told["choices"][0] |= choice
    assert BEDROCK.encode_response(told, golden.reply())["stopReason"] == reason


@pytest.mark.parametrize("reason", [*words.FINISH, *words.FINISH_FINER])
def test_bedrocks_reasons_come_back_one_by_one(reason: str) -> None:
    doc = {"output": {"message": {"role": "assistant", "content": []}}, "stopReason": reason}
    chat = BEDROCK.decode_response(doc)
    assert chat["choices"][0]["finish_reason"] in {"stop", "length", "tool_calls", "content_filter"}
    assert BEDROCK.encode_response(chat, golden.reply())["stopReason"] == reason
    assert (
        BEDROCK.decode_response(doc | {"stopReason": None})["choices"][0]["finish_reason"] is None
    )
