"""`nexus audit`: the evidence."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli import events
from nexus_sdk.cli.commands import Group
from nexus_sdk.cli.exits import Exit
from nexus_sdk.cli.trails import directory_option, entries, folder, period_options, recorded
from nexus_sdk.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nexus_sdk.cli.output import Output
    from nexus_sdk.cli.session import Session
    from nexus_sdk.drivers.spool import ChainReport, Entry, Problem, Report

FOLLOW_S = 0.5
_SHORTEST_PREFIX = 8
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


@click.group(cls=Group)
def audit() -> None:
    """The evidence: what was asked, decided, sent and paid."""


@audit.command()
@click.option(
    "-n",
    "--lines",
    "count",
    default=10,
    type=click.IntRange(min=0),
    show_default=True,
    help="How many.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@directory_option
@click.pass_obj
def tail(session: Session, count: int, directory: Path | None, *, follow: bool) -> None:
    """The last events, a line each; with --json the events themselves, as JSON lines."""
    from nexus_sdk.drivers.spool import every
    from nexus_sdk.drivers.spool import tail as last

    path = folder(session, directory)
    if not follow:
        recorded(path)
    out = session.out
    for entry in last(path, count=count, follow=every(FOLLOW_S) if follow else None):
        if out.json:
            out.line(entry.event)
        else:
            out.say(events.summary(entry.event))


@audit.command()
@click.argument("event_id", metavar="ID")
@directory_option
@click.pass_obj
def show(session: Session, event_id: str, directory: Path | None) -> None:
    """One event. ID is its id, or the beginning of it, from 8 characters on."""
    path = recorded(folder(session, directory))
    with session.out.busy("searching"):
        entry = _find(path, event_id)
    if session.json:
        session.out.document(asdict(entry))
    else:
        session.out.fields(events.details(entry))


@audit.command()
@directory_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The key of the trail; DIR.key, beside its folder, without it.",
)
@click.pass_obj
def verify(session: Session, directory: Path | None, key_file: Path | None) -> Exit:
    """Say whether the trail is as it was written, and if not, where not (exit code 1)."""
    from nexus_sdk.drivers.spool import load_or_create_key
    from nexus_sdk.drivers.spool import verify as verified

    path = recorded(folder(session, directory))
    key_path = key_file or path.with_name(f"{path.name}.key")
    if not key_path.exists():
        raise NotFound(f"{key_path}: the key of this trail is not there; give --key-file")
    with session.out.busy(f"verifying {path}"):
        report = verified(path, load_or_create_key(key_path))
    if session.json:
        session.out.document(_report(report))
    else:
        _show_report(session.out, report)
    return Exit.OK if report.ok else Exit.NO


@audit.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="Whole events, or a table of what matters.",
)
@period_options
@directory_option
@click.pass_obj
def export(session: Session, form: str, since: str, until: str, directory: Path | None) -> None:
    """Write the events to standard output: whole as JSON lines, or a table of them as CSV."""
    if session.json and form == "csv":
        raise click.UsageError("--format csv gives no JSON; leave --json out")
    found = entries(folder(session, directory), since, until)
    if form == "csv":
        _write_csv(found)
        return
    for entry in found:
        session.out.line(entry.event)


# ---- show ----------------------------------------------------------------------------------------


def _find(path: Path, event_id: str) -> Entry:
    """Raises NotFound, and UsageError when the beginning fits several."""
    matches = [
        entry for entry in entries(path, "", "") if _fits(events.word(entry.event, "id"), event_id)
    ]
    if not matches:
        raise NotFound(f"{path} has no event {event_id!r}")
    ids = {events.word(entry.event, "id") for entry in matches}
    if len(ids) > 1:
        raise click.UsageError(f"{len(ids)} events begin with {event_id!r}; give more of the id")
    return matches[0]


def _fits(found: str, wanted: str) -> bool:
    return found == wanted or (len(wanted) >= _SHORTEST_PREFIX and found.startswith(wanted))


# ---- verify --------------------------------------------------------------------------------------


def _report(report: Report) -> dict[str, Any]:
    chains = [
        asdict(chain) | {"problems": [_problem(problem) for problem in chain.problems]}
        for chain in report.chains
    ]
    return {
        "ok": report.ok,
        "events": report.events,
        "chains": chains,
        "problems": [_problem(problem) for problem in report.problems],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        **asdict(problem.spot),
        "seq": problem.seq,
        "reason": problem.reason,
    }


def _show_report(out: Output, report: Report) -> None:
    out.table(
        ("chain", "node", "state", "segments", "events", "dropped", "lost", "verdict"),
        [_chain(chain) for chain in report.chains],
        right=("segments", "events", "dropped", "lost"),
    )
    for chain in report.chains:
        for note in chain.notes:
            out.note(f"{chain.name}: {note}")
    for problem in report.all_problems:
        out.say(str(problem))
    more = sum(chain.more for chain in report.chains)
    if more:
        out.say(f"and {more} more")
    count = len(report.all_problems) + more
    verdict = "the trail is as it was written" if report.ok else f"{count} problems"
    out.say(f"{report.events} events verified: {verdict}")


def _chain(chain: ChainReport) -> tuple[object, ...]:
    return (
        chain.name,
        chain.node,
        "in use" if chain.alive else "ended",
        chain.segments,
        chain.events,
        chain.dropped,
        chain.lost,
        "fail" if chain.problems else "ok",
    )


# ---- export --------------------------------------------------------------------------------------


def _write_csv(found: Iterable[Entry]) -> None:
    _csv_line((*events.COLUMNS, "rules", "chain", "seq"))
    for entry in found:
        cells = [events.word(entry.event, place) for place in events.COLUMNS.values()]
        _csv_line((*cells, " ".join(events.rules(entry.event)), entry.chain, str(entry.seq)))


def _csv_line(cells: Iterable[str]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([_inactive(cell) for cell in cells])
    click.echo(text.getvalue())


def _inactive(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_ACTIVE) else cell
