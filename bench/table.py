"""Rows as tables: aligned text for a terminal, Markdown for the docs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.rows import Row, Target

HEAD = ("what", "ours", "theirs", "ratio", "target", "met?")
VERDICTS = {True: "yes", False: "MISSED", None: ""}
SIGNS = {"ours": "", "ratio": "x", "added": "+"}


def text(rows: Sequence[Row]) -> str:
    """Left-aligned names, right-aligned figures; a note stands under its row."""
    cells = [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in [HEAD, *cells]) for column in range(len(HEAD))]
    lines = [_line(HEAD, widths), "  ".join("-" * width for width in widths)]
    for row, line in zip(rows, cells, strict=True):
        lines.append(_line(line, widths))
        if row.note:
            lines.append(f"    ({row.note})")
    return "\n".join(lines) + "\n"


def markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table; notes follow the name."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---|--:|--:|--:|--:|---|"]
    for row in rows:
        name, *rest = _cells(row)
        noted = f"{name} ({row.note})" if row.note else name
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (noted, *rest)) + " |")
    return "\n".join(lines) + "\n"


def figure(value: float | None, unit: str) -> str:
    """Three figures that matter, and the unit."""
    if value is None:
        return "-"
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    return f"{value:.{digits}f} {unit}".strip()


def _cells(row: Row) -> tuple[str, ...]:
    ratio = figure(row.ratio, "x") if row.ratio is not None else ""
    theirs = figure(row.theirs, row.unit) if row.other else ""
    return (
        row.name,
        figure(row.ours, row.unit),
        theirs,
        ratio,
        _target(row.target, row.unit),
        VERDICTS[row.met],
    )


def _target(target: Target | None, unit: str) -> str:
    if target is None:
        return ""
    sign = SIGNS[target.of]
    shown = "" if sign == "x" else unit
    bound = (
        f"<= {sign if sign == '+' else ''}{figure(target.most, shown)}{' x' if sign == 'x' else ''}"
    )
    return bound if target.aim is None else f"{bound} (aim {figure(target.aim, '')})"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *figures, verdict = cells
    middle = [cell.rjust(width) for cell, width in zip(figures, widths[1:-1], strict=True)]
    return "  ".join([name.ljust(widths[0]), *middle, verdict]).rstrip()
