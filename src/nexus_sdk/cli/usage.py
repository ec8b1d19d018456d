"""`nexus usage`: tokens and money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nexus_sdk.cli.commands import Command
from nexus_sdk.cli.tally import GROUPINGS, Tally
from nexus_sdk.cli.trails import directory_option, entries, folder, period_options

if TYPE_CHECKING:
    from pathlib import Path

    from nexus_sdk.cli.session import Session

_COLUMNS = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "saved_usd",
    "blocked",
    "redacted",
    "errors",
    "p50_ms",
    "p95_ms",
)


@click.command(cls=Command)
@click.option(
    "--by",
    type=click.Choice(list(GROUPINGS)),
    default="model",
    show_default=True,
    help="Sums for each.",
)
@period_options
@directory_option
@click.pass_obj
def usage(session: Session, by: str, since: str, until: str, directory: Path | None) -> None:
    """Sum up the audit trail: requests, tokens, cost, what was blocked, how long it took.

    Costs are exact; durations are within 2 %. By rule, a request counts once for every rule that
    matched, so that the lines may add up to more than the total.
    """
    found = entries(folder(session, directory), since, until)
    tally = Tally(by)
    with session.out.busy("reading the audit trail"):
        for entry in found:
            tally.add(entry.event)
    groups = [{"name": name, **totals.told()} for name, totals in tally.ranked()]
    if by == "day":
        groups.sort(key=lambda group: str(group["name"]))
    total = tally.total.told()
    if session.json:
        session.out.document(
            {"by": by, "since": since, "until": until, "total": total, "groups": groups}
        )
        return
    rows = [*groups, {"name": "total", **total}]
    session.out.table(
        (by, *(name.replace("_", " ") for name in _COLUMNS)),
        [[row["name"], *(_cell(row[name]) for name in _COLUMNS)] for row in rows],
        right=[name.replace("_", " ") for name in _COLUMNS],
    )


def _cell(value: object) -> object:
    return "" if value is None else value
