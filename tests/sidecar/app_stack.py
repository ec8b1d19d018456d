"""A sidecar over real sockets, in front of a model server on this machine."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import anthropic
import httpx
import openai

from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.drivers.spool import events
from nexus_sdk.settings import Settings
from nexus_sdk.stages.identity import digest, hint, mint
from nexus_sidecar.server import Options, Sidecar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nexus_sdk.demo.journal import Seen
    from nexus_sdk.model import Event

SCRIPTS = {
    "slow": "chunk-delay=0.05;chunks=400",
    "brief": "chunk-delay=0.02;chunks=30",
    "silent": "hang",
    "stuck": "chunks=400;hang-after=2000",
    "endless": "chunks=100000",
    "html": "html",
    "garbage": "garbage",
    "empty": "empty",
    "error-in-200": "error-in-200",
    "cut": "cut-after=150",
    "reset": "cut-after=150;reset",
    "ended": "end-after=150",
    "busy": "status=429;retry-after=7;code=rate_limit_exceeded",
    "broken": "status=500",
    "wrong": "status=400",
    "redirect": "status=302;location=http%3A//127.0.0.1%3A9/",
    "not-utf8": "nonutf8",
    "empty-event": "empty-event",
    "comments": "comments",
    "bom": "bom",
    "crlf": "crlf",
    "cr": "cr",
    "no-blank": "no-blank",
    "split": "split=1",
    "gzip": "gzip",
    "no-done": "no-done",
    "error-event": "error-event-after=3",
}
"""Models of which each stands for a behaviour of the model server."""

MAX_BODY = 64 * 1024
PEPPER = "a pepper for tests, of more than 32 characters"


@dataclass
class Answered:
    """What a raw exchange gave."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def doc(self) -> Any:
        return json.loads(self.body)


def key(name: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A virtual key and its entry in a policy."""
    made = mint(secrets.token_bytes(32))
    entry = {"id": name, "digest": digest(made, PEPPER.encode()), "hint": hint(made)}
    return made, {**entry, **more}


def policy(url: str, **more: Any) -> dict[str, Any]:
    """Both vendors at `url`, routes across them, and two rules, which compile at once."""
    return {
        "providers": {
            name: {
                "kind": name,
                "base_url": f"{url}/v1",
                "api_key": f"the-{name}-key",
                "private_network": True,
                "timeouts": {"connect": 2, "read": 5, "total": 10},
            }
            for name in ("openai", "anthropic")
        }
        | {
            "nobody": {
                "kind": "openai_compatible",
                "base_url": "http://127.0.0.1:9/v1",
                "private_network": True,
            }
        },
        "routing": {
            "models": {
                "gpt-4o": "openai/gpt-4o",
                "claude-opus-5": "anthropic/claude-opus-5",
                "gpt-by-anthropic": "anthropic/claude-opus-5",
                "claude-by-openai": "openai/gpt-4o",
                "text-embedding-3-small": "openai/text-embedding-3-small",
                "dead": "nobody/none",
                **{name: f"openai/gpt-4o;{script}" for name, script in SCRIPTS.items()},
            },
            "unlisted": "refuse",
            "retry": {"attempts": 1},
        },
        "compliance": {
            "hooks": [
                {
                    "name": "names",
                    "stages": ["request", "response"],
                    "own": [
                        {"id": "own.employee", "expression": r"emp-\d{6}"},
                        {"id": "own.project", "words": ["Nightjar"]},
                    ],
                    "rules": {"own.project": "block"},
                }
            ]
        },
        "prices": {"openai/gpt-4o": {"input": 2.5, "output": 10}},
        "admission": {"max_body_bytes": MAX_BODY},
        "keys_pepper": PEPPER,
        **more,
    }


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(state_dir=folder / "state", cache_dir=folder / "cache", node="test", **more)


class Stack:
    """`policy_of` makes the policy, or the path of its file, from the model server's URL."""

    def __init__(
        self, folder: Path, policy_of: Callable[[str], Any] = policy, options: Options | None = None
    ) -> None:
        self._folder = folder
        self._policy_of = policy_of
        self._options = options or Options(port=0)
        self.models = ModelServer()
        self.sidecar: Sidecar
        self._noted: list[Event] = []
        self._news = threading.Condition()
        self._thread: threading.Thread

    def __enter__(self) -> Self:
        url = self.models.start()
        self.sidecar = Sidecar(self._policy_of(url), self._options, settings(self._folder))
        self._observe = self.sidecar.nexus._observe
        self.sidecar.nexus._observe = self._note
        ready = threading.Event()
        self._thread = threading.Thread(target=self.sidecar.serve, args=(ready.set,))
        self._thread.start()
        assert ready.wait(20)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self.models.stop()

    def stop(self) -> None:
        self.sidecar.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return self.sidecar.url

    @property
    def key(self) -> str:
        return self.sidecar.minted

    def openai(self, **more: Any) -> openai.OpenAI:
        given = {"api_key": self.key, **more}
        return openai.OpenAI(base_url=f"{self.url}/v1", max_retries=0, **given)

    def anthropic(self, **more: Any) -> anthropic.Anthropic:
        return anthropic.Anthropic(
            base_url=self.url, **{"api_key": self.key, "max_retries": 0, **more}
        )

    def post(self, path: str, body: Any, **headers: str) -> Answered:
        """`body` as it is when it is bytes, else as JSON; `x_demo` is the header `x-demo`."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json"}
        if self.key:
            sent["authorization"] = f"Bearer {self.key}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        got = httpx.post(self.url + path, content=content, headers=sent, timeout=20)
        return Answered(got.status_code, dict(got.headers), got.content)

    def get(self, path: str, **headers: str) -> Answered:
        got = httpx.get(
            self.url + path, headers={n.replace("_", "-"): v for n, v in headers.items()}
        )
        return Answered(got.status_code, dict(got.headers), got.content)

    def metric(self, name: str) -> float:
        """The value of one series, by name and labels as they are written; 0 without it."""
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def connect(self) -> socket.socket:
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=20)

    def send(self, path: str, body: Any) -> socket.socket:
        """A connection on which a request was sent, and nothing read yet."""
        content = json.dumps(body).encode()
        sock = self.connect()
        sock.sendall(
            f"POST {path} HTTP/1.1\r\nHost: sidecar\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        return sock

    def events(self, since: int = 0, *, count: int = 0) -> list[Event]:
        """The audit events promised, but for the first `since`; waits for `count` of them."""
        with self._news:
            assert self._news.wait_for(lambda: len(self._noted) >= since + count, 10)
            return self._noted[since:]

    def _note(self, event: Event) -> None:
        with self._news:
            self._noted.append(event)
            self._news.notify_all()
        assert self._observe is not None
        self._observe(event)

    def recorded(self) -> list[Event]:
        """Every audit event on disk."""
        return [entry.event for entry in events(self._folder / "state" / "audit")]

    def seen(self) -> tuple[Seen, ...]:
        return self.models.requests


def chat(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}
