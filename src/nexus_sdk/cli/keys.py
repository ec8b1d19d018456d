"""`nexus keys`: the virtual keys of those who call the sidecar."""

from __future__ import annotations

import re
import secrets
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli.commands import Group, tag_option
from nexus_sdk.cli.moments import moment
from nexus_sdk.errors import BadPolicy, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from nexus_sdk.cli.output import Output
    from nexus_sdk.cli.session import Session
    from nexus_sdk.policy.document import Key

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_OWNERS = ("name", "user", "project", "organisation")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants a key to be. `models` None: all."""

    id: str = ""
    name: str = ""
    user: str = ""
    project: str = ""
    organisation: str = ""
    models: tuple[str, ...] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    expires: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A new key: the entry that was kept, and the key itself, which nobody can show again."""

    entry: Key
    secret: str

    def __repr__(self) -> str:
        return f"Made({self.entry.id!r})"

    def told(self) -> dict[str, Any]:
        return {**shown(self.entry), "key": self.secret}


@click.group(cls=Group)
def keys() -> None:
    """The virtual keys of those who call the sidecar."""


@keys.command()
@click.option("--id", "key_id", default="", help="The id in audit events; made of the name.")
@click.option("--name", default="", help="What the key is called.")
@click.option("--user", default="", help="Whom its requests are counted to.")
@click.option("--project", default="", help="Which project they are counted to.")
@click.option("--organisation", default="", help="Which organisation they are counted to.")
@click.option("--models", metavar="NAME,...", help="What it may ask for; may hold *. All without.")
@tag_option("A tag of its requests; repeatable.")
@click.option("--expires", default="", metavar="TIME", help="2026-12-31, a time in UTC, or 90d.")
@click.option("--quiet", is_flag=True, help="Print the key alone.")
@click.pass_obj
def create(session: Session, /, *, quiet: bool, **given: Any) -> None:
    """Make a key and show it, this once: the policy keeps its digest only.

    The key goes to standard output, alone on a line when that is no terminal; what is said about
    it goes to standard error.
    """
    models = given["models"]
    wanted = Wanted(
        id=given["key_id"],
        models=None if models is None else _names(models),
        tags=given["tags"],
        expires=_expiry(given["expires"]),
        **{field: given[field] for field in _OWNERS},
    )
    key = made(session, _file(session), wanted)
    out = session.out
    if out.json:
        out.document(key.told())
    elif quiet:
        out.say(key.secret)
    else:
        show_made(out, key)


@keys.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """The keys of the policy; none of them is shown, only how it begins."""
    document = session.load().document
    now = time.time()
    rows = [shown(key) | {"status": _status(key, now)} for key in document.keys]
    out = session.out
    if out.json:
        out.document({"keys": rows})
        return
    if not rows:
        out.note("no keys: make one with `nexus keys create --name NAME`")
        return
    columns = ("id", "hint", "status", "user", "project", "organisation", "models", "expires")
    out.table(columns, [[_cell(row[name]) for name in columns] for row in rows])


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def revoke(session: Session, key_id: str) -> None:
    """Refuse the key ID from now on. It stays listed, so that no other key gets its id."""
    from nexus_sdk.policy.keysfile import revoke_key

    path = _file(session)
    try:
        key = revoke_key(path, key_id)
    except NotFound:
        if key_id not in {key.id for key in session.load().document.keys}:
            raise
        told = f"key {key_id!r} stands in the policy itself: set `revoked: true` there"
        raise NotFound(told) from None
    out = session.out
    if out.json:
        out.document(shown(key) | {"status": "revoked"})
        return
    out.say(f"{key.id} is revoked; running sidecars refuse it within seconds")


def made(session: Session, policy: Path, wanted: Wanted) -> Made:
    """A new key, kept in the keys file of `policy`. Raises BadPolicy, OSError and UsageError."""
    from nexus_sdk.policy.document import Key
    from nexus_sdk.policy.keysfile import add_key
    from nexus_sdk.policy.pepper import pepper
    from nexus_sdk.stages.identity import ENTROPY_BYTES, digest, hint, mint

    document = session.load(policy).document
    taken = {key.id for key in document.keys}
    key_id = wanted.id or free_id(wanted.name, taken)
    if key_id in taken:
        raise click.UsageError(f"there is a key {key_id!r} already; choose another --id")
    if not _ID.fullmatch(key_id):
        raise click.UsageError("--id must be of a-z, 0-9, '.', '_' and '-', and 64 at most")
    secret = mint(secrets.token_bytes(ENTROPY_BYTES))
    key = Key(
        id=key_id,
        digest=digest(
            secret, pepper(document, session.settings().state_dir, entropy=secrets.token_bytes)
        ),
        hint=hint(secret),
        models=None if wanted.models is None else list(wanted.models),
        tags=dict(wanted.tags),
        created=_to_seconds(moment("0s", time.time())),
        expires=wanted.expires,
        **{field: getattr(wanted, field) for field in _OWNERS},
    )
    add_key(policy, key)
    return Made(key, secret)


def show_made(out: Output, key: Made) -> None:
    """The key on standard output, and around it what to know."""
    out.note(f"key {key.entry.id}, shown this once:")
    out.say(key.secret)
    if sys.stdout.isatty():
        out.note("Callers send it as `Authorization: Bearer ...`, or as the api_key of their SDK.")


def shown(key: Key) -> dict[str, Any]:
    """What may be told of a key."""
    return key.model_dump(exclude={"digest"})


def free_id(name: str, taken: Collection[str]) -> str:
    """An id made of `name` that is not taken yet."""
    base = re.sub(r"[^a-z0-9._-]+", "-", name.lower(), flags=re.ASCII).strip("-._")[:48]
    if not base:
        return f"key-{secrets.token_hex(4)}"
    return next(
        candidate
        for number in range(1, len(taken) + 2)
        if (candidate := base if number == 1 else f"{base}-{number}") not in taken
    )


def _file(session: Session) -> Path:
    path = session.policy_file()
    if path is None:
        raise BadPolicy(
            ["there is no policy file to keep keys beside: run `nexus init`, or give --policy"]
        )
    return path


def _status(key: Key, now_s: float) -> str:
    from nexus_sdk.policy.instants import seconds

    if key.revoked:
        return "revoked"
    return "expired" if key.expires and seconds(key.expires) <= now_s else "active"


def _expiry(given: str) -> str:
    if not given:
        return ""
    now = time.time()
    expires = moment(given, now, ahead=True)
    if expires <= moment("0s", now):
        raise click.BadParameter(f"{given!r} is over already", param_hint="--expires")
    return _to_seconds(expires)


def _to_seconds(instant: str) -> str:
    return instant.partition(".")[0] + "Z"


def _names(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(","))
    if not all(names):
        raise click.BadParameter("a name is empty", param_hint="--models")
    return names


def _cell(value: list[str] | str | Mapping[str, str] | None) -> str:
    if value is None:
        return "all"
    return ", ".join(value) if isinstance(value, list) else str(value)
