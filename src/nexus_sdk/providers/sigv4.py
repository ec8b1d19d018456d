"""AWS Signature Version 4: the headers that sign a request. Pure: the time comes as an argument.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
For every service but S3 each segment of the path is percent-encoded once more than it is on the
wire: `/model/a%3A0/converse` is signed as `/model/a%253A0/converse`.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from urllib.parse import SplitResult

    from nexus_sdk.providers.aws_credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"

_UNSIGNED = frozenset({
    "authorization", "baggage", "connection", "date", "expect", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "te", "traceparent", "tracestate", "trailer", "transfer-encoding",
    "upgrade", "user-agent", "x-amz-date", "x-amz-security-token", "x-amzn-trace-id",
})  # fmt: skip
"""Headers that are ours to write, or that clients and proxies on the way write anew."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A request to be signed. `url` is the one that is sent, with its percent-encodings. `headers`
    are those to be signed beside `host`: give none that something on the way may change."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def sign(
    request: Unsigned,
    credentials: Credentials,
    *,
    region: str,
    at: datetime,
    service: str = "bedrock",
) -> dict[str, str]:
    """The headers to add: `x-amz-date`, `authorization`, and `x-amz-security-token` for credentials
    that have a session. `at` is the time now, with its zone; AWS takes five minutes of difference.
    """
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": moment}
    if credentials.session_token:
        added["x-amz-security-token"] = credentials.session_token
    parts = urlsplit(request.url)
    signed = _signed_headers(request.headers, parts) | added
    names = ";".join(sorted(signed))
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    canonical = _canonical(request, parts, signed)
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _key(credentials.secret_key, scope)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    told = f"Credential={credentials.access_key}/{scope}"
    authorization = f"{ALGORITHM} {told}, SignedHeaders={names}, Signature={signature}"
    return added | {"authorization": authorization}


def _canonical(request: Unsigned, parts: SplitResult, signed: Mapping[str, str]) -> str:
    """The request in the one spelling that both sides hash."""
    headers = [f"{name}:{' '.join(signed[name].split())}\n" for name in sorted(signed)]
    return "\n".join(
        [
            request.method.upper(),
            quote(_normal(parts.path), safe="/~"),
            _query(parts.query),
            "".join(headers),
            ";".join(sorted(signed)),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


def _signed_headers(headers: Mapping[str, str], parts: SplitResult) -> dict[str, str]:
    found = {name.lower(): value for name, value in headers.items()}
    found = {name: value for name, value in found.items() if name not in _UNSIGNED}
    return {"host": _host(parts)} | found


def _host(parts: SplitResult) -> str:
    """As a client sends it: without the port that the scheme has anyway."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme)
    return host if usual else f"{host}:{parts.port}"


def _normal(path: str) -> str:
    """Without `.`, `..` and empty segments (RFC 3986, 6.2.2.3)."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment and segment != ".":
            segments.append(segment)
    if not segments:
        return "/"
    return "/" + "/".join(segments) + ("/" if path.endswith("/") else "")


def _query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{key}={value}" for key, value in pairs)


def _key(secret: str, scope: str) -> bytes:
    """The key of one day, region and service."""
    key = f"AWS4{secret}".encode()
    for step in scope.split("/"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key
