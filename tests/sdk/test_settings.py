"""The settings of a process are read from a mapping, whole, and with every mistake told at once."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

import pytest

from nexus_sdk.errors import BadSettings
from nexus_sdk.settings import FOREIGN, VARIABLES, Machine, Settings, from_environment, read

LINUX = Machine("linux", Path("/home/ada"), "engine")


def folders(settings: Settings) -> tuple[str, str]:
    return settings.state_dir.as_posix(), settings.cache_dir.as_posix()


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = read({}, LINUX)
    assert folders(settings) == ("/home/ada/.local/state/nexus", "/home/ada/.cache/nexus")
    assert (settings.policy, settings.node) == (None, "engine")
    assert (settings.audit, settings.log_level) == ("", "warning")


def test_every_variable_is_read() -> None:
    settings = read(
        {
            "NEXUS_POLICY": "conf/nexus.yaml",
            "NEXUS_STATE_DIR": "/s",
            "NEXUS_CACHE_DIR": "/c",
            "NEXUS_NODE": "n1",
            "NEXUS_AUDIT": "Strict",
            "NEXUS_LOG_LEVEL": " DEBUG ",
        },
        LINUX,
    )
    assert settings == Settings(
        Path("/s"), Path("/c"), "n1", Path("conf/nexus.yaml"), "strict", "debug"
    )


def test_an_empty_value_counts_as_none() -> None:
    assert read(dict.fromkeys(VARIABLES, ""), LINUX) == read({}, LINUX)


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        (
            "linux",
            {"XDG_STATE_HOME": "/x/s", "XDG_CACHE_HOME": "/x/c"},
            ("/x/s/nexus", "/x/c/nexus"),
        ),
        ("linux", {"XDG_STATE_HOME": "relative"}, ("/h/.local/state/nexus", "/h/.cache/nexus")),
        ("freebsd14", {}, ("/h/.local/state/nexus", "/h/.cache/nexus")),
        (
            "darwin",
            {"XDG_STATE_HOME": "/x"},
            ("/h/Library/Application Support/nexus", "/h/Library/Caches/nexus"),
        ),
        ("win32", {"LOCALAPPDATA": "/l"}, ("/l/nexus", "/l/nexus/cache")),
        ("win32", {}, ("/h/AppData/Local/nexus", "/h/AppData/Local/nexus/cache")),
    ],
)
def test_folders_are_where_the_platform_wants_them(
    platform: str, environ: dict[str, str], expected: tuple[str, str]
) -> None:
    assert folders(read(environ, Machine(platform, Path("/h"), "m"))) == expected


def test_every_mistake_is_told_and_no_value_shown() -> None:
    environ = {
        "NEXUS_POLCY": "canary",
        "NEXUS_WHATEVER": "canary",
        "NEXUS_AUDIT": "strickt",
        "NEXUS_LOG_LEVEL": "loud",
        "NEXUS_STATE_DIR": "canary/relative",
        "NEXUS_NODE": "canary\n",
    }
    with pytest.raises(BadSettings) as caught:
        read(environ, LINUX)
    assert str(caught.value).splitlines()[1:] == [
        "  NEXUS_POLCY: is no setting; did you mean 'NEXUS_POLICY'?",
        "  NEXUS_WHATEVER: is no setting",
        "  NEXUS_STATE_DIR: must be an absolute path",
        "  NEXUS_NODE: must be printable and of at most 255 characters",
        "  NEXUS_AUDIT: must be one of off, batched, strict; did you mean 'strict'?",
        "  NEXUS_LOG_LEVEL: must be one of debug, info, warning, error",
    ]


@pytest.mark.parametrize("prefix", FOREIGN)
def test_names_of_other_programs_and_of_policies_are_let_pass(prefix: str) -> None:
    assert read({f"{prefix}X": "1"}, LINUX).lookup(f"{prefix}X") == "1"


def test_without_a_home_the_folders_must_be_given() -> None:
    nowhere = Machine("linux", None, "")
    with pytest.raises(BadSettings, match=r"NEXUS_STATE_DIR: must be set.*\n.*NEXUS_CACHE_DIR"):
        read({}, nowhere)
    given = {"NEXUS_STATE_DIR": "/s", "NEXUS_CACHE_DIR": "/c"}
    assert read(given, nowhere).node == "unnamed"


def test_secrets_are_looked_up_and_never_shown() -> None:
    settings = read({"OPENAI_API_KEY": "sk-canary"}, LINUX)
    assert settings.lookup("OPENAI_API_KEY") == "sk-canary"
    assert settings.lookup("OTHER") is None
    assert "canary" not in repr(settings)


def test_a_later_change_of_the_environment_changes_nothing() -> None:
    environ = {"A": "1"}
    settings = read(environ, LINUX)
    environ["A"] = "2"
    assert settings.lookup("A") == "1"


def test_this_process_has_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEXUS_STATE_DIR", str(tmp_path))
    settings = from_environment()
    assert settings.state_dir == tmp_path
    assert settings.node
    assert settings.lookup("PATH") == os.environ.get("PATH")


def test_a_machine_without_a_home_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert Machine.here().home is None


def test_nothing_else_reads_the_environment() -> None:
    source = Path(__file__).parents[2] / "src" / "nexus_sdk"
    reads = re.compile(r"os\.environ|os\.getenv|from os import.*environ")
    readers = {
        PurePosixPath(path.relative_to(source).as_posix())
        for path in source.rglob("*.py")
        if reads.search(path.read_text(encoding="utf-8"))
    }
    assert readers == {PurePosixPath("settings.py")}
