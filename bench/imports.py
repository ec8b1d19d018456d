"""What an import costs: CPU of a fresh interpreter that does nothing else, less that of a bare
one."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from bench.measure import Sample, interleave
from bench.rows import Row, Target

if TYPE_CHECKING:
    from bench.measure import Result
    from bench.rows import Plan

BARE = "pass"
IMPORT = "import nexus_sdk"
NEXUS = "from nexus_sdk import Nexus"
CLIENT = "from nexus_sdk import OpenAI"
STOCK = "from openai import OpenAI"
LATE = "import nexus_sdk, sys; sys.exit('openai' in sys.modules)"


def run(plan: Plan) -> list[Row]:
    statements = (BARE, IMPORT, NEXUS, CLIENT, STOCK)
    turns = {statement: partial(turn, statement) for statement in statements}
    found = interleave(turns, plan.of(9, 2))
    late = subprocess.run([sys.executable, "-c", LATE], check=False).returncode == 0
    note = "`openai` is not imported by it" if late else "IT IMPORTS `openai`"
    return [
        Row(f"`{IMPORT}`", "ms", _above(found, IMPORT), target=Target("ours", 100), note=note),
        Row(f"`{NEXUS}`", "ms", _above(found, NEXUS)),
        Row(f"`{CLIENT}`", "ms", _above(found, CLIENT), _above(found, STOCK), f"`{STOCK}`"),
    ]


def turn(statement: str) -> Sample:
    """One fresh interpreter."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Sample(cpu, (wall,))


def _above(found: dict[str, Result], statement: str) -> float:
    """Milliseconds above the bare interpreter."""
    return (found[statement].cpu_us - found[BARE].cpu_us) / 1e3
