"""How the demonstration looks: numbered steps, labelled lines, one mark at the end of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType

INDENT = 3
_AFTER_BLANK = re.compile(r"(?<= )")
_STANDS_IN = re.compile(r"<[A-Z][A-Z_]+_[a-z2-7]{6,12}>|\[REDACTED:[^\]]+\]")
"""What we put in the place of a value (`compliance/vault.py`, `compliance/verdict.py`)."""


class Screen:
    """Writes on a rich console, which leaves colours out where nobody would see them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        self._column = self._margin = 0
        self._word = ""

    def open(self, title: str, *lines: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(title, style="bold"), style="dim", align="left"))
        for line in lines:
            self._console.print(Text(line, style="dim"))

    def step(self, title: str, code: str) -> None:
        """The heading of the next step, and what a user would write for it."""
        self._steps += 1
        self._console.print()
        self._console.print(
            Text.assemble((f"{self._steps}  ", "bold cyan"), (title, "bold")), soft_wrap=True
        )
        for line in code.splitlines():
            self._indented(Text(line, style="cyan"), INDENT + 2)
        self._console.print()

    def lines(self, pairs: Iterable[tuple[str, str]], *, values: Sequence[str] = ()) -> None:
        """Labels and texts; `values` are what must not leave, and are marked where they stand."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, said in pairs:
            grid.add_row(label, marked(said, values))
        self._indented(grid)

    def begin(self, label: str, width: int) -> None:
        """The beginning of a line that `piece` writes on and `end` ends. `width`: of the labels
        around it."""
        self._column = self._margin = INDENT + width + 2
        self._console.print(Text(f"{' ' * INDENT}{label:{width}}  ", style="dim"), end="")

    def piece(self, text: str) -> None:
        """More of that line, a word as soon as it is whole."""
        *words, self._word = _AFTER_BLANK.split(self._word + text)
        for word in words:
            self._write(word)

    def end(self) -> None:
        self._write(self._word)
        self._word = ""
        self._console.print()

    def _write(self, word: str) -> None:
        if self._column + len(word.rstrip()) > self._console.width:
            self._console.print()
            self._console.print(" " * self._margin, end="")
            self._column = self._margin
        self._console.print(marked(word), end="", soft_wrap=True)
        self._console.file.flush()
        self._column += len(word)

    def shown(self, said: str) -> None:
        self._mark("✓", "green", said)

    def missed(self, said: str) -> None:
        """The step did not show what it should."""
        self._mark("✗", "bold red", said)

    def note(self, said: str) -> None:
        self._indented(Text(said, style="dim"))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
    ) -> None:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        self._indented(table)

    def _mark(self, sign: str, style: str, said: str) -> None:
        encoding = self._console.encoding or "utf-8"
        try:
            sign.encode(encoding)
        except UnicodeEncodeError:
            sign = {"✓": "ok:", "✗": "NOT SHOWN:"}[sign]
        self._console.print()
        self._indented(Text.assemble((f"{sign} ", style), said))

    def _indented(self, what: RenderableType, by: int = INDENT) -> None:
        self._console.print(Padding(what, (0, 0, 0, by), expand=False))


_STYLES = {
    "block": "red",
    "blocked": "red",
    "limited": "yellow",
    "redact": "yellow",
    "hit": "green",
    "complete": "green",
}


def marked(said: str, values: Sequence[str] = ()) -> Text:
    text = Text(said)
    text.highlight_regex(_STANDS_IN, "bold green")
    text.highlight_words(values, "bold yellow")
    return text
