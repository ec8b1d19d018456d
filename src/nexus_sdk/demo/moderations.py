"""OpenAI moderations. Source: https://platform.openai.com/docs/api-reference/moderations, read
2025-11. A text is flagged for a word of `WORDS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS: Mapping[str, str] = {"hate": "hate", "kill": "violence", "suicide": "self-harm"}
"""A word, and the category that it stands for."""
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def whole(body: dict[str, Any], number: int) -> dict[str, Any]:
    """One result for each text, in one list; parts of one input are one text."""
    given = body["input"]
    texts = given if isinstance(given, list) else [given]
    if texts and isinstance(texts[0], dict):
        texts = ["\n".join(part.get("text", "") for part in texts)]
    return {
        "id": f"modr-{number:024x}",
        "model": body.get("model") or "omni-moderation-latest",
        "results": [_result(text) for text in texts],
    }


def _result(text: str) -> dict[str, Any]:
    found = {category for word, category in WORDS.items() if word in text.lower()}
    return {
        "flagged": bool(found),
        "categories": {category: category in found for category in CATEGORIES},
        "category_scores": {category: float(category in found) for category in CATEGORIES},
        "category_applied_input_types": {category: ["text"] for category in CATEGORIES},
    }
