from __future__ import annotations

from typing import Any

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexus_sdk.drivers.spool import Stats
from nexus_sidecar.metrics import MAX_VALUES, Metrics

EVENT: dict[str, Any] = {
    "door": "sidecar",
    "endpoint": "chat",
    "status": 200,
    "duration_ms": 30,
    "route": {
        "provider": "openai",
        "model": "gpt-4o",
        "attempts": [
            {"provider": "azure", "status": 429, "failure": None},
            {"provider": "azure", "status": None, "failure": "timeout"},
            {"provider": "openai", "status": 200, "failure": None},
        ],
    },
    "decision": "approve",
    "cache": "miss",
    "usage": {"input": 12, "output": 5, "cache_read": 0, "estimated": False},
    "cost_usd": "0.000125",
    "error": None,
}
REFUSED: dict[str, Any] = {
    "door": "sidecar",
    "endpoint": "chat",
    "status": 403,
    "duration_ms": 2.5,
    "route": None,
    "decision": "block",
    "cache": "off",
    "usage": None,
    "cost_usd": "0",
    "error": {"code": "policy_blocked"},
}


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Each sample by its name and its labels' values, in the order of the labels' names."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def test_an_event_is_counted_on_every_axis(metrics: Metrics) -> None:
    metrics.observe(EVENT)
    metrics.observe(EVENT)
    got = values(metrics)
    assert got["nexus_requests_total", "chat", "gpt-4o", "openai", "200"] == 2
    assert got["nexus_request_seconds_sum", "chat"] == pytest.approx(0.06)
    assert got["nexus_request_seconds_bucket", "chat", "0.025"] == 0
    assert got["nexus_request_seconds_bucket", "chat", "0.05"] == 2
    assert got["nexus_upstream_attempts_total", "", "azure", "429"] == 2
    assert got["nexus_upstream_attempts_total", "timeout", "azure", ""] == 2
    assert got["nexus_upstream_attempts_total", "", "openai", "200"] == 2
    assert got["nexus_cache_total", "miss"] == 2
    assert got["nexus_tokens_total", "input", "gpt-4o", "openai"] == 24
    assert ("nexus_tokens_total", "cache_read", "gpt-4o", "openai") not in got
    assert got["nexus_cost_usd_total", "gpt-4o", "openai"] == pytest.approx(0.00025)
    assert not any(name.startswith(("nexus_blocked", "nexus_errors")) for name, *_ in got)


def test_a_blocked_request_has_no_route(metrics: Metrics) -> None:
    metrics.observe(REFUSED)
    metrics.observe(EVENT | {"decision": "redact"})
    got = values(metrics)
    assert got["nexus_requests_total", "chat", "", "", "403"] == 1
    assert got["nexus_blocked_total", "chat"] == 1
    assert got["nexus_redacted_total", "chat"] == 1
    assert got["nexus_errors_total", "policy_blocked"] == 1


def test_a_caller_cannot_make_endless_series(metrics: Metrics) -> None:
    for number in range(MAX_VALUES + 50):
        metrics.observe(EVENT | {"route": {"provider": "openai", "model": f"m{number}"}})
    metrics.observe(EVENT | {"route": {"provider": "openai", "model": "m0"}})
    models = {key[2]: n for key, n in values(metrics).items() if key[0] == "nexus_requests_total"}
    assert len(models) == MAX_VALUES + 1
    assert (models["m0"], models["other"]) == (2, 50)


def test_a_hostile_name_cannot_break_the_format(metrics: Metrics) -> None:
    name = 'a"}\nnexus_fake 1\n' + "x" * 500
    metrics.observe(EVENT | {"route": {"provider": "openai", "model": name}})
    got = values(metrics)
    assert got["nexus_requests_total", "chat", name[:100], "openai", "200"] == 1
    assert ("nexus_fake",) not in got


def test_what_no_event_tells(metrics: Metrics) -> None:
    metrics.begin()
    metrics.begin()
    metrics.end()
    metrics.refused("malformed_request")
    metrics.spool(Stats(events=8, bytes=900, queued=3, lost=2, degraded=True))
    got = values(metrics)
    assert got["nexus_in_flight",] == 1
    assert got["nexus_refused_total", "malformed_request"] == 1
    assert got["nexus_spool_queued_events",] == 3
    assert got["nexus_spool_degraded",] == 1
    assert got["nexus_spool_events_total",] == 8
    assert got["nexus_spool_bytes_total",] == 900
    assert got["nexus_spool_lost_total",] == 2


def test_two_of_them_share_nothing(metrics: Metrics) -> None:
    metrics.observe(EVENT)
    assert not any(name == "nexus_requests_total" for name, *_ in values(Metrics()))
    assert b"nexus_" not in prometheus_client.generate_latest()
