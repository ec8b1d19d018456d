"""YAML text to a `Tree`: the core schema of YAML 1.2, less what makes a policy hard to read or dear
to load.

PyYAML's events are used, and not its constructors: they keep the line of every value, they are read
one after another, so that deep nesting cannot exhaust the stack, and scalars can be resolved as
YAML 1.2 does. (YAML 1.1, and so `yaml.safe_load`, reads the key `on` as true, `no` as false and
`12:30` as 750.)

Refused: tags, duplicate keys, keys that are no plain text, a second document, more than `MAX_DEPTH`
levels, more than `MAX_ALIASED` values through aliases. `<<` merges as in YAML 1.1: what a map says
itself wins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

import yaml

from nexus_sdk.policy.problems import Problem, Unreadable
from nexus_sdk.policy.tree import MAX_DEPTH, Mark, Tree, children

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.policy.problems import Problems
    from nexus_sdk.policy.tree import Path, Scalar

MAX_ALIASED = 10_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it (all its wheels are): about ten times faster."""

_WORDS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
"""YAML 1.2.2, 10.3.2. Whole numbers over 18 digits stay text, and so do hexadecimal and octal."""


def parse(text: str, file: str, problems: Problems) -> Tree:
    """The document in `text`; an empty text is an empty map. `file` is the name its marks carry.

    What is wrong but leaves the rest readable (a duplicate key, a tag) goes into `problems`. Raises
    Unreadable for all else.
    """
    try:
        return _Builder(file, problems).document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as err:
        # Not str(err): it quotes the line, which may hold a secret.
        mark = err.problem_mark or err.context_mark
        where = Mark(file, mark.line + 1 if mark else 0)
        raise Unreadable(where, Problem((), f"is not YAML: {_reason(err)}")) from None
    except UnicodeEncodeError:
        raise Unreadable(Mark(file), Problem((), "is not Unicode text")) from None
    except yaml.YAMLError as err:
        reason = getattr(err, "reason", None) or "it cannot be read"
        raise Unreadable(Mark(file), Problem((), f"is not YAML: {reason}")) from None


def _reason(err: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (err.context, err.problem) if part) or "it cannot be read"


class _Builder:
    def __init__(self, file: str, problems: Problems) -> None:
        self._problems = problems
        self._file = file
        self._anchors: dict[str, Tree] = {}
        self._aliased = 0
        self._events: Iterator[yaml.Event] = iter(())

    def document(self, events: Iterator[yaml.Event]) -> Tree:
        self._events = events
        next(events)  # the stream begins
        if isinstance(next(events), yaml.StreamEndEvent):
            return Tree.of({}, Mark(self._file, 1))
        tree = self._tree(next(events), (), ())
        next(events)  # the document ends
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._fail((), "holds a second document; put it into a file of its own", after)
        if tree.value is None:
            return Tree.of({}, tree.mark)
        return tree

    def _tree(self, event: yaml.Event, path: Path, anchored: tuple[str, ...]) -> Tree:
        """The value that begins with `event`. `anchored`: the anchors of the values around it."""
        if len(path) > MAX_DEPTH:
            self._fail(path[:4], f"is nested deeper than {MAX_DEPTH} levels", event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, anchored)
        assert isinstance(event, yaml.NodeEvent)
        if getattr(event, "tag", None) is not None:
            self._note(path, "has a YAML tag (`!...`); write the plain value", event)
        inside = (*anchored, event.anchor) if event.anchor else anchored
        mark = self._mark(event)
        match event:
            case yaml.ScalarEvent():
                tree = Tree(_scalar(event), mark)
            case yaml.SequenceStartEvent():
                tree = Tree.of(self._items(path, inside), mark)
            case _:
                tree = Tree.of(self._entries(path, inside), mark)
        if event.anchor:
            self._anchors[event.anchor] = tree
        return tree

    def _items(self, path: Path, anchored: tuple[str, ...]) -> list[Tree]:
        items: list[Tree] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._tree(event, (*path, len(items)), anchored))
        return items

    def _entries(self, path: Path, anchored: tuple[str, ...]) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        merged: dict[str, Tree] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            name = self._name(key, path, anchored)
            tree = self._tree(next(self._events), (*path, name or "?"), anchored)
            if name is None:
                continue
            tree = Tree(tree.value, self._mark(key), tree.size)
            if name == "<<" and isinstance(key, yaml.ScalarEvent) and key.implicit[0]:
                merged |= self._merge(tree, path)
            elif name in entries:
                first = entries[name].mark.line
                self._note((*path, name), f"is here twice; first in line {first}", key)
            else:
                entries[name] = tree
        return merged | entries

    def _name(self, key: yaml.Event, path: Path, anchored: tuple[str, ...]) -> str | None:
        """A key as it is written: `on`, `429` and `null` are names like any other. None: it is no
        text."""
        if isinstance(key, yaml.ScalarEvent):
            if key.tag is not None:
                self._note(
                    (*path, key.value), "has a YAML tag (`!...`); write the plain value", key
                )
            return key.value
        self._note(path, "has a key that is no plain text", key)
        self._tree(key, (*path, "?"), anchored)
        return None

    def _merge(self, tree: Tree, path: Path) -> dict[str, Tree]:
        sources = tree.value if isinstance(tree.value, list) else [tree]
        entries: dict[str, Tree] = {}
        for source in sources:
            if isinstance(source.value, dict):
                entries = source.value | entries
            else:
                self._problems.add(tree.mark, Problem(path, "`<<` must name a map"))
        return entries

    def _alias(self, event: yaml.AliasEvent, path: Path, anchored: tuple[str, ...]) -> Tree:
        name = event.anchor or ""
        if name in anchored:
            self._fail(path, f"the alias *{name} stands inside its own value", event)
        tree = self._anchors.get(name)
        if tree is None:
            self._fail(path, f"the alias *{name} has no &{name} before it", event)
        self._aliased += tree.size
        if self._aliased > MAX_ALIASED:
            self._fail(path, f"aliases repeat more than {MAX_ALIASED} values", event)
        if len(path) + _depth(tree) > MAX_DEPTH + 1:
            self._fail(path[:4], f"is nested deeper than {MAX_DEPTH} levels", event)
        return tree

    def _mark(self, event: yaml.Event) -> Mark:
        assert event.start_mark is not None
        return Mark(self._file, event.start_mark.line + 1)

    def _note(self, path: Path, reason: str, event: yaml.Event) -> None:
        self._problems.add(self._mark(event), Problem(path, reason))

    def _fail(self, path: Path, reason: str, event: yaml.Event) -> NoReturn:
        raise Unreadable(self._mark(event), Problem(path, reason))


def _scalar(event: yaml.ScalarEvent) -> Scalar:
    text: str = event.value
    if not event.implicit[0]:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) and len(text) <= 64 else text


def _depth(tree: Tree) -> int:
    return 1 + max(map(_depth, children(tree.value)), default=0)
