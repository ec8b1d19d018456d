"""Secrets: what their issuers compute into them, and what a real one never looks like."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from json import loads
from zlib import crc32

from nexus_sdk.compliance.entropy import looks_like_filler, looks_like_placeholder, shannon

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_GITHUB_BODY, _GITHUB_CHECK = 30, 6
_MIN_KEY_BODY = 24
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,60}-----")
_NOT_KEY_BODY = re.compile(r"(?:[A-Za-z-]{1,30}: [^\n\\]{0,200}(?:\n|\\n|\\r)+)|[^A-Za-z0-9+/]")
_SECRET_BITS = 3.2
"""Bits per character: random hex of 32 has about 3.6, words and identifiers of that length about 3.
"""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OF_EXAMPLES = frozenset(
    str.split("""
    pass passwd password pwd secret user username anonymous guest test token key apikey
    mypassword mysecret yourpassword root admin postgres mysql
    """)
)
# An expression of code rather than a literal: a call, a member access, an index, a variable.
_CODE = re.compile(
    r"^[$@&*!]|[(){}\[\]<>;,|]|::|->|^[A-Za-z_]+(?:\.[A-Za-z_]+)+$|^\w{1,20}(?:\.[A-Za-z_]\w{0,15})+$"
)
_NAME = re.compile(r"^[A-Za-z]+(?:[_.-][A-Za-z]+)*\d{0,2}$")
_PATH = re.compile(
    r"^(?:[a-z]{2,12}:/)?/|^\.{1,2}/|^[a-z]:\\|\.(?:ya?ml|json|py|js|ts|txt|pem|crt|cer|key|conf|env|com|org|net|io)$"
)


def aws_access_key_id(text: str) -> tuple[int, int] | None:
    """The whole of `text` when what follows its four-letter type is base32 (RFC 4648, 6) and no
    stand-in.

    Source: AWS IAM user guide, "Understanding unique ID prefixes".
    """
    body = text[4:]
    if (
        len(body) != 16
        or body.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        or looks_like_placeholder(text)
    ):
        return None
    return 0, len(text)


def github_token(text: str) -> tuple[int, int] | None:
    """The whole of `text` when its last six characters are the CRC-32 of the thirty before, in base
    62.

    Source: GitHub engineering blog, "Behind GitHub's new authentication token formats", 2021-04-05.
    npm's tokens are made the same way.
    """
    body = text[-_GITHUB_BODY - _GITHUB_CHECK : -_GITHUB_CHECK]
    if len(body) != _GITHUB_BODY or not body.isascii():
        return None
    return (0, len(text)) if text.endswith(_base62(crc32(body.encode()))) else None


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(_GITHUB_CHECK, "0")


def jwt(text: str) -> tuple[int, int] | None:
    """The whole of `text` when its first part decodes to a JSON object with `alg` (RFC 7515,
    4.1.1)."""
    head = text.partition(".")[0]
    try:
        header = loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return None
    return (0, len(text)) if isinstance(header, dict) and "alg" in header else None


def private_key(text: str) -> tuple[int, int] | None:
    """The whole of `text`, an armoured private key, when a body follows its first line: prose about
    keys has none."""
    begin = _PEM_BEGIN.match(text)
    if begin is None:
        return None
    body = _NOT_KEY_BODY.sub("", text[begin.end() : begin.end() + 2000].partition("-----END")[0])
    kinds = (str.isdigit, str.isupper, str.islower)
    if len(body) < _MIN_KEY_BODY or not all(any(map(kind, body)) for kind in kinds):
        return None
    return 0, len(text)


def secret(text: str) -> tuple[int, int] | None:
    """The whole of `text` when it is random enough for a key that only its label gives away.

    Letters and digits both, or mixed case throughout; no placeholder, name, path or expression of
    code. A UUID passes: the label says that it is a secret.
    """
    if _UUID.fullmatch(text):
        return None if looks_like_placeholder(text) else (0, len(text))
    return random_key(text)


def random_key(text: str) -> tuple[int, int] | None:
    """As `secret`, but no UUID: many things that are no secret are called a key."""
    if (
        _UUID.fullmatch(text)
        or _CODE.search(text)
        or _NAME.fullmatch(text)
        or _PATH.search(text.lower())
    ):
        return None
    if (
        shannon(text) < _SECRET_BITS
        or not any(map(str.isdigit, text))
        or not any(map(str.isalpha, text))
    ):
        return None
    return None if looks_like_placeholder(text) else (0, len(text))


def password(text: str) -> tuple[int, int] | None:
    """The whole of `text` when it is a chosen password: letters, and a digit or both cases and a
    sign; neither a stand-in nor an expression of code."""
    if (
        _CODE.search(text)
        or _NAME.fullmatch(text)
        or _PATH.search(text.lower())
        or len(set(text)) < 4
    ):
        return None
    mixed = not text.islower() and not text.isupper() and not text.isalnum()
    if not any(map(str.isalpha, text)) or not (any(map(str.isdigit, text)) or mixed):
        return None
    return None if looks_like_filler(text) else (0, len(text))


def url_password(text: str) -> tuple[int, int] | None:
    """The whole of `text`, the password of a URL, unless it is one that examples use."""
    if (
        text.lower() in _OF_EXAMPLES
        or looks_like_filler(text)
        or any(char in text for char in "${}<>")
    ):
        return None
    return 0, len(text)


def basic_credentials(text: str) -> tuple[int, int] | None:
    """The whole of `text` when it decodes to a printable `user:password` (RFC 7617, 2)."""
    try:
        plain = b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except ValueError:
        return None
    user, colon, password_ = plain.partition(":")
    if not (user and colon and password_ and plain.isprintable()):
        return None
    return 0, len(text)
