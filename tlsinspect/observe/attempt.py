"""One attempt at one endpoint: find a way, connect, ask the proxy, shake hands, ask once over HTTP.

The whole attempt has one deadline, whatever the peer does, and each stage a share of it, so that a silent stage leaves
time to ask differently. Nothing the network does raises: it ends up in the Observation.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from tlsinspect.endpoints.target import is_address, read_target
from tlsinspect.evidence.peer import peer_of
from tlsinspect.http1 import Head, NotHttpError, TooLongError, http_request
from tlsinspect.model import (
    Connection,
    Endpoint,
    Failure,
    HelloTry,
    HttpAnswer,
    Observation,
    PassedOver,
    ProxyAnswer,
    Reason,
    Stage,
    Tls,
)
from tlsinspect.observe.connect import DialError, dial, resolve
from tlsinspect.observe.handshake import FIRST_BYTES, LEGACY, SMALL, Handshake, Hello
from tlsinspect.observe.line import Line, Secure, answer_to, shake
from tlsinspect.observe.proxied import (
    Opened,
    ProxyError,
    WithheldError,
    authorization,
    enter,
    first_to_connect,
    open_way,
)
from tlsinspect.observe.route import Proxy, Resolved, Ways
from tlsinspect.observe.slices import USUAL, Slice
from tlsinspect.observe.socks5 import ABOUT_THE_ADDRESS
from tlsinspect.text import one_line

# The share of the deadline each step may take by itself.
SHARE = {"dns": 0.3, "tcp": 0.4, "proxy": 0.5, "hello": 0.3, "control": 0.15, "http": 0.4}
CONTROL_NAME = "control.invalid"  # a name nobody filters, for the same address (RFC 2606)
# Alerts after which only an older protocol can still help (RFC 8446 §6).
_OLD_PEER = ("protocol version", "handshake failure", "insufficient security")
_MAYBE_MIDDLEBOX = (Reason.RESET, Reason.CLOSED, Reason.TIMEOUT, Reason.ALERT, Reason.TLS_ERROR)
_MAX_TRIES = 4  # addresses of a host that a SOCKS proxy is asked for in turn

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """How to observe. `timeout` in seconds, for a whole attempt."""

    timeout: float = 15.0
    resolved: Resolved = field(default_factory=dict)
    public_only: bool = False  # over plain HTTP: no address that is not out there, unless `resolved` has it
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class Stop(Exception):  # noqa: N818 - it ends an attempt, nothing is wrong with the program
    """The attempt ends here, for this reason."""

    def __init__(self, stage: Stage, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.failure = Failure(stage, reason, detail)


async def observe(
    endpoint: Endpoint, ways: Ways, settings: Settings, number: int = 1, asked: Slice = USUAL
) -> Observation:
    """Make one attempt at a TLS endpoint. Cancelling it gives what was seen so far."""
    attempt = Attempt(endpoint, ways, settings, number, asked)
    try:
        async with asyncio.timeout(settings.timeout):
            await attempt.run()
    except Stop as stop:
        attempt.failure = stop.failure
    except TimeoutError:
        attempt.failure = Failure(attempt.stage, Reason.TIMEOUT, f"{settings.timeout:g} s for the whole attempt")
    except asyncio.CancelledError:
        attempt.failure = Failure(attempt.stage, Reason.CANCELLED)
    except Exception as defect:  # noqa: BLE001 - a defect of ours must not lose the other results; it is reported
        attempt.failure = Failure(attempt.stage, Reason.INTERNAL, f"{type(defect).__name__}: {one_line(defect)}")
    return attempt.observation()


class Attempt:
    """The journal of one attempt, written as it goes, so that whatever ends it loses nothing."""

    def __init__(self, endpoint: Endpoint, ways: Ways, settings: Settings, number: int, asked: Slice) -> None:
        self.endpoint, self.ways, self.settings, self.number, self.asked = endpoint, ways, settings, number, asked
        self.proxy = ways.proxies[0]  # the way that is being tried, or taken
        self.passed_over: list[PassedOver] = []
        self.started = settings.clock()
        self.stage = Stage.DNS
        self.addresses: tuple[str, ...] = ()
        self.address_source = "dns"
        self.connections: list[Connection] = []
        self.address: str | None = None
        self.proxy_answer: ProxyAnswer | None = None
        self.tls: Tls | None = None
        self.hellos: list[HelloTry] = []
        self.control: bool | None = None
        self.first_bytes: bytes | None = None
        self.http: HttpAnswer | None = None
        self.failure: Failure | None = None
        self.seconds: dict[str, float] = {}
        self._places: list[tuple[str, int]] = []  # where to connect to
        self._targets: list[tuple[str, int]] = []  # what the proxy is asked for

    def observation(self) -> Observation:
        return Observation(
            host=self.endpoint.host,
            port=self.endpoint.port,
            route=self.ways.route(self.proxy),
            started=self.started,
            stage=self.stage,
            attempt=self.number,
            slice=self.asked.name,
            server_name=self._server_name(),
            addresses=self.addresses,
            address_source=self.address_source,
            connections=tuple(self.connections),
            address=self.address,
            passed_over=tuple(self.passed_over),
            proxy=self.proxy_answer,
            tls=self.tls,
            hellos=tuple(self.hellos),
            control=self.control,
            first_bytes=self.first_bytes,
            http=self.http,
            failure=self.failure,
            seconds=self.seconds,
        )

    async def run(self) -> None:
        if self.ways.trouble:
            raise Stop(Stage.PROXY, Reason.PROXY_SCRIPT, self.ways.trouble)
        name = self._server_name()
        stop = Stop(Stage.TLS, Reason.TLS_ERROR)
        for hello in self.asked.hellos:  # before a death is blamed on anybody, it is asked for in another way
            if hello is LEGACY and not _may_be_old(stop.failure):
                break
            try:
                return await self._shake_and_ask(name, hello)
            except Stop as ended:
                stop = ended
            if self.tls is not None and self.tls.chain:
                raise stop
            self.hellos.append(HelloTry(hello.name, stop.failure.reason))
            if stop.failure.stage is not Stage.TLS or stop.failure.reason not in _MAYBE_MIDDLEBOX:
                break
        may_be_filtered = self.asked is USUAL and name is not None and stop.failure.stage is Stage.TLS
        if may_be_filtered and stop.failure.reason in _MAYBE_MIDDLEBOX:
            await self._ask_control()
        raise stop

    def _server_name(self) -> str | None:
        own = None if is_address(self.endpoint.host) else self.endpoint.host
        return own if self.asked.server_name == "" else self.asked.server_name

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[socket.socket]:
        """A connection to the endpoint or the proxy; every address tried is kept. Once one is had on a way, that way
        is taken to the end."""
        patience = self.settings.timeout * SHARE["tcp"] / len(self.ways.proxies)
        try:
            _, connected = await first_to_connect(self.ways, self._connected, self.passed_over, patience)
        except DialError as error:
            raise self._stop(error.reason, error.detail) from None
        self.ways = Ways((self.proxy,), self.ways.origin)
        peer = peer_of(self.connections)
        self.address = peer[0] if peer else None
        try:
            yield connected
        except OSError as error:
            raise self._stop(Reason.RESET if isinstance(error, ConnectionError) else Reason.CLOSED, "") from None
        finally:
            connected.close()

    async def _connected(self, proxy: Proxy | None) -> socket.socket:
        if proxy is not self.proxy or not self._places:
            self.proxy, self._places = proxy, []
            await self._resolve()
        self.stage = Stage.PROXY if proxy else Stage.TCP
        with self._timed("tcp"):
            return await self._step("tcp", dial(self._places, self.connections))

    async def _resolve(self) -> None:
        """Find where to connect: to the proxy where there is one."""
        proxy, self.stage = self.proxy, Stage.DNS
        if proxy is not None and not proxy.usable:
            self.stage = Stage.PROXY
            raise DialError(Reason.PROXY_UNSUPPORTED)
        place = (proxy.host, proxy.port) if proxy else (self.endpoint.host, self.endpoint.port)
        self.address_source = "proxy" if proxy else "dns"
        self._places = await self._look_up(place)
        if proxy is None and self.asked.address is not None:
            self._places = [found for found in self._places if found[0] == self.asked.address]

    async def _look_up(self, place: tuple[str, int]) -> list[tuple[str, int]]:
        """Where `place` is, by `--resolve` or by DNS. Raises DialError."""
        self.addresses = ()
        given = self.settings.resolved.get(place)
        if given and self.address_source == "dns":
            self.address_source = "--resolve"
        if given:
            found = given
        else:
            with self._timed("dns"):
                found = await self._step("dns", resolve(*place))
        self.addresses = tuple(dict.fromkeys(address for address, _ in found))
        return found

    async def _shake_and_ask(self, name: str | None, hello: Hello) -> None:
        async with self._tunnel() as (line, early):
            self.stage = Stage.TLS
            handshake = Handshake(name, hello)
            try:
                with self._timed("tls"):
                    await self._step("hello", self._shake(line, handshake, early))
            finally:
                self.tls = handshake.tls
            if not handshake.completed:
                raise Stop(Stage.TLS, handshake.reason or Reason.TLS_ERROR, handshake.detail)
            if self.tls is not None and self.tls.alpn == "h2":
                return  # HTTP/2 is not spoken here
            self.stage = Stage.HTTP
            with self._timed("http"):
                await self._step("http", self._ask(Secure(line, handshake)))

    async def _shake(self, line: Line, handshake: Handshake, early: bytes) -> None:
        await shake(line, handshake, early)
        if handshake.reason is Reason.NOT_TLS:
            self.first_bytes = await self._rest_of(line, handshake.first_bytes)

    async def _rest_of(self, line: Line, begun: bytes) -> bytes:
        """A little more of what is not TLS, for it often says who speaks."""
        try:
            async with asyncio.timeout(min(1.0, self.settings.timeout / 10)):
                while len(begun) < FIRST_BYTES and b"\n\r\n" not in begun and (more := await line.receive()):
                    begun += more
        except (TimeoutError, OSError):
            pass
        if self.proxy is not None:
            begun = self.proxy.hide(begun.decode("latin-1")).encode("latin-1", "replace")
        return begun[:FIRST_BYTES]

    async def _ask(self, line: Line) -> None:
        """One request inside the session; the answer's clock is what it is for."""
        path = read_target(self.endpoint.rows[0].url).path
        request = http_request("HEAD", path, self.endpoint.host, self.endpoint.port, default_port=443)
        sent = self.settings.clock()
        try:
            head, _ = await answer_to(request, line)
        except EOFError:
            raise Stop(Stage.HTTP, Reason.CLOSED) from None
        except (NotHttpError, TooLongError):
            raise Stop(Stage.HTTP, Reason.CLOSED, "not an HTTP answer") from None
        self.http = http_answer(head, sent, self.settings.clock(), self.proxy.hide if self.proxy else str)

    # -- the proxy --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _tunnel(self) -> AsyncIterator[tuple[Line, bytes]]:
        """A line on which the endpoint itself answers, and what came on it already."""
        asked: Opened | None = None  # for credentials
        for target in range(_MAX_TRIES):
            async with self._socket() as sock:
                if self.proxy is None:
                    yield Line(sock), b""
                    return
                place = await self._target(target)
                with self._timed("proxy"):
                    line, opened = await self._step("proxy", self._open(sock, self.proxy, place, asked))
                if opened.reason is None:
                    yield line, opened.early
                    return
            if asked is None and self.proxy.answers(opened.head):
                asked = opened
            elif not (opened.answer.status in ABOUT_THE_ADDRESS and target + 1 < len(self._targets)):
                break
        raise Stop(Stage.PROXY, opened.reason or Reason.PROXY_DENIED, opened.detail)

    async def _target(self, number: int) -> tuple[str, int]:
        """What the proxy is asked for: the endpoint by its name, or, where names are resolved here, an address."""
        if self.proxy is None or not self.proxy.resolves_here or is_address(self.endpoint.host):
            return self.endpoint.host, self.endpoint.port
        if not self._targets:
            self.stage, self.address_source = Stage.DNS, "dns"
            try:
                self._targets = await self._look_up((self.endpoint.host, self.endpoint.port))
            except DialError as error:
                raise self._stop(error.reason, error.detail) from None
            self.stage = Stage.PROXY
        return self._targets[min(number, len(self._targets) - 1)]

    async def _open(
        self, sock: socket.socket, proxy: Proxy, place: tuple[str, int], asked: Opened | None
    ) -> tuple[Line, Opened]:
        """Have the proxy make a way to `place`, with credentials where it `asked` for them. That it did is remembered
        when it is satisfied; where it may be somebody else on this connection, it is left at that."""
        try:
            entered = await enter(sock, proxy)
            fields = (await authorization(proxy, entered),) if asked else ()
            opened = await open_way(entered, proxy, *place, *fields)
        except WithheldError as error:
            assert asked is not None
            self.proxy_answer = replace(asked.answer, chain=entered.chain, distrust=error.detail)
            return entered.line, asked
        except ProxyError as error:
            raise Stop(Stage.PROXY, error.reason, error.detail) from None
        asked_for = self.proxy_answer.schemes if self.proxy_answer else ()
        self.proxy_answer = replace(opened.answer, schemes=opened.answer.schemes or asked_for)
        return entered.line, opened

    # -- the control ------------------------------------------------------------------------------------------------

    async def _ask_control(self) -> None:
        """Whether another server name gets a certificate on the same path: then a filter acts on the name."""
        stage = self.stage
        try:
            async with self._tunnel() as (line, early):
                handshake = Handshake(CONTROL_NAME, SMALL)
                self.stage = Stage.TLS
                try:
                    await self._step("control", self._shake(line, handshake, early))
                finally:
                    self.control = bool(handshake.tls.chain)
        except Stop:
            self.control = self.control or False
        finally:
            self.stage = stage

    # -- time -------------------------------------------------------------------------------------------------------

    async def _step(self, step: str, work: Awaitable[T]) -> T:
        """Do `work` within the step's share of the deadline."""
        limit = self.settings.timeout * SHARE[step]
        try:
            async with asyncio.timeout(limit) as scope:
                return await work
        except TimeoutError:
            if not scope.expired():
                raise  # the deadline of the whole attempt
            raise self._stop(Reason.TIMEOUT, f"{limit:.1f} s") from None

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to `seconds[name]`."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - begun, 6)

    def _stop(self, reason: Reason, detail: str) -> Stop:
        return Stop(self.stage, reason, detail)


def _may_be_old(failure: Failure) -> bool:
    return failure.detail in _OLD_PEER or failure.reason is Reason.TLS_ERROR


def http_answer(head: Head, sent: datetime, received: datetime, hide: Callable[[str], str]) -> HttpAnswer:
    """`hide` takes out what nobody may read: a proxy that looks inside knows the credentials it was given."""

    def field(name: str) -> str | None:
        value = head.get(name)
        return None if value is None else hide(value)

    return HttpAnswer(
        status=head.status,
        sent=sent,
        received=received,
        date=head.date,
        age=head.age,
        location=field("location"),
        server=field("server"),
        via=field("via"),
    )
