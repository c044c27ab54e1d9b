"""The operating systems' settings, read from what they are documented to look like."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults import HOST, NOTHING_LISTENING, Peer, fault, serving
from tlsinspect.errors import UsageError
from tlsinspect.model import Route
from tlsinspect.observe.route import Routing
from tlsinspect.observe.routing import configured, routing
from tlsinspect.observe.systemproxy import MACOS, WINHTTP, WININET, ProxySettings, of_scutil, of_winhttp, of_wininet

# -- WinHTTP -----------------------------------------------------------------------------------------------------------

# Without a proxy, as Microsoft's "Use group policy to apply WinHTTP proxy settings to clients" shows it.
NO_PROXY = bytes.fromhex("1800000000000000010000000000000000000000")


def winhttp(flags: int, *strings: bytes) -> bytes:
    """As `netsh winhttp set proxy` writes it; the layout is that of DefaultConnectionSettings, known from what people
    found (no document of Microsoft's describes it)."""
    head = b"\x18\0\0\0" + bytes(4) + flags.to_bytes(4, "little")
    return head + b"".join(len(each).to_bytes(4, "little") + each for each in strings)


def test_winhttp_without_a_proxy() -> None:
    assert of_winhttp(NO_PROXY) == of_winhttp(None) == ProxySettings(WINHTTP)
    assert of_winhttp(NO_PROXY).empty


def test_winhttp_with_one() -> None:
    found = of_winhttp(winhttp(3, b"proxy.acme.test:8080", b"<local>;*.acme.test"))
    assert found.proxies == dict.fromkeys((True, False), "http://proxy.acme.test:8080")
    assert found.bypass == ("<local>", "*.acme.test")


def test_winhttp_with_a_script_and_a_search() -> None:
    found = of_winhttp(winhttp(13, b"left.over:1", b"", b"http://pac.acme.test/proxy.pac"))
    assert (found.proxies, found.script, found.search) == ({}, "http://pac.acme.test/proxy.pac", True)


@given(st.binary(max_size=80))
def test_any_octets_are_settings(data: bytes) -> None:
    assert of_winhttp(data).origin == WINHTTP


# -- WinINET: names and meanings of the values as in Microsoft's "WinInet Registry Settings" ---------------------------


@pytest.mark.parametrize(
    ("server", "https", "http"),
    [
        ("proxy.acme.test:8080", "http://proxy.acme.test:8080", "http://proxy.acme.test:8080"),
        ("proxy.acme.test", "http://proxy.acme.test:80", "http://proxy.acme.test:80"),
        ("http=a.test:1;https=b.test:2", "http://b.test:2", "http://a.test:1"),
        ("http=a.test:1", None, "http://a.test:1"),
        ("https=b.test:2;socks=c.test", "http://b.test:2", "socks4://c.test:1080"),
        ("http=http://a.test:1 https=http://b.test:2", "http://b.test:2", "http://a.test:1"),
        ("", None, None),
    ],
)
def test_wininet_proxies(server: str, https: str | None, http: str | None) -> None:
    found = of_wininet({"ProxyEnable": 1, "ProxyServer": server, "ProxyOverride": "10.*;<local>"})
    assert (found.proxies.get(True), found.proxies.get(False)) == (https, http)
    assert found.bypass == ("10.*", "<local>")


def test_wininet_switched_off() -> None:
    found = of_wininet({"ProxyEnable": 0, "ProxyServer": "proxy.acme.test:8080", "AutoDetect": 1})
    assert found == ProxySettings(WININET, search=True)
    assert (
        of_wininet({})
        == of_wininet({"ProxyEnable": "1", "ProxyServer": 7, "AutoConfigURL": None})
        == ProxySettings(WININET)
    )


def test_wininet_with_a_script() -> None:
    found = of_wininet({"ProxyEnable": 1, "ProxyServer": "p.test:1", "AutoConfigURL": "http://pac.acme.test/x.pac"})
    assert (found.script, found.proxies[True]) == ("http://pac.acme.test/x.pac", "http://p.test:1")


# -- macOS: the keys as SystemConfiguration's SCSchemaDefinitions.h names them, the form as scutil prints dictionaries -

SCUTIL = """<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
    2 : .acme.test
  }
  ExcludeSimpleHostnames : 1
  FTPPassive : 1
  HTTPEnable : 1
  HTTPPort : 3128
  HTTPProxy : proxy.acme.test
  HTTPSEnable : 1
  HTTPSPort : 3129
  HTTPSProxy : 2001:db8::1
  ProxyAutoConfigEnable : 0
  ProxyAutoConfigURLString : http://left.over/proxy.pac
  ProxyAutoDiscoveryEnable : 1
  SOCKSEnable : 0
  SOCKSPort : 1080
  SOCKSProxy : socks.acme.test
}
"""


def test_scutil() -> None:
    assert of_scutil(SCUTIL) == ProxySettings(
        MACOS,
        {True: "http://[2001:db8::1]:3129", False: "http://proxy.acme.test:3128"},
        ("*.local", "169.254/16", ".acme.test", "<local>"),
        None,
        True,
    )


def test_scutil_with_a_script_or_socks() -> None:
    script = of_scutil(SCUTIL.replace("ConfigEnable : 0", "ConfigEnable : 1"))
    assert script.script == "http://left.over/proxy.pac"
    socks = of_scutil(
        SCUTIL.replace("HTTPSEnable : 1", "HTTPSEnable : 0").replace("SOCKSEnable : 0", "SOCKSEnable : 1")
    )
    assert socks.proxies == {True: "socks5h://socks.acme.test:1080", False: "http://proxy.acme.test:3128"}


@pytest.mark.parametrize("text", ["", "<dictionary> {\n}\n", "  HTTPSEnable : 1\n", "garbage"])
def test_scutil_without_a_proxy(text: str) -> None:
    assert of_scutil(text).empty


@given(st.text(max_size=200))
def test_any_text_is_settings(text: str) -> None:
    assert of_scutil(text).origin == MACOS


# -- which hosts they are for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "host", "bypassed"),
    [
        ("<local>", "intranet", True),
        ("<local>", "www.google.com", False),
        ("<local>", "::1", False),
        ("*.google.com", "www.google.com", True),
        ("*.google.com", "google.com", False),
        ("*.GOOGLE.com", "www.google.com", True),
        ("www.google.com", "www.google.com", True),
        ("google.com", "www.google.com", False),
        ("https://*.google.com", "www.google.com", True),
        ("10.*", "10.1.2.3", True),
        ("169.254/16", "169.254.7.7", True),
        ("169.254/16", "169.255.7.7", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("[::1]", "::1", True),
        (".google.com", "www.google.com", True),
        ("*", "anything.test", True),
        ("x/y/z", "a.test", False),
        ("[", "a.test", False),
    ],
)
def test_exceptions(pattern: str, host: str, bypassed: bool) -> None:
    made = routing("system", {}, [ProxySettings(WININET, {True: "http://p.test:1"}, (pattern,))])
    assert (made.proxy_for(host, True) is None) is bypassed


# -- which settings count ----------------------------------------------------------------------------------------------


def route(made: Routing, tls: bool = True) -> Route | None:
    proxy = made.proxy_for("www.google.com", tls)
    return proxy.route if proxy else None


def test_the_environment_comes_before_the_system() -> None:
    system = [ProxySettings(WININET, {True: "http://s.test:1"})]
    assert route(routing("auto", {"https_proxy": "http://e.test:1"}, system)) == Route("http://e.test:1", "https_proxy")
    assert route(routing("auto", {}, system)) == Route("http://s.test:1", WININET)
    assert route(routing("system", {"https_proxy": "http://e.test:1"}, system)) == Route("http://s.test:1", WININET)
    assert route(routing("none", {}, system)) is None
    assert route(routing("auto", {}, [])) is None


def test_winhttp_counts_before_wininet_and_the_difference_is_said() -> None:
    http, inet = (
        ProxySettings(WINHTTP, {True: "http://w.test:1"}),
        ProxySettings(WININET, {True: "http://u:secret@i.test:1"}),
    )
    made = routing("system", {}, [http, inet])
    assert route(made) == Route("http://w.test:1", WINHTTP)
    ((code, values),) = made.notes
    assert code == "proxy-settings-differ"
    assert "i.test" in values["settings"]
    assert "secret" not in str(made.notes)
    empty = routing("system", {}, [ProxySettings(WINHTTP), inet])
    assert route(empty) == Route("http://i.test:1", WININET)
    assert [code for code, _ in empty.notes] == ["proxy-settings-differ"]
    assert routing("system", {}, [http, ProxySettings(WININET, http.proxies)]).notes == ()


def test_a_system_without_settings_of_its_own_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(UsageError, match="--proxy auto"):
        routing("system", {})
    assert route(routing("auto", {})) is None


def test_a_search_is_not_followed_but_said() -> None:
    made = routing("system", {}, [ProxySettings(WINHTTP), ProxySettings(WININET, search=True)])
    assert route(made) is None
    assert made.notes == (("proxy-autodetect", {"origin": WININET}),)


def test_what_cannot_be_used_is_a_note_and_no_error() -> None:
    made = routing("system", {}, [ProxySettings(WININET, {True: "http://no host:1", False: "socks4://s.test:1"})])
    assert route(made) is None
    assert route(made, tls=False) == Route("socks4://s.test:1", WININET)
    assert [code for code, _ in made.notes] == ["proxy-setting-unusable"]


def test_a_script_of_the_system_that_is_gone_is_a_note_and_the_way_is_direct() -> None:
    with fault(NOTHING_LISTENING) as nobody:
        script = f"http://{HOST}:{nobody.port}/proxy.pac"
        made = routing("system", {}, [ProxySettings(WINHTTP), ProxySettings(WININET, {}, (), script)])
        fallback = routing("system", {}, [ProxySettings(WININET, {True: "http://p.test:1"}, (), script)])
        with pytest.raises(UsageError):
            routing(f"pac:{script}", {})
    assert (made.script, route(made)) == (None, None)
    assert dict(made.notes)["proxy-script-unavailable"] == {"origin": WININET, "why": "refused"}
    assert route(fallback) == Route("http://p.test:1", WININET)


def test_everything_that_is_configured() -> None:
    def handle(peer: Peer) -> None:
        body = b'function FindProxyForURL(u, h) { return h == "a.test" ? "PROXY x.test:1; DIRECT" : "HTTPS y.test:2"; }'
        peer.receive_head()
        peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with serving(handle) as server:
        settings = [
            ProxySettings(WINHTTP, {True: "http://e.test:1", False: "http://w.test:3"}),
            ProxySettings(WININET, {}, (), f"http://{HOST}:{server.port}/x.pac"),
        ]
        environment = {"https_proxy": "http://e.test:1"}
        found = configured(["a.test", "b.test"], "socks5://f.test", environment, settings)
    assert [(p.route.proxy, p.origin.partition(" http")[0]) for p in found] == [
        ("socks5://f.test:1080", "--proxy"),
        ("http://e.test:1", "https_proxy"),
        ("http://w.test:3", WINHTTP),
        ("http://x.test:1", "PAC"),
        ("https://y.test:2", "PAC"),
    ]
    assert configured([], "auto", {}, []) == ()


@pytest.mark.parametrize(
    "server", ["https=alice:Se/cret@p.test:1", "http://alice:Se?cret@p.test:1", "alice:S://e@p.test:1"]
)
def test_what_is_said_of_settings_holds_no_password(server: str) -> None:
    found = of_wininet({"ProxyEnable": 1, "ProxyServer": server})
    assert found.said.endswith("…@p.test:1")
    assert "S" not in found.said
    notes = str(routing("auto", {}, [found]).notes)
    assert "alice" not in notes
    assert "S" not in notes


def test_the_scheme_of_a_setting_may_be_written_in_capitals() -> None:
    assert route(routing("auto", {}, [ProxySettings(WININET, {True: "HTTP://p.test:1"})])) == Route(
        "http://p.test:1", WININET
    )
