"""`python -m bench`: measure, print tables, write `build/bench.json`. Run it from the project's
folder."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from bench import report, table
from bench.rows import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.rows import Row

BENCHES = {
    "client": "the drop-in client against the bare one",
    "stream": "streamed answers",
    "pipeline": "the pipeline alone",
    "translation": "one dialect into another",
    "scanner": "the scanner alone",
    "imports": "what an import costs",
    "cold_start": "from a new process to its first answer",
    "sidecar": "the sidecar, forwarders and other gateways",
    "upstream": "our HTTP client against others",
    "spool": "the audit spool",
}
"""The modules that measure: each has `run(plan) -> list[Row]`."""


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.again:
        found = report.load()
        _show(found)
    else:
        found = _measure(options)
        found.save()
    _conclude(found)
    if options.write_docs:
        if missing := BENCHES.keys() - found.tables.keys():
            sys.exit(f"the last run has no {', '.join(sorted(missing))}: make a whole one")
        page = report.DOCS.read_text(encoding="utf-8")
        report.DOCS.write_text(report.documented(page, found), encoding="utf-8")
    return 1 if options.strict and found.missed else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about a minute, for a first impression"
    )
    parser.add_argument(
        "--only", action="append", choices=BENCHES, metavar="NAME", help=", ".join(BENCHES)
    )
    parser.add_argument("--peers", action="store_true", help="other gateways in a quick run too")
    parser.add_argument(
        "--strict", action="store_true", help="exit status 1 when a target is missed"
    )
    parser.add_argument(
        "--again", action="store_true", help="measure nothing, show the last run's figures"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="put the tables into docs/performance.md"
    )
    parser.add_argument(
        "--date", default=time.strftime("%Y-%m-%d"), help="of the run, for its report"
    )
    options = parser.parse_args(argv)
    if options.write_docs and options.only:
        parser.error("--write-docs wants a whole run: a page holds the figures of one")
    return options


def _measure(options: argparse.Namespace) -> report.Report:
    plan, before = Plan(quick=options.quick, peers=options.peers), report.load_average()
    tables: dict[str, list[Row]] = {}
    for name in options.only or BENCHES:
        began = time.monotonic()
        run: Callable[[Plan], list[Row]] = import_module(f"bench.{name}").run
        tables[name] = run(plan)
        _show_one(name, tables[name], time.monotonic() - began)
    loads = before, report.load_average()
    return report.Report(options.date, options.quick, report.machine(), tables, loads)


def _show(found: report.Report) -> None:
    for name, rows in found.tables.items():
        _show_one(name, rows)


def _show_one(name: str, rows: list[Row], took_s: float | None = None) -> None:
    took = "" if took_s is None else f" ({took_s:.0f} s)"
    print(f"\n== {name}: {BENCHES[name]}{took}\n\n{table.text(rows)}", flush=True)


def _conclude(found: report.Report) -> None:
    facts, missed = found.machine, found.missed
    print(f"{found.date}, {facts['cpu']}, {facts['cores']} cores, {facts['python']}")
    print(f"load average {found.loads[0]:.1f} before, {found.loads[1]:.1f} after")
    print(f"figures: {report.JSON}")
    print(f"targets missed: {len(missed)}" if missed else "every target is met")
    for row in missed:
        print(f"  {row.name}")


if __name__ == "__main__":
    sys.exit(main())
