"""A run as a document: the figures, and the machine that they hold for. Its tables in the docs."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import table
from bench.rows import ROOT, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = ROOT / "build" / "bench.json"
DOCS = ROOT / "docs" / "performance.md"
PACKAGES = (
    "openai",
    "httpx2",
    "httpx",
    "pydantic",
    "orjson",
    "hyperscan",
    "uvicorn",
    "uvloop",
    "httptools",
    "pyreqwest",
)
MARKERS = "<!-- bench:{name} -->\n(.*?)<!-- /bench -->"


@dataclass(frozen=True, slots=True)
class Report:
    """`tables`: the rows of each measurement. `loads`: the machine's load average before and
    after."""

    date: str
    quick: bool
    machine: Mapping[str, Any]
    tables: Mapping[str, list[Row]]
    loads: tuple[float, float]

    @property
    def missed(self) -> list[Row]:
        """The rows whose promise is not kept."""
        return [row for rows in self.tables.values() for row in rows if row.met is False]

    def save(self, path: Path = JSON) -> None:
        doc = {
            "date": self.date,
            "quick": self.quick,
            "machine": self.machine,
            "load": self.loads,
            "missed": [row.what for row in self.missed],
            "tables": {name: [row.as_json() for row in rows] for name, rows in self.tables.items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(doc, indent=1) + "\n", encoding="utf-8")


def load(path: Path = JSON) -> Report:
    """The report that `save` wrote. Raises FileNotFoundError."""
    doc = json.loads(path.read_text(encoding="utf-8"))
    tables = {name: [Row.from_json(row) for row in rows] for name, rows in doc["tables"].items()}
    return Report(doc["date"], doc["quick"], doc["machine"], tables, tuple(doc["load"]))


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def load_average() -> float:
    """Of the last minute; -1 where the system does not count it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0


def documented(text: str, report: Report) -> str:
    """The page with its tables and facts replaced by the report's, each between `<!-- bench:NAME
    -->` and `<!-- /bench -->`. Markers of measurements that were not made keep what they have."""
    for name, content in _parts(report).items():
        pattern = re.compile(MARKERS.format(name=re.escape(name)), re.DOTALL)
        marked = f"<!-- bench:{name} -->\n{content}<!-- /bench -->"
        text = pattern.sub(marked.replace("\\", r"\\"), text)
    return text


def _parts(report: Report) -> dict[str, str]:
    facts, packages = report.machine, report.machine["packages"]
    thorough = "a quick run" if report.quick else "a full run"
    missed = [f"- {row.name}\n" for row in report.missed]
    where = [facts["cpu"], f"{facts['cores']} cores", facts["system"], facts["python"]]
    about = (
        f"{report.date}, {thorough}: {', '.join(where)}; "
        + ", ".join(f"{name} {number}" for name, number in packages.items())
        + f". Load average {report.loads[0]:.1f} before and {report.loads[1]:.1f} after.\n"
    )
    return {
        "about": about,
        "missed": "".join(missed) or "None.\n",
        **{name: table.markdown(rows) for name, rows in report.tables.items()},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
