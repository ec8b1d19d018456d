"""How the models on Bedrock are told to reason: it is not one member for all of them.

Sources: botocore 1.44, bedrock-runtime, `OutputConfig.effort`;
https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html;
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html;
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html. That Qwen and
DeepSeek take `reasoning_config` as one word is seen in the traffic of their clients.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from nexus_sdk.wire.dialects.bedrock.words import EFFORT_NEAREST, EFFORTS

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


class Family(NamedTuple):
    """`model`: in the model's id. `field`: the member of `additionalModelRequestFields` that tells
    the effort, empty when `outputConfig` does. `efforts`: the words that it takes. `thinking`:
    whether it takes Anthropic's `thinking`."""

    model: re.Pattern[str]
    field: str
    efforts: frozenset[str]
    thinking: bool = False


_THREE = frozenset({"low", "medium", "high"})
_ANY = Family(re.compile(""), "", EFFORTS)
_FAMILIES = (
    Family(re.compile(r"anthropic\.claude"), "", EFFORTS, thinking=True),
    Family(re.compile(r"amazon\.nova"), "reasoningConfig", _THREE),
    Family(re.compile(r"openai\.gpt-oss"), "reasoning_effort", _THREE),
    Family(re.compile(r"(?:qwen|deepseek)\."), "reasoning_config", _THREE),
    _ANY,
)
_NEAREST = EFFORT_NEAREST | {"xhigh": "high", "max": "high"}
_BUDGETS = ((4096, "low"), (16384, "medium"))
"""Tokens of thinking below which an effort is the nearest. Ours, in the order that the vendors give
for their efforts; nobody documents numbers."""


def of(model: str) -> Family:
    return next(family for family in _FAMILIES if family.model.search(model))


def effort(told: Json, family: Family, report: Report) -> tuple[Json, Json]:
    """Members of `outputConfig` and of `additionalModelRequestFields` for a canonical effort."""
    word = told
    if word not in family.efforts:
        word = _NEAREST.get(str(told))
        if word is None or word not in family.efforts:
            why = f"there is no effort {str(told)[:32]!r}; the default holds"
            report.omitted("reasoning_effort", why)
            return {}, {}
        report.coerced(f"reasoning_effort: {told}->{word}")
    if not family.field:
        return {"effort": word}, {}
    if family.field == "reasoningConfig":
        return {}, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": word}}
    return {}, {family.field: word}


def thinking(told: Json, family: Family, report: Report) -> Json:
    """Members of `additionalModelRequestFields` for Anthropic's `thinking`."""
    if family.thinking or family is _ANY:
        return {"thinking": told}
    if told.get("type") == "disabled":
        return {}
    budget = told.get("budget_tokens")
    if not isinstance(budget, int):
        report.omitted("thinking", "the model decides itself how long it reasons")
        return {}
    word = next((word for most, word in _BUDGETS if budget <= most), "high")
    report.coerced(f"thinking.budget_tokens: {budget}->effort {word}")
    return effort(word, family, report)[1]
