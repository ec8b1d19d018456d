"""Which paths carry a wire format that we read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `suffix` is the path below a base URL; `dialect` is empty where no body is
    translated."""

    key: str
    method: str
    suffix: str
    dialect: str = ""


_ROWS = (
    Endpoint("chat", "POST", "/chat/completions", "openai_chat"),
    Endpoint("responses", "POST", "/responses", "openai_responses"),
    Endpoint("embeddings", "POST", "/embeddings", "openai_embeddings"),
    Endpoint("messages", "POST", "/messages", "anthropic"),
    Endpoint("models", "GET", "/models"),
)

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({row.key: row for row in _ROWS})

_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,=:@-]+)+", re.ASCII)
"""Segments of RFC 3986's unreserved and delimiting characters, but for `;` and escapes: servers
disagree on what `//`, `..`, `%2e`, `\\` and `;` mean, so a path that holds one names nothing."""


def match(method: str, path: str) -> Endpoint | None:
    """The endpoint of a request, whatever stands before its suffix (`/v1`, `/openai/v1`, nothing);
    None for any other. `path` has no query. Letter case counts."""
    if _PLAIN_PATH.fullmatch(path) is None:
        return None
    for row in _ROWS:
        if row.method == method and path.endswith(row.suffix):
            return row
    return None
