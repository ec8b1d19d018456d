"""Whether a request is let in at all, whoever sends it: the kill switch, its size, its address."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from nexus_sdk.errors import NotAllowed, TooLarge
from nexus_sdk.policy.instants import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address

    from nexus_sdk.policy.document import Policy


class Ranges:
    """CIDR ranges. Membership costs one lookup for each prefix length in use, however many
    ranges."""

    __slots__ = ("_by_length",)

    def __init__(self, ranges: Iterable[str]) -> None:
        """Raises ValueError when one is no range."""
        self._by_length: dict[tuple[int, int], set[int]] = {}
        for network in map(ip_network, ranges):
            shift = network.max_prefixlen - network.prefixlen
            starts = self._by_length.setdefault((network.version, shift), set())
            starts.add(int(network.network_address) >> shift)

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def __contains__(self, address: IPv4Address | IPv6Address) -> bool:
        number = int(address)
        return any(
            version == address.version and number >> shift in starts
            for (version, shift), starts in self._by_length.items()
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """`allowed`: None for every address. `bypass_until_s`: seconds since the epoch, 0 for no
    bypass."""

    killed: bool
    kill_reason: str
    max_body_bytes: int
    allowed: Ranges | None
    denied: Ranges
    bypass_until_s: float


def gate(policy: Policy) -> Gate:
    """The gate of a policy that was loaded, and so holds no malformed range or time."""
    admission, switches = policy.admission, policy.switches
    allowed = admission.allow_addresses
    until = switches.bypass_compliance_until
    return Gate(
        killed=switches.kill,
        kill_reason=switches.kill_reason,
        max_body_bytes=admission.max_body_bytes,
        allowed=None if allowed is None else Ranges(allowed),
        denied=Ranges(admission.deny_addresses),
        bypass_until_s=seconds(until) if until else 0.0,
    )


def admit(gate: Gate, *, body_bytes: int, peer: str) -> None:
    """Nothing, when the request may go on. `peer` is empty in process.

    Raises NotAllowed (`kill_switch`, `address_not_allowed`) and TooLarge.
    """
    if gate.killed:
        reason = f": {gate.kill_reason}" if gate.kill_reason else ""
        raise NotAllowed(f"the kill switch is on{reason}", code="kill_switch")
    if peer and (gate.allowed is not None or gate.denied):
        _admit_address(gate, peer)
    admit_size(gate, body_bytes)


def admit_size(gate: Gate, body_bytes: int) -> None:
    """Raises TooLarge. A door calls it with the announced length too, before it reads a body."""
    if body_bytes > gate.max_body_bytes:
        raise TooLarge(
            f"the request body has {body_bytes} bytes; the policy allows {gate.max_body_bytes}"
        )


def bypassed(gate: Gate, now_s: float) -> bool:
    """Whether hooks only record at `now_s`, seconds since the epoch."""
    return now_s < gate.bypass_until_s


def _admit_address(gate: Gate, peer: str) -> None:
    try:
        address = ip_address(peer)
    except ValueError:
        address = None  # no IP address, such as a Unix socket's name: in no range
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    address = mapped or address
    inside = gate.allowed is None or (address is not None and address in gate.allowed)
    if not inside or (address is not None and address in gate.denied):
        raise NotAllowed(f"address {peer!a} may not call", code="address_not_allowed")
