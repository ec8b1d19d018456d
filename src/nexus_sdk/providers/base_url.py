"""What a policy may give as an upstream's address: judged by its spelling alone, when the policy is
loaded. Whoever connects judges the resolved address again; this only says it earlier, with a line.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nexus_sdk.providers import metadata

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?", re.ASCII)
"""What `inet_aton` would take for an IPv4 address: `127.1`, `0x7f000001`, `2130706433`."""


def objection(url: str, *, private_network: bool) -> str | None:
    """Why `url` cannot be a base URL, as the end of a sentence that begins with the field's name;
    None when it can. Never quotes `url`, which may hold a password."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises when it is none
    except ValueError:
        return "is not a URL"
    return _form(url, parts) or _host(
        (parts.hostname or "").lower(), private_network=private_network
    )


def _form(url: str, parts: SplitResult) -> str | None:
    if any(char <= " " or char > "~" for char in url) or "\\" in url:
        return "must be a URL of plain ASCII, without blanks"
    if parts.scheme not in {"http", "https"}:
        return "must begin with https:// or http://"
    if not parts.hostname:
        return "names no host"
    if "@" in parts.netloc:
        return "must not hold a user name or password; use api_key or headers"
    if "?" in url or "#" in url:
        return "must not hold a query or fragment"
    return None


def _host(host: str, *, private_network: bool) -> str | None:
    name = host.removesuffix(".")
    address = _address(name)
    if service := _metadata_service(name, address):
        return f"is {service}, which no provider is"
    if address is None and _NUMERIC.fullmatch(host):
        return "must write its IPv4 address as four decimal numbers"
    if address is None:
        private = name == "localhost" or name.endswith(".localhost")
    elif address.is_link_local:
        return "is link-local, where clouds serve metadata; no provider is there"
    elif address.is_multicast or address.is_unspecified or address == _BROADCAST:
        return "is not the address of a host"
    else:
        private = not address.is_global
    hint = "is in a private network; allow that with private_network: true"
    return hint if private and not private_network else None


def _metadata_service(name: str, address: IPv4Address | IPv6Address | None) -> str | None:
    if address is None:
        return metadata.NAMES.get(name)
    return next((what for network, what in metadata.NETWORKS if address in network), None)


_BROADCAST = IPv4Address("255.255.255.255")


def _address(name: str) -> IPv4Address | IPv6Address | None:
    """The address that `name` is, an IPv4 address in place of the IPv6 one that maps it."""
    try:
        address = ip_address(name)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
