"""What all exchanges of one client share: proxies, trust, and the names it has resolved."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_sdk.drivers.upstream.proxies import Proxies
from nexus_sdk.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAMES_TTL_S = 60.0
"""How long an answer of the resolver is used for new connections; getaddrinfo does not tell the
record's own."""
MAX_NAMES = 1024

type Lookup = Callable[[str, int], Sequence[str]]


class Surroundings:
    """`roots_pem`: certificates to trust beside the system's, as PEM. Raises BadSettings."""

    def __init__(self, proxies: Mapping[str, str], roots_pem: str, lookup: Lookup) -> None:
        self.proxies = Proxies(proxies)
        self.lookup = lookup
        self._roots_pem = roots_pem
        self._tls: ssl.SSLContext | None = None
        self._names: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}
        if roots_pem:
            self.tls()

    def tls(self) -> ssl.SSLContext:
        """The one context of this client. Made on first use, because reading the roots takes some
        10 ms."""
        tls = self._tls
        if tls is None:  # two threads may both make one; a lock could be held across a fork
            tls = self._tls = _context(self._roots_pem)
        return tls

    def recall(self, name: str, port: int, *, stale: bool = False) -> tuple[str, ...]:
        """The remembered addresses of `name`, with `stale` also old ones; empty when there are
        none."""
        until, found = self._names.get((name, port), (0.0, ()))
        return found if stale or time.monotonic() < until else ()

    def remember(self, name: str, port: int, found: Sequence[str]) -> None:
        if len(self._names) >= MAX_NAMES:
            self._names.clear()
        self._names[name, port] = (time.monotonic() + NAMES_TTL_S, tuple(found))


def _context(roots_pem: str) -> ssl.SSLContext:
    """Verification on, TLS 1.2 or newer, the system's roots (OpenSSL itself honours SSL_CERT_FILE
    and SSL_CERT_DIR)."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not context.cert_store_stats()["x509_ca"] and not _has_directory_of_roots():
        _add_certifi(context)
    if roots_pem:
        try:
            context.load_verify_locations(cadata=roots_pem)
        except (ssl.SSLError, ValueError):
            raise BadSettings("the extra root certificates are not valid PEM") from None
    return context


def _has_directory_of_roots() -> bool:
    """OpenSSL reads a directory of hashed roots only when it needs one, so it counts none
    beforehand."""
    capath = ssl.get_default_verify_paths().capath or ""  # typeshed leaves out the None
    return bool(capath) and any(Path(capath).iterdir())


def _add_certifi(context: ssl.SSLContext) -> None:
    """For Pythons whose OpenSSL finds no roots at all: python.org's on macOS, slim containers."""
    try:
        import certifi
    except ImportError:
        return
    context.load_verify_locations(certifi.where())
