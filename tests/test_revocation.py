"""Revocation: whatever a CRL or an OCSP response can be, and what it then says.

Three tables, one row a case: CRLs (RFC 5280 §5 and §6.3), OCSP responses (RFC 6960), and what several of them mean
together. Then what no row can list: every cut, every flipped octet, and the objects that were recorded.
"""

import base64
import csv
import json
import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import revocation_cases as make
from tests.conftest import shared_data
from tests.revocation_cases import (
    AUTHORITY,
    CA_USAGE,
    CDP,
    DAY,
    ECDSA_SHA1,
    HOUR,
    MINUTE,
    NOW,
    NUMBER,
    SERIAL,
    STRANGE,
    UNKNOWN,
    Party,
    answer,
    because,
    cert_id,
    crl,
    delegate,
    entry,
    named,
    of,
    others,
    party,
    place,
    revoked,
    scope,
    single,
    url,
    usage,
    utc,
)
from tlsinspect.certificate import Certificate
from tlsinspect.der import MalformedError, dotted, elements, encoded, integer
from tlsinspect.errors import UsageError
from tlsinspect.evidence.answer import Answer, outlived
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.ocsp import _issuer_hashes, ocsp_request, ocsp_url
from tlsinspect.evidence.revocation import TELLING, answers, check_revocation, sources, status
from tlsinspect.evidence.signedobject import is_signed_object
from tlsinspect.lab.pki import resigned
from tlsinspect.model import Revocation, RevocationReason, RevocationStatus
from tlsinspect.trust import Trust, certificates_in

Reason = RevocationReason
State = str | tuple[str, str]  # good, or unknown with its reason …


@dataclass(frozen=True)
class Case:
    """Objects about a certificate, and what they say."""

    expected: State
    crls: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    certificate: Party = field(default_factory=lambda: place().leaf)
    issuer: Party = field(default_factory=lambda: place().ca)
    at: datetime = NOW
    nonce: bytes | None = None

    def status(self) -> RevocationStatus:
        return check_revocation(
            self.certificate.der, self.issuer.der, at=self.at, crls=self.crls, ocsp=self.ocsp, nonce=self.nonce
        )


def utc_of(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def said(found: RevocationStatus) -> State:
    return (found.state.value, found.reason.value) if found.reason else found.state.value


def expect(case: Case) -> None:
    found = case.status()
    assert said(found) == case.expected, found.sentence
    assert found.sentence
    assert not {"{", "None"} & set(found.sentence.replace("{", " { ").split())
    assert (found.revoked_at is not None) == (found.state is Revocation.REVOKED)


def unknown(reason: str) -> State:
    return "unknown", reason


STALE = ("revoked", "stale")
MALFORMED = unknown("malformed")
SCOPE = unknown("wrong-scope")
STRANGER = unknown("unknown-extension")
WEAK = unknown("weak-signature")
Named = x509.ReasonFlags


# -- CRLs ------------------------------------------------------------------------------------------------------------


def one(expected: State, body: bytes, **options: Any) -> Case:
    return Case(expected, crls=(body,), **options)


def leaf(*extensions: x509.ExtensionType, **options: Any) -> Party:
    return party(named("www.example"), place().ca, *extensions, serial=options.pop("serial", SERIAL), **options)


def in_list_of(kind: make.Key, **options: Any) -> Iterator[tuple[Party, Party, bytes]]:
    """An authority with a key of this kind, a leaf of it, and its CRL."""
    ca = party(named("Kind CA"), None, AUTHORITY, CA_USAGE, key=kind)
    yield ca, party(named("www.example"), ca, serial=SERIAL), crl(*others(), by=ca, **options)


def point(
    full: list[x509.GeneralName] | None = None,
    relative: x509.RelativeDistinguishedName | None = None,
    reasons: frozenset[Named] | None = None,
    issuer: list[x509.GeneralName] | None = None,
) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints([x509.DistributionPoint(full, relative, reasons, issuer)])


def directory(name: x509.Name) -> list[x509.GeneralName]:
    return [x509.DirectoryName(name)]


def rdn(text: str) -> x509.RelativeDistinguishedName:
    return x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, text)])


def appended(name: x509.Name, more: x509.RelativeDistinguishedName) -> x509.Name:
    return x509.Name([*name.rdns, more])


def tampered(body: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert body.count(old) == 1
    return body.replace(old, new)


def kinds_of_keys() -> dict[str, Case]:
    made: dict[str, Case] = {}
    for name, key, options in (
        ("RSA", rsa.generate_private_key(65537, 2048), {}),
        ("RSA-PSS", rsa.generate_private_key(65537, 2048), {"algorithm": make.PSS_SHA256}),
        ("P-384", ec.generate_private_key(ec.SECP384R1()), {"algorithm": make.ECDSA_SHA384}),
        ("Ed25519", ed25519.Ed25519PrivateKey.generate(), {}),
    ):
        for ca, own, body in in_list_of(key, **options):
            made[f"signed by {name}"] = one("good", body, certificate=own, issuer=ca)
    for name, algorithm in (("SHA-1", make.RSA_SHA1), ("MD5", make.RSA_MD5)):
        for ca, own, body in in_list_of(rsa.generate_private_key(65537, 2048), algorithm=algorithm):
            made[f"signed by RSA with {name}"] = one(WEAK, body, certificate=own, issuer=ca)
    return made


@cache
def crl_cases() -> Mapping[str, Case]:
    here = place()
    ca, root = here.ca, here.root
    no_points = leaf()
    listed_in_ca = crl(entry(), *others())
    intermediate = ca
    ca_serial = ca.certificate.serial_number
    rows = {
        # what is listed
        "empty, list absent": one("good", crl()),
        "empty list": one("good", crl(listed=encoded(0x30))),
        "others listed": one("good", crl(*others())),
        "listed": one("revoked", crl(entry())),
        "listed first": one("revoked", crl(entry(), *others())),
        "listed last": one("revoked", crl(*others(), entry())),
        "listed with a reason": one("revoked", crl(*others(), entry(SERIAL, NOW - DAY, because(Named.key_compromise)))),
        "on hold": one("revoked", crl(entry(SERIAL, NOW - DAY, because(Named.certificate_hold)))),
        "removed from the list": one("good", crl(entry(SERIAL, NOW - DAY, because(Named.remove_from_crl)))),
        "removed, and listed again": one(
            "revoked", crl(entry(SERIAL, NOW - 2 * DAY, because(Named.remove_from_crl)), entry(SERIAL, NOW - DAY))
        ),
        "listed, with an invalidity date": one(
            "revoked", crl(entry(SERIAL, NOW - DAY, of(x509.InvalidityDate(NOW - 5 * DAY))))
        ),
        "revoked this second": one("revoked", crl(entry(SERIAL, NOW))),
        "revoked in a second": one("good", crl(entry(SERIAL, NOW + timedelta(seconds=1)))),
        "revoked tomorrow": one("good", crl(entry(SERIAL, NOW + DAY))),
        "revoked tomorrow, stale list": one(
            unknown("stale"), crl(entry(SERIAL, NOW + DAY), until=NOW - DAY, this=NOW - 2 * DAY)
        ),
        "revoked, by GeneralizedTime": one("revoked", crl(entry(SERIAL, make.general(NOW - DAY)))),
        "revoked in 1950, as UTCTime has it": one("revoked", crl(entry(SERIAL, encoded(0x17, b"500101000000Z")))),
        "our serial inside another's": one("good", crl(entry((SERIAL << 32) | 5), entry((7 << 120) | SERIAL))),
        "our whole entry inside another's serial": one(
            "good",
            crl(entry(int.from_bytes(b"\x11" + entry(5, NOW - DAY)[:5]))),
            certificate=leaf(serial=5),
        ),
        "an entry inside another's extension": one(
            "good", crl(entry(77, NOW - DAY, make.extension("1.2.3.5", entry())), *others())
        ),
        "TRUE and an OCTET STRING inside a serial": one("good", crl(entry(0x01_0101_FF04_01), *others())),
        "serial of one octet, listed": one("revoked", crl(*others(), entry(1)), certificate=leaf(serial=1)),
        "serial of one octet, not listed": one(
            "good", crl(entry(2), entry(257), entry(0x020101)), certificate=leaf(serial=1)
        ),
        "serial of twenty octets": one("revoked", crl(*others(), entry(1 << 158)), certificate=leaf(serial=1 << 158)),
        "serial with a leading zero octet": one("revoked", crl(entry(0x80), *others()), certificate=leaf(serial=0x80)),
        "the negative of our serial": one("good", crl(entry(-0x80)), certificate=leaf(serial=0x80)),
        "serial zero listed": one("good", crl(entry(0))),
        # dates
        "GeneralizedTime": one("good", crl(this=make.general(NOW - HOUR), until=make.general(NOW + DAY))),
        "thisUpdate in five minutes": one("good", crl(this=NOW + 5 * MINUTE)),
        "thisUpdate in more": one(unknown("not-yet-valid"), crl(this=NOW + timedelta(minutes=5, seconds=1))),
        "from tomorrow, listed today": one("revoked", crl(entry(), this=NOW + DAY)),
        "nextUpdate five minutes ago": one("good", crl(until=NOW - 5 * MINUTE)),
        "nextUpdate longer ago": one(unknown("stale"), crl(until=NOW - timedelta(minutes=5, seconds=1))),
        "stale, listed": one(STALE, crl(entry(), this=NOW - 20 * DAY, until=NOW - 10 * DAY)),
        "stale, on hold": one(
            STALE,
            crl(entry(SERIAL, NOW - 25 * DAY, because(Named.certificate_hold)), this=NOW - 20 * DAY, until=NOW - DAY),
        ),
        "no nextUpdate, 7 days": one("good", crl(this=NOW - 7 * DAY, until=None)),
        "no nextUpdate, 8 days and 5 minutes": one("good", crl(this=NOW - 8 * DAY - 5 * MINUTE, until=None)),
        "no nextUpdate, 9 days": one(unknown("stale"), crl(this=NOW - 9 * DAY, until=None)),
        "no nextUpdate, 9 days, listed": one(STALE, crl(entry(), this=NOW - 9 * DAY, until=None)),
        "nextUpdate before thisUpdate": one(MALFORMED, crl(this=NOW - HOUR, until=NOW - 2 * HOUR)),
        "nextUpdate is thisUpdate": one("good", crl(this=NOW - MINUTE, until=NOW - MINUTE)),
        "year 9999, no nextUpdate": one(
            unknown("not-yet-valid"), crl(this=make.general(NOW.replace(year=9999)), until=None)
        ),
        "fractions of a second": one(MALFORMED, crl(this=encoded(0x18, b"20261123110000.5Z"))),
        "a date without Z": one(MALFORMED, crl(this=encoded(0x17, b"261123110000"))),
        "the 31st of February": one(MALFORMED, crl(this=encoded(0x17, b"260231110000Z"))),
        # who signed
        "signed by the stranger": one(unknown("wrong-issuer"), crl(entry(), by=here.stranger)),
        "signed by the stranger in our name": one(
            unknown("bad-signature"), crl(entry(), by=here.stranger, name=ca.name)
        ),
        "signed by our namesake": one(unknown("bad-signature"), crl(entry(), by=here.namesake)),
        "signed by the root in its own name": one(unknown("wrong-issuer"), crl(entry(), by=root)),
        "signed by us in another's name": one(unknown("wrong-issuer"), crl(entry(), name=root.name)),
        "our name in other capitals": one("good", crl(*others(), name=named("ISSUING  ca"))),
        "SHA-1": one(WEAK, crl(*others(), algorithm=ECDSA_SHA1)),
        "SHA-1, listed": one(WEAK, crl(entry(), algorithm=ECDSA_SHA1)),
        "SHA-1, out of scope": one(WEAK, crl(also=[scope(cas=True)], algorithm=ECDSA_SHA1)),
        "SHA-1, signed by our namesake": one(unknown("bad-signature"), crl(by=here.namesake, algorithm=ECDSA_SHA1)),
        "SHA-1, signed by the stranger": one(unknown("wrong-issuer"), crl(by=here.stranger, algorithm=ECDSA_SHA1)),
        "an algorithm inside, another outside": one(MALFORMED, crl(inner=make.ECDSA_SHA384)),
        "an RSA algorithm for an EC key": one(unknown("bad-signature"), crl(algorithm=make.RSA_SHA256)),
        "an algorithm nobody knows": one(unknown("bad-signature"), crl(algorithm=encoded(0x30, make.UNKNOWN_OID))),
        "one serial changed": one(
            unknown("bad-signature"), tampered(crl(entry(2), entry()), integer(SERIAL), integer(SERIAL + 1))
        ),
        "one date changed": one(
            unknown("bad-signature"), tampered(crl(until=NOW - DAY), utc(NOW - DAY), utc(NOW + DAY))
        ),
        # who may sign
        "no key usage": _with_usage("good"),
        "key usage without cRLSign": _with_usage(unknown("not-authorised"), usage(key_cert_sign=True)),
        "key usage without cRLSign, listed": _with_usage(unknown("not-authorised"), usage(key_cert_sign=True), entry()),
        "key usage of cRLSign alone": _with_usage("good", usage(crl_sign=True)),
        # extensions
        "version 1": one(MALFORMED, crl(version=b"", extensions=[])),
        "version 1, listed": one("revoked", crl(entry(), version=b"", extensions=[])),
        "version 1 with extensions": one(MALFORMED, crl(version=b"")),
        "version 3": one(MALFORMED, crl(version=b"\x02\x01\x02")),
        "no extensions": one(MALFORMED, crl(extensions=[])),
        "no number": one(MALFORMED, crl(extensions=[of(x509.AuthorityKeyIdentifier(b"id", None, None))])),
        "a critical number": one(MALFORMED, crl(extensions=[of(x509.CRLNumber(7), critical=True)])),
        "two numbers": one(MALFORMED, crl(extensions=[NUMBER, NUMBER])),
        "a negative number": one(MALFORMED, crl(extensions=[make.extension("2.5.29.20", integer(-1))])),
        "a number of twenty octets": one("good", crl(extensions=[of(x509.CRLNumber(1 << 158))])),
        "a number that is none": one(MALFORMED, crl(extensions=[make.extension("2.5.29.20", b"\x05\x00")])),
        "unknown extension": one("good", crl(also=[make.extension("1.2.3.4", b"\x05\x00")])),
        "unknown critical extension": one(STRANGER, crl(also=[STRANGE])),
        "unknown critical extension, listed": one(STRANGER, crl(entry(), also=[STRANGE])),
        "FALSE written out": one(MALFORMED, crl(also=[encoded(0x30, make.oid("1.2.3.4"), b"\x01\x01\x00\x04\x00")])),
        "unknown extension of our entry": one(
            "revoked", crl(entry(SERIAL, NOW - DAY, make.extension("1.2.3.4", b"x")))
        ),
        "unknown critical extension of our entry": one(STRANGER, crl(entry(SERIAL, NOW - DAY, STRANGE))),
        "unknown critical extension of another entry": one(STRANGER, crl(entry(77, NOW - DAY, STRANGE), *others())),
        "the same, and ours listed": one(STRANGER, crl(entry(), entry(77, NOW - DAY, STRANGE), *others())),
        "a critical reason": one(
            "revoked", crl(entry(SERIAL, NOW - DAY, of(x509.CRLReason(Named.superseded), critical=True)))
        ),
        "two reasons": one(
            MALFORMED, crl(entry(SERIAL, NOW - DAY, because(Named.superseded), because(Named.remove_from_crl)))
        ),
        "authority key id of another": one("good", crl(also=[of(x509.AuthorityKeyIdentifier(b"other", None, None))])),
        # scope
        "for users": one("good", crl(also=[scope(users=True)])),
        "for CAs": one(SCOPE, crl(also=[scope(cas=True)])),
        "for CAs, not critical": one(SCOPE, crl(also=[scope(cas=True, critical=False)])),
        "for CAs, listed": one("revoked", crl(entry(), also=[scope(cas=True)])),
        "for CAs, of a CA": one("good", crl(by=root, also=[scope(cas=True)]), certificate=intermediate, issuer=root),
        "for users, of a CA": one(SCOPE, crl(by=root, also=[scope(users=True)]), certificate=intermediate, issuer=root),
        "of a CA, listed": one("revoked", crl(entry(ca_serial), by=root), certificate=intermediate, issuer=root),
        "for attribute certificates": one(SCOPE, crl(also=[scope(attributes=True)])),
        "for attribute certificates, listed": one(SCOPE, crl(entry(), also=[scope(attributes=True)])),
        "for users and for CAs": one(
            MALFORMED, crl(also=[make.extension("2.5.29.28", b"\x30\x06\x81\x01\xff\x82\x01\xff", True)])
        ),
        "a scope of nothing": one(MALFORMED, crl(also=[make.extension("2.5.29.28", b"\x30\x00", True)])),
        "a scope that is none": one(MALFORMED, crl(also=[make.extension("2.5.29.28", b"\x04\x00", True)])),
        "some reasons": one(SCOPE, crl(also=[scope(reasons=frozenset({Named.key_compromise}))])),
        "some reasons, listed": one("revoked", crl(entry(), also=[scope(reasons=frozenset({Named.key_compromise}))])),
        "the distribution point": one("good", crl(also=[scope(url())])),
        "the distribution point, not critical": one("good", crl(also=[scope(url(), critical=False)])),
        "another distribution point": one(SCOPE, crl(also=[scope(url("http://c.example/two.crl"))])),
        "another distribution point, listed": one(
            "revoked", crl(entry(), also=[scope(url("http://c.example/two.crl"))])
        ),
        "another in capitals": one(SCOPE, crl(also=[scope(url(CDP.upper()))])),
        "one of two names": one("good", crl(also=[scope([*url("ldap://c.example/x"), *url()])])),
        "one of two points": one("good", crl(also=[scope(url())]), certificate=leaf(make.at("http://d.example", CDP))),
        "no point named in the certificate": one(SCOPE, crl(also=[scope(url())]), certificate=no_points),
        "the implicit point": one("good", crl(also=[scope(directory(ca.name))]), certificate=no_points),
        "the implicit point, and others": one("good", crl(also=[scope(directory(ca.name))])),
        "a directory of another": one(SCOPE, crl(also=[scope(directory(root.name))]), certificate=no_points),
        "a relative name": one(
            "good", crl(also=[scope(relative=rdn("1"))]), certificate=leaf(point(relative=rdn("1")))
        ),
        "another relative name": one(
            SCOPE, crl(also=[scope(relative=rdn("2"))]), certificate=leaf(point(relative=rdn("1")))
        ),
        "a relative name, in full": one(
            "good",
            crl(also=[scope(relative=rdn("1"))]),
            certificate=leaf(point(directory(appended(ca.name, rdn("1"))))),
        ),
        "the point of another issuer": one(
            SCOPE, crl(also=[scope(url())]), certificate=leaf(point(url(), issuer=directory(root.name)))
        ),
        "a point with ourselves as issuer": one(
            "good", crl(also=[scope(url())]), certificate=leaf(point(url(), issuer=directory(ca.name)))
        ),
        "a point with nothing but ourselves": one(
            "good", crl(also=[scope(directory(ca.name))]), certificate=leaf(point(issuer=directory(ca.name)))
        ),
        "a point for some reasons": one(
            SCOPE, crl(also=[scope(url())]), certificate=leaf(point(url(), reasons=frozenset({Named.superseded})))
        ),
        # indirect and delta
        "indirect": one(SCOPE, crl(also=[scope(indirect=True)])),
        "indirect, listed by default": one("revoked", crl(entry(), also=[scope(indirect=True)])),
        "indirect, listed under another": one(
            SCOPE, crl(entry(SERIAL, NOW - DAY, make.of_issuer(root)), also=[scope(indirect=True)])
        ),
        "indirect, listed under another before us": one(
            SCOPE, crl(entry(1, NOW - DAY, make.of_issuer(root)), *others(), entry(), also=[scope(indirect=True)])
        ),
        "indirect, listed under us again": one(
            "revoked",
            crl(
                entry(1, NOW - DAY, make.of_issuer(root)),
                entry(2, NOW - DAY, make.of_issuer(ca)),
                *others(),
                entry(),
                also=[scope(indirect=True)],
            ),
        ),
        "indirect, the issuer not critical": one(
            SCOPE,
            crl(
                entry(1, NOW - DAY, of(x509.CertificateIssuer(directory(root.name)))),
                entry(),
                also=[scope(indirect=True)],
            ),
        ),
        "not said to be indirect, listed under another": one(
            unknown("wrong-scope"), crl(entry(SERIAL, NOW - DAY, make.of_issuer(root)))
        ),
        "delta": one(SCOPE, crl(also=[of(x509.DeltaCRLIndicator(3), critical=True)])),
        "delta, listed": one("revoked", crl(entry(), also=[of(x509.DeltaCRLIndicator(3), critical=True)])),
        "delta, removed": one(
            SCOPE,
            crl(
                entry(SERIAL, NOW - DAY, because(Named.remove_from_crl)),
                also=[of(x509.DeltaCRLIndicator(3), critical=True)],
            ),
        ),
        # form
        "a trailing octet": one(MALFORMED, crl(after=b"\0")),
        "two CRLs in one": one(MALFORMED, crl() + crl()),
        "two lists": one(MALFORMED, crl(listed=encoded(0x30, entry()) + encoded(0x30, *others()))),
        "an entry that is longer than the list": one(
            MALFORMED, crl(listed=encoded(0x30, encoded(0x30, integer(SERIAL), utc(NOW))[:-3]))
        ),
        "an entry that is no entry": one(MALFORMED, crl(listed=encoded(0x30, encoded(0x30, integer(SERIAL))))),
        "nothing": one(MALFORMED, b""),
        "one octet": one(MALFORMED, b"\x30"),
        "a web page": one(MALFORMED, b"<!DOCTYPE html><title>Sign in</title>"),
        "indefinite length": one(MALFORMED, b"\x30\x80" + crl()[4:] + b"\0\0"),
        "a length of four gigabytes": one(MALFORMED, b"\x30\x84\xff\xff\xff\xff" + crl()[4:]),
        "a length of 127 octets": one(MALFORMED, b"\x30\xff" + b"\xff" * 127),
        "a length in more octets than needed": one(MALFORMED, b"\x30\x83\0" + crl()[2:]),
        "nested sequences": one(MALFORMED, _nested(1000)),
        "an OCSP response": one(MALFORMED, answer()),
        "a certificate": one(MALFORMED, place().leaf.der),
        "a PEM": one(MALFORMED, b"-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n"),
        # certificate and issuer
        "the issuer did not sign": one(unknown("wrong-issuer"), listed_in_ca, issuer=here.namesake),
        "the issuer is another": one(unknown("wrong-issuer"), listed_in_ca, issuer=root),
        "the certificate as its own issuer": one(unknown("wrong-issuer"), listed_in_ca, issuer=here.leaf),
        "no CRL": Case(unknown("no-source")),
        "one bad, one good": Case("good", crls=(b"junk", crl(*others()))),
        "one good, one that lists and is stale": Case(
            STALE, crls=(crl(*others()), crl(entry(), this=NOW - 9 * DAY, until=NOW - DAY))
        ),
    }
    return {**rows, **kinds_of_keys(), **odd_cases(), **ended_cases(), **form_cases()}


# What may stand where a reason belongs; the certificate is revoked, for no cause that has a name.
NO_REASONS = {
    "that is not used": b"\x0a\x01\x07",
    "nobody has": b"\x0a\x01\x0b",
    "far off": b"\x0a\x01\x2a",
    "as an INTEGER": b"\x02\x01\x01",
    "of two octets": b"\x0a\x02\x00\x01",
    "without an octet": b"\x0a\x00",
    "that is empty": b"",
    "and more": b"\x0a\x01\x01\x00",
}


def odd_cases() -> dict[str, Case]:
    """What the authority should not have written, and still says who is revoked."""
    listed = {
        f"a reason {what}": entry(SERIAL, NOW - DAY, make.extension("2.5.29.21", value))
        for what, value in NO_REASONS.items()
    } | {
        "an invalidity date by UTCTime": entry(SERIAL, NOW - DAY, make.extension("2.5.29.24", utc(NOW - DAY))),
        "an invalidity date that is none": entry(SERIAL, NOW - DAY, make.extension("2.5.29.24", b"")),
        "no extensions in their sequence": encoded(0x30, integer(SERIAL), utc(NOW - DAY), encoded(0x30)),
    }
    lists: dict[str, dict[str, Any]] = {
        "no number": {"extensions": [of(x509.AuthorityKeyIdentifier(b"id", None, None))]},
        "no extensions": {"extensions": []},
        "a critical number": {"extensions": [of(x509.CRLNumber(7), critical=True)]},
        "a negative number": {"extensions": [make.extension("2.5.29.20", integer(-1))]},
        "a number that is none": {"extensions": [make.extension("2.5.29.20", b"\x05\x00")]},
        "a number in no octets": {"extensions": [make.extension("2.5.29.20", b"")]},
        "a number in too many octets": {"extensions": [make.extension("2.5.29.20", b"\x02\x02\x00\x01")]},
        "version 1": {"version": b"", "extensions": []},
        "version 1 with extensions": {"version": b""},
        "nextUpdate before thisUpdate": {"this": NOW + 2 * MINUTE, "until": NOW + MINUTE},
    }
    return {
        **{f"{what}, listed": one("revoked", crl(*others(), body)) for what, body in listed.items()},
        **{f"{what}, listed": one("revoked", crl(*others(), entry(), **o)) for what, o in lists.items()},
        **{f"{what}, others listed": one(MALFORMED, crl(*others(), **o)) for what, o in lists.items()},
    }


def ended_cases() -> dict[str, Case]:
    """The certificate had ended when the list was made."""
    ended = leaf(end=NOW - 2 * HOUR)
    rows = {
        "": one(SCOPE, crl(*others())),
        ", listed": one("revoked", crl(entry())),
        ", listed from tomorrow": one(SCOPE, crl(entry(SERIAL, NOW + DAY))),
        ", stale": one(unknown("stale"), crl(until=NOW - 30 * MINUTE)),
        " later": one("good", crl(this=NOW - 2 * HOUR)),
        " a second ago": one(SCOPE, crl(this=NOW - 2 * HOUR + timedelta(seconds=1))),
        ", kept on the list": one("good", crl(also=[make.kept_from(NOW - DAY)])),
        ", kept on the list from then": one("good", crl(also=[make.kept_from(NOW - 2 * HOUR)])),
        ", kept on the list, critical": one("good", crl(also=[make.kept_from(NOW - DAY, critical=True)])),
        ", later ones kept": one(SCOPE, crl(also=[make.kept_from(NOW - HOUR)])),
        ", kept since no date": one(SCOPE, crl(also=[make.kept_from(b"")])),
        ", kept since a date by UTCTime": one(SCOPE, crl(also=[make.kept_from(utc(NOW - DAY))])),
        ", kept since the 31st of February": one(SCOPE, crl(also=[make.kept_from(b"\x18\x0f20260231000000Z")])),
    }
    return {f"the certificate had ended{what}": replace(case, certificate=ended) for what, case in rows.items()}


def form_cases() -> dict[str, Case]:
    """Signed by the authority, and not DER or not in order: what such a list does not name, it may name after all."""
    name, dates, number = (
        place().ca.name.public_bytes(),
        [utc(NOW - HOUR), utc(NOW + DAY)],
        encoded(0xA0, encoded(0x30, NUMBER)),
    )
    listed, octets = encoded(0x30, entry()), integer(SERIAL)[2:]
    padded = encoded(0x30, b"\x02", bytes([len(octets) + 1]), b"\0", octets, utc(NOW - DAY))
    long_form = encoded(0x30, b"\x02\x81", bytes([len(octets)]), octets, utc(NOW - DAY))
    one_for_true = encoded(0x30, make.oid("1.2.3.4"), b"\x01\x01\x01", b"\x04\x00")
    long = make.long_list()
    lists = {
        "a serial with an octet too many": [*others(), padded],
        "a serial with a long length": [*others(), long_form],
        "an entry with a long length": [b"\x30\x81" + entry()[1:]],
        "an entry of indefinite length": [b"\x30\x80" + entry()[2:] + b"\0\0", *others()],
        "an empty serial": [*others(), encoded(0x30, b"\x02\x00", utc(NOW))],
        "garbage": [b"\xff" * 40],
        "numbers": [integer(3), integer(4)],
        "our number": [integer(SERIAL)],
        "a set": [encoded(0x31, integer(SERIAL), utc(NOW - DAY))],
        "another's entry without a date": [encoded(0x30, integer(5)), *others()],
        "another's entry with a date that is none": [entry(5, encoded(0x17, b"261331000000Z"))],
        "another's entry with one thing more": [encoded(0x30, integer(5), utc(NOW), encoded(0x30), integer(5))],
        "1 for TRUE": [entry(77, NOW - DAY, one_for_true)],
        "FALSE written out": [entry(77, NOW - DAY, encoded(0x30, make.oid("1.2.3.4"), b"\x01\x01\x00\x04\x00"))],
        "many, a serial with an octet too many": [*long, padded],
        "many, a serial with a long length": [*long, long_form],
        "many, garbage": [b"\xff" * 400_000],
        "many, numbers": [integer(3)] * 100_000,
        "many, a set of ours": [*long, encoded(0x31, integer(SERIAL), utc(NOW - DAY))],
    }
    orders = {
        "list behind the extensions": [name, *dates, number, listed],
        "list between the dates": [name, dates[0], listed, dates[1], number],
        "list before the dates": [name, listed, *dates, number],
        "list as a set": [name, *dates, encoded(0x31, entry()), number],
        "list twice": [name, *dates, listed, listed, number],
        "extensions twice": [name, *dates, number, number],
        "three dates": [name, *dates, dates[1], number],
        "no date": [name, number],
        "no name": [*dates, number],
        "another tag": [name, *dates, encoded(0xA1, encoded(0x30, NUMBER))],
    }
    million = encoded(0x30, make.printable("A")[2:] * 1_000_000)
    return {
        "many": one("good", crl(*long)),
        "many, listed": one("revoked", crl(*long, entry(), *others())),
        "many, critical extension of another": one(STRANGER, crl(*long, entry(77, NOW - DAY, STRANGE))),
        "many, our serial inside another's": one(
            "good", crl(*long, entry((SERIAL << 32) | 5), entry((7 << 120) | SERIAL))
        ),
        **{f"listing {what}": one(MALFORMED, crl(*entries)) for what, entries in lists.items()},
        **{f"order: {what}": one(MALFORMED, make.crl_of(*fields)) for what, fields in orders.items()},
        "order: as it should be": one("revoked", make.crl_of(name, *dates, listed, number)),
        # Sizes, before and after the signature is looked at.
        "a name of a million parts": one(MALFORMED, make.crl_of(million, *dates, number)),
        "60 kB of extensions": one("good", crl(also=[make.extension("1.2.3.4", bytes(60_000))])),
        "70 kB of extensions": one(MALFORMED, crl(also=[make.extension("1.2.3.4", bytes(70_000))])),
        "70 kB of algorithm": one(MALFORMED, crl(algorithm=encoded(0x30, make.UNKNOWN_OID, encoded(4, bytes(70_000))))),
        "extensions that cannot be read": one(MALFORMED, crl(also=[b"\x05\x00"])),
        "extensions that cannot be read, of our namesake": one(
            unknown("bad-signature"), crl(extensions=[NUMBER, NUMBER], by=place().namesake)
        ),
        "extensions that cannot be read, listed": one(MALFORMED, crl(entry(), extensions=[NUMBER, NUMBER])),
        "a scope that is none, listed": one(MALFORMED, crl(entry(), also=[make.extension("2.5.29.28", b"", True)])),
        "a key id that is none": one("good", crl(also=[make.extension("2.5.29.35", b"none")])),
        "a delta of no number": one(SCOPE, crl(also=[make.extension("2.5.29.27", b"none", True)])),
    }


def _nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = encoded(0x30, body)
    return body


def _with_usage(expected: State, key_usage: x509.KeyUsage | None = None, *entries: bytes) -> Case:
    ca = party(named("Usage CA"), None, AUTHORITY, *([key_usage] if key_usage else []))
    own = party(named("www.example"), ca, serial=SERIAL)
    return one(expected, crl(*entries, by=ca), certificate=own, issuer=ca)


CRL_CASES = sorted(crl_cases())


@pytest.mark.parametrize("name", CRL_CASES)
def test_crl(name: str) -> None:
    expect(crl_cases()[name])


# -- OCSP ------------------------------------------------------------------------------------------------------------


def heard(expected: State, body: bytes, **options: Any) -> Case:
    return Case(expected, ocsp=(body,), **options)


def by(expected: State, signer: Party, *singles: bytes, sent: Any = None, **options: Any) -> Case:
    """An answer of a delegate, who sends its own certificate unless `sent` says another."""
    crls = options.pop("crls", ())
    body = answer(*singles, by=signer, certificates=[signer] if sent is None else sent, **options)
    return Case(expected, ocsp=(body,), crls=crls)


UNAUTHORISED = unknown("not-authorised")
OTHER = unknown("other-certificate")
NONCE = b"0123456789abcdef"
NONCE_OID = "1.3.6.1.5.5.7.48.1.2"


def nonce(value: bytes = NONCE, critical: bool = False) -> bytes:
    return make.extension(NONCE_OID, encoded(4, value), critical)


def tampered_delegate(responder: Party) -> Party:
    """The same certificate under somebody else's signature."""
    false = party(
        responder.name,
        place().stranger,
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]),
        key=responder.key,
        issuer=place().ca.name,
    )
    return Party(false.certificate, responder.key)


def weakly_signed(responder: Party, by: Party | None = None) -> Party:
    key = (by or place().ca).key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Party(resigned(responder.certificate, key, sha1=True), responder.key)


@cache
def ocsp_cases() -> Mapping[str, Case]:
    here = place()
    ca, root, stranger = here.ca, here.root, here.stranger
    good = delegate()
    number = good.certificate.serial_number
    any_purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING])
    no_check = x509.OCSPNoCheck()
    expired = delegate(begin=NOW - 20 * DAY, end=NOW - DAY)
    early = delegate(begin=NOW + DAY, end=NOW + 20 * DAY)
    other_id = cert_id(SERIAL + 1)
    rows = {
        # what is said
        "good": heard("good", answer()),
        "revoked": heard("revoked", answer(single(revoked()))),
        "revoked, with a reason": heard("revoked", answer(single(revoked(reason=1)))),
        "on hold": heard("revoked", answer(single(revoked(reason=6)))),
        "revoked, for what only a delta CRL may say": heard("revoked", answer(single(revoked(reason=8)))),
        "revoked, for a reason nobody has": heard("revoked", answer(single(revoked(reason=7)))),
        "never issued": heard(
            "revoked",
            answer(
                single(revoked(datetime(1970, 1, 1, tzinfo=UTC), 6)),
                extensions=[make.extension("1.3.6.1.5.5.7.48.1.9", b"\x05\x00")],
            ),
        ),
        "unknown": heard(unknown("unknown-certificate"), answer(single(UNKNOWN))),
        "revoked this second": heard("revoked", answer(single(revoked(NOW)))),
        "revoked in a second": heard("good", answer(single(revoked(NOW + timedelta(seconds=1))))),
        # dates
        "thisUpdate in five minutes": heard("good", answer(single(this=NOW + 5 * MINUTE))),
        "thisUpdate in more": heard(
            unknown("not-yet-valid"), answer(single(this=NOW + timedelta(minutes=5, seconds=1)))
        ),
        "from tomorrow, revoked": heard("revoked", answer(single(revoked(), this=NOW + DAY))),
        "nextUpdate five minutes ago": heard("good", answer(single(until=NOW - 5 * MINUTE))),
        "nextUpdate longer ago": heard(unknown("stale"), answer(single(until=NOW - timedelta(minutes=5, seconds=1)))),
        "stale, revoked": heard(STALE, answer(single(revoked(), this=NOW - 9 * DAY, until=NOW - DAY))),
        "stale, unknown": heard(
            unknown("unknown-certificate"), answer(single(UNKNOWN, this=NOW - 9 * DAY, until=NOW - DAY))
        ),
        "no nextUpdate, 7 days": heard("good", answer(single(this=NOW - 7 * DAY, until=None))),
        "no nextUpdate, 9 days": heard(unknown("stale"), answer(single(this=NOW - 9 * DAY, until=None))),
        "no nextUpdate, 9 days, revoked": heard(STALE, answer(single(revoked(), this=NOW - 9 * DAY, until=None))),
        "nextUpdate before thisUpdate": heard(MALFORMED, answer(single(until=NOW - 2 * HOUR))),
        "produced long ago": heard("good", answer(produced=NOW - 300 * DAY)),
        "produced tomorrow": heard("good", answer(produced=NOW + DAY)),
        "thisUpdate by UTCTime": heard(MALFORMED, answer(single(this=utc(NOW - HOUR)))),
        "fractions of a second": heard(MALFORMED, answer(single(this=encoded(0x18, b"20261123110000.5Z")))),
        # who signed
        "responder by name": heard("good", answer(responder=make.by_name)),
        "responder is somebody else, by key": heard(UNAUTHORISED, answer(responder=make.by_key(stranger))),
        "responder is somebody else, by name": heard(UNAUTHORISED, answer(responder=make.by_name(stranger))),
        "responder is nobody": heard(MALFORMED, answer(responder=b"")),
        "signed by the stranger": heard(UNAUTHORISED, answer(by=stranger)),
        "signed by the stranger, sent along": heard(UNAUTHORISED, answer(by=stranger, certificates=[stranger])),
        "signed by the stranger in our name": heard(
            unknown("bad-signature"), answer(by=stranger, responder=make.by_key(ca))
        ),
        "signed by our namesake": heard(unknown("bad-signature"), answer(by=here.namesake, responder=make.by_name)),
        "signed by our namesake, sent along": heard(
            UNAUTHORISED, answer(by=here.namesake, responder=make.by_name, certificates=[here.namesake])
        ),
        "signed by the leaf": heard(UNAUTHORISED, answer(by=here.leaf, certificates=[here.leaf])),
        "signed by the root": heard(UNAUTHORISED, answer(by=root, certificates=[root])),
        "SHA-1": heard(WEAK, answer(algorithm=ECDSA_SHA1)),
        "SHA-1, revoked": heard(WEAK, answer(single(revoked()), algorithm=ECDSA_SHA1)),
        "an algorithm nobody knows": heard(unknown("bad-signature"), answer(algorithm=encoded(0x30, make.UNKNOWN_OID))),
        "an RSA algorithm for an EC key": heard(unknown("bad-signature"), answer(algorithm=make.RSA_SHA256)),
        "revoked made good": heard(
            unknown("bad-signature"), _made_good(answer(single(revoked(datetime(2026, 11, 21, tzinfo=UTC)))))
        ),
        "the issuer sends itself along": heard("good", answer(certificates=[ca, root])),
        # delegates
        "delegate": by("good", good),
        "delegate by name": by("good", good, responder=make.by_name),
        "delegate, revoked": by("revoked", good, single(revoked())),
        "delegate with no check": by("good", delegate(None, no_check)),
        "delegate not sent along": by(UNAUTHORISED, good, sent=[]),
        "another sent along": by(UNAUTHORISED, good, sent=[delegate()]),
        "delegate second of two": by("good", good, sent=[stranger, good]),
        "delegate ninth": by(UNAUTHORISED, good, sent=[stranger] * 8 + [good]),
        "delegate without the purpose": by(UNAUTHORISED, delegate(eku=False)),
        "delegate for any purpose": by(UNAUTHORISED, delegate(None, any_purpose, eku=False)),
        "delegate for servers": by(UNAUTHORISED, delegate(None, server, eku=False)),
        "delegate for both": by("good", delegate(None, both, eku=False)),
        "delegate that may sign": by("good", delegate(None, usage(digital_signature=True))),
        "delegate that may not sign": by(UNAUTHORISED, delegate(None, usage(key_encipherment=True))),
        "delegate of the root": by(UNAUTHORISED, delegate(root)),
        "delegate of the stranger": by(UNAUTHORISED, delegate(stranger)),
        "delegate of the stranger in our name": by(UNAUTHORISED, tampered_delegate(good)),
        "delegate of a delegate": by(UNAUTHORISED, *_chained(good)),
        "delegate weakly signed": by(WEAK, weakly_signed(good)),
        "delegate with an unknown critical extension": by(
            STRANGER, delegate(None, x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b""), critical=True)
        ),
        "delegate expired": by(UNAUTHORISED, expired),
        "delegate expired five minutes ago": by("good", delegate(end=NOW - 5 * MINUTE)),
        "delegate expired, revoked while valid": by("revoked", expired, single(revoked()), produced=NOW - 2 * DAY),
        "delegate expired, revoked after": by(UNAUTHORISED, expired, single(revoked())),
        "delegate expired, good while valid": by(UNAUTHORISED, expired, produced=NOW - 2 * DAY),
        "delegate expired, revoked tomorrow": by(
            UNAUTHORISED, expired, single(revoked(NOW + DAY)), produced=NOW - 2 * DAY
        ),
        "delegate not yet valid": by(UNAUTHORISED, early),
        "delegate valid in five minutes": by("good", delegate(begin=NOW + 5 * MINUTE, end=NOW + DAY)),
        "delegate not yet valid, revoked": by(UNAUTHORISED, early, single(revoked())),
        "delegate revoked by CRL": by(
            UNAUTHORISED, good, crls=(crl(entry(number), also=[scope(url("http://c.example/two.crl"))]),)
        ),
        "delegate revoked by CRL, revoked": by(
            UNAUTHORISED, good, single(revoked()), crls=(crl(entry(number), extensions=[NUMBER, scope(cas=True)]),)
        ),
        "delegate revoked tomorrow": by("good", good, crls=(crl(entry(number, NOW + DAY)),)),
        "delegate revoked by a CRL of the stranger": by("good", good, crls=(crl(entry(number), by=stranger),)),
        "delegate not on the CRL": by("good", good, crls=(crl(),)),
        "answer tampered with, of a delegate": heard(
            unknown("bad-signature"),
            _made_good(answer(single(revoked(datetime(2026, 11, 21, tzinfo=UTC))), by=good, certificates=[good])),
        ),
        # of whom
        "CertID by SHA-256": heard("good", answer(single(id=cert_id(digest="sha256")))),
        "CertID by SHA-384": heard("good", answer(single(id=cert_id(digest="sha384")))),
        "CertID by SHA-512": heard("good", answer(single(id=cert_id(digest="sha512")))),
        "CertID by SHA-224": heard(OTHER, answer(single(id=cert_id(digest="sha224")))),
        "CertID by MD5": heard(OTHER, answer(single(id=cert_id(digest="md5")))),
        "another serial": heard(OTHER, answer(single(id=other_id))),
        "another serial, revoked": heard(OTHER, answer(single(revoked(), id=other_id))),
        "the negative of our serial": heard(OTHER, answer(single(id=cert_id(-SERIAL)))),
        "another issuer": heard(OTHER, answer(single(id=cert_id(issuer=root)))),
        "another issuer's key": heard(OTHER, answer(single(id=cert_id(key=b"another")))),
        "another issuer's name": heard(OTHER, answer(single(id=cert_id(name=b"another")))),
        "another issuer's key, revoked": heard(OTHER, answer(single(revoked(), id=cert_id(key=b"another")))),
        "ours second": heard("good", answer(single(revoked(), id=other_id), single())),
        "ours second, revoked": heard("revoked", answer(single(id=other_id), single(revoked()))),
        "ours of three, by another digest": heard(
            "revoked", answer(single(id=other_id), single(revoked(), id=cert_id(digest="sha256")), single(id=other_id))
        ),
        "ours beside itself by MD5": heard("good", answer(single(revoked(), id=cert_id(digest="md5")), single())),
        "five thousand others": heard(MALFORMED, answer(single(), *[single(id=other_id)] * 5000)),
        "good and revoked in one": heard("revoked", answer(single(), single(revoked()))),
        "revoked and good in one": heard("revoked", answer(single(revoked()), single())),
        "good and unknown in one": heard("good", answer(single(UNKNOWN), single())),
        "stale and fresh in one": heard("good", answer(single(this=NOW - 9 * DAY, until=NOW - DAY), single())),
        "about nobody": heard(OTHER, answer(_no_singles())),
        # extensions
        "unknown extension": heard("good", answer(extensions=[make.extension("1.2.3.4", b"")])),
        "unknown critical extension": heard(STRANGER, answer(extensions=[STRANGE])),
        "unknown critical extension, revoked": heard(STRANGER, answer(single(revoked()), extensions=[STRANGE])),
        "unknown extension of ours": heard("good", answer(single(extensions=[make.extension("1.2.3.4", b"")]))),
        "unknown critical extension of ours": heard(STRANGER, answer(single(extensions=[STRANGE]))),
        "unknown critical extension of ours, revoked": heard(STRANGER, answer(single(revoked(), extensions=[STRANGE]))),
        "unknown critical extension of another": heard(
            "good", answer(single(id=other_id, extensions=[STRANGE]), single())
        ),
        "timestamps, archive cut-off, CRL reference": heard(
            "good",
            answer(
                single(
                    extensions=[
                        make.extension("1.3.6.1.4.1.11129.2.4.5", b"\x04\x00"),
                        make.extension("1.3.6.1.5.5.7.48.1.6", make.general(NOW - DAY), critical=True),
                        make.extension("1.3.6.1.5.5.7.48.1.3", b"\x30\x00"),
                    ]
                )
            ),
        ),
        "one extension twice": heard(MALFORMED, answer(extensions=[nonce(), nonce()])),
        "an extension that is none": heard(MALFORMED, answer(extensions=[encoded(0x30, make.oid("1.2.3.4"))])),
        # nonces
        "nonce": heard("good", answer(extensions=[nonce()]), nonce=NONCE),
        "critical nonce": heard("good", answer(extensions=[nonce(critical=True)]), nonce=NONCE),
        "nonce nobody sent": heard("good", answer(extensions=[nonce()])),
        "no nonce": heard(unknown("wrong-nonce"), answer(), nonce=NONCE),
        "another nonce": heard(unknown("wrong-nonce"), answer(extensions=[nonce(b"x" * 16)]), nonce=NONCE),
        "a longer nonce": heard(unknown("wrong-nonce"), answer(extensions=[nonce(NONCE + b"x")]), nonce=NONCE),
        "an empty nonce": heard(unknown("wrong-nonce"), answer(extensions=[nonce(b"")]), nonce=NONCE),
        "a nonce in our single only": heard(unknown("wrong-nonce"), answer(single(extensions=[nonce()])), nonce=NONCE),
        # errors
        "malformedRequest": heard(unknown("refused"), make.refusal(1)),
        "internalError": heard(unknown("refused"), make.refusal(2)),
        "tryLater": heard(unknown("refused"), make.refusal(3)),
        "status 4": heard(MALFORMED, make.refusal(4)),
        "sigRequired": heard(unknown("refused"), make.refusal(5)),
        "unauthorized": heard(unknown("refused"), make.refusal(6)),
        "status 99": heard(MALFORMED, make.refusal(99)),
        "successful and empty": heard(MALFORMED, make.refusal(0)),
        # form
        "another type of response": heard(MALFORMED, answer(kind="1.2.3.4")),
        "version 2": heard(MALFORMED, answer(version=encoded(0xA0, b"\x02\x01\x01"))),
        "version 1 written out": heard(MALFORMED, answer(version=encoded(0xA0, b"\x02\x01\x00"))),
        "a trailing octet": heard(MALFORMED, answer(after=b"\0")),
        "a trailing octet inside": heard(MALFORMED, make.successful(_basic() + b"\0")),
        "nothing": heard(MALFORMED, b""),
        "a web page": heard(MALFORMED, b"<html><body>Access denied</body></html>"),
        "indefinite length": heard(MALFORMED, b"\x30\x80" + answer()[4:] + b"\0\0"),
        "a length of four gigabytes": heard(MALFORMED, b"\x30\x84\xff\xff\xff\xff" + answer()[4:]),
        "nested sequences": heard(MALFORMED, _nested(1000)),
        "a CRL": heard(MALFORMED, crl()),
        "a certificate that is none sent along": heard(MALFORMED, answer(certificates=[encoded(0x30)])),
        # and the rest
        "our issuer did not sign the certificate": heard(unknown("wrong-issuer"), answer(), issuer=here.namesake),
        "one bad, one good": Case("good", ocsp=(b"junk", answer())),
        "good CRL, unknown OCSP": Case("good", crls=(crl(),), ocsp=(answer(single(UNKNOWN)),)),
        "good CRL, revoked OCSP": Case("revoked", crls=(crl(),), ocsp=(answer(single(revoked())),)),
        "revoked CRL, good OCSP": Case("revoked", crls=(crl(entry()),), ocsp=(answer(),)),
        "stale revoked CRL, good OCSP": Case(STALE, crls=(crl(entry(), until=NOW - HOUR),), ocsp=(answer(),)),
        "stale and fresh revoked": Case(
            "revoked", crls=(crl(entry(), until=NOW - HOUR),), ocsp=(answer(single(revoked())),)
        ),
        "forged revoked CRL, good OCSP": Case("good", crls=(crl(entry(), by=here.namesake),), ocsp=(answer(),)),
        "stale CRL, refused OCSP": Case(unknown("stale"), crls=(crl(until=NOW - HOUR),), ocsp=(make.refusal(3),)),
        "revoked in one response, good in another": Case("revoked", ocsp=(answer(), answer(single(revoked())))),
    }
    return {**rows, **more_of_delegates(good), **ended_answers(), **large_answers()}


def more_of_delegates(good: Party) -> dict[str, Case]:
    """Of whom the authority says something itself; and those with more than one certificate."""
    ca, number = place().ca, good.certificate.serial_number
    theirs = answer(by=good, certificates=[good])
    loss, later = (answer(single(revoked(date), id=cert_id(number))) for date in (NOW - DAY, NOW + DAY))
    second = delegate()
    key = ec.generate_private_key(ec.SECP256R1())
    old, new = delegate(key=key, begin=NOW - 20 * DAY, end=NOW - DAY), delegate(key=key)
    unfit = delegate(key=key, eku=False, end=NOW + 300 * DAY)
    printed = encoded(0xA1, make.printable("Issuing CA"))

    def sent(*certificates: Party) -> bytes:
        return answer(by=new, certificates=certificates)

    return {
        "delegate revoked by OCSP": Case(UNAUTHORISED, ocsp=(theirs, loss)),
        "delegate revoked by OCSP, told first": Case(UNAUTHORISED, ocsp=(loss, theirs)),
        "delegate revoked by OCSP, and CRL good": Case("good", ocsp=(theirs, loss), crls=(crl(),)),
        "delegate revoked by OCSP tomorrow": Case("good", ocsp=(theirs, later)),
        "delegate revoked by OCSP of the stranger": Case(
            "good", ocsp=(theirs, answer(single(revoked(), id=cert_id(number)), by=place().stranger))
        ),
        "delegate revoked by OCSP of our namesake": Case(
            "good", ocsp=(theirs, answer(single(revoked(), id=cert_id(number)), by=place().namesake))
        ),
        "delegate revoked by its own word": by("good", good, single(), single(revoked(), id=cert_id(number))),
        "delegate revoked by another's word": Case(
            "good", ocsp=(theirs, answer(single(revoked(), id=cert_id(number)), by=second, certificates=[second]))
        ),
        "delegate good by OCSP": Case("good", ocsp=(theirs, answer(single(id=cert_id(number))))),
        "delegate revoked by OCSP, saying revoked": Case(
            UNAUTHORISED, ocsp=(answer(single(revoked()), by=good, certificates=[good]), loss)
        ),
        "two of one key, the old first": heard("good", sent(old, new)),
        "two of one key, the old last": heard("good", sent(new, old)),
        "two of one key, one without the purpose": heard("good", sent(unfit, new)),
        "two of one key, the other without the purpose": heard("good", sent(new, unfit)),
        "two of one key, none fit": heard(UNAUTHORISED, sent(unfit, unfit)),
        "two of one key, both old": heard(UNAUTHORISED, sent(old, old)),
        "responder by name in another type": heard("good", answer(responder=printed)),
        "responder by name in another type, revoked": heard("revoked", answer(single(revoked()), responder=printed)),
        "responder by name in another type, our namesake": heard(
            unknown("bad-signature"), answer(by=place().namesake, responder=printed)
        ),
        "responder by a name that is none": heard(MALFORMED, answer(responder=encoded(0xA1, b"\x05\x00"))),
        "responder by no name": heard(UNAUTHORISED, answer(responder=encoded(0xA1, encoded(0x30)))),
        "responder by a name of 20 kB": heard(
            UNAUTHORISED, answer(responder=encoded(0xA1, encoded(0x30, make.printable("A")[2:] * 2_000)))
        ),
        "nextUpdate before thisUpdate, revoked": heard(
            "revoked", answer(single(revoked(), this=NOW + 2 * MINUTE, until=NOW + MINUTE))
        ),
        "an algorithm nobody knows, of nobody": heard(
            UNAUTHORISED, answer(algorithm=encoded(0x30, make.UNKNOWN_OID), responder=make.by_key(place().stranger))
        ),
        "the issuer's own key in another certificate": heard("good", answer(certificates=[ca])),
    }


def ended_answers() -> dict[str, Case]:
    """The certificate had ended when the answer was made."""
    ended = leaf(end=NOW - 2 * HOUR)
    rows = {
        "": heard(SCOPE, answer()),
        ", revoked": heard("revoked", answer(single(revoked()))),
        ", revoked tomorrow": heard(SCOPE, answer(single(revoked(NOW + DAY)))),
        ", unknown": heard(unknown("unknown-certificate"), answer(single(UNKNOWN))),
        " later": heard("good", answer(single(this=NOW - 2 * HOUR))),
        ", archived": heard("good", answer(single(extensions=[make.cutoff(NOW - DAY)]))),
        ", archived from then": heard("good", answer(single(extensions=[make.cutoff(NOW - 2 * HOUR)]))),
        ", archived from later": heard(SCOPE, answer(single(extensions=[make.cutoff(NOW - HOUR)]))),
        ", archived since no date": heard(SCOPE, answer(single(extensions=[make.cutoff(b"\x05\x00")]))),
    }
    return {f"the certificate had ended{what}": replace(case, certificate=ended) for what, case in rows.items()}


def large_answers() -> dict[str, Case]:
    large = delegate(None, x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(20_000)))
    return {
        "a megabyte, not quite": heard("good", answer(extensions=[make.extension("1.2.3.4", bytes(1_000_000))])),
        "more than a megabyte": heard(MALFORMED, answer(extensions=[make.extension("1.2.3.4", bytes(1 << 20))])),
        "delegate of 20 kB": by(UNAUTHORISED, large),
        "four thousand of ours": heard("revoked", answer(*[single()] * 4000, single(revoked()))),
        "a certificate of more than a megabyte": heard(
            MALFORMED,
            answer(),
            certificate=leaf(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(1 << 20))),
        ),
    }


def _no_singles() -> bytes:
    return b""


def _basic() -> bytes:
    """The BasicOCSPResponse of a good answer."""
    body = answer()
    outer = list(elements(body, 4, len(body)))[1]
    inner = next(iter(elements(body, outer.begin, outer.end)))
    octets = list(elements(body, inner.begin, inner.end))[1]
    return body[octets.begin : octets.end]


def _made_good(body: bytes) -> bytes:
    """As if it were revoked in ten years only, which is not yet."""
    status = revoked(datetime(2026, 11, 21, tzinfo=UTC))
    return tampered(body, status, encoded(0xA1, make.general(datetime(2036, 11, 21, tzinfo=UTC))))


def _chained(first: Party) -> tuple[Party]:
    second = party(named("Second"), first, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]))
    return (second,)


OCSP_CASES = sorted(ocsp_cases())


@pytest.mark.parametrize("name", OCSP_CASES)
def test_ocsp(name: str) -> None:
    expect(ocsp_cases()[name])


# -- what no row can list --------------------------------------------------------------------------------------------


def objects() -> dict[str, tuple[str, bytes]]:
    """Good ones that are worth mutilating: kind and DER."""
    responder = delegate()
    return {
        "CRL": ("crls", crl(*others(), entry(1, NOW - DAY, because(Named.superseded)), also=[scope(url())])),
        "OCSP": ("ocsp", answer(single(id=cert_id(SERIAL + 1)), single(), extensions=[nonce()])),
        "delegated OCSP": ("ocsp", answer(by=responder, certificates=[responder])),
    }


OBJECTS = ("CRL", "OCSP", "delegated OCSP")
whole = cache(objects)


def judged(name: str, body: bytes) -> RevocationStatus:
    kind, _ = whole()[name]
    given: dict[str, Any] = {kind: (body,)}
    return check_revocation(place().leaf.der, place().ca.der, at=NOW, **given)


def expect_unknown(name: str, body: bytes) -> None:
    found = judged(name, body)
    assert found.state is Revocation.UNKNOWN
    assert found.reason is not None


@pytest.mark.parametrize("name", OBJECTS)
def test_whole(name: str) -> None:
    assert judged(name, whole()[name][1]).state is Revocation.GOOD


@pytest.mark.parametrize("sixteenth", range(16))
@pytest.mark.parametrize("name", OBJECTS)
def test_truncated(name: str, sixteenth: int) -> None:
    body = whole()[name][1]
    expect_unknown(name, body[: len(body) * sixteenth // 16])


@pytest.mark.parametrize("name", OBJECTS)
def test_a_flipped_bit_anywhere(name: str) -> None:
    """One bit of each octet, except where it does not matter: on a certificate sent along that did not sign."""
    body = whole()[name][1]
    for i in range(len(body)):
        flipped = bytearray(body)
        flipped[i] ^= 1 << i % 8
        expect_unknown(name, bytes(flipped))


def mutations(body: bytes) -> st.SearchStrategy[bytes]:
    """Octets replaced, cut out, doubled or moved."""
    places = st.integers(0, len(body))
    patches = st.lists(st.tuples(places, st.binary(max_size=4)), min_size=1, max_size=4)
    cuts = st.tuples(places, places, places)
    return st.one_of(patches.map(lambda p: _patched(body, p)), cuts.map(lambda c: _spliced(body, *c)))


def _patched(body: bytes, patches: list[tuple[int, bytes]]) -> bytes:
    for where, octets in patches:
        body = body[:where] + octets + body[where + len(octets) :]
    return body


def _spliced(body: bytes, begin: int, end: int, to: int) -> bytes:
    piece = body[min(begin, end) : max(begin, end)]
    return body[:to] + piece + body[to:] if begin < end else body[: min(begin, end)] + body[max(begin, end) :]


@pytest.mark.parametrize("name", OBJECTS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutations_prove_nothing(name: str, data: st.DataObject) -> None:
    body = whole()[name][1]
    mutated = data.draw(mutations(body))
    if mutated != body:
        expect_unknown(name, mutated)


def resigned_whole(data: bytes, key: make.Key) -> bytes:
    """The first element of something signed, signed again."""
    return make.signed(data, key, make.algorithm_of(key))


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_whatever_the_authority_signs(data: st.DataObject) -> None:
    """It may sign nonsense; nothing raises, and nothing but a state comes out."""
    body = crl(*others(2), entry(SERIAL, NOW - DAY, because(Named.superseded)), also=[scope(url())])
    [outer] = elements(body, 0, len(body))
    tbs = next(elements(body, outer.begin, outer.end))
    mutated = data.draw(mutations(body[tbs.start : tbs.end]))
    signed = resigned_whole(mutated, place().ca.key)
    for at in (NOW, NOW - 3 * DAY):
        found = check_revocation(place().leaf.der, place().ca.der, at=at, crls=(signed,), ocsp=(_mutated_answer(data),))
        assert found.sentence


def _mutated_answer(data: st.DataObject) -> bytes:
    return answer(data.draw(mutations(single(revoked(reason=1), extensions=[nonce()]))))


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=300))
def test_noise(body: bytes) -> None:
    for name in OBJECTS[:2]:
        expect_unknown(name, body)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_broken_certificates_prove_nothing(data: st.DataObject) -> None:
    """And raise nothing: a certificate that is not whole is unreadable, or not signed by its issuer."""
    leaf_, ca = place().leaf.der, place().ca.der
    mutated = data.draw(mutations(leaf_))
    if mutated != leaf_:
        found = check_revocation(mutated, ca, at=NOW, crls=(crl(entry()),), ocsp=(answer(),))
        assert found.state is Revocation.UNKNOWN
        assert found.reason in (Reason.MALFORMED, Reason.WRONG_ISSUER)
    assert check_revocation(leaf_, mutated, at=NOW, crls=(crl(),)).state is not Revocation.REVOKED


# -- how it is called ------------------------------------------------------------------------------------------------


def closed_map() -> mmap.mmap:
    found = mmap.mmap(-1, 8)
    found.close()
    return found


def released_view() -> memoryview:
    found = memoryview(b"released")
    found.release()
    return found


MISUSES: dict[str, dict[str, Any]] = {
    "a time without a zone": {"at": datetime(2026, 11, 23)},  # noqa: DTZ001 - that is the point
    "a time as text": {"at": "2026-11-23T12:00:00Z"},
    "a time as a number": {"at": 1_795_000_000},
    "a date": {"at": NOW.date()},
    "no time": {"at": None},
    **{
        f"{kind}: {what}": {kind: value}
        for kind in ("crls", "ocsp")
        for what, value in {
            "None": None,
            "text": "list.crl",
            "a path": Path("list.crl"),
            "a number": 5,
            "one object": b"\x30\x00",
            "one view": memoryview(b"\x30\x00"),
            "one array": bytearray(b"\x30\x00"),
            "one map": mmap.mmap(-1, 8),
            "list of text": ["list.crl"],
            "list of numbers": [48, 0],
            "list of paths": [Path("list.crl")],
            "list of None": [None],
            "list with one of them": [b"", None],
            "a closed map": [closed_map()],
            "a released view": [released_view()],
        }.items()
    },
    **{
        f"{kind}: {what}": {kind: value}
        for kind in ("certificate", "issuer", "nonce")
        for what, value in {
            "text": "abc",
            "a number": 5,
            "a list": [b"abc"],
            "a closed map": closed_map(),
            "a released view": released_view(),
        }.items()
    },
    "certificate: None": {"certificate": None},
    "issuer: an object": {"issuer": place().ca.certificate},
}


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_misuse(misuse: dict[str, Any]) -> None:
    given_: dict[str, Any] = {"certificate": place().leaf.der, "issuer": place().ca.der, "at": NOW, **misuse}
    certificate, issuer = given_.pop("certificate"), given_.pop("issuer")
    with pytest.raises(UsageError) as caught:
        check_revocation(certificate, issuer, **given_)
    [name] = misuse
    assert ("time" if name == "at" else name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_zone_will_do() -> None:
    there = (NOW + 5 * MINUTE).astimezone(timezone(timedelta(hours=-9)))
    body = crl(until=NOW)
    assert Case("good", crls=(body,), at=there).status().state is Revocation.GOOD
    assert said(Case("", crls=(body,), at=there + timedelta(seconds=1)).status()) == unknown("stale")


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)], ids=str)
def test_the_ends_of_time(moment: datetime) -> None:
    for body in (crl(), crl(until=None), crl(entry())):
        Case("", crls=(body,), at=moment).status()
    Case("", ocsp=(answer(),), at=moment).status()


def mapped(octets: bytes) -> mmap.mmap:
    found = mmap.mmap(-1, len(octets))
    found.write(octets)
    return found


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, mapped])
def test_buffers(kind: Callable[[bytes], Any]) -> None:
    leaf_, ca, gone = kind(place().leaf.der), kind(place().ca.der), single(revoked())
    assert check_revocation(leaf_, ca, at=NOW, crls=[kind(crl(entry()))]).state is Revocation.REVOKED
    told = [kind(answer(gone, extensions=[nonce()]))]
    assert check_revocation(leaf_, ca, at=NOW, ocsp=told, nonce=kind(NONCE)).state is Revocation.REVOKED


def test_whatever_can_be_gone_through() -> None:
    leaf_, ca = place().leaf.der, place().ca.der
    for many in (tuple, list, set, iter, lambda bodies: (body for body in bodies)):
        assert check_revocation(leaf_, ca, at=NOW, crls=many([crl(entry())])).state is Revocation.REVOKED
        assert check_revocation(leaf_, ca, at=NOW, ocsp=many([answer()])).state is Revocation.GOOD


def test_a_mapped_file(tmp_path: Path) -> None:
    path = tmp_path / "list.crl"
    path.write_bytes(crl(*others(1000), entry()))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        found = check_revocation(place().leaf.der, place().ca.der, at=NOW, crls=[body])
        assert found.state is Revocation.REVOKED
    # Nothing holds on to it; and a list that was opened and then closed is as good as nothing.
    assert Crl(body).issuer_der is None


def test_the_last_moment() -> None:
    """Which is later than any date that a certificate can bear."""
    last = datetime.max.replace(tzinfo=UTC)
    assert said(one("", crl(), at=last).status()) == unknown("stale")
    assert said(one("", crl(entry()), at=last).status()) == STALE
    assert said(heard("", answer(single(revoked())), at=last).status()) == STALE
    assert said(one("", crl(algorithm=ECDSA_SHA1), at=last).status()) == WEAK


def test_a_certificate_whose_dates_nobody_can_read_has_not_ended() -> None:
    whole_ = place().leaf.der
    broken = Certificate(tampered(whole_, utc(NOW + 30 * DAY), encoded(0x17, b"not a date at"[:13])))
    assert broken.handle is None
    assert not outlived(NOW, broken, None)
    assert outlived(NOW, Certificate(leaf(end=NOW - DAY).der), None)


def test_one_hash_for_four_thousand_answers() -> None:
    """And for certificates of which only the answers differ: what names the issuer is hashed once."""
    before = _issuer_hashes.cache_info().misses
    ca = party(named("Hashed CA"), None, AUTHORITY, CA_USAGE)
    own = party(named("www.example"), ca, serial=SERIAL)
    body = answer(*[single(id=cert_id(issuer=ca))] * 4000, by=ca)
    assert heard("good", body, certificate=own, issuer=ca).status().state is Revocation.GOOD
    assert _issuer_hashes.cache_info().misses == before + 1


def test_a_delegate_is_looked_up_once() -> None:
    """However often it answers; and what does not name it is not read for it."""
    responder = delegate()
    body = answer(*[single()] * 1000, by=responder, certificates=[responder])
    leaf_, ca = Certificate(place().leaf.der), Certificate(place().ca.der)
    found = answers(leaf_, ca, (), [body, answer()])
    assert len(found) == 1001
    assert len({id(each.of_delegate) for each in found if each.delegate}) == 1


def test_a_staple_speaks_of_a_delegate_too() -> None:
    responder = delegate()
    loss = answer(single(revoked(), id=cert_id(responder.certificate.serial_number)))
    leaf_, ca = Certificate(place().leaf.der), Certificate(place().ca.der)
    theirs = answer(by=responder, certificates=[responder])
    assert said(status(leaf_, answers(leaf_, ca, (), [theirs], [loss]), NOW)) == UNAUTHORISED
    assert said(status(leaf_, answers(leaf_, ca, (), [loss], [theirs]), NOW)) == UNAUTHORISED


def test_the_order_of_sources() -> None:
    """A staple is quoted before a CRL, that before an answer fetched."""
    leaf_, ca = Certificate(place().leaf.der), Certificate(place().ca.der)
    given = [Crl(crl())], [answer()], [answer()]
    assert status(leaf_, answers(leaf_, ca, *given), NOW).source == "staple"
    assert status(leaf_, answers(leaf_, ca, *given[:2]), NOW).source == "crl"
    assert status(leaf_, answers(leaf_, ca, (), given[1]), NOW).source == "ocsp"
    assert status(leaf_, answers(leaf_, ca, (), given[1], [b"junk"]), NOW).source == "ocsp"


def test_every_reason_has_its_rank_and_its_words() -> None:
    assert sorted(TELLING) == sorted(Reason)
    leaf_ = Certificate(place().leaf.der)
    nothing = (*list(TELLING)[-6:], Reason.MALFORMED, Reason.WRONG_ISSUER)
    for reason in nothing:
        found = status(leaf_, [Answer("", reason)], NOW)
        assert said(found) == unknown(reason.value)
    assert status(leaf_, [Answer("", Reason.UNREACHABLE), Answer("crl", Reason.STALE)], NOW).reason is Reason.STALE


def test_an_empty_staple_is_none() -> None:
    leaf_, ca = Certificate(place().leaf.der), Certificate(place().ca.der)
    assert answers(leaf_, ca, staples=[b""]) == ()


def test_sentences() -> None:
    good = Case("good", crls=(crl(),)).status()
    assert good.sentence == 'not revoked: CRL of "Issuing CA" of 2026-11-23 11:00Z, good until 2026-12-02 12:00Z'
    gone = Case("", crls=(crl(entry(SERIAL, NOW - 3 * DAY, because(Named.key_compromise))),)).status()
    assert gone.sentence == 'revoked on 2026-11-20 (keyCompromise) by the CRL of "Issuing CA"'
    assert (gone.cause, gone.serial, gone.subject) == ("keyCompromise", "4a5b6c7d8e9fa0b1c2d3e4f5061728", "www.example")
    assert "tryLater" in Case("", ocsp=(make.refusal(3),)).status().sentence


FAULTS = {
    "is of version 1, which knows no numbers": {"crls": [crl(version=b"", extensions=[])]},
    "has no number": {"crls": [crl(extensions=[])]},
    "has a critical number": {"crls": [crl(extensions=[of(x509.CRLNumber(7), critical=True)])]},
    "has a number that is none": {"crls": [crl(extensions=[make.extension("2.5.29.20", integer(-1))])]},
    "ends before it begins": {"crls": [crl(until=NOW - 2 * HOUR)]},
    "has extensions that cannot be read": {"crls": [crl(extensions=[NUMBER, NUMBER])]},
    "lists what cannot be read": {"crls": [crl(listed=encoded(0x30, b"\xff" * 40))]},
    "is signed in a way not known here": {"crls": [crl(algorithm=encoded(0x30, make.UNKNOWN_OID))]},
    "does not cover this certificate": {"crls": [crl(also=[scope(cas=True)])]},
    "rests on SHA-1 or MD5, which proves nothing": {"crls": [crl(extensions=[], algorithm=ECDSA_SHA1)]},
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_list_that_was_read_is_not_called_unreadable(words: str) -> None:
    found = check_revocation(place().leaf.der, place().ca.der, at=NOW, crls=FAULTS[words]["crls"])
    assert found.sentence == f'not known whether it is revoked: the CRL of "Issuing CA" {words}'


def test_the_words_for_an_answer() -> None:
    of_whom = 'not known whether it is revoked: the OCSP answer of "Issuing CA"'
    ended, weak = leaf(end=NOW - 2 * HOUR), weakly_signed(delegate())
    for case, words in (
        (heard("", answer(single(until=NOW - 2 * HOUR))), "ends before it begins"),
        (heard("", answer(algorithm=encoded(0x30, make.UNKNOWN_OID))), "is signed in a way not known here"),
        (heard("", answer(extensions=[make.extension("1.2.3.4", bytes(1 << 20))])), "is too large to be read"),
        (
            heard("", answer(), certificate=ended),
            "was made after the certificate had ended, and lists such no more",
        ),
        (heard("", answer(by=weak, certificates=[weak])), "rests on SHA-1 or MD5, which proves nothing"),
        (heard("", answer(algorithm=ECDSA_SHA1)), "rests on SHA-1 or MD5, which proves nothing"),
    ):
        assert case.status().sentence == f"{of_whom} {words}"


def test_a_reason_that_is_none_is_no_cause() -> None:
    for value in NO_REASONS.values():
        found = one("", crl(entry(SERIAL, NOW - DAY, make.extension("2.5.29.21", value)))).status()
        assert (found.state, found.cause) == (Revocation.REVOKED, "")


@pytest.mark.parametrize("reason", [each for each in Named if each is not Named.remove_from_crl])
def test_every_cause_by_its_name(reason: Named) -> None:
    assert one("", crl(entry(SERIAL, NOW - DAY, because(reason)))).status().cause == reason.value


def test_hostile_names_are_made_harmless() -> None:
    ca = party(named("\x1b[31mCA\u202e"), None, AUTHORITY, CA_USAGE)
    own = party(named("\x1b]0;owned\x07"), ca, serial=SERIAL)
    for body in (crl(by=ca), crl(entry(), by=ca), crl(by=ca, until=NOW - HOUR), b""):
        found = check_revocation(own.der, ca.der, at=NOW, crls=[body])
        assert (found.sentence + found.subject).isprintable()


def test_an_answer_says_what_the_clock_may_rest_on() -> None:
    """A signed object existed when it was made, stale or out of scope; one that is weakly signed proves nothing."""
    leaf_, ca = Certificate(place().leaf.der), Certificate(place().ca.der)
    for body in (crl(), crl(until=NOW - 3 * DAY, this=NOW - 4 * DAY), crl(also=[scope(cas=True)]), crl(also=[STRANGE])):
        [found] = answers(leaf_, ca, [Crl(body)])
        assert found.authentic
        assert found.this_update is not None
    for body in (crl(by=place().namesake), crl(algorithm=ECDSA_SHA1), b""):
        [found] = answers(leaf_, ca, [Crl(body)])
        assert not found.authentic
    [found] = answers(leaf_, ca, (), [answer(produced=NOW - 2 * HOUR)])
    assert (found.authentic, found.produced_at) == (True, NOW - 2 * HOUR)
    [found] = answers(leaf_, ca, (), [answer(by=place().stranger)])
    assert not found.authentic


# -- SHA-1 is a question of time --------------------------------------------------------------------------------------

SUMMER_2016, LAST_SECOND, END = utc_of(2016, 6, 1), utc_of(2016, 12, 31, 23, 59, 59), utc_of(2017, 1, 1)


@cache
def sha1_cases() -> Mapping[str, tuple[State, Case]]:
    """What is signed with SHA-1 says in the summer of 2016, where SHA-256 says the same; and at no time since 2017."""
    ca = party(named("Old CA"), None, AUTHORITY, CA_USAGE, begin=SUMMER_2016 - 30 * DAY)
    own = party(named("www.example"), ca, serial=SERIAL, begin=SUMMER_2016 - 30 * DAY)
    responder = delegate(ca, begin=SUMMER_2016 - 30 * DAY, end=SUMMER_2016 + 30 * DAY)
    weak_responder = weakly_signed(responder, ca)
    early, late = SUMMER_2016 - DAY, SUMMER_2016 + DAY
    gone = entry(SERIAL, early)

    def listing(*entries: bytes, until: datetime = late, **options: Any) -> dict[str, Any]:
        return {"crls": (crl(*entries, by=ca, this=early, until=until, algorithm=ECDSA_SHA1, **options),)}

    def saying(status_: bytes = make.GOOD, until: datetime = late, **options: Any) -> dict[str, Any]:
        one_ = single(status_, id=cert_id(issuer=ca), this=early, until=until)
        return {"ocsp": (answer(one_, **{"by": ca, "produced": early, "algorithm": ECDSA_SHA1, **options}),)}

    delegated = saying(by=weak_responder, certificates=[weak_responder], algorithm=None)
    rows: dict[str, tuple[State, dict[str, Any]]] = {
        "CRL": ("good", listing()),
        "CRL, listed": ("revoked", listing(gone)),
        "CRL, stale": (unknown("stale"), listing(until=early)),
        "CRL, stale, listed": (STALE, listing(gone, until=early)),
        "CRL, out of scope": (SCOPE, listing(also=[scope(cas=True)])),
        "OCSP": ("good", saying()),
        "OCSP, revoked": ("revoked", saying(revoked(early))),
        "OCSP, unknown": (unknown("unknown-certificate"), saying(UNKNOWN)),
        "OCSP, of a delegate": ("good", saying(by=responder, certificates=[responder])),
        "OCSP, of a delegate with a weak certificate": ("good", delegated),
        "OCSP, of a delegate on a weak CRL": (
            UNAUTHORISED,
            saying(by=responder, certificates=[responder])
            | listing(entry(responder.certificate.serial_number, early), also=[scope(cas=True)]),
        ),
    }
    return {
        name: (expected, Case("", certificate=own, issuer=ca, at=SUMMER_2016, **objects))
        for name, (expected, objects) in rows.items()
    }


SHA1_CASES = sorted(sha1_cases())


@pytest.mark.parametrize("name", SHA1_CASES)
def test_sha1(name: str) -> None:
    expected, case = sha1_cases()[name]
    assert said(case.status()) == expected
    assert said(replace(case, at=LAST_SECOND).status()) != WEAK
    for moment in (END, NOW):
        assert said(replace(case, at=moment).status()) == WEAK


def test_md5_at_no_time() -> None:
    for ca, own, body in in_list_of(rsa.generate_private_key(65537, 2048), algorithm=make.RSA_MD5):
        for moment in (NOW, SUMMER_2016, utc_of(1996, 1, 1)):
            assert said(one(WEAK, body, certificate=own, issuer=ca, at=moment).status()) == WEAK


@pytest.mark.parametrize("name", SHA1_CASES)
def test_what_is_weakly_signed_proves_no_time(name: str) -> None:
    _, case = sha1_cases()[name]
    given_ = answers(Certificate(case.certificate.der), Certificate(case.issuer.der), map(Crl, case.crls), case.ocsp)
    assert given_
    assert not any(each.authentic for each in given_)
    assert all(each.verified for each in given_)


def test_a_crl_without_a_certificate() -> None:
    ca, body = Certificate(place().ca.der), Crl(crl(*others()))
    assert body.signed_by(ca)
    assert body.signed_by(ca)
    assert not body.signed_by(Certificate(place().namesake.der))
    assert not body.signed_by(Certificate(place().root.der))
    assert (body.this_update, body.next_update) == (NOW - HOUR, NOW + 9 * DAY)
    assert body.issuer_der == ca.subject_der
    nothing = Crl(b"junk")
    assert (nothing.this_update, nothing.next_update, nothing.issuer_der) == (None,) * 3
    assert not nothing.signed_by(ca)
    assert not Crl(crl(algorithm=ECDSA_SHA1)).signed_by(ca)


def test_a_crl_remembers_what_it_said() -> None:
    leaf_, ca, body = Certificate(place().leaf.der), Certificate(place().ca.der), Crl(crl(*others()))
    assert body.answer(leaf_, ca) is body.answer(Certificate(place().leaf.der), Certificate(place().ca.der))


# -- where and how to ask --------------------------------------------------------------------------------------------


def access(*rows: tuple[x509.ObjectIdentifier, str]) -> x509.AuthorityInformationAccess:
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(method, x509.UniformResourceIdentifier(text)) for method, text in rows]
    )


def test_sources() -> None:
    ocsp_, issuers = AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS
    own = leaf(
        access((ocsp_, "http://o.example"), (issuers, "HTTPS://i.example/ca.crt"), (ocsp_, "ldap://o.example")),
        make.at(CDP, CDP, "ftp://c.example", "http://c.example/a b", "http://c.example/" + "a" * 2000, "http://c/\n"),
    )
    found = sources(Certificate(own.der))
    assert found.ocsp == ("http://o.example",)
    assert found.issuers == ("HTTPS://i.example/ca.crt",)
    assert found.crl == (CDP,)
    many = leaf(make.at(*(f"http://c.example/{i}" for i in range(9))))
    assert sources(Certificate(many.der)).crl == tuple(f"http://c.example/{i}" for i in range(4))
    assert sources(Certificate(place().ca.der)) == type(found)()


def test_sources_of_what_cannot_be_read() -> None:
    broken = leaf(x509.UnrecognizedExtension(x509.CRLDistributionPoints.oid, b"\x30\x80"))
    assert sources(Certificate(broken.der)).crl == ()


def test_a_request() -> None:
    leaf_, ca = Certificate(place().leaf.der), Certificate(place().ca.der)
    asked = ocsp.load_der_ocsp_request(ocsp_request(leaf_, ca))
    expected = ocsp.OCSPRequestBuilder().add_certificate(
        place().leaf.certificate, place().ca.certificate, hashes.SHA1()
    )
    assert ocsp_request(leaf_, ca) == expected.build().public_bytes(Encoding.DER)
    assert not list(asked.extensions)


@pytest.mark.parametrize("base", ["http://o.example/x", "http://o.example/x/"])
def test_the_address_of_a_request(base: str) -> None:
    """RFC 6960 §A.1; the recorded response of 2015 was asked for at such an address."""
    leaf_, ca = Certificate(place().leaf.der), Certificate(place().ca.der)
    found = ocsp_url(base, leaf_, ca)
    head, _, tail = found.rpartition("/")
    assert head == "http://o.example/x"
    assert base64.b64decode(unquote(tail)) == ocsp_request(leaf_, ca)
    assert not set("+=/") & set(tail)


# -- DER -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, -1, -128, -129, 1 << 158, 1 << 2000])
def test_integers(value: int) -> None:
    made = integer(value)
    [found] = elements(made, 0, len(made))
    content = made[found.begin : found.end]
    assert int.from_bytes(content, signed=True) == value
    assert len(content) == 1 or content[:2] not in (b"\0\0", b"\xff\xff")


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x2a\x86", b"\x2a" * 65], ids=bytes.hex)
def test_no_object_identifiers(content: bytes) -> None:
    with pytest.raises(MalformedError):
        dotted(content)


@given(body=st.binary(max_size=64))
def test_elements_end_where_they_must(body: bytes) -> None:
    try:
        found = list(elements(body, 0, len(body)))
    except MalformedError:
        return
    assert b"".join(body[e.start : e.end] for e in found) == body
    assert b"".join(encoded(e.tag, body[e.begin : e.end]) for e in found) == body


# -- what was recorded -----------------------------------------------------------------------------------------------


@cache
def recorded_certificates() -> tuple[Certificate, ...]:
    folders = ("google_chains", "google_presented", "intermediates", "roots", "rootstores", "interception")
    found: dict[bytes, Certificate] = {}
    for folder in folders:
        for path in sorted(shared_data(folder).rglob("*.pem")):
            for der in certificates_in(path.read_bytes()):
                try:
                    found.setdefault(der, Certificate(der))
                except ValueError:
                    continue
    return tuple(found.values())


def index() -> list[dict[str, str]]:
    with shared_data("REVOCATION_INDEX.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def objects_of_google() -> list[dict[str, str]]:
    return [row for row in index() if row["file"].startswith("ocsp/google_")]


def issuers_of(name: bytes) -> list[Certificate]:
    return [c for c in recorded_certificates() if c.subject_der == name]


def stand_in(serial: int, issuer: Certificate) -> Certificate:
    """A certificate of that issuer and serial number, where the recorded one is missing; nobody asks who signed it."""
    assert issuer.handle is not None
    made = party(named("stand-in"), place().ca, serial=serial, issuer=issuer.handle.subject)
    return Certificate(made.der)


def test_every_recorded_answer_of_google() -> None:
    """Each is good inside its own window and at no other time; of the one of 2015, signed with SHA-1, nothing is left
    today."""
    told, today = {}, {}
    for row in objects_of_google():
        body = shared_data(row["file"]).read_bytes()
        [parsed] = ocsp.load_der_ocsp_response(body).responses
        begin, end = parsed.this_update_utc, parsed.next_update_utc
        assert end is not None
        for issuer in (c for c in recorded_certificates() if row["issuer"].startswith(f"CN={c.title},")):
            certificate = _recorded(parsed.serial_number, issuer) or stand_in(parsed.serial_number, issuer)
            said_ = answers(certificate, issuer, (), [body])
            if said_[0].problem is Reason.OTHER_CERTIFICATE:
                continue
            moments = (begin - DAY, begin, begin + (end - begin) / 2, end, end + DAY)
            told[row["file"]] = [said(status(certificate, said_, moment)) for moment in moments]
            today[row["file"]] = said(status(certificate, said_, NOW))
    assert len(told) == 11
    for name, states in told.items():
        assert states == [unknown("not-yet-valid"), "good", "good", "good", unknown("stale")], name
        assert today[name] == (WEAK if "2015-07-11" in name else unknown("stale")), name


def _recorded(serial: int, issuer: Certificate) -> Certificate | None:
    fitting = (c for c in recorded_certificates() if c.serial == serial and c.issuer_der == issuer.subject_der)
    return next(fitting, None)


def test_every_level_on_one_day() -> None:
    """17 March 2022, as presented on the wire: the leaf, its issuer, and the root's cross-sign, whose answer is signed
    by a delegate of GlobalSign's."""
    at = datetime(2022, 3, 17, 8, 39, 24, tzinfo=UTC)
    [path] = shared_data("google_presented").glob("2022-03-17_www.google.com_*")
    chain = list(certificates_in(path.read_bytes()))
    top = Certificate(chain[-1])
    roots = [c.der for c in recorded_certificates() if c.subject_der == top.issuer_der and c.self_issued]
    bodies = [path.read_bytes() for path in sorted(shared_data("ocsp").glob("*.der"))]
    for certificate, issuer in zip(chain, [*chain[1:], roots[0]], strict=True):
        found = check_revocation(certificate, issuer, at=at, ocsp=bodies)
        assert (found.state, found.source) == (Revocation.GOOD, "ocsp"), found.sentence
        late = check_revocation(certificate, issuer, at=at + 60 * DAY, ocsp=bodies)
        assert said(late) == unknown("stale")


def test_the_recorded_crls() -> None:
    """Each that has its issuer here is signed by it, and names as many as the index says."""
    checked = 0
    for row in index():
        if not row["file"].startswith("crl/"):
            continue
        body = shared_data(row["file"]).read_bytes()
        crl_ = Crl(body)
        assert crl_.issuer_der is not None or "VeriSign" in row["file"]  # which is of version 1
        for issuer in issuers_of(crl_.issuer_der or b""):
            if not crl_.signed_by(issuer):
                continue
            checked += 1
            listed = list(x509.load_der_x509_crl(body))
            assert f"{len(listed)} revoked" == row["status"]
            assert crl_.this_update is not None
            assert crl_.next_update is not None
            moment = crl_.this_update + HOUR
            for entry_ in listed:
                certificate = stand_in(entry_.serial_number, issuer)
                found = status(certificate, [crl_.answer(certificate, issuer)], moment)
                assert (found.state, found.revoked_at) == (Revocation.REVOKED, entry_.revocation_date_utc)
                late = status(certificate, [crl_.answer(certificate, issuer)], crl_.next_update + DAY)
                assert said(late) == STALE
            other = stand_in(0x1234567, issuer)
            assert status(other, [crl_.answer(other, issuer)], moment).state is Revocation.GOOD
    assert checked >= 6


def test_the_recorded_crl_of_google() -> None:
    [path] = shared_data("crl").glob("google_*")
    crl_ = Crl(path.read_bytes())
    issuers = issuers_of(crl_.issuer_der or b"")
    assert len(issuers) == 5  # one key, certified five times
    assert all(crl_.signed_by(issuer) for issuer in issuers)
    body = path.read_bytes()
    assert is_signed_object(body, Trust.default())  # by a key of which no certificate is at hand
    assert not is_signed_object(body[:-1] + bytes((body[-1] ^ 1,)), Trust.default())


# -- x509-limbo ------------------------------------------------------------------------------------------------------


@cache
def limbo() -> dict[str, dict[str, Any]]:
    cases = json.loads(shared_data("limbo/limbo-core.json").read_text(encoding="utf-8"))["testcases"]
    return {case["id"]: case for case in cases if case["crls"]}


LIMBO = (
    "crl::certificate-not-on-crl",
    "crl::certificate-serial-on-crl-different-issuer",
    "crl::crlnumber-critical",
    "crl::crlnumber-missing",
    "crl::issuer-missing-crlsign",
    "crl::issuer-no-keyusage-extension",
    "crl::issuer-valid-crlsign-and-keycertsign",
    "crl::revoked-certificate-with-crl",
)


def pem_body(text: str) -> bytes:
    return base64.b64decode("".join(line for line in text.splitlines() if "-----" not in line))


def test_every_case_of_limbo_is_here() -> None:
    assert sorted(limbo()) == sorted(LIMBO)


@pytest.mark.parametrize("name", LIMBO)
def test_limbo(name: str) -> None:
    """The paths are sound in all of them; what is not known to be good is a failure."""
    case = limbo()[name]
    [leaf_] = certificates_in(case["peer_certificate"].encode())
    issuers = [der for pem in case["trusted_certs"] for der in certificates_in(pem.encode())]
    at = datetime.fromisoformat(case["validation_time"])
    bodies = [pem_body(text) for text in case["crls"]]
    found = [check_revocation(leaf_, issuer, at=at, crls=bodies) for issuer in issuers]
    accepted = any(status_.state is Revocation.GOOD for status_ in found)
    assert accepted == (case["expected_result"] == "SUCCESS"), [status_.sentence for status_ in found]
