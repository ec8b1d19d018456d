"""Names that Bedrock restricts, made of names that others chose."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from nexus_sdk.wire.dialects.bedrock.words import DEFAULT_NAME

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report

_CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""Source of both: botocore 1.44, bedrock-runtime, `ToolUseId` and `ToolName`."""
_MAX_DOCUMENT_NAME = 200


def call_id(given: str) -> str:
    """An id that Bedrock takes: the given one where it can be. The same id always becomes the same,
    so that a result finds its call, and two never become one."""
    if _CALL_ID.fullmatch(given):
        return given
    mark = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return re.sub(r"[^a-zA-Z0-9_-]", "_", given)[:50] + "_" + mark


def document_name(given: str, form: str) -> str:
    """Without the ending that the format says, and of letters, digits, single blanks, hyphens,
    parentheses and square brackets only.

    Source: botocore 1.44, bedrock-runtime, `DocumentBlock.name`.
    """
    name = given[: -len(form) - 1] if given.lower().endswith(f".{form}") else given
    name = re.sub(r"[^a-zA-Z0-9\s()\[\]-]", "-", name)
    return re.sub(r"\s+", " ", name).strip()[:_MAX_DOCUMENT_NAME] or DEFAULT_NAME


class DocumentNames:
    """The names of the documents of one request, of which no two may be alike."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def take(self, given: str, form: str, path: str, report: Report) -> str:
        base = name = document_name(given, form)
        count = 1
        while name in self._used:
            count += 1
            name = f"{base[: _MAX_DOCUMENT_NAME - 10]} {count}"
        self._used.add(name)
        if name not in {given, given.removesuffix(f".{form}")}:
            report.coerced(f"{path}: the document's name->{name}")
        return name
