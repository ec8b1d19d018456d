"""The routing part of a policy, compiled: every target resolves, every tree is within its depth, or
BadPolicy says where not. A target that is accepted here is a target that requests can reach."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nexus_sdk.errors import BadPolicy
from nexus_sdk.model import Target
from nexus_sdk.stages.selectors import Names, compile_when
from nexus_sdk.stages.tree import (
    ALL_FAULTS,
    Arm,
    Balance,
    Cases,
    Chain,
    Denied,
    Leaf,
    Smart,
    Split,
    Step,
    hashed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from nexus_sdk.policy import document as doc
    from nexus_sdk.stages.tree import Node

MAX_DEPTH = 10
"""Nodes from the root of a tree to a leaf, both counted."""
_UNKNOWN_BEFORE_ROUTING = ("provider", "model")


@dataclass(frozen=True, slots=True)
class Routes:
    """`trees` by the name that callers ask for. `speakers`: for each dialect the first provider
    that speaks it."""

    trees: Mapping[str, Node]
    unlisted: Literal["provider", "refuse"]
    providers: frozenset[str]
    speakers: Mapping[str, str]


def compile_routes(routing: doc.Routing, providers: Mapping[str, Collection[str]]) -> Routes:
    """`providers`: every provider of the policy, in its order, with the dialects it speaks.

    Raises BadPolicy naming every problem, not only the first.
    """
    problems: list[str] = []
    trees = {
        name: _Compiler(name, providers, problems).tree(node, _Place(f"routing.models.{name}"))
        for name, node in routing.models.items()
    }
    if problems:
        raise BadPolicy(problems)
    speakers: dict[str, str] = {}
    for name, dialects in providers.items():
        for dialect in dialects:
            speakers.setdefault(dialect, name)
    return Routes(trees, routing.unlisted, frozenset(providers), speakers)


@dataclass(frozen=True, slots=True)
class _Narrowing:
    """One `policy` node. Model patterns are held against the model's name and against
    `provider/model`."""

    path: str
    allow_providers: Names | None
    deny_providers: Names
    allow_models: Names | None
    deny_models: Names

    def objection(self, target: Target) -> str:
        """Why the target is taken away; empty when it stays."""
        provider, full = target.provider, f"{target.provider}/{target.model}"
        if provider in self.deny_providers:
            return f"{full}: {self.path} denies provider {provider!r}"
        if self.allow_providers is not None and provider not in self.allow_providers:
            return f"{full}: {self.path} does not allow provider {provider!r}"
        if target.model in self.deny_models or full in self.deny_models:
            return f"{full}: {self.path} denies model {target.model!r}"
        if self.allow_models is not None and not (
            target.model in self.allow_models or full in self.allow_models
        ):
            return f"{full}: {self.path} does not allow model {target.model!r}"
        return ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the tree: `path` as in the document, `depth` of the node, and the narrowing nodes
    above it."""

    path: str
    depth: int = 1
    narrowing: tuple[_Narrowing, ...] = ()

    def below(self, part: str) -> _Place:
        return replace(self, path=f"{self.path}.{part}", depth=self.depth + 1)


class _Compiler:
    """Compiles one tree. A problem is noted and compilation goes on, so that all of them are
    reported at once."""

    def __init__(self, route: str, providers: Collection[str], problems: list[str]) -> None:
        self._route = route
        self._providers = providers
        self._problems = problems

    def tree(self, node: doc.Node, at: _Place) -> Node:
        if at.depth > MAX_DEPTH:
            return self._problem(at, f"the tree is deeper than {MAX_DEPTH} nodes")
        return _COMPILE[type(node).__name__](self, node, at)

    def single(self, node: doc.Single, at: _Place) -> Node:
        target = self._target(node.single, at)
        objection = next(
            (text for narrow in at.narrowing if (text := narrow.objection(target))), ""
        )
        return Denied(objection) if objection else Leaf(Step(target, rule=at.path))

    def fallback(self, node: doc.Fallback, at: _Place) -> Node:
        children = tuple(
            self.tree(child, at.below(f"fallback.{i}")) for i, child in enumerate(node.fallback)
        )
        return Chain(children, ALL_FAULTS if node.on is None else frozenset(node.on))

    def loadbalance(self, node: doc.LoadBalance, at: _Place) -> Node:
        if node.sticky_by in _UNKNOWN_BEFORE_ROUTING:
            return self._problem(
                at,
                f"sticky_by {node.sticky_by!r} is only known once a target is chosen; "
                "use key, user, project, organisation or prompt",
            )
        return Balance(tuple(self._arms(node.loadbalance, at)), node.sticky_by)

    def _arms(self, weighted: list[doc.Weighted], at: _Place) -> Iterable[Arm]:
        """An arm is known by what it holds; equal arms by their count, so that both get their
        share."""
        seen: Counter[str] = Counter()
        for index, arm in enumerate(weighted):
            what = arm.to.model_dump_json(exclude_defaults=True)
            salt = hashed(self._route, str(at.depth), what, str(seen[what]))
            seen[what] += 1
            yield Arm(
                str(index), self.tree(arm.to, at.below(f"loadbalance.{index}")), arm.weight, salt
            )

    def ab_split(self, node: doc.ABSplit, at: _Place) -> Node:
        """An arm is known by its name, so that what it holds can change without moving anybody."""
        return Split(
            tuple(
                Arm(
                    name,
                    self.tree(arm.to, at.below(f"ab_split.{name}")),
                    arm.weight,
                    hashed(self._route, str(at.depth), name),
                )
                for name, arm in node.ab_split.items()
            )
        )

    def conditional(self, node: doc.Conditional, at: _Place) -> Node:
        cases = tuple(
            (compile_when(case.when), self.tree(case.then, at.below(f"conditional.{index}")))
            for index, case in enumerate(node.conditional)
        )
        otherwise = (
            None if node.otherwise is None else self.tree(node.otherwise, at.below("otherwise"))
        )
        return Cases(cases, otherwise, at.path)

    def policy(self, node: doc.PolicyNode, at: _Place) -> Node:
        """Vanishes: what it takes away is taken away from the leaves, here and now."""
        narrow = node.policy
        narrowing = _Narrowing(
            f"{at.path}.policy",
            None if narrow.allow_providers is None else Names(narrow.allow_providers),
            Names(narrow.deny_providers),
            None if narrow.allow_models is None else Names(narrow.allow_models),
            Names(narrow.deny_models),
        )
        below = at.below("then")
        return self.tree(node.then, replace(below, narrowing=(*below.narrowing, narrowing)))

    def smart(self, node: doc.Smart, at: _Place) -> Node:
        choices = {
            name: (choice.about, self.tree(choice.to, at.below(f"smart.{name}")))
            for name, choice in node.smart.items()
        }
        router = self._target(node.router, at)
        return Smart(
            at.path,
            router,
            choices,
            self.tree(node.otherwise, at.below("otherwise")),
            node.timeout_s,
        )

    def _target(self, name: str, at: _Place) -> Target:
        provider, _, model = name.partition("/")
        if provider not in self._providers:
            known = ", ".join(sorted(self._providers)) or "none"
            self._problem(at, f"{name!r} names no provider of this policy (known: {known})")
        return Target(provider, model)

    def _problem(self, at: _Place, reason: str) -> Node:
        self._problems.append(f"{at.path}: {reason}")
        return Denied(reason)


_COMPILE: dict[str, Callable[[_Compiler, Any, _Place], Node]] = {
    "Single": _Compiler.single,
    "Fallback": _Compiler.fallback,
    "LoadBalance": _Compiler.loadbalance,
    "ABSplit": _Compiler.ab_split,
    "Conditional": _Compiler.conditional,
    "PolicyNode": _Compiler.policy,
    "Smart": _Compiler.smart,
}
"""By the name of the document's class: the stages do not import pydantic."""
