"""Rebuild the shipped trust data under ``trust/``.

The data come in two kinds. Some files are written by hand and only checked and counted here: ``google_roots.toml``
(which roots Google's clients must accept), ``historical_roots.toml`` (which they once had to), ``interceptors.toml``,
``fingerprints.toml``, ``time_keys.toml``, ``revocation_hosts.toml`` and the hand-written rows of
``google_domains.toml``.
The rest is derived from published packages or from recorded certificates, and is never edited:

* ``google_roots.pem`` and ``public_roots.pem``, from the certifi package and a Debian ca-certificates bundle;
* ``historical_roots.pem``, from an old release of certifi (``--historical``);
* ``google_intermediates.toml``, from a folder of recorded intermediates (facts only, no certificate is copied);
* the rows of ``google_domains.toml`` that quote a certificate, from a folder of recorded chains (leaf first);
* ``ct_logs.toml``, from recorded lists of Certificate Transparency logs, added to the rows that are there;
* the sets ``google`` and ``cloud`` of ``google_ranges.toml``, from Google's lists of its addresses;
* ``MANIFEST.toml``, from what the other files contain.

How to refresh the data:

1. Fetch https://pki.goog/roots.pem and compare it with ``google_roots.toml``: add and remove rows by SHA-256, and
   change ``date`` in ``MANIFEST.toml`` together with the ``source_date`` of the two ``google_roots`` files.
2. Install the newest certifi in a clean environment, update Debian's ca-certificates, and run
   ``python tools/build_trust.py``. A root that neither package publishes stops the run with its name; nothing is
   written in that case.
3. When Google has begun to use a new intermediate, put a recorded copy (PEM) into a folder together with the others,
   say in its first line ``# source: where it was published``, and run with ``--intermediates DIR``. Give
   ``--anchors DIR`` a folder of old roots for the intermediates that lead to none of today's roots.
4. When a newer ``*.google.com`` chain has been recorded, run with ``--chains DIR``.
5. Fetch https://www.gstatic.com/ct/log_list/v3/log_list.json and run with ``--ct-logs FILE``: Google goes on to new
   logs every half year, and the timestamp of an unknown log says nothing. No row is ever taken away. A list from
   elsewhere says in a top-level ``"source"`` where it was published.
6. Fetch https://www.gstatic.com/ipranges/goog.json and https://www.gstatic.com/ipranges/cloud.json and run with
   ``--ip-ranges GOOG CLOUD``.
7. Pass ``--built YYYY-MM-DD``, read the difference, and commit.

The same input always gives the same bytes; ``--check`` writes nothing and fails where a file would change.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import hashlib
import importlib.metadata
import ipaddress
import json
import re
import sys
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

TRUST = Path(__file__).resolve().parent.parent / "trust"
DEBIAN_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

OPERATED_BY_GOOGLE = re.compile(r"W[RE]\d+|AE\d+|GTS CA .+|GTS Y\d+|GIAG4.*|Google Internet Authority.*")
"""Common names of the issuing authorities that Google runs; its roots and other companies' authorities are left out."""

SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "ne", "net", "off", "org"})
"""Labels that belong to the public suffix when a country code follows (``google.co.jp``, ``recaptcha.net.cn``)."""

COUNTRY_CODE = 2
"""Length of a top-level domain that is a country's."""

QUOTED_LEAF = "*.google.com"
QUOTE = f"dNSName of the {QUOTED_LEAF} certificate "
"""How the source of a derived row of google_domains.toml begins; all other rows are written by hand and kept."""

TIERS = ("google", "alternate", "historical")
"""Kinds of root a chain may end in, the best first."""

NOT_FOR_CLIENTS = re.compile(r"Bogus|Testtube|Crucible|Solera20|Testflume|Clicky|Daedalus|Submariner|Dodo")
"""Logs for trials, for expired and for unwanted certificates, and the rows that only keep old parsers from failing: a
timestamp of theirs is no evidence. No recorded certificate of Google's has one."""

SHARD = re.compile(r"[A-Za-z](20\d\d)(h[12])?\b")
PLAIN_SHARDS = frozenset({"Google 20YY", "Google h", "Cloudflare 20YY", "DigiCert 20YY", "Sectigo h"})
"""Operators whose shards of a year or of half a year begin and end with it in every list that states both: where no
list states the range, it is read from the name. Let's Encrypt's overlap by weeks, and DigiCert's of half a year too."""

Row = Mapping[str, Any]


class BuildError(Exception):
    """The input cannot give the data asked for; the message says what is missing."""


@dataclass(frozen=True)
class Intermediate:
    """One recorded certificate of an issuing authority, and the root its signatures lead to."""

    certificate: x509.Certificate
    tier: str
    anchor: str
    source: str | None


# --- small facts about certificates ---------------------------------------------------------------------------------


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the whole certificate, in lower-case hex."""
    return certificate.fingerprint(SHA256()).hex()


def spki(certificate: x509.Certificate) -> bytes:
    """The public key as DER SubjectPublicKeyInfo."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_hash(certificate: x509.Certificate) -> str:
    """SHA-256 of the public key, in lower-case hex."""
    return hashlib.sha256(spki(certificate)).hexdigest()


def common_name(name: x509.Name) -> str:
    """The first common name, or nothing."""
    values = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(values[0].value) if values else ""


def key_id(certificate: x509.Certificate) -> str:
    """The subject key identifier in hex, or nothing where the certificate carries none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except x509.ExtensionNotFound:
        return ""


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key fit the certificate's issuer name and signature.

    Written out because cryptography's ``verify_directly_issued_by`` refuses SHA-1, with which the oldest were signed.
    """
    key, algorithm = issuer.public_key(), certificate.signature_hash_algorithm
    if certificate.issuer != issuer.subject or algorithm is None:
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def load_folder(folder: Path) -> dict[Path, list[x509.Certificate]]:
    """The certificates of every PEM file in a folder, by file, in the order of the names."""
    files = sorted(folder.glob("*.pem"))
    if not files:
        raise BuildError(f"There is no .pem file in {folder}.")
    return {file: x509.load_pem_x509_certificates(file.read_bytes()) for file in files}


# --- writing --------------------------------------------------------------------------------------------------------


def comment(text: str) -> str:
    """The lines of a text as comment lines, in ASCII so that every PEM reader accepts them."""
    lines = text.encode("ascii", "backslashreplace").decode().splitlines()
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def pem(certificate: x509.Certificate) -> str:
    """A certificate as PEM text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def toml_value(value: object) -> str:
    """One value in TOML; dates and times as such, lists one item a line when they are long."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        items = [toml_value(item) for item in value]
        return f"[{items[0]}]" if len(items) == 1 else "[\n" + "".join(f"  {item},\n" for item in items) + "]"
    return json.dumps(value, ensure_ascii=False)


def toml_table(header: str, row: Row) -> str:
    """One element of an array of tables."""
    return f"\n[[{header}]]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in row.items())


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file, or an empty one where it does not exist yet."""
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def header_of(path: Path, default: str) -> str:
    """The comment lines at the top of a file that exists (they may be edited by hand), else the default."""
    if not path.exists():
        return comment(default)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:count]) or comment(default)


# --- roots ----------------------------------------------------------------------------------------------------------


def certifi_bundle() -> tuple[str, list[x509.Certificate]]:
    """certifi's version and certificates, after checking that nobody appended to the installed file.

    Companies add their own inspection root to the installed bundle; a snapshot of such a file would trust the very
    authorities that tlsinspect is to find.
    """
    distribution = importlib.metadata.distribution("certifi")
    data = Path(certifi.where()).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    recorded = [file.hash.value for file in distribution.files or () if file.name == "cacert.pem" and file.hash]
    if recorded != [digest]:
        raise BuildError("The installed certifi bundle is not the one its package published: install certifi afresh.")
    return distribution.version, x509.load_pem_x509_certificates(data)


def debian_bundle(path: Path) -> list[x509.Certificate]:
    """The certificates of a Debian ca-certificates bundle."""
    if not path.exists():
        raise BuildError(f"The Debian bundle {path} does not exist: install ca-certificates or pass --debian PATH.")
    return x509.load_pem_x509_certificates(path.read_bytes())


def pick_root(row: Row, published: Mapping[str, x509.Certificate]) -> x509.Certificate:
    """The published certificate that a row of google_roots.toml names, with its stated facts checked."""
    subject, certificate = row["subject"], published.get(row["sha256"])
    if certificate is None:
        raise BuildError(f"Neither certifi nor the Debian bundle publishes {subject} (SHA-256 {row['sha256']}).")
    facts = {
        "subject": certificate.subject.rfc4514_string(),
        "spki_sha256": spki_hash(certificate),
        "not_after": certificate.not_valid_after_utc,
    }
    for field, value in facts.items():
        if row[field] != value:
            raise BuildError(f"google_roots.toml says {field} = {row[field]} for {subject}, which has {value}.")
    if row["tier"] not in TIERS[:2]:
        raise BuildError(f"google_roots.toml gives {subject} the unknown tier {row['tier']!r}.")
    return certificate


def google_roots_pem(rows: Iterable[Row], published: Mapping[str, x509.Certificate]) -> str:
    """The text of google_roots.pem: the certificates in the order of google_roots.toml."""
    text = comment(
        "The roots of https://pki.goog/roots.pem named in google_roots.toml, in the same order.\n"
        "Copied from the certifi and Debian ca-certificates packages (MPL-2.0), found there by SHA-256.\n"
        "Written by tools/build_trust.py; not edited by hand."
    )
    for row in rows:
        text += "\n" + comment(row["subject"]) + pem(pick_root(row, published))
    return text


def historical_roots_pem(rows: Iterable[Row], old: Iterable[x509.Certificate]) -> str:
    """The text of historical_roots.pem: the certificates that historical_roots.toml names, from an old bundle."""
    published = {fingerprint(certificate): certificate for certificate in old}
    text = comment(
        "Roots that Google's certificates led to in years past, named in historical_roots.toml, in the same order.\n"
        "Copied from an old release of the certifi package (MPL-2.0), found there by SHA-256.\n"
        "Written by tools/build_trust.py; not edited by hand."
    )
    for row in rows:
        if row["sha256"] not in published:
            raise BuildError(f"The old bundle does not hold {row['subject']} (SHA-256 {row['sha256']}).")
        if spki_hash(published[row["sha256"]]) != row["spki_sha256"]:
            raise BuildError(f"historical_roots.toml gives {row['subject']} the wrong key.")
        text += "\n" + comment(row["subject"]) + pem(published[row["sha256"]])
    return text


def old_bundle(path: Path) -> list[x509.Certificate]:
    """The certificates of an old bundle, each by itself: some are signed in ways nobody reads any more."""
    blocks = re.findall(
        r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", path.read_text("latin-1"), re.DOTALL
    )
    return [x509.load_pem_x509_certificate(block.encode()) for block in blocks]


def public_roots_pem(version: str, certificates: Iterable[x509.Certificate]) -> str:
    """The text of public_roots.pem: every certificate of the bundle, in its order."""
    text = comment(
        f"Snapshot of the bundle of certifi {version} (Mozilla's roots), certificate by certificate, in its order.\n"
        "Licence: Mozilla Public License 2.0, https://mozilla.org/MPL/2.0/\n"
        "Written by tools/build_trust.py; not edited by hand."
    )
    for certificate in certificates:
        subject = certificate.subject.rfc4514_string()
        text += "\n" + comment(f"{subject}\nsha256 {fingerprint(certificate)}") + pem(certificate)
    return text


# --- intermediates --------------------------------------------------------------------------------------------------


def lead(
    certificate: x509.Certificate, pool: Iterable[x509.Certificate], tiers: Mapping[str, str], depth: int = 6
) -> tuple[str, str] | None:
    """The tier and subject of the best root that signatures lead to from a certificate; dates are not looked at."""
    found = []
    for issuer in pool if depth else ():
        if not signed_by(certificate, issuer):
            continue
        if (key := spki_hash(issuer)) in tiers:
            found.append((tiers[key], issuer.subject.rfc4514_string()))
        elif spki(issuer) != spki(certificate) and (further := lead(issuer, pool, tiers, depth - 1)):
            found.append(further)
    return min(found, key=lambda item: TIERS.index(item[0]), default=None)


def stated_source(file: Path) -> str | None:
    """What a recorded file says of its origin in a ``# source:`` line."""
    match = re.search(r"^# source: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1].strip() if match else None


def collect_intermediates(
    folder: Path, anchors: Path | None, roots: Iterable[x509.Certificate], rows: Iterable[Row]
) -> list[Intermediate]:
    """Google's issuing authorities among the recorded files, each with the root it was proven to lead to."""
    old_roots = [c for chain in load_folder(anchors).values() for c in chain] if anchors else []
    tiers = {spki_hash(root): "historical" for root in old_roots} | {row["spki_sha256"]: row["tier"] for row in rows}
    recorded = load_folder(folder)
    pool = [*roots, *old_roots, *(c for chain in recorded.values() for c in chain)]
    collected = []
    for file, (certificate, *_) in recorded.items():
        if not OPERATED_BY_GOOGLE.fullmatch(common_name(certificate.subject)):
            continue
        proof = lead(certificate, pool, tiers)
        if proof is None:
            raise BuildError(f"The signatures above {file.name} lead to no known root: give its root in --anchors.")
        collected.append(Intermediate(certificate, *proof, stated_source(file)))
    return collected


def intermediate_row(issues: list[Intermediate], known: Mapping[tuple[str, ...], str]) -> Row:
    """One row of google_intermediates.toml for all certificates issued for one subject and key."""
    issues.sort(key=lambda issue: (issue.certificate.not_valid_before_utc, fingerprint(issue.certificate)))
    newest, best = issues[-1].certificate, min(issues, key=lambda issue: TIERS.index(issue.tier))
    hashes = [fingerprint(issue.certificate) for issue in issues]
    name = common_name(newest.subject)
    stated = sorted({issue.source for issue in issues if issue.source})
    source = "; ".join(stated) or known.get(tuple(hashes))
    if not source:
        raise BuildError(f"No recorded file of {name} says where it was published: add a '# source: ...' line.")
    return {
        "cn": name,
        "subject": newest.subject.rfc4514_string(),
        "subject_der": base64.b64encode(newest.subject.public_bytes()).decode(),
        "key_id": next((key_id(issue.certificate) for issue in reversed(issues) if key_id(issue.certificate)), ""),
        "spki": base64.b64encode(spki(newest)).decode(),
        "spki_sha256": spki_hash(newest),
        "not_before": min(issue.certificate.not_valid_before_utc for issue in issues),
        "not_after": max(issue.certificate.not_valid_after_utc for issue in issues),
        "issuer": newest.issuer.rfc4514_string(),
        "anchor": best.anchor,
        "anchor_tier": best.tier,
        "certificates": hashes,
        "source": source,
    }


def google_intermediates_toml(collected: Iterable[Intermediate], path: Path) -> str:
    """The text of google_intermediates.toml, the newest authority first."""
    known = {tuple(row["certificates"]): row["source"] for row in read_toml(path).get("intermediate", [])}
    groups: dict[tuple[bytes, bytes], list[Intermediate]] = {}
    for issue in collected:
        key = (issue.certificate.subject.public_bytes(), spki(issue.certificate))
        groups.setdefault(key, []).append(issue)
    rows = sorted((intermediate_row(issues, known) for issues in groups.values()), key=lambda row: str(row["cn"]))
    rows.sort(key=lambda row: row["not_before"], reverse=True)
    text = header_of(path, "Issuing authorities operated by Google: names and public keys only.")
    return text + "schema_version = 1\n" + "".join(toml_table("intermediate", row) for row in rows)


# --- domains --------------------------------------------------------------------------------------------------------


def base_domain(name: str) -> str:
    """The registrable domain of a dNSName: ``*.google.co.jp`` gives ``google.co.jp``."""
    labels = name.removeprefix("*.").lower().split(".")
    suffix = 2 if len(labels[-1]) == COUNTRY_CODE and labels[-2] in SECOND_LEVEL else 1
    return ".".join(labels[-suffix - 1 :])


def quoted_domains(chain: list[x509.Certificate], issuers: Iterable[Row]) -> dict[str, str]:
    """Base domains in a recorded leaf for ``*.google.com`` signed by a current Google authority, with their source."""
    leaf, signers = chain[0], chain[1:]
    if common_name(leaf.subject) != QUOTED_LEAF:
        return {}
    keys = {row["spki_sha256"] for row in issuers if row["anchor_tier"] == "google"}
    if not any(spki_hash(signer) in keys and signed_by(leaf, signer) for signer in signers):
        return {}
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    source = f"{QUOTE}{fingerprint(leaf)[:16]} ({common_name(leaf.issuer)}, {leaf.not_valid_before_utc:%Y-%m-%d})"
    return {base_domain(name): source for name in names.get_values_for_type(x509.DNSName)}


def google_domains_toml(chains: Iterable[list[x509.Certificate]], issuers: Iterable[Row], path: Path) -> str:
    """The text of google_domains.toml: hand-written rows kept, quoted rows from the newest leaf that has the name."""
    issuers = list(issuers)
    existing = read_toml(path).get("domain", [])
    sources = {row["name"]: row["source"] for row in existing if not row["source"].startswith(QUOTE)}
    quoted = 0
    for chain in sorted(chains, key=lambda chain: chain[0].not_valid_before_utc):
        found = quoted_domains(chain, issuers)
        quoted += bool(found)
        sources |= found
    if not quoted:
        raise BuildError(f"No recorded chain has a {QUOTED_LEAF} leaf signed by a known Google authority.")
    text = header_of(path, "Domains whose hosts only Google's own authority signs.") + "schema_version = 1\n"
    return text + "".join(toml_table("domain", {"name": name, "source": sources[name]}) for name in sorted(sources))


# --- Certificate Transparency logs ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogList:
    """One recorded list of logs."""

    day: dt.date
    source: str
    rows: tuple[dict[str, Any], ...]


def log_row(description: str, operator: str, key: bytes, url: str, tiled: bool) -> dict[str, Any]:
    """What every list says of a log. Its id is the hash of its key (RFC 6962 section 3.2), whatever the list says."""
    return {
        "description": description,
        "operator": operator,
        "log_id": hashlib.sha256(key).hexdigest(),
        "spki": base64.b64encode(key).decode(),
        "url": url if "://" in url else f"https://{url}",
        "tiled": tiled,
    }


def read_log_list(path: Path) -> LogList:
    """A list in one of the two forms in which they are recorded."""
    text = path.read_text(encoding="utf-8")
    found = read_v3_list(json.loads(text)) if text.lstrip().startswith("{") else read_zeek_list(text)
    if not found.rows:
        raise BuildError(f"There is no log in {path}.")
    return found


def read_v3_list(listed: dict[str, Any]) -> LogList:
    """Chrome's JSON, version 3: RFC 6962 logs and, apart from them, those with the Static CT API ("tiled")."""
    name = "all_logs_list" if listed.get("is_all_logs") else "log_list"
    published = f"https://www.gstatic.com/ct/log_list/v3/{name}.json version {listed.get('version')}"
    rows = []
    for operator in listed["operators"]:
        for kind, address in (("logs", "url"), ("tiled_logs", "submission_url")):
            for log in operator.get(kind, []):
                if log.get("log_type", "prod") != "prod" or "pending" in log.get("state", {}):
                    continue  # not Chrome's word for it, yet or ever
                key = base64.b64decode(log["key"], validate=True)
                row = log_row(log["description"], operator["name"], key, log[address], kind == "tiled_logs")
                if base64.b64decode(log.get("log_id", "")) not in (b"", bytes.fromhex(row["log_id"])):
                    raise BuildError(f"The id of {log['description']} is not the hash of its key.")
                if interval := log.get("temporal_interval"):
                    row["expires_from"] = dt.datetime.fromisoformat(interval["start_inclusive"])
                    row["expires_until"] = dt.datetime.fromisoformat(interval["end_exclusive"])
                    row["expires_by"] = "list"
                rows.append(row)
    day = dt.datetime.fromisoformat(listed["log_list_timestamp"]).date()
    return LogList(day, listed.get("source", published), tuple(rows))


ZEEK_DAY = re.compile(r"^# (?:Source file generated at: |File generated at \w+ )(.+)$", re.MULTILINE)
ZEEK_ROW = re.compile(r'CTInfo\(\$description="([^"]+)", \$operator="([^"]+)", \$url="([^"]+)".+\$key="([^"]+)"\)')


def read_zeek_list(text: str) -> LogList:
    """The list that Zeek's developers make from Chrome's: it goes back further than any other, and has no tiled log."""
    said = ZEEK_DAY.findall(text)
    if not said:
        raise BuildError("A list of logs is neither Chrome's JSON nor Zeek's script.")
    # The day of the list itself where it is given, else the day on which the script was made from it.
    form = "%Y-%m-%dT%H:%M:%S%z" if said[-1][0].isdigit() else "%b %d %H:%M:%S %Y"
    day = dt.datetime.strptime(said[-1], form).date()  # noqa: DTZ007 - only the day is wanted
    rows = [
        log_row(description, operator, bytes.fromhex(key.replace("\\x", "")), url, tiled=False)
        for description, operator, url, key in ZEEK_ROW.findall(text)
    ]
    source = f"zeek/zeek scripts/base/protocols/ssl/ct-list.zeek of {day}"
    return LogList(day, source, tuple(rows))


def shard_of(row: Row) -> dict[str, Any]:
    """The range of expiry that a shard's name tells, for those operators whose names can be believed."""
    found = SHARD.search(row["description"])
    if not found or f"{row['operator']} {'h' if found[2] else '20YY'}" not in PLAIN_SHARDS:
        return {}
    year, half = int(found[1]), found[2]
    begin = dt.datetime(year, 7 if half == "h2" else 1, 1, tzinfo=dt.UTC)
    end = dt.datetime(year, 7, 1, tzinfo=dt.UTC) if half == "h1" else dt.datetime(year + 1, 1, 1, tzinfo=dt.UTC)
    return {"expires_from": begin, "expires_until": end, "expires_by": "name"}


RANGE = ("expires_from", "expires_until", "expires_by")
LOG = ("description", "operator", "log_id", "spki", "url", "tiled", *RANGE, "first_listed", "last_listed", "source")
"""The fields of a row, in the order in which they are written."""


def merged(old: Row, row: Row, listed: LogList) -> dict[str, Any]:
    """A known log as another list has it: the newest list names and places it, any list may tell its range."""
    newer = listed.day >= old["last_listed"]
    first, last = min(old["first_listed"], listed.day), max(old["last_listed"], listed.day)
    described = {**row, "source": listed.source} if newer else old
    stated = [each for each in ((row, old) if newer else (old, row)) if each.get("expires_by") == "list"]
    ranged = {field: stated[0][field] for field in RANGE} if stated else {}
    kept = {field: value for field, value in described.items() if field not in RANGE}
    return kept | ranged | {"first_listed": first, "last_listed": last}


def ct_logs_toml(files: Iterable[Path], path: Path) -> str:
    """The text of ct_logs.toml: the rows that are there, with what the lists add."""
    logs: dict[str, dict[str, Any]] = {row["log_id"]: row for row in read_toml(path).get("log", [])}
    for listed in sorted(map(read_log_list, files), key=lambda each: (each.day, each.source)):
        for row in listed.rows:
            if NOT_FOR_CLIENTS.search(row["description"]):
                continue
            new = {**row, "first_listed": listed.day, "last_listed": listed.day, "source": listed.source}
            logs[row["log_id"]] = merged(logs.get(row["log_id"], new), row, listed)
    text = header_of(path, "Certificate Transparency logs, past and present.") + "schema_version = 1\n"
    for row in sorted(logs.values(), key=lambda row: (row["operator"], row["description"], row["log_id"])):
        complete = row if "expires_by" in row else row | shard_of(row)
        text += toml_table("log", {field: complete[field] for field in LOG if field in complete})
    return text


# --- addresses ------------------------------------------------------------------------------------------------------


RANGES = {
    "google": "https://www.gstatic.com/ipranges/goog.json",
    "cloud": "https://www.gstatic.com/ipranges/cloud.json",
}
"""The sets of google_ranges.toml that Google publishes, and where."""


def range_set(name: str, file: Path) -> dict[str, Any]:
    """One published list as a row."""
    published = json.loads(file.read_text(encoding="utf-8"))
    prefixes = [row.get("ipv4Prefix") or row["ipv6Prefix"] for row in published["prefixes"]]
    networks = sorted(map(ipaddress.ip_network, prefixes), key=lambda n: (n.version, n.network_address, n.prefixlen))
    if not networks:
        raise BuildError(f"{file} lists no prefixes.")
    day = dt.date.fromisoformat(published["creationTime"][:10])
    return {"name": name, "source": RANGES[name], "published": day, "prefixes": [str(n) for n in networks]}


def google_ranges_toml(files: Iterable[Path], path: Path) -> str:
    """The text of google_ranges.toml: the published sets, then those written by hand."""
    kept = [row for row in read_toml(path).get("set", []) if row["name"] not in RANGES]
    rows = [range_set(name, file) for name, file in zip(RANGES, files, strict=True)]
    text = header_of(path, "Addresses Google publishes as its own.") + "schema_version = 1\n"
    return text + "".join(toml_table("set", row) for row in (*rows, *kept))


# --- manifest -------------------------------------------------------------------------------------------------------


def count_entries(name: str, text: str) -> int:
    """Certificates of a PEM file, or rows of all arrays of tables of a TOML file."""
    if name.endswith(".pem"):
        return len(x509.load_pem_x509_certificates(text.encode()))
    return sum(len(value) for value in tomllib.loads(text).values() if isinstance(value, list))


def manifest_toml(texts: Mapping[str, str], certifi_version: str, built: dt.date | None) -> str:
    """The text of MANIFEST.toml: hand-written descriptions kept, hashes and counts measured."""
    path = TRUST / "MANIFEST.toml"
    manifest = read_toml(path)
    files = manifest.pop("file", [])
    missing = sorted({*texts} - {row["path"] for row in files})
    if missing:
        raise BuildError(f"MANIFEST.toml does not describe {', '.join(missing)}: add a [[file]] with its source.")
    manifest["built"] = built or manifest["built"]
    year, month, day = (int(part) for part in certifi_version.split("."))
    text = header_of(path, "What the trust data are.")
    text += "".join(f"{key} = {toml_value(value)}\n" for key, value in manifest.items())
    for row in files:
        if row["path"] not in texts:
            raise BuildError(f"MANIFEST.toml describes {row['path']}, which does not exist.")
        content = texts[row["path"]]
        row["sha256"] = hashlib.sha256(content.encode()).hexdigest()
        row["count"] = count_entries(row["path"], content)
        if row["path"] == "public_roots.pem":
            row |= {"source": f"certifi {certifi_version}", "source_date": dt.date(year, month, day)}
        text += toml_table("file", row)
    return text


# --- command line ---------------------------------------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Rebuild the trust data; see the top of this file.")
    parser.add_argument("--debian", type=Path, default=DEBIAN_BUNDLE, metavar="PEM", help="Debian's root bundle")
    parser.add_argument("--historical", type=Path, metavar="PEM", help="cacert.pem of certifi 14.05.14")
    parser.add_argument("--intermediates", type=Path, metavar="DIR", help="recorded intermediate certificates")
    parser.add_argument("--anchors", type=Path, metavar="DIR", help="old roots that recorded intermediates lead to")
    parser.add_argument("--chains", type=Path, metavar="DIR", help="recorded chains, leaf first")
    parser.add_argument("--ct-logs", type=Path, nargs="+", metavar="FILE", help="recorded lists of CT logs")
    parser.add_argument("--ip-ranges", type=Path, nargs=2, metavar=("GOOG", "CLOUD"), help="Google's address lists")
    parser.add_argument("--built", type=dt.date.fromisoformat, metavar="DATE", help="new build date for the manifest")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    return parser.parse_args(arguments)


def build(options: argparse.Namespace) -> dict[str, str]:
    """Every file of the trust data by name, with the text it should have."""
    texts = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(TRUST.iterdir())
        if path.suffix in {".pem", ".toml"} and path.name != "MANIFEST.toml"
    }
    rows = read_toml(TRUST / "google_roots.toml").get("root", [])
    version, public = certifi_bundle()
    published = {fingerprint(c): c for c in (*debian_bundle(options.debian), *public)}
    texts["google_roots.pem"] = google_roots_pem(rows, published)
    texts["public_roots.pem"] = public_roots_pem(version, public)
    if options.historical:
        past = read_toml(TRUST / "historical_roots.toml").get("root", [])
        texts["historical_roots.pem"] = historical_roots_pem(past, old_bundle(options.historical))
    if options.intermediates:
        roots = [published[row["sha256"]] for row in rows]
        collected = collect_intermediates(options.intermediates, options.anchors, roots, rows)
        texts["google_intermediates.toml"] = google_intermediates_toml(collected, TRUST / "google_intermediates.toml")
    if options.chains:
        issuers = tomllib.loads(texts["google_intermediates.toml"])["intermediate"]
        chains = load_folder(options.chains).values()
        texts["google_domains.toml"] = google_domains_toml(chains, issuers, TRUST / "google_domains.toml")
    if options.ct_logs:
        texts["ct_logs.toml"] = ct_logs_toml(options.ct_logs, TRUST / "ct_logs.toml")
    if options.ip_ranges:
        texts["google_ranges.toml"] = google_ranges_toml(options.ip_ranges, TRUST / "google_ranges.toml")
    texts["MANIFEST.toml"] = manifest_toml(texts, version, options.built)
    return texts


def main(arguments: list[str] | None = None) -> int:
    """Build everything, then write what changed; nothing is written when anything is wrong."""
    options = parse_arguments(arguments)
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # six public roots have the serial number 0
    try:
        texts = build(options)
    except BuildError as error:
        print(f"build_trust: {error}", file=sys.stderr)
        return 1
    changed = {name: text for name, text in texts.items() if not _same(TRUST / name, text)}
    for name, text in changed.items():
        print(("would change " if options.check else "wrote ") + name)
        if not options.check:
            (TRUST / name).write_bytes(text.encode())
    return 1 if options.check and changed else 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode()


if __name__ == "__main__":
    sys.exit(main())
