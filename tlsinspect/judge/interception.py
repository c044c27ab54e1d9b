"""What the assessments of a run say together about interception: of which hosts, by whom, on which way.

The R rules: hints and proofs for people; each verdict stands as it is.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tlsinspect.judge.words import finding, way
from tlsinspect.model import Assessment, Authority, Finding, Route, Verdict

ByRoute = Mapping[Route, Assessment]


def interception(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    """The conclusions, most telling first."""
    routes: dict[Route, list[Assessment]] = defaultdict(list)
    hosts: dict[tuple[str, int], dict[Route, Assessment]] = defaultdict(dict)
    for a in assessments:
        routes[a.route].append(a)
        hosts[a.endpoint.host, a.endpoint.port][a.route] = a
    compared = any(len(found) > 1 for found in hosts.values())
    for route, found in routes.items() if compared else [(None, list(assessments))]:
        yield from _extent(found, "" if route is None else f" {way(route)}")
    if compared:
        yield from _between_routes(list(hosts.values()))
    yield from _several(assessments, compared)
    yield from _controls(assessments)
    yield from _pins(assessments)


def _extent(assessments: Sequence[Assessment], where: str) -> Iterator[Finding]:
    """All hosts, or which."""
    scanned = [a for a in assessments if a.endpoint.expectation != "inspected"]
    found = [a for a in scanned if a.verdict is Verdict.INTERCEPTED]
    if found:
        hosts = [a.endpoint.host for a in found]
        spared = any(a.verdict is Verdict.GENUINE for a in scanned) or any(_is_mixed(a) for a in found)
        values = {"hosts": ", ".join(hosts), "n": str(len(hosts)), "of": str(len(scanned))}
        yield finding("selective-interception" if spared else "all-intercepted", values, {"where": where})


def _is_mixed(assessment: Assessment) -> bool:
    return any(f.code == "mixed" for f in assessment.findings)


@dataclass
class _Maker:
    """Whoever makes the certificates of some hosts."""

    named: str
    issuer: str | None
    keys: set[str]
    places: list[str] = field(default_factory=list)

    def made(self, a: Assessment) -> bool:
        """By a key they share; where one of them came alone and shows none, its issuer's name has to do."""
        if self.keys and a.signing_keys:
            return not self.keys.isdisjoint(a.signing_keys)
        return self.issuer == a.issuer


def _several(assessments: Sequence[Assessment], compared: bool) -> Iterator[Finding]:
    """More than one interceptor."""
    makers: list[_Maker] = []
    for a in assessments:
        if a.verdict is Verdict.INTERCEPTED:
            maker = next((m for m in makers if m.made(a)), None)
            if maker is None:
                maker = _Maker(f'{_product(a)}"{a.issuer_title}"', a.issuer, set())
                makers.append(maker)
            maker.keys.update(a.signing_keys)
            maker.places.append(f"{a.endpoint.host} {way(a.route)}" if compared else a.endpoint.host)
    if len(makers) > 1:
        listed = "; ".join(f"{_told_apart(m, makers)} for {', '.join(dict.fromkeys(m.places))}" for m in makers)
        yield finding("several-interceptors", {"n": str(len(makers)), "makers": listed})


def _told_apart(maker: _Maker, makers: Sequence[_Maker]) -> str:
    namesakes = sum(each.named == maker.named for each in makers) > 1
    return f"{maker.named} (key {min(maker.keys)[:16]}…)" if namesakes and maker.keys else maker.named


def _product(assessment: Assessment) -> str:
    product = assessment.attribution
    return f"{product.name} ({product.confidence}) " if product else ""


def _between_routes(hosts: Sequence[ByRoute]) -> Iterator[Finding]:
    """Where the routes differ, and what that says about where the interceptor sits."""
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for found in hosts:
        if len({a.verdict for a in found.values()}) > 1:
            host = next(iter(found.values())).endpoint.host
            alike[tuple(f"{a.verdict} {way(route)}" for route, a in found.items())].append(host)
    for answers, names in alike.items():
        yield finding("routes-differ", {"hosts": ", ".join(names), "answers": ", ".join(answers)})
    direct = Route()
    for proxy in dict.fromkeys(route for found in hosts for route in found if route.proxy):
        pairs = [(found[direct], found[proxy]) for found in hosts if direct in found and proxy in found]
        yield from _located(pairs, proxy)


def _located(pairs: Sequence[tuple[Assessment, Assessment]], proxy: Route) -> Iterator[Finding]:
    """On which way it sits, by hosts that were seen on both: direct first."""
    values = {"proxy": proxy.proxy or ""}
    directly, proxied = {a.verdict for a, _ in pairs}, {b.verdict for _, b in pairs}
    if directly == {Verdict.GENUINE} and Verdict.INTERCEPTED in proxied:
        yield finding("intercepted-at-proxy", values)
    if proxied == {Verdict.GENUINE} and Verdict.INTERCEPTED in directly:
        yield finding("intercepted-beside-proxy", values)
    both = [pair for pair in pairs if all(a.verdict is Verdict.INTERCEPTED for a in pair)]
    if both and all(set(a.signing_keys) & set(b.signing_keys) for a, b in both):
        yield finding("intercepted-on-both-routes", values)


def _controls(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    """Hosts that are known to be inspected, and whether they are."""
    for a in assessments:
        if a.endpoint.expectation == "inspected":
            values = {"host": a.endpoint.host, "verdict": str(a.verdict)}
            if a.verdict is Verdict.GENUINE:
                yield finding("inspection-not-seen", values)
            elif a.verdict is Verdict.INTERCEPTED or a.rule == "authority-unknown":
                yield finding("inspection-seen", values, proven=a.verdict is Verdict.INTERCEPTED)
            else:
                yield finding("inspection-unknown", values)


def _pins(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    """All of Google's hosts under one public root, publicly logged: then Google has moved, and our data is old."""
    google = [a for a in assessments if a.endpoint.authority is Authority.GOOGLE and a.issuer is not None]
    moved = [a for a in google if a.rule == "unexpected-ca" and any(t.result == "valid" for t in a.timestamps)]
    roots = {a.path[-1] for a in moved if a.path}
    if len(moved) == len(google) > 1 and len(roots) == 1:
        yield finding("pins-outdated", {"root": roots.pop()})
