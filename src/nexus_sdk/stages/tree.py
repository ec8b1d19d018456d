"""A compiled routing tree: what each strategy does with one request. `routes.py` compiles it,
`routing.py` walks it.

A node turns a request into the steps to try, in order. All that is known beforehand is done at
compile time: paths, salts, and what a `policy` node takes away. So the walk only looks at what
differs from request to request.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING, Literal

from nexus_sdk.stages.selectors import AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nexus_sdk.model import Target
    from nexus_sdk.policy.document import Axis
    from nexus_sdk.stages.selectors import Ask, Condition

type Fault = Literal["network", "timeout", "429", "5xx", "401", "403", "404"]
"""Why a target gave no usable answer, as a `fallback` names it in `on`. `retry.py` tells which it
was."""
type Node = Leaf | Denied | Chain | Balance | Split | Cases | Smart

ALL_FAULTS: frozenset[Fault] = frozenset({"network", "timeout", "429", "5xx", "401", "403", "404"})


@dataclass(frozen=True, slots=True)
class Step:
    """One target to try. `arm` is the A/B arm that led here (`outer/inner` when nested), `rule` the
    place in the policy. `onward`: on these faults, so many steps further, innermost node first.
    `undecided`: a router has yet to be asked, and this is what holds without it."""

    target: Target
    arm: str = ""
    rule: str = ""
    onward: tuple[tuple[frozenset[Fault], int], ...] = ()
    undecided: Smart | None = None


type Steps = Sequence[Step]


class Walk:
    """One request on its way through a tree. `answers`: what the routers of smart nodes said, by
    the node's path; None for "no usable answer". With `trace`, every decision is told in a line."""

    __slots__ = ("answers", "arm", "ask", "denied", "level", "trace")

    def __init__(
        self, ask: Ask, answers: Mapping[str, str | None], trace: list[str] | None = None
    ) -> None:
        self.ask = ask
        self.answers = answers
        self.trace = trace
        self.arm = ""
        self.denied: list[str] = []
        self.level = 0

    def into(self, node: Node) -> Steps:
        self.level += 1
        steps = node.steps(self)
        self.level -= 1
        return steps

    def note(self, text: str, *values: object) -> None:
        if self.trace is not None:
            self.trace.append("  " * self.level + text.format(*values))

    def deny(self, reason: str) -> Steps:
        self.note("nothing: {}", reason)
        self.denied.append(reason)
        return ()


@dataclass(frozen=True, slots=True)
class Leaf:
    step: Step

    def steps(self, walk: Walk) -> Steps:
        target = self.step.target
        walk.note("{}/{}", target.provider, target.model)
        return (Step(target, walk.arm, self.step.rule),) if walk.arm else (self.step,)


@dataclass(frozen=True, slots=True)
class Denied:
    """A leaf that a `policy` node above it takes away."""

    reason: str

    def steps(self, walk: Walk) -> Steps:
        return walk.deny(self.reason)


@dataclass(frozen=True, slots=True)
class Chain:
    """`fallback`."""

    children: tuple[Node, ...]
    faults: frozenset[Fault]

    def steps(self, walk: Walk) -> Steps:
        walk.note("fallback on {}", ", ".join(sorted(self.faults)))
        return _in_turn([walk.into(child) for child in self.children], self.faults, walk)


@dataclass(frozen=True, slots=True)
class Arm:
    """One child of a weighted choice. `salt` is made of what the arm is, never of its position, so
    that an arm which is added or taken away moves no request between the others."""

    name: str
    node: Node
    weight: int
    salt: int


@dataclass(frozen=True, slots=True)
class Balance:
    """`loadbalance`. Without a value to stick to, the draw decides."""

    arms: tuple[Arm, ...]
    sticky_by: Axis | Literal["prompt"] | None

    def steps(self, walk: Walk) -> Steps:
        key, said = _sticky_key(walk.ask, (self.sticky_by,) if self.sticky_by else ())
        walk.note("loadbalance by {}", said)
        return _in_turn([walk.into(arm.node) for arm in _ranked(self.arms, key)], ALL_FAULTS, walk)


@dataclass(frozen=True, slots=True)
class Split:
    """`ab_split`. One arm alone: another arm's answers would spoil the comparison."""

    arms: tuple[Arm, ...]

    def steps(self, walk: Walk) -> Steps:
        key, said = _sticky_key(walk.ask, ("user", "key", "prompt"))
        arm = _ranked(self.arms, key)[0]
        walk.note("ab_split by {}: arm {}", said, arm.name)
        above = walk.arm
        walk.arm = f"{above}/{arm.name}" if above else arm.name
        steps = walk.into(arm.node)
        walk.arm = above
        return steps


@dataclass(frozen=True, slots=True)
class Cases:
    """`conditional`: the first case that holds."""

    cases: tuple[tuple[Condition, Node], ...]
    otherwise: Node | None
    path: str

    def steps(self, walk: Walk) -> Steps:
        walk.note("conditional")
        for index, (condition, node) in enumerate(self.cases):
            if condition.holds(walk.ask):
                walk.note("case {} holds", index + 1)
                return walk.into(node)
            if walk.trace is not None:
                walk.note("case {} does not hold: {}", index + 1, condition.why_not(walk.ask))
        if self.otherwise is not None:
            walk.note("otherwise")
            return walk.into(self.otherwise)
        return walk.deny(f"no case of {self.path} holds and it has no 'otherwise'")


@dataclass(frozen=True, slots=True)
class Smart:
    """`smart`. Until its router is asked it stands for `otherwise`. Where the narrowing above
    leaves nothing of the choice, `otherwise` is taken, then the first choice that is left."""

    path: str
    router: Target
    choices: Mapping[str, tuple[str, Node]]
    """By name: what it is for, and where it goes."""
    otherwise: Node
    timeout_s: float

    def steps(self, walk: Walk) -> Steps:
        asked = self.path in walk.answers
        name = walk.answers.get(self.path) or ""
        walk.note(
            "smart: {}",
            name
            if name in self.choices
            else "otherwise"
            if asked
            else "router not asked, otherwise",
        )
        for node in self._preferred(name):
            if steps := walk.into(node):
                return steps if asked else (_undecided(steps[0], self), *steps[1:])
        return ()

    def _preferred(self, name: str) -> Iterable[Node]:
        if name in self.choices:
            yield self.choices[name][1]
        yield self.otherwise
        for _, node in self.choices.values():
            yield node


def _undecided(step: Step, smart: Smart) -> Step:
    return Step(step.target, step.arm, step.rule, step.onward, smart)


def _in_turn(parts: list[Steps], faults: frozenset[Fault], walk: Walk) -> Steps:
    """The parts one behind the other, those that are wholly degraded last; from each, on `faults`,
    to the next."""
    parts = [part for part in parts if part]
    if len(parts) < 2:
        return parts[0] if parts else ()
    if (health := walk.ask.health) is not None:
        parts.sort(
            key=lambda part: all(health(step.target.provider) == "degraded" for step in part)
        )
    joined: list[Step] = []
    for part in parts[:-1]:
        ahead = len(part)
        for step in part:
            onward = (*step.onward, (faults, ahead))
            joined.append(Step(step.target, step.arm, step.rule, onward, step.undecided))
            ahead -= 1
    joined.extend(parts[-1])
    return joined


# ---- weighted choice -----------------------------------------------------------------------------

_MASK = 2**64 - 1


def hashed(*parts: str) -> int:
    """64 bits of the parts, the same on every machine and in every release."""
    digest = blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8) + data)
    return int.from_bytes(digest.digest())


def _sticky_key(ask: Ask, axes: tuple[Axis | Literal["prompt"], ...]) -> tuple[int, str]:
    """The key of the first axis with a value; of the draw when none has one."""
    for axis in axes:
        value = ask.prompt_hash if axis == "prompt" else AXES[axis](ask.caller, None)
        if value:
            return hashed(axis, value), axis
    return int(ask.draw * 2**53), "draw"


def _ranked(arms: tuple[Arm, ...], key: int) -> list[Arm]:
    """Weighted rendezvous hashing: every arm draws an exponential waiting time with its weight as
    the rate, and the shortest goes first. So arm i is first with probability w_i / sum(w), the
    order behind it is a weighted draw without replacement, and each arm's time depends on itself
    and the key alone (Thaler and Ravishankar 1998; weights as in Schindelhauer and Schomaker
    2005)."""
    return sorted(arms, key=lambda arm: -log(_uniform(key ^ arm.salt)) / arm.weight)


def _uniform(seed: int) -> float:
    """`seed` scattered over (0, 1), both ends excluded: the finaliser of SplitMix64 (Steele, Lea,
    Flood 2014)."""
    z = (seed + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 12) / 2**52 + 2**-54
