"""Content blocks → canonical messages and parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire.canonical import data_url, without
from nexus_sdk.wire.dialects.bedrock.words import (
    AUDIO_FORMATS,
    BLOCK,
    DOCUMENTS,
    IMAGES,
    NAME,
    PART,
    VIDEOS,
)
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.wire.json import Json


def kind_of(block: Json, path: str) -> str:
    """The one member of a block that says what it is. Raises Unsupported."""
    for key in block:
        if key in BLOCK or key == "json":
            return str(key)
    told = ", ".join(sorted(block)[:3])[:64]
    raise Unsupported(
        f"content blocks of {told!r} are not known, so they cannot be translated", param=path
    )


def marker(point: Json) -> Json:
    """Anthropic's marker for a cache point."""
    ttl = point.get("ttl")
    return {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})


def system(blocks: list[Json]) -> list[Json]:
    """The system prompt as one message, or none."""
    parts = marked(blocks, "system", part)
    return [{"role": "system", "content": parts}] if parts else []


def marked(blocks: list[Json], path: str, make: Callable[[Json, str], Json]) -> list[Json]:
    """What `make` gives for each block; a cache point is a marker on what comes before it."""
    out: list[Json] = []
    for place, block in enumerate(blocks):
        if "cachePoint" not in block:
            out.append(make(block, f"{path}.{place}"))
            continue
        if not out:
            out.append({"type": "text", "text": ""})
        out[-1]["cache_control"] = marker(block["cachePoint"])
    return out


def user(message: Json, path: str) -> list[Json]:
    """The canonical messages of a user's turn: results of tools are messages of their own, before
    the rest."""
    told = marked(message["content"], f"{path}.content", _result_or_part)
    rest = without(message, {"content"})
    results = [one for one in told if one.get("role") == "tool"]
    parts = [one for one in told if one.get("role") != "tool"]
    return [*results, rest | {"content": parts}] if parts or not results else results


def _result_or_part(block: Json, path: str) -> Json:
    """A result that names its type is of a tool of the provider's own."""
    result = block.get("toolResult")
    if result is None:
        return part(block, path)
    return _native("toolResult", result) if result.get("type") else _result(result, path)


def _result(told: Json, path: str) -> Json:
    content = told.get("content") or []
    parts = marked(content, f"{path}.toolResult.content", part)
    message = {"role": "tool", "tool_call_id": told.get("toolUseId"), "content": parts}
    if told.get("status"):
        message["is_error"] = told["status"] == "error"
    return message | without(told, {"toolUseId", "content", "status"})


def part(block: Json, path: str) -> Json:
    """A block of a user's turn, of the system prompt or of a tool's result as a content part.
    Raises Unsupported, and Malformed for one without its members."""
    kind = kind_of(block, path)
    make = _PARTS.get(kind)
    if make is None:
        raise Unsupported(f"a block of {kind} cannot stand here", param=f"{path}.{kind}")
    try:
        return make(block[kind])
    except KeyError as err:
        missing = f"{path}.{kind}.{err.args[0]}"
        raise Malformed(f"{missing} is missing", param=missing) from None


def _native(kind: str, value: Json) -> Json:
    """What nobody else can be given: a file in S3, a format that is not known."""
    return {"type": PART + kind, kind: value}


def _text(text: Json) -> Json:
    return {"type": "text", "text": text}


def _json(value: Json) -> Json:
    """A result in JSON, as the text that everybody takes."""
    return _text(dumps(value).decode()) | {"native": {"origin": NAME, "form": "json"}}


def _image(image: Json) -> Json:
    data, media_type = image["source"].get("bytes"), IMAGES.get(image["format"])
    if data is None or media_type is None:
        return _native("image", image)
    url = data_url(media_type, data)
    return {"type": "image_url", "image_url": {"url": url}}


def _video(video: Json) -> Json:
    data, media_type = video["source"].get("bytes"), VIDEOS.get(video["format"])
    if data is None or media_type is None:
        return _native("video", video)
    url = data_url(media_type, data)
    return {"type": "video_url", "video_url": {"url": url}}


def _audio(audio: Json) -> Json:
    data = audio["source"].get("bytes")
    if data is None or audio["format"] not in AUDIO_FORMATS:
        return _native("audio", audio)
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio["format"]}}


def _document(document: Json) -> Json:
    """A document of bytes as a file, of text as Anthropic's document."""
    source, rest = document["source"], without(document, {"format", "name", "source"})
    form = document.get("format") or "txt"
    if form not in DOCUMENTS:
        return _native("document", document)
    if "bytes" in source:
        url = data_url(DOCUMENTS[form], source["bytes"])
        file = {"filename": f"{document['name']}.{form}", "file_data": url}
        return {"type": "file", "file": file} | rest
    if "text" in source:
        told = {"type": "text", "media_type": DOCUMENTS[form], "data": source["text"]}
    elif "content" in source:
        told = {"type": "content", "content": [_text(one["text"]) for one in source["content"]]}
    else:
        return _native("document", document)
    return {"type": "document", "source": told, "title": document["name"]} | rest


def _guarded(guard: Json) -> Json:
    """Text that a guardrail looks at."""
    text = guard.get("text")
    if text is None:
        return _native("guardContent", guard)
    form = {"origin": NAME, "form": "guardContent"} | without(text, {"text"})
    return _text(text["text"]) | {"native": form}


def _search_result(told: Json) -> Json:
    content = [_text(one["text"]) for one in told["content"]]
    return {"type": "search_result"} | told | {"content": content}


_PARTS: Mapping[str, Callable[[Json], Json]] = {
    "text": _text,
    "json": _json,
    "image": _image,
    "document": _document,
    "video": _video,
    "audio": _audio,
    "guardContent": _guarded,
    "searchResult": _search_result,
    "toolAddition": lambda value: _native("toolAddition", value),
    "toolRemoval": lambda value: _native("toolRemoval", value),
}
