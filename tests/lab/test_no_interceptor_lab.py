"""What keeps hosts from being reached and is no interception: the right verdict, and never `intercepted` without a
certificate to show for it.

Judged as Google (`scan_as_google`), so that no stand-in lowers the confidence.
"""

from collections.abc import Mapping

import pytest

from .command import Command, Result
from .network import GATEWAY, TLS_HOSTS, Network
from .pki import BLOCKER
from .programs import Port80
from .revocation_server import Rule, What

pytestmark = pytest.mark.lab

GENUINE = dict.fromkeys(TLS_HOSTS, "genuine")
ALONE = "www.google.com"
TIMEOUT = ("--timeout", "1.5")
RUN_LEVEL = {"all-intercepted", "selective-interception"}


def accuses_nobody(result: Result) -> bool:
    """Whether no product is named, no host is called intercepted and no conclusion says so."""
    named = {result.attribution(host) for host in TLS_HOSTS}
    return named == {None} and "intercepted" not in result.verdicts.values() and not RUN_LEVEL & set(result.conclusions)


def shows_no_certificate(result: Result, host: str) -> bool:
    seen = result.assessments[host]["observations"]
    return bool(seen) and not any(each["tls"] and each["tls"]["chain"] for each in seen)


# -- what answers is not TLS, or nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "verdict", "rule"),
    [
        ("silent", "unreachable", "tls"),
        ("byte-a-second", "unreachable", "tls"),
        ("endless-handshake", "unreachable", "tls"),
        ("endless-hello-requests", "unreachable", "tls"),
        ("reset-on-hello", "unreachable", "tls"),
        ("fin-on-hello", "unreachable", "tls"),
        ("close-after-server-hello", "unreachable", "tls"),
        ("alert-112", "unreachable", "tls"),
        ("alert-40", "unreachable", "tls"),
        ("echo", "unreachable", "tls"),
        ("plain-http", "unreachable", "not-tls"),
        ("ssh-banner", "unreachable", "not-tls"),
        ("random-garbage", "unreachable", "not-tls"),
        ("http-403", "blocked", "block-page"),
        ("http-511", "captive-portal", "portal"),
        ("http-redirect", "captive-portal", "portal"),
    ],
)
def test_what_answers_on_port_443_shows_no_certificate(
    scan_as_google: Command, network: Network, fault_ports: Mapping[str, int], kind: str, verdict: str, rule: str
) -> None:
    with network.redirect(fault_ports[kind]):
        result = scan_as_google(*TIMEOUT)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, verdict)
    assert result.rules == dict.fromkeys(TLS_HOSTS, rule)
    assert set(result.confidences.values()) == {"certain"}
    assert result.status == (3 if verdict == "unreachable" else 1)
    assert accuses_nobody(result)
    assert all(shows_no_certificate(result, host) for host in TLS_HOSTS)


def test_a_reset_at_once_may_come_before_or_after_the_connection_counts_as_made(
    scan_as_google: Command, network: Network, fault_ports: Mapping[str, int]
) -> None:
    with network.redirect(fault_ports["reset-on-accept"]):
        result = scan_as_google(*TIMEOUT)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "unreachable")
    assert set(result.rules.values()) <= {"tcp", "tls"}
    assert accuses_nobody(result)


def test_one_host_that_misbehaves_costs_no_other_its_verdict(
    scan_as_google: Command, network: Network, fault_ports: Mapping[str, int]
) -> None:
    with network.redirect(fault_ports["endless-handshake"], hosts=[ALONE]):
        result = scan_as_google(*TIMEOUT)
    assert result.verdicts == {**GENUINE, ALONE: "unreachable"}


@pytest.mark.parametrize(
    ("kind", "verdict", "rule"),
    [
        ("proxy-511", "captive-portal", "portal"),
        ("proxy-302", "blocked", "proxy-denied"),
        ("proxy-403", "blocked", "proxy-denied"),
        ("proxy-502", "unreachable", "proxy"),
        ("proxy-never-answers", "unreachable", "proxy"),
        ("proxy-html-after-200", "unreachable", "not-tls"),
    ],
)
def test_a_proxy_that_gives_no_tunnel_is_no_interceptor(
    scan_as_google: Command, fault_ports: Mapping[str, int], kind: str, verdict: str, rule: str
) -> None:
    result = scan_as_google("--proxy", f"http://{GATEWAY.ipv4}:{fault_ports[kind]}", *TIMEOUT)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, verdict)
    assert result.rules == dict.fromkeys(TLS_HOSTS, rule)
    assert accuses_nobody(result)
    assert all(shows_no_certificate(result, host) for host in TLS_HOSTS)


# -- filters -----------------------------------------------------------------------------------------------------------


def test_a_filter_on_a_name_is_blocked_because_another_name_passes(scan_as_google: Command, network: Network) -> None:
    with network.filter_name(ALONE):
        result = scan_as_google()
    assert result.verdicts == {**GENUINE, ALONE: "blocked"}
    assert result.rules[ALONE] == "filtered"
    assert result.assessments[ALONE]["confidence"] == "strong"
    assert result.status == 1
    assert accuses_nobody(result)
    assert shows_no_certificate(result, ALONE)


def test_a_filter_on_an_address_is_unreachable_for_no_name_passes(scan_as_google: Command, network: Network) -> None:
    with network.refuse(hosts=[ALONE]), network.swallow(hosts=["mail.google.com"]):
        result = scan_as_google(*TIMEOUT)
    assert result.verdicts == {**GENUINE, ALONE: "unreachable", "mail.google.com": "unreachable"}
    assert result.rules[ALONE] == result.rules["mail.google.com"] == "tcp"
    assert result.status == 3
    assert accuses_nobody(result)


@pytest.mark.parametrize("nowhere", ["0.0.0.0", "127.0.0.1", "::", "::1"])
def test_a_name_that_leads_nowhere_is_blocked(scan_as_google: Command, network: Network, nowhere: str) -> None:
    with network.resolving({ALONE: nowhere}):
        result = scan_as_google()
    assert result.verdicts == {**GENUINE, ALONE: "blocked"}
    assert result.rules[ALONE] == "sinkhole"
    assert result.assessments[ALONE]["confidence"] == "likely"
    assert nowhere in result.assessments[ALONE]["explanation"]
    assert accuses_nobody(result)


def test_a_name_that_does_not_resolve_is_unreachable(scan_as_google: Command) -> None:
    host = "nowhere.google.com"
    result = scan_as_google(host)
    assert (result.verdicts, result.rules) == ({host: "unreachable"}, {host: "dns"})


def test_names_that_lead_to_the_page_of_a_filter_are_the_wrong_host(
    scan_as_google: Command, network: Network, blocker: int
) -> None:
    assert blocker == 443
    with network.resolving(dict.fromkeys(TLS_HOSTS, GATEWAY.ipv4)):
        result = scan_as_google()
    assert_diverted(result)
    assert all(GATEWAY.ipv4 in result.assessments[host]["remedy"] for host in TLS_HOSTS)


# -- one certificate for everybody -------------------------------------------------------------------------------------


def assert_diverted(result: Result) -> None:
    """One certificate that names no host answered for all of them."""
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "wrong-host")
    assert set(result.confidences.values()) == {"certain"}
    assert all({"diverted", "not-google"} <= result.codes(host) for host in TLS_HOSTS)
    assert all(BLOCKER in result.assessments[host]["explanation"] for host in TLS_HOSTS)
    assert not any("same-leaf-key-many-hosts" in result.codes(host) for host in TLS_HOSTS)
    assert result.status == 1
    assert accuses_nobody(result)


def test_a_certificate_that_names_no_host_and_answers_for_all_is_the_wrong_host(
    scan_as_google: Command, network: Network, blocker: int
) -> None:
    with network.redirect(blocker):
        result = scan_as_google()
    assert_diverted(result)


def test_a_certificate_that_names_every_host_is_interception(
    scan_as_google: Command, network: Network, front: int
) -> None:
    with network.redirect(front):
        result = scan_as_google()
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    assert set(result.confidences.values()) == {"certain"}
    assert all("same-leaf-key-many-hosts" in result.codes(host) for host in TLS_HOSTS)
    assert not any("diverted" in result.codes(host) for host in TLS_HOSTS)
    assert "all-intercepted" in result.conclusions


# -- captive portals ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("portal")
def test_a_portal_with_its_own_certificate(scan_as_google: Command) -> None:
    result = scan_as_google()
    assert_portal(result, "portal-certificate")
    assert set(result.confidences.values()) == {"strong"}


def test_a_portal_that_says_511_and_has_its_own_certificate(
    scan_as_google: Command, network: Network, port80: Port80, blocker: int
) -> None:
    with port80.answering(Rule("", What.LOGIN_PAGE)), network.redirect(blocker):
        result = scan_as_google()
    assert_portal(result, "portal-certificate")


@pytest.mark.parametrize("shut", ["silent", "reset-on-hello", "plain-http"])
def test_a_portal_that_keeps_tls_shut(
    scan_as_google: Command, network: Network, port80: Port80, fault_ports: Mapping[str, int], shut: str
) -> None:
    with port80.answering(Rule("", What.LOGIN_PAGE)), network.redirect(fault_ports[shut]):
        result = scan_as_google(*TIMEOUT)
    assert_portal(result, "portal")
    assert all(shows_no_certificate(result, host) for host in TLS_HOSTS)


@pytest.mark.usefixtures("portal")
def test_a_portal_is_asked_for_where_no_row_on_port_80_would_show_it(scan_as_google: Command) -> None:
    result = scan_as_google("mail.google.com")
    assert result.verdicts == {"mail.google.com": "captive-portal"}
    assert "connectivitycheck.gstatic.com" in result.conclusions["portal-on-network"]["values"]["portal"]


def test_nobody_is_asked_for_a_portal_where_all_is_proven(scan_as_google: Command, port80: Port80) -> None:
    assert scan_as_google("mail.google.com").verdicts == {"mail.google.com": "genuine"}
    assert not port80.requests("connectivitycheck.gstatic.com")


def test_a_portal_on_port_80_alone_changes_nothing_that_is_proven(
    scan_as_google: Command, network: Network, port80: Port80, front: int
) -> None:
    with port80.answering(Rule("", What.LOGIN_PAGE)):
        open_ = scan_as_google()
        with network.redirect(front):
            intercepted = scan_as_google()
    assert open_.verdicts == GENUINE
    assert intercepted.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    assert all(intercepted.finding(host, "portal-on-network") for host in TLS_HOSTS)


def assert_portal(result: Result, rule: str) -> None:
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "captive-portal")
    assert result.rules == dict.fromkeys(TLS_HOSTS, rule)
    assert "portal-on-network" in result.conclusions
    assert result.status == 1
    assert accuses_nobody(result)
