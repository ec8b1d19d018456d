"""Numbers of people: social security and telephone."""

from __future__ import annotations

import re

_NOT_DIGIT = re.compile(r"[^0-9]+")

# Numbers that were printed in advertisements and never issued again (SSA, "The misused SSN",
# history pages).
_NEVER_ISSUED = frozenset({"078051120", "219099999", "457555462"})

# Assigned country calling codes (ITU-T E.164, list annexed to Operational Bulletin 1114), shortest
# form.
_ONE = "17"
_TWO = frozenset(
    str.split("""
    20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64
    65 66 81 82 84 86 90 91 92 93 94 95 98
    """)
)
_THREE = frozenset(
    str.split("""
    211 212 213 216 218 250 251 252 253 254 255 256 257 258 290 291 297 298 299 420 421 423 670
    672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850
    852 853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971
    972 973 974 975 976 977 979 992 993 994 995 996 998
    """)
)
_THREE_IN = frozenset({"22", "23", "24", "26", "35", "37", "38", "50", "59"})
"""The whole decade is assigned (but for 384 and 388)."""
_MIN_NATIONAL, _MAX_E164 = 5, 15

# What digits beside "call" may be instead: a date, a time stamp, a social security number, an IPv4
# address.
_NOT_A_PHONE = re.compile(
    r"\(?(?:19|20)\d\d([-./ ])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?:[ T].*)?"
    r"|(?:0?[1-9]|[12]\d|3[01])([-./ ])(?:0?[1-9]|[12]\d|3[01])\2(?:19|20)\d\d(?: .*)?"
    r"|\d{3}-\d{2}-\d{4}|\d{1,3}(?:\.\d{1,3}){3}"
)


def us_ssn(text: str) -> tuple[int, int] | None:
    """The whole of `text` when the SSA could have issued its nine digits (SSA, randomisation FAQ of
    2011): area not 000, 666 or 900-999, group not 00, serial not 0000, and none of the well-known
    dummies."""
    digits = _NOT_DIGIT.sub("", text)
    if digits[:3] == "666" or digits[:1] == "9":
        return None
    return us_ssn_labelled(text)


def us_ssn_labelled(text: str) -> tuple[int, int] | None:
    """As `us_ssn`, but any area except 000: what its own label calls an SSN may also be an ITIN, or
    mistyped."""
    digits = _NOT_DIGIT.sub("", text)
    if len(digits) != 9 or digits in _NEVER_ISSUED:
        return None
    if digits[:3] == "000" or digits[3:5] == "00" or digits[5:] == "0000":
        return None
    return 0, len(text)


def us_itin(text: str) -> tuple[int, int] | None:
    """The whole of `text` when it can be an individual taxpayer number: 9xx, and a group that the
    IRS assigns (IRS Publication 1915 and IRM 3.21.263: 50-65, 70-88, 90-92, 94-99)."""
    digits = _NOT_DIGIT.sub("", text)
    group = int(digits[3:5] or 0)
    assigned = 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return (0, len(text)) if len(digits) == 9 and digits[0] == "9" and assigned else None


def phone_e164(text: str) -> tuple[int, int] | None:
    """The whole of `text`, `+` first, when its country code is assigned and its length can
    be (ITU-T E.164).

    Country code 1 takes exactly ten digits more. A `(0)` after the country code is not dialled and
    not counted.
    """
    digits = _NOT_DIGIT.sub("", text.replace("(0)", "", 1))
    code = _country_code(digits)
    national = len(digits) - code
    if not code or national < _MIN_NATIONAL or len(digits) > _MAX_E164:
        return None
    if digits[0] == "1" and national != 10:
        return None
    return (0, len(text)) if _varied(digits[code:]) else None


def phone_nanp(text: str) -> tuple[int, int] | None:
    """The whole of `text` when it can be a number of the North American plan: area and exchange
    begin with 2-9, and neither is a service code N11 (NANPA, ATIS-0300051)."""
    digits = _NOT_DIGIT.sub("", text)
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    if len(digits) != 10 or min(digits[0], digits[3]) < "2":
        return None
    if digits[1:3] == "11" or digits[4:6] == "11":
        return None
    return (0, len(text)) if _varied(digits) else None


def phone_local(text: str) -> tuple[int, int] | None:
    """The whole of `text` when nothing says that it is not a national number: for use beside a word
    like "call".

    A run without separators must begin with the trunk digit 0 or be a North American number.
    """
    digits = _NOT_DIGIT.sub("", text)
    if digits == text and text[:1] != "0" and phone_nanp(text) is None:
        return None
    if _NOT_A_PHONE.fullmatch(text) or not _varied(digits):
        return None
    return 0, len(text)


def _country_code(digits: str) -> int:
    """Digits of the country code; 0 when it is not assigned."""
    if digits[:1] in _ONE and digits:
        return 1
    if digits[:2] in _TWO:
        return 2
    return 3 if digits[:3] in _THREE or digits[:2] in _THREE_IN else 0


def _varied(digits: str) -> bool:
    """More than two different digits: filled-in forms hold 000000 or 5555555."""
    return len(set(digits)) > 2
