"""Servers in processes of their own, so that their CPU is told apart from ours."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.rows import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

START_TIMEOUT_S = 120.0
"""LiteLLM's proxy takes half a minute on a busy machine."""
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens. `path` of its chat endpoint, `model`: what it calls ours, `headers`
    that a call needs."""

    pid: int
    url: str
    path: str = "/v1/chat/completions"
    model: str = "bench"
    headers: Mapping[str, str] = field(default_factory=dict)


class CannotStart(Exception):
    """A server did not come up; the message says what it printed last."""


@contextlib.contextmanager
def announced(*command: str, python: str = sys.executable) -> Iterator[tuple[int, list[str]]]:
    """A Python program of ours, until the end of the block: its process id, and the words of the
    line that it prints once it listens. Raises CannotStart."""
    process = subprocess.Popen([python, *command], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with process, stopped(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise CannotStart(f"{' '.join(command)} ended before it listened")
        yield process.pid, line.split()


@contextlib.contextmanager
def listening(
    command: Sequence[str], port: int, *, environ: Mapping[str, str], cwd: Path | None = None
) -> Iterator[int]:
    """A foreign program, until the end of the block: its process id, once `port` accepts
    connections. Raises CannotStart."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **environ}
        )
        with process, stopped(process):
            if not _accepts(process, port):
                output.seek(0)
                raise CannotStart(
                    output.read()[-300:].strip() or f"{command[0]} ended without a word"
                )
            yield process.pid


@contextlib.contextmanager
def stopped(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    """End the process at the end of the block, politely first."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.1)
    return False


@contextlib.contextmanager
def model_server() -> Iterator[str]:
    """The upstream of every comparison; gives its base URL."""
    with announced("-m", "nexus_sdk.demo.model_server", "--port", "0", "--keep", "10") as (
        _,
        (url,),
    ):
        yield url


def asked(upstream: str) -> int:
    """How many requests the model server has received."""
    with urllib.request.urlopen(f"{upstream}/_seen", timeout=10) as reply:
        seen = json.load(reply)["requests"]
    return max((request["number"] for request in seen), default=0)


@contextlib.contextmanager
def sidecar(upstream: str, cache: Path) -> Iterator[Server]:
    """Our sidecar under the policy of every measurement."""
    with announced("-m", "bench.sidecar_process", upstream, str(cache)) as (pid, (url, key)):
        yield Server(pid, url, headers={"authorization": f"Bearer {key}"})


@contextlib.contextmanager
def forwarder(upstream: str, client: str, python: str = sys.executable) -> Iterator[Server]:
    """An ASGI application that only forwards, through one of `forwarder.CLIENTS`."""
    with announced("-m", "bench.forwarder", upstream, client, python=python) as (pid, (url,)):
        yield Server(pid, url)
