from __future__ import annotations

import pytest

from nexus_sdk.policy.instants import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-02T00:00:01+00:00", 86401.0),
        ("1970-01-01t00:00:00.25z", 0.25),
        ("1970-01-01 00:00:00-00:00", 0.0),
    ],
)
def test_a_time_in_utc_is_seconds_since_the_epoch(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00"),
        *("2026-02-29T00:00:00Z", "2026-01-01T24:00:01Z", "2026-01-01T23:59:60Z"),
        *("2026-01-01T00:00Z", "20260101T000000Z", "٢٠٢٦-01-01T00:00:00Z"),
        "2026-01-01T00:00:00Z\n",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a time like|is no day or hour"):
        seconds(text)
