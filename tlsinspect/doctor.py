"""This machine by itself: proxies, clock, trust data, stores and settings. Nobody is asked; no socket is opened."""

import platform
import re
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
from tlsinspect.private import without_addresses
from tlsinspect.scrub import EVERYBODY, each_text, of_this_machine, scrub, user
from tlsinspect.stores import Machine, SwitchedOff, read_stores, shipped, switched_off, within
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
        shown = each_text(scrub(self.diagnosis, self.secrets), without_addresses)
        shown = replace(shown, environment={name: _bare(name, each) for name, each in shown.environment.items()})
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
    switches = _switched_off(machine)
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
        findings=(*_settings(switches, routes), *findings(unknown, installed, stores, trust, now)),
    )
    named = private_names(zip(unknown, (a.product for a in installed), strict=True))
    hosts = _hosts(diagnosis, [host for off in switches or () for host in off.hosts], trust)
    return Examined(diagnosis, {**named, **hosts, **_proxies(diagnosis), **of_this_machine()})


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


def _switched_off(machine: Machine) -> tuple[SwitchedOff, ...] | None:
    """What settings take verification away; None where the files that say so do not answer."""
    try:
        return within(SETTINGS_SECONDS, lambda: switched_off(machine))
    except TimeoutError:
        return None


def _settings(switches: Sequence[SwitchedOff] | None, routes: Sequence[TriedRoute]) -> Iterator[Finding]:
    """What variables and settings files take away or spoil."""
    if switches is None:
        yield finding("settings-not-read", {"problem": f"no answer within {SETTINGS_SECONDS:.1f} seconds"})
    for off in switches or ():
        said = {"client": off.client, "what": off.what, "where": off.where}
        if off.hosts:
            yield finding("unverified-hosts", {**said, "hosts": enumerated(off.hosts, MOST_NAMES)})
        else:
            yield finding("verification-off", said)
    for tried in routes:
        if tried.problem:
            yield finding("proxy-unusable", {"url": tried.url, "problem": tried.problem})


# -- what is nobody else's business ---------------------------------------------------------------------------------


def _proxies(found: Diagnosis) -> dict[str, str]:
    """The names of the proxies and their scripts; this machine's own name says little."""
    routes = [tried.route for tried in found.routes if tried.route is not None]
    set_ = [value for name, value in found.environment.items() if name.casefold() in _PROXIES and not _exempts(name)]
    hosts = {_host_of(place) for place in (*(route.proxy or "" for route in routes), *set_)}
    scripts = {url for route in routes for url in re.findall(r"\w+://\S+", route.origin)}
    private = {host: "<the-proxy>" for host in hosts if not is_address(host) and host not in ("localhost", "proxy")}
    return private | dict.fromkeys(scripts, "<the-script>")


def _hosts(found: Diagnosis, unverified: Sequence[str], trust: Trust) -> dict[str, str]:
    """The hosts that settings make exceptions for, but Google's. Words without a dot stand in other texts too."""
    exempt = [e for name, value in found.environment.items() if _exempts(name) for e in re.split(r"[\s,]+", value)]
    named = dict.fromkeys(_host_of(place).lstrip("*.") for place in (*exempt, *unverified))
    hosts = [host for host in named if "." in host and not is_address(host) and not trust.is_google_name(host)]
    return {host: f"<host-{number}>" for number, host in enumerate(hosts, 1)}


def _exempts(variable: str) -> bool:
    return variable.casefold() == "no_proxy"


def _host_of(place: str) -> str:
    """The host in what may be a URL, or less."""
    bare = place.rpartition("@")[2].rpartition("://")[2].partition("/")[0]
    return bare[1:].partition("]")[0] if bare.startswith("[") else bare.partition(":")[0]


def _bare(name: str, value: str) -> str:
    """A variable without the words that stand alone in an exception for hosts."""
    return re.sub(r"(?<![\w.:</-])(?!localhost\b)\w[\w-]*(?![\w.:>-])", "<host>", value) if _exempts(name) else value
