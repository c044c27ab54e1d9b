"""SOCKS5 without I/O: whatever a proxy says, in whatever pieces, the negotiation ends and says how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.model import Reason
from tlsinspect.observe.socks5 import REFUSED, Socks5

GRANTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb"


def talked(talk: Socks5, *said: bytes) -> list[bytes]:
    return [talk.start(), *(talk.feed(each) for each in said)]


def test_a_name_is_left_to_the_proxy() -> None:
    talk = Socks5("www.google.com", 443)
    sent = talked(talk, b"\x05\x00", GRANTED + b"more")
    assert sent == [b"\x05\x01\x00", b"\x05\x01\x00\x03\x0ewww.google.com\x01\xbb", b""]
    assert (talk.finished, talk.reply, talk.reason, talk.rest) == (True, 0, None, b"more")
    assert not talk.authenticated


@pytest.mark.parametrize(
    ("host", "written"),
    [("192.0.2.7", b"\x01\xc0\x00\x02\x07"), ("2001:db8::1", b"\x04 \x01\r\xb8" + bytes(11) + b"\x01")],
)
def test_an_address_is_written_as_one(host: str, written: bytes) -> None:
    talk = Socks5(host, 80)
    assert talked(talk, b"\x05\x00")[1] == b"\x05\x01\x00" + written + b"\x00\x50"


@pytest.mark.parametrize("bound", [b"\x01abcd", b"\x03\x00", b"\x03\xff" + bytes(255), b"\x04" + bytes(16)])
def test_every_kind_of_bound_address_is_skipped(bound: bytes) -> None:
    talk = Socks5("a.test", 443)
    talked(talk, b"\x05\x00", b"\x05\x00\x00" + bound + b"\x00\x00" + b"tls")
    assert (talk.finished, talk.reply, talk.rest) == (True, 0, b"tls")


def test_credentials_go_only_where_the_proxy_chooses_them() -> None:
    open_one = Socks5("a.test", 443, "alice:secret")
    sent = talked(open_one, b"\x05\x00", GRANTED)
    assert sent[0] == b"\x05\x02\x00\x02"
    assert b"secret" not in b"".join(sent)
    assert not open_one.authenticated
    asking = Socks5("a.test", 443, "alice:se:cret")
    sent = talked(asking, b"\x05\x02", b"\x01\x00", GRANTED)
    assert sent[1] == b"\x01\x05alice\x07se:cret"
    assert (asking.authenticated, asking.reply, asking.reason) == (True, 0, None)


def test_without_credentials_none_are_offered() -> None:
    talk = Socks5("a.test", 443)
    assert talked(talk, b"\x05\x02") == [b"\x05\x01\x00", b""]
    assert talk.reason is Reason.PROXY_NOT_SOCKS  # it chose what nobody offered


@pytest.mark.parametrize(
    ("credentials", "said"), [(None, [b"\x05\xff"]), ("a:b", [b"\x05\xff"]), ("a:b", [b"\x05\x02", b"\x01\x01"])]
)
def test_credentials_that_are_missing_or_wrong(credentials: str | None, said: list[bytes]) -> None:
    talk = Socks5("a.test", 443, credentials)
    talked(talk, *said)
    assert (talk.finished, talk.reason, talk.reply) == (True, Reason.PROXY_AUTH_REQUIRED, REFUSED)


@pytest.mark.parametrize("code", range(1, 256))
def test_every_reply_has_a_reason(code: int) -> None:
    talk = Socks5("a.test", 443)
    talked(talk, b"\x05\x00", bytes((5, code, 0, 1, 0, 0, 0, 0, 0, 0)))
    assert (talk.finished, talk.reply) == (True, code)
    assert talk.reason is (Reason.PROXY_DENIED if code == 2 else Reason.PROXY_UPSTREAM_FAILED)
    assert talk.detail
    assert talk.rest == b""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], Reason.PROXY_NOT_SOCKS),
        ([b"\x04\x5a"], Reason.PROXY_NOT_SOCKS),
        ([b"\x05\x01"], Reason.PROXY_NOT_SOCKS),  # GSS-API, which nobody offered
        ([b"\x05\x00", b"HTTP/"], Reason.PROXY_NOT_SOCKS),
        ([b"\x05\x00", b"\x05\x00\x00\x02\x00"], Reason.PROXY_NOT_SOCKS),  # no such type of address
        ([b""], Reason.CLOSED),
        ([b"\x05\x00", b"\x05", b""], Reason.CLOSED),
    ],
)
def test_what_is_no_socks(said: list[bytes], reason: Reason) -> None:
    talk = Socks5("a.test", 443)
    talked(talk, *said)
    assert (talk.finished, talk.reason, talk.reply) == (True, reason, None)


def test_one_byte_at_a_time() -> None:
    talk, sent = Socks5("a.test", 443, "u:p"), b""
    for value in b"\x05\x02" + b"\x01\x00" + GRANTED:
        assert not talk.finished
        sent += talk.feed(bytes((value,)))
    assert (talk.finished, talk.reason, talk.rest) == (True, None, b"")
    assert sent.endswith(b"\x05\x01\x00\x03\x06a.test\x01\xbb")


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=20), st.booleans())
def test_any_bytes_end_or_wait(pieces: list[bytes], honest: bool) -> None:
    talk = Socks5("a.test", 443, "u:p")
    talk.start()
    for piece in [b"\x05\x00"] * honest + pieces:
        if talk.finished:
            break
        talk.feed(piece)
    if not talk.finished:
        talk.feed(b"")
        assert talk.reason is Reason.CLOSED
