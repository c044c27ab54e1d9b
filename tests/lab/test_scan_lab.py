"""The unmodified command against the real host names on port 443, on an open path and through real proxies."""

import json

import pytest

from .command import Command
from .network import HOSTS, TLS_HOSTS, Network
from .programs import CREDENTIALS, Proxy

pytestmark = pytest.mark.lab

GENUINE = dict.fromkeys(TLS_HOSTS, "genuine")
INTERCEPTED = dict.fromkeys(TLS_HOSTS, "intercepted")
UNREACHABLE = dict.fromkeys(TLS_HOSTS, "unreachable")


@pytest.fixture(params=["tinyproxy", "squid_splice"])
def honest(request: pytest.FixtureRequest) -> Proxy:
    proxy = request.getfixturevalue(request.param)
    assert isinstance(proxy, Proxy)
    return proxy


# -- open paths --------------------------------------------------------------------------------------------------------


def test_direct_is_genuine(scan: Command) -> None:
    result = scan()
    assert result.verdicts == GENUINE
    assert result.status == 0


@pytest.mark.parametrize("host", TLS_HOSTS)
def test_a_stand_in_is_said_and_is_at_most_strong(scan: Command, host: str) -> None:
    result = scan(host)
    assert result.verdicts == {host: "genuine"}
    assert result.assessments[host]["basis"] == "live"
    assert result.assessments[host]["confidence"] == "strong"
    assert result.finding(host, "trust-stand-in")


def test_port_80_has_reachability_and_no_verdict(scan: Command) -> None:
    result = scan()
    assert set(result.reachability) >= {"crl.pki.goog", "crls.pki.goog", "ocsp.pki.goog"}
    assert set(result.reachability.values()) <= {"signed-object", "answers"}


@pytest.mark.parametrize("position", [0, 1], ids=["ipv4", "ipv6"])
def test_both_address_families_are_genuine(scan: Command, position: int) -> None:
    host = "www.googleapis.com"
    address = HOSTS[host][position]
    result = scan(host, "--resolve", f"{host}:443:{f'[{address}]' if ':' in address else address}")
    assert result.verdicts == {host: "genuine"}
    assert result.status == 0


def test_addresses_of_google_suggest_nothing_and_their_reverse_names_are_asked_on_demand(scan: Command) -> None:
    """The lab's hosts file gives its addresses the names of the hosts, as a DNS server of a company's own might."""
    host = "www.googleapis.com"
    for options, expected in (((), set()), (("--reverse-dns",), {"reverse-name-unconfirmed"})):
        result = scan(host, *options)
        assert result.verdicts == {host: "genuine"}
        assert {code for code in result.codes(host) if code.startswith(("address-", "reverse-", "local-"))} == expected
        assert [row["name"] for row in result.report["reverse_names"]] == ([host] if options else [])


def test_an_honest_proxy_is_no_interception(scan: Command, honest: Proxy) -> None:
    result = scan("--proxy", honest.url)
    assert result.verdicts == GENUINE
    assert result.status == 0
    assert all(honest.url in json.dumps(assessment["route"]) for assessment in result.assessments.values())


def test_the_proxy_of_the_environment_is_used(scan: Command, squid: Proxy) -> None:
    assert scan(env={"HTTPS_PROXY": squid.url}).verdicts == INTERCEPTED


# -- interception ------------------------------------------------------------------------------------------------------


def test_googles_names_on_other_keys_are_interception(scan: Command) -> None:
    result = scan(trusting=False)
    assert result.verdicts == INTERCEPTED
    assert result.status == 1


def test_interception_is_seen(scan: Command, mitmproxy: Proxy) -> None:
    """Every interceptor: test_interceptors_lab.py."""
    result = scan("--proxy", mitmproxy.url)
    assert result.verdicts == INTERCEPTED
    assert result.status == 1
    # A name can be typed into any authority: it is a hint, and the verdict stands without it.
    assert {result.attribution(host) for host in TLS_HOSTS} == {"mitmproxy"}


def test_interception_of_one_host_is_told_from_the_others(scan: Command, network: Network, squid: Proxy) -> None:
    assert squid.transparent_port is not None
    with network.redirect(squid.transparent_port, hosts=["www.google.com"]):
        result = scan()
    assert result.verdicts == {**GENUINE, "www.google.com": "intercepted"}
    assert result.status == 1


# -- closed paths ------------------------------------------------------------------------------------------------------


def test_a_proxy_that_asks_for_credentials_blocks_and_the_scheme_is_named(
    scan: Command, tinyproxy_asking: Proxy
) -> None:
    result = scan("--proxy", tinyproxy_asking.url)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "blocked")
    assert result.status == 1
    for host in TLS_HOSTS:
        finding = result.finding(host, "proxy-auth-required")
        assert finding
        assert "basic" in json.dumps(finding).lower()


def test_credentials_open_the_proxy_and_stay_secret(scan: Command, tinyproxy_asking: Proxy) -> None:
    user, password = CREDENTIALS
    result = scan("--proxy", tinyproxy_asking.url.replace("http://", f"http://{user}:{password}@"))
    assert result.verdicts == GENUINE
    assert password not in result.stdout + result.stderr


def test_a_refusal_is_unreachable(scan: Command, network: Network) -> None:
    with network.refuse():
        result = scan()
    assert result.verdicts == UNREACHABLE
    assert result.status == 3


def test_silence_is_unreachable_within_the_deadline(scan: Command, network: Network) -> None:
    with network.swallow():
        result = scan("--timeout", "2")
    assert result.verdicts == UNREACHABLE
    assert result.status == 3


def test_one_silent_host_costs_no_other_its_verdict(scan: Command, network: Network) -> None:
    with network.swallow(hosts=["mail.google.com"]):
        result = scan("--timeout", "2")
    assert result.verdicts == {**GENUINE, "mail.google.com": "unreachable"}
    assert result.status == 3
