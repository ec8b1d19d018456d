"""The settings of this process, and the only place that reads the environment.

Settings say how this process runs and are set once; what the organisation wants is the policy.
Names that begin `NEXUS_` and are no setting are refused, so that a typing error never goes unseen,
except: `NEXUS_SECRET_...`, free for a policy's `${...}` references, and the prefixes of our other
programs.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, cast, get_args

from nexus_sdk.errors import BadSettings
from nexus_sdk.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

type AuditMode = Literal["", "off", "batched", "strict"]
type LogLevel = Literal["debug", "info", "warning", "error"]

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "NEXUS_POLICY": "path of the policy file; without it the default policy holds",
        "NEXUS_STATE_DIR": "folder for what must last: audit events, the keys' pepper",
        "NEXUS_CACHE_DIR": "folder for what can be made again: compiled rules",
        "NEXUS_NODE": "this node's name in audit events; without it the machine's name",
        "NEXUS_AUDIT": "off, batched or strict: wins over the policy's audit.mode",
        "NEXUS_LOG_LEVEL": "debug, info, warning or error",
    }
)
"""Every setting and what it does, for the reference and `nexus doctor`."""

PREFIX = "NEXUS_"
FOREIGN = ("NEXUS_SECRET_", "NEXUS_SIDECAR_", "NEXUS_HUB_", "NEXUS_AGENT_", "NEXUS_TUI_")


@dataclass(frozen=True, slots=True)
class Machine:
    """What defaults depend on: `sys.platform`, the home folder if there is one, the machine's
    name."""

    platform: str
    home: Path | None
    name: str

    @classmethod
    def here(cls) -> Machine:
        try:
            home = Path.home()
        except RuntimeError:
            home = None
        return cls(sys.platform, home, platform.node())


@dataclass(frozen=True, slots=True)
class Settings:
    """`policy`: None for the default policy. `audit`: empty when the policy decides. `environ` is
    all of the environment and never shown: it holds secrets."""

    state_dir: Path
    cache_dir: Path
    node: str
    policy: Path | None = None
    audit: AuditMode = ""
    log_level: LogLevel = "warning"
    environ: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )

    def lookup(self, name: str) -> str | None:
        """The value of an environment variable: for the references of a policy (`load_policy`)."""
        return self.environ.get(name)


def from_environment() -> Settings:
    """The settings of this process, as `read` gives them."""
    import os

    return read(os.environ)  # noqa: TID251  the one place


def read(environ: Mapping[str, str], machine: Machine | None = None) -> Settings:
    """The settings in `environ`; an empty value counts as none.

    Raises BadSettings naming every variable that is wrong, not only the first.
    """
    reader = _Reader(environ, machine or Machine.here())
    settings = reader.settings()
    if reader.problems:
        raise BadSettings("the environment is not valid:\n  " + "\n  ".join(reader.problems))
    return settings


class _Reader:
    def __init__(self, environ: Mapping[str, str], machine: Machine) -> None:
        self._environ = environ
        self._machine = machine
        self.problems = [
            f"{name}: is no setting{did_you_mean(name, VARIABLES)}"
            for name in sorted(environ)
            if name.startswith(PREFIX) and name not in VARIABLES and not name.startswith(FOREIGN)
        ]

    def settings(self) -> Settings:
        policy = self._environ.get("NEXUS_POLICY")
        return Settings(
            state_dir=self._folder("NEXUS_STATE_DIR", _STATE),
            cache_dir=self._folder("NEXUS_CACHE_DIR", _CACHE),
            node=self._node(),
            policy=Path(policy) if policy else None,
            audit=cast("AuditMode", self._word("NEXUS_AUDIT", get_args(AuditMode.__value__), "")),
            log_level=cast(
                "LogLevel",
                self._word("NEXUS_LOG_LEVEL", get_args(LogLevel.__value__), "warning"),
            ),
            environ=MappingProxyType(dict(self._environ)),
        )

    def _node(self) -> str:
        node = self._environ.get("NEXUS_NODE") or self._machine.name or "unnamed"
        if len(node) > 255 or not node.isprintable():
            self.problems.append("NEXUS_NODE: must be printable and of at most 255 characters")
        return node

    def _word(self, name: str, words: tuple[str, ...], default: str) -> str:
        given = self._environ.get(name, "").strip().lower()
        if given and given not in words:
            known = ", ".join(filter(None, words))
            self.problems.append(f"{name}: must be one of {known}{did_you_mean(given, words)}")
        return given or default

    def _folder(self, name: str, places: Mapping[str, _Place]) -> Path:
        """The folder of that setting, else the platform's; a relative one is refused, because it
        would move with the working directory."""
        given = self._environ.get(name)
        if given:
            if not Path(given).is_absolute():
                self.problems.append(f"{name}: must be an absolute path")
            return Path(given)
        variable, parts, leaf = places.get(self._machine.platform, places["other"])
        base = Path(self._environ.get(variable, "")) if variable else Path()
        if base.is_absolute():
            return base / leaf
        if self._machine.home is None:
            self.problems.append(f"{name}: must be set, because there is no home folder")
            return Path()
        return self._machine.home.joinpath(*parts, leaf)


type _Place = tuple[str, tuple[str, ...], str]
"""A variable that names the folder above ours; that folder below the home folder otherwise;
ours."""

_STATE: Mapping[str, _Place] = {
    "darwin": ("", ("Library", "Application Support"), "nexus"),
    "win32": ("LOCALAPPDATA", ("AppData", "Local"), "nexus"),
    "other": ("XDG_STATE_HOME", (".local", "state"), "nexus"),
}
_CACHE: Mapping[str, _Place] = {
    "darwin": ("", ("Library", "Caches"), "nexus"),
    "win32": ("LOCALAPPDATA", ("AppData", "Local"), "nexus/cache"),
    "other": ("XDG_CACHE_HOME", (".cache",), "nexus"),
}
"""XDG Base Directory 0.8 (a relative path in its variables is to be ignored); Apple, File System
Programming Guide; Microsoft, KNOWNFOLDERID LocalAppData."""
