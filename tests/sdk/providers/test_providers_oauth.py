"""What is sent for a token, and what an answer says, judged by the vendors' own packages."""

from __future__ import annotations

import builtins
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth import jwt as google_jwt
from google.oauth2 import service_account

from nexus_sdk.errors import BadSettings, UpstreamFailed
from nexus_sdk.providers import oauth

NOW = 1_767_225_600.0
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()
ACCOUNT = {
    "type": "service_account",
    "project_id": "p",
    "private_key_id": "kid-1",
    "private_key": PEM,
    "client_email": "nexus@p.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}


def account(**more: Any) -> str:
    doc = {key: value for key, value in {**ACCOUNT, **more}.items() if value is not None}
    return orjson.dumps(doc).decode()


def form(request: oauth.TokenRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


# ---- Google --------------------------------------------------------------------------------------


def test_google_s_own_package_makes_the_same_claims_and_takes_the_signature() -> None:
    request = oauth.google_service_account(account(), SCOPE, NOW)
    assert (request.method, request.url) == ("POST", ACCOUNT["token_uri"])
    sent = form(request)
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    header, claims, signed, signature = google_jwt._unverified_decode(sent["assertion"])  # type: ignore[no-untyped-call]
    KEY.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    made = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        ACCOUNT, scopes=[SCOPE]
    )
    theirs = google_jwt.decode(made._make_authorization_grant_assertion(), verify=False)  # type: ignore[no-untyped-call]
    assert claims.keys() == theirs.keys()
    assert {k: claims[k] for k in ("iss", "scope", "aud")} == {
        k: theirs[k] for k in ("iss", "scope", "aud")
    }
    assert claims["exp"] - claims["iat"] == theirs["exp"] - theirs["iat"] == oauth.ASSERTION_S
    assert claims["iat"] == NOW


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "another type"),
        (account(type="authorized_user"), "another type"),
        (account(client_email=None), "no client_email"),
        (account(private_key="-----BEGIN"), "no RSA key"),
        (account(token_uri="https://evil.example/token"), "no address of Google's"),
        (account(token_uri="http://oauth2.googleapis.com/token"), "no address of Google's"),
        (account(token_uri="https://evilgoogleapis.com/token"), "no address of Google's"),
    ],
)
def test_a_file_that_is_no_service_account_is_told(text: str, said: str) -> None:
    with pytest.raises(BadSettings, match=said) as caught:
        oauth.google_service_account(text, SCOPE, NOW)
    assert "PRIVATE KEY" not in str(caught.value)


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(BadSettings, match=r"nexus-sdk\[vertex\]"):
        oauth.google_service_account(account(), SCOPE, NOW)


def test_the_metadata_service_is_asked_with_its_header() -> None:
    request = oauth.google_metadata(SCOPE)
    assert request.local
    assert urlsplit(request.url).hostname == "169.254.169.254"
    assert parse_qs(urlsplit(request.url).query) == {"scopes": [SCOPE]}
    assert request.headers == {"metadata-flavor": "Google"}


# ---- Microsoft and IBM ---------------------------------------------------------------------------


def test_an_application_s_token_of_entra() -> None:
    request = oauth.entra_client("t/1", "c", "s&=", "https://cognitiveservices.azure.com")
    assert request.url == "https://login.microsoftonline.com/t%2F1/oauth2/v2.0/token"
    assert form(request) == {
        "grant_type": "client_credentials",
        "client_id": "c",
        "client_secret": "s&=",
        "scope": "https://cognitiveservices.azure.com/.default",
    }
    assert "s&=" not in repr(request)


def test_a_machine_s_token_of_entra() -> None:
    machine = oauth.entra_managed("https://r", "c")
    assert machine.url.startswith("http://169.254.169.254/metadata/identity/oauth2/token?")
    assert parse_qs(urlsplit(machine.url).query) == {
        "api-version": ["2018-02-01"],
        "resource": ["https://r"],
        "client_id": ["c"],
    }
    assert machine.headers == {"metadata": "true"}
    app = oauth.entra_managed("https://r", endpoint="http://127.0.0.1:41/msi/token", header="h")
    assert app.url.startswith("http://127.0.0.1:41/msi/token?api-version=2019-08-01&resource=")
    assert app.headers == {"x-identity-header": "h"}
    assert machine.local
    assert app.local


def test_a_token_of_ibm() -> None:
    request = oauth.ibm_iam("k")
    assert form(request) == {
        "grant_type": "urn:ibm:params:oauth:grant-type:apikey",
        "apikey": "k",
    }


# ---- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doc", "expires_at"),
    [
        ({"access_token": "t", "expires_in": 3599}, NOW + 3599),
        ({"access_token": "t", "expires_in": "3599"}, NOW + 3599),
        ({"access_token": "t", "expires_on": str(int(NOW) + 5)}, NOW + 5),
        ({"access_token": "t", "expires_in": "soon"}, None),
        ({"access_token": "t"}, None),
    ],
)
def test_a_token_and_when_it_expires(doc: dict[str, Any], expires_at: float | None) -> None:
    token = oauth.token_of(200, orjson.dumps(doc), NOW, "x")
    assert (token.text, token.expires_at) == ("t", expires_at)
    assert "'t'" not in repr(token)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error":"invalid_grant","error_description":"secret-canary is wrong"}'),
        (200, b'{"error":"invalid_client"}'),
        (200, b'{"access_token":""}'),
        (200, b'{"access_token":"\xc3\xa4"}'),
        (200, b'{"access_token":5}'),
        (200, b"[]"),
        (200, b"<html>"),
        (500, b""),
    ],
)
def test_any_other_answer_is_an_error_that_says_what_to_do(status: int, body: bytes) -> None:
    with pytest.raises(UpstreamFailed, match="check the provider's credentials") as caught:
        oauth.token_of(status, body, NOW, "Entra ID")
    assert "canary" not in str(caught.value)
    if b"invalid_grant" in body:
        assert "invalid_grant" in str(caught.value)
