"""Parts of a user's turn or of a tool's result ↔ canonical content parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire.canonical import (
    data_url,
    is_data_url,
    plain_text,
    split_data_url,
    tell_file_extras,
    without,
)
from nexus_sdk.wire.dialects.gemini.sealing import standard
from nexus_sdk.wire.dialects.gemini.words import DEFAULT_FILENAME, PART_EXTRAS, generation

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_AUDIO = {"audio/wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/x-wav": "wav"}
_SUFFIXES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
    "gif": "image/gif", "heic": "image/heic", "heif": "image/heif", "pdf": "application/pdf",
    "txt": "text/plain", "csv": "text/csv", "html": "text/html", "md": "text/md",
    "mp4": "video/mp4", "mov": "video/mov", "webm": "video/webm", "mp3": "audio/mpeg",
    "wav": "audio/wav",
}  # fmt: skip
"""The media types that Gemini takes, by the end of an address. Source:
https://ai.google.dev/gemini-api/docs/file-input-methods."""
_USUAL = {"image_url": "image/jpeg"}
_GOOGLES = ("gs://", "https://generativelanguage.googleapis.com/")
"""Addresses that nobody but Google can read."""
_DETAILS = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
_LEVELS = {detail: level for level, detail in _DETAILS.items()}


def decode(part: Json, path: str) -> Json:
    """A part as a canonical one. Raises Unsupported."""
    if "text" in part:
        return {"type": "text", "text": part["text"]} | without(part, {"text", "thought"})
    if "inlineData" in part:
        return _detailed(_inline(part["inlineData"]) | without(part, {"inlineData"}))
    if "fileData" in part:
        return _detailed(_file_data(part["fileData"]) | without(part, {"fileData"}))
    kind = next(iter(part), "")
    raise Unsupported(
        f"a part with {kind!r} is not known here, so it cannot be translated",
        param=f"{path}.{kind}",
    )


def _detailed(item: Json) -> Json:
    """The resolution of an image as OpenAI's detail, where it has a word for it."""
    level = (item.get("mediaResolution") or {}).get("level")
    if item["type"] != "image_url" or level not in _DETAILS:
        return item
    image = item["image_url"] | {"detail": _DETAILS[level]}
    return without(item, {"mediaResolution"}) | {"image_url": image}


def _inline(blob: Json) -> Json:
    kind, data = blob.get("mimeType") or "", standard(blob.get("data") or "")
    if kind in _AUDIO:
        return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO[kind]}}
    url = data_url(kind, data)
    name = blob.get("displayName")
    if kind.startswith("image/"):
        return _shown("image_url", url) | _named(name)
    if kind.startswith("video/"):
        return _shown("video_url", url) | _named(name)
    return {"type": "file", "file": {"filename": name or DEFAULT_FILENAME, "file_data": url}}


def _named(name: Json) -> Json:
    return {"displayName": name} if name else {}


def _shown(kind: str, url: str) -> Json:
    return {"type": kind, kind: {"url": url}}


def _file_data(told: Json) -> Json:
    uri, kind = told.get("fileUri") or "", told.get("mimeType")
    told_type = {} if kind in {None, _guessed(uri)} else {"media_type": kind}
    extra = told_type | _named(told.get("displayName"))
    if uri.startswith(_GOOGLES):
        return {"type": "file", "file": {"file_id": uri}} | extra
    if kind is not None and kind.startswith("image/"):
        return _shown("image_url", uri) | extra
    if kind is None or kind.startswith("video/"):
        return _shown("video_url", uri) | extra
    return {"type": "file", "file": {"file_url": uri}} | extra


def _guessed(uri: str) -> str | None:
    return _SUFFIXES.get(uri.partition("?")[0].rpartition(".")[2].lower())


def encode(item: Json, path: str, report: Report, model: str) -> Json:
    """A canonical content part as a part. Raises Unsupported."""
    kind = item.get("type") or ""
    if kind not in _PARTS:
        raise Unsupported(f"Gemini has no content of type {kind!r}", param=f"{path}.type")
    known = _MEMBERS.get(kind, _MEMBERS[""])
    for key in sorted(item.keys() - known - PART_EXTRAS):
        if item[key]:
            report.omitted(f"{path}.{key}", _REASONS.get(key, "Gemini's parts have no such member"))
    extras = {key: item[key] for key in item if key in PART_EXTRAS}
    return _PARTS[kind](item, path, report, model) | extras


def _text(item: Json, path: str, report: Report, model: str) -> Json:  # noqa: ARG001
    return {"text": item["text"]}


def _url(item: Json, path: str, report: Report, model: str) -> Json:
    told = item[item["type"]]
    url = told.get("url")
    if url is None:
        raise Unsupported(
            "the file of another vendor cannot be read", param=f"{path}.{item['type']}"
        )
    return _source(url, item, path) | _resolution(told.get("detail"), path, report, model)


def _resolution(detail: Json, path: str, report: Report, model: str) -> Json:
    """Gemini 3 is the first that takes a resolution for one part. Source:
    https://ai.google.dev/gemini-api/docs/media-resolution."""
    if detail in {None, "auto"}:
        return {}
    if detail in _LEVELS and generation(model) >= (3, 0):
        return {"mediaResolution": {"level": _LEVELS[detail]}}
    report.omitted(f"{path}.image_url.detail", "the model has no such setting for one image")
    return {}


def _source(url: str, item: Json, path: str) -> Json:
    name = _named(item.get("displayName"))
    if is_data_url(url):
        kind, data = split_data_url(url, path)
        return {"inlineData": {"mimeType": kind, "data": data} | name}
    found = item.get("media_type") or _guessed(url) or _USUAL.get(item["type"])
    return {"fileData": {"fileUri": url} | ({"mimeType": found} if found else {}) | name}


def _audio(item: Json, path: str, report: Report, model: str) -> Json:  # noqa: ARG001
    told = item["input_audio"]
    kind = "audio/mpeg" if told.get("format") == "mp3" else f"audio/{told.get('format') or 'wav'}"
    blob = {"mimeType": kind, "data": told.get("data") or ""}
    return {"inlineData": blob}


def _file(item: Json, path: str, report: Report, model: str) -> Json:  # noqa: ARG001
    file = item["file"]
    url = file.get("file_data") or file.get("file_url") or file.get("file_id") or ""
    if not is_data_url(url) and "://" not in url:
        raise Unsupported("the file of another vendor cannot be read", param=f"{path}.file.file_id")
    name = file.get("filename") or DEFAULT_FILENAME
    told = {} if name == DEFAULT_FILENAME else {"displayName": name}
    tell_file_extras(without(item, {*_NAMES, *PART_EXTRAS, "cache_control"}), path, report)
    return _source(url, item | told, f"{path}.file.file_data")


def _refusal(item: Json, path: str, report: Report, model: str) -> Json:  # noqa: ARG001
    return {"text": item["refusal"]}


def _readable(item: Json, path: str, report: Report, model: str) -> Json:  # noqa: ARG001
    """Anthropic's document or search result: its text."""
    text = plain_text(item)
    if text is None:
        raise Unsupported("this kind of document cannot be given to Gemini", param=f"{path}.source")
    report.coerced(f"{path}: {item['type']}->text")
    return {"text": text}


_REASONS = {
    "cache_control": "caching is automatic, or by cachedContent",
    "citations": "the citations of another vendor stay with it",
    "annotations": "the citations of another vendor stay with it",
}
_NAMES = frozenset({"media_type", "displayName"})
_MEMBERS = {
    "": frozenset({"type", "image_url", "video_url", "input_audio", "refusal", *_NAMES}),
    "text": frozenset({"type", "text", "logprobs"}),
    "file": frozenset({"type", "file", "context", "citations", *_NAMES}),
    "document": frozenset({"type", "source", "title", "context", "document"}),
    "search_result": frozenset({"type", "source", "title", "content"}),
}
"""Members of canonical parts that are read, or told by themselves."""

_PARTS: dict[str, Callable[[Json, str, Report, str], Json]] = {
    "text": _text,
    "image_url": _url,
    "video_url": _url,
    "file": _file,
    "input_audio": _audio,
    "refusal": _refusal,
    "document": _readable,
    "search_result": _readable,
}
