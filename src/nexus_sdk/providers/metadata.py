"""The clouds' metadata services, which hand out a machine's own credentials to whoever asks. No
provider is ever there.

Source: each vendor's documentation. The link-local ranges, where most of them answer too, are
refused as such (`base_url.py`, `drivers/addresses.py`).
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

NETWORKS: tuple[tuple[IPv4Network | IPv6Network, str], ...] = tuple(
    (ip_network(network), f"the metadata service of {vendor}")
    for network, vendor in (
        ("100.100.100.200/32", "Alibaba Cloud"),
        ("168.63.129.16/32", "Azure"),
        ("192.0.0.192/32", "Oracle Cloud"),
        ("fd00:ec2::/32", "AWS"),
        ("fd20:ce::254/128", "Google Cloud"),
    )
)
NAMES = {
    "metadata.google.internal": "the metadata service of Google Cloud",
    "metadata.goog": "the metadata service of Google Cloud",
}
