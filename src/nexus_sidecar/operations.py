"""What a sidecar says of itself: `/healthz`, `/readyz` and `/metrics`. No model is called, nothing
is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nexus_sdk.model import Answer
from nexus_sdk.wire.json import dumps
from nexus_sidecar.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.nexus import Nexus
    from nexus_sidecar.metrics import Metrics

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


class Operations:
    """`metrics_anywhere`: `/metrics` answers to other machines too."""

    def __init__(self, nexus: Nexus, metrics: Metrics, *, metrics_anywhere: bool = False) -> None:
        self._nexus = nexus
        self._metrics = metrics
        self._metrics_anywhere = metrics_anywhere
        self._paths: dict[str, Callable[[str], Answer]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._render_metrics,
        }

    def answer(self, method: str, path: str, peer: str) -> Answer | None:
        """None for any other path. `peer`: the IP address that asks."""
        found = self._paths.get(path) if method in ("GET", "HEAD") else None
        return None if found is None else found(peer)

    def _healthz(self, _peer: str) -> Answer:
        return _json(200, {"status": "ok"})

    def _readyz(self, peer: str) -> Answer:
        """Ready means: a policy is in force, and its audit trail can be written. Other machines (a
        load balancer's probe) learn that much, and this one what is in force."""
        spool = self._nexus.spool
        degraded = spool is not None and spool.degraded
        doc: dict[str, Any] = {"status": "degraded" if degraded else "ok"}
        if peer in LOOPBACK:
            doc |= self._in_force()
        return _json(503 if degraded else 200, doc)

    def _in_force(self) -> dict[str, Any]:
        snapshot, spool = self._nexus.snapshot, self._nexus.spool
        return {
            "policy": snapshot.hash,
            "audit": "off" if spool is None else snapshot.policy.audit.mode,
            "providers": sorted(snapshot.accounts),
            "limits": [limit.name for limit in snapshot.policy.limits],
            "keys": len(snapshot.keys),
            "kill_switch": snapshot.policy.switches.kill,
            "scanner": "compiled" if snapshot.request_hooks.scanner.matcher else "searching",
        }

    def _render_metrics(self, peer: str) -> Answer:
        if peer not in LOOPBACK and not self._metrics_anywhere:
            said = "/metrics is for this machine; start with --metrics-anywhere to open it"
            return _json(403, {"error": said})
        if self._nexus.spool is not None:
            self._metrics.spool(self._nexus.spool.stats())
        return Answer(200, {"content-type": CONTENT_TYPE}, self._metrics.render())


def _json(status: int, doc: dict[str, Any]) -> Answer:
    return Answer(status, {"content-type": "application/json"}, dumps(doc))
