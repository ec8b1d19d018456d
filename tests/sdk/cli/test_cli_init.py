"""`nexus init`."""

from __future__ import annotations

import re
import stat
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

import click
from tests.sdk.cli.cli_lab import nexus

from nexus_sdk.cli.program import program

if TYPE_CHECKING:
    from pathlib import Path


def test_it_writes_the_example_which_is_valid(here: Path) -> None:
    ended = nexus("init")
    assert ended.status == 0
    example = (files("nexus_sdk.policy") / "example.yaml").read_bytes()
    assert (here / "nexus.yaml").read_bytes() == example
    assert "nexus policy check" in ended.err
    assert nexus("policy", "check").status == 0
    if sys.platform != "win32":
        assert stat.S_IMODE((here / "nexus.yaml").stat().st_mode) == 0o600


def test_it_overwrites_only_when_told_to(here: Path) -> None:
    (here / "nexus.yaml").write_text("name: precious\n")
    ended = nexus("init", "--json")
    assert (ended.status, ended.error["code"]) == (4, "os_error")
    assert "--force" in ended.error["message"]
    assert (here / "nexus.yaml").read_text() == "name: precious\n"
    assert nexus("init", "--force").status == 0
    assert "precious" not in (here / "nexus.yaml").read_text()


def test_it_makes_the_folder_and_the_first_key(here: Path) -> None:
    told = nexus("init", "deep/er", "--key", "--json").json
    assert told["policy"] == str((here / "deep" / "er" / "nexus.yaml").relative_to(here))
    assert told["key"]["id"] == "first"
    assert re.fullmatch(r"nvk_[0-9a-f]{64}", told["key"]["key"])
    assert told["key"]["key"] not in (here / "deep/er/nexus.keys.yaml").read_text()
    listed = nexus("keys", "list", "--policy", told["policy"], "--json").json["keys"]
    assert [key["id"] for key in listed] == ["first"]


def test_the_key_alone_is_on_standard_output() -> None:
    assert re.fullmatch(r"nvk_[0-9a-f]{64}\n", nexus("init", "--key").out)


def test_what_it_says_to_do_next_can_be_done(here: Path) -> None:
    ended = nexus("init", "sub")
    commands = [
        line.split("  ")[1] for line in ended.err.splitlines() if line.startswith("  nexus")
    ]
    assert len(commands) == 4
    for line in commands:
        words = line.removeprefix("nexus ").replace("NAME", "x").split()
        if words[0] != "sidecar":
            assert nexus(*words).status == 0, line


def test_every_command_that_the_example_names_exists() -> None:
    example = (files("nexus_sdk.policy") / "example.yaml").read_text()
    named = re.findall(r"`nexus ([a-z ]+)`", example)
    assert named
    for command in named:
        found: click.Command | None = program
        for word in command.split():
            assert isinstance(found, click.Group), command
            found = found.commands.get(word)
        assert found is not None, command
