"""A complete folder of trust data with parts of a laboratory's own in it.

A stand-in by PEM file replaces Google's roots and says so on every assessment. A folder is trust data like any other:
with it a laboratory's roots are Google's, its logs are known and its time service is believed, all at once.
"""

import base64
import hashlib
import shutil
import ssl
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.conftest import ROOT
from tlsinspect.certificate import Certificate, quietly, text_of
from tlsinspect.trust import MANIFEST, certificates_in
from tools.build_trust import count_entries, toml_table, toml_value

PURPOSES = ("crl", "ocsp", "issuer", "time")


class AnyLog(Protocol):
    """What a log is known by; `tlsinspect.lab.pki.Log` is one."""

    @property
    def description(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def id(self) -> bytes: ...
    @property
    def spki(self) -> bytes: ...


def make(
    folder: Path,
    *,
    google_roots: Sequence[x509.Certificate] | None = None,
    public_roots: Sequence[x509.Certificate] = (),
    ct_logs: Iterable[AnyLog] | None = None,
    time_keys: Mapping[int, bytes] | None = None,
    time_url: str | None = None,
    root_crls: Sequence[str] | None = None,
    revocation_hosts: Sequence[str] | None = None,
) -> Path:
    """Write trust data into `folder`, which must not exist: as shipped, except for the parts that are given.

    `google_roots` take the place of Google's own keys; the alternate roots stay. `public_roots` join those that
    browsers trust. Each of `revocation_hosts` may be asked for everything. Nothing else that is given may be empty, for
    trust data without it would be refused.
    """
    shutil.copytree(ROOT / "trust", folder)
    if google_roots is not None:
        _write_roots(folder, google_roots)
    with (folder / "public_roots.pem").open("ab") as file:
        file.writelines(root.public_bytes(Encoding.PEM) for root in public_roots)
    if ct_logs is not None:
        _write_tables(folder, "ct_logs.toml", {"log": [_log(log) for log in ct_logs]})
    keys = None if time_keys is None else [_key(version, spki) for version, spki in time_keys.items()]
    service = None if time_url is None else [{"url": time_url}]
    _write_tables(folder, "time_keys.toml", {"key": keys, "service": service})
    crls = None if root_crls is None else [{"url": url} for url in root_crls]
    hosts = None if revocation_hosts is None else [row for host in revocation_hosts for row in _host(host)]
    _write_tables(folder, "revocation_hosts.toml", {"host": hosts, "crl": crls})
    _write_manifest(folder)
    return folder


def _write_roots(folder: Path, google: Sequence[x509.Certificate]) -> None:
    shipped = tomllib.loads((folder / "google_roots.toml").read_text(encoding="utf-8"))["root"]
    others = [row for row in shipped if row["tier"] != "google"]
    published = {c.sha256: c for c in map(Certificate, certificates_in((folder / "google_roots.pem").read_bytes()))}
    own = [Certificate(certificate.public_bytes(Encoding.DER)) for certificate in google]
    _write_tables(folder, "google_roots.toml", {"root": [*map(_root, own), *others]})
    kept = [published[row["sha256"]] for row in others]
    text = "".join(ssl.DER_cert_to_PEM_cert(certificate.der) for certificate in (*own, *kept))
    (folder / "google_roots.pem").write_text(text, encoding="ascii")


def _root(certificate: Certificate) -> dict[str, Any]:
    return {
        "subject": text_of(certificate.subject),
        "sha256": certificate.sha256,
        "spki_sha256": certificate.spki_sha256,
        "not_after": certificate.not_after,
        "tier": "google",
    }


def _log(log: AnyLog) -> dict[str, Any]:
    return {
        "description": log.description,
        "operator": log.operator,
        "log_id": log.id.hex(),
        "spki": base64.b64encode(log.spki).decode(),
        "url": "https://log.test/",
        "tiled": False,
    }


def _key(version: int, spki: bytes) -> dict[str, Any]:
    return {"version": version, "spki": base64.b64encode(spki).decode()}


def _host(host: str) -> list[dict[str, Any]]:
    since = tomllib.loads("since = 2026-11-22")
    return [{"host": host, "purpose": each, **since, "on_help_page": False, "source": "tests"} for each in PURPOSES]


def _write_tables(folder: Path, name: str, given: Mapping[str, list[dict[str, Any]] | None]) -> None:
    """Replace the tables that are given, and leave the others of the file as they are."""
    path = folder / name
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = {table: rows for table, rows in read.items() if isinstance(rows, list)}
    tables |= {table: rows for table, rows in given.items() if rows is not None}
    text = f"schema_version = {read['schema_version']}\n"
    path.write_text(text + "".join(toml_table(t, row) for t, rows in tables.items() for row in rows), encoding="utf-8")


def _write_manifest(folder: Path) -> None:
    manifest = tomllib.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = manifest.pop("file")
    for row in files:
        content = (folder / row["path"]).read_text(encoding="utf-8")
        row["sha256"] = hashlib.sha256(content.encode()).hexdigest()
        row["count"] = quietly(count_entries, row["path"], content)
    text = "".join(f"{key} = {toml_value(value)}\n" for key, value in manifest.items())
    (folder / MANIFEST).write_text(text + "".join(toml_table("file", row) for row in files), encoding="utf-8")
