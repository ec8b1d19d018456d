"""Counts of tokens by the rule of thumb, for want of anybody who counted. Whatever is made with
them is marked as an estimate."""

from __future__ import annotations

CHARS_PER_TOKEN = 4
"""For English (https://platform.openai.com/tokenizer says so)."""


def tokens(chars: int) -> int:
    """Rounded up."""
    return -(-chars // CHARS_PER_TOKEN)
