"""`nexus policy`: is it valid, what holds, what would change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli.commands import Group
from nexus_sdk.cli.exits import Exit
from nexus_sdk.errors import BadPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nexus_sdk.cli.output import Output
    from nexus_sdk.cli.session import Session
    from nexus_sdk.compliance.hooks import Stage
    from nexus_sdk.policy.diff import Change
    from nexus_sdk.policy.document import Policy
    from nexus_sdk.policy.load import Loaded
    from nexus_sdk.policy.snapshot import Snapshot

_FILE = click.Path(path_type=Path)
_NO_SECRET = bytes(32)
"""Stands for the pepper where a policy is only looked at: nothing is compared under it."""


@click.group(cls=Group)
def policy() -> None:
    """The policy: is it valid, what holds, what would change."""


@policy.command()
@click.argument("file", required=False, type=_FILE)
@click.pass_obj
def check(session: Session, file: Path | None) -> Exit:
    """Load and compile FILE (else the policy that holds here); every problem, or a summary."""
    out = session.out
    try:
        loaded = session.load(file)
        snapshot = compiled(loaded)
    except BadPolicy as err:
        return _problems(out, err)
    told = _summary(loaded, snapshot)
    if out.json:
        out.document({"ok": True, **told})
        return Exit.OK
    out.fields(
        (
            name.replace("_", " "),
            ", ".join(_words(value)) if isinstance(value, dict | list) else value,
        )
        for name, value in told.items()
    )
    out.say("ok")
    return Exit.OK


@policy.command()
@click.pass_obj
def show(session: Session) -> None:
    """What holds, with what the policy leaves to the defaults; secrets are masked."""
    from nexus_sdk.cli.provenance import effective, provenance

    path = session.policy_file()
    loaded = session.load()
    origins = provenance(path, session.settings().lookup)
    held = effective(loaded.document)
    out = session.out
    if out.json:
        out.document(
            {
                "hash": loaded.hash,
                "files": [str(file) for file in loaded.sources],
                "policy": held,
                "provenance": {name: origins.get(name, "default") for name in held}
                | {name: place for name, place in origins.items() if "." in name},
            }
        )
        return
    out.say(f"# policy {loaded.hash}")
    for name, value in held.items():
        out.say(f"\n# {name}: {origins.get(name, 'default')}\n{_yaml(name, value)}")
        for child, place in origins.items():
            if child.startswith(f"{name}."):
                out.say(f"# {child}: {place}")


@policy.command()
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.pass_obj
def diff(session: Session, old: Path, new: Path) -> Exit:
    """What changes from policy OLD to policy NEW; exit code 1 when anything does."""
    from nexus_sdk.policy.diff import diff as changes_between
    from nexus_sdk.policy.diff import render

    changes = changes_between(session.load(old).document, session.load(new).document)
    out = session.out
    if out.json:
        out.document({"same": not changes, "changes": [_change(change) for change in changes]})
    else:
        out.say(render(changes))
    return Exit.NO if changes else Exit.OK


@policy.command()
@click.pass_obj
def schema(session: Session) -> None:
    """The JSON Schema of a policy, with which an editor helps while you type."""
    from nexus_sdk.policy.schema import json_schema

    session.out.document(json_schema())


def compiled(loaded: Loaded) -> Snapshot:
    """The policy, compiled to be looked at. Raises BadPolicy."""
    from nexus_sdk.policy.snapshot import compile_policy

    return compile_policy(loaded, node="", pepper=_NO_SECRET, placeholder_key=_NO_SECRET)


def _problems(out: Output, error: BadPolicy) -> Exit:
    if out.json:
        out.document({"ok": False, "problems": list(error.problems)})
        return Exit.POLICY
    for problem in error.problems:
        out.say(problem)
    count = len(error.problems)
    out.note(f"{count} problem{'s' if count > 1 else ''}")
    return Exit.POLICY


def _summary(loaded: Loaded, snapshot: Snapshot) -> dict[str, Any]:
    document = loaded.document
    return {
        "files": [str(file) for file in loaded.sources] or "none: the default policy",
        "hash": loaded.hash,
        "providers": {name: account.kind for name, account in snapshot.accounts.items()},
        "models": list(document.routing.models),
        "unlisted_models": document.routing.unlisted,
        "request_rules": _actions(snapshot.request_hooks),
        "response_rules": _actions(snapshot.response_hooks),
        "limits": [limit.name for limit in document.limits],
        "keys": len(document.keys),
        "cache": "on" if document.cache.enabled else "off",
        "audit": document.audit.mode,
        "switches": _switches(document),
    }


def _actions(stage: Stage) -> dict[str, int]:
    """How many rules lead to which action, were every hook to apply."""
    from collections import Counter

    actions = (action for hook in stage.hooks for action in hook.actions.values())
    return dict(sorted(Counter(actions).items()))


def _switches(document: Policy) -> list[str]:
    switches = document.switches
    kill = ["KILL: every request is refused"] if switches.kill else []
    bypass = switches.bypass_compliance_until
    return [*kill, *([f"BYPASS: hooks do not act until {bypass}"] if bypass else [])]


def _words(value: dict[str, Any] | list[str]) -> Iterable[str]:
    if isinstance(value, list):
        return value
    return (f"{inner} {name}" if isinstance(inner, int) else name for name, inner in value.items())


def _change(change: Change) -> dict[str, Any]:
    import json

    from nexus_sdk.policy.diff import ABSENT

    sides = {"before": change.before, "after": change.after}
    present = {side: value for side, value in sides.items() if value is not ABSENT}
    plain: dict[str, Any] = json.loads(json.dumps(present, default=repr))  # a secret's repr is none
    return {"path": change.path, **plain}


def _yaml(name: str, value: object) -> str:
    import yaml

    text: str = yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")
