"""What is wrong with a document, where, and in words that say what to do.

A problem may name the value it is `about`. That value is shown only as far as it cannot be a
secret: a long one is cut, and one that came out of the environment is shown as the reference that
brought it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.policy.tree import Mark, Path, Tree

_SHOWN, _LONGEST_NAME = 32, 64
"""Characters. Provider keys are longer than 32 (OpenAI's from 51, Anthropic's 108, GitHub's and
AWS's 40)."""
_BARE = re.compile(r"[\w@/*:+-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """`reason` continues the value it is about (`'foo' is not ...`) or the field (`must be ...`).
    `path` is empty when it is about a file as a whole."""

    path: Path
    reason: str
    about: str | None = None


class Unreadable(Exception):
    """The text is no document at all; `problem` says why, and `mark` where."""

    def __init__(self, mark: Mark, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.mark = mark
        self.problem = problem


@dataclass(slots=True)
class Problems:
    """Collects problems with their places, and writes them out.

    `secret_names` has, by value, the names of the environment variables in the document.
    """

    found: list[tuple[Mark, Problem]] = field(default_factory=list)
    secret_names: dict[str, str] = field(default_factory=dict, repr=False)

    def add(self, mark: Mark, problem: Problem) -> None:
        self.found.append((mark, problem))

    def within(self, tree: Tree, problem: Problem) -> None:
        """Adds a problem at its place in `tree`, unless that value is known to be broken. Fields
        that a shorthand stands for (`to: a/b` for `to: {single: a/b}`) are not named."""
        place, path = tree.nearest(problem.path)
        if not place.broken:
            self.add(place.mark, replace(problem, path=path))

    def written(self, first: str) -> list[str]:
        """`file:line: field: reason` for each: those of the file `first`, then the others', by
        line."""
        placed = sorted(self.found, key=lambda found: _order(found[0], first))
        return list(dict.fromkeys(self._sentence(mark, problem) for mark, problem in placed))

    def _sentence(self, mark: Mark, problem: Problem) -> str:
        reason = problem.reason
        if problem.about is not None:
            reason = f"{shown(problem.about, self.secret_names)} {reason}"
        name = path_name(problem.path)
        return f"{mark}: {name}: {reason}" if name else f"{mark}: {reason}"


def _order(mark: Mark, first: str) -> tuple[bool, str, int]:
    return mark.file != first, mark.file, mark.line


def shown(value: str, secret_names: Mapping[str, str] | None = None) -> str:
    """`value` in quotes, as far as it may be shown; control characters escaped."""
    for secret, name in (secret_names or {}).items():
        if secret and secret in value:
            return f"the value of ${{{name}}}"
    if len(value) > _SHOWN:
        return f"{ascii(value[:8])[:-1]}…' ({len(value)} characters)"
    return repr(value)


def path_name(path: Path) -> str:
    """`limits.0.max`; a name that is not plain stands in quotes, so that the dots stay readable."""
    return ".".join(_step_name(step) for step in path)


def _step_name(step: str | int) -> str:
    text = str(step)
    if len(text) > _LONGEST_NAME:
        text = f"{text[:8]}…"
    return text if _BARE.fullmatch(text) else repr(text)
