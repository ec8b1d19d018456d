"""Tokens of Google, Microsoft and IBM: what is sent for one, and what the answer says. Pure: the
time comes as an argument; files and exchanges are a driver's (`drivers/credentials/`).

Sources: https://developers.google.com/identity/protocols/oauth2/service-account (RFC 7523),
https://docs.cloud.google.com/compute/docs/metadata/querying-metadata,
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token,
https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import orjson

from nexus_sdk.errors import BadSettings, UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.json import Json

ASSERTION_S = 3600
"""How long an assertion holds at most, says Google."""
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
GOOGLE_METADATA = (
    "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token"
)
"""By address: the name `metadata.google.internal` could be given another one."""
AZURE_METADATA = "http://169.254.169.254/metadata/identity/oauth2/token"
AZURE_VM_VERSION, AZURE_APP_VERSION = "2018-02-01", "2019-08-01"
IBM_TOKENS = "https://iam.cloud.ibm.com/identity/token"
_FORM: Mapping[str, str] = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One exchange that gives a token. `local`: it goes to the machine's own metadata service."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")
    local: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """`expires_at`: seconds since the epoch; None when nobody said."""

    text: str = field(repr=False)
    expires_at: float | None = None


# ---- Google --------------------------------------------------------------------------------------


def google_service_account(text: str, scope: str, now: float) -> TokenRequest:
    """The exchange of a signed assertion for a token. `text`: the account's key file. Raises
    BadSettings for a file that is none, and when `cryptography` is missing."""
    account = _account(text)
    claims = google_claims(account, scope, now)
    header: Json = {"alg": "RS256", "typ": "JWT", "kid": account["private_key_id"]}
    signed = f"{_encoded(header)}.{_encoded(claims)}"
    signature = _base64(_rs256(account["private_key"], signed.encode()))
    form = {"grant_type": JWT_GRANT, "assertion": f"{signed}.{signature}"}
    return TokenRequest("POST", account["token_uri"], _FORM, urlencode(form).encode())


def google_claims(account: Mapping[str, str], scope: str, now: float) -> Json:
    """What the assertion says."""
    return {
        "iss": account["client_email"],
        "scope": scope,
        "aud": account["token_uri"],
        "iat": int(now),
        "exp": int(now) + ASSERTION_S,
    }


def google_metadata(scope: str) -> TokenRequest:
    """A token of the machine's or the pod's own service account."""
    url = f"{GOOGLE_METADATA}?scopes={quote(scope, safe='')}"
    return TokenRequest("GET", url, {"metadata-flavor": "Google"}, local=True)


def _account(text: str) -> dict[str, str]:
    try:
        doc = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadSettings("the service account's key file is not JSON") from None
    names = ("client_email", "private_key", "private_key_id")
    if not isinstance(doc, dict) or doc.get("type") != "service_account":
        raise BadSettings("the service account's key file is of another type than service_account")
    account = {"token_uri": GOOGLE_TOKENS} | {k: v for k, v in doc.items() if isinstance(v, str)}
    if missing := [name for name in names if not account.get(name)]:
        raise BadSettings(f"the service account's key file has no {missing[0]}")
    host = urlsplit(account["token_uri"])
    if host.scheme != "https" or not f".{host.hostname or ''}".endswith(".googleapis.com"):
        raise BadSettings("the service account's token_uri is no address of Google's")
    return account


def _rs256(key_pem: str, data: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256, RFC 7518 3.3."""
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError:
        raise BadSettings(
            "a Google service account needs the package cryptography: "
            "pip install 'nexus-sdk[vertex]'"
        ) from None
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadSettings("the service account's private_key is no RSA key in PEM")
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _encoded(doc: Json) -> str:
    return _base64(orjson.dumps(doc))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ---- Microsoft and IBM ---------------------------------------------------------------------------


def entra_client(tenant: str, client_id: str, client_secret: str, resource: str) -> TokenRequest:
    """A token of an application, for `resource`."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "scope": f"{resource}/.default",
    }
    url = f"https://login.microsoftonline.com/{quote(tenant, safe='')}/oauth2/v2.0/token"
    return TokenRequest("POST", url, _FORM, urlencode(form).encode())


def entra_managed(
    resource: str, client_id: str = "", *, endpoint: str = "", header: str = ""
) -> TokenRequest:
    """A token of the machine's identity. `endpoint` and `header`: what App Service, Functions and
    Container Apps put into the environment; a virtual machine has neither."""
    asked = {"resource": resource} | ({"client_id": client_id} if client_id else {})
    if endpoint:
        query = urlencode({"api-version": AZURE_APP_VERSION, **asked})
        headers = {"x-identity-header": header}
        return TokenRequest("GET", f"{endpoint}?{query}", headers, local=True)
    query = urlencode({"api-version": AZURE_VM_VERSION, **asked})
    return TokenRequest("GET", f"{AZURE_METADATA}?{query}", {"metadata": "true"}, local=True)


def ibm_iam(api_key: str) -> TokenRequest:
    """A token for an API key of IBM Cloud."""
    form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": api_key}
    return TokenRequest("POST", IBM_TOKENS, _FORM, urlencode(form).encode())


# ---- answers -------------------------------------------------------------------------------------


def token_of(status: int, body: bytes, now: float, source: str) -> Token:
    """The token in an answer of any of them (RFC 6749, 5.1). `source` names who answered. Raises
    UpstreamFailed for any other answer, with its code and no word of its own: descriptions quote
    what was sent."""
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        doc = None
    told = doc if isinstance(doc, dict) else {}
    text = told.get("access_token")
    if status != 200 or not isinstance(text, str) or not text or not text.isascii():
        code = told.get("error") or told.get("errorCode")
        said = f", {code}" if isinstance(code, str) and code.isidentifier() else ""
        raise UpstreamFailed(
            f"{source} gave no token (status {status}{said}); check the provider's credentials, "
            "and that they may be used for this service"
        )
    return Token(text, _expiry(told, now))


def _expiry(told: Json, now: float) -> float | None:
    """`expires_in` counts from now, `expires_on` (Azure) from the epoch; both may be text."""
    for name, base in (("expires_in", now), ("expires_on", 0.0)):
        try:
            return base + float(told[name])
        except (KeyError, TypeError, ValueError):
            continue
    return None
