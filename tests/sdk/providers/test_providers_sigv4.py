"""Signatures of AWS requests: botocore's signer makes the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from unittest.mock import patch

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_sdk.providers.aws_credentials import Credentials
from nexus_sdk.providers.sigv4 import Unsigned, sign

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
ARN = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0"


def by_botocore(request: Unsigned, token: str, region: str, service: str) -> dict[str, str]:
    theirs: Any = AWSRequest(request.method, request.url, dict(request.headers), request.body)
    keys = BotoCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token or None)
    with patch.object(botocore.auth, "get_current_datetime", lambda: AT.replace(tzinfo=None)):
        botocore.auth.SigV4Auth(keys, service, region).add_auth(theirs)
    return {name.lower(): value for name, value in theirs.headers.items()}


def same(request: Unsigned, token: str = "", region: str = "us-east-1") -> None:
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token)
    for service in ("bedrock", "sts"):
        ours = sign(request, keys, region=region, at=AT, service=service)
        theirs = by_botocore(request, token, region, service)
        assert ours == {name: theirs[name] for name in ours}
        assert ("x-amz-security-token" in ours) == bool(token)


URLS = [
    f"{HOST}/model/anthropic.claude-v2/converse",
    f"{HOST}/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
    f"{HOST}/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse-stream",
    f"{HOST}/model/{ARN}/converse",
    f"{HOST}/model/a%20b%2Fc~d_e-f.g/invoke",
    f"{HOST}/model/%E6%9D%B1/invoke",
    f"{HOST}",
    f"{HOST}/",
    f"{HOST}/a//b/./c/../d/",
    f"{HOST}/../..",
    f"{HOST}/a?b=2&a=1&a=0&empty=&bare",
    "https://example.com:443/a",
    "https://example.com:8443/a",
    "http://localhost:80/a",
    "http://[::1]:8080/a",
]


@pytest.mark.parametrize("token", ["", "session//token=="])
@pytest.mark.parametrize("url", URLS)
def test_botocore_signs_the_same(url: str, token: str) -> None:
    same(Unsigned("POST", url, {"Content-Type": "application/json"}, b'{"a":1}'), token)
    same(Unsigned("get", url, {}, b""), token, "eu-central-2")


def test_headers_are_signed_by_their_trimmed_values_and_those_of_the_way_are_not() -> None:
    headers = {
        "Content-Type": "application/json",
        "X-Spaced": "  a   b\tc  ",
        "User-Agent": "me",
        "Connection": "keep-alive",
        "traceparent": "00-1-2-00",
        "Authorization": "Bearer old",
        "X-Amz-Date": "20200101T000000Z",
        "X-Amz-Security-Token": "old",
    }
    signed = sign(
        Unsigned("POST", URLS[0], headers, b"{}"), Credentials("A", "b", "t"), region="r", at=AT
    )
    names = "content-type;host;x-amz-date;x-amz-security-token;x-spaced"
    assert f"SignedHeaders={names}," in signed["authorization"]
    assert signed["x-amz-date"] == "20260203T040506Z"
    kept = {name: headers[name] for name in ("Content-Type", "X-Spaced", "User-Agent")}
    same(Unsigned("POST", URLS[0], kept, b"{}"), "t")


def test_the_time_is_told_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=9)))
    request, keys = Unsigned("GET", URLS[0], {}, b""), Credentials("A", "b")
    assert sign(request, keys, region="r", at=local) == sign(request, keys, region="r", at=AT)


paths = st.text(st.sampled_from("abZ09-_.~:/%2 =+@é"), max_size=20).map(lambda path: "/" + path)


@given(paths, st.binary(max_size=40), st.sampled_from(["", "tok"]))
@settings(max_examples=300)
def test_botocore_signs_any_path_the_same(path: str, body: bytes, token: str) -> None:
    same(Unsigned("POST", HOST + path, {"content-type": "application/json"}, body), token)
