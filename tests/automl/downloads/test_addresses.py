"""Which addresses others may lead us to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.downloads.addresses import is_public, parse_networks, resolve

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::5"]
OTHERS = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12::1", "fc00::1"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%eth0", "fec0::1"],
    "metadata": [
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # containers on AWS
        "fd00:ec2::254",
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure
    ],
    "carriers": ["100.64.0.1"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1"],
    "documentation": ["203.0.113.9", "2001:db8::1", "3fff::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"],
    "IPv4 inside": ["::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_hosts_on_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("kind", OTHERS)
def test_all_others_are_not(kind: str) -> None:
    assert [address for address in OTHERS[kind] if is_public(address)] == []


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_becomes_public_inside_an_ipv6_one(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    for prefix, shift in ((0xFFFF << 32, 0), (0, 0), (0x64FF9B << 96, 0), (0x2002 << 112, 80)):
        assert not is_public(str(ipaddress.IPv6Address(prefix | number << shift)))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "::1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0"]
)
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    try:
        assert resolve(host, 80, ()) is None
    except OSError:  # not every system reads every form
        assert host not in ("127.0.0.1", "localhost")


def test_networks_can_be_allowed() -> None:
    networks = parse_networks("10.1.0.0/16, 127.0.0.1,::1/128")
    assert resolve("127.0.0.1", 80, networks) == ["127.0.0.1"]
    assert resolve("127.0.0.2", 80, networks) is None
    assert parse_networks("") == ()
    with pytest.raises(ValueError, match="10"):
        parse_networks("10.0.0.1/8")
