"""`nexus doctor`."""

from __future__ import annotations

import shutil
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.sdk.cli.cli_lab import PROVIDER_KEY, event, nexus, record

from nexus_sdk.cli import checks
from nexus_sdk.demo.model_server import ModelServer

if TYPE_CHECKING:
    from pathlib import Path


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def verdicts(*args: str, **env: str) -> dict[str, Any]:
    told = nexus("doctor", "--json", *args, env=env).json
    found = {check["name"]: check for check in told["checks"]}
    assert told["ok"] == all(check["verdict"] != "fail" for check in told["checks"])
    return found


def test_a_sound_installation(state: Path) -> None:
    record(state, event(1))
    ended = nexus("doctor", env={"OPENAI_API_KEY": PROVIDER_KEY})
    assert ended.status == 0, ended.out
    told = verdicts(OPENAI_API_KEY=PROVIDER_KEY)
    assert {check["verdict"] for check in told.values()} == {"ok"}
    assert told["audit trail"]["seen"] == "1 events in 1 chains"
    assert "hyperscan" in told["matcher"]["seen"]
    assert told["providers"]["seen"] == "openai"
    assert "OPENAI_API_KEY" in told["environment"]["seen"]
    assert PROVIDER_KEY not in ended.out + str(told)


def test_it_changes_nothing_in_a_new_installation(here: Path) -> None:
    told = verdicts()
    assert told["providers"]["verdict"] == "warn"
    assert told["state folder"]["seen"].endswith("will be made when needed")
    assert not (here.parent / "state").exists()


def test_a_policy_that_is_not_valid(here: Path) -> None:
    (here / "nexus.yaml").write_text("nme: x\nlimts: []\n")
    ended = nexus("doctor")
    assert ended.status == 1
    assert "nexus.yaml:1: nme: " in ended.out
    assert "(and 1 more)" in ended.out
    assert "policy: run `nexus policy check`" in ended.out
    assert verdicts("--policy", "gone.yaml")["policy"]["verdict"] == "fail"


def test_settings_that_are_not_valid() -> None:
    told = verdicts(NEXUS_POLCY="x")
    assert told["settings"]["verdict"] == "fail"
    assert "NEXUS_POLCY" in told["settings"]["seen"]


@pytest.mark.parametrize(
    ("policy", "seen"),
    [
        ("switches: {kill: true}", "kill switch"),
        ("switches: {bypass_compliance_until: 2999-01-01T00:00:00Z}", "until 2999"),
    ],
)
def test_switches_that_are_on(here: Path, policy: str, seen: str) -> None:
    (here / "nexus.yaml").write_text(policy + "\n")
    told = verdicts()["switches"]
    assert told["verdict"] == "warn"
    assert seen in told["seen"]


def test_a_trail_that_was_tampered_with(state: Path) -> None:
    trail = record(state, event(1))
    (segment,) = trail.glob("*/*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"ada"', b'"bob"'))
    told = verdicts()["audit trail"]
    assert (told["verdict"], told["advice"]) == ("fail", "run `nexus audit verify`")
    (state / "audit.key").unlink()
    assert "audit.key is gone" in verdicts()["audit trail"]["seen"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_a_folder_that_others_may_write(state: Path) -> None:
    state.chmod(0o777)
    told = verdicts()["state folder"]
    assert (told["verdict"], told["advice"]) == ("warn", f"chmod 700 {state}")


def test_a_folder_that_cannot_be(here: Path) -> None:
    (here / "file").write_text("")
    told = verdicts(NEXUS_CACHE_DIR=str(here / "file" / "cache"))
    assert told["cache folder"]["verdict"] == "fail"
    assert "NEXUS_CACHE_DIR" in told["cache folder"]["advice"]
    assert told["matcher"]["verdict"] == "warn"


@pytest.mark.parametrize(
    ("free", "verdict"), [(2 << 30, "ok"), (100 << 20, "warn"), (1 << 20, "fail")]
)
def test_disk_space(monkeypatch: pytest.MonkeyPatch, free: int, verdict: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(free, 0, free))
    assert verdicts()["disk"]["verdict"] == verdict


def test_clocks(state: Path) -> None:
    trail = record(state, event(1))
    assert checks.clock(trail, 0.0).verdict == "fail"
    assert checks.clock(trail, time.time() - 3600).verdict == "warn"
    assert checks.clock(trail, time.time()).verdict == "ok"
    assert checks.clock(state / "none", time.time()).verdict == "ok"


def test_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name in ("orjson", "uvicorn", "hyperscan"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    told = verdicts()
    assert (told["packages"]["verdict"], told["packages"]["seen"]) == ("fail", "missing: orjson")
    assert (told["sidecar"]["verdict"], told["sidecar"]["seen"]) == ("warn", "missing: uvicorn")
    assert told["matcher"]["verdict"] == "warn"


def test_providers_are_asked_only_on_demand_and_without_a_key(here: Path) -> None:
    with ModelServer() as server:
        (here / "nexus.yaml").write_text(
            "providers:\n"
            f"  up: {{kind: openai_compatible, base_url: '{server.url}/v1', private_network: true, "
            f"api_key: {PROVIDER_KEY}}}\n"
            "  down: {kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', "
            "private_network: true}\n"
        )
        assert not [name for name in verdicts() if name.startswith("provider ")]
        assert not server.requests
        told = verdicts("--network")
        (seen,) = list(server.requests)
    assert told["provider up"]["verdict"] == "ok"
    assert told["provider down"]["verdict"] == "fail"
    assert PROVIDER_KEY not in str(seen)
