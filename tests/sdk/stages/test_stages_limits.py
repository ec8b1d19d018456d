from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nexus_sdk.errors import LimitExceeded, NotAllowed, QuotaExceeded
from nexus_sdk.model import PICO_PER_USD, Caller, Claim, Refused, Target, Usage
from nexus_sdk.policy.document import Limit, Window
from nexus_sdk.stages.cost import rates_of
from nexus_sdk.stages.limits import (
    DEFAULT_OUTPUT_TOKENS,
    MAX_OUTPUT_TOKENS,
    NO_MAXIMUM,
    Amounts,
    admission_claims,
    compile_limits,
    estimate,
    headers,
    refusal,
    released,
    settled,
    target_claims,
    window,
)
from nexus_sdk.stages.selectors import Ask

WINDOWS: tuple[Window, ...] = ("minute", "hour", "day", "week", "month")
TARGET = Target("openai", "gpt-4o")
ALICE = Ask("gpt", caller=Caller(key_id="k", user="alice", project="p", organisation="acme"))
NOW = 1_790_000_000.0


def limit(**fields: Any) -> Limit:
    return Limit.model_validate(
        {"name": "l", "unit": "requests", "max": 10, "window": "minute", **fields}
    )


def at_target(
    ask: Ask, amounts: Amounts, *limits: Limit, target: Target = TARGET
) -> tuple[Claim, ...]:
    return target_claims(compile_limits(limits), ask, target, amounts, NOW)


# ---- windows


def when(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("name", "now", "start", "end"),
    [
        ("minute", "2026-03-29T01:59:59.999", "2026-03-29T01:59:00", "2026-03-29T02:00:00"),
        ("minute", "2026-03-29T02:00:00", "2026-03-29T02:00:00", "2026-03-29T02:01:00"),
        ("hour", "2026-10-25T02:30:00", "2026-10-25T02:00:00", "2026-10-25T03:00:00"),
        ("day", "2024-02-29T23:59:59", "2024-02-29", "2024-03-01"),
        ("day", "2026-03-29T12:00:00", "2026-03-29", "2026-03-30"),
        ("week", "2026-12-31T12:00:00", "2026-12-28", "2027-01-04"),
        ("week", "2027-01-03T23:59:59", "2026-12-28", "2027-01-04"),
        ("week", "2027-01-04T00:00:00", "2027-01-04", "2027-01-11"),
        ("week", "1970-01-01T00:00:00", "1969-12-29", "1970-01-05"),
        ("month", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        ("month", "2027-01-01T00:00:00", "2027-01-01", "2027-02-01"),
        ("month", "2024-02-29T00:00:00", "2024-02-01", "2024-03-01"),
        ("month", "2026-02-28T23:59:59.5", "2026-02-01", "2026-03-01"),
    ],
)
def test_windows_are_of_the_calendar(name: Window, now: str, start: str, end: str) -> None:
    assert window(name, when(now)) == (when(start), when(end))


@given(name=st.sampled_from(WINDOWS), now=st.floats(0, 4e9))
def test_every_moment_is_in_one_window_and_windows_follow_each_other(
    name: Window, now: float
) -> None:
    start, end = window(name, now)
    assert start <= now < end
    assert window(name, start) == window(name, end - 0.001) == (start, end)
    assert window(name, end)[0] == end


@given(now=st.integers(0, 4_000_000_000))
def test_weeks_and_months_agree_with_the_calendar(now: int) -> None:
    moment = datetime.fromtimestamp(now, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0)
    week, month = window("week", now)[0], window("month", now)[0]
    assert week == (midnight - timedelta(days=moment.weekday())).timestamp()
    assert month == midnight.replace(day=1).timestamp()


# ---- phases and accounts


def test_only_plain_request_limits_are_checked_at_admission() -> None:
    limits = compile_limits(
        [
            limit(name="a", per=["user", "key"]),
            limit(name="b", per=["model"]),
            limit(name="c", per=["user", "provider"]),
            limit(name="d", unit="tokens"),
            limit(name="e", unit="usd"),
        ]
    )
    assert [claim.limit for claim in admission_claims(limits, ALICE, NOW)] == ["a"]
    at = target_claims(limits, ALICE, TARGET, Amounts(1, 1, 1), NOW)
    assert [claim.limit for claim in at] == ["b", "c", "d", "e"]


def test_a_claim_has_the_limits_unit() -> None:
    units = [
        limit(name=unit, unit=unit, max=2.5, per=["model"])
        for unit in ("requests", "tokens", "usd")
    ]
    claims = at_target(ALICE, Amounts(1, 700, 9), *units)
    assert [(claim.unit, claim.amount, claim.maximum) for claim in claims] == [
        ("requests", 1, 2),
        ("tokens", 700, 2),
        ("usd", 9, 2_500_000_000_000),
    ]


def test_a_decimal_limit_is_exact() -> None:
    assert (
        at_target(ALICE, Amounts(1, 1, 1), limit(unit="usd", max=0.1))[0].maximum
        == PICO_PER_USD // 10
    )


def test_a_claim_ends_with_its_window() -> None:
    (claim,) = admission_claims(compile_limits([limit()]), ALICE, NOW + 0.5)
    assert claim.resets_in_s == window("minute", NOW)[1] - NOW - 0.5


def account(ask: Ask, now: float = NOW, target: Target = TARGET, **fields: Any) -> str:
    (claim,) = target_claims(
        compile_limits([limit(**{"unit": "tokens", **fields})]), ask, target, Amounts(1, 1, 1), now
    )
    return claim.account


def test_an_account_is_apart_by_everything_that_counts() -> None:
    bob = Ask("gpt", caller=Caller(user="bob"))
    base = account(ALICE, per=["user"])
    others = [
        account(bob, per=["user"]),
        account(ALICE, per=["user"], name="other"),
        account(ALICE, per=["user"], unit="usd"),
        account(ALICE, per=["user"], window="hour"),
        account(ALICE, per=["user"], now=NOW + 60),
        account(ALICE, per=["project"]),
        account(ALICE, per=["user", "model"]),
        account(ALICE),
    ]
    assert len({base, *others}) == 9
    assert account(ALICE, per=["user"], now=window("minute", NOW)[1] - 0.1) == base


def test_an_account_reads_the_same_on_every_node() -> None:
    """Nodes that share a store share their counters; a changed layout must be a decision."""
    assert account(ALICE, per=["user", "model"], window="day") == (
        "l@tokens/day/1789948800|user=5:alice|model=6:gpt-4o"
    )


def test_without_an_axis_everybody_shares_one_account() -> None:
    assert account(ALICE) == account(Ask("x", caller=Caller(user="bob")))


def test_models_and_providers_are_the_targets() -> None:
    assert account(Ask("alias"), per=["model"]) == account(Ask("gpt-4o"), per=["model"])
    assert account(ALICE, per=["model"]) != account(
        ALICE, per=["model"], target=Target("openai", "o3")
    )
    assert account(ALICE, per=["provider"]) != account(
        ALICE, per=["provider"], target=Target("azure", "gpt-4o")
    )


def test_unknown_values_count_under_the_empty_one() -> None:
    nobody = Ask("gpt")
    limits = compile_limits([limit(per=["user"])])
    assert len(admission_claims(limits, nobody, NOW)) == 1
    assert admission_claims(limits, nobody, NOW) == admission_claims(limits, Ask("x"), NOW)


HOSTILE = st.text(alphabet="|=:0123456789a/@", max_size=6)


@example(("x|project=y", ""), ("x", "y|project="))
@given(a=st.tuples(HOSTILE, HOSTILE), b=st.tuples(HOSTILE, HOSTILE))
def test_no_two_callers_share_an_account_by_the_way_they_are_called(
    a: tuple[str, str], b: tuple[str, str]
) -> None:
    one, other = (
        account(Ask("gpt", caller=Caller(user=user, project=project)), per=["user", "project"])
        for user, project in (a, b)
    )
    assert (one == other) is (a == b)


def test_a_limit_may_be_conditional() -> None:
    only = limit(when={"model": ["gpt*"]})
    assert len(admission_claims(compile_limits([only]), ALICE, NOW)) == 1
    assert admission_claims(compile_limits([only]), Ask("claude"), NOW) == ()


def test_a_limit_that_is_not_enforced_counts_and_never_refuses() -> None:
    (claim,) = at_target(ALICE, Amounts(1, 5, 5), limit(unit="tokens", max=1, enforce=False))
    assert (claim.amount, claim.maximum) == (5, NO_MAXIMUM)


# ---- money


def test_an_unpriced_model_under_a_usd_limit_is_refused() -> None:
    with pytest.raises(NotAllowed, match="'openai/gpt-4o' has no price") as caught:
        at_target(ALICE, Amounts(1, 5, None), limit(unit="usd"))
    assert caught.value.code == "unpriced_model"
    assert at_target(ALICE, Amounts(1, 5, None), limit(unit="usd", enforce=False)) == ()
    assert at_target(ALICE, Amounts(1, 5, None), limit(unit="usd", when={"user": ["bob"]})) == ()
    assert len(at_target(ALICE, Amounts(1, 5, None), limit(unit="tokens"))) == 1


def test_a_free_model_stays_open_under_a_usd_limit() -> None:
    free = estimate(4000, None, rates_of({"input": 0, "output": 0}))
    assert free.usd_pico == 0
    assert at_target(ALICE, free, limit(unit="usd")) == ()


RATES = rates_of({"input": 1, "output": 10})


@pytest.mark.parametrize(
    ("chars", "max_output", "answers", "tokens_in", "tokens_out"),
    [
        (0, None, 1, 0, DEFAULT_OUTPUT_TOKENS),
        (1, 0, 1, 1, 0),
        (4, 10, 1, 1, 10),
        (5, 10, 1, 2, 10),
        (5, 10, 3, 2, 30),
        (5, 10, 0, 2, 10),
        (5, -7, 1, 2, 0),
        (5, 10**15, 1, 2, MAX_OUTPUT_TOKENS),
    ],
)
def test_the_estimate(
    chars: int, max_output: int | None, answers: int, tokens_in: int, tokens_out: int
) -> None:
    amounts = estimate(chars, max_output, RATES, answers=answers)
    assert amounts == Amounts(1, tokens_in + tokens_out, tokens_in * 10**6 + tokens_out * 10**7)
    assert estimate(chars, max_output, None, answers=answers).usd_pico is None


# ---- afterwards


def test_settling_puts_the_true_amounts_in_the_claims_order() -> None:
    units = [limit(name=unit, unit=unit, per=["model"]) for unit in ("usd", "requests", "tokens")]
    claims = at_target(ALICE, Amounts(1, 700, 9), *units)
    assert settled(claims, Usage(input=100, output=20, reasoning=5), 333) == (333, 1, 120)
    assert released(claims) == (0, 0, 0)


def refused(used: int, **fields: Any) -> Refused:
    (claim,) = at_target(ALICE, Amounts(1, 500, 10**12), limit(per=["model"], **fields))
    return Refused(claim, used)


@pytest.mark.parametrize("unit", ["requests", "tokens", "usd"])
@pytest.mark.parametrize("name", WINDOWS)
def test_which_refusals_are_a_matter_of_waiting(unit: str, name: Window) -> None:
    error = refusal(refused(10, unit=unit, window=name))
    waiting = unit != "usd" and name in ("minute", "hour")
    assert type(error) is (LimitExceeded if waiting else QuotaExceeded)
    assert error.code == ("rate_limit_exceeded" if waiting else "quota_exceeded")
    assert f"({unit} per {name})" in error.message
    assert error.limit == "l"
    assert error.retry_after_s == window(name, NOW)[1] - NOW


def test_a_refusal_says_what_and_how_much_and_when() -> None:
    message = refusal(refused(98_000, unit="tokens", max=98_100, window="minute")).message
    assert message == (
        "limit 'l' (tokens per minute) is reached: 98,000 of 98,100 used or reserved, "
        "this request needs 500; it resets in 40 s"
    )
    money = refusal(refused(4 * PICO_PER_USD + 1, unit="usd", max=4.5, window="month")).message
    assert "4.000000000001 USD of 4.5 USD used" in money
    assert "needs 1 USD; it resets in 10 d" in money


def test_a_request_larger_than_the_limit_is_told_so() -> None:
    assert "more than the whole limit" in refusal(refused(0, unit="tokens", max=499)).message


def test_the_headers_of_a_refusal() -> None:
    assert headers(refused(9, unit="requests", max=10)) == {
        "retry-after": "40",
        "x-ratelimit-limit": "10",
        "x-ratelimit-remaining": "1",
        "x-ratelimit-reset": "40",
    }
    money = headers(refused(5 * PICO_PER_USD, unit="usd", max=4.5))
    assert (money["x-ratelimit-limit"], money["x-ratelimit-remaining"]) == ("4.5", "0")
