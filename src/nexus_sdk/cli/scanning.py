"""Rules over a text that comes in pieces, however long it is: findings with their places, and the
text with the findings taken out.

A window of the text is held. Behind its last `REACH` characters nothing is decided yet, since a
value that begins there may go on; what is in front of it is decided and let go. So the result is
that of the whole text, but for single values longer than `REACH`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexus_sdk.compliance.context import CONTEXT_CHARS
from nexus_sdk.compliance.hooks import Effective
from nexus_sdk.compliance.inspection import Inspector
from nexus_sdk.compliance.verdict import Ruling, apply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nexus_sdk.compliance.vault import Vault
    from nexus_sdk.compliance.verdict import Found

REACH = 32_768
"""Characters. The longest values that rules know, PEM blocks of 16384-bit keys, have 13 000."""
_SHORT = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """One value that was found, and never the value. `line` and `column` count from 1, `column` and
    `length` in characters. `sample` has its first and last character."""

    line: int
    column: int
    length: int
    rule: str
    category: str
    severity: str
    action: str
    hook: str
    sample: str


class Scan:
    """One text, under the rules of `effective` and what they lead to. `reach`: see above."""

    def __init__(self, effective: Effective, vault: Vault, reach: int = REACH) -> None:
        self._effective = effective
        self._reach = reach
        self._editor = Inspector(_redacting(effective), vault, "scan")
        self._hits: list[Hit] = []
        self._line = 1
        self._column = 1
        self._text = ""
        self._start = 0
        """Where in `_text` the part begins that is not decided yet; before it stands context."""

    def parts(self, pieces: Iterable[str]) -> Iterator[str]:
        """The text redacted, in parts."""
        for piece in pieces:
            self._text += piece
            if len(self._text) - self._start > 2 * self._reach:
                yield self._decide(len(self._text) - self._reach)
        yield self._decide(len(self._text))

    def take(self) -> list[Hit]:
        """What was found since the last call."""
        taken, self._hits = self._hits, []
        return taken

    def _decide(self, cut: int) -> str:
        """Decides on all values that begin before `cut`, or before a place near it that no value
        spans."""
        hits = self._found()
        if cut < len(self._text):
            cut = _between(hits, cut)
        hits = [hit for hit in hits if hit.start < cut]
        part = self._text[self._start : cut]
        moved = [
            hit._replace(start=hit.start - self._start, end=hit.end - self._start) for hit in hits
        ]
        self._note(part, moved)
        edits = self._editor.decide(part, moved, "")
        self._let_go(part, cut)
        return apply(part, edits)

    def _found(self) -> list[Found]:
        """In order of beginning."""
        scanner, text, rulings = self._effective.scanner, self._text, self._effective.rulings
        fired: Iterable[int] = range(len(scanner.expressions))
        if scanner.matcher is not None:
            fired = {number for number, _ in scanner.matcher(text[self._start :].encode())}
        found = scanner.confirm(text, fired, self._start, len(text))
        return sorted(
            (hit for hit in found if hit.rule.id in rulings),
            key=lambda hit: (hit.start, hit.end, hit.rule.id),
        )

    def _let_go(self, part: str, cut: int) -> None:
        self._line, self._column = _moved(self._line, self._column, part)
        kept = max(0, cut - CONTEXT_CHARS)
        self._text, self._start = self._text[kept:], cut - kept

    def _note(self, part: str, hits: list[Found]) -> None:
        line, column, at = self._line, self._column, 0
        for hit in hits:
            line, column = _moved(line, column, part[at : hit.start])
            at = hit.start
            value = part[hit.start : hit.end]
            ruling = self._effective.rulings[hit.rule.id]
            self._hits.append(
                Hit(
                    line=line,
                    column=column,
                    length=len(value),
                    rule=hit.rule.id,
                    category=hit.rule.category,
                    severity=hit.rule.severity,
                    action=ruling.action,
                    hook=ruling.hook,
                    sample=masked(value),
                )
            )


def masked(value: str) -> str:
    """`j…m`: by which who knows the value knows it again. Of a short one nothing is shown."""
    return f"{value[0]}…{value[-1]}" if len(value) >= _SHORT else "…"


def _redacting(effective: Effective) -> Effective:
    """The same rules, where what would block is taken out for good: a scan answers with a text, it
    refuses none."""
    rulings = {
        rule: Ruling("redact", ruling.hook, reversible=False)
        if ruling.action == "block"
        else ruling
        for rule, ruling in effective.rulings.items()
    }
    return Effective(effective.scanner, rulings, restore=False)


def _between(hits: list[Found], cut: int) -> int:
    """The last place up to `cut` that is inside of no value. `hits` are in order of beginning."""
    for hit in reversed(hits):
        if hit.start < cut < hit.end:
            cut = hit.start
    return cut


def _moved(line: int, column: int, text: str) -> tuple[int, int]:
    """Where one stands after `text`."""
    endings = text.count("\n")
    if not endings:
        return line, column + len(text)
    return line + endings, len(text) - text.rfind("\n")
