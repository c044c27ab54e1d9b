"""Write the certificate fixtures of this folder: ``python testcerts/generate.py [DATE]``.

Every run makes new keys, uses them once and forgets them; only certificates are written.  What stays the same from run
to run is the shape and, for a given date, the validity.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":  # run from a checkout in which the package is not installed
    sys.path.insert(0, str(HERE.parent))

from tlsinspect.lab.pki import cases, google_like  # noqa: E402

HOST = "www.googleapis.com"
DEFAULT_DATE = "2026-11-23"

CASES = {
    "A": ("case-a-fiddler", "Fiddler: leaf and root."),
    "B": ("case-b-zscaler", "Zscaler: leaf and intermediate, the root not sent."),
    "C": ("case-c-zscaler-leaf-only", "Zscaler: the leaf of case B with nothing behind it."),
    "D": ("case-d-fiddler-expired", "Fiddler: leaf and root, both expired 100 days before the date."),
    "E": ("case-e-forged-issuer-name", "A leaf alone whose issuer has the name of Google's WR2 and another key."),
}


def fixtures(now: datetime) -> Iterator[tuple[str, str, tuple[x509.Certificate, ...]]]:
    """File stem, purpose and certificates of every fixture."""
    made = cases(now, HOST)
    for case, (stem, purpose) in CASES.items():
        yield stem, f"Case {case}. {purpose}", made[case].chain
    lab = google_like(now)
    genuine = "A chain shaped like Google's: verifies under google-like-root.pem and under nothing else."
    yield "google-like", genuine, lab.we2.issue([HOST, "*.googleapis.com"]).chain
    yield "google-like-root", "The root of google-like.pem: Google's name, nobody's key.", (lab.r4.certificate,)


def described(purpose: str, now: datetime, certificates: tuple[x509.Certificate, ...]) -> bytes:
    """The PEM text with comment lines on top; readers of PEM skip what is outside the BEGIN and END lines."""
    lines = [f"# {purpose}", f"# Made by testcerts/generate.py for {now:%Y-%m-%d}; the keys no longer exist."]
    for number, certificate in enumerate(certificates):
        lines += [
            f"# [{number}] subject  {certificate.subject.rfc4514_string()}",
            f"#     issuer   {certificate.issuer.rfc4514_string()}",
            f"#     validity {_minute(certificate.not_valid_before_utc)} to {_minute(certificate.not_valid_after_utc)}",
        ]
    comment = "\n".join(lines).encode() + b"\n"
    return comment + b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def main() -> None:
    """Write every fixture beside this file."""
    parser = argparse.ArgumentParser(description="Write the certificate fixtures of this folder.")
    parser.add_argument("date", nargs="?", default=DEFAULT_DATE, help="the day the fixtures are for, YYYY-MM-DD")
    now = datetime.strptime(parser.parse_args().date, "%Y-%m-%d").replace(tzinfo=UTC)
    for stem, purpose, certificates in fixtures(now):
        (HERE / f"{stem}.pem").write_bytes(described(purpose, now, certificates))


if __name__ == "__main__":
    main()
