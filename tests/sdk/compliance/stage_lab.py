"""A stage of a few rules that are easy to hit, and inspectors on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nexus_sdk.compliance.hooks import Hook, Stage
from nexus_sdk.compliance.inspection import Inspector
from nexus_sdk.compliance.rules import built_in, rule_from_expression, rule_from_words
from nexus_sdk.compliance.vault import Vault
from nexus_sdk.mac import Mac

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.compliance.hooks import Effective
    from nexus_sdk.compliance.rules import Rule

RULES: Mapping[str, Rule] = {
    rule.id: rule
    for rule in (
        rule_from_words("own.bird", ["bluebird", "blue"]),
        rule_from_words("own.stop", ["top secret"]),
        rule_from_expression("own.run", "x[0-9a-f]{4,40}y", boundary="none"),
        rule_from_expression("own.code", "[A-Z]{2}-[0-9]{4}"),
        *(rule for rule in built_in("nexus/pii").rules),
    )
}
"""By id: two lists of words, a run without boundaries, a code, and the built-in personal data."""

EVERYTHING = dict.fromkeys(RULES, "redact") | {"own.stop": "block"}


def hook(actions: Mapping[str, str] | None = None, **more: Any) -> Hook:
    given: dict[str, Any] = {"name": "test", "priority": 10, "reversible": False, **more}
    return Hook(actions=EVERYTHING if actions is None else actions, **given)


def effective(*hooks: Hook, restore: bool = True) -> Effective:
    stage = Stage(hooks or (hook(),), RULES.values(), restore=restore)
    return stage.effective("chat", "m", "key")


def inspector(rules: Effective, vault: Vault | None = None, **more: Any) -> Inspector:
    vault = Vault(Mac(b"k" * 32)) if vault is None else vault
    return Inspector(rules, vault, more.pop("stage", "response"), **more)
