"""What the steps of one request share: the policy it began with, its call, its inspectors, its
bill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.compliance.inspection import Inspector
from nexus_sdk.compliance.vault import Vault
from nexus_sdk.model import Usage
from nexus_sdk.planning import ask_of
from nexus_sdk.stages import admission
from nexus_sdk.stages.cost import Bill, cost
from nexus_sdk.stages.trail import Trail

if TYPE_CHECKING:
    from nexus_sdk.compliance.hooks import Effective
    from nexus_sdk.model import Request, Target
    from nexus_sdk.policy.snapshot import Snapshot
    from nexus_sdk.stages.keeping import Memory
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.stages.selectors import Ask
    from nexus_sdk.stages.trail import Clock


_NOTHING = Usage()


class Exchange:
    """One request on its way. A request finishes on the snapshot it began with."""

    __slots__ = (
        "_bills",
        "act",
        "ask",
        "clock",
        "memory",
        "reads_back",
        "snapshot",
        "trail",
        "usage",
        "vault",
    )

    def __init__(self, request: Request, snapshot: Snapshot, clock: Clock) -> None:
        self.snapshot = snapshot
        self.clock = clock
        self.trail = Trail(request, snapshot.hash, snapshot.node, clock)
        self.vault = Vault(snapshot.placeholder_mac)
        self.act = not admission.bypassed(snapshot.gate, clock.now())
        self.usage = Usage()
        self.memory: Memory | None = None
        """What is kept of this exchange, and what it follows: for the Responses API alone."""
        self.reads_back = False
        """Its answer was made, and paid for, by an earlier exchange."""
        self.ask: Ask
        self._bills: list[Bill] = []

    def read(self, call: Call) -> None:
        """From here on it is known what is asked."""
        self.trail.model = call.facts.model
        self.trail.stream = call.facts.stream
        self.ask = ask_of(self, call)

    def request_inspector(self, call: Call) -> Inspector:
        return self._inspector(
            "request", self.snapshot.request_hooks.effective(*self._scope(call)), noted=True
        )

    def response_inspector(self, call: Call) -> Inspector:
        """A new one for each attempt; the trail takes that of the attempt that answers."""
        return self._inspector("response", self.response_rules(call), noted=False)

    def response_rules(self, call: Call) -> Effective:
        return self.snapshot.response_hooks.effective(*self._scope(call))

    def _scope(self, call: Call) -> tuple[str, str, str]:
        return call.request.endpoint, call.facts.model, self.trail.caller.key_id

    def _inspector(self, stage: str, effective: Effective, *, noted: bool) -> Inspector:
        inspector = Inspector(effective, self.vault, stage, act=self.act)
        if noted:
            self.trail.inspected_by(inspector)
        return inspector

    def book(self, target: Target, usage: Usage) -> None:
        """Add what one upstream exchange took. Unpriced models are said so in the event."""
        self.usage = usage
        self.trail.usage = usage
        rates = self.snapshot.rates(target)
        if rates is None:
            if usage != _NOTHING:
                self.unpriced(target)
            return
        self._bills.append(cost(usage, rates))
        self.trail.bills = tuple(self._bills)

    def unpriced(self, target: Target) -> None:
        """Nobody said what this exchange costs."""
        self.trail.unpriced = True
        self.trail.notes.append(f"unpriced: {target.provider}/{target.model}")

    @property
    def cost_pico(self) -> int:
        """Picodollars so far."""
        return sum(bill.total for bill in self._bills)
