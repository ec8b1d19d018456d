"""The calls that both clients make."""

from __future__ import annotations

from typing import Any

from tests.parity.sides import Call

ASK: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say this is a test, Zoë"}],
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
]
FLAT_TOOLS = [{"type": "function", **TOOLS[0]["function"]}]  # type: ignore[dict-item]
SCHEMA = {
    "name": "answer",
    "strict": True,
    "schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}},
        "required": ["city", "degrees"],
        "additionalProperties": False,
    },
}


def chat(demo: str = "", options: dict[str, Any] | None = None, **more: Any) -> Call:
    return Call("chat.completions.create", {**ASK, **more}, demo, options or {})


def respond(demo: str = "", options: dict[str, Any] | None = None, **more: Any) -> Call:
    return Call(
        "responses.create",
        {"model": "gpt-4o", "input": "Say this is a test", **more},
        demo,
        options or {},
    )


def embed(demo: str = "", options: dict[str, Any] | None = None, **more: Any) -> Call:
    given = {"model": "text-embedding-3-small", "input": ["one", "two"], **more}
    return Call("embeddings.create", given, demo, options or {})


SAID = (
    "",
    "think=First%20this",
    "refuse=No.",
    "finish=length",
    "say=",
    "say=%F0%9F%98%80%20%E2%80%A8",
    "no-usage",
)
"""Scripts whose answers any client understands."""
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529)

WHOLE = (
    *(ask(demo) for ask in (chat, respond) for demo in (*SAID, "gzip", "split=5", "eof")),
    *(
        ask(f"status={status};code=some_code")
        for ask in (chat, respond, embed)
        for status in STATUSES
    ),
    chat("status=429;retry-after=7"),
    chat("cut-after=40"),
    chat("cut-after=40;reset"),
    chat(tools=TOOLS, tool_choice="required"),
    chat("tool=weather;calls=2", tools=TOOLS, parallel_tool_calls=True),
    chat(n=2, temperature=0, seed=1, stop=["x"], logprobs=True, top_logprobs=1, user="ann"),
    chat(response_format={"type": "json_schema", "json_schema": SCHEMA}),
    chat(response_format={"type": "json_object"}),
    chat(extra_headers={"X-Trace": "abc"}, extra_body={"top_k": 3}, timeout=30),
    chat(extra_query={"a": "b"}),
    chat(options={"organization": "org", "project": "proj", "default_headers": {"X-Team": "blue"}}),
    chat(options={"default_query": {"v": "2"}}),
    chat(
        messages=[
            {"role": "system", "content": "Be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
            },
        ]
    ),
    respond(tools=FLAT_TOOLS, tool_choice="required"),
    respond("tool=weather;calls=2", tools=FLAT_TOOLS),
    respond(instructions="Be brief", metadata={"a": "b"}, store=False, temperature=0.5),
    respond(text={"format": {"type": "json_schema", **SCHEMA}}),
    embed(),
    embed(input="one"),
    embed(encoding_format="float"),
    embed(encoding_format="base64"),
    embed(dimensions=4, user="ann"),
    Call("models.list", {}),
    Call("models.retrieve", {"model": "gpt-4o"}),
    Call("models.list", {}, "status=500"),
    Call("files.list", {}),
    Call("moderations.create", {"input": "x"}),
)

STREAMED = (
    *(
        ask(demo, stream=True)
        for ask in (chat, respond)
        for demo in (*SAID, "gzip", "split=7", "eof", "crlf", "cr", "comments")
    ),
    chat(stream=True, stream_options={"include_usage": True}),
    chat("no-usage", stream=True, stream_options={"include_usage": True}),
    chat("role-less", stream=True),
    chat(tools=TOOLS, tool_choice="required", stream=True),
    chat("tool=weather;calls=2", tools=TOOLS, stream=True),
    chat("chunks=50", stream=True, n=2),
    chat("no-blank", stream=True),
    respond(tools=FLAT_TOOLS, tool_choice="required", stream=True),
    respond("chunks=50", stream=True),
    *(
        ask(f"status={status};code=some_code", stream=True)
        for ask in (chat, respond)
        for status in (400, 429, 500)
    ),
    chat("error-event-after=2", stream=True),
    chat("error-event-after=2;code=overloaded", stream=True),
    respond("error-event-after=3", stream=True),
)
