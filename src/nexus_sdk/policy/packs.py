"""The rule packs that a policy names: read, checked, and kept as text for the compilation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import BadPolicy
from nexus_sdk.policy.included import is_pack_file, read_text
from nexus_sdk.policy.problems import Problem, Unreadable
from nexus_sdk.policy.tree import Mark
from nexus_sdk.spelling import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from nexus_sdk.policy.document import Policy
    from nexus_sdk.policy.problems import Problems
    from nexus_sdk.policy.tree import Path as TreePath
    from nexus_sdk.policy.tree import Tree


class Packs:
    """`texts`: by its name in the policy, each pack file's text. `files`: where they were read.
    `rules`: by pack, the ids of its rules; empty when it could not be read."""

    def __init__(self, folder: Path, tree: Tree, problems: Problems) -> None:
        self.texts: dict[str, str] = {}
        self.files: list[Path] = []
        self.rules: dict[str, frozenset[str]] = {}
        self._folder = folder
        self._tree = tree
        self._problems = problems

    def load(self, document: Policy) -> None:
        """Reads every pack that `document` names; what is wrong goes into the problems."""
        hooks = document.compliance.hooks if document.compliance else []
        for at, hook in enumerate(hooks):
            for index, name in enumerate(hook.packs):
                if name not in self.rules:
                    path = ("compliance", "hooks", at, "packs", index)
                    self.rules[name] = (
                        self._file(name, path)
                        if is_pack_file(name)
                        else (self._built_in(name, path))
                    )

    def _built_in(self, name: str, path: TreePath) -> frozenset[str]:
        from nexus_sdk.compliance.rules import BUILT_IN, built_in

        if name in BUILT_IN:
            return frozenset(rule.id for rule in built_in(name).rules)
        reason = f"is no pack: there are {', '.join(BUILT_IN)}, and files that end in .yaml"
        self._problems.within(
            self._tree, Problem(path, reason + did_you_mean(name, BUILT_IN), name)
        )
        return frozenset()

    def _file(self, name: str, path: TreePath) -> frozenset[str]:
        from nexus_sdk.compliance.rules import load_pack

        file = self._folder / name
        try:
            text = read_text(file)
            pack = load_pack(text, str(file))
        except Unreadable as err:
            self._problems.within(self._tree, Problem(path, err.problem.reason, name))
        except BadPolicy as err:
            for problem in err.problems:
                reason = problem.removeprefix(f"{file}: ")
                self._problems.add(Mark(str(file)), Problem((), reason))
        else:
            self.texts[name] = text
            self.files.append(file)
            return frozenset(rule.id for rule in pack.rules)
        return frozenset()
