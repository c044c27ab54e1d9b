"""What the address a Google name led to suggests: hints, for a transparent proxy keeps the address and routes lie."""

import ipaddress
from datetime import datetime

from tlsinspect.addresses import is_public, leads_to
from tlsinspect.endpoints.target import is_address
from tlsinspect.evidence.hint import Hint
from tlsinspect.model import Observation
from tlsinspect.trust import Trust

# Of a network's own: RFC 1918, carriers' NAT (RFC 6598), link-local, and unique local IPv6.
_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
                               "fc00::/7", "fe80::/10"))
)  # fmt: skip


def whereabouts(seen: Observation, trust: Trust, now: datetime) -> Hint | None:
    """Of a Google host that this machine resolved by itself; what another resolved for it is not looked at."""
    address = seen.address or next(iter(seen.addresses), None)
    if seen.route.proxy is not None or seen.address_source != "dns" or address is None or is_address(seen.host):
        return None
    try:
        ends = leads_to(address)
    except ValueError:
        return None
    if any(end in network for end in ends for network in _PRIVATE if network.version == end.version):
        return Hint("address-private", {"address": address})
    if not is_public(address):
        return None  # documentation, benchmarks, loopback: other findings' business
    ranges = trust.google_ranges
    values = {"address": address, "date": f"{ranges.date:%Y-%m-%d}", "days": str((now - ranges.date).days)}
    if not all(end in ranges.own for end in ends):
        return Hint("address-not-google", values)
    return Hint("address-google-cloud", values) if any(end in ranges.rented for end in ends) else None
