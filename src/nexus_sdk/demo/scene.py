"""What the demonstration plays on: a policy, an upstream one can look into, a folder that goes."""

from __future__ import annotations

import importlib
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexus_sdk.client import OpenAI
from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.errors import BadSettings
from nexus_sdk.nexus import Nexus
from nexus_sdk.results import http
from nexus_sdk.settings import Settings, from_environment

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from nexus_sdk.model import Event

MODEL = "gpt-4o-mini"
STREAMED = "gpt-4o-mini-live"
"""The same model; the local server gives it a human pace."""
CLAUDE = "claude-sonnet-5"
"""A name that Anthropic's client asks for; the policy sends it to `MODEL`."""
CODE_NAME = "Bluebird"
TRAINEE, TRAINEE_CALLS = "trainee", 3
LIVE_KEY = "OPENAI_API_KEY"


def policy(openai: dict[str, Any], *, pace: str = "") -> dict[str, Any]:
    """The demonstration's policy, with this provider. `pace` is behind the streamed model's
    name."""
    packs = ["nexus/pii", "nexus/secrets"]
    return {
        "name": "demo",
        "providers": {"openai": {"kind": "openai", **openai}},
        "routing": {
            "models": {
                MODEL: f"openai/{MODEL}",
                STREAMED: f"openai/{MODEL}{pace}",
                CLAUDE: f"openai/{MODEL}",
            }
        },
        "compliance": {
            "hooks": [
                {"name": "data", "stages": ["request"], "packs": packs, "action": "redact"},
                {
                    "name": "projects",
                    "stages": ["request"],
                    "own": [{"id": "project.names", "words": ["Project Nightjar"]}],
                    "action": "block",
                },
                {
                    "name": "answers",
                    "stages": ["response"],
                    "own": [{"id": "code.names", "words": [CODE_NAME]}],
                    "action": "redact",
                },
            ]
        },
        "limits": [
            {
                "name": "trainees",
                "unit": "requests",
                "max": TRAINEE_CALLS,
                "window": "day",
                "per": ["user"],
                "when": {"user": [TRAINEE]},
            }
        ],
        "cache": {"enabled": True},
        "prices": {f"openai/{MODEL}*": {"input": 0.15, "output": 0.60, "cache_read": 0.075}},
        "audit": {"mode": "strict"},
    }


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it reached the upstream."""

    path: str
    body: bytes
    headers: dict[str, str] = field(repr=False)

    @property
    def said(self) -> str:
        """The words of its last message."""
        content: Any = json.loads(self.body)["messages"][-1]["content"]
        return content if isinstance(content, str) else "".join(part["text"] for part in content)


class Scene:
    """Use it in a `with`. Live: raises BadSettings without `OPENAI_API_KEY`."""

    def __init__(self, *, live: bool) -> None:
        self.live = live
        self.events: list[Event] = []
        self._open = ExitStack()
        self._models: ModelServer | None = None
        self._left: list[Received] = []

    def __enter__(self) -> Self:
        try:
            self.folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
            environment = from_environment() if self.live else None
            self.settings = Settings(
                state_dir=self.folder / "state",
                cache_dir=self.folder / "cache",
                node="demo",
                environ=environment.environ if environment else {},
            )
            self.policy = self._live_policy() if self.live else self._local_policy()
            self.nexus = self._open.enter_context(
                Nexus(self.policy, settings=self.settings, observe=self.events.append)
            )
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def client(self, *, user: str = "") -> OpenAI:
        """What a user has from `OpenAI()`. Live, an HTTP client of its own tells us what it
        sends."""
        sees: dict[str, Any] = {}
        if self.live:
            seeing = http.Client(event_hooks={"request": [self._note]})
            sees["http_client"] = self._open.enter_context(seeing)
        client = OpenAI(nexus=self.nexus, user=user, api_key="none", **sees)
        return self._open.enter_context(client)

    @property
    def received(self) -> list[Received]:
        """What reached the upstream. Live, only what this process's own clients sent."""
        if self._models is None:
            return self._left
        return [Received(one.path, one.body, dict(one.headers)) for one in self._models.requests]

    def _note(self, request: Any) -> None:
        self._left.append(Received(request.url.path, request.read(), dict(request.headers)))

    def _local_policy(self) -> dict[str, Any]:
        self._models = self._open.enter_context(ModelServer())
        here = {"base_url": f"{self._models.url}/v1", "private_network": True}
        return policy({**here, "api_key": "the-key-of-the-provider"}, pace=";chunk-delay=0.06")

    def _live_policy(self) -> dict[str, Any]:
        api_key = self.settings.lookup(LIVE_KEY)
        if not api_key:
            raise BadSettings(
                f"nexus demo --live asks OpenAI itself: set {LIVE_KEY}, or leave --live out"
            )
        return policy({"api_key": api_key})

    @property
    def last(self) -> Event:
        """The newest audit event."""
        return self.events[-1]


def installed(name: str) -> Any:
    """The module, None when its package is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None
