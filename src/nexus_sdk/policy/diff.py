"""What changed between two policies, in plain words, and without showing a secret."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nexus_sdk.policy.problems import path_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nexus_sdk.policy.document import Policy
    from nexus_sdk.policy.tree import Path

_NAMED_BY = ("name", "id")
"""Entries of a list that have one of these are the same entry when it is equal, wherever they
stand."""
_LONGEST = 60


class _Hidden:
    """A secret: can be compared, and not be shown."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden) and other._secret == self._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return "(secret)"


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()
"""Stands for the value of what is in one of the two policies only."""


@dataclass(frozen=True, slots=True)
class Change:
    """`before` and `after` are plain JSON values, but for `ABSENT` and for secrets, whose repr
    shows nothing."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is ABSENT:
            return f"{self.path}: added{_told(self.after)}"
        if self.after is ABSENT:
            return f"{self.path}: removed{_told(self.before)}"
        if isinstance(self.before, _Hidden) and isinstance(self.after, _Hidden):
            return f"{self.path}: changed (secret)"
        return f"{self.path}: {_text(self.before)} → {_text(self.after)}"


def diff(old: Policy, new: Policy) -> list[Change]:
    """Every place where the two differ, in the order of the document. The order of entries that
    have a name counts for nothing, that of all others does."""
    return list(_changes(_plain(old), _plain(new), ()))


def render(changes: Iterable[Change]) -> str:
    """One line for each change, or a line that says that there is none."""
    return "\n".join(map(str, changes)) or "no change"


def _plain(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(exclude={"include"}, context={"secret": _Hidden})


def _changes(before: Any, after: Any, path: Path) -> Iterator[Change]:
    before, after = _entries(before, after)
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before | after:
            below = (*path, name)
            yield from _changes(before.get(name, ABSENT), after.get(name, ABSENT), below)
    elif before != after:
        yield Change(path_name(path), before, after)


def _entries(before: Any, after: Any) -> tuple[Any, Any]:
    """Two lists of maps as maps by their entries' names, or by position; anything else as it is."""
    if not (isinstance(before, list) and isinstance(after, list)):
        return before, after
    if not all(isinstance(entry, dict) for entry in before + after) or not before + after:
        return before, after
    for field in _NAMED_BY:
        names = [[entry.get(field) for entry in entries] for entries in (before, after)]
        if all(all(some) and len(set(some)) == len(some) for some in names):
            first, second = names
            return dict(zip(first, before, strict=True)), dict(zip(second, after, strict=True))
    return dict(enumerate(before)), dict(enumerate(after))


def _told(value: Any) -> str:
    return "" if isinstance(value, dict) else f": {_text(value)}"


def _text(value: Any) -> str:
    """`value` as JSON on one line, cut; of a map only that it is one, since it may hold secrets."""
    if isinstance(value, dict):
        return "{...}"
    if isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value):
        return "[...]"
    if isinstance(value, _Hidden):
        return repr(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # people write `max: 100`
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
