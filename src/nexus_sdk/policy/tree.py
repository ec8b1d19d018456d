"""A document before it is validated: plain values, each with the place where it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

type Scalar = str | int | float | bool | None
type Plain = Scalar | list[Plain] | dict[str, Plain]
MAX_DEPTH = 32
"""Levels of a document. Ten routing nodes, the most there may be in each other, take up to
thirty."""
MAX_VALUES = 500_000
"""Values of a document that is given as values, and may hold the same list in many places."""

type Path = tuple[str | int, ...]
"""Names of fields and positions in lists, from the top of the document."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A file as its reader named it, and a line of it, from 1; 0 when there are no lines to
    name."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Tree:
    """`value` is a scalar, or a dict or list of trees. `mark`: where it begins; in a map, where its
    key stands. `size` counts the values in it, with what aliases repeat. `broken`: it is known to
    be wrong already, and what else is wrong with it would only be noise."""

    value: Scalar | list[Tree] | dict[str, Tree]
    mark: Mark
    size: int = 1
    broken: bool = False

    @classmethod
    def of(cls, value: Scalar | list[Tree] | dict[str, Tree], mark: Mark) -> Tree:
        return cls(value, mark, 1 + sum(child.size for child in children(value)))

    def plain(self) -> Plain:
        """The values alone."""
        match self.value:
            case dict() as entries:
                return {name: child.plain() for name, child in entries.items()}
            case list() as items:
                return [child.plain() for child in items]
            case scalar:
                return scalar

    def child(self, step: str | int) -> Tree | None:
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None

    def nearest(self, path: Path) -> tuple[Tree, Path]:
        """The value at `path`, or the last that exists on the way; and `path` without what cannot
        be, because it lies within a scalar."""
        here = self
        for depth, step in enumerate(path):
            there = here.child(step)
            if there is None:
                return here, path if isinstance(here.value, dict | list) else path[:depth]
            here = there
        return here, path


def children(value: Scalar | list[Tree] | dict[str, Tree]) -> Iterable[Tree]:
    match value:
        case dict() as entries:
            return entries.values()
        case list() as items:
            return items
        case _:
            return ()


def from_values(value: object, file: str) -> Tree:
    """The tree of a document given as values, all of them marked as `file`.

    Raises ValueError, with a reason to show, when it holds what JSON could not, is nested deeper
    than `MAX_DEPTH` levels or has more than `MAX_VALUES` values.
    """
    return _FromValues(Mark(file)).tree(value, 0)


class _FromValues:
    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._count = 0

    def tree(self, value: object, depth: int) -> Tree:
        self._count += 1
        if self._count > MAX_VALUES:
            raise ValueError(f"holds more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
        match value:
            case None | bool() | int() | float() | str():
                return Tree(value, self._mark)
            case Mapping():
                if not all(isinstance(name, str) for name in value):
                    raise ValueError("has a key that is no text")
                named = {name: self.tree(child, depth + 1) for name, child in value.items()}
                return Tree.of(named, self._mark)
            case list() | tuple():
                return Tree.of([self.tree(child, depth + 1) for child in value], self._mark)
        raise ValueError(f"holds a value of the type {type(value).__name__}, which is not JSON's")
