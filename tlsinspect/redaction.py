"""A report without what is nobody else's business: companies, users, machines, private networks.

Private is what the names of a foreign certificate hold beyond the words of the product itself: tenants, serial numbers
of appliances, host names, a company's own authority. What Google or a public authority signed is public already.
Products, verdicts, hashes of keys and the hosts that were asked for stay: without them nobody could help.
"""

import ipaddress
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import TypeVar

from tlsinspect.certificate import Certificate, Name, escaped, text_of
from tlsinspect.endpoints import TARGETS, Profile, load_profile, shipped_profiles
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
    Row,
    TrustFacts,
    TrustStore,
)
from tlsinspect.observe.systemproxy import MACOS, WINHTTP, WININET
from tlsinspect.private import without_addresses
from tlsinspect.scrub import SHORTEST, Rule, each_text, of_this_machine, replacing
from tlsinspect.text import printable
from tlsinspect.trust import Trust

Secrets = dict[str, str]  # what is private, and what stands for it

_NAMES_IN_VIA = {"google", "warcprox"}  # pseudonyms that name a product and no machine (RFC 9110 §7.6.3)
_PRODUCTS_IN_VIA = {"http", "squid"}  # what stands before a version there, the protocol included


def redacted(report: Report, trust: Trust) -> Report:
    """The report without anything private, and saying so. `trust` is what it was judged by."""
    secrets = rule_of(_numbered(_of_run(report, trust)), report)
    clean = replace(report, assessments=(), reachability=(), probes=(), stores=(), roots=())
    return replace(
        each_text(clean, secrets),
        assessments=tuple(_assessment(a, secrets, trust) for a in report.assessments),
        reachability=tuple(_row(r, secrets) for r in report.reachability),
        conclusions=tuple(redacted_finding(f, secrets) for f in report.conclusions),
        probes=tuple(_observation(_probed(seen), seen, secrets, trust) for seen in report.probes),
        stores=tuple(each_text(_without_place(store), secrets) for store in report.stores),
        roots=tuple(each_text(replace(root, certificate=None), secrets) for root in report.roots),
        profile=_profile(report.profile),
        tool=report.tool,
        fetches=tuple(_routed(each_text(fetch, secrets), fetch.route) for fetch in report.fetches),
        redacted=True,
    )


def redacted_assessment(assessment: Assessment, trust: Trust) -> Assessment:
    """The same for one assessment by itself."""
    return _assessment(assessment, rule_of(_numbered(_of_assessments([assessment], trust)), assessment), trust)


def redacted_facts(facts: TrustFacts) -> TrustFacts:
    """Which trust data judged, without the name of a file."""
    return replace(facts, name="stand-in <file>") if facts.stand_in else facts


def anonymous(profile: Profile) -> Profile:
    """The profile as it may be called: one of somebody's own has neither name nor title."""
    if profile.name in shipped_profiles():
        return load_profile(profile.name)
    return profile if profile.name == TARGETS else replace(profile, name=_profile(profile.name), title="Own profile")


def _profile(name: str) -> str:
    return name if name in (*shipped_profiles(), TARGETS) else "<profile>"


def _probed(seen: Observation) -> Endpoint:
    """What a probe asked for, whose certificates nobody but an interceptor makes."""
    return Endpoint(seen.host, seen.port, True, Authority.PUBLIC, ())


def _without_place(store: TrustStore) -> TrustStore:
    return replace(store, place="<file>") if _is_chosen(store) else store


def _is_chosen(store: TrustStore) -> bool:
    """The system's places are the same everywhere; those that somebody chose may name a company."""
    return store.effect != "base" and bool(store.place)


# -- what is private ------------------------------------------------------------------------------------------------


def _of_run(report: Report, trust: Trust) -> Secrets:
    found = _of_assessments(report.assessments, trust)
    products = {a.attribution.id: shipped(a.attribution, trust) for a in report.assessments if a.attribution}
    for root in report.roots:
        for certificate in readable((root.certificate,) if root.certificate else ()):
            found |= _of_certificate(certificate, products.get(root.product or ""), trust)
    for seen in report.probes:
        found |= _of_observation(seen, trust)
        for certificate in _foreign(_probed(seen), seen, trust):
            found |= _of_certificate(certificate, None, trust)
    for each in report.reverse_names:
        if each.name and not trust.is_google_name(each.name):
            found[each.name] = "<name>"
    found |= _of_surroundings(report, trust)
    return _without(found, [a.endpoint for a in report.assessments] + [r.endpoint for r in report.reachability], trust)


def _of_surroundings(report: Report, trust: Trust) -> Secrets:
    """What the run met beside the handshakes: ways to other hosts, where proxies come from, chosen files."""
    found: Secrets = {}
    for row in report.reachability:
        found |= _of_route(row.route.proxy) | _of_origin(row.route.origin, trust)
        found |= _of_location(row.location, trust) | _of_text(row.sentence, trust)
        if row.route.proxy and row.address:
            found[row.address] = "<proxy>"
    for conclusion in report.conclusions:
        if conclusion.code.startswith("proxy-"):
            for value in conclusion.values.values():
                found |= _of_text(value, trust)
    for store in report.stores:
        found |= {store.place: "<file>"} if _is_chosen(store) else {}
    for fetch in report.fetches:
        found |= _of_route(fetch.route.proxy) | _of_origin(fetch.route.origin, trust)
        found |= _of_location(fetch.location, trust) | _of_text(fetch.detail, trust)
        if fetch.route.proxy and fetch.address:
            found[fetch.address] = "<proxy>"
    return found


def _of_assessments(assessments: Sequence[Assessment], trust: Trust) -> Secrets:
    found = of_machine_and_files(trust)
    for assessment in assessments:
        for seen in assessment.observations:
            found |= _of_observation(seen, trust)
            for certificate in _foreign(assessment.endpoint, seen, trust):
                found |= _of_certificate(certificate, shipped(assessment.attribution, trust), trust)
    return _without(found, [a.endpoint for a in assessments], trust)


def _without(found: Secrets, endpoints: Iterable[Endpoint], trust: Trust) -> Secrets:
    """Less the hosts that were asked for, which no secret takes apart, and Google's."""
    asked = {endpoint.host.casefold() for endpoint in endpoints}
    return {host: host for host in asked} | {
        secret: shown
        for secret, shown in found.items()
        if secret.casefold() not in asked and not (_is_host(secret) and trust.is_google_name(secret))
    }


def _is_host(text: str) -> bool:
    return re.fullmatch(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\.?", text) is not None


def of_machine() -> Secrets:
    """This machine and its user, unless the name is a word that stands in the sentences anyway."""
    return {secret: shown for secret, shown in of_this_machine().items() if secret.casefold() not in _our_words()}


def of_machine_and_files(trust: Trust) -> Secrets:
    """The same, and the files of somebody's own that were judged by."""
    found = of_machine() | ({trust.added_name: "<file>"} if trust.added_name else {})
    if trust.stand_in:
        found[trust.facts.name.removeprefix("stand-in ")] = "<file>"
    return found


@cache
def _our_words() -> frozenset[str]:
    return frozenset(_words(str(wording()).casefold()))


def _of_observation(seen: Observation, trust: Trust) -> Secrets:
    found = _of_route(seen.route.proxy) | _of_origin(seen.route.origin, trust)
    for passed in seen.passed_over:
        found |= _of_route(passed.way)
    if seen.route.proxy or seen.passed_over:
        found |= dict.fromkeys(_addresses_of_proxies(seen), "<proxy>")
    if seen.proxy is not None:
        found |= _of_location(seen.proxy.location, trust) | _of_text(seen.proxy.distrust, trust)
        for certificate in readable(seen.proxy.chain):
            found |= _of_certificate(certificate, None, trust)
    if seen.failure is not None:
        found |= _of_text(seen.failure.detail, trust)
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
    return {host: "<proxy>"} if host and not _is_loopback(host) and host not in _our_words() else {}


def _addresses_of_proxies(seen: Observation) -> set[str]:
    """Whatever was connected to or resolved, and is not the host's own."""
    found = {each.address for each in seen.connections} | ({seen.address} if seen.address else set())
    resolved = set(seen.addresses)
    found = found | resolved if seen.address_source == "proxy" else found - resolved
    return {address for address in found if not _is_loopback(address)}


def _of_origin(origin: str, trust: Trust) -> Secrets:
    """Where a proxy script is kept."""
    kind, _, place = origin.partition(" ")
    if kind not in ("PAC", "WPAD") or not place:
        return {}
    for settings in (WININET, WINHTTP, MACOS):
        place = place.removesuffix(f" ({settings})")
    return _of_text(place, trust) | {place: "<script>"}


_URL = re.compile(r"(?<![\w+.-])[\w+.-]++://[^\s\"'<>(),;]*[^\s\"'<>(),;:.]")
_HOST = re.compile(r"(?<![\w.-])[\w-]++(?:\.[\w-]++)*\.[^\W\d_]{2,}+(?![\w-])")
_UNNAMED = re.compile(r"(?<=does not name )\S+")
_QUOTED = re.compile(r'"[^"]+"')


def _of_text(text: str, trust: Trust) -> Secrets:
    """What a sentence of ours about a proxy or its script names: URLs, hosts, and what it quotes."""
    found = dict.fromkeys(_QUOTED.findall(text), '"<answer>"')
    for url in _URL.findall(text):
        host = host_of(url)
        if host and not _is_loopback(host) and not trust.is_google_name(host):
            bare = url.partition("://")[2].count("/") == 0
            found |= {host: "<proxy>"} if bare else {url: "<elsewhere>", host: "<elsewhere>"}
    rest = _URL.sub("", text)
    found |= dict.fromkeys([*_HOST.findall(rest), *_UNNAMED.findall(rest)], "<elsewhere>")
    return {secret: shown for secret, shown in found.items() if secret.casefold() not in _our_words()}


def _of_location(location: str | None, trust: Trust) -> Secrets:
    """Where an answer leads: a portal's address may name the guest, its host names the network."""
    host = host_of(location)
    if not location or (host and trust.is_google_name(host)):
        return {}
    return {location: "<elsewhere>", **({host: "<elsewhere>"} if host else {})}


def _via(via: str) -> str:
    """The field word by word: protocols, products and their versions stay, in comments too."""
    return re.sub(r"[^\s,()]+", lambda found: found.group() if _is_product(found.group()) else "<proxy>", via)


def _is_product(word: str) -> bool:
    name, slash, version = word.partition("/")
    numbered = re.fullmatch(r"[0-9.]+", version if slash else name) is not None
    return word.casefold() in _NAMES_IN_VIA or (numbered and (not slash or name.casefold() in _PRODUCTS_IN_VIA))


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


@lru_cache(maxsize=64)  # the same few stand behind every leaf
def _of_certificate(certificate: Certificate, product: Attribution | None, trust: Trust) -> Secrets:
    parts = (*certificate.subject, *certificate.issuer)
    ours = _ours(parts, product, trust)
    others = [value for e in Raw(certificate.der).extensions() if e.oid == _SAN for value in e.values]
    names = [*certificate.dns_names, *certificate.ip_addresses, *(v.partition(":")[2] for v in others), *others]
    found = {name: "<name>" for name in names if not _is_known(name, product, trust)}
    found |= {value: f"<{label}>" for label, value in parts if value not in ours}
    return found | _whole((certificate.subject, certificate.issuer), found)


def _whole(names: Iterable[Name], found: Secrets) -> Secrets:
    """Names as they stand in a line, part by part: there even the shortest value goes."""
    return {
        text_of(name): ", ".join(f"{label}={found.get(value, escaped(value))}" for label, value in reversed(name))
        for name in names
        if any(value in found for _, value in name)
    }


_SAN = "2.5.29.17"


def shipped(product: Attribution | None, trust: Trust) -> Attribution | None:
    """The product, unless it is a row of the user's own file: what is spelt out there may name the company."""
    own = {row["id"] for row in trust.added.get("interceptor", ())}
    return product if product is not None and product.id not in own else None


def _ours(parts: Iterable[tuple[str, str]], product: Attribution | None, trust: Trust) -> set[str]:
    """The values that are the product's or a public authority's, and so name no customer."""
    return {value for label, value in parts if is_ours(label, value, product, trust)}


# Domains of Google's below which customers choose names, or whoever owns an address does, and names that are its own.
_OTHERS_NAMES = re.compile(
    r"(.+)\.(appspot\.com|googleusercontent\.com|(?:storage|commondatastorage|storage-download|p)\.googleapis\.com|"
    r"googledrive\.com|(?:translate|cloud|usercontent)\.goog|1e100\.net)"
)
_FIXED_NAMES = re.compile(r"lh\d\.googleusercontent\.com|[a-z]{3}\d{1,3}s\d{1,3}-in-[fx][0-9a-f]{1,4}\.1e100\.net")


def is_googles(host: str, trust: Trust) -> bool:
    """Whether it is a name of Google's that tells nobody's customer."""
    return trust.is_google_name(host) and not chosen_below(host)


def chosen_below(host: str) -> str:
    """The domain of Google's below which a customer chose this name; empty where none did."""
    name = host.casefold().removeprefix("*.").rstrip(".")
    found = _OTHERS_NAMES.fullmatch(name)
    return found[2] if found is not None and not _FIXED_NAMES.fullmatch(name) else ""


def is_ours(label: str, value: str, product: Attribution | None, trust: Trust) -> bool:
    """Whether it is the product's or a public authority's. Without a label it may be of any attribute."""
    if value.casefold() in _public_values(trust) or _is_known(value, product, trust):
        return True
    row = catalogue_of(trust).row(product.id) if product is not None else None
    if row is None:
        return False
    patterns = [p for each in (row.issuer, row.subject) for name, p in each.items() if label in ("", name)]
    return any(is_closed(p.pattern) and p.fullmatch(value) for p in patterns)


def _is_known(value: str, product: Attribution | None, trust: Trust) -> bool:
    """Whether it is a host of Google's, or the product's own name says every word of it."""
    if _is_host(value):
        return is_googles(value, trust)
    words = set(_words(value.casefold()))
    return product is not None and bool(words) and words.issubset(_words(_called(product)))


def _called(product: Attribution) -> str:
    return f"{product.product} {product.vendor}".casefold()


@lru_cache(maxsize=4)
def _public_values(trust: Trust) -> frozenset[str]:
    anchors = (trust.google, trust.alternate, trust.historical, trust.public)
    names = [c.subject for a in anchors for c in a.certificates] + [i.subject for i in trust.intermediates]
    return frozenset(value.casefold() for name in names for _, value in name)


# -- taking it out --------------------------------------------------------------------------------------------------


def _assessment(assessment: Assessment, secrets: Rule, trust: Trust) -> Assessment:
    clean = without_observations(assessment, secrets)
    return replace(
        clean,
        endpoint=_asked(assessment.endpoint),
        route=_routed(clean, assessment.route).route,
        observations=tuple(_observation(assessment.endpoint, seen, secrets, trust) for seen in assessment.observations),
    )


def without_observations(a: Assessment, secrets: Rule) -> Assessment:
    """It without what it rests on, cleaned. What is our own (codes, rules, products) is put back as it was: a name that
    equals one of these hides nothing."""
    clean = each_text(replace(a, observations=(), findings=()), secrets)
    product = a.attribution
    if product is not None and clean.attribution is not None:
        product = replace(product, matched=clean.attribution.matched)
    return replace(
        clean, rule=a.rule, attribution=product, findings=tuple(redacted_finding(f, secrets) for f in a.findings)
    )


def _observation(endpoint: Endpoint, seen: Observation, secrets: Rule, trust: Trust) -> Observation:
    """Octets go as a whole: what stands in them cannot be taken out one by one."""
    tls = seen.tls
    if tls is not None and _is_foreign(endpoint, seen, trust):
        tls = replace(tls, chain=(), staple=None)
    proxy = replace(seen.proxy, chain=()) if seen.proxy is not None else None
    http = replace(seen.http, via=_via(seen.http.via)) if seen.http is not None and seen.http.via else seen.http
    clean = each_text(replace(seen, tls=None, first_bytes=None, proxy=proxy, http=http), secrets)
    return replace(_routed(clean, seen.route), host=seen.host, tls=tls)


def _row(row: Reachability, secrets: Rule) -> Reachability:
    return replace(_routed(each_text(row, secrets), row.route), endpoint=_asked(row.endpoint))


Taken = TypeVar("Taken", Assessment, Observation, Reachability, Fetch)


def _routed(clean: Taken, route: Route) -> Taken:
    """Where the route comes from is said in our own words, but for the place a script lies at."""
    return replace(clean, route=replace(clean.route, origin=_SCRIPT.sub(r"\1 <script>", route.origin)))


_SCRIPT = re.compile(rf"^(PAC|WPAD) .*?(?= \((?:{WININET}|{WINHTTP}|{MACOS})\)$|$)", re.DOTALL)


def _asked(endpoint: Endpoint) -> Endpoint:
    """What was asked for stays; what a profile of somebody's own says of it does not."""
    rows = tuple(row if not row.profile or row in _shipped_rows() else _bare(row) for row in endpoint.rows)
    return replace(endpoint, rows=rows, authority_file=endpoint.authority_file and "<file>")


def _bare(row: Row) -> Row:
    return replace(row, profile=_profile(row.profile), purpose="", source="")


@cache
def _shipped_rows() -> frozenset[Row]:
    profiles = map(load_profile, shipped_profiles())
    return frozenset(row for profile in profiles for endpoint in profile.endpoints for row in endpoint.rows)


def redacted_finding(found: Finding, secrets: Rule) -> Finding:
    """A finding, cleaned but for its code."""
    return replace(each_text(found, secrets), code=found.code)


def rule_of(secrets: Secrets, noun: object) -> Rule:
    """What cleans the texts of `noun` of secrets, private addresses and e-mail addresses. Made once for all of them."""
    forms = _in_every_form({secret: shown for secret, shown in secrets.items() if len(secret) >= SHORTEST})
    short = {secret: shown for secret, shown in secrets.items() if 0 < len(secret) < SHORTEST}
    # These stand in other words too: they go where they are all of a text, or stand in quotes as names do.
    quoted = {f'"{secret}"': f'"{shown}"' for secret, shown in short.items()}
    whole = {secret: shown for secret, shown in short.items() if not secret.isdecimal()}
    known = replacing(_standing(forms, noun) | quoted, _telling(whole))
    cut_short = _cut_short(forms)

    @lru_cache(maxsize=1 << 14)
    def rule(text: str) -> str:
        return whole[text] if text in whole else cut_short(without_addresses(known(text)))

    return rule


def _standing(secrets: Secrets, noun: object) -> Secrets:
    """Those whose words all stand in `noun`: a certificate may hold thousands of names of which nobody speaks."""
    words: set[str] = set()

    def heard(text: str) -> str:
        words.update(map(str.casefold, _words(text)))
        return text

    each_text(noun, heard)
    return {secret: shown for secret, shown in secrets.items() if words.issuperset(map(str.casefold, _words(secret)))}


def _telling(short: Secrets) -> Secrets:
    """Of short secrets those that are no words of our own: they go wherever they are spelt so."""
    ours = set(_words(str(wording())))
    return {secret: shown for secret, shown in short.items() if ours.isdisjoint(_words(secret))}


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _numbered(secrets: Secrets) -> Secrets:
    """With the values that one word stood for told apart, in whole names too; what is no name's part keeps its own."""
    numbers: dict[str, dict[str, int]] = {}
    numbered = {}
    for secret, shown in secrets.items():
        if re.fullmatch(r"<[^<>]+>", shown) and shown not in _ONE_FOR_ALL and not shown.startswith("<the-"):
            known = numbers.setdefault(shown, {})
            number = known.setdefault(secret.casefold(), len(known) + 1)
            numbered[secret] = f"{shown.removesuffix('>')}-{number}>"
    written = {escaped(secret): shown for secret, shown in numbered.items()}
    return {secret: numbered.get(secret) or _in_parts(secret, shown, written) for secret, shown in secrets.items()}


def _in_parts(name: str, shown: str, numbered: Mapping[str, str]) -> str:
    """A whole name as it is shown, its parts by their numbers; whatever else is shown stays."""
    parts, hidden = _AT_COMMAS.split(name), _AT_COMMAS.split(shown)
    if len(parts) != len(hidden):
        return shown
    return ", ".join(_part(part, each, numbered) for part, each in zip(parts, hidden, strict=True))


def _part(part: str, shown: str, numbered: Mapping[str, str]) -> str:
    label, _, value = part.partition("=")
    return f"{label}={numbered.get(value, f'<{label}>')}" if shown == f"{label}=<{label}>" else shown


_AT_COMMAS = re.compile(r"(?<!\\), ")
_ONE_FOR_ALL = {"<elsewhere>", "<file>", "<name>", "<private>", "<proxy>", "<script>", "<server>"}


def _in_every_form(secrets: Secrets) -> Secrets:
    """Each value as it may be written in a report: as it is, escaped as in a name, and made harmless for the eyes."""
    texts = {text: shown for secret, shown in secrets.items() for text in (secret, escaped(secret))}
    return texts | {printable(text, _WHOLE): shown for text, shown in texts.items()}


_WHOLE = 1 << 20  # characters: none of them is cut


_ELLIPSIS = "…"
_MOST_CUTS = 16  # in one text


def _cut_short(known: Mapping[str, str]) -> Rule:
    """Long texts are cut; what is left of a secret before the cut goes too."""
    begun = sorted((secret.casefold(), shown) for secret, shown in known.items() if secret != shown)

    def without_end(text: str) -> str:
        for begin in (found.start() for found in re.finditer(r"\w+|\W", text)):
            rest = text[begin:].casefold()
            at = bisect_left(begun, (rest,))
            if len(rest) >= SHORTEST and at < len(begun) and begun[at][0].startswith(rest):
                return text[:begin] + begun[at][1]
        return text

    def rule(text: str) -> str:
        # From the last cut to the first: a secret may hold what looks like one.
        for _ in range(min(text.count(_ELLIPSIS), _MOST_CUTS)):
            before, _, after = text.rpartition(_ELLIPSIS)
            text = f"{without_end(before)}\0{after}"
        return text.replace("\0", _ELLIPSIS)

    return rule


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
