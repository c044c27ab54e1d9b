"""Proxy scripts: what they may call, how they are had, and that none of them costs more than it may."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.faults import HOST, NOTHING_LISTENING, Handler, Peer, fault, serving, tls_server
from tlsinspect.errors import UsageError
from tlsinspect.lab import pki
from tlsinspect.observe import pac, pacfetch
from tlsinspect.observe.pac import MAX_SCRIPT, Script, ScriptError, read_answer
from tlsinspect.observe.pacfetch import discover, load, wpad_urls
from tlsinspect.observe.pacfunctions import functions
from tlsinspect.observe.route import Proxy
from tlsinspect.observe.routing import routing
from tlsinspect.observe.systemproxy import ProxySettings as SystemSettings
from tlsinspect.observe.systemtrust import distrust

DIRECT = 'function FindProxyForURL(url, host) { return "DIRECT"; }'

# -- the functions -----------------------------------------------------------------------------------------------------

ADDRESSES = {
    "a.acme.test": ["192.0.2.7"],
    "six.acme.test": ["2001:db8::7"],
    "both.acme.test": ["2001:db8::8", "192.0.2.8"],
}
# A Wednesday, 14:30:15 in a zone two hours ahead.
NOW = datetime(2026, 11, 25, 14, 30, 15, tzinfo=timezone(timedelta(hours=2)))


def look_up(host: str) -> Sequence[str]:
    return [host] if host[:1].isdigit() else ADDRESSES.get(host, [])


FUNCTIONS = functions(look_up, lambda: ["2001:db8::9", "192.0.2.9"], lambda: NOW)


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("isPlainHostName", ["intranet"], True),
        ("isPlainHostName", ["a.acme.test"], False),
        ("dnsDomainIs", ["www.Acme.test", ".acme.test"], True),
        ("dnsDomainIs", ["www.acme.test", ".other.test"], False),
        ("localHostOrDomainIs", ["www", "www.acme.test"], True),
        ("localHostOrDomainIs", ["www.acme.test", "www.acme.test"], True),
        ("localHostOrDomainIs", ["www.other.test", "www.acme.test"], False),
        ("localHostOrDomainIs", ["w", "www.acme.test"], False),
        ("isResolvable", ["a.acme.test"], True),
        ("isResolvable", ["six.acme.test"], False),
        ("isResolvable", ["gone.acme.test"], False),
        ("isResolvableEx", ["six.acme.test"], True),
        ("dnsResolve", ["both.acme.test"], "192.0.2.8"),
        ("dnsResolve", ["gone.acme.test"], None),
        ("dnsResolveEx", ["both.acme.test"], "2001:db8::8;192.0.2.8"),
        ("isInNet", ["a.acme.test", "192.0.2.0", "255.255.255.0"], True),
        ("isInNet", ["a.acme.test", "192.0.3.0", "255.255.255.0"], False),
        ("isInNet", ["192.0.2.200", "192.0.2.0", "255.255.255.128"], False),
        ("isInNet", ["gone.acme.test", "0.0.0.0", "0.0.0.0"], False),
        ("isInNet", ["192.0.2.1", "x", "255.0.0.0"], False),
        ("isInNetEx", ["2001:db8::5", "2001:db8::/32"], True),
        ("isInNetEx", ["192.0.2.1", "2001:db8::/32"], False),
        ("isInNetEx", ["x", "y"], False),
        ("convert_addr", ["1.2.3.4"], 0x01020304),
        ("convert_addr", ["x"], 0),
        ("myIpAddress", [], "192.0.2.9"),
        ("myIpAddressEx", [], "2001:db8::9;192.0.2.9"),
        ("dnsDomainLevels", ["www"], 0),
        ("dnsDomainLevels", ["www.acme.test"], 2),
        ("shExpMatch", ["http://acme.test/a/b", "*/a/*"], True),
        ("shExpMatch", ["http://acme.test/b", "*/a/*"], False),
        ("shExpMatch", ["a.acme.test", "?.acme.test"], True),
        ("shExpMatch", ["axacme.test", "a.acme.test"], False),
        ("shExpMatch", ["", "*"], True),
        ("shExpMatch", ["aba", "ab*ba"], False),
        ("shExpMatch", ["abba", "ab*ba"], True),
        ("shExpMatch", ["abc", "abc"], True),
        ("shExpMatch", ["abcd", "abc"], False),
        ("shExpMatch", ["x" * 5000, "*" + "x*" * 400 + "y"], False),
        ("sortIpAddressList", ["192.0.2.1;2001:db8::1;10.0.0.1"], "2001:db8::1;10.0.0.1;192.0.2.1"),
        ("sortIpAddressList", ["x"], False),
        ("getClientVersion", [], "1.0"),
        ("weekdayRange", ["WED"], True),
        ("weekdayRange", ["MON", "FRI"], True),
        ("weekdayRange", ["FRI", "TUE"], False),
        ("weekdayRange", ["FRI", "WED", "GMT"], True),
        ("weekdayRange", ["wed", None], True),
        ("weekdayRange", ["NODAY"], False),
        ("weekdayRange", [], False),
        ("dateRange", [25], True),
        ("dateRange", [1, 24], False),
        ("dateRange", [25.0, 31.0], True),
        ("dateRange", [20, 5], True),
        ("dateRange", ["NOV"], True),
        ("dateRange", ["DEC", "FEB"], False),
        ("dateRange", ["OCT", "JAN"], True),
        ("dateRange", [2026], True),
        ("dateRange", [2020, 2025], False),
        ("dateRange", [1, "NOV", 30, "NOV"], True),
        ("dateRange", [1, "DEC", 30, "DEC"], False),
        ("dateRange", [1, "JUN", 1995, 15, "AUG", 2095], True),
        ("dateRange", ["NOV", 2026, "DEC", 2026, "GMT"], True),
        ("dateRange", ["x"], False),
        ("timeRange", [14], True),
        ("timeRange", [12], False),
        ("timeRange", [12, "GMT"], True),
        ("timeRange", [9, 14], True),
        ("timeRange", [9, 13], False),
        ("timeRange", [22, 15], True),
        ("timeRange", [14, 0, 14, 30], True),
        ("timeRange", [14, 31, 15, 0], False),
        ("timeRange", [14, 30, 16, 15, 0, 0], False),
        ("timeRange", [14, 30, 15, 14, 30, 15], True),
        ("timeRange", [1, 2, 3], False),
        ("alert", ["x"], None),
    ],
)
def test_a_function(name: str, arguments: list[Any], result: object) -> None:
    assert FUNCTIONS[name](*arguments) == result


@given(
    st.sampled_from(sorted(FUNCTIONS)),
    st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats()), max_size=8),
)
def test_no_function_raises(name: str, arguments: list[Any]) -> None:
    assert isinstance(FUNCTIONS[name](*arguments), str | bool | int | None)


# -- answers -----------------------------------------------------------------------------------------------------------


def proxy(scheme: str, host: str, port: int) -> Proxy:
    return Proxy(host, port, "PAC", scheme=scheme)


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("", [None]),
        (" ; ", [None]),
        ("DIRECT", [None]),
        ("direct;", [None]),
        ("PROXY a.test", [proxy("http", "a.test", 80)]),
        (
            "PROXY a.test:1; SOCKS b.test:2;HTTPS c.test:3 ;DIRECT",
            [proxy("http", "a.test", 1), proxy("socks5h", "b.test", 2), proxy("https", "c.test", 3), None],
        ),
        ("HTTP a.test:1; HTTPS b.test", [proxy("http", "a.test", 1), proxy("https", "b.test", 443)]),
        (
            "SOCKS5 [2001:db8::1]:9; SOCKS4 b.test",
            [proxy("socks5h", "2001:db8::1", 9), proxy("socks4", "b.test", 1080)],
        ),
        ("PROXY a.test:1; PROXY a.test:1; DIRECT", [proxy("http", "a.test", 1), None]),
        ("QUIC q.test:1; PROXY ; PROXY x y; PROXY b..test:1; PROXY u:p@c.test:1; PROXY d.test:99999; DIRECT", [None]),
    ],
)
def test_an_answer(text: str, ways: list[Proxy | None]) -> None:
    assert read_answer(text, "PAC").proxies == tuple(ways)


@pytest.mark.parametrize(
    "text", ["PROXY alice:Secret@p.test:1", "PROXY alice:Secret;x y@p.test:1", "alice:Secret@p.test"]
)
def test_what_is_no_answer_may_hold_a_password(text: str) -> None:
    with pytest.raises(ScriptError, match="it answers") as caught:
        read_answer(text, "PAC")
    assert "p.test" in str(caught.value)
    assert "Secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["garbage", "PROXY", "QUIC a.test:1", "undefined", "DIRECT or not"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(ScriptError, match="it answers"):
        read_answer(text, "PAC")


@given(st.text(max_size=200))
def test_any_text_is_an_answer_or_none(text: str) -> None:
    try:
        found = read_answer(text, "PAC")
    except ScriptError:
        return
    assert 0 < len(found.proxies) <= pac.MAX_WAYS


# -- the process -------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked() -> Iterator[Any]:
    """Ask a script for a host, in a process of its own."""
    made: list[Script] = []

    def ask(source: str, *hosts: str, tls: bool = True) -> list[str]:
        script = Script(source, "PAC")
        made.append(script)
        script.check()
        found = [script.ways_now(host, tls) for host in hosts or ("www.google.com",)]
        return [ways.trouble or " ".join(ways.route(p).proxy or "direct" for p in ways.proxies) for ways in found]

    yield ask
    for script in made:
        script.close()


def test_a_script_is_asked_for_each_host(asked: Any) -> None:
    source = """
    var count = 0;
    function FindProxyForURL(url, host) {
      count++;
      if (shExpMatch(host, "*.google.com")) return "PROXY " + count + ".test:" + (dnsDomainLevels(host) + 1);
      return isInNet("127.0.0.1", "127.0.0.0", "255.0.0.0") ? "DIRECT" : "PROXY wrong.test:1";
    }
    """
    assert asked(source, "www.google.com", "a.test", "www.google.com", "mail.google.com") == [
        "http://1.test:3",
        "direct",
        "http://1.test:3",  # from before: a script may answer differently every time
        "http://3.test:3",
    ]


@pytest.mark.parametrize(("tls", "scheme"), [(True, "https"), (False, "http")])
def test_a_script_learns_no_path(asked: Any, tls: bool, scheme: str) -> None:
    body = f'return url == "{scheme}://a.test/" ? "DIRECT" : "PROXY x.test"'
    source = f"function FindProxyForURL(url, host) {{ {body} }}"
    assert asked(source, "a.test", tls=tls) == ["direct"]


def test_microsofts_function_counts_where_there_is_no_other(asked: Any) -> None:
    assert asked('function FindProxyForURLEx(url, host) { return "PROXY ex.test:1"; }') == ["http://ex.test:1"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('throw new Error("no\\nway")', "no way"),
        ("throw 'just this'", "PAC: just this"),
        ("throw 'http://alice:Secret@p.test'", "PAC: http://…@p.test"),
        ("return undefined", "no text but nothing"),
        ("return 7", "no text but int"),
        ("return {}", "no text but"),
        ('return "rubbish"', 'it answers "rubbish"'),
        ('return "x".repeat(20000000)', "it answers"),
        ("return FindProxyForURL(url, host) + 1", "call stack"),
        ('let all = []; while (true) all.push("x".repeat(1000000) + all.length)', "memory"),
        ("return nothing.at.all", "not defined"),
        ('return "\\u001b[31m;\\u202e"', "<U+001B>"),
        ("return typeof require + typeof process + typeof std + typeof os", "undefinedundefinedundefinedundefined"),
    ],
)
def test_a_script_that_fails_says_why(asked: Any, body: str, said: str) -> None:
    (trouble,) = asked(f"function FindProxyForURL(url, host) {{ {body} }}")
    assert said in trouble
    assert trouble.startswith("PAC: ")
    assert not trouble.endswith("undefined") or "typeof" in body
    assert len(trouble) < 400
    assert trouble.isprintable()


def test_an_endless_script_ends(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "CALL_SECONDS", 1.0)
    source = 'function FindProxyForURL(url, host) { while (host == "bad.test"); return "DIRECT"; }'
    bad, good = asked(source, "bad.test", "good.test")
    assert "no answer within 1 s" in bad
    assert good == "direct", "its process was ended, and another one asked"


def test_a_run_waits_so_long_and_no_longer(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(pac, "RUN_SECONDS", 1.5)
    begun = time.monotonic()
    found = asked("function FindProxyForURL(url, host) { while (true); }", *(f"{n}.test" for n in range(20)))
    assert "waiting for it in this run" in found[-1]
    assert time.monotonic() - begun < 60  # twenty times half a second would be no proof; that it ends at all is


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "FindProxyForURL"),
        ("var FindProxyForURL = 1", "FindProxyForURL"),
        ("this is none", "SyntaxError"),
        ("throw 'no'", "no"),
    ],
)
def test_what_is_no_script(source: str, said: str) -> None:
    script = Script(source, "PAC")
    with pytest.raises(ScriptError, match=said):
        script.check()
    script.close()


def test_an_endless_beginning_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "CALL_SECONDS", 1.0)
    script = Script("while (true);", "PAC")
    with pytest.raises(ScriptError, match="no answer"):
        script.check()
    script.close()


ENDLESS = {
    "loop": "while (true);",
    "names": "let n = 0; while (true) dnsResolve('127.0.0.' + (n++ % 250));",
    "patterns": "while (true) shExpMatch('x'.repeat(5000), '*y*');",
}


@pytest.mark.parametrize("doing", ENDLESS)
@pytest.mark.parametrize("where", ["beginning", "call"])
def test_the_process_ends_with_whoever_started_it(doing: str, where: str) -> None:
    """However that ended: then its end of the pipe is closed."""
    body = ENDLESS[doing]
    child = pac._Child()
    stdin = child._process.stdin
    assert stdin is not None
    if where == "call":
        body = f"function FindProxyForURL(url, host) {{ {body} }}"
        assert child.ask({"source": body}, 10) == {"ready": True}
        body = ""
    stdin.write(json.dumps({"source": body, "url": "x", "host": "x"}).encode() + b"\n")
    stdin.close()
    try:
        assert child._process.wait(15) == 0, "it ended by itself"
    finally:
        child.end()


def test_a_call_ends_though_nobody_ends_it() -> None:
    start = "import tlsinspect.observe.pacchild as child; child.WALL_SECONDS = 0.2; child.main()"
    with subprocess.Popen([sys.executable, "-c", start], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"source": "while (true);"}).encode() + b"\n")
        process.stdin.flush()
        assert process.wait(30) == 1


def test_a_script_looks_up_no_more_names_than_a_few(asked: Any) -> None:
    source = """
    function FindProxyForURL(url, host) {
      for (let n = 0; n < (host == "many.test" ? 65 : 64); n++) dnsResolve("127.0.0." + n);
      for (let n = 0; n < 200; n++) dnsResolve("127.0.0.1");
      return "DIRECT";
    }
    """
    many, few = asked(source, "many.test", "few.test")
    assert "more than 64 names" in many
    assert few == "direct"


def test_the_process_inherits_no_secret(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.test:1")
    assert set(pac._environment()) <= {"SYSTEMROOT"}
    assert asked(DIRECT) == ["direct"]


def test_after_its_end_a_script_is_not_asked() -> None:
    script = Script(DIRECT, "PAC")
    assert script.ways_now("a.test", True).proxies == (None,)
    script.close()
    assert script.ways_now("a.test", True).trouble == "", "it is known already"
    assert "interrupted" in script.ways_now("b.test", True).trouble


# -- having one --------------------------------------------------------------------------------------------------------


def answering(*answers: bytes) -> Handler:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(answers[(peer.number - 1) % len(answers)])

    return handle


def http(status: str, body: bytes = b"", *fields: str) -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""))
    return head.encode() + body


def test_a_script_from_a_file_or_a_url(tmp_path: Path) -> None:
    path = tmp_path / "proxy.pac"
    path.write_bytes(b"\xef\xbb\xbf" + DIRECT.encode())
    load(str(path), "PAC").close()
    path.write_bytes(DIRECT.encode() + b"// na\xefve")
    load(str(path), "PAC").close()
    with serving(answering(http("302 Found", b"", "Location: /there"), http("200 OK", DIRECT.encode()))) as server:
        script = load(f"http://{HOST}:{server.port}/proxy.pac", "PAC")
        assert [r.target for r in server.requests] == ["/proxy.pac", "/there"]
    script.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http("404 Not Found"), "status 404"),
        (http("200 OK", b"<html>no</html>"), "SyntaxError"),
        (http("302 Found", b"", "Location: /again"), "redirects"),
        (http("302 Found", b"", "Location: ftp://x.test/"), "only https"),
        (http("200 OK", b"/" * (MAX_SCRIPT + 1)), "larger than 1 MB"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "lost"),
        (b"nothing of the kind\r\n\r\n", "not HTTP"),
        (b"", "lost"),
    ],
)
def test_what_comes_instead_of_a_script(answer: bytes, said: str) -> None:
    with serving(answering(answer)) as server, pytest.raises(ScriptError, match=said):
        load(f"http://{HOST}:{server.port}/proxy.pac", "PAC")


def test_a_script_is_had_from_no_other_host() -> None:
    """An address that only this machine reaches must not be asked for because a stranger says so."""
    with serving(answering(http("200 OK", DIRECT.encode()))) as other:
        onward = http("302 Found", b"", f"Location: http://localhost:{other.port}/x")
        with serving(answering(onward)) as server, pytest.raises(ScriptError, match="another host, localhost"):
            load(f"http://{HOST}:{server.port}/proxy.pac", "PAC")
        assert other.connections == 0


def test_the_same_host_may_have_it_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    company = pki.Authority.root(pki.name((NameOID.COMMON_NAME, "Acme Root")), datetime.now(UTC))
    (tmp_path / "roots.pem").write_bytes(company.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with tls_server(company.issue([HOST]), body=DIRECT.encode()) as secure:
        onward = http("302 Found", b"", f"Location: https://{HOST}:{secure.port}/x")
        with serving(answering(onward)) as server:
            load(f"http://{HOST}:{server.port}/proxy.pac", "PAC").close()
    back = [("location", f"http://{HOST}/")]
    sending_back = tls_server(company.issue([HOST]), http_status=302, headers=back)
    with sending_back as secure, pytest.raises(ScriptError, match="from https to http"):
        load(f"https://{HOST}:{secure.port}/proxy.pac", "PAC")


@pytest.mark.parametrize(
    "location", [b"http://[", b"//[", b"http://[::1", b"\xe9 x", b"http://a b/", b"data:,x", b"http://" + b"a" * 8000]
)
def test_a_redirect_to_nowhere_is_one_clear_error(location: bytes) -> None:
    answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with serving(answering(answer)) as server:
        url = f"http://{HOST}:{server.port}/proxy.pac"
        with pytest.raises(ScriptError):
            load(url, "PAC")
        system = SystemSettings("WinINET", script=url)
        (note,) = routing("auto", {}, [system]).notes
    assert note[0] == "proxy-script-unavailable"


@pytest.mark.parametrize("kind", ["silent", "byte-a-second", NOTHING_LISTENING])
def test_nobody_gives_a_script(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacfetch, "SECONDS", 1.0)
    with fault(kind) as server, pytest.raises(ScriptError):
        load(f"http://{HOST}:{server.port}/proxy.pac", "PAC")


def test_a_script_over_tls_comes_from_whom_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    company = pki.Authority.root(pki.name((NameOID.COMMON_NAME, "Acme Root")), datetime.now(UTC))
    with tls_server(company.issue([HOST]), body=DIRECT.encode()) as server:
        url = f"https://{HOST}:{server.port}/proxy.pac"
        with pytest.raises(ScriptError, match="not trusted"):
            load(url, "PAC")
        (tmp_path / "roots.pem").write_bytes(company.pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
        distrust.cache_clear()
        load(url, "PAC").close()
        assert len(server.requests) == 1, "nothing is asked of a stranger"


def test_the_option(tmp_path: Path) -> None:
    (tmp_path / "proxy.pac").write_text('function FindProxyForURL(u, h) { return "PROXY p.test:1"; }')
    made = routing(f"pac:{tmp_path / 'proxy.pac'}", {})
    assert made.script is not None
    (found,) = made.script.ways_now("a.test", True).proxies
    assert found is not None
    assert found.route.origin == f"PAC {tmp_path / 'proxy.pac'}"
    made.close()


@pytest.mark.parametrize(
    "place",
    [
        "",
        "/no/such/file.pac",
        "http://127.0.0.1:9/x",
        "http://user:s3cret@127.0.0.1:9/x?t=s3cret",
        "user:s3cret@127.0.0.1:9/x",
        "user:a s3cret@127.0.0.1:9/x",
        "http://user:s?3 s3cret@127.0.0.1:9/x",
    ],
)
def test_an_option_that_leads_nowhere(place: str) -> None:
    with pytest.raises(UsageError) as caught:
        routing(f"pac:{place}", {})
    assert "pac:" in str(caught.value)
    assert "s3cret" not in str(caught.value)


# -- WPAD --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "urls"),
    [
        ("pc7.berlin.acme.test", ["http://wpad.berlin.acme.test/wpad.dat"]),
        ("pc7.berlin.acme.co.test", [f"http://wpad.{above}acme.co.test/wpad.dat" for above in ("berlin.", "")]),
        ("pc7.acme.co.test", ["http://wpad.acme.co.test/wpad.dat"]),
        ("pc7.test", []),
        ("PC7.acme.test.", ["http://wpad.acme.test/wpad.dat"]),
        ("acme.test", []),
        ("localhost", []),
        ("192.0.2.7", []),
        ("2001:db8::1", []),
    ],
)
def test_where_wpad_looks(name: str, urls: list[str]) -> None:
    assert list(wpad_urls(name)) == urls


def test_wpad_finds_nothing_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "pc7.acme.test")
    with pytest.raises(UsageError, match=r"wpad\.acme\.test.*name-not-found") as caught:
        routing("wpad", {})
    assert "DHCP is not asked" in str(caught.value)
    monkeypatch.setattr(socket, "getfqdn", lambda: "pc7")
    with pytest.raises(UsageError, match="no domain"):
        routing("wpad", {})


def test_wpad_takes_the_first_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering(http("404 x"), http("200 OK", DIRECT.encode()))) as server:
        urls = [f"http://{HOST}:{server.port}/{n}/wpad.dat" for n in range(3)]
        monkeypatch.setattr(pacfetch, "wpad_urls", lambda _name: urls)
        script = discover()
        assert server.connections == 2
    assert script.origin == f"WPAD {urls[1]}"
    script.close()
