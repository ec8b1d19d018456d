"""`docs/providers.md`: its parts between markers, made from the table of providers and from a run
of the matrix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance import documented
from tests.conformance.places import NOT_DRIVEN

from nexus_sdk.providers.row import AUTH
from nexus_sdk.providers.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.conformance.cells import Kind, Outcome
    from tests.conformance.matrix import Table, Ways

    from nexus_sdk.providers.row import Row
    from nexus_sdk.stages.adapting import Quirk
    from nexus_sdk.wire.ways import Way

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
SYMBOLS: Mapping[Kind, str] = {
    "pass": "+",
    "told": "o",
    "refused": "x",
    "absent": "",
    "FAIL": "**FAIL**",
}


def replaced(text: str, name: str, content: str) -> str:
    """The page with what stands between the markers of `name` replaced."""
    pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
    assert len(pattern.findall(text)) == 1, f"the page has no markers {name!r}"
    return pattern.sub(lambda _: f"<!-- {name} -->\n{content}<!-- /{name} -->", text)


# ---- the rows ------------------------------------------------------------------------------------


def providers() -> str:
    """What the table says of each provider."""
    return "\n".join(_provider(TABLE[name]) for name in sorted(TABLE))


def _provider(row: Row) -> str:
    lines = [f"### {row.name}", "", *_facts(row), "", *_operations(row)]
    if row.quirks:
        lines += ["", "What it does otherwise:", "", *map(_quirk, row.quirks)]
    if row.because:
        lines += ["", "Why it departs from the plain case:", ""]
        lines += [f"- `{name}`: {why}." for name, why in row.because.items()]
    return "\n".join(lines) + "\n"


def _facts(row: Row) -> Iterator[str]:
    own = "the policy's `base_url`: every installation has its own"
    yield f"- Base URL: {f'`{row.base_url}`' if row.base_url else own}"
    for field, url in row.base_urls.items():
        yield f"- Base URL with `{field}`: `{url}`"
    header, form = AUTH[row.auth]
    variable = (
        f", from `{row.key_variable}` where the policy gives none" if row.key_variable else ""
    )
    yield f"- Key: `{header}: {form.format('<key>')}`{variable}"
    if row.credentials:
        yield f"- Other credentials: {_code(row.credentials)}"
    for name, value in row.headers.items():
        yield f"- Always sent: `{name}: {value}`"
    if row.fields:
        told = [f"`{n}`" + (f" (else `{v}`)" if v else "") for n, v in row.fields.items()]
        yield f"- Words of the policy: {', '.join(told)}"
    if row.stream_usage:
        yield "- Chat streams are asked for their token counts"


def _operations(row: Row) -> Iterator[str]:
    yield "| operation | models | dialect | path |"
    yield "|---|---|---|---|"
    ways = [(key, "all", way) for key, way in row.endpoints.items()]
    for family in row.families:
        ways += [(key, _code(family.models), way) for key, way in family.endpoints.items()]
    for key, models, way in ways:
        yield f"| {key} | {models} | {way.dialect or 'as it comes'} | {_path(way)} |"


def _path(way: Way) -> str:
    framing = f", framed as {way.framing}" if way.framing != "sse" else ""
    streams = f", streams `{way.stream_path}`" if way.stream_path else ""
    return f"`{way.path}`{streams}{framing}"


def _quirk(quirk: Quirk) -> str:
    about = "" if quirk.models == ("*",) else f"{_code(quirk.models)}"
    about += f" but not {_code(quirk.but)}" if quirk.but else ""
    spoken = "" if quirk.dialect == "openai_chat" else f" ({quirk.dialect})"
    what = "; ".join(_effects(quirk))
    return f"- {about}{spoken}{': ' if about or spoken else ''}{what}. Because {quirk.because}."


def _effects(quirk: Quirk) -> Iterator[str]:
    yield from (f"`{old}` becomes `{new}`" for old, new in quirk.renames.items())
    if quirk.refuses:
        yield f"refuses {_code(quirk.refuses)}"
    for name, values in quirk.only.items():
        yield f"of `{name}` takes {_code(map(str, values))} alone"
    if quirk.omits:
        yield f"is not given {_code(sorted(quirk.omits))}"
    if quirk.message_omits:
        yield f"messages are not given {_code(sorted(quirk.message_omits))}"
    for name, words in quirk.words.items():
        yield f"`{name}`: " + ", ".join(f"`{old}` becomes `{new}`" for old, new in words.items())
    yield from (f"the role `{old}` becomes `{new}`" for old, new in quirk.roles.items())
    yield from (f"`{name}` is set to `{value}`" for name, value in quirk.sets.items())
    if quirk.moves:
        yield f"{_code(sorted(quirk.moves))} stands in the path"
    if quirk.accepts:
        yield f"takes {_code(sorted(quirk.accepts))} as well"
    if quirk.max_output_tokens is not None:
        yield f"writes at most {quirk.max_output_tokens} tokens"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# ---- the matrix ----------------------------------------------------------------------------------


def matrix(tables: list[Table]) -> str:
    """One table for each door; features as columns."""
    parts = [_legend(tables), *map(_table, tables), _reasons(tables)]
    return "\n".join(parts)


def _legend(tables: list[Table]) -> str:
    columns: dict[str, str] = {}
    for table in tables:
        columns |= table.columns
    named = [f"| {column} | {name} |" for column, name in columns.items()]
    return "\n".join(["| column | feature |", "|---|---|", *named, ""])


def _table(table: Table) -> str:
    """Columns in which no provider has anything are left out."""
    shown = [
        column
        for column in table.columns
        if any(symbol(row.get(column)) for row in table.rows.values())
    ]
    lines = [f"### {table.door}", ""]
    lines.append(f"| provider | {' | '.join(shown)} |")
    lines.append("|---" * (len(shown) + 1) + "|")
    for place, row in table.rows.items():
        lines.append(f"| {place} | {' | '.join(symbol(row.get(column)) for column in shown)} |")
    return "\n".join(lines) + "\n"


def symbol(ways: Ways | None) -> str:
    """One mark when whole and streamed are alike; else both, the whole first."""
    marks = [SYMBOLS[outcome.kind] for outcome in (ways or {}).values()]
    return marks[0] if len(set(marks)) == 1 else "/".join(mark or "-" for mark in marks)


def _reasons(tables: list[Table]) -> str:
    lines = ["### Refusals and other forms", ""]
    lines += ["| feature | at | what happens | reason |", "|---|---|---|---|"]
    for refusal in documented.REFUSALS:
        lines.append(f"| {refusal.feature} | {', '.join(refusal.targets)} | 400 | {refusal.why} |")
    for targets, why in dict.fromkeys((form.targets, form.why) for form in documented.FORMS):
        feature, _, reason = why.partition(": ")
        lines.append(f"| {feature} | {', '.join(targets)} | reported | {reason} |")
    quirks = sorted({why for why in _whys(tables, "refused") if why not in _written()})
    lines += ["", "Refused because of a provider's quirk:", ""]
    lines += [f"- {why}." for why in quirks]
    lines += ["", "Not driven by the matrix:", ""]
    lines += [f"- {name}: {why}." for name, why in NOT_DRIVEN.items()]
    if failed := sorted(set(_whys(tables, "FAIL"))):
        lines += ["", "Failures:", "", *(f"- {why}" for why in failed)]
    return "\n".join(lines) + "\n"


def _written() -> set[str]:
    return {row.why for row in documented.REFUSALS}


def _whys(tables: list[Table], kind: Kind) -> Iterator[str]:
    outcomes: Iterator[Outcome] = (
        outcome
        for table in tables
        for row in table.rows.values()
        for ways in row.values()
        for outcome in ways.values()
    )
    return (outcome.why for outcome in outcomes if outcome.kind == kind)
