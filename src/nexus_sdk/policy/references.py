"""`${NAME}` and `${NAME:-default}` in the texts of a policy: values that come from the environment.

`$${` stands for a plain `${`. As in a shell, the default is taken when the variable is not set or
empty. What does not have this form is left alone, so that an expression may end in `$` or hold
`{2,4}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nexus_sdk.policy.problems import Problem
from nexus_sdk.policy.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.policy.problems import Problems
    from nexus_sdk.policy.tree import Mark, Path

    type Lookup = Callable[[str], str | None]

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}"
)
_NEARLY = re.compile(r"\$\{[^{}]*\}?")
_FORM = "is no reference: write ${NAME} or ${NAME:-default}; names hold letters, digits and _"
_MISSING = "the environment variable {0} is not set; set it, or give a default: ${{{0}:-...}}"


def resolve(tree: Tree, lookup: Lookup, problems: Problems) -> Tree:
    """`tree` with every reference replaced. A missing variable is a problem of its field, which is
    broken then; the names and values that were used go into `problems.secret_names`."""
    return _Resolver(lookup, problems).tree(tree, ())


class _Resolver:
    def __init__(self, lookup: Lookup, problems: Problems) -> None:
        self._lookup = lookup
        self._problems = problems

    def tree(self, tree: Tree, path: Path) -> Tree:
        match tree.value:
            case dict() as entries:
                named = {name: self.tree(child, (*path, name)) for name, child in entries.items()}
                return Tree(named, tree.mark, tree.size)
            case list() as items:
                listed = [self.tree(child, (*path, at)) for at, child in enumerate(items)]
                return Tree(listed, tree.mark, tree.size)
            case str() as text if "${" in text:
                return self._text(text, path, tree.mark)
            case _:
                return tree

    def _text(self, text: str, path: Path, mark: Mark) -> Tree:
        if _NEARLY.fullmatch(text) and not _REFERENCE.fullmatch(text):
            self._problems.add(mark, Problem(path, _FORM))
            return Tree(text, mark, broken=True)
        missing: list[str] = []
        resolved = _REFERENCE.sub(lambda found: self._value(found, missing), text)
        for name in missing:
            self._problems.add(mark, Problem(path, _MISSING.format(name)))
        return Tree(resolved, mark, broken=bool(missing))

    def _value(self, found: re.Match[str], missing: list[str]) -> str:
        if found["escaped"]:
            return "${"
        name, default = found["name"], found["default"]
        value = self._lookup(name)
        if default is not None:
            value = value or default
        if value is None:
            missing.append(name)
            return ""
        self._problems.secret_names[value] = name
        return value
