"""Hyperscan for the scanners: compiled once, cached on disk, never waited for.

A scanner works from the first moment with its own literal search; the compiled database is attached
when it is ready, from the cache (a few milliseconds) or from a compile in a background thread. The
cache is keyed by everything that decides what the bytes mean: the expressions, the engine's
version, and the machine's architecture.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nexus_sdk.compliance.scanner import Expression, Scanner

log = logging.getLogger("nexus.matcher")

FORMAT = b"nexus matcher 1"


class HyperscanMatcher:
    """A compiled database with a scratch space for each thread."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._local = threading.local()

    def __call__(self, data: bytes) -> list[tuple[int, int]]:
        hits: list[tuple[int, int]] = []

        def on_match(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.append((index, end))

        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            import hyperscan

            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        self._database.scan(data, match_event_handler=on_match, scratch=scratch)
        return hits


def attach(
    scanners: Iterable[Scanner], cache_dir: Path | None, *, wait: bool = False
) -> threading.Thread | None:
    """Give each scanner its matcher: at once from the cache, else when a background thread has
    compiled it.

    Returns the thread, if one was needed. Without a Hyperscan for this platform the scanners keep
    their own search.
    """
    try:
        import hyperscan  # noqa: F401
    except ImportError:
        log.warning(
            "hyperscan is not installed for this platform; scanning falls back to a slower search"
        )
        return None
    missing = [
        scanner
        for scanner in scanners
        if scanner.expressions and not _from_cache(scanner, cache_dir)
    ]
    if not missing:
        return None
    thread = threading.Thread(
        target=_compile_all, args=(missing, cache_dir), name="nexus-matcher", daemon=True
    )
    thread.start()
    if wait:
        thread.join()
    return thread


def _compile_all(scanners: list[Scanner], cache_dir: Path | None) -> None:
    import hyperscan

    for scanner in scanners:
        try:
            database = _compiled(scanner.expressions)
        except hyperscan.error as err:
            log.warning("the rules are too much for hyperscan, a slower search finds them: %s", err)
            continue
        scanner.matcher = HyperscanMatcher(database)
        if cache_dir is not None:
            _keep(cache_dir / _name(scanner.expressions), database)


def _compiled(expressions: list[Expression]) -> Any:
    import hyperscan

    flags = [
        hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if e.ignore_case else 0)
        for e in expressions
    ]
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[e.source.encode() for e in expressions],
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=flags,
    )
    return database


def _name(expressions: list[Expression]) -> str:
    import hyperscan

    digest = hashlib.sha256(FORMAT)
    version = getattr(hyperscan, "__version__", "")
    for part in (
        str(version),
        platform.machine(),
        _cpu_flags(),
        *(f"{e.ignore_case}{e.source}" for e in expressions),
    ):
        digest.update(len(part).to_bytes(4, "big") + part.encode())
    return f"matcher-{digest.hexdigest()[:32]}.hs"


def _cpu_flags() -> str:
    """A database is compiled for the instructions of this machine; another machine may share the
    home folder."""
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return platform.processor()


def _from_cache(scanner: Scanner, cache_dir: Path | None) -> bool:
    if cache_dir is None:
        return False
    import hyperscan

    path = cache_dir / _name(scanner.expressions)
    try:
        database = hyperscan.loadb(path.read_bytes(), hyperscan.HS_MODE_BLOCK)
    except FileNotFoundError:
        return False
    except Exception as err:  # noqa: BLE001  whatever is wrong with a cache entry, a compile replaces it
        log.warning("ignoring the compiled rules in %s: %s", path, err)
        return False
    scanner.matcher = HyperscanMatcher(database)
    return True


def _keep(path: Path, database: Any) -> None:
    """Write atomically; a cache that cannot be written costs the next start a compile, nothing
    else."""
    import hyperscan

    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hyperscan.dumpb(database))
        Path(name).replace(path)
