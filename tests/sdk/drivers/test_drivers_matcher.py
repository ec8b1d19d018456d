"""Compiled rules: attached when they are ready, kept on disk, never trusted, never needed."""

from __future__ import annotations

import logging
import platform
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.compliance.rules import rule_from_expression, rule_from_words
from nexus_sdk.compliance.scanner import Scanner
from nexus_sdk.drivers import matcher

if TYPE_CHECKING:
    from pathlib import Path

hyperscan = pytest.importorskip("hyperscan")
TEXT = ["the bluebird sings", "AB-1234 or ab-1234"]


def scanner(*more: Any) -> Scanner:
    return Scanner(
        [
            rule_from_words("own.bird", ["bluebird"]),
            rule_from_expression("own.code", "AB-[0-9]{4}"),
            *more,
        ]
    )


def found(given: Scanner) -> dict[int, list[tuple[int, int, str]]]:
    return {n: [(h.start, h.end, h.rule.id) for h in hits] for n, hits in given.find(TEXT).items()}


EXPECTED = {0: [(4, 12, "own.bird")], 1: [(0, 7, "own.code")]}


def attached(cache: Path | None, *more: Any) -> Scanner:
    given = scanner(*more)
    matcher.attach([given], cache, wait=True)
    return given


def test_a_scanner_works_before_and_after() -> None:
    given = scanner()
    assert found(given) == EXPECTED
    thread = matcher.attach([given], None)
    assert thread is not None
    thread.join(30)
    assert given.matcher is not None
    assert found(given) == EXPECTED


def test_the_second_start_reads_what_the_first_compiled(tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "cache"
    assert found(attached(cache)) == EXPECTED
    (entry,) = cache.iterdir()
    assert cache.stat().st_mode & 0o777 == 0o700
    assert entry.stat().st_mode & 0o077 == 0
    given = scanner()
    assert matcher.attach([given], cache) is None, "no thread is needed"
    assert given.matcher is not None
    assert found(given) == EXPECTED


def test_rules_that_differ_in_anything_have_entries_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached(tmp_path)
    attached(tmp_path, rule_from_words("own.b", ["bee"]))
    attached(tmp_path, rule_from_words("own.b", ["bee"], ignore_case=False))
    attached(tmp_path, rule_from_expression("own.c", "c{2}"))
    assert len(list(tmp_path.iterdir())) == 4
    monkeypatch.setattr(platform, "machine", lambda: "another")
    attached(tmp_path)
    assert len(list(tmp_path.iterdir())) == 5
    monkeypatch.setattr(matcher, "_cpu_flags", lambda: "flags: none")
    attached(tmp_path)
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("content", [b"", b"not a database", b"\x00" * 4096])
def test_an_entry_that_is_broken_is_compiled_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    attached(tmp_path)
    (entry,) = tmp_path.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert found(attached(tmp_path)) == EXPECTED
    assert "ignoring the compiled rules" in caplog.text
    assert entry.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [entry], "nothing is left lying about"


def test_a_cut_entry_is_compiled_anew(tmp_path: Path) -> None:
    attached(tmp_path)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-7])
    assert found(attached(tmp_path)) == EXPECTED


def test_a_cache_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert found(attached(blocked / "cache")) == EXPECTED


def test_without_hyperscan_the_scanner_s_own_search_holds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    given = scanner()
    with caplog.at_level(logging.WARNING):
        assert matcher.attach([given], None) is None
    assert "falls back to a slower search" in caplog.text
    assert given.matcher is None
    assert found(given) == EXPECTED


def test_rules_that_hyperscan_refuses_are_found_by_the_slower_search(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiled = matcher._compiled

    def refusing(expressions: Any) -> Any:
        if len(expressions) == 3:
            raise hyperscan.error("too large")
        return compiled(expressions)

    monkeypatch.setattr(matcher, "_compiled", refusing)
    large, small = scanner(rule_from_words("own.b", ["bee"])), scanner()
    with caplog.at_level(logging.WARNING):
        matcher.attach([large, small], None, wait=True)
    assert "too large" in caplog.text
    assert large.matcher is None
    assert small.matcher is not None
    assert found(large) == found(small) == EXPECTED


def test_nothing_is_compiled_for_no_rules() -> None:
    assert matcher.attach([Scanner([])], None) is None


def test_without_the_list_of_a_cpu_s_features_its_name_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Nowhere:
        def __init__(self, *_: object) -> None: ...
        def open(self) -> Any:
            raise FileNotFoundError

    monkeypatch.setattr(matcher, "Path", Nowhere)
    assert matcher._cpu_flags() == platform.processor()


def test_threads_share_a_matcher() -> None:
    given = attached(None)
    results: list[Any] = []

    def run() -> None:
        results.extend(found(given) for _ in range(200))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [EXPECTED] * 1600
