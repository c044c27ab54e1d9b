"""Everything a peer or a proxy can do wrong: what is said of it, in time, and with nothing else lost."""

import base64
import contextlib
import itertools
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

import tlsinspect
from tests.conftest import ROOT
from tests.faults import (
    ENDPOINT_FAULTS,
    ESTABLISHED,
    HOST,
    NOTHING_LISTENING,
    PROXY_FAULTS,
    Handler,
    Peer,
    Running,
    fault,
    honest_proxy,
    server_context,
    serving,
    tls_server,
)
from tlsinspect.conductor import Run, execute, prepare, scan
from tlsinspect.endpoints.target import read_target
from tlsinspect.errors import UsageError
from tlsinspect.lab.pki import Authority, GoogleLike, Issued, google_like, name, plain_corporate
from tlsinspect.model import Assessment, Observation, Reach, Reachability, Reason, Report, Stage, Verdict
from tlsinspect.observe.route import read_proxy
from tlsinspect.report.as_json import document
from tlsinspect.trust import Trust

TIMEOUT = 1.4  # seconds for an attempt, unless a test is about something else
GRACE = 1.5  # what a scan may take beyond its deadline on a busy machine
GENUINE = "www.googleapis.com"
OTHER = "mail.google.com"
Address = tuple[str, int]
Places = Mapping[str, Address | None]
"""What is typed, and where it really is; None where only a proxy knows."""


# --- a laboratory whose keys are Google's ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Lab:
    """Authorities that are Google's to `trust`, and one that is a public root to it. Unlike a stand-in for Google they
    leave nothing to assume, so that what is certain comes out as certain."""

    google: GoogleLike
    public: Authority
    trust: Trust
    now: datetime


def _root(root: x509.Certificate) -> str:
    """Its row in google_roots.toml, as a key of Google's own."""
    key = root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return (
        f'[[root]]\nsubject = "{root.subject.rfc4514_string()}"\nsha256 = "{root.fingerprint(SHA256()).hex()}"\n'
        f'spki_sha256 = "{sha256(key).hexdigest()}"\nnot_after = {root.not_valid_after_utc.isoformat()}\n'
        'tier = "google"\npublished_in = []\n'
    )


def make_lab(folder: Path) -> Lab:
    now = datetime.now(UTC)
    google = google_like(now, days=120, backdated=timedelta(days=400))
    public = Authority.root(name((NameOID.ORGANIZATION_NAME, "Lab"), (NameOID.COMMON_NAME, "Lab Public Root")), now)
    manifest = tomllib.loads((ROOT / "trust" / "MANIFEST.toml").read_text())
    files = {row["path"]: (ROOT / "trust" / row["path"]).read_bytes() for row in manifest.pop("file")}
    # What is really Google's steps aside for the laboratory's own.
    others = files["google_roots.toml"].replace(b'tier = "google"', b'tier = "alternate"')
    files["google_roots.toml"] = others + "".join(_root(root) for root in google.roots).encode()
    files["google_roots.pem"] += google.roots_pem
    files["public_roots.pem"] = public.pem
    day = (now - timedelta(days=10)).date()
    # No age of the shipped data may ever change what these tests see.
    manifest |= {"name": "lab", "date": day, "built": day, "warn_after_days": 9999, "limit_days": 9999}
    lines = [f"{key} = {json.dumps(value) if isinstance(value, str) else value}" for key, value in manifest.items()]
    for path, content in files.items():
        (folder / path).write_bytes(content)
        count = len(re.findall(rb"^(?:-----BEGIN CERTIFICATE|\[\[)", content, re.MULTILINE))
        lines += ["[[file]]", f'path = "{path}"', f'sha256 = "{sha256(content).hexdigest()}"', f"count = {count}"]
    (folder / "MANIFEST.toml").write_text("\n".join(lines))
    return Lab(google, public, Trust.load(folder), now)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def genuine(lab: Lab) -> Iterator[Running]:
    """A host that nothing is wrong with."""
    with tls_server(lab.google.we2.issue(["*.googleapis.com"])) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that forgets to say where a host is must not ask the network."""
    real = socket.getaddrinfo

    def numbers_only(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        try:
            return real(host, port, *more, **{**options, "flags": socket.AI_NUMERICHOST})
        except socket.gaierror:
            raise socket.gaierror(socket.EAI_NONAME, "no such name") from None

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


# --- scanning -------------------------------------------------------------------------------------------------------


def resolve(places: Places) -> list[str]:
    found = []
    for typed, address in places.items():
        if address is not None:
            target = read_target(typed)
            found.append(f"{target.host}:{target.port}:{address[0]}:{address[1]}")
    return found


def plan(lab: Lab, places: Places, **options: Any) -> Run:
    options = {"proxy": "none", "timeout": TIMEOUT, "offline": True, **options}
    return prepare(list(places), trust=lab.trust, resolve=resolve(places), **options)


def look(lab: Lab, places: Places, **options: Any) -> Report:
    """Scan, as anybody would; the report is checked for what must hold of every report."""
    options = {"proxy": "none", "timeout": TIMEOUT, "offline": True, **options}
    report = scan(list(places), trust=lab.trust, resolve=resolve(places), **options)
    assert len(report.assessments) + len(report.reachability) == len(places)
    return sound(report)


def test_scan_is_a_function_whatever_was_imported() -> None:
    """Its module has the same name, and importing a module sets it on the package."""
    assert callable(tlsinspect.scan)


def look_once(lab: Lab, places: Places, **options: Any) -> Assessment:
    (assessment,) = look(lab, places, **options).assessments
    return assessment


def sound(report: Report) -> Report:
    """What no network may break."""
    assert not report.interrupted
    assert json.loads(document(report))["schema_version"] == 1
    for assessment in report.assessments:
        assert assessment.observations
        assert assessment.explanation
        for seen in assessment.observations:
            _sound(seen)
        if not any(seen.tls is not None and seen.tls.chain for seen in assessment.observations):
            unseen = {Verdict.CAPTIVE_PORTAL, Verdict.BLOCKED, Verdict.UNREACHABLE, Verdict.INCONCLUSIVE}
            assert assessment.verdict in unseen, "no certificate was seen, so none can be judged"
    return report


def _sound(seen: Observation) -> None:
    if seen.tls is not None and seen.tls.completed:
        assert seen.tls.chain
    if seen.failure is None:
        assert seen.tls is not None
        assert seen.tls.completed
        return
    failure = seen.failure
    assert failure.reason is not Reason.INTERNAL, failure.detail
    assert failure.stage is seen.stage
    if failure.reason in (Reason.REFUSED, Reason.NO_ROUTE):
        assert failure.stage in (Stage.TCP, Stage.PROXY), "a connection that is refused comes to no handshake"
    if failure.reason in (Reason.NAME_NOT_FOUND, Reason.DNS_FAILED):
        assert failure.stage is Stage.DNS


def by_host(report: Report) -> dict[str, Assessment]:
    return {assessment.endpoint.host: assessment for assessment in report.assessments}


def codes(assessment: Assessment) -> set[str]:
    return {finding.code for finding in assessment.findings}


def seen_of(assessment: Assessment) -> Observation:
    (seen,) = assessment.observations
    return seen


def how(assessment: Assessment) -> tuple[str, str | None, str | None]:
    """Verdict, and where and why the attempt ended."""
    failure = seen_of(assessment).failure
    return (assessment.verdict, failure.stage, failure.reason) if failure else (assessment.verdict, None, None)


@contextlib.contextmanager
def in_time(seconds: float = TIMEOUT) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds + GRACE


# --- the catalogue of faults ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    verdict: str
    stage: str | None = None
    reason: str | None = None
    findings: frozenset[str] = frozenset()


def _expected(verdict: str, stage: str | None = None, reason: str | None = None, *findings: str) -> Expected:
    return Expected(verdict, stage, reason, frozenset(findings))


NOT_ABOUT_FAULTS = {"revocation-not-checked", "sct-absent", "clock-unproven", "alpn-dropped", "local-listener"}

ENDPOINTS: Mapping[str, Expected] = {
    "nothing-listening": _expected("unreachable", "tcp", "refused"),
    "silent": _expected("unreachable", "tls", "timeout"),
    "reset-on-hello": _expected("unreachable", "tls", "reset"),
    "reset-on-accept": _expected("unreachable", "tcp or tls", "reset"),  # whichever end is quicker
    "fin-on-hello": _expected("unreachable", "tls", "closed"),
    "plain-http": _expected("unreachable", "tls", "not-tls"),
    "http-redirect": _expected("captive-portal", "tls", "not-tls"),
    "http-511": _expected("captive-portal", "tls", "not-tls"),
    "http-403": _expected("blocked", "tls", "not-tls"),
    "ssh-banner": _expected("unreachable", "tls", "not-tls"),
    "random-garbage": _expected("unreachable", "tls", "not-tls"),
    "byte-a-second": _expected("unreachable", "tls", "timeout"),
    "endless-handshake": _expected("unreachable", "tls", "tls-error"),
    "endless-hello-requests": _expected("unreachable", "tls", "tls-error"),
    "alert-112": _expected("unreachable", "tls", "alert"),
    "alert-40": _expected("unreachable", "tls", "alert"),
    "close-after-server-hello": _expected("unreachable", "tls", "closed"),
    "reset-on-sni": _expected("blocked", "tls", "reset"),  # the control name passes: somebody refuses this one
    "echo": _expected("unreachable", "tls", "tls-error"),
    # A chain that is Google's and a handshake that fails after it: a replayed chain looks like this.
    "bad-key-exchange": _expected("inconclusive", "tls", "tls-error", "possession-failed"),
    "reset-after-certificate": _expected("inconclusive", "tls", "reset", "possession-failed"),
}
REPLAYS = {"bad-key-exchange", "reset-after-certificate"}

PROXIES: Mapping[str, Expected] = {
    "proxy-407-one-header": _expected("blocked", "proxy", "proxy-auth-required", "proxy-auth-required"),
    "proxy-407-many-headers": _expected("blocked", "proxy", "proxy-auth-required", "proxy-auth-required"),
    "proxy-407-basic": _expected("blocked", "proxy", "proxy-auth-required", "proxy-auth-required"),
    "proxy-401": _expected("blocked", "proxy", "proxy-auth-required", "proxy-auth-required"),
    "proxy-403": _expected("blocked", "proxy", "proxy-denied"),
    "proxy-502": _expected("unreachable", "proxy", "proxy-upstream-failed"),
    "proxy-503": _expected("unreachable", "proxy", "proxy-upstream-failed"),
    # A proxy somebody has chosen is no captive portal; that it refuses is certain, where it sends people to is not.
    "proxy-302": _expected("blocked", "proxy", "proxy-redirect"),
    "proxy-511": _expected("captive-portal", "proxy", "proxy-portal"),
    "proxy-not-http": _expected("unreachable", "proxy", "proxy-not-http"),
    "proxy-html-after-200": _expected(
        "unreachable", "tls", "not-tls"
    ),  # what the page says is text and decides nothing
    "proxy-endless-headers": _expected("unreachable", "proxy", "proxy-answer-too-long"),
    "proxy-2mb-header": _expected("unreachable", "proxy", "proxy-answer-too-long"),
    "proxy-never-answers": _expected("unreachable", "proxy", "timeout"),
    "proxy-byte-a-second": _expected("unreachable", "proxy", "timeout"),
    "proxy-lf-only": _expected("genuine"),
    "proxy-204": _expected("genuine"),
    "proxy-1xx": _expected("genuine"),
    "proxy-reset-on-connect": _expected("unreachable", "proxy", "reset"),
    "proxy-reset-after-connect": _expected("unreachable", "tls", "reset"),
    "proxy-reset-after-tunnel-hello": _expected("unreachable", "tls", "reset"),
}


def test_no_fault_is_left_out() -> None:
    assert set(ENDPOINTS) == set(ENDPOINT_FAULTS)
    assert set(PROXIES) == set(PROXY_FAULTS)


def is_as(expected: Expected, assessment: Assessment) -> None:
    verdict, stage, reason = how(assessment)
    assert (verdict, reason) == (expected.verdict, expected.reason)
    assert stage is expected.stage or (stage or "") in (expected.stage or "").split(" or ")
    assert codes(assessment) - NOT_ABOUT_FAULTS == expected.findings


@pytest.mark.parametrize("kind", ENDPOINT_FAULTS)
def test_an_endpoint_that_misbehaves(lab: Lab, genuine: Running, kind: str) -> None:
    host = f"{kind}.googleapis.com"
    issued = lab.google.wr2.issue([host])
    with fault(kind, names=[host], issued=issued, interval=0.05) as peer, in_time():
        found = by_host(look(lab, {host: peer, GENUINE: genuine}))
    is_as(ENDPOINTS[kind], found[host])
    assert how(found[GENUINE]) == ("genuine", None, None)
    assert found[GENUINE].confidence == "strong"  # alone, it tells the time by itself
    chain = seen_of(found[host]).tls
    if kind in REPLAYS:
        assert found[host].rule == "possession-failed"
        assert chain is not None
        assert chain.chain == issued.ders
        assert not chain.completed
    else:
        assert chain is None or not chain.chain


def test_all_of_them_at_once(lab: Lab, genuine: Running) -> None:
    """One scan of every fault there is: nobody waits for anybody, and nobody's answer is lost."""
    places: dict[str, Address | None] = {GENUINE: genuine}
    with contextlib.ExitStack() as stack:
        for kind in ENDPOINT_FAULTS:
            host = f"{kind}.googleapis.com"
            issued = lab.google.we2.issue([host])
            places[host] = stack.enter_context(fault(kind, names=[host], issued=issued, interval=0.05))
        with in_time(2 * TIMEOUT):
            found = by_host(look(lab, places, timeout=2 * TIMEOUT))
    verdicts = {host: assessment.verdict for host, assessment in found.items()}
    expected = {f"{kind}.googleapis.com": row.verdict for kind, row in ENDPOINTS.items()}
    assert verdicts == {**expected, GENUINE: "genuine"}


@pytest.mark.parametrize("kind", PROXY_FAULTS)
def test_a_proxy_that_misbehaves(lab: Lab, genuine: Running, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    host = f"{kind}.googleapis.com"
    monkeypatch.setenv("no_proxy", GENUINE)  # reached directly, in the same scan
    with fault(kind, resolve={(host, 443): genuine}, interval=0.05) as proxy, in_time():
        monkeypatch.setenv("https_proxy", f"http://{HOST}:{proxy.port}")
        found = by_host(look(lab, {host: None, GENUINE: genuine}, proxy="auto"))
    is_as(PROXIES[kind], found[host])
    assert how(found[GENUINE]) == ("genuine", None, None)
    assert found[host].route.proxy == f"http://{HOST}:{proxy.port}"
    assert found[host].route.origin == "https_proxy"
    assert found[GENUINE].route.proxy is None
    assert {request.line for request in proxy.requests} == {f"CONNECT {host}:443 HTTP/1.1"}


@pytest.mark.parametrize("kind", ["proxy-407-one-header", "proxy-407-many-headers"])
def test_what_a_proxy_asks_for_is_told(lab: Lab, kind: str) -> None:
    with fault(kind) as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{HOST}:{proxy.port}")
    answer = seen_of(found).proxy
    assert answer is not None
    assert (answer.status, answer.schemes) == (407, ("Negotiate", "NTLM", "Digest", "Basic"))
    assert "Negotiate, NTLM, Digest, Basic" in found.explanation


@pytest.mark.parametrize("kind", ["bad-key-exchange", "reset-after-certificate"])
def test_an_interceptor_is_one_though_its_handshake_fails(lab: Lab, kind: str) -> None:
    """Who signed is asked before possession: no failure after a foreign certificate excuses it."""
    issued = plain_corporate(lab.now).issue([GENUINE])
    with fault(kind, issued=issued) as peer:
        found = look_once(lab, {GENUINE: peer})
    assert found.verdict == "intercepted"


def test_a_reset_at_once_is_a_reset_whenever_it_comes(lab: Lab) -> None:
    """It may arrive before anything was sent, or after: that is chance, and must not change what is said of it."""
    with fault("reset-on-accept") as peer:
        places: dict[str, Address | None] = {f"host{n}.googleapis.com": peer for n in range(200)}
        found = look(lab, places, timeout=5).assessments
    assert {how(each) for each in found} <= {("unreachable", stage, "reset") for stage in ("tcp", "tls")}


def test_a_server_that_goes_away_after_the_first_connection(lab: Lab) -> None:
    """The handshake is asked for again, and now nobody listens."""
    listener = socket.create_server((HOST, 0))
    listener.settimeout(10)
    place = (HOST, listener.getsockname()[1])

    def serve() -> None:
        with listener:
            connection = listener.accept()[0]
        with connection:  # nobody can connect again before this one ends
            connection.recv(65536)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    found = look_once(lab, {GENUINE: place})
    thread.join(10)
    assert how(found) in (("unreachable", "tls", "reset"), ("unreachable", "tcp", "refused"))


# --- filters that act on the server name ----------------------------------------------------------------------------


def test_a_filter_on_the_name_is_told_from_a_dead_server(lab: Lab) -> None:
    issued = lab.google.we2.issue([GENUINE])
    with fault("reset-on-sni", names=[GENUINE], issued=issued) as peer:
        filtered = look_once(lab, {GENUINE: peer})
    with fault("reset-on-hello") as dead:
        unreachable = look_once(lab, {GENUINE: dead})
    assert (filtered.verdict, filtered.rule, filtered.confidence) == ("blocked", "filtered", "strong")
    assert seen_of(filtered).control is True
    assert peer.server_names[:-1] == [GENUINE] * (len(peer.server_names) - 1)
    assert peer.server_names[-1] not in (GENUINE, None)
    assert [each.outcome for each in seen_of(filtered).hellos] == ["reset", "reset"]
    assert (unreachable.verdict, unreachable.rule) == ("unreachable", "tls")
    assert seen_of(unreachable).control is False


def test_other_names_on_a_filtered_network_pass(lab: Lab) -> None:
    issued = lab.google.we2.issue([GENUINE, OTHER])
    with fault("reset-on-sni", names=[GENUINE], issued=issued) as peer:
        found = by_host(look(lab, {GENUINE: peer, OTHER: peer}))
    assert (found[GENUINE].verdict, found[OTHER].verdict) == ("blocked", "genuine")


@pytest.mark.parametrize(
    ("kind", "verdict"), [("reset-on-sni", "blocked"), ("reset-on-hello", "unreachable"), ("silent", "unreachable")]
)
def test_a_filter_behind_a_proxy(lab: Lab, kind: str, verdict: str) -> None:
    issued = lab.google.we2.issue([GENUINE])
    with fault(kind, names=[GENUINE], issued=issued) as peer, honest_proxy({(GENUINE, 443): peer}) as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{HOST}:{proxy.port}")
    assert found.verdict == verdict
    # The control name goes to the same address: the proxy is asked for the host itself.
    assert {request.target for request in proxy.requests} == {f"{GENUINE}:443"}


def test_an_address_has_no_name_that_could_be_filtered(lab: Lab) -> None:
    with fault("reset-on-hello") as peer:
        found = look_once(lab, {f"{HOST}:{peer.port}": peer})
    assert how(found) == ("unreachable", "tls", "reset")
    assert seen_of(found).control is None
    assert set(peer.server_names) == {None}


# --- answers that depend on the hello -------------------------------------------------------------------------------


def small_hellos_only(issued: Issued, refuse: Callable[[Peer], None]) -> Handler:
    """Like a middlebox that reads one segment: a hello with a post-quantum share is too large for it."""
    context = server_context(issued)

    def handle(peer: Peer) -> None:
        if len(peer.peek_hello()) > 700:
            refuse(peer)
            return
        peer.wrap(context)
        peer.receive_head()
        peer.answer(b"HTTP/1.1 200 OK\r\n\r\n")

    return handle


@pytest.mark.parametrize("refuse", [Peer.reset, Peer.take_hello, Peer.hold], ids=["reset", "close", "drop"])
def test_a_large_hello_that_dies_is_followed_by_a_small_one(lab: Lab, refuse: Callable[[Peer], None]) -> None:
    issued = lab.google.we2.issue([GENUINE])
    with serving(small_hellos_only(issued, refuse)) as peer, in_time(2):
        found = look_once(lab, {GENUINE: peer}, timeout=2)
    assert found.verdict == "genuine"
    assert "hello-dependent" in codes(found)
    tls = seen_of(found).tls
    assert tls is not None
    assert (tls.hello, tls.chain) == ("small", issued.ders)
    assert [each.hello for each in seen_of(found).hellos] == ["large"]


def test_a_slow_moment_of_an_honest_server_proves_no_device(lab: Lab) -> None:
    """The first try dies whatever its hello; nothing on the way looked at it."""
    context = server_context(lab.google.we2.issue([GENUINE]))

    def handle(peer: Peer) -> None:
        if peer.number == 1:
            peer.hold()
        peer.wrap(context)
        peer.receive_head()
        peer.answer(b"HTTP/1.1 200 OK\r\n\r\n")

    with serving(handle) as peer, in_time(2):
        found = look_once(lab, {GENUINE: peer}, timeout=2)
    assert found.verdict == "genuine"
    assert [f.kind for f in found.findings if f.code == "hello-dependent"] == ["hint"]


def test_a_server_that_takes_any_hello_depends_on_none(lab: Lab, genuine: Running) -> None:
    found = look_once(lab, {GENUINE: genuine})
    assert not codes(found) & {"hello-dependent", "tls-downgraded"}
    assert seen_of(found).hellos == ()


def test_a_server_of_another_age(lab: Lab) -> None:
    """TLS 1.0 is no longer offered at first; a server that has nothing else is asked once more, in its own way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = ssl.TLSVersion.TLSv1
        if not ssl.HAS_TLSv1:
            pytest.skip("this Python cannot serve TLS 1.0")
        server = tls_server(lab.google.wr2.issue([GENUINE]), tls_min=old, tls_max=old)
        with server as peer:
            found = look_once(lab, {GENUINE: peer})
    assert found.verdict == "genuine"
    assert "tls-downgraded" in codes(found)
    tls = seen_of(found).tls
    assert tls is not None
    assert (tls.protocol, tls.hello) == ("TLSv1", "legacy")
    # No device on the way is needed to explain that a server of TLS 1.0 refuses a hello without it.
    assert "hello-dependent" not in codes(found)


# --- addresses ------------------------------------------------------------------------------------------------------


def test_a_dead_family_beside_a_living_one(lab: Lab, genuine: Running) -> None:
    report = scan(
        [GENUINE],
        trust=lab.trust,
        proxy="none",
        resolve=[f"{GENUINE}:443:[::1],{HOST}:{genuine.port}"],
        timeout=TIMEOUT,
        offline=True,
    )
    (found,) = sound(report).assessments
    seen = seen_of(found)
    assert (found.verdict, seen.address) == ("genuine", HOST)
    assert seen.addresses == ("::1", HOST)
    outcomes = {each.address: each.outcome for each in seen.connections}
    assert outcomes[HOST] == "connected"
    assert outcomes["::1"] in ("refused", "no-route")  # the latter where the machine has no IPv6


def at_several(lab: Lab, places: list[Address]) -> Assessment:
    """Scan one host that has several addresses: --resolve knows one port for all of them, these tests need more."""
    run = plan(lab, {GENUINE: None})
    run.settings = replace(run.settings, resolved={(GENUINE, 443): places})
    (found,) = sound(execute(run)).assessments
    return found


def test_addresses_that_refuse_before_one_that_works(lab: Lab, genuine: Running) -> None:
    with fault(NOTHING_LISTENING) as first, fault(NOTHING_LISTENING) as second:
        found = at_several(lab, [first, second, genuine])
    assert found.verdict == "genuine"
    tried = [(each.port, each.outcome) for each in seen_of(found).connections]
    assert tried == [(first.port, "refused"), (second.port, "refused"), (genuine.port, "connected")]


def test_addresses_that_all_refuse(lab: Lab) -> None:
    with fault(NOTHING_LISTENING) as first, fault(NOTHING_LISTENING) as second:
        found = at_several(lab, [first, second])
    assert how(found) == ("unreachable", "tcp", "refused")
    assert [each.outcome for each in seen_of(found).connections] == ["refused", "refused"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full backlog refuses instead of swallowing")
def test_an_address_that_swallows_connections_holds_nobody_up(lab: Lab, genuine: Running) -> None:
    with socket.create_server((HOST, 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        with in_time():
            found = at_several(lab, [full.getsockname(), genuine])
            alone = at_several(lab, [full.getsockname()])
    assert found.verdict == "genuine"
    assert {each.port: each.outcome for each in seen_of(found).connections}[genuine.port] == "connected"
    assert how(alone) == ("unreachable", "tcp", "timeout")


def test_an_address_is_no_name_that_a_filter_could_have_sent_nowhere(lab: Lab) -> None:
    """Whoever types 127.0.0.1 means it."""
    with fault(NOTHING_LISTENING) as peer:
        found = look_once(lab, {f"{HOST}:{peer.port}": None})
    assert how(found) == ("unreachable", "tcp", "refused")


# --- proxies --------------------------------------------------------------------------------------------------------

PASSWORD = "s3cr3t/wörd"
CREDENTIALS = f"jane.doe:{PASSWORD}"
IN_URL = "jane.doe:s3cr3t%2Fw%C3%B6rd"
SECRETS = ("jane.doe", "s3cr3t", PASSWORD, IN_URL, base64.b64encode(CREDENTIALS.encode()).decode())


def test_an_honest_proxy_changes_nothing(lab: Lab, genuine: Running) -> None:
    with honest_proxy({(GENUINE, 443): genuine}) as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{HOST}:{proxy.port}")
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    (request,) = proxy.requests
    assert request.line == f"CONNECT {GENUINE}:443 HTTP/1.1"
    assert request.header("Host") == f"{GENUINE}:443"
    assert request.header("Proxy-Authorization") is None
    assert found.route.proxy == f"http://{HOST}:{proxy.port}"
    assert found.route.origin == "--proxy"
    seen = seen_of(found)
    assert (seen.address_source, seen.address, seen.addresses) == ("proxy", HOST, (HOST,))
    assert seen.proxy is not None
    assert seen.proxy.status == 200


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
    ],
)
def test_the_ways_in_which_proxies_say_yes(lab: Lab, genuine: Running, reply: bytes) -> None:
    with honest_proxy({(GENUINE, 443): genuine}, reply=reply) as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{HOST}:{proxy.port}")
    assert found.verdict == "genuine"


def test_an_ipv6_address_behind_a_proxy(lab: Lab) -> None:
    """It is bracketed where a port follows, and it is no server name."""
    with tls_server(lab.public.issue(["::1"])) as server, honest_proxy({("::1", 443): server}) as proxy:
        found = look_once(lab, {"[::1]": None}, proxy=f"http://{HOST}:{proxy.port}")
    assert found.verdict == "genuine"
    (request,) = proxy.requests
    assert (request.line, request.header("Host")) == ("CONNECT [::1]:443 HTTP/1.1", "[::1]:443")
    assert server.server_names == [None]


def test_an_interceptor_behind_a_proxy_is_one(lab: Lab) -> None:
    issued = plain_corporate(lab.now).issue([GENUINE])
    with tls_server(issued) as server, honest_proxy({(GENUINE, 443): server}) as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{HOST}:{proxy.port}")
    assert found.verdict == "intercepted"


def test_credentials_go_to_the_proxy_they_were_given_for_after_it_asked(lab: Lab, genuine: Running) -> None:
    places = {(GENUINE, 443): genuine}
    with fault("proxy-407-basic", resolve=places, credentials=CREDENTIALS) as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{IN_URL}@{HOST}:{proxy.port}")
    assert found.verdict == "genuine"
    assert "proxy-authenticated" in codes(found)
    sent = [request.header("Proxy-Authorization") for request in proxy.requests]
    assert sent == [None, "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()]


@pytest.mark.parametrize(
    "kind", ["proxy-403", "proxy-401", "proxy-302", "proxy-511", "proxy-502", "proxy-reset-on-connect"]
)
def test_credentials_stay_here_where_nobody_asked_for_them(lab: Lab, kind: str) -> None:
    with fault(kind) as proxy:
        look(lab, {GENUINE: None, "http://c.pki.goog/x.crl": None}, proxy=f"http://{IN_URL}@{HOST}:{proxy.port}")
    assert proxy.requests
    assert {request.header("Proxy-Authorization") for request in proxy.requests} == {None}


def test_credentials_are_not_sent_in_the_clear_to_who_wants_another_scheme(lab: Lab) -> None:
    def negotiate(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(b"HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n")

    with serving(negotiate) as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{IN_URL}@{HOST}:{proxy.port}")
    assert how(found) == ("blocked", "proxy", "proxy-auth-required")
    assert {request.header("Proxy-Authorization") for request in proxy.requests} == {None}


def test_a_proxy_without_credentials_in_its_url_gets_none(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, genuine: Running
) -> None:
    """Not those of another proxy either."""
    monkeypatch.setenv("http_proxy", f"http://{IN_URL}@{HOST}:9")
    with fault("proxy-407-basic", resolve={(GENUINE, 443): genuine}, credentials=CREDENTIALS) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{HOST}:{proxy.port}")
        found = look_once(lab, {GENUINE: None}, proxy="auto")
    assert how(found) == ("blocked", "proxy", "proxy-auth-required")
    assert {request.header("Proxy-Authorization") for request in proxy.requests} == {None}


def test_wrong_credentials_are_refused_and_not_tried_again(lab: Lab, genuine: Running) -> None:
    with fault("proxy-407-basic", resolve={(GENUINE, 443): genuine}, credentials="another:one") as proxy:
        found = look_once(lab, {GENUINE: None}, proxy=f"http://{IN_URL}@{HOST}:{proxy.port}")
    assert how(found) == ("blocked", "proxy", "proxy-auth-required")
    assert "proxy-auth-required" in codes(found)
    assert len(proxy.requests) == 2


@pytest.mark.parametrize("accepted", [CREDENTIALS, "another:one"], ids=["right", "wrong"])
def test_credentials_are_nowhere_to_be_read(
    lab: Lab, genuine: Running, capfd: pytest.CaptureFixture[str], accepted: str
) -> None:
    places = {(GENUINE, 443): genuine}
    with fault("proxy-407-basic", resolve=places, credentials=accepted) as proxy:
        targets: Places = {GENUINE: None, "http://c.pki.goog/x.crl": None}
        run = plan(lab, targets, proxy=f"http://{IN_URL}@{HOST}:{proxy.port}")
        before = repr(run) + str(run)
        report = sound(execute(run))
    written = before + repr(run) + repr(report) + document(report) + "".join(capfd.readouterr())
    assert [secret for secret in SECRETS if secret in written] == []
    assert any(request.header("Proxy-Authorization") for request in proxy.requests)  # they were there to be lost


@pytest.mark.parametrize(
    "url",
    [
        "socks4://jane.doe:s3cr3t@127.0.0.1:1080",
        "ftp://jane.doe:s3cr3t@127.0.0.1:1080",
        "http://jane.doe:s3cr3t@127.0.0.1:99999",
        "http://jane.doe:s3cr3t@",
        "http://jane.doe:s3cr3t@[::1",
        "http://jane.doe:s3cr3t%0d%0aX@127.0.0.1:1080",
        "http://jane.doe:s3cr3t/word@127.0.0.1:1080",  # should have been %2F
        "http://jane.doe:s3cr3t#word@127.0.0.1:1080",
        "http://jane.doe:s3cr3t?word@127.0.0.1:1080",
    ],
)
def test_a_proxy_that_is_written_wrongly_is_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_proxy(url, "--proxy")
    assert [part for part in ("jane.doe", "s3cr3t") if part in str(refused.value)] == []


def test_a_proxy_whose_name_does_not_resolve(lab: Lab) -> None:
    found = look_once(lab, {GENUINE: None}, proxy="http://proxy.acme.test:3128")
    assert how(found) == ("unreachable", "dns", "name-not-found")
    assert "proxy.acme.test" in found.explanation
    assert f"{GENUINE} does not resolve" not in found.explanation  # nobody has asked for that


def test_a_proxy_that_is_not_there(lab: Lab, genuine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", GENUINE)
    with fault(NOTHING_LISTENING) as nobody:
        monkeypatch.setenv("https_proxy", f"http://{HOST}:{nobody.port}")
        found = by_host(look(lab, {OTHER: None, GENUINE: genuine}, proxy="auto"))
    assert how(found[OTHER]) == ("unreachable", "proxy", "refused")
    assert found[GENUINE].verdict == "genuine"
    assert f":{nobody.port}" in found[OTHER].explanation


def test_a_proxy_given_by_resolve(lab: Lab, genuine: Running) -> None:
    """--resolve counts for the proxy's name too, as in curl."""
    with honest_proxy({(GENUINE, 443): genuine}) as proxy:
        run = prepare(
            [GENUINE],
            trust=lab.trust,
            proxy="http://proxy.acme.test:3128",
            resolve=[f"proxy.acme.test:3128:{HOST}:{proxy.port}"],
            timeout=TIMEOUT,
            offline=True,
        )
        (found,) = sound(execute(run)).assessments
    assert found.verdict == "genuine"


def test_a_tunnel_that_is_cut_is_unreachable_unless_another_name_passes(lab: Lab) -> None:
    """CONNECT accepted and then reset: by itself nobody knows whether the proxy, a filter or the server did it."""
    issued = lab.google.we2.issue([GENUINE])
    with fault("proxy-reset-after-tunnel-hello") as proxy:
        cut = look_once(lab, {GENUINE: None}, proxy=f"http://{HOST}:{proxy.port}")
    context = server_context(issued)

    def filtering(peer: Peer) -> None:
        peer.receive_head()
        peer.send(ESTABLISHED)
        peer.peek_hello()
        if peer.seen.server_names[-1] == GENUINE:
            peer.reset()
            return
        peer.wrap(context)
        peer.hold()

    with serving(filtering) as proxy:
        filtered = look_once(lab, {GENUINE: None}, proxy=f"http://{HOST}:{proxy.port}")
    assert (how(cut), seen_of(cut).control) == (("unreachable", "tls", "reset"), False)
    assert (how(filtered), seen_of(filtered).control) == (("blocked", "tls", "reset"), True)


# --- plain HTTP -----------------------------------------------------------------------------------------------------

CRL = "http://c.pki.goog/wr2/x.crl"


def said(answer: bytes) -> Handler:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(answer)

    return handle


def reached(lab: Lab, places: Places, **options: Any) -> Reachability:
    (row,) = look(lab, places, **options).reachability
    return row


def object_answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("through", [False, True], ids=["direct", "proxy"])
def test_a_row_on_port_80(lab: Lab, through: bool) -> None:
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(serving(said(object_answer(lab.google.r1.crl()))))
        if not through:
            row = reached(lab, {CRL: origin})
        else:
            proxy = stack.enter_context(honest_proxy({("c.pki.goog", 80): origin}))
            row = reached(lab, {CRL: None}, proxy=f"http://{HOST}:{proxy.port}")
            (asked,) = proxy.requests
            assert asked.line.split()[1] in (CRL, CRL.replace(".goog/", ".goog:80/"))  # absolute, RFC 9112 §3.2.2
            assert asked.method == "GET"
            assert asked.header("Proxy-Authorization") is None
    assert row.result is Reach.SIGNED_OBJECT
    (request,) = origin.requests
    assert request.target == "/wr2/x.crl"
    assert request.header("Host") == "c.pki.goog"


def test_a_row_on_port_80_through_a_proxy_that_wants_credentials(lab: Lab) -> None:
    with (
        serving(said(object_answer(lab.google.r1.crl()))) as origin,
        fault("proxy-407-basic", resolve={("c.pki.goog", 80): origin}, credentials=CREDENTIALS) as proxy,
    ):
        row = reached(lab, {CRL: None}, proxy=f"http://{IN_URL}@{HOST}:{proxy.port}")
        refused = reached(lab, {CRL: None}, proxy=f"http://{HOST}:{proxy.port}")
    assert row.result is Reach.SIGNED_OBJECT
    assert (refused.result, refused.status) == (Reach.NOT_PKI, 407)
    assert origin.requests[0].header("Proxy-Authorization") is None  # it is for the proxy alone


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (NOTHING_LISTENING, Reach.REFUSED),
        ("reset-on-accept", Reach.REFUSED),
        ("silent", Reach.TIMEOUT),
        ("http-511", Reach.NOT_PKI),
        ("http-redirect", Reach.NOT_PKI),
        ("http-403", Reach.NOT_PKI),
        ("plain-http", Reach.NOT_PKI),  # a page where a revocation list was asked for
        ("ssh-banner", Reach.NOT_PKI),
        ("random-garbage", Reach.NOT_PKI),
    ],
)
def test_what_is_wrong_with_port_80(lab: Lab, kind: str, result: Reach) -> None:
    with fault(kind) as peer, in_time():
        row = reached(lab, {CRL: peer})
    assert row.result is result
    assert row.portal is (kind in ("http-511", "http-redirect"))


def test_a_body_that_does_not_end_loses_no_answer(lab: Lab) -> None:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\nsome")  # neither a length nor an end
        peer.hold()

    with serving(handle) as peer, in_time():
        row = reached(lab, {"http://www.google.com/": peer})
    assert (row.result, row.status) == (Reach.ANSWERS, 404)


def test_a_public_host_that_leads_to_itself_is_no_portal(lab: Lab) -> None:
    """Only for a host that is Google's does a redirect prove that somebody else answers."""
    answer = b"HTTP/1.1 301 Moved\r\nLocation: https://shop.example/\r\nContent-Length: 0\r\n\r\n"

    def handle(peer: Peer) -> None:
        peer.receive()
        peer.answer(answer)

    with serving(handle) as peer:
        found = look_once(lab, {"shop.example:8080": peer})
    assert how(found) == ("unreachable", "tls", "not-tls")


# --- HTTP after the handshake ---------------------------------------------------------------------------------------


def inside(issued: Issued, chunks: Callable[[], Iterator[bytes]], seconds: float = 0) -> Handler:
    """Shake hands properly, then answer the request with whatever `chunks` gives."""
    context = server_context(issued)

    def handle(peer: Peer) -> None:
        peer.peek_hello()
        peer.wrap(context)
        peer.receive_head()
        for chunk in chunks():
            peer.send(chunk)
            peer.pause(seconds)
        peer.hold()

    return handle


@pytest.mark.parametrize("status", [401, 403, 407, 451])
def test_a_refusal_behind_a_genuine_handshake_is_the_hosts_own(lab: Lab, status: int) -> None:
    with tls_server(lab.google.we2.issue([GENUINE]), http_status=status, body=b"<h1>blocked by policy</h1>") as server:
        found = look_once(lab, {GENUINE: server})
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert "http-refused" in codes(found)
    assert seen_of(found).http is not None


@pytest.mark.parametrize("status", [200, 204, 404, 500])
def test_other_answers_are_no_refusal(lab: Lab, status: int) -> None:
    with tls_server(lab.google.we2.issue([GENUINE]), http_status=status) as server:
        found = look_once(lab, {GENUINE: server})
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert "http-refused" not in codes(found)


def test_no_answer_at_all_leaves_the_time_open(lab: Lab) -> None:
    with tls_server(lab.google.we2.issue([GENUINE]), close_after_handshake=True) as server:
        report = look(lab, {GENUINE: server})
    (found,) = report.assessments
    assert how(found) in (("genuine", "http", "closed"), ("genuine", "http", "reset"))
    assert found.confidence == "strong"
    assert "clock-unproven" in codes(found)
    assert report.clock.hi is None


@pytest.mark.parametrize("age", [0, 1, 86400])
def test_what_a_cache_kept_tells_no_time(lab: Lab, age: int) -> None:
    with tls_server(lab.google.we2.issue([GENUINE]), age=age, date=lab.now - timedelta(days=1)) as server:
        report = look(lab, {GENUINE: server})
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert "clock-unproven" in codes(found)
    assert "clock-ahead" not in codes(found)
    assert report.clock.hi is None


def _drip() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from (b"X" for _ in range(600))


HTTP_ODDITIES: Mapping[str, Callable[[], Iterator[bytes]]] = {
    "garbage": lambda: iter([b"\x00\xff" * 500]),
    "ssh": lambda: iter([b"SSH-2.0-OpenSSH_9.2\r\n"]),
    "no status": lambda: iter([b"HTTP/1.1 OK\r\n\r\n"]),
    "HTTP/2": lambda: iter([b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)]),
    "huge head": lambda: iter([b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n"]),
    "endless head": lambda: itertools.repeat(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 3000, 3000),
    "a byte at a time": _drip,
    "silence": lambda: iter(()),
}


@pytest.mark.parametrize("kind", HTTP_ODDITIES)
def test_an_odd_answer_inside_a_genuine_session(lab: Lab, genuine: Running, kind: str) -> None:
    issued = lab.google.we2.issue([OTHER])
    seconds = 0.05 if kind == "a byte at a time" else 0
    with serving(inside(issued, HTTP_ODDITIES[kind], seconds)) as peer, in_time():
        found = by_host(look(lab, {OTHER: peer, GENUINE: genuine}))
    assert found[OTHER].verdict == "genuine"
    seen = seen_of(found[OTHER])
    assert seen.http is None
    assert seen.failure is not None
    assert seen.failure.stage is Stage.HTTP
    assert seen.failure.reason is (Reason.TIMEOUT if kind in ("silence", "a byte at a time") else Reason.CLOSED)
    assert how(found[GENUINE]) == ("genuine", None, None)


@pytest.mark.parametrize("date", ["yesterday", "", "Mon, 99 Foo 9999 99:99:99 GMT", "\xff" * 5000, "0", "1" * 400])
def test_a_date_that_is_none(lab: Lab, date: str) -> None:
    with tls_server(lab.google.we2.issue([GENUINE]), date=None, headers=[("Date", date)]) as server:
        found = look_once(lab, {GENUINE: server})
    assert found.verdict == "genuine"
    answer = seen_of(found).http
    assert answer is not None
    assert answer.date is None


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" * 2600
FLOOD = 1000  # times 65 kB: more than can be read and looked at before the deadline


def flooding(peer: Peer) -> None:
    for _ in range(FLOOD):
        peer.send(INTERIM)
    peer.hold()


def test_interim_answers_without_end_from_a_proxy(lab: Lab, genuine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that always has something more to say must not keep the others, or the deadline, from their turn."""

    def handle(peer: Peer) -> None:
        peer.receive_head()
        flooding(peer)

    monkeypatch.setenv("no_proxy", GENUINE)
    with serving(handle) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{HOST}:{proxy.port}")
        with in_time():
            found = by_host(look(lab, {OTHER: None, GENUINE: genuine}, proxy="auto"))
    assert found[OTHER].verdict == "unreachable"
    assert found[GENUINE].verdict == "genuine"


def test_interim_answers_without_end_inside_a_session(lab: Lab, genuine: Running) -> None:
    context = server_context(lab.google.we2.issue([OTHER]))

    def handle(peer: Peer) -> None:
        peer.wrap(context)
        peer.receive_head()
        flooding(peer)

    with serving(handle) as peer, in_time():
        found = by_host(look(lab, {OTHER: peer, GENUINE: genuine}))
    assert {assessment.verdict for assessment in found.values()} == {"genuine"}


def test_interim_answers_without_end_on_port_80(lab: Lab, genuine: Running) -> None:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        flooding(peer)

    with serving(handle) as peer, in_time():
        report = look(lab, {CRL: peer, GENUINE: genuine})
    assert report.reachability[0].result in (Reach.TIMEOUT, Reach.NOT_PKI)
    assert report.assessments[0].verdict == "genuine"
