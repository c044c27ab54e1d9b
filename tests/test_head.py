"""Reading the head of an HTTP answer from whatever a server or a proxy sends."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.endpoints.target import bracketed
from tlsinspect.http1 import MAX_HEAD, Head, HeadReader, NotHttpError, TooLongError, http_request

ANSWER = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nServer:  squid \r\n\r\nbody"
)


def read(*pieces: bytes) -> tuple[Head | None, bytes]:
    """Feed the pieces; the head once it is there, and what is left."""
    reader = HeadReader()
    head = None
    rest = b""
    for piece in pieces:
        if head is None:
            head = reader.feed(piece)
            rest = reader.rest
        else:
            rest += piece
    return head, rest


def head_of(*fields: str) -> Head:
    head, _ = read("\r\n".join(("HTTP/1.1 200 OK", *fields, "", "")).encode("latin-1"))
    assert head is not None
    return head


# -- the reader -----------------------------------------------------------------------------------------------------


def test_a_head_and_what_follows_it() -> None:
    head, rest = read(ANSWER)
    assert head is not None
    assert (head.status, rest) == (407, b"body")
    assert head.get("server") == "squid"
    assert head.get("via") is None


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@pytest.mark.parametrize("whole", [ANSWER, INTERIM + ANSWER, ANSWER.replace(b"\r\n", b"\n")])
def test_every_split_gives_the_same(whole: bytes) -> None:
    expected = read(whole)
    assert expected[0] is not None
    for at in range(len(whole) + 1):
        assert read(whole[:at], whole[at:]) == expected
    assert read(*(bytes((byte,)) for byte in whole)) == expected


def test_bare_line_feeds() -> None:
    head, rest = read(b"HTTP/1.0 200 OK\nDate: x\n\nrest")
    assert head == Head(200, (("date", "x"),))
    assert rest == b"rest"


def test_interim_answers_are_skipped() -> None:
    head, rest = read(INTERIM + b"HTTP/1.1 204 No Content\r\n\r\n\x16\x03\x03")
    assert head == Head(204, ())
    assert rest == b"\x16\x03\x03"


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 200", b"HTTP/2 200 ", b"HTTP/1.1  200 OK", b"HTTP/1.0 200 Connection established"]
)
def test_status_lines_as_proxies_write_them(line: bytes) -> None:
    head, _ = read(line + b"\r\n\r\n")
    assert head is not None
    assert head.status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x05\xff" + bytes(500),
        b"SSH-2.0-OpenSSH\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"\n\n",
        INTERIM + b"garbage",
    ],
)
def test_what_is_not_http(garbage: bytes) -> None:
    with pytest.raises(NotHttpError):
        read(garbage)
    with pytest.raises(NotHttpError):
        read(*(bytes((byte,)) for byte in garbage))


def test_a_start_too_short_to_tell_waits() -> None:
    assert read(b"HT") == (None, b"")
    assert read(b"") == (None, b"")


def test_a_head_without_end() -> None:
    reader = HeadReader()
    fed = 0
    with pytest.raises(TooLongError):
        for _ in range(MAX_HEAD):
            assert reader.feed(b"HTTP/1.1 200 OK\r\n" if fed == 0 else b"X-Filler: aaaaaaaa\r\n") is None
            fed += 20
    assert fed <= MAX_HEAD + 40


@pytest.mark.parametrize("size", [MAX_HEAD + 1, 2_000_000])
def test_a_head_is_too_long_however_it_comes(size: int) -> None:
    """The answer must not depend on how much the network delivered at a time."""
    long = b"HTTP/1.1 200 OK\r\nX: " + b"a" * size + b"\r\n\r\n"
    for pieces in ((long,), (long[:MAX_HEAD], long[MAX_HEAD:]), (long[:-1], long[-1:])):
        with pytest.raises(TooLongError):
            read(*pieces)


def test_a_large_head_within_the_limit() -> None:
    head, _ = read(b"HTTP/1.1 200 OK\r\nX: " + b"a" * (MAX_HEAD - 100) + b"\r\n\r\n")
    assert head is not None
    assert len(head.get("x") or "") < MAX_HEAD


chunks = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"HTTP/", b"1.1 ", b"100 ", b"200 OK", b"\r\n", b"\n", b"\r\n\r\n", b"Age: ", b"a: b", b":"]),
    ),
    max_size=20,
)


@given(chunks)
def test_any_bytes_give_a_head_or_one_of_two_errors(pieces: list[bytes]) -> None:
    def outcome(parts: Iterable[bytes]) -> object:
        try:
            return read(*parts)
        except (NotHttpError, TooLongError) as error:
            return type(error)

    whole = b"".join(pieces)
    assert outcome(pieces) == outcome((whole,)) == outcome(bytes((byte,)) for byte in whole)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_fields_can_be_asked_anything(lines: list[bytes]) -> None:
    """No property raises, whatever the fields hold."""
    named = [name + b": " + line for name in (b"Date", b"Age", b"Proxy-Authenticate") for line in lines]
    raw = b"\r\n".join([b"HTTP/1.1 200 OK", *(line.replace(b"\n", b"") for line in named), b"", b""])
    try:
        head, _ = read(raw)
    except NotHttpError:
        return
    if head is not None:
        assert head.date is None or head.date.tzinfo is not None
        assert head.age is None or head.age >= 0
        assert all(isinstance(scheme, str) for scheme in head.schemes)


# -- Proxy-Authenticate ---------------------------------------------------------------------------------------------

DIGEST = 'Digest realm="Acme, Corp", nonce="a=b, Basic", qop="auth,auth-int", algorithm=SHA-256'
BASIC = 'Basic realm="say \\"hi, there\\", you", charset="UTF-8"'


@pytest.mark.parametrize(
    "fields",
    [
        ("Proxy-Authenticate: " + ", ".join(("Negotiate", "NTLM", DIGEST, BASIC)),),
        tuple(f"Proxy-Authenticate: {offer}" for offer in ("Negotiate", "NTLM", DIGEST, BASIC)),
        ("Proxy-Authenticate: Negotiate, NTLM", f"PROXY-AUTHENTICATE: {DIGEST} ,{BASIC}"),
        ("proxy-authenticate: Negotiate", "Proxy-Authenticate: NTLM", f"Proxy-Authenticate: {DIGEST}, {BASIC}"),
    ],
)
def test_schemes_in_one_field_and_in_several(fields: tuple[str, ...]) -> None:
    assert head_of(*fields).schemes == ("Negotiate", "NTLM", "Digest", "Basic")


@pytest.mark.parametrize(
    ("field", "schemes"),
    [
        ("Negotiate YIIJhw==, NTLM TlRMTVNTUAAC=", ("Negotiate", "NTLM")),
        ('Digest realm = "x" , nonce ="y"', ("Digest",)),
        ('basic realm="a", BASIC realm="b"', ("basic",)),
        (", ,Basic realm=x,,", ("Basic",)),
        ('Basic realm="never closed, NTLM', ("Basic", "NTLM")),
        ("", ()),
        ("=,;", ()),
    ],
)
def test_schemes_as_spelt_each_once(field: str, schemes: tuple[str, ...]) -> None:
    assert head_of(f"Proxy-Authenticate: {field}").schemes == schemes


def test_only_the_proxy_s_own_offers_count() -> None:
    assert head_of('WWW-Authenticate: Basic realm="x"').schemes == ()


# -- Date and Age ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # RFC 1123
        "Sunday, 06-Nov-94 08:49:37 GMT",  # RFC 850
        "Sun Nov  6 08:49:37 1994",  # asctime
        "Sun, 06 Nov 1994 09:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37 -0000",
    ],
)
def test_dates(text: str) -> None:
    found = head_of(f"Date: {text}").date
    assert found == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert found is not None
    assert found.utcoffset() == datetime.now(UTC).utcoffset()


def test_the_last_year() -> None:
    assert head_of("Date: Fri, 31 Dec 9999 23:59:59 GMT").date == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Nov",
        "Sun, 31 Feb 2026 00:00:00 GMT",
        "Sun, 06 Nov 1994 25:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -0100",  # in UTC this is year 10000
        "Sun, 06 Nov 1994 08:49:37 +9999999999",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        "--, 06 Nov 1994",
        "\xb2\xb2, \xb2\xb2 Nov \xb2\xb2\xb2\xb2 \xb2\xb2:\xb2\xb2:\xb2\xb2 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert head_of(f"Date: {text}").date is None


def test_no_date_at_all() -> None:
    assert head_of().date is None


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("0", 0),
        ("17", 17),
        ("99999999999999999999", 999_999_999),
        ("", 0),
        ("-1", 0),
        ("soon", 0),
        ("\xb2", 0),  # SUPERSCRIPT TWO is a digit to Python and no number
        ("1\xb9\xb2\xb3", 0),
    ],
)
def test_any_age_means_a_cache(text: str, age: int) -> None:
    assert head_of(f"Age: {text}").age == age


def test_no_age() -> None:
    assert head_of().age is None


# -- requests -------------------------------------------------------------------------------------------------------


def test_a_request_ends_the_connection() -> None:
    lines = http_request("HEAD", "/token", "oauth2.googleapis.com", 443, default_port=443).decode().split("\r\n")
    assert lines[:2] == ["HEAD /token HTTP/1.1", "Host: oauth2.googleapis.com"]
    assert "Connection: close" in lines
    assert lines[-2:] == ["", ""]


def test_a_request_to_an_unusual_place() -> None:
    assert b"\r\nHost: [::1]:8443\r\n" in http_request("GET", "/", "::1", 8443, default_port=443)
    assert (bracketed("::1"), bracketed("127.0.0.1"), bracketed("a.test")) == ("[::1]", "127.0.0.1", "a.test")
