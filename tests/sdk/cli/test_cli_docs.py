"""The reference names every command and every option, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from nexus_sdk.cli.commands import global_options
from nexus_sdk.cli.exits import MEANINGS
from nexus_sdk.cli.program import program

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^##+ `(nexus[a-z ]*)`\n(.*?)(?=^##? |^### |\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall(TEXT))


def commands(found: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(found, click.Group):
        for name, child in found.commands.items():
            yield from commands(child, f"{path} {name}")
    else:
        yield path, found


COMMANDS = dict(commands(program, "nexus"))
GLOBAL = {name for option in global_options() for name in option.opts}


def test_there_is_a_section_for_each_command() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_section_names_every_option(path: str) -> None:
    options = {
        name
        for option in COMMANDS[path].params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    named = set(re.findall(r"`(-{1,2}[a-z][a-z-]*)", SECTIONS[path]))
    assert named - GLOBAL == options - GLOBAL


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_a_help(path: str) -> None:
    found = COMMANDS[path]
    assert found.help
    assert all(option.help for option in found.params if isinstance(option, click.Option))
    assert {name for option in found.params for name in option.opts} >= GLOBAL


def test_global_options_and_exit_codes_are_told() -> None:
    assert all(f"`{name}" in TEXT for name in GLOBAL)
    for code in MEANINGS:
        assert re.search(rf"^\| {int(code)} \|", TEXT, re.MULTILINE)
