"""Peers that misbehave, and a few that do not, on 127.0.0.1: one thread a connection, nothing left behind.

::

    with fault("reset-on-hello") as (host, port): ...
    with fault("proxy-407-basic", resolve={("www.google.com", 443): upstream}) as proxy:
        proxy.requests          # what the client asked for
    with tls_server(issued, date=None) as server:
        server.connections      # how often it came

Every context manager yields a :class:`Running`: a ``(host, port)`` pair that also says what it saw.  Leaving the
context ends all its connections and waits for all its threads.  What a fault does is the first line of its function.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import http.client
import random
import select
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from tlsinspect.lab.pki import Issued, self_signed

HOST = "127.0.0.1"
GIVE_UP = 30.0
"""Seconds after which a handler no longer waits for its client: longer than any timeout a test should have."""
FLOOD = 50_000_000
"""Bytes after which an endless answer ends all the same."""

Address: TypeAlias = tuple[str, int]
Resolve: TypeAlias = Mapping[Address, Address]
"""Where a proxy really goes for a requested host and port."""


# --- what was seen --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """The head of an HTTP request, as it came."""

    line: str
    headers: tuple[tuple[str, str], ...]

    @property
    def method(self) -> str:
        return self.line.partition(" ")[0]

    @property
    def target(self) -> str:
        return self.line.partition(" ")[2].partition(" ")[0]

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class _Endpoint(NamedTuple):
    host: str
    port: int


class Running(_Endpoint):
    """A ``(host, port)`` pair that counts."""

    connections: int
    """How many connections were accepted."""
    server_names: list[str | None]
    """The SNI of each ClientHello that was looked at, in order of arrival."""
    requests: list[Request]
    """Every HTTP request head, to a proxy or inside TLS, in order of arrival."""

    def __new__(cls, host: str, port: int) -> Running:
        made = super().__new__(cls, host, port)
        made.connections, made.server_names, made.requests = 0, [], []
        return made


# --- one connection -------------------------------------------------------------------------------------------------


class Peer:
    """The server's end of one connection.  Any ``OSError`` in a handler quietly ends the connection."""

    def __init__(self, connection: socket.socket, number: int, seen: Running, stopping: threading.Event) -> None:
        self.socket = connection
        self.number = number
        """1 for the first connection to this server."""
        self.seen = seen
        self.stopping = stopping
        self._other: list[socket.socket] = []
        connection.settimeout(GIVE_UP)

    def receive(self) -> bytes:
        """Some bytes, or none at the end."""
        return self.socket.recv(65536)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive_head(self) -> Request:
        """Read an HTTP request head; not a byte of what follows it is taken."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte or len(head) > 65536:
                raise ConnectionError("no request")
            head += byte
        line, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = (text.partition(":") for text in rest)
        request = Request(line, tuple((name.strip(), value.strip()) for name, _, value in pairs))
        self.seen.requests.append(request)
        return request

    def peek_hello(self) -> bytes:
        """Wait for a whole ClientHello, leave it in the socket, return the message without its record headers."""
        end = time.monotonic() + GIVE_UP
        while time.monotonic() < end and not self.stopping.is_set():
            data = self.socket.recv(65536, socket.MSG_PEEK)
            if not data:
                break
            hello = client_hello(data)
            if hello is not None:
                self.seen.server_names.append(server_name(hello))
                return hello
            time.sleep(0.005)  # a peek does not wait for more than it has seen already
        raise ConnectionError("no ClientHello")

    def take_hello(self) -> None:
        """Read a whole ClientHello and what came with it, so that closing afterwards sends FIN and not RST."""
        self.peek_hello()
        self.receive()

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the test."""
        if self.stopping.wait(seconds):
            raise ConnectionError("stopping")

    def hold(self) -> None:
        """Swallow whatever comes until the client goes away."""
        while self.receive():
            pass

    def answer(self, data: bytes) -> None:
        """Send the last words and close in such a way that they arrive."""
        self.send(data)
        self.socket.shutdown(socket.SHUT_WR)
        self.hold()

    def drip(self, data: Iterable[int], seconds: float) -> None:
        """Send byte after byte."""
        for value in data:
            self.send(bytes((value,)))
            self.pause(seconds)

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wrap(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Become the server side of a TLS session; the handshake is done on return."""
        wrapped = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.socket = wrapped
        self.pause(0)  # interrupt() may just have woken the socket that is no longer ours
        wrapped.do_handshake()
        return wrapped

    def connect(self, address: Address) -> socket.socket:
        """A connection onwards, closed together with this one."""
        if address[0] != HOST:
            raise ConnectionError("the tests go to loopback only")
        upstream = socket.create_connection(address, timeout=GIVE_UP)
        self._other.append(upstream)
        return upstream

    def relay(self, upstream: socket.socket, change: Callable[[bytes], bytes] = bytes) -> None:
        """Carry bytes both ways until both sides have ended; *change* sees what comes from *upstream*."""
        onward: dict[socket.socket, socket.socket] = {self.socket: upstream, upstream: self.socket}
        while onward:
            for source in select.select(list(onward), [], [], GIVE_UP)[0]:
                data = source.recv(65536)
                while isinstance(source, ssl.SSLSocket) and source.pending():  # which select cannot see
                    data += source.recv(65536)
                if data:
                    onward[source].sendall(change(data) if source is upstream else data)
                else:
                    onward.pop(source).shutdown(socket.SHUT_WR)

    def interrupt(self) -> None:
        """Wake a handler that waits for this connection; called from another thread."""
        for each in (self.socket, *self._other):
            with contextlib.suppress(OSError):
                # Not through SSLSocket, which would change its state under the feet of the handler.
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def close(self) -> None:
        for each in (self.socket, *self._other):
            each.close()


Handler: TypeAlias = Callable[[Peer], None]


@contextlib.contextmanager
def serving(handle: Handler, at: Address = (HOST, 0)) -> Iterator[Running]:
    """Listen on a free port, or *at* another place, and give every connection to *handle*, in a thread of its own."""
    with socket.create_server(at) as listener:
        seen = Running(at[0], listener.getsockname()[1])
        loop = _Loop(listener, seen, handle)
        try:
            yield seen
        finally:
            loop.stop()


class _Loop:
    """The accepting thread and its children."""

    def __init__(self, listener: socket.socket, seen: Running, handle: Handler) -> None:
        self._listener, self._seen, self._handle = listener, seen, handle
        self._stopping = threading.Event()
        self._peers: set[Peer] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, name=f"acceptor {seen.port}", daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            connection = self._listener.accept()[0]
            if self._stopping.is_set():
                connection.close()
                return
            self._seen.connections += 1
            peer = Peer(connection, self._seen.connections, self._seen, self._stopping)
            thread = threading.Thread(target=self._run, args=(peer,), name=f"peer {self._seen.port}", daemon=True)
            with self._lock:
                self._peers.add(peer)
            self._threads = [each for each in self._threads if each.is_alive()]
            thread.start()
            self._threads.append(thread)

    def _run(self, peer: Peer) -> None:
        with contextlib.suppress(OSError):  # the client went away, or the test is over: nothing to tell
            self._handle(peer)
        with self._lock:
            self._peers.discard(peer)
            peer.close()

    def stop(self) -> None:
        self._stopping.set()
        # A thread in accept() is woken on every platform by a connection, but not by closing its socket.
        with contextlib.suppress(OSError):
            socket.create_connection((self._seen.host, self._seen.port), timeout=1).close()
        self._acceptor.join(GIVE_UP)
        with self._lock:
            for peer in self._peers:
                peer.interrupt()
        for thread in self._threads:
            thread.join(GIVE_UP)
        if any(thread.is_alive() for thread in (self._acceptor, *self._threads)):
            raise RuntimeError("a loopback server did not stop")


# --- TLS bytes ------------------------------------------------------------------------------------------------------


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def _message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole records at the start of *data*."""
    while len(data) >= 5:
        size = int.from_bytes(data[3:5], "big")
        if len(data) < 5 + size:
            return
        yield data[0], data[5 : 5 + size]
        data = data[5 + size :]


def client_hello(data: bytes) -> bytes | None:
    """The ClientHello message in the first bytes of a connection; ``None`` while it is not complete."""
    if data[:1] != b"\x16":
        raise ConnectionError("not TLS")
    message = b"".join(body for kind, body in _records(data) if kind == 0x16)
    if len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        return None
    return message


def server_name(hello: bytes) -> str | None:
    """The host name in the SNI extension (RFC 6066, 3) of a ClientHello message, if it has one."""
    at = 4 + 2 + 32  # message header, version, random
    at += 1 + hello[at]  # session id
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # cipher suites
    at += 1 + hello[at] + 2  # compression methods, length of the extensions
    while at + 4 <= len(hello):
        kind, size = struct.unpack_from("!HH", hello, at)
        if kind == 0:
            return hello[at + 9 : at + 4 + size].decode("latin-1")  # list length, name type, name length
        at += 4 + size
    return None


def _server_hello() -> bytes:
    """A ServerHello of TLS 1.2 that every client of today takes: ECDHE-RSA-AES128-GCM-SHA256, secure renegotiation."""
    chosen = b"\x00" + b"\xc0\x2f" + b"\x00"  # no session id, cipher suite, no compression
    extensions = b"\xff\x01\x00\x01\x00"
    return _message(2, b"\x03\x03" + bytes(range(32)) + chosen + struct.pack("!H", len(extensions)) + extensions)


def _alert(code: int) -> bytes:
    return _record(0x15, bytes((2, code)))


# --- HTTP bytes -----------------------------------------------------------------------------------------------------

_PAGE = b"<!doctype html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"


def _page(title: str) -> bytes:
    return _PAGE % (title.encode(), title.encode())


def _http(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    if body:
        lines.append("Content-Type: text/html; charset=utf-8")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PORTAL = "http://portal.hotel.test/login"


# --- the catalogue --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """What a test may choose about a fault; most faults look at none of it."""

    names: frozenset[str] = frozenset()
    """``reset-on-sni``: the names it resets on."""
    context: ssl.SSLContext | None = None
    """The certificate of those faults that come as far as TLS."""
    upstream: Address | None = None
    """An honest TLS 1.2 server, for those faults that spoil its answer."""
    resolve: Resolve = field(default_factory=dict)
    credentials: str = "user:secret"
    interval: float = 1.0
    """Seconds between two bytes."""


Fault: TypeAlias = Callable[[Peer, Options], None]
_ENDPOINTS: dict[str, Fault] = {}
_PROXIES: dict[str, Fault] = {}


def _endpoint(name: str) -> Callable[[Fault], Fault]:
    def register(handler: Fault) -> Fault:
        _ENDPOINTS[name] = handler
        return handler

    return register


def _proxy(name: str) -> Callable[[Callable[[Peer, Options, Request], None]], None]:
    """Like :func:`_endpoint`, for a handler that starts after the request was read."""

    def register(handler: Callable[[Peer, Options, Request], None]) -> None:
        _PROXIES[name] = lambda peer, options: handler(peer, options, peer.receive_head())

    return register


# Endpoints: what answers on the port where TLS should be.


@_endpoint("silent")
def _silent(peer: Peer, _: Options) -> None:
    """Accepts and says nothing."""
    peer.hold()


@_endpoint("reset-on-hello")
def _reset_on_hello(peer: Peer, _: Options) -> None:
    """Resets after the ClientHello."""
    peer.take_hello()
    peer.reset()


@_endpoint("reset-on-accept")
def _reset_on_accept(peer: Peer, _: Options) -> None:
    """Resets at once."""
    peer.reset()


@_endpoint("fin-on-hello")
def _fin_on_hello(peer: Peer, _: Options) -> None:
    """Closes in an orderly way after the ClientHello."""
    peer.take_hello()


@_endpoint("plain-http")
def _plain_http(peer: Peer, _: Options) -> None:
    """Answers anything with 200 and a page."""
    peer.receive()
    peer.answer(_http("200 OK", body=_page("It works")))


@_endpoint("http-redirect")
def _http_redirect(peer: Peer, _: Options) -> None:
    """Answers anything with a redirect to a captive portal."""
    peer.receive()
    peer.answer(_http("302 Found", f"Location: {PORTAL}", body=_page("Please log in")))


@_endpoint("http-511")
def _http_511(peer: Peer, _: Options) -> None:
    """Answers anything with 511, RFC 6585."""
    peer.receive()
    peer.answer(_http("511 Network Authentication Required", body=_page("Please log in")))


@_endpoint("http-403")
def _http_403(peer: Peer, _: Options) -> None:
    """Answers anything with a block page."""
    peer.receive()
    peer.answer(_http("403 Forbidden", body=_page("This site is blocked by your organisation")))


@_endpoint("ssh-banner")
def _ssh_banner(peer: Peer, _: Options) -> None:
    """Speaks first, and it is SSH."""
    peer.answer(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")


@_endpoint("random-garbage")
def _random_garbage(peer: Peer, _: Options) -> None:
    """Answers with 2048 bytes of noise, the same every time; no TLS record starts with the first one."""
    peer.receive()
    peer.answer(b"\xa7" + random.Random(0).randbytes(2047))


@_endpoint("byte-a-second")
def _byte_a_second(peer: Peer, options: Options) -> None:
    """Sends a good ServerHello and a large Certificate message, one byte a second."""
    peer.take_hello()
    certificate = b"\x0b\x01\x00\x00\x00\xff\xfd" + bytes(0x3F00)
    peer.drip(_record(0x16, _server_hello()) + _record(0x16, certificate), options.interval)


@_endpoint("endless-handshake")
def _endless_handshake(peer: Peer, _: Options) -> None:
    """Sends a Certificate message that claims 16 MB, record after record, up to 50 MB."""
    peer.take_hello()
    peer.send(_record(0x16, _server_hello()) + _record(0x16, b"\x0b\xff\xff\xff\xff\xff\xfc"))
    for _sent in range(0, FLOOD, 0x4000):
        peer.send(_record(0x16, bytes(0x4000)))


@_endpoint("endless-hello-requests")
def _endless_hello_requests(peer: Peer, _: Options) -> None:
    """Sends HelloRequest after HelloRequest, which TLS 1.2 clients must ignore, up to 50 MB."""
    peer.take_hello()
    peer.send(_record(0x16, _server_hello()))
    for _sent in range(0, FLOOD, 0x4000):
        peer.send(_record(0x16, bytes(0x4000)))


@_endpoint("alert-112")
def _alert_112(peer: Peer, _: Options) -> None:
    """Refuses the name: unrecognized_name."""
    peer.take_hello()
    peer.answer(_alert(112))


@_endpoint("alert-40")
def _alert_40(peer: Peer, _: Options) -> None:
    """Refuses the parameters: handshake_failure."""
    peer.take_hello()
    peer.answer(_alert(40))


@_endpoint("close-after-server-hello")
def _close_after_server_hello(peer: Peer, _: Options) -> None:
    """Closes in an orderly way after a good ServerHello."""
    peer.take_hello()
    peer.answer(_record(0x16, _server_hello()))


@_endpoint("reset-on-sni")
def _reset_on_sni(peer: Peer, options: Options) -> None:
    """Resets when the SNI is one of ``names``; serves ``issued`` over TLS to everybody else."""
    if server_name(peer.peek_hello()) in options.names:
        peer.reset()
        return
    assert options.context is not None
    peer.wrap(options.context)
    _answer_inside(peer, _http("200 OK", body=b"ok\n"))


@_endpoint("echo")
def _echo(peer: Peer, _: Options) -> None:
    """Sends back what it gets."""
    while data := peer.receive():
        peer.send(data)


@_endpoint("bad-key-exchange")
def _bad_key_exchange(peer: Peer, options: Options) -> None:
    """Shows the chain of ``issued`` in TLS 1.2, with a key exchange signed wrongly: a replayed chain."""
    assert options.upstream is not None
    peer.peek_hello()

    def spoil(data: bytes) -> bytes:
        changed = b""
        for kind, body in _records(data):
            ours = kind == 0x16 and body[0] == 12  # ServerKeyExchange; its signature comes last
            changed += _record(kind, body[:-1] + bytes((body[-1] ^ 1,)) if ours else body)
        return changed + data[len(changed) :]

    peer.relay(peer.connect(options.upstream), spoil)


@_endpoint("reset-after-certificate")
def _reset_after_certificate(peer: Peer, options: Options) -> None:
    """Shows the chain of ``issued`` in TLS 1.2 and resets."""
    assert options.upstream is not None
    peer.peek_hello()
    upstream = peer.connect(options.upstream)
    upstream.sendall(peer.receive())
    flight = b""
    while not any(body[0] == 11 for _, body in _records(flight)):
        data = upstream.recv(65536)
        if not data:
            raise ConnectionError("the honest server refused")
        flight += data
    for kind, body in _records(flight):
        peer.send(_record(kind, body))
        if body[0] == 11:
            break
    peer.pause(0.1)  # a reset that overtakes the data would discard it
    peer.reset()


# Proxies: what they do once they have read "CONNECT host:port".


def _target(request: Request) -> Address:
    """The host and port a request to a proxy is about."""
    if request.method == "CONNECT":
        host, _, port = request.target.rpartition(":")
        return host.strip("[]"), int(port or 0)
    url = urlsplit(request.target)
    return url.hostname or "", url.port or 80


def _forward(peer: Peer, options: Options, request: Request, reply: bytes = ESTABLISHED) -> None:
    """Do what an honest proxy does: a tunnel for CONNECT, a plain request for anything else."""
    address = options.resolve.get(_target(request))
    if address is None:
        peer.answer(_http("502 Bad Gateway", body=_page("No such host")))
        return
    upstream = peer.connect(address)
    if request.method == "CONNECT":
        peer.send(reply)
    else:
        upstream.sendall(_origin_form(request))
    peer.relay(upstream)


def _origin_form(request: Request) -> bytes:
    url = urlsplit(request.target)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = [f"{key}: {value}" for key, value in request.headers if not key.lower().startswith("proxy-")]
    return "\r\n".join([f"{request.method} {path} HTTP/1.1", *headers, "", ""]).encode("latin-1")


_SCHEMES = (
    "Negotiate",
    "NTLM",
    'Digest realm="Acme Corp", nonce="d2VsY29tZQ==", qop="auth", algorithm=SHA-256',
    'Basic realm="Acme Corp, Internet access"',
)


@_proxy("proxy-407-one-header")
def _proxy_407_one_header(peer: Peer, _: Options, _request: Request) -> None:
    """Asks for credentials, all schemes in one header; there are commas inside them too."""
    offer = f"Proxy-Authenticate: {', '.join(_SCHEMES)}"
    peer.answer(_http("407 Proxy Authentication Required", offer, body=_page("Log in")))


@_proxy("proxy-407-many-headers")
def _proxy_407_many_headers(peer: Peer, _: Options, _request: Request) -> None:
    """Asks for credentials, one header a scheme."""
    offers = [f"Proxy-Authenticate: {scheme}" for scheme in _SCHEMES]
    peer.answer(_http("407 Proxy Authentication Required", *offers, body=_page("Log in")))


@_proxy("proxy-407-basic")
def _proxy_407_basic(peer: Peer, options: Options, request: Request) -> None:
    """Wants ``credentials`` by Basic, then is honest; asks on the same connection as often as it takes."""
    wanted = "Basic " + base64.b64encode(options.credentials.encode()).decode()
    while request.header("Proxy-Authorization") != wanted:
        lines = (
            "HTTP/1.1 407 Proxy Authentication Required",
            'Proxy-Authenticate: Basic realm="x"',
            "Content-Length: 0",
        )
        peer.send("\r\n".join((*lines, "", "")).encode())
        request = peer.receive_head()
    _forward(peer, options, request)


@_proxy("proxy-401")
def _proxy_401(peer: Peer, _: Options, _request: Request) -> None:
    """Refuses credentials with the wrong status, as tinyproxy does."""
    peer.answer(_http("401 Unauthorized", 'WWW-Authenticate: Basic realm="proxy"', body=_page("Unauthorized")))


@_proxy("proxy-403")
def _proxy_403(peer: Peer, _: Options, _request: Request) -> None:
    """Refuses the host with a block page."""
    peer.answer(_http("403 Forbidden", body=_page("Blocked by policy")))


@_proxy("proxy-502")
def _proxy_502(peer: Peer, _: Options, _request: Request) -> None:
    """Could not reach the host."""
    peer.answer(_http("502 Bad Gateway", body=_page("Bad gateway")))


@_proxy("proxy-503")
def _proxy_503(peer: Peer, _: Options, _request: Request) -> None:
    """Has no time."""
    peer.answer(_http("503 Service Unavailable", "Retry-After: 60", body=_page("Unavailable")))


@_proxy("proxy-302")
def _proxy_302(peer: Peer, _: Options, _request: Request) -> None:
    """Redirects to a captive portal."""
    peer.answer(_http("302 Found", f"Location: {PORTAL}", body=_page("Please log in")))


@_proxy("proxy-511")
def _proxy_511(peer: Peer, _: Options, _request: Request) -> None:
    """Asks for a log-in to the network."""
    peer.answer(_http("511 Network Authentication Required", body=_page("Please log in")))


@_proxy("proxy-not-http")
def _proxy_not_http(peer: Peer, _: Options, _request: Request) -> None:
    """Answers in binary (a SOCKS 5 refusal and noise)."""
    peer.answer(b"\x05\xff" + random.Random(1).randbytes(510))


@_proxy("proxy-html-after-200")
def _proxy_html_after_200(peer: Peer, _: Options, _request: Request) -> None:
    """Says the tunnel is there and answers the ClientHello with a page."""
    peer.send(ESTABLISHED)
    peer.receive()
    peer.answer(_http("200 OK", body=_page("Blocked by policy")))


@_proxy("proxy-endless-headers")
def _proxy_endless_headers(peer: Peer, _: Options, _request: Request) -> None:
    """Sends header after header, up to 50 MB."""
    peer.send(b"HTTP/1.1 200 Connection established\r\n")
    for _sent in range(0, FLOOD, 65_600):
        peer.send((b"X-Filler: " + b"a" * 52 + b"\r\n") * 1025)


@_proxy("proxy-2mb-header")
def _proxy_2mb_header(peer: Peer, options: Options, request: Request) -> None:
    """Sends one header of two megabytes, then is honest."""
    filler = b"X-Filler: " + b"a" * 2_000_000
    _forward(peer, options, request, b"HTTP/1.1 200 Connection established\r\n" + filler + b"\r\n\r\n")


@_proxy("proxy-never-answers")
def _proxy_never_answers(peer: Peer, _: Options, _request: Request) -> None:
    """Reads and says nothing."""
    peer.hold()


@_proxy("proxy-byte-a-second")
def _proxy_byte_a_second(peer: Peer, options: Options, _request: Request) -> None:
    """Sends a status line and a header without end, one byte a second."""
    peer.drip(b"HTTP/1.1 200 Connection established\r\nX-Slow: " + b"a" * 60_000, options.interval)


@_proxy("proxy-lf-only")
def _proxy_lf_only(peer: Peer, options: Options, request: Request) -> None:
    """Ends its lines with LF alone, then is honest."""
    _forward(peer, options, request, b"HTTP/1.1 200 OK\nProxy-Agent: old\n\n")


@_proxy("proxy-204")
def _proxy_204(peer: Peer, options: Options, request: Request) -> None:
    """Says 204, then is honest: any 2xx opens the tunnel (RFC 9110, 9.3.6)."""
    _forward(peer, options, request, b"HTTP/1.1 204 No Content\r\n\r\n")


@_proxy("proxy-1xx")
def _proxy_1xx(peer: Peer, options: Options, request: Request) -> None:
    """Sends two interim answers before the final one, then is honest."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
    _forward(peer, options, request, interim + ESTABLISHED)


@_proxy("proxy-reset-on-connect")
def _proxy_reset_on_connect(peer: Peer, _: Options, _request: Request) -> None:
    """Resets instead of answering."""
    peer.reset()


@_proxy("proxy-reset-after-connect")
def _proxy_reset_after_connect(peer: Peer, _: Options, _request: Request) -> None:
    """Says the tunnel is there and resets."""
    peer.send(ESTABLISHED)
    peer.pause(0.1)  # a reset that overtakes the data would discard it
    peer.reset()


@_proxy("proxy-reset-after-tunnel-hello")
def _proxy_reset_after_tunnel_hello(peer: Peer, _: Options, _request: Request) -> None:
    """Says the tunnel is there and resets after the ClientHello."""
    peer.send(ESTABLISHED)
    peer.take_hello()
    peer.reset()


NOTHING_LISTENING = "nothing-listening"
_SPOILERS = ("bad-key-exchange", "reset-after-certificate")

ENDPOINT_FAULTS: tuple[str, ...] = (NOTHING_LISTENING, *_ENDPOINTS)
"""Names of the faults of a port on which TLS should be."""
PROXY_FAULTS: tuple[str, ...] = tuple(_PROXIES)
"""Names of the faults of a CONNECT proxy."""


@contextlib.contextmanager
def fault(
    kind: str,
    *,
    names: Iterable[str] = (),
    issued: Issued | None = None,
    resolve: Resolve | None = None,
    credentials: str = "user:secret",
    interval: float = 1.0,
    at: Address = (HOST, 0),
) -> Iterator[Running]:
    """One of :data:`ENDPOINT_FAULTS` or :data:`PROXY_FAULTS`, until the end of the block.

    *issued* is shown by those faults that come as far as a certificate (``reset-on-sni``, ``bad-key-exchange``,
    ``reset-after-certificate``; a self-signed one if not given), *interval* counts seconds, *at* is where to listen.
    """
    if kind == NOTHING_LISTENING:
        with _nothing_listening() as seen:
            yield seen
        return
    handler = {**_ENDPOINTS, **_PROXIES}[kind]
    with contextlib.ExitStack() as stack:
        shown = issued or self_signed("fault.test", datetime.now(UTC))
        honest = tls_server(shown, tls_max=ssl.TLSVersion.TLSv1_2) if kind in _SPOILERS else None
        upstream = stack.enter_context(honest) if honest else None
        context = server_context(shown) if kind == "reset-on-sni" else None
        options = Options(frozenset(names), context, upstream, resolve or {}, credentials, interval)
        yield stack.enter_context(serving(lambda peer: handler(peer, options), at))


@contextlib.contextmanager
def _nothing_listening() -> Iterator[Running]:
    # Bound and never listening: connections are refused, and nobody else can be given the port meanwhile.
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield Running(HOST, bound.getsockname()[1])


@contextlib.contextmanager
def honest_proxy(resolve: Resolve, *, reply: bytes = ESTABLISHED) -> Iterator[Running]:
    """A proxy that does as it is asked (CONNECT, or a plain request), for the hosts and ports in *resolve*."""
    options = Options(resolve=resolve)
    with serving(lambda peer: _forward(peer, options, peer.receive_head(), reply)) as seen:
        yield seen


@contextlib.contextmanager
def https_proxy(resolve: Resolve, issued: Issued, *, credentials: str | None = None) -> Iterator[Running]:
    """The same inside TLS with the certificate *issued*; with *credentials* only for those who give them (Basic)."""
    context, options = server_context(issued), Options(resolve=resolve)
    expected = "Basic " + base64.b64encode((credentials or "").encode()).decode()

    def handle(peer: Peer) -> None:
        peer.peek_hello()
        peer.wrap(context)
        request = peer.receive_head()
        if credentials is None or request.header("Proxy-Authorization") == expected:
            _forward(peer, options, request, ESTABLISHED)
        else:
            peer.send(_http("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="office"'))

    with serving(handle) as seen:
        yield seen


@contextlib.contextmanager
def socks_proxy(
    resolve: Resolve, asked: list[Address], *, credentials: str | None = None, reply: int = 0
) -> Iterator[Running]:
    """A SOCKS5 proxy (RFC 1928) for the hosts, or addresses, and ports in *resolve*. *asked* gets every place that is
    asked for; *reply* is the code it answers with. With *credentials* it asks for them (RFC 1929)."""

    def exactly(peer: Peer, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = peer.socket.recv(size - len(data))
            if not more:
                raise ConnectionError("no more")
            data += more
        return data

    def authenticated(peer: Peer) -> bool:
        user = exactly(peer, exactly(peer, 2)[1])
        password = exactly(peer, exactly(peer, 1)[0])
        peer.send(b"\x01" + bytes((f"{user.decode()}:{password.decode()}" != credentials,)))
        return f"{user.decode()}:{password.decode()}" == credentials

    def handle(peer: Peer) -> None:
        methods = exactly(peer, exactly(peer, 2)[1])
        wanted = 0 if credentials is None else 2
        peer.send(bytes((5, wanted if wanted in methods else 255)))
        if wanted not in methods or (wanted and not authenticated(peer)):
            return peer.hold()
        kind = exactly(peer, 4)[3]
        if kind == 3:
            host = exactly(peer, exactly(peer, 1)[0]).decode()
        else:
            host = socket.inet_ntop(
                *((socket.AF_INET, exactly(peer, 4)) if kind == 1 else (socket.AF_INET6, exactly(peer, 16)))
            )
        place = (host, int.from_bytes(exactly(peer, 2), "big"))
        asked.append(place)
        code = reply or (0 if place in resolve else 4)
        upstream = None if code else peer.connect(resolve[place])
        peer.send(bytes((5, code, 0, 3, 4)) + b"here" + b"\0\0")
        if upstream is not None:
            peer.relay(upstream)
        return None

    with serving(handle) as seen:
        yield seen


# --- a real TLS server ----------------------------------------------------------------------------------------------


def server_context(
    issued: Issued,
    *,
    alpn: Sequence[str] = (),
    tls_min: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    tls_max: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """A server-side context that presents *issued*, however weak; the key is on disk only while it is loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # short keys and SHA-1 are what some tests are about
    context.minimum_version = tls_min
    if tls_max is not None:
        context.maximum_version = tls_max
    if alpn:
        context.set_alpn_protocols(list(alpn))
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*issued.write(Path(folder), "server"))
    return context


def _answer_inside(peer: Peer, answer: bytes) -> None:
    """Answer one request inside TLS and end the session as RFC 8446 wants it."""
    peer.receive_head()
    peer.send(answer)
    assert isinstance(peer.socket, ssl.SSLSocket)
    peer.socket.settimeout(1)  # for the client's own close_notify, which many never send
    peer.socket.unwrap()


@contextlib.contextmanager
def tls_server(  # noqa: PLR0913 - each argument is one way to be a server
    issued: Issued,
    *,
    http_status: int = 200,
    date: datetime | Literal["now"] | None = "now",
    age: int | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"ok\n",
    alpn: Sequence[str] = (),
    sni_certs: Mapping[str, Issued] | None = None,
    close_after_handshake: bool = False,
    tls_min: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    tls_max: ssl.TLSVersion | None = None,
    intercept_every: tuple[int, Issued] | None = None,
    choosing: Callable[[bytes], Issued | None] = lambda _hello: None,
    at: Address = (HOST, 0),
) -> Iterator[Running]:
    """A TLS server that answers one HTTP/1.1 request a connection, whatever ALPN was agreed upon.

    *date* is the ``Date`` header (``"now"``: the real time; ``None``: no header), *age* adds ``Age`` in seconds as a
    cache would.  *sni_certs* presents other certificates for other names.  *intercept_every* ``(2, forged)`` presents
    *forged* on every second connection, whatever the name.  *choosing* sees the ClientHello first and may present
    something else.  *close_after_handshake* ends without a word.  *at* is where it listens.
    """

    def made(each: Issued) -> ssl.SSLContext:
        return server_context(each, alpn=alpn, tls_min=tls_min, tls_max=tls_max)

    context, by_name = made(issued), {name: made(each) for name, each in (sni_certs or {}).items()}
    extra = tuple(headers)
    every, forged = (intercept_every[0], made(intercept_every[1])) if intercept_every else (0, context)

    def handle(peer: Peer) -> None:
        hello = peer.peek_hello()
        other = choosing(hello)
        chosen = made(other) if other else by_name.get(server_name(hello) or "", context)
        peer.wrap(forged if every and peer.number % every == 0 else chosen)
        if not close_after_handshake:
            _answer_inside(peer, _response(http_status, date, age, extra, body))

    with serving(handle, at) as seen:
        yield seen


def _response(
    status: int,
    date: datetime | Literal["now"] | None,
    age: int | None,
    headers: Iterable[tuple[str, str]],
    body: bytes,
) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers]
    if date is not None:
        moment = datetime.now(UTC) if date == "now" else date.astimezone(UTC)
        lines.append(f"Date: {email.utils.format_datetime(moment, usegmt=True)}")
    if age is not None:
        lines.append(f"Age: {age}")
    return _http(f"{status} {http.client.responses.get(status, 'Unknown')}", *lines, body=body)
