"""A CRL of fifty megabytes, mapped from a file: the first answer, the next ones, and what stays in memory."""

import base64
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from bench.options import Options
from bench.process import output_of
from bench.table import Row
from tlsinspect.der import encoded, integer

ENTRIES = 1_120_000  # of 45 octets each
SERIALS = 0x40 << 120  # … + 1, + 2: sixteen octets, as Google's are
MB = 1 << 20

# In a process of its own, so that what building the list took is not counted.
_PROGRAM = """
import base64, mmap, time
from datetime import datetime
from tlsinspect.certificate import Certificate
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.revocation import status
issuer, *leaves = [Certificate(base64.b64decode(text)) for text in {certificates!r}]
at = datetime.fromisoformat({at!r})
status(leaves[0], [Crl(b"").answer(leaves[0], issuer)], at)  # whatever is imported or read at first use
with open({path!r}, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
    crl = Crl(body)
    for leaf in leaves:
        begun = time.perf_counter()
        found = status(leaf, [crl.answer(leaf, issuer)], at)
        print(time.perf_counter() - begun, found.state)
    begun = time.perf_counter()
    for _ in range(1000):
        crl.answer(leaf, issuer)
    print((time.perf_counter() - begun) / 1000, "again")
with open("/proc/self/status") as file:  # ru_maxrss would count the process that started this one, too
    print(next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024, "resident")
"""
_ASKED = (  # what, the serial number, the state
    ("the first time, not listed", SERIALS, "good"),
    ("another certificate, not listed", SERIALS + ENTRIES + 1, "good"),
    ("another, listed last", SERIALS + ENTRIES, "revoked"),
)


def run(_: Options) -> Iterator[Row]:
    if sys.platform != "linux":
        return  # other systems count resident memory otherwise
    at = datetime.now(UTC).replace(microsecond=0)
    key = rsa.generate_private_key(65537, 2048)
    ca = _certificate(key, "Large CA", 1, at, key)
    leaves = [_certificate(key, "leaf", serial, at, key) for _, serial, _ in _ASKED]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.crl"
        path.write_bytes(_large_crl(ca, key, at))
        megabytes = f"{path.stat().st_size / MB:.0f} MB"
        ders = [base64.b64encode(c.public_bytes(Encoding.DER)).decode() for c in (ca, *leaves)]
        said = output_of("-c", _PROGRAM.format(certificates=ders, at=at.isoformat(), path=str(path)))
    lines = [(float(number), word) for number, word in (line.split() for line in said.splitlines())]
    for (what, _serial, state), (seconds, found) in zip(_ASKED, lines, strict=False):
        if found != state:
            raise RuntimeError(f"a certificate {what} is called {found}")
        yield Row(f"a CRL of {megabytes}: {what}", f"{seconds:.3f} s", None, "≤ 0.2 s", seconds <= 0.2)
    again, resident = lines[-2][0], lines[-1][0]
    yield Row(f"a CRL of {megabytes}: the same again", f"{again * 1e6:.1f} µs", None, "≤ 10 µs", again <= 10e-6)
    measured = f"{resident / MB:.0f} MB at most, the file and Python included"
    yield Row(f"a CRL of {megabytes}: resident", measured, None, "≤ 150 MB", resident <= 150 * MB)


def _certificate(
    key: rsa.RSAPrivateKey, subject: str, serial: int, at: datetime, signer: rsa.RSAPrivateKey
) -> x509.Certificate:
    issuer, own = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("Large CA", subject))
    begin, end = at - timedelta(days=1), at + timedelta(days=30)
    return x509.CertificateBuilder(issuer, own, key.public_key(), serial, begin, end).sign(signer, hashes.SHA256())


def _large_crl(ca: x509.Certificate, key: rsa.RSAPrivateKey, at: datetime) -> bytes:
    date = encoded(0x17, f"{at - timedelta(days=1):%y%m%d%H%M%SZ}".encode())
    reason = x509.CRLReason(x509.ReasonFlags.cessation_of_operation)
    because = encoded(0x30, encoded(0x30, _oid(reason.oid), encoded(0x04, reason.public_bytes())))
    entries = (encoded(0x30, integer(SERIALS + 1 + i), date, because) for i in range(ENTRIES))
    until = encoded(0x17, f"{at + timedelta(days=9):%y%m%d%H%M%SZ}".encode())
    number = encoded(0x30, _oid(x509.CRLNumber.oid), encoded(0x04, integer(1)))
    algorithm = bytes.fromhex("300d06092a864886f70d01010b0500")  # RSA with SHA-256
    extensions = encoded(0xA0, encoded(0x30, number))
    listed = encoded(0x30, *entries)
    tbs = encoded(0x30, integer(1), algorithm, ca.subject.public_bytes(), date, until, listed, extensions)
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return encoded(0x30, tbs, algorithm, encoded(0x03, b"\0", signature))


def _oid(oid: x509.ObjectIdentifier) -> bytes:
    """Of the form 2.5.29.x."""
    return encoded(0x06, bytes((0x55, 0x1D, int(oid.dotted_string.rpartition(".")[2]))))
