"""How a command ends: the exit codes, and which error leads to which."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from nexus_sdk.errors import BadPolicy, BadSettings, Malformed, NexusError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Exit(IntEnum):
    OK = 0
    NO = 1
    USAGE = 2
    POLICY = 3
    OUTSIDE = 4
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.OK: "done, and the answer is yes",
        Exit.NO: "done, and the answer is no: findings with scan --fail, a trail that does not "
        "verify, policies that differ, a request that would be refused, a fault that doctor found",
        Exit.USAGE: "the command was used wrongly",
        Exit.POLICY: "the policy or the settings are not valid",
        Exit.OUTSIDE: "something outside failed: a file, the network, the audit trail, a package",
        Exit.INTERRUPTED: "interrupted, or the reader of the output went away",
    }
)

_EXITS: tuple[tuple[type[Exception], Exit, str], ...] = (
    (click.UsageError, Exit.USAGE, "usage"),
    (click.ClickException, Exit.OUTSIDE, "failed"),
    (BadPolicy, Exit.POLICY, ""),
    (BadSettings, Exit.POLICY, ""),
    (Malformed, Exit.USAGE, ""),
    (NexusError, Exit.OUTSIDE, ""),
    (OSError, Exit.OUTSIDE, "os_error"),
)
"""By class, the first that fits: the exit code, and the error's code in JSON where it has none of
its own."""

EXPECTED = tuple(kind for kind, _, _ in _EXITS)
"""What ends a command with a message. Anything else is a bug of ours and keeps its traceback."""


def ending(error: Exception) -> tuple[Exit, str, str]:
    """Exit code, error code and message of an error that is in `EXPECTED`."""
    status, code = next((status, code) for kind, status, code in _EXITS if isinstance(error, kind))
    return status, code or getattr(error, "code", ""), _message(error)


def _message(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return f"{error.filename}: {reason}" if error.filename else reason
    return str(error)
