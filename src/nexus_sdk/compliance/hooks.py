"""The hooks of a policy, compiled: which rules are active at a stage, and what each one leads to.

All hooks of a stage share one scan. Where several name the same rule the strictest action wins, and
on equal terms the hook that runs first (ascending priority). A hook that is limited to some
endpoints, models or keys counts only where it applies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nexus_sdk.compliance.guard import StreamRules
from nexus_sdk.compliance.rules import Rule
from nexus_sdk.compliance.scanner import Scanner
from nexus_sdk.compliance.vault import MAX_LENGTH, PLACEHOLDER
from nexus_sdk.compliance.verdict import STRICTNESS, Ruling
from nexus_sdk.stages.selectors import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PLACEHOLDER_RULE = Rule(
    id="nexus.placeholder",
    pack="nexus",
    category="restore",
    severity="warn",
    description="a placeholder of this exchange",
    source="compliance/vault.py",
    expression=PLACEHOLDER,
    boundary="none",
    label="PLACEHOLDER",
    literals=("<",),
    max_length=MAX_LENGTH,
)


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook at one stage. `actions` by rule id; a rule that is `off` is not in it. The three
    sets of names may hold `*`; None means everywhere."""

    name: str
    priority: int
    actions: Mapping[str, str]
    reversible: bool
    endpoints: Names | None = None
    models: Names | None = None
    keys: Names | None = None

    def applies(self, endpoint: str, model: str, key: str) -> bool:
        return (
            (self.endpoints is None or endpoint in self.endpoints)
            and (self.models is None or model in self.models)
            and (self.keys is None or key in self.keys)
        )


@dataclass(slots=True)
class Effective:
    """What holds for one kind of request at one stage."""

    scanner: Scanner
    rulings: Mapping[str, Ruling]
    restore: bool
    placeholder_id: str = PLACEHOLDER_RULE.id
    _streams: dict[bool, StreamRules | None] = field(default_factory=dict)

    def stream_rules(self, *, restoring: bool) -> StreamRules | None:
        """The rules that can change or stop a stream; None when there are none, and text flows
        untouched."""
        if restoring not in self._streams:
            rules: list[Rule] = [
                rule
                for rule in self.scanner.rules
                if rule.id in self.rulings and self.rulings[rule.id].action != "approve"
            ]
            if restoring and self.restore:
                rules.append(PLACEHOLDER_RULE)
            self._streams[restoring] = StreamRules(Scanner(rules)) if rules else None
        return self._streams[restoring]

    @property
    def recording(self) -> bool:
        """Are there rules that only record? They are looked for once a stream's text is whole."""
        return any(ruling.action == "approve" for ruling in self.rulings.values())


class Stage:
    """The hooks of one stage and their common scanner."""

    def __init__(self, hooks: Iterable[Hook], rules: Iterable[Rule], *, restore: bool) -> None:
        self.hooks = tuple(sorted(hooks, key=lambda hook: hook.priority))
        active = {rule_id for hook in self.hooks for rule_id in hook.actions}
        chosen = {rule.id: rule for rule in rules if rule.id in active}
        everything = (*chosen.values(), *((PLACEHOLDER_RULE,) if restore else ()))
        self.scanner = Scanner(everything)
        self._restore = restore
        self._limited = any(h.endpoints or h.models or h.keys for h in self.hooks)
        self._effective: dict[tuple[bool, ...], Effective] = {}

    def effective(self, endpoint: str, model: str, key: str) -> Effective:
        """What holds for such a request; worked out once for each combination of hooks."""
        mask = (
            tuple(hook.applies(endpoint, model, key) for hook in self.hooks)
            if self._limited
            else ()
        )
        known = self._effective.get(mask)
        if known is None:
            chosen = (
                [h for h, on in zip(self.hooks, mask, strict=True) if on] if mask else self.hooks
            )
            known = Effective(self.scanner, _rulings(chosen), self._restore)
            self._effective[mask] = known
        return known


def _rulings(hooks: Sequence[Hook]) -> dict[str, Ruling]:
    out: dict[str, Ruling] = {}
    for hook in hooks:
        for rule_id, action in hook.actions.items():
            known = out.get(rule_id)
            if known is None or STRICTNESS[action] > STRICTNESS[known.action]:
                out[rule_id] = Ruling(action, hook.name, hook.reversible)
    return out


def actions_for(
    rule_ids: Iterable[str], default: str, overrides: Mapping[str, str]
) -> dict[str, str]:
    """The action of each rule: its own override, else that of the longest prefix (`pii.*`), else
    the default."""
    out: dict[str, str] = {}
    for rule_id in rule_ids:
        fitting = [name for name in overrides if rule_id in Names([name])]
        action = overrides[max(fitting, key=len)] if fitting else default
        if action != "off":
            out[rule_id] = action
    return out
