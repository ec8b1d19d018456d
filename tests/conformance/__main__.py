"""`python -m tests.conformance`: run the matrix, print it, write it into `docs/providers.md`. Exit
status 1 when a cell fails. Run it from the project's folder."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance import matrix, page
from tests.conformance.lab import lab

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", default="", metavar="DOOR", help="doors whose name holds this")
    parser.add_argument("--no-write", action="store_true", help="leave docs/providers.md alone")
    options = parser.parse_args(argv)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, lab(Path(folder)) as served:
        tables = matrix.run(served, lambda door, place, feature: options.only in door)
    tables = [table for table in tables if options.only in table.door]
    failures = matrix.failures(tables)
    counted = ", ".join(f"{n} {kind}" for kind, n in sorted(matrix.counted(tables).items()))
    sys.stdout.write(page.matrix(tables))
    sys.stdout.write(f"\n{counted}, in {time.monotonic() - began:.0f} s\n")
    sys.stdout.write("".join(f"FAIL {failure}\n" for failure in failures))
    if not (options.only or options.no_write):
        write(tables)
    return 1 if failures else 0


def write(tables: list[matrix.Table]) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    text = page.replaced(text, "matrix", page.matrix(tables))
    text = page.replaced(text, "providers", page.providers())
    page.PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
