"""`nexus init`: a policy file to begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nexus_sdk.cli.commands import Command
from nexus_sdk.cli.keys import Wanted, made, show_made

if TYPE_CHECKING:
    from nexus_sdk.cli.session import Session

NAME = "nexus.yaml"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@click.command(cls=Command)
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path())
@click.option("--force", is_flag=True, help="Replace a nexus.yaml that is there.")
@click.option("--key", "with_key", is_flag=True, help="Make a first virtual key as well.")
@click.pass_obj
def init(session: Session, folder: Path, *, force: bool, with_key: bool) -> None:
    """Write a nexus.yaml with comments into DIR (this folder), and say what to do next."""
    path = folder / NAME
    _write(path, force=force)
    out = session.out
    key = made(session, path, Wanted(name="first")) if with_key else None
    if out.json:
        out.document({"policy": str(path), "key": key.told() if key else None})
        return
    out.note(f"wrote {path}")
    if key is not None:
        show_made(out, key)
    for line in _next_steps(folder, with_key=with_key):
        out.note(line)


def _write(path: Path, *, force: bool) -> None:
    """Raises FileExistsError."""
    from importlib.resources import files as resources

    from nexus_sdk.policy import files

    text = (resources("nexus_sdk.policy") / "example.yaml").read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    if force:
        files.replace(path, text)
        return
    try:
        descriptor = os.open(path, _NEW_FILE, 0o600)
    except FileExistsError as err:
        err.strerror = "is there already; --force replaces it"
        raise
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)


def _next_steps(folder: Path, *, with_key: bool) -> list[str]:
    at = "" if folder == Path() else f" --policy {folder / NAME}"
    steps = [
        (f"nexus policy check{at}", "says what is wrong with it, after you changed it"),
        (f"nexus explain{at} --model gpt-4o-mini --prompt Hello", "what would happen to a request"),
        (f"nexus sidecar{at}", "serves /v1 to every OpenAI and Anthropic client"),
    ]
    if not with_key:
        steps.insert(2, (f"nexus keys create{at} --name NAME", "a key for a caller of the sidecar"))
    width = max(len(command) for command, _ in steps)
    return ["", "Next:", *(f"  {command:{width}}  {told}" for command, told in steps)]
