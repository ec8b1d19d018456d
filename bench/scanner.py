"""The scanner alone: the rules of the default hooks on requests, over varied text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import calls, interleave
from bench.policy import NotMeasured, unused
from bench.prompts import SENSITIVE, prompts
from bench.rows import Row, Target
from nexus_sdk.compliance.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.measure import Turn
    from bench.rows import Plan

KIB = 1024
BOUND = Target("ours", 50)


def run(plan: Plan) -> list[Row]:
    with unused(plan) as nexus:
        warm = nexus.snapshot.request_hooks.scanner
        slow = Scanner(warm.rules)
    if warm.matcher is None:
        raise NotMeasured("the scanner has no compiled rules")
    rules = f"{len(warm.rules)} rules"
    contenders = {
        ("scanner, texts of 1 KB", 1, BOUND): _turn(warm, plan.of(500, 200), 1),
        ("scanner, texts of 50 KB", 50, BOUND): _turn(warm, plan.of(20, 10), 50),
        ("scanner, texts of 1 KB with 3 findings", 1, None): _turn(
            warm, plan.of(500, 200), 1, holding=SENSITIVE
        ),
        ("scanner, 1 KB, before the rules are compiled", 1, None): _turn(slow, plan.of(40, 10), 1),
    }
    found = interleave({what: turn for (what, _, _), turn in contenders.items()}, plan.of(15, 5))
    return [
        Row(what, "us/KB", found[what].cpu_us / size, target=target, note=rules)
        for what, size, target in contenders
    ]


def _turn(scanner: Scanner, count: int, size: int, *, holding: str = "") -> Turn:
    texts: Iterator[str] = prompts(size * KIB, holding=holding)
    return calls(lambda text: scanner.find([text]), lambda: next(texts), count)
