"""Which scan, made on the machine that wrote a log, turns its hints into proof.

The log is hostile and these lines are pasted into a shell: hosts are those of our own profile alone, and of what a log
prints only an address and a port get here, read as such and written anew.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import cache

from tlsinspect.endpoints import load_profile
from tlsinspect.endpoints.target import bracketed
from tlsinspect.model import LogGroup, Observation

PROFILE = "gwsmo"  # what a scan without targets looks at
MOST_COMMANDS = 5
_EVERYTHING = {"log-revocation-unavailable"}  # rules that concern the hosts on port 80 too


def commands(groups: Sequence[LogGroup]) -> tuple[str, ...]:
    """Each once, for the worst first; what asks in the same way is one."""
    wanted: dict[str, set[str]] = {}
    for group in groups:
        wanted.setdefault(" ".join(_options(group)), set()).update(_hosts(group))
    return tuple(_command(hosts, options) for options, hosts in wanted.items())[:MOST_COMMANDS]


def _command(hosts: set[str], options: str) -> str:
    everything = hosts.issuperset(profile_hosts())  # which is what a scan without hosts looks at
    named = () if everything else tuple(host for host in profile_hosts() if host in hosts)
    return " ".join(filter(None, ("tlsinspect scan", *named, options)))


def _hosts(group: LogGroup) -> Sequence[str]:
    """The profile's hosts that it is about."""
    if group.assessment.rule in _EVERYTHING:
        return profile_hosts()
    return scanned(group.assessment.endpoint.host) or profile_hosts()


def scanned(pattern: str) -> tuple[str, ...]:
    """The hosts of the profile that a name on a certificate covers: an asterisk is one label."""
    labels = pattern.count(".")
    return tuple(host for host in profile_hosts() if host.count(".") == labels and _covers(pattern, host))


def _covers(pattern: str, host: str) -> bool:
    first, _, rest = pattern.partition(".")
    return pattern == host or (first == "*" and rest == host.partition(".")[2])


@cache
def profile_hosts() -> tuple[str, ...]:
    return tuple(dict.fromkeys(e.host for e in load_profile(PROFILE).endpoints if e.tls))


@cache
def revocation_hosts() -> tuple[str, ...]:
    """Where lists and answers about Google's certificates are had."""
    asked = (e for e in load_profile("pki").endpoints if not any(row.purpose.startswith("Issuer") for row in e.rows))
    return tuple(dict.fromkeys(e.host for e in asked))


def _options(group: LogGroup) -> Iterator[str]:
    seen = group.assessment.observations
    proxy = next((url for url in map(_proxy, seen) if url), "")
    if proxy:
        yield f'--proxy "{proxy}"' if "[" in proxy else f"--proxy {proxy}"  # some shells take brackets for a pattern
    if any(each.logged is not None and each.logged.retry for each in seen):
        yield "--compare-routes"


def _proxy(seen: Observation) -> str:
    """The proxy of that machine or its network to which the connection went, written anew from what was read as an
    address and a port: wherever an assessment comes from, nothing else gets into a command."""
    said = seen.logged
    if seen.route.proxy is None or said is None or said.address is None or not 0 < (said.port or 0) < 65536:
        return ""
    try:
        address = ipaddress.ip_address(said.address)
    except ValueError:
        return ""
    bare = type(address)(int(address))  # without a zone, in which anything may stand
    return f"http://{bracketed(str(bare))}:{said.port}"
