"""`scan --export-ca`: the intercepting authorities as a file that every reader of PEM takes, and nothing else."""

import hashlib
import json
import shutil
import ssl
import subprocess
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.conftest import Outcome, options, resolve, run
from tests.faults import tls_server
from tlsinspect.lab import pki
from tlsinspect.trust import certificates_in

HOST, OTHER = "www.googleapis.com", "mail.google.com"


def scan(
    issued: dict[str, pki.Issued], roots: Path, file: Path | str, *more: str, extra: dict[str, str] | None = None
) -> Outcome:
    with ExitStack() as stack:
        places = {host: stack.enter_context(tls_server(each)) for host, each in issued.items()}
        where = options(resolve(places))
        words = ["--trust", str(roots), "--proxy", "none", "--export-ca", str(file), *more]
        return run("scan", *issued, *where, *words, extra=extra)


@pytest.fixture
def company(now: datetime) -> pki.Authority:
    return pki.plain_corporate(now)


def der(authority: pki.Authority) -> bytes:
    (found,) = certificates_in(authority.pem)
    return found


def test_what_was_presented_is_exported_once(company: pki.Authority, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    issued = {host: company.issue([host], send_root=True) for host in (HOST, OTHER)}
    ended = scan(issued, roots, file, "--format", "json")
    assert (ended.status, ended.err) == (1, "")
    assert len(json.loads(ended.out)["roots"]) == 1
    text = file.read_text("ascii")
    assert list(certificates_in(text.encode())) == [der(company)]
    assert HOST in text
    assert OTHER in text
    assert hashlib.sha256(der(company)).hexdigest() in text
    assert "do not install it because this file exists" in text


def test_every_reader_skips_the_comments(company: pki.Authority, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    scan({HOST: company.issue([HOST], send_root=True)}, roots, file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    assert context.get_ca_certs(binary_form=True) == [der(company)]
    assert [c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(file.read_bytes())] == [der(company)]
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("not installed: openssl")
    read = subprocess.run(
        [openssl, "x509", "-in", file, "-outform", "DER"], capture_output=True, timeout=30, check=True
    )
    assert read.stdout == der(company)


def test_two_authorities_are_both_in_it(company: pki.Authority, now: datetime, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    fiddler = pki.fiddler(now)
    issued = {HOST: company.issue([HOST], send_root=True), OTHER: fiddler.issue([OTHER], send_root=True)}
    scan(issued, roots, file)
    assert set(certificates_in(file.read_bytes())) == {der(company), der(fiddler)}
    assert "fiddler" in file.read_text()


def test_what_only_a_store_holds_is_exported_from_there(company: pki.Authority, roots: Path, tmp_path: Path) -> None:
    file, store = tmp_path / "ca.pem", tmp_path / "store.pem"
    store.write_bytes(company.pem)
    ended = scan({HOST: company.issue([HOST]).alone()}, roots, file, extra={"NODE_EXTRA_CA_CERTS": str(store)})
    assert ended.err == ""
    assert list(certificates_in(file.read_bytes())) == [der(company)]
    assert "not presented; found in a trust store" in file.read_text()


def test_what_is_nowhere_is_said(company: pki.Authority, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    ended = scan({HOST: company.issue([HOST]).alone()}, roots, file)
    assert ended.status == 1
    assert "ask the owner of the proxy" in ended.err
    assert not file.exists()


def test_a_leaf_that_signed_itself_is_not_exported(now: datetime, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    ended = scan({HOST: pki.self_signed(HOST, now)}, roots, file)
    assert "signed itself" in ended.err
    assert not file.exists()


def test_nothing_intercepted_writes_nothing(google: pki.GoogleLike, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    ended = scan({HOST: google.wr2.issue([HOST])}, roots, file)
    assert ended.status == 0
    assert ended.err.splitlines() == [f"tlsinspect: nothing is intercepted: {file} is not written"]
    assert not file.exists()


def test_hostile_names_stay_comments(now: datetime, roots: Path, tmp_path: Path) -> None:
    """A name that looks like PEM, ends lines or draws backwards adds no certificate and no line of its own."""
    file = tmp_path / "ca.pem"
    evil = "x\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\u202e"
    authority = pki.Authority.root(
        pki.name((NameOID.ORGANIZATION_NAME, evil[:64]), (NameOID.COMMON_NAME, evil[:64])), now
    )
    scan({HOST: authority.issue([HOST], send_root=True)}, roots, file)
    assert list(certificates_in(file.read_bytes())) == [der(authority)]
    outside = file.read_text("ascii").partition("-----BEGIN")[0]
    assert all(line.startswith("#") or not line for line in outside.splitlines())


@pytest.mark.parametrize(
    ("name", "more"),
    [("-", []), ("", []), (".", []), ("no/such/folder/ca.pem", []), ("same.json", ["-o", "same.json"])],
)
def test_a_name_that_cannot_be_written_is_refused_before_anything_is_sent(name: str, more: list[str]) -> None:
    ended = run("scan", "a.test", "--export-ca", name, *more)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert "--export-ca" in ended.err


def test_the_result_is_not_overwritten(tmp_path: Path) -> None:
    """Whatever way the same file is named: by another path, by a link, by another case where that is the same."""
    result = tmp_path / "x.json"
    (tmp_path / "folder").mkdir()
    for there in (False, True):
        if there:
            result.write_text("old")
            (tmp_path / "link").symlink_to(result)
            (tmp_path / "hard").hardlink_to(result)
        for name in [f"{tmp_path}/folder/../x.json", f"{tmp_path}/./x.json", *(["link", "hard"] if there else [])]:
            file = str(tmp_path / name)
            for words in (["-o", str(result), "--export-ca", file], ["-o", file, "--export-ca", str(result)]):
                ended = run("scan", "a.test", *words)
                assert (ended.status, ended.out) == (2, "")
                assert "both name" in ended.err
    assert result.read_text() == "old"


def test_redaction_does_not_touch_the_file(company: pki.Authority, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    ended = scan({HOST: company.issue([HOST], send_root=True)}, roots, file, "--redact", "--format", "json")
    assert (ended.status, ended.err) == (1, "")
    assert json.loads(ended.out)["roots"][0]["certificate"] is None
    assert list(certificates_in(file.read_bytes())) == [der(company)]


def test_what_another_host_sends_is_exported(company: pki.Authority, roots: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    issued = {HOST: company.issue([HOST]).alone(), OTHER: company.issue([OTHER], send_root=True)}
    ended = scan(issued, roots, file, "--format", "json")
    assert ended.err == ""
    assert [root["hosts"] for root in json.loads(ended.out)["roots"]] == [[HOST, OTHER]]
    assert list(certificates_in(file.read_bytes())) == [der(company)]


def test_a_file_that_cannot_be_written_costs_no_result(company: pki.Authority, roots: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full here")
    ended = scan({HOST: company.issue([HOST], send_root=True)}, roots, "/dev/full", "--format", "json")
    assert ended.status == 2
    assert json.loads(ended.out)["assessments"]
    assert "/dev/full: cannot be written" in ended.err
