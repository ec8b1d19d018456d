"""Do words before a value say what it is?

Only before: words after it would hold a stream back until they have come.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_sdk.compliance.rules import Rule

CONTEXT_CHARS = 64
"""How far before a value its words may stand."""

_SHORT = 4
"""Words up to this length must stand alone ("tel" is in "hotel"); longer ones may be part of a name
(`userphone`)."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Before:
    """What stands in the 64 characters before `start`. `serverIp` and `server_ip` hold "ip"."""

    __slots__ = ("_known", "_said")

    def __init__(self, text: str, start: int) -> None:
        self._said = _CAMEL.sub(" ", text[max(0, start - CONTEXT_CHARS) : start]).lower()
        self._known: dict[tuple[str, ...], bool] = {(): False}

    def names(self, rule: Rule) -> bool:
        """Is one of the rule's context words there? Asked once for rules that share their words."""
        words = rule.context
        known = self._known.get(words)
        if known is None:
            known = self._known[words] = _pattern(words).search(self._said) is not None
        return known


def in_context(rule: Rule, text: str, start: int) -> bool:
    """Is one of the rule's context words before `start`?"""
    return Before(text, start).names(rule)


@lru_cache(maxsize=1024)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    alone = "|".join(re.escape(word) for word in words if _stands_alone(word))
    anywhere = "|".join(re.escape(word) for word in words if not _stands_alone(word))
    ways = [rf"(?<![^\W_])(?:{alone})(?![^\W_])"] if alone else []
    return re.compile("|".join([*ways, anywhere] if anywhere else ways))


def _stands_alone(word: str) -> bool:
    """Scripts without spaces have no words to stand alone; their characters are beyond U+2E80."""
    return len(word) <= _SHORT and max(word) < "\u2e80"
