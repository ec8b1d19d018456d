"""What cannot be carried, with the reason. A refusal, or a change, that stands neither here nor in
a quirk of the provider's row fails its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.conformance.values import PNG

from nexus_sdk.providers.table import TABLE

if TYPE_CHECKING:
    from tests.conformance.places import Place
    from tests.conformance.values import Facts


class Refusal(NamedTuple):
    """A 400. `targets`: wire formats or providers."""

    feature: str
    targets: tuple[str, ...]
    why: str


class Form(NamedTuple):
    """A wish that goes on in another form or stays behind. `mark`: how the report names it."""

    fact: str
    mark: str
    targets: tuple[str, ...]
    why: str


REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "JSON mode",
        ("anthropic", "bedrock"),
        "JSON without a schema cannot be asked for; with one it is enforced",
    ),
    Refusal("PDF document", ("cohere",), "messages hold texts and images"),
    Refusal(
        "image by URL",
        ("bedrock",),
        "images are bytes or lie in S3, and Nexus fetches nothing for a caller",
    ),
    Refusal("logprobs", ("anthropic", "bedrock"), "probabilities are not told"),
    Refusal("logprobs", ("cohere",), "only those of the chosen tokens are told (no top_logprobs)"),
    Refusal("one call at a time", ("cohere", "gemini"), "parallel calls cannot be switched off"),
    Refusal("penalties", ("anthropic", "bedrock"), "there are no penalties"),
    Refusal("seed", ("anthropic", "bedrock"), "sampling cannot be seeded"),
    Refusal(
        "two answers",
        ("anthropic", "bedrock", "cohere"),
        "one answer at a time",
    ),
    Refusal(
        "several texts",
        ("titan_embed", "nova_embed", "gemini_embed"),
        "one text a request",
    ),
)
FORMS: tuple[Form, ...] = (
    Form(
        "tools",
        "tool_choice->these tools alone",
        ("cohere",),
        "a tool by name: it alone is offered, and a call is required",
    ),
    Form(
        "tools",
        "tool_choice: none->(without tools)",
        ("bedrock",),
        "no tool: the tools are left out",
    ),
    Form(
        "choice",
        "tool_choice->these tools alone",
        ("cohere",),
        "a tool by name: it alone is offered, and a call is required",
    ),
    Form(
        "choice",
        "tool_choice: none->(without tools)",
        ("bedrock",),
        "no tool: the tools are left out",
    ),
    Form(
        "cache",
        ".cache_control",
        ("cohere", "gemini", "openai_chat", "openai_responses"),
        "cache markers: caching needs none there",
    ),
    Form(
        "result_error",
        ".is_error->(content alone)",
        ("cohere", "openai_chat", "openai_responses"),
        "a result's mark of an error: its text tells it",
    ),
    Form(
        "result_image",
        ".content->a user message with its images",
        ("cohere", "openai_chat"),
        "a result's image: a user's message brings it after the result",
    ),
)


def refusal(feature: str, place: Place, wire: str, param: str) -> str | None:
    """Why a provider is not asked for this; None when nobody says."""
    for row in REFUSALS:
        if row.feature == feature and {wire, place.provider} & set(row.targets):
            return row.why
    for quirk in TABLE[place.provider].quirks:
        if quirk.dialect == wire and param in {*quirk.refuses, *quirk.only}:
            return quirk.because
    return None


def change(fact: str, place: Place, wire: str, told: str) -> str | None:
    """Why a provider hears a wish in another form, if the report says so; None otherwise."""
    for form in FORMS:
        if form.fact == fact and form.mark in told and {wire, place.provider} & set(form.targets):
            return form.why
    return None


def arrived(fact: str, heard: Facts) -> bool:
    """In its other form, a wish that has one is there."""
    return fact != "result_image" or heard.get("image") == PNG
