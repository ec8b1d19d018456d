"""The `nexus` command in this process, and audit trails to try it on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from nexus_sdk.cli.program import program
from nexus_sdk.drivers.spool import Spool, load_or_create_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EMAIL = "jane.doe@canary-example.com"
CARD = "4111 1111 1111 1111"
PROVIDER_KEY = "sk-canary-0123456789abcdefghij"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str
    raw: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


def nexus(*args: object, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
    """Run `nexus`; an error that is not expected fails the test."""
    result = CliRunner().invoke(
        program, [str(arg) for arg in args], input=stdin, env=env, prog_name="nexus"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)


def event(number: int, **changes: Any) -> dict[str, Any]:
    """An audit event as the pipeline writes it."""
    whole = {
        "v": 1,
        "id": f"01a202de-0000-7000-8000-{number:012d}",
        "at": f"2026-02-{1 + number % 3:02d}T10:00:00.000000+00:00",
        "node": "node-1",
        "door": "sidecar",
        "endpoint": "chat",
        "stream": False,
        "policy": "f" * 64,
        "caller": {
            "key": "k1",
            "user": "ada",
            "project": "engine",
            "organisation": "",
            "app": "",
            "tags": {},
            "peer": "10.0.0.1",
        },
        "model": "fast",
        "status": 200,
        "outcome": "complete",
        "error": None,
        "decision": "approve",
        "findings": [],
        "findings_omitted": 0,
        "redacted": 0,
        "restored": 0,
        "route": {"provider": "openai", "model": "gpt-4o-mini", "arm": "", "attempts": []},
        "cache": "off",
        "usage": {"input": 100, "output": 50},
        "cost_usd": "0.000045",
        "saved_usd": "0",
        "cost": [
            {"kind": "input", "tokens": 100, "rate": 150_000, "amount": 15_000_000},
            {"kind": "output", "tokens": 50, "rate": 600_000, "amount": 30_000_000},
        ],
        "fidelity": {"coerced": [], "dropped": []},
        "notes": [],
        "bytes": {"in": 300, "out": 400},
        "held_chars": 0,
        "duration_ms": 100.0,
        "timings_us": {"read": 5},
    }
    return whole | changes


def finding(rule: str, action: str = "redact") -> dict[str, Any]:
    return {
        "rule": rule,
        "category": "pii",
        "severity": "soft",
        "action": action,
        "hook": "default-request",
        "address": "messages.0.content",
        "fingerprint": "0123456789abcdef",
        "stage": "request",
    }


def record(state: Path, *events: dict[str, Any]) -> Path:
    """A closed chain of these in the trail of that state folder; the trail's folder."""
    spool = Spool(state / "audit", key=load_or_create_key(state / "audit.key"), node="node-1")
    for one in events:
        spool.append(one)
    spool.close()
    return state / "audit"
