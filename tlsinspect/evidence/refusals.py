"""What clients hold against a certificate that is signed, named and dated well: one table, `_RULES`.

It is there for the authorities of inspecting proxies and for what they issue: those are installed by hand and fail all
the same, in some clients and not in others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tlsinspect.certificate import (
    FIRST_MOMENT,
    LAST_MOMENT,
)
from tlsinspect.evidence.described import Defect, Details, Grade, Role
from tlsinspect.evidence.extensions import UNDERSTOOD

_ALL = ("every client",)
_BROWSERS = ("browsers",)
# Since 3.13 ssl.create_default_context() sets VERIFY_X509_STRICT: https://docs.python.org/3/whatsnew/3.13.html#ssl.
# What that flag asks for: https://docs.openssl.org/3.0/man1/openssl-verification-options/, under -x509_strict.
_STRICT = ("Python 3.13 and later", "OpenSSL with -x509_strict")
# https://cryptography.io/en/latest/x509/verification/, and tried: tests/test_inspect.py asks it.
_PYCA = ("pyca/cryptography",)
# For every server's certificate, also below a root installed by hand: https://support.apple.com/en-us/103769.
_APPLE = ("Apple's systems",)
_APPLE_FROM = datetime(2019, 7, 1, tzinfo=UTC)
_APPLE_DAYS = 825
# Security level 2: https://docs.openssl.org/3.0/man3/SSL_CTX_set_security_level/; Python's default since 3.10:
# https://docs.python.org/3/whatsnew/3.10.html#ssl.
_LEVEL_2 = ("OpenSSL at security level 2", "Python 3.10 and later")
# The longest life of a server's certificate by the day it begins: Baseline Requirements §6.3.2 and ballot SC-081v3.
# Browsers hold only roots they ship to it.
_LONGEST = (
    (datetime(2029, 3, 15, tzinfo=UTC), 47),
    (datetime(2027, 3, 15, tzinfo=UTC), 100),
    (datetime(2026, 3, 15, tzinfo=UTC), 200),
    (datetime(2020, 9, 1, tzinfo=UTC), 398),
    (datetime(2018, 3, 1, tzinfo=UTC), 825),
)


@dataclass(frozen=True)
class _Rule:
    """`sentence` is filled with the certificate as ``{c}``."""

    code: str
    refused_by: tuple[str, ...]
    sentence: str
    holds: Callable[[Details], bool]


def _serves(c: Details) -> bool:
    """A leaf that is meant for servers, or does not say what it is meant for."""
    purposes = c.extension("extKeyUsage")
    return c.role is Role.LEAF and (
        purposes is None or bool({"serverAuth", "anyExtendedKeyUsage"} & set(purposes.values))
    )


def _lacks(c: Details, name: str) -> bool:
    return c.version == 3 and c.extension(name) is None


def _critical(c: Details, name: str) -> bool:
    found = c.extension(name)
    return found is not None and found.critical


def _ca_without(c: Details, name: str) -> bool:
    return c.is_ca and _lacks(c, name)


def _longest(c: Details) -> int:
    """The days public CAs may let a server's certificate live that begins when this one does."""
    return next((days for begin, days in _LONGEST if c.not_before >= begin), 100_000)


def _too_long_for_apple(c: Details) -> bool:
    return _serves(c) and c.not_before >= _APPLE_FROM and c.days > _APPLE_DAYS


def _unreadable_dates(c: Details) -> bool:
    return c.not_before == LAST_MOMENT or c.not_after == FIRST_MOMENT


def _signed_with(c: Details, *grades: Grade) -> bool:
    """Judged only where the signature counts: nobody verifies the one a root made on itself."""
    return not c.self_issued and c.signature.judgement.grade in grades


def _key_is(c: Details, *grades: Grade) -> bool:
    return c.key.judgement.grade in grades


def _is_leaf(c: Details) -> bool:
    return c.role is Role.LEAF


# fmt: off
_RULES = (
    # Anything. Serial numbers: RFC 5280 §4.1.2.2, https://go.dev/doc/go1.23#cryptox509pkgcryptox509; countryName: RFC
    # 5280 appendix A. SHA-1: browsers since 2017, Apple since iOS 13, Go since 1.18; OpenSSL 3 takes it at level 0.
    _Rule("malformed", _PYCA, "is not in the form the standards ask for: {c.malformation}",
          lambda c: bool(c.malformed)),
    _Rule("version", _PYCA, "is of version {c.version}, not 3",
          lambda c: c.version != 3),
    _Rule("dates-unreadable", _ALL, "has dates nobody can read",
          _unreadable_dates),
    _Rule("never-valid", _ALL, "ends before it begins: it is never valid",
          lambda c: c.not_after < c.not_before and not _unreadable_dates(c)),
    _Rule("serial-negative", (*_PYCA, "Go 1.23 and later"), "has a negative serial number",
          lambda c: c.serial.startswith("-")),
    _Rule("serial-zero", (), "has the serial number 0, which must be positive",
          lambda c: c.serial == "00"),
    _Rule("serial-long", _PYCA, "has a serial number of more than 20 bytes",
          lambda c: len(c.serial) > 42),
    _Rule("country", (), "has a countryName that is not of two letters",
          lambda c: any(label == "C" and len(value) != 2 for label, value in c.subject_parts + c.issuer_parts)),
    _Rule("issuer-empty", _STRICT + _PYCA, "names no issuer",
          lambda c: not c.issuer_parts),
    _Rule("critical-unknown", _ALL, "has a critical extension that clients do not know",
          lambda c: any(e.critical and e.name not in UNDERSTOOD for e in c.extensions)),
    _Rule("precertificate", _ALL, "is a precertificate: made for logs, not for servers",
          lambda c: c.precertificate),
    _Rule("key-id-critical", _STRICT + _PYCA, "marks a key identifier critical",
          lambda c: _critical(c, "authorityKeyIdentifier") or _critical(c, "subjectKeyIdentifier")),
    _Rule("signature-broken", (*_BROWSERS, *_APPLE, "OpenSSL 3", *_PYCA, "Go 1.18 and later"),
          "is signed with {c.signature.algorithm}",
          lambda c: _signed_with(c, Grade.BROKEN)),
    _Rule("signature-unusual", _BROWSERS, "is signed with {c.signature.algorithm}",
          lambda c: _signed_with(c, Grade.UNUSUAL, Grade.WEAK)),
    _Rule("key-short", _APPLE + _LEVEL_2, "has a key of only {c.key.bits} bits",
          lambda c: c.key.kind == "RSA" and _key_is(c, Grade.WEAK, Grade.BROKEN)),
    _Rule("key-unusual", _BROWSERS, "has a key of a kind browsers do not take: {c.key.text}",
          lambda c: c.key.kind != "RSA" and _key_is(c, Grade.WEAK, Grade.UNUSUAL)),

    # Authorities.
    _Rule("ca-key", _PYCA, "is a CA with a key strict clients do not take: {c.key.text}",
          lambda c: c.is_ca and not _key_is(c, Grade.GOOD, Grade.UNKNOWN) and not c.key.kind.startswith("ML-DSA")),
    _Rule("ca-constraints-not-critical", _STRICT + _PYCA, "does not mark basicConstraints critical",
          lambda c: c.is_ca and not _critical(c, "basicConstraints")),
    _Rule("ca-no-key-usage", _STRICT + _PYCA, "has no keyUsage extension",
          lambda c: _ca_without(c, "keyUsage")),
    _Rule("ca-may-not-sign", _ALL, "is a CA whose keyUsage does not let it sign certificates",
          lambda c: c.is_ca and c.extension("keyUsage") is not None and not c.says("keyUsage", "keyCertSign")),
    _Rule("ca-no-key-id", _STRICT, "has no subjectKeyIdentifier",
          lambda c: _ca_without(c, "subjectKeyIdentifier")),
    _Rule("ca-no-authority-key-id", _STRICT, "has no authorityKeyIdentifier",
          lambda c: _ca_without(c, "authorityKeyIdentifier") and not c.self_issued),

    # Leaves. Names: Chrome 58, Firefox 101, iOS 13 and macOS 10.15, Go 1.15.
    _Rule("no-authority-key-id", _STRICT + _PYCA, "has no authorityKeyIdentifier",
          lambda c: _is_leaf(c) and not c.self_issued and _lacks(c, "authorityKeyIdentifier")),
    _Rule("not-a-ca-but-signs", _STRICT + _PYCA, "may sign by its keyUsage, and is no CA by its basicConstraints",
          lambda c: _is_leaf(c) and c.says("keyUsage", "keyCertSign")),
    _Rule("no-names", (*_BROWSERS, *_APPLE, "Go 1.15 and later", *_PYCA),
          "has no subjectAltName with a host's name: the common name counts for nothing",
          lambda c: _serves(c) and not c.names),
    _Rule("names-not-critical", _STRICT + _PYCA, "has no subject, and does not mark subjectAltName critical",
          lambda c: _serves(c) and not c.subject_parts and bool(c.names) and not _critical(c, "subjectAltName")),
    _Rule("names-critical", _PYCA, "marks subjectAltName critical beside a subject",
          lambda c: _serves(c) and bool(c.subject_parts) and _critical(c, "subjectAltName")),
    _Rule("purpose-critical", _PYCA, "marks extKeyUsage critical",
          lambda c: _is_leaf(c) and _critical(c, "extKeyUsage")),
    _Rule("no-purpose", _APPLE, "has no extKeyUsage with serverAuth",
          lambda c: _serves(c) and c.not_before >= _APPLE_FROM and c.extension("extKeyUsage") is None),
    _Rule("not-for-servers", ("every client, from a server",), "is not meant for servers by its extKeyUsage",
          lambda c: _is_leaf(c) and not _serves(c)),
    _Rule("life-too-long", _APPLE, "is valid for {c.days} days, more than 825",
          _too_long_for_apple),
    _Rule("life-too-long-public", ("Chrome and Safari, from a public CA",),
          "is valid for {c.days} days, longer than public CAs may issue",
          lambda c: _serves(c) and c.days > _longest(c) and not _too_long_for_apple(c)),
)
# fmt: on


def defects_of(found: Details) -> Iterator[Defect]:
    for rule in _RULES:
        if rule.holds(found):
            yield Defect(rule.code, rule.sentence.format(c=found), rule.refused_by)
