"""What one try that a log tells comes to in facts: the answers that `rules` asks for, and what they were read from.

Pure, and nothing is more than a hint: a name in a log can be typed by anybody, as can the whole line.
"""

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from importlib.resources import files

from tlsinspect.certificate import Name
from tlsinspect.evidence.attribution import NOT_PRODUCTS, attribute_values
from tlsinspect.evidence.clock import SLACK
from tlsinspect.evidence.clockhints import RECENTLY
from tlsinspect.judge.logs.rules import DatesFact, IssuerFact, LogFacts, ProductFact, SubjectFact
from tlsinspect.logs.codes import Code, Flag, Means, flags
from tlsinspect.logs.observed import code_of, endpoint_of, hosts_in, place_of, route_of
from tlsinspect.model import Attribution, Confidence, Endpoint, Logged
from tlsinspect.trust import Trust

ANY_ZONE = timedelta(hours=14)  # how far a clock without a zone may be from UTC, either way
# Organisations of Google's authorities, today's and former.
_GOOGLE = ("Google Inc", "Google LLC", "Google Trust Services", "Google Trust Services LLC")
_LIKE_GOOGLE = ("Google Inc", "Google LLC", "Google Trust", "Google Internet Authority")  # how values begin


@dataclass(frozen=True, slots=True)
class Dates:
    """The log's clock against the printed validity."""

    fact: DatesFact = "unknown"
    least: timedelta = timedelta(0)  # how far it is off, at least and at most; negative where it is behind
    most: timedelta = timedelta(0)
    sure: bool = True  # whatever the zone of the clock

    @property
    def ahead(self) -> bool:
        return self.most > timedelta(0)


@dataclass(frozen=True, slots=True)
class Read:
    """One try as it was read."""

    logged: Logged
    endpoint: Endpoint
    facts: LogFacts
    dates: Dates
    product: Attribution | None
    flags: tuple[Flag, ...]
    code: Code | None


def read(logged: Logged, trust: Trust) -> Read:
    raised, code, dates = flags(logged.flags or 0), code_of(logged), _dates(logged)
    issuer, subject = (_issuer(logged, trust), _subject(logged, trust)) if logged.whole else ("unknown", "none")
    product = _product(logged, issuer, trust)
    # Some lines may be another thread's. The name of a product as the issuer of a certificate for Google is nobody
    # else's even so.
    whole = logged.whole and not (logged.mixed and (product is None or issuer == "claimed" or subject != "google"))
    if not whole:
        issuer, subject, product = "unknown", "none", None
    complaints = {flag.means for flag in raised} | ({code.means} if code is not None else set())
    facts = LogFacts(
        certificate="whole" if whole else "damaged" if _has_certificate(logged) else "none",
        product=_product_fact(product),
        issuer=issuer,
        subject=subject,
        dates=dates.fact,
        place=place_of(logged.address),
        proxied=route_of(logged).proxy is not None,
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
    return Read(logged, endpoint_of(logged, trust, wrong_name=facts.wrong_name), facts, dates, product, raised, code)


def _has_certificate(logged: Logged) -> bool:
    return bool(logged.subject or logged.issuer or logged.not_before or logged.not_after)


# -- who, for whom, when ----------------------------------------------------------------------------------------------


def _issuer(logged: Logged, trust: Trust) -> IssuerFact:
    """Whose authority has these names; the attributes they are of are not printed."""
    values = logged.issuer
    if all(map(_is_country, values)):
        return "unknown"  # which is nobody's name
    google, single, public = _known_names(trust)
    # Country, organisation, name: whoever makes an authority may add a value that is somebody else's.
    if values in google or (len(values) == 3 and values[0] == "US" and values[1] in _GOOGLE):
        return "google"
    # Nobody's authority issued what it names as its own subject.
    if values != logged.subject and any(value.startswith(_LIKE_GOOGLE) or value in single for value in values):
        return "claimed"
    return "public" if any(value.casefold() in public for value in _organisations(values)) else "other"


@lru_cache(maxsize=4)
def _known_names(trust: Trust) -> tuple[frozenset[tuple[str, ...]], frozenset[str], frozenset[str]]:
    """Names of Google's authorities, whole and each value but the country by itself, and the organisations of public
    ones."""
    google = [i.subject for i in trust.intermediates] + [c.subject for c in trust.google.certificates]
    roots = [c.subject for a in (trust.alternate, trust.historical, trust.public) for c in a.certificates]
    public = {value for name in roots for label, value in name if label == "O"} | set(_public_organisations())
    whole = frozenset(map(_values, google))
    single = frozenset(value for name in whole for value in name if not _is_country(value))
    return whole, single, frozenset(map(str.casefold, public))


def _organisations(values: tuple[str, ...]) -> tuple[str, ...]:
    """Those that may be the organisation: it follows the country, or in a long name country, state and town."""
    if len(values) > 4:
        return values[1:4] if len(values) <= 6 and _is_country(values[0]) else ()
    return values[:2]


def _is_country(value: str) -> bool:
    """By its length: two letters, as most names of authorities begin."""
    return len(value) <= len("US")


@cache
def _public_organisations() -> tuple[str, ...]:
    text = files("tlsinspect.logs").joinpath("authorities.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["organisations"])


def _values(name: Name) -> tuple[str, ...]:
    return tuple(value for _, value in name)


def _subject(logged: Logged, trust: Trust) -> SubjectFact:
    hosts = hosts_in(logged.subject)
    if any(map(trust.is_google_name, hosts)):
        return "google"
    return "other" if hosts else "none"


@lru_cache(maxsize=256)
def named(values: tuple[str, ...], trust: Trust) -> Attribution | None:
    return attribute_values(values, trust)


def _product(logged: Logged, issuer: IssuerFact, trust: Trust) -> Attribution | None:
    """A row of the catalogue that fits a name. What a known authority issued may be anybody's, products' makers
    included; where lines are missing a name may be anything."""
    if issuer in ("google", "unknown"):
        return None
    from_subject = issuer in ("other", "claimed") and not logged.mixed
    return named(logged.issuer, trust) or (named(logged.subject, trust) if from_subject else None)


def _product_fact(product: Attribution | None) -> ProductFact:
    if product is None:
        return ""
    if product.kind in NOT_PRODUCTS:
        return "portal" if product.kind == "captive-portal" else ""
    return "named" if product.confidence is Confidence.LIKELY else "vaguely-named"


def _dates(logged: Logged) -> Dates:
    begin, end, now = logged.not_before, logged.not_after, logged.time
    if begin is None or end is None or begin > end:
        return Dates()
    slack = SLACK if logged.zone else ANY_ZONE
    if begin - now <= slack and now - end <= slack:
        return Dates("inside", sure=logged.zone or min(now - begin, end - now) >= slack)
    outside = now - end if now > end else begin - now
    fact: DatesFact = "far" if outside - slack > RECENTLY else "near"
    return Dates(fact, now - end, now - begin) if now > end else Dates(fact, now - begin, now - end)
