"""The lab judged without the command, by the openssl tool: so that a failing scan is the command's own."""

import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from . import programs
from .network import TLS_HOSTS, Network
from .pki import Pki, make
from .programs import Proxy

pytestmark = pytest.mark.lab

_GOOGLE = "O = Google Trust Services, CN = WR2"
_ACME = "CN = Acme Corp TLS Inspection CA"
_WHERE_TO = """
import http.client
connection = http.client.HTTPConnection("connectivitycheck.gstatic.com", timeout=10)
connection.request("GET", "/generate_204")
print(connection.getresponse().headers["Location"])
"""


def issuer(network: Network, host: str, *options: str) -> str | None:
    """The issuer of the leaf that the client is shown; None when it sees no certificate."""
    argv = ["openssl", "s_client", "-connect", f"{host}:443", "-servername", host, "-nameopt", "oneline", *options]
    found = re.search(r"^issuer=(.*)$", network.run("client", argv).stdout, re.MULTILINE)
    return found[1] if found else None


@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize("host", TLS_HOSTS)
def test_every_host_answers_with_a_chain_to_the_stand_in(network: Network, pki: Pki, host: str, family: str) -> None:
    seen = issuer(network, host, family, "-verify_return_error", "-CAfile", str(pki.google_roots))
    assert seen is not None
    assert _GOOGLE in seen


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_redirection_hits_the_chosen_host_alone_and_ends(network: Network, squid: Proxy, family: str) -> None:
    assert squid.transparent_port is not None
    with network.redirect(squid.transparent_port, hosts=["www.google.com"]):
        assert _ACME in str(issuer(network, "www.google.com", family))
        assert _GOOGLE in str(issuer(network, "mail.google.com", family))
    assert _GOOGLE in str(issuer(network, "www.google.com", family))


def test_every_second_connection(network: Network, squid: Proxy) -> None:
    assert squid.transparent_port is not None
    with network.redirect(squid.transparent_port, every=2):
        seen = [_ACME in str(issuer(network, "www.google.com", "-4")) for _ in range(4)]
    assert seen in ([True, False, True, False], [False, True, False, True])


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_filter_resets_one_name_at_any_address(network: Network, family: str) -> None:
    with network.filter_name("www.google.com"):
        assert issuer(network, "www.google.com", family) is None
        assert issuer(network, "mail.google.com", family)
        assert issuer(network, "mail.google.com", family, "-servername", "www.google.com") is None


@pytest.mark.usefixtures("portal")
def test_a_portal_takes_every_connection(network: Network) -> None:
    assert programs.PORTAL in str(issuer(network, "www.google.com"))
    assert programs.PORTAL in network.run("client", [sys.executable, "-c", _WHERE_TO]).stdout


def test_the_operating_system_trusts_what_was_installed_and_forgets_it(network: Network, squid: Proxy) -> None:
    assert squid.authority is not None
    through = ("-verify_return_error", "-proxy", squid.url.removeprefix("http://"))
    assert issuer(network, "mail.google.com", *through) is None
    with network.os_trusts(squid.authority):
        assert _ACME in str(issuer(network, "mail.google.com", *through))
    assert issuer(network, "mail.google.com", *through) is None


@pytest.mark.parametrize("machine", ["client", "gateway", "internet"])
def test_nothing_leaves_the_lab(network: Network, machine: str) -> None:
    links = json.loads(network.run(machine, ["ip", "-json", "link"]).stdout)
    # Every link ends in another machine of the lab; one that comes with the kernel's tunnel modules is down.
    assert all(
        link.get("link_netnsid") is not None for link in links if "UP" in link["flags"] and link["ifname"] != "lo"
    )
    outside = ["openssl", "s_client", "-connect", "198.18.0.1:443"]
    assert network.run(machine, outside, timeout=20).returncode != 0


def test_nothing_survives_the_network(tmp_path: Path) -> None:
    certificates, folder = tmp_path / "pki", tmp_path / "network"
    certificates.mkdir()
    folder.mkdir()
    pki = make(certificates, TLS_HOSTS, datetime.now(UTC), portal=programs.PORTAL)
    with Network(folder, os_roots=pki.google_roots) as network:
        programs.hosts(network, pki)
        assert _mentioning(folder)
    assert not _mentioning(folder)


def _mentioning(folder: Path) -> list[int]:
    """The processes of ours with this folder on their command line."""
    needle = os.fsencode(str(folder))
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:  # ended meanwhile
            continue
    return found
