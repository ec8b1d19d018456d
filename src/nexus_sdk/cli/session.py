"""What the global options say, and what every command may ask for by them: the settings, the
policy, the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from errno import ENOENT
from os import strerror
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_sdk.cli.output import Output

if TYPE_CHECKING:
    from nexus_sdk.nexus import Nexus
    from nexus_sdk.policy.load import Loaded
    from nexus_sdk.settings import Settings

HERE = Path("nexus.yaml")
"""The policy of the folder that the command runs in, when none is named."""


@dataclass(slots=True)
class Session:
    """One run of `nexus`. The fields are the global options, wherever they stood on the line."""

    policy: Path | None = None
    json: bool = False
    no_color: bool = False

    @property
    def out(self) -> Output:
        return Output(json=self.json, color=not self.no_color)

    def settings(self) -> Settings:
        """Raises BadSettings."""
        from nexus_sdk.settings import from_environment

        return from_environment()

    def policy_file(self) -> Path | None:
        """`--policy`, else NEXUS_POLICY, else ./nexus.yaml; None when there is none of them."""
        named = self.policy or self.settings().policy
        return named or (HERE if HERE.is_file() else None)

    def source(self, path: Path | None = None) -> Path | None:
        """`path`, else the policy file that holds here. Raises FileNotFoundError when the file is
        not there, which is another fault than a policy that is not valid."""
        source = path or self.policy_file()
        if source is not None and not source.exists():
            raise FileNotFoundError(ENOENT, strerror(ENOENT), str(source))
        return source

    def load(self, path: Path | None = None) -> Loaded:
        """The policy in `source(path)`. Raises what that does, BadPolicy and BadSettings."""
        from nexus_sdk.policy.load import load_policy

        return load_policy(self.source(path), environ_lookup=self.settings().lookup)

    def nexus(self) -> Nexus:
        """The policy in force as it would be in an application, but that nothing is recorded.
        Raises what `load` does."""
        from nexus_sdk.nexus import Nexus

        settings = replace(self.settings(), audit="off", policy=None)
        return Nexus(self.source(), settings=settings)
