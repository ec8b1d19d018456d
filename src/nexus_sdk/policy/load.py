"""Loading a policy: from a file, YAML text, values or nothing, to a `Policy` that holds together.

Read and merged (`included.py`), references resolved (`references.py`), validated (`document.py`),
its packs read (`packs.py`), and cross-checked (`checks.py`). All problems of a step are reported at
once, each with file, line and field; a step runs only when the one before found nothing that would
make its findings noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nexus_sdk.errors import BadPolicy
from nexus_sdk.policy import checks, defaults, validation
from nexus_sdk.policy.document import Policy
from nexus_sdk.policy.fingerprint import fingerprint
from nexus_sdk.policy.included import Reader
from nexus_sdk.policy.packs import Packs
from nexus_sdk.policy.problems import Problems
from nexus_sdk.policy.tree import Mark, Tree, from_values

if TYPE_CHECKING:
    from nexus_sdk.policy.references import Lookup

type Source = str | Path | Mapping[str, Any] | Policy | None

UNNAMED = "policy"
"""Stands for the file in problems of a policy that is none."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy ready to be compiled. `hash` names it in audit events (`fingerprint.py`). `sources`:
    the files it was read from, the policy first, for whoever watches them. `packs`: the texts of
    the pack files it names, by that name."""

    document: Policy
    hash: str
    sources: tuple[Path, ...] = ()
    packs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)


def load_policy(source: Source = None, *, environ_lookup: Lookup) -> Loaded:
    """The policy in `source`: the path of a file, YAML text (a str with a line end), a mapping, or
    a Policy made in Python; None is the default policy.

    `environ_lookup` gives the value of an environment variable, or None: for `${NAME}` and for the
    keys of providers that the policy does not define (`defaults.providers`). References in a Policy
    are not resolved: it may have been loaded before. Raises BadPolicy.
    """
    return _Loading(environ_lookup).load(source)


class _Loading:
    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._problems = Problems()
        self._reader = Reader(lookup, self._problems)

    def load(self, source: Source) -> Loaded:
        tree = self._with_environment(self._read(source))
        document = self._validated(tree)
        folder = self._reader.files[0].parent if self._reader.files else Path()
        packs = Packs(folder, tree, self._problems)
        packs.load(document)
        for problem in checks.problems(document, packs.rules):
            self._problems.within(tree, problem)
        self._stop(tree)
        files = (*self._reader.files, *packs.files)
        texts = MappingProxyType(packs.texts)
        return Loaded(document, fingerprint(document, texts), files, texts)

    def _read(self, source: Source) -> Tree:
        match source:
            case Path():
                return self._reader.file(source)
            case str() if "\n" in source:
                return self._reader.text(source, UNNAMED)
            case str():
                return self._reader.file(Path(source))
            case Policy():
                return self._values(source.model_dump(exclude_unset=True, context={"secret": str}))
            case None:
                return self._values({})
            case _:
                return self._reader.values(self._values(source))

    def _values(self, values: object) -> Tree:
        try:
            return from_values(values, UNNAMED)
        except ValueError as err:
            raise BadPolicy([f"{UNNAMED}: {err}"]) from None

    def _with_environment(self, tree: Tree) -> Tree:
        added = defaults.providers(tree.plain(), self._lookup)
        if not added or not isinstance(tree.value, dict):
            return tree
        own = tree.value.get("providers")
        if own is not None and own.value is not None and not isinstance(own.value, dict):
            return tree
        here = Mark("environment")
        new = {name: from_values(provider, here.file) for name, provider in added.items()}
        old = own.value if own is not None and isinstance(own.value, dict) else {}
        providers = Tree.of(old | new, own.mark if own else here)
        return Tree.of(tree.value | {"providers": providers}, tree.mark)

    def _validated(self, tree: Tree) -> Policy:
        document = None
        try:
            document = Policy.model_validate(tree.plain())
        except ValidationError as err:
            errors = err.errors(include_url=False)
            for problem in validation.problems(errors, tree):
                self._problems.within(tree, problem)
        self._stop(tree)
        assert document is not None
        return document

    def _stop(self, tree: Tree) -> None:
        """Raises BadPolicy when something was found."""
        if self._problems.found:
            raise BadPolicy(self._problems.written(tree.mark.file)) from None
