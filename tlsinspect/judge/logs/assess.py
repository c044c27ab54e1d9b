"""From what a log says of a failure to an assessment: the facts for `rules`, the findings, and the words.

Pure, and nothing is more than a hint: a name in a log can be typed by anybody, as can the whole line.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

from tlsinspect.certificate import Name
from tlsinspect.endpoints.target import bracketed
from tlsinspect.evidence.attribution import NOT_PRODUCTS, attribute_values, default_at
from tlsinspect.evidence.clock import SLACK
from tlsinspect.evidence.clockhints import RECENTLY, hypotheses
from tlsinspect.judge.advice import case_of, remedy
from tlsinspect.judge.logs.rules import DatesFact, IssuerFact, LogFacts, ProductFact, SubjectFact, decide_log
from tlsinspect.judge.rules import WORST_FIRST
from tlsinspect.judge.words import day, explanation, finding
from tlsinspect.logs.assemble import Failure
from tlsinspect.logs.codes import Code, Flag, Means, error, flags, http_status
from tlsinspect.logs.observed import UNKNOWN_HOST, code_of, endpoint_of, hosts_in, observed, place_of
from tlsinspect.model import Assessment, Attribution, Basis, Confidence, Endpoint, Finding, Logged, Verdict
from tlsinspect.trust import Trust

ANY_ZONE = timedelta(hours=14)  # how far a clock without a zone may be from UTC, either way
LONGEST_LIFE = timedelta(days=398)  # of a certificate by a public authority, since September 2020
REVERSE_ZONE = ".1e100.net"  # where Google names its addresses
_GOOGLE = ("Google Inc", "Google Trust Services", "Google Trust Services LLC")  # organisations of its authorities


@dataclass(frozen=True, slots=True)
class _Dates:
    """The log's clock against the printed validity."""

    fact: DatesFact = "unknown"
    least: timedelta = timedelta(0)  # how far it is off, at least and at most; negative where it is behind
    most: timedelta = timedelta(0)

    @property
    def ahead(self) -> bool:
        return self.most > timedelta(0)


@dataclass(frozen=True, slots=True)
class _Read:
    """One try as it was read."""

    logged: Logged
    endpoint: Endpoint
    facts: LogFacts
    dates: _Dates
    product: Attribution | None
    flags: tuple[Flag, ...]
    code: Code | None


def assess_log(failure: Failure, trust: Trust) -> Assessment:
    """A failure that a log tells, of one try or of one through a proxy and the direct one that followed."""
    tries = [_assessed(_read(logged, trust), trust) for logged in failure]
    worst = min(tries, key=lambda a: WORST_FIRST.index(a.verdict))
    found = (*_story(failure, tries), *worst.findings)
    return replace(worst, findings=found, observations=tuple(a.observations[0] for a in tries))


def _read(logged: Logged, trust: Trust) -> _Read:
    raised, code, dates = flags(logged.flags or 0), code_of(logged), _dates(logged)
    issuer = _issuer(logged.issuer, trust) if logged.whole else "unknown"
    product = _product(logged, issuer, trust)
    complaints = {flag.means for flag in raised} | ({code.means} if code is not None else set())
    facts = LogFacts(
        certificate="whole" if logged.whole else "damaged" if _has_certificate(logged) else "none",
        product=_product_fact(product),
        issuer=issuer,
        subject=_subject(logged, trust) if logged.whole else "none",
        dates=dates.fact,
        place=place_of(logged.address),
        untrusted=Means.UNTRUSTED in complaints,
        wrong_name=Means.NAME_MISMATCH in complaints,
        revoked=Means.REVOKED in complaints,
        date=Means.EXPIRED_OR_CLOCK in complaints,
        malformed=Means.MALFORMED in complaints,
        channel=any(flag.means is Means.TLS for flag in raised),
        revocation=Means.REVOCATION_UNAVAILABLE in complaints,
        tls=bool(logged.status is not None or raised or _has_certificate(logged)),
        means=code.means if code is not None else "",
    )
    return _Read(logged, endpoint_of(logged, trust), facts, dates, product, raised, code)


def _has_certificate(logged: Logged) -> bool:
    return bool(logged.subject or logged.issuer or logged.not_before or logged.not_after)


# -- who, for whom, when ----------------------------------------------------------------------------------------------


def _issuer(values: tuple[str, ...], trust: Trust) -> IssuerFact:
    """Whose authority has these names; the attributes they are of are not printed."""
    google, public = _known_names(trust)
    # Country, organisation, name: whoever makes an authority may add a value that is somebody else's.
    if values in google or (len(values) == 3 and values[0] == "US" and values[1] in _GOOGLE):
        return "google"
    return "public" if len(values) <= 4 and any(v.casefold() in public for v in values[:2]) else "other"


@lru_cache(maxsize=4)
def _known_names(trust: Trust) -> tuple[frozenset[tuple[str, ...]], frozenset[str]]:
    """Whole names of Google's authorities, and the organisations of public ones."""
    google = [i.subject for i in trust.intermediates] + [c.subject for c in trust.google.certificates]
    roots = [c.subject for a in (trust.alternate, trust.historical, trust.public) for c in a.certificates]
    return frozenset(map(_values, google)), frozenset(v.casefold() for name in roots for a, v in name if a == "O")


def _values(name: Name) -> tuple[str, ...]:
    return tuple(value for _, value in name)


def _subject(logged: Logged, trust: Trust) -> SubjectFact:
    hosts = hosts_in(logged.subject)
    if any(map(trust.is_google_name, hosts)):
        return "google"
    return "other" if hosts else "none"


@lru_cache(maxsize=256)
def _named(values: tuple[str, ...], trust: Trust) -> Attribution | None:
    return attribute_values(values, trust)


def _product(logged: Logged, issuer: IssuerFact, trust: Trust) -> Attribution | None:
    """A row of the catalogue that fits a name. What a known authority issued may be anybody's, products' makers
    included; where lines are missing a name may be anything."""
    if not logged.whole or issuer == "google":
        return None
    return _named(logged.issuer, trust) or (_named(logged.subject, trust) if issuer == "other" else None)


def _product_fact(product: Attribution | None) -> ProductFact:
    if product is None:
        return ""
    if product.kind in NOT_PRODUCTS:
        return "portal" if product.kind == "captive-portal" else ""
    return "named" if product.confidence is Confidence.LIKELY else "vaguely-named"


def _dates(logged: Logged) -> _Dates:
    begin, end, now = logged.not_before, logged.not_after, logged.time
    if begin is None or end is None or begin > end:
        return _Dates()
    slack = SLACK if logged.zone else ANY_ZONE
    if begin - now <= slack and now - end <= slack:
        return _Dates("inside")
    outside = now - end if now > end else begin - now
    fact: DatesFact = "far" if outside - slack > RECENTLY else "near"
    return _Dates(fact, now - end, now - begin) if now > end else _Dates(fact, now - begin, now - end)


# -- one try ----------------------------------------------------------------------------------------------------------


def _assessed(read: _Read, trust: Trust) -> Assessment:
    rule = decide_log(read.facts)
    shown = read.product if read.product is not None and read.product.kind not in NOT_PRODUCTS else None
    words = _words(read, shown)
    logged = read.logged
    return Assessment(
        endpoint=read.endpoint,
        route=observed(logged, read.endpoint).route,
        verdict=rule.verdict,
        confidence=Confidence.WEAK if logged.mixed else rule.confidence,
        basis=Basis.TEXT,
        rule=rule.id,
        explanation=explanation(rule.id, words),
        remedy=remedy(case_of(read.endpoint, rule.id, rule.verdict, shown), words),
        findings=tuple(_findings(read, rule.verdict, words, trust)),
        attribution=shown,
        issuer=", ".join(logged.issuer) or None,
        issuer_title=logged.issuer[-1] if logged.issuer else None,
        not_after=logged.not_after,
        observations=(observed(logged, read.endpoint),),
    )


def _words(read: _Read, product: Attribution | None) -> dict[str, str]:
    logged, known = read.logged, read.endpoint.host != UNKNOWN_HOST
    host = read.endpoint.host if known else "Google's hosts"
    hosts = ", ".join(hosts_in(logged.subject)[:3])
    return {
        "host": host,
        "whom": host if known else "a host that the log does not name",
        "names": hosts or "no host",
        "place": f"{host}:{read.endpoint.port}",
        "port": str(read.endpoint.port),
        "address": logged.address or "an address that the log does not name",
        "by_name": ", by server name (SNI) and not by certificate name or address",
        "in_product": f" in {product.name}" if product is not None else "",
        "product": product.name if product is not None else "somebody",
        "confidence": product.confidence if product is not None else "",
        "matched": product.matched if product is not None else "",
        "issuer": logged.issuer[-1] if logged.issuer else "nobody that is printed",
        "where": _where(read),
        "time": day(logged.time) if logged.zone else f"{logged.time:%Y-%m-%d %H:%M} without a zone",
        "not_before": day(logged.not_before) if logged.not_before else "",
        "not_after": day(logged.not_after) if logged.not_after else "",
        "skew": _skew(read.dates),
        "hypothesis": _hypothesis(read),
        "what": read.code.sentence.rstrip(".") if read.code is not None else _number(logged),
        "code": _number(logged),
        "complaints": ", ".join(map(_short, read.flags)) or "no flag",
        "proxy": f"{bracketed(logged.address)}:{logged.port}" if logged.address else "that the log does not name",
    }


def _short(flag: Flag) -> str:
    return flag.name.removeprefix("WINHTTP_CALLBACK_STATUS_FLAG_")


def _number(logged: Logged) -> str:
    """The code as it is looked up elsewhere."""
    if logged.http_status is not None:
        known = http_status(logged.http_status, proxy=True)
        return f"HTTP {logged.http_status}" if known is None else f"{known.name} ({logged.http_status})"
    if logged.code is None:
        return "no code"
    known = error(logged.code)
    return f"{known.name} (0x{logged.code:08x})" if known is not None else f"0x{logged.code:08x}"


def _where(read: _Read) -> str:
    peer = f"{bracketed(read.logged.address or '')}:{read.logged.port}"
    near = {
        "here": f", which ends at {peer} on that machine itself,",
        "private": f", which ends at {peer} in its own network,",
    }
    return near.get(read.facts.place, "")


def _skew(dates: _Dates) -> str:
    """How far the clock is off, outward in whole days."""
    least, most = sorted((abs(dates.least), abs(dates.most)))
    days = (math.floor(least / timedelta(days=1)), math.ceil(most / timedelta(days=1)))
    return f"about {days[0]} to {days[1]} days {'ahead' if dates.ahead else 'behind'}"


def _hypothesis(read: _Read) -> str:
    begin, end = read.logged.not_before, read.logged.not_after
    if read.dates.fact != "far" or begin is None or end is None:
        return ""
    return next(iter(hypotheses(read.logged.time, begin, end)), "")


# -- findings ---------------------------------------------------------------------------------------------------------


def _findings(read: _Read, verdict: Verdict, words: dict[str, str], trust: Trust) -> Iterator[Finding]:
    """What is worth saying beside the verdict, most telling first."""
    yield from _of_product(read, words)
    yield from _of_clock(read, verdict, words)
    yield from _of_place(read, trust, words)
    yield from _of_flags(read, verdict, words)
    if read.facts.certificate == "damaged":
        yield from _of_damage(read, trust)
    if read.logged.mixed:
        yield finding("log-mixed-lines")
    if read.code is not None or read.logged.code is not None:
        yield finding("log-code", {"code": words["code"], "api": _api(read.logged)}, words)
    if read.facts.revoked and verdict is not Verdict.REVOKED:
        yield finding("log-revoked-certificate")
    if read.facts.malformed and verdict is not Verdict.INCONCLUSIVE:
        yield finding("log-malformed-certificate")
    if not read.logged.zone:
        yield finding("log-clock-without-zone")
    if trust.stand_in:
        yield finding("trust-stand-in", {}, {"trust_name": trust.facts.name})


def _of_damage(read: _Read, trust: Trust) -> Iterator[Finding]:
    """What stands in a certificate that is not whole accuses nobody, and hides nobody."""
    yield finding("log-block-damaged")
    found = _named(read.logged.issuer, trust) or _named(read.logged.subject, trust)
    if found is not None and found.kind not in NOT_PRODUCTS:
        yield finding("log-name-in-damage", {"id": found.id, "product": found.name})


def _api(logged: Logged) -> str:
    return f" in {logged.api}" if logged.api else ""


def _of_product(read: _Read, words: dict[str, str]) -> Iterator[Finding]:
    product, logged = read.product, read.logged
    if product is not None and product.kind not in NOT_PRODUCTS:
        values = {"id": product.id, "matched": product.matched, "certainty": product.certainty, "kind": product.kind}
        yield finding("interceptor-match", values, words, severity=product.severity)
        if product.id == "gen-untrusted":
            yield finding("upstream-untrusted", {}, words)
    if read.facts.issuer == "other" and logged.not_before is not None and logged.not_after is not None:
        life = logged.not_after - logged.not_before
        if life > LONGEST_LIFE:
            yield finding("log-long-life", {"days": str(life.days)})


def _of_clock(read: _Read, verdict: Verdict, words: dict[str, str]) -> Iterator[Finding]:
    dates, facts = read.dates, read.facts
    if dates.fact not in ("near", "far"):
        return
    if facts.google:
        least, most = sorted((dates.least, dates.most))
        values = {"least_seconds": str(math.floor(least.total_seconds())), "skew": words["skew"],
                  "most_seconds": str(math.ceil(most.total_seconds()))}  # fmt: skip
        if verdict is not Verdict.CLOCK_SKEWED or dates.fact == "near":
            yield finding("log-clock-off", values, words)
        else:
            yield finding("log-clock-ahead" if dates.ahead else "log-clock-behind", values, words)
        if words["hypothesis"]:
            yield finding("clock-hypothesis", {"hypothesis": words["hypothesis"]})
        if not facts.date:
            yield finding("log-date-not-flagged")
    else:
        yield finding("certificate-expired" if dates.ahead else "certificate-not-yet-valid", {}, words)


def _of_place(read: _Read, trust: Trust, words: dict[str, str]) -> Iterator[Finding]:
    logged, place = read.logged, read.facts.place
    if logged.address is None:
        return
    values = {"address": logged.address, "port": str(logged.port), "name": logged.name or "no name"}
    if place in ("here", "private"):
        yield finding("log-ends-here" if place == "here" else "log-ends-nearby", values, words)
        products = default_at(logged.port or 0, trust) if place == "here" else ()
        if products:
            yield finding("local-port-hint", {"port": str(logged.port), "products": " or ".join(products)})
    elif logged.name.lower().endswith(REVERSE_ZONE):
        yield finding("log-reverse-name", values, words)


def _of_flags(read: _Read, verdict: Verdict, words: dict[str, str]) -> Iterator[Finding]:
    """What Windows complained of, and which of it is only a consequence."""
    facts = read.facts
    if read.flags:
        said = "; ".join(f"{_short(flag)}: {flag.sentence.rstrip('.')}" for flag in read.flags)
        yield finding(
            "log-flags", {"flags": f"0x{read.logged.flags:08x}", "names": words["complaints"]}, {"said": said}
        )
    if facts.untrusted and verdict is Verdict.INTERCEPTED:
        yield finding("log-root-not-trusted", {}, words)
    elif verdict is Verdict.INTERCEPTED and facts.certificate == "whole":
        yield finding("log-root-trusted", {}, words)
    if not facts.revocation:
        return
    if verdict is Verdict.CLOCK_SKEWED:
        yield finding("log-revocation-by-clock")
    elif verdict is Verdict.INTERCEPTED:
        yield finding("log-revocation-by-interceptor")
    elif facts.google and facts.dates == "inside" and not facts.untrusted:
        detail = "Windows could not find out; its lists are fetched over plain HTTP on port 80"
        yield finding("revocation-unavailable", {}, {"certificates": "Google's certificate", "detail": detail},
                      proven=False)  # fmt: skip


def _story(failure: Failure, tries: Sequence[Assessment]) -> Iterator[Finding]:
    """The try through a proxy and the direct one after it."""
    first = failure[0]
    if not first.retry:
        return
    values = {"via": first.via or "the settings of Windows", "retry": first.retry, "first": str(tries[0].verdict)}
    if len(tries) == 1:
        yield finding("log-retry-untold", values)
        return
    yield finding("log-retried", {**values, "second": str(tries[1].verdict)}, {"why": tries[1].explanation})
