"""Facts near the connection: which program of this machine answers, and what the address suggests. Hints and findings;
none of them moves a verdict."""

import asyncio
import io
import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT, options, resolve, run, shared_data
from tests.faults import fault, honest_proxy, tls_server
from tests.test_observe import Lab, by_host, codes, look, make_lab
from tlsinspect.evidence.clock import Bounds
from tlsinspect.gather import reverse
from tlsinspect.gather.listeners import listeners_at
from tlsinspect.gather.reverse import reverse_names
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.conclude import conclusions
from tlsinspect.judge.establish import Context
from tlsinspect.lab.pki import fiddler, zscaler
from tlsinspect.model import (
    Assessment,
    Authority,
    Connection,
    Endpoint,
    Finding,
    Kind,
    Listener,
    Observation,
    ReverseName,
    Route,
    Row,
    Verdict,
)
from tlsinspect.ranges import Ranges
from tlsinspect.report.table import PlainConsole, render
from tlsinspect.trust import Trust
from tools.build_trust import google_ranges_toml

GENUINE, TAKEN = "oauth2.googleapis.com", "www.googleapis.com"
_LISTEN = """
import socket, sys
with socket.create_server((sys.argv[1], 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("trust"))


@contextmanager
def another_program(address: str) -> Iterator[tuple[int, int]]:
    """The port and process of a program that listens at `address`."""
    argv = [sys.executable, "-c", _LISTEN, address]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.communicate()


# -- which program listens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0"])
def test_another_programs_port(bound: str) -> None:
    with another_program(bound) as (port, pid):
        (found,) = asyncio.run(listeners_at([("127.0.0.1", port), ("127.0.0.1", port)]))
        name = psutil.Process(pid).name()
    assert found == Listener("127.0.0.1", port, name, pid)
    assert found.program
    assert "/" not in found.program


def test_a_port_at_two_addresses_belongs_to_two_programs() -> None:
    with another_program("127.0.0.1") as (port, pid), socket.socket() as ours:
        try:
            ours.bind(("127.0.0.2", port))
        except OSError:
            pytest.skip("this system has one loopback address")
        ours.listen()
        one, other = asyncio.run(listeners_at([("127.0.0.1", port), ("127.0.0.2", port)]))
    assert (one.pid, other.pid) == (pid, os.getpid())


def test_a_port_in_two_families_belongs_to_two_programs() -> None:
    with another_program("0.0.0.0") as (port, pid):
        try:
            ours = socket.socket(socket.AF_INET6)
            ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            ours.bind(("::", port))
        except OSError:
            pytest.skip("this system has no IPv6")
        with ours:
            ours.listen()
            four, six = asyncio.run(listeners_at([("127.0.0.1", port), ("::1", port)]))
    assert (four.pid, six.pid) == (pid, os.getpid())


def test_who_hears_of_both_families_is_found_in_both() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this system has no IPv6")
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as ours:
        port = ours.getsockname()[1]
        found = asyncio.run(listeners_at([("127.0.0.1", port), ("::1", port), ("0.0.0.0", port)]))
    assert [each.pid for each in found] == [os.getpid()] * 3


def test_a_port_nobody_listens_at_any_more_is_unknown() -> None:
    with fault("nothing-listening") as (address, port):
        assert asyncio.run(listeners_at([(address, port)])) == (Listener(address, port),)


def test_what_the_system_does_not_show_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise psutil.AccessDenied

    with another_program("127.0.0.1") as (port, pid):
        monkeypatch.setattr(psutil, "net_connections", forbidden)
        (one_by_one,) = asyncio.run(listeners_at([("127.0.0.1", port)]))
        monkeypatch.setattr(psutil.Process, "net_connections", forbidden)
        (nothing,) = asyncio.run(listeners_at([("127.0.0.1", port)]))
    assert one_by_one.pid == pid
    assert nothing == Listener("127.0.0.1", port)


def test_who_listens_elsewhere_is_not_asked_and_nothing_is_loaded_for_it() -> None:
    program = (
        "import asyncio, sys\n"
        "from tlsinspect.gather.listeners import listeners_at\n"
        "found = asyncio.run(listeners_at([('192.0.2.1', 443), ('2001:db8::1', 443), ('142.250.185.10', 443)]))\n"
        "print(found, 'psutil' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "() False\n"


# -- whole scans ----------------------------------------------------------------------------------------------------


def said(assessment: Assessment, code: str) -> Finding:
    (found,) = (f for f in assessment.findings if f.code == code)
    return found


def test_an_interceptor_on_this_machine_is_named(lab: Lab) -> None:
    """Led to it by --resolve, as a hosts file would; the genuine host beside it answers here too, and stays genuine."""
    with (
        tls_server(fiddler(lab.now).issue([TAKEN], send_root=True)) as server,
        tls_server(lab.google.wr2.issue([GENUINE])) as honest,
    ):
        report = look(lab, {TAKEN: server, GENUINE: honest})
    taken, genuine = by_host(report)[TAKEN], by_host(report)[GENUINE]
    listener = said(taken, "local-listener")
    assert listener.kind is Kind.PROOF
    assert listener.values["peer"] == f"127.0.0.1:{server.port}"
    assert listener.values["pid"] == str(os.getpid())
    assert listener.values["program"] == psutil.Process().name()
    assert (genuine.verdict, taken.verdict) == (Verdict.GENUINE, Verdict.INTERCEPTED)
    assert "local-listener" not in codes(genuine), "who answers there is proven"
    assert {listener.port for listener in report.listeners} == {server.port}
    (here,) = (c for c in report.conclusions if c.code == "intercepted-on-this-machine")
    assert here.values["programs"] == psutil.Process().name()


def test_an_interceptor_behind_a_proxy_on_this_machine(lab: Lab) -> None:
    with tls_server(zscaler(lab.now).issue([TAKEN])) as server, honest_proxy({(TAKEN, 443): server}) as proxy:
        report = look(lab, {TAKEN: None}, proxy=f"http://{proxy.host}:{proxy.port}")
    (taken,) = report.assessments
    assert taken.verdict is Verdict.INTERCEPTED
    assert said(taken, "local-listener").values["peer"] == f"127.0.0.1:{proxy.port}"
    assert "passes them on" in next(c.sentence for c in report.conclusions if c.code == "intercepted-on-this-machine")


def test_the_command_names_the_program_of_another_process(roots: Path, now: datetime) -> None:
    with tls_server(fiddler(now).issue([TAKEN], send_root=True)) as server:
        ended = run("scan", TAKEN, "--trust", str(roots), "--proxy", "none", *options(resolve({TAKEN: server})),
                    extra={"COLUMNS": "200"})  # fmt: skip
    assert f"ended on this machine, at {psutil.Process().name()}, which" in ended.out


def test_the_table_names_the_program_beside_the_host_where_the_run_does_not(lab: Lab) -> None:
    with tls_server(fiddler(lab.now).issue([TAKEN])) as server:
        report = look(lab, {TAKEN: server})
    said_of_host = f"on this machine: {psutil.Process().name()}"
    for shown, concluded in ((False, report.conclusions), (True, ())):
        out = io.StringIO()
        render(replace(report, conclusions=concluded), "x", PlainConsole(out))
        assert (said_of_host in " ".join(out.getvalue().split())) is shown


def test_where_all_is_genuine_nothing_is_concluded_about_this_machine(lab: Lab) -> None:
    with tls_server(lab.google.wr2.issue([GENUINE])) as server:
        report = look(lab, {GENUINE: server})
    assert "intercepted-on-this-machine" not in {c.code for c in report.conclusions}
    assert "local-port-hint" not in codes(report.assessments[0])


# -- the judge alone ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen(lab: Lab) -> dict[str, Observation]:
    """Real observations of an intercepted and of a genuine host."""
    with (
        tls_server(fiddler(lab.now).issue([TAKEN])) as server,
        tls_server(lab.google.wr2.issue([GENUINE])) as honest,
    ):
        report = look(lab, {TAKEN: server, GENUINE: honest})
    return {host: assessment.observations[0] for host, assessment in by_host(report).items()}


def ended_at(seen: Observation, address: str, port: int = 443, **more: Any) -> Observation:
    """The same, had it ended there, found by name."""
    reached = Connection(address, port, "connected", 0.0)
    return replace(seen, address=address, addresses=(address,), address_source="dns", connections=(reached,), **more)


def judged(lab: Lab, observations: list[Observation], **context: Any) -> tuple[list[Assessment], set[str]]:
    """Assessments, and the codes of what is concluded."""
    row = Row(url="https://x/", source="given")
    observed = [Observed(Endpoint(s.host, s.port, True, Authority.GOOGLE, (row,)), (s,)) for s in observations]
    known = Context(lab.trust, Bounds(datetime.now(UTC), lab.trust.released), **context)
    found = judge_run(observed, known)
    return list(found.assessments), {c.code for c in conclusions(found, ())}


def test_the_default_port_of_a_debugging_proxy_is_a_hint(lab: Lab, seen: dict[str, Observation]) -> None:
    place = ("127.0.0.1", 8888)
    both = [ended_at(seen[TAKEN], *place), ended_at(seen[GENUINE], *place)]
    (taken, genuine), concluded = judged(lab, both, listeners={place: Listener(*place, "Fiddler.exe", 4312)})
    hint = said(taken, "local-port-hint")
    assert hint.kind is Kind.HINT
    assert "Fiddler Classic / FiddlerCore or Charles Proxy" in hint.sentence
    assert said(taken, "local-listener").sentence == "On this machine Fiddler.exe answers at 127.0.0.1:8888."
    assert "local-port-hint" not in codes(genuine)
    assert "intercepted-on-this-machine" in concluded


def test_one_that_ended_elsewhere_ends_the_conclusion(lab: Lab, seen: dict[str, Observation]) -> None:
    here = ended_at(seen[TAKEN], "127.0.0.1", 8888)
    there = replace(ended_at(seen[TAKEN], "142.250.185.10"), port=8443)
    known = {("127.0.0.1", 8888): Listener("127.0.0.1", 8888, "x", 1)}
    assert "intercepted-on-this-machine" in judged(lab, [here], listeners=known)[1]
    (_, elsewhere), concluded = judged(lab, [here, there], listeners=known)
    assert elsewhere.verdict is Verdict.INTERCEPTED
    assert "intercepted-on-this-machine" not in concluded
    assert not codes(elsewhere) & {"local-listener", "local-port-hint"}


def test_an_unknown_and_a_hostile_program_are_said_harmlessly(lab: Lab, seen: dict[str, Observation]) -> None:
    place = ("::1", 8080)
    nameless, hostile = Listener(*place), Listener(*place, "\x1b[2Jevil\u202e", 1)
    for listener, words in ((nameless, "a program that the system does not name"), (hostile, "evil<U+202E>")):
        (taken,), _ = judged(lab, [ended_at(seen[TAKEN], *place)], listeners={place: listener})
        sentence = said(taken, "local-listener").sentence
        assert words in sentence
        assert "[::1]:8080" in sentence
        assert "\x1b" not in sentence


# -- addresses ------------------------------------------------------------------------------------------------------

ADDRESS_CODES = {"address-not-google", "address-google-cloud", "address-private"}
ADDRESSES = {
    "142.250.185.10": None,
    "2a00:1450:4001:80b::a": None,
    "64:ff9b::8efa:b90a": None,  # the first of these, behind NAT64
    "199.36.153.5": None,  # restricted.googleapis.com
    "199.36.153.9": None,  # private.googleapis.com
    "2600:2d00:2:1000::1": None,
    "2600:2d00:2:2000::1": None,
    "93.184.216.34": "address-not-google",
    "199.36.153.12": "address-not-google",
    "2606:2800:220:1::1": "address-not-google",
    "64:ff9b::5db8:d822": "address-not-google",
    "34.80.0.1": "address-google-cloud",
    "10.1.2.3": "address-private",
    "172.31.255.255": "address-private",
    "192.168.1.1": "address-private",
    "100.64.0.1": "address-private",
    "fd12::1": "address-private",
    "64:ff9b::a01:203": "address-private",
    "127.0.0.1": None,  # the listener is another finding
    "192.0.2.1": None,
    "198.18.0.1": None,
    "172.32.0.1": "address-not-google",
}


@pytest.mark.parametrize(("address", "code"), ADDRESSES.items(), ids=ADDRESSES)
def test_what_an_address_suggests(lab: Lab, seen: dict[str, Observation], address: str, code: str | None) -> None:
    for host, verdict in ((TAKEN, Verdict.INTERCEPTED), (GENUINE, Verdict.GENUINE)):
        (found,), _ = judged(lab, [ended_at(seen[host], address)])
        assert codes(found) & ADDRESS_CODES == ({code} if code else set())
        assert found.verdict is verdict
        for finding in found.findings:
            if finding.code in ADDRESS_CODES:
                assert finding.kind is Kind.HINT
                assert address in finding.sentence


def test_the_age_of_the_ranges_is_said(lab: Lab, seen: dict[str, Observation]) -> None:
    (found,), _ = judged(lab, [ended_at(seen[TAKEN], "93.184.216.34")])
    hint = said(found, "address-not-google")
    assert hint.values["date"] == f"{lab.trust.google_ranges.date:%Y-%m-%d}"
    assert f"{hint.values['days']} days ago" in hint.sentence


def test_an_address_that_this_machine_did_not_look_up_suggests_nothing(lab: Lab, seen: dict[str, Observation]) -> None:
    alien = ended_at(seen[TAKEN], "10.1.2.3")
    assert codes(judged(lab, [alien])[0][0]) & ADDRESS_CODES
    for other in (
        replace(alien, address_source="--resolve"),
        replace(alien, route=Route("http://10.1.2.3:3128"), address_source="proxy"),
        replace(alien, host="10.1.2.3"),
    ):
        assert not codes(judged(lab, [other])[0][0]) & ADDRESS_CODES


def test_what_is_no_address_suggests_nothing_and_costs_no_verdict(lab: Lab, seen: dict[str, Observation]) -> None:
    """In a file that somebody saved it may say anything."""
    (found,), _ = judged(lab, [ended_at(seen[TAKEN], "no address")])
    assert found.verdict is Verdict.INTERCEPTED
    assert not codes(found) & ADDRESS_CODES


def test_the_ranges_are_read_only_where_a_public_address_is_judged(lab: Lab, seen: dict[str, Observation]) -> None:
    fresh = replace(lab, trust=Trust.load(ROOT / "trust"))
    for address, read in (("127.0.0.1", False), ("10.1.2.3", False), ("142.250.185.10", True)):
        judged(fresh, [ended_at(seen[TAKEN], address)])
        assert ("google_ranges" in fresh.trust.__dict__) is read


networks = st.one_of(
    st.builds(lambda a, n: ipaddress.ip_network((a, n), strict=False), st.integers(0, 2**32 - 1), st.integers(4, 32)),
    st.builds(
        lambda a, n: ipaddress.ip_network((a, n), strict=False), st.integers(2**125, 2**128 - 1), st.integers(4, 128)
    ),
)


@given(st.lists(networks, max_size=8), st.integers(-2, 2))
def test_ranges_hold_what_their_networks_hold(held: list[Any], off: int) -> None:
    ranges = Ranges(map(str, held))
    for network in held:
        for edge in (int(network.network_address), int(network.broadcast_address)):
            if 0 <= edge + off < 2**network.max_prefixlen:
                address = type(network.network_address)(edge + off)
                assert (address in ranges) is any(address in n for n in held if n.version == address.version)


def test_no_ranges_hold_nothing() -> None:
    assert ipaddress.ip_address("8.8.8.8") not in Ranges([])
    with pytest.raises(ValueError, match="x"):
        Ranges(["x"])


# -- reverse names --------------------------------------------------------------------------------------------------

REVERSE_CODES = {"reverse-name-google", "reverse-name-unconfirmed"}


def test_the_system_is_asked_for_a_reverse_name() -> None:
    """Of loopback, whose name a hosts file has; of an address for documentation nobody has one."""
    names = {each.address: each for each in asyncio.run(reverse_names(["127.0.0.1", "127.0.0.1", "192.0.2.77"]))}
    assert set(names) == {"127.0.0.1", "192.0.2.77"}
    assert names["192.0.2.77"] == ReverseName("192.0.2.77")
    assert names["127.0.0.1"] == ReverseName("127.0.0.1", socket.gethostbyaddr("127.0.0.1")[0], confirmed=True)
    assert asyncio.run(reverse_names([])) == ()


def test_a_resolver_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ever = threading.Event()

    def silent(*_: Any) -> Any:
        ever.wait()
        raise OSError

    monkeypatch.setattr(socket, "getnameinfo", silent)
    monkeypatch.setattr(reverse, "LONGEST", 0.05)
    try:
        assert asyncio.run(reverse_names(["192.0.2.1", "192.0.2.2"])) == (
            ReverseName("192.0.2.1"),
            ReverseName("192.0.2.2"),
        )
    finally:
        ever.set()


@pytest.mark.parametrize(
    ("name", "confirmed", "code"),
    [
        ("fra16s51-in-f10.1e100.net", True, "reverse-name-google"),
        ("FRA16S51-IN-F10.1E100.NET.", True, "reverse-name-google"),
        ("fra16s51-in-f10.1e100.net", False, "reverse-name-unconfirmed"),
        ("gateway.corp.example", True, "reverse-name-unconfirmed"),
        ("x.1e100.net.evil.example", True, "reverse-name-unconfirmed"),
        ("evil1e100.net", True, "reverse-name-unconfirmed"),
        (None, False, "reverse-name-unconfirmed"),
    ],
)
def test_what_a_reverse_name_suggests(
    lab: Lab, seen: dict[str, Observation], name: str | None, confirmed: bool, code: str
) -> None:
    address = "142.250.185.10"
    told = {address: ReverseName(address, name, confirmed)}
    for host, verdict in ((TAKEN, Verdict.INTERCEPTED), (GENUINE, Verdict.GENUINE)):
        (found,), _ = judged(lab, [ended_at(seen[host], address)], reverse_names=told)
        assert codes(found) & REVERSE_CODES == {code}
        assert said(found, code).kind is Kind.HINT
        assert found.verdict is verdict
    (plain,), _ = judged(lab, [ended_at(seen[TAKEN], address)])
    assert not codes(plain) & REVERSE_CODES


def test_reverse_names_are_asked_only_on_demand(lab: Lab) -> None:
    with tls_server(lab.google.wr2.issue([GENUINE])) as server:
        without, asked = (look(lab, {GENUINE: server}, reverse_dns=wanted) for wanted in (False, True))
    assert without.reverse_names == ()
    assert [each.address for each in asked.reverse_names] == ["127.0.0.1"]
    assert codes(asked.assessments[0]) & REVERSE_CODES == {"reverse-name-unconfirmed"}


# -- the data -------------------------------------------------------------------------------------------------------


def test_the_shipped_ranges_are_those_that_google_published() -> None:
    folder = shared_data("ip_ranges")
    lists = [folder / "goog_2024-04-25.json", folder / "cloud_2024-04-25.json"]
    shipped = ROOT / "trust" / "google_ranges.toml"
    assert google_ranges_toml(lists, shipped) == shipped.read_text(encoding="utf-8")
    ranges = Trust.default().google_ranges
    for file, held in zip(lists, (ranges.own, ranges.rented), strict=True):
        prefixes = [row.get("ipv4Prefix") or row["ipv6Prefix"] for row in json.loads(file.read_text())["prefixes"]]
        assert len(prefixes) > 50
        for network in map(ipaddress.ip_network, prefixes):
            assert network.network_address in held
            assert network.broadcast_address in held
