"""`scripts/find-python` on made-up machines: a PATH of a few stubs, a home, a pyenv."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FINDER = Path(__file__).resolve().parents[2] / "scripts" / "find-python"
OLD = 'case "$1" in -c) echo 3.9.1 ;; *) exit 1 ;; esac'
THIS = f'exec "{sys.executable}" "$@"'
THIS_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


class Machine:
    def __init__(self, folder: Path) -> None:
        self.path, self.home = folder / "bin", folder / "home"
        self.path.mkdir()
        self.home.mkdir()
        for tool in ("sh", "cat", "cut"):
            self.path.joinpath(tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")

    def put(self, name: str, script: str, folder: Path | None = None) -> Path:
        file = (folder or self.path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    def find(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Runs the finder with nothing but `environ` and this machine's PATH."""
        return subprocess.run(
            ["/bin/sh", str(FINDER), *args],
            env={"PATH": str(self.path)} | environ,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_python_on_the_path_is_named_by_its_real_file(machine: Machine) -> None:
    machine.put("python3", THIS)
    done = machine.find(HOME=str(machine.home))
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_a_shim_that_starts_nothing_does_not_hide_what_pyenv_has(machine: Machine) -> None:
    machine.put(f"python{THIS_VERSION}", "echo 'not installed' >&2; exit 127")
    versions = machine.home / ".pyenv" / "versions" / f"{THIS_VERSION}.99" / "bin"
    machine.put(f"python{THIS_VERSION}", THIS, versions)
    done = machine.find(THIS_VERSION, HOME=str(machine.home))
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_pyenv_is_found_where_its_own_variable_says(machine: Machine, tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    machine.put(f"python{THIS_VERSION}", THIS, root / "versions" / f"{THIS_VERSION}.1" / "bin")
    done = machine.find(THIS_VERSION, PYENV_ROOT=str(root))
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_uv_is_asked_when_nothing_else_helps(machine: Machine) -> None:
    machine.put("python3", OLD)
    machine.put("uv", f'[ "$1 $2" = "python find" ] && echo "{sys.executable}"')
    done = machine.find(THIS_VERSION, HOME=str(machine.home))
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_uv_installs_one_when_it_knows_none(machine: Machine) -> None:
    installed = machine.home / "installed"
    known = f'[ -e "{installed}" ] && echo "{sys.executable}"'
    machine.put("uv", f'case "$2" in install) : >"{installed}" ;; *) {known} ;; esac')
    done = machine.find(THIS_VERSION, HOME=str(machine.home))
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)
    assert "uv fetches one" in done.stderr


def test_without_any_the_message_names_what_was_seen_and_what_to_install(machine: Machine) -> None:
    old = machine.put("python3", OLD)
    done = machine.find("3.99", HOME=str(machine.home))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{old} (3.9.1)" in done.stderr
    assert "python3-venv" in done.stderr
    assert "uv python install" in done.stderr


def test_a_named_python_is_taken_or_refused_but_never_replaced(machine: Machine) -> None:
    machine.put("python3", THIS)
    named = machine.put("mine", OLD)
    assert machine.find(PYTHON=sys.executable).stdout.strip() == sys.executable
    refused = machine.find(PYTHON=str(named))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"PYTHON={named}" in refused.stderr
