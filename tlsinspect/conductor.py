"""The conductor: observe every endpoint, ask for what else is needed, then judge all of them together.

All observations are made before any is judged: what time it is and which keys serve several hosts is proven by the run
as a whole.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

from tlsinspect.cache import Cache
from tlsinspect.endpoints import Profile, load_profile
from tlsinspect.endpoints import targets as read_targets
from tlsinspect.errors import UsageError
from tlsinspect.evidence.clock import Bounds
from tlsinspect.fetch import Fetcher
from tlsinspect.gather import Gatherer
from tlsinspect.gather.named import current_hosts, named_hosts
from tlsinspect.gather.shelf import Shelf
from tlsinspect.gather.together import together
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.conclude import clock_of, conclusions
from tlsinspect.judge.establish import Context, Sighting
from tlsinspect.model import (
    SCHEMA_VERSION,
    Assessment,
    Authority,
    Endpoint,
    Failure,
    FetchOutcome,
    Observation,
    Reachability,
    Reason,
    Report,
    Row,
    Stage,
)
from tlsinspect.observe.attempt import Settings, observe
from tlsinspect.observe.plain import ask_plainly
from tlsinspect.observe.route import DIRECT, Routing, read_resolve, routing
from tlsinspect.reachability import reachability, reached_by
from tlsinspect.trust import Anchors, Trust, read_authority
from tlsinspect.version import __version__

# A Google host asked only for the time, where a single leaf tells it and this machine's clock does not agree.
SECOND_HOSTS = ("www.google.com", "oauth2.googleapis.com")


@dataclass
class Run:
    """Everything a scan needs, and what it has seen so far."""

    profile: Profile
    trust: Trust
    routing: Routing
    settings: Settings
    shelf: Shelf
    files: Mapping[str, Anchors] = field(default_factory=dict)  # the authorities that endpoints name, by path
    concurrency: int = 32
    repeat: int = 1
    witness: bool = False
    offline: bool = False
    time_service: bool = True
    allow_private: bool = False  # go where certificates lead, whatever the address
    at: datetime | None = None  # the moment to judge at, where the caller chose one
    progress: Callable[[int, int], None] = lambda _done, _all: None
    seen: dict[Endpoint, list[Observation]] = field(default_factory=dict)
    aside: list[Observed] = field(default_factory=list)  # observed for the time alone
    reached: dict[Endpoint, Reachability] = field(default_factory=dict)
    early: dict[str, Reachability] = field(default_factory=dict)  # of hosts that certificates will probably name
    interrupted: bool = False
    started: datetime | None = None  # local clock

    async def observe(self) -> None:
        """Make every observation, and ask for what they call for. Cancelling it keeps what was had, then cancels."""
        self.started = self.settings.clock()
        gatherer = Gatherer(self.trust, self.shelf, self._bounds(self.started), self.files)
        try:
            first = (self._observe_all(), self._ask_time(gatherer), self._ask_early())
            await together(first, self.shelf.defects)
            await together((self._gather(gatherer),), self.shelf.defects)
        except asyncio.CancelledError:
            self.interrupted = True
            raise

    async def _gather(self, gatherer: Gatherer) -> None:
        sightings = await gatherer.gather(self._observed())
        if not self.offline:
            last = (self._ask_second(gatherer, sightings), self._ask_named(sightings))
            await together(last, self.shelf.defects)

    async def _observe_all(self) -> None:
        gate = asyncio.Semaphore(self.concurrency)
        tasks = [asyncio.ensure_future(self._job(e, gate)) for e in self.profile.endpoints]
        self.progress(0, len(tasks))
        try:
            for done, finished in enumerate(asyncio.as_completed(tasks), 1):
                await finished
                self.progress(done, len(tasks))
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _job(self, endpoint: Endpoint, gate: asyncio.Semaphore) -> None:
        async with gate:
            if not endpoint.tls:
                reached = await self._ask_plainly(endpoint, listed=True)
                if reached is not None:
                    self.reached[endpoint] = reached
                return
            proxy = self.routing.proxy_for(endpoint.host, endpoint.tls)
            for number in range(1, self.repeat + 1):
                seen = await observe(endpoint, proxy, self.settings, number)
                self.seen.setdefault(endpoint, []).append(seen)
                if seen.failure is not None and seen.failure.reason is Reason.CANCELLED:
                    return

    async def _ask_plainly(self, endpoint: Endpoint, *, listed: bool = False) -> Reachability | None:
        """Where the endpoint is not `listed` in the profile, addresses that are not out there are left alone."""
        proxy = self.routing.proxy_for(endpoint.host, endpoint.tls)
        settings = self.settings if listed or self.allow_private else replace(self.settings, public_only=True)
        answer = await ask_plainly(endpoint, proxy, settings)
        if answer.reason is Reason.CANCELLED:
            return None
        if answer.head is not None and answer.head.date is not None:
            self.shelf.tell(endpoint.host, answer.head.date, self.settings.clock())
        return reachability(endpoint, proxy.route if proxy else DIRECT, answer, self.trust)

    async def _ask_time(self, gatherer: Gatherer) -> None:
        """The signed time, for runs that ask for Google's hosts anyway."""
        google = any(e.authority is Authority.GOOGLE for e in self.profile.endpoints)
        if google and self.time_service and not self.offline and self.at is None:
            await gatherer.ask_time()

    async def _ask_early(self) -> None:
        """The revocation hosts of today, while the handshakes are waited for: asking afterwards would cost time."""
        hosts = {e.host for e in self.profile.endpoints if not e.tls}
        google = any(e.tls and e.authority is Authority.GOOGLE for e in self.profile.endpoints)
        likely = [e for e in current_hosts(self.trust) if e.host not in hosts] if google and not self.offline else []
        for reached in await together(map(self._ask_plainly, likely), self.shelf.defects):
            if reached is not None:
                self.early[reached.endpoint.host] = reached

    async def _ask_second(self, gatherer: Gatherer, sightings: Sequence[Sighting]) -> None:
        """Where a single Google leaf tells the time and the local clock contradicts it: ask another Google host."""
        scanned = {e.host for e in self.profile.endpoints}
        other = next((host for host in SECOND_HOSTS if host not in scanned), None)
        if other is None or not gatherer.lacks_second(sightings):
            return
        row = Row(url=f"https://{other}/", purpose="The time", required=False)
        endpoint = Endpoint(other, 443, True, Authority.GOOGLE, (row,))
        seen = await observe(endpoint, self.routing.proxy_for(other, True), self.settings)
        self.aside.append(Observed(endpoint, (seen,)))

    async def _ask_named(self, sightings: Sequence[Sighting]) -> None:
        """Reachability of the revocation hosts that received certificates name, where it is not known already."""
        named, listed = named_hosts(sightings), {e.host for e in self.reached}
        found = {e: self.early.get(e.host) for e in named if e.host not in listed}
        silent = [e for e, asked in found.items() if asked is None and self.shelf.asked_at(e.host) is None]
        found.update(zip(silent, await together(map(self._ask_plainly, silent), self.shelf.defects), strict=True))
        hosts = {e.host for e in named}
        for endpoint, asked in (*self.reached.items(), *found.items()):
            reached = self._by_fetching(endpoint, asked)
            if reached is not None:
                self.reached[endpoint] = replace(
                    reached, endpoint=endpoint, listed=endpoint not in found, named=endpoint.host in hosts
                )

    def _by_fetching(self, endpoint: Endpoint, asked: Reachability | None) -> Reachability | None:
        """What a fetch from the host says, where that is more than `asked` says."""
        fetch = self.shelf.asked_at(endpoint.host)
        if fetch is None:
            return asked
        signed = fetch.url in self.shelf.signed
        tells_more = signed or asked is None or fetch.outcome is FetchOutcome.FORBIDDEN_ADDRESS
        return reached_by(endpoint, fetch, signed=signed) if tells_more else asked

    def _observed(self) -> list[Observed]:
        return [Observed(e, tuple(self._seen(e))) for e in self.profile.endpoints if e.tls]

    def _seen(self, endpoint: Endpoint) -> list[Observation]:
        """The observations of `endpoint`; one that says so where an interrupt came before the first."""
        if endpoint in self.seen:
            return self.seen[endpoint]
        return [
            Observation(
                host=endpoint.host,
                port=endpoint.port,
                route=DIRECT,
                started=self.settings.clock(),
                stage=Stage.DNS,
                failure=Failure(Stage.DNS, Reason.CANCELLED),
            )
        ]

    def _bounds(self, now: datetime) -> Bounds:
        return Bounds(self.at or now, self.trust.released, exact=self.at is not None)

    def report(self) -> Report:
        """Judge what was seen."""
        finished = self.settings.clock()
        rows = dict.fromkeys((*self.profile.endpoints, *self.reached))  # the profile's in its order, then the others
        reached = tuple(self.reached[e] for e in rows if e in self.reached)
        portal = next((f"{r.endpoint.host}: {r.sentence}" for r in reached if r.portal), "")
        context = Context(
            self.trust,
            self._bounds(finished),
            portal=portal,
            files=self.files,
            witness=self.witness,
            evidence=self.shelf.evidence(),
        )
        judged = judge_run(self._observed(), context, self.aside)
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
            conclusions=conclusions(judged, reached),
            fetches=tuple(self.shelf.fetches.values()),
            judged_at=self.at,
            interrupted=self.interrupted,
        )


class Options(TypedDict, total=False):
    """How to scan. All are optional.

    profile: a shipped profile's name or a TOML file, where no targets are named (``gwsmo``).
    trust: what to judge by; None is the data of this release, a path is read as `Trust.load` reads it.
    proxy: ``auto`` takes the environment's proxies, ``none`` goes straight, else a proxy's URL.
    resolve: ``HOST:PORT:ADDRESS[:PORT]``, as for curl.
    timeout: seconds for each attempt as a whole (15). repeat: attempts for each endpoint (1).
    concurrency: attempts at a time (32).
    witness: ask OpenSSL and certvalidator for a second opinion on each path: findings, never a vote.
    offline: ask nobody for revocation lists, answers, missing authorities or the time; what earlier runs kept counts.
    cache: whether what was fetched is kept on disk for later runs (True).
    time_service: whether Google's signed time service may be asked (True).
    allow_private_fetch: whether addresses named by certificates may lead to private networks: for laboratories (False).
    at: judge as if it were this moment, an aware datetime; None is now.
    progress: called with (finished, all) endpoints. clock: what to take for the local clock.
    """

    profile: str
    trust: Trust | str | Path | None
    proxy: str
    resolve: Iterable[str]
    timeout: float
    concurrency: int
    repeat: int
    witness: bool
    offline: bool
    cache: bool
    time_service: bool
    allow_private_fetch: bool
    at: datetime | None
    progress: Callable[[int, int], None]
    clock: Callable[[], datetime]


def prepare(targets: Sequence[str] | None = None, **options: Unpack[Options]) -> Run:
    """Check every argument and read every file before anything goes out. Raises UsageError, TrustDataError."""
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}")
    if isinstance(targets, str):
        raise UsageError("targets must be a list of hosts; for one host, a list with it")
    timeout, concurrency, repeat = (
        options.get("timeout", 15.0),
        options.get("concurrency", 32),
        options.get("repeat", 1),
    )
    if not timeout > 0 or timeout > 3600:
        raise UsageError("timeout must be more than 0 and at most 3600 seconds (--timeout)")
    if not 1 <= concurrency <= 1000 or not 1 <= repeat <= 1000:
        raise UsageError("concurrency and repeat must be between 1 and 1000 (--concurrency, --repeat)")
    at = options.get("at")
    if at is not None and at.tzinfo is None:
        raise UsageError("at must be an aware datetime: 12:00 in which time zone?")
    trust = options.get("trust")
    if not isinstance(trust, Trust):
        trust = Trust.default() if trust is None else Trust.load(trust)
    named = options.get("profile", "gwsmo")
    chosen = load_profile(named) if targets is None else read_targets(targets, trust.is_google_name)
    files = _authority_files(chosen.endpoints)
    clock = options.get("clock", lambda: datetime.now(UTC))
    settings = Settings(timeout=timeout, resolved=read_resolve(options.get("resolve", ())), clock=clock)
    route = routing(options.get("proxy", "auto"))
    offline, allow_private = options.get("offline", False), options.get("allow_private_fetch", False)
    fetcher = Fetcher(
        settings,
        route,
        trust.may_fetch_from,
        allow_private=allow_private,
        offline=offline,
    )
    shelf = Shelf(fetcher, Cache(None) if options.get("cache", True) else None, trust.facts.sha256)
    return Run(
        chosen,
        trust,
        route,
        settings,
        shelf,
        files,
        concurrency,
        repeat,
        options.get("witness", False),
        offline,
        options.get("time_service", True),
        allow_private,
        at and at.astimezone(UTC),
        options.get("progress", lambda _done, _all: None),
    )


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


def _authority_files(endpoints: Iterable[Endpoint]) -> dict[str, Anchors]:
    names = {e.authority_file for e in endpoints if e.authority is Authority.FILE and e.authority_file}
    return {name: read_authority(name) for name in sorted(names)}
