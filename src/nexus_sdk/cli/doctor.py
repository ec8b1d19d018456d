"""`nexus doctor`: is this installation sound, and if not, what to do."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nexus_sdk.cli.commands import Command
from nexus_sdk.cli.exits import Exit
from nexus_sdk.errors import BadPolicy, BadSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.cli.checks import Check
    from nexus_sdk.cli.session import Session
    from nexus_sdk.policy.snapshot import Snapshot
    from nexus_sdk.settings import Settings


@click.command(cls=Command)
@click.option("--network", is_flag=True, help="Also ask each provider, without a key.")
@click.pass_obj
def doctor(session: Session, *, network: bool) -> Exit:
    """Check this installation, and say what to do; exit code 1 when something is at fault."""
    out = session.out
    with out.busy("looking"):
        found = list(_checks(session, network=network))
    is_sound = all(check.verdict != "fail" for check in found)
    if out.json:
        out.document({"ok": is_sound, "checks": [asdict(check) for check in found]})
    else:
        out.table(("verdict", "check", "seen"), [(c.verdict, c.name, c.seen) for c in found])
        for check in found:
            if check.advice:
                out.say(f"{check.name}: {check.advice}")
    return Exit.OK if is_sound else Exit.NO


def _checks(session: Session, *, network: bool) -> Iterator[Check]:
    from nexus_sdk.cli import checks
    from nexus_sdk.cli.trails import FOLDER

    yield checks.python()
    yield from checks.packages()
    try:
        settings = session.settings()
    except BadSettings as err:
        yield checks.Check("settings", "fail", str(err), "correct these variables")
        return
    yield checks.variables(settings)
    yield from checks.folders(settings)
    yield from checks.trail(settings.state_dir / FOLDER)
    yield checks.clock(settings.state_dir / FOLDER, time.time())
    try:
        snapshot = _snapshot(session)
    except (BadPolicy, OSError) as err:
        yield checks.policy_fault(err)
        return
    yield from _of_policy(session, settings, snapshot)
    if network:
        for account in snapshot.accounts.values():
            yield checks.provider(account, settings)


def _of_policy(session: Session, settings: Settings, snapshot: Snapshot) -> Iterator[Check]:
    from nexus_sdk.cli import checks

    yield from checks.policy(snapshot, session.policy_file())
    yield checks.disk(settings, snapshot.policy.audit.max_bytes)
    yield checks.matcher(snapshot, settings.cache_dir)


def _snapshot(session: Session) -> Snapshot:
    from nexus_sdk.cli.policy import compiled

    return compiled(session.load())
