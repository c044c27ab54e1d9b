"""The company's authority in each trust store in turn: the matrix names that store and the programs that go by it."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tlsinspect.certificate import Certificate
from tlsinspect.trust import certificates_in

from .command import Command, Result, _package
from .network import TLS_HOSTS, Network
from .pki import Pki
from .programs import Proxy

pytestmark = pytest.mark.lab

# Programs whose own store is not read, whatever is in the others.
UNKNOWN = {"Chrome", "Java"}
Setting = Callable[[Path, Path], dict[str, str]]  # (a folder of the test's own, the authority) -> environment


def variable(name: str) -> Setting:
    return lambda _, authority: {name: str(authority)}


def folder(folder: Path, authority: Path) -> dict[str, str]:
    (folder / "0a1b2c3d.0").write_bytes(authority.read_bytes())
    return {"SSL_CERT_DIR": str(folder)}


def gcloud(folder: Path, authority: Path) -> dict[str, str]:
    (folder / "configurations").mkdir()
    (folder / "active_config").write_text("office")
    properties = f"[core]\nproject = acme\ncustom_ca_certs_file = {authority}\n"
    (folder / "configurations" / "config_office").write_text(properties)
    return {"CLOUDSDK_CONFIG": str(folder)}


def appended_certifi(folder: Path, authority: Path) -> dict[str, str]:
    """A copy of the package with the authority at the end, before the real one on the path."""
    spec = find_spec("certifi")
    assert spec is not None
    assert spec.origin is not None
    copy = shutil.copytree(Path(spec.origin).parent, folder / "certifi")
    with (copy / "cacert.pem").open("ab") as bundle:
        bundle.write(b"\n" + authority.read_bytes())
    return {"PYTHONPATH": f"{folder}:{_package()['PYTHONPATH']}"}


# Where the authority is put -> the stores that hold it, and the programs that notice nothing.
CASES: dict[str, tuple[Setting, set[str], set[str]]] = {
    "SSL_CERT_FILE": (variable("SSL_CERT_FILE"), {"SSL_CERT_FILE"}, {"Python's ssl", "pip", "curl"}),
    "SSL_CERT_DIR": (folder, {"SSL_CERT_DIR"}, {"Python's ssl", "pip", "curl"}),
    "REQUESTS_CA_BUNDLE": (variable("REQUESTS_CA_BUNDLE"), {"REQUESTS_CA_BUNDLE"}, {"Python requests", "pip"}),
    "CURL_CA_BUNDLE": (variable("CURL_CA_BUNDLE"), {"CURL_CA_BUNDLE"}, {"Python requests", "pip", "curl"}),
    "NODE_EXTRA_CA_CERTS": (variable("NODE_EXTRA_CA_CERTS"), {"NODE_EXTRA_CA_CERTS"}, {"Node.js", "npm"}),
    "gcloud's variable": (variable("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"), {"gcloud-variable"}, {"gcloud"}),
    "gcloud's property": (gcloud, {"gcloud-property"}, {"gcloud"}),
    "certifi": (appended_certifi, {"certifi"}, {"Python requests"}),
    "PIP_CERT": (variable("PIP_CERT"), {"PIP_CERT"}, {"pip"}),
    "GIT_SSL_CAINFO": (variable("GIT_SSL_CAINFO"), {"GIT_SSL_CAINFO"}, {"git"}),
    "AWS_CA_BUNDLE": (variable("AWS_CA_BUNDLE"), {"AWS_CA_BUNDLE"}, {"AWS CLI"}),
}
BY_SYSTEM = {"Python's ssl", "pip", "git", "curl"}


@pytest.fixture(params=["squid", "mitmproxy"])
def interceptor(request: pytest.FixtureRequest) -> Proxy:
    """Squid sends its authority along, mitmproxy its leaf alone."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Proxy)
    return found


def authority_of(proxy: Proxy) -> Certificate:
    assert proxy.authority is not None
    (der,) = certificates_in(proxy.authority.read_bytes())
    return Certificate(der)


def root_of(result: Result) -> dict[str, Any]:
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    roots = result.report["roots"]
    assert len(roots) == 1, roots
    assert sorted(roots[0]["hosts"]) == sorted(TLS_HOSTS)
    return dict(roots[0])


def sorted_out(result: Result, root: dict[str, Any], held_by: set[str], trusting: set[str]) -> None:
    # The machine the lab runs on may have settings for all its users, such as /etc/pip.conf: they are not the lab's.
    settled = [store for store in result.report["stores"] if store["id"].endswith("-setting")]
    theirs = {client for store in settled for client in store["clients"]}
    assert set(root["held_by"]) - {store["id"] for store in settled} == held_by
    assert set(root["trusting"]) - theirs == trusting - theirs
    assert set(root["unknown"]) == UNKNOWN
    everybody = {*root["trusting"], *root["failing"], *root["unknown"]}
    assert everybody >= {*BY_SYSTEM, "gcloud", "Python requests", "Node.js", "npm", "AWS CLI"}
    assert ("silent-interception" in result.conclusions) is bool(trusting)
    assert "breaking-interception" in result.conclusions
    assert "store-unreadable" not in result.conclusions


@pytest.mark.parametrize("where", CASES)
def test_the_store_that_holds_it_is_named(scan: Command, interceptor: Proxy, tmp_path: Path, where: str) -> None:
    setting, held_by, trusting = CASES[where]
    assert interceptor.authority is not None
    result = scan("--proxy", interceptor.url, env=setting(tmp_path, interceptor.authority))
    root = root_of(result)
    sorted_out(result, root, held_by, trusting)
    assert root["sha256"] == authority_of(interceptor).sha256
    assert all(result.finding(host, "not-trusted-by-os") for host in TLS_HOSTS)
    assert not any(result.finding(host, "trusted-by-os") for host in TLS_HOSTS)


def test_the_operating_systems_store_is_told_apart(scan: Command, network: Network, interceptor: Proxy) -> None:
    assert interceptor.authority is not None
    with network.os_trusts(interceptor.authority):
        result = scan("--proxy", interceptor.url)
    root = root_of(result)
    # Debian builds libcurl with the same folder.
    libcurl = {"libcurl-folder"} if Path("/etc/debian_version").exists() else set()
    sorted_out(result, root, {"os", "os-folder", *libcurl}, BY_SYSTEM)
    assert root["sha256"] == authority_of(interceptor).sha256
    assert all(result.finding(host, "trusted-by-os") for host in TLS_HOSTS)


def test_in_no_store_everything_breaks(scan: Command, interceptor: Proxy) -> None:
    result = scan("--proxy", interceptor.url)
    root = root_of(result)
    sorted_out(result, root, set(), set())
    # Of what was neither presented nor found there is only the name.
    assert root["presented"] is (root["sha256"] != "")
    assert root["title"] == authority_of(interceptor).title


def test_an_untouched_network_reads_no_store(scan: Command) -> None:
    report = scan().report
    assert (report["stores"], report["roots"]) == ([], [])


def test_stores_move_no_verdict_and_no_confidence(scan: Command, network: Network, interceptor: Proxy) -> None:
    """Principle 4: the same run with and without the authority in the system's store differs in what is said alone."""
    assert interceptor.authority is not None
    seen = []
    for trusting in (nullcontext(), network.os_trusts(interceptor.authority)):
        with trusting:
            result = scan("--proxy", interceptor.url)
        seen.append((result.verdicts, result.confidences, result.status))
    assert seen[0] == seen[1]


def test_the_table_says_it_in_words(scan: Command, network: Network, squid: Proxy, pki: Pki) -> None:
    with network.os_trusts(pki.corporate_root):
        done, _ = scan.run("scan", "--trust", str(pki.google_roots), "--proxy", squid.url, env={"COLUMNS": "300"})
    assert "this machine trusts it" in done.stdout
    assert '"Acme Corp TLS Inspection CA" in os, os-folder' in done.stdout
    assert "Silent for Python's ssl" in done.stdout
    assert "Breaking for gcloud" in done.stdout


def test_the_authority_is_exported(scan: Command, network: Network, interceptor: Proxy, tmp_path: Path) -> None:
    """As it was presented, or as the system's store holds it."""
    assert interceptor.authority is not None
    file = tmp_path / "ca.pem"
    with network.os_trusts(interceptor.authority):
        result = scan("--proxy", interceptor.url, "--export-ca", str(file))
    assert result.status == 1
    assert list(certificates_in(file.read_bytes())) == [authority_of(interceptor).der]


def test_the_doctor_sees_it_though_nothing_is_intercepted(scan: Command, network: Network, mitmproxy: Proxy) -> None:
    assert mitmproxy.authority is not None
    with network.os_trusts(mitmproxy.authority):
        done, _ = scan.run("doctor", "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    (installed,) = [each for each in found["authorities"] if each["sha256"] == authority_of(mitmproxy).sha256]
    assert installed["system"]
    assert installed["product"]["id"] == "mitmproxy"
    assert "interceptor-installed" in {finding["code"] for finding in found["findings"]}
