"""Whether a request is let in: the switch, the size, the address."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.errors import NexusError, NotAllowed, TooLarge
from nexus_sdk.policy.document import Policy
from nexus_sdk.stages.admission import Gate, Ranges, admit, admit_size, bypassed, gate


def made(**sections: Any) -> Gate:
    return gate(Policy.model_validate(sections))


def code(barrier: Gate, *, body_bytes: int = 0, peer: str = "") -> str:
    """What a request is refused with; empty when it is let in."""
    try:
        admit(barrier, body_bytes=body_bytes, peer=peer)
    except NexusError as err:
        return err.code
    return ""


def test_the_default_gate_is_open() -> None:
    assert code(made(), body_bytes=10 * 1024**2, peer="203.0.113.9") == ""


def test_the_kill_switch_refuses_everything_and_says_why() -> None:
    barrier = made(switches={"kill": True, "kill_reason": "incident 7"})
    with pytest.raises(NotAllowed, match=r"^the kill switch is on: incident 7$"):
        admit(barrier, body_bytes=0, peer="")
    assert code(made(switches={"kill": True}), body_bytes=10**9) == "kill_switch"


def test_a_body_may_be_as_large_as_the_policy_says() -> None:
    barrier = made(admission={"max_body_bytes": 2000})
    assert code(barrier, body_bytes=2000) == ""
    with pytest.raises(TooLarge, match="2001 bytes; the policy allows 2000"):
        admit_size(barrier, 2001)
    assert code(barrier, body_bytes=2001) == "payload_too_large"


@pytest.mark.parametrize(
    ("peer", "let_in"),
    [
        ("10.0.0.1", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("10.6.6.6", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:10.6.6.6", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", False),
        ("/run/nexus.sock", False),
        ("", True),
    ],
)
def test_an_address_has_to_be_allowed_and_not_denied(peer: str, let_in: bool) -> None:
    barrier = made(
        admission={
            "allow_addresses": ["10.0.0.0/8", "2001:db8::/32"],
            "deny_addresses": ["10.6.6.6", "10.7.0.0/16"],
        }
    )
    assert code(barrier, peer=peer) == ("" if let_in else "address_not_allowed")


def test_an_empty_list_allows_nobody_and_no_list_everybody() -> None:
    assert code(made(admission={"allow_addresses": []}), peer="10.0.0.1") == "address_not_allowed"
    assert code(made(), peer="/run/nexus.sock") == ""


def test_a_refused_address_is_told_harmlessly() -> None:
    barrier = made(admission={"allow_addresses": []})
    with pytest.raises(NotAllowed, match=r"address 'x\\n' may not call"):
        admit(barrier, body_bytes=0, peer="x\n")


NETWORKS = st.builds(
    lambda address, length: ip_network(
        (address, length % (address.max_prefixlen + 1)), strict=False
    ),
    st.ip_addresses(),
    st.integers(0, 128),
)


@given(st.lists(NETWORKS, max_size=6), st.ip_addresses())
def test_ranges_hold_what_their_networks_hold(networks: list[Any], address: Any) -> None:
    ranges = Ranges(map(str, networks))
    assert (address in ranges) is any(address in network for network in networks)
    for network in networks:
        assert network.network_address in ranges
        assert network.broadcast_address in ranges


def test_a_range_without_a_length_is_one_address() -> None:
    ranges = Ranges(["10.0.0.1"])
    assert ip_address("10.0.0.1") in ranges
    assert ip_address("10.0.0.2") not in ranges


def test_the_bypass_ends_at_its_instant() -> None:
    barrier = made(switches={"bypass_compliance_until": "1970-01-01T00:01:00Z"})
    assert bypassed(barrier, 59.9)
    assert not bypassed(barrier, 60.0)
    assert not bypassed(made(), 0.0)
