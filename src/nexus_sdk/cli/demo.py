"""`nexus demo`: the demonstration, against a model server on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nexus_sdk.cli.commands import Command

if TYPE_CHECKING:
    from nexus_sdk.cli.session import Session


@click.command(cls=Command)
@click.option("--live", is_flag=True, help="Against the real provider whose key is set.")
@click.pass_obj
def demo(session: Session, /, *, live: bool) -> int:
    """Show what Nexus does, in a minute, on this machine; nothing else is needed."""
    from nexus_sdk.demo.show import run

    out = session.out
    if not out.json:
        return run(out.console(), live=live)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = out.console()
        console.file = nowhere
        status = run(console, live=live)
    out.document({"ok": status == 0})
    return status
