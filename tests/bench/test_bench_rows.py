"""Rows, their promises, and the tables and the page that they end in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from bench.__main__ import BENCHES, main
from bench.report import DOCS, Report, documented, load
from bench.rows import Row, Target

from bench import table

if TYPE_CHECKING:
    from pathlib import Path

RATIO = Target("ratio", 0.25, 0.1)
FACTS = {"cpu": "a CPU", "cores": 2, "system": "Linux 6", "python": "CPython 3.13.0"}


def report(*rows: Row) -> Report:
    machine = {**FACTS, "packages": {"openai": "3.1"}}
    return Report(
        "2026-11-22", quick=True, machine=machine, tables={"a": [*rows]}, loads=(0.5, 1.5)
    )


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("no promise", "us", 9), None),
        (Row("own figure", "us", 350, target=Target("ours", 350)), True),
        (Row("own figure", "us", 350.1, target=Target("ours", 350)), False),
        (Row("ratio", "us", 25, 100, "them", RATIO), True),
        (Row("ratio", "us", 26, 100, "them", RATIO), False),
        (Row("added", "ms", 3.0, 2.5, "them", Target("added", 1)), True),
        (Row("added", "ms", 3.6, 2.5, "them", Target("added", 1)), False),
        (Row("faster", "ms", 1.0, 2.5, "them", Target("added", 1)), True),
        (Row("not measured", "us", None, target=Target("ours", 1)), False),
        (Row("nobody to compare with", "us", 1, None, "them", RATIO), False),
    ],
)
def test_a_promise_is_kept_or_not(row: Row, *, met: bool | None) -> None:
    assert row.met is met


def test_a_missed_target_is_plain_to_see() -> None:
    rows = [Row("good", "us", 20, 100, "them", RATIO), Row("bad", "us", 30, 100, "them", RATIO)]
    shown = table.text(rows).splitlines()
    assert [line.split()[-1] for line in shown[2:]] == ["yes", "MISSED"]
    assert "<= 0.25 x (aim 0.10)" in shown[2]
    assert [row.what for row in report(*rows).missed] == ["bad"]


def test_the_columns_stand_below_one_another() -> None:
    rows = [Row("a", "us", 1.234), Row("much longer", "ms", 1234.5, 7, "them", note="why")]
    lines = table.text(rows).splitlines()
    assert lines[2].index("1.23 us") + len("1.23 us") == lines[3].index("1234 ms") + len("1234 ms")
    assert lines[4].strip() == "(why)"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(None, "-"), (0.1234, "0.12 us"), (12.34, "12.3 us"), (123.4, "123 us"), (3.0, "3 us")],
)
def test_three_figures_that_matter(value: float | None, wanted: str) -> None:
    assert table.figure(value, "us") == wanted


def test_markdown_has_as_many_cells_in_every_line() -> None:
    rows = [Row("a | b", "us", 1, note="c"), Row("d", "us", None, None, "them", RATIO)]
    lines = table.markdown(rows).replace("\\|", "").splitlines()
    assert {line.count("|") for line in lines} == {7}


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = (Row("x", "us", 1.5, 3, "them", RATIO, "why"), Row("y", "ms", None))
    report(*rows).save(tmp_path / "new" / "bench.json")
    assert load(tmp_path / "new" / "bench.json") == report(*rows)
    doc = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert doc["missed"] == ["x"]
    assert doc["tables"]["a"][0]["ratio"] == 0.5


def test_the_page_gets_its_tables_and_keeps_its_words() -> None:
    page = "Intro\n<!-- bench:a -->\nold\n<!-- /bench -->\nmiddle\n"
    page += "<!-- bench:b -->\nkept\n<!-- /bench -->\n"
    row = Row(r"x \1 y", "us", 5)
    once = documented(page, report(row))
    assert "old" not in once
    assert r"| x \1 y | 5 us |" in once
    assert once.startswith("Intro\n")
    assert "\nkept\n" in once
    assert documented(once, report(row)) == once


def test_every_measurement_has_its_place_on_the_page() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for name in ("about", "missed", *BENCHES):
        assert page.count(f"<!-- bench:{name} -->") == 1
    assert page.count("<!-- /bench -->") == len(BENCHES) + 2


def test_a_missed_target_is_an_error_only_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Row("the bad one", "us", 2, target=Target("ours", 1))
    found = Report("2026-11-22", False, {**FACTS, "packages": {}}, {"client": [bad]}, (0, 0))
    monkeypatch.setattr("bench.report.load", lambda: found)
    assert main(["--again"]) == 0
    assert "targets missed: 1\n  the bad one\n" in capsys.readouterr().out
    assert main(["--again", "--strict"]) == 1


def test_a_part_of_a_run_never_goes_into_the_page() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--only", "scanner", "--write-docs"])
