"""``tlsinspect classify``"""

import argparse
from datetime import UTC, datetime
from typing import TextIO

from tlsinspect.cli.output import destination, read_time
from tlsinspect.errors import UsageError
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.files import read_bytes
from tlsinspect.model import Assessment
from tlsinspect.pem import bodies
from tlsinspect.recorded import classify
from tlsinspect.redaction import redacted_assessment, redacted_facts
from tlsinspect.report import assessment_status
from tlsinspect.report.as_json import classification
from tlsinspect.trust import Trust


def run(arguments: argparse.Namespace) -> int:
    trust = Trust.load(arguments.trust) if arguments.trust else Trust.default()
    if arguments.interceptors is not None:
        trust = with_interceptors(trust, arguments.interceptors)
    chain = read_chain(arguments.file)
    at = read_time(arguments.at) if arguments.at is not None else datetime.now(UTC)
    assessment = classify(
        chain,
        arguments.host,
        at=at,
        trust=trust,
        authority=arguments.authority,
        crls=[crl for name in arguments.crl for crl in read_crls(name)],
        ocsp=[read_answer(name) for name in arguments.ocsp],
        witness=arguments.witness,
    )
    status = assessment_status([assessment])
    facts = trust.facts
    if arguments.redact:
        assessment, facts = redacted_assessment(assessment, trust), redacted_facts(facts)
    with destination(arguments.output) as out:
        if arguments.format == "json":
            out.write(classification(assessment, facts, redacted=arguments.redact))
        else:
            _print(assessment, at, out, redacted=arguments.redact)
    return status


def read_chain(name: str) -> list[bytes]:
    """The certificates of a PEM or DER file, or of standard input for ``-``. Raises UsageError."""
    return _read(name, "CERTIFICATE", "certificate")


def read_crls(name: str) -> list[bytes]:
    """The revocation lists of a file, DER: every one in PEM, or the file itself. Raises UsageError."""
    return _read(name, "X509 CRL", "revocation list")


def _read(name: str, label: str, what: str) -> list[bytes]:
    raw = read_bytes(name)
    try:
        found = list(bodies(raw, label))
    except ValueError:
        raise UsageError(f"{name}: broken PEM") from None
    if not found and raw[:1] != b"\x30":  # each of them begins with a SEQUENCE
        raise UsageError(f"{name}: holds no {what}, in PEM or in DER")
    return found or [raw]


def read_answer(name: str) -> bytes:
    """An OCSP answer, DER. Raises UsageError."""
    raw = read_bytes(name)
    if raw[:1] != b"\x30":
        raise UsageError(f"{name}: holds no OCSP answer in DER")
    return raw


def _print(assessment: Assessment, at: datetime, out: TextIO, *, redacted: bool) -> None:
    """The verdict, why, what to do, and every finding."""
    from rich.text import Text

    from tlsinspect.report.table import REDACTED, PlainConsole, finding_line, verdict_text

    console = PlainConsole(out)
    console.print(verdict_text(assessment), Text(f"recorded, judged at {at:%Y-%m-%d %H:%M:%S}Z", style="dim"))
    console.print(Text(assessment.explanation))
    if assessment.remedy:
        console.print(Text(f"→ {assessment.remedy}"))
    for finding in assessment.findings:
        console.print(finding_line(finding))
    if redacted:
        console.print(Text(REDACTED, style="dim"))
