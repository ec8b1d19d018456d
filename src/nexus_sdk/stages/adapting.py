"""What a provider's copy of a dialect does otherwise, as data, and the edits of a request that
follow from it.

Each edit is told: `coerced` where the target gets the same in another form, `omitted` where a hint
stays behind, `dropped` where the answer will not be what was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.stages.selectors import Names
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.members import Change, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nexus_sdk.wire.json import Json

_NONE: Mapping[str, Json] = MappingProxyType({})
MAX_REMEMBERED = 1024
"""Callers may ask for any model; what is remembered of them is bounded."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """A way in which some models of a provider depart from the dialect they speak.

    `because`: why, and where that is written. `models`: names at the provider, which may hold `*`;
    `but` takes some away again. `dialect`: whose requests it is about.

    - `accepts`: extensions of the dialect that these models take (`Report.accepts`).
    - `max_output_tokens`: the most they write.
    - `renames`: parameters that have another name here.
    - `refuses`: parameters that are refused, each with the values that say no more than its
      absence.
    - `only`: parameters of which these values alone are taken.
    - `omits`: hints that are refused or not understood.
    - `words`: by parameter, values that have another word here.
    - `roles`: roles of messages that have another word here.
    - `message_omits`: members of messages that are refused.
    - `sets`: members that every request must have, `moves` those that stand elsewhere here (in the
      path): no loss, so not told.
    """

    because: str
    models: tuple[str, ...] = ("*",)
    but: tuple[str, ...] = ()
    dialect: str = "openai_chat"
    accepts: frozenset[str] = frozenset()
    max_output_tokens: int | None = None
    renames: Mapping[str, str] = MappingProxyType({})
    refuses: Mapping[str, tuple[Json, ...]] = MappingProxyType({})
    only: Mapping[str, tuple[Json, ...]] = MappingProxyType({})
    omits: frozenset[str] = frozenset()
    words: Mapping[str, Mapping[str, Json]] = MappingProxyType({})
    roles: Mapping[str, str] = MappingProxyType({})
    message_omits: frozenset[str] = frozenset()
    sets: Mapping[str, Json] = _NONE
    moves: frozenset[str] = frozenset()

    @property
    def edits(self) -> bool:
        """Does it change requests, beyond what their encoding may use?"""
        return any(getattr(self, name) for name in _EDITING)


_EDITING = (
    "renames",
    "refuses",
    "only",
    "omits",
    "words",
    "roles",
    "message_omits",
    "sets",
    "moves",
)


@dataclass(frozen=True, slots=True)
class Manner:
    """All quirks of one model in one dialect, together."""

    quirks: tuple[Quirk, ...] = ()
    accepts: frozenset[str] = frozenset()
    max_output_tokens: int | None = None

    def report(self) -> Report:
        """For the encoding of one request."""
        return Report(accepts=self.accepts, max_output_tokens=self.max_output_tokens)

    def adapted(self, doc: Json, report: Report) -> tuple[Json, list[Change]]:
        """A request in its final dialect as this model takes it, and the edits that make it so."""
        made: list[Change] = []
        for quirk in self.quirks:
            changes = list(_changes(quirk, doc, report))
            doc = changed(doc, changes) if changes else doc
            made += changes
        return doc, made


PLAIN = Manner()


class Manners:
    """The quirks of one provider, looked up once for each (dialect, model) and then remembered."""

    __slots__ = ("_quirks", "_remembered")

    def __init__(self, quirks: Sequence[Quirk] = ()) -> None:
        self._quirks = tuple((quirk, Names(quirk.models), Names(quirk.but)) for quirk in quirks)
        self._remembered: dict[tuple[str, str], Manner] = {}

    def of(self, dialect: str, model: str) -> Manner:
        if not self._quirks:
            return PLAIN
        key = (dialect, model)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self._together(dialect, model)
        return found

    def _together(self, dialect: str, model: str) -> Manner:
        held = [
            quirk
            for quirk, names, but in self._quirks
            if quirk.dialect == dialect and model in names and model not in but
        ]
        ceilings = [q.max_output_tokens for q in held if q.max_output_tokens is not None]
        return Manner(
            tuple(quirk for quirk in held if quirk.edits),
            frozenset().union(*(quirk.accepts for quirk in held)),
            min(ceilings, default=None),
        )


NO_MANNERS = Manners()


def _changes(quirk: Quirk, doc: Json, report: Report) -> Iterator[Change]:
    for step in _STEPS:
        yield from step(quirk, doc, report)


def _renamed(quirk: Quirk, doc: Json, report: Report) -> Iterator[Change]:
    for old, new in quirk.renames.items():
        if old not in doc:
            continue
        if doc.get(new) is None:
            report.coerced(f"{old}->{new}")
            if new in doc:
                yield Change("drop", (new,))
            yield Change("rename", (old,), new)
        else:
            report.coerced(f"{old}->(left out beside {new})")
            yield Change("drop", (old,))


def _refused(quirk: Quirk, doc: Json, report: Report) -> Iterator[Change]:
    for name, idle in quirk.refuses.items():
        if name not in doc:
            continue
        if doc[name] is None or doc[name] in idle:
            report.coerced(f"{name}->(left out, it says what holds anyway)")
        else:
            report.dropped(name, f"this model does not take it: {quirk.because}")
        yield Change("drop", (name,))
    for name, values in quirk.only.items():
        if doc.get(name) is not None and _word(doc[name]) not in values:
            report.dropped(name, f"this model does not take {_word(doc[name])!r}: {quirk.because}")
            yield Change("drop", (name,))


def _word(given: Json) -> Json:
    """A choice or format by its type."""
    return given.get("type") if isinstance(given, dict) else given


def _omitted(quirk: Quirk, doc: Json, report: Report) -> Iterator[Change]:
    for name in sorted(quirk.omits & doc.keys()):
        report.omitted(name, quirk.because)
        yield Change("drop", (name,))


def _worded(quirk: Quirk, doc: Json, report: Report) -> Iterator[Change]:
    for name, words in quirk.words.items():
        given = doc.get(name)
        if isinstance(given, str) and given in words:
            report.coerced(f"{name}: {given}->{words[given]}")
            yield Change("set", (name,), words[given])


def _messages(quirk: Quirk, doc: Json, report: Report) -> Iterator[Change]:
    if not quirk.roles and not quirk.message_omits:
        return
    for place, message in enumerate(doc.get("messages") or ()):
        role = message.get("role")
        if role in quirk.roles:
            report.coerced(f"messages.{place}.role: {role}->{quirk.roles[role]}")
            yield Change("set", ("messages", place, "role"), quirk.roles[role])
        for name in sorted(quirk.message_omits & message.keys()):
            report.omitted(f"messages.{place}.{name}", quirk.because)
            yield Change("drop", ("messages", place, name))


def _moved(quirk: Quirk, doc: Json, _report: Report) -> Iterator[Change]:
    for name in sorted(quirk.moves & doc.keys()):
        yield Change("drop", (name,))
    for name, value in quirk.sets.items():
        if name not in doc:
            yield Change("add", (name,), value)


_STEPS: tuple[Callable[[Quirk, Json, Report], Iterator[Change]], ...] = (
    _renamed,
    _refused,
    _omitted,
    _worded,
    _messages,
    _moved,
)
