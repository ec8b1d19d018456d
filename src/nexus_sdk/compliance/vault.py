"""Placeholders that stand for redacted values, and the table that turns them back.

A token is `<EMAIL_k7q2xd>`: the type, and a keyed digest of the value. The key belongs to the
installation and the organisation, so the same value has the same token in every turn and every
process (a provider's prompt cache stays warm), and nobody without the key can test a guess. The
table lives as long as one exchange: callers resend restored text, and redacting it again gives the
same tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.mac import Mac

PLACEHOLDER = r"<[A-Z][A-Z_]{0,39}_[a-z2-7]{6,12}>"
"""A rule's label has up to 40 characters (`rules.py`)."""
MAX_LENGTH = 55
_LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""A letter for each byte, by its last five bits."""
_SHORT, _LONG = 6, 12
"""Characters of the digest: 30 bits, and 60 when two values of one exchange share the first 30."""


class Vault:
    """The values of one exchange by their tokens. Its repr shows no value."""

    __slots__ = ("_by_token", "_by_value", "_mac")

    def __init__(self, mac: Mac) -> None:
        self._mac = mac
        self._by_token: dict[str, str] = {}
        self._by_value: dict[tuple[str, str], str] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    def __repr__(self) -> str:
        return f"Vault({len(self)} values)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a vault is never written out")

    def token(self, label: str, value: str) -> str:
        """The placeholder for `value`; the same for the same value."""
        known = self._by_value.get((label, value))
        if known:
            return known
        token = self._mint(label, normalised(value), _SHORT)
        if self._by_token.get(token, value) != value:
            token = self._mint(label, value, _LONG)
        self._by_token[token] = value
        self._by_value[label, value] = token
        return token

    def value(self, token: str) -> str | None:
        """What `token` stands for; None when this exchange did not issue it."""
        return self._by_token.get(token)

    def issued(self) -> dict[str, str]:
        """The values by their tokens, for what may be given back to the caller after this
        exchange."""
        return dict(self._by_token)

    def adopt(self, issued: Mapping[str, str]) -> None:
        """Know the tokens of an earlier exchange of the same caller as well."""
        for token, value in issued.items():
            self._by_token.setdefault(token, value)

    def fingerprint(self, value: str) -> str:
        """A keyed digest of `value` for the audit event: equal values compare, nothing else can be
        learnt."""
        return self._mac.of(b"finding\0" + value.encode())[:8].hex()

    def _mint(self, label: str, value: str, length: int) -> str:
        digest = self._mac.of(f"token\0{label}\0{value}".encode())
        return f"<{label}_{digest[:length].translate(_LETTERS).decode()}>"


def normalised(value: str) -> str:
    """Spellings of one value made equal: letter case, and the separators of numbers."""
    folded = value.casefold()
    kept = "".join(filter(str.isalnum, folded))
    digits = sum(map(str.isdigit, kept))
    return kept if digits * 2 > len(kept) else folded
