"""What holds where the policy says nothing: the default hooks, and the providers of the
environment."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.policy.document import Compliance, Hook
from nexus_sdk.providers.base_url import objection
from nexus_sdk.providers.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nexus_sdk.policy.document import Policy
    from nexus_sdk.policy.references import Lookup
    from nexus_sdk.policy.tree import Plain

COMPLIANCE = Compliance(
    hooks=[
        Hook(
            name="default-request",
            stages=["request"],
            packs=["nexus/pii", "nexus/secrets"],
            action="redact",
            reversible=True,
        ),
        Hook(
            name="default-response-secrets",
            stages=["response"],
            packs=["nexus/secrets"],
            action="redact",
            reversible=False,
        ),
        Hook(
            name="default-response-pii",
            stages=["response"],
            packs=["nexus/pii"],
            action="approve",
        ),
    ]
)
"""Nothing personal and no secret leaves in a request; the caller gets them back in the answer. In
an answer, secrets are masked for good, and what is personal is recorded only: it is the model's own
text, and often what was asked for."""

VARIABLES = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
}
"""By provider: the variables for its key and its base URL, as the vendors' own clients read
them."""


KEYS: Mapping[str, str] = MappingProxyType(
    {
        row.name: row.key_variable
        for row in TABLE.values()
        if row.key_variable and row.base_url and None not in row.fields.values()
    }
)
"""By provider, where the vendor's own client looks for the key: of those that need nothing else."""


def compliance(document: Policy) -> Compliance:
    """The hooks that hold: the policy's own, or the default ones when it has no `compliance`."""
    return COMPLIANCE if document.compliance is None else document.compliance


def providers(written: Plain, lookup: Lookup) -> dict[str, Plain]:
    """The providers that the environment adds to a document, as they would be written.

    Those that its routing names and does not define, so that a key in the environment never opens
    a way out by itself. To a document without providers, also OpenAI and Anthropic, when their key
    is set.
    """
    own = written.get("providers") if isinstance(written, dict) else None
    named = set(_targets(written.get("routing"))) if isinstance(written, dict) else set()
    if not own:
        named |= VARIABLES.keys()
    defined = own if isinstance(own, dict) else {}
    return {
        name: _provider(name, key, lookup(VARIABLES[name][1]) if name in VARIABLES else None)
        for name in KEYS
        if name in named and name not in defined and (key := lookup(KEYS[name]))
    }


def _targets(value: Plain) -> Iterator[str]:
    """The providers that a routing section speaks of, wherever it does."""
    match value:
        case str():
            if "/" in value:
                yield value.partition("/")[0]
        case list():
            for child in value:
                yield from _targets(child)
        case dict():
            for child in value.values():
                yield from _targets(child)


def _provider(name: str, key: str, base_url: str | None) -> Plain:
    """Whoever points the vendor's own variable at this machine means it: no `private_network`
    needed."""
    written: dict[str, Plain] = {"kind": name, "api_key": key}
    if base_url:
        written["base_url"] = base_url
        written["private_network"] = bool(objection(base_url, private_network=False))
    return written
