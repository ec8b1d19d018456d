"""What of `scripts/lock.py` needs no index: reading and writing pins, and their markers."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "lock.py"


@pytest.fixture(scope="module")
def lock() -> Any:
    spec = spec_from_file_location("nexus_lock_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_what_is_written_is_read_back(lock: Any, tmp_path: Path) -> None:
    pins = [
        lock.Pin("b-c", "2.0.post1", hashes={"1" * 64, "0" * 64}),
        lock.Pin("a", "1.0", 'python_version <= "3.12"', hashes={"f" * 64}),
    ]
    path = tmp_path / "some.lock"
    lock.write(path, "# a header\n", pins)
    back = lock.read_lock(path)
    assert list(back) == ["a", "b-c"]
    assert {pin.name: (pin.version, pin.hashes) for pin in back.values()} == {
        pin.name: (pin.version, pin.hashes) for pin in pins
    }


def test_a_pin_is_a_line_that_pip_understands(lock: Any) -> None:
    text = str(lock.Pin("a", "1.0", 'python_version <= "3.12"', hashes={"f" * 64}))
    requirement, *hashes = text.rstrip("\n").split(" \\\n")
    parsed = Requirement(requirement)
    assert (parsed.name, str(parsed.specifier)) == ("a", "==1.0")
    assert parsed.marker is not None
    assert not parsed.marker.evaluate({"python_version": "3.13"})
    assert hashes == [f"    --hash=sha256:{'f' * 64}"]


@pytest.mark.parametrize(
    ("needing", "marker"),
    [
        (["3.12", "3.13"], ""),
        (["3.12"], 'python_version <= "3.12"'),
        (["3.13"], 'python_version >= "3.13"'),
    ],
)
def test_a_package_that_not_every_python_needs_says_so(
    lock: Any, needing: list[str], marker: str
) -> None:
    resolved = {python: {"a": "1"} if python in needing else {} for python in lock.PYTHONS}
    assert lock.python_marker("a", resolved) == marker


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("PyYAML>=6", "pyyaml"), ("google.re2 ; os_name != 'x'", "google-re2"), ("a_b[c]==1", "a-b")],
)
def test_names_are_compared_in_their_normal_form(lock: Any, requirement: str, name: str) -> None:
    assert lock.project_name(requirement) == name


def test_there_is_no_lock_before_the_first(lock: Any, tmp_path: Path) -> None:
    assert lock.read_lock(tmp_path / "absent.lock") == {}
