"""The conductor: observe every endpoint, then judge them together.

All observations are made before any is judged: what time it is and which keys serve several hosts is proven by the run
as a whole.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tlsinspect.endpoints import Profile, load_profile
from tlsinspect.endpoints import targets as read_targets
from tlsinspect.errors import UsageError
from tlsinspect.evidence.signedobject import is_signed_object
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.conclude import conclusions
from tlsinspect.judge.establish import host_of, portal_sign
from tlsinspect.model import (
    SCHEMA_VERSION,
    Assessment,
    Authority,
    Endpoint,
    Failure,
    Observation,
    Reach,
    Reachability,
    Reason,
    Report,
    Route,
    Stage,
)
from tlsinspect.observe.attempt import Settings, observe
from tlsinspect.observe.plain import PlainAnswer, ask_plainly
from tlsinspect.observe.route import DIRECT, Routing, read_resolve, routing
from tlsinspect.trust import Anchors, Trust, read_authority
from tlsinspect.version import __version__


@dataclass
class Run:
    """Everything a scan needs, and what it has seen so far."""

    profile: Profile
    trust: Trust
    routing: Routing
    settings: Settings
    concurrency: int = 32
    repeat: int = 1
    witness: bool = False
    progress: Callable[[int, int], None] = lambda _done, _all: None
    seen: dict[Endpoint, list[Observation]] = field(default_factory=dict)
    reached: dict[Endpoint, Reachability] = field(default_factory=dict)
    interrupted: bool = False
    started: datetime | None = None  # local clock

    async def observe(self) -> None:
        """Make every observation. Cancelling it keeps what was seen, then cancels."""
        self.started = self.settings.clock()
        gate = asyncio.Semaphore(self.concurrency)
        jobs = [self._job(e, gate) for e in self.profile.endpoints]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        self.progress(0, len(tasks))
        try:
            for done, finished in enumerate(asyncio.as_completed(tasks), 1):
                await finished
                self.progress(done, len(tasks))
        except asyncio.CancelledError:
            self.interrupted = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _job(self, endpoint: Endpoint, gate: asyncio.Semaphore) -> None:
        proxy = self.routing.proxy_for(endpoint.host, endpoint.tls)
        async with gate:
            if not endpoint.tls:
                answer = await ask_plainly(endpoint, proxy, self.settings)
                if answer.reason is not Reason.CANCELLED:
                    route = proxy.route if proxy else DIRECT
                    self.reached[endpoint] = reachability(endpoint, route, answer, self.trust)
                return
            for number in range(1, self.repeat + 1):
                seen = await observe(endpoint, proxy, self.settings, number)
                self.seen.setdefault(endpoint, []).append(seen)
                if seen.failure is not None and seen.failure.reason is Reason.CANCELLED:
                    return

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

    def report(self) -> Report:
        """Judge what was seen."""
        finished = self.settings.clock()
        observed = [Observed(e, tuple(self._seen(e))) for e in self.profile.endpoints if e.tls]
        reached = tuple(self.reached[e] for e in self.profile.endpoints if e in self.reached)
        portal = next((f"{r.endpoint.host}: {r.sentence}" for r in reached if r.portal), "")
        files = _authority_files(self.profile.endpoints)
        assessments, bounds = judge_run(
            observed, self.trust, finished, portal=portal, files=files, witness=self.witness
        )
        clock = bounds.estimate()
        return Report(
            schema_version=SCHEMA_VERSION,
            tool=f"tlsinspect {__version__}",
            profile=self.profile.name,
            started=self.started or finished,
            finished=finished,
            trust=self.trust.facts,
            clock=clock,
            assessments=assessments,
            reachability=reached,
            conclusions=conclusions(assessments, reached, bounds, self.trust),
            interrupted=self.interrupted,
        )


def prepare(
    targets: Sequence[str] | None = None,
    *,
    profile: str = "gwsmo",
    trust: Trust | str | Path | None = None,
    proxy: str = "auto",
    resolve: Iterable[str] = (),
    timeout: float = 15.0,
    concurrency: int = 32,
    repeat: int = 1,
    witness: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Run:
    """Check every argument and read every file before anything goes out. Raises UsageError, TrustDataError."""
    if isinstance(targets, str):
        raise UsageError("targets must be a list of hosts; for one host, a list with it")
    if not timeout > 0 or timeout > 3600:
        raise UsageError("timeout must be more than 0 and at most 3600 seconds (--timeout)")
    if not 1 <= concurrency <= 1000 or not 1 <= repeat <= 1000:
        raise UsageError("concurrency and repeat must be between 1 and 1000 (--concurrency, --repeat)")
    if not isinstance(trust, Trust):
        trust = Trust.default() if trust is None else Trust.load(trust)
    chosen = load_profile(profile) if targets is None else read_targets(targets, trust.is_google_name)
    _authority_files(chosen.endpoints)
    settings = Settings(timeout=timeout, resolved=read_resolve(resolve))
    return Run(chosen, trust, routing(proxy), settings, concurrency, repeat, witness, progress)


def scan(
    targets: Sequence[str] | None = None,
    *,
    profile: str = "gwsmo",
    trust: Trust | str | Path | None = None,
    proxy: str = "auto",
    resolve: Iterable[str] = (),
    timeout: float = 15.0,
    concurrency: int = 32,
    repeat: int = 1,
    witness: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Scan hosts and say who answers at each.

    targets: hosts, ``host:port`` or URLs; None scans `profile` (a shipped name or a TOML file).
    trust: what to judge by; None is the data of this release, a path is read as `Trust.load` reads it.
    proxy: ``auto`` takes the environment's proxies, ``none`` goes straight, else a proxy's URL.
    resolve: ``HOST:PORT:ADDRESS[:PORT]``, as for curl.
    timeout: seconds for each attempt as a whole. repeat: attempts for each endpoint.
    witness: ask OpenSSL and certvalidator for a second opinion on each path: findings, never a vote.
    progress: called with (finished, all) endpoints.

    Raises UsageError or TrustDataError before anything is sent. What the network does is in the report.
    """
    if _running():
        raise UsageError("scan cannot run inside an event loop; use scan_async there")
    run = prepare(
        targets,
        profile=profile,
        trust=trust,
        proxy=proxy,
        resolve=resolve,
        timeout=timeout,
        concurrency=concurrency,
        repeat=repeat,
        witness=witness,
        progress=progress,
    )
    return execute(run)


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


async def scan_async(
    targets: Sequence[str] | None = None,
    *,
    profile: str = "gwsmo",
    trust: Trust | str | Path | None = None,
    proxy: str = "auto",
    resolve: Iterable[str] = (),
    timeout: float = 15.0,
    concurrency: int = 32,
    repeat: int = 1,
    witness: bool = False,
) -> AsyncIterator[Assessment]:
    """As `scan`, inside a running event loop; yields the assessments in the order of the endpoints, once the last
    observation is made: what time it is and which keys serve several hosts is proven by all of them."""
    run = prepare(
        targets,
        profile=profile,
        trust=trust,
        proxy=proxy,
        resolve=resolve,
        timeout=timeout,
        concurrency=concurrency,
        repeat=repeat,
        witness=witness,
    )
    await run.observe()
    for assessment in run.report().assessments:
        yield assessment


def _authority_files(endpoints: Iterable[Endpoint]) -> dict[str, Anchors]:
    names = {e.authority_file for e in endpoints if e.authority is Authority.FILE and e.authority_file}
    return {name: read_authority(name) for name in sorted(names)}


def reachability(endpoint: Endpoint, route: Route, answer: PlainAnswer, trust: Trust) -> Reachability:
    """What a plain-HTTP answer says of a port-80 row."""
    result, sentence, portal = _reached(endpoint, answer, trust)
    head = answer.head
    return Reachability(
        endpoint=endpoint,
        route=route,
        result=result,
        sentence=sentence,
        portal=portal,
        status=head.status if head else None,
        address=answer.address,
        location=head.get("location") if head else None,
    )


_SILENCE = {
    Reason.REFUSED: "connection refused",
    Reason.RESET: "connection reset",
    Reason.CLOSED: "connection closed without an answer",
    Reason.NO_ROUTE: "no route",
    Reason.NAME_NOT_FOUND: "the name does not resolve",
    Reason.DNS_FAILED: "the name does not resolve",
    Reason.TIMEOUT: "no answer in time",
    Reason.INTERNAL: "a defect of tlsinspect",
}


def _reached(endpoint: Endpoint, answer: PlainAnswer, trust: Trust) -> tuple[Reach, str, bool]:
    head = answer.head
    if head is None:
        return _silent(answer.reason or Reason.TIMEOUT)
    portal = portal_sign(endpoint, head.status, head.get("location"), trust)
    if portal:
        return Reach.NOT_PKI, portal, True
    if head.status in (403, 407, 451) or head.get("proxy-authenticate"):
        return Reach.NOT_PKI, f"refused with status {head.status}", False
    if head.status == 200 and is_signed_object(answer.body, trust):
        return Reach.SIGNED_OBJECT, "an object a Google key signed", False
    asked_for_object = endpoint.rows[0].url.endswith((".crl", ".crt", ".der"))
    if head.status >= 500 or (asked_for_object and head.status == 200):
        return Reach.NOT_PKI, f"status {head.status}, not the object asked for", False
    target = host_of(head.get("location"))
    return Reach.ANSWERS, f"status {head.status}" + (f", on to {target}" if target else ""), False


def _silent(reason: Reason) -> tuple[Reach, str, bool]:
    if reason is Reason.PROXY_NOT_HTTP:
        return Reach.NOT_PKI, "what answers is not HTTP", False
    return (
        Reach.TIMEOUT if reason in (Reason.TIMEOUT, Reason.INTERNAL) else Reach.REFUSED,
        _SILENCE.get(reason, reason),
        False,
    )
