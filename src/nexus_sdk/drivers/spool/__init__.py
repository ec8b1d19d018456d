"""The local audit spool: durable, tamper-evident, bounded. `docs/decisions/0005-audit-spool.md`
says why it is so."""

from __future__ import annotations

from nexus_sdk.drivers.spool.keys import load_or_create_key
from nexus_sdk.drivers.spool.layout import chains
from nexus_sdk.drivers.spool.reader import Entry, events, every, tail
from nexus_sdk.drivers.spool.report import ChainReport, Problem, Report, Spot
from nexus_sdk.drivers.spool.verifier import verify
from nexus_sdk.drivers.spool.writer import Spool, Stats

__all__ = [
    "ChainReport",
    "Entry",
    "Problem",
    "Report",
    "Spool",
    "Spot",
    "Stats",
    "chains",
    "events",
    "every",
    "load_or_create_key",
    "tail",
    "verify",
]
