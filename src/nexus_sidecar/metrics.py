"""The sidecar's numbers in Prometheus' text format, fed from audit events.

One registry a process part, never the library's global one: two sidecars can live in one process,
and a test reads its own numbers. Every label has a bounded set of values, because a caller chooses
the model's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily

from nexus_sdk.drivers.spool import Stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.model import Event

CONTENT_TYPE = CONTENT_TYPE_LATEST

MAX_VALUES = 200
"""Values of one label that get a series of their own; the ones seen later share `other`."""
OTHER = "other"
MAX_VALUE_CHARS = 100

SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    120,
    300,
    600,
)
"""Upper bounds: from an answer out of the cache to a long reasoning run."""

TOKEN_KINDS = ("input", "output", "cache_read", "cache_write", "reasoning")


class _Bounded:
    """The values of one label, at most `MAX_VALUES` of them."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def value(self, given: object) -> str:
        value = str(given or "")[:MAX_VALUE_CHARS]
        if value in self._known:
            return value
        if len(self._known) >= MAX_VALUES:
            return OTHER
        self._known.add(value)
        return value


class Metrics:
    """What happened here since the start. All methods can be called from any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._series: dict[tuple[object, ...], Any] = {}
        self._models = _Bounded()
        self._providers = _Bounded()
        self._requests = self._counter(
            "requests", "Requests ended.", "endpoint", "status", "provider", "model"
        )
        self._seconds = Histogram(
            "nexus_request_seconds",
            "From a request's arrival to the last byte of its answer.",
            ("endpoint",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._attempts = self._counter(
            "upstream_attempts", "Exchanges with providers.", "provider", "status", "failure"
        )
        self._blocked = self._counter("blocked", "Requests that a rule blocked.", "endpoint")
        self._redacted = self._counter("redacted", "Requests that a rule changed.", "endpoint")
        self._cache = self._counter("cache", "Cache look-ups by result.", "result")
        self._errors = self._counter("errors", "Requests that ended in an error.", "code")
        self._tokens = self._counter("tokens", "Tokens used.", "provider", "model", "kind")
        self._cost = self._counter("cost_usd", "Cost of requests in USD.", "provider", "model")
        self._refused = self._counter("refused", "Requests refused by the HTTP front.", "code")
        self._in_flight = self._gauge("in_flight", "Requests being served.")
        self._spool = _SpoolCounts()
        self._registry.register(self._spool)
        self._spool_queued = self._gauge("spool_queued_events", "Audit events not yet on disk.")
        self._spool_degraded = self._gauge(
            "spool_degraded", "1 while the audit spool cannot write."
        )

    def begin(self) -> None:
        """A request is being served."""
        self._in_flight.inc()

    def end(self) -> None:
        """A request that began has ended."""
        self._in_flight.dec()

    def observe(self, event: Event) -> None:
        """Count the request that an audit event (`stages/audit.py`) is about."""
        endpoint = str(event["endpoint"])
        route = event.get("route") or {}
        provider = self._providers.value(route.get("provider"))
        model = self._models.value(route.get("model"))
        self._one(self._requests, endpoint, event["status"], provider, model).inc()
        self._one(self._seconds, endpoint).observe(event["duration_ms"] / 1000)
        self._attempted(route.get("attempts") or ())
        decided = {"block": self._blocked, "redact": self._redacted}.get(event.get("decision", ""))
        if decided is not None:
            decided.labels(endpoint).inc()
        self._one(self._cache, event.get("cache") or "off").inc()
        if error := event.get("error"):
            self._errors.labels(error["code"]).inc()
        self._used(event, provider, model)

    def refused(self, code: str) -> None:
        """The HTTP front refused a request before there was anything to audit."""
        self._refused.labels(code).inc()

    def spool(self, stats: Stats) -> None:
        """What the audit spool says of itself now."""
        self._spool_queued.set(stats.queued)
        self._spool_degraded.set(stats.degraded)
        self._spool.stats = stats

    def render(self) -> bytes:
        """Everything in the text format; serve it as `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def _one(self, metric: Any, *values: object) -> Any:
        """A series of `metric`, as `labels` gives it, which takes four times as long to find it.
        There are as many as the labels' bounded values allow."""
        named = (metric, *values)
        series = self._series.get(named)
        if series is None:
            series = self._series[named] = metric.labels(*values)
        return series

    def _attempted(self, attempts: Any) -> None:
        for attempt in attempts:
            provider = self._providers.value(attempt.get("provider"))
            status, failure = attempt.get("status") or "", attempt.get("failure") or ""
            self._one(self._attempts, provider, status, failure).inc()

    def _used(self, event: Event, provider: str, model: str) -> None:
        usage = event.get("usage") or {}
        for kind in TOKEN_KINDS:
            if count := usage.get(kind):
                self._one(self._tokens, provider, model, kind).inc(count)
        if cost := event.get("cost_usd"):
            self._one(self._cost, provider, model).inc(float(cost))

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"nexus_{name}", says, labels, registry=self._registry)

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(f"nexus_{name}", says, registry=self._registry)


class _SpoolCounts:
    """The spool counts for itself: its totals are read, not added up again."""

    stats = Stats()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """As the registry wants it."""
        stats = self.stats
        yield _total("events", "Audit events on disk.", stats.events)
        yield _total("bytes", "Bytes of audit events on disk.", stats.bytes)
        yield _total("commits", "Syncs of the spool's file.", stats.commits)
        yield _total("dropped", "Audit events that went to keep the spool's bound.", stats.dropped)
        yield _total("lost", "Audit events never written: the queue was full.", stats.lost)


def _total(name: str, says: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"nexus_spool_{name}", says, value=value)
