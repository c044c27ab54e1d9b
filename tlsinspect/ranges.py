"""Networks as sorted intervals of integers: to ask for an address is a bisection."""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Ranges:
    """A set of networks, of both families."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        """Raises ValueError where one is no network."""
        networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
        four = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
        six = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
        self._intervals = {
            4: [(int(n.network_address), int(n.broadcast_address)) for n in four],
            6: [(int(n.network_address), int(n.broadcast_address)) for n in six],
        }

    def __contains__(self, address: Address) -> bool:
        intervals = self._intervals[address.version]
        place = bisect_right(intervals, int(address), key=lambda interval: interval[0])
        return place > 0 and int(address) <= intervals[place - 1][1]
