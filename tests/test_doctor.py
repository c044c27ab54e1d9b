"""`tlsinspect doctor`: what it finds on machines of every kind, and what it keeps to itself."""

import io
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from cryptography.x509.oid import NameOID

from tests import trust_folder
from tests.conftest import ROOT, Outcome, run, shared_data
from tlsinspect import stores as stores_module
from tlsinspect.doctor import Examined, examine
from tlsinspect.jsonform import from_json, to_json
from tlsinspect.lab import pki
from tlsinspect.model import Diagnosis, Severity
from tlsinspect.observe.systemproxy import ProxySettings
from tlsinspect.report.as_json import document, schema
from tlsinspect.report.diagnosis import render
from tlsinspect.report.table import PlainConsole
from tlsinspect.stores import Machine
from tlsinspect.stores.reading import Held, from_pem
from tlsinspect.trust import Trust

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PUBLIC = (ROOT / "trust" / "public_roots.pem").read_bytes()
GOOGLE = (ROOT / "trust" / "google_roots.pem").read_bytes()
Look = Callable[..., Diagnosis]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the operating system's store and certifi hold here, to be changed; nothing else of this machine shows."""
    holds = {"system": PUBLIC + GOOGLE, "certifi": PUBLIC}

    def held(name: str) -> Held:
        found = from_pem(holds[name])
        return Held(found.certificates, found.problem, f"/{name}")

    finders = {name: (lambda _, name=name: held(name)) for name in holds}
    monkeypatch.setattr(
        stores_module, "_FINDERS", {**stores_module._FINDERS, **finders, "openssl-folder": lambda _: None}
    )
    monkeypatch.setattr("tlsinspect.doctor.shipped", lambda _: frozenset())
    return holds


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "home").mkdir()
    return Machine("linux", {}, tmp_path / "home", tmp_path)


@pytest.fixture
def look(system: dict[str, bytes], machine: Machine) -> Look:
    """Look at the machine with these variables, unredacted unless asked."""
    assert system

    def diagnose(
        *, clock: datetime = NOW, trust: Trust | None = None, redacted: bool = False, **env: object
    ) -> Diagnosis:
        there = replace(machine, environment={name: str(value) for name, value in env.items()})
        examined: Examined = examine(trust, there, lambda: clock)
        return examined.redacted if redacted else examined.diagnosis

    return diagnose


def codes(found: Diagnosis) -> set[str]:
    return {finding.code for finding in found.findings}


def sentence(found: Diagnosis, code: str) -> str:
    (only,) = [finding.sentence for finding in found.findings if finding.code == code]
    return only


# -- a machine with nothing to say ----------------------------------------------------------------------------------


def test_a_clean_machine(look: Look) -> None:
    found = look()
    assert codes(found) == set()
    assert found.authorities == ()
    assert [store.id for store in found.stores] == ["os", "certifi"]
    assert found.trust_days == (NOW - datetime(2026, 7, 8, tzinfo=UTC)).days
    assert [tried.route and tried.route.proxy for tried in found.routes] == [None, None]
    assert set(found.unread) == {"Chrome", "Java"}


def test_no_socket_is_opened(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    assert look(https_proxy="http://proxy.acme.example:3128").routes


# -- who is in the stores -------------------------------------------------------------------------------------------

# Real roots -> the row of the catalogue that their names match; those listed by key are critical.
BY_NAME = {
    "burp-portswigger-ca-2016.pem": "burp",
    "charles_Charles_Proxy_CA_11_Jul_2018_b2df483e.pem": "charles",
    "fiddler_DO_NOT_TRUST_FiddlerRoot_5b0d5d3d.pem": "fiddler",
    "mitmproxy_2025-03-20_e03e7c5d.pem": "mitmproxy",
    "zscaler-root_Zscaler_Root_CA_04f61f1d.pem": "zscaler",
}
BY_KEY = {
    "edellroot_eDellRoot_ec30c9c3.pem": "leaked-key",
    "dsdtestprovider_DSDTestProvider_0f912fd7.pem": "leaked-key",
    "superfish_Superfish_b6fe9151.pem": "leaked-key",
    "qaznet_Qaznet_Trust_Network_00309c73.pem": "state-interception",
}


def recorded(name: str) -> bytes:
    return (shared_data("interception") / "roots" / name).read_bytes()


@pytest.mark.parametrize("name", BY_NAME)
def test_an_installed_interceptor_is_named(look: Look, system: dict[str, bytes], name: str) -> None:
    system["system"] += recorded(name)
    found = look()
    (authority,) = found.authorities
    assert authority.product is not None
    assert authority.product.id.startswith(BY_NAME[name])
    assert (authority.stores, authority.system, authority.listed) == (("os",), True, "")
    assert codes(found) == {"interceptor-installed", "other-authorities"}
    (finding,) = [f for f in found.findings if f.code == "interceptor-installed"]
    assert (finding.severity, finding.kind) == (Severity.HIGH, "hint")


@pytest.mark.parametrize("name", BY_KEY)
def test_a_listed_key_is_critical_wherever_it_lies(look: Look, tmp_path: Path, name: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(recorded(name))
    found = look(NODE_EXTRA_CA_CERTS=file)
    (authority,) = found.authorities
    assert (authority.listed, authority.stores, authority.system) == (BY_KEY[name], ("NODE_EXTRA_CA_CERTS",), False)
    (finding,) = [f for f in found.findings if f.code == "listed-authority-installed"]
    assert (finding.severity, finding.kind) == (Severity.CRITICAL, "proof")


def test_a_listed_key_counts_though_it_came_with_the_system(
    look: Look, system: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    superfish = recorded("superfish_Superfish_b6fe9151.pem")
    company = pki.plain_corporate(NOW).pem
    system["system"] += superfish + company
    keys = frozenset(c.spki_sha256 for c in from_pem(superfish + company).certificates)
    monkeypatch.setattr("tlsinspect.doctor.shipped", lambda _: keys)
    found = look()
    assert [authority.listed for authority in found.authorities] == ["leaked-key"]


def test_other_authorities_are_plain_facts(look: Look, system: dict[str, bytes]) -> None:
    company = pki.plain_corporate(NOW)
    system["system"] += company.pem
    found = look()
    assert codes(found) == {"other-authorities"}
    assert found.authorities[0].title in sentence(found, "other-authorities")
    assert all(finding.severity is Severity.INFO for finding in found.findings)


def test_what_a_company_appended_to_certifi_is_said(look: Look, system: dict[str, bytes]) -> None:
    company = pki.plain_corporate(NOW)
    system["certifi"] += company.pem
    found = look()
    assert codes(found) == {"certifi-appended"}
    assert found.authorities[0].title in sentence(found, "certifi-appended")


def test_no_public_root_is_anybodys_interceptor(look: Look, system: dict[str, bytes]) -> None:
    """The bundles of other years and programs: whatever else they hold, nobody in them is a product."""
    names = sorted(path.name for path in shared_data("rootstores").iterdir() if path.suffix == ".pem")
    assert len(names) > 2
    for name in names:
        system["system"] = PUBLIC + GOOGLE + (shared_data("rootstores") / name).read_bytes()
        assert codes(look()) <= {"other-authorities"}, name


def test_a_system_that_lacks_googles_roots(look: Look, system: dict[str, bytes]) -> None:
    system["system"] = pki.plain_corporate(NOW).pem
    assert "GTS Root R1" in sentence(look(), "os-store-lacks-google")


# -- variables and settings -----------------------------------------------------------------------------------------


def test_a_variable_that_names_a_missing_file(look: Look, tmp_path: Path) -> None:
    found = look(REQUESTS_CA_BUNDLE=tmp_path / "gone.pem")
    assert "gone.pem" in sentence(found, "store-unreadable")
    assert found.environment["REQUESTS_CA_BUNDLE"].endswith("gone.pem")


def test_verification_that_is_off(look: Look) -> None:
    found = look(NODE_TLS_REJECT_UNAUTHORIZED="0")
    said = sentence(found, "verification-off")
    assert "Node.js" in said
    assert "verified again" in said


def test_verification_that_is_off_for_some_hosts(look: Look) -> None:
    found = look(redacted=False, PIP_TRUSTED_HOST="pypi.example mirror.example")
    assert codes(found) == {"unverified-hosts"}
    assert "pypi.example and mirror.example" in sentence(found, "unverified-hosts")
    assert found.findings[0].severity is Severity.MEDIUM


def test_settings_that_never_answer(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    forever = threading.Event()
    monkeypatch.setattr("tlsinspect.doctor.switched_off", lambda _: forever.wait())
    monkeypatch.setattr("tlsinspect.doctor.SETTINGS_SECONDS", 0.2)
    try:
        found = look()
    finally:
        forever.set()
    assert "no answer within 0.2 seconds" in sentence(found, "settings-not-read")


def test_proxies_and_credentials(look: Look) -> None:
    found = look(https_proxy="http://alice:hunter2@proxy.acme.example:3128", NO_PROXY="localhost")
    assert found.routes[0].route is not None
    assert found.routes[0].route.proxy == "http://proxy.acme.example:3128"
    assert found.routes[0].route.origin == "https_proxy"
    assert found.environment["https_proxy"] == "…@proxy.acme.example:3128"
    assert not re.search("hunter2|alice", document(found))


@pytest.mark.parametrize(
    "value",
    ["alice:hunter2@proxy.example:1", "http://alice:hunt er2,x@proxy.example:1", "socks5://alice:hunter2@p.example:1",
     "http://alice:hunter2@", "http://alice:hunter2@x/?#"],
)  # fmt: skip
def test_no_credentials_in_any_form(look: Look, value: str) -> None:
    found = look(https_proxy=value, all_proxy=value, PIP_CERT="https://alice:hunter2@x/ca.pem")
    assert not re.search("hunter2|hunt er2|alice", document(found))


def test_a_proxy_that_makes_no_sense(look: Look) -> None:
    found = look(https_proxy="gopher://proxy.example:70")
    assert found.routes[0].route is None
    assert found.routes[0].problem
    assert "proxy-unusable" in codes(found)


def test_a_proxy_script_of_the_system_is_named_and_not_asked(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        script = f"http://127.0.0.1:{server.getsockname()[1]}/proxy.pac"
        monkeypatch.setattr("tlsinspect.doctor.systemproxy.read", lambda: [ProxySettings("WinINET", script=script)])
        found = look()
        with pytest.raises(BlockingIOError):
            server.accept()
    assert found.routes[0].route is not None
    assert found.routes[0].route.origin == f"as the script {script} (WinINET) says, which was not asked"
    assert "proxy-unusable" not in codes(found)


# -- the clock and the data -----------------------------------------------------------------------------------------


def test_a_clock_before_the_data(look: Look) -> None:
    assert "clock-before-data" in codes(look(clock=datetime(2020, 1, 1, tzinfo=UTC)))


def test_old_data(look: Look) -> None:
    found = look(clock=NOW + timedelta(days=3000))
    assert codes(found) == {"trust-data-old"}


# -- what it keeps to itself ----------------------------------------------------------------------------------------


@pytest.fixture
def secretive(look: Look, system: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Look:
    """A machine full of names."""
    monkeypatch.setattr("getpass.getuser", lambda: "mallory.jones")
    monkeypatch.setattr("socket.gethostname", lambda: "LAPTOP-4711.acme.example")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home-of-mallory")
    subject = pki.name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Wile E. Coyote, Inc. \u202e"),
        (NameOID.LOCALITY_NAME, "Arizona"),
        (NameOID.COMMON_NAME, "Coyote Inspection CA"),
    )
    system["system"] += pki.Authority.root(subject, NOW).pem
    system["system"] += recorded("zscaler-root_Zscaler_Root_CA_04f61f1d.pem")
    system["certifi"] += pki.Authority.root(subject, NOW).pem
    return look


SECRETS = re.compile(r"coyote|arizona|mallory|laptop|acme", re.IGNORECASE)
NETWORK = {
    "no_proxy": "localhost, 127.0.0.1,.acme.example,*.corp.acme.example:8443,intranet,10.77.66.55,"
    "10.0.0.0/8,.googleapis.com",
    "all_proxy": "socks5://u:p@boxes.acme.example:1080/",
    "HTTP_PROXY": "http://10.77.66.54:3128",
    "PIP_TRUSTED_HOST": "pypi.acme.example:8080 mirror.acme.example",
    "SSL_CERT_FILE": "/opt/wile.coyote@acme.example/ca.pem",
}


def test_the_network_is_not_told(secretive: Look) -> None:
    whole = document(secretive(**NETWORK))
    hidden = re.compile(r"acme|boxes|intranet|10\.77|10\.0\.0|coyote", re.IGNORECASE)
    assert len(set(map(str.lower, hidden.findall(whole)))) == 6, "else the next lines would prove nothing"
    found = secretive(redacted=True, **NETWORK)
    assert not hidden.findall(document(found))
    assert found.environment["no_proxy"] == (
        "localhost, 127.0.0.1,.<host-1>,*.<host-2>:8443,<host>,<private-address>,<private-address>/8,.googleapis.com"
    )
    assert found.environment["all_proxy"] == "…@<the-proxy>:1080/"
    assert found.environment["HTTP_PROXY"] == "http://<private-address>:3128"
    assert "<host-3>:8080 and <host-4>" in sentence(found, "unverified-hosts")


def test_where_a_script_lies_is_not_told(secretive: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "http://wpad.acme.example/of-mallory/proxy.pac"
    monkeypatch.setattr("tlsinspect.doctor.systemproxy.read", lambda: [ProxySettings("WinINET", script=script)])
    assert script in document(secretive())
    assert not SECRETS.findall(document(secretive(redacted=True)))


def variables(tmp_path: Path) -> dict[str, str]:
    return {
        "https_proxy": "http://u:p@proxy.acme.example:3128",
        "PIP_CERT": str(tmp_path / "home-of-mallory" / "ca.pem"),
    }


def test_what_is_private_is_replaced(secretive: Look, tmp_path: Path) -> None:
    whole = document(secretive(**variables(tmp_path)))
    assert len(set(map(str.lower, SECRETS.findall(whole)))) == 5, "else the next lines would prove nothing"
    shown = secretive(redacted=True, **variables(tmp_path))
    assert shown.redacted
    assert not SECRETS.findall(document(shown))
    # What a helper needs is still there.
    assert "Zscaler" in document(shown)
    assert {f.code for f in shown.findings} == codes(secretive(**variables(tmp_path)))


def test_the_redacted_one_is_what_a_person_sees(secretive: Look, tmp_path: Path) -> None:
    for redacted in (True, False):
        out = io.StringIO()
        console = PlainConsole(out)
        console.width = 200
        render(secretive(redacted=redacted, **variables(tmp_path)), console)
        assert bool(SECRETS.findall(out.getvalue())) is not redacted
        assert "\u202e" not in out.getvalue()
        assert ("private names are replaced" in out.getvalue()) is redacted


def test_no_name_of_a_product_moves_the_cursor(look: Look, system: dict[str, bytes]) -> None:
    """The catalogue refuses such names; what is shown does not rest on that."""
    system["system"] += recorded("zscaler-root_Zscaler_Root_CA_04f61f1d.pem")
    found = look()
    (authority,) = found.authorities
    assert authority.product is not None
    hostile = replace(authority.product, product="Box\x1b[2J\u202e\nforged")
    out = io.StringIO()
    render(replace(found, authorities=(replace(authority, product=hostile),)), PlainConsole(out))
    assert "Box<U+001B>[2J" in "".join(out.getvalue().split())
    assert not re.search("[\x1b\u202e]|\n *forged", out.getvalue())


# -- as JSON, and as a command --------------------------------------------------------------------------------------


def validate(data: object) -> None:
    whole = schema()
    chosen = {"$schema": whole["$schema"], "$defs": whole["$defs"], "$ref": "#/$defs/Diagnosis"}
    jsonschema.Draft202012Validator(chosen).validate(data)


def test_it_validates_and_reads_back(secretive: Look, tmp_path: Path) -> None:
    for redacted in (True, False):
        found = secretive(redacted=redacted, NODE_TLS_REJECT_UNAUTHORIZED="0", **variables(tmp_path))
        assert found.authorities
        validate(json.loads(document(found)))
        assert from_json(Diagnosis, to_json(found)) == found


@pytest.fixture
def doctor(tmp_path: Path) -> Callable[..., Outcome]:
    """The command, with a home of its own. What this very machine has in its system's store may say more."""

    def call(*words: str, **extra: str) -> Outcome:
        return run("doctor", *words, extra={"HOME": str(tmp_path), "https_proxy": "", "http_proxy": "", **extra})

    return call


def test_the_command(doctor: Callable[..., Outcome], tmp_path: Path) -> None:
    ended = doctor("--format", "json")
    assert ended.err == ""
    found = json.loads(ended.out)
    validate(found)
    assert found["redacted"]
    acted = [f["code"] for f in found["findings"] if f["severity"] in ("medium", "high", "critical")]
    assert ended.status == int(bool(acted))
    worse = doctor("--format", "json", SSL_CERT_FILE=str(tmp_path / "gone.pem"))
    assert worse.status == 1
    assert "store-unreadable" in [f["code"] for f in json.loads(worse.out)["findings"]]
    assert str(tmp_path) not in worse.out
    assert str(tmp_path) in doctor("--unredacted", SSL_CERT_FILE=str(tmp_path / "gone.pem"), COLUMNS="400").out


def test_the_command_as_text(doctor: Callable[..., Outcome]) -> None:
    ended = doctor(COLUMNS="200", GIT_SSL_NO_VERIFY="1")
    assert (ended.status, ended.err) == (1, "")
    assert "verification-off" in ended.out
    assert "Measured as this process and user" in ended.out
    assert "\x1b" not in ended.out


def test_help_names_the_statuses() -> None:
    ended = run("doctor", "--help")
    assert ended.status == 0
    for status in ("0", "1", "2"):
        assert re.search(rf"^  {status} +\S", ended.out, re.MULTILINE)


@pytest.mark.parametrize("words", [["--trust", "missing"], ["--format", "xml"], ["-o", "/no/such/folder/x"]])
def test_mistakes_are_one_line(doctor: Callable[..., Outcome], words: list[str]) -> None:
    ended = doctor(*words)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1


def test_altered_trust_data_is_refused(doctor: Callable[..., Outcome], tmp_path: Path) -> None:
    folder = trust_folder.make(tmp_path / "data")
    with (folder / "interceptors.toml").open("ab") as file:
        file.write(b"\n")
    ended = doctor("--trust", str(folder))
    assert ended.status == 2
    assert "altered" in ended.err
