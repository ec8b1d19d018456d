"""What goes to a person, to a pipe, and to a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sdk.cli.cli_lab import event, record

from nexus_sdk.cli.output import Node, Output, printable

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Output(json=False, color=True)


@given(st.text())
def test_nothing_that_a_terminal_acts_on_is_printed(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[2J", r"\x1b[2J"), ("a\nb", r"a\nb"), ("\u202etxt", r"\u202etxt"), ("é 漢", "é 漢")],
)
def test_escapes_are_readable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_columns_are_aligned_and_no_line_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    PLAIN.table(("name", "count"), [("a", 5), ("longer", 12_345), ("\x1b[1m", "")], right=["count"])
    assert capsys.readouterr().out.splitlines() == [
        "name     count",
        "a            5",
        "longer   12345",
        r"\x1b[1m",
    ]


def test_values_of_several_lines_stay_under_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    PLAIN.fields([("id", "7"), ("notes", "one\ntwo"), ("empty", ""), ("none", None), ("zero", 0)])
    assert capsys.readouterr().out == "id     7\nnotes  one\n       two\nzero   0\n"


def test_an_outline_is_indented(capsys: pytest.CaptureFixture[str]) -> None:
    PLAIN.outline(Node("top", (Node("a", (Node("b\nc"),)), Node("d"))))
    assert capsys.readouterr().out == "top\n  a\n    b\n    c\n  d\n"


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_json_is_ascii_whatever_the_text(text: str) -> None:
    assert json.loads(json.dumps(text)) == text
    assert json.dumps(text).isascii()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")
@pytest.mark.parametrize(
    ("args", "env", "has_colour"),
    [((), {}, True), (("--no-color",), {}, False), ((), {"NO_COLOR": "1"}, False)],
)
def test_a_person_sees_colours_unless_they_are_unwanted(
    state: Path, args: tuple[str, ...], env: dict[str, str], has_colour: bool
) -> None:
    record(state, event(1, outcome="blocked", model="[bold]x[/bold]"))
    shown = in_terminal("audit", "verify", *args, env=env)
    assert "\x1b[32mok" in shown if has_colour else "\x1b[3" not in shown
    assert "1 events verified" in shown
    tail = in_terminal("audit", "tail", *args, env=env)
    assert "blocked" in tail


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")
def test_markup_in_an_event_is_text(state: Path) -> None:
    record(state, event(1, model="[bold]x[/bold]", route={}))
    assert "[bold]x[/bold]" in in_terminal("usage")
    assert "[bold]x[/bold]" in in_terminal("audit", "tail")


def in_terminal(*args: str, env: dict[str, str] | None = None) -> str:
    """What `nexus` writes when its standard output is a terminal."""
    ours, theirs = os.openpty()
    environ = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    command = subprocess.Popen(
        [sys.executable, "-c", "from nexus_sdk.cli import main; main()", *args],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**environ, "TERM": "xterm-256color", "COLUMNS": "200", **(env or {})},
    )
    os.close(theirs)
    found = b""
    try:
        while piece := os.read(ours, 65536):
            found += piece
    except OSError:  # Linux ends a terminal's output so
        pass
    os.close(ours)
    assert command.wait(30) == 0
    return found.decode()
