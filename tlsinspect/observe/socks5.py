"""The client's side of SOCKS5 without I/O (RFC 1928; user and password by RFC 1929)."""

import ipaddress

from tlsinspect.endpoints.target import is_address
from tlsinspect.model import Reason

PASSWORD = "username/password"
REFUSED = 255  # stands for a reply where the proxy takes none of the methods, or not these credentials

_VERSION, _NO_METHOD = 5, 255
_OPEN, _WITH_PASSWORD = 0, 2  # methods
_GRANTED, _NOT_ALLOWED = 0, 2  # replies
_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
# Replies after which another address of the same host may still be reached.
ABOUT_THE_ADDRESS = (3, 4, 5, 6, 8)


class Socks5:
    """One negotiation. `start`, then `feed` what the proxy sends until `finished`. No more than 262 bytes are waited
    for; `rest` is what came behind them.

    host: a name, which the proxy resolves, or an address. credentials: user:password, offered only where given and
    sent only where the proxy chooses so.
    """

    def __init__(self, host: str, port: int, credentials: str | None = None) -> None:
        self.finished = False
        self.reply: int | None = None
        self.reason: Reason | None = None  # why there is no way
        self.detail = ""
        self.authenticated = False
        self._host, self._port, self._credentials = host, port, credentials
        self._buffer = b""
        self._next = self._method

    @property
    def rest(self) -> bytes:
        return self._buffer if self.finished and self.reason is None else b""

    def start(self) -> bytes:
        methods = (_OPEN,) if self._credentials is None else (_OPEN, _WITH_PASSWORD)
        return bytes((_VERSION, len(methods), *methods))

    def feed(self, data: bytes) -> bytes:
        """Take what the proxy sent, return what to send. With no data: the proxy has closed."""
        if not data:
            self._fail(Reason.CLOSED)
            return b""
        self._buffer += data
        return self._next()

    def _method(self) -> bytes:
        if self._buffer[0] != _VERSION:
            return self._no_socks()
        if len(self._buffer) < 2:
            return b""
        method = self._take(2)[1]
        if method == _OPEN:
            return self._request()
        if method == _WITH_PASSWORD and self._credentials is not None:
            self.authenticated = True
            self._next = self._accepted
            user, _, password = (part.encode() for part in self._credentials.partition(":"))
            return bytes((1, len(user))) + user + bytes((len(password),)) + password
        if method == _NO_METHOD:
            self.reply = REFUSED
            wanted = "it takes none of the ways offered" if self._credentials else "it wants to know who asks"
            return self._fail(Reason.PROXY_AUTH_REQUIRED, wanted)
        return self._fail(Reason.PROXY_NOT_SOCKS, f"it chose method {method}, which was not offered")

    def _accepted(self) -> bytes:
        if len(self._buffer) < 2:
            return b""
        if self._take(2)[1] != 0:
            self.reply = REFUSED
            return self._fail(Reason.PROXY_AUTH_REQUIRED, "it does not take these credentials")
        return self._request()

    def _request(self) -> bytes:
        self._next = self._answer
        return bytes((_VERSION, 1, 0)) + _place(self._host) + self._port.to_bytes(2, "big")

    def _answer(self) -> bytes:
        if self._buffer[:1] not in (b"", bytes((_VERSION,))):
            return self._no_socks()
        if len(self._buffer) < 5:
            return b""
        kind = self._buffer[3]
        size = {1: 4, 3: 1 + self._buffer[4], 4: 16}.get(kind)
        reply = self._buffer[1]
        if reply == _GRANTED and size is None:
            return self._fail(Reason.PROXY_NOT_SOCKS, f"it writes an address of type {kind}")
        if reply == _GRANTED and len(self._buffer) < 4 + (size or 0) + 2:
            return b""
        self.reply = reply
        if reply == _GRANTED:
            self._take(4 + (size or 0) + 2)
            self.finished = True
            return b""
        denied = reply == _NOT_ALLOWED
        reason = Reason.PROXY_DENIED if denied else Reason.PROXY_UPSTREAM_FAILED
        return self._fail(reason, _REPLIES.get(reply, f"reply {reply}"))

    def _no_socks(self) -> bytes:
        return self._fail(Reason.PROXY_NOT_SOCKS, "it speaks HTTP" if self._buffer.startswith(b"HTTP") else "")

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fail(self, reason: Reason, detail: str = "") -> bytes:
        self.finished, self.reason, self.detail = True, reason, detail
        return b""


def _place(host: str) -> bytes:
    """The address as a request carries it: four octets, sixteen, or a name with its length."""
    if is_address(host):
        address = ipaddress.ip_address(host)
        return bytes((1 if address.version == 4 else 4,)) + address.packed
    name = host.encode("ascii")
    return bytes((3, len(name))) + name
