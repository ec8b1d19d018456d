"""Reading policy files: the file itself, the keys file beside it, and what they include, merged
into one tree.

Merging: maps are merged name by name, lists are joined (own entries first), and of anything else
the including file's wins; among the files of one `include`, a later one wins. A routing tree
(`routing.models.<name>`) is taken whole.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from nexus_sdk.policy.problems import Problem, Unreadable
from nexus_sdk.policy.references import resolve
from nexus_sdk.policy.tree import Mark, Tree
from nexus_sdk.policy.yaml_tree import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.policy.problems import Problems
    from nexus_sdk.policy.references import Lookup
    from nexus_sdk.policy.tree import Path as TreePath

MAX_BYTES = 5_000_000
MAX_FILES = 64
_KEYS_ALONE = "does not belong into the keys file, which holds `keys` alone"


def keys_path(policy: Path) -> Path:
    """The keys file of a policy file: `nexus.keys.yaml` beside `nexus.yaml`. It is included when it
    exists."""
    return policy.with_name(f"{policy.stem}.keys.yaml")


def is_pack_file(name: str) -> bool:
    """Whether a pack's name is a file's; any other names a built-in pack."""
    return name.endswith((".yaml", ".yml"))


class Reader:
    """Reads a policy with all that it includes. What is wrong goes into `problems`. `files`: what
    was read, in order, for whoever watches them."""

    def __init__(self, lookup: Lookup, problems: Problems) -> None:
        self.files: list[Path] = []
        self._lookup = lookup
        self._problems = problems
        self._under_way: list[str] = []

    def file(self, path: Path) -> Tree:
        """The policy in `path`, whole. Its marks name files as `path` does: relative if it is."""
        tree = self._read(path)
        keys = keys_path(path)
        if keys.is_file():
            tree = merge(tree, self._keys(keys))
        return tree

    def text(self, text: str, name: str) -> Tree:
        """A policy given as YAML text; its includes are relative to the current directory."""
        try:
            return self._with_includes(self._parsed(text, name), Path())
        except Unreadable as err:
            return self._empty(err, name)

    def values(self, tree: Tree) -> Tree:
        """A policy given as values, with its references and includes resolved."""
        try:
            return self._with_includes(resolve(tree, self._lookup, self._problems), Path())
        except Unreadable as err:
            return self._empty(err, tree.mark.file)

    def _empty(self, err: Unreadable, name: str) -> Tree:
        self._problems.add(err.mark, err.problem)
        return Tree.of({}, Mark(name))

    def _keys(self, path: Path) -> Tree:
        tree = self._read(path)
        for name, child in tree.value.items() if isinstance(tree.value, dict) else ():
            if name != "keys":
                self._problems.add(child.mark, Problem((name,), _KEYS_ALONE))
        return tree

    def _read(self, path: Path) -> Tree:
        self.files.append(path)
        self._under_way.append(_real(path))
        try:
            return self._with_includes(self._parsed(read_text(path), str(path)), path.parent)
        except Unreadable as err:
            return self._empty(err, str(path))
        finally:
            self._under_way.pop()

    def _parsed(self, text: str, name: str) -> Tree:
        return resolve(parse(text, name, self._problems), self._lookup, self._problems)

    def _with_includes(self, tree: Tree, folder: Path) -> Tree:
        if not isinstance(tree.value, dict):
            raise Unreadable(tree.mark, Problem((), "must be a map of fields, like `limits:`"))
        included = Tree.of({}, tree.mark)
        for at, entry in enumerate(_listed(tree.value.get("include"))):
            if isinstance(entry.value, str) and (path := self._admitted(entry, at, folder)):
                part = _rebased(self._read(path), path.parent, folder)
                included = merge(part, included)
        own = {name: child for name, child in tree.value.items() if not _is_include(name, child)}
        return merge(Tree.of(own, tree.mark), included)

    def _admitted(self, entry: Tree, at: int, folder: Path) -> Path | None:
        """The file to read for one entry of `include`; None when it was read before, or with a
        problem."""
        assert isinstance(entry.value, str)
        path = folder / entry.value
        real = _real(path)
        if any(real == _real(file) for file in self.files) and real not in self._under_way:
            return None
        reason = ""
        if real in self._under_way:
            reason = "includes itself"
        elif len(self.files) >= MAX_FILES:
            reason = f"is one file too many; a policy may have {MAX_FILES}"
        if not reason:
            return path
        self._problems.add(entry.mark, Problem(("include", at), reason, str(path)))
        return None


def _real(path: Path) -> str:
    """What tells files apart. A name that no file can have is told when it is read."""
    try:
        return os.path.realpath(path)
    except ValueError:  # it holds a null character
        return str(path)


def _listed(include: Tree | None) -> list[Tree]:
    if include is None:
        return []
    return include.value if isinstance(include.value, list) else []


def _is_include(name: str, child: Tree) -> bool:
    """A well-formed `include` is done with; any other stays, for the validation to complain of."""
    return (
        name == "include"
        and isinstance(child.value, list)
        and all(isinstance(entry.value, str) for entry in child.value)
    )


def read_text(path: Path) -> str:
    """Raises Unreadable."""
    mark = Mark(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as err:
        raise Unreadable(mark, Problem((), f"cannot be read: {err.strerror}")) from None
    except ValueError:  # a null character in the name
        raise Unreadable(mark, Problem((), "cannot be read: no such name")) from None
    if len(data) > MAX_BYTES:
        raise Unreadable(mark, Problem((), f"is over {MAX_BYTES} bytes"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise Unreadable(Mark(str(path), line), Problem((), "is not UTF-8")) from None


def merge(own: Tree, other: Tree, path: TreePath = ()) -> Tree:
    """What `own` says, and beside it what only `other` says."""
    if isinstance(own.value, list) and isinstance(other.value, list):
        return Tree.of(own.value + other.value, own.mark)
    whole = len(path) == 3 and path[:2] == ("routing", "models")
    if whole or not (isinstance(own.value, dict) and isinstance(other.value, dict)):
        return own
    entries = dict(own.value)
    for name, tree in other.value.items():
        entries[name] = merge(entries[name], tree, (*path, name)) if name in entries else tree
    return Tree.of(entries, own.mark)


def _rebased(tree: Tree, folder: Path, top: Path) -> Tree:
    """`tree` of a file in `folder`, with the pack files that it names told from `top` instead."""
    if folder == top:
        return tree
    packs = ("compliance", "hooks", "*", "packs", "*")
    return _each(tree, packs, lambda pack: _moved(pack, folder, top))


def _each(tree: Tree, pattern: tuple[str, ...], change: Callable[[Tree], Tree]) -> Tree:
    """`tree` with every value at `pattern` changed; `*` stands for all positions of a list."""
    if not pattern:
        return change(tree)
    step, *rest = pattern
    value = tree.value
    if isinstance(value, dict) and step in value:
        changed = value | {step: _each(value[step], tuple(rest), change)}
        return Tree(changed, tree.mark, tree.size)
    if isinstance(value, list) and step == "*":
        items = [_each(item, tuple(rest), change) for item in value]
        return Tree(items, tree.mark, tree.size)
    return tree


def _moved(pack: Tree, folder: Path, top: Path) -> Tree:
    name = pack.value
    if not isinstance(name, str) or not is_pack_file(name) or PurePath(name).is_absolute():
        return pack
    return Tree(PurePath(os.path.relpath(folder / name, top)).as_posix(), pack.mark)
