"""Canonical settings → `generationConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.dialect import inverted
from nexus_sdk.wire.dialects.gemini import schema
from nexus_sdk.wire.dialects.gemini.words import (
    BUDGETS,
    DEFAULT_SCHEMA_NAME,
    LEVEL_NEAREST,
    LEVELS,
    RENAMES,
    generation,
)

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_NAMES = inverted(RENAMES)
_MODALITIES = frozenset({"text", "image", "audio"})
USED = frozenset({
    *_NAMES, "max_tokens", "modalities", "response_format", "reasoning_effort", "thinking",
    "reasoning", "generationConfig",
})  # fmt: skip
"""Canonical members that this module translates."""


def config(chat: Json, report: Report, given: Json) -> Json:
    """`generationConfig`, as a member of the body where it holds anything. `given`: the members of
    the answer's format, where the request came in this dialect."""
    out = dict(chat.get("generationConfig") or {})
    out |= {_NAMES[key]: value for key, value in chat.items() if key in _NAMES}
    if isinstance(out.get("stopSequences"), str):
        out["stopSequences"] = [out["stopSequences"]]
    if "maxOutputTokens" not in out and "max_tokens" in chat:
        out["maxOutputTokens"] = chat["max_tokens"]
    if out.get("responseLogprobs") is False:
        out = {key: out[key] for key in out if key not in {"responseLogprobs", "logprobs"}}
    out |= _modalities(chat.get("modalities"), report)
    out |= _format(chat.get("response_format"), report) | given
    if thinking := _thinking(chat, report):
        out["thinkingConfig"] = thinking
    return {"generationConfig": out} if out else {}


def _modalities(told: Json, report: Report) -> Json:
    if not told:
        return {}
    if strange := [kind for kind in told if kind not in _MODALITIES]:
        report.dropped("modalities", f"there is no answer of type {strange[0]!r}")
    return {"responseModalities": [kind.upper() for kind in told if kind in _MODALITIES]}


def _format(wanted: Json, report: Report) -> Json:
    kind = (wanted or {}).get("type")
    if kind == "text":
        return {"responseMimeType": "text/plain"}
    if kind == "json_object":
        return {"responseMimeType": "application/json"}
    if kind != "json_schema":
        if kind is not None:
            report.dropped("response_format", f"there is no format {kind!r}")
        return {}
    told = wanted["json_schema"]
    if told.get("name") != DEFAULT_SCHEMA_NAME or told.get("strict") is not True:
        report.coerced("response_format->generationConfig.responseJsonSchema (without a name)")
    given = schema.pruned(told.get("schema") or {}, "response_format", report)
    return {"responseMimeType": "application/json", "responseJsonSchema": given}


def _thinking(chat: Json, report: Report) -> Json:
    """`thinkingConfig`. A budget and a level exclude each other; the budget, which is finer, wins.
    Source: https://ai.google.dev/gemini-api/docs/thinking."""
    reasoning, thinking = chat.get("reasoning") or {}, chat.get("thinking") or {}
    effort = chat.get("reasoning_effort") or reasoning.get("effort")
    if reasoning.keys() - {"effort", "summary"}:
        report.omitted("reasoning", "only its effort and its summary are taken")
    if reasoning.get("summary") not in {None, "auto"}:
        report.coerced(f"reasoning.summary: {reasoning['summary']}->includeThoughts")
    for key in sorted(thinking.keys() - {"type", "budget_tokens", "display"}):
        report.omitted(f"thinking.{key}", "thinking has no such setting")
    out: Json = {"includeThoughts": True} if reasoning.get("summary") else {}
    if thinking:
        out |= _budget(thinking, report)
    if effort and "thinkingBudget" not in out:
        out |= _effort(effort, chat.get("model") or "", report)
    elif effort:
        report.coerced("reasoning_effort->thinkingBudget (which was given too)")
    return out


def _budget(thinking: Json, report: Report) -> Json:
    kind, budget = thinking.get("type"), thinking.get("budget_tokens")
    if kind == "disabled":
        return {"thinkingBudget": 0}
    if kind not in {"enabled", "adaptive"}:
        report.omitted("thinking", "there is no such way of thinking")
        return {}
    shown = {} if thinking.get("display") == "omitted" else {"includeThoughts": True}
    return shown | {"thinkingBudget": -1 if kind == "adaptive" or budget is None else budget}


def _effort(effort: str, model: str, report: Report) -> Json:
    """Levels from Gemini 3 on, budgets in 2.5; before that, models do not think."""
    version = generation(model)
    if version >= (3, 0):
        level = LEVELS.get(effort) or LEVEL_NEAREST.get(effort)
        if level is None:
            report.omitted("reasoning_effort", f"there is no effort {str(effort)[:32]!r}")
            return {}
        if effort not in LEVELS:
            report.coerced(f"reasoning_effort: {effort}->{level.lower()}")
        return {"thinkingLevel": level}
    if version < (2, 5):
        report.omitted("reasoning_effort", "this model does not think")
        return {}
    if effort not in BUDGETS:
        report.coerced(f"reasoning_effort: {effort}->high")
    budget = BUDGETS.get(effort, BUDGETS["high"])
    report.coerced(f"reasoning_effort: {effort}->thinkingBudget {budget}")
    return {"thinkingBudget": budget}
