"""The ways there with real proxies: SOCKS5, proxies spoken to over TLS, and scripts that choose among them."""

import json
from pathlib import Path

import pytest

from .command import Command
from .network import GATEWAY, TLS_HOSTS, Network
from .programs import CREDENTIALS, Proxy

pytestmark = pytest.mark.lab

GENUINE = dict.fromkeys(TLS_HOSTS, "genuine")
INTERCEPTED = dict.fromkeys(TLS_HOSTS, "intercepted")
BLOCKED = dict.fromkeys(TLS_HOSTS, "blocked")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_an_honest_socks_proxy_is_no_interception(scan: Command, microsocks: Proxy, scheme: str) -> None:
    url = microsocks.url.replace("socks5h", scheme)
    result = scan("--proxy", url)
    assert result.verdicts == GENUINE
    assert result.status == 0
    assert {a["route"]["proxy"] for a in result.assessments.values()} == {url}
    assert set(result.reachability.values()) <= {"signed-object", "answers"}
    assert {state for host in TLS_HOSTS for state in result.revocation(host)} == {"good"}


@pytest.mark.parametrize("interceptor", ["mitmproxy_socks", "mitmproxy_tls"])
def test_an_interceptor_is_one_however_it_is_asked(
    scan: Command, interceptor: str, request: pytest.FixtureRequest
) -> None:
    proxy = request.getfixturevalue(interceptor)
    result = scan("--proxy", proxy.url)
    assert result.verdicts == INTERCEPTED
    assert {result.attribution(host) for host in TLS_HOSTS} == {"mitmproxy"}
    assert {a["route"]["proxy"] for a in result.assessments.values()} == {proxy.url}


def test_a_socks_proxy_that_asks_for_credentials(scan: Command, microsocks_asking: Proxy) -> None:
    without = scan("--proxy", microsocks_asking.url)
    assert without.verdicts == BLOCKED
    assert all(without.finding(host, "proxy-auth-required") for host in TLS_HOSTS)
    given = scan("--proxy", microsocks_asking.url_with_credentials)
    assert given.verdicts == GENUINE
    assert given.conclusions["authenticated-proxy"]["severity"] == "high"
    assert CREDENTIALS[1] not in given.stdout + given.stderr


def test_a_proxy_over_tls_gets_credentials_only_where_it_is_trusted(
    scan: Command, network: Network, squid_secure: Proxy
) -> None:
    assert squid_secure.authority is not None
    stranger = scan("--proxy", squid_secure.url_with_credentials)
    assert stranger.verdicts == BLOCKED
    assert all(stranger.finding(host, "proxy-not-verified") for host in TLS_HOSTS)
    with network.os_trusts(squid_secure.authority):
        known = scan("--proxy", squid_secure.url_with_credentials)
    assert known.verdicts == GENUINE
    assert all(known.finding(host, "proxy-authenticated") for host in TLS_HOSTS)
    assert {state for host in TLS_HOSTS for state in known.revocation(host)} == {"good"}
    for result in (stranger, known):
        assert CREDENTIALS[1] not in result.stdout + result.stderr


def test_a_script_sends_each_host_its_own_way(
    scan: Command, tmp_path: Path, microsocks: Proxy, mitmproxy: Proxy
) -> None:
    script = tmp_path / "proxy.pac"
    script.write_text(
        f"""
        function FindProxyForURL(url, host) {{
          if (host == "mail.google.com") return "PROXY {GATEWAY.ipv4}:{mitmproxy.port}";
          if (host == "www.google.com") return "PROXY {GATEWAY.ipv4}:1; SOCKS {GATEWAY.ipv4}:{microsocks.port}";
          return isInNet(dnsResolve(host), "142.250.0.0", "255.255.0.0") ? "DIRECT" : "PROXY {GATEWAY.ipv4}:1";
        }}
        """
    )
    result = scan("--proxy", f"pac:{script}")
    assert result.verdicts == {**GENUINE, "mail.google.com": "intercepted"}
    ways = {host: a["route"]["proxy"] for host, a in result.assessments.items()}
    assert ways == {
        **dict.fromkeys(TLS_HOSTS),
        "mail.google.com": mitmproxy.url,
        "www.google.com": microsocks.url,
    }
    assert result.finding("www.google.com", "proxy-passed-over")
    assert f"PAC {script}" in json.dumps(result.assessments["www.googleapis.com"]["route"])
