"""Addresses: e-mail, IPv4 and IPv6."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

_MAX_EMAIL, _MAX_LOCAL, _MAX_LABEL = 254, 64, 63  # RFC 5321, 4.5.3.1; RFC 1035, 2.3.4
_CJK = 0x2E80
"""From this code point on, scripts are written without spaces, so that a sentence may touch an
address."""

# Ends that file names and code have, and no top-level domain.
_NOT_A_DOMAIN = frozenset(
    str.split("""
    png jpg jpeg gif svg webp ico bmp tiff css scss less js mjs cjs jsx ts tsx json yaml yml xml
    html htm txt pdf doc docx xls xlsx csv exe dll tar tgz gz whl jar class lock woff woff2 ttf
    eot map min mp3 mp4 wav lan local localhost internal invalid
    """)
)
_ROLES_OF_CODE_HOSTS = frozenset({"git", "hg", "svn"})
_RESERVED = re.compile(
    r"(?:.*\.)?example(?:\.(?:com|net|org|edu))?|.*\.(?:test|example)", re.IGNORECASE
)  # RFC 2606
_NOBODY = frozenset(
    str.split("""
    dev developer you your.name name first.last firstname.lastname username someone somebody nobody
    email foo bar baz root noreply no-reply
    """)
)
_LAST_LABEL = re.compile(r"[a-z]{2,24}|xn--[a-z0-9-]{2,59}", re.IGNORECASE | re.ASCII)
_OCTETS = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})", re.ASCII)
_MASKS_AND_OURSELVES = frozenset({0, 127, 255})
"""First octets that name nobody: this network, loopback, netmasks and broadcast (RFC 6890)."""


def email(text: str) -> tuple[int, int] | None:
    """The span of the mail address in `text` (RFC 5321 lengths; dots neither doubled nor at an end
    of a part).

    In scripts without spaces the words around it are cut off. File names (`image@2x.png`), the
    accounts of code hosts (`git@`) and nobody at a reserved domain (`you@example.com`) are not
    addresses.
    """
    at = text.find("@")
    start = _local_start(text[:at])
    end = _domain_end(text, at + 1)
    local, domain = text[start:at], text[at + 1 : end]
    if not 0 < len(local) <= _MAX_LOCAL or end - start > _MAX_EMAIL or not _is_domain(domain):
        return None
    if (
        ".." in local
        or local[0] == "."
        or local[-1] == "."
        or local.lower() in _ROLES_OF_CODE_HOSTS
    ):
        return None
    return None if _RESERVED.fullmatch(domain) and local.lower() in _NOBODY else (start, end)


def _local_start(local: str) -> int:
    """The first letter or digit after the last character of a script without spaces that touches an
    ASCII letter."""
    start = 0
    for at in range(len(local) - 2, -1, -1):
        if ord(local[at]) >= _CJK and local[at + 1].isascii() and local[at + 1].isalpha():
            start = at + 1
            break
    return next(
        (at for at in range(start, len(local)) if local[at].isalnum() or local[at] == "_"), start
    )


def _domain_end(text: str, start: int) -> int:
    """Where the domain that begins at `start` ends: before a sign that no label holds, or a change
    of script."""
    for at in range(start, len(text)):
        char = text[at]
        if not (char.isalnum() or char in ".-"):
            return at
        if ord(char) >= _CJK and at > start and text[at - 1].isascii() and text[at - 1].isalnum():
            return at
    return len(text)


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    if len(labels) < 2 or not all(_is_label(label) for label in labels):
        return False
    last = labels[-1].lower()
    return last not in _NOT_A_DOMAIN and (
        _LAST_LABEL.fullmatch(last) is not None or not last.isascii()
    )


def _is_label(label: str) -> bool:
    return 0 < len(label) <= _MAX_LABEL and label[0] != "-" and label[-1] != "-"


def ipv4(text: str) -> tuple[int, int] | None:
    """The whole of `text` when it is a dotted address of some host: octets to 255 without leading
    zeros; not this network, loopback, a netmask or broadcast."""
    octets = _octets(text)
    if octets is None or octets[0] in _MASKS_AND_OURSELVES:
        return None
    return 0, len(text)


def ipv4_distinct(text: str) -> tuple[int, int] | None:
    """As `ipv4`, for use without context: at least two octets of two digits or more, which
    `1.2.3.4` and other version numbers seldom have."""
    octets = _octets(text)
    if octets is None or sum(octet > 9 for octet in octets) < 2:
        return None
    return ipv4(text)


def _octets(text: str) -> tuple[int, ...] | None:
    match = _OCTETS.fullmatch(text)
    if match is None:
        return None
    values = tuple(int(part) for part in match.groups())
    plain = all(str(value) == part for value, part in zip(values, match.groups(), strict=True))
    return values if plain and max(values) <= 255 else None


def ipv6(text: str) -> tuple[int, int] | None:
    """The span of the IPv6 address that `text` begins with (RFC 4291); a last `:` or `.` is left
    out.

    Not loopback or unspecified, and not without a digit: `dead::beef` is more often code than a
    host.
    """
    address = text.rstrip(".")
    if address.endswith(":") and not address.endswith("::"):
        address = address[:-1]
    if not any(char.isdigit() for char in address):
        return None
    try:
        parsed = IPv6Address(address)
    except AddressValueError:
        return None
    return None if parsed.is_loopback or parsed.is_unspecified else (0, len(address))
