"""Audit events as people read them, and as cells of a table.

Whoever can write into the folder of a trail can put anything into an event, so every shape is
taken as it comes: what is not as we write it shows as empty.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nexus_sdk.cli.output import of_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nexus_sdk.drivers.spool import Entry
    from nexus_sdk.model import Event

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "at": "at",
        "id": "id",
        "node": "node",
        "door": "door",
        "endpoint": "endpoint",
        "stream": "stream",
        "policy": "policy",
        "key": "caller.key",
        "user": "caller.user",
        "project": "caller.project",
        "organisation": "caller.organisation",
        "app": "caller.app",
        "peer": "caller.peer",
        "model": "model",
        "provider": "route.provider",
        "target_model": "route.model",
        "status": "status",
        "outcome": "outcome",
        "decision": "decision",
        "error": "error.code",
        "redacted": "redacted",
        "restored": "restored",
        "cache": "cache",
        "input_tokens": "usage.input",
        "output_tokens": "usage.output",
        "cost_usd": "cost_usd",
        "saved_usd": "saved_usd",
        "duration_ms": "duration_ms",
    }
)
"""Of an export as CSV: column and place in the event. `rules` and `chain`, `seq` come on top."""


def at(event: Event, place: str) -> Any:
    """The value at `usage.input`; None when there is none."""
    value: Any = event
    for step in place.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def listed(event: Event, place: str) -> list[Any]:
    """A list, empty when there is none."""
    value = at(event, place)
    return value if isinstance(value, list) else []


def word(event: Event, place: str) -> str:
    return of_event(at(event, place))


def number(event: Event, place: str) -> int:
    """A whole number, 0 when there is none."""
    value = at(event, place)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def findings(event: Event) -> Iterator[dict[str, Any]]:
    yield from (one for one in listed(event, "findings") if isinstance(one, dict))


def rules(event: Event) -> list[str]:
    """The rules that matched, each once, in order."""
    return list(dict.fromkeys(word(finding, "rule") for finding in findings(event)))


def target(event: Event) -> str:
    """`provider/model`, or the model that was asked for when nothing was reached."""
    provider, model = word(event, "route.provider"), word(event, "route.model")
    return f"{provider}/{model}" if provider else word(event, "model")


def caller(event: Event) -> str:
    """The most particular name that the event has for who asked."""
    places = ("caller.user", "caller.key", "caller.app")
    return next((text for place in places if (text := word(event, place))), "")


def summary(event: Event) -> str:
    """One line."""
    tokens = number(event, "usage.input") + number(event, "usage.output")
    parts = (
        word(event, "at")[:23].replace("T", " "),
        word(event, "outcome"),
        word(event, "decision"),
        word(event, "status"),
        caller(event) or "-",
        target(event) or "-",
        f"{tokens} tokens",
        f"${word(event, 'cost_usd') or '0'}",
        f"{word(event, 'duration_ms')} ms",
        ",".join(rules(event)),
        word(event, "id"),
    )
    return "  ".join(part for part in parts if part)


def details(entry: Entry) -> Iterator[tuple[str, object]]:
    """Everything that an auditor asks for, by name."""
    event = entry.event
    yield "id", word(event, "id")
    yield "recorded", f"{entry.at}, chain {entry.chain}, record {entry.seq}"
    for name in ("at", "node", "door", "endpoint", "policy"):
        yield name, word(event, name)
    yield "caller", _pairs(at(event, "caller"))
    yield "model", word(event, "model")
    yield "outcome", f"{word(event, 'outcome')} ({word(event, 'status')})"
    yield "error", _pairs(at(event, "error"))
    yield "decision", word(event, "decision")
    yield "findings", "\n".join(map(_finding, findings(event)))
    yield "not listed", number(event, "findings_omitted") or ""
    yield "redacted", number(event, "redacted") or ""
    yield "restored", number(event, "restored") or ""
    yield "sent to", target(event)
    yield "attempts", "\n".join(map(_pairs, listed(event, "route.attempts")))
    yield "cache", word(event, "cache")
    yield "usage", _pairs(at(event, "usage"))
    yield "cost", f"{word(event, 'cost_usd')} USD"
    yield "saved", f"{word(event, 'saved_usd')} USD"
    yield "fidelity", _pairs(at(event, "fidelity"))
    yield "notes", "\n".join(map(of_event, listed(event, "notes")))
    yield "bytes", _pairs(at(event, "bytes"))
    yield "duration", f"{word(event, 'duration_ms')} ms"
    yield "timings (µs)", _pairs(at(event, "timings_us"))


def _finding(finding: dict[str, Any]) -> str:
    hook, stage = word(finding, "hook"), word(finding, "stage")
    return (
        f"{word(finding, 'action')}: {word(finding, 'rule')} ({word(finding, 'severity')}) "
        f"in {word(finding, 'address')} of the {stage}, by {hook}"
    )


def _pairs(value: Any) -> str:
    if not isinstance(value, dict):
        return of_event(value)
    return ", ".join(
        f"{name} {of_event(inner)}"
        for name, inner in value.items()
        if inner not in ("", None, [], {}, False)
    )
