"""The revocation hosts that received certificates name: whether each can be reached on port 80, needed now or not."""

from collections.abc import Iterable, Iterator

from tlsinspect.endpoints.target import Target, read_target
from tlsinspect.errors import UsageError
from tlsinspect.evidence.revocation import sources
from tlsinspect.judge.establish import Sighting
from tlsinspect.model import Authority, Endpoint, Row

SOURCE = "received certificates"


def named_hosts(sightings: Iterable[Sighting]) -> list[Endpoint]:
    """One row for each host, of certificates that are proven to be Google's alone."""
    found: dict[str, Endpoint] = {}
    for s in sightings:
        for target in _targets(s):
            row = Row(url=target.url, purpose="Revocation, named by received certificates", required=False,
                      source=SOURCE)  # fmt: skip
            found.setdefault(target.host, Endpoint(target.host, target.port, False, Authority.GOOGLE, (row,)))
    return list(found.values())


def _targets(sighting: Sighting) -> Iterator[Target]:
    if sighting.path is None or not sighting.google:
        return
    for certificate in sighting.path.certificates[:-1]:
        named = sources(certificate)
        for url in (*named.crl, *named.ocsp):
            try:
                target = read_target(url)
            except UsageError:
                continue
            if not target.tls and target.port == 80:
                yield target
