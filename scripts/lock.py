"""Writes `requirements.lock` and `requirements-dev.lock` from pyproject.toml, with pip alone, and
`requirements-openai2.lock`: what the tests on the older clients have in place of the newest ones.

usage: make lock [UPGRADE=1]

Each supported Python resolves for itself, the oldest first, and the next ones keep its choices; a
package that only some of them need gets a marker. Every pin lists the sha256 of the file that pip
would take on each platform below, and of the one for this machine, so that `pip install
--require-hashes` works there. The files name no address of an index: pip's own configuration says
where packages come from. Hashes of a pin that did not change are kept, so running this on another
kind of machine only adds to them. It takes some two minutes: pip is asked once for each kind.

Needs Python 3.12 or newer with pip, and each of `PYTHONS` where `scripts/find-python` looks.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOME = Path(__file__).resolve().parent.parent
RUN_LOCK = HOME / "requirements.lock"
DEV_LOCK = HOME / "requirements-dev.lock"
OLDER_LOCK = HOME / "requirements-openai2.lock"

PYTHONS = ("3.12", "3.13")
"""Resolved, oldest first. Each must be installed where this runs."""
HASHED_PYTHONS = ("3.12", "3.13", "3.14")
"""Hashed for: also the next one, whose wheels exist before we promise it."""
RUN_EXTRAS = ("sidecar",)
"""What `make demo` needs beside the core. The heavy extras stay out of development."""

OLDER = ("openai<3", "anthropic<1")
"""The last clients of their vendors that sit on `httpx`; the newest ones sit on `httpx2`."""

_GLIBC_X86 = ("manylinux1", "manylinux2010", "manylinux2014", "manylinux_2_12", "manylinux_2_17")
_GLIBC_NEW = ("manylinux_2_24", "manylinux_2_26", "manylinux_2_27", "manylinux_2_28")
PLATFORMS = (
    tuple(f"{tag}_x86_64" for tag in _GLIBC_X86),
    tuple(f"{tag}_x86_64" for tag in (*_GLIBC_X86, *_GLIBC_NEW)),
    tuple(
        f"{tag}_x86_64" for tag in (*_GLIBC_X86, *_GLIBC_NEW, "manylinux_2_31", "manylinux_2_34")
    ),
    tuple(f"{tag}_aarch64" for tag in ("manylinux2014", "manylinux_2_17")),
    tuple(f"{tag}_aarch64" for tag in ("manylinux2014", "manylinux_2_17", *_GLIBC_NEW)),
    tuple(
        f"{tag}_aarch64"
        for tag in ("manylinux2014", *_GLIBC_NEW, "manylinux_2_31", "manylinux_2_34")
    ),
    ("musllinux_1_1_x86_64", "musllinux_1_2_x86_64"),
    ("musllinux_1_1_aarch64", "musllinux_1_2_aarch64"),
    ("macosx_14_0_arm64",),
    ("macosx_15_0_x86_64",),
)
"""Tags that a machine of one kind accepts; the platform tags of PEP 600, 656 and 425."""

type Pins = dict[str, str]

RUN_HEADER = """\
# What the core and the sidecar run on, and the build backend. Written by `make lock`.
"""
DEV_HEADER = """\
# The tools of `make test` and `make check`, on top of requirements.lock. Written by `make lock`.
"""
OLDER_HEADER = """\
# The older clients of `make test-openai2`, in place of the others'. Written by `make lock`.
"""


@dataclass(frozen=True, slots=True)
class File:
    """What pip chose for one project. `universal`: the same file serves every machine."""

    name: str
    version: str
    sha256: str
    universal: bool


@dataclass(slots=True)
class Pin:
    name: str
    version: str
    marker: str = ""
    universal: bool = False
    hashes: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        marker = f" ; {self.marker}" if self.marker else ""
        lines = [f"{self.name}=={self.version}{marker}"]
        lines += [f"    --hash=sha256:{digest}" for digest in sorted(self.hashes)]
        return " \\\n".join(lines) + "\n"


def canonical(name: str) -> str:
    """The normalised form of a project's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_name(requirement: str) -> str:
    return canonical(re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0])


def pip(*args: str, python: str = sys.executable) -> list[File]:
    """What `pip install` with `args` would take. Raises RuntimeError with pip's own words."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
        command += [
            "install",
            "--dry-run",
            "--quiet",
            "--ignore-installed",
            "--report",
            str(report),
        ]
        done = subprocess.run([*command, *args], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        taken = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [
        File(
            name=canonical(item["metadata"]["name"]),
            version=item["metadata"]["version"],
            sha256=item["download_info"]["archive_info"]["hashes"]["sha256"],
            universal=item["download_info"]["url"].endswith("-none-any.whl"),
        )
        for item in taken
    ]


def interpreter(version: str) -> str:
    finder = [str(HOME / "scripts" / "find-python"), version]
    return subprocess.run(finder, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def resolve(requirements: Sequence[str], keep: Mapping[str, str], python: str) -> list[File]:
    """The whole tree of `requirements` under `python`, at the versions of `keep` where set."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text(
            "".join(f"{name}=={version}\n" for name, version in keep.items()), encoding="utf-8"
        )
        return pip("--constraint", str(constraints), *requirements, python=python)


def foreign_hashes(pins: Pins, python: str, tags: Sequence[str]) -> list[File]:
    """The wheels that another kind of machine would take; a pin without one is left out."""
    left = dict(pins)
    flags = ["--no-deps", "--only-binary=:all:", "--python-version", python]
    flags += [word for tag in tags for word in ("--platform", tag)]
    while left:
        with tempfile.TemporaryDirectory() as target:
            try:
                return pip(
                    *flags,
                    "--target",
                    target,
                    *(f"{name}=={version}" for name, version in left.items()),
                )
            except RuntimeError as refused:
                missing = re.search(r"No matching distribution found for ([\w.-]+)==", str(refused))
                if missing is None:
                    raise
                del left[canonical(missing[1])]
    return []


def read_lock(path: Path) -> dict[str, Pin]:
    """The pins of a lock that this script wrote; empty when there is none."""
    pins: dict[str, Pin] = {}
    current = Pin("", "")
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if found := re.match(r"([\w.-]+)==([^\s;\\]+)", line):
            current = pins.setdefault(found[1], Pin(found[1], found[2]))
        elif found := re.match(r"\s+--hash=sha256:([0-9a-f]{64})", line):
            current.hashes.add(found[1])
    return pins


def python_marker(name: str, resolved: Mapping[str, Pins]) -> str:
    """For a pin that not every Python needs: the oldest ones do, or the newest, in a row."""
    needing = [version for version in PYTHONS if name in resolved[version]]
    if len(needing) == len(PYTHONS):
        return ""
    if needing[0] == PYTHONS[0]:
        return f'python_version <= "{needing[-1]}"'
    return f'python_version >= "{needing[0]}"'


def lock(requirements: Sequence[str], keep: Pins, old: Mapping[str, Pin]) -> dict[str, Pin]:
    """The pins for `requirements` on every Python, with the hashes of this machine's files."""
    resolved: dict[str, Pins] = {}
    pins: dict[str, Pin] = {}
    written = {
        project_name(line): line.partition(";")[2].strip().replace("'", '"')
        for line in requirements
    }
    for version in PYTHONS:
        found = resolve(requirements, keep, interpreter(version))
        resolved[version] = {file.name: file.version for file in found}
        keep = keep | resolved[version]
        for file in found:
            new = Pin(file.name, file.version, written.get(file.name, ""), file.universal)
            pins.setdefault(file.name, new).hashes.add(file.sha256)
    for name, pin in pins.items():
        pin.marker = " and ".join(filter(None, (pin.marker, python_marker(name, resolved))))
        if name in old and old[name].version == pin.version:
            pin.hashes |= old[name].hashes
    return pins


def add_foreign_hashes(pins: Mapping[str, Pin]) -> None:
    """What other kinds of machines would take, for the pins whose files are built for one kind."""
    built = {name: pin.version for name, pin in pins.items() if not pin.universal}
    kinds = [(built, python, tags) for python in HASHED_PYTHONS for tags in PLATFORMS]
    with ThreadPoolExecutor(max_workers=2) as pool:
        for found in pool.map(lambda kind: foreign_hashes(*kind), kinds):
            for file in found:
                pins[file.name].hashes.add(file.sha256)


def write(path: Path, header: str, pins: Iterable[Pin]) -> None:
    ordered = sorted(pins, key=lambda pin: pin.name)
    path.write_text(header + "".join(map(str, ordered)), encoding="utf-8")
    print(f"{path.name}: {len(ordered)} pins, {sum(len(pin.hashes) for pin in ordered)} hashes")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the lock files from pyproject.toml.")
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest versions, not the pinned ones"
    )
    args = parser.parse_args()

    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    run = [*project["project"]["dependencies"], *project["build-system"]["requires"], "editables"]
    run += [requirement for extra in RUN_EXTRAS for requirement in extras[extra]]

    old = read_lock(RUN_LOCK) | read_lock(DEV_LOCK)
    keep = {} if args.upgrade else {name: pin.version for name, pin in old.items()}
    everything = lock([*run, *extras["dev"]], keep, old)
    light = lock(run, {name: pin.version for name, pin in everything.items()}, {})
    add_foreign_hashes(everything)
    write(RUN_LOCK, RUN_HEADER, (everything[name] for name in light))
    write(DEV_LOCK, DEV_HEADER, (pin for name, pin in everything.items() if name not in light))
    write(OLDER_LOCK, OLDER_HEADER, older(everything, upgrade=args.upgrade))


def older(newest: Mapping[str, Pin], *, upgrade: bool) -> list[Pin]:
    """The pins of the older clients that are not among those of the newest."""
    old = read_lock(OLDER_LOCK)
    named = {project_name(requirement) for requirement in OLDER}
    keep = {name: pin.version for name, pin in newest.items() if name not in named}
    if not upgrade:
        keep |= {name: pin.version for name, pin in old.items()}
    found = lock(OLDER, keep, old)
    other = {
        n: pin for n, pin in found.items() if n not in newest or newest[n].version != pin.version
    }
    add_foreign_hashes(other)
    return list(other.values())


if __name__ == "__main__":
    main()
