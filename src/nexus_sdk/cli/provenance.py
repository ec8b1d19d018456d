"""What holds, and where each part of it was said: in a file, the environment, or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from nexus_sdk.policy.document import Policy
    from nexus_sdk.policy.references import Lookup


def effective(document: Policy) -> dict[str, Any]:
    """Every section, the defaults filled in, as plain JSON values; secrets are masked."""
    from nexus_sdk.policy.defaults import compliance

    whole = document.model_copy(update={"compliance": compliance(document)})
    return whole.model_dump(mode="json", exclude_none=True, exclude={"include"})


def provenance(path: Path | None, lookup: Lookup) -> dict[str, str]:
    """By section, and by provider (`providers.openai`), where it was said. What is absent here is
    said nowhere: the default holds. The file has been loaded before and is valid."""
    from nexus_sdk.policy.defaults import providers
    from nexus_sdk.policy.included import Reader
    from nexus_sdk.policy.problems import Problems
    from nexus_sdk.policy.tree import Mark, Tree

    tree = Tree.of({}, Mark("")) if path is None else Reader(lookup, Problems()).file(path)
    sections = tree.value if isinstance(tree.value, dict) else {}
    found = {name: str(child.mark) for name, child in sections.items()}
    own = sections.get("providers")
    if own is not None and isinstance(own.value, dict):
        found |= {f"providers.{name}": str(child.mark) for name, child in own.value.items()}
    for name in providers(tree.plain(), lookup):
        found.setdefault("providers", "environment")
        found[f"providers.{name}"] = "environment"
    return found
