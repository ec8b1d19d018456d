"""Which addresses an upstream call may go to. Names are resolved here too; nothing here connects.

A host is read once, in every spelling that `inet_aton` accepts, and an address is judged together
with each IPv4 address that it embeds. Who connects must use the address that was judged, never the
name again.

Sources: IANA special-purpose address registries (RFC 6890 and updates), WHATWG URL section 3.5 (the
IPv4 parser), RFC 4291 2.5.5, 6052, 8215, 3056, 4380, 5214 (embedded IPv4), and the providers'
metadata services, named in the table.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from nexus_sdk.providers import metadata

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network


class BadHost(ValueError):
    """The host is neither a plain ASCII name nor an IP address. The message is safe to show."""


ALWAYS_REFUSED: tuple[tuple[Network, str], ...] = metadata.NETWORKS + tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "unspecified"),
        ("169.254.0.0/16", "link-local, where cloud metadata is served"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
        ("::/128", "unspecified"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)

PRIVATE: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier"),
        ("127.0.0.0/8", "loopback"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("2001:db8::/32", "reserved for documentation"),
        ("3fff::/20", "reserved for documentation"),
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_LOW_96 = tuple(map(IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_ISATAP = {0x00005EFE, 0x02005EFE}
_LOW_32 = 0xFFFF_FFFF

_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
MAX_NAME_CHARS = 253


def parse_host(host: str) -> Address | str:
    """The address that `host` spells, or the lower-case name that it is.

    `host` is as in a URL, an IPv6 address in brackets. Short, octal, hexadecimal and whole-number
    IPv4 spellings give the address that a resolver would connect to. Raises BadHost.
    """
    if host.startswith("["):
        return _bracketed(host)
    if not host.isascii():
        raise BadHost("its host is not ASCII; write an international name in its xn-- form")
    name = host.lower().removesuffix(".")
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise BadHost("its host is not a host name or an IP address")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _ipv4(name)
    return name


def refusal(address: Address, *, private_network: bool) -> str | None:
    """What is wrong with connecting to `address`, as the end of a sentence; None when nothing is.

    `private_network` lets private and loopback addresses pass, never the always refused ones.
    """
    for candidate in (address, *_embedded(address)):
        if what := _match(candidate, ALWAYS_REFUSED):
            return what
    if private_network:
        return None
    for candidate in (address, *_embedded(address)):
        if what := _match(candidate, PRIVATE):
            return what
    if (
        isinstance(address, IPv6Address)
        and address not in _GLOBAL_UNICAST
        and not _is_translated(address)
    ):
        return "outside the global unicast range"
    return None


def lookup(name: str, port: int) -> tuple[str, ...]:
    """The addresses of `name` in the resolver's order, without repeats. Blocks. Raises OSError
    (`socket.gaierror`)."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(row[4][0]) for row in found))


def parse_address(text: str) -> Address:
    """An address as the resolver spells it; a zone id makes it link-local and stays. Raises
    ValueError."""
    return ip_address(text)


def _match(address: Address, table: tuple[tuple[Network, str], ...]) -> str | None:
    return next((what for network, what in table if address in network), None)


def _bracketed(host: str) -> Address:
    try:
        if not host.endswith("]") or "%" in host:
            raise ValueError(host)
        return IPv6Address(host[1:-1])
    except ValueError:
        raise BadHost("its host is not an IPv6 address without a zone") from None


def _ipv4(name: str) -> IPv4Address:
    """WHATWG URL 3.5: one to four numbers, the last one filling what is left."""
    parts = name.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise BadHost("its host ends in a number but is not an IPv4 address")
    *heads, tail = (_number(part) for part in parts)
    if any(head > 255 for head in heads) or tail >= 256 ** (4 - len(heads)):
        raise BadHost("its host is an IPv4 address with a part that is too large")
    value = tail
    for place, head in enumerate(heads):
        value += head << (8 * (3 - place))
    return IPv4Address(value)


def _number(part: str) -> int:
    try:
        if part[:2] in {"0x", "0X"}:
            return int(part[2:] or "0", 16)
        return int(part, 8 if len(part) > 1 and part[0] == "0" else 10)
    except ValueError:
        raise BadHost("its host is an IPv4 address with a part that is no number") from None


def _is_translated(address: IPv6Address) -> bool:
    """A form whose packets go to the IPv4 address inside, which `refusal` has judged."""
    return address in _MAPPED or address in _LOW_96[3]


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that `address` may stand for."""
    if isinstance(address, IPv4Address):
        return ()
    value = int(address)
    found = []
    if value > 1 and any(address in network for network in _LOW_96):
        found.append(value & _LOW_32)
    if value >> 112 == 0x2002:
        found.append(value >> 80 & _LOW_32)
    if value >> 96 == 0x20010000:
        found += [value >> 64 & _LOW_32, ~value & _LOW_32]
    if value >> 32 & _LOW_32 in _ISATAP:
        found.append(value & _LOW_32)
    if address in _LOCAL_NAT64:
        found += _rfc6052(value)
    return tuple(map(IPv4Address, found))


def _rfc6052(value: int) -> list[int]:
    """RFC 6052 2.2: the places of the IPv4 address after a prefix of 48, 56, 64 or 96 bits, around
    the zero octet."""
    octets = value.to_bytes(16)
    places = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
    return [int.from_bytes(bytes(octets[place] for place in four)) for four in places]
