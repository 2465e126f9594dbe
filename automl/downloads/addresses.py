"""Which network addresses are public, and so what somebody else's URL may lead to.

A program that fetches what it is told reaches what its teller cannot: the services of its own
machine and network, and the address where a cloud hands out credentials.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
"""All IPv6 addresses that are assigned to hosts on the internet; IPv4-mapped ones, NAT64's and
the like lie outside of it (RFC 4291)."""

_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's own services, public by their number only
            "192.0.0.0/24",  # protocols' own; older Pythons know parts of it only
            "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
            "2002::/16",  # 6to4: each holds an IPv4 address, which may be any
            "3fff::/20",  # documentation (RFC 9637); likewise
        ),
    )
)


def is_public(address: str) -> bool:
    """Says whether an IP address is one of a host on the internet.

    Private, loopback, link-local, multicast, reserved and metadata addresses are not, in whatever
    form they are written. What the standard library knows follows IANA's registries of
    special-purpose addresses.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed not in _UNICAST_6:
        return False
    if parsed.is_multicast or parsed.is_reserved or not parsed.is_global:
        return False
    return not _is_within(parsed, _NOT_PUBLIC)


def is_loopback(host: str) -> bool:
    """Says whether a host, by name or IP address, is this machine as it calls itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_networks(text: str) -> tuple[Network, ...]:
    """Reads networks separated by commas, such as `10.1.0.0/16,fd00::/8`.

    Raises:
        ValueError: If one is none.
    """
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


def resolve(host: str, port: int, networks: Iterable[Network]) -> list[str] | None:
    """Looks a name up, once, and returns its IP addresses in the resolver's order.

    Args:
        host: A name, or an address in any form that the system understands.
        port: Where to connect to.
        networks: What may be connected to although it is not public.

    Returns:
        The addresses; `None` if one of them is neither public nor in `networks`. A name with
        both kinds is most likely an attempt to be led astray.

    Raises:
        OSError: If the name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    allowed = tuple(networks)
    if all(is_public(one) or _is_within(ipaddress.ip_address(one), allowed) for one in addresses):
        return addresses
    return None


def _is_within(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Iterable[Network]
) -> bool:
    return any(address in network for network in networks)
