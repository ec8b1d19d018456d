"""Where a request goes: the targets to try, in order, and which failure moves from one to the next.

`plan` resolves the model's name, then walks its tree. A `smart` node that stands first is answered
with NeedsChoice: the pipeline asks the router (`smart.question`, `smart.chosen`) and plans again
with the answer. A `smart` node that is only behind another target is not asked, since its answer
would be paid for and rarely used: it is its `otherwise`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.errors import NotAllowed, NotFound
from nexus_sdk.model import Target
from nexus_sdk.stages.tree import Leaf, Smart, Step, Walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.stages.routes import Routes
    from nexus_sdk.stages.selectors import Ask
    from nexus_sdk.stages.tree import Fault

type Answers = Mapping[str, str | None]

_NONE: Answers = MappingProxyType({})
_SHOWN_NAMES = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """At least one step. The first is the one to try first."""

    steps: tuple[Step, ...]

    def moves_on(self, index: int, fault: Fault) -> int | None:
        """The step to try when step `index` failed so; None when that failure is the answer."""
        return next(
            (index + jump for faults, jump in self.steps[index].onward if fault in faults), None
        )


@dataclass(frozen=True, slots=True)
class NeedsChoice:
    """Ask `node.router` first, then plan again with `answers[node.path]`, everything else
    unchanged."""

    node: Smart


def plan(routes: Routes, ask: Ask, answers: Answers = _NONE) -> Plan | NeedsChoice:
    """Raises NotFound for a model that nobody serves, NotAllowed when the policy leaves no
    target."""
    node = routes.trees.get(ask.model)
    if type(node) is Leaf:
        return Plan((node.step,))
    if node is None:
        return Plan((_unlisted(routes, ask),))
    walk = Walk(ask, answers)
    steps = node.steps(walk)
    if not steps:
        raise _nothing_left(ask, walk)
    if (smart := steps[0].undecided) is not None:
        return NeedsChoice(smart)
    return Plan(tuple(steps))


def explain(routes: Routes, ask: Ask, answers: Answers = _NONE) -> list[str]:
    """How `plan` comes to its result, a line a decision, then the targets. An error is told as its
    message."""
    node = routes.trees.get(ask.model)
    if node is None:
        return _explain_unlisted(routes, ask)
    lines = [f"routing.models.{ask.model}"]
    walk = Walk(ask, answers, trace=lines)
    steps = walk.into(node)
    if not steps:
        return [*lines, f"refused: {_nothing_left(ask, walk).message}"]
    lines.append("targets in order:")
    lines += [_told(index, step) for index, step in enumerate(steps)]
    return lines


def _explain_unlisted(routes: Routes, ask: Ask) -> list[str]:
    try:
        step = _unlisted(routes, ask)
    except NotFound as err:
        return [f"refused: {err.message}"]
    return [f"{ask.model} is not in routing.models", "targets in order:", _told(0, step)]


def _told(index: int, step: Step) -> str:
    arm = f", arm {step.arm}" if step.arm else ""
    moves = "".join(
        f"; {'/'.join(sorted(faults))}: to {index + jump + 1}" for faults, jump in step.onward
    )
    return f"  {index + 1}. {step.target.provider}/{step.target.model} ({step.rule}{arm}){moves}"


def _unlisted(routes: Routes, ask: Ask) -> Step:
    """A name that is in no route. `refuse` refuses it in every form: it makes the list of names a
    closed one."""
    if routes.unlisted == "refuse":
        raise _unknown(routes, ask, "routing.unlisted is 'refuse'")
    provider, slash, model = ask.model.partition("/")
    if slash and model and provider in routes.providers:
        return Step(Target(provider, model), rule="provider/model")
    if ask.origin:
        return Step(Target(ask.origin, ask.model), rule="routing.unlisted")
    speaker = routes.speakers.get(ask.dialect)
    if speaker is None:
        raise _unknown(
            routes, ask, f"no provider of the policy speaks {ask.dialect or 'this format'}"
        )
    return Step(Target(speaker, ask.model), rule="routing.unlisted")


def _unknown(routes: Routes, ask: Ask, why: str) -> NotFound:
    """Names what is known, the closest names first."""
    known = sorted(routes.trees)
    close = get_close_matches(ask.model[:200], known, n=_SHOWN_NAMES, cutoff=0.5)
    shown = [*close, *(name for name in known if name not in close)][:_SHOWN_NAMES]
    listed = ", ".join(repr(name) for name in shown) or "none"
    more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
    return NotFound(f"model {ask.model[:200]!r} is in no route and {why}; known: {listed}{more}")


def _nothing_left(ask: Ask, walk: Walk) -> NotAllowed:
    return NotAllowed(
        f"model {ask.model[:200]!r} has no target for this request: {'; '.join(walk.denied)}"
    )
