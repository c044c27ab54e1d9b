"""The only other door: objects asked for outside the handshakes, where it is safe to ask and at a bounded cost.

Where it is safe, in four rules:

1. A certificate that is proven already may send us to any host and port, directly or by a proxy that is told the
   address (socks5). Everything else goes to hosts on the allow-list, at ports 80 and 443: what no proven certificate
   names, what goes through other proxies, where the address cannot be seen, and every redirect, of which one is
   followed.
2. Names are resolved once; of the addresses only those that are out there are connected to, and no others afterwards.
   What the user said himself (`--resolve`) stands.
3. Only http and https, without user names.
4. The proxies a scan uses are used here too. They get their credentials as there: when they ask, and over TLS only
   if their certificate is trusted.

What is bounded: bytes, time and redirects of a fetch; time and number of all fetches of a run. The same URL is fetched
once in a run, and who did not answer once is not asked again.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias
from urllib.parse import urljoin

from tlsinspect.addresses import is_public
from tlsinspect.der import Buffer
from tlsinspect.endpoints.target import Target, read_target
from tlsinspect.errors import UsageError
from tlsinspect.evidence.peer import peer_of
from tlsinspect.exchange import MAX_LOCATION, Ending, Journal, Question, ask
from tlsinspect.http1 import Head
from tlsinspect.model import Fetch, FetchOutcome, PassedOver, Reason
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.connect import DialError, dial, resolve
from tlsinspect.observe.proxied import first_to_connect
from tlsinspect.observe.route import Proxy, Routing, Ways
from tlsinspect.text import one_line

MAX_URL = 4096
_PORTS = (80, 443)  # of hosts on the allow-list

Purpose: TypeAlias = Literal["crl", "ocsp", "issuer", "time"]


@dataclass(frozen=True)
class Limits:
    """What fetching may cost. Sizes are bytes of a body."""

    seconds: float = 5.0  # for one fetch as a whole
    run_seconds: float = 15.0  # of a run in which anything is being fetched
    ocsp: int = 64 * 1024
    crl: int = 64 * 1024 * 1024
    issuer: int = 64 * 1024
    time: int = 1024
    at_once: int = 8
    fetches: int = 200  # in a run
    run_bytes: int = 256 * 1024 * 1024  # of bodies in a run: they are kept until its end

    @classmethod
    def within(cls, timeout: float) -> "Limits":
        """For scans whose attempts may take `timeout` seconds: no fetch takes longer, all of them at most thrice."""
        return cls(seconds=min(cls.seconds, timeout), run_seconds=min(cls.run_seconds, 3 * timeout))

    def size(self, purpose: Purpose) -> int:
        return {"ocsp": self.ocsp, "crl": self.crl, "issuer": self.issuer, "time": self.time}[purpose]


@dataclass(frozen=True)
class Fetched:
    """What came of a fetch. A large body is a read-only map of an unnamed file, shared by all who asked: do not close
    it. `sent` and `received` are the local clock around the last exchange."""

    fetch: Fetch
    body: Buffer | None
    head: Head | None
    sent: datetime
    received: datetime


@dataclass(frozen=True)
class _Errand:
    """One fetch on its way: what for, and what was seen so far."""

    url: str
    purpose: Purpose
    journal: Journal

    def ended(
        self, outcome: FetchOutcome, detail: str = "", *, body: Buffer | None = None, seconds: float = 0.0
    ) -> Fetched:
        seen = self.journal
        peer = peer_of(seen.tried)
        fetch = Fetch(
            url=self.url,
            purpose=self.purpose,
            outcome=outcome,
            detail=detail,
            status=seen.head.status if seen.head else None,
            address=peer[0] if peer else None,
            location=seen.location or None,
            date=seen.head.date if seen.head else None,
            size=seen.size,
            seconds=round(seconds, 6),
            route=seen.route,
        )
        return Fetched(fetch, body, seen.head, seen.sent, seen.clock())

    def failed(self, defect: Exception, seconds: float = 0.0) -> Fetched:
        """By a defect of ours, which must not lose the other results; it is reported."""
        return self.ended(FetchOutcome.INTERNAL, f"{type(defect).__name__}: {one_line(defect)}", seconds=seconds)


# -- who may be asked, and how often ---------------------------------------------------------------------------------


class _Purse:
    """How much of a run's time for fetching is left. It is spent while anything is being fetched."""

    def __init__(self, seconds: float) -> None:
        self._left, self._ends, self._open = seconds, 0.0, 0

    @contextmanager
    def spending(self) -> Iterator[float]:
        """Yields when, by the loop's clock, it will be empty."""
        now = asyncio.get_running_loop().time
        if not self._open:
            self._ends = now() + self._left
        self._open += 1
        try:
            yield self._ends
        finally:
            self._open -= 1
            self._left = max(0.0, self._ends - now())


@dataclass
class _Shared:
    """A fetch, and how many wait for it."""

    task: asyncio.Task[Fetched]
    waiting: int = 0


class Fetcher:
    """Fetches for one run, inside one event loop.

    allowed: whether a host is on the allow-list. allow_private: go to addresses that are not out there too (labs).
    offline: ask nobody.
    """

    def __init__(
        self,
        settings: Settings,
        routing: Routing,
        allowed: Callable[[str], bool],
        *,
        limits: Limits = Limits(),
        allow_private: bool = False,
        offline: bool = False,
    ) -> None:
        self._settings, self._routing, self._allowed, self._limits = settings, routing, allowed, limits
        self._allow_private, self._offline = allow_private, offline
        self._purse = _Purse(limits.run_seconds)
        self._at_once = asyncio.Semaphore(limits.at_once)
        self._begun = self._kept = 0  # fetches, and bytes of their bodies
        self._shared: dict[tuple[str, Purpose], _Shared] = {}
        self._dead: dict[tuple[str, int], tuple[FetchOutcome, str]] = {}

    async def get(self, url: str, purpose: Purpose, *, proven: bool) -> Fetched:
        """GET an object. `proven`: its URL stands in a certificate that is proven already.

        Nothing the network does raises.
        """
        errand = _Errand(url[:MAX_URL], purpose, Journal(self._settings.clock))
        try:
            target = await self._permitted(url, proven)
        except Ending as end:
            return errand.ended(end.outcome, end.detail)
        except Exception as defect:  # noqa: BLE001 - see `failed`
            return errand.failed(defect)
        return await self._once_a_run(errand, target)

    async def _permitted(self, url: str, proven: bool) -> Target:
        if self._offline:
            raise Ending(FetchOutcome.OFFLINE)
        if not re.match(r"https?://", url, re.IGNORECASE):
            raise Ending(FetchOutcome.FORBIDDEN_SCHEME)
        if len(url) > MAX_URL:
            raise Ending(FetchOutcome.FORBIDDEN_HOST, f"the URL is longer than {MAX_URL} characters")
        try:
            target = read_target(url)
        except UsageError as error:
            raise Ending(FetchOutcome.FORBIDDEN_HOST, one_line(error)) from None
        ways = await self._routing.ways(target.host, target.tls)
        if not (proven and ways.seen) and not self._on_the_list(target):
            raise Ending(FetchOutcome.FORBIDDEN_HOST, f"{target.host}:{target.port} is not on the allow-list")
        return target

    def _on_the_list(self, target: Target) -> bool:
        return target.port in _PORTS and self._allowed(target.host)

    async def _once_a_run(self, errand: _Errand, target: Target) -> Fetched:
        """Make the fetch, or wait for the one that is being made. It ends with the last who waits for it."""
        key = (errand.url, errand.purpose)
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = _Shared(asyncio.create_task(self._in_turn(errand, target)))
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                if self._shared.get(key) is shared:
                    del self._shared[key]
                shared.task.cancel()
                await asyncio.wait([shared.task])

    async def _in_turn(self, errand: _Errand, target: Target) -> Fetched:
        async with self._at_once:
            with self._purse.spending() as empty:
                return await self._in_time(errand, target, empty)

    async def _in_time(self, errand: _Errand, target: Target, empty: float) -> Fetched:
        now = asyncio.get_running_loop().time
        begun = now()
        if empty <= begun:
            return errand.ended(FetchOutcome.NO_TIME, f"{self._limits.run_seconds:g} s of fetching in this run")
        if self._begun == self._limits.fetches:
            return errand.ended(FetchOutcome.NO_TIME, f"{self._begun} fetches in this run")
        if self._kept >= self._limits.run_bytes:
            return errand.ended(FetchOutcome.NO_TIME, f"{self._kept} bytes fetched in this run")
        self._begun += 1
        body, outcome, detail = None, FetchOutcome.FETCHED, ""
        deadline = min(begun + self._limits.seconds, empty)
        try:
            async with asyncio.timeout_at(deadline):
                body = await self._follow(target, errand)
        except Ending as end:
            outcome, detail = end.outcome, end.detail
        except (DialError, TimeoutError) as error:
            outcome, detail = self._silence(error, errand.journal, cut_off=deadline == empty)
        except OSError as error:
            outcome, detail = FetchOutcome.UNREACHABLE, _lost(error)
        except Exception as defect:  # noqa: BLE001 - see `failed`
            return errand.failed(defect, now() - begun)
        self._kept += len(body or b"")
        return errand.ended(outcome, detail, body=body, seconds=now() - begun)

    def give_up(self, host: str, port: int) -> None:
        """This place was seen to be silent: asking it for an object would be waiting once more."""
        self._dead.setdefault((host, port), (FetchOutcome.TIMEOUT, "it was silent before"))

    def _silence(self, error: Exception, journal: Journal, *, cut_off: bool) -> tuple[FetchOutcome, str]:
        """Nobody is there, or nobody answered in time: that place is not asked again in this run. One that began to
        answer is slow, not silent."""
        if isinstance(error, DialError) and error.reason is not Reason.TIMEOUT:
            said = FetchOutcome.UNREACHABLE, f"{error.reason}: {error.detail}" if error.detail else str(error.reason)
        elif cut_off and isinstance(error, TimeoutError):  # it is not that place's fault
            return FetchOutcome.NO_TIME, f"{self._limits.run_seconds:g} s of fetching in this run"
        else:
            said = FetchOutcome.TIMEOUT, f"{self._limits.seconds:g} s"
        if journal.waiting_for is not None and journal.head is None:
            self._dead[journal.waiting_for] = said
        return said

    # -- one redirect ------------------------------------------------------------------------------------------------

    async def _follow(self, target: Target, errand: _Errand) -> Buffer:
        body = await self._ask(target, errand)
        if body is None:
            body = await self._ask(self._redirected(target, errand.journal.location), errand)
        if body is None:
            raise Ending(FetchOutcome.FORBIDDEN_REDIRECT, "a second redirect")
        return body

    def _redirected(self, target: Target, location: str) -> Target:
        if len(location) == MAX_LOCATION:  # there was more of it
            raise Ending(FetchOutcome.FORBIDDEN_REDIRECT, "longer than a location should be")
        # A relative location stays on the same host, which must be on the list all the same.
        try:
            url = urljoin(target.url, location)
            if not re.match(r"https?://", url):
                raise Ending(FetchOutcome.FORBIDDEN_REDIRECT, "neither http nor https")
            onward = read_target(url)
        except (UsageError, ValueError) as error:
            raise Ending(FetchOutcome.FORBIDDEN_REDIRECT, one_line(error)) from None
        if not self._on_the_list(onward):
            raise Ending(FetchOutcome.FORBIDDEN_REDIRECT, f"{onward.host}:{onward.port} is not on the allow-list")
        return onward

    # -- one question ------------------------------------------------------------------------------------------------

    async def _ask(self, target: Target, errand: _Errand) -> Buffer | None:
        """The body of what is at `target`; None where it is elsewhere. The first way that is open is taken."""
        journal, origin = errand.journal, (target.host, target.port)
        if origin in self._dead:
            raise Ending(*self._dead[origin])
        ways = await self._routing.ways(target.host, target.tls)
        journal.route = ways.route(ways.proxies[0])
        ways = self._open_ways(ways)

        async def connect(proxy: Proxy | None) -> _Connected:
            journal.route = ways.route(proxy)
            first = journal.waiting_for = (proxy.host, proxy.port) if proxy else origin
            # Where names are resolved here, the proxy is told an address that was looked at.
            asked = (await self._places(origin))[0] if proxy is not None and proxy.resolves_here else origin
            return _Connected(await self._dial(first, proxy, journal), first, asked)

        passed_over: list[PassedOver] = []
        patience = self._limits.seconds / len(ways.proxies) / 2
        proxy, made = await first_to_connect(ways, connect, passed_over, patience)
        for dead, why in zip(ways.proxies, passed_over, strict=False):
            if dead is not None:
                self._dead[dead.host, dead.port] = FetchOutcome.UNREACHABLE, str(why.reason)
        sockets = [made.sock]

        async def next_socket() -> socket.socket:
            return sockets.pop() if sockets else await self._dial(made.first, proxy, journal)

        limit, is_object = self._limits.size(errand.purpose), errand.purpose != "time"
        return await ask(Question(target, proxy, made.first, made.asked, limit, is_object), next_socket, journal)

    def _open_ways(self, ways: Ways) -> Ways:
        """Those that are not known to be dead already."""
        if ways.trouble:
            raise Ending(FetchOutcome.PROXY, ways.trouble)
        alive = tuple(p for p in ways.proxies if p is None or (p.host, p.port) not in self._dead)
        if not alive:
            last = next(p for p in reversed(ways.proxies) if p is not None)
            raise Ending(*self._dead[last.host, last.port])
        return replace(ways, proxies=alive)

    async def _dial(self, place: tuple[str, int], proxy: Proxy | None, journal: Journal) -> socket.socket:
        if proxy is None:
            return await dial(await self._places(place), journal.tried)
        if not proxy.usable:
            raise DialError(Reason.PROXY_UNSUPPORTED)
        # Where the proxy is was said by the user.
        return await dial(self._settings.resolved.get(place) or await resolve(*place), journal.tried)

    async def _places(self, place: tuple[str, int]) -> list[tuple[str, int]]:
        """Where to connect to: the very addresses that were looked at."""
        given = self._settings.resolved.get(place)
        if given:
            return given
        found = await resolve(*place)
        if self._allow_private:
            return found
        public = [each for each in found if is_public(each[0])]
        if found and not public:
            raise Ending(FetchOutcome.FORBIDDEN_ADDRESS, f"{place[0]} is at {found[0][0]}")
        return public


@dataclass(frozen=True)
class _Connected:
    """A connection: where it leads, and what a proxy there is to be asked for."""

    sock: socket.socket
    first: tuple[str, int]
    asked: tuple[str, int]


def _lost(error: OSError) -> str:
    return str(Reason.RESET if isinstance(error, ConnectionError) else Reason.CLOSED)
