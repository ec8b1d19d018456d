"""Where AWS credentials come from: the pure parts. Files, endpoints and clocks are a driver's.

A driver goes through the sources in this order and stops at the first that gives credentials, as
the AWS SDKs do (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html):

1. Static: access key, secret key and session token of the policy or of the environment.
2. Web identity: it reads the file with the token, sends `web_identity_request`, and gives the
   answer to `of_web_identity`. Role, file and session name come from the environment or `profile`.
3. Profile: it reads the shared credentials and config files and gives their texts to `profile`.
4. Container: it sends GET to the URL of `container_url`, with the token of
   `AWS_CONTAINER_AUTHORIZATION_TOKEN` (or of the file that `..._TOKEN_FILE` names) as
   `authorization`, and gives the answer to `of_container`.

Credentials that expire are asked for anew when `Credentials.stale` says so.
"""

from __future__ import annotations

import configparser
import html
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import orjson

from nexus_sdk.errors import BadSettings, UpstreamFailed

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

EARLY_S = 300.0
"""Credentials are asked for anew so many seconds before they expire."""
CONTAINER_HOST = "http://169.254.170.2"
"""The host of `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, on ECS."""
_CONTAINER_HOSTS = frozenset({
    "169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost", "127.0.0.1", "::1",
})  # fmt: skip
"""Where credentials may be had in the clear: ECS, EKS Pod Identity, and the machine itself."""
_STS_VERSION = "2011-06-15"


@dataclass(frozen=True, slots=True)
class Credentials:
    """`expires_at`: seconds since the epoch; None when they do not expire."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False, default="")
    expires_at: float | None = None

    def stale(self, now: float) -> bool:
        """Whether others should be asked for. They still hold for a while."""
        return self.expires_at is not None and now >= self.expires_at - EARLY_S


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """A role that is taken with the token of an identity provider, which stands in a file."""

    role_arn: str
    token_file: str
    session_name: str = "nexus"


@dataclass(frozen=True, slots=True)
class Profile:
    """What the shared files say of one profile. Neither credentials nor a web identity: `other`
    names the way that it wants instead, which is not one of ours (`sso_session`,
    `credential_process`, `source_profile` ...)."""

    region: str = ""
    credentials: Credentials | None = None
    web_identity: WebIdentity | None = None
    other: str = ""


_OTHER_WAYS = (
    "credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source",
    "login_session",
)  # fmt: skip


def profile(credentials_text: str, config_text: str, name: str = "default") -> Profile:
    """The profile `name` of the shared files (`~/.aws/credentials`, `~/.aws/config`), either of
    which may be empty. Keys of the credentials file win over those of the config file.

    Raises BadSettings for a file that cannot be read and for a profile that is in neither.
    """
    heads = (f"profile {name}", *(("default",) if name == "default" else ()))
    known = _sections(config_text, "config")
    config = next((known[head] for head in heads if head in known), None)
    keys = _sections(credentials_text, "credentials").get(name)
    if config is None and keys is None:
        raise BadSettings(f"the AWS files have no profile {name!r}")
    told = {**(config or {}), **(keys or {})}
    return Profile(
        region=told.get("region", ""),
        credentials=_static(told, name),
        web_identity=_web_identity(told),
        other=next((way for way in _OTHER_WAYS if told.get(way)), ""),
    )


def _sections(text: str, what: str) -> dict[str, dict[str, str]]:
    """The sections of an INI file. `[profile "a b"]` and `[profile a b]` are one name."""
    parser = configparser.RawConfigParser(default_section=None)  # type: ignore[call-overload]  # no section is everybody's
    try:
        parser.read_string(text)
    except configparser.Error as err:
        # The library's message quotes the line, which may hold a key.
        place = f", line {err.lineno}" if hasattr(err, "lineno") and err.lineno else ""
        raise BadSettings(f"the AWS {what} file cannot be read{place}") from None
    return {_unquoted(head): dict(parser.items(head)) for head in parser.sections()}


def _unquoted(head: str) -> str:
    kind, blank, name = head.strip().partition(" ")
    return f"{kind} {name.strip().strip(chr(34) + chr(39))}" if blank else kind


def _static(told: dict[str, str], name: str) -> Credentials | None:
    access, secret = told.get("aws_access_key_id"), told.get("aws_secret_access_key")
    if not access and not secret:
        return None
    if not access or not secret:
        raise BadSettings(f"the AWS profile {name!r} has half a pair of keys only")
    return Credentials(access, secret, told.get("aws_session_token", ""))


def _web_identity(told: dict[str, str]) -> WebIdentity | None:
    role, file = told.get("role_arn"), told.get("web_identity_token_file")
    if not role or not file:
        return None
    return WebIdentity(role, file, told.get("role_session_name") or "nexus")


def container_url(relative: str, full: str) -> str:
    """The URL of the container's credentials, of the values of
    `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` and `..._FULL_URI`; the former wins. Raises BadSettings
    for a full URI that sends credentials in the clear over a network."""
    if relative:
        return CONTAINER_HOST + relative
    parts = urlsplit(full)
    if parts.scheme == "https" or (
        parts.scheme == "http" and (parts.hostname or "") in _CONTAINER_HOSTS
    ):
        return full
    raise BadSettings(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or a host of the container's own"
    )


def of_container(status: int, body: bytes) -> Credentials:
    """The credentials in a container endpoint's answer: `{"AccessKeyId", "SecretAccessKey",
    "Token", "Expiration"}`. Raises UpstreamFailed for any other.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """
    try:
        doc: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        doc = None
    if status != 200 or not isinstance(doc, dict):
        raise _no_credentials("the container's endpoint", status, doc)
    access, secret = (str(doc.get(key) or "") for key in ("AccessKeyId", "SecretAccessKey"))
    if not access or not secret:
        raise _no_credentials("the container's endpoint", status, doc)
    return Credentials(access, secret, doc.get("Token") or "", _seconds(doc.get("Expiration")))


def web_identity_request(
    region: str, identity: WebIdentity, token: str
) -> tuple[str, dict[str, str], bytes]:
    """URL, headers and body of a POST that asks STS for credentials. It is not signed.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": _STS_VERSION,
        "RoleArn": identity.role_arn,
        "RoleSessionName": identity.session_name,
        "WebIdentityToken": token.strip(),
    }
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return f"https://sts.{region}.{suffix}/", headers, urlencode(form).encode()


def of_web_identity(status: int, body: bytes) -> Credentials:
    """The credentials in STS's answer, which is XML. Raises UpstreamFailed for any other."""
    text = body.decode("utf-8", "replace")
    found = re.search(r"<Credentials>(.*?)</Credentials>", text, re.DOTALL)
    if status != 200 or found is None:
        told = {"Code": _element(text, "Code"), "Message": _element(text, "Message")}
        raise _no_credentials("STS", status, told)
    access, secret = (_element(found[1], name) for name in ("AccessKeyId", "SecretAccessKey"))
    if not access or not secret:
        raise _no_credentials("STS", status, None)
    expires_at = _seconds(_element(found[1], "Expiration") or None)
    return Credentials(access, secret, _element(found[1], "SessionToken"), expires_at)


def _element(text: str, name: str) -> str:
    """The text of the first element of this name, which holds no other; empty without one."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return html.unescape(found[1]).strip() if found else ""


def _seconds(expiration: Json) -> float | None:
    """An instant of ISO 8601 as seconds since the epoch. Raises UpstreamFailed when it is none."""
    if expiration is None:
        return None
    try:
        moment = datetime.fromisoformat(expiration)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UpstreamFailed("AWS credentials expire at an instant that cannot be read")
    return moment.timestamp()


def _no_credentials(source: str, status: int, told: Json) -> UpstreamFailed:
    """What the source itself says, which holds no secret: a code and a message."""
    doc = told if isinstance(told, dict) else {}
    words = [doc.get("Code") or doc.get("code"), doc.get("Message") or doc.get("message")]
    said = ": ".join(str(word)[:500] for word in words if word)
    return UpstreamFailed(
        f"{source} gave no AWS credentials (status {status})" + (f": {said}" if said else "")
    )
