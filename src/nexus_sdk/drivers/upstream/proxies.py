"""Which proxy an exchange goes through. What httpx reads from the environment comes in here as a
mapping."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nexus_sdk.drivers.upstream.failures import Refused
from nexus_sdk.drivers.upstream.origin import Origin, parse_origin
from nexus_sdk.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = frozenset({"http", "https", "all", "no"})


@dataclass(frozen=True, slots=True)
class Proxy:
    """A forward proxy that is spoken to in plain HTTP. `authorization` is a header value, empty for
    none."""

    origin: Origin
    authorization: str = field(default="", repr=False)


class Proxies:
    """The choice of a proxy by scheme, and the hosts that go without.

    `settings` has the keys `http`, `https`, `all` (proxy URLs, from HTTP_PROXY and so on) and `no`
    (NO_PROXY: a comma-separated list of hosts with their subdomains, addresses, networks, each with
    an optional port, or `*`). Raises BadSettings.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        if unknown := sorted(settings.keys() - KEYS):
            raise BadSettings(
                f"unknown proxy setting {unknown[0]!r}; known: {', '.join(sorted(KEYS))}"
            )
        self._by_scheme = {
            key: _parse(key, settings[key]) for key in ("http", "https", "all") if settings.get(key)
        }
        self._exempt = [
            entry.strip().lower() for entry in settings.get("no", "").split(",") if entry.strip()
        ]

    def pick(self, origin: Origin) -> Proxy | None:
        """The proxy for `origin`; None: connect directly."""
        proxy = self._by_scheme.get("https" if origin.tls else "http") or self._by_scheme.get("all")
        if proxy is None or any(_matches(entry, origin) for entry in self._exempt):
            return None
        return proxy


def _parse(key: str, url: str) -> Proxy:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http":
            raise BadSettings(f"the {key} proxy must be an http:// URL, not {parts.scheme}://")
        origin = parse_origin(f"http://{parts.netloc.rpartition('@')[2]}")
    except (ValueError, Refused):
        raise BadSettings(f"the {key} proxy is not a usable http:// URL") from None
    if parts.username is None:
        return Proxy(origin)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(origin, "Basic " + base64.b64encode(login.encode()).decode())


def _matches(entry: str, origin: Origin) -> bool:
    if entry == "*":
        return True
    if origin.address is not None:
        return _covers(entry, origin)
    host, _, port = entry.partition(":")
    if port and port != str(origin.port):
        return False
    host = host.lstrip("*").lstrip(".")
    return bool(host) and (origin.host == host or origin.host.endswith("." + host))


def _covers(entry: str, origin: Origin) -> bool:
    """An address or a network, an IPv6 one in brackets when a port follows."""
    text, port = entry, ""
    if entry.startswith("["):
        text, _, port = entry[1:].partition("]")
    elif entry.count(":") == 1:
        text, _, port = entry.partition(":")
    if port.strip(":") not in {"", str(origin.port)}:
        return False
    try:
        return ip_address(origin.host) in ip_network(text, strict=False)
    except ValueError:
        return False
