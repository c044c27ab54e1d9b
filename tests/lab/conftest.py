"""The lab's network and programs, each started once a session and only when a test asks for it.

Where something is missing, the tests that need it are skipped by name with the reason; with CI=true they fail instead,
so that a pipeline cannot lose its lab without anybody noticing.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from . import programs
from .command import Command
from .network import HTTP_HOSTS, TLS_HOSTS, Network, Process, why_unavailable
from .pki import Pki, make
from .programs import Proxy


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
def network(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Network]:
    """The network with its hosts answering. The client's operating system trusts the stand-in roots, as it would
    trust Google's."""
    _need(why_unavailable())
    _need_programs("nginx")
    with Network(tmp_path_factory.mktemp("network"), os_roots=pki.google_roots) as network:
        programs.hosts(network, pki)
        yield network


@pytest.fixture(scope="session")
def scan(network: Network, pki: Pki) -> Command:
    return Command(network, pki.google_roots)


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
def mitmproxy(network: Network, pki: Pki) -> Proxy:
    _need_programs("mitmdump")
    return programs.mitmproxy(network, pki)


@pytest.fixture(scope="session")
def squid(network: Network, pki: Pki) -> Proxy:
    _need_programs("squid")
    return programs.squid(network, pki)


@pytest.fixture(scope="session")
def squid_splice(squid: Proxy) -> Proxy:
    return programs.squid_splice(squid)


@pytest.fixture(scope="session")
def proxy_py(network: Network, pki: Pki) -> Proxy:
    _need_programs("proxy")
    return programs.proxy_py(network, pki)


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
