"""Times on a command line."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.cli.moments import moment
from nexus_sdk.drivers.spool.frame import stamp

NOW = 1_770_000_000.0  # 2026-02-02T02:40:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ("2026-01-31T18:00:00Z", "2026-01-31T18:00:00.000000Z"),
        ("2026-01-31T18:00:00.25+02:00", "2026-01-31T16:00:00.250000Z"),
        ("40m", "2026-02-02T02:00:00.000000Z"),
        ("2h", "2026-02-02T00:40:00.000000Z"),
        ("1d", "2026-02-01T02:40:00.000000Z"),
        ("1w", "2026-01-26T02:40:00.000000Z"),
        ("0s", "2026-02-02T02:40:00.000000Z"),
    ],
)
def test_what_is_understood(text: str, expected: str) -> None:
    assert moment(text, NOW) == expected


def test_a_span_may_look_ahead() -> None:
    assert moment("1d", NOW, ahead=True) == "2026-02-03T02:40:00.000000Z"


@pytest.mark.parametrize("text", ["", "soon", "-1d", "1y", "2026-02-30", "٣d", "2026-01-31 18:00"])
def test_what_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        moment(text, NOW)


@given(st.floats(min_value=0, max_value=4e9))
def test_the_form_is_that_of_an_audit_record(seconds: float) -> None:
    assert moment("0s", seconds) == stamp(seconds)


@given(st.text(max_size=30))
def test_any_other_text_is_refused_in_words(text: str) -> None:
    try:
        assert len(moment(text, NOW)) == 27
    except click.BadParameter as err:
        assert err.message  # noqa: PT017
