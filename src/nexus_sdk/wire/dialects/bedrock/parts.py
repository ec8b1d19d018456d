"""Canonical content parts → content blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire import grounding
from nexus_sdk.wire.canonical import is_data_url, split_data_url, without
from nexus_sdk.wire.dialects.bedrock.names import DocumentNames
from nexus_sdk.wire.dialects.bedrock.words import (
    AUDIO_FORMATS,
    DEFAULT_NAME,
    DOCUMENT_FORMATS,
    IMAGE_FORMATS,
    NAME,
    PART,
    VIDEO_FORMATS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_TTLS = frozenset({"5m", "1h"})
_RESULTS = frozenset({"text", "json", "image", "document", "video", "searchResult"})
"""Blocks that a tool's result may hold. Source: botocore 1.44, `ToolResultContentBlock`."""


class Parts:
    """Makes the blocks of one request."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._names = DocumentNames()

    def blocks(self, content: Json, path: str) -> list[Json]:
        """The blocks of a message's content: no empty text, which Bedrock refuses, and a cache
        point after each part that bears a marker. Raises Unsupported."""
        if isinstance(content, str):
            return [{"text": content}] if content else []
        out: list[Json] = []
        for place, item in enumerate(content or ()):
            here = f"{path}.{place}"
            if block := self._block(item, here):
                out.append(block)
            out += self.point(item, here)
        return out

    def result(self, content: Json, path: str) -> list[Json]:
        """The same for a tool's result, which holds fewer kinds of blocks."""
        out = self.blocks(content, path)
        for place, block in enumerate(out):
            kind = next(iter(block))
            if kind not in _RESULTS and kind != "cachePoint":
                raise Unsupported(
                    f"a tool's result cannot hold a block of {kind}", param=f"{path}.{place}"
                )
        if any("cachePoint" in block for block in out):
            self._report.omitted(f"{path}.cache_control", "a result has no cache points inside")
        return [block for block in out if "cachePoint" not in block]

    def point(self, node: Json, path: str) -> list[Json]:
        """The cache point for a node with Anthropic's marker."""
        told = node.get("cache_control")
        if not told:
            return []
        ttl = told.get("ttl")
        if told.keys() - {"type", "ttl"} or ttl not in {None, *_TTLS}:
            self._report.omitted(f"{path}.cache_control", "a cache point has a ttl of 5m or 1h")
        return [{"cachePoint": {"type": "default"} | ({"ttl": ttl} if ttl in _TTLS else {})}]

    def _block(self, item: Json, path: str) -> Json | None:
        kind = str(item.get("type"))
        if kind.startswith(PART):
            return {kind.removeprefix(PART): item[kind.removeprefix(PART)]}
        make = _PARTS.get(kind)
        if make is None:
            raise Unsupported(f"Bedrock has no content of type {kind!r}", param=f"{path}.type")
        return make(self, item, path)

    def _text(self, item: Json, path: str) -> Json | None:
        text, native = item.get("text") or "", item.get("native") or {}
        if item.get("citations") or item.get("annotations"):
            self._report.omitted(
                f"{path}.citations", "the citations of another vendor stay with it"
            )
        if native.get("origin") == NAME and native.get("form") == "guardContent":
            return {"guardContent": {"text": {"text": text} | without(native, {"origin", "form"})}}
        if native.get("origin") == NAME and native.get("form") == "json":
            return {"json": orjson.loads(text)}
        return {"text": text} if text else None

    def _refusal(self, item: Json, path: str) -> Json | None:  # noqa: ARG002
        return {"text": item["refusal"]} if item["refusal"] else None

    def _image(self, item: Json, path: str) -> Json:
        told = item["image_url"]
        if told.get("detail") not in {None, "auto"}:
            self._report.omitted(f"{path}.image_url.detail", "images have no such setting")
        here = f"{path}.image_url"
        form, source = _source(told.get("url"), here, IMAGE_FORMATS)
        return {"image": {"format": form, "source": source}}

    def _video(self, item: Json, path: str) -> Json:
        here = f"{path}.video_url"
        form, source = _source(item["video_url"].get("url"), here, VIDEO_FORMATS)
        return {"video": {"format": form, "source": source}}

    def _audio(self, item: Json, path: str) -> Json:
        told = item["input_audio"]
        if told.get("format") not in AUDIO_FORMATS:
            raise Unsupported("audio of this format is not taken", param=f"{path}.input_audio")
        return {"audio": {"format": told["format"], "source": {"bytes": told["data"]}}}

    def _file(self, item: Json, path: str) -> Json:
        file, here = item["file"], f"{path}.file"
        form, source = _source(
            file.get("file_data") or file.get("file_url"), here, DOCUMENT_FORMATS
        )
        name = self._names.take(file.get("filename") or DEFAULT_NAME, form, here, self._report)
        return self._document({"format": form, "name": name, "source": source}, item, {"file"})

    def _document(self, made: Json, item: Json, told: set[str]) -> Json:
        """With the context and the citations that were asked for, which Bedrock has too."""
        rest = without(item, {"type", "cache_control", *told})
        return {"document": made | {key: value for key, value in rest.items() if value is not None}}

    def _anthropics_document(self, item: Json, path: str) -> Json:
        """Anthropic's documents of text and of parts, and Cohere's: they are no files."""
        if "document" in item:
            item = grounding.source(item["document"])
        source = item.get("source") or {}
        form = DOCUMENT_FORMATS.get(source.get("media_type") or "text/plain", "txt")
        if source.get("type") == "text":
            told: Json = {"text": source["data"]}
        elif source.get("type") == "content":
            content = source.get("content") or []
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            told = {"content": [self._only_text(one, path) for one in parts]}
        else:
            raise Unsupported("the file of another vendor cannot be read", param=f"{path}.source")
        name = self._names.take(item.get("title") or DEFAULT_NAME, form, path, self._report)
        made = {"name": name, "source": told} | ({"format": form} if "text" in told else {})
        return self._document(made, item, {"source", "title"})

    def _only_text(self, item: Json, path: str) -> Json:
        if item.get("type") != "text":
            raise Unsupported("a document of parts holds text only", param=f"{path}.source")
        return {"text": item["text"]}

    def _search_result(self, item: Json, path: str) -> Json:
        content = [self._only_text(one, path) for one in item.get("content") or ()]
        rest = without(item, {"type", "content", "cache_control"})
        return {"searchResult": rest | {"content": content}}

    def _no_file(self, item: Json, path: str) -> Json:  # noqa: ARG002
        raise Unsupported("the file of another vendor cannot be read", param=f"{path}.source")


_PARTS: Mapping[str, Callable[[Parts, Json, str], Json | None]] = {
    "text": Parts._text,  # noqa: SLF001  the table of the class itself
    "refusal": Parts._refusal,  # noqa: SLF001
    "image_url": Parts._image,  # noqa: SLF001
    "video_url": Parts._video,  # noqa: SLF001
    "input_audio": Parts._audio,  # noqa: SLF001
    "file": Parts._file,  # noqa: SLF001
    "document": Parts._anthropics_document,  # noqa: SLF001
    "search_result": Parts._search_result,  # noqa: SLF001
    "image": Parts._no_file,  # noqa: SLF001
}


def _source(url: Json, path: str, formats: Mapping[str, str]) -> tuple[str, Json]:
    """Format and source of a `data:` URL, or of an object in S3, whose name tells the format.
    Bedrock fetches nothing else. Raises Unsupported."""
    if not isinstance(url, str):
        raise Unsupported("the file of another vendor cannot be read", param=path)
    if url.startswith("s3://"):
        form = url.rpartition(".")[2].lower()
        if form in formats.values():
            return form, {"s3Location": {"uri": url}}
        raise Unsupported("the name of an object in S3 must tell its format", param=path)
    if not is_data_url(url):
        raise Unsupported("Bedrock fetches no URL; give the data itself", param=path)
    media_type, data = split_data_url(url, path)
    if media_type not in formats:
        raise Unsupported(f"Bedrock takes no {media_type[:64]!r} here", param=path)
    return formats[media_type], {"bytes": data}
