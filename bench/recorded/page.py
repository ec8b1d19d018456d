"""`docs/fidelity.md`: counts and parameters, nothing of what was recorded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.recorded.normal import RULES
from bench.rows import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.recorded.verdict import Verdict

DOCS = ROOT / "docs" / "fidelity.md"
_KINDS = ("request", "answer", "stream", "error")
_WAYS = {
    "refused": "refused before anything is sent",
    "dropped": "dropped where the policy allows it, else refused",
    "coerced": "told in another form",
    "omitted": "left out: a hint, a label or another vendor's private state",
    "no place": "a member of the answer for which the caller's dialect has no place",
}
_SAFE = re.compile(r"[^A-Za-z0-9_.*: >()\[\]-]")


def page(verdict: Verdict) -> str:
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    yield from _HEAD
    yield from ("| dialect | requests | answers | streams | errors |", "|---|--:|--:|--:|--:|")
    for name in sorted({name for name, _ in verdict.judged}):
        cells = [
            f"{verdict.clean[name, kind]} of {verdict.judged[name, kind]}"
            if verdict.judged[name, kind]
            else ""
            for kind in _KINDS
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    yield from ("", f"The streams hold {verdict.events} events.")
    told = [f"{count} {reason}" for reason, count in sorted(verdict.skipped.items())]
    if told:
        yield f"Lines of the file that were not judged: {', '.join(told)}."
    yield from ("", "## What counts as the same", "")
    for rule in RULES:
        where = ", ".join(rule.dialects) if all(rule.dialects) else "every dialect"
        yield f"- {rule.what}, {where}: {rule.says}."
    yield from _CROSSINGS
    yield from (f"- *{way}*: {says}." for way, says in _WAYS.items())
    for (source, target), count in sorted(verdict.crossed.items()):
        yield from ("", f"### {source} to {target}", "")
        yield from _pair(verdict, source, target, count)


def _pair(verdict: Verdict, source: str, target: str, count: int) -> Iterator[str]:
    told = verdict.told.get((source, target))
    if not told:
        yield f"{count} documents, nothing to tell."
        return
    yield from (f"{count} documents.", "", "| how | what | times |", "|---|---|--:|")
    order = {way: place for place, way in enumerate(_WAYS)}
    for (how, address), times in sorted(
        told.items(), key=lambda one: (order[one[0][0]], -one[1], one[0][1])
    ):
        yield f"| {how} | `{_parameter(address)}` | {times} |"


def _parameter(address: str) -> str:
    """The address alone: what a report says beyond it may name a caller's tools."""
    kept = address.partition("these tools alone")[0] if "these tools" in address else address
    return _SAFE.sub("", kept)[:80].strip()


_HEAD = (
    "# What translation keeps",
    "",
    (
        "`python -m bench.recorded FILE.jsonl.gz` judges recorded traffic: every exchange of a "
        "dialect that we speak."
    ),
    (
        "Its request and its answer are read into the canonical form and written again in their "
        "own dialect, streams event by event; what comes out must be what went in."
    ),
    (
        "Then each goes to every other dialect of its kind: whatever is missing there must have "
        "been told."
    ),
    "The program ends with status 1 when anything is lost, and `--write-docs` writes this page.",
    "",
    "This page holds counts and names of parameters; nothing that was recorded is in it.",
    "The traffic was recorded from the providers by the tests of pydantic-ai (MIT).",
    "",
    "## Round trips",
    "",
)
_CROSSINGS = (
    "",
    "## From one dialect to another",
    "",
    (
        "Each row is what the fidelity report of a request told, or what of an answer has no place "
        "in the caller's dialect."
    ),
    "Places in lists are `*`.",
    (
        "`openai_chat to openai_chat` is what OpenAI itself would not take of chat completions "
        "that were made for others."
    ),
    "",
)
