"""Every target that a routing tree may lead to, whatever is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.stages.tree import Balance, Cases, Chain, Leaf, Smart, Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from nexus_sdk.model import Target
    from nexus_sdk.stages.tree import Node


def targets(node: Node) -> tuple[Target, ...]:
    """In the order of the tree, each once."""
    return tuple(dict.fromkeys(_walk(node)))


def _walk(node: Node) -> Iterable[Target]:
    if isinstance(node, Leaf):
        yield node.step.target
    for child in _CHILDREN.get(type(node), _none)(node):
        yield from _walk(child)


def _none(_node: Any) -> Iterable[Node]:
    return ()


def _cases(node: Any) -> Iterable[Node]:
    children = [child for _, child in node.cases]
    return children if node.otherwise is None else [*children, node.otherwise]


_CHILDREN: Mapping[type, Callable[[Any], Iterable[Node]]] = {
    Chain: lambda node: node.children,
    Balance: lambda node: [arm.node for arm in node.arms],
    Split: lambda node: [arm.node for arm in node.arms],
    Cases: _cases,
    Smart: lambda node: [*(child for _, child in node.choices.values()), node.otherwise],
}
"""A leaf and a denied one have none."""
