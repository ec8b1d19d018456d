"""The canonical form of a count of tokens: the request is a canonical chat, and the answer
`{"input_tokens": n, "estimated"?}`, `estimated` being ours where nobody counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import natives
from nexus_sdk.wire.canonical import without

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.wire.dialect import Facts, Reply
    from nexus_sdk.wire.json import Json

SETTINGS = frozenset({
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "seed", "n",
    "stream", "stream_options", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
    "top_logprobs", "user", "safety_identifier", "metadata", "store", "service_tier", "verbosity",
    "prompt_cache_key", "prompt_cache_retention", "prediction",
})  # fmt: skip
"""Canonical members that add nothing to the input, so that a count needs none of them."""


def counted(chat: Json) -> Json:
    """What of a chat is counted."""
    return without(chat, SETTINGS)


def facts(told: Facts) -> Facts:
    """A count writes nothing, and the same input gives the same number."""
    return replace(
        told,
        stream=False,
        max_output_tokens=0,
        deterministic=True,
        n=1,
        wants_stream_usage=False,
    )


def decode(doc: Json) -> Json:
    """Raises UpstreamFailed for a document without a count."""
    told = doc.get("input_tokens") if isinstance(doc, dict) else None
    if not isinstance(told, int):
        raise UpstreamFailed("the upstream's answer holds no count of input_tokens")
    return without(doc, {"object"})


def encode(answer: Json, reply: Reply) -> Json:  # noqa: ARG001  the number is all there is
    return without(answer, natives.MARKS)


def free(name: str) -> Callable[[Json], Usage | None]:
    """Counting is free: the number under `name` is not that of tokens used."""

    def usage(doc: Json) -> Usage | None:
        return Usage() if name in doc else None

    return usage


usage = free("input_tokens")
