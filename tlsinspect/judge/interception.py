"""What the assessments of a run say together about interception: of which hosts, by whom, on which way.

The R rules: hints and proofs for people; each verdict stands as it is.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

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
    yield from _several(assessments)
    yield from _controls(assessments)
    yield from _pins(assessments)


def _extent(assessments: Sequence[Assessment], where: str) -> Iterator[Finding]:
    """All hosts, or which."""
    scanned = [a for a in assessments if a.endpoint.expectation != "inspected"]
    found = [a for a in scanned if a.verdict is Verdict.INTERCEPTED]
    if found:
        hosts = [a.endpoint.host for a in found]
        always = not any(f.code == "mixed" for a in found for f in a.findings)
        code = "all-intercepted" if len(found) == len(scanned) and always else "selective-interception"
        values = {"hosts": ", ".join(hosts), "n": str(len(hosts)), "of": str(len(scanned))}
        yield finding(code, values, {"where": where})


def _several(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    """More than one interceptor: told apart by the key that signs, or by name where it was not shown."""
    makers: dict[str, tuple[str, list[str]]] = {}
    for a in assessments:
        if a.verdict is Verdict.INTERCEPTED:
            # A certificate alone shows no key but its own, so that its issuer's name has to do.
            named = f'{_product(a)}"{a.issuer_title}"'
            makers.setdefault(a.issuing_key or a.issuer or "", (named, []))[1].append(a.endpoint.host)
    if len({named for named, _ in makers.values()}) > 1:
        listed = "; ".join(f"{named} for {', '.join(dict.fromkeys(hosts))}" for named, hosts in makers.values())
        yield finding("several-interceptors", {"n": str(len(makers)), "makers": listed})


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
    cut = {(a.verdict is Verdict.INTERCEPTED, b.verdict is Verdict.INTERCEPTED) for a, b in pairs}
    values = {"proxy": proxy.proxy or ""}
    genuine = any({a.verdict, b.verdict} == {Verdict.INTERCEPTED, Verdict.GENUINE} for a, b in pairs)
    if genuine and (False, True) in cut and not {(True, False), (True, True)} & cut:
        yield finding("intercepted-at-proxy", values)
    if genuine and (True, False) in cut and not {(False, True), (True, True)} & cut:
        yield finding("intercepted-beside-proxy", values)
    both = [(a.issuing_key, b.issuing_key) for a, b in pairs if a.verdict is b.verdict is Verdict.INTERCEPTED]
    if both and all(one is not None and one == other for one, other in both):
        yield finding("intercepted-on-both-routes", values)


def _controls(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    """Hosts that are known to be inspected, and are not."""
    for a in assessments:
        if a.endpoint.expectation == "inspected":
            foreign = a.verdict is Verdict.INTERCEPTED or a.rule == "authority-unknown"
            code = "inspection-seen" if foreign else "inspection-not-seen"
            yield finding(code, {"host": a.endpoint.host, "verdict": a.verdict})


def _pins(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    """All of Google's hosts under one public root, publicly logged: then Google has moved, and our data is old."""
    google = [a for a in assessments if a.endpoint.authority is Authority.GOOGLE and a.issuer is not None]
    moved = [a for a in google if a.rule == "unexpected-ca" and any(t.result == "valid" for t in a.timestamps)]
    roots = {a.path[-1] for a in moved if a.path}
    if len(moved) == len(google) > 1 and len(roots) == 1:
        yield finding("pins-outdated", {"root": roots.pop()})
