"""Payment cards and bank accounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# First digits (low, high) and the lengths issued under them. ISO/IEC 7812-1 gives the structure,
# the networks' public number ranges the rest (Visa Core Rules; Mastercard 2-series 222100-272099;
# Discover and Diners Club IIN bulletins; JCB 3528-3589, and 1800 and 2131 of the 15-digit cards;
# UnionPay 62 and 81; Maestro 50, 56-69).
_NETWORKS = (
    ("4", "4", (13, 16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14, 16)),
    ("3095", "3095", (14, 16)),
    ("36", "36", (14, 15, 16, 17, 18, 19)),
    ("38", "39", (14, 15, 16, 17, 18, 19)),
    ("6011", "6011", (16, 17, 18, 19)),
    ("644", "659", (16, 17, 18, 19)),
    ("3528", "3589", (16, 17, 18, 19)),
    ("1800", "1800", (15,)),
    ("2131", "2131", (15,)),
    ("62", "62", (16, 17, 18, 19)),
    ("81", "81", (16, 17, 18, 19)),
    ("50", "50", (12, 13, 14, 15, 16, 17, 18, 19)),
    ("56", "69", (12, 13, 14, 15, 16, 17, 18, 19)),
)

# Characters of an IBAN by country: the SWIFT IBAN registry, release 101.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip

_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]+")
_NOT_DIGIT = re.compile(r"[^0-9]+")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(text: str) -> tuple[int, int] | None:
    """The whole of `text` when its digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    digits = _NOT_DIGIT.sub("", text)
    return (0, len(text)) if digits and _luhn_sum(digits) % 10 == 0 else None


def card(text: str) -> tuple[int, int] | None:
    """The whole of `text` when its digits are a payment card number of a known network, length and
    check digit."""
    digits = _NOT_DIGIT.sub("", text)
    if not digits.strip("0") or _luhn_sum(digits) % 10:
        return None
    return (0, len(text)) if any(_issued(digits, *row) for row in _NETWORKS) else None


def _issued(digits: str, low: str, high: str, lengths: tuple[int, ...]) -> bool:
    return len(digits) in lengths and low <= digits[: len(low)] <= high


def _luhn_sum(digits: str) -> int:
    values = [ord(char) - 48 for char in reversed(digits)]
    return sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])


def iban(text: str) -> tuple[int, int] | None:
    """The span of the IBAN that `text` begins with: cut at its country's length, check digits right
    (ISO 13616-1).

    What follows the cut must not go on as a word.
    """
    length = _IBAN_LENGTHS.get(text[:2].upper())
    if length is None:
        return None
    end = _after(text, length)
    if end is None or (end < len(text) and text[end].isalnum()):
        return None
    compact = _NOT_ALNUM.sub("", text[:end])
    number = "".join(str(int(char, 36)) for char in compact[4:] + compact[:4])
    return (0, end) if int(number) % 97 == 1 else None


def _after(text: str, count: int) -> int | None:
    """The position after the letter or digit number `count`; None when there are fewer."""
    places: Iterator[int] = (at for at, char in enumerate(text, 1) if char.isalnum())
    return next((at for n, at in enumerate(places, 1) if n == count), None)
