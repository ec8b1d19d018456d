"""Spellings of hosts, and the judgement of addresses."""

from __future__ import annotations

import contextlib
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.drivers.addresses import (
    ALWAYS_REFUSED,
    PRIVATE,
    BadHost,
    lookup,
    parse_address,
    parse_host,
    refusal,
)

LOOPBACK = "127.0.0.1"
METADATA = "169.254.169.254"

SPELLINGS = {
    "127.0.0.1": LOOPBACK,
    "127.0.0.1.": LOOPBACK,
    "127.1": LOOPBACK,
    "127.0.1": LOOPBACK,
    "0x7f.1": LOOPBACK,
    "0X7F.0.0.0x1": LOOPBACK,
    "0x7f000001": LOOPBACK,
    "2130706433": LOOPBACK,
    "017700000001": LOOPBACK,
    "0177.0.0.01": LOOPBACK,
    "127.0x0.00.1": LOOPBACK,
    "0": "0.0.0.0",
    "0x": "0.0.0.0",
    "169.254.43518": METADATA,
    "169.16689662": METADATA,
    "2852039166": METADATA,
    "0xa9fea9fe": METADATA,
    "0251.0376.0251.0376": METADATA,
    "8.8.8.8": "8.8.8.8",
    "4294967295": "255.255.255.255",
    "[::1]": "::1",
    "[0:0:0:0:0:0:0:1]": "::1",
    "[::ffff:127.0.0.1]": "::ffff:7f00:1",
    "[::FFFF:7f00:1]": "::ffff:7f00:1",
    "localhost": "localhost",
    "LOCALHOST.": "localhost",
    "api.openai.com": "api.openai.com",
    "API.OpenAI.com.": "api.openai.com",
    "my-host_1.internal": "my-host_1.internal",
    "127.0.0.1.nip.io": "127.0.0.1.nip.io",
    "0x7f.example": "0x7f.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
}  # fmt: skip

NOT_HOSTS = (
    "", ".", "..", "a..b", "-a.example", "a-.example", "a b", "a%2eb", "a@b", "a/b", "a\\b", "a\n",
    "127.0.0.1\0",
    "127\u30020\u30020\u30021", "\uff11\uff12\uff17.1", "b\u00fccher.example", "localhost\u3002",
    "256.1.1.1",
    "1.2.3.256", "1.2.3.4.5", "127.0.0.08", "4294967296", "a.1", "0x1.0x1.0x10000.1", "[::1", "[]",
    "[fe80::1%eth0]", "[127.0.0.1]", "[::1]x", "::1", "a" * 254,
)  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
def test_a_host_is_read_in_every_spelling(host: str) -> None:
    read, expected = parse_host(host), SPELLINGS[host]
    assert read == (expected if isinstance(read, str) else ip_address(expected))


@pytest.mark.parametrize("host", NOT_HOSTS)
def test_what_is_no_host_is_refused_without_being_repeated(host: str) -> None:
    with pytest.raises(BadHost) as bad:
        parse_host(host)
    assert len(host) < 3 or host not in str(bad.value)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.lists(st.sampled_from("dox"), min_size=4, max_size=4),
)
def test_ipv4_is_read_as_the_resolver_reads_it(value: int, parts: int, bases: list[str]) -> None:
    octets = [value >> 24, value >> 16 & 255, value >> 8 & 255]
    numbers = [*octets[: parts - 1], value & (1 << 8 * (5 - parts)) - 1]
    write = {"d": "{:d}", "o": "0{:o}", "x": "0x{:X}"}
    host = ".".join(
        write[base].format(number) for number, base in zip(numbers, bases, strict=False)
    )
    assert parse_host(host) == IPv4Address(value) == IPv4Address(socket.inet_aton(host))


@given(st.text(alphabet="0123456789abxXf.", min_size=1, max_size=20))
def test_whatever_the_resolver_takes_for_an_address_is_one_to_us(host: str) -> None:
    try:
        theirs = IPv4Address(socket.inet_aton(host))
    except OSError:
        return
    with contextlib.suppress(BadHost):
        assert parse_host(host) == theirs


@given(st.ip_addresses(v=6))
def test_ipv6_reads_back(address: IPv6Address) -> None:
    assert parse_host(f"[{address}]") == address == parse_host(f"[{address.exploded}]")


NEVER = (
    "0.0.0.0", "0.1.2.3", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "fe80::1", "febf::1", "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1", "::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::", "2001:0:1:1:0:0:5601:5601", "2600::5efe:a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1::a9fe:a9fe", "::ffff:0.0.0.0", "fe80::1%eth0",
)  # fmt: skip

ONLY_PRIVATE = (
    "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "100.127.255.255", "198.18.0.1", "192.0.2.1", "203.0.113.9", "192.0.0.8", "192.88.99.1", "::1",
    "fc00::1",
    "fd12:3456::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::",
    "2600::200:5efe:c0a8:101",
    "2001:db8::1", "3fff::1", "fec0::1", "100::1", "5f00::1", "4000::1", "2001:0:a00:1::f7f7:f7f7",
)  # fmt: skip

PUBLIC = (
    "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1",
    "169.253.1.1",
    "169.255.1.1", "223.255.255.255", "2606:4700::1", "2a00:1450::1", "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
)  # fmt: skip


@pytest.mark.parametrize("text", NEVER)
def test_some_addresses_are_refused_whatever_is_allowed(text: str) -> None:
    assert refusal(parse_address(text), private_network=True)
    assert refusal(parse_address(text), private_network=False)


@pytest.mark.parametrize("text", ONLY_PRIVATE)
def test_private_addresses_need_leave(text: str) -> None:
    assert refusal(parse_address(text), private_network=True) is None
    assert refusal(parse_address(text), private_network=False)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_free(text: str) -> None:
    assert refusal(parse_address(text), private_network=False) is None


@pytest.mark.parametrize("row", range(len(ALWAYS_REFUSED)))
def test_every_always_refused_row_holds_at_both_ends(row: int) -> None:
    network, what = ALWAYS_REFUSED[row]
    assert refusal(network[0], private_network=True) == what
    assert refusal(network[-1], private_network=True) == what


@pytest.mark.parametrize("row", range(len(PRIVATE)))
def test_every_private_row_is_used(row: int) -> None:
    network, what = PRIVATE[row]
    middle = network[network.num_addresses // 2]
    assert refusal(middle, private_network=False) == what
    assert refusal(middle, private_network=True) is None


@given(
    st.ip_addresses(v=4),
    st.booleans(),
    st.sampled_from(["::ffff:{}", "::{}", "::ffff:0:{}", "64:ff9b::{}"]),
)
def test_an_embedded_address_is_judged_no_milder(
    address: IPv4Address, private: bool, form: str
) -> None:
    if refusal(address, private_network=private):
        assert refusal(ip_address(form.format(address)), private_network=private)


@given(st.ip_addresses())
def test_leave_for_private_networks_only_ever_widens(address: IPv4Address | IPv6Address) -> None:
    if refusal(address, private_network=True):
        assert refusal(address, private_network=False)


def test_lookup_gives_each_address_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(name: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (0, 0, 0, "", ("192.0.2.1", port)),
            (0, 0, 0, "", ("192.0.2.1", port)),
            (0, 0, 0, "", ("::1", port, 0, 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert lookup("a.example", 443) == ("192.0.2.1", "::1")
