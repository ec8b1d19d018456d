"""Nexus SDK: one policy over every LLM call, in the caller's own process.

    from nexus_sdk import OpenAI
    client = OpenAI()

Importing this reads nothing, starts nothing, and loads no other package until a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_sdk.client import AsyncOpenAI, OpenAI
    from nexus_sdk.errors import BadPolicy, BadSettings, NexusError
    from nexus_sdk.nexus import Nexus
    from nexus_sdk.policy.document import Policy
    from nexus_sdk.refusals import PolicyBlocked, QuotaExceeded, RateLimited

__all__ = [
    "AsyncOpenAI",
    "BadPolicy",
    "BadSettings",
    "Nexus",
    "NexusError",
    "OpenAI",
    "Policy",
    "PolicyBlocked",
    "QuotaExceeded",
    "RateLimited",
]

_HOMES = {
    "AsyncOpenAI": "client",
    "BadPolicy": "errors",
    "BadSettings": "errors",
    "Nexus": "nexus",
    "NexusError": "errors",
    "OpenAI": "client",
    "Policy": "policy.document",
    "PolicyBlocked": "refusals",
    "QuotaExceeded": "refusals",
    "RateLimited": "refusals",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
