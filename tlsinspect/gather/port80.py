"""Hosts asked over plain HTTP in a run: the profile's, and those that received certificates name for revocation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tlsinspect.evidence.sighting import Sighting
from tlsinspect.fetch import Limits
from tlsinspect.gather.named import current_hosts, named_hosts
from tlsinspect.gather.shelf import Shelf
from tlsinspect.gather.together import together
from tlsinspect.model import Authority, Endpoint, FetchOutcome, Reachability, Reason, Row
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.plain import ask_plainly
from tlsinspect.observe.route import Routing
from tlsinspect.reachability import closed_sign, reachability, reached_by
from tlsinspect.trust import Trust

PATIENCE = Limits().seconds
# Answers 204 and nothing else where a network is open.
_OPEN = Row(url="http://connectivitycheck.gstatic.com/generate_204", purpose="Captive portal", required=False)
OPEN = Endpoint("connectivitycheck.gstatic.com", 80, False, Authority.GOOGLE, (_OPEN,))


@dataclass
class Port80:
    """`reached` holds every row as it comes in; which of them certificates name is known once `ask_named` has ended."""

    trust: Trust
    routing: Routing
    settings: Settings
    shelf: Shelf
    allow_private: bool = False  # go where certificates lead, whatever the address
    reached: dict[Endpoint, Reachability] = field(default_factory=dict)
    portal: str = ""  # how a captive portal showed itself when it was asked for

    async def ask_listed(self, endpoint: Endpoint) -> None:
        """Ask a row of the profile, wherever its name leads: that is what is to be found out."""
        answer = await self._ask(endpoint, self.settings)
        if answer is not None:
            self.reached[endpoint] = answer

    async def ask_whether_open(self) -> None:
        """Ask what browsers ask to find out whether somebody has to sign in first."""
        ways = await self.routing.ways(OPEN.host, OPEN.tls)
        said = closed_sign(OPEN, await ask_plainly(OPEN, ways, self.settings), self.trust)
        self.portal = f"{OPEN.host}: {said}" if said else ""

    async def ask_early(self, listed: Iterable[Endpoint]) -> None:
        """Ask the revocation hosts of today while the handshakes are waited for: afterwards it would cost time."""
        hosts = {e.host for e in listed}
        likely = [e for e in current_hosts(self.trust) if e.host not in hosts]
        await together(map(self._ask_unlisted, likely), self.shelf.defects)

    async def _ask_unlisted(self, endpoint: Endpoint) -> None:
        answer = await self._ask_named(endpoint)
        if answer is not None:
            self.reached[endpoint] = replace(answer, listed=False)

    async def ask_named(self, sightings: Sequence[Sighting]) -> None:
        """The hosts that received certificates name, where asking them for an object has not told already."""
        named, known = {e.host: e for e in named_hosts(sightings)}, {e.host for e in self.reached}
        more = [e for host, e in named.items() if host not in known and self.shelf.asked_at(host) is None]
        await together(map(self._ask_unlisted, more), self.shelf.defects)
        known = {e.host for e in self.reached}
        rows = {**self.reached, **{e: None for host, e in named.items() if host not in known}}
        for endpoint, answer in rows.items():
            told = self._by_fetching(endpoint, answer)
            if told is not None:
                listed = answer is not None and answer.listed
                self.reached[endpoint] = replace(told, listed=listed, named=endpoint.host in named)

    async def _ask_named(self, endpoint: Endpoint) -> Reachability | None:
        """No user named this host: addresses that are not out there are left alone, through a proxy none but the
        allow-list is asked for, and it is not waited for longer than for a fetch."""
        ways = await self.routing.ways(endpoint.host, endpoint.tls)
        if not ways.seen and not self.trust.may_fetch_from(endpoint.host):
            return None
        timeout = min(self.settings.timeout, PATIENCE)
        return await self._ask(endpoint, replace(self.settings, timeout=timeout, public_only=not self.allow_private))

    async def _ask(self, endpoint: Endpoint, settings: Settings) -> Reachability | None:
        answer = await ask_plainly(endpoint, await self.routing.ways(endpoint.host, endpoint.tls), settings)
        if answer.reason is Reason.CANCELLED:
            return None
        if answer.reason is Reason.TIMEOUT and answer.route.proxy is None:
            self.shelf.fetcher.give_up(endpoint.host, endpoint.port)
        head = answer.head
        if head is not None and head.date is not None and head.status != 407:  # which would be the proxy's word
            self.shelf.tell(endpoint.host, head.date, settings.clock())
        return reachability(endpoint, answer, self.trust)

    def _by_fetching(self, endpoint: Endpoint, answer: Reachability | None) -> Reachability | None:
        """What a fetch from the host says, where that is more than its answer."""
        fetch = self.shelf.asked_at(endpoint.host)
        if fetch is None:
            return answer
        signed = fetch.url in self.shelf.signed
        tells_more = signed or answer is None or fetch.outcome is FetchOutcome.FORBIDDEN_ADDRESS
        return reached_by(endpoint, fetch, signed=signed) if tells_more else answer
