"""Signed certificate timestamps: whether transparency logs have seen a certificate, and when (RFC 6962).

An authority shows a leaf to public logs before anybody uses it, and each answers with its signature over the moment,
the leaf's content and the issuer's key. Whoever forges a leaf can neither make one nor borrow one, so a timestamp that
verifies proves that this leaf, by this issuer, was public at that time. A log we do not know proves nothing either way:
new ones come every half year.

What is signed is not the leaf as it stands. A timestamp inside it is older than the leaf's own signature: it is over
the TBSCertificate without the list of timestamps and the hash of the issuer's key. One in an OCSP answer is over the
leaf itself. No clock is read here, and nothing is raised, whatever the bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from cryptography import x509

from tlsinspect import der
from tlsinspect.certificate import REFUSALS, Certificate, quietly
from tlsinspect.evidence.ocspframe import frame
from tlsinspect.evidence.signature import ECDSA_SHA256, RSA_SHA256, made_by
from tlsinspect.model import Timestamp
from tlsinspect.trust import CtLog, Trust

SctFact = Literal["verified", "one-operator", "absent", "unknown-log", "invalid"]

EMBEDDED = "1.3.6.1.4.1.11129.2.4.2"  # RFC 6962 §3.3: the certificate extension
_EMBEDDED_DER = bytes.fromhex("060a2b06010401d679020402")
STAPLED = "1.3.6.1.4.1.11129.2.4.5"  # and that of an OCSP answer
MAX_TIMESTAMPS = 20  # looked at in all: certificates of today carry two or three
MAX_STAPLE = 1 << 15  # octets of an OCSP answer: real ones have one or two thousand
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_V1 = 0
_X509_ENTRY, _PRECERTIFICATE_ENTRY = b"\0\0", b"\0\1"
_ALGORITHMS = {(4, 1): RSA_SHA256, (4, 3): ECDSA_SHA256}  # RFC 6962 §2.1.4, by the numbers of RFC 5246 §7.4.1.4.1
_HEAD = 1 + 32 + 8  # version, log, time


def timestamps(
    leaf: Certificate, issuer: Certificate, staple_lists: Iterable[bytes], trust: Trust
) -> tuple[Timestamp, ...]:
    """The timestamps inside `leaf`, which `issuer` signed, and those in the lists of a stapled OCSP answer."""
    lists = tuple(islice(staple_lists, MAX_TIMESTAMPS))
    return _timestamps(leaf.der, issuer.spki, lists, trust)


def summary(stamps: Sequence[Timestamp]) -> SctFact:
    """What the timestamps prove together.

    Two operators are asked for because one could be made to sign what it never published.
    """
    results = {stamp.result for stamp in stamps}
    if "invalid" in results:
        return "invalid"
    operators = {stamp.operator for stamp in stamps if stamp.result == "valid"}
    if operators:
        return "verified" if len(operators) > 1 else "one-operator"
    return "unknown-log" if stamps else "absent"


@lru_cache(maxsize=4096)
def _timestamps(leaf: bytes, issuer: bytes, staple_lists: tuple[bytes, ...], trust: Trust) -> tuple[Timestamp, ...]:
    """A leaf met again costs nothing: most scans meet one on many hosts."""
    inside, precertificate = _embedded(leaf)
    about = _PRECERTIFICATE_ENTRY + hashlib.sha256(issuer).digest() + _opaque(precertificate, 3)
    embedded = (_judged(each, about, "embedded", trust) for each in _serialized(inside))
    about_leaf = _X509_ENTRY + _opaque(leaf, 3)
    stapled = (_judged(each, about_leaf, "ocsp", trust) for each in _all_serialized(staple_lists))
    found: dict[tuple[str, datetime | None], Timestamp] = {}
    for stamp in islice((stamp for stamps in (embedded, stapled) for stamp in stamps), MAX_TIMESTAMPS):
        found.setdefault((stamp.log_id, stamp.time), stamp)
    return tuple(found.values())


# -- where they are --------------------------------------------------------------------------------------------------


def _embedded(leaf: bytes) -> tuple[bytes, bytes]:
    """The list of timestamps inside a leaf and the precertificate they were made for; nothing where there is none.

    Not as cryptography reads the list: it refuses all extensions for the sake of one timestamp it does not know.
    """
    if _EMBEDDED_DER not in leaf:
        return b"", b""  # without reading the whole for nothing
    try:
        certificate = quietly(x509.load_der_x509_certificate, leaf)
        tbs = certificate.tbs_certificate_bytes
        whole = der.only(tbs, der.SEQUENCE)
        tagged = next((e for e in der.elements(tbs, whole.begin, whole.end) if e.tag == 0xA3), None)
        if tagged is None:
            return b"", b""
        extensions = der.extensions(tbs, der.only(tbs, der.SEQUENCE, tagged.begin, tagged.end))
        value = next((e.value for e in extensions if e.oid == EMBEDDED), None)
        return (b"", b"") if value is None else (_octets(value), quietly(lambda: certificate.tbs_precertificate_bytes))
    except REFUSALS:
        return b"", b""


def sct_lists_in(ocsp_der: bytes, serial: int | None = None) -> tuple[bytes, ...]:
    """The lists of timestamps in an OCSP answer (RFC 6962 §3.3), those about one serial number where it is given.

    The answer's own signature is not looked at: a log's stands for itself. Nothing where the answer cannot be read.
    """
    try:
        if len(ocsp_der) > MAX_STAPLE:
            return ()
        return tuple(islice(_lists(ocsp_der, serial), MAX_TIMESTAMPS))
    except REFUSALS:
        return ()


def _lists(answer: bytes, serial: int | None) -> Iterator[bytes]:
    """Raises one of REFUSALS."""
    for single in frame(answer).singles:
        if serial is None or single.serial == serial:
            yield from (_octets(extension.value) for extension in single.extensions if extension.oid == STAPLED)


def _octets(value: bytes) -> bytes:
    """The OCTET STRING an extension wraps its list in. Raises MalformedError."""
    string = der.only(value, der.OCTET_STRING)
    return value[string.begin : string.end]


# -- what they say ---------------------------------------------------------------------------------------------------


def _all_serialized(lists: Iterable[bytes]) -> Iterator[bytes]:
    for each in lists:
        yield from _serialized(each)


def _serialized(timestamp_list: bytes) -> tuple[bytes, ...]:
    """A SignedCertificateTimestampList taken apart (RFC 6962 §3.3); nothing where its lengths do not come out even."""
    if len(timestamp_list) < 2 or int.from_bytes(timestamp_list[:2]) != len(timestamp_list) - 2:
        return ()
    found, at = [], 2
    while at < len(timestamp_list):
        begin, end = at + 2, at + 2 + int.from_bytes(timestamp_list[at : at + 2])
        if not begin < end <= len(timestamp_list):
            return ()
        found.append(timestamp_list[begin:end])
        at = end
    return tuple(found)


class _Sct(NamedTuple):
    extensions: bytes
    hash: int
    algorithm: int
    signature: bytes


def _judged(serialized: bytes, about: bytes, via: str, trust: Trust) -> Timestamp:
    """One SignedCertificateTimestamp (RFC 6962 §3.2). Whatever is odd about it, its log either signed it or did not."""
    identity, moment = serialized[1:33], serialized[33:_HEAD]
    log = trust.ct_logs.get(identity)
    time = _time(int.from_bytes(moment)) if len(moment) == 8 else None
    if log is None:
        return Timestamp("unknown-log", identity.hex(), time=time, via=via)
    signed = serialized[:1] + b"\0" + moment + about
    parts = _taken_apart(serialized[_HEAD:]) if serialized[0] == _V1 else None
    valid = parts is not None and _signed(log, parts, signed + _opaque(parts.extensions, 2))
    return Timestamp("valid" if valid else "invalid", identity.hex(), log.description, log.operator, time, via)


def _taken_apart(rest: bytes) -> _Sct | None:
    """What follows the time: the log's extensions and its signature, and nothing else."""
    ends = 2 + int.from_bytes(rest[:2])
    extensions, signature = rest[2:ends], rest[ends:]
    if len(signature) < 4 or int.from_bytes(signature[2:4]) != len(signature) - 4:
        return None
    return _Sct(extensions, signature[0], signature[1], signature[4:])


def _signed(log: CtLog, sct: _Sct, signed: bytes) -> bool:
    used = _ALGORITHMS.get((sct.hash, sct.algorithm))
    return used is not None and made_by(log.spki, sct.signature, signed, used)


def _time(milliseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _opaque(data: bytes, octets: int) -> bytes:
    """A TLS vector (RFC 5246 §4.3); what is too long for one was never signed by anybody."""
    return len(data).to_bytes(octets) + data if len(data) >> 8 * octets == 0 else b""
