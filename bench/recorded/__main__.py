"""`python -m bench.recorded FILE`: judge recorded traffic. Status 1: something was lost."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.recorded import page
from bench.recorded.exchanges import load
from bench.recorded.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.recorded", description=__doc__)
    parser.add_argument(
        "file", type=Path, help="a JSON object a line (bench/recorded/exchanges.py)"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="write what was found into docs/fidelity.md"
    )
    options = parser.parse_args(argv)
    verdict = judge(load(options.file))
    for name, kind in sorted(verdict.judged):
        clean, judged = verdict.clean[name, kind], verdict.judged[name, kind]
        print(f"{name} {kind}: {clean} of {judged}")
    print(f"crossings: {verdict.crossed.total()}, of {len(verdict.crossed)} pairs")
    for told in verdict.losses:
        print(f"LOST {told}")
    if options.write_docs:
        page.DOCS.write_text(page.page(verdict), encoding="utf-8")
    print(f"losses: {len(verdict.losses)}")
    return 1 if verdict.losses else 0


if __name__ == "__main__":
    sys.exit(main())
