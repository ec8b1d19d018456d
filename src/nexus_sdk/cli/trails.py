"""Finding the audit trail that a command is about."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli.moments import moment
from nexus_sdk.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nexus_sdk.cli.session import Session
    from nexus_sdk.drivers.spool import Entry

FOLDER = "audit"


def directory_option[Function: Callable[..., Any]](command: Function) -> Function:
    """`--dir`, with which a command takes `directory`."""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The folder of the trail; audit in the state folder without it.",
    )(command)


def period_options[Function: Callable[..., Any]](command: Function) -> Function:
    """`--since` and `--until`, with which a command takes `since` and `until`."""
    until = click.option("--until", default="", metavar="TIME", help="Only what came before.")
    since = click.option(
        "--since",
        default="",
        metavar="TIME",
        help="2026-01-31, a time in UTC, or 24h: back from now.",
    )
    return since(until(command))


def folder(session: Session, given: Path | None) -> Path:
    return given or session.settings().state_dir / FOLDER


def recorded(path: Path) -> Path:
    """`path`, when something was ever recorded there. Raises NotFound."""
    from nexus_sdk.drivers.spool import chains

    if not chains(path):
        raise NotFound(f"{path} holds no audit trail: nothing has been recorded there")
    return path


def entries(path: Path, since: str, until: str) -> Iterator[Entry]:
    """Every event of the trail in that period, in the order of recording."""
    from nexus_sdk.drivers.spool import events

    now = time.time()
    first, end = (moment(text, now) if text else "" for text in (since, until))
    return (entry for entry in events(recorded(path), since=first) if not end or entry.at < end)
