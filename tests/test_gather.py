"""Scans that ask: revocation lists and answers, missing authorities, the signed time; of servers that may lie.

Every host is a server on loopback, port 80 included; what was asked of it is in its log. The trust data are a folder in
which the laboratory's roots are Google's own, so that what is certain comes out as certain.
"""

import asyncio
import contextlib
import os
import signal
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID, NameOID
from OpenSSL import SSL

from tests import trust_folder
from tests.faults import Peer, Request, Running, serving, tls_server
from tests.test_observe import _no_names_are_looked_up, sound
from tlsinspect.conductor import Run, execute, prepare, scan, scan_async
from tlsinspect.errors import UsageError
from tlsinspect.fetch import Fetcher, Limits
from tlsinspect.lab.pki import (
    Authority,
    GoogleLike,
    Issued,
    Log,
    TimeService,
    forged,
    google_like,
    name,
    new_key,
    plain_corporate,
    sct_list,
)
from tlsinspect.model import (
    Assessment,
    Fetch,
    FetchOutcome,
    Finding,
    Kind,
    Reach,
    Report,
    Revocation,
    RevocationReason,
    RevocationStatus,
)
from tlsinspect.trust import Trust

__all__ = ["_no_names_are_looked_up"]  # a fixture for every test here too

HOST, OTHER, THIRD = "www.googleapis.com", "mail.google.com", "accounts.google.com"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WR2_CRL, WE2_CRL = "c.pki.goog/wr2/lab.crl", "c.pki.goog/we2/lab.crl"
R1_CRL, R4_CRL = "c.pki.goog/r/r1.crl", "c.pki.goog/r/r4.crl"
WR2_OCSP, WR9_CRT = "o.pki.goog/wr2/*", "i.pki.goog/wr9.crt"
TIME = "clients2.google.com/time/1/current"
PAGE = b"<!doctype html><html><head><title>Blocked</title></head><body>Ask the help desk.</body></html>\n"

Reply: TypeAlias = "bytes | Callable[[Peer, Request], None]"
"""An object, or somebody who answers as he likes."""


# --- a laboratory ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Lab:
    """Authorities whose keys are Google's to `trust`, two logs and a time service it knows, and a public root."""

    google: GoogleLike
    wr9: Authority
    """An intermediate like WR2 that nobody has heard of."""
    public: Authority
    logs: tuple[Log, ...]
    service: TimeService
    trust: Trust
    now: datetime


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    now = datetime.now(UTC)
    google = google_like(now, days=120, backdated=400 * DAY)
    subject = name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Google Trust Services"),
        (NameOID.COMMON_NAME, "WR9"),
    )
    wr9 = google.r1.subordinate(subject, add=[(crl_at(f"http://{R1_CRL}"), False)])
    public = Authority.root(name((NameOID.ORGANIZATION_NAME, "Lab"), (NameOID.COMMON_NAME, "Lab Public Root")), now)
    logs, service = (Log("north", "North"), Log("south", "South")), TimeService()
    folder = trust_folder.make(
        tmp_path_factory.mktemp("gather") / "trust",
        google_roots=google.roots,
        ct_logs=logs,
        time_keys={service.version: service.spki},
    )
    return Lab(google, wr9, public, logs, service, Trust.load(folder).with_public_roots(public.pem), now)


def rewrite(path: Path, text: str) -> None:
    """Change a file of a folder of trust data, and its hash in the manifest."""
    manifest = path.parent / "MANIFEST.toml"
    listed = manifest.read_text(encoding="utf-8")
    row = next(row for row in tomllib.loads(listed)["file"] if row["path"] == path.name)
    path.write_text(text, encoding="utf-8")
    manifest.write_text(listed.replace(row["sha256"], sha256(path.read_bytes()).hexdigest()), encoding="utf-8")


def crl_at(*urls: str) -> x509.CRLDistributionPoints:
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    return x509.CRLDistributionPoints(points)


def access(*, ocsp: str | None = None, issuer: str | None = None) -> x509.AuthorityInformationAccess:
    methods = ((AuthorityInformationAccessOID.OCSP, ocsp), (AuthorityInformationAccessOID.CA_ISSUERS, issuer))
    return x509.AuthorityInformationAccess(
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in methods if url
    )


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def tampered(data: bytes) -> bytes:
    """The same with one bit of the signature changed."""
    return data[:-1] + bytes((data[-1] ^ 1,))


# --- port 80 --------------------------------------------------------------------------------------------------------


@dataclass
class Port80:
    """A server for every host on port 80. What is not in `replies`, by host and path, is not there; a `*` at the end of
    a path stands for anything."""

    server: Running
    replies: dict[str, Reply]

    @property
    def asked(self) -> list[str]:
        """Host and path of every request, in order."""
        return [_asked(request) for request in self.server.requests]

    def objects(self) -> list[str]:
        """Those for something, and not merely whether somebody is there."""
        return [place for place in self.asked if not place.endswith("/")]

    def of(self, host: str) -> list[str]:
        return [place for place in self.objects() if place.startswith(f"{host}/")]

    def forget(self) -> None:
        self.server.requests.clear()

    def answer(self, peer: Peer) -> None:
        request = peer.receive_head()
        place = _asked(request)
        reply = self.replies.get(place) or next(
            (reply for key, reply in self.replies.items() if key.endswith("*") and place.startswith(key[:-1])), None
        )
        if reply is None:
            send(peer, b"", status="404 Not Found")
        elif isinstance(reply, bytes):
            send(peer, reply)
        else:
            reply(peer, request)


def _asked(request: Request) -> str:
    return f"{request.header('Host')}{urlsplit(request.target).path}"


def send(peer: Peer, body: bytes, *fields: str, status: str = "200 OK") -> None:
    head = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *fields)
    peer.send("\r\n".join((*head, "", "")).encode("latin-1") + body)


def page(status: str = "200 OK") -> Reply:
    return lambda peer, _: send(peer, PAGE, "Content-Type: text/html", status=status)


def failing(status: str) -> Reply:
    return lambda peer, _: send(peer, b"", status=status)


def telling(service: TimeService, off: timedelta = timedelta(0)) -> Reply:
    """The time service."""

    def answer(peer: Peer, request: Request) -> None:
        body, proof = service.answer(urlsplit(request.target).query, datetime.now(UTC) + off)
        send(peer, body, f"x-cup-server-proof: {proof}")

    return answer


def honest(lab: Lab) -> dict[str, Reply]:
    """What all of Google's hosts answer."""
    google = lab.google
    return {
        WR2_CRL: google.wr2.crl(),
        WE2_CRL: google.we2.crl(),
        R1_CRL: google.r1.crl(),
        R4_CRL: google.r4.crl(),
        "c.pki.goog/wr9/lab.crl": lab.wr9.crl(),
        TIME: telling(lab.service),
    }


# --- port 443 -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stapling(issued: Issued, staple: bytes) -> Iterator[Running]:
    """A TLS server that staples an OCSP answer, which Python's own cannot."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(issued.certificate)
    context.use_privatekey(issued.key)
    for certificate in issued.chain[1:]:
        context.add_extra_chain_cert(certificate)
    context.set_ocsp_server_callback(lambda *_: staple)

    def handle(peer: Peer) -> None:
        peer.peek_hello()
        peer.socket.settimeout(None)  # pyOpenSSL would have to be driven by hand otherwise
        session = SSL.Connection(context, peer.socket)
        session.set_accept_state()
        with contextlib.suppress(SSL.Error):
            session.do_handshake()
            session.recv(4096)
            date = format_datetime(datetime.now(UTC), usegmt=True)
            session.sendall(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode())
            session.shutdown()

    with serving(handle) as seen:
        yield seen


# --- the network ----------------------------------------------------------------------------------------------------


@dataclass
class World:
    """Hosts on 443 and everything on port 80, for as long as a test lasts."""

    lab: Lab
    port80: Port80
    stack: contextlib.ExitStack
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """Hosts on port 80 beside Google's."""

    def serve(self, host: str, issued: Issued, **options: Any) -> Running:
        server = self.stack.enter_context(tls_server(issued, **options))
        self.places[host] = server.host, server.port
        return server

    def staple(self, host: str, issued: Issued, staple: bytes) -> None:
        server = self.stack.enter_context(stapling(issued, staple))
        self.places[host] = server.host, server.port

    def resolve(self) -> list[str]:
        plain = ("c.pki.goog", "o.pki.goog", "i.pki.goog", "crl.pki.goog", "clients2.google.com", *self.names)
        where = [f"{host}:80:{self.port80.server.host}:{self.port80.server.port}" for host in plain]
        return where + [f"{host}:443:{address}:{port}" for host, (address, port) in self.places.items()]

    def options(self, **options: Any) -> dict[str, Any]:
        return {"trust": self.lab.trust, "proxy": "none", "timeout": 3.0, "resolve": self.resolve(), **options}

    def look(self, *more: str, **options: Any) -> Report:
        return sound(scan([*self.places, *more], **self.options(**options)))

    def one(self, **options: Any) -> Assessment:
        (found,) = self.look(**options).assessments
        return found

    def plan(self, **options: Any) -> Run:
        return prepare(list(self.places), **self.options(**options))


@pytest.fixture
def world(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with contextlib.ExitStack() as stack:
        port80 = Port80.__new__(Port80)
        port80.replies = honest(lab)
        port80.server = stack.enter_context(serving(port80.answer))
        yield World(lab, port80, stack)


def codes(assessment: Assessment) -> set[str]:
    return {finding.code for finding in assessment.findings}


def said(found: Assessment | Report, code: str) -> Finding:
    findings = found.findings if isinstance(found, Assessment) else found.conclusions
    return next(finding for finding in findings if finding.code == code)


def by_host(report: Report) -> dict[str, Assessment]:
    return {assessment.endpoint.host: assessment for assessment in report.assessments}


def states(assessment: Assessment) -> list[Revocation]:
    return [status.state for status in assessment.revocation]


def fetch_of(report: Report, place: str) -> Fetch:
    (found,) = (fetch for fetch in report.fetches if fetch.url.startswith(f"http://{place}"))
    return found


GOOD, REVOKED, UNKNOWN = Revocation.GOOD, Revocation.REVOKED, Revocation.UNKNOWN


# --- good -----------------------------------------------------------------------------------------------------------


def test_a_genuine_host_is_certain_and_everything_about_it_is_known(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST], logs=world.lab.logs))
    report = world.look()
    (found,) = report.assessments
    assert (found.verdict, found.confidence, found.rule) == ("genuine", "certain", "genuine")
    assert found.path == ("WR2", "GTS Root R1")
    assert states(found) == [GOOD, GOOD]
    leaf, authority = found.revocation
    assert (leaf.subject, authority.subject) == (HOST, "WR2")
    for status, signer in ((leaf, "WR2"), (authority, "GTS Root R1")):
        assert (status.source, status.reason) == ("crl", None)
        assert status.this_update == (world.lab.now - HOUR).replace(microsecond=0)
        assert status.next_update == status.this_update + 10 * DAY
        assert f'CRL of "{signer}"' in status.sentence
    assert said(found, "not-revoked").values["certificates"] == f'"{HOST}", "WR2"'
    assert not codes(found) & {"revocation-unavailable", "revocation-stale", "clock-unproven", "chain-incomplete"}
    assert world.port80.of("o.pki.goog") == []
    assert sorted(world.port80.of("c.pki.goog")) == sorted([WR2_CRL, R1_CRL])
    assert {fetch.purpose for fetch in report.fetches} == {"crl", "time"}
    assert {fetch.outcome for fetch in report.fetches} == {FetchOutcome.FETCHED}


def test_hosts_of_one_authority_share_its_list(world: World) -> None:
    for host in (HOST, OTHER, THIRD):
        world.serve(host, world.lab.google.wr2.issue([host]))
    report = world.look()
    assert {(a.verdict, a.confidence) for a in report.assessments} == {("genuine", "certain")}
    assert all(states(a) == [GOOD, GOOD] for a in report.assessments)
    assert sorted(world.port80.of("c.pki.goog")) == sorted([WR2_CRL, R1_CRL])


@pytest.mark.parametrize("missing", [failing("404 Not Found"), failing("500 Internal Server Error"), page(), b"\x30\0"])
def test_a_responder_is_asked_where_the_list_does_not_answer(world: World, missing: Reply) -> None:
    issued = world.lab.google.wr2.issue([HOST])
    world.serve(HOST, issued)
    world.port80.replies |= {WR2_CRL: missing, WR2_OCSP: world.lab.google.wr2.ocsp_answer(issued.certificate)}
    found = world.one()
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert states(found) == [GOOD, GOOD]
    assert [status.source for status in found.revocation] == ["ocsp", "crl"]
    assert 'OCSP answer of "WR2"' in found.revocation[0].sentence
    assert len(world.port80.of("o.pki.goog")) == 1


def test_a_stapled_answer_makes_the_fetch_unnecessary(world: World) -> None:
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST])
    world.staple(HOST, issued, wr2.ocsp_answer(issued.certificate))
    found = world.one()
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert [(s.state, s.source) for s in found.revocation] == [(GOOD, "staple"), (GOOD, "crl")]
    assert world.port80.of("c.pki.goog") == [R1_CRL]
    assert world.port80.of("o.pki.goog") == []


@pytest.mark.parametrize("kind", ["stale", "of another certificate", "by another", "tampered", "rubbish"])
def test_a_staple_that_says_nothing_does_not_spare_the_fetch(world: World, kind: str) -> None:
    google, now = world.lab.google, world.lab.now
    issued = google.wr2.issue([HOST])
    staple = {
        "stale": google.wr2.ocsp_answer(issued.certificate, this_update=now - 9 * DAY, next_update=now - 2 * DAY),
        "of another certificate": google.wr2.ocsp_answer(google.wr2.issue([HOST]).certificate),
        "by another": Authority.root(google.wr2.certificate.subject, now).ocsp_answer(issued.certificate),
        "tampered": tampered(google.wr2.ocsp_answer(issued.certificate)),
        "rubbish": b"\x30\x03\x0a\x01\x00",
    }[kind]
    world.staple(HOST, issued, staple)
    found = world.one()
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert [(s.state, s.source) for s in found.revocation] == [(GOOD, "crl"), (GOOD, "crl")]
    assert WR2_CRL in world.port80.asked


# --- revoked --------------------------------------------------------------------------------------------------------


def test_a_revoked_leaf(world: World) -> None:
    google = world.lab.google
    issued = google.wr2.issue([HOST])
    world.serve(HOST, issued)
    world.serve(OTHER, google.wr2.issue([OTHER]))
    when = (world.lab.now - 3 * DAY).replace(microsecond=0)
    world.port80.replies[WR2_CRL] = google.wr2.crl({issued.certificate.serial_number: when})
    found = by_host(world.look())
    assert (found[HOST].verdict, found[HOST].confidence, found[HOST].rule) == ("revoked", "certain", "revoked")
    assert states(found[HOST]) == [REVOKED, GOOD]
    assert found[HOST].revocation[0].revoked_at == when
    assert f"{when:%Y-%m-%d}" in found[HOST].explanation
    assert f'"{HOST}"' in found[HOST].explanation
    assert (found[OTHER].verdict, states(found[OTHER])) == ("genuine", [GOOD, GOOD])


def test_a_revoked_intermediate_takes_every_leaf_with_it(world: World) -> None:
    google = world.lab.google
    for host in (HOST, OTHER):
        world.serve(host, google.wr2.issue([host]))
    world.serve(THIRD, google.we2.issue([THIRD]))
    world.port80.replies[R1_CRL] = google.r1.crl([google.wr2.certificate.serial_number])
    found = by_host(world.look())
    for host in (HOST, OTHER):
        assert (found[host].verdict, found[host].confidence) == ("revoked", "certain")
        assert states(found[host]) == [GOOD, REVOKED]
        assert '"WR2"' in found[host].explanation
    assert found[THIRD].verdict == "genuine"


def test_a_responder_that_says_revoked_is_believed(world: World) -> None:
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST])
    world.serve(HOST, issued)
    revoked = x509.ocsp.OCSPCertStatus.REVOKED
    world.port80.replies |= {
        WR2_CRL: failing("404 Not Found"),
        WR2_OCSP: wr2.ocsp_answer(issued.certificate, revoked, revoked_at=world.lab.now - DAY),
    }
    found = world.one()
    assert (found.verdict, found.confidence, found.revocation[0].source) == ("revoked", "certain", "ocsp")


def test_a_staple_speaks_of_its_certificate_wherever_that_is_met(world: World) -> None:
    """Two hosts with one certificate, and only one of them staples."""
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST, OTHER])
    staple = wr2.ocsp_answer(issued.certificate, x509.ocsp.OCSPCertStatus.REVOKED, revoked_at=world.lab.now - DAY)
    world.serve(HOST, issued)
    world.staple(OTHER, issued, staple)
    assert {host: a.verdict for host, a in by_host(world.look()).items()} == {HOST: "revoked", OTHER: "revoked"}


def test_a_staple_without_use_on_one_host_spares_no_other_the_asking(world: World) -> None:
    issued = world.lab.google.wr2.issue([HOST, OTHER])
    world.serve(HOST, issued)
    world.staple(OTHER, issued, b"junk")
    assert [states(a) for a in world.look().assessments] == [[GOOD, GOOD], [GOOD, GOOD]]


def test_a_staple_that_says_revoked_is_believed_whatever_the_list_says(world: World) -> None:
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST])
    staple = wr2.ocsp_answer(issued.certificate, x509.ocsp.OCSPCertStatus.REVOKED, revoked_at=world.lab.now - DAY)
    world.staple(HOST, issued, staple)
    found = world.one()
    assert (found.verdict, found.revocation[0].source) == ("revoked", "staple")


def test_revoked_and_expired_says_both(world: World) -> None:
    google, now = world.lab.google, world.lab.now
    issued = google.wr2.issue([HOST], not_after=now - 5 * DAY)
    world.serve(HOST, issued)
    world.port80.replies[WR2_CRL] = google.wr2.crl({issued.certificate.serial_number: now - 20 * DAY})
    found = world.one()
    assert (found.verdict, found.confidence) == ("revoked", "certain")
    assert said(found, "expired").kind is Kind.PROOF


def test_a_revocation_that_is_still_to_come_is_none(world: World) -> None:
    google, now = world.lab.google, world.lab.now
    issued = google.wr2.issue([HOST])
    world.serve(HOST, issued)
    world.port80.replies[WR2_CRL] = google.wr2.crl({issued.certificate.serial_number: now + 2 * DAY})
    found = world.one()
    assert found.verdict == "genuine"
    assert REVOKED not in states(found)


# --- not known ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Useless:
    """A list that says nothing of the leaf, which it would revoke."""

    reply: Callable[[Lab, int], Reply]
    reason: RevocationReason
    code: str = "revocation-unavailable"


def _drip(peer: Peer, _: Request) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
    peer.drip(b"\x30" + b"a" * 500_000, 0.2)


USELESS = {
    "stale": Useless(
        lambda lab, _: lab.google.wr2.crl(this_update=lab.now - 20 * DAY, next_update=lab.now - 9 * DAY),
        RevocationReason.STALE,
        "revocation-stale",
    ),
    "future": Useless(
        lambda lab, _: lab.google.wr2.crl(this_update=lab.now + 2 * DAY, next_update=lab.now + 9 * DAY),
        RevocationReason.NOT_YET_VALID,
    ),
    "tampered": Useless(
        lambda lab, serial: tampered(lab.google.wr2.crl([serial])), RevocationReason.BAD_SIGNATURE
    ),
    "in its issuer's name": Useless(
        lambda lab, serial: replace(lab.google.wr2, key=lab.google.we2.key).crl([serial]),
        RevocationReason.BAD_SIGNATURE,
    ),
    "foreign": Useless(lambda lab, serial: lab.google.r1.crl([serial]), RevocationReason.WRONG_ISSUER),
    "of nobody": Useless(lambda lab, serial: plain_corporate(lab.now).crl([serial]), RevocationReason.WRONG_ISSUER),
    "cut off": Useless(lambda lab, serial: lab.google.wr2.crl([serial])[:-40], RevocationReason.MALFORMED),
    "rubbish": Useless(lambda *_: b"\x30\x03\x02\x01\x00", RevocationReason.MALFORMED),
    "page": Useless(lambda *_: page(), RevocationReason.BLOCK_PAGE, "revocation-block-page"),
    "page with 403": Useless(lambda *_: page("403 Forbidden"), RevocationReason.BLOCK_PAGE, "revocation-block-page"),
    "page without a type": Useless(lambda *_: PAGE, RevocationReason.BLOCK_PAGE, "revocation-block-page"),
    "missing": Useless(lambda *_: failing("404 Not Found"), RevocationReason.REFUSED),
    "broken": Useless(lambda *_: failing("500 Oops"), RevocationReason.REFUSED),
    "reset": Useless(lambda *_: lambda peer, _: peer.reset(), RevocationReason.UNREACHABLE),
    "elsewhere": Useless(
        lambda *_: lambda peer, _: send(peer, b"", "Location: http://169.254.169.254/latest/", status="302 Found"),
        RevocationReason.FORBIDDEN,
    ),
    "on this machine": Useless(
        lambda *_: lambda peer, _: send(peer, b"", "Location: file:///etc/passwd", status="302 Found"),
        RevocationReason.FORBIDDEN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", USELESS)
def test_a_list_that_says_nothing_is_a_finding_and_no_verdict(world: World, kind: str) -> None:
    case, wr2 = USELESS[kind], world.lab.google.wr2
    issued = wr2.issue([HOST], drop=[ExtensionOID.AUTHORITY_INFORMATION_ACCESS])
    world.serve(HOST, issued)
    world.port80.replies[WR2_CRL] = case.reply(world.lab, issued.certificate.serial_number)
    report = world.look()
    (found,) = report.assessments
    assert (found.verdict, found.confidence, found.rule) == ("genuine", "certain", "genuine")
    leaf, authority = found.revocation
    assert (leaf.state, leaf.reason) == (UNKNOWN, case.reason)
    assert authority.state is GOOD
    unknown = {"revocation-unavailable", "revocation-stale", "revocation-block-page", "revocation-not-checked"}
    assert codes(found) & unknown == {case.code}
    finding = said(found, case.code)
    assert finding.values["certificates"] == f'"{HOST}"'
    assert finding.values["reasons"] == case.reason
    assert said(found, "not-revoked").values["certificates"] == '"WR2"'
    assert world.port80.of("c.pki.goog").count(WR2_CRL) == 1


def test_nobody_on_port_80(world: World) -> None:
    """Port 80 is closed, as in many companies: the host is as genuine as ever, and the closed port is said."""
    issued = world.lab.google.wr2.issue([HOST])
    world.serve(HOST, issued)
    with contextlib.closing(_bound()) as nobody:
        closed = [place for place in world.resolve() if ":80:" not in place]
        closed += [f"{host}:80:127.0.0.1:{nobody.getsockname()[1]}" for host in ("c.pki.goog", "o.pki.goog")]
        report = sound(scan([HOST], **world.options(resolve=closed)))
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert {(status.state, status.reason) for status in found.revocation} == {(UNKNOWN, RevocationReason.UNREACHABLE)}
    assert "revocation-unavailable" in codes(found)
    assert "c.pki.goog" in said(report, "port-80-blocked").values["hosts"]
    assert {r.result for r in report.reachability} == {Reach.REFUSED}


def _bound() -> Any:
    import socket

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


def test_the_second_address_of_a_list_is_asked_where_the_first_is_of_no_use(world: World) -> None:
    wr2 = world.lab.google.wr2
    named = crl_at(
        "http://c.pki.goog/a.crl", "ldap://c.pki.goog/b", "http://c.pki.goog/c.crl", "http://c.pki.goog/d.crl"
    )
    world.serve(HOST, wr2.issue([HOST], drop=[ExtensionOID.CRL_DISTRIBUTION_POINTS], add=[(named, False)]))
    world.port80.replies |= {"c.pki.goog/a.crl": tampered(wr2.crl()), "c.pki.goog/c.crl": wr2.crl()}
    found = world.one()
    assert states(found) == [GOOD, GOOD]
    asked = [place for place in world.port80.of("c.pki.goog") if place != R1_CRL]
    assert asked == ["c.pki.goog/a.crl", "c.pki.goog/c.crl"]


def test_a_stale_list_and_a_fresh_answer(world: World) -> None:
    wr2, now = world.lab.google.wr2, world.lab.now
    issued = wr2.issue([HOST])
    world.serve(HOST, issued)
    world.port80.replies |= {
        WR2_CRL: wr2.crl(this_update=now - 20 * DAY, next_update=now - 9 * DAY),
        WR2_OCSP: wr2.ocsp_answer(issued.certificate),
    }
    found = world.one()
    assert [(s.state, s.source, s.reason) for s in found.revocation] == [(GOOD, "ocsp", None), (GOOD, "crl", None)]
    assert "revocation-stale" not in codes(found)


def test_a_stale_list_that_names_the_leaf_revokes_it(world: World) -> None:
    """A revocation does not end because its list does, and no answer from the cache of a responder undoes it."""
    wr2, now = world.lab.google.wr2, world.lab.now
    issued = wr2.issue([HOST])
    world.serve(HOST, issued)
    serial = issued.certificate.serial_number
    world.port80.replies |= {
        WR2_CRL: wr2.crl({serial: now - 21 * DAY}, this_update=now - 20 * DAY, next_update=now - 9 * DAY),
        WR2_OCSP: wr2.ocsp_answer(issued.certificate),
    }
    found = world.one()
    assert (found.verdict, found.confidence) == ("revoked", "certain")
    assert found.revocation[0].reason is RevocationReason.STALE
    assert world.port80.of("o.pki.goog") == []


def test_repeated_attempts_ask_for_a_list_once(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    found = world.one(repeat=3)
    assert (len(found.observations), states(found)) == (3, [GOOD, GOOD])
    assert sorted(world.port80.of("c.pki.goog")) == sorted([WR2_CRL, R1_CRL])


@pytest.mark.parametrize("off", [-400 * DAY, -20 * DAY, 20 * DAY, 400 * DAY])
@pytest.mark.parametrize("service", [True, False])
def test_a_list_is_judged_at_the_true_time(world: World, off: timedelta, service: bool) -> None:
    """By a wrong clock it would be stale, or of the future; from the cache as from the network."""
    google = world.lab.google
    world.serve(HOST, google.wr2.issue([HOST]))
    world.serve(OTHER, google.we2.issue([OTHER]))
    verdict = "genuine" if off == 20 * DAY else "clock-skewed"
    for more in ({}, {}, {"offline": True}):
        report = world.look(clock=lambda: datetime.now(UTC) + off, time_service=service, **more)
        for found in report.assessments:
            assert (found.verdict, found.confidence) == (verdict, "certain")
            assert states(found) == [GOOD, GOOD]
            assert ("clock-ahead" if off > timedelta(0) else "clock-behind") in codes(found)


# --- kept between runs ----------------------------------------------------------------------------------------------


def test_a_second_run_asks_for_no_list(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    first = world.one()
    assert len(world.port80.of("c.pki.goog")) == 2
    world.port80.forget()
    report = world.look()
    (second,) = report.assessments
    assert world.port80.of("c.pki.goog") == world.port80.of("o.pki.goog") == []
    assert second.revocation == first.revocation
    assert (second.verdict, second.confidence) == ("genuine", "certain")
    assert fetch_of(report, WR2_CRL).outcome is FetchOutcome.CACHED


def test_an_answer_of_a_responder_is_kept_too(world: World) -> None:
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST], drop=[ExtensionOID.CRL_DISTRIBUTION_POINTS])
    world.serve(HOST, issued)
    world.port80.replies[WR2_OCSP] = wr2.ocsp_answer(issued.certificate)
    first = world.one()
    assert first.revocation[0].source == "ocsp"
    world.port80.forget()
    assert world.one().revocation == first.revocation
    assert world.port80.of("o.pki.goog") == []


def test_without_the_cache_everything_is_asked_again_and_nothing_kept(world: World, tmp_path: Path) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    for _ in range(2):
        world.port80.forget()
        assert states(world.one(cache=False)) == [GOOD, GOOD]
        assert len(world.port80.of("c.pki.goog")) == 2
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == []


def test_offline_with_what_was_kept(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    first = world.one()
    world.port80.forget()
    report = world.look(offline=True)
    (found,) = report.assessments
    assert world.port80.asked == []
    assert found.revocation == first.revocation
    assert found.verdict == "genuine"


def test_offline_with_nothing_kept(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    report = world.look(offline=True)
    (found,) = report.assessments
    assert world.port80.asked == []
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert {(s.state, s.reason) for s in found.revocation} == {(UNKNOWN, RevocationReason.OFFLINE)}
    assert "revocation-not-checked" in codes(found)
    assert report.reachability == ()


def test_a_revocation_that_was_kept_is_known_offline(world: World) -> None:
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST])
    world.serve(HOST, issued)
    world.port80.replies[WR2_CRL] = wr2.crl([issued.certificate.serial_number])
    assert world.one().verdict == "revoked"
    world.port80.forget()
    assert world.one(offline=True).verdict == "revoked"
    assert world.port80.asked == []


def test_nothing_is_kept_whose_signature_does_not_hold(world: World) -> None:
    wr2 = world.lab.google.wr2
    world.serve(HOST, wr2.issue([HOST]))
    world.port80.replies[WR2_CRL] = tampered(wr2.crl())
    assert states(world.one()) == [UNKNOWN, GOOD]
    world.port80.replies[WR2_CRL] = wr2.crl()
    world.port80.forget()
    assert states(world.one()) == [GOOD, GOOD]
    assert WR2_CRL in world.port80.asked


def test_an_older_list_never_replaces_a_newer_one(world: World) -> None:
    """Somebody on the way replays the list of before the revocation, to a client that has seen the one after it."""
    wr2, now = world.lab.google.wr2, world.lab.now
    issued = wr2.issue([HOST])
    world.serve(HOST, issued)
    serial = issued.certificate.serial_number
    world.port80.replies[WR2_CRL] = wr2.crl({serial: now - 2 * HOUR}, this_update=now - HOUR, number=7)
    assert world.one().verdict == "revoked"
    world.port80.replies[WR2_CRL] = wr2.crl(this_update=now - 3 * DAY, number=6)
    world.port80.forget()
    assert world.one().verdict == "revoked"
    # That very list is what a client without the newer one has to go by.
    assert world.one(cache=False).verdict == "genuine"
    assert world.one().verdict == "revoked"
    assert world.one(offline=True).verdict == "revoked"


def test_a_kept_list_that_ran_out_is_asked_for_again(world: World) -> None:
    wr2, now = world.lab.google.wr2, world.lab.now
    issued = wr2.issue([HOST])
    world.serve(HOST, issued)
    world.port80.replies[WR2_CRL] = wr2.crl(this_update=now - 9 * DAY, next_update=now - HOUR, number=1)
    assert [s.reason for s in world.one().revocation] == [RevocationReason.STALE, None]
    world.port80.replies[WR2_CRL] = wr2.crl([issued.certificate.serial_number], number=2)
    world.port80.forget()
    assert world.one().verdict == "revoked"
    assert WR2_CRL in world.port80.asked


def test_a_list_kept_under_other_roots_is_not_taken(world: World, tmp_path: Path) -> None:
    """What a laboratory kept is nothing to anybody else's judgement: they do not share a cache."""
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    world.one()
    roots = tmp_path / "roots.pem"
    roots.write_bytes(world.lab.google.roots_pem)
    world.port80.forget()
    found = world.one(trust=Trust.load(roots))
    assert states(found) == [GOOD, GOOD]
    assert WR2_CRL in world.port80.asked


# --- an authority that was not presented ------------------------------------------------------------------------------


def wr9_leaf(lab: Lab, **options: Any) -> Issued:
    return lab.wr9.issue([HOST], **options).alone()


def test_a_missing_intermediate_is_fetched(world: World) -> None:
    """From an address on the list; the path it completes is as certain as any, and that it was missing is said."""
    world.serve(HOST, wr9_leaf(world.lab))
    world.port80.replies[WR9_CRT] = der(world.lab.wr9.certificate)
    found = world.one()
    assert (found.verdict, found.confidence, found.rule) == ("genuine", "certain", "genuine")
    assert found.path == ("WR9", "GTS Root R1")
    assert "chain-incomplete" in codes(found)
    assert states(found) == [GOOD, GOOD]
    assert world.port80.of("i.pki.goog") == [WR9_CRT]


def forged_wr9_leaf(lab: Lab, **options: Any) -> Issued:
    """A leaf that says what one of WR9's says, by somebody who has not its key."""
    genuine = wr9_leaf(lab, **options)
    return replace(genuine, chain=(forged(genuine.certificate, genuine.key, new_key("rsa2048")),))


def test_a_missing_intermediate_that_is_fetched_and_did_not_sign(world: World) -> None:
    """It was not known before, and is now: the leaf bears its name and key id, and not its signature."""
    world.serve(HOST, forged_wr9_leaf(world.lab))
    assert world.one(offline=True).rule == "unknown-intermediate"
    world.port80.replies[WR9_CRT] = der(world.lab.wr9.certificate)
    found = world.one()
    assert (found.verdict, found.confidence, found.rule) == ("intercepted", "certain", "issuer-impersonated")
    assert '"WR9"' in found.explanation
    assert not {"chain-incomplete", "not-revoked"} & codes(found)
    assert found.path == ()


@pytest.mark.parametrize("kind", ["not Google's", "of another key"])
def test_a_missing_intermediate_that_is_another_refutes_nobody(world: World, kind: str) -> None:
    """Anybody can send an authority of that name and key id; and Google may have two of one name."""
    lab = world.lab
    impostor = Authority.root(lab.wr9.certificate.subject, lab.now, key_id=lab.wr9.key_id)
    world.port80.replies[WR9_CRT] = der((impostor if kind == "not Google's" else lab.wr9).certificate)
    claimed = lab.wr9.key_id if kind == "not Google's" else bytes(20)
    world.serve(HOST, forged_wr9_leaf(lab, issuer_key_id=claimed))
    found = world.one()
    assert world.port80.of("i.pki.goog") == [WR9_CRT]
    assert (found.verdict, found.rule) == ("inconclusive", "unknown-intermediate")


def test_the_upper_of_two_intermediates_is_fetched_where_the_lower_was_presented(world: World) -> None:
    lower = two_intermediates(world)
    world.serve(HOST, lower.issue([HOST]).followed_by(lower.certificate))
    found = world.one()
    assert (found.verdict, found.path) == ("genuine", ("Lower", "Upper", "GTS Root R1"))
    assert states(found) == [GOOD, GOOD, GOOD]
    assert world.port80.of("i.pki.goog") == ["i.pki.goog/upper.crt"]


@pytest.mark.parametrize("kind", ["pem", "warm", "offline"])
def test_a_missing_intermediate_otherwise(world: World, kind: str) -> None:
    world.serve(HOST, wr9_leaf(world.lab))
    authority = world.lab.wr9
    world.port80.replies[WR9_CRT] = authority.pem if kind == "pem" else der(authority.certificate)
    if kind != "pem":
        assert world.one().verdict == "genuine"
        world.port80.forget()
    found = world.one(offline=kind == "offline")
    assert (found.verdict, "chain-incomplete" in codes(found)) == ("genuine", True)
    assert (world.port80.of("i.pki.goog") == []) is (kind != "pem")


def two_intermediates(world: World) -> Authority:
    """The lower of two; either is to be had on port 80."""
    upper = world.lab.google.r1.subordinate(
        _google_name("Upper"), path_length=1, add=[(crl_at(f"http://{R1_CRL}"), False)]
    )
    lower = upper.subordinate(
        _google_name("Lower"),
        add=[(access(issuer="http://i.pki.goog/upper.crt"), False), (crl_at("http://c.pki.goog/upper.crl"), False)],
    )
    world.port80.replies |= {
        "i.pki.goog/lower.crt": der(lower.certificate),
        "i.pki.goog/upper.crt": der(upper.certificate),
        "c.pki.goog/lower/lab.crl": lower.crl(),
        "c.pki.goog/upper.crl": upper.crl(),
    }
    return lower


def test_two_missing_authorities_one_above_the_other(world: World) -> None:
    """`gather.MISSING_LINKS` of them may be asked for."""
    world.serve(HOST, two_intermediates(world).issue([HOST]).alone())
    found = world.one()
    assert world.port80.of("i.pki.goog") == ["i.pki.goog/lower.crt", "i.pki.goog/upper.crt"]
    assert (found.verdict, found.path) == ("genuine", ("Lower", "Upper", "GTS Root R1"))
    assert states(found) == [GOOD, GOOD, GOOD]


def _google_name(common_name: str) -> x509.Name:
    return name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Google Trust Services"),
        (NameOID.COMMON_NAME, common_name),
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://pki.example/wr9.crt",
        "http://i.pki.goog.example/wr9.crt",
        "http://sub.i.pki.goog/wr9.crt",
        "http://i.pki.goog:8080/wr9.crt",
        "http://127.0.0.1/wr9.crt",
        "file:///etc/ssl/certs/ca-certificates.crt",
    ],
)
def test_an_authority_is_fetched_from_the_list_alone(world: World, url: str) -> None:
    lab = world.lab
    world.names += ["pki.example", "i.pki.goog.example", "sub.i.pki.goog", "127.0.0.1"]
    where = f"i.pki.goog:8080:127.0.0.1:{world.port80.server.port}"
    world.port80.replies["*"] = der(lab.wr9.certificate)
    leaf = lab.wr9.issue(
        [HOST],
        drop=[ExtensionOID.AUTHORITY_INFORMATION_ACCESS],
        add=[(access(issuer=url), False)],
    )
    world.serve(HOST, leaf.alone())
    found = world.one(resolve=[*world.resolve(), where])
    assert (found.verdict, found.rule) == ("inconclusive", "unknown-intermediate")
    assert "chain-incomplete" in codes(found)
    assert found.revocation == ()
    assert not [place for place in world.port80.asked if "wr9" in place or "ca-cert" in place]


@pytest.mark.parametrize(
    "kind", ["foreign", "foreign of that name", "page", "missing", "rubbish", "another of Google's"]
)
def test_what_comes_instead_of_an_authority_proves_nothing(world: World, kind: str) -> None:
    lab = world.lab
    world.serve(HOST, wr9_leaf(lab))
    world.port80.replies[WR9_CRT] = {
        "foreign": der(plain_corporate(lab.now).certificate),
        "foreign of that name": der(Authority.root(lab.wr9.certificate.subject, lab.now).certificate),
        "page": page(),
        "missing": failing("404 Not Found"),
        "rubbish": b"\x30\x82\xff\xff",
        "another of Google's": der(lab.google.wr2.certificate),
    }[kind]
    found = world.one()
    assert (found.verdict, found.rule) == ("inconclusive", "unknown-intermediate")
    assert world.port80.of("c.pki.goog") == [] or set(world.port80.of("c.pki.goog")) <= {R1_CRL, R4_CRL}


def test_an_authority_of_an_interceptor_s_helps_nobody(world: World) -> None:
    """He who answers on port 443 answers on port 80 too, with the authority that made his leaf."""
    lab = world.lab
    forger = Authority.root(lab.wr9.certificate.subject, lab.now, style=lab.google.wr2.style)
    world.serve(HOST, forger.issue([HOST]).alone())
    world.port80.replies[WR9_CRT] = der(forger.certificate)
    found = world.one()
    assert (found.verdict, found.rule) == ("inconclusive", "unknown-intermediate")
    assert found.revocation == ()
    # What he fetches for us is no part of what was presented, and what was presented decides alone.
    world.serve(HOST, forger.issue([HOST]).followed_by(forger.certificate))
    assert world.one().verdict == "intercepted"


# --- timestamps -----------------------------------------------------------------------------------------------------

SCT = ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS


def timestamps_of(issued: Issued) -> x509.UnrecognizedExtension:
    """The bytes of its extension, to be copied."""
    value = issued.certificate.extensions.get_extension_for_oid(SCT).value
    return x509.UnrecognizedExtension(SCT, value.public_bytes())


def test_timestamps_that_verify(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST], logs=world.lab.logs))
    found = world.one()
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert said(found, "sct-valid").values == {"n": "2", "operators": "North, South"}
    assert [(t.result, t.operator) for t in found.timestamps] == [("valid", "North"), ("valid", "South")]
    assert not codes(found) & {"sct-absent", "sct-unknown-log", "sct-invalid"}


def test_timestamps_of_one_operator(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST], logs=world.lab.logs[:1]))
    found = world.one()
    assert (found.verdict, said(found, "sct-valid").values) == ("genuine", {"n": "1", "operators": "North"})


def test_timestamps_of_logs_nobody_knows(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST], logs=[Log("new", "New"), Log("newer", "New")]))
    found = world.one()
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert said(found, "sct-unknown-log").values["n"] == "2"
    assert not codes(found) & {"sct-valid", "sct-absent"}


def test_a_known_and_an_unknown_log(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST], logs=[world.lab.logs[0], Log("new", "New")]))
    found = world.one()
    assert found.verdict == "genuine"
    assert {"sct-valid", "sct-unknown-log"} <= codes(found)


def test_no_timestamps(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    found = world.one()
    assert (found.verdict, found.confidence, found.timestamps) == ("genuine", "certain", ())
    assert "sct-absent" in codes(found)


def test_a_timestamp_that_its_log_did_not_sign(world: World) -> None:
    """Copied from another leaf of the same authority."""
    wr2 = world.lab.google.wr2
    world.serve(HOST, wr2.issue([HOST], add=[(timestamps_of(wr2.issue([HOST], logs=world.lab.logs)), False)]))
    world.serve(OTHER, wr2.issue([OTHER], logs=world.lab.logs))
    found = by_host(world.look())
    assert (found[HOST].verdict, found[HOST].rule) == ("inconclusive", "sct-invalid")
    assert "sct-invalid" in codes(found[HOST])
    assert {t.result for t in found[HOST].timestamps} == {"invalid"}
    assert "north" in found[HOST].explanation
    assert found[OTHER].verdict == "genuine"


def test_revoked_comes_before_a_false_timestamp(world: World) -> None:
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST], add=[(timestamps_of(wr2.issue([HOST], logs=world.lab.logs)), False)])
    world.serve(HOST, issued)
    world.port80.replies[WR2_CRL] = wr2.crl([issued.certificate.serial_number])
    found = world.one()
    assert found.verdict == "revoked"
    assert "sct-invalid" in codes(found)


@pytest.fixture(scope="module")
def reserve(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Trust]:
    """A root that Google may move to, and trust data in which it is one."""
    root = Authority.root(_google_name("Reserve Root"), lab.now, style=lab.google.wr2.style)
    folder = trust_folder.make(
        tmp_path_factory.mktemp("reserve") / "trust",
        google_roots=[*lab.google.roots, root.certificate],
        ct_logs=lab.logs,
        time_keys={lab.service.version: lab.service.spki},
    )
    path = folder / "google_roots.toml"
    head, row, tail = path.read_text(encoding="utf-8").partition("Reserve Root")
    rewrite(path, head + row + tail.replace('tier = "google"', 'tier = "alternate"', 1))
    return root, Trust.load(folder)


RESERVED = {
    "two operators": ("genuine", "genuine"),
    "one operator": ("unexpected-ca", "unexpected-ca"),
    "one operator twice": ("unexpected-ca", "unexpected-ca"),
    "none": ("unexpected-ca", "unexpected-ca"),
    "unknown logs": ("unexpected-ca", "unexpected-ca"),
    "copied": ("unexpected-ca", "unexpected-ca"),
    "two operators and a copied one": ("unexpected-ca", "unexpected-ca"),
}


@pytest.mark.parametrize("kind", RESERVED)
def test_another_root_of_google_s_list_needs_two_logs(
    world: World, reserve: tuple[Authority, Trust], kind: str
) -> None:
    """Any customer of that authority could have a leaf from it; that logs have seen one for this name is what makes the
    difference. Only then is anything asked for on its word."""
    (root, trust), (north, south) = reserve, world.lab.logs
    logs = {
        "two operators": [north, south],
        "one operator": [north],
        "one operator twice": [north, north],
        "unknown logs": [Log("new", "New"), Log("newer", "Newer")],
    }.get(kind, [])
    copied = root.issue([HOST], logs=[north, south])
    issued = root.issue([HOST], logs=logs)
    if kind == "copied":
        issued = root.issue([HOST], add=[(timestamps_of(copied), False)])
    if kind == "two operators and a copied one":
        held = [*_vectors(root.issue([HOST], logs=[north, south])), _vectors(copied)[0]]
        issued = root.issue([HOST], add=[(_listed(held), False)])
    world.serve(HOST, issued)
    world.port80.replies["c.pki.goog/reserve root/lab.crl"] = root.crl()
    found = world.one(trust=trust)
    assert (found.verdict, found.rule) == RESERVED[kind]
    assert found.confidence in ("strong", "certain")
    assert "root-alternate" in codes(found)
    assert (found.revocation != ()) is (found.verdict == "genuine")


def _vectors(issued: Issued) -> list[bytes]:
    """The timestamps of a leaf, one by one."""
    data = timestamps_of(issued).value
    start, found = (2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)) + 2, list[bytes]()
    while start < len(data):
        end = start + 2 + int.from_bytes(data[start : start + 2])
        found.append(data[start + 2 : end])
        start = end
    return found


def _listed(timestamps: list[bytes]) -> x509.UnrecognizedExtension:
    content = sct_list(timestamps)
    size = len(content)
    return x509.UnrecognizedExtension(SCT, b"\x04\x82" + size.to_bytes(2) + content)


# --- the time -------------------------------------------------------------------------------------------------------

SERVICE = "Google's signed time service"


def test_the_time_service_makes_a_single_host_certain(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    report = world.look()
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert report.clock.sources[0] == SERVICE
    assert report.clock.hi is not None
    assert report.clock.lo <= datetime.now(UTC) <= report.clock.hi + timedelta(minutes=1)
    assert report.clock.hi - report.clock.lo < timedelta(minutes=1)
    assert len(world.port80.of("clients2.google.com")) == 1
    assert fetch_of(report, TIME).outcome is FetchOutcome.FETCHED


def replayed(lab: Lab) -> Reply:
    """A true answer to somebody else's question."""
    query = "cup2key=8:somebody-elses&cup2hreq=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    body, proof = lab.service.answer(query, datetime.now(UTC) - 300 * DAY)
    return lambda peer, _: send(peer, body, f"x-cup-server-proof: {proof}")


def unsigned(_: Lab) -> Reply:
    return lambda peer, _: send(peer, b')]}\'\n{"current_time_millis":1500000000000,"server_nonce":1}')


def test_a_time_service_that_never_answers_costs_a_fetch(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    world.port80.replies[TIME] = Waiting()
    report = bounded(world.plan())
    (found,) = report.assessments
    assert (found.verdict, found.confidence, states(found)) == ("genuine", "strong", [GOOD, GOOD])
    assert fetch_of(report, TIME).outcome is FetchOutcome.TIMEOUT


TIMELESS: dict[str, Callable[[Lab], Reply]] = {
    "wrong key": lambda lab: telling(TimeService(lab.service.version), -300 * DAY),
    "replayed": replayed,
    "unsigned": unsigned,
    "404": lambda _: failing("404 Not Found"),
    "page": lambda _: page(),
    "reset": lambda _: lambda peer, _: peer.reset(),
}


@pytest.mark.parametrize("kind", TIMELESS)
def test_a_time_service_that_tells_no_time_is_no_attack(world: World, kind: str) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    world.port80.replies[TIME] = TIMELESS[kind](world.lab)
    report = world.look()
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert "clock-unproven" in codes(found)
    assert SERVICE not in report.clock.sources
    assert {c.code for c in report.conclusions} <= {"allow-list-misses", "port-80-blocked", "trust-data-old"}
    assert not codes(found) & {"clock-ahead", "clock-behind", "clock-witness-dropped"}
    fetch = fetch_of(report, TIME)
    if kind in ("wrong key", "replayed", "unsigned"):
        assert fetch.detail.startswith("not signed")
    # Two hosts agree without it.
    world.serve(OTHER, world.lab.google.we2.issue([OTHER]))
    assert {a.confidence for a in world.look().assessments} == {"certain"}


def test_a_key_of_the_time_service_that_is_not_known(world: World) -> None:
    """The service has gone on to another key; ours it has forgotten."""
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    world.port80.replies[TIME] = failing("400 Bad Request")
    found = world.one()
    assert (found.verdict, found.confidence) == ("genuine", "strong")


def test_the_time_service_is_not_asked_where_it_must_not_be(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    report = world.look(time_service=False)
    assert world.port80.of("clients2.google.com") == []
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert states(found) == [GOOD, GOOD]
    assert SERVICE not in report.clock.sources


def test_the_time_service_is_google_s_affair_alone(world: World) -> None:
    world.serve("www.shop.example", world.lab.public.issue(["www.shop.example"]))
    assert world.one().verdict == "genuine"
    assert world.port80.asked == []


@pytest.mark.parametrize("off", [-400 * DAY, -DAY, DAY, 40 * DAY])
def test_the_time_service_convicts_the_clock(world: World, off: timedelta) -> None:
    """All by itself, and behind an interceptor too."""
    world.serve(HOST, plain_corporate(world.lab.now).issue([HOST]))
    report = world.look(clock=lambda: datetime.now(UTC) + off)
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("intercepted", "certain")
    finding = said(report, "clock-ahead" if off > timedelta(0) else "clock-behind")
    assert finding.kind is Kind.PROOF
    low, high = int(finding.values["least_seconds"]), int(finding.values["most_seconds"])
    assert low <= off.total_seconds() <= high
    assert high - low < 60
    assert report.clock.sources == (SERVICE,)


def test_judging_at_a_chosen_time(world: World) -> None:
    google, now = world.lab.google, world.lab.now
    issued = google.wr2.issue([HOST], not_after=now + 10 * DAY)
    world.serve(HOST, issued)
    world.port80.replies[WR2_CRL] = google.wr2.crl({issued.certificate.serial_number: now - 2 * DAY})
    verdicts = {}
    for days in (-30, -5, -1, 5, 20):
        at = now + days * DAY
        report = world.look(at=at, cache=False)
        verdicts[days] = str(report.assessments[0].verdict)
        assert report.judged_at == at
        assert f"{at:%Y-%m-%d %H:%M}Z" in said(report, "judged-at").sentence
        assert (report.clock.lo, report.clock.hi, report.clock.sources) == (at, at, ("chosen by the caller",))
    # Ten days before the end of a leaf's 84 it began 74 days ago.
    assert verdicts == {-30: "genuine", -5: "genuine", -1: "revoked", 5: "revoked", 20: "revoked"}
    assert world.port80.of("clients2.google.com") == []
    later = world.one(at=now + 20 * DAY)
    assert "expired" in codes(later)


def test_judging_at_a_chosen_time_without_a_revocation(world: World) -> None:
    now = world.lab.now
    world.serve(HOST, world.lab.google.wr2.issue([HOST], not_before=now - 10 * DAY, not_after=now + 10 * DAY))
    verdicts = [str(world.one(at=now + days * DAY).verdict) for days in (-11, -9, 9, 11)]
    assert verdicts == ["not-yet-valid", "genuine", "genuine", "expired"]
    with pytest.raises(UsageError):
        world.one(at=now.replace(tzinfo=None))


# --- reachability ---------------------------------------------------------------------------------------------------


def test_the_hosts_that_certificates_name_are_reported(world: World) -> None:
    """Beside those of the profile, needed or not, and with a word where a list built from the help page misses one."""
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    report = world.look("http://crl.pki.goog/")
    reached = {r.endpoint.host: r for r in report.reachability}
    assert set(reached) == {"crl.pki.goog", "c.pki.goog", "o.pki.goog"}
    assert {host: r.named for host, r in reached.items()} == {
        "crl.pki.goog": False,
        "c.pki.goog": True,
        "o.pki.goog": True,
    }
    assert reached["c.pki.goog"].result is Reach.SIGNED_OBJECT
    assert reached["o.pki.goog"].result is Reach.ANSWERS
    missed = said(report, "allow-list-misses").values["hosts"]
    assert set(missed.split(", ")) <= {"c.pki.goog", "o.pki.goog"}
    assert missed
    # Where only hosts on 443 were asked for, nobody has built a list of the others.
    alone = world.look()
    assert {r.endpoint.host for r in alone.reachability} == {"c.pki.goog", "o.pki.goog"}
    assert all(r.named for r in alone.reachability)
    assert "allow-list-misses" not in {c.code for c in alone.conclusions}


def test_a_listed_host_may_be_named_too(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    reached = {r.endpoint.host: (r.listed, r.named) for r in world.look("http://c.pki.goog/").reachability}
    assert reached == {"c.pki.goog": (True, True), "o.pki.goog": (False, True)}


def test_what_is_listed_nowhere_and_named_by_nobody_is_reported_too(world: World) -> None:
    """Everything is intercepted: whether the revocation hosts of today can be reached is worth knowing all the same."""
    world.serve(HOST, world.lab.public.issue([HOST]).alone())
    reached = {r.endpoint.host: (r.listed, r.named) for r in world.look().reachability}
    assert reached == {"c.pki.goog": (False, False), "o.pki.goog": (False, False)}


@pytest.mark.parametrize("status", ["302 Found", "511 Network Authentication Required"])
def test_a_revocation_host_proves_no_captive_portal(world: World, status: str) -> None:
    """Nobody asked for it: what it answers is no word about the hosts that somebody did ask for."""

    def away(peer: Peer, _: Request) -> None:
        send(peer, b"", "Location: http://login.hotel.example/", status=status)

    world.port80.replies["c.pki.goog/*"] = away
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    world.serve(OTHER, world.lab.google.wr2.issue([THIRD]))
    report = world.look()
    assert {host: a.verdict for host, a in by_host(report).items()} == {HOST: "genuine", OTHER: "wrong-host"}
    assert "portal-on-network" not in {c.code for c in report.conclusions}


def test_a_host_that_was_silent_is_not_waited_for_again(world: World) -> None:
    world.port80.replies["c.pki.goog/"] = Waiting()
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    report = world.look(timeout=0.7)
    fetch = fetch_of(report, WR2_CRL)
    assert (fetch.outcome, fetch.detail) == (FetchOutcome.TIMEOUT, "it was silent before")
    assert not world.port80.of("c.pki.goog")


def test_no_fetch_takes_longer_than_an_attempt_may() -> None:
    assert (Limits.within(1.0).seconds, Limits.within(1.0).run_seconds) == (1.0, 3.0)
    assert Limits.within(60.0) == Limits()


@pytest.mark.parametrize("place", ["c.pki.goog", "C.PKI.goog", "c.pki.goog:80", "c.pki.goog."])
def test_a_host_is_the_same_however_a_certificate_writes_it(world: World, place: str) -> None:
    """What was fetched from it says that it can be reached."""
    wr2 = world.lab.google.wr2
    named = crl_at(f"http://{place}/wr2/lab.crl")
    world.serve(HOST, wr2.issue([HOST], drop=[ExtensionOID.CRL_DISTRIBUTION_POINTS], add=[(named, False)]))
    world.port80.replies[R1_CRL] = failing("404 Not Found")
    report = world.look()
    assert states(report.assessments[0])[0] is GOOD
    (reached,) = (r for r in report.reachability if r.endpoint.host == "c.pki.goog")
    assert reached.result is Reach.SIGNED_OBJECT


def test_the_hosts_that_a_foreign_certificate_names_are_not(world: World) -> None:
    world.names.append("crl.forger.example")
    forged = plain_corporate(world.lab.now).issue([HOST], add=[(crl_at("http://crl.forger.example/a.crl"), False)])
    world.serve(HOST, forged)
    report = world.look()
    assert "crl.forger.example" not in {r.endpoint.host for r in report.reachability}
    assert not [place for place in world.port80.asked if place.startswith("crl.forger.example")]


def test_a_page_instead_of_a_list_is_said_of_the_host_too(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    world.port80.replies |= {WR2_CRL: page(), R1_CRL: page(), "c.pki.goog/": page("403 Forbidden")}
    report = world.look()
    reached = {r.endpoint.host: r.result for r in report.reachability}
    assert reached["c.pki.goog"] is Reach.NOT_PKI
    assert "c.pki.goog" in said(report, "port-80-blocked").values["hosts"]


# --- an end in the middle -------------------------------------------------------------------------------------------


@dataclass
class Waiting:
    """Somebody who is asked and never answers."""

    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self, peer: Peer, _: Request) -> None:
        self.reached.set()
        peer.hold()


def _kept(report: Report) -> None:
    """Everything but what was being waited for is there."""
    assert report.interrupted
    for found in report.assessments:
        assert found.verdict == "genuine"
        assert found.observations[0].http is not None
        leaf, authority = found.revocation
        assert leaf.state is UNKNOWN
        assert authority.state in (GOOD, UNKNOWN)


def test_a_cancelled_scan_keeps_what_it_saw(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    world.serve(OTHER, world.lab.google.wr2.issue([OTHER]))
    waiting = Waiting()
    world.port80.replies[WR2_CRL] = waiting
    run = world.plan()

    async def cut() -> None:
        task = asyncio.create_task(run.observe())
        await asyncio.to_thread(waiting.reached.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut())
    _kept(run.report())


def test_an_interrupted_scan_keeps_what_it_saw(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))

    def interrupting(peer: Peer, _: Request) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        peer.hold()

    world.port80.replies[WR2_CRL] = interrupting
    _kept(execute(world.plan()))


def test_a_cancelled_iteration_ends(world: World) -> None:
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    waiting = Waiting()
    world.port80.replies[WR2_CRL] = waiting

    async def collect() -> list[Assessment]:
        return [found async for found in scan_async([HOST], **world.options())]

    async def cut() -> None:
        task = asyncio.create_task(collect())
        await asyncio.to_thread(waiting.reached.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cut())


# --- neighbours -----------------------------------------------------------------------------------------------------

BOUND = 1.5  # seconds for a fetch, where a test waits for it to end


def bounded(run: Run) -> Report:
    """The scan with less time for a fetch than ordinarily."""
    limits = Limits(seconds=BOUND)
    run.shelf.fetcher = Fetcher(run.settings, run.routing, run.trust.may_fetch_from, limits=limits)
    return sound(execute(run))


def _silence(peer: Peer, _: Request) -> None:
    peer.hold()


def _flood(peer: Peer, _: Request) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000000\r\n\r\n\x30\x84\xb2\xd0\x5e\x00")
    while not peer.stopping.is_set():
        peer.send(bytes(1 << 16))


HOSTILE: dict[str, Reply] = {
    "silent": _silence,
    "one byte at a time": _drip,
    "without end": _flood,
    "a page": page(),
    "garbage": os.urandom(100_000),
    "reset": lambda peer, _: peer.reset(),
    "redirect to itself": lambda peer, _: send(
        peer, b"", "Location: http://c.pki.goog/wr2/lab.crl", status="302 Found"
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_server_of_lists_is_nobody_else_s_trouble(world: World, kind: str) -> None:
    google = world.lab.google
    world.serve(HOST, google.wr2.issue([HOST]))
    issued = google.we2.issue([OTHER])
    world.serve(OTHER, issued)
    world.serve(THIRD, google.we2.issue([THIRD]))
    world.port80.replies |= {
        WR2_CRL: HOSTILE[kind],
        WR2_OCSP: HOSTILE[kind],
        WE2_CRL: google.we2.crl([issued.certificate.serial_number]),
    }
    report = bounded(world.plan())
    found = by_host(report)
    assert (found[HOST].verdict, found[HOST].confidence) == ("genuine", "certain")
    assert states(found[HOST]) == [UNKNOWN, GOOD]
    assert (found[OTHER].verdict, states(found[OTHER])) == ("revoked", [REVOKED, GOOD])
    assert (found[THIRD].verdict, states(found[THIRD])) == ("genuine", [GOOD, GOOD])
    assert all(fetch.seconds < BOUND + 1 for fetch in report.fetches)
    assert FetchOutcome.INTERNAL not in {fetch.outcome for fetch in report.fetches}


# --- public authorities ---------------------------------------------------------------------------------------------

SHOP, SHOP_CRL = "www.shop.example", "crl.shop.example/a.crl"


def shop_leaf(authority: Authority, *names: str) -> Issued:
    """A leaf that says where its authority's list is."""
    return authority.issue(names or [SHOP], add=[(crl_at(f"http://{SHOP_CRL}"), False)])


@pytest.fixture
def shop(world: World) -> World:
    world.names.append("crl.shop.example")
    world.port80.replies[SHOP_CRL] = world.lab.public.crl()
    return world


def test_a_public_host_is_looked_after_too(shop: World) -> None:
    shop.serve(SHOP, shop_leaf(shop.lab.public))
    found = shop.one()
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert states(found) == [GOOD]
    assert shop.port80.asked == [SHOP_CRL]


def test_a_public_host_whose_certificate_is_revoked(shop: World) -> None:
    issued = shop_leaf(shop.lab.public)
    shop.serve(SHOP, issued)
    shop.port80.replies[SHOP_CRL] = shop.lab.public.crl([issued.certificate.serial_number])
    assert shop.one().verdict == "revoked"


@pytest.mark.parametrize("host", [SHOP, HOST])
def test_what_nobody_proved_sends_nobody_anywhere(shop: World, host: str) -> None:
    """A public endpoint with a foreign leaf; and one of Google's, with one that a public authority signed: who must
    have signed did not."""
    authority = plain_corporate(shop.lab.now) if host == SHOP else shop.lab.public
    shop.serve(host, shop_leaf(authority, host))
    found = shop.one()
    assert found.verdict == ("inconclusive" if host == SHOP else "unexpected-ca")
    assert found.revocation == ()
    assert not [place for place in shop.port80.asked if place.startswith("crl.shop.example")]


def test_a_public_certificate_for_another_name_is_proven_all_the_same(shop: World) -> None:
    """Who signed is one question and for whom another: the list may be asked for, and moves nothing."""
    shop.serve(SHOP, shop_leaf(shop.lab.public, "www.other.example"))
    assert shop.one().verdict == "wrong-host"


def test_a_proven_certificate_may_not_lead_into_a_private_network(world: World) -> None:
    """Its authority may be fooled, or bought."""
    urls = [f"http://127.0.0.1:{world.port80.server.port}/a.crl", "http://169.254.169.254/a.crl", "http://10.0.0.1/a"]
    issued = world.lab.public.issue([SHOP], add=[(crl_at(*urls, "file:///etc/passwd"), False)])
    world.serve(SHOP, issued)
    report = world.look()
    (found,) = report.assessments
    assert found.verdict == "genuine"
    (leaf,) = found.revocation
    assert (leaf.state, leaf.reason) == (UNKNOWN, RevocationReason.FORBIDDEN)
    assert world.port80.asked == []
    assert {fetch.outcome for fetch in report.fetches} == {FetchOutcome.FORBIDDEN_ADDRESS}
    allowed = world.look(allow_private_fetch=True)
    assert world.port80.asked != []
    assert allowed.assessments[0].verdict == "genuine"


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "10.0.0.1", "::1", "fe80::1"])
def test_nor_may_one_that_google_signed(world: World, host: str) -> None:
    """Neither for the list nor to see whether somebody is there; and it is said for either family alike."""
    url = f"http://[{host}]/a.crl" if ":" in host else f"http://{host}/a.crl"
    wr2 = world.lab.google.wr2
    world.serve(HOST, wr2.issue([HOST], drop=[ExtensionOID.CRL_DISTRIBUTION_POINTS], add=[(crl_at(url), False)]))
    report = world.look()
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert found.revocation[0].reason is RevocationReason.FORBIDDEN
    (fetch,) = (fetch for fetch in report.fetches if fetch.url == url)
    assert (fetch.outcome, fetch.address) == (FetchOutcome.FORBIDDEN_ADDRESS, None)
    (reached,) = (r for r in report.reachability if r.endpoint.host == host)
    assert (reached.result, reached.address) == (Reach.NOT_PKI, None)
    assert "not out there" in reached.sentence


def test_what_a_public_authority_signs_tells_nobody_the_time(shop: World) -> None:
    """Any of them could post-date a list; only Google's own keys are believed about the time."""
    now = shop.lab.now
    shop.serve(SHOP, shop_leaf(shop.lab.public), date=None)
    shop.port80.replies[SHOP_CRL] = shop.lab.public.crl(this_update=now + 300 * DAY, next_update=now + 400 * DAY)
    report = shop.look()
    assert report.clock.lo < now
    assert report.assessments[0].verdict == "genuine"


def _statuses(report: Report) -> Mapping[str, tuple[RevocationStatus, ...]]:
    return {a.endpoint.host: a.revocation for a in report.assessments}


def test_a_mixed_run_knows_all_of_them(shop: World) -> None:
    google = shop.lab.google
    shop.serve(SHOP, shop_leaf(shop.lab.public))
    shop.serve(HOST, google.wr2.issue([HOST]))
    shop.serve(OTHER, plain_corporate(shop.lab.now).issue([OTHER]))
    report = shop.look()
    known = {host: [status.state for status in statuses] for host, statuses in _statuses(report).items()}
    assert known == {SHOP: [GOOD], HOST: [GOOD, GOOD], OTHER: []}
    assert {host: str(a.verdict) for host, a in by_host(report).items()} == {
        SHOP: "genuine",
        HOST: "genuine",
        OTHER: "intercepted",
    }
