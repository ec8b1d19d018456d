"""What a measurement says: rows of figures, some with a bound that we promised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bench.measure import Result

ROOT = Path(__file__).resolve().parent.parent
ABSENT = "not available here"


@dataclass(frozen=True, slots=True)
class Plan:
    """How thorough a run is. `work`: a folder that may be kept between runs and deleted at any
    time."""

    quick: bool = False
    work: Path = ROOT / "build" / "bench"
    peers: bool = False

    def of(self, full: int, quick: int) -> int:
        """`full`, or `quick` in a quick run."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Target:
    """A promised upper bound and the aim below it. `of`: our own figure, its ratio to theirs, or
    what we add to theirs."""

    of: Literal["ours", "ratio", "added"]
    most: float
    aim: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. None: nothing was measured; `note` says why, or what else there is
    to know."""

    what: str
    unit: str
    ours: float | None
    theirs: float | None = None
    other: str = ""
    """Who `theirs` is."""
    target: Target | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """What was measured, and who it is compared with."""
        return f"{self.what} / {self.other}" if self.other else self.what

    @property
    def ratio(self) -> float | None:
        """Ours for one of theirs."""
        return self.ours / self.theirs if self.ours is not None and self.theirs else None

    @property
    def judged(self) -> float | None:
        """The figure that the target bounds."""
        if self.target is None or self.ours is None:
            return None
        if self.target.of == "added":
            return None if self.theirs is None else self.ours - self.theirs
        return self.ratio if self.target.of == "ratio" else self.ours

    @property
    def met(self) -> bool | None:
        """Is the promise kept? None without one; a promise that could not be measured is not
        kept."""
        if self.target is None:
            return None
        return self.judged is not None and self.judged <= self.target.most

    def as_json(self) -> dict[str, Any]:
        target = self.target
        return {
            "what": self.what,
            "unit": self.unit,
            "ours": self.ours,
            "theirs": self.theirs,
            "other": self.other,
            "ratio": self.ratio,
            "target": {"of": target.of, "most": target.most, "aim": target.aim} if target else None,
            "met": self.met,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, doc: dict[str, Any]) -> Row:
        """The row that `as_json` wrote."""
        target = Target(**doc["target"]) if doc["target"] else None
        given = {name: doc[name] for name in ("what", "unit", "ours", "theirs", "other", "note")}
        return cls(**given, target=target)


def against(
    what: str, found: dict[str, Result], ours: str, theirs: str, *, cpu: Target, wall: bool = True
) -> list[Row]:
    """The rows of one comparison: CPU per call, and the wall time of a call, which must not be
    longer."""
    mine, other = found[ours], found[theirs]
    rows = [Row(f"{what}: CPU", "us", mine.cpu_us, other.cpu_us, theirs, cpu)]
    if wall:
        bound = Target("ratio", 1.0)
        rows += [
            Row(f"{what}: wall p50", "ms", mine.p50_ms, other.p50_ms, theirs, bound),
            Row(f"{what}: wall p99", "ms", mine.p99_ms, other.p99_ms, theirs, bound),
        ]
    return rows
