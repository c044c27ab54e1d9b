"""The revocation hosts that received certificates name: whether each can be reached on port 80, needed now or not."""

from collections.abc import Iterable, Iterator

from tlsinspect.endpoints.target import Target, read_target
from tlsinspect.errors import UsageError
from tlsinspect.evidence.revocation import sources
from tlsinspect.evidence.sighting import Sighting
from tlsinspect.model import Authority, Endpoint, Row
from tlsinspect.trust import Trust


def current_hosts(trust: Trust) -> list[Endpoint]:
    """The hosts that Google's certificates of today name for revocation, as data has it."""
    rows = [row for row in trust.revocation_hosts if row.until is None and row.purpose in ("crl", "ocsp")]
    return [_endpoint(Target(row.host, 80, tls=False)) for row in rows]


def named_hosts(sightings: Iterable[Sighting]) -> list[Endpoint]:
    """One row for each host, of certificates that are proven to be Google's alone."""
    found: dict[str, Endpoint] = {}
    for s in sightings:
        for target in _targets(s):
            found.setdefault(target.host, _endpoint(target))
    return list(found.values())


def _endpoint(target: Target) -> Endpoint:
    row = Row(url=target.url, purpose="Revocation", required=False, source="received certificates")
    return Endpoint(target.host, target.port, False, Authority.GOOGLE, (row,))


def _targets(sighting: Sighting) -> Iterator[Target]:
    for certificate, _ in sighting.pairs if sighting.google else ():
        named = sources(certificate)
        for url in (*named.crl, *named.ocsp):
            try:
                target = read_target(url)
            except UsageError:
                continue
            if not target.tls and target.port == 80:
                yield target
