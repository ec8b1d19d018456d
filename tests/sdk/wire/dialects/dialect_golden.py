"""Golden files: what goes in stands beside what must come out. `pytest --regen` writes the latter
anew; the review is the difference that version control shows.

    golden/requests/<dialect>/<case>.json   what a client sends; <case>.to.<other>.json: what
    another upstream gets golden/answers/<dialect>/<case>.json    what an upstream answers;
    .to.<other>.json: what another client gets golden/streams/<dialect>/<case>.sse     the same as
    events
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nexus_sdk.wire.dialect import Reply
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.sse import Decoder, StreamEvent

ROOT = Path(__file__).parents[3] / "golden"
USER = [{"role": "user", "content": "hi"}]
MINIMAL: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": USER},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": USER},
    "openai_responses": {"model": "m", "input": "hi"},
    "openai_embeddings": {"model": "m", "input": "hi"},
    "bedrock": {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
    "cohere": {"model": "m", "messages": USER},
    "gemini": {"model": "m", "contents": [{"parts": [{"text": "hi"}]}]},
}
"""The least that each dialect takes."""
CHATS = ("openai_chat", "openai_responses", "anthropic", "bedrock", "cohere", "gemini")


def user(part: Any) -> list[Any]:
    """One message of one part."""
    return [{"role": "user", "content": [part]}]


def cases(kind: str) -> list[Path]:
    """The sources of a kind, without what was made of them."""
    return sorted(path for path in (ROOT / kind).rglob("*.*") if ".to." not in path.name)


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def check(source: Path, target: str, text: str, *, regen: bool) -> None:
    golden = source.with_name(f"{source.stem}.to.{target}{source.suffix}")
    if regen:
        golden.write_text(text, "utf-8")
    assert golden.exists(), f"{golden.name} is missing: run pytest --regen and review it"
    assert text == golden.read_text("utf-8")


def chat(source: Path) -> Any:
    """A request in canonical form, with the model that Gemini's has in its path."""
    return {"model": "gemini-3-pro"} | DIALECTS[source.parent.name].decode_request(load(source))


def pretty(doc: Any) -> str:
    return json.dumps(doc, indent=2, ensure_ascii=False) + "\n"


def reply(request: Any = None) -> Reply:
    """A reply to a request that asks for token counts."""
    asked = {"model": "asked", "stream_options": {"include_usage": True}} | (request or {})
    return Reply(asked, "req_1", "asked", 1700000001)


def events(raw: bytes) -> list[StreamEvent]:
    """The events of a stream with their documents, as the pipeline hands them over."""
    decoder = Decoder()
    told = decoder.feed(raw) + decoder.close()
    for event in told:
        if event.data.startswith(b"{"):
            event.doc = json.loads(event.data)
    return told


def chunks(dialect: str, told: list[StreamEvent]) -> list[Any]:
    decoder = DIALECTS[dialect].stream_decoder()
    return [chunk for event in told for chunk in decoder.feed(event)] + decoder.close()


def encoded(dialect: str, told: list[Any], request: Any = None) -> list[StreamEvent]:
    encoder = DIALECTS[dialect].stream_encoder(reply(request))
    return [event for chunk in told for event in encoder.feed(chunk)] + encoder.close()


def wire(told: list[StreamEvent]) -> bytes:
    return b"".join(event.wire() for event in told)


def merged(told: list[Any]) -> Any:
    """The chunks of a stream as one canonical answer: texts joined, lists by their index."""
    message: dict[str, Any] = {}
    answer: dict[str, Any] = {"choices": [{"index": 0, "message": message}]}
    choice = answer["choices"][0]
    for chunk in told:
        answer |= {key: chunk[key] for key in ("id", "model", "usage") if chunk.get(key)}
        for part in chunk["choices"]:
            _merge(message, part.get("delta") or {})
            rest = {
                key: value
                for key, value in part.items()
                if key not in {"delta", "index", "logprobs"}
            }
            choice |= {key: value for key, value in rest.items() if value is not None}
    return answer


def _merge(into: dict[str, Any], delta: Any) -> None:
    for key, value in delta.items():
        if value is None or key == "native":
            continue
        if isinstance(value, str) and key not in {"role", "type", "id"}:
            into[key] = into.get(key, "") + value
        elif isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        elif isinstance(value, list) and all(
            isinstance(item, dict) and "index" in item for item in value
        ):
            known = into.setdefault(key, [])
            for item in value:
                while len(known) <= item["index"]:
                    known.append({})
                _merge(
                    known[item["index"]],
                    {name: told for name, told in item.items() if name != "index"},
                )
        else:
            into[key] = value


def message_of(events: list[StreamEvent], dialect: str = "anthropic") -> Any:
    """The message that a stream makes."""
    return merged(chunks(dialect, events))["choices"][0]["message"]


def chunk(delta: Any, finish: str | None = None) -> Any:
    """A canonical chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "c",
        "model": "m",
        "created": 1,
        "object": "chat.completion.chunk",
        "choices": [choice],
    }


def answer(message: Any, finish: str = "stop") -> Any:
    """A canonical answer."""
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish}
    return {"id": "a", "model": "m", "created": 1, "choices": [choice]}


def asked(target: str, chat: Any) -> tuple[Any, Report]:
    """What `target` is sent for a canonical request, and what is told of it."""
    report = Report()
    return DIALECTS[target].encode_request({"model": "m", "messages": USER} | chat, report), report


def dialect_and_case(pair: Any) -> str:
    return pair if isinstance(pair, str) else pair.name


STREAMS = [(path.parent.name, path) for path in cases("streams")] + [
    (path.suffixes[-2].removeprefix("."), path)
    for path in sorted((ROOT / "streams").rglob("*.to.*.sse"))
]
"""Every stream there is, sources and translations, with the dialect that it is in."""
