"""What people type and what profiles list, as endpoints."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tlsinspect.endpoints import (
    MAX_ENDPOINTS,
    Profile,
    gather,
    lines_of,
    load_profile,
    shipped_profiles,
    targets,
)
from tlsinspect.endpoints.target import Target, normal_host, read_port, read_target, shown
from tlsinspect.errors import ProfileError, UsageError
from tlsinspect.files import MAX_FILE, read_text
from tlsinspect.model import Authority, Endpoint, Row


def refused(call: Callable[[], object]) -> str:
    """The one harmless line with which something is refused."""
    with pytest.raises(UsageError) as caught:
        call()
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    assert "\x1b" not in message
    return message


# -- targets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("www.google.com", Target("www.google.com", 443, True)),
        ("  WWW.Google.COM.  ", Target("www.google.com", 443, True)),
        ("www.google.com:8443", Target("www.google.com", 8443, True)),
        ("localhost", Target("localhost", 443, True)),
        ("https://www.google.com", Target("www.google.com", 443, True)),
        ("HTTPS://www.google.com/A/b?c=d#e", Target("www.google.com", 443, True, "/A/b?c=d")),
        ("https://www.google.com:444?x=/y", Target("www.google.com", 444, True, "/?x=/y")),
        ("https://www.google.com#top", Target("www.google.com", 443, True)),
        ("http://c.pki.goog/r/r1.crl", Target("c.pki.goog", 80, False, "/r/r1.crl")),
        ("http://c.pki.goog:8080", Target("c.pki.goog", 8080, False)),
        ("http://c.pki.goog:443", Target("c.pki.goog", 443, False)),
        ("_dmarc.a-b_c.test", Target("_dmarc.a-b_c.test", 443, True)),
        ("127.0.0.1", Target("127.0.0.1", 443, True)),
        ("127.0.0.1:8443", Target("127.0.0.1", 8443, True)),
        ("::1", Target("::1", 443, True)),
        ("2001:DB8:0:0::1", Target("2001:db8::1", 443, True)),
        ("[::1]", Target("::1", 443, True)),
        ("[2001:DB8::1]:8443", Target("2001:db8::1", 8443, True)),
        ("https://[::1]:8443/x", Target("::1", 8443, True, "/x")),
        ("bücher.test", Target("xn--bcher-kva.test", 443, True)),
        ("BÜCHER.test.", Target("xn--bcher-kva.test", 443, True)),
        ("straße.test", Target("xn--strae-oqa.test", 443, True)),
        ("例え。テスト:8443", Target("xn--r8jz45g.xn--zckzah", 8443, True)),
        ("a\u200b.test", Target("a.test", 443, True)),  # UTS 46 drops a zero width space
        ("www.google.com:1", Target("www.google.com", 1, True)),
        ("www.google.com:65535", Target("www.google.com", 65535, True)),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert read_target(text) == target


@pytest.mark.parametrize(
    ("target", "url"),
    [
        (Target("a.test", 443, True), "https://a.test/"),
        (Target("a.test", 8443, True, "/x?y"), "https://a.test:8443/x?y"),
        (Target("a.test", 80, False), "http://a.test/"),
        (Target("a.test", 443, False), "http://a.test:443/"),
        (Target("::1", 80, True), "https://[::1]:80/"),
    ],
)
def test_the_url_of_a_target(target: Target, url: str) -> None:
    assert target.url == url
    assert read_target(url) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "ftp://www.google.com",
        "javascript://x",
        "https://",
        "https:///path",
        "://www.google.com",
        "https://https://www.google.com",
        "user@www.google.com",
        "https://user:secret@www.google.com/",
        "*.google.com",
        "*",
        ".",
        "..",
        ".google.com",
        "www..google.com",
        "www.google.com..",
        "-a.test",
        "a-.test",
        "a b.test",
        "a\tb",
        "a\nb.test",
        "a%20b.test",
        "a,b",
        "www.google.com\\evil",
        "\x1b[31m.test",
        "x" * 64 + ".test",
        ".".join(["x" * 60] * 5),
        "ü" * 64 + ".test",
        "a\u202eb.test",
        "xn--\xfc.test",
        "😀.test",  # IDNA 2008 has no emoji
        "\udcff.test",  # what broken UTF-8 on the command line becomes
        "256.1.1.1",
        "1.2.3",
        "127.1",
        "0x7f.1",
        "1.2.3.4.5",
        "１２７.0.0.1",
        ":443",
        "www.google.com:",
        "www.google.com:0",
        "www.google.com:65536",
        "www.google.com:-1",
        "www.google.com:+443",
        "www.google.com:4_4",
        "www.google.com: 443",
        "www.google.com:https",
        "www.google.com:\xb2",
        "www.google.com:٤٤٣",
        "www.google.com:0000065537",
        "www.google.com:000001" + "9" * 5000,  # more digits than int() takes
        "www.google.com:" + "9" * 5000,
        "[::1",
        "[::1]x",
        "[::1]443",
        "[]:443",
        "[www.google.com]:443x",
        "::1]:443",
        "1::2::3",
        "::1%eth0]",
        "[fe80::1%a\r\nEvil: header]",
        "[fe80::1%a b]",
        "[fe80::1%\x1b[31m]",
        "[fe80::1%ü]",
        "https://www.google.com/a b",
        "https://www.google.com/ü",
        "https://www.google.com/\x00",
    ],
)
def test_what_is_no_target(text: str) -> None:
    message = refused(lambda: read_target(text))
    assert "secret" not in message
    assert len(message) < 1000


def test_a_pattern_is_named_as_one() -> None:
    assert "pattern" in refused(lambda: read_target("*.google.com"))


hosts = st.from_regex(r"[a-zA-Z0-9_-]{1,20}(\.[a-zA-Z0-9_-]{1,20}){0,3}\.?", fullmatch=True)
pieces = st.lists(
    st.one_of(
        st.text(st.characters(), max_size=6),
        st.sampled_from(
            ["https://", "http://", "a.test", "[", "]", ":", "%", "::1", "fe80::1", "443", "0", "/", "?", "#", "."]
        ),
    ),
    max_size=8,
).map("".join)


@given(st.one_of(st.text(st.characters(), max_size=60), pieces, hosts))
@example("fe80::1%]")
@example("0:0000099999")
def test_anything_is_a_target_or_refused(text: str) -> None:
    try:
        target = read_target(text)
    except UsageError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert len(said.splitlines()) == 1
        return
    assert 0 < target.port < 65536
    assert target.url.isascii()
    assert re.fullmatch(r"\S+", target.url)
    assert read_target(target.url) == target
    assert normal_host(target.host) == target.host


@given(st.integers())
def test_ports(number: int) -> None:
    if 0 < number < 65536:
        assert read_port(str(number), "x") == number
    else:
        refused(lambda: read_port(str(number), "x"))


# -- what was typed -------------------------------------------------------------------------------------------------


def typed(*words: str) -> Profile:
    return targets(words, lambda host: host.endswith("google.com"))


def test_who_must_have_signed_follows_from_the_name() -> None:
    profile = typed("WWW.google.com", "example.test")
    assert [(e.host, e.authority) for e in profile.endpoints] == [
        ("www.google.com", Authority.GOOGLE),
        ("example.test", Authority.PUBLIC),
    ]
    assert profile.endpoints[0].rows == (Row(url="https://www.google.com/", source="given"),)


def test_a_host_named_twice_is_one_endpoint() -> None:
    words = ("b.test", "https://A.test/x", "a.test:443", "http://a.test", "a.test:8443", "https://a.test./y", "b.test")
    profile = typed(*words)
    assert [(e.host, e.port, e.tls) for e in profile.endpoints] == [
        ("b.test", 443, True),
        ("a.test", 443, True),
        ("a.test", 80, False),
        ("a.test", 8443, True),
    ]
    assert [row.url for row in profile.endpoints[1].rows] == ["https://a.test/x", "https://a.test/", "https://a.test/y"]


def test_gather_keeps_order_and_every_row() -> None:
    def endpoint(host: str, purpose: str, *, required: bool = True) -> Endpoint:
        return Endpoint(host, 443, True, Authority.GOOGLE, (Row(f"https://{host}/", purpose, required=required),))

    found = gather([endpoint("a", "1", required=False), endpoint("b", "2"), endpoint("a", "3")])
    assert [(e.host, [r.purpose for r in e.rows]) for e in found] == [("a", ["1", "3"]), ("b", ["2"])]
    assert found[0].required  # one required row is enough
    assert gather(found) == found
    assert gather([]) == ()


def test_nothing_to_scan_is_said() -> None:
    assert "nothing to scan" in refused(typed)


def test_too_much_to_scan_is_said() -> None:
    assert str(MAX_ENDPOINTS) in refused(lambda: typed(*["a.test"] * (MAX_ENDPOINTS + 1)))


def test_the_first_bad_word_is_named() -> None:
    assert "b..test" in refused(lambda: typed("a.test", "b..test", "c..test"))


def test_lines() -> None:
    text = "\n# all of it\n a.test  # one\r\nhttps://b.test/x#fragment\n\n   \t\nc.test"
    assert lines_of(text) == ["a.test", "https://b.test/x", "c.test"]
    assert lines_of("") == lines_of("#\n# \n") == []


# -- profiles -------------------------------------------------------------------------------------------------------

# The twelve URLs of Google's help page for its Outlook sync client, in its order.
GWSMO = {
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
    "https://www.googleapis.com/calendar/",
    "http://crl.pki.goog",
    "http://crls.pki.goog",
    "http://ocsp.pki.goog",
    "https://www.google.com/m8/feeds/contacts/",
    "https://www.google.com/m8/feeds/gal",
    "https://mail.google.com/mail/r/",
    "https://www.googleapis.com/gmail/",
    "https://www.googleapis.com/drive/",
    "https://www.googleapis.com/tasks/",
}


def urls(profile: Profile) -> list[str]:
    return [row.url for endpoint in profile.endpoints for row in endpoint.rows]


def test_gwsmo_is_google_s_list_and_nothing_else() -> None:
    found = urls(load_profile("gwsmo"))
    assert len(found) == 12
    assert set(found) == GWSMO


def test_gwsmo_shakes_each_host_once() -> None:
    profile = load_profile("gwsmo")
    assert [(e.host, e.port, e.tls, len(e.rows)) for e in profile.endpoints] == [
        ("oauth2.googleapis.com", 443, True, 1),
        ("www.googleapis.com", 443, True, 5),
        ("crl.pki.goog", 80, False, 1),
        ("crls.pki.goog", 80, False, 1),
        ("ocsp.pki.goog", 80, False, 1),
        ("www.google.com", 443, True, 2),
        ("mail.google.com", 443, True, 1),
    ]
    for endpoint in profile.endpoints:
        assert (endpoint.authority, endpoint.required, endpoint.expectation) == (Authority.GOOGLE, True, "exempt")
        for row in endpoint.rows:
            assert row.purpose
            assert (row.profile, row.date, row.completeness) == ("gwsmo", "2026-11-22", "full")
            assert row.source.startswith("https://support.google.com/")


SEEDS = sorted((ROOT.parent / "shared" / "seeds").glob("*.txt"))


@pytest.mark.skipif(not SEEDS, reason="the recorded help pages are not here")
def test_gwsmo_is_what_the_help_page_says_in_three_languages() -> None:
    assert len(SEEDS) == 3
    for seed in SEEDS:
        table = seed.read_text(encoding="utf-8").partition("\nURL")[2].partition("\n \n")[0]
        assert set(re.findall(r"^(https?://\S+)", table, re.MULTILINE)) == GWSMO, seed.name


def test_pki_holds_the_hosts_certificates_name_today() -> None:
    profile = load_profile("pki")
    assert {e.host for e in profile.endpoints if e.required} == {"c.pki.goog", "o.pki.goog", "i.pki.goog"}
    assert {e.host for e in profile.endpoints if not e.required} == {
        "crl.pki.goog",
        "crls.pki.goog",
        "ocsp.pki.goog",
        "pki.goog",
    }
    assert all(not e.tls and e.port == 80 and e.authority is Authority.GOOGLE for e in profile.endpoints)


def test_shipped_profiles_load_and_are_named_as_their_files() -> None:
    assert shipped_profiles() == ["gwsmo", "pki"]
    for name in shipped_profiles():
        assert load_profile(name).name == name


HEAD = 'schema_version = 1\nname = "mine"\ntitle = "My hosts"\n'
ROW = '[[endpoint]]\nurl = "https://a.test/"\n'


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


Write = Callable[[str | bytes], Path]


def test_a_profile_file(write: Write) -> None:
    text = HEAD + (
        'source = "us"\ndate = 2026-11-01\nauthority = "public"\n'
        '[[endpoint]]\nurl = "https://A.test:444/x"\npurpose = "p"\nrequired = false\npattern = "*.test"\n'
        'expectation = "inspected"\ndate = "2026-11-02"\ncompleteness = "partial"\n'
        '[[endpoint]]\nurl = "b.test"\nauthority = "google"\nexpectation = "any"\n'
    )
    profile = load_profile(str(write(text)))
    first = Row("https://A.test:444/x", "p", "mine", False, "*.test", "us", "2026-11-02", "partial")
    second = Row("b.test", profile="mine", source="us", date="2026-11-01")
    assert profile == Profile(
        "mine",
        "My hosts",
        (
            Endpoint("a.test", 444, True, Authority.PUBLIC, (first,), "inspected"),
            Endpoint("b.test", 443, True, Authority.GOOGLE, (second,), "any"),
        ),
    )


def test_a_short_profile_file_with_a_byte_order_mark(write: Write) -> None:
    profile = load_profile(str(write(b"\xef\xbb\xbf" + ROW.encode())))
    assert (profile.name, profile.title) == ("mine", "mine")
    assert profile.endpoints[0].authority is Authority.GOOGLE


def test_an_authority_file_is_found_beside_the_profile(write: Write) -> None:
    path = write(ROW + 'authority = "file"\nauthority_file = "ca.pem"\n')
    assert load_profile(str(path)).endpoints[0].authority_file == str(path.parent / "ca.pem")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "endpoint"),
        (HEAD, "endpoint"),
        (HEAD + "endpoint = []", "endpoint"),
        (HEAD + 'endpoint = "a.test"', "endpoint"),
        (HEAD + 'endpoint = ["a.test"]', "not a table"),
        ("this is not TOML", "not TOML"),
        ("a = 1\na = 2", "not TOML"),
        (b"\xff\xfe\x00", "UTF-8"),
        (HEAD + "colour = 1\n" + ROW, "colour"),
        (ROW + 'urll = "x"', "urll"),
        (ROW + 'tls = "x"', "tls"),
        ("[[endpoint]]\npurpose = 'x'\n", "endpoint 1"),
        (ROW + "[[endpoint]]\nurl = 5\n", "endpoint 2: url must be a string"),
        (ROW + "purpose = ['x']", "purpose must be a string"),
        (ROW + "required = 'yes'", "required must be true or false"),
        (ROW + "required = 1", "required must be true or false"),
        (ROW + "authority = 'microsoft'", "authority must be one of google, public, file"),
        (ROW + "authority = true", "authority must be a string"),
        (ROW + "expectation = 'broken'", "expectation must be one of exempt, inspected, any"),
        (ROW + "authority = 'file'", "authority_file"),
        (ROW + "authority_file = 'ca.pem'", "authority_file"),
        ("[[endpoint]]\nurl = 'https://u:secret@a.test/'", "user name or password"),
        ("[[endpoint]]\nurl = '*.a.test'", "pattern"),
        ("[[endpoint]]\nurl = 'a.test:70000'", "70000"),
        ("schema_version = 2\n" + ROW, "schema_version 2"),
        ("schema_version = 'x'\n" + ROW, "schema_version"),
        ('[[endpoint]]\nurl = "a\\u001b[31m.test"', "<U+001B>"),
    ],
)
def test_broken_profiles_are_refused_in_one_line(write: Write, text: str | bytes, said: str) -> None:
    path = write(text)
    message = refused(lambda: load_profile(str(path)))
    assert said in message
    assert str(path) in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "second",
    ["authority = 'public'", "expectation = 'inspected'", "authority = 'file'\nauthority_file = 'ca.pem'"],
)
def test_rows_of_one_host_that_contradict_each_other_are_refused(write: Write, second: str) -> None:
    """They share one handshake and one verdict; which row would be right is for the author to say."""
    path = write(f"{ROW}[[endpoint]]\nurl = 'https://a.test/other'\n{second}\n")
    with pytest.raises(ProfileError, match=r"a\.test"):
        load_profile(str(path))


def test_missing_profiles() -> None:
    assert "gwsmo, pki" in refused(lambda: load_profile("outlook"))
    assert "cannot be read" in refused(lambda: load_profile("missing.toml"))
    assert "cannot be read" in refused(lambda: load_profile("no/such/folder.d/missing.toml"))


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    assert "cannot be read" in refused(lambda: load_profile(str(tmp_path)))


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".toml", "a\0b", "a\0b.toml"])
def test_names_no_file_can_have(name: str) -> None:
    refused(lambda: load_profile(name))


def test_an_unreadable_profile(write: Write) -> None:
    path = write(ROW)
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        assert "cannot be read" in refused(lambda: load_profile(str(path)))
    else:
        pytest.skip("this user may read everything")


def test_too_large_a_file(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(MAX_FILE + 1)
    assert "larger than 16 MB" in refused(lambda: read_text(path))


# -- what is shown -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "as_shown"),
    [
        ("http://alice:Secr?t@pac.acme.test/p", "http://…@pac.acme.test/p"),
        ("http://alice:Se/cr#t@pac.acme.test/p", "http://…@pac.acme.test/p"),
        ("HTTP://alice:Se cr://t@pac.acme.test/p", "http://…@pac.acme.test/p"),
        ("alice:Secret@pac.acme.test/p", "…@pac.acme.test/p"),
        ("alice:Se://cr et@pac.acme.test", "…@pac.acme.test"),
        ("http://Secret@pac.acme.test", "http://…@pac.acme.test"),
        ("http://pac.acme.test/p?Secret\n#Secret", "http://pac.acme.test/p"),
        ("/home/me@work/proxy.pac", "/home/me@work/proxy.pac"),
        ("C:\\proxy.pac", "C:\\proxy.pac"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, as_shown: str) -> None:
    assert shown(url) == as_shown


@pytest.mark.parametrize(
    "text",
    [
        "http://a.test/x y?t=Secret",
        "ftp://alice:Secret@a.test/",
        "https://alice:Secret@a.test/x y",
        "https://alice:Secret/x@a.test/",
        "https://[::1?t=Secret",
        "https://a.test:0?t=Secret",
    ],
)
def test_no_refusal_of_a_target_repeats_a_secret(text: str) -> None:
    assert "Secret" not in refused(lambda: read_target(text))
