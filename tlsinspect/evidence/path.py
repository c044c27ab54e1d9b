"""Who signed the leaf: the path of signatures from it to a key we know, whatever the dates say.

cryptography's verifier is asked first, at a time inside the leaf's own validity: where it accepts, that *is* the path,
and the intersection of the validity periods on it is the window in which it would accept at any time. Where it refuses,
our own walk tells a wrong signer from a right one whose certificate is old-fashioned. The walk is bounded: 10
certificates, 64 signatures.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID
from cryptography.x509.verification import PolicyBuilder, VerificationError

from tlsinspect.certificate import (
    FIRST_MOMENT,
    LAST_MOMENT,
    POISON,
    REFUSALS,
    Certificate,
    UnreadableError,
    extension,
    folded,
    quietly,
    title_of,
)
from tlsinspect.endpoints.target import is_address
from tlsinspect.evidence.names import claims, matches
from tlsinspect.evidence.signature import signed
from tlsinspect.model import Authority
from tlsinspect.trust import Anchors, Intermediate, Trust

MAX_CERTIFICATES = 10
MAX_SIGNATURES = 64
MAX_COMPARISONS = 250_000  # of names with name constraints, which multiply, in one search


class Signer(StrEnum):
    """Whose key the path of signatures leads to."""

    GOOGLE = "google"  # one of Google's own root keys, or their stand-in
    GOOGLE_INTERMEDIATE = "google-intermediate"  # a Google key we know; its certificate was not presented
    GOOGLE_ALTERNATE = "google-alternate"  # another root of pki.goog/roots.pem
    GOOGLE_HISTORICAL = "google-historical"  # a key Google once signed with, under a root that is no longer its own
    FILE = "file"  # a certificate of the file the user named as authority
    PUBLIC = "public"  # a root that browsers trust
    UNKNOWN_INTERMEDIATE = "unknown-intermediate"  # says it is a Google intermediate we have no key of
    IMPERSONATED = "impersonated"  # says it is an authority we know, whose key did not sign
    UNKNOWN_SIGNATURE = "unknown-signature"  # an algorithm younger than this release: nobody can be excluded
    PRIVATE = "private"
    UNREADABLE = "unreadable"


_ANCHORED = {Signer.GOOGLE, Signer.GOOGLE_INTERMEDIATE, Signer.GOOGLE_ALTERNATE, Signer.GOOGLE_HISTORICAL,
             Signer.FILE, Signer.PUBLIC}  # fmt: skip


@dataclass(frozen=True)
class Path:
    """What is known of the signer. `certificates` runs leaf … anchor where a path was found, else leaf … as far as
    presented signatures lead."""

    signer: Signer
    certificates: tuple[Certificate, ...] = ()
    not_before: datetime = FIRST_MOMENT
    not_after: datetime = LAST_MOMENT
    defect: str | None = None  # why cryptography's verifier refuses inside the window
    claimed_authority: str | None = None  # the name impersonated, or of the unknown intermediate
    completed: bool = False  # with a certificate that was not presented

    @property
    def leaf(self) -> Certificate:
        return self.certificates[0]

    @property
    def foreign(self) -> bool:
        """Whether nobody public signed, however he is named."""
        return self.signer in (Signer.PRIVATE, Signer.IMPERSONATED)

    @property
    def anchored(self) -> bool:
        """Whether somebody known signed, and the path leads to him."""
        return self.signer in _ANCHORED

    @property
    def complete(self) -> bool:
        """Whether the presented certificates lead up to one that signed itself."""
        top = self.certificates[-1]
        return top.self_issued and signed(top, top)

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """SPKI SHA-256 of the keys whose signatures were verified, the leaf's issuer first."""
        if len(self.certificates) == 1 and self.leaf.self_issued and signed(self.leaf, self.leaf):
            return (self.leaf.spki_sha256,)
        return tuple(c.spki_sha256 for c in self.certificates[1:])

    @property
    def issuing_key(self) -> str | None:
        """The key whose signature on the leaf was verified, or None."""
        return next(iter(self.signing_keys), None)


def find_path(
    chain: tuple[bytes, ...],
    host: str,
    authority: Authority,
    at: datetime,
    trust: Trust,
    file: Anchors | None = None,
    fetched: tuple[bytes, ...] = (),
) -> Path:
    """Find who signed the first certificate of `chain` (DER, as presented), with the help of what was `fetched`.

    `at` only chooses among several valid paths; the answer itself knows no date. Only the first certificate is the
    leaf: a genuine chain behind a foreign leaf proves nothing.
    """
    path = _find_path(chain, host, authority, trust, file, fetched, None)
    if not path.not_before <= at <= path.not_after and path.certificates and _inside(path.leaf, at):
        return _find_path(chain, host, authority, trust, file, fetched, at)
    return path


def _find_path(
    chain: tuple[bytes, ...],
    host: str,
    authority: Authority,
    trust: Trust,
    file: Anchors | None,
    fetched: tuple[bytes, ...],
    at: datetime | None,
) -> Path:
    path = _search(chain, host, authority, trust, file, (), at)
    if not fetched or path.signer is Signer.GOOGLE:
        return path
    # What was fetched counts only where it leads to Google: anybody on the way may have made it.
    helped = _search(chain, host, authority, trust, file, fetched, at)
    if helped.signer is Signer.GOOGLE:
        return replace(helped, completed=True)
    if path.signer is Signer.UNKNOWN_INTERMEDIATE and _refuted(path.leaf, readable(fetched), trust):
        return replace(path, signer=Signer.IMPERSONATED)
    return path


@lru_cache(maxsize=4096)
def _search(
    chain: tuple[bytes, ...],
    host: str,
    authority: Authority,
    trust: Trust,
    file: Anchors | None,
    fetched: tuple[bytes, ...],
    at: datetime | None,
) -> Path:
    try:
        leaf = Certificate(chain[0])
    except UnreadableError:
        return Path(Signer.UNREADABLE)
    pool = tuple(dict.fromkeys(readable(chain[1:]) + readable(fetched)))
    search = _Search(leaf, pool, host, at)
    for signer, anchors in _stores(authority, trust, file):
        path = search.to_anchors(signer, anchors)
        if path and signer is Signer.GOOGLE_HISTORICAL:
            until = trust.historical_until[path.certificates[-1].sha256]
            return replace(path, not_after=min(path.not_after, until))
        if path:
            return path
        if signer is Signer.GOOGLE and not trust.stand_in:
            path = search.to_intermediates(trust.intermediates)
            if path:
                return path
    return _foreign(search.presented(), pool, trust)


def _stores(authority: Authority, trust: Trust, file: Anchors | None) -> Iterable[tuple[Signer, Anchors]]:
    if authority is Authority.GOOGLE:
        yield Signer.GOOGLE, trust.google
        yield Signer.GOOGLE_ALTERNATE, trust.alternate
        yield Signer.GOOGLE_HISTORICAL, trust.historical
    elif authority is Authority.FILE and file is not None:
        yield Signer.FILE, file
    yield Signer.PUBLIC, trust.public


def readable(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    """Of the first MAX_CERTIFICATES of `chain` (DER) those that some reader takes, each once."""
    found: dict[bytes, Certificate] = {}
    for der in chain[:MAX_CERTIFICATES]:
        try:
            found.setdefault(der, _issuer(der))
        except UnreadableError:
            continue
    return tuple(found.values())


_issuer = lru_cache(maxsize=256)(Certificate)  # the same few stand behind every leaf


class _Search:
    """One leaf, the certificates presented with it, and a budget."""

    def __init__(self, leaf: Certificate, pool: tuple[Certificate, ...], host: str, at: datetime | None) -> None:
        self.leaf = leaf
        self.pool = pool
        self.at = at or _middle(leaf)
        self.host = host
        self.signatures_left = MAX_SIGNATURES
        self.comparisons_left = MAX_COMPARISONS

    def to_anchors(self, signer: Signer, anchors: Anchors) -> Path | None:
        accepted, _ = self._library(anchors, self.at)
        if accepted:
            return _path(signer, accepted)
        walked = self._walk((self.leaf,), anchors.by_subject)
        return self._judged(_path(signer, walked), anchors) if walked else None

    def _judged(self, walked: Path, anchors: Anchors) -> Path:
        """A path of our own with the library's verdict at a time when every certificate on it is valid."""
        middle = walked.not_before + (walked.not_after - walked.not_before) / 2
        accepted, refusal = self._library(anchors, middle)
        return _path(walked.signer, accepted) if accepted else replace(walked, defect=refusal)

    def to_intermediates(self, known: Sequence[Intermediate]) -> Path | None:
        """A leaf signed by a Google key we know, sent without that key's certificate."""
        for fact in known:
            if fact.subject != self.leaf.issuer:
                continue
            anchor = anchor_of(fact)
            if self._signed(self.leaf, anchor):
                signer = Signer.GOOGLE_HISTORICAL if fact.historical else Signer.GOOGLE_INTERMEDIATE
                return self._judged(_path(signer, (self.leaf, anchor)), Anchors(fact.cn, (anchor,)))
        return None

    def reaches(self, anchors: Anchors) -> bool:
        """Whether signatures lead from the first certificate to an anchor, whatever it is for."""
        return self._walk((self.leaf,), anchors.by_subject) is not None

    def presented(self) -> tuple[Certificate, ...]:
        """Leaf … as far up as the signatures among the presented certificates lead."""
        path = [self.leaf]
        while len(path) < MAX_CERTIFICATES:
            child = path[-1]
            issuers = (c for c in self.pool if c.subject_der == child.issuer_der and c not in path)
            parent = next((c for c in issuers if self._signed(child, c)), None)
            # Who may not sign is no authority, and whoever stands above him answers for nothing he did.
            if parent is None or not (parent.self_issued or _may_sign(parent, tuple(path))):
                break
            path.append(parent)
        return tuple(path)

    def _library(self, anchors: Anchors, at: datetime) -> tuple[tuple[Certificate, ...], str]:
        """The path cryptography accepts at the time `at`, or () and its refusal in its own words.

        It is asked about the requested name; where the leaf does not claim that, about one of the leaf's own, so that
        the question who signed does not depend on the name.
        """
        if self.leaf.handle is None or not len(anchors):
            return (), self.leaf.defect or "no anchor"
        accepted, refusal = self._verify(anchors, at, self.host)
        if not accepted and not claims(self.leaf, self.host):
            own = (*self.leaf.dns_names, *self.leaf.ip_addresses)
            return self._verify(anchors, at, next(iter(own), "").replace("*", "any", 1))
        return accepted, refusal

    def _verify(self, anchors: Anchors, at: datetime, name: str) -> tuple[tuple[Certificate, ...], str]:
        leaf, pool = self.leaf.handle, [c.handle for c in self.pool if c.handle is not None]
        assert leaf is not None  # `_library` asked
        try:
            subject = x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name)
            verifier = PolicyBuilder().store(anchors.store).time(at).build_server_verifier(subject)
            found = quietly(verifier.verify, leaf, pool)
        except (VerificationError, *REFUSALS) as refusal:
            return (), " ".join(str(refusal).split())[:300]
        presented = {c.handle: c for c in (self.leaf, *self.pool) if c.handle is not None}
        return tuple(presented.get(c) or anchors.by_handle[c] for c in found), ""

    def _walk(
        self, path: tuple[Certificate, ...], anchors: dict[bytes, list[Certificate]]
    ) -> tuple[Certificate, ...] | None:
        """RFC 5280 §6.1 without the dates: signatures, names, CA bit, path length, key usage, constraints, purpose."""
        child = path[-1]
        for anchor in anchors.get(child.issuer_der, ()):
            if self._signed(child, anchor) and self._permits(anchor):
                return (*path, anchor)
        if len(path) >= MAX_CERTIFICATES:
            return None
        for parent in self.pool:
            fits = parent.subject_der == child.issuer_der and parent not in path and _may_sign(parent, path)
            if fits and self._signed(child, parent) and self._permits(parent):
                found = self._walk((*path, parent), anchors)
                if found:
                    return found
        return None

    def _permits(self, ca: Certificate) -> bool:
        """Name constraints of `ca` on the leaf's names (RFC 5280 §4.2.1.10). What else is wrong with the leaf does not
        change who signed it: the library refuses it, and that is said."""
        if ca.handle is None:
            return False
        try:
            constraints = extension(ca.handle, x509.NameConstraints)
        except REFUSALS:
            return False
        if constraints is None:
            return True
        permitted, excluded = constraints.permitted_subtrees or [], constraints.excluded_subtrees or []
        names: list[tuple[type, str]] = [(x509.DNSName, n) for n in self.leaf.dns_names]
        names += [(x509.IPAddress, a) for a in self.leaf.ip_addresses]
        self.comparisons_left -= len(names) * (len(permitted) + len(excluded))
        return self.comparisons_left >= 0 and all(_allowed(kind, name, permitted, excluded) for kind, name in names)

    def _signed(self, child: Certificate, parent: Certificate) -> bool:
        if self.signatures_left <= 0:
            return False
        self.signatures_left -= 1
        return signed(child, parent)


_KNOWN_EXTENSIONS = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.INHIBIT_ANY_POLICY,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    POISON,  # judged by a rule of its own
}
_SERVER_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    x509.ObjectIdentifier("2.16.840.1.113730.4.1"),  # Netscape server gated crypto, in Google's chains until 2013
    x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),  # Microsoft's
}


def _may_sign(parent: Certificate, path: tuple[Certificate, ...]) -> bool:
    """Whether `parent` may stand above `path`: RFC 5280 §6.1.4 k-n, and EKU as browsers read it."""
    if parent.handle is None:
        return False
    try:
        constraints = extension(parent.handle, x509.BasicConstraints)
        usage = extension(parent.handle, x509.KeyUsage)
    except REFUSALS:
        return False
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return False
    below = sum(1 for c in path[1:] if not c.self_issued)
    too_long = constraints.path_length is not None and below > constraints.path_length
    return not too_long and _serves(parent)


def _serves(certificate: Certificate) -> bool:
    """No critical extension we do not understand, and a purpose that includes servers where purposes are named."""
    handle = certificate.handle
    if handle is None:
        return False
    try:
        unknown = any(e.critical and e.oid not in _KNOWN_EXTENSIONS for e in quietly(lambda: handle.extensions))
        purposes = extension(handle, x509.ExtendedKeyUsage)
    except REFUSALS:
        return False
    return not unknown and (purposes is None or any(p in _SERVER_PURPOSES for p in purposes))


def _allowed(
    kind: type, name: str, permitted: Iterable[x509.GeneralName], excluded: Iterable[x509.GeneralName]
) -> bool:
    inside = [_within(name, tree) for tree in permitted if isinstance(tree, kind)]
    return (any(inside) or not inside) and not any(_within(name, t) for t in excluded if isinstance(t, kind))


def _within(name: str, tree: x509.GeneralName) -> bool:
    if isinstance(tree, x509.IPAddress):
        network = tree.value
        if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
            return False
        return ipaddress.ip_address(name) in network
    base, name = str(tree.value).lower().lstrip("."), name.lower()
    # A wildcard is inside an excluded subtree when any name it covers is (CVE-2025-61727).
    return not base or name == base or name.endswith("." + base) or matches(name, base)


def _path(signer: Signer, certificates: tuple[Certificate, ...], defect: str | None = None) -> Path:
    return Path(
        signer,
        certificates,
        not_before=max(c.not_before for c in certificates),
        not_after=min(c.not_after for c in certificates),
        defect=defect,
    )


def _middle(leaf: Certificate) -> datetime:
    return leaf.not_before + (leaf.not_after - leaf.not_before) / 2


def _inside(leaf: Certificate, at: datetime) -> bool:
    return leaf.not_before <= at <= leaf.not_after


@lru_cache(maxsize=64)
def anchor_of(fact: Intermediate) -> Certificate:
    """A known name and key as a trust anchor. The certificate is only the form in which the verifier takes it: it is
    signed by a throw-away key, and nobody verifies the signature of an anchor."""
    throwaway = ec.generate_private_key(ec.SECP256R1())
    key = load_der_public_key(fact.spki)
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ValueError("an intermediate of this kind is not known")
    name = x509.Name.from_bytes(fact.subject_der)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (
        x509.CertificateBuilder(name, name, key, 1, fact.not_before, fact.not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier(bytes.fromhex(fact.key_id)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(bytes.fromhex(fact.key_id), None, None), critical=False)
        .sign(throwaway, hashes.SHA256())
    )
    return Certificate(made.public_bytes(Encoding.DER))


_KNOWN_SIGNATURES = {oid for oid in vars(SignatureAlgorithmOID).values() if isinstance(oid, x509.ObjectIdentifier)}


# -- foreign chains -------------------------------------------------------------------------------------------------


def _foreign(presented: tuple[Certificate, ...], pool: tuple[Certificate, ...], trust: Trust) -> Path:
    """No key we know signed: does the chain say it was one?"""
    leaf = presented[0]
    if leaf.handle is not None and leaf.handle.signature_algorithm_oid not in _KNOWN_SIGNATURES:
        return Path(Signer.UNKNOWN_SIGNATURE, presented, claimed_authority=title_of(leaf.issuer))
    claimed = next((c for c in presented if _false_claim(c, trust)), None)
    if claimed is not None:
        return Path(Signer.IMPERSONATED, presented, claimed_authority=title_of(claimed.issuer))
    if _unknown_google_intermediate(leaf, pool, trust):
        return Path(Signer.UNKNOWN_INTERMEDIATE, presented, claimed_authority=title_of(leaf.issuer))
    return Path(Signer.PRIVATE, presented)


def _false_claim(certificate: Certificate, trust: Trust) -> bool:
    """The issuer's name is that of an authority we know, and none of that authority's keys made the signature. Of a
    certificate whose signature cannot even be checked nobody can say that."""
    if certificate.handle is None:
        return False
    issuer = folded(certificate.issuer)
    sets = (trust.google, trust.alternate, trust.public)
    roots = [c for anchors in sets for c in anchors.by_name.get(issuer, ())]
    intermediates = [anchor_of(i) for i in trust.intermediates if folded(i.subject) == issuer]
    known = roots + intermediates
    return bool(known) and not any(signed(certificate, authority) for authority in known)


def _unknown_google_intermediate(leaf: Certificate, pool: tuple[Certificate, ...], trust: Trust) -> bool:
    """The issuer is named as Google names its intermediates, by a name and a key id we have never seen, and was not
    presented: it may be a new one."""
    issuer = dict(leaf.issuer)
    named_so = issuer.get("O") in ("Google Trust Services", "Google Trust Services LLC") and issuer.get("C") == "US"
    key_id = leaf.authority_key_id
    seen = key_id is not None and any(i.key_id == key_id.hex() for i in trust.intermediates)
    presented = any(c.subject_der == leaf.issuer_der for c in pool)
    return named_so and key_id is not None and not seen and not presented and not leaf.self_issued


def _refuted(leaf: Certificate, fetched: tuple[Certificate, ...], trust: Trust) -> bool:
    """Whether the very intermediate that the leaf claims, by name and key id, was fetched, is Google's and did not sign
    it."""
    claimed = [c for c in fetched if c.subject_der == leaf.issuer_der and c.key_id == leaf.authority_key_id]
    if leaf.handle is None or any(signed(leaf, c) for c in claimed):
        return False
    return any(_may_sign(c, (leaf,)) and _Search(c, fetched, "", None).reaches(trust.google) for c in claimed)
