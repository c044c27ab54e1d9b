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
from tlsinspect.model import Authority, Finding, Reason, Route

_MADE_UP = {Asked.RANDOM_SNI: "minted-for-random-name", Asked.NO_SUCH_HOST: "minted-for-nonexistent-host"}


def minted(sightings: Iterable[Sighting]) -> dict[str, str]:
    """The keys behind certificates made for a made-up name, and the name.

    The leaf's own key counts too, for some use one key for every leaf and send no root. Who makes certificates for his
    own host, as some servers do, stands in nobody's way.
    """
    found: dict[str, str] = {}
    for sighting in sightings:
        path, name = _made_up(sighting), sighting.seen.server_name or ""
        if path is not None and _between(sighting):
            found |= dict.fromkeys((*path.signing_keys, path.leaf.spki_sha256), name)
    return found


def _made_up(sighting: Sighting) -> Path | None:
    """The path of a certificate that was made for a made-up name: it leads to nobody known, claims the very name, and
    whoever sent it holds its key. Many servers answer any name with the one certificate they have."""
    path, seen = sighting.readable_path, sighting.seen
    if path is None or path.anchored or seen.slice not in _MADE_UP or not seen.server_name:
        return None
    held = seen.tls is not None and seen.tls.completed
    return path if held and claims(path.leaf, seen.server_name) else None


def _between(sighting: Sighting) -> bool:
    """Whether it surely was not the host itself: Google would not, and a host that cannot exist did not."""
    return sighting.endpoint.authority is Authority.GOOGLE or sighting.seen.slice == Asked.NO_SUCH_HOST


def probe_findings(sightings: Sequence[Sighting]) -> Iterator[Finding]:
    """What each route's probes showed, and what they cost."""
    routes: dict[Route, list[Sighting]] = {}
    for sighting in sightings:
        routes.setdefault(sighting.seen.route, []).append(sighting)
    for route, probed in routes.items():
        where = way(route)
        for sighting in probed:
            path = _made_up(sighting)
            if path is not None:
                values = {"name": sighting.seen.server_name or "", "issuer": title_of(path.leaf.issuer), "where": where}
                yield finding(_MADE_UP[Asked(sighting.seen.slice)], values, proven=_between(sighting))
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
    hellos = [answers[asked] for asked in (Asked.LARGE_HELLO, Asked.SMALL_HELLO) if asked in answers]
    if len(hellos) == 2 and all(map(_answered, hellos)) and len(set(map(_signer, hellos))) > 1:
        yield "hello-changes-answer"
    if any(sighting.endpoint.authority is not Authority.GOOGLE for sighting in answers.values()):
        return  # what others serve is not known
    if by.get(Asked.RSA) and Asked.ECDSA in by and not by[Asked.ECDSA]:
        yield "ecdsa-refused"
    h2 = answers[Asked.H2].seen.tls if Asked.H2 in answers else None
    if h2 is not None and h2.completed and h2.alpn != "h2":
        yield "alpn-h2-refused"


def _answered(sighting: Sighting) -> bool:
    """Whether somebody answered, if only to end it: silence says nothing, for anybody is slow once."""
    failure = sighting.seen.failure
    return bool(_signer(sighting)) or (failure is not None and failure.reason in _ENDED)


_ENDED = (Reason.RESET, Reason.CLOSED, Reason.ALERT, Reason.TLS_ERROR)


def _signer(sighting: Sighting) -> Signer | None:
    """Who signed what came, None where nothing did. Leaves may differ: a host has several."""
    path = sighting.readable_path
    return path.signer if path is not None else None
