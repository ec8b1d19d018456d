"""AWS credentials out of files and answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import botocore.configloader
import botocore.session
import pytest
from botocore.parsers import create_parser

from nexus_sdk.errors import BadSettings, UpstreamFailed
from nexus_sdk.providers import aws_credentials as aws
from nexus_sdk.providers.aws_credentials import Credentials, Profile, WebIdentity

if TYPE_CHECKING:
    from pathlib import Path

CREDENTIALS = """
# keys
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = s3cr3t/default
[work]
AWS_ACCESS_KEY_ID=AKIAWORK
aws_secret_access_key=a=b%c
aws_session_token = tok//en==
"""
CONFIG = """
[default]
region = eu-central-1
s3 =
  max_concurrent_requests = 20
[profile work]
region = us-west-2
aws_access_key_id = AKIAIGNORED
aws_secret_access_key = ignored
[profile "two words"]
role_arn = arn:aws:iam::123456789012:role/r
web_identity_token_file = /var/run/token
role_session_name = me
[profile unnamed]
role_arn = arn:aws:iam::123456789012:role/r
web_identity_token_file = /var/run/token
[profile sso]
sso_session = corp
region = eu-west-1
[profile assumed]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = default
"""
ROLE = "arn:aws:iam::123456789012:role/r"

PROFILES = [
    ("default", Profile("eu-central-1", Credentials("AKIADEFAULT", "s3cr3t/default"))),
    ("work", Profile("us-west-2", Credentials("AKIAWORK", "a=b%c", "tok//en=="))),
    ("two words", Profile(web_identity=WebIdentity(ROLE, "/var/run/token", "me"))),
    ("unnamed", Profile(web_identity=WebIdentity(ROLE, "/var/run/token", "nexus"))),
    ("sso", Profile("eu-west-1", other="sso_session")),
    ("assumed", Profile(other="source_profile")),
]


@pytest.mark.parametrize(("name", "wanted"), PROFILES)
def test_a_profile_of_the_shared_files(name: str, wanted: Profile) -> None:
    assert aws.profile(CREDENTIALS, CONFIG, name) == wanted


def test_botocore_reads_the_same_profiles(tmp_path: Path) -> None:
    config, keys = tmp_path / "config", tmp_path / "credentials"
    config.write_text(CONFIG, "utf-8")
    keys.write_text(CREDENTIALS, "utf-8")
    told = botocore.configloader.load_config(str(config))["profiles"]
    held = botocore.configloader.raw_config_parse(str(keys))
    assert set(told) == {name for name, _ in PROFILES}
    for name, profile in PROFILES:
        assert told[name].get("region", "") == profile.region
        if profile.credentials:
            assert held[name]["aws_access_key_id"] == profile.credentials.access_key
            assert held[name]["aws_secret_access_key"] == profile.credentials.secret_key


def test_either_file_is_enough_and_a_profile_may_be_named_default_in_full() -> None:
    assert aws.profile(CREDENTIALS, "").credentials is not None
    assert aws.profile("", CONFIG).region == "eu-central-1"
    assert aws.profile("", "[profile default]\nregion = x\n[default]\nregion = y").region == "x"


BROKEN = [
    (CREDENTIALS, CONFIG, "nobody", "no profile 'nobody'"),
    ("[a]\nb = 1\nno-section-key s3cr3t", "", "a", "credentials file cannot be read"),
    ("", "s3cr3t", "a", "config file cannot be read, line 1"),
    ("[a]\n[a]\n", "", "a", "credentials file cannot be read, line 2"),
    ("[a]\naws_access_key_id = s3cr3t", "", "a", "half a pair"),
]


@pytest.mark.parametrize(("keys", "config", "name", "reason"), BROKEN)
def test_files_that_cannot_be_used_are_refused_without_their_secrets(
    keys: str, config: str, name: str, reason: str
) -> None:
    with pytest.raises(BadSettings, match=reason) as refused:
        aws.profile(keys, config, name)
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


# ---- containers

ANSWER = {
    "AccessKeyId": "ASIA1",
    "SecretAccessKey": "secret",
    "Token": "token",
    "Expiration": "2026-02-03T04:05:06Z",
    "RoleArn": ROLE,
}


def test_a_containers_credentials() -> None:
    found = aws.of_container(200, json.dumps(ANSWER).encode())
    assert found == Credentials("ASIA1", "secret", "token", 1770091506.0)
    assert not found.stale(1770091506.0 - aws.EARLY_S - 1)
    assert found.stale(1770091506.0 - aws.EARLY_S)
    assert not Credentials("a", "b").stale(1e12)
    assert "secret" not in repr(found)
    assert "token=" not in repr(found)


NO_CREDENTIALS: list[tuple[int, Any, str]] = [
    (404, {"code": "NoRole", "message": "none here"}, r"status 404\): NoRole: none here"),
    (200, {"Code": "Failed", "Message": "later"}, "Failed: later"),
    (200, {"AccessKeyId": "ASIA1"}, "status 200"),
    (200, [], "status 200"),
    (200, ANSWER | {"Expiration": "soon"}, "cannot be read"),
    (200, ANSWER | {"Expiration": 4}, "cannot be read"),
    (200, ANSWER | {"Expiration": "2026-02-03T04:05:06"}, "cannot be read"),
]


@pytest.mark.parametrize(("status", "doc", "reason"), NO_CREDENTIALS)
def test_a_containers_answer_without_credentials(status: int, doc: Any, reason: str) -> None:
    with pytest.raises(UpstreamFailed, match=reason):
        aws.of_container(status, json.dumps(doc).encode())


def test_a_containers_answer_that_is_no_json() -> None:
    with pytest.raises(UpstreamFailed, match="status 500"):
        aws.of_container(500, b"<html>")


def test_where_a_container_asks() -> None:
    assert aws.container_url("/v2/creds", "http://x") == "http://169.254.170.2/v2/creds"
    for url in ("https://any.example/c", "http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1"):
        assert aws.container_url("", url) == url
    for url in ("http://example.com/c", "ftp://localhost/", "http://localhost.evil/"):
        with pytest.raises(BadSettings, match="FULL_URI"):
            aws.container_url("", url)


# ---- web identity


def sts(credentials: str) -> bytes:
    return (
        '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken>"
        f"<Credentials>{credentials}</Credentials></AssumeRoleWithWebIdentityResult>"
        "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
        "</AssumeRoleWithWebIdentityResponse>"
    ).encode()


GIVEN = sts(
    "<SessionToken>a&amp;b==</SessionToken>\n<SecretAccessKey>s/k</SecretAccessKey>"
    "<Expiration>2026-02-03T04:05:06.789Z</Expiration><AccessKeyId>ASIA2</AccessKeyId>"
)


def test_sts_answers_with_credentials_as_botocore_reads_them() -> None:
    found = aws.of_web_identity(200, GIVEN)
    assert found == Credentials("ASIA2", "s/k", "a&b==", 1770091506.789)
    model = botocore.session.get_session().get_service_model("sts")
    shape = model.operation_model("AssumeRoleWithWebIdentity").output_shape
    told: Any = create_parser("query").parse(
        {"status_code": 200, "headers": {}, "body": GIVEN}, shape
    )["Credentials"]
    assert (told["AccessKeyId"], told["SecretAccessKey"]) == (found.access_key, found.secret_key)
    assert (told["SessionToken"], told["Expiration"].timestamp()) == (
        found.session_token,
        found.expires_at,
    )


def test_sts_is_asked_without_a_signature() -> None:
    identity = WebIdentity(ROLE, "/var/run/token", "me")
    url, headers, body = aws.web_identity_request("eu-central-1", identity, "e.y.J\n")
    assert url == "https://sts.eu-central-1.amazonaws.com/"
    assert headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert {key: value[0] for key, value in parse_qs(body.decode()).items()} == {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "me",
        "WebIdentityToken": "e.y.J",
    }
    assert aws.web_identity_request("cn-north-1", identity, "t")[0].endswith(".amazonaws.com.cn/")


REFUSED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<Error><Type>Sender</Type><Code>ExpiredTokenException</Code>
<Message>Token expired: &quot;x&quot;</Message></Error></ErrorResponse>"""


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, REFUSED, 'status 400\\): ExpiredTokenException: Token expired: "x"'),
        (200, b"<html>hello</html>", "status 200"),
        (200, sts("<AccessKeyId>ASIA2</AccessKeyId>"), "status 200"),
        (403, GIVEN, "status 403"),
    ],
)
def test_sts_refuses(status: int, body: bytes, reason: str) -> None:
    with pytest.raises(UpstreamFailed, match=reason) as refused:
        aws.of_web_identity(status, body)
    assert "s/k" not in str(refused.value)
