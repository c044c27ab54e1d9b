"""Which addresses are out there: globally reachable unicast, and not a way of writing one that is not.

`ipaddress.is_global` is not enough: what it says depends on the Python, and it does not look at the IPv4 address that
an IPv6 address of a translator or a tunnel leads to.
"""

import ipaddress
from functools import lru_cache

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out so far

# What lies inside and is not out there, by the registries of RFC 6890.
_NOT_OUT_THERE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private, as 172.16 and 192.168
        "100.64.0.0/10",  # behind a carrier's NAT, and the metadata of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a public address that every machine in Azure finds inside its own host
        "169.254.0.0/16",  # link-local, with most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation, as 198.51.100 and 203.0.113
        "192.88.99.0/24",  # relays of 6to4, withdrawn
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, with the broadcast address
        "2001::/23",  # protocol assignments; Teredo lies inside and is looked into
        "2001:db8::/32",  # documentation, as 3fff
        "3fff::/20",
    )
)

# IPv4 in the last 32 bits: mapped, NAT64 (RFC 6052), and the usual prefix of a NAT64 for local use (RFC 8215). What
# other local prefixes lead to only their network knows.
_TRANSLATED = tuple(ipaddress.IPv6Network(text) for text in ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96"))


# What ISATAP puts before an IPv4 address in the second half of an IPv6 one, whatever its network (RFC 5214 §6.1).
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


@lru_cache(maxsize=1024)
def is_public(text: str) -> bool:
    """Whether an address is one that somebody else's certificate may make this machine connect to."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP and not is_public(str(_last(address))):
            return False
        inside = _inside(address)
        if inside:
            return all(is_public(str(each)) for each in inside)
        if address not in _GLOBAL_UNICAST:  # so are loopback, link-local, site-local, unique local and multicast
            return False
    return not any(address in network for network in _NOT_OUT_THERE if network.version == address.version)


def _inside(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that packets to this one end at, or pass."""
    if any(address in network for network in _TRANSLATED):
        return (_last(address),)
    if address.teredo is not None:
        return address.teredo
    return (address.sixtofour,) if address.sixtofour is not None else ()


def leads_to(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    """The addresses that packets to this one end at, or pass: those inside it where it is a tunnel's, else itself."""
    address = ipaddress.ip_address(text)
    inside = _inside(address) if isinstance(address, ipaddress.IPv6Address) else ()
    return inside or (address,)


def _last(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
