"""Canonical content parts → those of an input item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire.canonical import plain_text, refuse_address, tell_file_extras, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def content(told: Json, path: str, report: Report) -> Json:
    """A message's content, not the assistant's. Raises Unsupported."""
    if told is None or isinstance(told, str):
        return told or ""
    return [_part(item, f"{path}.{i}", report) for i, item in enumerate(told)]


def _part(item: Json, path: str, report: Report) -> Json:
    kind = item.get("type")
    if kind not in _PARTS:
        raise Unsupported(
            f"the Responses API has no content of type {kind!r}", param=f"{path}.type"
        )
    if "cache_control" in item:
        report.omitted(f"{path}.cache_control", "the target caches without markers")
    return _PARTS[kind](without(item, {"cache_control"}), path, report)


def _text(item: Json, path: str, report: Report) -> Json:
    if item.get("citations"):
        report.omitted(f"{path}.citations", "the citations of another vendor stay with it")
    return without(item, {"citations", "logprobs", "annotations"}) | {"type": "input_text"}


def _image(item: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    told = item["image_url"]
    image = {"image_url": told["url"]} if "url" in told else {}
    rest = without(item, {"type", "image_url"})
    return {"type": "input_image"} | image | without(told, {"url"}) | rest


def _file(item: Json, path: str, report: Report) -> Json:
    file = dict(item["file"])
    refuse_address(file, path)
    if "file_url" in file:
        file.pop("filename", None)  # the API takes a name with file_data only
    tell_file_extras(item, path, report)
    return {"type": "input_file"} | file


def _as_it_is(item: Json, path: str, report: Report) -> Json:  # noqa: ARG001
    return item


def _readable(item: Json, path: str, report: Report) -> Json:
    text = plain_text(item)
    if text is None:
        raise Unsupported("this kind of document cannot be given to OpenAI", param=f"{path}.source")
    report.coerced(f"{path}: {item['type']}->text")
    return {"type": "input_text", "text": text}


_PARTS: dict[str, Callable[[Json, str, Report], Json]] = {
    "text": _text,
    "image_url": _image,
    "file": _file,
    "input_audio": _as_it_is,
    "refusal": _as_it_is,
    "document": _readable,
    "search_result": _readable,
}
