"""Hosts asked over plain HTTP in a run: the profile's, and those that received certificates name for revocation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tlsinspect.evidence.sighting import Sighting
from tlsinspect.gather.named import current_hosts, named_hosts
from tlsinspect.gather.shelf import Shelf
from tlsinspect.gather.together import together
from tlsinspect.model import Endpoint, FetchOutcome, Reachability, Reason
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.plain import ask_plainly
from tlsinspect.observe.route import DIRECT, Routing
from tlsinspect.reachability import reachability, reached_by
from tlsinspect.trust import Trust


@dataclass
class Port80:
    """`reached` holds the listed rows as they come in, and the named ones once `ask_named` has ended."""

    trust: Trust
    routing: Routing
    settings: Settings
    shelf: Shelf
    allow_private: bool = False  # go where certificates lead, whatever the address
    reached: dict[Endpoint, Reachability] = field(default_factory=dict)
    _early: dict[str, Reachability] = field(default_factory=dict)  # of hosts that certificates will probably name

    async def ask_listed(self, endpoint: Endpoint) -> None:
        """Ask a row of the profile, wherever its name leads: that is what is to be found out."""
        answer = await self._ask(endpoint, self.settings)
        if answer is not None:
            self.reached[endpoint] = answer

    async def ask_early(self, listed: Iterable[Endpoint]) -> None:
        """Ask the revocation hosts of today while the handshakes are waited for: afterwards it would cost time."""
        hosts = {e.host for e in listed}
        likely = [e for e in current_hosts(self.trust) if e.host not in hosts]
        for answer in await together(map(self._ask_named, likely), self.shelf.defects):
            if answer is not None:
                self._early[answer.endpoint.host] = answer

    async def ask_named(self, sightings: Sequence[Sighting]) -> None:
        """The hosts that received certificates name, where asking them for an object has not told already."""
        named, listed = named_hosts(sightings), {e.host for e in self.reached}
        found = {e: self._early.get(e.host) for e in named if e.host not in listed}
        silent = [e for e, answer in found.items() if answer is None and self.shelf.asked_at(e.host) is None]
        found.update(zip(silent, await together(map(self._ask_named, silent), self.shelf.defects), strict=True))
        hosts = {e.host for e in named}
        for endpoint, asked in (*self.reached.items(), *found.items()):
            answer = self._by_fetching(endpoint, asked)
            if answer is not None:
                self.reached[endpoint] = replace(
                    answer, endpoint=endpoint, listed=endpoint not in found, named=endpoint.host in hosts
                )

    async def _ask_named(self, endpoint: Endpoint) -> Reachability | None:
        """Addresses that are not out there are left alone: no user named this host."""
        return await self._ask(endpoint, replace(self.settings, public_only=not self.allow_private))

    async def _ask(self, endpoint: Endpoint, settings: Settings) -> Reachability | None:
        proxy = self.routing.proxy_for(endpoint.host, endpoint.tls)
        answer = await ask_plainly(endpoint, proxy, settings)
        if answer.reason is Reason.CANCELLED:
            return None
        if answer.head is not None and answer.head.date is not None:
            self.shelf.tell(endpoint.host, answer.head.date, settings.clock())
        return reachability(endpoint, proxy.route if proxy else DIRECT, answer, self.trust)

    def _by_fetching(self, endpoint: Endpoint, asked: Reachability | None) -> Reachability | None:
        """What a fetch from the host says, where that is more than `asked` says."""
        fetch = self.shelf.asked_at(endpoint.host)
        if fetch is None:
            return asked
        signed = fetch.url in self.shelf.signed
        tells_more = signed or asked is None or fetch.outcome is FetchOutcome.FORBIDDEN_ADDRESS
        return reached_by(endpoint, fetch, signed=signed) if tells_more else asked
