"""What proving in time costs for each certificate: its revocation and its timestamps, listed apart from the scan."""

import copy
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median

from cryptography.hazmat.primitives.serialization import Encoding

from bench.options import Options
from bench.table import Row
from tlsinspect.certificate import Certificate
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.revocation import answers, check_revocation, status
from tlsinspect.evidence.transparency import summary, timestamps
from tlsinspect.lab.pki import Issued, Log, google_like
from tlsinspect.model import Revocation
from tlsinspect.trust import CtLog, Trust

LEAVES = 200
LISTED = 200  # entries of the list


def run(_: Options) -> Iterator[Row]:
    at = datetime.now(UTC)
    google, logs = google_like(at), [Log("Bench one", "One"), Log("Bench two", "Two")]
    leaves = [google.we2.issue([f"h{i}.google.com"], logs=logs) for i in range(LEAVES)]
    issuer = google.we2.certificate.public_bytes(Encoding.DER)
    crl, said = google.we2.crl(range(1, LISTED)), [google.we2.ocsp_answer(leaf.certificate) for leaf in leaves]
    yield _row("two timestamps verified", _stamped(leaves, issuer, _knowing(logs)))
    yield _row(f"check_revocation by a CRL of {LISTED} entries", _checked(leaves, issuer, at, [crl]))
    yield _row("check_revocation by an OCSP answer", _checked(leaves, issuer, at, [], said))
    yield _row("a list verified before, another certificate", _again(leaves, issuer, at, crl))


def _row(what: str, seconds: list[float]) -> Row:
    return Row(f"proof in time: {what}", f"{median(seconds) * 1e6:.0f} µs a certificate, P-256")


def _knowing(logs: list[Log]) -> Trust:
    """The data of this release, with these logs beside its own."""
    trust = copy.copy(Trust.default())
    known = {log.id: CtLog(log.description, log.operator, log.spki, "", False, None, None) for log in logs}
    trust.__dict__["ct_logs"] = {**trust.ct_logs, **known}
    return trust


def _each(leaves: list[Issued], work: Callable[[int, bytes], bool]) -> list[float]:
    """CPU seconds of each; one that does not give the right answer ends the benchmark."""
    spent = []
    for number, leaf in enumerate(leaves):
        begun = time.process_time()
        right = work(number, leaf.ders[0])
        spent.append(time.process_time() - begun)
        if not right:
            raise RuntimeError("a wrong answer")
    return spent[1:]  # the first one loads


def _stamped(leaves: list[Issued], issuer: bytes, trust: Trust) -> list[float]:
    authority = Certificate(issuer)

    def work(_: int, leaf: bytes) -> bool:
        return summary(timestamps(Certificate(leaf), authority, (), trust)) == "verified"

    return _each(leaves, work)


def _checked(
    leaves: list[Issued], issuer: bytes, at: datetime, crls: list[bytes], said: list[bytes] | None = None
) -> list[float]:
    def work(number: int, leaf: bytes) -> bool:
        ocsp = [said[number]] if said else []
        return check_revocation(leaf, issuer, at=at, crls=crls, ocsp=ocsp).state is Revocation.GOOD

    return _each(leaves, work)


def _again(leaves: list[Issued], issuer: bytes, at: datetime, crl: bytes) -> list[float]:
    authority, listed = Certificate(issuer), Crl(crl)

    def work(_: int, leaf: bytes) -> bool:
        certificate = Certificate(leaf)
        return status(certificate, answers(certificate, authority, [listed]), at).state is Revocation.GOOD

    return _each(leaves, work)
