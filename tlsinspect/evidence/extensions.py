"""The extensions that matter, read leniently: what breaks the rules of its form is shown as far as it can be read."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm

from tlsinspect.certificate import (
    quietly,
    text_of,
)
from tlsinspect.evidence.described import Extension
from tlsinspect.text import hexadecimal

T = TypeVar("T")

_MAX_EXTENSIONS = 256
_MAX_VALUES = 10_000  # of one extension

STAPLE = "must-staple"
FEATURES = "1.3.6.1.5.5.7.1.24"
_SAN = "2.5.29.17"
_TIMESTAMPS = "1.3.6.1.4.1.11129.2.4.2"
_USAGES = (
    ("digital_signature", "digitalSignature"),
    ("non_repudiation", "contentCommitment"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
    ("encipher_only", "encipherOnly"),
    ("decipher_only", "decipherOnly"),
)
_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.5": "ipsecEndSystem",
    "1.3.6.1.5.5.7.3.6": "ipsecTunnel",
    "1.3.6.1.5.5.7.3.7": "ipsecUser",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "1.3.6.1.5.5.7.3.17": "ipsecIKE",
    "1.3.6.1.4.1.311.10.3.3": "Microsoft server gated crypto",
    "1.3.6.1.4.1.311.10.3.4": "Microsoft file encryption",
    "1.3.6.1.4.1.311.20.2.2": "smartcardLogon",
    "1.3.6.1.5.2.3.5": "Kerberos KDC",
    "1.3.6.1.4.1.11129.2.4.4": "precertificateSigning",
    "2.16.840.1.113730.4.1": "Netscape server gated crypto",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
# CA/Browser Forum: https://cabforum.org/resources/object-registry/
_POLICIES = {
    "2.23.140.1.1": "extended validation",
    "2.23.140.1.2.1": "domain validated",
    "2.23.140.1.2.2": "organisation validated",
    "2.23.140.1.2.3": "individual validated",
    "2.23.140.1.3": "extended validation, code signing",
    "2.23.140.1.4.1": "code signing",
    "2.23.140.1.4.2": "time stamping",
    "2.23.140.1.31": "onion name",
    "2.5.29.32.0": "any policy",
    "1.3.6.1.4.1.11129.2.5.3": "Google Trust Services",
}
_METHODS = {"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "issuer"}
_NAME_KINDS = {
    "dns_name": "DNS",
    "rfc822_name": "email",
    "uniform_resource_identifier": "URI",
    "ip_address": "IP",
    "directory_name": "directory",
    "registered_id": "OID",
    "other_name": "other",
    "x400_address": "X.400",
    "edi_party_name": "EDI",
}


def _basic_constraints(value: Any) -> Iterator[str]:
    yield "CA" if value["ca"].native else "not a CA"
    length = value["path_len_constraint"].native
    if length is not None:
        yield f"path length {length}"


def _key_usage(value: Any) -> Iterator[str]:
    found = value.native
    yield from (shown for name, shown in _USAGES if name in found)


def _purposes(value: Any) -> Iterator[str]:
    for purpose in value:
        yield _PURPOSES.get(purpose.dotted, purpose.dotted)


def _octets(value: Any) -> Iterator[str]:
    yield bytes(value.native).hex()


def _authority_key(value: Any) -> Iterator[str]:
    digest = value["key_identifier"].native
    if digest is not None:
        yield bytes(digest).hex()
    serial = value["authority_cert_serial_number"].native
    if serial is not None:
        yield f"serial {hexadecimal(serial)}"


def _access(value: Any) -> Iterator[str]:
    for entry in value:
        method = entry["access_method"].dotted
        yield f"{_METHODS.get(method, method)} {_general_name(entry['access_location'])}"


def _points(value: Any) -> Iterator[str]:
    for point in value:
        named = point["distribution_point"]
        if named.native is not None and named.name == "full_name":
            yield from (_general_name(n) for n in named.chosen)
        for issuer in point["crl_issuer"] if point["crl_issuer"].native is not None else ():
            yield f"CRL issuer {_general_name(issuer)}"


def _policies(value: Any) -> Iterator[str]:
    for policy in value:
        oid = policy["policy_identifier"].dotted
        yield f"{oid} ({_POLICIES[oid]})" if oid in _POLICIES else oid


def _timestamps(value: Any) -> Iterator[str]:
    yield f"{_count_timestamps(bytes(value.native))}, not verified"


def _constraints(value: Any) -> Iterator[str]:
    for side in ("permitted", "excluded"):
        trees = value[f"{side}_subtrees"]
        for tree in trees if trees.native is not None else ():
            yield f"{side} {_general_name(tree['base'])}"


def _policy_constraints(value: Any) -> Iterator[str]:
    for key, number in value.native.items():
        if number is not None:
            yield f"{key.replace('_', ' ')} {number}"


def _features(value: Any) -> Iterator[str]:
    for feature in value:
        number = int.from_bytes(feature.contents, "big")
        yield STAPLE if number == 5 else f"TLS extension {number}"  # RFC 7633: 5 is status_request


def _poison(_value: Any) -> Iterator[str]:
    yield "precertificate: made for the logs, not for servers"


def _general_names(value: Any) -> Iterator[str]:
    return (_general_name(n) for n in value)


def _text(value: Any) -> Iterator[str]:
    yield str(value.native)


_KNOWN: dict[str, tuple[str, Callable[[Any], Iterable[str]]]] = {
    "2.5.29.19": ("basicConstraints", _basic_constraints),
    "2.5.29.15": ("keyUsage", _key_usage),
    "2.5.29.37": ("extKeyUsage", _purposes),
    "2.5.29.14": ("subjectKeyIdentifier", _octets),
    "2.5.29.35": ("authorityKeyIdentifier", _authority_key),
    "1.3.6.1.5.5.7.1.1": ("authorityInfoAccess", _access),
    "2.5.29.31": ("cRLDistributionPoints", _points),
    "2.5.29.32": ("certificatePolicies", _policies),
    "2.5.29.30": ("nameConstraints", _constraints),
    "2.5.29.36": ("policyConstraints", _policy_constraints),
    _SAN: ("subjectAltName", _general_names),
    "2.5.29.18": ("issuerAltName", _general_names),
    _TIMESTAMPS: ("signedCertificateTimestamps", _timestamps),
    "1.3.6.1.4.1.11129.2.4.3": ("precertificatePoison", _poison),
    FEATURES: ("tlsFeature", _features),
    "2.16.840.1.113730.1.13": ("netscapeComment", _text),
}
_NAMED_ONLY = {
    "2.5.29.54": "inhibitAnyPolicy",
    "2.5.29.33": "policyMappings",
    "2.5.29.46": "freshestCRL",
    "2.5.29.9": "subjectDirectoryAttributes",
    "2.5.29.16": "privateKeyUsagePeriod",
    "1.3.6.1.5.5.7.1.3": "qcStatements",
    "1.3.6.1.5.5.7.1.11": "subjectInfoAccess",
    "1.3.6.1.5.5.7.1.12": "logotype",
    "1.3.6.1.5.5.7.48.1.5": "ocspNoCheck",
    "2.16.840.1.113730.1.1": "netscapeCertType",
    "1.2.840.113533.7.65.0": "entrustVersion",
    "1.3.6.1.4.1.311.20.2": "microsoftTemplateName",
    "1.3.6.1.4.1.311.21.7": "microsoftTemplate",
    "1.3.6.1.4.1.311.21.1": "microsoftCaVersion",
    "1.3.6.1.4.1.311.21.2": "microsoftPreviousCa",
    "1.3.6.1.4.1.311.21.10": "microsoftApplicationPolicies",
}
# What every client that validates chains understands; any other critical extension makes it stop (RFC 5280 §4.2).
UNDERSTOOD = frozenset(
    (
        *("basicConstraints", "keyUsage", "extKeyUsage", "nameConstraints", "subjectAltName", "issuerAltName"),
        *("certificatePolicies", "policyConstraints", "inhibitAnyPolicy", "policyMappings", "netscapeCertType"),
        *("authorityKeyIdentifier", "subjectKeyIdentifier", "cRLDistributionPoints", "freshestCRL"),
        *("authorityInfoAccess", "precertificatePoison"),  # the poison has a rule of its own
    )
)


def _general_name(name: Any) -> str:
    """``DNS x``, ``URI x`` … as spelt: asn1crypto's own reading would decode IDNA and resolve what is not to be."""
    kind = _NAME_KINDS.get(name.name, name.name)
    if kind == "directory":
        return f"{kind} {_directory(name.chosen)}"
    content = bytes(name.chosen.contents or b"")
    if kind == "IP":
        return f"{kind} {_network(content)}"
    if kind == "OID":
        return f"{kind} {name.chosen.dotted}"
    if kind in ("DNS", "email", "URI"):
        return f"{kind} {content.decode('utf-8', 'backslashreplace')}"
    return f"{kind} name of {len(content)} bytes"


def _directory(name: Any) -> str:
    from tlsinspect.certificate import name_from

    return text_of(quietly(name_from, bytes(name.untag().dump())))


def _network(content: bytes) -> str:
    """An address, or in name constraints an address and its mask."""
    if len(content) in (4, 16):
        return str(ipaddress.ip_address(content))
    half = len(content) // 2
    if len(content) in (8, 32):
        bits = f"{int.from_bytes(content[half:], 'big'):b}".rstrip("0")
        if "0" not in bits:
            return f"{ipaddress.ip_address(content[:half])}/{len(bits)}"
    return content.hex()


def _count_timestamps(content: bytes) -> int:
    """How many a SignedCertificateTimestampList holds (RFC 6962 §3.3). Raises ValueError where it is none."""
    if int.from_bytes(content[:2], "big") != len(content) - 2:
        raise ValueError("not a list of timestamps")
    at, found = 2, 0
    while at < len(content):
        at += 2 + int.from_bytes(content[at : at + 2], "big")
        found += 1
    if at != len(content):
        raise ValueError("a timestamp is cut off")
    return found


class Raw:
    """asn1crypto's reading, for what `Certificate` does not offer. One field that cannot be read leaves the rest."""

    # What asn1crypto raises on hostile input; it documents none of it, and local variables it forgot are among it.
    _REFUSALS = (
        *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NameError, RecursionError),
        UnsupportedAlgorithm,
    )

    def __init__(self, der: bytes) -> None:
        from asn1crypto import x509

        self._whole: Any = self.tried(lambda: x509.Certificate.load(der))

    def tried(self, read: Callable[[], T]) -> T | None:
        """What `read` returns, or None where it cannot."""
        try:
            return read()
        except self._REFUSALS:
            return None

    @cached_property
    def is_certificate(self) -> bool:
        """Whether the parts by which certificates differ from requests and revocation lists are where they belong."""
        parts = ("issuer", "validity", "subject", "subject_public_key_info")
        return self.tried(lambda: [self._whole["tbs_certificate"][p].dump() for p in parts]) is not None

    @property
    def _tbs(self) -> Any:
        return self._whole["tbs_certificate"]

    @property
    def key(self) -> Any:
        return self._tbs["subject_public_key_info"]

    def key_oid(self) -> str:
        """Read without regard to its parameters, which may be of a kind asn1crypto does not know."""
        from asn1crypto.core import Sequence as Untyped

        return str(Untyped.load(bytes(self.key.dump()))[0][0].dotted)

    @property
    def version(self) -> int:
        """1 to 3, or what else it says; 1 where it says nothing."""
        return 1 + (self.tried(lambda: int.from_bytes(self._tbs["version"].contents or b"", "big")) or 0)

    @property
    def signature_oid(self) -> str:
        return self.tried(lambda: str(self._whole["signature_algorithm"]["algorithm"].dotted)) or ""

    def pss_hash(self) -> str:
        return str(self._whole["signature_algorithm"].hash_algo)

    def _listed(self) -> list[Any]:
        return self.tried(lambda: list(islice(self._tbs["extensions"], _MAX_EXTENSIONS))) or []

    def extensions(self) -> Iterator[Extension]:
        for each in self._listed():
            read = self.tried(lambda each=each: self._extension(each))  # type: ignore[misc]
            if read is not None:
                yield read

    def _extension(self, each: Any) -> Extension:
        oid, critical, value = each["extn_id"].dotted, bool(each["critical"].native), each["extn_value"]
        if oid in _KNOWN:
            name, decode = _KNOWN[oid]
            values = self.tried(lambda: tuple(islice(decode(value.parsed), _MAX_VALUES)))
            return Extension(name, oid, critical, values or (), values is not None)
        return Extension(_NAMED_ONLY.get(oid, oid), oid, critical, (f"{len(value.contents or b'')} bytes",))

    def _value(self, oid: str) -> Any:
        return next((e["extn_value"].parsed for e in self._listed() if e["extn_id"].dotted == oid), None)

    def other_names(self) -> dict[str, int]:
        """How many alternative names are neither DNS names nor addresses, by kind."""
        found: dict[str, int] = {}
        for name in self.tried(lambda: list(islice(self._value(_SAN), _MAX_VALUES))) or ():
            kind = self.tried(lambda name=name: _NAME_KINDS[name.name]) or "unreadable"  # type: ignore[misc]
            if kind not in ("DNS", "IP"):
                found[kind] = found.get(kind, 0) + 1
        return found

    def timestamps(self) -> int | None:
        value = self.tried(lambda: self._value(_TIMESTAMPS))
        return None if value is None else self.tried(lambda: _count_timestamps(bytes(value.native))) or 0
