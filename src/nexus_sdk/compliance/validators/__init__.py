"""Validators: is this text really the identifier that its shape suggests?

Each takes the text of a candidate and returns the span inside it that is the identifier, or None.
All are linear in the length of the candidate. `CHECKSUMS` names those that compute a check digit or
code, so that chance passes one in ten or fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.compliance.validators import credentials, finance, network, people

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CHECKSUMS", "VALIDATORS", "Span"]

type Span = tuple[int, int]

VALIDATORS: Mapping[str, Callable[[str], Span | None]] = {
    "aws_access_key_id": credentials.aws_access_key_id,
    "basic_credentials": credentials.basic_credentials,
    "card": finance.card,
    "email": network.email,
    "github_token": credentials.github_token,
    "iban": finance.iban,
    "ipv4": network.ipv4,
    "ipv4_distinct": network.ipv4_distinct,
    "ipv6": network.ipv6,
    "jwt": credentials.jwt,
    "luhn": finance.luhn,
    "password": credentials.password,
    "phone_e164": people.phone_e164,
    "phone_local": people.phone_local,
    "phone_nanp": people.phone_nanp,
    "private_key": credentials.private_key,
    "secret": credentials.secret,
    "url_password": credentials.url_password,
    "us_itin": people.us_itin,
    "us_ssn": people.us_ssn,
    "us_ssn_labelled": people.us_ssn_labelled,
}

CHECKSUMS = frozenset({"card", "github_token", "iban", "luhn"})
