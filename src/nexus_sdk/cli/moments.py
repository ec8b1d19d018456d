"""Points in time as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS: Mapping[str, int] = MappingProxyType(
    {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
)
_FORM = "is no time: write 2026-01-31, 2026-01-31T18:00:00Z (UTC), or a span like 90d, 24h, 30m"


def moment(text: str, now_s: float, *, ahead: bool = False) -> str:
    """UTC as `2026-01-31T18:00:00.000000Z`, the form of an audit record's time.

    A span counts back from `now_s` (seconds since the epoch), with `ahead` on from it. Raises
    click.BadParameter.
    """
    if match := _SPAN.fullmatch(text):
        seconds = int(match[1]) * _SECONDS[match[2]]
        return _written(now_s + seconds if ahead else now_s - seconds, text)
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} {_FORM}") from None
    if given.tzinfo is None:
        if "T" in text.upper() or " " in text:
            raise click.BadParameter(f"{text!r} names no time zone: write a Z behind it for UTC")
        given = given.replace(tzinfo=UTC)
    return _written(given.timestamp(), text)


def _written(seconds: float, text: str) -> str:
    try:
        instant = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise click.BadParameter(f"{text!r} is outside of the calendar") from None
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
