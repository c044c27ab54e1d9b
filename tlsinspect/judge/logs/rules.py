"""What a log may say, all of it: one table, read from the top, the first row that holds gives the verdict.

A log is text: anybody can have written it, and nothing in it is signed. So no row gives `genuine`, none is more than
`likely`, and the rows of `rules.py` never see a log. `likely` means that two things in the log point the same way, or
that Windows' own code says it plainly; `weak` that one does.

What a certificate is printed to be is asked first, as it is of a live one: who issued it, then for whom, then what
Windows complained of, then the dates, because an interceptor's expired certificate is still an interceptor's. Windows
does not complain of everything that is wrong (Google's own example lacks the complaint about a date that is five years
off), so what is missing from its flags is weak evidence, and the printed dates are compared with the log's own clock.

A certificate of which a line is missing says neither who issued it nor for whom.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tlsinspect.logs.observed import PlaceFact
from tlsinspect.model import Confidence, Verdict

CertificateFact = Literal["whole", "damaged", "none"]
# By the names that are printed; claimed: a name of Google's among others, as where a line is missing.
IssuerFact = Literal["google", "public", "claimed", "other", "unknown"]
SubjectFact = Literal["google", "other", "none"]  # a name of Google's, of somebody else's, or no host
ProductFact = Literal["", "named", "vaguely-named", "portal"]  # by the catalogue of interceptors
DatesFact = Literal["inside", "near", "far", "unknown"]  # of the log's clock: up to 28 days outside, or more


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """What is printed about one try. The defaults are Google's certificate and no complaint."""

    certificate: CertificateFact = "whole"
    product: ProductFact = ""
    issuer: IssuerFact = "google"
    subject: SubjectFact = "google"
    dates: DatesFact = "inside"
    place: PlaceFact = "outside"
    proxied: bool = False  # to a port nearby that is not a server's: a proxy
    # Complaints of Windows, by flag or by code.
    untrusted: bool = False
    wrong_name: bool = False
    revoked: bool = False
    date: bool = False
    malformed: bool = False
    channel: bool = False  # its TLS library failed by itself
    revocation: bool = False  # it could not be learnt
    tls: bool = False  # a failure of TLS, of whatever kind
    means: str = ""  # the category of the code, see logs/codes.toml

    @property
    def elsewhere(self) -> bool:
        """For a host that is not Google's, and Windows does not complain of that: it was asked for, perhaps."""
        return self.subject == "other" and not self.wrong_name

    @property
    def google(self) -> bool:
        """Issued by one of Google's authorities, for Google or for no host that is named."""
        return self.issuer == "google" and self.subject != "other"


@dataclass(frozen=True, slots=True)
class LogRule:
    """A row. `when` reads as `says` does."""

    id: str
    when: Callable[[LogFacts], bool]
    verdict: Verdict
    confidence: Confidence
    says: str  # the condition, for people


V, C = Verdict, Confidence
_UNANSWERED = {"tcp", "refused", "no-route", "timeout"}  # categories of a connection that nobody took


def _means(id_: str, category: str, verdict: Verdict, confidence: Confidence, says: str) -> LogRule:
    return LogRule(id_, lambda f: f.means == category, verdict, confidence, says)


LOG_RULES: tuple[LogRule, ...] = (
    # Whose certificate is it, by the names of products? They outrank every flag.
    LogRule(
        "log-portal-name", lambda f: f.product == "portal" and f.subject != "google", V.CAPTIVE_PORTAL, C.LIKELY,
        "the names are a captive portal's",
    ),
    LogRule(
        "log-interceptor",
        lambda f: (f.product == "named" or (f.product == "vaguely-named" and f.untrusted)) and not f.elsewhere,
        V.INTERCEPTED, C.LIKELY,
        "the names are an interceptor's, and it is not for another host of which Windows does not complain",
    ),
    LogRule(
        "log-interceptor-name", lambda f: f.product == "vaguely-named" and not f.elsewhere, V.INTERCEPTED, C.WEAK,
        "the same of a single name that an interceptor has, and Windows does not complain of the issuer",
    ),
    # For whom?
    LogRule(
        "log-wrong-host", lambda f: f.wrong_name and f.certificate == "whole", V.WRONG_HOST, C.LIKELY,
        "Windows complains of the name, and the certificate is printed",
    ),
    LogRule(
        "log-wrong-host-flag", lambda f: f.wrong_name, V.WRONG_HOST, C.WEAK,
        "Windows complains of the name",
    ),
    LogRule(
        "log-other-name", lambda f: f.certificate == "whole" and f.subject == "other", V.INCONCLUSIVE, C.LIKELY,
        "the certificate is for no host of Google's, and Windows does not complain of the name",
    ),
    # By whom? An honest proxy of this machine hands Google's own certificate on.
    LogRule(
        "log-local-interceptor",
        lambda f: f.untrusted and f.issuer == "other" and f.subject == "google" and f.place in ("here", "private"),
        V.INTERCEPTED, C.LIKELY,
        "Windows does not trust the issuer, who is not Google, and the connection ends on this machine or nearby",
    ),
    LogRule(
        "log-untrusted-issuer", lambda f: f.untrusted and f.issuer == "other" and f.subject == "google",
        V.INTERCEPTED, C.LIKELY, "Windows does not trust the issuer, who is not Google, of a certificate for Google",
    ),
    LogRule(
        "log-untrusted-unnamed", lambda f: f.untrusted and f.issuer == "other", V.INTERCEPTED, C.WEAK,
        "Windows does not trust the issuer, who is not Google; the certificate names no host",
    ),
    LogRule(
        "log-issuer-untrusted", lambda f: f.untrusted and f.issuer in ("google", "claimed", "public"),
        V.INCONCLUSIVE, C.LIKELY,
        "the issuer has a name of a public authority, and Windows does not trust it: a forger, or an old store",
    ),
    LogRule(
        "log-unexpected-ca", lambda f: f.issuer == "public" and f.subject == "google", V.UNEXPECTED_CA, C.WEAK,
        "the issuer has the name of a public authority that is not Google's",
    ),
    LogRule(
        "log-foreign-issuer", lambda f: f.issuer == "other" and f.subject == "google", V.INTERCEPTED, C.WEAK,
        "the issuer of a certificate for Google is nobody known, and Windows trusts it",
    ),
    # What else does Windows complain of, and what do the dates say?
    LogRule(
        "log-revoked", lambda f: f.revoked and f.google, V.REVOKED, C.LIKELY,
        "Windows says revoked, of a certificate by Google's authority",
    ),
    LogRule("log-revoked-flag", lambda f: f.revoked, V.REVOKED, C.WEAK, "Windows says revoked"),
    LogRule(
        "log-clock", lambda f: f.google and f.dates == "far", V.CLOCK_SKEWED, C.LIKELY,
        "Google's authority issued it, and the log's clock is more than 28 days outside of its validity",
    ),
    LogRule(
        "log-expired-or-clock",
        lambda f: (f.google and f.dates == "near") or (f.date and f.dates != "inside" and not f.untrusted),
        V.INCONCLUSIVE, C.LIKELY,
        "the log's clock is up to 28 days outside of the validity, or Windows complains of a date and not of the "
        "issuer, and the log's clock is not inside of a printed validity",
    ),
    LogRule("log-malformed", lambda f: f.malformed, V.INCONCLUSIVE, C.LIKELY, "Windows complains of its form"),
    LogRule("log-channel", lambda f: f.channel, V.UNREACHABLE, C.LIKELY, "the TLS library of Windows failed"),
    LogRule(
        "log-date-inside", lambda f: f.date and not f.untrusted, V.INCONCLUSIVE, C.LIKELY,
        "Windows complains of a date, and the log's clock is inside the printed validity",
    ),
    LogRule(
        "log-revocation-unavailable", lambda f: f.revocation and f.google and f.dates == "inside",
        V.INCONCLUSIVE, C.LIKELY, "Google's authority issued it, the time is right, and revocation could not be learnt",
    ),
    LogRule(
        "log-revocation-code", lambda f: f.revocation and f.certificate == "none" and not f.untrusted,
        V.INCONCLUSIVE, C.LIKELY,
        "revocation could not be learnt, no certificate is printed, and Windows does not complain of the issuer",
    ),
    # A failure of TLS of which the log tells too little.
    LogRule(
        "log-block-damaged", lambda f: f.certificate == "damaged", V.INCONCLUSIVE, C.LIKELY,
        "lines of the certificate are missing, stand twice or may be another thread's",
    ),
    LogRule(
        "log-unexplained", lambda f: f.certificate == "whole", V.INCONCLUSIVE, C.LIKELY,
        "TLS failed, and nothing that is printed tells why",
    ),
    LogRule(
        "log-issuer-unprinted", lambda f: f.untrusted, V.INCONCLUSIVE, C.LIKELY,
        "Windows does not trust the issuer, and the log does not show who that is",
    ),
    LogRule(
        "log-without-details", lambda f: f.tls or f.means == "see-flags", V.INCONCLUSIVE, C.LIKELY,
        "TLS failed, and the log shows neither the certificate nor why",
    ),
    # The network, as the code of Windows or a status of HTTP says it.
    _means("log-portal", "portal", V.CAPTIVE_PORTAL, C.WEAK, "a redirect, or a network that wants a sign-in first"),
    _means("log-proxy-auth", "proxy-auth", V.BLOCKED, C.LIKELY, "the proxy asks for credentials"),
    _means(
        "log-proxy-denied", "proxy-denied", V.BLOCKED, C.WEAK,
        "a proxy is spoken of, and an HTTP status that refuses",
    ),
    _means(
        "log-proxy-upstream", "proxy-upstream", V.UNREACHABLE, C.WEAK,
        "a proxy is spoken of, and an HTTP status that says it could not reach the host",
    ),
    _means("log-proxy-tls", "proxy-tls", V.UNREACHABLE, C.LIKELY, "no TLS session with the proxy itself"),
    _means("log-proxy-script", "proxy-script", V.UNREACHABLE, C.LIKELY, "the proxy script gives no answer"),
    LogRule(
        "log-proxy-down", lambda f: f.proxied and f.means in _UNANSWERED,
        V.UNREACHABLE, C.LIKELY, "the proxy of the machine or its network does not answer",
    ),
    LogRule(
        "log-led-nearby",
        lambda f: f.place in ("here", "private") and f.means in _UNANSWERED,
        V.UNREACHABLE, C.LIKELY, "the connection went to the machine itself or its own network, where nobody answers",
    ),
    _means("log-dns", "dns", V.UNREACHABLE, C.LIKELY, "the name does not resolve"),
    _means("log-tcp", "tcp", V.UNREACHABLE, C.LIKELY, "no connection, for whatever reason"),
    _means("log-refused", "refused", V.UNREACHABLE, C.LIKELY, "the connection was refused"),
    _means("log-no-route", "no-route", V.UNREACHABLE, C.LIKELY, "there is no route"),
    _means("log-timeout", "timeout", V.UNREACHABLE, C.LIKELY, "no answer in time"),
    _means("log-reset", "reset", V.UNREACHABLE, C.LIKELY, "the connection was cut off"),
    _means("log-not-tls", "not-tls", V.UNREACHABLE, C.LIKELY, "the answer could not be understood"),
    _means("log-tls", "tls", V.UNREACHABLE, C.LIKELY, "the TLS handshake failed"),
    _means(
        "log-client-certificate", "client-certificate", V.INCONCLUSIVE, C.LIKELY,
        "somebody asks for a certificate of the client, which Google's servers never do",
    ),
    LogRule("log-unknown-code", lambda _: True, V.INCONCLUSIVE, C.LIKELY, "otherwise"),
)  # fmt: skip


OF_TIME = frozenset(("log-clock", "log-expired-or-clock"))  # rows that go by the printed dates and the log's clock


def decide_log(facts: LogFacts) -> LogRule:
    """The row that decides. Total: the last one always holds."""
    return next(rule for rule in LOG_RULES if rule.when(facts))
