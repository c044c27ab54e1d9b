"""The decision procedure, all of it: one table, read from the top, the first row that holds gives the verdict.

Rule 1: everything that can move a verdict is a row here. No other file decides. Logs, in which nothing is signed, have
        a table of their own, `logs/rules.py`; neither sees what the other judges.
Rule 2: this file does not know where facts come from. It sees `Facts`, a handful of closed answers, and no certificate.
Rule 3: text decides nothing. A name, a catalogue match, the machine's own trust store name and explain; none is a fact.

Two questions carry the judgement: *who signed the leaf* and *does it claim the requested name*. They are asked before
any date is looked at, because an interceptor's expired certificate is still an interceptor's; dates of an unproven
certificate are never looked at, because interceptors copy and shift them. Rows that hold after the deciding one become
findings, so that "revoked and also expired" keeps both.

Confidence is the row's, lowered by every cap in `CAPS` that holds: each cap names an assumption the answer rests on.

`scenarios.toml` beside this file states, for each row and each pair of neighbours, what must come out; it is the test
of this table, and with it the source of the chart in the documentation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tlsinspect.evidence.proven import is_proven
from tlsinspect.model import Authority, Basis, Confidence, Verdict

SignerFact = Literal[
    "google",  # one of Google's own keys, or their stand-in
    "google-intermediate",  # a known Google intermediate key, whose certificate was not presented
    "google-alternate",  # another root of pki.goog/roots.pem: counts as Google's only with verified SCTs
    "google-historical",  # a key Google once signed with, under a root that is no longer its own
    "file",  # the authority the user named
    "public",
    "unknown-intermediate",
    "unknown-signature",  # an algorithm this release does not know
    "impersonated",
    "private",
    "unreadable",
]
NameFact = Literal["claimed", "cn-only", "other-google", "other", "none"]
ListedFact = Literal["", "known-forgery", "leaked-key", "state-interception"]
DatesFact = Literal["valid", "expired", "not-yet-valid", "skewed", "undecided"]
PossessionFact = Literal["proven", "failed", "unproven"]
# Verified: logs of at least two operators vouch, as browsers demand. That fewer do says nothing against a leaf.
SctFact = Literal["unchecked", "verified", "one-operator", "absent", "unknown-log", "invalid"]
# Why no certificate was seen.
AbsenceFact = Literal[
    "",
    "portal",
    "proxy-auth",
    "proxy-denied",
    "block-page",
    "filtered",  # the handshake died, and another server name passed on the same path
    "sinkhole",
    "dns",
    "tcp",
    "proxy",
    "tls",
    "not-tls",
    "cancelled",
    "internal",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is established about one observation. The defaults are a genuine Google host, observed live."""

    authority: Authority = Authority.GOOGLE
    basis: Basis = Basis.LIVE
    absence: AbsenceFact = ""
    portal: bool = False  # a captive portal was proven on this network: HTTP 511, or a redirect away from Google
    listed: ListedFact = ""
    poisoned: bool = False  # a CT precertificate
    signer: SignerFact = "google"
    name: NameFact = "claimed"
    shared_key: bool = False  # the same foreign key serves unrelated hosts
    outdated: bool = False  # the trust data is past its second limit
    possession: PossessionFact = "proven"
    revoked: bool = False
    scts: SctFact = "unchecked"
    dates: DatesFact = "valid"
    dates_confidence: Confidence = Confidence.CERTAIN
    defect: bool = False  # the library refuses the path inside its validity
    weak_key: bool = False
    time_proven: bool = True  # true time is bounded from both sides
    time_contested: bool = False  # proven sessions contradict each other about the time
    stand_in: bool = False

    @property
    def seen(self) -> bool:
        return not self.absence

    @property
    def proven(self) -> bool:
        """Whoever must have signed, signed."""
        return is_proven(self.authority, self.signer, self.basis, self.scts)

    @property
    def public(self) -> bool:
        """Signed by a root that browsers trust, though not by who must have signed."""
        return self.signer in ("public", "google-alternate") and not self.proven

    @property
    def foreign(self) -> bool:
        """Signed by nobody public."""
        return self.signer in ("private", "impersonated")

    @property
    def served(self) -> bool:
        """Whoever answers holds the leaf's key, now."""
        return self.basis is Basis.LIVE and self.possession == "proven"

    @property
    def claims_another(self) -> bool:
        """Another name, or none. A name in the common name alone is claimed by a leaf that is not proven, for whoever
        made it meant the host; by one that is, it is a defect."""
        return self.name in ("other-google", "other", "none")

    @property
    def dated(self) -> bool:
        """Whether time is what is left to ask: proven, and for the requested name."""
        return self.proven and not self.claims_another

    @property
    def provider_known(self) -> bool:
        """One known authority must have signed, rather than any public one."""
        return self.authority is not Authority.PUBLIC


@dataclass(frozen=True, slots=True)
class Rule:
    """A row. `when` reads as the condition does in the documentation."""

    id: str
    step: int  # of the order in the documentation
    when: Callable[[Facts], bool]
    verdict: Verdict
    confidence: Confidence
    says: str  # the condition, for people

    def holds(self, facts: Facts) -> bool:
        """Step 1 is for observations without a certificate, all others for those with one."""
        return facts.seen is (self.step > 1) and self.when(facts)


V, C = Verdict, Confidence


def _no_certificate(absence: AbsenceFact, verdict: Verdict, confidence: Confidence, says: str) -> Rule:
    return Rule(absence, 1, lambda f: f.absence == absence, verdict, confidence, says)


def _listed(code: ListedFact, says: str) -> Rule:
    return Rule(code, 2, lambda f: f.listed == code, V.INTERCEPTED, C.CERTAIN, says)


def _dates(id_: str, dates: DatesFact, verdict: Verdict, says: str) -> Rule:
    return Rule(id_, 8, lambda f: f.proven and f.dates == dates, verdict, C.CERTAIN, says)


RULES: tuple[Rule, ...] = (
    # 1. No certificate was seen.
    _no_certificate("portal", V.CAPTIVE_PORTAL, C.CERTAIN, "no certificate, and a captive portal is proven"),
    _no_certificate("proxy-auth", V.BLOCKED, C.CERTAIN, "the proxy asks for credentials"),
    _no_certificate("proxy-denied", V.BLOCKED, C.CERTAIN, "the proxy refuses"),
    _no_certificate("block-page", V.BLOCKED, C.CERTAIN, "a refusal in plain HTTP instead of TLS"),
    _no_certificate("filtered", V.BLOCKED, C.STRONG, "the handshake dies for this name and passes for another"),
    _no_certificate("sinkhole", V.BLOCKED, C.LIKELY, "the name resolves to nowhere"),
    _no_certificate("dns", V.UNREACHABLE, C.CERTAIN, "the name does not resolve"),
    _no_certificate("tcp", V.UNREACHABLE, C.CERTAIN, "no TCP connection"),
    _no_certificate("proxy", V.UNREACHABLE, C.CERTAIN, "the proxy gives no tunnel"),
    _no_certificate("not-tls", V.UNREACHABLE, C.CERTAIN, "what answers does not speak TLS"),
    _no_certificate("tls", V.UNREACHABLE, C.CERTAIN, "the handshake dies before a certificate"),
    _no_certificate("cancelled", V.UNREACHABLE, C.CERTAIN, "the scan was interrupted"),
    _no_certificate("internal", V.INCONCLUSIVE, C.CERTAIN, "a defect of tlsinspect ended the attempt"),
    # 2. Keys and certificates that decide by themselves.
    _listed("known-forgery", "a certificate known to have been forged for Google's names"),
    _listed("leaked-key", "signed with a key whose private half is public"),
    _listed("state-interception", "signed with a key a state intercepts with"),
    Rule(
        "precertificate", 2, lambda f: f.poisoned and not (f.foreign and f.served), V.INCONCLUSIVE, C.CERTAIN,
        "a CT precertificate, unless nobody public signed it and somebody serves it live",
    ),
    Rule(
        "certificate-unreadable", 2, lambda f: f.signer == "unreadable" and not f.poisoned,
        V.INCONCLUSIVE, C.CERTAIN, "no reader can read the leaf",
    ),
    # 3. The requested name is not claimed.
    Rule(
        "portal-certificate", 3, lambda f: f.claims_another and f.portal,
        V.CAPTIVE_PORTAL, C.STRONG, "another name is claimed, and a captive portal is proven",
    ),
    Rule(
        "wrong-host", 3, lambda f: f.claims_another, V.WRONG_HOST, C.CERTAIN,
        "another name is claimed, or none",
    ),
    # 4. The name is claimed, and who must have signed did not.
    Rule(
        "issuer-impersonated", 4, lambda f: f.signer == "impersonated" and f.provider_known,
        V.INTERCEPTED, C.CERTAIN, "the issuer bears the name of a known authority, whose key did not sign",
    ),
    Rule(
        "unknown-intermediate", 4, lambda f: f.signer == "unknown-intermediate", V.INCONCLUSIVE, C.CERTAIN,
        "the issuer is named as a Google intermediate, its key is unknown and was not presented",
    ),
    Rule(
        "signature-unknown", 4, lambda f: f.signer == "unknown-signature", V.INCONCLUSIVE, C.CERTAIN,
        "signed with an algorithm this release does not know",
    ),
    Rule(
        "root-historical", 4, lambda f: f.signer == "google-historical" and not f.proven,
        V.INCONCLUSIVE, C.CERTAIN, "live, and signed with a key of Google's past",
    ),
    Rule(
        "trust-data-outdated", 4, lambda f: f.public and f.provider_known and f.outdated, V.INCONCLUSIVE,
        C.CERTAIN, "a public root signed, and our list of Google's roots is too old to exclude it",
    ),
    Rule(
        "unexpected-ca", 4, lambda f: f.public and f.provider_known, V.UNEXPECTED_CA, C.CERTAIN,
        "a public root signed that is not Google's",
    ),
    Rule(
        "intercepted", 4, lambda f: f.signer == "private" and f.provider_known, V.INTERCEPTED, C.CERTAIN,
        "nobody public signed",
    ),
    Rule(
        "intercepted-across-hosts", 4, lambda f: f.foreign and f.shared_key, V.INTERCEPTED,
        C.STRONG, "nobody public signed, and the same key serves unrelated hosts",
    ),
    Rule(
        "authority-unknown", 4, lambda f: f.foreign, V.INCONCLUSIVE, C.CERTAIN,
        "nobody public signed, and who should have is not known",
    ),
    # 5. Proven chain, but no proof that who answers holds its key.
    Rule(
        "possession-failed", 5, lambda f: f.proven and f.possession == "failed", V.INCONCLUSIVE, C.CERTAIN,
        "the handshake failed after the certificate",
    ),
    # 6-7. What the authority and the logs say of the certificate.
    Rule("revoked", 6, lambda f: f.proven and f.revoked, V.REVOKED, C.CERTAIN, "revoked"),
    Rule(
        "sct-invalid", 7, lambda f: f.proven and f.scts == "invalid", V.INCONCLUSIVE, C.CERTAIN,
        "a known transparency log did not sign what the certificate says it did",
    ),
    # 8. Time.
    _dates("expired", "expired", V.EXPIRED, "true time is past the validity"),
    _dates("not-yet-valid", "not-yet-valid", V.NOT_YET_VALID, "true time is before the validity"),
    _dates("clock-skewed", "skewed", V.CLOCK_SKEWED, "valid at the true time, not at the local clock"),
    _dates("expired-or-clock", "undecided", V.INCONCLUSIVE, "expired, or the clock is wrong: not decidable"),
    # 9. Signed by the right key, yet not as today's rules demand.
    Rule(
        "strict-profile-defect", 9, lambda f: f.proven and (f.defect or f.name == "cn-only"),
        V.INCONCLUSIVE, C.CERTAIN, "inside its validity, but outside the modern certificate profile",
    ),
    Rule(
        "leaf-key-weak", 9, lambda f: f.proven and f.weak_key, V.INCONCLUSIVE, C.CERTAIN,
        "the leaf's own key is too weak to prove anything",
    ),
    # 10. Nothing is left that could be wrong.
    Rule("genuine", 10, lambda f: f.proven, V.GENUINE, C.CERTAIN, "otherwise"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cap:
    """An assumption the answer rests on: it becomes a finding, and confidence is at most `at_most`."""

    finding: str
    when: Callable[[Facts], bool]
    at_most: Confidence


CAPS: tuple[Cap, ...] = (
    Cap("trust-stand-in", lambda f: f.stand_in, C.STRONG),
    Cap("possession-unproven", lambda f: f.proven and f.possession == "unproven", C.STRONG),
    Cap("chain-incomplete", lambda f: f.signer == "google-intermediate", C.STRONG),
    Cap("root-alternate", lambda f: f.signer == "google-alternate", C.STRONG),
    Cap("root-historical", lambda f: f.proven and f.signer == "google-historical", C.STRONG),
    Cap("public-pki", lambda f: f.proven and f.signer == "public", C.STRONG),
    Cap("authority-file", lambda f: f.proven and f.signer == "file", C.STRONG),
    Cap("clock-witnesses-disagree", lambda f: f.dated and f.time_contested, C.LIKELY),
    Cap("clock-unproven", lambda f: f.dated and f.dates == "valid" and not f.time_proven, C.STRONG),
)

_ORDER = tuple(Confidence)  # certain first


@dataclass(frozen=True, slots=True)
class Decision:
    rule: Rule
    confidence: Confidence
    also: tuple[str, ...]  # ids of later rows that hold too
    caps: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        return self.rule.verdict


def decide(facts: Facts) -> Decision:
    """Read the table. Total: every `Facts` gets a decision."""
    # A combination no row describes proves nothing.
    first, *later = [rule for rule in RULES if rule.holds(facts)] or [UNDESCRIBED]
    caps = [cap for cap in CAPS if (facts.seen or cap.finding == "trust-stand-in") and cap.when(facts)]
    lowest = [first.confidence, *(cap.at_most for cap in caps)]
    if first.step == 8:
        lowest.append(facts.dates_confidence)
    also = tuple(rule.id for rule in later if rule.id not in _SAYS_NOTHING_MORE)
    return Decision(first, max(lowest, key=_ORDER.index), also, tuple(cap.finding for cap in caps))


UNDESCRIBED = Rule("undescribed", 11, lambda _: True, V.INCONCLUSIVE, C.CERTAIN, "no row describes this")
# Rows that add nothing when another row has decided.
_SAYS_NOTHING_MORE = {"genuine", "intercepted", "wrong-host", "intercepted-across-hosts", "authority-unknown",
                      "unexpected-ca"}  # fmt: skip

# Rows of keys and claims that nobody's expectation excuses: an inspection that was agreed upon looks otherwise.
INCIDENTS = {"known-forgery", "leaked-key", "state-interception", "issuer-impersonated"}

# Several observations of one endpoint give one assessment: the worst in this order.
WORST_FIRST: tuple[Verdict, ...] = (
    V.INTERCEPTED, V.REVOKED, V.UNEXPECTED_CA, V.WRONG_HOST, V.EXPIRED, V.NOT_YET_VALID, V.CLOCK_SKEWED,
    V.CAPTIVE_PORTAL, V.BLOCKED, V.INCONCLUSIVE, V.UNREACHABLE, V.GENUINE,
)  # fmt: skip
