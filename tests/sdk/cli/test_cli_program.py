"""The command as a whole: it starts fast, ends with the documented codes, and never with a
traceback for what may well happen."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.cli.cli_lab import PROVIDER_KEY, event, nexus, record

from nexus_sdk.cli.exits import EXPECTED, MEANINGS, Exit, ending
from nexus_sdk.errors import AuditUnavailable, BadPolicy, BadSettings, Malformed, NotFound

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = (
    "openai",
    "pydantic",
    "hyperscan",
    "yaml",
    "rich",
    "orjson",
    "uvicorn",
    "pyreqwest",
    "asyncio",
)


def run(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("audit", "--help"), ("scan", "-h")])
def test_help_and_version_import_nothing_heavy(args: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        "from nexus_sdk.cli import main\n"
        "try:\n    main()\n"
        f"finally:\n    print(*sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)\n"
    )
    ended = run(code, *args)
    assert (ended.returncode, ended.stderr) == (0, "\n")
    assert ended.stdout


def test_the_script_of_the_package_is_main() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="nexus")
    assert script.value == "nexus_sdk.cli:main"


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert nexus("--version").out == f"nexus {version('nexus-sdk')}\n"


def test_the_help_names_every_exit_code() -> None:
    told = nexus("--help").out
    assert all(f"\n  {int(code)} " in told for code in Exit)
    assert set(MEANINGS) == set(Exit)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadPolicy(["x.yaml:1: no"]), Exit.POLICY, "bad_policy"),
        (BadSettings("no"), Exit.POLICY, "bad_settings"),
        (Malformed("no"), Exit.USAGE, "malformed_request"),
        (NotFound("no"), Exit.OUTSIDE, "not_found"),
        (AuditUnavailable("no"), Exit.OUTSIDE, "audit_unavailable"),
        (FileNotFoundError(2, "No such file", "x"), Exit.OUTSIDE, "os_error"),
        (TimeoutError(), Exit.OUTSIDE, "os_error"),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, status: Exit, code: str) -> None:
    assert isinstance(error, EXPECTED)
    assert ending(error)[:2] == (status, code)
    assert ending(error)[2]


def test_wrong_usage_is_told_in_the_form_that_was_asked_for() -> None:
    plain, as_json = nexus("nope"), nexus("nope", "--json")
    assert (plain.status, as_json.status) == (2, 2)
    assert "No such command 'nope'" in plain.err
    assert as_json.error == {"code": "usage", "message": "No such command 'nope'."}
    assert plain.out == as_json.out == ""


def test_global_options_may_stand_anywhere(here: Path) -> None:
    (here / "p.yaml").write_text("name: mine\n")
    for args in (
        ("--json", "--policy", "p.yaml", "policy", "check"),
        ("policy", "--json", "check", "--policy", "p.yaml"),
        ("policy", "--policy", "p.yaml", "check", "--json"),
    ):
        assert nexus(*args).json["files"] == ["p.yaml"]


def test_the_policy_is_the_option_then_the_variable_then_the_file_here(here: Path) -> None:
    for name in ("nexus", "named", "given"):
        (here / f"{name}.yaml").write_text(f"name: {name}\n")
    named = {"NEXUS_POLICY": "named.yaml"}

    def files(*args: str, env: dict[str, str] | None = None) -> Any:
        return nexus("policy", "check", "--json", *args, env=env).json["files"]

    assert files("--policy", "given.yaml", env=named) == ["given.yaml"]
    assert files(env=named) == ["named.yaml"]
    assert files() == ["nexus.yaml"]
    (here / "nexus.yaml").unlink()
    assert files() == "none: the default policy"


def test_settings_that_are_not_valid_end_with_3() -> None:
    ended = nexus("policy", "check", "--json", env={"NEXUS_POLCY": "x"})
    assert ended.status == 3
    assert ended.error["code"] == "bad_settings"
    assert "NEXUS_POLCY: is no setting; did you mean 'NEXUS_POLICY'?" in ended.error["message"]


@pytest.mark.parametrize(
    "command", [("policy", "show"), ("explain", "--prompt", "x"), ("keys", "list")]
)
def test_a_policy_that_is_not_there_ends_with_4(command: tuple[str, ...]) -> None:
    ended = nexus(*command, "--policy", "gone.yaml")
    assert (ended.status, ended.err) == (4, "Error: gone.yaml: No such file or directory\n")


def test_an_error_message_moves_no_cursor(here: Path) -> None:
    assert "\x1b" not in nexus("policy", "check", "--policy", "\x1b[2Jgone").err


@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize(
    "command",
    [
        ("policy", "check"),
        ("policy", "show"),
        ("policy", "diff", "nexus.yaml", "empty.yaml"),
        ("policy", "diff", "empty.yaml", "nexus.yaml"),
        ("policy", "check", "bad.yaml"),
        ("policy", "show", "--policy", "bad.yaml"),
        ("scan", "nexus.yaml"),
        ("explain", "--prompt", PROVIDER_KEY),
        ("keys", "create"),
        ("keys", "list"),
        ("audit", "tail"),
        ("audit", "export"),
        ("usage",),
        ("doctor",),
    ],
)
def test_no_command_shows_a_secret(
    here: Path, state: Path, command: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    provider = f"{{kind: openai, api_key: {PROVIDER_KEY}, headers: {{x-key: {PROVIDER_KEY}}}}}"
    (here / "nexus.yaml").write_text(f"providers: {{main: {provider}}}\n")
    (here / "empty.yaml").write_text("")
    (here / "bad.yaml").write_text(f"providers: {{main: {{kind: {PROVIDER_KEY}, api_key: [x]}}}}\n")
    record(state, event(1))
    ended = nexus(*command, *flags, env={"OPENAI_API_KEY": PROVIDER_KEY})
    assert PROVIDER_KEY not in ended.out + ended.err
    assert ended.out + ended.err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus_sdk.policy.schema.json_schema", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        nexus("policy", "schema")


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nexus_sdk.policy.schema.json_schema", interrupted)
    ended = nexus("policy", "schema")
    assert (ended.status, ended.out, ended.err.strip()) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_goes_away_is_no_error(state: Path) -> None:
    record(state, *(event(number, notes=["x" * 2000]) for number in range(100)))
    reading, writing = os.pipe()
    command = subprocess.Popen(
        [sys.executable, "-c", "from nexus_sdk.cli import main; main()", "audit", "export"],
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    _, err = command.communicate(timeout=30)
    assert (command.returncode, err) == (130, b"")
