"""Kinds of credentials that are not a fixed key: what each is made of, and what it gives. Getting
tokens and signing is done in `drivers/credentials/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CredentialKind:
    """`needs`: fields of the policy's `credentials` that must be there; `takes`: others that may
    be. `either`: exactly one of these. `surroundings`: variables that stand in for fields that were
    not given, by the field."""

    name: str
    because: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    surroundings: Mapping[str, str] = MappingProxyType({})

    @property
    def fields(self) -> frozenset[str]:
        return frozenset((*self.needs, *self.takes, *self.either))


_ROWS = (
    CredentialKind(
        "token",
        "a token that somebody else keeps fresh",
        needs=("token",),
    ),
    CredentialKind(
        "aws_static",
        "docs.aws.amazon.com, SDKs and tools reference, AWS access keys",
        needs=("access_key_id", "secret_access_key"),
        takes=("session_token",),
    ),
    CredentialKind(
        "aws_profile",
        "docs.aws.amazon.com, SDKs and tools reference, shared config and credentials files",
        takes=("profile", "file"),
        surroundings=MappingProxyType(
            {"profile": "AWS_PROFILE", "file": "AWS_SHARED_CREDENTIALS_FILE"}
        ),
    ),
    CredentialKind(
        "aws_container",
        "docs.aws.amazon.com, SDKs and tools reference, container credential provider",
        surroundings=MappingProxyType(
            {
                "full_uri": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "relative_uri": "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "token": "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                "token_file": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            }
        ),
    ),
    CredentialKind(
        "aws_web_identity",
        "docs.aws.amazon.com, STS, AssumeRoleWithWebIdentity",
        takes=("role_arn", "file", "session_name"),
        surroundings=MappingProxyType(
            {
                "role_arn": "AWS_ROLE_ARN",
                "file": "AWS_WEB_IDENTITY_TOKEN_FILE",
                "session_name": "AWS_ROLE_SESSION_NAME",
            }
        ),
    ),
    CredentialKind(
        "google_service_account",
        "developers.google.com, identity, OAuth 2.0 for server to server applications",
        either=("file", "key_json"),
    ),
    CredentialKind(
        "google_metadata",
        "docs.cloud.google.com, Compute Engine, view and query VM metadata",
    ),
    CredentialKind(
        "entra_client",
        "learn.microsoft.com, identity platform, OAuth 2.0 client credentials flow",
        needs=("tenant", "client_id", "client_secret"),
    ),
    CredentialKind(
        "entra_managed",
        "learn.microsoft.com, managed identities, how to use tokens",
        takes=("client_id",),
        surroundings=MappingProxyType(
            {"endpoint": "IDENTITY_ENDPOINT", "header": "IDENTITY_HEADER"}
        ),
    ),
    CredentialKind(
        "ibm_iam",
        "cloud.ibm.com, IAM, generating an IBM Cloud IAM token by using an API key",
        needs=("api_key",),
    ),
)

KINDS: Mapping[str, CredentialKind] = MappingProxyType({row.name: row for row in _ROWS})

AWS = frozenset(name for name in KINDS if name.startswith("aws_"))
"""Those that sign each request; the others give a token."""
