"""Forms with files (RFC 7578), read strictly, and edits that leave every other byte as it was.

A body that two readers could cut in two ways is not read at all: text before the first part, a
header that is not understood, a parameter without quotes, a name in another encoding.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from typing import TYPE_CHECKING, NamedTuple

from nexus_sdk.errors import Malformed
from nexus_sdk.values import value
from nexus_sdk.wire.json import parse as parse_json
from nexus_sdk.wire.json import splice
from nexus_sdk.wire.texts import Leaf, TextMap, leaves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.json import Json, Path

MAX_PARTS = 1000
_KIND = re.compile(
    r'multipart/form-data\s*;\s*boundary=(?:"([^"\\]{1,70})"|([!-~]{1,70}?))\s*', re.IGNORECASE
)
_DISPOSITION = re.compile(
    r'form-data;[ \t]*name="([^"\\\r\n]*)"(?:;[ \t]*filename="([^"\\\r\n]*)")?', re.IGNORECASE
)
_IDENTITY = frozenset({"7bit", "8bit", "binary"})
WORDS = frozenset({"model", "stream", "purpose", "response_format"})
"""Fields that are words of the protocol."""
_LINES = (".jsonl", ".ndjson")
_TEXTS = (".txt", ".md", ".csv", ".json", ".html", ".xml", ".srt", ".vtt")


class Part(NamedTuple):
    """`filename` is empty for a plain field. Its content is `body[start:end]`."""

    name: str
    filename: str
    content_type: str
    start: int
    end: int


@value
class Form:
    """`unread` names the parts that are no text."""

    body: bytes = field(repr=False)
    parts: tuple[Part, ...]
    unread: tuple[str, ...] = ()

    def get(self, name: str) -> str:
        """A field's text, empty when there is none. Raises Malformed for one that is there
        twice."""
        found = [part for part in self.parts if part.name == name]
        if len(found) > 1:
            raise Malformed(f"the form has the field {name!r} twice", param=name)
        return self.content(found[0]).decode("utf-8", "replace") if found else ""

    def content(self, part: Part) -> bytes:
        return self.body[part.start : part.end]

    def texts(self, text_map: TextMap) -> tuple[Form, tuple[Leaf, ...]]:
        """Every text; the form knows afterwards what it could not read."""
        found: list[Leaf] = []
        unread: list[str] = []
        for place, part in enumerate(self.parts):
            told = _texts(self.content(part), part, place, text_map)
            if told is None:
                kind = part.content_type or "no content type"
                unread.append(f"{part.name} ({kind})"[:200])
            else:
                found += told
        return replace(self, unread=tuple(unread)), tuple(found)

    def with_value(self, name: str, text: str) -> Form:
        """The form with the field `name` changed."""
        places = [place for place, part in enumerate(self.parts) if part.name == name]
        return self._with({place: text.encode() for place in places})

    def edited(self, edits: Mapping[Path, Json]) -> Form:
        """`edits` have the paths of `texts`."""
        by_part: dict[int, dict[Path, Json]] = {}
        for path, text in edits.items():
            by_part.setdefault(int(path[0]), {})[path[1:]] = text
        return self._with({place: self._rewritten(place, made) for place, made in by_part.items()})

    def _rewritten(self, place: int, edits: dict[Path, Json]) -> bytes:
        if () in edits:
            return str(edits[()]).encode("utf-8", "surrogatepass")
        lines = self.content(self.parts[place]).split(b"\n")
        by_line: dict[int, dict[Path, Json]] = {}
        for path, text in edits.items():
            by_line.setdefault(int(path[0]), {})[path[1:]] = text
        for number, made in by_line.items():
            lines[number] = splice(lines[number], made)
        return b"\n".join(lines)

    def _with(self, contents: Mapping[int, bytes]) -> Form:
        pieces: list[bytes] = []
        parts: list[Part] = []
        at = size = 0
        for place, part in enumerate(self.parts):
            content = contents.get(place, self.content(part))
            pieces += (self.body[at : part.start], content)
            size += part.start - at
            parts.append(part._replace(start=size, end=size + len(content)))
            size += len(content)
            at = part.end
        return replace(self, body=b"".join([*pieces, self.body[at:]]), parts=tuple(parts))


def parse(body: bytes, content_type: str) -> Form | None:
    """None for a body that is no form, or that could be read in two ways."""
    found = _KIND.fullmatch(content_type)
    if found is None:
        return None
    mark = b"--" + (found[1] or found[2]).encode("latin-1")
    if not body.startswith(mark):
        return None
    parts: list[Part] = []
    at = len(mark)
    while body[at : at + 2] == b"\r\n" and len(parts) < MAX_PARTS:
        head_end = body.find(b"\r\n\r\n", at)
        end = body.find(b"\r\n" + mark, head_end + 2)
        if head_end < 0 or end < 0:
            return None
        part = _part(body[at + 2 : head_end], head_end + 4, max(end, head_end + 4))
        if part is None:
            return None
        parts.append(part)
        at = end + 2 + len(mark)
    return Form(body, tuple(parts)) if body[at:] in (b"--", b"--\r\n") and parts else None


def _part(head: bytes, start: int, end: int) -> Part | None:
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, colon, text = line.partition(":")
        name = name.lower()
        if not colon or name in headers:
            return None
        headers[name] = text.strip()
    told = _DISPOSITION.fullmatch(headers.get("content-disposition", ""))
    coded = headers.get("content-transfer-encoding", "binary").lower() not in _IDENTITY
    if told is None or coded:
        return None
    return Part(told[1], told[2] or "", headers.get("content-type", ""), start, end)


def _texts(content: bytes, part: Part, place: int, text_map: TextMap) -> list[Leaf] | None:
    """None: it is no text."""
    if part.name in WORDS and not part.filename:
        return []
    kind = part.content_type.partition(";")[0].strip().lower()
    filename = part.filename.lower()
    if filename.endswith(_LINES) or kind in {"application/jsonl", "application/x-ndjson"}:
        return _lines(content, place, text_map)
    plain = kind.startswith("text/") or kind == "application/json" or filename.endswith(_TEXTS)
    if part.filename and not plain:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return [Leaf((place,), text)] if text else []


def _lines(content: bytes, place: int, text_map: TextMap) -> list[Leaf] | None:
    """A file of one JSON document a line."""
    found: list[Leaf] = []
    try:
        for number, line in enumerate(content.split(b"\n")):
            if not line.strip():
                continue
            doc = parse_json(line)
            if not isinstance(doc, dict | list):
                return None
            found += [
                leaf._replace(path=(place, number, *leaf.path)) for leaf in leaves(doc, text_map)
            ]
    except Malformed:
        return None
    return found
