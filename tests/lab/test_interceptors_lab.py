"""Real interceptors, with the authority they come with and with a company's: what is said of each.

Judged as Google (`scan_as_google`), so that no stand-in lowers the confidence. Who is not named by the authority it
comes with is named rightly or not at all.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from .command import Command, Result
from .network import TLS_HOSTS, Network
from .programs import OPENED, REVERSED, Proxy

pytestmark = pytest.mark.lab

GENUINE = dict.fromkeys(TLS_HOSTS, "genuine")
INTERCEPTED = dict.fromkeys(TLS_HOSTS, "intercepted")
CERTAIN = dict.fromkeys(TLS_HOSTS, "certain")
COMPANY = "Acme Corp TLS Inspection CA"
# Hosts of two owners, so that a key that serves both is a proof of its own.
MAIL, APIS = ("mail.google.com", "www.google.com"), ("www.googleapis.com", "oauth2.googleapis.com")
ACROSS_HOSTS = {"same-issuing-key-many-hosts", "same-leaf-key-many-hosts"}


@dataclass(frozen=True)
class Case:
    """An interceptor and the way to it."""

    fixture: str
    authority: str
    product: str
    transparent: bool = False

    def __str__(self) -> str:
        return self.fixture + ("-transparent" if self.transparent else "")


CASES = (
    Case("mitmproxy", "mitmproxy", "mitmproxy"),
    Case("mitmproxy", "mitmproxy", "mitmproxy", transparent=True),
    Case("mitmproxy_upstream", "mitmproxy", "mitmproxy"),
    Case("mitmproxy_company", COMPANY, "mitmproxy"),
    Case("mitmproxy_company", COMPANY, "mitmproxy", transparent=True),
    Case("mitmproxy_company_upstream", COMPANY, "mitmproxy"),
    Case("squid", COMPANY, "squid"),
    Case("squid", COMPANY, "squid", transparent=True),
    Case("squid_at_once", COMPANY, "squid"),
    Case("squid_stare", COMPANY, "squid"),
    Case("proxy_py", COMPANY, "proxy-py"),
    Case("sslsplit", COMPANY, "sslsplit", transparent=True),
    Case("privoxy", COMPANY, "privoxy"),
)


@contextmanager
def on_the_way(proxy: Proxy, network: Network, *hosts: str) -> Iterator[None]:
    """Connections to `hosts`, or to all, are led to a proxy that nobody asked for."""
    assert proxy.transparent_port is not None
    with network.redirect(proxy.transparent_port, hosts=hosts or TLS_HOSTS):
        yield


def hosts_of(result: Result, conclusion: str) -> set[str]:
    """The hosts that a conclusion about the run lists."""
    return set(result.conclusions[conclusion]["values"]["hosts"].split(", "))


def titles(result: Result) -> dict[str, str]:
    return {host: assessment["issuer_title"] for host, assessment in result.assessments.items()}


def never_misnamed(result: Result, host: str, product: str) -> bool:
    """Whether a host's assessment names this product, or none: a company's own authority does not tell."""
    return (result.attribution(host) or product).startswith(product)


# -- every interceptor -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_interceptor_is_seen_on_every_host_and_never_misnamed(
    request: pytest.FixtureRequest, scan_as_google: Command, network: Network, case: Case
) -> None:
    proxy = request.getfixturevalue(case.fixture)
    if case.transparent:
        with on_the_way(proxy, network):
            result = scan_as_google("--proxy", "none")
    else:
        result = scan_as_google("--proxy", proxy.url)
    assert result.verdicts == INTERCEPTED
    assert result.confidences == CERTAIN
    assert {assessment["rule"] for assessment in result.assessments.values()} == {"intercepted"}
    assert result.status == 1
    assert titles(result) == dict.fromkeys(TLS_HOSTS, case.authority)
    assert hosts_of(result, "all-intercepted") == set(TLS_HOSTS)
    assert all(never_misnamed(result, host, case.product) for host in TLS_HOSTS)
    if case.authority == case.product:
        assert {result.attribution(host) for host in TLS_HOSTS} == {case.product}
    assert all(ACROSS_HOSTS & result.codes(host) for host in TLS_HOSTS)
    # What was minted a moment ago has begun.
    assert not any({"certificate-not-yet-valid", "certificate-expired"} & result.codes(host) for host in TLS_HOSTS)


@pytest.mark.parametrize(
    ("fixture", "authority"), [("mitmproxy_reverse", "mitmproxy"), ("mitmproxy_company_reverse", COMPANY)]
)
def test_a_reverse_proxy_of_one_host_is_that_host_s_interceptor(
    request: pytest.FixtureRequest,
    scan_as_google: Command,
    network: Network,
    fixture: str,
    authority: str,
) -> None:
    with on_the_way(request.getfixturevalue(fixture), network, REVERSED):
        result = scan_as_google()
    assert result.verdicts == {**GENUINE, REVERSED: "intercepted"}
    assert result.confidences == CERTAIN
    assert titles(result) == {**dict.fromkeys(TLS_HOSTS, "WR2"), REVERSED: authority}
    assert never_misnamed(result, REVERSED, "mitmproxy")
    assert result.attribution(REVERSED) or authority == COMPANY
    assert hosts_of(result, "selective-interception") == {REVERSED}


def test_the_name_of_an_honest_proxy_is_nowhere(scan_as_google: Command, squid_splice: Proxy) -> None:
    result = scan_as_google("--proxy", squid_splice.url)
    assert result.verdicts == GENUINE
    assert result.confidences == CERTAIN
    assert {result.attribution(host) for host in TLS_HOSTS} == {None}
    assert not {"all-intercepted", "selective-interception"} & set(result.conclusions)


# -- two interceptors --------------------------------------------------------------------------------------------------


def test_two_interceptors_on_two_paths_are_told_apart(
    scan_as_google: Command, network: Network, squid: Proxy, mitmproxy: Proxy
) -> None:
    with on_the_way(squid, network, *MAIL), on_the_way(mitmproxy, network, *APIS):
        result = scan_as_google()
    assert result.verdicts == INTERCEPTED
    assert titles(result) == {**dict.fromkeys(MAIL, COMPANY), **dict.fromkeys(APIS, "mitmproxy")}
    assert {result.attribution(host) for host in APIS} == {"mitmproxy"}
    assert all(never_misnamed(result, host, "squid") for host in MAIL)
    # Each has the hosts of one owner: no key serves unrelated ones.
    assert not any(ACROSS_HOSTS & result.codes(host) for host in TLS_HOSTS)


def test_an_interceptor_asked_for_and_one_on_the_way_are_told_apart(
    scan_as_google: Command, network: Network, squid: Proxy, mitmproxy: Proxy
) -> None:
    """The environment sends one host around the proxy, into the arms of another."""
    direct = MAIL[0]
    with on_the_way(squid, network, direct):
        result = scan_as_google(env={"HTTPS_PROXY": mitmproxy.url, "NO_PROXY": direct})
    assert result.verdicts == INTERCEPTED
    asked = set(TLS_HOSTS) - {direct}
    assert {result.assessments[host]["route"]["proxy"] for host in asked} == {mitmproxy.url}
    assert {result.attribution(host) for host in asked} == {"mitmproxy"}
    assert result.assessments[direct]["route"]["proxy"] is None
    assert never_misnamed(result, direct, "squid")
    assert titles(result)[direct] == COMPANY


# -- some hosts, some connections --------------------------------------------------------------------------------------


@pytest.mark.parametrize("transparent", [False, True], ids=["asked", "transparent"])
def test_squid_opens_the_names_on_its_list_alone(
    scan_as_google: Command, network: Network, squid_selective: Proxy, transparent: bool
) -> None:
    if transparent:
        with on_the_way(squid_selective, network):
            result = scan_as_google()
    else:
        result = scan_as_google("--proxy", squid_selective.url)
    assert result.verdicts == {**GENUINE, **dict.fromkeys(OPENED, "intercepted")}
    assert result.confidences == CERTAIN
    assert hosts_of(result, "selective-interception") == set(OPENED)
    assert "all-intercepted" not in result.conclusions
    assert result.status == 1


@pytest.mark.parametrize("transparent", [False, True], ids=["asked", "transparent"])
def test_mitmproxy_opens_one_name_alone_and_does_so_in_googles(
    scan_as_google: Command, network: Network, mitmproxy_googlish: Proxy, transparent: bool
) -> None:
    if transparent:
        with on_the_way(mitmproxy_googlish, network):
            result = scan_as_google()
    else:
        result = scan_as_google("--proxy", mitmproxy_googlish.url)
    assert result.verdicts == {**GENUINE, REVERSED: "intercepted"}
    assert result.confidences == CERTAIN
    assert result.assessments[REVERSED]["rule"] == "issuer-impersonated"
    assert titles(result) == dict.fromkeys(TLS_HOSTS, "WR2")
    assert hosts_of(result, "selective-interception") == {REVERSED}


@pytest.mark.parametrize("fixture", ["squid", "mitmproxy"])
def test_every_second_connection(
    request: pytest.FixtureRequest, scan_as_google: Command, network: Network, fixture: str
) -> None:
    proxy = request.getfixturevalue(fixture)
    assert proxy.transparent_port is not None
    with network.redirect(proxy.transparent_port, hosts=[REVERSED], every=2):
        result = scan_as_google("--repeat", "4")
    assert result.verdicts == {**GENUINE, REVERSED: "intercepted"}
    mixed = result.finding(REVERSED, "mixed")
    assert mixed
    tries = Counter(each.split()[0] for each in mixed["values"]["slices"].split(", "))
    assert set(tries) == {"intercepted", "genuine"}
    assert tries.total() == 4
    assert not any(result.finding(host, "mixed") for host in TLS_HOSTS if host != REVERSED)
    assert hosts_of(result, "selective-interception") == {REVERSED}


def test_an_authority_that_the_operating_system_trusts_changes_no_verdict(
    scan_as_google: Command, network: Network, squid: Proxy, mitmproxy: Proxy
) -> None:
    assert squid.authority is not None
    assert mitmproxy.authority is not None
    with network.os_trusts(squid.authority, mitmproxy.authority), on_the_way(squid, network, *MAIL):
        result = scan_as_google()
    assert result.verdicts == {**dict.fromkeys(MAIL, "intercepted"), **dict.fromkeys(APIS, "genuine")}
    assert result.confidences == CERTAIN
