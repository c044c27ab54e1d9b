"""Real interceptors under an authority with the company's own name: named by what their certificates look like."""

from pathlib import Path

import pytest

from .command import Command
from .network import TLS_HOSTS
from .programs import Proxy

pytestmark = pytest.mark.lab


@pytest.fixture(params=["mitmproxy_company", "squid", "proxy_py"])
def renamed(request: pytest.FixtureRequest) -> tuple[Proxy, str]:
    """An interceptor whose names say nothing, and what it is."""
    product = {"mitmproxy_company": "mitmproxy", "squid": "squid", "proxy_py": "proxy-py"}[request.param]
    proxy = request.getfixturevalue(request.param)
    assert isinstance(proxy, Proxy)
    return proxy, product


def test_an_interceptor_under_another_name_is_named_by_its_looks(scan: Command, renamed: tuple[Proxy, str]) -> None:
    proxy, product = renamed
    result = scan("--proxy", proxy.url)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    for host in TLS_HOSTS:
        attribution = result.assessments[host]["attribution"]
        assert attribution is not None
        assert (attribution["id"], attribution["confidence"]) == (product, "weak")
        assert "interceptor-match" not in result.codes(host)
        assert {"fingerprint-match", "google-marks-missing"} <= result.codes(host)


def test_what_bears_its_own_name_is_named_by_it(scan: Command, mitmproxy: Proxy) -> None:
    result = scan("--proxy", mitmproxy.url)
    for host in TLS_HOSTS:
        assert result.assessments[host]["attribution"]["confidence"] == "likely"
        assert {"interceptor-match", "fingerprint-match"} <= result.codes(host)


def test_a_redacted_scan_names_the_product_and_not_the_company(scan: Command, squid: Proxy) -> None:
    plain, redacted = scan("--proxy", squid.url), scan("--proxy", squid.url, "--redact")
    company = "Acme"
    assert company in plain.stdout
    assert company.lower() not in redacted.stdout.lower()
    assert redacted.verdicts == plain.verdicts
    assert {redacted.attribution(host) for host in TLS_HOSTS} == {"squid"}
    assert redacted.report["redacted"] is True


OWN = """
[[interceptor]]
id = 'acme-box'
product = 'Acme inspection box'
vendor = 'Acme'
kind = 'enterprise-proxy'
certainty = 'verified-source'
issuer_patterns = { O = 'Acme Corp' }
source = 'the network team'
"""


def test_the_company_may_name_its_own(scan: Command, squid: Proxy, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN, encoding="utf-8")
    result = scan("--proxy", squid.url, "--interceptors", str(own))
    assert {result.attribution(host) for host in TLS_HOSTS} == {"acme-box"}
    assert result.report["trust"]["interceptors_sha256"]
    for host in TLS_HOSTS:
        # The name wins; what it really is is said beside it.
        fingerprint = result.finding(host, "fingerprint-match")
        assert fingerprint is not None
        assert fingerprint["values"]["id"] == "squid"
        assert result.finding(host, "own-interceptors")


def test_an_honest_proxy_is_nobody(scan: Command, squid_splice: Proxy) -> None:
    result = scan("--proxy", squid_splice.url)
    for host in TLS_HOSTS:
        assert result.attribution(host) is None
        assert not {"fingerprint-match", "google-marks-missing"} & result.codes(host)
