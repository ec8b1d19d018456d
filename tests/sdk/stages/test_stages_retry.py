from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.model import Failure, FailureKind, Response
from nexus_sdk.policy.document import Retry
from nexus_sdk.stages.retry import (
    FAILURES_TO_OPEN,
    OPEN_S,
    Again,
    Final,
    Health,
    NextTarget,
    after,
    backoff_s,
    outcome,
    retry_after_s,
)

if TYPE_CHECKING:
    from nexus_sdk.stages.tree import Fault

NOW = 1_790_000_000.0
RETRY = Retry(attempts=3, delay_s=1, max_delay_s=8)
KINDS: tuple[FailureKind, ...] = get_args(FailureKind.__value__)


def status(code: int, **headers: str) -> Response:
    return Response(code, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("code", [200, 201, 204, 302, 400, 405, 413, 415, 422])
def test_answers_and_faults_of_the_request_are_final(code: int) -> None:
    assert after(1, status(code), RETRY, draw=0.5, now=NOW) == Final()


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (408, "timeout"),
        (409, "timeout"),
        (429, "429"),
        (500, "5xx"),
        (502, "5xx"),
        (503, "5xx"),
        (504, "5xx"),
        (529, "5xx"),
    ],
)
def test_passing_faults_are_tried_again_then_elsewhere(code: int, fault: Fault) -> None:
    assert after(1, status(code), RETRY, draw=0.5, now=NOW) == Again(0.5)
    assert after(2, status(code), RETRY, draw=0.5, now=NOW) == Again(1.0)
    assert after(3, status(code), RETRY, draw=0.5, now=NOW) == NextTarget(fault)


@pytest.mark.parametrize(
    ("code", "fault"), [(401, "401"), (402, "403"), (403, "403"), (404, "404"), (501, "5xx")]
)
def test_lasting_faults_of_a_target_are_tried_elsewhere_at_once(code: int, fault: Fault) -> None:
    assert after(1, status(code), RETRY, draw=0.5, now=NOW) == NextTarget(fault)


@pytest.mark.parametrize("kind", KINDS)
def test_every_failure_has_its_fault(kind: FailureKind) -> None:
    again = kind not in ("tls", "refused_address", "credentials")
    faults: dict[str, Fault] = {"timeout": "timeout", "credentials": "401"}
    fault = faults.get(kind, "network")
    failure = Failure(kind, "x")
    assert after(1, failure, RETRY, draw=0.5, now=NOW) == (
        Again(0.5) if again else NextTarget(fault)
    )
    assert after(3, failure, RETRY, draw=0.5, now=NOW) == NextTarget(fault)


def test_the_policy_narrows_what_is_tried_again() -> None:
    narrow = Retry(attempts=3, on=["network"])
    assert after(1, status(503), narrow, draw=0.5, now=NOW) == NextTarget("5xx")
    assert isinstance(after(1, Failure("connect", "x"), narrow, draw=0.5, now=NOW), Again)


def test_the_providers_word_wins_over_the_table() -> None:
    assert after(1, status(429, x_should_retry="false"), RETRY, draw=0.5, now=NOW) == NextTarget(
        "429"
    )
    assert after(1, status(400, x_should_retry="true"), RETRY, draw=0.5, now=NOW) == Again(0.5)
    assert after(3, status(400, x_should_retry="true"), RETRY, draw=0.5, now=NOW) == Final()
    assert after(1, status(200, x_should_retry="true"), RETRY, draw=0.5, now=NOW) == Final()


def http_date(offset_s: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + offset_s, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 3 "}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "99999999999999999999"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": http_date(5)}, 5.0),
        ({"retry-after": http_date(-5)}, None),
        ({"retry-after": "Mon, 21 Sep 2026 15:33:25 -0000"}, 1_790_004_805 - NOW),
        ({"retry-after": "Mon Sep 21 15:33:25 2026"}, 1_790_004_805 - NOW),
        ({"retry-after": "Mon, 99 Sep 2026 15:33:25 GMT"}, None),
        ({"retry-after": "Mon, 21 Sep 999999999999 15:33:25 GMT"}, None),
        ({"retry-after": "Mon, 21 Sep 2026 15:33:99999999999999999999 GMT"}, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


NUMBERS = st.integers(-9, 10**20)


@given(
    text=st.one_of(
        st.text(max_size=40),
        st.builds("Mon, {} Sep {} {}:{}:{} {:+}".format, *[NUMBERS] * 6),
    )
)
def test_no_retry_after_breaks_the_reader(text: str) -> None:
    seconds = retry_after_s({"retry-after": text, "retry-after-ms": text}, NOW)
    assert seconds is None or seconds > 0


def test_retry_after_wins_over_the_backoff_up_to_the_longest_delay() -> None:
    assert after(1, status(429, retry_after="5"), RETRY, draw=0.0, now=NOW) == Again(5.0)
    assert after(1, status(429, retry_after="8"), RETRY, draw=0.0, now=NOW) == Again(8.0)
    assert after(1, status(429, retry_after="8.1"), RETRY, draw=0.0, now=NOW) == NextTarget("429")
    assert after(1, status(503, retry_after=http_date(4)), RETRY, draw=0.0, now=NOW) == Again(4.0)
    assert after(3, status(429, retry_after="1"), RETRY, draw=0.0, now=NOW) == NextTarget("429")


@given(attempt=st.integers(1, 10_000), draw=st.floats(0, 1, exclude_max=True))
def test_the_backoff_grows_and_stays_below_its_bound(attempt: int, draw: float) -> None:
    wait_s = backoff_s(attempt, RETRY, draw)
    assert 0 <= wait_s <= min(8, 2.0 ** min(attempt - 1, 10))
    assert wait_s <= backoff_s(attempt + 1, RETRY, draw)


# ---- health


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (status(200), "ok"),
        (status(302), None),
        (status(400), None),
        (status(401), None),
        (status(404), None),
        (status(422), None),
        (status(429), "rate_limited"),
        (status(408), "failed"),
        (status(500), "failed"),
        (status(529), "failed"),
        (Failure("connect", "x"), "failed"),
        (Failure("timeout", "x"), "failed"),
        (Failure("refused_address", "x"), None),
    ],
)
def test_what_a_reply_says_of_its_provider(reply: Response | Failure, seen: str | None) -> None:
    assert outcome(reply) == seen


def failed(health: Health, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        health.record("a", "failed", now)


def test_five_failures_in_a_row_degrade_a_provider() -> None:
    health = Health()
    failed(health, FAILURES_TO_OPEN - 1)
    assert health.at(0)("a") == "available"
    failed(health, 1)
    assert health.at(0)("a") == "degraded"
    assert health.at(0)("b") == "available"


def test_a_success_in_between_starts_anew() -> None:
    health = Health()
    failed(health, FAILURES_TO_OPEN - 1)
    health.record("a", "ok", 0)
    failed(health, FAILURES_TO_OPEN - 1)
    assert health.at(0)("a") == "available"


def test_after_its_time_one_attempt_tries_it() -> None:
    health = Health()
    failed(health, FAILURES_TO_OPEN)
    assert health.at(OPEN_S - 0.1)("a") == "degraded"
    assert health.at(OPEN_S)("a") == "available"
    health.begin("a", OPEN_S)
    assert health.at(OPEN_S)("a") == "degraded"
    health.record("a", "ok", OPEN_S + 1)
    assert health.at(OPEN_S + 1)("a") == "available"


def test_a_failed_trial_degrades_it_again_at_once() -> None:
    health = Health()
    failed(health, FAILURES_TO_OPEN)
    health.begin("a", OPEN_S)
    health.record("a", "failed", OPEN_S + 1)
    assert health.at(OPEN_S + 1 + OPEN_S - 0.1)("a") == "degraded"
    assert health.at(OPEN_S + 1 + OPEN_S)("a") == "available"


def test_an_attempt_on_a_closed_circuit_is_no_trial() -> None:
    health = Health()
    failed(health, 1, now=50)
    health.begin("a", 100)
    assert health.at(100)("a") == "available"


def test_a_shorter_rate_limit_does_not_end_a_longer_one() -> None:
    health = Health()
    health.record("a", "rate_limited", 0, retry_after_s=20)
    health.record("a", "rate_limited", 1, retry_after_s=2)
    health.record("a", "failed", 1)
    assert health.at(19)("a") == "degraded"


def test_a_rate_limit_degrades_for_the_time_it_asks_up_to_a_bound() -> None:
    health = Health()
    health.record("a", "rate_limited", 0, retry_after_s=10)
    assert health.at(9)("a") == "degraded"
    assert health.at(10)("a") == "available"
    health.record("b", "rate_limited", 0, retry_after_s=3600)
    assert health.at(OPEN_S)("b") == "available"
    health.record("c", "rate_limited", 0)
    assert health.at(0)("c") == "available"


def test_rate_limits_without_a_time_count_as_failures() -> None:
    health = Health()
    for _ in range(FAILURES_TO_OPEN):
        health.record("a", "rate_limited", 0)
    assert health.at(0)("a") == "degraded"
