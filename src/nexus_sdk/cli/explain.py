"""`nexus explain`: what would happen to a request, and why."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli.commands import Command, tag_option
from nexus_sdk.cli.exits import Exit
from nexus_sdk.cli.output import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nexus_sdk.cli.session import Session
    from nexus_sdk.model import Caller
    from nexus_sdk.policy.document import Key

    type Body = dict[str, Any]

MODEL = "gpt-4o-mini"
"""Asked for when only a prompt is given."""
_CALLER = ("user", "project", "organisation")


def _messages(model: str, prompt: str) -> Body:
    return {"model": model, "messages": [{"role": "user", "content": prompt}]}


def _input(model: str, prompt: str) -> Body:
    return {"model": model, "input": prompt}


_BODIES: Mapping[str, Callable[[str, str], Body]] = MappingProxyType(
    {
        "chat": _messages,
        "responses": _input,
        "embeddings": _input,
        "messages": lambda model, prompt: {**_messages(model, prompt), "max_tokens": 1024},
    }
)
"""By endpoint, the smallest body that asks `model` for `prompt`."""


@click.command(cls=Command)
@click.argument("file", metavar="[FILE|-]", required=False)
@click.option(
    "--endpoint",
    type=click.Choice(list(_BODIES)),
    default="chat",
    show_default=True,
    help="What is called.",
)
@click.option("--model", help=f"The model to ask for; with --prompt {MODEL} if not given.")
@click.option("--prompt", help="What to ask, instead of a whole request.")
@click.option("--key-id", default="", help="As the caller with this key of the policy.")
@click.option("--user", default="", help="As this user.")
@click.option("--project", default="", help="As of this project.")
@click.option("--organisation", default="", help="As of this organisation.")
@tag_option("With this tag; repeatable.")
@click.pass_obj
def explain(session: Session, /, file: str | None, *, endpoint: str, **given: Any) -> Exit:
    """Tell what would happen to a request, stage by stage; nothing is sent, nothing is counted.

    FILE (- is standard input) holds the JSON body of the request; --prompt makes a small one. Exit
    code 1 when it would be refused.
    """
    body = _body(file, endpoint, given["model"], given["prompt"])
    with session.nexus() as nexus:
        key = _key(nexus.snapshot.policy.keys, given["key_id"])
        caller = _caller(nexus.app, key, given)
        told = nexus.explain(body, endpoint=endpoint, caller=caller)
    if key is not None and (fault := _fault(key)):
        told["would"], told["error"] = "refuse", fault
    if session.json:
        session.out.document(told)
    else:
        session.out.outline(_outline(told))
    return Exit.NO if told["would"] == "refuse" else Exit.OK


# ---- the request ---------------------------------------------------------------------------------


def _body(file: str | None, endpoint: str, model: str | None, prompt: str | None) -> Body:
    if (file is None) == (prompt is None):
        raise click.UsageError("give either FILE (or -), or --prompt TEXT")
    if file is None:
        assert prompt is not None
        return _BODIES[endpoint](model or MODEL, prompt)
    text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        body = json.loads(text)
    except ValueError as err:
        raise click.UsageError(f"{file} holds no JSON: {err}") from None
    if not isinstance(body, dict):
        raise click.UsageError(f"{file} holds no JSON object; a request's body is one")
    return {**body, "model": model} if model else body


def _key(keys: Iterable[Key], key_id: str) -> Key | None:
    if not key_id:
        return None
    from nexus_sdk.spelling import did_you_mean

    known = {key.id: key for key in keys}
    if key_id not in known:
        raise click.UsageError(f"the policy has no key {key_id!r}{did_you_mean(key_id, known)}")
    return known[key_id]


def _caller(app: Caller, key: Key | None, given: Mapping[str, Any]) -> Caller:
    """The key's owner, or this application; what is given wins."""
    from dataclasses import replace

    stated = {field: given[field] for field in _CALLER if given[field]}
    tags = dict(given["tags"])
    if key is None:
        return replace(app, **stated, tags=MappingProxyType({**app.tags, **tags}))
    owner = {field: getattr(key, field) for field in _CALLER} | stated
    return replace(app, key_id=key.id, app="", tags=MappingProxyType({**key.tags, **tags}), **owner)


def _fault(key: Key) -> dict[str, Any] | None:
    """Why the sidecar would not let this key in: the error that it would answer with."""
    from nexus_sdk.policy.instants import seconds

    if key.revoked:
        return {"status": 401, "code": "key_revoked", "message": f"key {key.id!r} was revoked"}
    if key.expires and seconds(key.expires) <= time.time():
        return {"status": 401, "code": "key_expired", "message": f"key {key.id!r} has expired"}
    return None


# ---- the answer ----------------------------------------------------------------------------------


def _outline(told: Mapping[str, Any]) -> Node:
    error = told.get("error")
    verdict = f"refuse: {error['message']}" if error else told["would"]
    caller = {name: text for name, text in told.get("caller", {}).items() if text}
    about = [
        Node(f"policy {told['policy'][:16]}"),
        Node(
            f"caller: {', '.join(f'{name} {text}' for name, text in caller.items()) or 'unknown'}"
        ),
    ]
    if "model" in told:
        about.append(
            Node(
                f"request: model {told['model']}, {told['texts']} texts, "
                f"some {told['estimated_input_tokens']} tokens"
                + (", streamed" if told["stream"] else "")
            )
        )
    parts = (_findings, _redacted, _routing, _limits, _targets)
    return Node(verdict, (*about, *(node for part in parts if (node := part(told)) is not None)))


def _findings(told: Mapping[str, Any]) -> Node | None:
    findings = told["findings"]
    lines = tuple(
        Node(f"{found['action']}: {found['rule']} ({found['severity']}) in {found['address']}")
        for found in findings
    )
    return Node(f"findings: {len(findings)}", lines) if findings else None


def _redacted(told: Mapping[str, Any]) -> Node | None:
    lines = tuple(
        Node(f"{edit['address']} becomes", (Node(edit["becomes"]),))
        for edit in told.get("redacted", ())
    )
    return Node("what would be sent instead", lines) if lines else None


def _routing(told: Mapping[str, Any]) -> Node | None:
    lines = [*told.get("routing", ()), *([told["router"]] if "router" in told else [])]
    return Node("routing", tuple(map(Node, lines))) if lines else None


def _limits(told: Mapping[str, Any]) -> Node | None:
    lines = (f"cache: {told['cache']}",) if "cache" in told else ()
    limits = told.get("admission_limits")
    checked = (f"limits at admission: {', '.join(limits)}",) if limits else ()
    return (
        Node("before sending", tuple(map(Node, (*lines, *checked)))) if lines or checked else None
    )


_FIELDS = ("url", "dialect", "health", "estimated_cost_usd", "rule", "arm")


def _targets(told: Mapping[str, Any]) -> Node | None:
    targets = tuple(
        Node(f"{number}. {target['provider']}/{target['model']}", tuple(_target(target)))
        for number, target in enumerate(told.get("targets", ()), 1)
    )
    return Node("targets, in order", targets) if targets else None


def _target(target: Mapping[str, Any]) -> Iterable[Node]:
    if "refused" in target:
        yield Node(f"refused: {target['refused']['message']}")
    for name in _FIELDS:
        if target.get(name):
            yield Node(f"{name.replace('_', ' ')}: {target[name]}")
    for name in ("limits", "coerced", "dropped"):
        if target.get(name):
            yield Node(f"{name}: {', '.join(target[name])}")
