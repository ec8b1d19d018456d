"""The pepper of an installation: the secret under which its virtual keys are digested (why there is
one: `stages/identity.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import BadSettings
from nexus_sdk.policy import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nexus_sdk.policy.document import Policy

PEPPER_BYTES = 32
FILE = "keys.pepper"


def pepper(document: Policy, state_dir: Path, *, entropy: Callable[[int], bytes]) -> bytes:
    """The pepper that holds: the policy's `keys_pepper`, which a fleet shares, or this
    installation's own, made on first use in `state_dir` and kept there with mode 0600.

    `entropy(n)` gives n random bytes (`secrets.token_bytes`). Raises BadSettings when the file
    holds something else or cannot be had: a new pepper in its place would silently make every key
    invalid.
    """
    if document.keys_pepper is not None:
        return document.keys_pepper.get_secret_value().encode()
    path = state_dir / FILE
    try:
        return _own(path, entropy)
    except OSError as err:
        raise BadSettings(
            f"{path}: the pepper of the virtual keys cannot be kept there: {err.strerror}; "
            "set NEXUS_STATE_DIR to a folder that can be written"
        ) from err


def _own(path: Path, entropy: Callable[[int], bytes]) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with files.locked(path):  # two processes that start at once must agree on one
        if not path.exists():
            files.replace(path, entropy(PEPPER_BYTES).hex().encode() + b"\n")
    text = path.read_bytes().strip()
    try:
        value = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        value = b""
    if len(value) != PEPPER_BYTES:
        raise BadSettings(f"{path}: is no pepper; restore it, or delete it and make new keys")
    return value
