"""``tlsinspect inspect``"""

import argparse
import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tlsinspect.certificate import Certificate, UnreadableError, quietly
from tlsinspect.cli import fail
from tlsinspect.cli.output import destination, progress, read_time
from tlsinspect.endpoints.target import bracketed, read_target
from tlsinspect.errors import UsageError
from tlsinspect.evidence.described import Details
from tlsinspect.evidence.details import describe
from tlsinspect.evidence.tree import linked
from tlsinspect.files import exists, read_bytes
from tlsinspect.jsonform import to_json
from tlsinspect.model import Assessment, Report
from tlsinspect.report.inspection import Clock, Source, render
from tlsinspect.text import one_line, printable
from tlsinspect.trust import Trust

MAX_CERTIFICATES = 1000  # of one file
_FILE_ENDINGS = (".pem", ".crt", ".cer", ".der", ".p7b", ".p7c", ".p7s", ".p7m", ".ca-bundle", ".txt")
# Everything between two armour lines, but no third one. A lookahead is never tried twice, so a file of beginnings costs
# nothing; possessive quantifiers say the same, but Python 3.11.2 (Debian 12) finds nothing with them.
_ARMOUR = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,64})-----(?=(.*?)-----)\2-----END \1-----", re.DOTALL)
_CERTIFICATE = {b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"}
_PKCS7 = {b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"}
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")  # the OID PKCS#7 content begins with


@dataclass
class _Found:
    """The certificates of one argument, before they are described."""

    name: str
    certificates: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assessment: Assessment | None = None


def run(arguments: argparse.Namespace) -> int:
    trust = Trust.load(arguments.trust) if arguments.trust else Trust.default()
    at = read_time(arguments.at) if arguments.at is not None else datetime.now(UTC)
    hosts = [a for a in arguments.what if not _is_file(a)]
    missing = False
    files: dict[str, _Found] = {}
    for name in arguments.what:
        if _is_file(name):
            try:
                files[name] = _from_file(name)
            except UsageError as error:
                fail(str(error))
                missing = True
    report = _scan(hosts, arguments, trust) if hosts else None
    found = [files[a] if a in files else _from_host(a, report) for a in arguments.what if a in files or report]
    sources = list(_described(found, trust))
    with destination(arguments.output) as out:
        _write(sources, arguments, _clock(at, arguments.at is None, report), out)
    if report is not None and report.interrupted:
        return 130
    if any(source.details for source in sources):
        return 0
    return 2 if missing else 3


# -- reading --------------------------------------------------------------------------------------------------------


def _is_file(text: str) -> bool:
    """Whether an argument names a file rather than a host: because there is one, or by its looks."""
    if text == "-" or exists(Path(text)):
        return True
    looks_so = "/" in text or "\\" in text or text.lower().endswith(_FILE_ENDINGS)
    return looks_so and "://" not in text


def _from_file(name: str) -> _Found:
    """Raises UsageError where the file cannot be opened."""
    found = _Found("standard input" if name == "-" else name)
    raw = _as_ascii(read_bytes(name))
    if b"-----BEGIN " in raw:
        _from_pem(raw, found)
    else:
        found.certificates += _from_der(_decoded(raw) or raw)
    if len(found.certificates) > MAX_CERTIFICATES:
        found.notes.append(f"the first {MAX_CERTIFICATES} of {len(found.certificates)} certificates")
        del found.certificates[MAX_CERTIFICATES:]
    return found


def _as_ascii(raw: bytes) -> bytes:
    """Text as Windows saves it (UTF-16) in single bytes."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace").encode()
    return raw


def _from_pem(raw: bytes, found: _Found) -> None:
    """Every certificate in armour, whatever text stands around it; broken ones and other things are noted."""
    others: dict[str, int] = {}
    for block in _ARMOUR.finditer(raw):
        label, content = block[1], _decoded(block[2])
        if label in _CERTIFICATE and content:
            # OpenSSL's trusted certificates have its own remarks behind the certificate.
            found.certificates.append(_first_element(content) if label.startswith(b"TRUSTED") else content)
        elif label in _PKCS7 and content:
            found.certificates += _from_pkcs7(content)
        else:
            kind = "broken PEM" if label in _CERTIFICATE | _PKCS7 else label.decode()
            others[kind] = others.get(kind, 0) + 1
    found.notes += [f"skipped: {kind}{f' ({count} times)' if count > 1 else ''}" for kind, count in others.items()]


def _decoded(text: bytes) -> bytes:
    """The content of base64, behind header lines (RFC 1421: they have a colon) or none; nothing where it is none."""
    lines = [line.strip() for line in text.splitlines() if b":" not in line]
    try:
        return base64.b64decode(b"".join(b"".join(lines).split()), validate=True)
    except binascii.Error:
        return b""


def _from_der(raw: bytes) -> list[bytes]:
    return _from_pkcs7(raw) if _SIGNED_DATA in raw[:32] else [raw] if raw[:1] == b"\x30" else []


def _from_pkcs7(raw: bytes) -> list[bytes]:
    """The certificates of PKCS#7 signed data, as cryptography reads it, else as asn1crypto does."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
    from cryptography.x509 import InvalidVersion

    try:
        return [c.public_bytes(Encoding.DER) for c in quietly(pkcs7.load_der_pkcs7_certificates, raw)]
    except (ValueError, TypeError, InvalidVersion, UnsupportedAlgorithm):
        return _from_odd_pkcs7(raw)


def _from_odd_pkcs7(raw: bytes) -> list[bytes]:
    from asn1crypto import cms

    try:
        choices = cms.ContentInfo.load(raw)["content"]["certificates"]
        return [bytes(choice.chosen.dump()) for choice in choices if choice.name == "certificate"]
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NameError, RecursionError):
        return []


def _first_element(der: bytes) -> bytes:
    """The first DER element of `der`."""
    long = der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0
    size = int.from_bytes(der[2 : 2 + long], "big") if long else der[1] if len(der) > 1 else 0
    return der[: 2 + long + size]


def _scan(hosts: Sequence[str], arguments: argparse.Namespace, trust: Trust) -> Report:
    from tlsinspect.conductor import execute, prepare

    plain = next((h for h in hosts if not read_target(h).tls), None)
    if plain is not None:
        raise UsageError(f"{printable(plain)}: there are no certificates on plain HTTP")
    prepared = prepare(
        hosts,
        trust=trust,
        proxy=arguments.proxy,
        resolve=arguments.resolve,
        timeout=arguments.timeout,
        offline=True,  # it shows certificates; whether they are revoked is for `scan` to ask
    )
    with progress() as prepared.options["progress"]:
        return execute(prepared)


def _from_host(text: str, report: Report | None) -> _Found:
    """What the host presented, from the first observation that shows it."""
    target = read_target(text)
    found = _Found(f"{bracketed(target.host)}:{target.port}")
    for assessment in report.assessments if report else ():
        if (assessment.endpoint.host, assessment.endpoint.port) == (target.host, target.port):
            found.assessment = assessment
            chains = (list(o.tls.chain) for o in assessment.observations if o.tls and o.tls.chain)
            found.certificates = next(chains, [])
    return found


# -- describing -----------------------------------------------------------------------------------------------------


def _described(found: Iterable[_Found], trust: Trust) -> Iterator[Source]:
    """Every source with its certificates described, and those of all of them linked to each other."""
    certificates: list[Certificate] = []
    details: list[Details] = []
    bounds: list[tuple[_Found, int, int]] = []
    for each in found:
        start = len(details)
        for certificate, description in _readable(each):
            certificates.append(certificate)
            details.append(description)
        bounds.append((each, start, len(details)))
    joined = linked(details, certificates, trust)
    for each, start, end in bounds:
        yield Source(each.name, tuple(joined[start:end]), tuple(each.notes), each.assessment)


def _readable(found: _Found) -> Iterator[tuple[Certificate, Details]]:
    seen: dict[bytes, int] = {}
    for position, der in enumerate(found.certificates, 1):
        if der in seen:
            found.notes.append(f"certificate {position} is certificate {seen[der]} once more")
            continue
        seen[der] = position
        try:
            certificate = Certificate(der)
            yield certificate, describe(certificate, source=found.name, position=position)
        except UnreadableError as error:
            found.notes.append(f"certificate {position} cannot be read: {one_line(error)}")


# -- writing --------------------------------------------------------------------------------------------------------


def _clock(at: datetime, now: bool, report: Report | None) -> Clock:
    """`at` as told, or this machine's time beside the one a run over the network proved."""
    proven = report.clock.lo if now and report is not None and report.clock.hi is not None else None
    return Clock(at, proven)


def _write(sources: Sequence[Source], arguments: argparse.Namespace, clock: Clock, out: TextIO) -> None:
    if arguments.format == "json":
        out.write(json.dumps([to_json(d) for source in sources for d in source.details], indent=2) + "\n")
        return
    from tlsinspect.report.table import PlainConsole

    render(sources, clock, PlainConsole(out), long=arguments.long)
