"""A report without what is nobody else's business: companies, users, machines, private networks.

Private is what the names of a foreign certificate hold beyond the words of the product itself: tenants, serial numbers
of appliances, host names, a company's own authority. What Google or a public authority signed is public already.
Products, verdicts, hashes of keys and the hosts that were asked for stay: without them nobody could help.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import TypeVar

from tlsinspect.certificate import Certificate, escaped, text_of, title_of
from tlsinspect.endpoints.target import is_address
from tlsinspect.evidence.catalogue import catalogue_of, is_closed
from tlsinspect.evidence.extensions import Raw
from tlsinspect.evidence.names import claims
from tlsinspect.evidence.path import find_path, readable
from tlsinspect.evidence.portal import host_of, plain_http
from tlsinspect.judge.words import wording
from tlsinspect.model import (
    Assessment,
    Attribution,
    Authority,
    Endpoint,
    Fetch,
    Finding,
    Observation,
    Reachability,
    Report,
    Route,
    TrustStore,
)
from tlsinspect.observe.systemproxy import MACOS, WINHTTP, WININET
from tlsinspect.private import without_addresses
from tlsinspect.scrub import SHORTEST, each_text, of_this_machine, scrub
from tlsinspect.text import printable
from tlsinspect.trust import Trust

T = TypeVar("T")
Secrets = dict[str, str]  # what is private, and what stands for it

_NAMES_IN_VIA = {"google", "warcprox"}  # pseudonyms that name a product and no machine (RFC 9110 §7.6.3)


def redacted(report: Report, trust: Trust) -> Report:
    """The report without anything private, and saying so. `trust` is what it was judged by."""
    secrets = _in_every_form(_numbered(_of_run(report, trust)))
    clean = replace(report, assessments=(), reachability=(), probes=(), stores=(), roots=())
    return replace(
        _cleaned(clean, secrets),
        assessments=tuple(_assessment(a, secrets, trust) for a in report.assessments),
        reachability=tuple(_row(r, secrets) for r in report.reachability),
        conclusions=tuple(_finding(f, secrets) for f in report.conclusions),
        probes=tuple(_observation(_probed(seen), seen, secrets, trust) for seen in report.probes),
        stores=tuple(_cleaned(_without_place(store), secrets) for store in report.stores),
        roots=tuple(_cleaned(replace(root, certificate=None), secrets) for root in report.roots),
        profile=report.profile,
        tool=report.tool,
        fetches=tuple(_routed(_cleaned(fetch, secrets), fetch.route) for fetch in report.fetches),
        redacted=True,
    )


def redacted_assessment(assessment: Assessment, trust: Trust) -> Assessment:
    """The same for one assessment by itself."""
    return _assessment(assessment, _in_every_form(_numbered(_of_assessments([assessment], trust))), trust)


def _probed(seen: Observation) -> Endpoint:
    """What a probe asked for, whose certificates nobody but an interceptor makes."""
    return Endpoint(seen.host, seen.port, True, Authority.PUBLIC, ())


def _without_place(store: TrustStore) -> TrustStore:
    """The system's places are the same everywhere; those that somebody chose may name a company."""
    return store if store.effect == "base" else replace(store, place="<file>" if store.place else "")


# -- what is private ------------------------------------------------------------------------------------------------


def _of_run(report: Report, trust: Trust) -> Secrets:
    found = _of_assessments(report.assessments, trust)
    for seen in report.probes:
        found |= _of_observation(seen, trust)
        for certificate in _foreign(_probed(seen), seen, trust):
            found |= _of_certificate(certificate, None, trust)
    for each in report.reverse_names:
        if each.name and not trust.is_google_name(each.name):
            found[each.name] = "<name>"
    for row in report.reachability:
        found |= _of_route(row.route.proxy) | _of_location(row.location, trust)
    for fetch in report.fetches:
        found |= _of_route(fetch.route.proxy) | _of_location(fetch.location, trust)
        if fetch.route.proxy and fetch.address:
            found[fetch.address] = "<proxy>"
    return _without(found, [a.endpoint for a in report.assessments] + [r.endpoint for r in report.reachability], trust)


def _of_assessments(assessments: Sequence[Assessment], trust: Trust) -> Secrets:
    found: Secrets = _machine() | ({trust.added_name: "<file>"} if trust.added_name else {})
    for assessment in assessments:
        for seen in assessment.observations:
            found |= _of_observation(seen, trust)
            for certificate in _foreign(assessment.endpoint, seen, trust):
                found |= _of_certificate(certificate, assessment.attribution, trust)
    return _without(found, [a.endpoint for a in assessments], trust)


def _without(found: Secrets, endpoints: Iterable[Endpoint], trust: Trust) -> Secrets:
    """Less the hosts that were asked for, and Google's."""
    asked = {endpoint.host.casefold() for endpoint in endpoints}
    return {
        secret: shown
        for secret, shown in found.items()
        if secret.casefold() not in asked and not (_is_host(secret) and trust.is_google_name(secret))
    }


def _is_host(text: str) -> bool:
    return re.fullmatch(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\.?", text) is not None


def _machine() -> Secrets:
    """This machine and its user, unless the name is a word that stands in the sentences anyway."""
    words = _our_words() | {"root", "localhost", "admin"}
    return {secret: shown for secret, shown in of_this_machine().items() if secret.casefold() not in words}


@cache
def _our_words() -> frozenset[str]:
    return frozenset(word.casefold() for word in re.findall(r"\w+", str(wording())))


def _of_observation(seen: Observation, trust: Trust) -> Secrets:
    found = _of_route(seen.route.proxy)
    if seen.route.proxy:
        found |= dict.fromkeys([a for a in (seen.address, *(c.address for c in seen.connections)) if a], "<proxy>")
    if seen.proxy is not None:
        found |= _of_location(seen.proxy.location, trust)
    if seen.http is not None:
        found |= _of_location(seen.http.location, trust)
        found |= dict.fromkeys(_machines_in(seen.http.via or ""), "<proxy>")
    head = plain_http(seen.first_bytes)
    if head is not None:
        found |= _of_location(head.get("location"), trust)
    answers = (seen.proxy and seen.proxy.server, seen.http and seen.http.server, head and head.get("server"))
    return found | {server: "<server>" for server in answers if server and not _is_known_server(server)}


# What software calls itself in Server; Google's own too.
_SERVERS = {
    *("apache", "caddy", "envoy", "haproxy", "litespeed", "microsoft-iis", "mitmproxy", "nginx", "openresty", "squid"),
    *("esf", "gfe", "gse", "gws", "pki", "scaffolding", "httpserver2", "sffe"),
}


def _is_known_server(text: str) -> bool:
    """Whether it names software and its version alone, or is made of words that stand in our own sentences."""
    names = [word.partition("/")[0].casefold() for word in text.split()]
    return _our_words().union(_SERVERS).issuperset(names)


def _of_route(proxy: str | None) -> Secrets:
    host = host_of(proxy)
    return {host: "<proxy>"} if host and not _is_loopback(host) else {}


def _of_location(location: str | None, trust: Trust) -> Secrets:
    """Where an answer leads: a portal's address may name the guest, its host names the network."""
    host = host_of(location)
    if not location or (host and trust.is_google_name(host)):
        return {}
    return {location: "<elsewhere>", **({host: "<elsewhere>"} if host else {})}


def _machines_in(via: str) -> Iterator[str]:
    for hop in via.split(","):
        parts = hop.split()
        if len(parts) > 1 and parts[1].casefold() not in _NAMES_IN_VIA:
            yield parts[1]
            yield parts[1].rpartition(":")[0]


def _foreign(endpoint: Endpoint, seen: Observation, trust: Trust) -> tuple[Certificate, ...]:
    """The certificates, as far as anybody can read them, of a chain that is foreign."""
    return readable(seen.tls.chain) if seen.tls is not None and _is_foreign(endpoint, seen, trust) else ()


def _is_foreign(endpoint: Endpoint, seen: Observation, trust: Trust) -> bool:
    """Whether something was presented that no public authority signed for this host."""
    if seen.tls is None or not seen.tls.chain:
        return False
    path = find_path(seen.tls.chain, endpoint.host, endpoint.authority, seen.started, trust)
    return not path.anchored or not claims(path.leaf, endpoint.host)


def _of_certificate(certificate: Certificate, product: Attribution | None, trust: Trust) -> Secrets:
    parts = (*certificate.subject, *certificate.issuer)
    ours = _ours(parts, product, trust)
    others = [value for e in Raw(certificate.der).extensions() if e.oid == _SAN for value in e.values]
    names = [*certificate.dns_names, *certificate.ip_addresses, *(v.partition(":")[2] for v in others), *others]
    found = {name: "<name>" for name in names if not _is_known(name, product, trust)}
    return found | {value: f"<{label}>" for label, value in parts if value not in ours}


_SAN = "2.5.29.17"


def _ours(parts: Iterable[tuple[str, str]], product: Attribution | None, trust: Trust) -> set[str]:
    """The values that are the product's or a public authority's, and so name no customer."""
    return {value for label, value in parts if _is_ours(label, value, product, trust)}


def _is_ours(label: str, value: str, product: Attribution | None, trust: Trust) -> bool:
    if value.casefold() in _public_values(trust) or _is_known(value, product, trust):
        return True
    row = catalogue_of(trust).row(product.id) if product is not None else None
    if row is None:
        return False
    patterns = [each[label] for each in (row.issuer, row.subject) if label in each]
    return any(is_closed(p.pattern) and p.fullmatch(value) for p in patterns)


def _is_known(value: str, product: Attribution | None, trust: Trust) -> bool:
    """Whether it is a host of Google's, or stands in the product's own name."""
    if _is_host(value):
        return trust.is_google_name(value)
    return product is not None and len(value) >= SHORTEST and value.casefold() in _words_of(product)


def _words_of(product: Attribution) -> str:
    return f"{product.product} {product.vendor}".casefold()


@lru_cache(maxsize=4)
def _public_values(trust: Trust) -> frozenset[str]:
    anchors = (trust.google, trust.alternate, trust.historical, trust.public)
    names = [c.subject for a in anchors for c in a.certificates] + [i.subject for i in trust.intermediates]
    return frozenset(value.casefold() for name in names for _, value in name)


# -- taking it out --------------------------------------------------------------------------------------------------


def _assessment(assessment: Assessment, secrets: Secrets, trust: Trust) -> Assessment:
    """What is our own (codes, rules, products) is put back as it was: a name that equals one of these hides nothing."""
    clean = _cleaned(replace(assessment, observations=(), findings=()), secrets)
    issuer, title = _issuer(assessment, secrets, trust)
    product = assessment.attribution
    if product is not None and clean.attribution is not None:
        product = replace(product, matched=clean.attribution.matched)
    return replace(
        clean,
        endpoint=replace(assessment.endpoint, authority_file=clean.endpoint.authority_file),
        rule=assessment.rule,
        route=_routed(clean, assessment.route).route,
        attribution=product,
        findings=tuple(_finding(f, secrets) for f in assessment.findings),
        observations=tuple(_observation(assessment.endpoint, seen, secrets, trust) for seen in assessment.observations),
        issuer=issuer,
        issuer_title=title,
    )


def _issuer(assessment: Assessment, secrets: Secrets, trust: Trust) -> tuple[str | None, str | None]:
    """The issuer of a foreign leaf and its short name, part by part: there even the shortest value goes."""
    chains = (_foreign(assessment.endpoint, seen, trust) for seen in assessment.observations)
    leaf = next((chain[0] for chain in chains if chain and text_of(chain[0].issuer) == assessment.issuer), None)
    if leaf is None:
        return _cleaned((assessment.issuer, assessment.issuer_title), secrets)
    ours = _ours((*leaf.subject, *leaf.issuer), assessment.attribution, trust)
    shown = {value: value if value in ours else secrets.get(value, f"<{label}>") for label, value in leaf.issuer}
    text = ", ".join(f"{label}={shown[value]}" for label, value in reversed(leaf.issuer))
    return text, shown.get(title_of(leaf.issuer), "<issuer>")


def _observation(endpoint: Endpoint, seen: Observation, secrets: Secrets, trust: Trust) -> Observation:
    """Octets go as a whole: what stands in them cannot be taken out one by one."""
    tls = seen.tls
    if tls is not None and _is_foreign(endpoint, seen, trust):
        tls = replace(tls, chain=(), staple=None)
    clean = _cleaned(replace(seen, tls=None, first_bytes=None), secrets)
    return replace(_routed(clean, seen.route), host=seen.host, tls=tls)


def _row(row: Reachability, secrets: Secrets) -> Reachability:
    return replace(_routed(_cleaned(row, secrets), row.route), endpoint=row.endpoint)


Taken = TypeVar("Taken", Assessment, Observation, Reachability, Fetch)


def _routed(clean: Taken, route: Route) -> Taken:
    """Where the route comes from is said in our own words, but for the place a script lies at."""
    return replace(clean, route=replace(clean.route, origin=_SCRIPT.sub(r"\1 <script>", route.origin)))


_SCRIPT = re.compile(rf"^(PAC|WPAD) .*?(?= \((?:{WININET}|{WINHTTP}|{MACOS})\)$|$)", re.DOTALL)


def _finding(found: Finding, secrets: Secrets) -> Finding:
    return replace(_cleaned(found, secrets), code=found.code)


def _cleaned(noun: T, secrets: Secrets) -> T:
    cut_short = _cut_short(secrets)
    return each_text(scrub(noun, secrets), lambda text: cut_short(without_addresses(text)))


def _numbered(secrets: Secrets) -> Secrets:
    """With the values that stood for one kind of name told apart; what is no part of a name has one word for all."""
    numbers: dict[str, dict[str, int]] = {}
    numbered = {}
    for secret, shown in secrets.items():
        if shown in _ONE_FOR_ALL or shown.startswith("<the-"):
            numbered[secret] = shown
            continue
        known = numbers.setdefault(shown, {})
        number = known.setdefault(secret.casefold(), len(known) + 1)
        numbered[secret] = f"{shown.removesuffix('>')}-{number}>"
    return numbered


_ONE_FOR_ALL = {"<elsewhere>", "<file>", "<name>", "<proxy>", "<server>"}


def _in_every_form(secrets: Secrets) -> Secrets:
    """Each value as it may be written in a report: as it is, escaped as in a name, and made harmless for the eyes."""
    texts = {text: shown for secret, shown in secrets.items() for text in (secret, escaped(secret))}
    return texts | {printable(text, _WHOLE): shown for text, shown in texts.items()}


_WHOLE = 1 << 20  # characters: none of them is cut


_ELLIPSIS = "…"


def _cut_short(known: Mapping[str, str]) -> Callable[[str], str]:
    """Long texts are cut; what is left of a secret before the cut goes too."""

    def rule(text: str) -> str:
        if _ELLIPSIS not in text:
            return text
        *cut, rest = text.split(_ELLIPSIS)
        return _ELLIPSIS.join([*(_without_end(part, known) for part in cut), rest])

    return rule


def _without_end(text: str, known: Mapping[str, str]) -> str:
    for secret, shown in known.items():
        for size in range(min(len(secret), len(text)), SHORTEST - 1, -1):
            if text[-size:].casefold() == secret[:size].casefold():
                return text[:-size] + shown
    return text


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
