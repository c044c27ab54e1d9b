"""The certificate files of the lab, made for one run from the shapes in `tlsinspect.lab.pki`.

The stand-in for Google has Google's names and other keys. So the command must call it genuine only where `--trust` says
that these roots stand in for Google's, and interception everywhere else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from tests import trust_folder
from tlsinspect.lab.pki import (
    PERMITTED,
    Authority,
    Extensions,
    GoogleLike,
    Issued,
    Log,
    PrivateKey,
    TimeService,
    forged,
    google_like,
    impersonator,
    name,
    new_key,
    resigned,
    self_signed,
)
from tlsinspect.trust import MANIFEST

from .network import FORGER_HOST, GATEWAY, PECULIAR_HOSTS, Peculiar
from .revocation_server import AUTHORITIES, TIME_KEY, tampered

# Where the peculiar leaves have their revocation asked: beside the others', so that a lie about one is about it alone.
SUBJECT_CRL = "c.pki.goog/wr2/subject.crl"
SUBJECT_OCSP = "o.pki.goog/s/wr2/subject"
BACKDATED = timedelta(days=400)
STOLEN = "stolen"
"""The stem of a leaf for every host that expired long ago, and of its key."""
STOLEN_EXPIRED = timedelta(days=16)
FORGED = "forged"
"""The stem of a leaf for every host by the company's authority. It names addresses at `FORGER_HOST`, and bears the
timestamps of a genuine leaf."""

BLOCKER = "blocked.acme.example"
"""The stem of a leaf for the page to which a filter leads whoever it stops."""


class Impostor(StrEnum):
    """Who answers in place of a host with certificates that are right in every respect but one."""

    COPY = "copy"  # leaf, intermediate and root say what the genuine ones say, octet by octet, of other keys
    COPY_ALONE = "copy-alone"  # that leaf without the others
    COPY_BEFORE_GENUINE = "copy-before-genuine"  # that leaf, and behind it the genuine leaf and its intermediate
    COPY_WITH_OWN_KEY_IDS = "copy-with-own-key-ids"  # what the key identifiers say is true
    CUSTOMER = "customer"  # Google signed, for a name that is not its own
    SIBLING = "sibling"  # Google signed, for another name of its own
    PUBLIC = "public"  # another public authority signed, for the right name

    def stem(self, host: str) -> str:
        """Of its files for a host."""
        return f"{self}-{host}"


COPIES = tuple(impostor for impostor in Impostor if impostor.startswith("copy"))
CUSTOMER_NAME, SIBLING_NAME, PUBLIC_NAME = "www.customer.test", "video.google.com", "Common Root CA"


@dataclass(frozen=True)
class Pki:
    """Where the files lie."""

    folder: Path
    logs: tuple[Log, ...] = (Log("Lab log 2026", "Lab"), Log("Another log 2026", "Another"))
    """Where every leaf of the stand-in is logged."""
    time: TimeService = field(default_factory=TimeService)

    @property
    def google_roots(self) -> Path:
        """The roots that stand in for Google's, PEM."""
        return self.folder / "google-roots.pem"

    @property
    def corporate_root(self) -> Path:
        """The authority of the company's inspecting proxies, PEM."""
        return self.folder / "corporate.pem"

    @property
    def corporate_key(self) -> Path:
        return self.folder / "corporate.key"

    @property
    def public_root(self) -> Path:
        """An authority that browsers trust, and Google does not use, PEM."""
        return self.folder / "public.pem"

    @property
    def googlish_root(self) -> Path:
        """An inspecting proxy's authority to which somebody gave the name of Google's WR2, PEM."""
        return self.folder / "googlish.pem"

    @property
    def googlish_key(self) -> Path:
        return self.folder / "googlish.key"

    @property
    def authorities(self) -> Path:
        """Certificates and keys of the stand-in's authorities and of its time service: who has them can lie."""
        return self.folder / "authorities"

    def chain(self, host: str) -> Path:
        return self.folder / f"{host}.pem"

    def key(self, host: str) -> Path:
        return self.folder / f"{host}.key"

    def staple(self, host: str) -> Path:
        """The OCSP answer that comes with a leaf; where it comes with none there is no such file."""
        return self.folder / f"{host}.staple"

    def leaf(self, host: str) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.chain(host).read_bytes())[0]

    @cached_property
    def intermediate(self) -> x509.Certificate:
        """WR2, which signs nearly every leaf."""
        return x509.load_pem_x509_certificate((self.authorities / "wr2.pem").read_bytes())

    def trust(self, folder: Path, built: date) -> Path:
        """Trust data in which the stand-in's roots are Google's own, its logs known and its time service believed,
        and in which browsers trust one authority more.

        Put together on a day long past, or it would prove by itself that a clock is behind.
        """
        made = trust_folder.make(
            folder,
            google_roots=x509.load_pem_x509_certificates(self.google_roots.read_bytes()),
            public_roots=x509.load_pem_x509_certificates(self.public_root.read_bytes()),
            ct_logs=self.logs,
            time_keys={self.time.version: self.time.spki},
        )
        manifest = made / MANIFEST
        dated = re.sub(r"^(date|built) = .*$", rf"\1 = {built}", manifest.read_text(), flags=re.MULTILINE)
        manifest.write_text(dated)
        return made


def make(folder: Path, hosts: Iterable[str], now: datetime, *, portal: str) -> Pki:
    """Make every certificate of the lab into `folder`, which should be private: keys lie in it.

    `portal` is the name of somebody who vouches for himself, as the login page of a hotel's network does.
    """
    pki = Pki(folder)
    google = google_like(now, backdated=BACKDATED)
    pki.google_roots.write_bytes(google.roots_pem)
    hosts = list(hosts)
    for host in hosts:
        google.wr2.issue([host], logs=pki.logs).write(folder, host)
    youngest = _youngest(google)
    _write_peculiar(google, youngest, hosts, now, pki)
    pki.authorities.mkdir(mode=0o700)
    authorities = (google.r1, google.r4, google.wr2, google.we2, youngest)
    for stem, authority in zip(AUTHORITIES, authorities, strict=True):
        _write_authority(authority, pki.authorities, stem)
    _write_key(pki.time.key, pki.authorities / f"{TIME_KEY}.key")
    self_signed(portal, now).write(folder, portal)
    self_signed(BLOCKER, now).write(folder, BLOCKER)
    corporate = _corporate(now)
    _write_authority(corporate, folder, "corporate")
    corporate.issue([GATEWAY.ipv4]).write(folder, GATEWAY.ipv4)  # for a proxy that is spoken to over TLS
    addresses = _addresses(f"{FORGER_HOST}/ocsp", f"{FORGER_HOST}/forged.crl", f"{FORGER_HOST}/forged.crt")
    stamps = pki.leaf(hosts[0]).extensions.get_extension_for_oid(ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS)
    copied = x509.UnrecognizedExtension(stamps.oid, stamps.value.public_bytes())
    corporate.issue(hosts, add=[*addresses, (copied, False)]).write(folder, FORGED)
    _write_authority(impersonator(now), folder, "googlish")
    _write_impostors(google, hosts, now, pki)
    return pki


def _youngest(google: GoogleLike) -> Authority:
    """An intermediate like WR2 of which no release has heard yet, neither by name nor by key."""
    subject = name(
        (x509.NameOID.COUNTRY_NAME, "US"),
        (x509.NameOID.ORGANIZATION_NAME, "Google Trust Services"),
        (x509.NameOID.COMMON_NAME, "WR9"),
    )
    copied = (
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
    )
    add = [(e.value, e.critical) for e in google.wr2.certificate.extensions if e.oid in copied]
    return google.r1.subordinate(subject, permitted=PERMITTED, add=add)


def _write_peculiar(google: GoogleLike, youngest: Authority, hosts: list[str], now: datetime, pki: Pki) -> None:
    """Leaves that differ from the ordinary ones in one respect each."""
    wr2, logs = google.wr2, pki.logs
    drop = [ExtensionOID.CRL_DISTRIBUTION_POINTS, ExtensionOID.AUTHORITY_INFORMATION_ACCESS]
    by_crl = _addresses(None, SUBJECT_CRL, "i.pki.goog/wr2.crt")
    by_ocsp = _addresses(SUBJECT_OCSP, None, "i.pki.goog/wr2.crt")
    expired = now - timedelta(days=2)
    made = {
        Peculiar.CRL_ONLY: wr2.issue([Peculiar.CRL_ONLY], drop=drop, add=by_crl, logs=logs),
        Peculiar.OCSP_ONLY: wr2.issue([Peculiar.OCSP_ONLY], drop=drop, add=by_ocsp, logs=logs),
        Peculiar.ALONE: youngest.issue([Peculiar.ALONE], logs=logs).alone(),
        Peculiar.BYSTANDER: google.we2.issue([Peculiar.BYSTANDER], logs=logs),
        Peculiar.EXPIRED: wr2.issue([Peculiar.EXPIRED], not_after=expired, logs=logs),
        Peculiar.UNLOGGED: wr2.issue([Peculiar.UNLOGGED]),
        Peculiar.STAPLED: wr2.issue([Peculiar.STAPLED], drop=drop, logs=logs),
        Peculiar.STAPLED_REVOKED: wr2.issue([Peculiar.STAPLED_REVOKED], logs=logs),
        Peculiar.STAPLED_FORGED: wr2.issue([Peculiar.STAPLED_FORGED], drop=drop, logs=logs),
    }
    assert set(made) == set(PECULIAR_HOSTS)
    for host, issued in made.items():
        issued.write(pki.folder, host)
    good, revoked = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED
    pki.staple(Peculiar.STAPLED).write_bytes(wr2.ocsp_answer(made[Peculiar.STAPLED].certificate, good))
    pki.staple(Peculiar.STAPLED_REVOKED).write_bytes(
        wr2.ocsp_answer(made[Peculiar.STAPLED_REVOKED].certificate, revoked)
    )
    forged = wr2.ocsp_answer(made[Peculiar.STAPLED_FORGED].certificate, good)
    pki.staple(Peculiar.STAPLED_FORGED).write_bytes(tampered(forged))
    wr2.issue(hosts, not_after=now - STOLEN_EXPIRED, logs=logs).write(pki.folder, STOLEN)


def _write_impostors(google: GoogleLike, hosts: list[str], now: datetime, pki: Pki) -> None:
    subject = name((x509.NameOID.ORGANIZATION_NAME, "Common Trust"), (x509.NameOID.COMMON_NAME, PUBLIC_NAME))
    public = Authority.root(subject, now)
    pki.public_root.write_bytes(public.pem)
    customer, sibling = google.wr2.issue([CUSTOMER_NAME], logs=pki.logs), google.wr2.issue([SIBLING_NAME])
    forger = Forger(google)
    for host in hosts:
        genuine = pki.leaf(host)
        copy = forger.copy(genuine)
        made = {
            Impostor.COPY: copy,
            Impostor.COPY_ALONE: copy.alone(),
            Impostor.COPY_BEFORE_GENUINE: copy.followed_by(genuine, google.wr2.certificate),
            Impostor.COPY_WITH_OWN_KEY_IDS: forger.copy(genuine, own_key_ids=True),
            Impostor.CUSTOMER: customer,
            Impostor.SIBLING: sibling,
            Impostor.PUBLIC: public.issue([host], logs=pki.logs),
        }
        for impostor, issued in made.items():
            issued.write(pki.folder, impostor.stem(host))
    forger.copy(pki.leaf(Peculiar.ALONE)).alone().write(pki.folder, Impostor.COPY_ALONE.stem(Peculiar.ALONE))


class Forger:
    """Keys of its own under everything that WR2 and its root say."""

    def __init__(self, google: GoogleLike) -> None:
        self._leaf, self._wr2, self._r1 = new_key("p256"), new_key("rsa2048"), new_key("rsa2048")
        self._wr2_ids = google.wr2.key_id, x509.SubjectKeyIdentifier.from_public_key(self._wr2.public_key()).digest
        r1 = forged(google.r1.certificate, self._r1, self._r1)
        self._above = forged(google.wr2.certificate, self._wr2, self._r1), r1

    def copy(self, genuine: x509.Certificate, *, own_key_ids: bool = False) -> Issued:
        """A genuine leaf under the forger's key, with the copies of the authorities above it."""
        leaf, (wr2, r1) = forged(genuine, self._leaf, self._wr2), self._above
        if own_key_ids:
            leaf = resigned(leaf, self._wr2, replacing=self._wr2_ids)
            wr2 = resigned(wr2, self._r1, replacing=self._wr2_ids)
        return Issued(leaf, self._leaf, (leaf, wr2, r1))


def _addresses(responder: str | None, crl: str | None, issuer: str) -> Extensions:
    """Where a certificate says its revocation and its issuer are to be had."""
    methods = ((AuthorityInformationAccessOID.OCSP, responder), (AuthorityInformationAccessOID.CA_ISSUERS, issuer))
    named = [x509.AccessDescription(method, _url(at)) for method, at in methods if at]
    found: list[tuple[x509.ExtensionType, bool]] = [(x509.AuthorityInformationAccess(named), False)]
    if crl:
        point = x509.DistributionPoint([_url(crl)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return found


def _url(at: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(f"http://{at}")


def _corporate(now: datetime) -> Authority:
    # RSA, because proxy.py makes RSA leaves by the openssl tool and Squid gives every leaf the key of its authority.
    subject = name(
        (x509.NameOID.COUNTRY_NAME, "US"),
        (x509.NameOID.ORGANIZATION_NAME, "Acme Corp"),
        (x509.NameOID.COMMON_NAME, "Acme Corp TLS Inspection CA"),
    )
    return Authority.root(subject, now, key="rsa2048")


def _write_authority(authority: Authority, folder: Path, stem: str) -> None:
    (folder / f"{stem}.pem").write_bytes(authority.pem)
    _write_key(authority.key, folder / f"{stem}.key")


def _write_key(key: PrivateKey, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
