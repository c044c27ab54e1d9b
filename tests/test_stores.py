"""Trust stores of a machine: read from real files, whatever state they are in, and matched by key."""

import os
import shutil
import stat
import subprocess
import sys
import threading
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests import trust_folder
from tests.conftest import resolve
from tests.faults import tls_server
from tlsinspect import scan
from tlsinspect.certificate import Certificate
from tlsinspect.evidence import truststores
from tlsinspect.evidence.clock import Bounds
from tlsinspect.evidence.path import Path as SignerPath
from tlsinspect.evidence.path import find_path
from tlsinspect.evidence.truststores import BUILT_IN, Client, Store, Stores, intercepting_roots
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.establish import Context
from tlsinspect.lab import pki
from tlsinspect.model import (
    Assessment,
    Authority,
    Endpoint,
    InterceptingRoot,
    Observation,
    Report,
    Route,
    Row,
    Stage,
    Tls,
    TrustStore,
)
from tlsinspect.stores import Machine, read_stores, switched_off
from tlsinspect.stores import reading as reading_module
from tlsinspect.stores import system as system_module
from tlsinspect.stores.formats import FORMATS, Setting
from tlsinspect.stores.reading import Held, from_pem, read_file, read_folders
from tlsinspect.stores.system import from_bundles, from_keychains, from_windows
from tlsinspect.stores.table import SettingRow, table
from tlsinspect.trust import Trust

PLATFORMS = ("linux", "darwin", "win32")
HOST = "www.googleapis.com"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def company() -> pki.Authority:
    return pki.plain_corporate(NOW)


# -- the table ------------------------------------------------------------------------------------------------------


def rows(kind: str) -> list[dict[str, Any]]:
    raw = tomllib.loads(files("tlsinspect.stores").joinpath("stores.toml").read_text("utf-8"))
    return list(raw[kind])


@pytest.mark.parametrize("kind", ["store", "client", "switch"])
def test_every_row_has_a_source(kind: str) -> None:
    assert rows(kind)
    assert [row for row in rows(kind) if not row.get("source")] == []


def test_every_store_is_found_in_exactly_one_way() -> None:
    for row in rows("store"):
        assert sum(key in row for key in ("find", "variable", "key")) == 1, row["id"]
        assert ("key" in row) is ("files" in row) is (row.get("form") in FORMATS)
        assert row["effect"] in ("base", "replaces", "adds")


def test_every_switch_is_a_value_or_a_line() -> None:
    for row in rows("switch"):
        assert ("variable" in row) is not ("files" in row and "key" in row and row["form"] in FORMATS)
        assert ("off" in row) is not ("hosts" in row)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_clients_go_by_stores_that_exist(platform: str) -> None:
    read = table(platform)
    ids = [store.id for store in read.stores]
    assert len(ids) == len(set(ids))
    assert len({client.title for client in read.clients}) == len(read.clients)
    everywhere = {row["id"] for row in rows("store")}
    for client in read.clients:
        assert client.reads or client.unread
        for choice in client.reads:
            group = [i for each in read.unions.get(choice, ((choice,),)) for i in each]
            assert set(group) <= everywhere | {BUILT_IN}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_clients_of_the_issue_are_there(platform: str) -> None:
    assert {client.title for client in table(platform).clients} >= {
        "Chrome", "gcloud", "pip", "Python requests", "npm", "Node.js", "git", "curl", "Java",
    }  # fmt: skip


# -- files in every state -------------------------------------------------------------------------------------------


def test_a_bundle(tmp_path: Path, company: pki.Authority) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"# Acme\n" + company.pem + b"words\n" + company.pem)
    held = read_file(str(file))
    assert (len(held.certificates), held.problem, held.place) == (1, "", str(file))


@pytest.fixture
def company_pem(company: pki.Authority) -> bytes:
    return company.pem


def broken_after(first: bytes) -> bytes:
    return first + b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"


def undecodable(first: bytes) -> bytes:
    return first + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_what_stands_before_a_broken_certificate_counts(tmp_path: Path, company_pem: bytes) -> None:
    file = tmp_path / "ca.pem"
    for content, problem in ((broken_after(company_pem), "broken PEM"), (undecodable(company_pem), "nobody can read")):
        file.write_bytes(content)
        held = read_file(str(file))
        assert len(held.certificates) == 1
        assert problem in held.problem


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00" * 1000, os.urandom(4096)])
def test_garbage_is_a_problem_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    assert read_file(str(file)) == Held((), "holds no certificate", str(file))


def test_what_is_no_file_is_a_problem_in_words(tmp_path: Path) -> None:
    assert read_file(str(tmp_path)).problem == "a folder, where a file is expected"
    assert "No such file" in read_file(str(tmp_path / "missing.pem")).problem
    assert read_file("a\0b").problem
    assert read_file("x" * 100_000).problem


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert read_file(str(pipe)).problem == "not a file"


@pytest.mark.skipif(sys.platform == "win32", reason="no such devices on Windows")
def test_a_device_is_never_read() -> None:
    assert read_file("/dev/zero").problem == "not a file"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.pem"
    with huge.open("wb") as file:
        file.truncate(200 * 1024 * 1024)  # takes no room on the disk
    assert "larger than" in read_file(str(huge)).problem


def test_a_file_without_permission(tmp_path: Path, company_pem: bytes) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(company_pem)
    file.chmod(0)
    held = read_file(str(file))
    if held.certificates:
        assert os.geteuid() == 0  # whom no permission stops
    else:
        assert "ermission" in held.problem
    file.chmod(stat.S_IRUSR)


def test_the_number_of_certificates_is_bounded(
    monkeypatch: pytest.MonkeyPatch, company_pem: bytes, google: pki.GoogleLike
) -> None:
    monkeypatch.setattr(reading_module, "MOST_CERTIFICATES", 1)
    held = from_pem(company_pem + google.roots_pem)
    assert len(held.certificates) == 1
    assert "more than 1" in held.problem


def test_a_folder_is_read_as_openssl_reads_it(tmp_path: Path, company_pem: bytes, google: pki.GoogleLike) -> None:
    (tmp_path / "0a1b2c3d.0").write_bytes(company_pem)
    (tmp_path / "not-hashed.pem").write_bytes(google.roots_pem)
    (tmp_path / "00000000.r0").write_bytes(google.roots_pem)  # a revocation list's name
    held = read_folders(f"{tmp_path}{os.pathsep}{tmp_path}")
    assert (len(held.certificates), held.problem) == (1, "")


def test_folders_that_are_none(tmp_path: Path) -> None:
    assert "hashed name" in read_folders(str(tmp_path)).problem
    assert read_folders(str(tmp_path / "missing")).problem
    (tmp_path / "file").touch()
    assert read_folders(str(tmp_path / "file")).problem
    (tmp_path / "0a1b2c3d.0").symlink_to(tmp_path / "gone")
    assert read_folders(str(tmp_path)).problem.startswith("0a1b2c3d.0: ")


def test_a_crowded_folder_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, company_pem: bytes) -> None:
    monkeypatch.setattr(reading_module, "MOST_FILES", 3)
    for number in range(5):
        (tmp_path / f"0a1b2c3d.{number}").write_bytes(company_pem)
    held = read_folders(str(tmp_path))
    assert len(held.certificates) == 1
    assert "too many files" in held.problem


# -- the operating systems ------------------------------------------------------------------------------------------


def test_the_first_bundle_that_is_there_is_the_systems(tmp_path: Path, company_pem: bytes) -> None:
    file = tmp_path / "bundle.pem"
    file.write_bytes(company_pem)
    held = from_bundles([str(tmp_path / "missing"), str(file), "/etc/ssl/certs/ca-certificates.crt"])
    assert held is not None
    assert (len(held.certificates), held.place) == (1, str(file))


def test_windows_stores_are_filtered_by_purpose(company: pki.Authority, google: pki.GoogleLike) -> None:
    one, *others = from_pem(company.pem + google.roots_pem).certificates
    given = [
        (one.der, "x509_asn", True),
        (others[0].der, "x509_asn", {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.4"}),
        (others[1].der, "x509_asn", {"1.3.6.1.5.5.7.3.3"}),  # for signed programs alone
        (b"pkcs", "pkcs_7_asn", True),
        (b"garbage", "x509_asn", True),
    ]
    held = from_windows("ROOT", lambda _: given)
    assert [c.der for c in held.certificates] == [one.der, others[0].der]
    assert "nobody can read" in held.problem


def test_a_windows_store_that_cannot_be_opened() -> None:
    def refuse(_: str) -> NoReturn:
        raise OSError(5, "Access is denied")

    assert from_windows("ROOT", refuse).problem == "Access is denied"


def test_what_came_with_the_system_is_told_from_what_was_added(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, company_pem: bytes, google: pki.GoogleLike
) -> None:
    (tmp_path / "a.crt").write_bytes(company_pem)
    (tmp_path / "b.crt").write_bytes(google.roots_pem)
    (tmp_path / "c.txt").write_bytes(google.roots_pem)
    rows_ = replace(table("linux"), shipped=(str(tmp_path / "a*.crt"), str(tmp_path / "gone" / "*.crt")))
    monkeypatch.setattr(system_module, "table", lambda _: rows_)
    assert system_module.shipped("linux") == {c.spki_sha256 for c in from_pem(company_pem).certificates}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_platform_raises_where_its_programs_are_missing(machine: Machine, platform: str) -> None:
    if platform == sys.platform:
        pytest.skip("nothing is missing here")
    stores = read_stores(replace(machine, platform=platform))
    assert by_id(stores)["os"].problem
    assert stores.system_holds(path_of(pki.self_signed(HOST, NOW))) is None


KEYCHAIN = """\
keychain: "/Library/Keychains/System.keychain"
class: 0x80001000
{pem}
"""


def fake_security(tmp_path: Path, script: str) -> str:
    """A program in the place of macOS's `security`."""
    program = tmp_path / "security"
    program.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.skipif(sys.platform == "win32", reason="scripts need a shell that reads their first line")
def test_keychains_are_read_from_what_the_program_prints(tmp_path: Path, company_pem: bytes) -> None:
    output = tmp_path / "output"
    output.write_text(KEYCHAIN.format(pem=company_pem.decode()))
    asked = tmp_path / "asked"
    script = f"open({str(asked)!r}, 'w').write(' '.join(sys.argv[1:])); print(open({str(output)!r}).read())"
    held = from_keychains(("A.keychain", "B.keychain"), fake_security(tmp_path, script))
    assert (len(held.certificates), held.problem, held.place) == (1, "", "A.keychain, B.keychain")
    assert asked.read_text() == "find-certificate -a -p A.keychain B.keychain"


@pytest.mark.skipif(sys.platform == "win32", reason="scripts need a shell that reads their first line")
def test_keychains_whose_program_misbehaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_keychains(("A",), str(tmp_path / "missing")).problem
    assert from_keychains(("A",), fake_security(tmp_path, "")).problem == "holds no certificate"
    monkeypatch.setattr(system_module, "MAX_OUTPUT", 1000)
    endless = "import itertools\nfor _ in itertools.count(): print('x' * 500)"
    assert "does not end" in from_keychains(("A",), fake_security(tmp_path, endless)).problem
    monkeypatch.setattr(system_module, "SECONDS", 0.2)
    silent = "import time\ntime.sleep(600)"
    assert from_keychains(("A",), fake_security(tmp_path, silent)).problem == "holds no certificate"


# -- what names a store ---------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine without any setting."""
    (tmp_path / "home").mkdir()
    return Machine("linux", {}, tmp_path / "home", tmp_path)


def with_variables(machine: Machine, **variables: object) -> Machine:
    return replace(machine, environment={name: str(value) for name, value in variables.items()})


def by_id(stores: Stores) -> dict[str, TrustStore]:
    return {facts.id: facts for facts in stores.facts()}


VARIABLES = [row["variable"] for row in rows("store") if "variable" in row and not row.get("folder")]


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_names_a_store(machine: Machine, tmp_path: Path, company_pem: bytes, variable: str) -> None:
    row = next(row for row in rows("store") if row.get("variable") == variable)
    file = tmp_path / "ca.pem"
    file.write_bytes(company_pem)
    assert row["id"] not in by_id(read_stores(machine))
    assert row["id"] not in by_id(read_stores(with_variables(machine, **{variable: ""})))
    found = by_id(read_stores(with_variables(machine, **{variable: file})))[row["id"]]
    assert (found.certificates, found.problem, found.place) == (1, "", str(file))
    assert found.clients
    missing = by_id(read_stores(with_variables(machine, **{variable: tmp_path / "gone.pem"})))[row["id"]]
    assert (missing.certificates, missing.place) == (0, str(tmp_path / "gone.pem"))
    assert "No such file" in missing.problem


@pytest.mark.parametrize("variable", [row["variable"] for row in rows("store") if row.get("either")])
def test_a_variable_that_may_name_a_folder(machine: Machine, company_pem: bytes, variable: str) -> None:
    (machine.home / "0a1b2c3d.0").write_bytes(company_pem)
    found = by_id(read_stores(with_variables(machine, **{variable: machine.home})))[variable]
    assert (found.certificates, found.problem) == (1, "")


SETTINGS = {
    "gcloud-property": (".config/gcloud/configurations/config_default", "[core]\ncustom_ca_certs_file = {}\n"),
    "pip-setting": (".config/pip/pip.conf", "[global]\ncert = {}\n"),
    "git-setting": (".gitconfig", '[http]\n\tsslCAInfo = "{}"\n'),
    "curl-setting": (".curlrc", "cacert = {}\n"),
    "npm-setting": (".npmrc", "registry=https://registry.npmjs.org/\ncafile={}\n"),
}


@pytest.mark.parametrize("id_", SETTINGS)
def test_a_settings_file_names_a_store(machine: Machine, company_pem: bytes, id_: str) -> None:
    place, content = SETTINGS[id_]
    settings, file = machine.home / place, machine.home / "ca.pem"
    settings.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(company_pem)
    for written in (str(file), *(["~/ca.pem"] if id_ != "curl-setting" else [])):
        settings.write_text("# nothing\n; cafile = no\n" + content.format(written))
        found = by_id(read_stores(machine))[id_]
        assert (found.certificates, found.problem, found.place) == (1, "", str(file))
        assert found.clients


def test_what_is_set_for_one_server_is_no_store(machine: Machine, company_pem: bytes) -> None:
    file = machine.home / "ca.pem"
    file.write_bytes(company_pem)
    (machine.home / ".gitconfig").write_text(f'[http "https://git.corp.example/"]\n\tsslCAInfo = {file}\n')
    assert "git-setting" not in by_id(read_stores(machine))
    (machine.home / ".gitconfig").write_text(
        f'[http]\nsslCAInfo = {file}\n[http "https://x.example"]\nsslCAInfo = no\n'
    )
    assert by_id(read_stores(machine))["git-setting"].place == str(file)


def test_pips_variable_takes_the_place_of_the_users_file(machine: Machine, tmp_path: Path) -> None:
    user, other = machine.home / ".config" / "pip" / "pip.conf", tmp_path / "other.conf"
    user.parent.mkdir(parents=True)
    user.write_text("[global]\ncert = /user.pem\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pip.conf").write_text("[global]\ncert = /everybody.pem\n")

    def place(there: Machine) -> str:
        return by_id(read_stores(there))["pip-setting"].place

    assert place(machine) == "/user.pem"
    assert place(with_variables(machine, PIP_CONFIG_FILE=tmp_path / "gone.conf")) == "/user.pem"
    other.write_text("[install]\ncert = /no.pem\n")
    assert place(with_variables(machine, PIP_CONFIG_FILE=other)) == "/everybody.pem"
    other.write_text("[global]\ncert = /other.pem\n")
    assert place(with_variables(machine, PIP_CONFIG_FILE=other)) == "/other.pem"
    assert "pip-setting" not in by_id(read_stores(with_variables(machine, PIP_CONFIG_FILE=os.devnull)))


def test_npm_and_its_variables(machine: Machine, tmp_path: Path, company_pem: bytes) -> None:
    """In letters of any case; ${NAME} in its file stands for one; the file of all users lies beside Node.js."""
    file = tmp_path / "ca.pem"
    file.write_bytes(company_pem)
    found = read_stores(with_variables(machine, NPM_CONFIG_CAFILE=file))
    assert found.used["npm"] == ("npm-variable",)
    (machine.home / ".npmrc").write_text("cafile=${HERE}/ca.pem ; ours\n")
    assert by_id(read_stores(with_variables(machine, HERE=tmp_path)))["npm-setting"].place == str(file)
    assert by_id(read_stores(machine))["npm-setting"].place == "${HERE}/ca.pem"


@pytest.mark.skipif(sys.platform == "win32", reason="a program is told by its mode here")
def test_npms_settings_for_all_users(machine: Machine, tmp_path: Path) -> None:
    for folder in ("node/bin", "node/etc", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "node" / "bin" / "node").touch(mode=0o755)
    (tmp_path / "bin" / "node").symlink_to(tmp_path / "node" / "bin" / "node")
    (tmp_path / "node" / "etc" / "npmrc").write_text('cafile = "/everybody.pem"\nstrict-ssl=false\n')
    there = with_variables(machine, PATH=tmp_path / "bin")
    assert by_id(read_stores(there))["npm-setting"].place == "/everybody.pem"
    assert off(there) == ["strict-ssl"]
    (machine.home / ".npmrc").write_text("strict-ssl = true\ncafile = /user.pem\n")
    assert by_id(read_stores(there))["npm-setting"].place == "/user.pem"
    assert off(there) == []


def test_debians_libcurl_is_known_by_its_mark(machine: Machine, tmp_path: Path, company_pem: bytes) -> None:
    folder = tmp_path / "etc" / "ssl" / "certs"
    folder.mkdir(parents=True)
    (folder / "0a1b2c3d.0").write_bytes(company_pem)
    assert "libcurl-folder" not in by_id(read_stores(machine))
    (tmp_path / "etc" / "debian_version").write_text("12.9\n")
    found = by_id(read_stores(machine))["libcurl-folder"]
    assert (found.certificates, found.clients) == (1, ("git", "curl"))


def test_every_settings_row_is_tested() -> None:
    assert set(SETTINGS) == {row["id"] for row in rows("store") if "key" in row}


def test_gclouds_active_configuration_counts(machine: Machine, tmp_path: Path, company_pem: bytes) -> None:
    folder, file = tmp_path / "sdk", tmp_path / "ca.pem"
    (folder / "configurations").mkdir(parents=True)
    file.write_bytes(company_pem)
    (folder / "configurations" / "config_work").write_text(f"[core]\ncustom_ca_certs_file = {file}\n")
    (folder / "configurations" / "config_default").write_text("[core]\nproject = acme\n")
    there = with_variables(machine, CLOUDSDK_CONFIG=folder)
    assert "gcloud-property" not in by_id(read_stores(there))
    (folder / "active_config").write_text("work\n")
    assert by_id(read_stores(there))["gcloud-property"].clients == ("gcloud",)
    chosen = with_variables(machine, CLOUDSDK_CONFIG=folder, CLOUDSDK_ACTIVE_CONFIG_NAME="default")
    assert "gcloud-property" not in by_id(read_stores(chosen))
    elsewhere = with_variables(machine, CLOUDSDK_CONFIG=folder, CLOUDSDK_ACTIVE_CONFIG_NAME="../config_work")
    assert "gcloud-property" not in by_id(read_stores(elsewhere))


def test_gclouds_folder_on_windows(tmp_path: Path) -> None:
    machine = Machine("win32", {"APPDATA": str(tmp_path)}, tmp_path / "home")
    assert machine.place("{gcloud}") == tmp_path / "gcloud" / "configurations" / "config_default"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00cert = x", b"[" * 100_000, b"cert\n" * 10_000, b"cert = " + b"x" * 9999]
)
def test_a_hostile_settings_file_names_nothing(machine: Machine, content: bytes) -> None:
    settings = machine.home / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_bytes(content)
    for form in FORMATS:
        assert machine.settings(SettingRow(("{config}/pip/pip.conf",), form, "", "cert", "")) in (
            {},
            {"": (settings, "true")},
        )
    assert "pip-setting" not in by_id(read_stores(machine))


def test_a_password_in_a_variable_is_not_shown(machine: Machine) -> None:
    there = with_variables(machine, PIP_CERT="https://alice:hunter2@acme.example/ca.pem")
    found = by_id(read_stores(there))["PIP_CERT"]
    assert found.problem
    assert "hunter2" not in repr(found)


def test_a_real_machine_can_be_read() -> None:
    """This one, as it is: nothing raises, and every problem is in words."""
    stores = read_stores()
    assert stores.facts()
    assert all(facts.certificates or facts.problem for facts in stores.facts())


# -- files of settings, as their programs read them -----------------------------------------------------------------

WRITTEN: list[tuple[str, str, list[Setting]]] = [
    ("git", "[http] sslVerify=off", [Setting("http", "", "sslverify", "off")]),
    ("git", "[http]\n\tsslVerify\n", [Setting("http", "", "sslverify", "true")]),
    ("git", '[HTTP "https://a\\"b"]\nx = 1', [Setting("http", 'https://a"b', "x", "1")]),
    ("git", '[http]\nx = "/a;b.pem" ; corp', [Setting("http", "", "x", "/a;b.pem")]),
    ("git", "[http]\nx = /a b.pem   # corp", [Setting("http", "", "x", "/a b.pem")]),
    ("git", '[http]\nx = "C:\\\\ca.pem"', [Setting("http", "", "x", "C:\\ca.pem")]),
    ("git", "[http]\nx = /a\\\n.pem", [Setting("http", "", "x", "/a.pem")]),
    ("git", "[http]\nx =", [Setting("http", "", "x", "")]),
    ("git", '[http]\nx = "  a  "', [Setting("http", "", "x", "  a  ")]),
    ("git", "[http\nx = 1", [Setting("", "", "x", "1")]),
    ("ini", "[global]\nTrusted_Host =\n  a\n  b", [Setting("global", "", "trusted-host", "a\nb")]),
    ("ini", "[global]\ncert: /x.pem", [Setting("global", "", "cert", "/x.pem")]),
    ("ini", "cert = /x.pem", []),
    ("npmrc", "cafile = '/x;y.pem'", [Setting("", "", "cafile", "/x;y.pem")]),
    ("npmrc", "strict-ssl", [Setting("", "", "strict-ssl", "true")]),
    ("curlrc", "--insecure", [Setting("", "", "insecure", "true")]),
    ("curlrc", "-k\nno-insecure", [Setting("", "", "insecure", "true"), Setting("", "", "insecure", "false")]),
    ("curlrc", 'cacert "/x.pem"', [Setting("", "", "cacert", "/x.pem")]),
    ("curlrc", "cacert: /x.pem", [Setting("", "", "cacert", "/x.pem")]),
]


@pytest.mark.parametrize(("form", "text", "settings"), WRITTEN)
def test_a_file_is_read_as_its_program_reads_it(form: str, text: str, settings: list[Setting]) -> None:
    assert list(FORMATS[form](text)) == settings


GIT = shutil.which("git")


@pytest.mark.skipif(GIT is None, reason="not installed: git")
@pytest.mark.parametrize("text", [text for form, text, _ in WRITTEN if form == "git" and text != "[http\nx = 1"])
def test_git_itself_reads_it_so(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    (setting,) = FORMATS["git"](text)
    name = ".".join(part for part in (setting.section, setting.of, setting.key) if part)
    asked = subprocess.run(
        [str(GIT), "config", "--file", str(file), "--get", name], capture_output=True, text=True, timeout=30, check=True
    )
    assert asked.stdout.removesuffix("\n") == ("" if setting.value == "true" else setting.value)


# -- verification that is off ---------------------------------------------------------------------------------------

ENVIRONMENT = {
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0", "1"),
    "PYTHONHTTPSVERIFY": ("0", "1"),
    "GIT_SSL_NO_VERIFY": ("1", None),
    "CLOUDSDK_AUTH_DISABLE_SSL_VALIDATION": ("True", "false"),
    "npm_config_strict_ssl": ("false", "true"),
    "PIP_TRUSTED_HOST": ("pypi.org", ""),
}
LINES = {
    "http.sslVerify": (".gitconfig", "[http]\n  sslVerify = false", "[http]\n  sslVerify = true"),
    "auth/disable_ssl_validation": (
        ".config/gcloud/configurations/config_default",
        "[auth]\ndisable_ssl_validation = True",
        "[auth]\ndisable_ssl_validation = False",
    ),
    "strict-ssl": (".npmrc", "strict-ssl=false", "strict-ssl=true"),
    "trusted-host": (".config/pip/pip.conf", "[global]\ntrusted-host = pypi.org", "# trusted-host = pypi.org"),
    "insecure": (".curlrc", "silent\ninsecure", "silent\n# insecure"),
}


def off(machine: Machine) -> list[str]:
    return [each.what for each in switched_off(machine)]


def test_every_switch_is_tested() -> None:
    assert {row["what"] for row in rows("switch")} == {*ENVIRONMENT, *LINES}


@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_a_variable_takes_verification_away(machine: Machine, variable: str) -> None:
    bad, good = ENVIRONMENT[variable]
    assert variable in off(with_variables(machine, **{variable: bad}))
    assert variable not in off(with_variables(machine, **({} if good is None else {variable: good})))


@pytest.mark.parametrize("what", LINES)
def test_a_line_takes_verification_away(machine: Machine, what: str) -> None:
    place, bad, good = LINES[what]
    settings = machine.home / place
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(good + "\n")
    assert what not in off(machine)
    settings.write_text(bad + "\n")
    (found,) = [each for each in switched_off(machine) if each.what == what]
    assert found.where == str(settings)


@pytest.mark.parametrize(
    ("place", "content"),
    [
        (".gitconfig", "[http]\nsslVerify = false\nsslVerify = true\n"),
        (".gitconfig", "[core]\nsslVerify = false\n"),
        (".config/pip/pip.conf", "[global]\ntrusted-host =\n"),
        (".curlrc", "insecure\nno-insecure\n"),
    ],
)
def test_what_takes_nothing_away(machine: Machine, place: str, content: str) -> None:
    (machine.home / place).parent.mkdir(parents=True, exist_ok=True)
    (machine.home / place).write_text(content)
    assert off(machine) == []


def test_the_first_file_counts(machine: Machine) -> None:
    (machine.home / ".config" / "git").mkdir(parents=True)
    (machine.home / ".config" / "git" / "config").write_text("[http]\nsslVerify = false\n")
    assert off(machine) == ["http.sslVerify"]
    (machine.home / ".gitconfig").write_text("[http]\nsslVerify = true\n")
    assert off(machine) == []


def test_for_whom_alone_nothing_is_verified(machine: Machine) -> None:
    (machine.home / ".gitconfig").write_text('[http "https://git.corp.example"]\nsslVerify = false\n[http]\nx=1\n')
    (machine.home / ".config" / "pip").mkdir(parents=True)
    (machine.home / ".config" / "pip" / "pip.conf").write_text(
        "[global]\ntrusted-host =\n    a.example\n    b.example\n"
    )
    found = {each.client: each.hosts for each in switched_off(with_variables(machine, PIP_TRUSTED_HOST=""))}
    assert found == {"git": ("https://git.corp.example",), "pip": ("a.example", "b.example")}


def test_npms_variable_in_letters_of_any_case(machine: Machine) -> None:
    assert off(with_variables(machine, NPM_CONFIG_STRICT_SSL="false")) == ["npm_config_strict_ssl"]


# -- by key ---------------------------------------------------------------------------------------------------------


def stores_of(**held: bytes) -> Stores:
    """Stores with these certificates (PEM), `os` being the system's, and one client for each."""
    made = [
        Store(TrustStore(id_, id_, "", "base", id_ == "os", certificates=1), from_pem(pem).certificates)
        for id_, pem in held.items()
    ]
    return Stores(tuple(made), tuple(Client(f"client of {id_}", (id_,)) for id_ in held))


def path_of(issued: pki.Issued, trust: Trust | None = None) -> SignerPath:
    path = find_path(issued.ders, HOST, Authority.GOOGLE, NOW, trust or Trust.default())
    assert path.foreign
    return path


def one_root(issued: pki.Issued, stores: Stores | None) -> InterceptingRoot:
    (root,) = intercepting_roots([(HOST, path_of(issued), None)], stores)
    return root


def test_a_presented_root_is_found_by_its_key(company: pki.Authority, google: pki.GoogleLike) -> None:
    issued = company.issue([HOST], send_root=True)
    root = one_root(issued, stores_of(os=google.roots_pem, other=company.pem))
    assert root.held_by == ("other",)
    assert (root.trusting, root.failing, root.unknown) == (("client of other",), ("client of os",), ())
    assert root.presented
    assert root.authority
    assert root.certificate == from_pem(company.pem).certificates[0].der


def test_a_root_that_was_not_presented_is_found_by_the_signature_of_its_key(company: pki.Authority) -> None:
    root = one_root(company.issue([HOST]).alone(), stores_of(os=company.pem))
    assert root.held_by == ("os",)
    assert not root.presented
    assert root.sha256 == from_pem(company.pem).certificates[0].sha256


def test_a_name_alone_is_nothing(company: pki.Authority) -> None:
    """Another authority of the same name and another key: the leaf was not signed by it."""
    (own,) = from_pem(company.pem).certificates
    assert own.handle is not None
    other = pki.Authority.root(own.handle.subject, NOW, key="rsa2048")
    for issued in (company.issue([HOST]).alone(), company.issue([HOST], send_root=True)):
        root = one_root(issued, stores_of(os=other.pem))
        assert root.held_by == ()
        assert root.title == own.title
    assert one_root(company.issue([HOST]).alone(), stores_of(os=other.pem)).certificate is None


def test_a_renewed_certificate_of_the_same_key_counts(company: pki.Authority) -> None:
    (own,) = from_pem(company.pem).certificates
    assert own.handle is not None
    renewed = pki.Authority.root(own.handle.subject, NOW, key=company.key)
    assert renewed.pem != company.pem
    assert one_root(company.issue([HOST], send_root=True), stores_of(os=renewed.pem)).held_by == ("os",)


def test_the_root_above_a_presented_intermediate_counts() -> None:
    """Zscaler's gateways send an intermediate, and its root is what companies install."""
    gateway = pki.zscaler(NOW)
    issued = gateway.issue([HOST])
    assert len(issued.ders) > 1
    whole = gateway.issue([HOST], send_root=True)
    top = Certificate(whole.ders[-1])
    stores = Stores((Store(TrustStore("os", "os", "", "base", True), (top,)),), (Client("c", ("os",)),))
    assert stores.system_holds(path_of(issued)) is True


def test_a_leaf_that_signed_itself_is_no_authority() -> None:
    issued = pki.self_signed(HOST, NOW)
    root = one_root(issued, stores_of(os=issued.pem))
    assert not root.authority
    assert root.held_by == ("os",)


def test_many_authorities_of_one_name_are_bounded(company: pki.Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    (own,) = from_pem(company.pem).certificates
    tried: list[Certificate] = []

    def count(_: Certificate, parent: Certificate) -> bool:
        tried.append(parent)
        return False

    monkeypatch.setattr(truststores, "signed", count)
    crowd = Store(TrustStore("os", "os", "", "base", True), (own,) * 1000)
    assert crowd.issuer_of(Certificate(company.issue([HOST]).ders[0])) is None
    assert len(tried) == truststores.MAX_CANDIDATES


def test_without_stores_the_root_is_known_all_the_same(company: pki.Authority) -> None:
    root = one_root(company.issue([HOST], send_root=True), None)
    assert root.sha256
    assert (root.held_by, root.trusting, root.failing) == ((), (), ())


def test_one_root_for_many_hosts(company: pki.Authority) -> None:
    found = [(f"host{n}.test", path_of(company.issue([HOST], send_root=True)), None) for n in range(3)]
    (root,) = intercepting_roots([*found, *found], stores_of(os=company.pem))
    assert root.hosts == ("host0.test", "host1.test", "host2.test")


def test_what_one_host_sends_is_known_for_the_others(company: pki.Authority) -> None:
    """By its key: the order does not matter, and neither does which of them is intercepted."""
    whole, alone = path_of(company.issue([HOST], send_root=True)), path_of(company.issue([HOST]).alone())
    found = [("whole.test", whole, None), ("alone.test", alone, None)]
    for each in (found, found[::-1]):
        (root,) = intercepting_roots(each, None)
        assert set(root.hosts) == {"whole.test", "alone.test"}
        assert (root.presented, root.sha256) == (True, from_pem(company.pem).certificates[0].sha256)
    (root,) = intercepting_roots([("alone.test", alone, None)], None, [whole])
    assert root.hosts == ("alone.test",)
    assert root.certificate is not None


def test_what_another_authority_of_that_name_sends_is_not_taken(company: pki.Authority) -> None:
    (own,) = from_pem(company.pem).certificates
    assert own.handle is not None
    namesake = pki.Authority.root(own.handle.subject, NOW)
    other, alone = path_of(namesake.issue([HOST], send_root=True)), path_of(company.issue([HOST]).alone())
    roots = intercepting_roots([("other.test", other, None), ("alone.test", alone, None)], None)
    assert [(root.hosts, root.presented) for root in roots] == [(("other.test",), True), (("alone.test",), False)]


def test_a_root_above_the_intermediate_that_others_send_too(company: pki.Authority) -> None:
    node = company.subordinate(pki.name((NameOID.COMMON_NAME, "Acme node 1")))
    paths = [path_of(node.issue([HOST], send_root=whole)) for whole in (False, True)]
    paths.append(path_of(node.issue([HOST]).alone()))
    roots = intercepting_roots([(f"host{n}.test", path, None) for n, path in enumerate(paths)], None)
    assert [(root.title, len(root.hosts)) for root in roots] == [(from_pem(company.pem).certificates[0].title, 3)]


# -- who goes by what -----------------------------------------------------------------------------------------------


def linux(ids: list[str], **problems: str) -> Stores:
    rows_ = table("linux")
    made = [Store(TrustStore(i, i, "", "base", i.startswith("os"), problem=problems.get(i, ""))) for i in ids]
    return Stores(tuple(made), rows_.clients, rows_.unions)


def test_the_first_store_that_is_there_counts() -> None:
    used = linux(["os", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "certifi"]).used
    assert used["Python requests"] == ("REQUESTS_CA_BUNDLE",)
    assert used["curl"] == ("CURL_CA_BUNDLE",)
    assert used["git"] == ("os",)
    assert used["gcloud"] == (BUILT_IN,)
    assert used["Java"] == ()


def test_openssl_takes_a_file_and_a_folder() -> None:
    """Each of the two variables takes the place of one of the two, and leaves the other."""
    assert linux(["os", "os-folder"]).used["Python's ssl"] == ("os", "os-folder")
    assert linux(["os", "os-folder", "SSL_CERT_FILE"]).used["Python's ssl"] == ("SSL_CERT_FILE", "os-folder")


def test_libcurl_keeps_its_folder_where_it_was_built_with_one() -> None:
    """As on Debian (asked: curl 7.88.1 and git 2.39.5); elsewhere a file takes the place of everything."""
    for id_, client in (("CURL_CA_BUNDLE", "curl"), ("SSL_CERT_FILE", "curl"), ("GIT_SSL_CAINFO", "git")):
        assert linux(["os", "libcurl-folder", id_]).trusts(client, ["os", "libcurl-folder"]) is True
        assert linux(["os", id_]).trusts(client, ["os"]) is False
    both = linux(["os", "os-folder", "libcurl-folder", "SSL_CERT_DIR", "CURL_CA_BUNDLE"])
    assert both.used["curl"] == ("CURL_CA_BUNDLE", "libcurl-folder")
    assert linux(["os", "libcurl-folder", "GIT_SSL_CAPATH"]).used["git"] == ("os", "GIT_SSL_CAPATH")


def test_pip_adds_one_file_to_the_systems() -> None:
    """As pip 26.3 does; requests, within it, asks its variables before pip's own."""
    assert linux(["os", "PIP_CERT"]).trusts("pip", ["os"]) is True
    assert linux(["os", "PIP_CERT"]).trusts("pip", ["PIP_CERT"]) is True
    assert linux(["os", "REQUESTS_CA_BUNDLE", "PIP_CERT"]).trusts("pip", ["PIP_CERT"]) is False
    assert linux(["os", "SSL_CERT_FILE", "pip-setting"]).used["pip"] == ("SSL_CERT_FILE", "pip-setting")


def test_a_system_with_a_folder_alone() -> None:
    assert linux(["os-folder"]).used["pip"] == ("os-folder",)
    assert linux(["os-folder"]).used["Python's ssl"] == ("os-folder",)
    assert linux(["libcurl-folder"]).used["curl"] == linux(["libcurl-folder"]).used["git"] == ("libcurl-folder",)


def test_what_could_not_be_read_is_not_known() -> None:
    stores = linux(["os", "PIP_CERT"], PIP_CERT="No such file")
    assert stores.trusts("pip", []) is None
    assert stores.trusts("Java", ["os"]) is None
    assert stores.trusts("git", ["os"]) is True
    assert stores.trusts("gcloud", ["os"]) is False


# -- what the judge makes of it -------------------------------------------------------------------------------------


def observed(issued: pki.Issued, host: str = HOST) -> Observed:
    endpoint = Endpoint(host, 443, True, Authority.GOOGLE, (Row(url=f"https://{host}/"),))
    tls = Tls("large", True, issued.ders)
    return Observed(endpoint, (Observation(host, 443, Route(), NOW, Stage.TLS, tls=tls),))


def judged(issued: pki.Issued, trust: Trust, stores: Stores | None) -> Assessment:
    context = Context(trust, Bounds(NOW, trust.released, exact=True), stores=stores)
    return judge_run([observed(issued)], context).assessments[0]


def codes(assessment: Assessment) -> set[str]:
    return {finding.code for finding in assessment.findings}


STORE_CODES = {"trusted-by-os", "not-trusted-by-os", "os-store-outdated"}


@pytest.mark.parametrize(("name", "issued"), list(pki.cases(NOW, HOST).items()))
def test_no_store_moves_anything_but_findings(name: str, issued: pki.Issued, roots: Path) -> None:
    """Principle 4, for every shape of chain: with it in the system's store, without, and with nothing read."""
    assert name
    trust = Trust.load(roots)
    every = b"".join(c.public_bytes(Encoding.PEM) for c in issued.chain)
    results = [judged(issued, trust, stores) for stores in (None, stores_of(os=every), stores_of(os=b""))]
    plain = [replace(a, findings=tuple(f for f in a.findings if f.code not in STORE_CODES)) for a in results]
    assert plain[0] == plain[1] == plain[2]


def test_whether_the_system_trusts_it_is_said(company: pki.Authority, google: pki.GoogleLike, roots: Path) -> None:
    trust, issued = Trust.load(roots), company.issue([HOST])
    assert codes(judged(issued, trust, stores_of(os=company.pem))) & STORE_CODES == {"trusted-by-os"}
    assert codes(judged(issued, trust, stores_of(os=google.roots_pem))) & STORE_CODES == {"not-trusted-by-os"}
    assert codes(judged(issued, trust, None)) & STORE_CODES == set()


def test_of_a_wrong_name_nothing_is_said(company: pki.Authority, roots: Path) -> None:
    """Everybody notices that, whatever the stores hold."""
    found = judged(company.issue(["portal.test"]), Trust.load(roots), stores_of(os=company.pem))
    assert found.verdict == "wrong-host"
    assert codes(found) & STORE_CODES == set()


def test_of_a_system_store_that_cannot_be_read_nothing_is_said(company: pki.Authority, roots: Path) -> None:
    broken = Stores((Store(TrustStore("os", "os", "", "base", True, problem="No such file")),))
    assert codes(judged(company.issue([HOST]), Trust.load(roots), broken)) & STORE_CODES == set()


@pytest.fixture(scope="module")
def as_google(google: pki.GoogleLike, tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """Trust data in which the laboratory's roots are Google's own, and no stand-in."""
    return Trust.load(trust_folder.make(tmp_path_factory.mktemp("trust") / "data", google_roots=google.roots))


def test_a_system_without_googles_root_is_outdated(
    google: pki.GoogleLike, company: pki.Authority, as_google: Trust
) -> None:
    genuine = google.wr2.issue([HOST])
    outdated = judged(genuine, as_google, stores_of(os=company.pem))
    assert outdated.verdict == "genuine"
    assert "os-store-outdated" in codes(outdated)
    assert "os-store-outdated" not in codes(judged(genuine, as_google, stores_of(os=google.roots_pem)))
    windows = Stores(tuple(replace(s, whole=False) for s in stores_of(os=company.pem).stores))
    assert "os-store-outdated" not in codes(judged(genuine, as_google, windows))


def test_of_a_stand_in_no_system_store_is_outdated(google: pki.GoogleLike, company: pki.Authority, roots: Path) -> None:
    found = judged(google.wr2.issue([HOST]), Trust.load(roots), stores_of(os=company.pem))
    assert codes(found) & STORE_CODES == set()


# -- whole scans ----------------------------------------------------------------------------------------------------


def scanned(issued: pki.Issued, roots: Path) -> Report:
    with tls_server(issued) as server:
        where = resolve({HOST: server})
        return scan([HOST], trust=roots, proxy="none", resolve=where, offline=True, timeout=10)


def test_stores_are_read_when_somebody_unknown_signed_and_only_then(
    company: pki.Authority, google: pki.GoogleLike, roots: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(company.pem)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(file))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    untouched = scanned(google.wr2.issue([HOST]), roots)
    assert (untouched.stores, untouched.roots) == ((), ())
    report = scanned(company.issue([HOST]), roots)
    (root,) = report.roots
    assert "NODE_EXTRA_CA_CERTS" in root.held_by
    assert "Node.js" in root.trusting
    assert "AWS CLI" in root.unknown
    said = {finding.code: finding.sentence for finding in report.conclusions}
    assert "Node.js" in said["silent-interception"]
    assert "gone.pem" in said["store-unreadable"]
    assert "Java" in said["stores-not-read"]


def test_stores_that_never_answer_cost_no_result(
    company: pki.Authority, roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = threading.Event()
    monkeypatch.setattr("tlsinspect.conductor.read_stores", forever.wait)
    monkeypatch.setattr("tlsinspect.conductor.STORES_SECONDS", 0.2)
    try:
        report = scanned(company.issue([HOST]), roots)
    finally:
        forever.set()
    assert report.assessments[0].verdict == "intercepted"
    assert report.stores == ()
    assert len(report.roots) == 1


def test_a_store_that_never_answers_costs_no_other(
    machine: Machine, company_pem: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forever = threading.Event()
    file = tmp_path / "ca.pem"
    file.write_bytes(company_pem)

    def read(name: str) -> Held:
        if name == "/proc/kmsg":
            forever.wait()
        return read_file(name)

    monkeypatch.setattr("tlsinspect.stores.read_file", read)
    monkeypatch.setattr("tlsinspect.stores.SECONDS_EACH", 0.2)
    try:
        there = with_variables(machine, SSL_CERT_FILE="/proc/kmsg", NODE_EXTRA_CA_CERTS=file)
        found = by_id(read_stores(there))
    finally:
        forever.set()
    assert (found["SSL_CERT_FILE"].place, found["SSL_CERT_FILE"].problem) == (
        "/proc/kmsg",
        "no answer within 0.2 seconds",
    )
    assert found["NODE_EXTRA_CA_CERTS"].certificates == 1


def test_a_defect_in_reading_costs_no_result(
    company: pki.Authority, roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise RuntimeError("broken")

    monkeypatch.setattr("tlsinspect.conductor.read_stores", fail)
    report = scanned(company.issue([HOST]), roots)
    assert report.assessments[0].verdict == "intercepted"
    assert any(finding.code == "asking-failed" for finding in report.conclusions)


def test_hostile_names_are_shown_harmless(roots: Path) -> None:
    evil = pki.Authority.root(pki.name((NameOID.COMMON_NAME, "\x1b[31m{host}\u202e")), NOW)
    report = scanned(evil.issue([HOST]), roots)
    assert report.roots
    for finding in (*report.conclusions, *report.assessments[0].findings):
        assert "\x1b" not in finding.sentence
        assert "\u202e" not in finding.sentence
