"""What a command shows: tables and colours where a person watches, plain text in a pipe, and JSON
on demand.

Texts may come from anywhere (an audit event holds what a caller sent), so that nothing is printed
that could move a terminal's cursor, and nothing is read as markup.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

STYLES: Mapping[str, str] = MappingProxyType(
    {
        "ok": "green",
        "complete": "green",
        "active": "green",
        "send": "green",
        "approve": "green",
        "warn": "yellow",
        "redact": "yellow",
        "limited": "yellow",
        "expired": "yellow",
        "block": "red",
        "blocked": "red",
        "fail": "red",
        "failed": "red",
        "hard": "red",
        "refuse": "red",
        "refused": "red",
        "revoked": "red",
        "truncated": "red",
    }
)
"""Words that have a colour wherever they are a whole cell."""


class Node(NamedTuple):
    """One line of an outline, and the lines below it."""

    text: str
    below: tuple[Node, ...] = ()


class Output:
    """`json`: values go out through `document` and `line`, and nothing else does."""

    def __init__(self, *, json: bool, color: bool) -> None:
        self.json = json
        self._color = color

    @property
    def watched(self) -> bool:
        """Does a person see the standard output?"""
        return not self.json and sys.stdout.isatty()

    # ---- JSON --------------------------------------------------------------------------------

    def document(self, value: object) -> None:
        """The one JSON document of a command."""
        click.echo(json.dumps(value, indent=2))

    def line(self, value: object) -> None:
        """One line of a command that gives a stream of JSON values."""
        click.echo(json.dumps(value, separators=(",", ":")))

    # ---- text --------------------------------------------------------------------------------

    def say(self, text: str = "") -> None:
        """A line, or several. A single word that has a colour gets it."""
        if self.watched:
            self.console().print(self._text(text), soft_wrap=True)
            return
        click.echo(readable(text))

    def note(self, text: str) -> None:
        """A line on standard error: not the result, but about it."""
        click.echo(readable(text), err=True)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Iterable[str] = ()
    ) -> None:
        """Columns whose names are in `right` hold numbers."""
        numbers = frozenset(right)
        cells = [[printable(str(cell)) for cell in row] for row in rows]
        if not self.watched:
            for line in _aligned(columns, cells, numbers):
                click.echo(line)
            return
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in columns:
            table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
        for row in cells:
            table.add_row(*map(self._text, row))
        self.console().print(table)

    def fields(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and values, one below the other; values that are empty are left out."""
        shown = [(name, value) for name, value in pairs if value not in ("", None)]
        width = max((len(name) for name, _ in shown), default=0) + 2
        for name, value in shown:
            lines = str(value).splitlines()
            self.say(f"{name:{width}}{lines[0] if lines else ''}")
            for line in lines[1:]:
                self.say(" " * width + line)

    def outline(self, root: Node) -> None:
        if not self.watched:
            for line in _indented(root, 0):
                click.echo(line)
            return
        from rich.tree import Tree

        tree = Tree(self._text(root.text))
        self._grow(tree, root.below)
        self.console().print(tree)

    # ---- for a person who waits ------------------------------------------------------------------

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Shows that something goes on, on standard error, while the block runs."""
        if self.json or not sys.stderr.isatty():
            yield
            return
        with self.console(stderr=True).status(printable(doing)):
            yield

    def progress[Item](self, items: Sequence[Item], doing: str) -> Iterable[Item]:
        """The items, with a bar on standard error that shows how far it is."""
        if self.json or len(items) < 2 or not sys.stderr.isatty():
            return items
        from rich.progress import track

        return track(items, doing, console=self.console(stderr=True), transient=True)

    def console(self, *, stderr: bool = False) -> Console:
        """rich itself minds NO_COLOR and dumb terminals."""
        from rich.console import Console

        return Console(
            stderr=stderr,
            no_color=None if self._color else True,
            markup=False,
            highlight=False,
            emoji=False,
        )

    def _text(self, text: str) -> Text:
        from rich.text import Text

        return Text(readable(text), style=STYLES.get(text, ""))

    def _grow(self, tree: Tree, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._grow(tree.add(self._text(node.text)), node.below)


def printable(text: str) -> str:
    """`text` on one line, without what a terminal acts on: control characters, bidirectional marks
    and line ends are written as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def readable(text: str) -> str:
    """`text` on its lines, each `printable`."""
    return "\n".join(map(printable, text.split("\n")))


def of_event(value: Any) -> str:
    """A value out of an audit event, whatever it is, as a cell."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _aligned(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[str]
) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = (
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        )
        yield "  ".join(cells).rstrip()


def _indented(node: Node, depth: int) -> Iterator[str]:
    for line in node.text.split("\n"):
        yield "  " * depth + printable(line)
    for child in node.below:
        yield from _indented(child, depth + 1)
