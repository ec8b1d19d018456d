"""What `verify` found: values, and their wording for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

type Kind = Literal[
    "changed",
    "inserted",
    "removed",
    "reordered",
    "truncated",
    "missing segment",
    "missing chain",
    "missing head",
    "unexpected file",
    "wrong key",
]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a spool. `file` is relative to the spool; `line` counts from 1, `offset` in bytes
    from 0; both are 0 when the whole file is meant."""

    file: str
    line: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One sign of tampering or damage. `seq`: the (first) record concerned, None when it cannot be
    known."""

    kind: Kind
    spot: Spot
    seq: int | None
    reason: str

    def __str__(self) -> str:
        place = (
            f"{self.spot.file}:{self.spot.line} (byte {self.spot.offset})"
            if self.spot.line
            else self.spot.file
        )
        return f"{place}: {self.kind}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ChainReport:
    """One chain. `events` counts what verified, `dropped` what was declared as dropped to keep the
    bound, `lost` what the writer says it could not keep. `notes` are facts that are no problem.
    `more`: problems beyond the listed."""

    name: str
    node: str
    alive: bool
    segments: int
    events: int
    last_seq: int
    dropped: int
    lost: int
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Report:
    """The whole spool. `problems` are those of no single chain: a chain that is gone."""

    chains: tuple[ChainReport, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems and not any(chain.problems for chain in self.chains)

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        return (*(problem for chain in self.chains for problem in chain.problems), *self.problems)

    @property
    def events(self) -> int:
        return sum(chain.events for chain in self.chains)
