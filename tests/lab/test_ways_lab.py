"""Routes, slices, probes and controls through real interceptors: on which way, on which connections, since when."""

import pytest

from .command import Command
from .network import TLS_HOSTS, Network
from .programs import Proxy

pytestmark = pytest.mark.lab

HOST = "www.googleapis.com"
MINTED = {"minted-for-random-name", "minted-for-nonexistent-host"}


def test_only_the_proxy_intercepts(scan: Command, mitmproxy: Proxy) -> None:
    result = scan("--proxy", mitmproxy.url, "--compare-routes")
    verdicts = [(a["route"]["proxy"], a["verdict"]) for a in result.report["assessments"]]
    expected = [(None, "genuine"), (mitmproxy.url, "intercepted")] * len(TLS_HOSTS)
    assert sorted(map(str, verdicts)) == sorted(map(str, expected))
    assert "intercepted-at-proxy" in result.conclusions
    assert set(TLS_HOSTS) == set(result.conclusions["routes-differ"]["values"]["hosts"].split(", "))


def test_only_the_direct_way_is_intercepted(scan: Command, network: Network, squid: Proxy, tinyproxy: Proxy) -> None:
    """What the proxy sends comes from the gateway itself, which its own redirection leaves alone."""
    assert squid.transparent_port is not None
    with network.redirect(squid.transparent_port):
        result = scan("--proxy", tinyproxy.url, "--compare-routes")
    assert "intercepted-beside-proxy" in result.conclusions


def test_two_interceptors_on_two_ways_are_both_named(
    scan: Command, network: Network, squid: Proxy, mitmproxy: Proxy
) -> None:
    assert squid.transparent_port is not None
    with network.redirect(squid.transparent_port):
        result = scan("--proxy", mitmproxy.url, "--compare-routes")
    assert {a["verdict"] for a in result.report["assessments"]} == {"intercepted"}
    makers = result.conclusions["several-interceptors"]["values"]["makers"]
    assert "mitmproxy" in makers
    assert "Acme Corp" in makers
    assert "intercepted-on-both-routes" not in result.conclusions


def test_the_same_interceptor_on_both_ways(scan: Command, network: Network, squid: Proxy) -> None:
    assert squid.transparent_port is not None
    with network.redirect(squid.transparent_port):
        result = scan("--proxy", squid.url, "--compare-routes")
    assert "intercepted-on-both-routes" in result.conclusions


@pytest.mark.parametrize(("tables", "family"), [("iptables", "IPv4"), ("ip6tables", "IPv6")])
def test_one_family_alone_is_intercepted(
    scan: Command, network: Network, mitmproxy: Proxy, tables: str, family: str
) -> None:
    assert mitmproxy.transparent_port is not None
    with network.redirect(mitmproxy.transparent_port, hosts=[HOST], tables=[tables]):
        result = scan(HOST, "--slices", "addresses")
    assert result.verdicts == {HOST: "intercepted"}
    mixed = result.finding(HOST, "mixed")
    assert mixed is not None
    assert mixed["values"]["where"] == f"intercepted only over {family}"


def test_all_slices_of_an_untouched_network_agree(scan: Command) -> None:
    result = scan("--slices", "all")
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "genuine")
    assert not any(result.finding(host, "mixed") for host in TLS_HOSTS)


@pytest.mark.parametrize("name", ["mitmproxy", "squid", "proxy_py"])
def test_explicit_interceptors_and_made_up_names(request: pytest.FixtureRequest, scan: Command, name: str) -> None:
    """As measured: Squid makes one for a host that cannot exist, mitmproxy and proxy.py look it up first."""
    proxy = request.getfixturevalue(name)
    result = scan("--proxy", proxy.url, "--probe")
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    minted = {"mitmproxy": {"minted-for-random-name"}, "squid": MINTED, "proxy_py": set()}[name]
    assert MINTED & set(result.conclusions) == minted
    assert {"ecdsa-refused", "probed"} <= set(result.conclusions)


def test_probes_of_an_untouched_network_find_nothing(scan: Command, squid_splice: Proxy) -> None:
    for options in ((), ("--proxy", squid_splice.url)):
        result = scan(*options, "--probe")
        assert result.verdicts == dict.fromkeys(TLS_HOSTS, "genuine")
        assert not (MINTED | {"hello-changes-answer"}) & set(result.conclusions)
        assert "probed" in result.conclusions


def test_an_interceptor_that_exempts_what_is_scanned_is_found(scan: Command, network: Network, squid: Proxy) -> None:
    """The control is inspected and the scanned hosts are not: the exemption is in force."""
    assert squid.transparent_port is not None
    with network.redirect(squid.transparent_port, hosts=["accounts.google.com"]):
        result = scan("--inspected", "accounts.google.com")
    assert {host: result.verdicts[host] for host in TLS_HOSTS} == dict.fromkeys(TLS_HOSTS, "genuine")
    assert result.status == 0
    assert "inspection-seen" in result.conclusions


def test_inspection_that_is_off_is_said(scan: Command) -> None:
    result = scan("--inspected", "accounts.google.com")
    assert "inspection-not-seen" in result.conclusions
    assert result.status == 0
