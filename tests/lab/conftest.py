"""The lab's network and programs, each started once a session and only when a test asks for it.

Where something is missing, the tests that need it are skipped by name with the reason; with CI=true they fail instead,
so that a pipeline cannot lose its lab without anybody noticing.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from . import programs
from .command import Command
from .network import HTTP_HOSTS, TLS_HOSTS, Network, Process, why_unavailable
from .pki import Impostor, Pki, make
from .programs import REVERSED, Ca, Port80, Proxy


def _need(obstacle: str | None) -> None:
    if obstacle is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"the lab cannot run, and CI=true allows no skipping: {obstacle}", pytrace=False)
    pytest.skip(f"the lab cannot run: {obstacle}")


def _need_programs(*names: str) -> None:
    for name in names:
        _need(programs.missing(name))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make(tmp_path_factory.mktemp("pki"), TLS_HOSTS, datetime.now(UTC), portal=programs.PORTAL)


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Network]:
    """The network before anybody answers. The client's operating system trusts the stand-in roots, as it would trust
    Google's."""
    _need(why_unavailable())
    with Network(tmp_path_factory.mktemp("network"), os_roots=pki.google_roots) as network:
        yield network


@pytest.fixture(scope="session")
def port80_server(machines: Network, pki: Pki) -> Port80:
    return programs.port80(machines, pki)


@pytest.fixture(scope="session")
def network(machines: Network, pki: Pki, port80_server: Port80) -> Network:
    """The network with its hosts answering."""
    _need_programs("nginx")
    assert port80_server.process.running()
    programs.hosts(machines, pki)
    return machines


@pytest.fixture
def port80(port80_server: Port80, network: Network) -> Iterator[Port80]:
    """What answers on port 80, with nothing asked of it yet and no lies told by the last test."""
    assert network
    with port80_server.answering():
        port80_server.forget()
        yield port80_server
    assert not port80_server.process.output(), "the server on port 80 has a defect of its own"


@pytest.fixture(scope="session")
def scan(network: Network, pki: Pki) -> Command:
    return Command(network, pki.google_roots)


@pytest.fixture(scope="session")
def scan_as_google(scan: Command, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """With trust data in which the lab is Google: nothing caps the confidence, and the time service is believed."""
    built = datetime.now(UTC).date() - timedelta(days=100)
    return replace(scan, roots=pki.trust(tmp_path_factory.mktemp("trust") / "data", built))


@pytest.fixture(scope="session")
def movable_clock() -> None:
    """libfaketime is there, by which a program alone sees another time."""
    _need_programs("faketime")


@pytest.fixture(scope="session")
def front(network: Network, pki: Pki) -> int:
    """The port of an appliance on the gateway that ends TLS."""
    programs.front(network, pki)
    return programs.FRONT_PORT


@pytest.fixture(scope="session")
def impostor_ports(network: Network, pki: Pki) -> Mapping[Impostor, int]:
    """Where on the gateway each impostor answers."""
    programs.impostors(network, pki)
    return programs.IMPOSTOR_PORTS


@pytest.fixture(scope="session")
def tinyproxy(network: Network) -> Proxy:
    _need_programs("tinyproxy")
    return programs.tinyproxy(network)


@pytest.fixture(scope="session")
def tinyproxy_asking(network: Network) -> Proxy:
    """tinyproxy that wants to know who asks."""
    _need_programs("tinyproxy")
    return programs.tinyproxy(network, port=8889, authenticated=True)


@pytest.fixture(scope="session")
def microsocks(network: Network) -> Proxy:
    _need_programs("microsocks")
    return programs.microsocks(network)


@pytest.fixture(scope="session")
def microsocks_asking(network: Network) -> Proxy:
    """microsocks that wants to know who asks."""
    _need_programs("microsocks")
    return programs.microsocks(network, port=1081, authenticated=True)


@pytest.fixture(scope="session")
def mitmproxy(network: Network, pki: Pki) -> Proxy:
    _need_programs("mitmdump")
    return programs.mitmproxy(network, pki)


@pytest.fixture(scope="session")
def mitmproxy_upstream(mitmproxy: Proxy, tinyproxy: Proxy) -> Proxy:
    assert tinyproxy.process.running()
    return programs.mitmproxy_upstream(mitmproxy)


@pytest.fixture(scope="session")
def mitmproxy_reverse(mitmproxy: Proxy) -> Proxy:
    return programs.mitmproxy_reverse(mitmproxy)


@pytest.fixture(scope="session")
def mitmproxy_company(network: Network, pki: Pki) -> Proxy:
    """mitmproxy as a company sets it up: with an authority of its own."""
    _need_programs("mitmdump")
    ca = Ca(pki.corporate_root, pki.corporate_key)
    return programs.mitmproxy(network, pki, name="mitmproxy-company", port=8090, ca=ca)


@pytest.fixture(scope="session")
def mitmproxy_company_upstream(mitmproxy_company: Proxy, tinyproxy: Proxy) -> Proxy:
    assert tinyproxy.process.running()
    return programs.mitmproxy_upstream(mitmproxy_company)


@pytest.fixture(scope="session")
def mitmproxy_company_reverse(mitmproxy_company: Proxy) -> Proxy:
    return programs.mitmproxy_reverse(mitmproxy_company)


@pytest.fixture(scope="session")
def mitmproxy_googlish(network: Network, pki: Pki) -> Proxy:
    """mitmproxy in Google's name, which opens the connections to `REVERSED` alone."""
    _need_programs("mitmdump")
    ca = Ca(pki.googlish_root, pki.googlish_key)
    return programs.mitmproxy(network, pki, name="mitmproxy-googlish", port=8100, ca=ca, only=REVERSED)


@pytest.fixture(scope="session")
def mitmproxy_socks(mitmproxy: Proxy) -> Proxy:
    return programs.mitmproxy_socks(mitmproxy)


@pytest.fixture(scope="session")
def mitmproxy_tls(mitmproxy: Proxy) -> Proxy:
    return programs.mitmproxy_tls(mitmproxy)


@pytest.fixture(scope="session")
def squid(network: Network, pki: Pki) -> Proxy:
    _need_programs("squid")
    return programs.squid(network, pki)


@pytest.fixture(scope="session")
def squid_splice(squid: Proxy) -> Proxy:
    return programs.squid_splice(squid)


@pytest.fixture(scope="session")
def squid_at_once(squid: Proxy) -> Proxy:
    return programs.squid_at_once(squid)


@pytest.fixture(scope="session")
def squid_stare(squid: Proxy) -> Proxy:
    return programs.squid_stare(squid)


@pytest.fixture(scope="session")
def squid_selective(squid: Proxy) -> Proxy:
    return programs.squid_selective(squid)


@pytest.fixture(scope="session")
def sslsplit(network: Network, pki: Pki) -> Proxy:
    _need_programs("sslsplit")
    return programs.sslsplit(network, pki)


@pytest.fixture(scope="session")
def privoxy(network: Network, pki: Pki) -> Proxy:
    _need_programs("privoxy")
    return programs.privoxy(network, pki)


@pytest.fixture(scope="session")
def squid_secure(squid: Proxy) -> Proxy:
    return programs.squid_secure(squid)


@pytest.fixture(scope="session")
def proxy_py(network: Network, pki: Pki) -> Proxy:
    _need_programs("proxy")
    return programs.proxy_py(network, pki)


@pytest.fixture(scope="session")
def fault_ports(network: Network) -> Mapping[str, int]:
    """Where on the gateway each kind of misbehaviour is."""
    programs.misbehaving(network)
    return programs.FAULT_PORTS


@pytest.fixture(scope="session")
def blocker(network: Network, pki: Pki) -> int:
    """The port of a filter's page on the gateway."""
    programs.blocker(network, pki)
    return 443


@pytest.fixture(scope="session")
def portal_server(network: Network, pki: Pki) -> Process:
    return programs.portal(network, pki)


@pytest.fixture
def portal(network: Network, portal_server: Process) -> Iterator[None]:
    """A captive portal takes every connection of the client while the test runs."""
    assert portal_server.running()
    http, https = programs.PORTAL_PORTS
    with network.redirect(http, hosts=HTTP_HOSTS, port=80), network.redirect(https):
        yield
