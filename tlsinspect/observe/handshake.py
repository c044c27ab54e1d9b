"""A TLS client handshake that does no I/O: bytes in, bytes out (OpenSSL through memory BIOs).

Verification is off: whoever answers is looked at, not believed. Nothing is resumed, for a resumed session shows no
certificate and proves nothing about it.
"""

from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from tlsinspect.model import Reason, Tls

MAX_BYTES = 1024 * 1024  # of a handshake; OpenSSL ends a single message at 100 kB
FIRST_BYTES = 4096
_RECORD_TYPES = range(20, 25)  # RFC 8446 §5.1, with heartbeat
# Alerts whose text in OpenSSL does not say that they are one.
_ALERTS = (
    "tlsv1 unrecognized name",
    "tlsv1 unsupported extension",
    "tlsv1 certificate unobtainable",
    "tlsv1 bad certificate status response",
    "tlsv1 bad certificate hash value",
)
_ERRORS_OF_PARSING = ("asn1 encoding routines", "x509 certificate routines")


@dataclass(frozen=True)
class Hello:
    """A shape of ClientHello. Middleboxes exist that fail on a large one, and interceptors that only speak old TLS."""

    name: str
    curves: bool = True  # every group OpenSSL offers, with its kilobyte of ML-KEM; else P-256 alone
    legacy: bool = False  # TLS 1.0 and old ciphers too
    protocol: int | None = None  # the only version spoken
    ciphers: bytes | None = None  # in OpenSSL's notation; of TLS 1.2 and before
    alpn: tuple[bytes, ...] = (b"http/1.1",)


LARGE = Hello("large")
SMALL = Hello("small", curves=False)
LEGACY = Hello("legacy", curves=False, legacy=True)
TLS_1_2 = Hello("tls1.2", protocol=SSL.TLS1_2_VERSION)
TLS_1_3 = Hello("tls1.3", protocol=SSL.TLS1_3_VERSION)
# What kind of key the certificate may hold is chosen by the cipher in TLS 1.2, and only there.
RSA = Hello("rsa", protocol=SSL.TLS1_2_VERSION, ciphers=b"ECDHE+aRSA:kRSA")
ECDSA = Hello("ecdsa", protocol=SSL.TLS1_2_VERSION, ciphers=b"ECDHE+ECDSA")
H2 = Hello("h2", alpn=(b"h2", b"http/1.1"))


@cache
def _context(hello: Hello) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_LEGACY_SERVER_CONNECT)
    context.set_min_proto_version(hello.protocol or (SSL.TLS1_VERSION if hello.legacy else SSL.TLS1_2_VERSION))
    if hello.protocol is not None:
        context.set_max_proto_version(hello.protocol)
    if hello.legacy:
        # Anonymous and pre-shared keys stay out: a handshake without a certificate proves nothing.
        context.set_cipher_list(b"ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0")
    elif hello.ciphers is not None:
        context.set_cipher_list(hello.ciphers)
    if not hello.curves:
        context.set_tmp_ecdh(ec.SECP256R1())
    context.set_alpn_protos(list(hello.alpn))
    context.set_ocsp_client_callback(_keep_staple)
    return context


def _keep_staple(connection: SSL.Connection, staple: bytes, _data: object) -> bool:
    connection.get_app_data().append(staple)
    return True  # judged later, if at all


class Handshake:
    """One handshake. `start`, then `feed` what the peer sends until `finished`; `tls` says what was seen.

    max_bytes: of the whole connection. However many they are, the handshake ends within MAX_BYTES.
    """

    def __init__(self, server_name: str | None, hello: Hello = LARGE, *, max_bytes: int = MAX_BYTES) -> None:
        self.hello = hello
        self.max_bytes = max_bytes
        self.finished = False
        self.completed = False
        self.reason: Reason | None = None
        self.detail = ""
        self.alert: str | None = None
        self.first_bytes = b""
        self._received = 0
        self._staples: list[bytes] = []
        self._connection = SSL.Connection(_context(hello), None)
        self._connection.set_app_data(self._staples)
        if server_name is not None:
            self._connection.set_tlsext_host_name(server_name.encode())
        self._connection.request_ocsp()
        self._connection.set_connect_state()

    def start(self) -> bytes:
        """The ClientHello."""
        return self._step()

    def feed(self, data: bytes) -> bytes:
        """Take what the peer sent, return what to send. With no data: the peer has closed."""
        if not data:
            self._fail(Reason.CLOSED)
            return b""
        if len(self.first_bytes) < FIRST_BYTES:
            self.first_bytes += data[: FIRST_BYTES - len(self.first_bytes)]
        self._received += len(data)
        if self.first_bytes[0] not in _RECORD_TYPES:
            self._fail(Reason.NOT_TLS)
            return b""
        if self._received > min(MAX_BYTES, self.max_bytes):
            self._fail(Reason.TLS_ERROR, "the handshake does not end")
            return b""
        self._connection.bio_write(data)
        return self._step()

    def encrypt(self, data: bytes) -> bytes:
        """Application data as records. The handshake must be completed."""
        self._connection.send(data)
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What is to be sent by now: the peer may ask for new keys in the middle of what it sends."""
        sent = b""
        while True:
            try:
                sent += self._connection.bio_read(65536)
            except SSL.WantReadError:
                return sent

    def decrypt(self, data: bytes) -> bytes | None:
        """The application data in what the peer sent; None once the peer has ended it, or sent more than is taken."""
        self._received += len(data)
        if self.spent:
            return None
        if data:
            self._connection.bio_write(data)
        plain = b""
        while True:
            try:
                plain += self._connection.recv(16384)
            except SSL.WantReadError:
                return plain
            except SSL.Error:
                return plain or None

    @property
    def spent(self) -> bool:
        """Whether the peer sent more than `max_bytes`."""
        return self._received > self.max_bytes

    @property
    def tls(self) -> Tls:
        """What the handshake showed so far."""
        c = self._connection
        chain = tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, x) for x in c.get_peer_cert_chain() or ())
        alpn = c.get_alpn_proto_negotiated()
        return Tls(
            hello=self.hello.name,
            completed=self.completed,
            chain=chain,
            staple=next((s for s in self._staples if s), None),
            protocol=c.get_protocol_version_name() if chain else None,
            cipher=c.get_cipher_name(),
            group=c.get_group_name() if self.completed else None,
            alpn=alpn.decode("ascii", "replace") if alpn else None,
            alert=self.alert,
        )

    def _step(self) -> bytes:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self._explain(error)
        else:
            self.finished = self.completed = True
        return self.outgoing()

    def _explain(self, error: SSL.Error) -> None:
        """OpenSSL's error queue as a reason: its entries are (library, function, text)."""
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
        libraries = [str(entry[0]) for entry in queue]
        text = str(queue[-1][2]) if queue else ""
        if " alert " in text or text in _ALERTS:
            self.alert = text.rpartition(" alert ")[2].removeprefix("tlsv1 ")
            self._fail(Reason.ALERT, self.alert)
        elif any(library in _ERRORS_OF_PARSING for library in libraries):
            self._fail(Reason.CERTIFICATE_UNREADABLE, str(queue[0][2]))
        else:
            self._fail(Reason.TLS_ERROR, text or "malformed handshake")

    def _fail(self, reason: Reason, detail: str = "") -> None:
        self.finished, self.reason, self.detail = True, reason, detail
