"""What the rules found in a text, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.compliance.rules import Rule

STRICTNESS = {"approve": 0, "redact": 1, "block": 2}


class Found(NamedTuple):
    """A rule's value in a text, in code points."""

    start: int
    end: int
    rule: Rule


class Edit(NamedTuple):
    """Put `text` in place of what stands between `start` and `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of evidence: never the value, only its keyed fingerprint."""

    rule: str
    category: str
    severity: str
    action: str
    hook: str
    address: str
    fingerprint: str
    stage: str

    def line(self) -> dict[str, str]:
        """For the audit event."""
        return {
            "rule": self.rule,
            "category": self.category,
            "severity": self.severity,
            "action": self.action,
            "hook": self.hook,
            "address": self.address,
            "fingerprint": self.fingerprint,
            "stage": self.stage,
        }


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one hook table says about a rule that matched."""

    action: str
    hook: str
    reversible: bool


def clusters(hits: Sequence[Found]) -> list[list[Found]]:
    """Hits that overlap, together; each cluster in order of its beginning."""
    out: list[list[Found]] = []
    end = -1
    for hit in sorted(hits, key=lambda found: (found.start, -found.end)):
        if hit.start < end:
            out[-1].append(hit)
        else:
            out.append([hit])
        end = max(end, hit.end)
    return out


def apply(text: str, edits: Sequence[Edit]) -> str:
    """`text` after edits that are in order and do not overlap."""
    parts: list[str] = []
    done = 0
    for edit in edits:
        parts += (text[done : edit.start], edit.text)
        done = edit.end
    parts.append(text[done:])
    return "".join(parts)
