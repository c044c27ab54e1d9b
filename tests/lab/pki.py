"""The certificate files of the lab, made for one run from the shapes in `tlsinspect.lab.pki`.

The stand-in for Google has Google's names and other keys. So the command must call it genuine only where `--trust` says
that these roots stand in for Google's, and interception everywhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tlsinspect.lab.pki import Authority, google_like, name, self_signed


@dataclass(frozen=True)
class Pki:
    """Where the files lie."""

    folder: Path

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
    def http_folder(self) -> Path:
        """What the hosts of pki.goog serve, DER: both revocation lists and the intermediate."""
        return self.folder / "pki.goog"

    def chain(self, host: str) -> Path:
        return self.folder / f"{host}.pem"

    def key(self, host: str) -> Path:
        return self.folder / f"{host}.key"


def make(folder: Path, hosts: Iterable[str], now: datetime, *, portal: str) -> Pki:
    """Make every certificate of the lab into `folder`, which should be private: keys lie in it.

    `portal` is the name of somebody who vouches for himself, as the login page of a hotel's network does.
    """
    pki = Pki(folder)
    google = google_like(now)
    pki.google_roots.write_bytes(google.roots_pem)
    for host in hosts:
        google.wr2.issue([host]).write(folder, host)
    pki.http_folder.mkdir()
    (pki.http_folder / "wr2.crl").write_bytes(google.wr2.crl())
    (pki.http_folder / "root.crl").write_bytes(google.r1.crl())
    (pki.http_folder / "wr2.crt").write_bytes(google.wr2.certificate.public_bytes(serialization.Encoding.DER))
    self_signed(portal, now).write(folder, portal)
    _write_authority(_corporate(now), pki)
    return pki


def _corporate(now: datetime) -> Authority:
    # RSA, because proxy.py makes RSA leaves by the openssl tool and Squid gives every leaf the key of its authority.
    subject = name(
        (x509.NameOID.COUNTRY_NAME, "US"),
        (x509.NameOID.ORGANIZATION_NAME, "Acme Corp"),
        (x509.NameOID.COMMON_NAME, "Acme Corp TLS Inspection CA"),
    )
    return Authority.root(subject, now, key="rsa2048")


def _write_authority(authority: Authority, pki: Pki) -> None:
    pki.corporate_root.write_bytes(authority.pem)
    pki.corporate_key.touch(mode=0o600)
    pki.corporate_key.write_bytes(
        authority.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
