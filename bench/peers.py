"""Other gateways, where `make bench-peers` could install them: each with one worker, forwarding to
our upstream.

None of them inspects anything here: what is measured is their way from one socket to the other.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rows import ROOT
from bench.servers import Server, announced, forwarder, free_port, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    type Start = Callable[[str, Path], AbstractContextManager[Server]]

HOME = ROOT / "build" / "peers"
KEY = "sk-bench"


@dataclass(frozen=True, slots=True)
class Peer:
    """`needs`: the file below HOME by which we know that it is installed."""

    name: str
    needs: str
    start: Start

    def installed(self) -> Path | None:
        """That file, or None."""
        found = HOME / self.needs
        return found if found.exists() else None


@contextlib.contextmanager
def aiohttp(upstream: str, python: Path) -> Iterator[Server]:
    with forwarder(upstream, "aiohttp", str(python)) as server:
        yield server


@contextlib.contextmanager
def litellm(upstream: str, program: Path) -> Iterator[Server]:
    """Its proxy, without a database."""
    row = {"model": "openai/bench", "api_base": f"{upstream}/v1", "api_key": KEY}
    config = {"model_list": [{"model_name": "bench", "litellm_params": row}]}
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(json.dumps(config))  # JSON is YAML
        command = [str(program), "--config", str(path), "--port", str(port), "--num_workers", "1"]
        master = f"sk-{secrets.token_urlsafe(32)}"  # it starts with none that is weak
        environ = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MASTER_KEY": master,
            "HOME": folder,
        }
        with listening([*command, "--host", "127.0.0.1"], port, environ=environ) as pid:
            headers = {"authorization": f"Bearer {master}"}
            yield Server(pid, f"http://127.0.0.1:{port}", headers=headers)


@contextlib.contextmanager
def portkey(upstream: str, program: Path) -> Iterator[Server]:
    port = free_port()
    environ = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1"}
    command = ["node", str(program), f"--port={port}", "--headless"]
    headers = {
        "authorization": f"Bearer {KEY}",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"{upstream}/v1",
    }
    with listening(command, port, environ=environ) as pid:
        yield Server(pid, f"http://127.0.0.1:{port}", headers=headers)


TENSORZERO = """
[gateway]
observability.enabled = false

[models.bench]
routing = ["local"]

[models.bench.providers.local]
type = "openai"
model_name = "bench"
api_base = "{upstream}/v1"
api_key_location = "none"
"""


@contextlib.contextmanager
def tensorzero(upstream: str, python: Path) -> Iterator[Server]:
    """Its gateway as its Python package embeds it: the Rust server, in a Python process that
    only waits."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "tensorzero.toml")
        config.write_text(TENSORZERO.format(upstream=upstream))
        program = str(Path(__file__).with_name("tensorzero_process.py"))
        with announced(program, str(config), python=str(python)) as (pid, (url,)):
            yield Server(
                pid, url, path="/openai/v1/chat/completions", model="tensorzero::model_name::bench"
            )


BIN = "Scripts" if sys.platform == "win32" else "bin"
PEERS = (
    Peer("a bare forwarder on aiohttp", f"forwarder/{BIN}/python", aiohttp),
    Peer("TensorZero", f"tensorzero/{BIN}/python", tensorzero),
    Peer("Portkey", "portkey/node_modules/@portkey-ai/gateway/build/start-server.js", portkey),
    Peer("LiteLLM proxy", f"litellm/{BIN}/litellm", litellm),
)
