"""Names, Google-like chains for them, and a bare handshake to compare with."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the helpers import this module and need nothing of the laboratory
    from tlsinspect.lab.pki import GoogleLike, Issued, PrivateKey

HOST = "127.0.0.1"
KINDS = ("EC", "RSA")
RSA_KEYS = 4  # shared by the RSA leaves: making one costs more than everything measured here


def shard_of(name: str) -> str:
    """The label of a name that chooses its certificate: ``x.SHARD.google.com``; of a profile's host, the host."""
    labels = name.split(".")
    return labels[1] if len(labels) == 4 else name


@dataclass(frozen=True)
class Lab:
    """A folder with the certificates of the far side, and the roots that judge them."""

    folder: Path
    roots: Path
    google: GoogleLike


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """Authorities like Google's with fresh keys; everything written is gone at the end of the block."""
    from datetime import UTC, datetime

    from tlsinspect.lab.pki import google_like

    # Authorities that outlive their leaves, as real ones do: otherwise the verifier is asked about a time it refuses.
    google = google_like(datetime.now(UTC), days=120)
    with tempfile.TemporaryDirectory(prefix="tlsinspect-bench-") as folder:
        roots = Path(folder) / "roots.pem"
        roots.write_bytes(google.roots_pem)
        yield Lab(Path(folder), roots, google)


def issue(google: GoogleLike, kind: str, names: Sequence[Sequence[str]]) -> list[Issued]:
    """A leaf for each entry of `names`. EC: P-256 under WE2 under a P-384 root; RSA: 2048 bits under WR2."""
    from tlsinspect.lab.pki import new_key

    keys: list[PrivateKey] = [new_key("rsa2048") for _ in range(RSA_KEYS)] if kind == "RSA" else []
    authority = google.wr2 if keys else google.we2
    return [authority.issue(each, key=keys[i % RSA_KEYS] if keys else None) for i, each in enumerate(names)]


def publish(place: Lab, kind: str, shards: Sequence[str]) -> None:
    """Give the far side a certificate for everything below each shard."""
    for shard, issued in zip(shards, issue(place.google, kind, [[f"*.{s}.google.com"] for s in shards]), strict=True):
        issued.write(place.folder, shard)
