"""Grants are asked for once, kept until shortly before they expire, and told when they cannot be
had."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson
import pytest

from nexus_sdk.drivers.credentials import AsyncSigning, Keeper, SyncSigning, local
from nexus_sdk.drivers.credentials.keeper import SPARED_S
from nexus_sdk.drivers.credentials.signing import granted
from nexus_sdk.drivers.credentials.sources import EARLY_S
from nexus_sdk.model import NOTHING, Credential, Failure, Response, Upstream
from nexus_sdk.providers.oauth import TokenRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NOW = 1_767_225_600.0
ENTRA = Credential(
    "entra_client",
    (("client_id", "c"), ("client_secret", "s"), ("tenant", "t")),
    "https://cognitiveservices.azure.com",
)
KEYS = (("access_key_id", "AKIA1"), ("region", "eu-west-1"), ("secret_access_key", "secret"))
AWS = Credential("aws_static", KEYS, "bedrock")


class Wire:
    """Both colours of an upstream client; says what it is told to, and remembers what was sent."""

    def __init__(self, *replies: Response | Failure) -> None:
        self.replies = list(replies)
        self.sent: list[Upstream] = []

    def _reply(self, upstream: Upstream) -> Response | Failure:
        self.sent.append(upstream)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def send(self, upstream: Upstream, opening: object = None) -> Any:
        return self._reply(upstream), None


class AsyncWire(Wire):
    async def send(self, upstream: Upstream, opening: object = None) -> Any:
        await asyncio.sleep(0)
        return self._reply(upstream), None


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def token(text: str, seconds: int = 3600) -> Response:
    return Response(200, {}, orjson.dumps({"access_token": text, "expires_in": seconds}))


def keeper(wire: Wire, clock: Clock | None = None, environ: Mapping[str, str] = NOTHING) -> Keeper:
    made: Any = wire
    return Keeper(made, made, environ.get, clock or Clock())


def text_of(grant: Any) -> str:
    assert not isinstance(grant, Failure), grant
    return str(grant.token)


REFUSED = Response(401, {}, b'{"error":"invalid_client"}')


def test_a_token_is_kept_until_shortly_before_it_expires() -> None:
    wire, clock = Wire(token("one"), token("two")), Clock()
    kept = keeper(wire, clock)
    assert text_of(kept.get(ENTRA)) == "one"
    clock.now += 3600 - EARLY_S - 1
    assert text_of(kept.get(ENTRA)) == "one"
    assert len(wire.sent) == 1
    clock.now += 1
    assert text_of(kept.get(ENTRA)) == "two"
    assert wire.sent[0].url.startswith("https://login.microsoftonline.com/t/")
    assert not wire.sent[0].private_network


def test_what_still_holds_is_used_when_no_other_can_be_had() -> None:
    wire, clock = Wire(token("one"), REFUSED), Clock()
    kept = keeper(wire, clock)
    kept.get(ENTRA)
    clock.now += 3600 - EARLY_S / 2
    assert text_of(kept.get(ENTRA)) == "one"
    clock.now += EARLY_S
    assert isinstance(kept.get(ENTRA), Failure)


def test_after_a_failure_nobody_asks_for_a_moment() -> None:
    wire, clock = Wire(REFUSED, token("two")), Clock()
    kept = keeper(wire, clock)
    for _ in range(3):
        failed = kept.get(ENTRA)
        assert isinstance(failed, Failure)
        assert failed.kind == "credentials"
        assert "Entra ID gave no token (status 401, invalid_client)" in failed.reason
    assert len(wire.sent) == 1
    clock.now += SPARED_S
    assert text_of(kept.get(ENTRA)) == "two"


def test_a_token_service_that_cannot_be_reached_is_named() -> None:
    failed = keeper(Wire(Failure("connect", "no route"))).get(ENTRA)
    assert isinstance(failed, Failure)
    assert failed.reason == "Entra ID gave no token: no route"


def test_many_threads_ask_once() -> None:
    wire = Wire(token("one"))
    gate, asked = threading.Event(), threading.Event()
    real = wire._reply

    def slow(upstream: Upstream) -> Response | Failure:
        asked.set()
        assert gate.wait(10)
        return real(upstream)

    wire._reply = slow  # type: ignore[method-assign]
    kept, found = keeper(wire), []
    threads = [
        threading.Thread(target=lambda: found.append(text_of(kept.get(ENTRA)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert asked.wait(10)
    gate.set()
    for thread in threads:
        thread.join(10)
    assert found == ["one"] * 8
    assert len(wire.sent) == 1


def test_many_tasks_ask_once() -> None:
    wire = AsyncWire(token("one"))
    kept = keeper(wire)

    async def ask() -> list[Any]:
        return await asyncio.gather(*(kept.aget(ENTRA) for _ in range(8)))

    assert [text_of(grant) for grant in asyncio.run(ask())] == ["one"] * 8
    assert len(wire.sent) == 1
    assert text_of(asyncio.run(kept.aget(ENTRA))) == "one", "another loop"


def test_tasks_are_told_of_a_failure() -> None:
    failed = asyncio.run(keeper(AsyncWire(REFUSED)).aget(ENTRA))
    assert isinstance(failed, Failure)


# ---- each kind -----------------------------------------------------------------------------------


def test_a_profile_s_keys(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = A\naws_secret_access_key = S\n")
    wire = Wire(REFUSED)
    made = Credential("aws_profile", (("file", str(file)), ("region", "r")), "bedrock")
    grant: Any = keeper(wire, environ={"AWS_PROFILE": "work", "HOME": str(tmp_path)}).get(made)
    assert (grant.keys.access_key, grant.keys.secret_key) == ("A", "S")
    assert not wire.sent
    missing = keeper(wire, environ={"HOME": str(tmp_path)}).get(made)
    assert isinstance(missing, Failure)
    assert "no profile 'default'" in missing.reason


def test_a_profile_of_another_way_says_which(tmp_path: Path) -> None:
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[default]\nsso_session = s\n")
    failed = keeper(Wire(REFUSED), environ={"HOME": str(tmp_path)}).get(Credential("aws_profile"))
    assert isinstance(failed, Failure)
    assert "through sso_session" in failed.reason


def test_a_web_identity(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("jwt\n")
    answer = (
        b"<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
        b"<SessionToken>T</SessionToken><Expiration>2026-01-01T01:00:00Z</Expiration>"
        b"</Credentials></R>"
    )
    wire = Wire(Response(200, {}, answer))
    made = Credential("aws_web_identity", (("region", "eu-west-1"),), "bedrock")
    environ = {"AWS_ROLE_ARN": "arn:r", "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}
    grant: Any = keeper(wire, environ=environ).get(made)
    assert grant.keys.session_token == "T"
    assert grant.expires_at == NOW + 3600
    assert wire.sent[0].url == "https://sts.eu-west-1.amazonaws.com/"
    assert parse_qs(wire.sent[0].body.decode())["WebIdentityToken"] == ["jwt"]
    failed = keeper(wire).get(made)
    assert isinstance(failed, Failure)
    assert "AWS_ROLE_ARN" in failed.reason


def test_a_file_that_is_not_there_is_told_by_name() -> None:
    made = Credential("google_service_account", (("file", "/no/such/file.json"),), "scope")
    failed = keeper(Wire(REFUSED)).get(made)
    assert isinstance(failed, Failure)
    assert "/no/such/file.json cannot be read (FileNotFoundError)" in failed.reason


def test_a_container_without_its_variables_is_told() -> None:
    failed = keeper(Wire(REFUSED)).get(Credential("aws_container"))
    assert isinstance(failed, Failure)
    assert "in no ECS task" in failed.reason


@pytest.fixture
def endpoint() -> Iterator[HTTPServer]:
    """Gives keys to whoever sends the right token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers["authorization"] == "let-me-in"
            doc = {"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T"}
            body = orjson.dumps(doc if good else {"code": "no"})
            self.send_response(200 if good else 403)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_container_s_endpoint_is_asked_beside_the_client_for_providers(
    endpoint: HTTPServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("let-me-in\n")
    url = f"http://127.0.0.1:{endpoint.server_port}/creds"
    wire = Wire(REFUSED)
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
    }
    made = Credential("aws_container", (("region", "r"),), "bedrock")
    grant: Any = keeper(wire, environ=environ).get(made)
    assert (grant.keys.access_key, grant.keys.session_token) == ("A", "T")
    grant = asyncio.run(keeper(wire, environ=environ).aget(made))
    assert grant.keys.access_key == "A"
    assert not wire.sent
    file.write_text("wrong")
    assert isinstance(keeper(wire, environ=environ).get(made), Failure)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x",
        "https://169.254.169.254/x",
        "http://metadata.google.internal/x",
        "http://127.0.0.1.evil.example/x",
        "http://169.254.169.253/x",
    ],
)
def test_nothing_but_a_metadata_service_is_asked_there(url: str) -> None:
    failed = local.fetch(TokenRequest("GET", url, {}, local=True))
    assert isinstance(failed, Failure)
    assert failed.kind == "refused_address"


def test_a_metadata_service_that_is_not_there_is_a_failure() -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = server.server_port
    server.server_close()
    failed = local.fetch(TokenRequest("GET", f"http://127.0.0.1:{port}/", {}, local=True))
    assert isinstance(failed, Failure)
    assert failed.kind == "connect"


# ---- into a request ------------------------------------------------------------------------------


def asked(credential: Credential | None) -> Upstream:
    headers = {"content-type": "application/json", "user-agent": "app/1", "accept": "*/*"}
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/a%3A0/converse"
    return Upstream("POST", url, headers, b"{}", stream=False, credential=credential)


def test_a_token_goes_into_its_header() -> None:
    wire = Wire(token("one"), Response(200, {}))
    reply, _ = SyncSigning(wire, keeper(wire)).send(asked(ENTRA))
    assert reply.status == 200  # type: ignore[union-attr]
    assert wire.sent[1].headers["authorization"] == "Bearer one"


def test_without_a_credential_nothing_changes() -> None:
    wire = Wire(Response(200, {}))
    SyncSigning(wire, keeper(wire)).send(asked(None))
    assert wire.sent == [asked(None)]


def test_without_a_grant_nothing_is_sent() -> None:
    wire = Wire(REFUSED)
    reply, _ = SyncSigning(wire, keeper(wire)).send(asked(ENTRA))
    assert isinstance(reply, Failure)
    assert len(wire.sent) == 1
    evented = AsyncWire(REFUSED)
    reply, _ = asyncio.run(AsyncSigning(evented, keeper(evented)).send(asked(ENTRA)))
    assert isinstance(reply, Failure)


def test_aws_s_own_package_makes_the_same_signature() -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.compat import get_current_datetime
    from botocore.credentials import Credentials

    wire = AsyncWire(Response(200, {}))
    asyncio.run(AsyncSigning(wire, keeper(wire)).send(asked(AWS)))
    ours = wire.sent[0].headers
    request = AWSRequest(
        "POST", asked(None).url, data=b"{}", headers={"content-type": "application/json"}
    )
    moment = ours["x-amz-date"]
    assert moment == "20260101T000000Z"
    assert get_current_datetime() is not None
    request.context["timestamp"] = moment
    signer = SigV4Auth(Credentials("AKIA1", "secret"), "bedrock", "eu-west-1")
    request.headers["X-Amz-Date"] = moment
    canonical = signer.canonical_request(request)
    told = signer.string_to_sign(request, canonical)
    assert ours["authorization"].endswith(f"Signature={signer.signature(told, request)}")
    assert ours["user-agent"] == "app/1"


def test_a_session_s_token_is_sent() -> None:
    with_session = Credential("aws_static", (*KEYS, ("session_token", "T")), "bedrock")
    grant: Any = keeper(Wire(REFUSED)).get(with_session)
    assert granted(asked(None), with_session, grant, NOW).headers["x-amz-security-token"] == "T"
