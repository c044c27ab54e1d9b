"""The data everything is judged by: whole, or an error; never half of it."""

import base64
import hashlib
import json
import re
import shutil
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests import trust_folder
from tests.conftest import ROOT, shared_data
from tlsinspect.certificate import Certificate
from tlsinspect.errors import TlsinspectError, TrustDataError
from tlsinspect.lab import pki
from tlsinspect.trust import MANIFEST, Trust, certificates_in, read_authority
from tools.build_trust import BuildError, ct_logs_toml, shard_of

FILES = (
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped data, to be damaged."""
    return Path(shutil.copytree(ROOT / "trust", tmp_path / "trust"))


def refused(path: Path) -> str:
    """The one line with which trust data is refused, on loading or when its tables are read."""
    with pytest.raises(TrustDataError) as caught:
        read_all(Trust.load(path))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def read_all(trust: Trust) -> None:
    """Everything that judging may ever ask for."""
    assert len(trust.google)
    assert len(trust.public)
    assert trust.alternate is not None
    assert trust.intermediates
    assert not trust.is_google_name("example.test")
    assert trust.interceptors["interceptor"]
    assert trust.listing()
    assert trust.ct_logs
    assert trust.time_keys
    assert trust.time_url
    assert trust.revocation_hosts
    assert trust.root_crls


def replace_in_manifest(folder: Path, old: str, new: str) -> None:
    manifest = folder / MANIFEST
    text = manifest.read_text(encoding="utf-8")
    changed = re.sub(old, new, text, count=1, flags=re.MULTILINE)
    assert changed != text
    manifest.write_text(changed, encoding="utf-8")


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Change a file and the manifest's hash with it, as somebody does who builds data of their own."""
    (folder / name).write_bytes(content)
    replace_in_manifest(
        folder, rf'(path = "{re.escape(name)}"\nsha256 = ")[0-9a-f]+', rf"\g<1>{hashlib.sha256(content).hexdigest()}"
    )


# -- the shipped data -----------------------------------------------------------------------------------------------


def test_the_manifest_holds_every_file_and_its_hash() -> None:
    trust = Trust.default()
    rows = {row["path"]: row for row in trust.files()}
    assert set(rows) == set(FILES)
    for name, row in rows.items():
        content = (ROOT / "trust" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert row["source"]
        assert row["licence"]
    assert trust.facts.sha256 == hashlib.sha256((ROOT / "trust" / MANIFEST).read_bytes()).hexdigest()


def test_the_manifest_counts_what_is_there() -> None:
    trust = Trust.default()
    counts = {row["path"]: row["count"] for row in trust.files()}
    assert counts["google_roots.pem"] == len(trust.google) + len(trust.alternate)
    assert counts["public_roots.pem"] == len(trust.public)
    assert counts["google_intermediates.toml"] == len(trust.intermediates)


def test_five_roots_are_google_s_and_fourteen_are_not() -> None:
    trust = Trust.default()
    assert [c.title for c in trust.google.certificates] == [
        "GTS Root R1",
        "GTS Root R2",
        "GTS Root R3",
        "GTS Root R4",
        "GlobalSign",
    ]
    assert len(trust.alternate) == 14
    assert not trust.google.keys & trust.alternate.keys
    assert (trust.facts.anchors, trust.facts.stand_in) == (19, False)
    assert len(trust.listing()) == 19


def test_what_the_table_says_of_a_root_is_what_its_certificate_says() -> None:
    trust = Trust.default()
    by_hash = {c.sha256: c for c in (*trust.google.certificates, *trust.alternate.certificates)}
    rows = trust._tables("google_roots.toml", "root")["root"]
    assert {row["sha256"] for row in rows} == set(by_hash)
    for row in rows:
        found = by_hash[row["sha256"]]
        assert (found.spki_sha256, found.not_after) == (row["spki_sha256"], row["not_after"])


def test_every_key_of_an_intermediate_is_the_one_it_is_named_for() -> None:
    for known in Trust.default().intermediates:
        assert hashlib.sha256(known.spki).hexdigest() == known.spki_sha256
        assert ("CN", known.cn) in known.subject
        assert known.not_before < known.not_after


def test_no_intermediate_is_an_anchor() -> None:
    trust = Trust.default()
    anchors = trust.google.keys | trust.alternate.keys | trust.public.keys
    assert not anchors & {i.spki_sha256 for i in trust.intermediates}


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_both_self_signed_forms_of_a_root_have_one_key(number: int) -> None:
    forms = [
        Certificate(der)
        for path in sorted(shared_data("roots").glob(f"GTS_Root_R{number}_*.pem"))
        for der in certificates_in(path.read_bytes())
    ]
    assert len({c.sha256 for c in forms}) == 2
    keys = {c.spki_sha256 for c in forms}
    assert len(keys) == 1
    assert keys <= Trust.default().google.keys


def rows_of(name: str) -> dict[str, list[dict[str, Any]]]:
    read = tomllib.loads((ROOT / "trust" / name).read_text(encoding="utf-8"))
    return {table: rows for table, rows in read.items() if isinstance(rows, list)}


@pytest.mark.parametrize("name", ["ct_logs.toml", "time_keys.toml", "revocation_hosts.toml"])
def test_every_row_names_its_source(name: str) -> None:
    rows = [row for rows in rows_of(name).values() for row in rows]
    assert rows
    assert all(row["source"].strip() for row in rows)


# -- logs, time, hosts ----------------------------------------------------------------------------------------------


def test_every_log_is_known_by_the_hash_of_a_key_it_can_sign_with() -> None:
    logs = Trust.default().ct_logs
    rows = rows_of("ct_logs.toml")["log"]
    assert len(logs) == len(rows) == 190
    assert {identity.hex() for identity in logs} == {row["log_id"] for row in rows}
    for identity, log in logs.items():
        assert hashlib.sha256(log.spki).digest() == identity
        key = load_der_public_key(log.spki)  # RFC 6962 §2.1.4
        assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        assert key.key_size == (256 if isinstance(key, ec.EllipticCurvePublicKey) else 2048)
        assert log.operator
        assert log.url.startswith("https://")


def test_both_kinds_of_log_are_known_and_no_log_for_trials() -> None:
    logs = Trust.default().ct_logs.values()
    assert sum(log.tiled for log in logs) == 32
    assert {log.operator for log in logs if log.tiled} == {
        "Geomys",
        "Google",
        "IPng Networks",
        "Let's Encrypt",
        "TrustAsia",
    }
    names = " ".join(log.description for log in logs)
    assert not [word for word in ("Bogus", "Testtube", "Crucible", "Solera", "Testflume", "Daedalus") if word in names]


def test_a_row_of_a_log_is_consistent() -> None:
    rows = rows_of("ct_logs.toml")["log"]
    assert len({row["spki"] for row in rows}) == len(rows)
    assert rows == sorted(rows, key=lambda row: (row["operator"], row["description"], row["log_id"]))
    for row in rows:
        assert row["first_listed"] <= row["last_listed"]
        assert ("expires_from" in row) == ("expires_until" in row) == ("expires_by" in row)
        if "expires_by" in row:
            assert row["expires_by"] in ("list", "name")
            assert row["expires_from"] < row["expires_until"]


def test_a_log_whose_id_is_not_its_key_s_is_refused(folder: Path) -> None:
    content = (folder / "ct_logs.toml").read_text(encoding="utf-8")
    changed = re.sub(r'log_id = "[0-9a-f]{4}', 'log_id = "0000', content, count=1)
    rewrite(folder, "ct_logs.toml", changed.encode())
    assert "not the hash of its key" in refused(folder)


def test_google_s_time_service() -> None:
    trust = Trust.default()
    assert trust.time_url == "http://clients2.google.com/time/1/current"
    assert sorted(trust.time_keys) == [5, 7, 8]
    for spki in trust.time_keys.values():
        key = load_der_public_key(spki)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)


def test_hosts_on_the_allow_list() -> None:
    hosts = Trust.default().revocation_hosts
    assert len({(row.host, row.purpose) for row in hosts}) == len(hosts)
    assert {row.purpose for row in hosts} == {"crl", "ocsp", "issuer", "time"}
    assert {row.host for row in hosts if row.on_help_page} == {"crl.pki.goog", "crls.pki.goog", "ocsp.pki.goog"}
    for row in hosts:
        assert row.since <= (row.until or row.since)
        assert Trust.default().is_google_name(row.host)


@pytest.mark.parametrize("host", ["c.pki.goog", "C.PKI.Goog", "ocsp.pki.goog", "clients2.google.com", "pki.goog"])
def test_what_may_be_fetched_from(host: str) -> None:
    assert Trust.default().may_fetch_from(host)


@pytest.mark.parametrize(
    "host",
    ["", ".", "goog", "x.pki.goog", "x.c.pki.goog", "c.pki.goog.", "c.pki.goog.evil.test", "*.pki.goog", "google.com",
     "www.google.com", "c.pki.goog:80", " c.pki.goog", "crl.geotrust.com", "127.0.0.1"],
)  # fmt: skip
def test_what_may_not_be_fetched_from(host: str) -> None:
    assert not Trust.default().may_fetch_from(host)


def test_every_root_of_google_s_own_has_a_crl_on_the_allow_list() -> None:
    trust = Trust.default()
    issuers = {row["issuer"] for row in rows_of("revocation_hosts.toml")["crl"]}
    own = [c.handle.subject.rfc4514_string() for c in trust.google.certificates if c.handle is not None]
    assert issuers == set(own)
    assert len(trust.root_crls) == len(own)
    for url in trust.root_crls:
        assert url.startswith("http://")
        assert trust.may_fetch_from(url.split("/")[2])


@pytest.mark.parametrize("chains", ["google_chains", "google_presented"])
def test_recorded_certificates_of_google_name_hosts_on_the_allow_list(chains: str) -> None:
    """Since 2018: before that other companies signed for Google's authorities, and their hosts are left out."""
    trust = Trust.default()
    named = set()
    for path in sorted(shared_data(chains).glob("*.pem")):
        for certificate in map(Certificate, certificates_in(path.read_bytes())):
            if certificate.handle is not None and certificate.not_before.year >= 2018:
                named |= set(re.findall(rb"http://([a-z0-9.-]+\.goog)/", certificate.der))
    assert named
    assert [host for host in named if not trust.may_fetch_from(host.decode())] == []


# -- a folder with a laboratory in it -------------------------------------------------------------------------------


def test_a_folder_as_shipped(tmp_path: Path) -> None:
    trust = Trust.load(trust_folder.make(tmp_path / "trust"))
    read_all(trust)
    assert trust.ct_logs == Trust.default().ct_logs
    assert trust.google.keys == Trust.default().google.keys


def test_a_folder_with_a_laboratory_s_parts(tmp_path: Path, google: pki.GoogleLike) -> None:
    log, service = pki.Log("Lab 'One' log", "Lab"), pki.TimeService(3)
    made = trust_folder.make(
        tmp_path / "trust",
        google_roots=google.roots,
        ct_logs=[log],
        time_keys={3: service.spki},
        time_url="http://127.0.0.1:8/time",
        root_crls=["http://127.0.0.1:8/r1.crl"],
        revocation_hosts=["127.0.0.1", "c.pki.goog"],
    )
    trust = Trust.load(made)
    read_all(trust)
    assert [c.der for c in trust.google.certificates] == list(certificates_in(google.roots_pem))
    assert trust.alternate.keys == Trust.default().alternate.keys
    assert not trust.facts.stand_in
    assert [(identity, known.operator) for identity, known in trust.ct_logs.items()] == [(log.id, "Lab")]
    assert trust.time_keys == {3: service.spki}
    assert (trust.time_url, trust.root_crls) == ("http://127.0.0.1:8/time", ("http://127.0.0.1:8/r1.crl",))
    assert trust.may_fetch_from("127.0.0.1")
    assert not trust.may_fetch_from("o.pki.goog")


# -- rebuilding the list of logs ------------------------------------------------------------------------------------


def v3_list(day: str, *logs: tuple[str, pki.Log], kind: str = "logs", **more: Any) -> str:
    rows = [{"description": name, "key": base64.b64encode(log.spki).decode(), **more} for name, log in logs]
    for row in rows:
        row["url" if kind == "logs" else "submission_url"] = "https://log.test/"
    operators = [{"name": "Lab", kind: rows}]
    return json.dumps({"version": "1", "log_list_timestamp": f"{day}T12:00:00Z", "operators": operators})


def built(tmp_path: Path, *lists: str) -> list[dict[str, Any]]:
    """The rows after one list after the other has been merged into them."""
    path = tmp_path / "ct_logs.toml"
    path.unlink(missing_ok=True)
    for text in lists:
        (tmp_path / "list").write_text(text, encoding="utf-8")
        path.write_text(ct_logs_toml([tmp_path / "list"], path), encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["log"]
    return rows


INTERVAL = {"start_inclusive": "2026-01-01T00:00:00Z", "end_exclusive": "2026-07-01T00:00:00Z"}


def test_lists_of_logs_are_merged_in_any_order(tmp_path: Path) -> None:
    one, two = pki.Log("", ""), pki.Log("", "")
    old = v3_list("2025-01-01", ("Lab 'Old' log", one), temporal_interval=INTERVAL)
    new = v3_list("2026-01-01", ("Lab 'New' log", one), ("Lab 'Other' log", two), kind="tiled_logs")
    rows = built(tmp_path, old, new)
    assert rows == built(tmp_path, new, old) == built(tmp_path, old, new, new)
    known = {row["log_id"]: row for row in rows}
    assert (known[one.id.hex()]["description"], known[one.id.hex()]["tiled"]) == ("Lab 'New' log", True)
    assert (f"{known[one.id.hex()]['first_listed']}", f"{known[one.id.hex()]['last_listed']}") == (
        "2025-01-01",
        "2026-01-01",
    )
    assert known[one.id.hex()]["expires_by"] == "list"  # the older list stated it, the newer said nothing
    assert "expires_by" not in known[two.id.hex()]


def test_logs_for_trials_and_false_ids_in_a_list(tmp_path: Path) -> None:
    log = pki.Log("", "")
    named = v3_list("2026-01-01", ("Lab log", log), ("Google 'Solera2026' log", pki.Log("", "")))
    assert [row["description"] for row in built(tmp_path, named)] == ["Lab log"]
    typed = json.loads(v3_list("2026-01-01", ("Lab log", log), ("Lab trial", pki.Log("", ""))))
    typed["operators"][0]["logs"][1]["log_type"] = "test"
    assert [row["description"] for row in built(tmp_path, json.dumps(typed))] == ["Lab log"]
    typed["operators"][0]["logs"][1] |= {"log_type": "prod", "state": {"pending": {}}}
    assert [row["description"] for row in built(tmp_path, json.dumps(typed))] == ["Lab log"]
    false = v3_list("2026-01-01", ("Lab log", log), log_id=base64.b64encode(bytes(32)).decode())
    with pytest.raises(BuildError, match="not the hash of its key"):
        built(tmp_path, false)
    with pytest.raises(BuildError, match="neither"):
        built(tmp_path, "# nothing\n")


@pytest.mark.parametrize(
    ("description", "operator", "expected"),
    [
        ("Google 'Argon2024' log", "Google", ("2024-01-01", "2025-01-01")),
        ("Google 'Xenon2025h1' log", "Google", ("2025-01-01", "2025-07-01")),
        ("Sectigo 'Sabre2024h2'", "Sectigo", ("2024-07-01", "2025-01-01")),
        ("DigiCert 'Wyvern2024h2' Log", "DigiCert", None),
        ("Let's Encrypt 'Oak2023' log", "Let's Encrypt", None),
        ("Google 'Pilot' log", "Google", None),
    ],
)
def test_the_range_of_a_shard_is_read_from_names_that_can_be_believed(
    description: str, operator: str, expected: tuple[str, str] | None
) -> None:
    read = shard_of({"description": description, "operator": operator})
    told = (f"{read['expires_from']:%Y-%m-%d}", f"{read['expires_until']:%Y-%m-%d}") if read else None
    assert told == expected


def test_the_shipped_list_of_logs_has_what_the_recorded_lists_have(tmp_path: Path) -> None:
    """The same input gives the same bytes."""
    recorded = sorted(shared_data("ct/history").glob("*.zeek"))
    path = tmp_path / "ct_logs.toml"
    shutil.copy(ROOT / "trust" / "ct_logs.toml", path)
    assert ct_logs_toml(recorded, path) == path.read_text(encoding="utf-8")


# -- whose name it is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "google.com",
        "www.google.com",
        "a.b.c.google.com",
        "GOOGLE.COM.",
        "Www.GoogleApis.com",
        "*.googleapis.com",
        "oauth2.googleapis.com",
        "mail.google.com",
        "c.pki.goog",
        "pki.goog",
        "www.google.co.uk",
        "www.google.de",
        "dns.google",
    ],
)
def test_google_s_names(host: str) -> None:
    assert Trust.default().is_google_name(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "com",
        "google",
        "evilgoogle.com",
        "google.com.evil.org",
        "notgoogleapis.com",
        "google.evil",
        "www.google.com-login.test",
        "google-com.test",
        "example.com",
        "127.0.0.1",
        "::1",
    ],
)
def test_names_that_only_look_like_google_s(host: str) -> None:
    assert not Trust.default().is_google_name(host)


# -- damage ---------------------------------------------------------------------------------------------------------


def test_a_copy_is_as_good_as_the_original(folder: Path) -> None:
    trust = Trust.load(folder)
    read_all(trust)
    assert trust.facts == Trust.default().facts


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    message = refused(folder)
    assert name in message
    assert "cannot be read" in message


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_file(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    message = refused(folder)
    assert name in message
    assert "empty" in message


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b"\n")
    message = refused(folder)
    assert name in message
    assert "altered" in message
    (folder / name).write_bytes(content)
    read_all(Trust.load(folder))


def test_a_file_that_became_a_folder(folder: Path) -> None:
    (folder / "public_roots.pem").unlink()
    (folder / "public_roots.pem").mkdir()
    assert "public_roots.pem" in refused(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r'^sha256 = "[0-9a-f]', 'sha256 = "x'),
        (r'^sha256 = ".*"$', 'sha256 = ""'),
        (r'^sha256 = ".*"\n', ""),
        (r'^path = "google_roots.pem"', 'path = "other.pem"'),
        (r"^\[\[file\]\]$", "[[document]]"),
        (r"^date = .*$", ""),
        (r"^date = .*$", 'date = "soon"'),
        (r"^date = .*$", "date = 5"),
        (r"^date = .*$", "date = 12:00:00"),
        (r"^built = .*$", "built = [2026]"),
        (r"^name = .*$", ""),
        (r"^limit_days = .*$", 'limit_days = "many"'),
        (r"^limit_days = .*$", ""),
        (r"^warn_after_days = .*$", "warn_after_days = []"),
        (r"^schema_version = 1$", "schema_version = 2"),
        (r"^count = .*$", "count = 18"),
        (r"^schema_version = 1$", "schema_version = "),
    ],
)
def test_an_altered_manifest(folder: Path, old: str, new: str) -> None:
    replace_in_manifest(folder, old, new)
    assert refused(folder)


def test_files_that_are_no_list(folder: Path) -> None:
    (folder / MANIFEST).write_text('name = "x"\ndate = 2026-01-01\nbuilt = 2026-01-01\nfile = 5\n', encoding="utf-8")
    assert MANIFEST in refused(folder)


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    assert MANIFEST in refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("google_roots.pem", b"no certificate at all"),
        ("google_roots.pem", b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
        ("google_roots.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("public_roots.pem", b"no certificate at all"),
        ("google_roots.toml", b"this is not TOML"),
        ("google_roots.toml", b"root = 5\n"),
        ("google_roots.toml", b"schema_version = 1\n"),
        ("google_roots.toml", b'[[root]]\nsha256 = "x"\n'),
        ("google_roots.toml", b'[[root]]\nsha256 = "x"\ntier = "google"\n'),  # then no anchor would be Google's
        ("google_intermediates.toml", b"schema_version = 1\n"),
        ("google_intermediates.toml", b'[[intermediate]]\ncn = "x"\n'),
        ("google_domains.toml", b"schema_version = 1\n"),
        ("interceptors.toml", b"\xff\xff"),
        ("interceptors.toml", b"schema_version = 1\n"),
        ("ct_logs.toml", b"schema_version = 1\n"),
        ("ct_logs.toml", b'[[log]]\ndescription = "x"\n'),
        ("time_keys.toml", b'[[service]]\nurl = "http://x.test/"\n'),
        ("time_keys.toml", b'[[key]]\nversion = "eight"\nspki = ""\n'),
        ("revocation_hosts.toml", b'[[crl]]\nurl = "http://x.test/"\n'),
        ("revocation_hosts.toml", b'[[host]]\nhost = "x.test"\n'),
    ],
)
def test_data_that_agrees_with_its_manifest_and_makes_no_sense(folder: Path, name: str, content: bytes) -> None:
    """`trust verify` promises that what cannot be read is an error, whoever wrote it."""
    rewrite(folder, name, content)
    assert name in refused(folder)


# -- a stand-in -----------------------------------------------------------------------------------------------------


def test_a_stand_in_replaces_google_and_nothing_else(roots: Path, google: pki.GoogleLike) -> None:
    trust = Trust.load(roots)
    assert [c.der for c in trust.google.certificates] == list(certificates_in(google.roots_pem))
    assert len(trust.alternate) == 0
    assert trust.public.keys == Trust.default().public.keys
    assert trust.facts.stand_in
    assert trust.facts.name == f"stand-in {roots.name}"
    assert trust.facts.anchors == 2
    assert trust.facts.sha256 == hashlib.sha256(google.roots_pem).hexdigest()
    assert not Trust.default().facts.stand_in  # the shipped data is what it was


def test_text_around_the_certificates_is_skipped(tmp_path: Path, google: pki.GoogleLike) -> None:
    path = tmp_path / "roots.pem"
    path.write_bytes(b"# our lab\n" + google.r1.pem.replace(b"\n", b"\r\n") + b"\nand\n" + google.r4.pem + b"end")
    assert len(Trust.load(path).google) == 2


CUT = b"-----BEGIN CERTIFICATE-----\nMIIB\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no certificate"),
        (b"hello\n", "no certificate"),
        (CUT, "no certificate"),
        (b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nM*IB\n-----END CERTIFICATE-----\n", "broken PEM"),
        (b"-----BEGIN CERTIFICATE-----\nMIIBx\n-----END CERTIFICATE-----\n", "broken PEM"),
        (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "nobody can read"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "certificate"),
    ],
)
def test_a_broken_stand_in(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "roots.pem"
    path.write_bytes(content)
    message = refused(path)
    assert said in message
    assert str(path) in message


def test_a_malformed_certificate_stands_in_for_nobody(tmp_path: Path, google: pki.GoogleLike) -> None:
    """One that only the lenient reader takes: version 5 instead of 3."""
    der = next(certificates_in(google.r4.pem))
    assert der.count(b"\xa0\x03\x02\x01\x02") == 1
    spoilt = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04")
    assert Certificate(spoilt).handle is None
    path = tmp_path / "roots.pem"
    path.write_bytes(google.r1.pem + pem(spoilt))
    message = refused(path)
    assert "GTS Root R4 is malformed" in message


def pem(der: bytes) -> bytes:
    import base64

    return b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der) + b"\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("name", ["missing.pem", "missing/roots.pem", "x" * 5000, "a\0b"])
def test_a_stand_in_that_is_not_there(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / name)


@pytest.mark.parametrize("name", ["missing.pem", "x" * 5000, "a\0b"])
def test_an_authority_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(TlsinspectError):
        read_authority(str(tmp_path / name))


# -- age ------------------------------------------------------------------------------------------------------------


def test_data_grows_old_and_then_outdated() -> None:
    trust = Trust.default()
    begun = datetime.fromisoformat(trust.facts.date).replace(tzinfo=UTC)
    assert trust.age_days(begun) == 0
    for days, old, outdated in (
        (0, False, False),
        (200, False, False),
        (201, True, False),
        (400, True, False),
        (401, True, True),
    ):
        at = begun + timedelta(days=days)
        assert (trust.age_days(at), trust.is_old(at), trust.is_outdated(at)) == (days, old, outdated)


def test_the_data_is_younger_than_its_release() -> None:
    trust = Trust.default()
    assert trust.released == datetime.fromisoformat(trust.facts.built).replace(tzinfo=UTC)
    assert trust.age_days(trust.released) >= 0
    assert not trust.is_old(trust.released)
