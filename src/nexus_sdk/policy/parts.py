"""The words that all parts of the policy document share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, SerializationInfo

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
TARGET = r"^[a-z0-9][a-z0-9._-]{0,63}/\S{1,200}$"
TargetName = Annotated[str, Field(pattern=TARGET)]
"""`provider/model`: a provider of this policy and the model's name there."""
PLACE = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"
Place = Annotated[str, Field(pattern=PLACE)]
"""A word of an address: a region, a project, a version."""
Action = Literal["approve", "redact", "block"]
RuleAction = Literal["approve", "redact", "block", "off"]
Stage = Literal["request", "response"]
Severity = Literal["hard", "soft", "warn"]
Axis = Literal["key", "user", "project", "organisation", "provider", "model"]
StickyBy = Literal["key", "user", "project", "organisation", "provider", "model", "prompt"]
Unit = Literal["requests", "tokens", "usd"]
Window = Literal["minute", "hour", "day", "week", "month"]


def _written(value: SecretStr, info: SerializationInfo) -> object:
    show = (info.context or {}).get("secret")
    return show(value.get_secret_value()) if show else str(value)


Secret = Annotated[SecretStr, Field(min_length=1), PlainSerializer(_written)]
"""Masked in every dump, unless its context says how secrets are written: `{"secret": function of
the text}`."""


class Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
