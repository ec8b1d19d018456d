"""`nexus sidecar`, served for real, and `nexus demo`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.cli.cli_lab import EMAIL, nexus

from nexus_sdk.demo.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAIN = "from nexus_sdk.cli import main; main()"


@pytest.fixture
def models(here: Path) -> Iterator[ModelServer]:
    with ModelServer() as server:
        (here / "nexus.yaml").write_text(
            "providers:\n  demo:\n    kind: openai_compatible\n"
            f"    base_url: {server.url}/v1\n    private_network: true\n"
            "routing: {models: {fast: demo/small}}\n"
        )
        yield server


class Running:
    """A sidecar in a process of its own, ready to answer."""

    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "sidecar", "--port", "0", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()

    def stop(self) -> str:
        """What stood on standard error."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=30)[1]


def ask(url: str, key: str) -> Any:
    body = {"model": "fast", "messages": [{"role": "user", "content": f"mail {EMAIL}"}]}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent otherwise there")
def test_a_key_that_was_made_opens_the_sidecar_and_no_other(models: ModelServer) -> None:
    key = nexus("keys", "create", "--name", "Ada", "--user", "ada", "--quiet").out.strip()
    running = Running()
    try:
        url = running.first_line.strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        answer = ask(url, key)
        assert EMAIL in answer["choices"][0]["message"]["content"]
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(url, "nvk_" + "0" * 64)
        assert refused.value.code == 401
        refused.value.close()
    finally:
        err = running.stop()
    assert running.process.returncode == 0
    assert EMAIL not in str([seen.body for seen in models.requests])
    assert f"curl {url}/v1/chat/completions" in err
    assert "nvk_" not in err
    assert "Traceback" not in err
    assert nexus("audit", "verify").status == 0
    groups = nexus("usage", "--by", "user", "--json").json["groups"]
    assert {group["name"]: group["errors"] for group in groups} == {"ada": 0, "(none)": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent otherwise there")
def test_without_keys_one_is_made_and_shown_once(models: ModelServer) -> None:
    running = Running("--json")
    try:
        told = json.loads(running.first_line)
        assert set(told) == {"url", "policy"}
        assert running.process.stderr is not None
        shown = [running.process.stderr.readline() for _ in range(2)]
        (key,) = re.findall(r"KEY=(nvk_[0-9a-f]{64})", "".join(shown))
        assert ask(told["url"], key)["choices"]
    finally:
        rest = running.stop()
    assert key not in rest


@pytest.mark.parametrize("args", [("--certificate", "nexus.yaml"), ("--key-file", "nexus.yaml")])
def test_a_certificate_needs_its_key(models: ModelServer, args: tuple[str, str]) -> None:
    ended = nexus("sidecar", *args)
    assert ended.status == 2
    assert "go together" in ended.err


def test_a_port_that_is_taken_is_told(models: ModelServer) -> None:
    port = models.url.rpartition(":")[2]
    ended = nexus("sidecar", "--port", port, "--json")
    assert (ended.status, ended.error["code"]) == (3, "bad_settings")
    assert f"port {port}" in ended.error["message"]


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("server", "gate", "app"):
        monkeypatch.delitem(sys.modules, f"nexus_sidecar.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ended = nexus("sidecar", "--json")
    assert ended.status == 4
    assert "nexus-sdk[sidecar]" in ended.error["message"]


@pytest.mark.parametrize("status", [0, 1])
def test_demo_runs_the_show(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    seen = []

    def run(console: Any, *, live: bool) -> int:
        console.print("on stage")
        seen.append(live)
        return status

    show = ModuleType("nexus_sdk.demo.show")
    show.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, show.__name__, show)
    ended = nexus("demo")
    assert (ended.status, ended.out) == (status, "on stage\n")
    as_json = nexus("demo", "--live", "--json")
    assert (as_json.status, as_json.json) == (status, {"ok": status == 0})
    assert seen == [False, True]
