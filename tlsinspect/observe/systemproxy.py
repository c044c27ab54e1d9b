"""The proxies of the operating system: Windows has two sets of settings, macOS one, Linux none but the environment.

Reading is apart from understanding: what the registry and `scutil` hold is read in a few lines at the end, and what it
means is found by functions that any system can run.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tlsinspect.endpoints.target import bracketed, shown

PLATFORMS = ("win32", "darwin")
WININET, WINHTTP, MACOS = "WinINET", "WinHTTP", "macOS network settings"
_SETTINGS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
_SECONDS = 5.0
_MAX_OUTPUT = 64 * 1024  # characters of what scutil says

# Bits of the flags in the binary settings.
_BY_PROXY, _BY_SCRIPT, _BY_SEARCH = 2, 4, 8


@dataclass(frozen=True)
class ProxySettings:
    """One set of settings, as it is written there."""

    origin: str
    proxies: Mapping[bool, str] = field(default_factory=dict)  # by whether for https: scheme://host:port
    bypass: tuple[str, ...] = ()
    script: str | None = None  # a URL
    search: bool = False  # for a script on the network (WPAD)

    @property
    def empty(self) -> bool:
        return not (self.proxies or self.script)

    @property
    def said(self) -> str:
        """What they say, for people."""
        if self.script:
            return f"the script {shown(self.script)}"
        return ", ".join(map(shown, dict.fromkeys(self.proxies.values()))) or "no proxy"


def in_use(found: Iterable[ProxySettings]) -> ProxySettings | None:
    """The first that say anything: they count."""
    return next((settings for settings in found if not settings.empty), None)


# -- Windows --------------------------------------------------------------------------------------------------------


def of_wininet(values: Mapping[str, Any]) -> ProxySettings:
    """From the values of the key Internet Settings of the user, or of the machine where policy says so."""
    on = values.get("ProxyEnable") == 1
    return ProxySettings(
        WININET,
        _windows_proxies(_string(values.get("ProxyServer"))) if on else {},
        _windows_list(_string(values.get("ProxyOverride"))) if on else (),
        _string(values.get("AutoConfigURL")) or None,
        values.get("AutoDetect") == 1,
    )


def of_winhttp(value: object) -> ProxySettings:
    """From the binary value WinHttpSettings: a version, a counter and flags of four octets each, then strings, each
    behind its length: proxies, exceptions and, in newer ones, the URL of a script."""
    data = value if isinstance(value, bytes) else b""
    flags = int.from_bytes(data[8:12], "little")
    strings: list[str] = []
    at = 12
    while len(strings) < 3 and at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        strings.append(data[at + 4 : at + 4 + size].decode("latin-1"))
        at += 4 + size
    proxies, bypass, script = (*strings, "", "", "")[:3]
    return ProxySettings(
        WINHTTP,
        _windows_proxies(proxies) if flags & _BY_PROXY else {},
        _windows_list(bypass) if flags & _BY_PROXY else (),
        script if flags & _BY_SCRIPT and script else None,
        bool(flags & _BY_SEARCH),
    )


def _windows_proxies(text: str) -> dict[bool, str]:
    """``host:port`` for everything, or ``http=host:port;https=host:port;socks=host:port``. A SOCKS proxy there is one
    of version 4, and serves what has no other."""
    named: dict[str, str] = {}
    for entry in _windows_list(text):
        kind, equals, value = entry.rpartition("=")
        named[kind.lower() if equals else ""] = value
    found = {}
    for tls, scheme in ((True, "https"), (False, "http")):
        place, socks = named.get(scheme) or named.get(""), named.get("socks")
        if place:
            found[tls] = place if "://" in place else f"http://{_with_port(place, 80)}"
        elif socks:
            found[tls] = f"socks4://{_with_port(socks.rpartition('://')[2], 1080)}"
    return found


def _windows_list(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[;\s]+", text) if part)


def _with_port(place: str, port: int) -> str:
    return place if re.search(r":[0-9]+$", place) else f"{place}:{port}"


def _string(value: object) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""


# -- macOS ----------------------------------------------------------------------------------------------------------


def of_scutil(text: str) -> ProxySettings:
    """From what ``scutil --proxy`` prints."""
    found = dict(re.findall(r"^ {2}(\w+) : (.*)$", text, re.MULTILINE))
    listed = re.search(r"^ {2}ExceptionsList : <array> \{\n(.*?)^ {2}\}", text, re.MULTILINE | re.DOTALL)
    exceptions = re.findall(r"^ +[0-9]+ : (.+)$", listed.group(1), re.MULTILINE) if listed else []
    if found.get("ExcludeSimpleHostnames") == "1":
        exceptions.append("<local>")

    def proxy(kind: str, scheme: str, port: int) -> str | None:
        if found.get(f"{kind}Enable") != "1" or not found.get(f"{kind}Proxy"):
            return None
        return f"{scheme}://{bracketed(found[f'{kind}Proxy'])}:{found.get(f'{kind}Port') or port}"

    socks = proxy("SOCKS", "socks5h", 1080)
    by_scheme = {True: proxy("HTTPS", "http", 443) or socks, False: proxy("HTTP", "http", 80) or socks}
    script = found.get("ProxyAutoConfigURLString") if found.get("ProxyAutoConfigEnable") == "1" else None
    return ProxySettings(
        MACOS,
        {tls: text for tls, text in by_scheme.items() if text is not None},
        tuple(exceptions),
        script or None,
        found.get("ProxyAutoDiscoveryEnable") == "1",
    )


# -- reading --------------------------------------------------------------------------------------------------------


def read() -> tuple[ProxySettings, ...]:
    """The settings of this machine. On Windows WinHTTP's come first: they are those of Google's sync client."""
    if sys.platform == "win32":
        return _read_windows()
    return (of_scutil(_scutil()),) if sys.platform == "darwin" else ()


def _read_windows() -> tuple[ProxySettings, ...]:
    import winreg

    machine, user = getattr(winreg, "HKEY_LOCAL_MACHINE"), getattr(winreg, "HKEY_CURRENT_USER")  # noqa: B009
    binary = _values(machine, rf"{_SETTINGS}\Connections").get("WinHttpSettings")
    policy = _values(machine, r"Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings")
    inet = _values(machine if policy.get("ProxySettingsPerUser") == 0 else user, _SETTINGS)
    return of_winhttp(binary), of_wininet(inet)


def _values(hive: Any, path: str) -> dict[str, Any]:
    """Every value of a registry key; none where it is not there or not to be read."""
    import winreg

    found: dict[str, Any] = {}
    try:
        with getattr(winreg, "OpenKey")(hive, path) as key:  # noqa: B009
            for number in range(1000):
                name, value, _ = getattr(winreg, "EnumValue")(key, number)  # noqa: B009
                found[name] = value
    except OSError:  # also the end of the values
        pass
    return found


def _scutil() -> str:
    try:
        done = subprocess.run(
            ["/usr/sbin/scutil", "--proxy"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout[:_MAX_OUTPUT].decode("utf-8", "replace")
