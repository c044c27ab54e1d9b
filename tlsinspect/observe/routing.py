"""From what is asked for, by an option, the environment or the operating system, to the `Routing` of a run."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tlsinspect.endpoints.target import parts, shown
from tlsinspect.errors import UsageError
from tlsinspect.observe import systemproxy
from tlsinspect.observe.route import (
    SCHEMES,
    Note,
    Proxy,
    Routing,
    Script,
    from_environment,
    read_place,
    read_proxy,
)
from tlsinspect.observe.systemproxy import ProxySettings
from tlsinspect.text import printable


def routing(
    option: str = "auto",
    environment: Mapping[str, str] | None = None,
    system: Sequence[ProxySettings] | None = None,
) -> Routing:
    """How `option` says to go. Raises UsageError.

    option: ``auto`` is the environment's proxies where it names any, else the system's; ``system`` is the system's;
    ``none`` goes straight; ``pac:FILE``, ``pac:URL`` and ``wpad`` ask a script; anything else is a proxy's URL.
    """
    env = os.environ if environment is None else environment
    if option == "none":
        return Routing()
    if option == "auto":
        return from_environment(env) or _of_system(systemproxy.read() if system is None else system)
    if option == "system":
        if system is None and sys.platform not in systemproxy.PLATFORMS:
            raise UsageError(
                "--proxy system: this system keeps no proxies but the environment's; --proxy auto takes them"
            )
        return _of_system(systemproxy.read() if system is None else system)
    if option == "wpad":
        from tlsinspect.observe.pacfetch import discover

        return Routing(script=discover())
    if option.lower().startswith("pac:"):
        return Routing(script=_script(option[4:]))
    return Routing(fixed=read_proxy(option, "--proxy"))


def _script(place: str) -> Script:
    from tlsinspect.observe.pac import ScriptError
    from tlsinspect.observe.pacfetch import load

    if not place:
        raise UsageError("--proxy pac: needs a file or a URL behind it, as pac:proxy.pac")
    try:
        return load(place, f"PAC {shown(place)}")
    except ScriptError as error:
        raise UsageError(f"--proxy pac: the script {shown(place)} cannot be used: {error}") from None


def _of_system(found: Sequence[ProxySettings]) -> Routing:
    """By the settings in use; that others say something else is worth a note."""
    used = systemproxy.in_use(found)
    notes: list[Note] = [("proxy-autodetect", {"origin": each.origin}) for each in found if each.search]
    if used is None:
        return Routing(notes=tuple(notes[:1]))
    for other in found:
        if (other.proxies, other.script) != (used.proxies, used.script):
            values = {"used": f"{used.origin} ({used.said})", "other": other.origin, "settings": other.said}
            notes.append(("proxy-settings-differ", values))
    return _routed(used, notes)


def _routed(settings: ProxySettings, notes: list[Note]) -> Routing:
    """As clients do: the script first, the proxies where it cannot be had, straight where there are none."""
    if settings.script is not None:
        from tlsinspect.observe.pac import ScriptError
        from tlsinspect.observe.pacfetch import load_url

        try:
            script = load_url(settings.script, f"PAC {shown(settings.script)} ({settings.origin})")
            return Routing(script=script, notes=tuple(notes))
        except ScriptError as error:
            notes.append(("proxy-script-unavailable", {"origin": settings.origin, "why": str(error)}))
    proxies = {}
    for tls, text in settings.proxies.items():
        try:
            proxies[tls] = _of_settings(text, settings.origin)
        except UsageError as error:
            notes.append(("proxy-setting-unusable", {"origin": settings.origin, "why": str(error)}))
    return Routing(by_scheme=proxies, bypass=settings.bypass, notes=tuple(dict(notes).items()))


def _of_settings(text: str, origin: str) -> Proxy:
    scheme, _, place = parts(text)
    if not scheme or scheme in SCHEMES:
        return read_proxy(text, origin)
    return Proxy(*read_place(place, origin, 1080), origin, scheme=printable(scheme, 20))


def configured(
    hosts: Iterable[str] = (),
    option: str = "auto",
    environment: Mapping[str, str] | None = None,
    system: Sequence[ProxySettings] | None = None,
) -> tuple[Proxy, ...]:
    """Every proxy that is named on this machine, once each, with its origin: by `option`, by the environment, by each
    of the system's settings, by scripts for `hosts`. Scripts are waited for. Raises UsageError where `option` or the
    environment makes no sense."""
    env = os.environ if environment is None else environment
    settings = systemproxy.read() if system is None else system
    named = option not in ("auto", "none", "system")
    sources = [routing(option, env, settings)] if named else []
    sources += [r for r in (from_environment(env), *(_routed(each, []) for each in settings)) if r is not None]
    found: dict[tuple[str, str, int], Proxy] = {}
    for source in sources:
        for proxy in _proxies(source, hosts):
            found.setdefault((proxy.scheme, proxy.host, proxy.port), proxy)
        source.close()
    return tuple(found.values())


def _proxies(source: Routing, hosts: Iterable[str]) -> Iterator[Proxy]:
    if source.fixed is not None:
        yield source.fixed
    yield from source.by_scheme.values()
    if source.script is not None:
        for host in hosts:
            for proxy in source.script.ways_now(host, True).proxies:
                if proxy is not None:
                    yield proxy
