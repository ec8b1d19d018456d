"""`nexus audit`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.cli.cli_lab import event, finding, nexus, record

from nexus_sdk.cli import events

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = [event(number) for number in range(1, 6)]


@pytest.fixture
def trail(state: Path) -> Path:
    return record(state, *EVENTS)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_tail_gives_the_last_events(trail: Path) -> None:
    assert lines(nexus("audit", "tail", "-n", "2", "--json").out) == EVENTS[-2:]
    shown = nexus("audit", "tail", "-n", "1").out
    assert shown.split("  ") == [
        "2026-02-03 10:00:00.000",
        "complete",
        "approve",
        "200",
        "ada",
        "openai/gpt-4o-mini",
        "150 tokens",
        "$0.000045",
        "100.0 ms",
        f"{EVENTS[4]['id']}\n",
    ]
    assert nexus("audit", "tail", "-n", "0").out == ""


def test_tail_follows(state: Path, trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([True, True, False])

    def every(_seconds: float) -> Any:
        def follow() -> bool:
            if more := next(looks):
                record(state, event(100))
            return more

        return follow

    monkeypatch.setattr("nexus_sdk.drivers.spool.every", every)
    found = lines(nexus("audit", "tail", "-f", "-n", "1", "--json").out)
    assert found == [EVENTS[-1], event(100), event(100)]


def test_show_tells_one_event_whole(state: Path) -> None:
    spoken = event(
        7,
        findings=[finding("pii.email"), finding("own.word", "block")],
        outcome="blocked",
        status=403,
        error={"code": "policy_blocked", "message": "no", "rules": ["own.word"]},
        notes=["one", "two"],
        findings_omitted=3,
        route={"provider": "", "model": "", "arm": "", "attempts": [{"provider": "p", "ms": 3}]},
    )
    record(state, event(6), spoken)
    shown = nexus("audit", "show", spoken["id"]).out
    for part in (
        "redact: pii.email (soft) in messages.0.content of the request, by default-request",
        "block: own.word",
        "blocked (403)",
        "code policy_blocked, message no",
        "key k1, user ada, project engine, peer 10.0.0.1",
        "provider p, ms 3",
        "input 100, output 50",
        "0.000045 USD",
    ):
        assert part in shown
    told = nexus("audit", "show", spoken["id"], "--json").json
    assert told["event"] == spoken
    assert set(told) == {"chain", "segment", "seq", "at", "event"}


def test_the_beginning_of_an_id_is_enough_if_it_is_the_only_one(state: Path) -> None:
    record(state, event(1, id="abcdefgh-1"), event(2, id="abcdefgh-2"), event(3, id="ijklmnop-3"))
    assert nexus("audit", "show", "ijklmnop", "--json").json["event"]["id"] == "ijklmnop-3"
    assert nexus("audit", "show", "abcdefgh").status == 2
    assert nexus("audit", "show", "ijklmno").status == 4, "too short to be meant"


@pytest.mark.parametrize("command", [("tail",), ("show", "x"), ("verify",), ("export",)])
def test_no_trail_is_no_success(command: tuple[str, ...]) -> None:
    ended = nexus("audit", *command, "--json")
    assert (ended.status, ended.error["code"]) == (4, "not_found")
    assert nexus("usage").status == 4


def test_a_trail_elsewhere(tmp_path: Path) -> None:
    elsewhere = record(tmp_path / "copy", event(1))
    assert len(lines(nexus("audit", "export", "--dir", elsewhere).out)) == 1
    assert nexus("audit", "verify", "--dir", elsewhere).status == 0
    key = elsewhere.parent / "audit.key"
    moved = key.rename(tmp_path / "moved.key")
    assert nexus("audit", "verify", "--dir", elsewhere).status == 4
    assert nexus("audit", "verify", "--dir", elsewhere, "--key-file", moved).status == 0


# ---- verify --------------------------------------------------------------------------------------


def test_a_sound_trail_verifies(trail: Path) -> None:
    ended = nexus("audit", "verify")
    assert ended.status == 0
    assert ended.out.endswith("5 events verified: the trail is as it was written\n")
    told = nexus("audit", "verify", "--json").json
    assert (told["ok"], told["events"], told["problems"]) == (True, 5, [])
    assert [chain["problems"] for chain in told["chains"]] == [[]]


def test_one_changed_byte_is_told_with_its_place(trail: Path) -> None:
    (segment,) = trail.glob("*/00000001.jsonl")
    text = segment.read_bytes()
    at = text.index(b'"user":"ada"', text.index(EVENTS[2]["id"].encode())) + 8
    segment.write_bytes(text[:at] + b"b" + text[at + 1 :])
    line = text.count(b"\n", 0, at) + 1
    ended = nexus("audit", "verify")
    place = f"{segment.relative_to(trail).as_posix()}:{line} (byte "
    assert ended.status == 1
    assert any(told.startswith(place) and ": changed: " in told for told in ended.out.splitlines())
    told = nexus("audit", "verify", "--json")
    assert told.status == 1
    (problem,) = told.json["chains"][0]["problems"]
    assert (problem["kind"], problem["line"], problem["seq"]) == ("changed", line, line)
    assert problem["file"] == segment.relative_to(trail).as_posix()


def test_a_missing_chain_is_told(state: Path, trail: Path) -> None:
    gone = next(trail.iterdir())
    record(state, event(9))
    for path in gone.iterdir():
        path.unlink()
    gone.rmdir()
    ended = nexus("audit", "verify", "--json")
    assert (ended.status, ended.json["ok"]) == (1, False)
    assert [problem["kind"] for problem in ended.json["problems"]] == ["missing chain"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_a_key_that_others_may_read_is_refused(state: Path, trail: Path) -> None:
    (state / "audit.key").chmod(0o644)
    ended = nexus("audit", "verify", "--json")
    assert (ended.status, ended.error["code"]) == (3, "bad_settings")


# ---- export --------------------------------------------------------------------------------------


def test_export_gives_the_events_as_they_are(trail: Path) -> None:
    assert lines(nexus("audit", "export").out) == EVENTS
    assert lines(nexus("audit", "export", "--json").out) == EVENTS


def test_export_of_a_period(trail: Path) -> None:
    """The period is that of recording, which is now."""
    assert len(lines(nexus("audit", "export", "--since", "1h").out)) == 5
    assert nexus("audit", "export", "--until", "1h").out == ""
    assert nexus("audit", "export", "--since", "2999-01-01").out == ""
    assert nexus("audit", "export", "--since", "someday").status == 2


def test_csv_has_a_column_for_what_matters(trail: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(nexus("audit", "export", "--format", "csv").out)))
    assert len(rows) == 5
    first = rows[0]
    assert {name: first[name] for name in ("id", "key", "user", "provider", "target_model")} == {
        "id": EVENTS[0]["id"],
        "key": "k1",
        "user": "ada",
        "provider": "openai",
        "target_model": "gpt-4o-mini",
    }
    assert (first["input_tokens"], first["cost_usd"], first["stream"]) == (
        "100",
        "0.000045",
        "false",
    )
    assert nexus("audit", "export", "--format", "csv", "--json").status == 2


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", '=a,"b"'])
def test_no_cell_is_a_formula(state: Path, evil: str) -> None:
    record(state, event(1, model=evil, findings=[finding(evil)]))
    (row,) = csv.DictReader(
        io.StringIO(nexus("audit", "export", "--format", "csv").out, newline="")
    )
    assert row["model"] == row["rules"] == f"'{evil}"


def test_every_column_is_a_place_of_a_real_event() -> None:
    whole = event(1, error={"code": "x"})
    assert all(events.at(whole, place) is not None for place in events.COLUMNS.values())


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {
            "caller": None,
            "route": 7,
            "usage": "x",
            "findings": {},
            "cost": [None, 3, {"amount": "x"}],
        },
        {"id": 5, "at": None, "findings": [None, {"rule": 3}], "notes": [{}], "duration_ms": "x"},
        {"usage": {"input": True}, "error": [], "saved_usd": "nan", "model": "\x1b[2J\u202e"},
    ],
)
def test_events_of_other_shapes_break_nothing(state: Path, strange: dict[str, Any]) -> None:
    strange = {"id": "strange-1"} | strange
    record(state, strange)
    for command in (
        ("audit", "tail"),
        ("audit", "show", "strange-1"),
        ("audit", "export", "--format", "csv"),
        ("usage", "--by", "rule"),
        ("usage", "--by", "day"),
    ):
        ended = nexus(*command)
        known = strange["id"] == "strange-1" or "show" not in command
        assert ended.status == (0 if known else 4), command
        assert "\x1b" not in ended.out or "csv" in command
    assert lines(nexus("audit", "export").out) == [strange]


def test_export_of_a_large_trail_needs_little_memory(state: Path) -> None:
    record(state, *(event(number, notes=["x" * 20_000]) for number in range(1000)))
    code = (
        "import resource, sys\n"
        "from nexus_sdk.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )

    def peak_kib(*args: str) -> int:
        ended = subprocess.run(
            [sys.executable, "-c", code, "audit", *args], capture_output=True, text=True, check=True
        )
        return int(ended.stderr)

    if sys.platform == "linux":
        assert peak_kib("export") - peak_kib("tail", "-n", "1") < 10_000
