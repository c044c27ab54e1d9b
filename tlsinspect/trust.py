"""The trust data: whose keys are Google's, which roots are public, which names belong to interceptors.

Read from the folder `trust/` that travels inside the package. `MANIFEST.toml` there holds the SHA-256 and the count of
every file; a missing, empty or altered file is an error, never a reason to fall back on something else. The trust store
of the machine is never read here.
"""

import base64
import copy
import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.x509.verification import Store

from tlsinspect.certificate import Certificate, Name, UnreadableError, folded, name_from, text_of, title_of
from tlsinspect.errors import TrustDataError, UsageError
from tlsinspect.files import exists, read_bytes
from tlsinspect.model import TrustFacts
from tlsinspect.pem import bodies
from tlsinspect.ranges import Ranges

MANIFEST = "MANIFEST.toml"
Tables = dict[str, list[dict[str, Any]]]
_FILES = (
    "google_roots.toml",
    "google_roots.pem",
    "public_roots.pem",
    "historical_roots.toml",
    "historical_roots.pem",
    "google_intermediates.toml",
    "google_domains.toml",
    "interceptors.toml",
    "fingerprints.toml",
    "ct_logs.toml",
    "time_keys.toml",
    "revocation_hosts.toml",
    "google_ranges.toml",
)


def certificates_in(pem: bytes) -> Iterator[bytes]:
    """The DER of each certificate in `pem`, whatever text stands around them. Raises ValueError on broken base64."""
    return bodies(pem, "CERTIFICATE")


class Anchors:
    """A set of anchors, with the store that lets cryptography judge by it. One set, one store: never a union, because
    with two possible anchors the order in which a server sends its certificates would decide which one is found."""

    def __init__(self, name: str, certificates: Iterable[Certificate]) -> None:
        self.name = name
        self.certificates = tuple(certificates)

    def __len__(self) -> int:
        return len(self.certificates)

    @cached_property
    def store(self) -> Store:
        return Store([c.handle for c in self.certificates if c.handle is not None])

    @cached_property
    def by_handle(self) -> dict[x509.Certificate | None, Certificate]:
        return {c.handle: c for c in self.certificates}

    @cached_property
    def by_subject(self) -> dict[bytes, list[Certificate]]:
        found: dict[bytes, list[Certificate]] = {}
        for certificate in self.certificates:
            found.setdefault(certificate.subject_der, []).append(certificate)
        return found

    @cached_property
    def by_name(self) -> dict[Name, list[Certificate]]:
        """By subject as people compare names: a false claim need not be encoded as the true name is."""
        found: dict[Name, list[Certificate]] = {}
        for certificate in self.certificates:
            found.setdefault(folded(certificate.subject), []).append(certificate)
        return found

    @cached_property
    def keys(self) -> frozenset[str]:
        """SPKI SHA-256 of every anchor: the same root exists in several self-signed forms."""
        return frozenset(c.spki_sha256 for c in self.certificates)


@dataclass(frozen=True)
class Intermediate:
    """A key that Google signs leaves with, as a fact: we hold no certificate of it."""

    cn: str
    subject_der: bytes
    subject: Name
    key_id: str  # hex
    spki: bytes
    spki_sha256: str
    not_before: datetime
    not_after: datetime
    historical: bool  # its root is no longer one of Google's: the name is known, its word counts for nothing now


@dataclass(frozen=True)
class CtLog:
    """A log of certificates, past or present: the key it signs its timestamps with is a fact, whatever became of it."""

    description: str
    operator: str
    spki: bytes
    url: str
    tiled: bool  # speaks the Static CT API; what it signs is the same
    expires_from: datetime | None  # of a temporal shard: when the certificates it takes end, as far as it is known
    expires_until: datetime | None


@dataclass(frozen=True)
class RevocationHost:
    """A host that may be asked for one kind of object, because Google's own certificates or programs name it."""

    host: str
    purpose: str  # crl, ocsp, issuer, time
    since: date
    until: date | None  # of the last certificate seen to name it, where its successor is in use
    on_help_page: bool
    source: str


@dataclass(frozen=True)
class GoogleRanges:
    """Addresses Google publishes as its own: hints about where a name leads, never about who answers."""

    own: Ranges
    rented: Ranges  # of those, what Google lets to anybody
    date: datetime  # of the older of its lists


class Trust:
    """What is trusted, and for how long its data is fresh. Make one with `default` or `load`."""

    def __init__(self, folder: Path, stand_in: Path | None = None) -> None:
        self._files, self._manifest, manifest_hash = _checked(folder)
        self.stand_in = _anchors("stand-in", stand_in) if stand_in else None
        self.added: Tables = {}  # a user's own rows of interceptors, and where they come from
        self.added_name = ""
        self.facts = TrustFacts(
            name=f"stand-in {stand_in.name}" if stand_in else str(self._manifest["name"]),
            date=str(self._manifest["date"]),
            built=str(self._manifest["built"]),
            anchors=len(self.google) + len(self.alternate),
            sha256=hashlib.sha256(_read(stand_in)).hexdigest() if stand_in else manifest_hash,
            stand_in=stand_in is not None,
        )

    @classmethod
    def default(cls) -> "Trust":
        """The data that came with this release. Raises TrustDataError where it is not what its manifest says."""
        return _default()

    @classmethod
    def load(cls, path: str | Path) -> "Trust":
        """A folder with a manifest, or a PEM file whose certificates stand in for Google's roots.

        A stand-in is for laboratories: every assessment made with it says so and is at most `strong`.
        Raises TrustDataError.
        """
        path = Path(path)
        return cls(path) if exists(path) and path.is_dir() else cls(_shipped(), stand_in=path)

    def _certificates(self, name: str) -> list[Certificate]:
        found = _certificates(name, self._files[name])
        self._count(name, len(found))
        return found

    def _tables(self, name: str, needed: str) -> Tables:
        """The arrays of tables in a file, of which `needed` must be there. Raises TrustDataError."""
        rows = tables_in(name, self._files[name])
        if not rows.get(needed):
            raise TrustDataError(f"{name}: holds no [[{needed}]]")
        self._count(name, sum(map(len, rows.values())))
        return rows

    def _count(self, name: str, found: int) -> None:
        said = next(row.get("count") for row in self._manifest["file"] if row["path"] == name)
        if said != found:
            raise TrustDataError(f"{name}: holds {found} entries, and its manifest says {said}")

    def _tier(self, tier: str) -> Anchors:
        """The roots of pki.goog/roots.pem in one tier."""
        rows = self._tables("google_roots.toml", "root")["root"]
        wanted = _each("google_roots.toml", rows, lambda row: (row["sha256"], row["spki_sha256"], row["tier"]))
        roots = {c.sha256: c for c in self._certificates("google_roots.pem")}
        found = [roots[h] for h, key, t in wanted if t == tier and h in roots and roots[h].spki_sha256 == key]
        if not found or len(roots) != len(wanted):
            raise TrustDataError("google_roots.toml: its rows and the certificates of google_roots.pem do not agree")
        return Anchors(tier, found)

    @cached_property
    def google(self) -> Anchors:
        """Google's own keys, or what stands in for them."""
        return self.stand_in or self._tier("google")

    @cached_property
    def alternate(self) -> Anchors:
        """The other roots of pki.goog/roots.pem: Google may use them, and so may everybody else."""
        return Anchors("alternate", ()) if self.stand_in else self._tier("alternate")

    @cached_property
    def historical(self) -> Anchors:
        """Roots that Google's certificates led to in years past: for recorded evidence alone, within their life."""
        return Anchors("historical", () if self.stand_in else self._certificates("historical_roots.pem"))

    @cached_property
    def historical_until(self) -> dict[str, datetime]:
        """The end of each historical root's life, by SHA-256."""
        rows = self._tables("historical_roots.toml", "root")["root"]
        return dict(_each("historical_roots.toml", rows, lambda row: (str(row["sha256"]), _moment(row["until"]))))

    @cached_property
    def public(self) -> Anchors:
        """A snapshot of the roots that browsers trust."""
        return Anchors("public", self._certificates("public_roots.pem"))

    def with_public_roots(self, pem: bytes) -> "Trust":
        """The same data with other public roots: for conformance suites. Raises TrustDataError."""
        other = copy.copy(self)
        other.__dict__["public"] = Anchors("public", _certificates("public roots", pem))
        return other

    @cached_property
    def intermediates(self) -> tuple[Intermediate, ...]:
        """Every Google intermediate key we know, of every year."""
        rows = self._tables("google_intermediates.toml", "intermediate")["intermediate"]
        return tuple(_each("google_intermediates.toml", rows, _intermediate))

    @cached_property
    def _domains(self) -> frozenset[str]:
        rows = self._tables("google_domains.toml", "domain")["domain"]
        return frozenset(_each("google_domains.toml", rows, lambda row: str(row["name"])))

    def is_google_name(self, host: str) -> bool:
        """Whether `host` is, or lies below, a domain that only Google's certificates serve."""
        labels = host.lower().removeprefix("*.").rstrip(".").split(".")
        if len(labels) < 2 or len(labels) > 128:
            return False  # a top-level domain is no host, and no host has as many labels
        return any(".".join(labels[i:]) in self._domains for i in range(len(labels)))

    def with_added(self, name: str, rows: Tables, content: bytes) -> "Trust":
        """The same data, and the rows of a user's file of interceptors; `evidence.catalogue` checks and orders them."""
        other = copy.copy(self)
        other.added, other.added_name = rows, name
        other.facts = replace(self.facts, interceptors_sha256=hashlib.sha256(content).hexdigest())
        return other

    @cached_property
    def interceptors(self) -> Tables:
        """The tables of interceptors.toml; `evidence.catalogue` reads them."""
        return self._tables("interceptors.toml", "interceptor")

    @cached_property
    def fingerprints(self) -> Tables:
        """The tables of fingerprints.toml; `evidence.fingerprints` reads them."""
        return self._tables("fingerprints.toml", "fingerprint")

    @cached_property
    def ct_logs(self) -> dict[bytes, CtLog]:
        """Every log known, by its id: the SHA-256 of its key (RFC 6962 §3.2)."""
        rows = self._tables("ct_logs.toml", "log")["log"]
        return dict(_each("ct_logs.toml", rows, _ct_log))

    @cached_property
    def time_keys(self) -> dict[int, bytes]:
        """The keys Google's time service signs with, by version: SubjectPublicKeyInfo, DER."""
        rows = self._tables("time_keys.toml", "key")["key"]
        return dict(_each("time_keys.toml", rows, lambda row: (int(row["version"]), base64.b64decode(row["spki"]))))

    @cached_property
    def time_url(self) -> str:
        """Where that service is, over plain HTTP."""
        return _each(
            "time_keys.toml", self._tables("time_keys.toml", "service")["service"], lambda row: str(row["url"])
        )[0]

    @cached_property
    def revocation_hosts(self) -> tuple[RevocationHost, ...]:
        """The allow-list for fetching: nothing else is asked for anything that is not itself proven."""
        rows = self._tables("revocation_hosts.toml", "host")["host"]
        return tuple(_each("revocation_hosts.toml", rows, _revocation_host))

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(row.host for row in self.revocation_hosts)

    def may_fetch_from(self, host: str) -> bool:
        """Whether `host` is on the allow-list, letter for letter: what lies below a name on it is not."""
        return host.lower() in self._allowed

    @cached_property
    def root_crls(self) -> tuple[str, ...]:
        """The addresses of the CRLs that Google's roots sign: they say which intermediates are revoked."""
        rows = self._tables("revocation_hosts.toml", "crl")["crl"]
        return tuple(_each("revocation_hosts.toml", rows, lambda row: str(row["url"])))

    @cached_property
    def google_ranges(self) -> GoogleRanges:
        """Read only where an address is to be judged: it takes some milliseconds."""
        name = "google_ranges.toml"
        sets = {row.get("name"): row for row in self._tables(name, "set")["set"]}
        wanted = [sets.get(each, {}) for each in ("google", "cloud", "private-access")]
        google, cloud, private = _each(name, wanted, lambda row: list(map(str, row["prefixes"])))
        date = min(_each(name, wanted[:2], lambda row: _day(row["published"])))
        try:
            return GoogleRanges(Ranges([*google, *private]), Ranges(cloud), date)
        except ValueError as error:
            raise TrustDataError(f"{name}: {error}") from None

    @property
    def released(self) -> datetime:
        """The day the data was put together: true time is not before it."""
        return _day(self._manifest["built"])

    def age_days(self, at: datetime) -> int:
        return (at - _day(self._manifest["date"])).days

    def is_old(self, at: datetime) -> bool:
        """Old enough to be said."""
        return self.age_days(at) > int(self._manifest["warn_after_days"])

    def is_outdated(self, at: datetime) -> bool:
        """Too old to tell a public root Google moved to from one it never used."""
        return self.age_days(at) > int(self._manifest["limit_days"])

    def listing(self) -> list[dict[str, str]]:
        """One row an anchor of Google's tiers, for `tlsinspect trust list`."""
        return [
            {
                "set": anchors.name,
                "title": title_of(c.subject),
                "subject": text_of(c.subject),
                "not_after": f"{c.not_after:%Y-%m-%d}",
                "sha256": c.sha256,
                "spki_sha256": c.spki_sha256,
            }
            for anchors in (self.google, self.alternate)
            for c in anchors.certificates
        ]

    def files(self) -> list[dict[str, Any]]:
        """The rows of the manifest."""
        return list(self._manifest["file"])


def _shipped() -> Path:
    inside = Path(__file__).parent / "_trust"  # in a wheel
    return inside if inside.is_dir() else Path(__file__).parent.parent / "trust"  # in a checkout


@cache
def _default() -> Trust:
    return Trust(_shipped())


def read_authority(path: str) -> Anchors:
    """The PEM file a profile names as an endpoint's authority. Raises TrustDataError."""
    return _anchors(path, Path(path))


def _anchors(name: str, path: Path) -> Anchors:
    return Anchors(name, _certificates(str(path), _read(path)))


def _checked(folder: Path) -> tuple[dict[str, bytes], dict[str, Any], str]:
    """The files of `folder` by name, its manifest and the manifest's hash. Raises TrustDataError."""
    raw = _bytes(folder / MANIFEST)
    manifest = _toml(MANIFEST, raw)
    try:
        hashes = {row["path"]: row["sha256"] for row in manifest["file"]}
        _day(manifest["date"]), _day(manifest["built"])
        int(manifest["warn_after_days"]), int(manifest["limit_days"]), manifest["name"]
        if manifest["schema_version"] != 1:
            raise ValueError(f"schema_version {manifest['schema_version']} is not known here")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrustDataError(f"{folder / MANIFEST}: not a manifest of trust data ({error})") from None
    files = {name: _bytes(folder / name) for name in _FILES}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != hashes.get(name):
            raise TrustDataError(
                f"{folder / name}: altered since {MANIFEST} was written (its SHA-256 differs); "
                "install tlsinspect again, or rebuild the data with tools/build_trust.py"
            )
    return files, manifest, hashlib.sha256(raw).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except UsageError as error:
        raise TrustDataError(str(error)) from None


def _bytes(path: Path) -> bytes:
    content = _read(path)
    if not content.strip():
        raise TrustDataError(f"{path}: is empty")
    return content


def _intermediate(row: dict[str, Any]) -> Intermediate:
    return Intermediate(
        cn=row["cn"],
        subject_der=base64.b64decode(row["subject_der"]),
        subject=name_from(base64.b64decode(row["subject_der"])),
        key_id=row["key_id"],
        spki=base64.b64decode(row["spki"]),
        spki_sha256=row["spki_sha256"],
        not_before=row["not_before"],
        not_after=row["not_after"],
        historical=row["anchor_tier"] != "google",
    )


def _ct_log(row: dict[str, Any]) -> tuple[bytes, CtLog]:
    key = base64.b64decode(row["spki"], validate=True)
    log = CtLog(
        description=row["description"],
        operator=row["operator"],
        spki=key,
        url=row["url"],
        tiled=row["tiled"],
        expires_from=_moment(row["expires_from"]) if "expires_from" in row else None,
        expires_until=_moment(row["expires_until"]) if "expires_until" in row else None,
    )
    identity = hashlib.sha256(key).digest()
    if identity.hex() != row["log_id"]:
        raise ValueError(f"log_id of {log.description} is not the hash of its key")
    return identity, log


def _revocation_host(row: dict[str, Any]) -> RevocationHost:
    return RevocationHost(
        host=str(row["host"]).lower(),
        purpose=row["purpose"],
        since=row["since"],
        until=row.get("until"),
        on_help_page=row["on_help_page"],
        source=row["source"],
    )


T = TypeVar("T")


def _each(name: str, rows: list[dict[str, Any]], read: Callable[[dict[str, Any]], T]) -> list[T]:
    """Every row as `read` reads it. Raises TrustDataError naming the file where one lacks something."""
    try:
        return [read(row) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise TrustDataError(f"{name}: a row is not what it should be ({error})") from None


def tables_in(name: str, content: bytes) -> Tables:
    """The arrays of tables in a file. Raises TrustDataError."""
    read = _toml(name, content)
    if read.get("schema_version", 1) != 1:
        raise TrustDataError(f"{name}: its schema_version is not known here")
    rows = {table: rows for table, rows in read.items() if table != "schema_version"}
    if not all(isinstance(listed, list) and all(isinstance(row, dict) for row in listed) for listed in rows.values()):
        raise TrustDataError(f"{name}: holds something else than arrays of tables ([[name]])")
    return rows


def _toml(name: str, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise TrustDataError(f"{name}: not TOML ({error})") from None


def _certificates(name: str, pem: bytes) -> list[Certificate]:
    try:
        found = [Certificate(der) for der in certificates_in(pem)]
    except UnreadableError as error:
        raise TrustDataError(f"{name}: holds a certificate nobody can read ({error})") from None
    except ValueError:
        raise TrustDataError(f"{name}: broken PEM") from None
    refused = next((c for c in found if c.handle is None), None)
    if refused is not None:
        raise TrustDataError(f"{name}: {refused.title} is malformed ({refused.defect})")
    if not found:
        raise TrustDataError(f"{name}: holds no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected")
    return found


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"{value} is no time with a zone")
    return value


def _day(value: Any) -> datetime:
    if isinstance(value, str):
        value = date.fromisoformat(value)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)
