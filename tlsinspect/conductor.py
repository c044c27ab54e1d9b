"""The conductor: observe every endpoint, ask for what else is needed, then judge all of them together.

All observations are made before any is judged: what time it is and which keys serve several hosts is proven by the run
as a whole.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Unpack

from tlsinspect.cache import Cache
from tlsinspect.certificate import text_of
from tlsinspect.endpoints import Profile, load_profile, with_controls
from tlsinspect.endpoints import targets as read_targets
from tlsinspect.errors import UsageError
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.evidence.clock import Bounds
from tlsinspect.evidence.peer import peer_of
from tlsinspect.evidence.sighting import Sighting
from tlsinspect.evidence.truststores import Stores
from tlsinspect.fetch import Fetcher, Limits
from tlsinspect.gather import Gatherer
from tlsinspect.gather.listeners import listeners_at
from tlsinspect.gather.port80 import Port80
from tlsinspect.gather.reverse import reverse_names
from tlsinspect.gather.shelf import Shelf
from tlsinspect.gather.together import together
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.advice import advice
from tlsinspect.judge.conclude import clock_of, conclusions
from tlsinspect.judge.establish import Context
from tlsinspect.judge.ticket import ticket
from tlsinspect.model import (
    SCHEMA_VERSION,
    Assessment,
    Authority,
    Endpoint,
    Failure,
    Listener,
    Observation,
    Reason,
    Report,
    ReverseName,
    Route,
    Row,
    Stage,
)
from tlsinspect.observe.apart import apart
from tlsinspect.observe.attempt import Settings, observe
from tlsinspect.observe.probes import probe
from tlsinspect.observe.route import Proxy, Routing, Ways, read_resolve
from tlsinspect.observe.routing import configured, routing
from tlsinspect.observe.slices import slices_of
from tlsinspect.options import Options, checked
from tlsinspect.stores import read_stores
from tlsinspect.trust import Anchors, Trust, read_authority
from tlsinspect.version import __version__

# A Google host asked only for the time, where a single leaf tells it and this machine's clock does not agree.
SECOND_HOSTS = ("www.google.com", "oauth2.googleapis.com")
STORES_SECONDS = 20.0  # for reading this machine's trust stores, which may lie on a network


@dataclass
class Run:
    """Everything a scan needs, and what it has seen so far."""

    profile: Profile
    trust: Trust
    routing: Routing
    settings: Settings
    shelf: Shelf
    port80: Port80
    options: Options = field(repr=False)  # a proxy's URL may hold a password
    files: Mapping[str, Anchors] = field(default_factory=dict)  # the authorities that endpoints name, by path
    compared: Sequence[Proxy] = ()  # what the direct way is compared with
    seen: dict[Endpoint, dict[int, list[Observation]]] = field(default_factory=dict)  # by the number of the way
    aside: list[Observed] = field(default_factory=list)  # observed for the time alone
    probed: list[Observed] = field(default_factory=list)  # observed to corroborate
    stores: Stores | None = None  # this machine's, read where somebody unknown signed
    listeners: tuple[Listener, ...] = ()
    reverse_names: tuple[ReverseName, ...] = ()
    interrupted: bool = False
    started: datetime | None = None  # local clock

    async def observe(self) -> None:
        """Make every observation, and ask for what they call for. Cancelling it keeps what was had, then cancels."""
        self.started = self.settings.clock()
        gatherer = Gatherer(self.trust, self.shelf, self._bounds(self.started), self.files)
        try:
            await together((self._observe_all(), *self._beside(gatherer)), self.shelf.defects)
            await together((self._gather(gatherer),), self.shelf.defects)
        except asyncio.CancelledError:
            self.interrupted = True
            raise
        finally:
            self.routing.close()

    def _beside(self, gatherer: Gatherer) -> Iterator[Coroutine[Any, Any, None]]:
        """What is asked for while the handshakes are waited for, by runs that ask for Google's hosts anyway."""
        google = [e for e in self.profile.endpoints if e.authority is Authority.GOOGLE]
        if not google or self.options["offline"]:
            return
        if self.options["time_service"] and self.options["at"] is None:
            yield gatherer.ask_time()
        if any(e.tls for e in google):
            yield self.port80.ask_early(e for e in self.profile.endpoints if not e.tls)

    async def _gather(self, gatherer: Gatherer) -> None:
        sightings = await gatherer.gather(self._observed())
        last = [self._read_stores(sightings), self._ask_local(sightings)]
        if self.options["probe"]:
            last += [self._probe(s) for s in _representatives(sightings)]
        if not self.options["offline"]:
            last += [self._ask_second(gatherer, sightings), self.port80.ask_named(sightings)]
            if any(s.endpoint.authority is Authority.GOOGLE and not s.proven for s in sightings):
                last.append(self.port80.ask_whether_open())
        await together(last, self.shelf.defects)

    async def _read_stores(self, sightings: Sequence[Sighting]) -> None:
        if any(s.foreign_path is not None for s in sightings):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STORES_SECONDS):
                    self.stores = await apart(read_stores, "trust stores")

    async def _ask_local(self, sightings: Sequence[Sighting]) -> None:
        """What is known nearby of the places that were connected to: who answers here, where it is not proven who does;
        and, where wanted, what Google's addresses are called."""
        doubtful = (peer_of(s.seen.connections) for s in sightings if not s.proven)
        self.listeners = await listeners_at(peer for peer in doubtful if peer is not None)
        if self.options["reverse_dns"]:
            google = (s.seen for s in sightings if s.endpoint.authority is Authority.GOOGLE)
            self.reverse_names = await reverse_names(s.address for s in google if s.address and s.route.proxy is None)

    async def _observe_all(self) -> None:
        gate, progress = asyncio.Semaphore(self.options["concurrency"]), self.options["progress"]
        tasks = [asyncio.ensure_future(self._job(e, gate)) for e in self.profile.endpoints]
        progress(0, len(tasks))
        try:
            for done, finished in enumerate(asyncio.as_completed(tasks), 1):
                await finished
                progress(done, len(tasks))
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _job(self, endpoint: Endpoint, gate: asyncio.Semaphore) -> None:
        async with gate:
            if not endpoint.tls:
                await self.port80.ask_listed(endpoint)
                return
            for number, ways in enumerate(await self._ways(endpoint)):
                await self._ask(endpoint, ways, self.seen.setdefault(endpoint, {}).setdefault(number, []))

    async def _ways(self, endpoint: Endpoint) -> Sequence[Ways]:
        """One, or what is compared."""
        if self.options["compare_routes"]:
            return (Ways(), *map(Ways.only, self.compared))
        return (await self.routing.ways(endpoint.host, endpoint.tls),)

    async def _ask(self, endpoint: Endpoint, ways: Ways, had: list[Observation]) -> None:
        """Ask in the usual way as often as wanted, then in each of the others."""
        for number in range(1, self.options["repeat"] + 1):
            had.append(await observe(endpoint, ways, self.settings, number))
            if _cancelled(had[-1]):
                return
        for asked in slices_of(self.options["slices"], endpoint, had[0]):
            had.append(await observe(endpoint, ways, self.settings, asked=asked))
            if _cancelled(had[-1]):
                return

    async def _probe(self, sighting: Sighting) -> None:
        """Ask what only somebody on the way would answer, where `sighting` was made."""
        known = (Ways.only(p) for ways in await self._ways(sighting.endpoint) for p in ways.proxies)
        ways = next((w for w in known if w.route(w.proxies[0]).proxy == sighting.seen.route.proxy), Ways())
        asked = await probe(sighting.endpoint, ways, self.settings)
        self.probed += [Observed(endpoint, (seen,)) for endpoint, seen in asked]

    async def _ask_second(self, gatherer: Gatherer, sightings: Sequence[Sighting]) -> None:
        """Where a single Google leaf tells the time and the local clock contradicts it: ask another Google host."""
        scanned = {e.host for e in self.profile.endpoints}
        other = next((host for host in SECOND_HOSTS if host not in scanned), None)
        if other is None or not gatherer.lacks_second(sightings):
            return
        row = Row(url=f"https://{other}/", purpose="The time", required=False)
        endpoint = Endpoint(other, 443, True, Authority.GOOGLE, (row,))
        seen = await observe(endpoint, await self.routing.ways(other, True), self.settings)
        self.aside.append(Observed(endpoint, (seen,)))

    def _observed(self) -> list[Observed]:
        return [Observed(e, tuple(seen)) for e in self.profile.endpoints if e.tls for seen in self._seen(e)]

    def _seen(self, endpoint: Endpoint) -> list[list[Observation]]:
        """The observations of `endpoint` on each route; one that says so where an interrupt came before the first."""
        had = [seen for seen in self.seen.get(endpoint, {}).values() if seen]
        if had:
            return had
        cancelled = Observation(
            host=endpoint.host,
            port=endpoint.port,
            route=Route(),
            started=self.settings.clock(),
            stage=Stage.DNS,
            failure=Failure(Stage.DNS, Reason.CANCELLED),
        )
        return [[cancelled]]

    def _bounds(self, now: datetime) -> Bounds:
        at = self.options["at"]
        return Bounds(at or now, self.trust.released, exact=at is not None)

    def report(self) -> Report:
        """Judge what was seen."""
        finished = self.settings.clock()
        found = self.port80.reached
        rows = dict.fromkeys((*self.profile.endpoints, *found))  # the profile's in its order, then the others
        reached = tuple(found[e] for e in rows if e in found)
        listed = (f"{r.endpoint.host}: {r.sentence}" for r in reached if r.portal and r.listed)
        portal = next(listed, self.port80.portal)
        context = Context(
            self.trust,
            self._bounds(finished),
            portal=portal,
            files=self.files,
            witness=self.options["witness"],
            evidence=self.shelf.evidence(),
            stores=self.stores,
            listeners={(each.address, each.port): each for each in self.listeners},
            reverse_names={each.address: each for each in self.reverse_names},
        )
        judged = judge_run(self._observed(), context, self.aside, self.probed)
        return Report(
            schema_version=SCHEMA_VERSION,
            tool=f"tlsinspect {__version__}",
            profile=self.profile.name,
            started=self.started or finished,
            finished=finished,
            trust=self.trust.facts,
            clock=clock_of(judged),
            assessments=judged.assessments,
            reachability=reached,
            conclusions=conclusions(judged, reached, self.routing.notes),
            advice=advice(judged.assessments),
            ticket=ticket(judged, reached, self.started or finished),
            fetches=tuple(self.shelf.fetches.values()),
            probes=tuple(seen for o in self.probed for seen in o.observations),
            stores=self.stores.facts() if self.stores is not None else (),
            roots=judged.roots,
            listeners=self.listeners,
            reverse_names=self.reverse_names,
            judged_at=self.options["at"],
            interrupted=self.interrupted,
        )


def prepare(targets: Sequence[str] | None = None, **given: Unpack[Options]) -> Run:
    """Check every argument and read every file before anything goes out. Raises UsageError, TrustDataError."""
    options = checked(targets, given)
    trust = options["trust"]
    if not isinstance(trust, Trust):
        trust = Trust.default() if trust is None else Trust.load(trust)
    if options["interceptors"] is not None:
        trust = with_interceptors(trust, options["interceptors"])
    profile = load_profile(options["profile"]) if targets is None else read_targets(targets, trust.is_google_name)
    profile = with_controls(profile, options["control"], options["inspected"], trust.is_google_name)
    settings = Settings(options["timeout"], read_resolve(options["resolve"]), clock=options["clock"])
    route, allow_private = routing(options["proxy"]), options["allow_private_fetch"]
    fetcher = Fetcher(
        settings,
        route,
        trust.may_fetch_from,
        limits=Limits.within(options["timeout"]),
        allow_private=allow_private,
        offline=options["offline"],
    )
    shelf = Shelf(fetcher, Cache() if options["cache"] else None, trust.facts.sha256)
    return Run(
        profile,
        trust,
        route,
        settings,
        shelf,
        Port80(trust, route, settings, shelf, allow_private),
        options,
        _authority_files(profile.endpoints),
        _compared(profile, options["proxy"]) if options["compare_routes"] else (),
    )


def _compared(profile: Profile, proxy: str) -> tuple[Proxy, ...]:
    """The proxies to compare the direct way with. Raises UsageError."""
    hosts = [e.host for e in profile.endpoints if e.tls]
    found = configured(hosts, proxy) if proxy != "none" else ()
    if not found:
        raise UsageError("there is no proxy to compare the direct way with: name one with --proxy")
    return found


def scan(targets: Sequence[str] | None = None, **options: Unpack[Options]) -> Report:
    """Scan hosts and say who answers at each.

    targets: hosts, ``host:port`` or URLs; None scans the profile. How: see `Options`.

    Raises UsageError or TrustDataError before anything is sent. What the network does is in the report.
    """
    if _running():
        raise UsageError("scan cannot run inside an event loop; use scan_async there")
    return execute(prepare(targets, **options))


def _running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def execute(run: Run) -> Report:
    """Observe and judge. An interrupt ends the observing; the report holds what was seen until then."""
    try:
        asyncio.run(run.observe())
    except KeyboardInterrupt:
        run.interrupted = True
    return run.report()


async def scan_async(targets: Sequence[str] | None = None, **options: Unpack[Options]) -> AsyncIterator[Assessment]:
    """As `scan`, inside a running event loop; yields the assessments in the order of the endpoints, once the last
    observation is made: what time it is and which keys serve several hosts is proven by all of them."""
    run = prepare(targets, **options)
    await run.observe()
    for assessment in run.report().assessments:
        yield assessment


def _cancelled(seen: Observation) -> bool:
    return seen.failure is not None and seen.failure.reason is Reason.CANCELLED


MAX_PROBED = 4  # on each route


def _representatives(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Whom to probe: on each route one host of each foreign signer, else one host at all."""
    routes: dict[Route, dict[str, Sighting]] = {}
    for s in sightings:
        path = s.readable_path
        if path is None or not s.seen.connections:
            continue
        signer = text_of(path.leaf.issuer) if path.foreign else ""
        routes.setdefault(s.seen.route, {}).setdefault(signer, s)
    chosen = []
    for found in routes.values():
        foreign_ones = [s for signer, s in found.items() if signer]
        chosen += foreign_ones[:MAX_PROBED] or list(found.values())
    return chosen


def _authority_files(endpoints: Iterable[Endpoint]) -> dict[str, Anchors]:
    names = {e.authority_file for e in endpoints if e.authority is Authority.FILE and e.authority_file}
    return {name: read_authority(name) for name in sorted(names)}
