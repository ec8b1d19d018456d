"""From a new process to its first answer: with nothing cached on this machine, with compiled
rules at hand, and the bare client. A first start compiles the rules in the background; the first
request must not wait for it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.rows import ROOT, Row, Target
from bench.servers import model_server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.rows import Plan

WAITED_MS = 100.0
"""A cold first answer that is later than a warm one by less has waited for nothing."""


@dataclass(frozen=True, slots=True)
class Start:
    """Milliseconds of wall time since the process began its first import; `cpu_ms` is what it
    had used when it had its answer. `compiled_ms`: when both stages had compiled rules, None for
    the bare client."""

    client_ms: float
    answer_ms: float
    cpu_ms: float
    compiled_ms: float | None = None

    @property
    def call_ms(self) -> float:
        return self.answer_ms - self.client_ms


def run(plan: Plan) -> list[Row]:
    rounds = plan.of(5, 1)
    cold: list[Start] = []
    warm: list[Start] = []
    bare: list[Start] = []
    with model_server() as url:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(start("nexus", url, cache))
                warm.append(start("nexus", url, cache))
            bare.append(start("bare", url, ""))
    return rows(cold, warm, bare)


def start(kind: str, url: str, cache: str) -> Start:
    """One fresh process."""
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "bench.first_call", kind, url, cache, state]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return Start(**json.loads(done.stdout))


def rows(cold: list[Start], warm: list[Start], bare: list[Start]) -> list[Row]:
    """Medians over the starts, and the one promise: nobody waits for the compile."""
    compiled = _median(start.compiled_ms or 0.0 for start in cold)
    waits = sum(waited(*pair) for pair in zip(cold, warm, strict=True))
    other = "bare openai"
    return [
        Row("first answer, nothing cached: wall", "ms", _answer(cold), _answer(bare), other),
        Row("first answer, rules cached: wall", "ms", _answer(warm), _answer(bare), other),
        Row("first answer, nothing cached: CPU", "ms", _cpu(cold), _cpu(bare), other),
        Row("first answer, rules cached: CPU", "ms", _cpu(warm), _cpu(bare), other),
        Row("first call alone, nothing cached", "ms", _call(cold), _call(bare), other),
        Row("first call alone, rules cached", "ms", _call(warm), _call(bare), other),
        Row(
            "starts that waited for a compile",
            f"of {len(cold)}",
            waits,
            target=Target("ours", 0),
            note=f"answer at {_answer(cold):.0f} ms, rules compiled at {compiled:.0f} ms",
        ),
    ]


def waited(cold: Start, warm: Start) -> bool:
    """Did the first answer come after the compile, and later for it?"""
    assert cold.compiled_ms is not None, "only the bare client compiles nothing"
    return cold.compiled_ms <= cold.answer_ms and cold.answer_ms - warm.answer_ms > WAITED_MS


def _median(values: Iterable[float]) -> float:
    return median(list(values))


def _answer(starts: list[Start]) -> float:
    return _median(start.answer_ms for start in starts)


def _cpu(starts: list[Start]) -> float:
    return _median(start.cpu_ms for start in starts)


def _call(starts: list[Start]) -> float:
    return _median(start.call_ms for start in starts)
