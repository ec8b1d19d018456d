"""Quirks that the rows of several providers share: facts about families of models, wherever they
are served."""

from __future__ import annotations

from nexus_sdk.stages.adapting import Quirk

REASONING = ("o1*", "o3*", "o4-*", "gpt-5*", "gpt-6*")
"""OpenAI's reasoning models."""
_FIXED = ("o1*", "o3*", "o4-mini*", "gpt-5", "gpt-5-2*", "gpt-5-mini*", "gpt-5-nano*")
"""Those that always reason: later ones can do without, and then take what follows."""

OPENAI = (
    Quirk(
        because="reasoning models take max_completion_tokens, which counts the reasoning too; "
        "platform.openai.com, API reference, chat/create, max_tokens",
        models=REASONING,
        renames={"max_tokens": "max_completion_tokens"},
    ),
    Quirk(
        because="models that always reason take no other sampling than the default; "
        "platform.openai.com, guide to the latest model, parameter compatibility, and "
        "learn.microsoft.com, Azure OpenAI reasoning models, not supported",
        models=_FIXED,
        only={
            "temperature": (1,),
            "top_p": (1,),
            "presence_penalty": (0,),
            "frequency_penalty": (0,),
            "logprobs": (False,),
        },
    ),
    Quirk(
        because="models that always reason take no other sampling than the default; "
        "platform.openai.com, guide to the latest model, parameter compatibility",
        models=_FIXED,
        dialect="openai_responses",
        only={"temperature": (1,), "top_p": (1,)},
    ),
    Quirk(
        because="the size of ada-002's vectors is fixed; platform.openai.com, API reference, "
        "embeddings/create, dimensions",
        models=("text-embedding-ada-002*",),
        dialect="openai_embeddings",
        refuses={"dimensions": (1536,)},
    ),
)

CLAUDE = (
    Quirk(
        because="from Opus 4.7 on there are no sampling parameters; platform.claude.com, "
        "migrating to Claude Opus 4.7",
        models=("*claude-opus-4-7*", "*claude-opus-4-8*"),
        dialect="anthropic",
        refuses={"temperature": (1, 1.0), "top_p": (1, 1.0), "top_k": ()},
    ),
    *(
        Quirk(
            because="the most these models write; docs.anthropic.com, models overview",
            models=models,
            dialect="anthropic",
            max_output_tokens=tokens,
        )
        for tokens, models in (
            (4096, ("*claude-3-haiku-*", "*claude-3-opus-*")),
            (8192, ("*claude-3-5-sonnet*", "*claude-3-5-haiku*")),
            (32_000, ("*claude-opus-4-2*", "*claude-opus-4-0*", "*claude-opus-4-1*")),
            (64_000, ("*claude-sonnet-4-*", "*claude-haiku-4-5*", "*claude-opus-4-5*")),
        )
    ),
)

NO_DEVELOPER = Quirk(
    because="it knows the roles system, user, assistant and tool; OpenAI's developer role says "
    "what system says elsewhere (platform.openai.com, model spec, roles)",
    roles={"developer": "system"},
)
OLD_CEILING = Quirk(
    because="it knows max_tokens, OpenAI's former name of max_completion_tokens",
    renames={"max_completion_tokens": "max_tokens"},
)
READS_REASONING = frozenset({"reasoning_content"})
"""Takes the readable reasoning of earlier turns back."""
