"""The keys file: the virtual keys that the `nexus` command made, beside the policy file.

`nexus.keys.yaml` belongs to the program, `nexus.yaml` to people: so nobody's comments are
rewritten. Loading the policy includes it by itself (`included.keys_path`). It holds digests, no
keys; mode 0600.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import BadPolicy, NotFound
from nexus_sdk.policy import files
from nexus_sdk.policy.included import keys_path
from nexus_sdk.policy.load import load_policy
from nexus_sdk.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nexus_sdk.policy.document import Key

_HEAD = """\
# Virtual keys, written by `nexus keys`. Loaded together with the policy beside it.
# It holds digests only; the keys themselves are known to those who have them.
"""


def read_keys(policy: Path) -> tuple[Key, ...]:
    """The keys in the keys file of `policy`; none when there is no such file. Raises BadPolicy."""
    path = keys_path(policy)
    if not path.exists():
        return ()
    return tuple(load_policy(path, environ_lookup=_nothing).document.keys)


def add_key(policy: Path, key: Key) -> None:
    """Adds `key`. Raises BadPolicy when its id or digest is taken there already, or the file is not
    valid, and OSError when it cannot be written."""
    path = keys_path(policy)
    with files.locked(path):
        keys = read_keys(policy)
        for other in keys:
            if key.id == other.id or key.digest == other.digest:
                raise BadPolicy([f"{path}: keys: {key.id!r} is there already, as {other.id!r}"])
        _write(path, (*keys, key))


def revoke_key(policy: Path, key_id: str) -> Key:
    """Marks the key as revoked and returns it; it stays in the file, so that its id is not given to
    another. Revoking twice changes nothing. Raises NotFound, BadPolicy and OSError."""
    path = keys_path(policy)
    with files.locked(path):
        keys = read_keys(policy)
        known = {key.id: key for key in keys}
        if key_id not in known:
            raise NotFound(f"{path} has no key {key_id!r}{did_you_mean(key_id, known)}")
        revoked = known[key_id].model_copy(update={"revoked": True})
        if revoked != known[key_id]:
            _write(path, (revoked if key.id == key_id else key for key in keys))
        return revoked


def _write(path: Path, keys: Iterable[Key]) -> None:
    import yaml

    entries = [key.model_dump(exclude_defaults=True) for key in keys]
    text = yaml.safe_dump({"keys": entries}, sort_keys=False, allow_unicode=True)
    # What somebody called a key must not be read as a reference to the environment.
    files.replace(path, (_HEAD + text.replace("${", "$${")).encode())


def _nothing(_name: str) -> None:
    return None
