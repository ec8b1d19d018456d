"""One stage of one exchange: texts in, edits and evidence out. The same decisions for whole
documents and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nexus_sdk.compliance.verdict import STRICTNESS, Edit, Finding, apply, clusters
from nexus_sdk.errors import Blocked
from nexus_sdk.wire.json_text import Piece, escaped, quoted
from nexus_sdk.wire.json_text import values as values_in
from nexus_sdk.wire.texts import Leaf, address, leaves

if TYPE_CHECKING:
    from nexus_sdk.compliance.hooks import Effective
    from nexus_sdk.compliance.vault import Vault
    from nexus_sdk.compliance.verdict import Found, Ruling
    from nexus_sdk.wire.json import Json, Path
    from nexus_sdk.wire.texts import TextMap

MAX_FINDINGS = 200
"""Findings written out one by one; the rest is counted."""


class _Value(NamedTuple):
    """One text to be scanned: a leaf, or one value inside a leaf that is JSON itself (`place`:
    which)."""

    leaf: int
    text: str
    place: int = -1


class Inspector:
    """Scans, decides, and keeps the findings. One per exchange and stage.

    `act=False` is the emergency bypass: everything is found and recorded, nothing is changed or
    refused.
    """

    def __init__(self, effective: Effective, vault: Vault, stage: str, *, act: bool = True) -> None:
        self._effective = effective
        self._vault = vault
        self._stage = stage
        self._act = act
        self.findings: list[Finding] = []
        self.uncounted = 0
        self.redacted = 0
        self.restored = 0
        self.blocked_by: list[str] = []

    @property
    def decision(self) -> str:
        """The strictest thing that was done: approve, redact or block."""
        if self.blocked_by:
            return "block"
        return "redact" if self.redacted else "approve"

    def document(self, doc: Json, text_map: TextMap) -> dict[Path, Json]:
        """New values by path, for the texts that change. Raises Blocked.

        The tokens that `logprobs` lists beside a changed text spell it out once more: they go.
        """
        edits = self.texts(leaves(doc, text_map))
        return edits | _without_logprobs(doc, edits) if edits else edits

    def texts(self, found: list[Leaf]) -> dict[Path, Json]:
        """As `document`, for texts that are already at hand."""
        find = self._effective.scanner.find
        hits: dict[int, list[Found]] | None = None
        if True not in [leaf.json_text for leaf in found]:
            # The usual case, and nothing found: no more than the scan itself.
            hits = find([leaf.text for leaf in found])
            if not hits:
                return {}
        pieces: dict[int, list[Piece]] = {}
        values = [
            value for index, leaf in enumerate(found) for value in _values(index, leaf, pieces)
        ]
        if hits is None:
            hits = find([value.text for value in values])
        edits: dict[Path, Json] = {}
        inner: dict[int, dict[int, list[Edit]]] = {}
        for number in sorted(hits):
            value = values[number]
            leaf = found[value.leaf]
            changes = self.decide(value.text, hits[number], _address(leaf.path, value))
            if not changes:
                continue
            if value.place < 0:
                edits[leaf.path] = apply(value.text, changes)
            else:
                inner.setdefault(value.leaf, {})[value.place] = changes
        for index, changed in inner.items():
            edits[found[index].path] = _rebuilt(pieces[index], changed)
        self.refuse_if_blocked()
        return edits

    def decide(self, text: str, hits: list[Found], where: str) -> list[Edit]:
        """The edits for the hits in one text, merged where they overlap. A block is only noted: the
        caller of this asks `refuse_if_blocked` when it has seen all there is to see."""
        restores = self._restores(text, hits)
        enforced: list[Found] = []
        for hit in hits:
            ruling = self._effective.rulings.get(hit.rule.id)
            if ruling is None or any(hit.start < r.end and r.start < hit.end for r in restores):
                continue
            self._note(text, hit, ruling, where)
            if ruling.action != "approve":
                enforced.append(hit)
        if not self._act:
            return restores
        return sorted(
            restores + [edit for group in clusters(enforced) for edit in self._edit(text, group)]
        )

    def refuse_if_blocked(self) -> None:
        """Raises Blocked when a rule said so."""
        if self.blocked_by and self._act:
            rules = tuple(dict.fromkeys(self.blocked_by))
            what = "request" if self._stage == "request" else "answer"
            raise Blocked(
                f"the policy does not let this {what} pass: {', '.join(rules)} matched; "
                "take the matched content out, or ask the owner of the policy for an exception",
                rules=rules,
            )

    def _restores(self, text: str, hits: list[Found]) -> list[Edit]:
        if not self._effective.restore or not len(self._vault):
            return []
        found = [
            Edit(hit.start, hit.end, value)
            for hit in hits
            if hit.rule.id == self._effective.placeholder_id
            and (value := self._vault.value(text[hit.start : hit.end])) is not None
        ]
        self.restored += len(found)
        return found

    def _edit(self, text: str, group: list[Found]) -> list[Edit]:
        rulings = [(hit, self._effective.rulings[hit.rule.id]) for hit in group]
        if any(ruling.action == "block" for _, ruling in rulings):
            self.blocked_by += [hit.rule.id for hit, ruling in rulings if ruling.action == "block"]
            return []
        start, end = group[0].start, max(hit.end for hit in group)
        lead, ruling = max(rulings, key=lambda pair: (pair[0].end - pair[0].start, -pair[0].start))
        self.redacted += 1
        if ruling.reversible:
            return [Edit(start, end, self._vault.token(lead.rule.label, text[start:end]))]
        return [Edit(start, end, f"[REDACTED:{lead.rule.label}]")]

    def _note(self, text: str, hit: Found, ruling: Ruling, where: str) -> None:
        if len(self.findings) >= MAX_FINDINGS:
            self.uncounted += 1
            return
        rule = hit.rule
        self.findings.append(
            Finding(
                rule=rule.id,
                category=rule.category,
                severity=rule.severity,
                action=ruling.action,
                hook=ruling.hook,
                address=where,
                fingerprint=self._vault.fingerprint(text[hit.start : hit.end]),
                stage=self._stage,
            )
        )


def strictest(actions: list[str]) -> str:
    return max(actions, key=STRICTNESS.__getitem__, default="approve")


def _without_logprobs(doc: Json, edits: dict[Path, Json]) -> dict[Path, Json]:
    found: dict[Path, Json] = {}
    for path in edits:
        node = doc
        for depth, step in enumerate(path):
            if isinstance(node, dict) and node.get("logprobs"):
                found[*path[:depth], "logprobs"] = (
                    [] if isinstance(node["logprobs"], list) else None
                )
            node = node[step]
    return found


def _values(index: int, leaf: Leaf, pieces: dict[int, list[Piece]]) -> list[_Value]:
    if not leaf.json_text:
        return [_Value(index, leaf.text)]
    pieces[index] = values_in(leaf.text)
    return [
        _Value(index, piece.text, place)
        for place, piece in enumerate(pieces[index])
        if piece.kind != "structure" and piece.text
    ]


def _rebuilt(pieces: list[Piece], changed: dict[int, list[Edit]]) -> str:
    """The JSON text with edits in some of its values; every other character as it was written."""
    out: list[str] = []
    for place, piece in enumerate(pieces):
        edits = changed.get(place, ())
        if piece.kind == "atom" and edits:
            out.append(quoted(apply(piece.text, edits), piece.text))
            continue
        done = 0
        for edit in edits:
            out += (*piece.raw[done : edit.start], escaped(edit.text))
            done = edit.end
        out += piece.raw[done:]
    return "".join(out)


def _address(path: Path, value: _Value) -> str:
    return address(path) if value.place < 0 else f"{address(path)}#{value.place}"
