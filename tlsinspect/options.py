"""What a scan can be told, what counts otherwise, and what makes no sense."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from tlsinspect.errors import UsageError
from tlsinspect.observe.slices import read_slices
from tlsinspect.trust import Trust


class Options(TypedDict, total=False):
    """How to scan. All are optional; DEFAULTS holds what counts otherwise.

    profile: a shipped profile's name or a TOML file, where no targets are named.
    trust: what to judge by; None is the data of this release, a path is read as `Trust.load` reads it.
    interceptors: a file with interceptors of your own, in the form of trust/interceptors.toml; its rows come first.
    proxy: ``auto`` takes the environment's proxies or else the system's, ``system`` the system's, ``none`` goes
        straight, ``pac:FILE`` or ``pac:URL`` asks a script, ``wpad`` looks for one on this network; else a proxy's URL.
    resolve: ``HOST:PORT:ADDRESS[:PORT]``, as for curl.
    compare_routes: ask every endpoint directly and through each configured proxy.
    timeout: seconds for each attempt as a whole. repeat: attempts for each endpoint. concurrency: attempts at a time.
    slices: other ways of asking each endpoint, by name: see `observe.slices.SLICES`, or ``all``.
    probe: ask what only an interceptor answers, once for each route and interceptor; what it costs: `observe.probes`.
    control: other hosts to compare with. inspected: hosts that are known to be inspected here: where one is not,
    inspection is off, and that others are genuine proves no exemption.
    witness: ask OpenSSL and certvalidator for a second opinion on each path: findings, never a vote.
    offline: ask nobody for revocation lists, answers, missing authorities or the time; what earlier runs kept counts.
    cache: whether what was fetched is kept on disk for later runs.
    time_service: whether Google's signed time service may be asked.
    reverse_dns: ask for the reverse names of the addresses that Google's hosts led to: hints, never a vote.
    allow_private_fetch: whether addresses named by certificates may lead to private networks: for laboratories.
    at: judge as if it were this moment, an aware datetime; None is now.
    progress: called with (finished, all) endpoints. clock: what to take for the local clock.
    """

    profile: str
    trust: Trust | str | Path | None
    interceptors: str | Path | None
    proxy: str
    compare_routes: bool
    resolve: Iterable[str]
    timeout: float
    concurrency: int
    repeat: int
    slices: Iterable[str]
    probe: bool
    control: Sequence[str]
    inspected: Sequence[str]
    witness: bool
    offline: bool
    cache: bool
    time_service: bool
    reverse_dns: bool
    allow_private_fetch: bool
    at: datetime | None
    progress: Callable[[int, int], None]
    clock: Callable[[], datetime]


DEFAULTS: Options = {
    "profile": "gwsmo",
    "trust": None,
    "interceptors": None,
    "proxy": "auto",
    "compare_routes": False,
    "resolve": (),
    "timeout": 15.0,
    "concurrency": 32,
    "repeat": 1,
    "slices": (),
    "probe": False,
    "control": (),
    "inspected": (),
    "witness": False,
    "offline": False,
    "cache": True,
    "time_service": True,
    "reverse_dns": False,
    "allow_private_fetch": False,
    "at": None,
    "progress": lambda _done, _all: None,
    "clock": lambda: datetime.now(UTC),
}


def checked(targets: object, given: Options) -> Options:
    """All options, with their defaults. Raises UsageError, and TypeError as Python does for a name nobody knows."""
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}")
    options: Options = {**DEFAULTS, **given}
    if isinstance(targets, str):
        raise UsageError("targets must be a list of hosts; for one host, a list with it")
    if not 0 < options["timeout"] <= 3600:
        raise UsageError("timeout must be more than 0 and at most 3600 seconds (--timeout)")
    if not 1 <= options["concurrency"] <= 1000 or not 1 <= options["repeat"] <= 1000:
        raise UsageError("concurrency and repeat must be between 1 and 1000 (--concurrency, --repeat)")
    at = options["at"]
    if at is not None and at.tzinfo is None:
        raise UsageError("at must be an aware datetime: 12:00 in which time zone?")
    options["at"] = at and at.astimezone(UTC)
    options["slices"] = read_slices(options["slices"])
    return options
