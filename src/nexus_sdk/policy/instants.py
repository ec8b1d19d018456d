"""Points in time as the policy writes them: RFC 3339, always in UTC, so that no reader has to guess
a zone."""

from __future__ import annotations

import re
from datetime import datetime

_UTC = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]00:00)", re.ASCII)


def seconds(text: str) -> float:
    """Seconds since 1970-01-01T00:00:00Z.

    Raises ValueError, with a reason to show, when `text` is no RFC 3339 time (5.6) or not in UTC. A
    leap second (`:60`) is refused: no clock that we compare with has one.
    """
    if not _UTC.fullmatch(text):
        raise ValueError("must be a time like 2026-01-31T18:00:00Z (RFC 3339, UTC)")
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except ValueError as err:
        raise ValueError("is no day or hour of the calendar") from err
