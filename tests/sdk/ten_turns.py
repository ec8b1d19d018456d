"""A conversation of tools and signed reasoning, as four vendors make it and six kinds of client
send it back."""

from __future__ import annotations

import base64
from typing import Any

TURNS = 10


def sign(turn: int, kind: str = "") -> str:
    """A signature as vendors make them: base64 of what nobody reads."""
    return base64.b64encode(f"{kind}signed {turn} \x00\xff".encode("latin-1")).decode()


def _calls(turn: int) -> list[tuple[str, dict[str, Any]]]:
    """Id and arguments of the calls of a turn: none, one or two."""
    return [(f"call_{turn}_{place}", {"step": turn, "n": place}) for place in range(turn % 3)]


def anthropic(turn: int) -> Any:
    blocks: list[Any] = [
        {"type": "thinking", "thinking": f"Step {turn}.", "signature": sign(turn)},
    ]
    if turn % 4 == 0:
        blocks.append({"type": "redacted_thinking", "data": sign(turn, "redacted")})
    blocks.append({"type": "text", "text": f"Turn {turn}."})
    blocks += [
        {"type": "tool_use", "id": name, "name": "look", "input": told}
        for name, told in _calls(turn)
    ]
    return {
        "id": f"msg_{turn}",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": blocks,
        "stop_reason": "tool_use" if _calls(turn) else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }


def openai_responses(turn: int) -> Any:
    texts = [f"Step {turn}.", "And on."][: 1 + turn % 2]
    items: list[Any] = [
        {
            "type": "reasoning",
            "id": f"rs_{turn}",
            "summary": [{"type": "summary_text", "text": text} for text in texts],
            "encrypted_content": sign(turn),
        },
        {
            "type": "message",
            "id": f"msg_{turn}",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": f"Turn {turn}.", "annotations": []}],
        },
    ]
    items += [
        {
            "type": "function_call",
            "id": f"fc_{name}",
            "call_id": name,
            "name": "look",
            "arguments": f'{{"step":{told["step"]},"n":{told["n"]}}}',
            "status": "completed",
        }
        for name, told in _calls(turn)
    ]
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return {
        "id": f"resp_{turn}",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "output": items,
        "usage": usage,
    }


def gemini(turn: int) -> Any:
    """A signature stands with the first call, or with the text where there is none."""
    parts: list[Any] = [{"text": f"Step {turn}.", "thought": True}]
    calls: list[Any] = [
        {"functionCall": {"id": name, "name": "look", "args": told}} for name, told in _calls(turn)
    ]
    text: Any = {"text": f"Turn {turn}."}
    if calls:
        calls[0] |= {"thoughtSignature": sign(turn)}
    else:
        text |= {"thoughtSignature": sign(turn)}
    content = {"role": "model", "parts": [*parts, text, *calls]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7},
        "modelVersion": "gemini-3-pro",
        "responseId": f"r_{turn}",
    }


def bedrock(turn: int) -> Any:
    told: Any = {"reasoningText": {"text": f"Step {turn}.", "signature": sign(turn)}}
    if turn % 4 == 0:
        told = {"redactedContent": sign(turn, "redacted")}
    blocks = [{"reasoningContent": told}, {"text": f"Turn {turn}."}]
    blocks += [
        {"toolUse": {"toolUseId": name, "name": "look", "input": told}}
        for name, told in _calls(turn)
    ]
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": "tool_use" if _calls(turn) else "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
        "metrics": {"latencyMs": 1},
    }


ORIGINS = {
    "anthropic": anthropic,
    "openai_responses": openai_responses,
    "gemini": gemini,
    "bedrock": bedrock,
}


def signed(origin: str, body: Any) -> list[Any]:
    """What of a request, or of an answer, its vendor signed, in order."""
    if origin == "openai_responses":
        return [
            item for item in body.get("input") or body["output"] if item.get("type") == "reasoning"
        ]
    if origin == "gemini":
        turns = body.get("contents") or [body["candidates"][0]["content"]]
        return [part for turn in turns for part in turn["parts"] if "thoughtSignature" in part]
    if origin == "bedrock":
        turns = body.get("messages") or [body["output"]["message"]]
        return [part for turn in turns for part in turn["content"] if "reasoningContent" in part]
    turns = body.get("messages") or [body]
    parts = [part for turn in turns for part in turn["content"] if isinstance(part, dict)]
    return [part for part in parts if part["type"] in {"thinking", "redacted_thinking"}]


# ---- clients: how each keeps a conversation


class Client:
    """`doc` is the request that the client would send next. It replays what it was shown."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        lists: Any = {
            "openai_responses": {"input": [], "tools": [_RESPONSES_TOOL]},
            "anthropic": {"messages": [], "max_tokens": 99, "tools": [_ANTHROPIC_TOOL]},
            "gemini": {"contents": [], "tools": [{"functionDeclarations": [_NAMED]}]},
            "bedrock": {"messages": [], "toolConfig": {"tools": [_BEDROCK_TOOL]}},
        }
        own: Any = lists.get(dialect, {"messages": [], "tools": [_CHAT_TOOL]})
        self.doc: Any = {**own, "model": "m"}
        self._turns = self.doc[
            {"openai_responses": "input", "gemini": "contents"}.get(dialect, "messages")
        ]

    def say(self, text: str) -> None:
        self._turns.append(
            {
                "gemini": {"role": "user", "parts": [{"text": text}]},
                "bedrock": {"role": "user", "content": [{"text": text}]},
            }.get(self.dialect, {"role": "user", "content": text})
        )

    def take(self, shown: Any) -> None:
        """The answer, as it was shown."""
        self._turns += _TURNS[self.dialect](shown)

    def results(self, calls: list[Any]) -> None:
        """What the tools gave: `calls` are canonical."""
        told = [_RESULTS[self.dialect](call["id"], call["function"]["name"]) for call in calls]
        together = _TOGETHER.get(self.dialect)
        if not told:
            self.say("Go on.")
        elif together is None:
            self._turns += told
        else:
            self._turns.append({"role": "user", together: told})


_TURNS: Any = {
    "openai_responses": lambda shown: shown["output"],
    "gemini": lambda shown: [shown["candidates"][0]["content"]],
    "bedrock": lambda shown: [shown["output"]["message"]],
    "anthropic": lambda shown: [{"role": "assistant", "content": shown["content"]}],
    "cohere": lambda shown: [shown["message"]],
    "openai_chat": lambda shown: [shown["choices"][0]["message"]],
}
"""What of an answer a client keeps."""
_SCHEMA = {"type": "object", "properties": {"step": {"type": "integer"}, "n": {"type": "integer"}}}
_NAMED = {"name": "look", "description": "Look.", "parametersJsonSchema": _SCHEMA}
_CHAT_TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Look.", "parameters": _SCHEMA},
}
_RESPONSES_TOOL = {"type": "function", "name": "look", "parameters": _SCHEMA, "strict": False}
_ANTHROPIC_TOOL = {"name": "look", "description": "Look.", "input_schema": _SCHEMA}
_BEDROCK_TOOL = {"toolSpec": {"name": "look", "inputSchema": {"json": _SCHEMA}}}
_TOGETHER = {"anthropic": "content", "bedrock": "content", "gemini": "parts"}
_RESULTS: Any = {
    "openai_responses": lambda name, _: {
        "type": "function_call_output",
        "call_id": name,
        "output": "seen",
    },
    "anthropic": lambda name, _: {"type": "tool_result", "tool_use_id": name, "content": "seen"},
    "bedrock": lambda name, _: {"toolResult": {"toolUseId": name, "content": [{"text": "seen"}]}},
    "gemini": lambda name, tool: {
        "functionResponse": {"id": name, "name": tool, "response": {"result": "seen"}}
    },
    "openai_chat": lambda name, _: {"role": "tool", "tool_call_id": name, "content": "seen"},
    "cohere": lambda name, _: {"role": "tool", "tool_call_id": name, "content": "seen"},
}


# ---- the vendors' streams of the same answers


def stream(origin: str, answer: Any) -> list[tuple[str, Any]]:
    """Names and documents of the events."""
    told: list[tuple[str, Any]] = _STREAMS[origin](answer)
    return told


def _gemini_stream(answer: Any) -> list[tuple[str, Any]]:
    candidate = answer["candidates"][0]
    names = {key: answer[key] for key in ("modelVersion", "responseId")}
    told = [
        ("", {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}]} | names)
        for part in candidate["content"]["parts"]
    ]
    end = candidate | {"content": {"role": "model", "parts": [{"text": ""}]}}
    return [*told, ("", answer | {"candidates": [end]})]


def _responses_stream(answer: Any) -> list[tuple[str, Any]]:
    docs: list[Any] = [
        {"type": "response.created", "response": answer | {"status": "in_progress", "output": []}}
    ]
    for place, item in enumerate(answer["output"]):
        at = {"output_index": place, "item_id": item["id"]}
        docs.append({"type": "response.output_item.added", "item": _begun(item)} | at)
        docs += [told | at for told in _RESPONSES_PIECES[item["type"]](item)]
        docs.append({"type": "response.output_item.done", "item": item} | at)
    docs.append({"type": "response.completed", "response": answer})
    return [(doc["type"], doc | {"sequence_number": n}) for n, doc in enumerate(docs)]


def _begun(item: Any) -> Any:
    empty = {"summary": [], "content": [], "arguments": "", "status": "in_progress"}
    return {key: empty.get(key, value) for key, value in item.items() if key != "encrypted_content"}


def _summary(item: Any) -> list[Any]:
    return [
        {"type": "response.reasoning_summary_text.delta", "summary_index": i, "delta": part["text"]}
        for i, part in enumerate(item["summary"])
    ]


def _deltas(kind: str, text: str) -> list[Any]:
    return [
        {"type": kind, "content_index": 0, "delta": text[i : i + 5]} for i in range(0, len(text), 5)
    ]


_RESPONSES_PIECES: Any = {
    "reasoning": _summary,
    "message": lambda item: _deltas("response.output_text.delta", item["content"][0]["text"]),
    "function_call": lambda item: _deltas(
        "response.function_call_arguments.delta", item["arguments"]
    ),
}


def _anthropic_stream(answer: Any) -> list[tuple[str, Any]]:
    head = answer | {"content": [], "stop_reason": None}
    docs: list[Any] = [{"type": "message_start", "message": head}]
    for place, block in enumerate(answer["content"]):
        begun, deltas = _ANTHROPIC_PIECES[block["type"]](block)
        docs.append({"type": "content_block_start", "content_block": begun, "index": place})
        docs += [{"type": "content_block_delta", "delta": told, "index": place} for told in deltas]
        docs.append({"type": "content_block_stop", "index": place})
    end = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    docs.append({"type": "message_delta", "delta": end, "usage": answer["usage"]})
    return [(doc["type"], doc) for doc in [*docs, {"type": "message_stop"}]]


_ANTHROPIC_PIECES: Any = {
    "thinking": lambda block: (
        {"type": "thinking", "thinking": "", "signature": ""},
        [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ],
    ),
    "redacted_thinking": lambda block: (block, []),
    "text": lambda block: (
        {"type": "text", "text": ""},
        [{"type": "text_delta", "text": block["text"]}],
    ),
    "tool_use": lambda block: (
        block | {"input": {}},
        [
            {"type": "input_json_delta", "partial_json": text}
            for text in ("", f'{{"step":{block["input"]["step"]},', f'"n":{block["input"]["n"]}}}')
        ],
    ),
}


def _bedrock_stream(answer: Any) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = [("messageStart", {"role": "assistant"})]
    for place, block in enumerate(answer["output"]["message"]["content"]):
        at = {"contentBlockIndex": place}
        if use := block.get("toolUse"):
            start = {"toolUse": {key: use[key] for key in ("toolUseId", "name")}}
            out.append(("contentBlockStart", {"start": start} | at))
            told = {"input": f'{{"step":{use["input"]["step"]},"n":{use["input"]["n"]}}}'}
            out.append(("contentBlockDelta", {"delta": {"toolUse": told}} | at))
        elif thought := block.get("reasoningContent"):
            pieces = thought.get("reasoningText") or thought
            out += [
                ("contentBlockDelta", {"delta": {"reasoningContent": {key: value}}} | at)
                for key, value in pieces.items()
            ]
        else:
            out.append(("contentBlockDelta", {"delta": block} | at))
        out.append(("contentBlockStop", at))
    out.append(("messageStop", {"stopReason": answer["stopReason"]}))
    return [*out, ("metadata", {"usage": answer["usage"], "metrics": answer["metrics"]})]


_STREAMS: Any = {
    "anthropic": _anthropic_stream,
    "openai_responses": _responses_stream,
    "gemini": _gemini_stream,
    "bedrock": _bedrock_stream,
}
