"""Does a certificate claim the requested name? RFC 9525 §6, for DNS names and addresses.

Host names arrive normalised (`model`: ASCII, lower case, no trailing dot); what the certificate holds is hostile.
"""

import ipaddress
from enum import StrEnum

from tlsinspect.certificate import Certificate
from tlsinspect.endpoints.target import is_address


class Claim(StrEnum):
    CLAIMED = "claimed"
    CN_ONLY = "cn-only"  # the common name has it, but no subjectAltName does: no client of today accepts that
    OTHER_GOOGLE = "other-google"  # names that are Google's, but not the requested one
    OTHER = "other"
    NONE = "none"  # no name at all


def matches(pattern: str, host: str) -> bool:
    """Whether the dNSName `pattern` covers `host`: equal, or a whole left-most label ``*`` (RFC 9525 §6.3)."""
    pattern = pattern.lower()
    if not pattern.isascii() or not host:
        return False
    if pattern == host:
        return True
    wildcard, dot, parent = pattern.partition(".")
    # A wildcard over a single label would cover a whole top-level domain.
    return wildcard == "*" and dot == "." and "." in parent and "*" not in parent and host.partition(".")[2] == parent


def claims(leaf: Certificate, host: str) -> bool:
    """Whether a subjectAltName of `leaf` covers `host`."""
    if is_address(host):
        return any(_same_address(a, host) for a in leaf.ip_addresses)
    return any(matches(name, host) for name in leaf.dns_names)


def common_names(leaf: Certificate) -> list[str]:
    return [value for label, value in leaf.subject if label == "CN"]


def cn_claims(leaf: Certificate, host: str) -> bool:
    """Whether a common name of `leaf` covers `host`, as clients accepted it until RFC 6125 was taken seriously."""
    if is_address(host):
        return any(_same_address(cn, host) for cn in common_names(leaf))
    return any(matches(cn, host) for cn in common_names(leaf))


def has_names(leaf: Certificate) -> bool:
    return bool(leaf.dns_names or leaf.ip_addresses or common_names(leaf))


def _same_address(claimed: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(claimed) == ipaddress.ip_address(host)
    except ValueError:
        return False
