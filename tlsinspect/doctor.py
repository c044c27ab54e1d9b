"""This machine by itself: proxies, clock, trust data, stores and settings. Nobody is asked; no socket is opened."""

import platform
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from tlsinspect.endpoints.target import is_address
from tlsinspect.errors import UsageError
from tlsinspect.evidence.tenant import private_names
from tlsinspect.judge.installed import MOST_NAMES, authorities, findings, strangers
from tlsinspect.judge.words import enumerated, finding
from tlsinspect.model import SCHEMA_VERSION, Diagnosis, Finding, Route, TriedRoute
from tlsinspect.observe import systemproxy
from tlsinspect.observe.route import DIRECT, from_environment
from tlsinspect.observe.routing import routing
from tlsinspect.observe.systemclock import synchronised
from tlsinspect.scrub import EVERYBODY, of_this_machine, scrub, user
from tlsinspect.stores import Machine, read_stores, shipped, switched_off, within
from tlsinspect.stores.table import table
from tlsinspect.trust import Trust
from tlsinspect.version import __version__

# Addresses that the profiles hold: one over TLS, one in plain HTTP.
TRIED = (("https://www.googleapis.com/", "www.googleapis.com", True), ("http://c.pki.goog/", "c.pki.goog", False))
_PACKAGES = ("cryptography", "pyOpenSSL", "asn1crypto", "certvalidator", "certifi")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_OTHERS = ("CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME", "SSLKEYLOGFILE")

SETTINGS_SECONDS = 5.0  # for reading other programs' settings, which may lie on a network


@dataclass(frozen=True)
class Examined:
    """A machine, and what of it is nobody else's business."""

    diagnosis: Diagnosis
    secrets: Mapping[str, str] = field(repr=False)  # and what stands for each

    @property
    def redacted(self) -> Diagnosis:
        shown = scrub(self.diagnosis, self.secrets)
        # Whole fields, for names too short to be found in other words.
        name = shown.user if shown.user.casefold() in EVERYBODY else "<the-user>"
        return replace(shown, user=name, machine="<the-machine>", redacted=True)


def examine(
    trust: Trust | None = None,
    machine: Machine | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Examined:
    """Look at this machine. Raises TrustDataError where the trust data is not what its manifest says."""
    trust, machine, now = trust or Trust.default(), machine or Machine(), clock()
    stores = read_stores(machine)
    unknown = strangers(stores, trust, shipped(machine.platform))
    installed = authorities(unknown, stores, trust)
    system = systemproxy.read()
    routes = tuple(_route(*tried, machine.environment, system) for tried in TRIED)
    diagnosis = Diagnosis(
        schema_version=SCHEMA_VERSION,
        tool=f"tlsinspect {__version__}",
        made=now,
        user=user(),
        machine=socket.gethostname(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions=_versions(),
        trust=trust.facts,
        trust_days=trust.age_days(now),
        synchronised=synchronised(),
        routes=routes,
        environment=_environment(machine),
        stores=stores.facts(),
        unread=stores.unread,
        authorities=installed,
        findings=(*_settings(machine, routes), *findings(unknown, installed, stores, trust, now)),
    )
    named = private_names(zip(unknown, (a.product for a in installed), strict=True))
    return Examined(diagnosis, {**named, **_proxies(routes), **of_this_machine()})


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _environment(machine: Machine) -> dict[str, str]:
    """The variables that matter and are set, without what may be a password."""
    names = dict.fromkeys((*_PROXIES, *_OTHERS, *table(machine.platform).variables))
    set_ = [*names, *(name for name in machine.environment if name.lower() in names)]  # npm takes any case
    values = {name: machine.environment[name] for name in set_ if name in machine.environment}
    return {name: _hidden(value) if name in _PROXIES or "://" in value else value for name, value in values.items()}


def _hidden(value: str) -> str:
    """Without anything before the last @: a password may hold every other character."""
    _, at, rest = value.rpartition("@")
    return f"…@{rest}" if at else value


def _route(
    url: str, host: str, tls: bool, environment: Mapping[str, str], system: Sequence[systemproxy.ProxySettings]
) -> TriedRoute:
    """The way ``--proxy auto`` would go. A script is only named: to have it would be to ask the network."""
    used = systemproxy.in_use(system)
    try:
        if from_environment(environment) is None and used is not None and used.script:
            return TriedRoute(url, Route(None, f"as {used.said} ({used.origin}) says, which was not asked"))
        proxy = routing("auto", environment, system).proxy_for(host, tls)
    except UsageError as error:
        return TriedRoute(url, None, str(error))
    return TriedRoute(url, proxy.route if proxy else DIRECT)


def _settings(machine: Machine, routes: Sequence[TriedRoute]) -> Iterator[Finding]:
    """What variables and settings files take away or spoil."""
    try:
        switches = within(SETTINGS_SECONDS, lambda: switched_off(machine))
    except TimeoutError:
        switches = ()
        problem = f"no answer within {SETTINGS_SECONDS:.0f} seconds"
        store = {"store": "What other programs' settings switch off", "place": "their files"}
        yield finding("store-unreadable", {**store, "problem": problem})
    for off in switches:
        said = {"client": off.client, "what": off.what, "where": off.where}
        if off.hosts:
            yield finding("unverified-hosts", {**said, "hosts": enumerated(off.hosts, MOST_NAMES)})
        else:
            yield finding("verification-off", said)
    for tried in routes:
        if tried.problem:
            yield finding("proxy-unusable", {"url": tried.url, "problem": tried.problem})


def _proxies(routes: Sequence[TriedRoute]) -> dict[str, str]:
    """The names of the proxies; an address, or this machine's own name, says little."""
    places = [tried.route.proxy for tried in routes if tried.route is not None and tried.route.proxy]
    hosts = [place.partition("://")[2].rpartition(":")[0] for place in places]
    return {host: "<the-proxy>" for host in hosts if not is_address(host.strip("[]")) and host != "localhost"}
