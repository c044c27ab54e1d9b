"""What was had so far, from the network and from the cache of earlier runs, and how each asking ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tlsinspect.cache import Cache
from tlsinspect.certificate import Certificate
from tlsinspect.der import Buffer
from tlsinspect.endpoints.target import read_target
from tlsinspect.errors import UsageError
from tlsinspect.evidence.answer import LIFE
from tlsinspect.evidence.clock import Witness
from tlsinspect.evidence.clockhints import Told
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.gathered import Evidence
from tlsinspect.fetch import Fetched, Fetcher, Purpose
from tlsinspect.model import Fetch, FetchOutcome
from tlsinspect.observe.systemclock import synchronised

_ENOUGH = 8  # who tell the time and prove nothing
_NOT_ASKED = (
    FetchOutcome.CACHED,
    FetchOutcome.OFFLINE,
    FetchOutcome.NO_TIME,
    FetchOutcome.FORBIDDEN_HOST,
    FetchOutcome.FORBIDDEN_SCHEME,
)


@dataclass
class Shelf:
    """Everything is put here as it arrives, so that whatever ends the asking loses nothing."""

    fetcher: Fetcher
    cache: Cache | None  # None: nothing is kept between runs
    trust_id: str
    crls: dict[str, list[Crl]] = field(default_factory=dict)  # by URL
    ocsp: dict[str, list[bytes]] = field(default_factory=dict)  # by the URL of the request
    issuers: dict[bytes, str] = field(default_factory=dict)  # DER, and the URL it came from
    fetches: dict[str, Fetch] = field(default_factory=dict)
    staples: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)  # by the leaf they came with, DER
    signed: set[str] = field(default_factory=set)  # URLs that brought something whose signature held
    told: list[Told] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)  # of tlsinspect itself, while it asked
    service: Witness | None = None
    synchronised: bool | None = field(default_factory=synchronised)
    _recalled: dict[tuple[str, str], Sequence[Buffer]] = field(default_factory=dict)

    def evidence(self) -> Evidence:
        return Evidence(
            crls=self.crls,
            ocsp=self.ocsp,
            issuers=tuple(self.issuers),
            fetches=self.fetches,
            staples=self.staples,
            service=self.service,
            told=tuple(self.told),
            defects=tuple(self.defects),
            synchronised=self.synchronised,
        )

    async def fetch(self, url: str, purpose: Purpose, *, proven: bool) -> Fetched:
        """Ask for `url`; `proven` says that a certificate proven already names it."""
        fetched = await self.fetcher.get(url, purpose, proven=proven)
        self.fetches[url] = fetched.fetch
        answered = fetched.fetch.outcome in (FetchOutcome.FETCHED, FetchOutcome.STATUS)
        if answered and fetched.fetch.date is not None:
            self.tell(_place(url)[0], fetched.fetch.date, fetched.received)
        return fetched

    def tell(self, host: str, time: datetime, at: datetime) -> None:
        """Note what `host` says the time is, over plain HTTP."""
        if len(self.told) < _ENOUGH:
            self.told.append(Told(f"plain HTTP from {host[:100]}", time, at))

    def remark(self, url: str, detail: str) -> None:
        """Say more of a fetch that brought something of no use."""
        self.fetches[url] = replace(self.fetches[url], detail=detail)

    def asked_at(self, host: str) -> Fetch | None:
        """How asking this host over plain HTTP ended, if it was asked in this run."""
        there = (host, 80, False)
        fetches = [f for url, f in self.fetches.items() if _place(url) == there and f.outcome not in _NOT_ASKED]
        return next((f for f in fetches if f.url in self.signed), next(iter(fetches), None))

    # -- the cache --------------------------------------------------------------------------------------------------

    def recall(self, url: str, purpose: Purpose, issuer_key: str) -> Sequence[Buffer]:
        """What earlier runs kept of `url`, newest first; read once a run."""
        if self.cache is None:
            return ()
        if (url, issuer_key) not in self._recalled:
            found = self._recalled[url, issuer_key] = self.cache.get(self.trust_id, issuer_key, url)
            if found and url not in self.fetches:
                self.fetches[url] = Fetch(url, purpose, FetchOutcome.CACHED, size=len(found[0]))
        return self._recalled[url, issuer_key]

    def keep(
        self,
        url: str,
        kind: Purpose,
        body: Buffer,
        issuer_key: str,
        issuer: str,
        since: datetime,
        until: datetime | None,
    ) -> None:
        """Keep what was just fetched for later runs: its signature held. Once a run."""
        if url in self.signed or self.fetches[url].outcome is not FetchOutcome.FETCHED:
            return
        self.signed.add(url)
        if self.cache is not None:
            end = until or since + LIFE
            self.cache.put(self.trust_id, issuer_key, url, body, kind=kind, this_update=since, until=end, issuer=issuer)

    def put_crl(self, url: str, body: Buffer) -> Crl:
        """The list, made once however often the same body is put."""
        kept = self.crls.setdefault(url, [])
        crl = next((each for each in kept if each.body is body), None)
        if crl is None:
            crl = Crl(body)
            kept.append(crl)
        return crl

    def put_ocsp(self, url: str, body: bytes) -> None:
        kept = self.ocsp.setdefault(url, [])
        if body not in kept:
            kept.append(body)

    def put_issuer(self, url: str, body: bytes) -> None:
        self.issuers.setdefault(body, url)

    def issuer_from(self, certificate: Certificate) -> str | None:
        """The URL where `certificate` was had, if it was not presented."""
        return self.issuers.get(certificate.der)


def _place(url: str) -> tuple[str, int, bool]:
    """Host, port and whether over TLS, as endpoints write them; certificates may write them otherwise."""
    try:
        target = read_target(url)
    except UsageError:
        return "", 0, False
    return target.host, target.port, target.tls
