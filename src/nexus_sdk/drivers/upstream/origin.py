"""A URL, taken apart strictly: what to connect to and what to ask for. Two readers must not see two
hosts in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from nexus_sdk.drivers.addresses import Address, BadHost, parse_host
from nexus_sdk.drivers.upstream.failures import Refused

DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(https?://[^/?#\\\s]*)((?:[/?][!-\"$-\[\]-~]*)?)(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(https?)://(\[[^\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port. `address` is set when the host is an IP address in any spelling;
    `host` is then its usual one. `authority` is the value of the `host` header."""

    tls: bool
    host: str
    port: int
    authority: str
    address: Address | None = field(default=None)

    @property
    def peer(self) -> str:
        """`host:port`, as messages name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


def split(url: str) -> tuple[Origin, str]:
    """The origin of `url` and the request target: its path and query as they are. Raises Refused,
    whose message holds no part of the URL but its host and port."""
    match = _URL.fullmatch(url)
    if match is None:
        raise Refused(
            "the upstream's URL is not a plain http or https URL in percent-encoded ASCII"
        )
    target = match[2]
    if not target.startswith("/"):
        target = "/" + target
    return parse_origin(match[1]), target


@lru_cache(maxsize=256)
def parse_origin(text: str) -> Origin:
    """`scheme://host[:port]` alone. Raises Refused."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or "@" in text:
        raise Refused(
            "the upstream's URL has more than host and port before its path; "
            "credentials belong in a header"
        )
    scheme = match[1].lower()
    port = int(match[3]) if match[3] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise Refused(f"the upstream's URL has the port {port}, which does not exist")
    try:
        host = parse_host(match[2])
    except BadHost as err:
        raise Refused(f"the upstream's URL cannot be used: {err}") from None
    name = str(host)
    shown = f"[{name}]" if ":" in name else name
    authority = shown if port == DEFAULT_PORTS[scheme] else f"{shown}:{port}"
    return Origin(scheme == "https", name, port, authority, None if isinstance(host, str) else host)
