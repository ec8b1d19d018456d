"""`nexus sidecar`: the app behind the gate, on uvicorn."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from nexus_sdk.nexus import Nexus
from nexus_sdk.policy.document import Key
from nexus_sdk.policy.pepper import pepper
from nexus_sdk.stages.identity import ENTROPY_BYTES, digest, hint, mint
from nexus_sidecar.app import App
from nexus_sidecar.gate import Limits, gate
from nexus_sidecar.metrics import Metrics


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nexus_sdk.policy.load import Source
    from nexus_sdk.settings import Settings

DRAIN_S = 30
"""How long streams may go on after the server was asked to stop."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where to listen, and how. `port` 0: any free one. `certificate` and `key` are PEM files."""

    host: str = "127.0.0.1"
    port: int = 8787
    certificate: Path | None = None
    key: Path | None = None
    metrics_anywhere: bool = False


class Sidecar:
    """A sidecar that is ready to serve. `url` is where, `minted` a key made for it because the policy has none."""

    def __init__(self, policy: Source, options: Options, settings: Settings) -> None:
        metrics = Metrics()
        self.minted = ""
        self.nexus = Nexus(policy, settings=settings, observe=metrics.observe)
        if not len(self.nexus.snapshot.keys):
            self.minted = mint(secrets.token_bytes(ENTROPY_BYTES))
            self.nexus.close()
            self.nexus = Nexus(
                policy, settings=settings, observe=metrics.observe, keys=[self._first_key(settings)]
            )
        body = self.nexus.snapshot.policy.admission.max_body_bytes
        limits = Limits(body=body, refused=lambda refused: metrics.refused(refused.code))
        config = uvicorn.Config(
            App(self.nexus, metrics, metrics_anywhere=options.metrics_anywhere),
            http=gate(limits),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
            ssl_certfile=options.certificate,
            ssl_keyfile=options.key,
        )
        self._socket = _listening(options)
        scheme = "https" if options.certificate else "http"
        host, port = self._socket.getsockname()[:2]
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        self._server = uvicorn.Server(config)

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until asked to stop (SIGINT, SIGTERM, `stop`)."""
        if ready is not None:
            ready()
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self.nexus.close()

    def stop(self) -> None:
        """Ask it to stop, from any thread: what is under way is served to its end."""
        self._server.should_exit = True

    @property
    def started(self) -> bool:
        return self._server.started

    def _first_key(self, settings: Settings) -> Key:
        """A key for this run alone, so that a sidecar is never open to everybody."""
        secret = pepper(self.nexus.snapshot.policy, settings.state_dir, entropy=secrets.token_bytes)
        return Key(
            id="this-run",
            digest=digest(self.minted, secret),
            hint=hint(self.minted),
            name="made at start",
        )


def _listening(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((options.host, options.port))
    return listener
