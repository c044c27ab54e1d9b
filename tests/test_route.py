"""Which way a host is reached, and that credentials stay where they were given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.errors import UsageError
from tlsinspect.model import Route
from tlsinspect.observe.route import Proxy, Routing, read_proxy, read_resolve
from tlsinspect.observe.routing import routing

USER, PASSWORD = "alice.tester", "hunter2-Zq9"


def refused(text: str) -> str:
    """The one line with which a proxy is refused."""
    with pytest.raises(UsageError) as caught:
        read_proxy(text, "--proxy")
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


# -- a proxy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://proxy.test:3128", "proxy.test", 3128),
        ("proxy.test:3128", "proxy.test", 3128),
        ("proxy.test", "proxy.test", 1080),  # curl's default
        ("http://proxy.test/", "proxy.test", 1080),
        ("HTTP://Proxy.TEST.:8080/", "proxy.test", 8080),
        ("http://127.0.0.1:8080", "127.0.0.1", 8080),
        ("http://[::1]:8080", "::1", 8080),
        ("http://[2001:DB8::1]", "2001:db8::1", 1080),
        ("http://prüfer.test:80", "xn--prfer-lva.test", 80),
    ],
)
def test_proxies_as_people_write_them(text: str, host: str, port: int) -> None:
    assert read_proxy(text, "--proxy") == Proxy(host, port, "--proxy")


@pytest.mark.parametrize(
    ("text", "credentials"),
    [
        (f"http://{USER}:{PASSWORD}@proxy.test:80", f"{USER}:{PASSWORD}"),
        (f"{USER}:{PASSWORD}@proxy.test:80", f"{USER}:{PASSWORD}"),
        (f"http://{USER}@proxy.test:80", f"{USER}:"),
        ("http://a%40b:c%3Ad%2Fe@proxy.test:80", "a@b:c:d/e"),
        ("http://DOM%5Cuser:p@ss@proxy.test:80", "DOM\\user:p@ss"),
        ("http://:@proxy.test:80", ":"),
    ],
)
def test_credentials_are_kept_and_never_shown(text: str, credentials: str) -> None:
    proxy = read_proxy(text, "HTTPS_PROXY")
    assert proxy.credentials == credentials
    assert proxy.route == Route("http://proxy.test:80", "HTTPS_PROXY")
    shown = repr(proxy) + repr(proxy.route) + str(proxy) + repr(Routing(fixed=proxy))
    for secret in (USER, PASSWORD, "c:d/e", "p@ss"):
        assert secret not in shown


def test_an_address_keeps_its_brackets_in_the_route() -> None:
    assert read_proxy("http://[::1]:8080", "x").route.proxy == "http://[::1]:8080"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "http://:3128",
        "http://proxy.test:0",
        "http://proxy.test:65536",
        "http://proxy.test:0000099999",
        "http://proxy.test:x",
        "http://proxy.test:-1",
        "http://proxy.test:\xb2",
        "http://[::1",
        "http://::1]:80",
        "http://no host.test:80",
        "http://proxy..test:80",
        "http://proxy\x1b[31m.test:80",
        "http://a\nb:80 c",
        "http://user%0d%0aX:y@proxy.test:80",
        f"{USER}:{PASSWORD}@",
    ],
)
def test_what_is_no_proxy(text: str) -> None:
    message = refused(text)
    assert "--proxy" in message or "host name" in message
    assert "\x1b" not in message


@pytest.mark.parametrize(
    ("text", "scheme", "port"),
    [
        ("https://proxy.test", "https", 443),
        ("HTTPS://proxy.test:8443/", "https", 8443),
        ("socks5://proxy.test", "socks5", 1080),
        ("socks5h://[::1]:9", "socks5h", 9),
    ],
)
def test_the_scheme_of_a_proxy_is_kept(text: str, scheme: str, port: int) -> None:
    proxy = read_proxy(text, "--proxy")
    assert (proxy.scheme, proxy.port) == (scheme, port)
    assert (proxy.route.proxy or "").startswith(f"{scheme}://")


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks", "ftp", "quic"])
def test_other_kinds_of_proxy_are_named_and_refused(scheme: str) -> None:
    message = refused(f"{scheme}://{USER}:{PASSWORD}@proxy.test:1080")
    assert scheme in message
    assert "http, https, socks5, socks5h" in message
    assert USER not in message
    assert PASSWORD not in message


@pytest.mark.parametrize("credentials", ["u" * 256 + ":p", "u:" + "p" * 256, "u:" + "ü" * 128])
def test_socks_takes_no_long_credentials(credentials: str) -> None:
    assert "255 bytes" in refused(f"socks5://{credentials}@proxy.test:1080")
    assert read_proxy(f"http://{credentials}@proxy.test:1080", "--proxy").credentials == credentials


@pytest.mark.parametrize("mark", ["/", "?", "#"])
@pytest.mark.parametrize(
    "where", ["{user}:x{mark}{password}@proxy.test:3128", "{user}:{password}{mark}x@proxy.test:3128"]
)
def test_an_unescaped_password_is_refused_and_not_repeated(mark: str, where: str) -> None:
    """The URL ends at the mark: what was typed as a user would become the host, and the password its port."""
    for prefix in ("http://", ""):
        message = refused(prefix + where.format(user=USER, mark=mark, password=PASSWORD))
        assert PASSWORD not in message
        assert USER not in message


@pytest.mark.parametrize("text", ["{}:x://{}@h.test", "{}:{}://x@h.test:3128", "socks9://{}:{}://x@h.test"])
def test_no_part_of_a_password_is_a_scheme(text: str) -> None:
    message = refused(text.format(USER, PASSWORD))
    assert USER not in message
    assert PASSWORD not in message


@pytest.mark.parametrize(
    "text", [f"{USER}:#x@proxy.test:3128", f"{USER}:4711/x@proxy.test:3128", "proxy.test:3128/path"]
)
def test_a_proxy_has_no_path(text: str) -> None:
    """Read as far as the mark, the user would become the proxy, and be shown as one."""
    assert USER not in refused(f"http://{text}")


@given(st.text(st.characters(), max_size=40), st.sampled_from(["", "http://", "http://u:p@", "u:p@"]))
def test_any_proxy_is_read_or_refused(text: str, prefix: str) -> None:
    try:
        proxy = read_proxy(prefix + text, "--proxy")
    except UsageError:
        return
    assert 0 < proxy.port < 65536
    assert (proxy.route.proxy or "").isascii()


# -- the environment ------------------------------------------------------------------------------------------------


def via(environment: dict[str, str], host: str = "www.google.com", tls: bool = True) -> Route | None:
    proxy = routing("auto", environment).proxy_for(host, tls)
    return proxy.route if proxy else None


def test_direct() -> None:
    assert via({}) is None
    assert via({"https_proxy": "", "ALL_PROXY": ""}) is None
    assert routing("auto", {}).proxy_for("a.test", True) is None


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_variables_for_https(name: str) -> None:
    assert via({name: "http://p.test:1"}) == Route("http://p.test:1", name)


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_the_variables_for_http(name: str) -> None:
    assert via({name: "http://p.test:1"}, tls=False) == Route("http://p.test:1", name)


def test_each_scheme_has_its_own() -> None:
    both = {"http_proxy": "http://plain.test:1", "https_proxy": "http://tls.test:2"}
    assert via(both, tls=True) == Route("http://tls.test:2", "https_proxy")
    assert via(both, tls=False) == Route("http://plain.test:1", "http_proxy")
    assert via({"https_proxy": "http://tls.test:2"}, tls=False) is None


def test_upper_case_http_proxy_is_not_believed() -> None:
    # A web server hands a request's "Proxy:" field to a CGI program under this name.
    assert via({"HTTP_PROXY": "http://p.test:1"}, tls=False) is None


def test_lower_case_and_special_come_first() -> None:
    every = {
        "ALL_PROXY": "http://d.test:1",
        "all_proxy": "http://c.test:1",
        "HTTPS_PROXY": "http://b.test:1",
        "https_proxy": "http://a.test:1",
    }
    for name in reversed(every):
        assert via(every) == Route(every[name], name)
        every[name] = ""
    assert via(every) is None


def test_an_option_overrules_the_environment() -> None:
    assert routing("none", {"https_proxy": "http://p.test:1"}).proxy_for("a.test", True) is None
    fixed = routing("http://f.test:2", {"https_proxy": "http://p.test:1", "no_proxy": "*"})
    for tls in (True, False):
        proxy = fixed.proxy_for("a.test", tls)
        assert proxy is not None
        assert proxy.route == Route("http://f.test:2", "--proxy")
    assert fixed.fixed is not None
    assert fixed.fixed.route.proxy == "http://f.test:2"


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(UsageError, match="ALL_PROXY"):
        routing("auto", {"ALL_PROXY": f"socks4://{USER}:{PASSWORD}@p.test:1"})


# -- no_proxy, as curl reads it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("*", "www.google.com", True),
        (" * ", "127.0.0.1", True),
        ("google.com", "google.com", True),
        ("google.com", "www.google.com", True),
        (".google.com", "www.google.com", True),
        (".google.com", "google.com", True),
        ("google.com.", "www.google.com", True),
        ("GOOGLE.com", "www.google.com", True),
        ("google.com", "notgoogle.com", False),
        ("google.com", "google.com.evil.test", False),
        ("www.google.com", "google.com", False),
        ("a.test, google.com ,b.test", "www.google.com", True),
        ("a.test,,b.test", "b.test", True),
        ("*.google.com", "www.google.com", False),  # the only wildcard is a lone *
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.1", "127.0.0.1", False),  # an address is not the end of another
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.1.2.3/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/33", "10.0.0.1", False),
        ("10.0.0.0/x", "10.0.0.0", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("2001:db8::/32", "2001:db8::5", True),
        ("2001:db8::/32", "2001:db9::5", False),
        ("10.0.0.0/8", "2001:db8::5", False),
        (".", "www.google.com", False),
        ("", "www.google.com", False),
        (",", "www.google.com", False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, exempt: bool) -> None:
    environment = {"https_proxy": "http://p.test:1", "no_proxy": no_proxy}
    assert (via(environment, host) is None) is exempt
    upper = {"https_proxy": "http://p.test:1", "NO_PROXY": no_proxy}
    assert (via(upper, host) is None) is exempt


def test_lower_case_no_proxy_comes_first() -> None:
    environment = {"https_proxy": "http://p.test:1", "no_proxy": "a.test", "NO_PROXY": "b.test"}
    assert via(environment, "a.test") is None
    assert via(environment, "b.test") is not None


# -- --resolve ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("www.google.com:443:127.0.0.1", [("127.0.0.1", 443)]),
        ("www.google.com:443:127.0.0.1:8443", [("127.0.0.1", 8443)]),
        ("www.google.com:443:::1", [("::1", 443)]),
        ("www.google.com:443:2001:DB8::1", [("2001:db8::1", 443)]),
        ("www.google.com:443:[::1]", [("::1", 443)]),
        ("www.google.com:443:[::1]:8443", [("::1", 8443)]),
        ("www.google.com:443:127.0.0.1,127.0.0.2", [("127.0.0.1", 443), ("127.0.0.2", 443)]),
        ("www.google.com:443:127.0.0.1,127.0.0.2:8443", [("127.0.0.1", 8443), ("127.0.0.2", 8443)]),
        ("www.google.com:443:127.0.0.1, ::1", [("127.0.0.1", 443), ("::1", 443)]),
        ("www.google.com:443:[::1],127.0.0.1:8443", [("::1", 8443), ("127.0.0.1", 8443)]),
        ("www.google.com:443:127.0.0.1,[::1]:8443", [("127.0.0.1", 8443), ("::1", 8443)]),
    ],
)
def test_resolve(text: str, places: list[tuple[str, int]]) -> None:
    assert read_resolve([text]) == {("www.google.com", 443): places}


def test_resolve_names_hosts_as_targets_do() -> None:
    assert read_resolve(["WWW.Google.COM.:443:127.0.0.1", "bücher.test:80:127.0.0.2"]) == {
        ("www.google.com", 443): [("127.0.0.1", 443)],
        ("xn--bcher-kva.test", 80): [("127.0.0.2", 80)],
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "www.google.com",
        "www.google.com:443",
        "www.google.com:443:",
        ":443:127.0.0.1",
        "www.google.com::127.0.0.1",
        "www.google.com:0:127.0.0.1",
        "www.google.com:65536:127.0.0.1",
        "www.google.com:0000065537:127.0.0.1",
        "www.google.com:https:127.0.0.1",
        "www.google.com:443:localhost",
        "www.google.com:443:127.0.0.1:0",
        "www.google.com:443:127.0.0.1:99999",
        "www.google.com:443:127.0.0.1:",
        "www.google.com:443:127.0.0.1:\xb2",
        "www.google.com:443:127.0.0.1,",
        "www.google.com:443:,127.0.0.1",
        "www.google.com:443:127.0.0.1;127.0.0.2",
        "www..com:443:127.0.0.1",
        "*.google.com:443:127.0.0.1",
        "a b:443:127.0.0.1",
        "www.google.com:443:\x1b[31m\n127.0.0.1",
    ],
)
def test_what_is_no_resolve(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_resolve([text])
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "\x1b" not in message


@given(st.text(st.characters(), max_size=60), st.sampled_from(["", "a.test:443:", "a.test:443:127.0.0.1:"]))
def test_any_resolve_is_read_or_refused(text: str, prefix: str) -> None:
    try:
        found = read_resolve([prefix + text])
    except UsageError:
        return
    assert all(0 < port < 65536 for places in found.values() for _, port in places)
