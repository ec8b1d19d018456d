"""The budgets and promises of the whole project: sizes, words, imports, links, locks, the wheel."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).resolve().parent.parent
PACKAGES = tuple(
    HOME / place
    for place in (
        "src/nexus_sdk",
        "src/nexus_sidecar",
        "src/nexus_hub",
        "agent/nexus_agent",
        "tui/nexus_tui",
    )
)
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
UNFINISHED = re.compile(
    r"\b(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError|(?i:\bfor now\b|not implemented yet)"
)
PRIVATE_PLACE = re.compile(
    rf"{re.escape(str(HOME))}/|(?<![\w.<-])/(?:root|work|Users)/\w"
    r"|pypi\.org|python[h]osted|registry\.npmjs|deb\.debian\.org"
)
# fmt: off
HEAVY = {
    "aiosqlite", "anthropic", "asyncio", "click", "httptools", "httpx", "httpx2", "hyperscan",
    "openai", "prometheus_client", "pydantic", "pydantic_core", "pyreqwest", "re2", "rich",
    "sqlalchemy", "sqlite3", "ssl", "uvicorn", "uvloop", "yaml",
}
# fmt: on
"""What `import nexus_sdk` must not load: each costs a start-up that the program may never need."""

DATA = {".json", ".yaml", ".yml", ".toml", ".typed", ".sql", ".txt", ".md", ".html", ".tcss"}
SKIPPED_FOLDERS = {"__pycache__", "build", "dist"}


def files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                hidden = path.name.startswith(".") and path.name != ".ci"
                if not hidden and path.name not in SKIPPED_FOLDERS and path.suffix != ".egg-info":
                    yield from files(path)
            else:
                yield path


SOURCES = [path for path in files(*PACKAGES, HOME / "scripts") if path.suffix == ".py"]
MARKDOWN = [path for path in files(HOME) if path.suffix == ".md"]
README = (HOME / "README.md").read_text(encoding="utf-8")


def place(path: Path) -> str:
    return str(path.relative_to(HOME))


def function_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From `def` to the last line, the docstring not counted."""
    first, last = function.lineno, function.end_lineno or function.lineno
    lines = last - first + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str())) as doc:
            lines -= (doc.end_lineno or doc.lineno) - doc.lineno + 1
    return lines


# ---- sizes and words ----------------------------------------------------------------------------


def test_no_source_file_holds_two_nouns() -> None:
    sizes = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert sizes
    assert {path: size for path, size in sizes.items() if size > MAX_FILE_LINES} == {}


def test_every_function_fits_a_screen() -> None:
    long = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and function_lines(node) > MAX_FUNCTION_LINES
            ):
                long[f"{place(path)}:{node.lineno} {node.name}"] = function_lines(node)
    assert long == {}


def test_every_module_is_named_after_what_is_in_it() -> None:
    assert [place(path) for path in SOURCES if {path.stem, path.parent.name} & VAGUE_NAMES] == []


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{place(path)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def tracked() -> list[Path]:
    """Every file under version control; without a repository, every file that could be."""
    git = ["git", "-C", str(HOME), "ls-files", "-z"]
    listed = subprocess.run(git, capture_output=True, check=False, text=True).stdout
    there = [path for name in listed.split("\0") if name and (path := HOME / name).is_file()]
    return there or list(files(HOME))


def test_no_file_names_a_private_place() -> None:
    """Neither a folder of somebody's machine nor the address of a package index."""
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{place(path)}: {match[0]}" for match in PRIVATE_PLACE.finditer(text)]
    assert found == []


# ---- imports ------------------------------------------------------------------------------------

IMPORTING = """
import sys, threading
before = set(sys.modules)
import nexus_sdk
import json
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([sorted(loaded), threading.active_count()]))
"""


def test_importing_the_sdk_is_light_and_starts_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING], capture_output=True, check=True, text=True
    )
    loaded, threads = json.loads(done.stdout)
    assert "nexus_sdk" in loaded
    assert HEAVY.intersection(loaded) == set()
    assert threads == 1


# ---- the documents ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", MARKDOWN, ids=place)
def test_links_to_local_files_resolve(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_readme_examples_compile() -> None:
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert examples
    for example in examples:
        compile(example, "README.md", "exec")


def test_the_commands_of_the_documents_are_targets_of_the_makefile() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (HOME / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {
        name
        for page in MARKDOWN
        for name in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    named |= set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named - targets == set()


def test_the_map_of_the_readme_names_folders_that_exist() -> None:
    named = re.findall(r"^\| `([\w./]+/)`", README, re.MULTILINE)
    assert len(named) >= 8
    assert [name for name in named if not (HOME / name).is_dir()] == []


def test_every_news_fragment_has_a_kind_that_towncrier_knows() -> None:
    """A fragment with another name would silently stay out of the changelog."""
    kinds = "|".join(kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"])
    names = [path.name for path in (HOME / "docs" / "news").iterdir() if path.name != "README.md"]
    assert [
        name for name in names if not re.fullmatch(rf"(\d+|\+[\w-]+)\.({kinds})\.md", name)
    ] == []


# ---- dependencies -------------------------------------------------------------------------------


def locked(name: str) -> dict[str, str]:
    """The pins of a lock file, by normalised name."""
    text = (HOME / name).read_text(encoding="utf-8")
    return {
        canonicalize_name(found[1]): found[2]
        for found in re.finditer(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    }


def test_every_promised_extra_exists() -> None:
    promised = {
        "sidecar",
        "proxy",
        "hub",
        "agent",
        "tui",
        "redis",
        "nats",
        "postgres",
        "otel",
        "all",
        "dev",
    }
    assert promised <= set(EXTRAS)
    (everything,) = (Requirement(line) for line in EXTRAS["all"])
    assert everything.extras == set(EXTRAS) - {"all", "dev"}


def test_the_core_brings_no_server_driver_framework_or_model() -> None:
    unwanted = re.compile(
        r"uvicorn|granian|starlette|fastapi|flask|sqlalchemy|asyncpg|psycopg|redis|nats|mitmproxy|textual|torch|transformers"
    )
    assert [line for line in PROJECT["project"]["dependencies"] if unwanted.match(line)] == []


def imported(path: Path) -> set[str]:
    """The top-level names of what a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names |= {alias.name.partition(".")[0] for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module.partition(".")[0])
    return names


def test_tests_and_measurements_import_only_what_is_declared() -> None:
    """deptry asks the same of the sources. What is here by chance is not in a fresh clone."""
    programs = [path for path in files(HOME / "tests", HOME / "bench") if path.suffix == ".py"]
    own = {path.stem for path in programs} | {package.name for package in PACKAGES}
    own |= {"tests", "bench"}
    lines = [*PROJECT["project"]["dependencies"], *EXTRAS["sidecar"], *EXTRAS["dev"]]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    sources = packages_distributions()
    missing = {
        f"{place(path)}: {name}"
        for path in programs
        for name in imported(path) - own - sys.stdlib_module_names
        if not declared.intersection(map(canonicalize_name, sources.get(name, [])))
    }
    assert missing == set()


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        (
            "requirements.lock",
            [
                *PROJECT["project"]["dependencies"],
                *EXTRAS["sidecar"],
                *PROJECT["build-system"]["requires"],
            ],
        ),
        ("requirements-dev.lock", EXTRAS["dev"]),
    ],
)
def test_the_lock_pins_what_the_project_asks_for(lock: str, requirements: list[str]) -> None:
    pins = locked("requirements.lock") | locked(lock)
    for line in requirements:
        wanted = Requirement(line)
        pin = pins.get(canonicalize_name(wanted.name), "")
        assert pin, f"{lock} has no {wanted.name}: run `make lock`"
        assert wanted.specifier.contains(pin), f"{lock} pins {wanted.name} {pin}: run `make lock`"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    text = (HOME / lock).read_text(encoding="utf-8")
    pins = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(pins) == len(locked(lock))
    assert [pin.partition("=")[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in text
    assert "--index" not in text


# ---- the wheel ----------------------------------------------------------------------------------


def test_the_wheel_holds_the_packages_with_their_data_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=HOME, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    wanted = {
        str(path.relative_to(package.parent)) for package in PACKAGES for path in files(package)
    }
    assert {name.partition("/")[0] for name in held} == {package.name for package in PACKAGES}
    assert held == {name for name in wanted if Path(name).suffix in DATA | {".py"}}
    assert {f"{package.name}/py.typed" for package in PACKAGES} <= held
