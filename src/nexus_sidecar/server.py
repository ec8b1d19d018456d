"""`nexus sidecar`: the app behind the gate, on uvicorn."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from nexus_sdk.errors import BadSettings
from nexus_sdk.nexus import Nexus
from nexus_sdk.policy.document import Key
from nexus_sdk.policy.load import load_policy
from nexus_sdk.policy.pepper import pepper
from nexus_sdk.stages.identity import ENTROPY_BYTES, digest, hint, mint
from nexus_sidecar.app import App
from nexus_sidecar.gate import Limits, gate
from nexus_sidecar.metrics import Metrics
from nexus_sidecar.operations import Operations
from nexus_sidecar.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

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
    """A sidecar that is ready to serve. `url` is where, `minted` a key made for this run because
    the policy has none: a sidecar is never open to everybody.

    Raises BadPolicy, and BadSettings when it cannot listen there or the certificate cannot be used.
    """

    def __init__(self, policy: Source, options: Options, settings: Settings) -> None:
        metrics = Metrics()
        source = policy if policy is not None else settings.policy
        self.minted, keys = _first_key(source, settings)
        self._socket = _listening(options)
        with ExitStack() as opened:
            opened.callback(self._socket.close)
            self.nexus = Nexus(
                source, settings=settings, observe=metrics.observe, keys=keys, durable=True
            )
            opened.callback(self.nexus.close)
            watch = Watch(self.nexus)
            operations = Operations(self.nexus, metrics, metrics_anywhere=options.metrics_anywhere)
            app = App(self.nexus, metrics, operations, watch)
            body = self.nexus.snapshot.policy.admission.max_body_bytes
            limits = Limits(body=body, refused=lambda refused: metrics.refused(refused.code))
            self._server = _Server(_configured(app, limits, options), watch)
            opened.pop_all()
        scheme = "https" if options.certificate else "http"
        host, port = self._socket.getsockname()[:2]
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until asked to stop (SIGINT, SIGTERM, `stop`). `ready` is called once connections
        are accepted."""
        self._server.ready = ready
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


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is ready, reads the policy again on SIGHUP, and comes back to
    its caller after a signal instead of ending the process by it."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch
        self.ready: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._watch.ask)
        if self.started and self.ready is not None:
            self.ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  uvicorn's signature
        """The first signal lets streams end, a second SIGINT does not."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _configured(app: App, limits: Limits, options: Options) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=gate(limits),
        ws="none",
        lifespan="on",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
    )
    try:
        config.load()
    except OSError as err:  # ssl.SSLError too
        raise BadSettings(f"the certificate {options.certificate} cannot be used: {err}") from err
    return config


def _first_key(source: Source, settings: Settings) -> tuple[str, list[Key]]:
    """A key for this run alone when the policy has none; it holds until the end of the run."""
    document = load_policy(source, environ_lookup=settings.lookup).document
    if document.keys:
        return "", []
    minted = mint(secrets.token_bytes(ENTROPY_BYTES))
    secret = pepper(document, settings.state_dir, entropy=secrets.token_bytes)
    key = Key(id="this-run", digest=digest(minted, secret), hint=hint(minted), name="made at start")
    return minted, [key]


def _listening(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let another program take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
    except OSError as err:
        listener.close()
        raise BadSettings(
            f"cannot listen on {options.host} port {options.port}: {err.strerror or err}; "
            "choose another"
        ) from err
    return listener
