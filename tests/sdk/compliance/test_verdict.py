"""Edits and clusters of hits: plain arithmetic on spans."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.compliance.rules import rule_from_words
from nexus_sdk.compliance.verdict import STRICTNESS, Edit, Finding, Found, apply, clusters

RULE = rule_from_words("own.x", ["x"])
SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 8)).map(lambda s: (s[0], s[0] + s[1])), max_size=8
)


@given(SPANS)
def test_clusters_are_what_overlaps(spans: list[tuple[int, int]]) -> None:
    groups = clusters([Found(start, end, RULE) for start, end in spans])
    assert sorted((hit.start, hit.end) for group in groups for hit in group) == sorted(spans)
    edges = [(group[0].start, max(hit.end for hit in group)) for group in groups]
    for (_, end), (start, _) in itertools.pairwise(edges):
        assert end <= start, "two clusters never share a place"
    for group, (start, end) in zip(groups, edges, strict=True):
        covered = {place for hit in group for place in range(hit.start, hit.end)}
        assert covered == set(range(start, end)), "a cluster has no gap"


def test_neighbours_that_only_touch_stay_apart() -> None:
    hits = [Found(3, 5, RULE), Found(0, 3, RULE)]
    assert clusters(hits) == [[hits[1]], [hits[0]]]


@given(st.text(max_size=30), SPANS, st.text(max_size=3))
def test_edits_replace_their_spans_and_nothing_else(
    text: str, spans: list[tuple[int, int]], word: str
) -> None:
    edits: list[Edit] = []
    for start, end in sorted(spans):
        if end <= len(text) and (not edits or edits[-1].end <= start):
            edits.append(Edit(start, end, word))
    wanted = list(text)
    for edit in reversed(edits):
        wanted[edit.start : edit.end] = word
    assert apply(text, edits) == "".join(wanted)


def test_a_finding_as_a_line_of_evidence() -> None:
    finding = Finding("r", "c", "hard", "redact", "h", "messages.0.content", "f" * 16, "request")
    line = finding.line()
    assert line == {name: getattr(finding, name) for name in Finding.__slots__}


def test_the_order_of_strictness() -> None:
    assert sorted(STRICTNESS, key=STRICTNESS.__getitem__) == ["approve", "redact", "block"]
