"""What `nexus doctor` looks at. A check changes nothing but the cache of compiled rules."""

from __future__ import annotations

import re
import shutil
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nexus_sdk.errors import BadPolicy, BadSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.policy.snapshot import Account, Snapshot
    from nexus_sdk.settings import Settings

type Verdict = Literal["ok", "warn", "fail"]

PACKAGE = "nexus-sdk"
EARLIEST_S = 1_767_225_600
"""2026-01-01. A clock before that is wrong: this program is younger."""
AHEAD_S = 5.0
"""How far the newest record may be ahead of the clock."""
LEAST_FREE_BYTES = 64 * 1024**2
_NAMED = re.compile(r"[A-Za-z0-9._-]+")
_SHOWN_VARIABLES = ("NEXUS_", "OPENAI_", "ANTHROPIC_", "SSL_CERT_")
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was seen, and for a fault what to do."""

    name: str
    verdict: Verdict
    seen: str
    advice: str = ""


# ---- the installation ----------------------------------------------------------------------------


def python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    seen = f"{sys.implementation.name} {version} on {sys.platform}"
    if sys.version_info < (3, 12):  # noqa: UP036  an installation may be made to run on an older one
        return Check("python", "fail", seen, "Nexus needs Python 3.12 or newer")
    return Check("python", "ok", seen)


def packages() -> Iterator[Check]:
    """Those that are always needed, and the sidecar's."""
    try:
        required = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        yield Check(PACKAGE, "fail", "is not installed as a package", f"pip install {PACKAGE}")
        return
    yield Check(PACKAGE, "ok", metadata.version(PACKAGE))
    needed, sidecar = _names(required, extra=""), _names(required, extra="sidecar")
    yield _installed("packages", needed, "fail", f"pip install {PACKAGE}")
    advice = f"the sidecar needs it: pip install '{PACKAGE}[sidecar]'"
    yield _installed("sidecar", sidecar, "warn", advice)


def _installed(name: str, packages: list[str], otherwise: Verdict, advice: str) -> Check:
    missing = [package for package in packages if not _version(package)]
    if missing:
        return Check(name, otherwise, f"missing: {', '.join(missing)}", advice)
    return Check(name, "ok", ", ".join(f"{package} {_version(package)}" for package in packages))


def _names(required: list[str], *, extra: str) -> list[str]:
    """Names of requirements, those of one extra or those of none. Those for other machines only
    are left out: hyperscan and uvloop, which have checks and fallbacks of their own."""
    names: list[str] = []
    for line in required:
        requirement, _, marker = line.partition(";")
        wanted = f"extra == '{extra}'" if extra else ""
        if marker.strip().replace('"', "'") == wanted and (name := _NAMED.match(requirement)):
            names.append(name[0])
    return names


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def folders(settings: Settings) -> Iterator[Check]:
    yield _folder("state folder", settings.state_dir, "NEXUS_STATE_DIR")
    yield _folder("cache folder", settings.cache_dir, "NEXUS_CACHE_DIR")


def _folder(name: str, path: Path, variable: str) -> Check:
    advice = f"make it writable, or set {variable} to another"
    if not path.exists():
        parent = _existing(path)
        fine = parent.is_dir() and _writable(parent)
        seen = f"{path} will be made when needed" if fine else f"{path} cannot be made"
        return Check(name, "ok" if fine else "fail", seen, "" if fine else advice)
    if not path.is_dir() or not _writable(path):
        return Check(name, "fail", f"{path} cannot be written", advice)
    mode = stat.S_IMODE(path.stat().st_mode)
    if sys.platform != "win32" and mode & 0o022:
        return Check(name, "warn", f"{path} can be written by others", f"chmod 700 {path}")
    return Check(name, "ok", f"{path} (mode {mode:04o})")


def _existing(path: Path) -> Path:
    return next((parent for parent in path.parents if parent.exists()), Path(path.anchor))


def _writable(path: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


def variables(settings: Settings) -> Check:
    names = sorted(
        name
        for name, value in settings.environ.items()
        if value and (name.startswith(_SHOWN_VARIABLES) or name.upper() in _PROXIES)
    )
    return Check("environment", "ok", ", ".join(names) or "no variable that concerns us is set")


# ---- the policy ----------------------------------------------------------------------------------


def policy_fault(error: BadPolicy | OSError) -> Check:
    """A policy that is not in force, and why."""
    advice = "run `nexus policy check`"
    if isinstance(error, BadPolicy):
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        return Check("policy", "fail", f"{error.problems[0]}{more}", advice)
    return Check("policy", "fail", f"{error.filename}: {error.strerror}", advice)


def policy(snapshot: Snapshot, file: Path | None) -> Iterator[Check]:
    yield Check("policy", "ok", f"{file or 'the default policy'}, hash {snapshot.hash[:16]}")
    accounts = ", ".join(snapshot.accounts)
    if accounts:
        yield Check("providers", "ok", accounts)
    else:
        advice = "set OPENAI_API_KEY or ANTHROPIC_API_KEY, or write `providers` into the policy"
        yield Check("providers", "warn", "none: the sidecar has nowhere to send to", advice)
    switches = snapshot.policy.switches
    if switches.kill:
        yield Check("switches", "warn", "the kill switch is on: every request is refused")
    elif switches.bypass_compliance_until:
        until = switches.bypass_compliance_until
        yield Check("switches", "warn", f"hooks do not act until {until}")


def matcher(snapshot: Snapshot, cache_dir: Path) -> Check:
    """Compiles what is not in the cache yet, so that the next start need not."""
    from nexus_sdk.drivers.matcher import attach

    if not _version("hyperscan"):
        return Check(
            "matcher", "warn", "hyperscan is missing: scanning is slower, with equal results"
        )
    scanners = [snapshot.request_hooks.scanner, snapshot.response_hooks.scanner]
    seen = "the compiled rules are in the cache"
    began = time.perf_counter()
    if attach(scanners, cache_dir, wait=True) is not None:
        seen = f"compiled in {time.perf_counter() - began:.1f} s, now in the cache"
    if attach(scanners, cache_dir, wait=True) is not None:
        return Check("matcher", "warn", "the cache does not keep compiled rules: starts are slower")
    return Check("matcher", "ok", f"hyperscan {_version('hyperscan')}; {seen}")


def provider(account: Account, settings: Settings) -> Check:
    """One request without a credential: any answer will do."""
    from nexus_sdk.drivers.upstream import SyncUpstream
    from nexus_sdk.model import Failure, Upstream
    from nexus_sdk.nexus import PROXY_VARIABLES

    proxies = {
        kind: value
        for kind, name in PROXY_VARIABLES.items()
        if (value := settings.lookup(name.lower()) or settings.lookup(name))
    }
    request = Upstream(
        method="GET",
        url=f"{account.base_url}/models",
        headers={},
        body=b"",
        stream=False,
        connect_s=5.0,
        read_s=10.0,
        total_s=15.0,
        private_network=account.private_network,
    )
    upstream = SyncUpstream(proxies=proxies)
    try:
        reply, body = upstream.send(request, None)
        if body is not None:
            body.close()
    finally:
        upstream.close()
    name = f"provider {account.name}"
    if isinstance(reply, Failure):
        advice = "see base_url in the policy, the proxy's variables and the firewall"
        return Check(name, "fail", f"{reply.kind}: {reply.reason}", advice)
    return Check(name, "ok", f"reachable (answers {reply.status} to a request without a key)")


# ---- the audit trail -----------------------------------------------------------------------------


def trail(path: Path) -> Iterator[Check]:
    from nexus_sdk.drivers.spool import chains, load_or_create_key, verify

    if not chains(path):
        yield Check("audit trail", "ok", f"nothing recorded yet at {path}")
        return
    key_path = path.with_name(f"{path.name}.key")
    if not key_path.exists():
        advice = "restore it from a backup; without it nothing recorded so far can be verified"
        yield Check("audit trail", "fail", f"its key {key_path} is gone", advice)
        return
    try:
        report = verify(path, load_or_create_key(key_path))
    except (BadSettings, OSError) as err:
        yield Check("audit trail", "fail", str(err))
        return
    if report.ok:
        yield Check("audit trail", "ok", f"{report.events} events in {len(report.chains)} chains")
    else:
        yield Check("audit trail", "fail", str(report.all_problems[0]), "run `nexus audit verify`")


def clock(path: Path, now_s: float) -> Check:
    """`path`: the audit trail, whose newest event cannot be of the future."""
    from nexus_sdk.drivers.spool import tail
    from nexus_sdk.drivers.spool.frame import stamp

    if now_s < EARLIEST_S:
        advice = "set it; certificates and limits need it"
        return Check("clock", "fail", "it is in the past", advice)
    newest = next((entry.at for entry in tail(path, count=1)), "")
    if newest > stamp(now_s + AHEAD_S):
        seen = f"the newest event was recorded at {newest}, which is to come"
        return Check("clock", "warn", seen, "see that time synchronisation works")
    return Check("clock", "ok", "plausible")


def disk(settings: Settings, wanted_bytes: int) -> Check:
    """`wanted_bytes`: what the audit trail may grow to."""
    path = settings.state_dir
    free = shutil.disk_usage(path if path.exists() else _existing(path)).free
    seen = f"{free // 1024**2} MiB free for the audit trail"
    if free < LEAST_FREE_BYTES:
        return Check("disk", "fail", seen, "make room, or set NEXUS_STATE_DIR to another disk")
    if free < wanted_bytes:
        advice = f"the policy lets it grow to {wanted_bytes // 1024**2} MiB (audit.max_bytes)"
        return Check("disk", "warn", seen, advice)
    return Check("disk", "ok", seen)
