"""Real scans through real proxies of every kind: who is told what, what is taken when, and what is said of it."""

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.faults import (
    HOST,
    NOTHING_LISTENING,
    Address,
    Peer,
    Running,
    fault,
    honest_proxy,
    https_proxy,
    server_context,
    serving,
    socks_proxy,
    tls_server,
)
from tlsinspect import scan
from tlsinspect.conductor import execute, prepare
from tlsinspect.errors import UsageError
from tlsinspect.fetch import Fetcher, Limits
from tlsinspect.lab import pki
from tlsinspect.model import Assessment, FetchOutcome, Observation, PassedOver, Reach, Reason, Report
from tlsinspect.observe import systemproxy, systemtrust
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.route import Routing, Ways, read_proxy
from tlsinspect.observe.systemproxy import WINHTTP, WININET, ProxySettings
from tlsinspect.observe.systemtrust import distrust
from tlsinspect.report.as_json import document

NAME = "mail.google.com"
PROXY_NAME = "proxy.acme.test"
USER, PASSWORD = "alice.tester", "hunter2-Zq9"
CREDENTIALS = f"{USER}:{PASSWORD}"
TIMEOUT = 5.0
ASKING = b'HTTP/1.1 407 Whose?\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'


@pytest.fixture(scope="module")
def genuine(google: pki.GoogleLike) -> Iterator[Running]:
    with tls_server(google.we2.issue([NAME])) as server:
        yield server


@pytest.fixture(scope="module")
def company() -> pki.Authority:
    """An authority that no machine trusts until a test says so."""
    from cryptography.x509.oid import NameOID

    return pki.Authority.root(pki.name((NameOID.COMMON_NAME, "Acme Root")), datetime.now(UTC))


@pytest.fixture
def trusted(company: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts the company."""
    path = tmp_path / "company.pem"
    path.write_bytes(company.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.fixture
def untrusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, google: pki.GoogleLike) -> None:
    """This machine trusts somebody else."""
    path = tmp_path / "others.pem"
    path.write_bytes(google.roots_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def look(roots: Path, proxy: str, *targets: str, **options: Any) -> Report:
    options = {"trust": roots, "proxy": proxy, "timeout": TIMEOUT, "offline": True, **options}
    report = scan(list(targets) or [NAME], **options)
    for secret in (USER, PASSWORD):
        assert secret not in document(report)
    return report


def one(report: Report) -> tuple[Assessment, Observation]:
    (assessment,) = report.assessments
    (seen,) = assessment.observations
    return assessment, seen


def codes(assessment: Assessment) -> set[str]:
    return {finding.code for finding in assessment.findings}


Way = Callable[[dict[Address, Address]], contextlib.AbstractContextManager[str]]


@pytest.fixture(params=["http", "https", "socks5", "socks5h"])
def way(request: pytest.FixtureRequest, company: pki.Authority) -> Way:
    """A proxy of each kind: a context manager that yields its URL."""

    @contextlib.contextmanager
    def made(resolve: dict[Address, Address]) -> Iterator[str]:
        kind = request.param
        if kind == "http":
            running = honest_proxy(resolve)
        elif kind == "https":
            running = https_proxy(resolve, company.issue([HOST]))
        else:
            known = {(HOST, port): place for (_, port), place in resolve.items()} if kind == "socks5" else resolve
            running = socks_proxy(known, [])
        with running as proxy:
            yield f"{kind}://{HOST}:{proxy.port}"

    return made


def here(*ports: int) -> list[str]:
    """Where the name is, for a proxy that is told addresses."""
    return [f"{NAME}:{port}:{HOST}" for port in ports]


# -- every kind of proxy -----------------------------------------------------------------------------------------------


def test_an_honest_proxy_is_no_interception(roots: Path, genuine: Running, way: Way) -> None:
    with way({(NAME, 443): genuine}) as url:
        assessment, seen = one(look(roots, url, resolve=here(443)))
    assert assessment.verdict == "genuine"
    assert assessment.route.proxy == url
    assert seen.proxy is not None
    assert seen.proxy.schemes == ()
    assert not any(code.startswith("proxy") for code in codes(assessment))


def test_an_interceptor_behind_a_proxy_is_one(roots: Path, company: pki.Authority, way: Way) -> None:
    with tls_server(company.issue([NAME])) as forging, way({(NAME, 443): forging}) as url:
        assessment, _ = one(look(roots, url, resolve=here(443)))
    assert (assessment.verdict, assessment.confidence) == ("intercepted", "strong")  # the roots stand in for Google's


def test_a_host_that_is_silent_behind_a_proxy_is_not_the_proxy(roots: Path, way: Way) -> None:
    with fault("reset-on-hello") as resetting, way({(NAME, 443): resetting}) as url:
        assessment, seen = one(look(roots, url, resolve=here(443)))
    assert assessment.verdict == "unreachable"
    assert seen.failure is not None
    assert seen.failure.stage == "tls"


def test_a_row_on_port_80(roots: Path, google: pki.GoogleLike, way: Way) -> None:
    body = google.we2.certificate.public_bytes(Encoding.DER)

    def handle(peer: Peer) -> None:
        assert peer.receive_head().target == "/i.der"
        peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with serving(handle) as origin, way({(NAME, 80): origin}) as url:
        (row,) = look(roots, url, f"http://{NAME}/i.der", resolve=here(80)).reachability
    assert row.route.proxy == url
    assert row.result in (Reach.SIGNED_OBJECT, Reach.ANSWERS, Reach.NOT_PKI)
    assert row.status == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_fetch(google: pki.GoogleLike, way: Way, scheme: str) -> None:
    context = server_context(google.we2.issue([NAME]))

    def handle(peer: Peer) -> None:
        if scheme == "https":
            peer.peek_hello()
            peer.wrap(context)
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0ok")

    port = 443 if scheme == "https" else 80
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(serving(handle))
        url = stack.enter_context(way({(NAME, port): origin}))
        settings = Settings(resolved={(NAME, port): [(HOST, port)]})
        fetcher = Fetcher(settings, Routing(fixed=read_proxy(url, "--proxy")), lambda host: host == NAME)
        got = asyncio.run(fetcher.get(f"{scheme}://{NAME}/x", "crl", proven=True))
    assert got.fetch.outcome is FetchOutcome.FETCHED, got.fetch.detail
    assert bytes(got.body or b"") == b"0ok"
    assert got.fetch.route.proxy == url


# -- whose names are resolved where ------------------------------------------------------------------------------------


def test_socks5_resolves_here_and_socks5h_there(roots: Path, genuine: Running) -> None:
    asked: list[Address] = []
    with socks_proxy({(NAME, 443): genuine, (HOST, 443): genuine}, asked) as proxy:
        _, there = one(look(roots, f"socks5h://{HOST}:{proxy.port}", resolve=here(443)))
        _, local = one(look(roots, f"socks5://{HOST}:{proxy.port}", resolve=here(443)))
    assert asked == [(NAME, 443), (HOST, 443)]
    assert (there.address_source, local.address_source) == ("proxy", "--resolve")


def test_a_name_that_does_not_resolve_here_is_not_the_proxy(roots: Path, genuine: Running) -> None:
    asked: list[Address] = []
    with socks_proxy({(NAME, 443): genuine}, asked) as proxy:
        assessment, seen = one(look(roots, f"socks5://{HOST}:{proxy.port}"))
    assert asked == []
    assert (assessment.rule, seen.stage, seen.address_source) == ("dns", "dns", "dns")


def test_the_next_address_is_asked_for_where_one_is_out_of_reach(roots: Path, genuine: Running) -> None:
    asked: list[Address] = []
    with socks_proxy({("127.0.0.9", 443): genuine}, asked) as proxy:
        where = [f"{NAME}:443:127.0.0.8,127.0.0.9"]
        assessment, _ = one(look(roots, f"socks5://{HOST}:{proxy.port}", resolve=where))
    assert asked == [("127.0.0.8", 443), ("127.0.0.9", 443)]
    assert assessment.verdict == "genuine"


def test_a_fetch_by_socks5_leads_nowhere_private(genuine: Running) -> None:
    asked: list[Address] = []
    with socks_proxy({(HOST, 443): genuine}, asked) as proxy:
        routing = Routing(fixed=read_proxy(f"socks5://{HOST}:{proxy.port}", "--proxy"))
        fetcher = Fetcher(Settings(), routing, lambda _: False)
        got = asyncio.run(fetcher.get(f"https://{HOST}/x", "crl", proven=True))
        assert got.fetch.outcome is FetchOutcome.FORBIDDEN_ADDRESS
        # Through a proxy that resolves itself, only the allow-list counts.
        routing = Routing(fixed=read_proxy(f"socks5h://{HOST}:{proxy.port}", "--proxy"))
        got = asyncio.run(Fetcher(Settings(), routing, lambda _: False).get("https://a.test/x", "crl", proven=True))
        assert got.fetch.outcome is FetchOutcome.FORBIDDEN_HOST
    assert asked == []


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "verdict", "reason", "words"),
    [
        (1, "unreachable", "proxy-upstream-failed", "general failure"),
        (2, "blocked", "proxy-denied", "refuses"),
        (3, "unreachable", "proxy-upstream-failed", "network unreachable"),
        (4, "unreachable", "proxy-upstream-failed", "host unreachable"),
        (5, "unreachable", "proxy-upstream-failed", "connection refused"),
        (8, "unreachable", "proxy-upstream-failed", "address type"),
        (99, "unreachable", "proxy-upstream-failed", "reply 99"),
    ],
)
def test_what_a_socks_proxy_refuses_with(roots: Path, code: int, verdict: str, reason: str, words: str) -> None:
    with socks_proxy({}, [], reply=code) as proxy:
        assessment, seen = one(look(roots, f"socks5h://{HOST}:{proxy.port}"))
    assert assessment.verdict == verdict
    assert seen.failure is not None
    assert (seen.failure.stage, seen.failure.reason) == ("proxy", reason)
    assert seen.proxy is not None
    assert seen.proxy.status == code
    assert words in assessment.explanation


@pytest.mark.parametrize("url", ["socks5h://{}", f"socks5h://{USER}:wrong@{{}}"])
def test_a_socks_proxy_that_asks_for_other_credentials(roots: Path, url: str) -> None:
    with socks_proxy({}, [], credentials=CREDENTIALS) as proxy:
        assessment, _ = one(look(roots, url.format(f"{HOST}:{proxy.port}")))
    assert (assessment.verdict, assessment.rule) == ("blocked", "proxy-auth")
    assert "proxy-auth-required" in codes(assessment)


@pytest.mark.parametrize("kind", ["silent", "random-garbage", "plain-http"])
@pytest.mark.parametrize("scheme", ["https", "socks5h"])
def test_what_is_no_proxy_of_that_kind(roots: Path, scheme: str, kind: str) -> None:
    with fault(kind) as peer:
        assessment, seen = one(look(roots, f"{scheme}://{HOST}:{peer.port}", timeout=1.0))
    assert (assessment.verdict, assessment.rule) == ("unreachable", "proxy")
    assert seen.failure is not None
    assert seen.failure.stage == "proxy"
    assert seen.tls is None, "what the proxy says is never the endpoint's"
    if kind != "silent":
        assert seen.failure.reason == ("proxy-tls" if scheme == "https" else "proxy-not-socks")


def _ends(peer: Peer) -> None:
    """Ends its own session in the orderly way, and goes on to hold the connection."""
    assert isinstance(peer.socket, ssl.SSLSocket)
    peer.socket.settimeout(0.2)
    with contextlib.suppress(OSError):
        peer.socket.unwrap()
    peer.hold()


AFTER_200: dict[str, Callable[[Peer], None]] = {
    "resets": lambda peer: peer.reset(),
    "ends-its-session": _ends,
    "says-html": lambda peer: peer.send(b"<html>no</html>" * 10),
    "says-http": lambda peer: peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "floods": lambda peer: peer.send((b"\x16\x03\x03\x40\x00" + bytes(0x4000)) * 500),
    "is-silent": lambda peer: peer.hold(),
}


@pytest.mark.parametrize("what", AFTER_200)
def test_a_proxy_over_tls_that_does_something_else_than_it_said(roots: Path, company: pki.Authority, what: str) -> None:
    """Whatever it does inside its own session: no certificate of its own is ever the endpoint's."""
    context = server_context(company.issue([HOST]))

    def handle(peer: Peer) -> None:
        peer.peek_hello()
        peer.wrap(context)
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        AFTER_200[what](peer)

    with serving(handle) as proxy:
        assessment, seen = one(look(roots, f"https://{HOST}:{proxy.port}", timeout=2.0))
    assert assessment.verdict in ("unreachable", "blocked")
    assert seen.tls is None or not seen.tls.chain
    # A reset may overtake what was said before it.
    assert len(seen.proxy.chain) == 1 if seen.proxy is not None else what == "resets"
    assert seen.failure is not None
    assert seen.failure.reason is not Reason.INTERNAL
    assert (what == "says-http") is (assessment.rule == "block-page")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\x05"],
        [b"\x05\x00", b"\x05\x00\x00\x03\xff"],
        [b"\x05\x00", b"\x05\x00\x00\x01\0\0\0\0\0\0HTTP/1.1 403 Forbidden\r\n\r\n"],
        [b"\x05\x00\x05\x00\x00\x01\0\0\0\0\0\0"],
        [b"\x00" * 100_000],
        [b"\x05" * 100_000],
    ],
)
def test_a_socks_proxy_that_says_anything(roots: Path, pieces: list[bytes]) -> None:
    def handle(peer: Peer) -> None:
        for piece in pieces:
            peer.receive()
            peer.send(piece)
        peer.hold()

    with serving(handle) as proxy:
        assessment, seen = one(look(roots, f"socks5h://{HOST}:{proxy.port}", timeout=1.0))
    assert assessment.verdict in ("unreachable", "blocked")
    assert seen.tls is None or not seen.tls.chain
    assert seen.failure is not None
    assert seen.failure.reason is not Reason.INTERNAL


# -- credentials -------------------------------------------------------------------------------------------------------


def test_credentials_a_socks_proxy_accepts_are_a_problem_for_googles_client(roots: Path, genuine: Running) -> None:
    with socks_proxy({(NAME, 443): genuine}, [], credentials=CREDENTIALS) as proxy:
        assessment, seen = one(look(roots, f"socks5h://{CREDENTIALS}@{HOST}:{proxy.port}"))
    assert assessment.verdict == "genuine"
    (finding,) = (f for f in assessment.findings if f.code == "proxy-authenticated")
    assert finding.severity == "medium"
    assert seen.proxy is not None
    assert seen.proxy.schemes == ("username/password",)


@pytest.mark.usefixtures("trusted")
def test_an_https_proxy_that_is_trusted_gets_its_credentials(
    roots: Path, genuine: Running, company: pki.Authority
) -> None:
    issued = company.issue([PROXY_NAME])
    with https_proxy({(NAME, 443): genuine}, issued, credentials=CREDENTIALS) as proxy:
        where = [f"{PROXY_NAME}:8443:{HOST}:{proxy.port}"]
        assessment, seen = one(look(roots, f"https://{CREDENTIALS}@{PROXY_NAME}:8443", resolve=where))
        assert [request.header("Proxy-Authorization") is not None for request in proxy.requests] == [False, True]
    assert assessment.verdict == "genuine"
    assert "proxy-authenticated" in codes(assessment)
    assert seen.proxy is not None
    assert seen.proxy.chain == issued.ders
    assert seen.proxy.distrust == ""


@pytest.mark.parametrize("case", ["stranger", "another-name", "expired", "not-for-servers"])
def test_an_https_proxy_that_is_not_trusted_gets_none(
    roots: Path,
    genuine: Running,
    company: pki.Authority,
    case: str,
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("untrusted" if case == "stranger" else "trusted")
    issued = company.issue(["another.acme.test" if case == "another-name" else PROXY_NAME])
    if case == "expired":
        past = replace(company, now=datetime.now(UTC) - timedelta(days=3000))
        issued = past.issue([PROXY_NAME])
    if case == "not-for-servers":
        issued = _for_clients(company)
    places = {(NAME, 443): genuine, (NAME, 80): genuine}
    with https_proxy(places, issued, credentials=CREDENTIALS) as proxy:
        where = [f"{PROXY_NAME}:8443:{HOST}:{proxy.port}"]
        url = f"https://{CREDENTIALS}@{PROXY_NAME}:8443"
        report = look(roots, url, NAME, f"http://{NAME}/", resolve=where)
        routing = Routing(fixed=read_proxy(url, "--proxy"))
        settings = Settings(resolved={(PROXY_NAME, 8443): [(HOST, proxy.port)]})
        got = asyncio.run(Fetcher(settings, routing, lambda _: True).get(f"http://{NAME}/", "crl", proven=True))
        assert len(proxy.requests) >= 3
        assert [r for r in proxy.requests if r.header("Proxy-Authorization") is not None] == []
    assessment, seen = one(report)
    assert (assessment.verdict, assessment.rule) == ("blocked", "proxy-auth")
    assert {"proxy-not-verified", "proxy-auth-required"} <= codes(assessment)
    assert seen.proxy is not None
    assert seen.proxy.distrust
    assert got.fetch.outcome is FetchOutcome.PROXY
    assert "no credentials" in got.fetch.detail


def test_what_an_interceptor_says_inside_holds_no_credentials(roots: Path, company: pki.Authority) -> None:
    """It was given them to make a way, and knows them when it answers for the host."""
    said = [("Server", CREDENTIALS), ("Via", f"1.1 {PASSWORD}"), ("Location", f"http://block.test/?p={PASSWORD}")]
    with contextlib.ExitStack() as stack:
        inside = stack.enter_context(tls_server(company.issue([NAME]), http_status=302, headers=said))
        proxy = stack.enter_context(fault("proxy-407-basic", resolve={(NAME, 443): inside}, credentials=CREDENTIALS))
        assessment, seen = one(look(roots, f"http://{CREDENTIALS}@{HOST}:{proxy.port}"))
    assert assessment.verdict == "intercepted"
    assert seen.http is not None
    assert (seen.http.server, seen.http.via, seen.http.location) == ("…", "1.1 …", "http://block.test/?p=…")
    assert seen.http.date is not None


@pytest.mark.usefixtures("trusted")
def test_every_connection_to_an_https_proxy_must_be_to_it(roots: Path, company: pki.Authority) -> None:
    """It is itself when it asks for credentials, and somebody else when it would get them."""
    itself = server_context(company.issue([PROXY_NAME]))
    stranger = server_context(pki.self_signed(PROXY_NAME, datetime.now(UTC)))

    def handle(peer: Peer) -> None:
        peer.wrap(itself if peer.number % 2 else stranger)
        peer.receive_head()
        peer.send(ASKING)

    with serving(handle) as proxy:
        where = {(PROXY_NAME, 8443): [(HOST, proxy.port)]}
        url = f"https://{CREDENTIALS}@{PROXY_NAME}:8443"
        assessment, seen = one(look(roots, url, resolve=[f"{PROXY_NAME}:8443:{HOST}:{proxy.port}"]))
        assert proxy.connections == 2
        row = f"http://{NAME}/"
        look(roots, url, row, resolve=[f"{PROXY_NAME}:8443:{HOST}:{proxy.port}"])
        assert proxy.connections == 4
        fetcher = Fetcher(Settings(resolved=where), Routing(fixed=read_proxy(url, "--proxy")), lambda _: True)
        fetches = [asyncio.run(fetcher.get(f"{s}://{NAME}/", "crl", proven=True)).fetch for s in ("http", "https")]
        assert proxy.connections == 8
        assert {r.header("Proxy-Authorization") for r in proxy.requests} == {None}
    assert (assessment.verdict, assessment.rule) == ("blocked", "proxy-auth")
    assert seen.proxy is not None
    assert "not trusted" in seen.proxy.distrust
    assert seen.proxy.chain != company.issue([PROXY_NAME]).ders
    assert ["no credentials" in fetch.detail for fetch in fetches] == [True, True]


def test_what_is_behind_a_socks_proxy_gets_no_credentials_of_it(roots: Path) -> None:
    """They would go in clear text to whoever answers for the host on port 80."""

    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(ASKING)

    asked: list[Address] = []
    with serving(handle) as origin, socks_proxy({(NAME, 80): origin}, asked, credentials=CREDENTIALS) as proxy:
        url = f"socks5h://{CREDENTIALS}@{HOST}:{proxy.port}"
        (row,) = look(roots, url, f"http://{NAME}/").reachability
        fetcher = Fetcher(Settings(), Routing(fixed=read_proxy(url, "--proxy")), lambda _: True)
        asyncio.run(fetcher.get(f"http://{NAME}/", "crl", proven=True))
        assert asked == [(NAME, 80)] * 2
        assert [r.header("Proxy-Authorization") for r in origin.requests] == [None, None]
    assert row.status == 407


@pytest.mark.parametrize("chain", [(), (b"",), (b"junk",), (b"\x30\x03\x02\x01\x01",)])
def test_what_cannot_be_read_is_not_trusted(chain: tuple[bytes, ...]) -> None:
    assert distrust(chain, PROXY_NAME)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("purpose", "said"), [(None, ""), ("SERVER_AUTH", ""), ("EMAIL_PROTECTION", "not for servers")]
)
def test_an_authority_for_e_mail_makes_no_servers(company: pki.Authority, purpose: str | None, said: str) -> None:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    usage = [(x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, purpose)]), False)] if purpose else []
    below = company.subordinate(pki.name((NameOID.COMMON_NAME, "Acme below")), add=usage)
    why_not = distrust(below.issue([PROXY_NAME]).ders, PROXY_NAME)
    assert why_not.endswith(said)
    assert bool(why_not) == bool(said)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_roots_that_are_a_pipe_hold_nobody_up(
    roots: Path, company: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "roots.pem"
    os.mkfifo(pipe)
    monkeypatch.setenv("SSL_CERT_FILE", str(pipe))
    with https_proxy({}, company.issue([PROXY_NAME]), credentials=CREDENTIALS) as proxy:
        where = [f"{PROXY_NAME}:8443:{HOST}:{proxy.port}"]
        assessment, _ = one(look(roots, f"https://{CREDENTIALS}@{PROXY_NAME}:8443", resolve=where))
        assert {r.header("Proxy-Authorization") for r in proxy.requests} == {None}
    assert (assessment.verdict, assessment.rule) == ("blocked", "proxy-auth")
    assert "proxy-not-verified" in codes(assessment)


def test_roots_that_are_never_read_to_their_end_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of roots may hold a pipe too: only a limit helps."""
    never = threading.Event()
    monkeypatch.setattr(systemtrust, "distrust", lambda *_: str(never.wait(30)))
    monkeypatch.setattr(systemtrust, "SECONDS", 0.1)
    assert "within 0.1 s" in asyncio.run(systemtrust.distrusted((b"",), PROXY_NAME))
    never.set()


def _for_clients(company: pki.Authority) -> pki.Issued:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID

    model = company.issue([PROXY_NAME])
    leaf = model.certificate
    builder = x509.CertificateBuilder(
        leaf.issuer,
        leaf.subject,
        leaf.public_key(),
        leaf.serial_number,
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(PROXY_NAME)]), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    made = builder.sign(company.key, SHA256())
    return replace(model, certificate=made, chain=(made, *model.chain[1:]))


@pytest.mark.parametrize("kind", ["http", "socks5h"])
@pytest.mark.parametrize("given", [True, False])
def test_credentials_that_are_wrong_are_not_missing(roots: Path, kind: str, given: bool) -> None:
    asking = fault("proxy-407-one-header") if kind == "http" else socks_proxy({}, [], credentials="someone:else")
    with asking as proxy:
        url = f"{kind}://{CREDENTIALS + '@' if given else ''}{HOST}:{proxy.port}"
        assessment, seen = one(look(roots, url))
        routing = Routing(fixed=read_proxy(url, "--proxy"))
        fetch = asyncio.run(
            Fetcher(Settings(), routing, lambda _: True).get(f"http://{NAME}/", "crl", proven=True)
        ).fetch
    assert (assessment.verdict, assessment.rule) == ("blocked", "proxy-auth")
    assert seen.proxy is not None
    assert seen.proxy.refused is given
    assert ("did not accept those it got" in assessment.explanation) is given
    assert fetch.outcome is FetchOutcome.PROXY
    assert kind != "http" or ("does not accept" in fetch.detail) is given


def test_google_s_client_fails_where_credentials_were_needed(roots: Path, google: pki.GoogleLike) -> None:
    hosts = ("www.googleapis.com", "oauth2.googleapis.com", "www.google.com", "mail.google.com")
    with tls_server(google.we2.issue(list(hosts))) as server:
        places = {(host, 443): server for host in hosts}
        with fault("proxy-407-basic", resolve=places, credentials=CREDENTIALS) as proxy:
            url = f"http://{CREDENTIALS}@{HOST}:{proxy.port}"
            report = execute(prepare(profile="gwsmo", trust=roots, proxy=url, timeout=TIMEOUT, offline=True))
        with honest_proxy(places) as open_proxy:
            open_one = f"http://{HOST}:{open_proxy.port}"
            other = execute(prepare(profile="gwsmo", trust=roots, proxy=open_one, timeout=TIMEOUT, offline=True))
    assert {a.verdict for a in report.assessments} == {"genuine"}
    (said,) = (c for c in report.conclusions if c.code == "authenticated-proxy")
    assert (said.severity, said.values["n"]) == ("high", "4")
    assert "authenticated-proxy" not in {c.code for c in other.conclusions}
    assert said.sentence in report.ticket, "somebody has to let them pass"


# -- one way after the other -------------------------------------------------------------------------------------------


class Said:
    """A script that always says the same."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    async def ways(self, _host: str, _tls: bool) -> Ways:
        return self._ways

    def ways_now(self, _host: str, _tls: bool) -> Ways:
        return self._ways

    def close(self) -> None: ...


def script(tmp_path: Path, answer: str) -> str:
    path = tmp_path / "proxy.pac"
    path.write_text(f'function FindProxyForURL(url, host) {{ return "{answer}"; }}')
    return f"pac:{path}"


def test_what_a_dead_proxy_leaves(roots: Path, genuine: Running, tmp_path: Path) -> None:
    where = [f"{NAME}:443:{HOST}:{genuine.port}"]
    with fault(NOTHING_LISTENING) as dead:
        answer = f"PROXY {HOST}:{dead.port}; SOCKS4 {HOST}:1; PROXY nowhere.invalid:1; DIRECT"
        assessment, seen = one(look(roots, script(tmp_path, answer), resolve=where))
    assert assessment.verdict == "genuine"
    assert assessment.route.proxy is None
    assert assessment.route.origin.startswith("PAC ")
    assert seen.passed_over == (
        PassedOver(f"http://{HOST}:{dead.port}", Reason.REFUSED),
        PassedOver(f"socks4://{HOST}:1", Reason.PROXY_UNSUPPORTED),
        PassedOver("http://nowhere.invalid:1", Reason.NAME_NOT_FOUND),
    )
    (finding,) = (f for f in assessment.findings if f.code == "proxy-passed-over")
    assert finding.severity == "low"
    assert f":{dead.port} (connection refused)" in finding.sentence


def test_the_first_that_listens_is_taken_whatever_it_says(roots: Path, genuine: Running, tmp_path: Path) -> None:
    """A refusal is an answer: no client goes on to the next proxy after one."""
    with fault("proxy-403") as refusing, honest_proxy({(NAME, 443): genuine}) as second:
        answer = f"PROXY {HOST}:{refusing.port}; PROXY {HOST}:{second.port}"
        assessment, seen = one(look(roots, script(tmp_path, answer)))
        assert second.connections == 0
    assert (assessment.verdict, seen.passed_over) == ("blocked", ())


def test_the_last_way_says_why_there_is_none(roots: Path, tmp_path: Path) -> None:
    with fault(NOTHING_LISTENING) as dead:
        answer = f"PROXY {HOST}:{dead.port}; PROXY gone.invalid:1"
        assessment, seen = one(look(roots, script(tmp_path, answer)))
    assert (assessment.verdict, assessment.rule) == ("unreachable", "proxy")
    assert assessment.route.proxy == "http://gone.invalid:1"
    assert [each.way for each in seen.passed_over] == [f"http://{HOST}:{dead.port}"]


def test_direct_may_come_first(roots: Path, genuine: Running, tmp_path: Path) -> None:
    with honest_proxy({(NAME, 443): genuine}) as proxy:
        assessment, seen = one(look(roots, script(tmp_path, f"DIRECT; PROXY {HOST}:{proxy.port}")))
    assert assessment.verdict == "genuine"
    assert seen.passed_over == (PassedOver("direct", Reason.NAME_NOT_FOUND),)


def test_port_80_and_fetches_go_on_too() -> None:
    def plain(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0ok")

    with serving(plain) as origin, fault(NOTHING_LISTENING) as dead:
        gone = read_proxy(f"http://{HOST}:{dead.port}", "PAC")
        routing = Routing(script=Said(Ways((gone, None), "PAC")))
        settings = Settings(resolved={(NAME, 80): [(HOST, origin.port)]})
        fetcher = Fetcher(settings, routing, lambda _: True, limits=Limits(seconds=3))

        async def twice() -> list[FetchOutcome]:
            return [(await fetcher.get(f"http://{NAME}/{n}", "crl", proven=True)).fetch.outcome for n in range(2)]

        assert asyncio.run(twice()) == [FetchOutcome.FETCHED] * 2


def test_a_silent_proxy_leaves_time_for_the_next(roots: Path, genuine: Running, tmp_path: Path) -> None:
    """A listener that never accepts: its queue is full, so a connection is neither made nor refused."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((HOST, 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        answer = f"PROXY {HOST}:{full.getsockname()[1]}; DIRECT"
        where = [f"{NAME}:443:{HOST}:{genuine.port}"]
        assessment, seen = one(look(roots, script(tmp_path, answer), resolve=where))
    assert assessment.verdict == "genuine"
    assert [each.reason for each in seen.passed_over] == ["timeout"]


# -- scripts that fail -------------------------------------------------------------------------------------------------


def test_a_script_that_fails_for_a_host_costs_that_host_alone(
    roots: Path, google: pki.GoogleLike, tmp_path: Path
) -> None:
    path = tmp_path / "proxy.pac"
    path.write_text(
        'function FindProxyForURL(url, host) { if (host == "mail.google.com") throw "no"; return "DIRECT"; }'
    )
    with tls_server(google.we2.issue([NAME, "www.google.com"])) as server:
        where = [f"{host}:443:{HOST}:{server.port}" for host in (NAME, "www.google.com")]
        report = look(roots, f"pac:{path}", NAME, "www.google.com", resolve=where)
        assert server.connections == 1
    failed, fine = report.assessments
    assert (failed.verdict, failed.rule, fine.verdict) == ("unreachable", "proxy", "genuine")
    assert failed.observations[0].failure is not None
    assert failed.observations[0].failure.reason == "proxy-script"
    assert failed.explanation.startswith("The proxy script gives no tunnel to mail.google.com")
    assert "script" in failed.remedy


def test_a_kind_of_proxy_that_is_not_spoken_here_is_said(roots: Path, tmp_path: Path) -> None:
    with socks_proxy({}, []) as proxy:
        assessment, seen = one(look(roots, script(tmp_path, f"SOCKS4 {HOST}:{proxy.port}")))
        assert proxy.connections == 0
    assert (assessment.verdict, assessment.rule) == ("unreachable", "proxy")
    assert seen.failure is not None
    assert (seen.failure.stage, seen.failure.reason) == ("proxy", "proxy-unsupported")
    assert "SOCKS5" in assessment.remedy


def test_what_is_said_of_the_system_s_settings(roots: Path, genuine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with honest_proxy({(NAME, 443): genuine}) as proxy:
        found = (
            ProxySettings(WINHTTP, {True: f"http://{HOST}:{proxy.port}"}),
            ProxySettings(WININET, {}, (), "http://127.0.0.1:9/x.pac", True),
        )
        monkeypatch.setattr(systemproxy, "read", lambda: found)
        report = look(roots, "auto")
    assert report.assessments[0].verdict == "genuine"
    assert report.assessments[0].route.origin == "WinHTTP"
    said = {c.code: c.sentence for c in report.conclusions}
    assert {"proxy-settings-differ", "proxy-autodetect"} <= set(said)
    assert "unknown" not in said["proxy-settings-differ"] + said["proxy-autodetect"]
    with fault(NOTHING_LISTENING) as gone:
        script_url = f"http://{HOST}:{gone.port}/x.pac"
        monkeypatch.setattr(systemproxy, "read", lambda: (ProxySettings(WININET, {}, (), script_url),))
        report = look(roots, "auto", resolve=[f"{NAME}:443:{HOST}:{genuine.port}"])
    assert report.assessments[0].verdict == "genuine"
    (said_of_script,) = (c for c in report.conclusions if c.code == "proxy-script-unavailable")
    assert said_of_script.severity == "medium"


@pytest.mark.parametrize("source", ["", "var a = 1;", "this is no script", "throw 1"])
def test_a_script_named_by_the_user_must_be_one(tmp_path: Path, source: str) -> None:
    path = tmp_path / "proxy.pac"
    path.write_text(source)
    with pytest.raises(UsageError, match="pac") as caught:
        prepare([NAME], proxy=f"pac:{path}")
    assert len(str(caught.value).splitlines()) == 1
