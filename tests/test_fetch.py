"""Fetching from servers that lie, through proxies that refuse, and to addresses that are not out there."""

import asyncio
import contextlib
import gc
import mmap
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import tlsinspect.exchange
import tlsinspect.fetch
from tests.faults import (
    ESTABLISHED,
    HOST,
    NOTHING_LISTENING,
    Address,
    Handler,
    Peer,
    Running,
    fault,
    honest_proxy,
    serving,
    tls_server,
)
from tlsinspect.addresses import is_public
from tlsinspect.exchange import GARBAGE, IN_MEMORY
from tlsinspect.fetch import Fetched, Fetcher, Limits, Purpose
from tlsinspect.lab.pki import GoogleLike
from tlsinspect.model import FetchOutcome, Route
from tlsinspect.observe import connect
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.route import Routing, read_proxy

GOOD = "c.pki.goog"  # on the allow-list
OTHER = "crl.example"  # not on it
URL = f"http://{GOOD}/wr2/x.crl"
DER = b"\x30\x82" + bytes(range(256)) * 4
PUBLIC = "8.8.8.8"
SECONDS = 0.6  # for a fetch whose server never comes to an end
GRACE = 1.5  # what a fetch may take beyond its deadline on a busy machine


def on_the_list(host: str) -> bool:
    return host.endswith(".pki.goog") or host == GOOD


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to: nothing, unless a test says so."""
    real, known = socket.getaddrinfo, dict[str, list[str]]()

    def look_up(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        options["flags"] = socket.AI_NUMERICHOST
        try:
            return [found for address in known.get(host, [host]) for found in real(address, port, *more, **options)]
        except socket.gaierror:
            raise socket.gaierror(socket.EAI_NONAME, "no such name") from None

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def settings(places: Mapping[str, Address]) -> Settings:
    """`places` says where `host` or `host:port` really is."""
    resolved = {}
    for place, (address, real) in places.items():
        host, _, port = place.partition(":")
        for each in (int(port),) if port else (80, 443):
            resolved[host, each] = [(address, real)]
    return Settings(resolved=resolved)


def fetcher(places: Mapping[str, Address], proxy: str | None = None, **options: Any) -> Fetcher:
    options = {"limits": Limits(seconds=SECONDS), **options}
    routing = Routing(fixed=read_proxy(proxy, "--proxy")) if proxy else Routing()
    return Fetcher(settings(places), routing, on_the_list, **options)


def get(
    places: Mapping[str, Address], url: str = URL, purpose: Purpose = "crl", *, proven: bool = True, **options: Any
) -> Fetched:
    got = asyncio.run(fetcher(places, **options).get(url, purpose, proven=proven))
    assert got.fetch.outcome is not FetchOutcome.INTERNAL, got.fetch.detail
    assert (got.body is not None) is (got.fetch.outcome is FetchOutcome.FETCHED)
    assert got.sent <= got.received
    return got


def outcome(*arguments: Any, **options: Any) -> str:
    return get(*arguments, **options).fetch.outcome


def said(answer: bytes) -> Handler:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(answer)

    return handle


def endless(head: bytes, piece: bytes) -> Handler:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.send(head)
        while True:
            peer.send(piece)

    return handle


def dripping(start: bytes, value: bytes) -> Handler:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.send(start)
        peer.drip(value * 1000, 0.1)

    return handle


def answer(body: bytes = DER, status: str = "200 OK", *fields: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body


def elsewhere(location: str) -> bytes:
    return answer(b"", "302 Found", f"Location: {location}")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"
HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 3221225472\r\n\r\n"
PAGE = b"\xef\xbb\xbf\r\n <!doctype html><title>Blocked</title>"
HTML = "Content-Type: text/html; charset=utf-8"


# -- what a server can answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["crl", "ocsp", "issuer", "time"])
@pytest.mark.parametrize(
    "whole",
    [
        answer(),
        CHUNKED + b"402;x=y\r\n" + DER + b"\r\n0\r\n\r\n",
        UNTIL_CLOSE + DER,
        answer(DER, "200 OK", "Content-Encoding: identity"),
    ],
    ids=["length", "chunked", "until close", "identity"],
)
def test_an_object_comes_as_it_is(purpose: Purpose, whole: bytes) -> None:
    with serving(said(whole)) as server:
        got = get({GOOD: server}, purpose=purpose, limits=Limits(time=2000))
    assert got.body == DER
    fetch = got.fetch
    assert (fetch.url, fetch.purpose, fetch.outcome, fetch.status) == (URL, purpose, "fetched", 200)
    assert (fetch.address, fetch.size, fetch.route) == (HOST, len(DER), Route())
    (request,) = server.requests
    assert (request.line, request.header("Host")) == ("GET /wr2/x.crl HTTP/1.1", GOOD)
    assert request.header("Accept-Encoding") == "identity"


def test_the_date_of_an_answer_is_kept() -> None:
    with serving(said(answer(DER, "200 OK", "Date: Sun, 06 Nov 1994 08:49:37 GMT"))) as server:
        got = get({GOOD: server})
    assert got.fetch.date is not None
    assert got.head is not None
    assert got.fetch.date.year == 1994


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (CHUNKED + b"zz\r\n" + DER, FetchOutcome.NOT_HTTP),
        (CHUNKED + b"2\r\n0000\r\n0\r\n\r\n", FetchOutcome.NOT_HTTP),
        (CHUNKED + b"402\r\n" + DER[:100], FetchOutcome.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + DER, FetchOutcome.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\n", FetchOutcome.UNREACHABLE),
        (b"", FetchOutcome.UNREACHABLE),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", FetchOutcome.NOT_HTTP),
        (DER, FetchOutcome.NOT_HTTP),
        (HUGE, FetchOutcome.TOO_LARGE),
        (CHUNKED + b"C0000000\r\n", FetchOutcome.TOO_LARGE),
        (answer(PAGE), FetchOutcome.BLOCK_PAGE),
        (answer(PAGE, "200 OK", HTML), FetchOutcome.BLOCK_PAGE),
        (answer(b"", "200 OK", HTML), FetchOutcome.BLOCK_PAGE),
        (answer("<html>".encode("utf-16")), FetchOutcome.BLOCK_PAGE),
        (HUGE.replace(b"OK", b"OK\r\nContent-Type: text/html") + PAGE, FetchOutcome.BLOCK_PAGE),
        (answer(PAGE, "403 Forbidden"), FetchOutcome.BLOCK_PAGE),
        (answer(PAGE, "403 Forbidden", HTML), FetchOutcome.BLOCK_PAGE),
        (answer(PAGE, "451 Unavailable", HTML), FetchOutcome.BLOCK_PAGE),
        (answer(PAGE, "503 Busy", HTML), FetchOutcome.BLOCK_PAGE),
        (answer(PAGE, "511 Log in", HTML), FetchOutcome.BLOCK_PAGE),
        (answer(b"no", "403 Forbidden"), FetchOutcome.STATUS),
        (answer(b"", "403 Forbidden"), FetchOutcome.STATUS),
        (HUGE.replace(b"200 OK", b"403 No") + b"no" * 1000, FetchOutcome.STATUS),
        (answer(PAGE, "404 Not Found", HTML), FetchOutcome.STATUS),
        (answer(PAGE, "500 Oops", HTML), FetchOutcome.STATUS),
        (answer(b"", "304 Not Modified"), FetchOutcome.STATUS),
        (answer(b"", "204 No Content"), FetchOutcome.STATUS),
        (answer(DER, "206 Partial Content"), FetchOutcome.STATUS),
        (answer(DER, "302 Found"), FetchOutcome.STATUS),
        (answer(DER, "401 Unauthorized"), FetchOutcome.STATUS),
        (answer(DER, "407 Proxy Authentication Required", "Proxy-Authenticate: Basic"), FetchOutcome.STATUS),
        (answer(b"\x1f\x8b" + bytes(100), "200 OK", "Content-Encoding: gzip"), FetchOutcome.ENCODED),
        (answer(DER, "200 OK", "Transfer-Encoding: gzip, chunked"), FetchOutcome.ENCODED),
    ],
)
def test_what_is_not_the_object(whole: bytes, expected: FetchOutcome) -> None:
    with serving(said(whole)) as server:
        fetch = get({GOOD: server}).fetch
    assert fetch.outcome is expected
    has_status = whole.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in whole
    assert fetch.status == (int(whole[9:12]) if has_status else None)


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"garbage", bytes(4000), b"{}", b"Certificate Revocation List", b"\xa7" * 300]
)
def test_garbage_is_handed_to_the_judge(body: bytes) -> None:
    with serving(said(answer(body))) as server:
        assert get({GOOD: server}).body == body


@pytest.mark.parametrize("purpose", ["crl", "ocsp", "issuer"])
@pytest.mark.parametrize("piece", [bytes(65536), b"garbage " * 8192], ids=["zeros", "garbage"])
def test_endless_garbage_costs_its_beginning(purpose: Purpose, piece: bytes) -> None:
    with serving(endless(UNTIL_CLOSE, piece)) as server:
        got = get({GOOD: server}, purpose=purpose, limits=Limits())
    assert got.fetch.outcome is FetchOutcome.FETCHED
    assert got.body
    assert len(got.body) <= GARBAGE
    assert piece.startswith(bytes(got.body))
    assert (got.fetch.size or 0) <= 2 * GARBAGE


@pytest.mark.parametrize("purpose", ["crl", "ocsp", "issuer", "time"])
@pytest.mark.parametrize("head", [UNTIL_CLOSE, CHUNKED], ids=["until close", "chunked"])
def test_an_endless_object_costs_its_limit(purpose: Purpose, head: bytes) -> None:
    piece = b"0" * 65536
    piece = b"%x\r\n%s\r\n" % (len(piece), piece) if head is CHUNKED else piece
    with serving(endless(head, piece)) as server:
        fetch = get({GOOD: server}, purpose=purpose, limits=Limits(seconds=30, crl=3_000_000)).fetch
    assert fetch.outcome is FetchOutcome.TOO_LARGE
    assert (fetch.size or 0) <= 3_000_000


def test_a_time_that_is_too_long_is_not_garbage() -> None:
    with serving(said(answer(b")]}'\n" + bytes(2000)))) as server:
        assert outcome({GOOD: server}, purpose="time") is FetchOutcome.TOO_LARGE


def test_a_head_without_end() -> None:
    with serving(endless(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"a" * 4000 + b"\r\n")) as server:
        assert outcome({GOOD: server}) is FetchOutcome.NOT_HTTP


@pytest.mark.parametrize(
    "handle",
    [
        dripping(b"HTTP/1.1 200 ", b"O"),
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        dripping(UNTIL_CLOSE, b"0"),
        dripping(UNTIL_CLOSE, b" "),
        dripping(CHUNKED, b"0"),
        lambda peer: peer.hold(),
    ],
    ids=["before the head", "head", "body", "blanks", "chunks", "silent"],
)
def test_a_server_without_haste_costs_the_deadline(handle: Handler) -> None:
    begun = time.monotonic()
    with serving(handle) as server:
        assert outcome({GOOD: server}) is FetchOutcome.TIMEOUT
        assert time.monotonic() - begun < SECONDS + GRACE


@pytest.mark.parametrize("kind", [NOTHING_LISTENING, "reset-on-accept"])
def test_nobody_there(kind: str) -> None:
    with fault(kind) as server:
        assert outcome({GOOD: server}) is FetchOutcome.UNREACHABLE


def test_a_reset_in_the_middle() -> None:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + DER)
        peer.pause(0.1)
        peer.reset()

    with serving(handle) as server:
        fetch = get({GOOD: server}).fetch
    assert (fetch.outcome, fetch.detail, fetch.status) == (FetchOutcome.UNREACHABLE, "reset", 200)


def test_a_name_that_is_not_there() -> None:
    fetch = get({}).fetch
    assert (fetch.outcome, fetch.detail) == (FetchOutcome.UNREACHABLE, "name-not-found")


# -- large objects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [UNTIL_CLOSE, CHUNKED], ids=["until close", "chunked"])
def test_a_large_object_is_a_map_of_a_file_without_a_name(head: bytes, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    large = b"\x30" + os.urandom(2 * IN_MEMORY)
    with serving(said(head + (b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large) if head is CHUNKED else large))) as server:
        got = get({GOOD: server}, limits=Limits(seconds=30))
    assert isinstance(got.body, mmap.mmap)
    assert got.body[:] == large
    assert os.listdir(tmp_path) == []
    with pytest.raises(TypeError):
        got.body[0] = 0
    got.body.close()


def test_a_full_disk_is_no_defect(monkeypatch: Any) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with serving(said(UNTIL_CLOSE + b"0" * (2 * IN_MEMORY))) as server:
        fetch = get({GOOD: server}, limits=Limits(seconds=30)).fetch
    assert (fetch.outcome, fetch.address) == (FetchOutcome.TOO_LARGE, HOST)
    assert "No space left" in fetch.detail


# -- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", [f"http://i.{GOOD}/y.crl", f"HTTP://I.{GOOD}:80/y.crl", "/y.crl", "y.crl", "?y"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_one_redirect_to_the_list(location: str, status: int) -> None:
    def handle(peer: Peer) -> None:
        moved = peer.receive_head().target.endswith("/x.crl")
        first = answer(b"", f"{status} Moved", f"Location: {location}")
        peer.answer(first if moved else answer())

    with serving(handle) as server:
        got = get({GOOD: server, f"i.{GOOD}": server})
    assert got.body == DER
    assert (got.fetch.status, got.fetch.location, server.connections) == (200, location, 2)


@pytest.mark.parametrize(
    "location",
    [
        f"http://{OTHER}/x.crl",
        f"http://{GOOD}.evil.example/",
        f"http://{GOOD}@{OTHER}/",
        f"http://user:pw@{GOOD}/",
        f"http://{GOOD}:8080/",
        f"//{OTHER}/x.crl",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://localhost/",
        "file:///etc/passwd",
        "ftp://c.pki.goog/",
        "javascript:alert(1)",
        "gopher://127.0.0.1:6379/_x",
        "http://",
        "http://[",
        "http:///",
        "\x1b[31m",
        f"http://{GOOD}/{'a' * 9000}",
    ],
)
def test_a_redirect_that_is_not_followed(location: str) -> None:
    with serving(said(elsewhere(location))) as server:
        fetch = get({GOOD: server, f"{GOOD}:8080": server, OTHER: server, "localhost": server}).fetch
    assert fetch.outcome is FetchOutcome.FORBIDDEN_REDIRECT
    assert fetch.status == 302
    assert fetch.location is not None
    assert location.startswith(fetch.location[:2000])
    assert len(fetch.location) <= 2048
    # As relative references some of these lead back to where they came from (RFC 3986 §5.2), and once is allowed.
    assert server.connections == (2 if location in ("http://", "http:///", "\x1b[31m") else 1)


def test_a_redirect_to_itself_ends() -> None:
    with serving(said(elsewhere(URL))) as server:
        fetch = get({GOOD: server}).fetch
    assert (fetch.outcome, server.connections) == (FetchOutcome.FORBIDDEN_REDIRECT, 2)


def test_a_redirect_needs_the_list_even_on_the_host_a_proven_certificate_named() -> None:
    with serving(said(elsewhere("/y.crl"))) as server:
        assert outcome({OTHER: server}, f"http://{OTHER}/x.crl") is FetchOutcome.FORBIDDEN_REDIRECT


def test_a_redirect_to_https(google: GoogleLike) -> None:
    with (
        tls_server(google.we2.issue([GOOD]), body=b"") as secure,
        serving(said(elsewhere(f"https://{GOOD}/"))) as server,
    ):
        fetch = get({f"{GOOD}:80": server, f"{GOOD}:443": secure}).fetch
    assert (fetch.outcome, fetch.size) == (FetchOutcome.FETCHED, 0)


def test_a_redirect_to_a_private_address_of_a_good_name(names: dict[str, list[str]]) -> None:
    names[f"i.{GOOD}"] = ["169.254.169.254"]
    with serving(said(elsewhere(f"http://i.{GOOD}/"))) as server:
        assert outcome({GOOD: server}) is FetchOutcome.FORBIDDEN_ADDRESS


# -- https -----------------------------------------------------------------------------------------------------------


def secure_server(google: GoogleLike, whole: bytes) -> contextlib.AbstractContextManager[Running]:
    from tests.faults import server_context

    context = server_context(google.we2.issue([GOOD]))

    def handle(peer: Peer) -> None:
        peer.peek_hello()
        peer.wrap(context)
        peer.receive_head()
        peer.send(whole)
        peer.socket.settimeout(1)
        with contextlib.suppress(OSError):
            peer.socket.unwrap()  # type: ignore[attr-defined]

    return serving(handle)


@pytest.mark.parametrize("whole", [answer(), UNTIL_CLOSE + DER, CHUNKED + b"402\r\n" + DER + b"\r\n0\r\n\r\n"])
def test_an_object_on_https(google: GoogleLike, whole: bytes) -> None:
    """By whatever certificate: the object is signed itself."""
    with secure_server(google, whole) as server:
        got = get({OTHER: server}, f"https://{OTHER}/x.crl")
    assert got.body == DER
    assert server.server_names == [OTHER]


CHUNKS_OF_TEN = CHUNKED + b"a\r\n0123456789\r\n" * (IN_MEMORY // 5) + b"0\r\n\r\n"


@pytest.mark.parametrize("whole", [UNTIL_CLOSE + DER * 2048, CHUNKS_OF_TEN], ids=["whole", "in small chunks"])
def test_a_large_object_on_https(google: GoogleLike, whole: bytes) -> None:
    """It may be as large as one on http: here two megabytes, and the limit not much more."""
    with secure_server(google, whole) as server:
        got = get(
            {GOOD: server}, f"https://{GOOD}/", limits=Limits(seconds=30, crl=2 * IN_MEMORY + 9000), purpose="crl"
        )
    assert isinstance(got.body, mmap.mmap)
    assert len(got.body) == got.fetch.size
    assert len(got.body) >= 2 * IN_MEMORY - 10


@pytest.mark.parametrize("times", [1, 2, 20])
def test_a_huge_object_on_https_costs_its_limit(google: GoogleLike, times: int) -> None:
    limits = Limits(seconds=30, crl=2 * IN_MEMORY)
    with secure_server(google, UNTIL_CLOSE + b"0" * (2 * IN_MEMORY * times + 1)) as server:
        assert outcome({GOOD: server}, f"https://{GOOD}/", limits=limits) is FetchOutcome.TOO_LARGE


def test_a_session_that_is_all_packing_ends(google: GoogleLike) -> None:
    """Chunks of one byte: the limit of the body is far away, that of the connection is not."""
    limits = Limits(seconds=30, crl=IN_MEMORY // 2)
    with secure_server(google, CHUNKED + b"1\r\n0\r\n" * (IN_MEMORY // 2)) as server:
        fetch = get({GOOD: server}, f"https://{GOOD}/", limits=limits).fetch
    assert (fetch.outcome, fetch.detail) == (FetchOutcome.TOO_LARGE, "more than 2097152 bytes on https")


@pytest.mark.parametrize("kind", ["reset-on-hello", "alert-40", "plain-http", "random-garbage", "fin-on-hello"])
def test_no_session(kind: str) -> None:
    with fault(kind) as server:
        assert outcome({GOOD: server}, f"https://{GOOD}/") is FetchOutcome.UNREACHABLE


# -- proxies ---------------------------------------------------------------------------------------------------------


def through(proxy: Address, credentials: str = "") -> str:
    return f"http://{credentials and credentials + '@'}{HOST}:{proxy[1]}"


def test_through_a_proxy() -> None:
    with serving(said(answer())) as server, honest_proxy({(GOOD, 80): server}) as proxy:
        got = get({}, proxy=through(proxy))
    assert got.body == DER
    assert got.fetch.route == Route(f"http://{HOST}:{proxy.port}", "--proxy")
    assert got.fetch.address == HOST
    (request,) = proxy.requests
    assert request.line == f"GET {URL} HTTP/1.1"
    assert request.header("Proxy-Authorization") is None


def test_https_through_a_proxy(google: GoogleLike) -> None:
    with secure_server(google, answer()) as server, honest_proxy({(GOOD, 443): server}) as proxy:
        got = get({}, f"https://{GOOD}/", proxy=through(proxy))
    assert got.body == DER
    assert proxy.requests[0].line == f"CONNECT {GOOD}:443 HTTP/1.1"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_credentials(google: GoogleLike, scheme: str) -> None:
    url = f"{scheme}://{GOOD}/"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(secure_server(google, answer()) if scheme == "https" else serving(said(answer())))
        where = {(GOOD, 80): server, (GOOD, 443): server}
        proxy = stack.enter_context(fault("proxy-407-basic", resolve=where, credentials="user:hidden"))
        assert get({}, url, proxy=through(proxy, "user:hidden")).body == DER
        refused = get({}, url, proxy=through(proxy)).fetch
        with_wrong = get({}, url, proxy=through(proxy, "user:wrong")).fetch
    assert (refused.outcome, refused.status, refused.detail) == (FetchOutcome.PROXY, 407, "status 407")
    assert with_wrong.outcome is FetchOutcome.PROXY
    assert all(request.header("Proxy-Authorization") is None for request in server.requests)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("kind", "plain", "tunnel"),
    [
        ("proxy-407-many-headers", FetchOutcome.PROXY, FetchOutcome.PROXY),
        ("proxy-403", FetchOutcome.PROXY, FetchOutcome.PROXY),
        ("proxy-502", FetchOutcome.STATUS, FetchOutcome.PROXY),
        ("proxy-503", FetchOutcome.BLOCK_PAGE, FetchOutcome.PROXY),
        ("proxy-302", FetchOutcome.FORBIDDEN_REDIRECT, FetchOutcome.PROXY),
        ("proxy-511", FetchOutcome.BLOCK_PAGE, FetchOutcome.PROXY),
        ("proxy-not-http", FetchOutcome.NOT_HTTP, FetchOutcome.NOT_HTTP),
        ("proxy-endless-headers", FetchOutcome.NOT_HTTP, FetchOutcome.NOT_HTTP),
        ("proxy-never-answers", FetchOutcome.TIMEOUT, FetchOutcome.TIMEOUT),
        ("proxy-reset-on-connect", FetchOutcome.UNREACHABLE, FetchOutcome.UNREACHABLE),
    ],
)
def test_a_proxy_that_refuses(scheme: str, kind: str, plain: FetchOutcome, tunnel: FetchOutcome) -> None:
    with fault(kind) as proxy:
        fetch = get({}, f"{scheme}://{GOOD}/", proxy=through(proxy, "user:hidden")).fetch
    assert fetch.outcome is (plain if scheme == "http" else tunnel)
    assert fetch.route.origin == "--proxy"


def test_a_proxy_whose_tunnel_ends_in_a_page() -> None:
    with fault("proxy-html-after-200") as proxy:
        assert outcome({}, f"https://{GOOD}/", proxy=through(proxy)) is FetchOutcome.UNREACHABLE


def test_through_a_proxy_only_to_the_list() -> None:
    with honest_proxy({}) as proxy:
        for url in (f"http://{OTHER}/", f"https://{OTHER}/", f"http://{GOOD}:8080/", f"http://{PUBLIC}/"):
            assert outcome({}, url, proxy=through(proxy)) is FetchOutcome.FORBIDDEN_HOST
    assert proxy.connections == 0


def test_what_a_proxy_writes_about_credentials_is_hidden() -> None:
    with serving(said(elsewhere("http://portal.example/?p=hidden-secret"))) as proxy:
        got = get({}, proxy=through(proxy, "user:hidden-secret"))
    assert "hidden-secret" not in repr(got)


def test_a_proxy_on_a_private_address_is_the_users_choice(names: dict[str, list[str]]) -> None:
    names["proxy.corp"] = [HOST]
    with serving(said(answer())) as server, honest_proxy({(GOOD, 80): server}) as proxy:
        assert get({}, proxy=f"http://proxy.corp:{proxy.port}").body == DER


def test_a_dead_proxy_is_asked_once() -> None:
    with fault(NOTHING_LISTENING) as proxy:
        fetching = fetcher({}, proxy=through(proxy))

        async def twice() -> list[Fetched]:
            return [await fetching.get(url, "crl", proven=True) for url in (URL, f"https://i.{GOOD}/")]

        first, second = asyncio.run(twice())
    assert first.fetch.outcome is second.fetch.outcome is FetchOutcome.UNREACHABLE
    assert second.fetch.route.proxy is not None


# -- which hosts and addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"ldap://{GOOD}/cn=x", FetchOutcome.FORBIDDEN_SCHEME),
        ("file:///etc/passwd", FetchOutcome.FORBIDDEN_SCHEME),
        (f"//{GOOD}/", FetchOutcome.FORBIDDEN_SCHEME),
        ("", FetchOutcome.FORBIDDEN_SCHEME),
        (f" {URL}", FetchOutcome.FORBIDDEN_SCHEME),
        (f"http://user:pw@{GOOD}/", FetchOutcome.FORBIDDEN_HOST),
        ("http://", FetchOutcome.FORBIDDEN_HOST),
        ("http:///x", FetchOutcome.FORBIDDEN_HOST),
        ("http://a b/", FetchOutcome.FORBIDDEN_HOST),
        ("http://2130706433/", FetchOutcome.FORBIDDEN_HOST),
        ("http://127.1/", FetchOutcome.FORBIDDEN_HOST),
        ("http://[fe80::1%25lo]/", FetchOutcome.FORBIDDEN_HOST),
        (f"http://{GOOD}:0/", FetchOutcome.FORBIDDEN_HOST),
        (f"http://{GOOD}:65536/", FetchOutcome.FORBIDDEN_HOST),
        (f"http://{GOOD}/\r\nX: y", FetchOutcome.FORBIDDEN_HOST),
        (f"http://{GOOD}/\r\nX: y\x1b[31m", FetchOutcome.FORBIDDEN_HOST),
        (f"http://{GOOD}/" + "a" * 5000, FetchOutcome.FORBIDDEN_HOST),
        ("http://127.0.0.1/", FetchOutcome.FORBIDDEN_ADDRESS),
        ("http://0x7f.0x1/", FetchOutcome.UNREACHABLE),  # a name to us, and to the resolver of these tests
        ("http://169.254.169.254/latest", FetchOutcome.FORBIDDEN_ADDRESS),
        ("http://[::ffff:127.0.0.1]/", FetchOutcome.FORBIDDEN_ADDRESS),
        ("http://localhost/", FetchOutcome.FORBIDDEN_ADDRESS),
    ],
)
def test_a_url_that_is_not_followed(url: str, expected: FetchOutcome, names: dict[str, list[str]]) -> None:
    names["localhost"] = ["::1", HOST]
    names["0x7f.0x1"] = []
    fetch = get({}, url).fetch
    assert fetch.outcome is expected
    assert len(fetch.url) <= 4096
    assert len(fetch.detail) <= 500
    assert "\x1b" not in fetch.detail


def test_an_unproven_certificate_leads_to_the_list_alone() -> None:
    with serving(said(answer())) as server:
        places = {GOOD: server, f"{GOOD}:8080": server, OTHER: server, f"{OTHER}:8080": server}
        assert outcome(places, proven=False) is FetchOutcome.FETCHED
        for url in (f"http://{OTHER}/", f"http://{GOOD}:8080/"):
            assert outcome(places, url, proven=False) is FetchOutcome.FORBIDDEN_HOST
            assert outcome(places, url) is FetchOutcome.FETCHED
        assert outcome(places, f"http://{OTHER}:8080/") is FetchOutcome.FETCHED
    assert server.connections == 4


def test_nobody_is_asked_offline() -> None:
    with serving(said(answer())) as server:
        assert outcome({GOOD: server}, offline=True) is FetchOutcome.OFFLINE
    assert server.connections == 0


def dialled(monkeypatch: pytest.MonkeyPatch, server: Address) -> list[tuple[str, int]]:
    """Lead every connection to `server`, and tell where it should have gone."""
    asked: list[tuple[str, int]] = []
    real = connect.dial

    async def dial(places: Any, tried: Any) -> Any:
        asked.extend(places)
        return await real([(server[0], server[1])], tried)

    monkeypatch.setattr(tlsinspect.fetch, "dial", dial)
    return asked


def test_of_several_addresses_only_those_out_there_are_tried(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names[GOOD] = ["10.0.0.1", PUBLIC, "::ffff:127.0.0.1", "169.254.169.254", "fd00::1"]
    with serving(said(answer())) as server:
        asked = dialled(monkeypatch, server)
        assert outcome({}) is FetchOutcome.FETCHED
        assert asked == [(PUBLIC, 80)]


def test_a_name_that_changes_is_resolved_once(names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[tuple[str, int]]:
        names[host] = [HOST] if asked else [PUBLIC]
        asked.append(host)
        return await connect.resolve(host, port)

    monkeypatch.setattr(tlsinspect.fetch, "resolve", rebinding)
    with serving(said(answer())) as server:
        places = dialled(monkeypatch, server)
        assert outcome({}) is FetchOutcome.FETCHED
    assert (asked, places) == ([GOOD], [(PUBLIC, 80)])


@pytest.mark.parametrize("url", ["http://lab.test:{}/", "http://127.0.0.1:{}/", "http://[::ffff:127.0.0.1]:{}/"])
def test_a_laboratory_may_go_to_private_addresses(names: dict[str, list[str]], url: str) -> None:
    names["lab.test"] = [HOST]
    with serving(said(answer())) as server:
        assert outcome({}, url.format(server.port)) is FetchOutcome.FORBIDDEN_ADDRESS
        assert outcome({}, url.format(server.port), allow_private=True) is FetchOutcome.FETCHED


OUT_THERE = """
    8.8.8.8 142.250.74.3 172.15.255.255 172.32.0.0 100.63.255.255 100.128.0.0 192.0.1.1 198.17.1.1 223.255.255.255
    2a00:1450:4001:82b::2003 2001:4860:4860::8888 2606:4700::1
    ::ffff:8.8.8.8 64:ff9b::8.8.8.8 64:ff9b:1::8.8.8.8 2002:808:808::1
    2001:0:4136:e378:8000:63bf:f7f7:f7f7
    2606:4700::5efe:8.8.8.8 2606:4700::200:5efe:8.8.8.8 2606:4700::1:5efe:10.0.0.1 2606:4700::5eff:10.0.0.1
"""
NOT_OUT_THERE = """
    0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254 168.63.129.16
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255
    198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:8.8.8.8
    64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::10.0.0.1 64:ff9b:1:a00:0:100::8.8.8.8 64:ff9b:2::8.8.8.8
    2002:7f00:1::1 2002:a9fe:a9fe::1 2002:c0a8:101::
    2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:169.254.169.254 2606:4700:0:1::5efe:127.0.0.1 fe80::5efe:8.8.8.8
    fe80::200:5efe:8.8.8.8 2002:808:808::5efe:192.168.1.1 2002:a00:1::5efe:8.8.8.8
    2001:0:4136:e378:8000:63bf:80ff:fffe 2001:0:a00:1:8000:63bf:f7f7:f7f7
    2001:2::1 2001:10::1 2001:20::1 2001:db8::1 3fff::1 100::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%lo
    febf::1 fec0::1 ff02::1 ff0e::1 4000::1 localhost 8.8.8 1.2.3.4.5
"""


@pytest.mark.parametrize("address", OUT_THERE.split())
def test_an_address_that_is_out_there(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [*NOT_OUT_THERE.split(), "", " 8.8.8.8", "8.8.8.8/32"])
def test_an_address_that_is_not(address: str) -> None:
    assert not is_public(address)


# -- what a run may cost ---------------------------------------------------------------------------------------------


def together(fetching: Fetcher, *urls: str, purpose: Purpose = "crl") -> list[Fetched]:
    async def all_at_once() -> list[Fetched]:
        return await asyncio.gather(*(fetching.get(url, purpose, proven=True) for url in urls))

    return asyncio.run(all_at_once())


def in_turn(fetching: Fetcher, *urls: str) -> list[Fetched]:
    async def one_by_one() -> list[Fetched]:
        return [await fetching.get(url, "crl", proven=True) for url in urls]

    return asyncio.run(one_by_one())


@pytest.mark.parametrize("how", [together, in_turn])
def test_the_same_url_is_fetched_once(how: Callable[..., list[Fetched]]) -> None:
    with serving(said(answer())) as server:
        got = how(fetcher({GOOD: server}), URL, URL, URL)
    assert [each.body for each in got] == [DER] * 3
    assert server.connections == 1


def test_who_did_not_answer_is_not_asked_again() -> None:
    with fault("silent") as server:
        first, second = in_turn(fetcher({GOOD: server}), URL, URL + "2")
    assert first.fetch.outcome is second.fetch.outcome is FetchOutcome.TIMEOUT
    assert (server.connections, second.fetch.address) == (1, None)
    assert second.fetch.seconds < SECONDS / 2


def test_who_refused_is_not_asked_again() -> None:
    with fault(NOTHING_LISTENING) as server:
        first, second = in_turn(fetcher({GOOD: server}), URL, URL + "2")
    assert first.fetch.outcome is second.fetch.outcome is FetchOutcome.UNREACHABLE
    assert first.fetch.detail == second.fetch.detail == "refused"


def test_who_answered_badly_is_asked_again() -> None:
    with serving(said(answer(b"", "500 Oops"))) as server:
        in_turn(fetcher({GOOD: server}), URL, URL + "2")
    assert server.connections == 2


def test_the_time_of_a_run_ends() -> None:
    limits = Limits(seconds=0.4, run_seconds=0.6)
    hosts = [f"{n}.{GOOD}" for n in range(4)]
    with fault("silent") as server:
        got = in_turn(fetcher(dict.fromkeys(hosts, server), limits=limits), *(f"http://{h}/" for h in hosts))
    timeout, no_time = FetchOutcome.TIMEOUT, FetchOutcome.NO_TIME
    assert [each.fetch.outcome for each in got] == [timeout, no_time, no_time, no_time]
    assert server.connections <= 2


def test_only_fetching_spends_the_time_of_a_run() -> None:
    with serving(said(answer())) as server:
        fetching = fetcher({GOOD: server}, limits=Limits(run_seconds=1.0))

        async def with_a_pause() -> list[FetchOutcome]:
            first = await fetching.get(URL, "crl", proven=True)
            await asyncio.sleep(1.1)
            return [first.fetch.outcome, (await fetching.get(URL + "2", "crl", proven=True)).fetch.outcome]

        assert asyncio.run(with_a_pause()) == [FetchOutcome.FETCHED] * 2


def test_the_number_of_a_run_ends() -> None:
    with serving(said(answer())) as server:
        got = in_turn(fetcher({GOOD: server}, limits=Limits(fetches=2)), URL, URL, URL + "2", URL + "3")
    assert [each.fetch.outcome for each in got] == ["fetched", "fetched", "fetched", "no-time"]


def test_so_many_at_once() -> None:
    open_now, most, lock = 0, 0, threading.Lock()

    def handle(peer: Peer) -> None:
        nonlocal open_now, most
        peer.receive_head()
        with lock:
            open_now += 1
            most = max(most, open_now)
        peer.pause(0.05)
        with lock:
            open_now -= 1
        peer.answer(answer())

    with serving(handle) as server:
        fetching = fetcher({GOOD: server}, limits=Limits(at_once=3))
        got = together(fetching, *(f"{URL}{n}" for n in range(12)))
    assert {each.fetch.outcome for each in got} == {FetchOutcome.FETCHED}
    assert most <= 3


# -- cancelling ------------------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No descriptor more than before."""
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        yield
        return
    gc.collect()
    before = len(os.listdir(folder))
    yield
    gc.collect()
    assert len(os.listdir(folder)) <= before


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("sent", [0, 100, 3 * IN_MEMORY])
def test_cancelling_leaves_nothing(sent: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arrived = threading.Event()

    def handle(peer: Peer) -> None:
        peer.receive_head()
        if sent:
            peer.send(UNTIL_CLOSE + b"0" * sent)
        arrived.set()
        peer.hold()

    async def cancelled(fetching: Fetcher) -> None:
        task = asyncio.create_task(fetching.get(URL, "crl", proven=True))
        await until(arrived.is_set)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1  # this one
        assert os.listdir(tmp_path) == []

    with serving(handle) as server:
        asyncio.run(cancelled(fetcher({GOOD: server}, limits=Limits())))


def test_one_who_waits_may_go_without_the_other() -> None:
    going = threading.Event()

    def handle(peer: Peer) -> None:
        peer.receive_head()
        going.wait(5)
        peer.answer(answer())

    async def one_goes(fetching: Fetcher, server: Running) -> None:
        first, second = (asyncio.create_task(fetching.get(URL, "crl", proven=True)) for _ in range(2))
        await until(lambda: bool(server.requests))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        going.set()
        assert (await second).body == DER

    with serving(handle) as server:
        asyncio.run(one_goes(fetcher({GOOD: server}, limits=Limits()), server))
    assert server.connections == 1


def test_after_a_cancelled_fetch_the_url_can_be_asked_for_again() -> None:
    slow = threading.Event()

    def handle(peer: Peer) -> None:
        peer.receive_head()
        if peer.number == 1:
            slow.set()
            peer.hold()
        peer.answer(answer())

    async def again(fetching: Fetcher) -> Fetched:
        first = asyncio.create_task(fetching.get(URL, "crl", proven=True))
        await until(slow.is_set)
        first.cancel()
        await asyncio.wait([first])
        return await fetching.get(URL, "crl", proven=True)

    with serving(handle) as server:
        assert asyncio.run(again(fetcher({GOOD: server}, limits=Limits()))).body == DER


def test_a_defect_of_ours_is_said_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("oh")

    monkeypatch.setattr(tlsinspect.exchange, "Line", broken)
    with serving(said(answer())) as server:
        got = asyncio.run(fetcher({GOOD: server}).get(URL, "crl", proven=True))
    assert (got.fetch.outcome, got.fetch.detail) == (FetchOutcome.INTERNAL, "RuntimeError: oh")


def test_a_tunnel_that_speaks_first() -> None:
    """Bytes that come together with the proxy's answer belong to the session."""

    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(ESTABLISHED + b"\x15\x03\x03\x00\x02\x02\x28")

    with serving(handle) as proxy:
        fetch = get({}, f"https://{GOOD}/", proxy=through(proxy)).fetch
    assert fetch.outcome is FetchOutcome.UNREACHABLE
    assert fetch.detail == "TLS: handshake failure"
