"""What active probes show: that somebody makes certificates as they are asked for, or reads handshakes.

Findings of the run, one route each. They corroborate: no verdict rests on them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tlsinspect.asked import Asked
from tlsinspect.certificate import title_of
from tlsinspect.evidence.names import claims
from tlsinspect.evidence.path import Path, Signer
from tlsinspect.evidence.sighting import Sighting
from tlsinspect.judge.words import finding, way
from tlsinspect.model import Authority, Finding, Route

_MADE_UP = {Asked.RANDOM_SNI: "minted-for-random-name", Asked.NO_SUCH_HOST: "minted-for-nonexistent-host"}


def minted(sightings: Iterable[Sighting]) -> dict[str, str]:
    """The keys behind certificates made for a made-up name, and the name.

    Only a leaf that nobody public signed and that claims the very name proves it: many servers answer any name with
    the one certificate they have. The leaf's own key counts too, for some use one key for every leaf and send no root.
    """
    found: dict[str, str] = {}
    for sighting in sightings:
        path, name = _unvouched(sighting), sighting.seen.server_name
        if path is not None and name and sighting.seen.slice in _MADE_UP and claims(path.leaf, name):
            found |= {key: name for key in (path.issuing_key, path.leaf.spki_sha256) if key}
    return found


def _unvouched(sighting: Sighting) -> Path | None:
    """The path where it leads to nobody known, whatever the issuer calls itself."""
    path = sighting.readable_path
    return path if path is not None and not path.anchored else None


def probe_findings(sightings: Sequence[Sighting]) -> Iterator[Finding]:
    """What each route's probes showed, and what they cost."""
    routes: dict[Route, list[Sighting]] = {}
    for sighting in sightings:
        routes.setdefault(sighting.seen.route, []).append(sighting)
    for route, probed in routes.items():
        where = way(route)
        for sighting in probed:
            path = _unvouched(sighting)
            if path is not None and minted([sighting]):
                values = {"name": sighting.seen.server_name or "", "issuer": title_of(path.leaf.issuer)}
                yield finding(_MADE_UP[Asked(sighting.seen.slice)], {**values, "where": where})
        hosts = dict.fromkeys(s.endpoint.host for s in probed if s.seen.slice != Asked.NO_SUCH_HOST)
        said: dict[str, list[str]] = {}
        for host in hosts:
            for code in _of_host({s.seen.slice: s for s in probed if s.endpoint.host == host}):
                said.setdefault(code, []).append(host)
        for code, named in said.items():
            yield finding(code, {"hosts": ", ".join(named), "where": where})
        yield finding("probed", {"where": where, "n": str(len(probed)), "hosts": ", ".join(hosts)})


def _of_host(answers: Mapping[str, Sighting]) -> Iterator[str]:
    """What comes of asking one host in ways that a server of today answers alike."""
    by = {asked: _signer(sighting) for asked, sighting in answers.items()}
    if {Asked.LARGE_HELLO, Asked.SMALL_HELLO} <= set(by) and by[Asked.LARGE_HELLO] != by[Asked.SMALL_HELLO]:
        yield "hello-changes-answer"
    if any(sighting.endpoint.authority is not Authority.GOOGLE for sighting in answers.values()):
        return  # what others serve is not known
    if by.get(Asked.RSA) and Asked.ECDSA in by and not by[Asked.ECDSA]:
        yield "ecdsa-refused"
    h2 = answers[Asked.H2].seen.tls if Asked.H2 in answers else None
    if h2 is not None and h2.completed and h2.alpn != "h2":
        yield "alpn-h2-refused"


def _signer(sighting: Sighting) -> Signer | None:
    """Who signed what came, None where nothing did. Leaves may differ: a host has several."""
    path = sighting.readable_path
    return path.signer if path is not None else None
