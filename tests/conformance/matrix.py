"""All cells: every door, every provider that has the operation, every feature, whole and
streamed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.conformance import cells, doors, plain_cells
from tests.conformance.features import FEATURES
from tests.conformance.places import PLACES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.cells import Outcome
    from tests.conformance.lab import Lab

type Ways = dict[bool, Outcome]
"""The outcome of a feature, by whether it was streamed."""


@dataclass
class Table:
    """One door's: `rows` by provider, then by column. `columns`: their names in full."""

    door: str
    columns: dict[str, str]
    rows: dict[str, dict[str, Ways]] = field(default_factory=dict)


def run(
    lab: Lab, wanted: Callable[[str, str, str], bool] = lambda door, place, feature: True
) -> list[Table]:
    """`wanted`: of door, provider and feature, whether the cell is run."""
    return [*_conversations(lab, wanted), *_plain(lab, wanted)]


def _conversations(lab: Lab, wanted: Callable[[str, str, str], bool]) -> list[Table]:
    tables = []
    for door in doors.DOORS:
        table = Table(door.name, {feature.column: feature.name for feature in FEATURES})
        for place in PLACES:
            if not cells.serves(place, door):
                continue
            row = table.rows[place.label] = {}
            for feature in FEATURES:
                if wanted(door.name, place.label, feature.name):
                    cell = cells.Cell(lab, door, place, feature)
                    row[feature.column] = {way: cell.run(stream=way) for way in feature.ways}
        tables.append(table)
    return tables


def _plain(lab: Lab, wanted: Callable[[str, str, str], bool]) -> list[Table]:
    tables = []
    for door in plain_cells.DOORS:
        features = plain_cells.features(door)
        table = Table(door.name, {feature.column: feature.name for feature in features})
        for place in PLACES:
            if not plain_cells.serves(place, door):
                continue
            row = table.rows[place.label] = {}
            for feature in features:
                if wanted(door.name, place.label, feature.name):
                    row[feature.column] = {False: plain_cells.run(lab, door, place, feature)}
        tables.append(table)
    return tables


def counted(tables: list[Table]) -> Counter[str]:
    """How many cells ended how."""
    return Counter(
        outcome.kind
        for table in tables
        for row in table.rows.values()
        for ways in row.values()
        for outcome in ways.values()
    )


def failures(tables: list[Table]) -> list[str]:
    """Every cell that failed, with its reason."""
    return [
        f"{table.door} -> {place}, {table.columns[column]}"
        f"{' (streamed)' if way else ''}: {outcome.why}"
        for table in tables
        for place, row in table.rows.items()
        for column, ways in row.items()
        for way, outcome in ways.items()
        if outcome.kind == "FAIL"
    ]
