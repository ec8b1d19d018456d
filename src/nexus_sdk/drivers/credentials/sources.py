"""Where each kind of credential is had: a generator that yields the exchanges it needs, is sent
their responses, and returns what was granted. Files are read on the way; they are small and local.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.errors import BadSettings, UpstreamFailed
from nexus_sdk.model import Failure, Response
from nexus_sdk.providers import aws_credentials, oauth
from nexus_sdk.providers.credentials import KINDS
from nexus_sdk.providers.oauth import TokenRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.model import Credential

EARLY_S = 60.0
"""A grant is renewed so long before it expires: longer than a request is on its way."""
MAX_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Grant:
    """A token, or keys to sign with. `expires_at`: seconds since the epoch; None: never."""

    token: str = field(default="", repr=False)
    keys: aws_credentials.Credentials | None = None
    expires_at: float | None = None

    def fresh(self, now: float, early_s: float = EARLY_S) -> bool:
        return self.expires_at is None or now < self.expires_at - early_s


@dataclass(frozen=True, slots=True)
class World:
    """What the process has: the environment, and the time."""

    lookup: Callable[[str], str | None]
    now: Callable[[], float]


type Steps = Generator[TokenRequest, Response | Failure, Grant]


def steps(credential: Credential, world: World) -> Steps:
    """How `credential` is had. Raises BadSettings and UpstreamFailed, in words for the operator."""
    return _STEPS[credential.kind](_Asked(credential, world))


class _Asked:
    """A credential's fields, from the policy or else from the process's environment."""

    def __init__(self, credential: Credential, world: World) -> None:
        self.credential = credential
        self.world = world
        self._surroundings = KINDS[credential.kind].surroundings

    def get(self, name: str) -> str:
        """Empty when nobody said."""
        variable = self._surroundings.get(name)
        given = self.credential.get(name)
        return given or (self.world.lookup(variable) or "" if variable else "")

    def need(self, name: str) -> str:
        if text := self.get(name):
            return text
        raise BadSettings(
            f"credentials of kind {self.credential.kind!r} need {name}: give it in the policy, "
            f"or set {self._surroundings[name]}"
        )

    def home(self, variable: str, *parts: str) -> str:
        """The path that a variable names, else one below the home folder."""
        named = self.world.lookup(variable) if variable else None
        home = self.world.lookup("HOME") or self.world.lookup("USERPROFILE") or "~"
        return named or str(Path(home).joinpath(*parts))


def _read(path: str) -> str:
    """Raises BadSettings, which never quotes the file."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode()
    except (OSError, ValueError) as err:
        raise BadSettings(
            f"the credentials' file {path} cannot be read ({type(err).__name__})"
        ) from None


def _read_if_there(path: str) -> str:
    return _read(path) if Path(path).is_file() else ""


def _answer(reply: Response | Failure, source: str) -> Response:
    if isinstance(reply, Failure):
        raise UpstreamFailed(f"{source} gave no token: {reply.reason}", failure=reply)
    return reply


def _exchanged(request: TokenRequest, asked: _Asked, source: str) -> Steps:
    reply = _answer((yield request), source)
    token = oauth.token_of(reply.status, reply.body, asked.world.now(), source)
    return Grant(token.text, expires_at=token.expires_at)


def _fixed(asked: _Asked) -> Steps:
    yield from ()
    return Grant(asked.get("token"))


def _google_service_account(asked: _Asked) -> Steps:
    text = asked.get("key_json") or _read(asked.get("file"))
    request = oauth.google_service_account(text, asked.credential.audience, asked.world.now())
    return (yield from _exchanged(request, asked, "Google"))


def _google_metadata(asked: _Asked) -> Steps:
    request = oauth.google_metadata(asked.credential.audience)
    return (yield from _exchanged(request, asked, "Google's metadata service"))


def _entra_client(asked: _Asked) -> Steps:
    request = oauth.entra_client(
        asked.get("tenant"),
        asked.get("client_id"),
        asked.get("client_secret"),
        asked.credential.audience,
    )
    return (yield from _exchanged(request, asked, "Entra ID"))


def _entra_managed(asked: _Asked) -> Steps:
    request = oauth.entra_managed(
        asked.credential.audience,
        asked.get("client_id"),
        endpoint=asked.get("endpoint"),
        header=asked.get("header"),
    )
    return (yield from _exchanged(request, asked, "Azure's identity endpoint"))


def _ibm_iam(asked: _Asked) -> Steps:
    return (yield from _exchanged(oauth.ibm_iam(asked.get("api_key")), asked, "IBM's IAM"))


# ---- AWS -----------------------------------------------------------------------------------------


def _signing(keys: aws_credentials.Credentials) -> Grant:
    return Grant(keys=keys, expires_at=keys.expires_at)


def _aws_static(asked: _Asked) -> Steps:
    yield from ()
    return _signing(
        aws_credentials.Credentials(
            asked.get("access_key_id"), asked.get("secret_access_key"), asked.get("session_token")
        )
    )


def _aws_profile(asked: _Asked) -> Steps:
    file = asked.get("file") or asked.home("", ".aws", "credentials")
    config = asked.home("AWS_CONFIG_FILE", ".aws", "config")
    name = asked.get("profile") or "default"
    found = aws_credentials.profile(_read_if_there(file), _read_if_there(config), name)
    if found.credentials is not None:
        return _signing(found.credentials)
    if found.web_identity is not None:
        return (yield from _assumed(found.web_identity, asked))
    way = f" through {found.other}, which is not read here" if found.other else ""
    raise BadSettings(
        f"the AWS profile {name!r} gives no keys{way}; put keys or a web identity into it, or "
        "take another kind of credentials"
    )


def _aws_web_identity(asked: _Asked) -> Steps:
    identity = aws_credentials.WebIdentity(
        asked.need("role_arn"), asked.need("file"), asked.get("session_name") or "nexus"
    )
    return (yield from _assumed(identity, asked))


def _assumed(identity: aws_credentials.WebIdentity, asked: _Asked) -> Steps:
    token = _read(identity.token_file)
    region = asked.credential.get("region")
    url, headers, body = aws_credentials.web_identity_request(region, identity, token)
    reply = _answer((yield TokenRequest("POST", url, headers, body)), "STS")
    return _signing(aws_credentials.of_web_identity(reply.status, reply.body))


def _aws_container(asked: _Asked) -> Steps:
    relative, full = asked.get("relative_uri"), asked.get("full_uri")
    if not relative and not full:
        raise BadSettings(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is not set: this process is in no ECS task and "
            "in no pod with an identity"
        )
    token = asked.get("token")
    if file := asked.get("token_file"):
        token = _read(file).strip()
    url = aws_credentials.container_url(relative, full)
    headers = {"authorization": token} if token else {}
    request = TokenRequest("GET", url, headers, local=url.startswith("http:"))
    reply = _answer((yield request), "the container's endpoint")
    return _signing(aws_credentials.of_container(reply.status, reply.body))


_STEPS: Mapping[str, Callable[[_Asked], Steps]] = MappingProxyType(
    {
        "token": _fixed,
        "google_service_account": _google_service_account,
        "google_metadata": _google_metadata,
        "entra_client": _entra_client,
        "entra_managed": _entra_managed,
        "ibm_iam": _ibm_iam,
        "aws_static": _aws_static,
        "aws_profile": _aws_profile,
        "aws_container": _aws_container,
        "aws_web_identity": _aws_web_identity,
    }
)
