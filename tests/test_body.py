"""Reading the body of an HTTP answer: by length, in chunks, until the end; whole, cut short, too long or broken."""

import asyncio
import contextlib
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults import Peer, serving
from tlsinspect.http1 import MAX_HEAD, MAX_LINE, BodyReader, Head, NotHttpError, TooLongError
from tlsinspect.model import Authority, Endpoint, Row
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.plain import MAX_BODY, ask_plainly
from tlsinspect.observe.route import Ways

CHUNKED = ("transfer-encoding", "chunked")
CHUNKS = b"5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"


def reader(*fields: tuple[str, str], status: int = 200, limit: int | None = 1000) -> BodyReader:
    return BodyReader(Head(status, fields), limit)


def read(body: BodyReader, *pieces: bytes) -> bytes:
    return b"".join(body.feed(piece) for piece in pieces)


# -- where a body ends ----------------------------------------------------------------------------------------------


def test_a_length_ends_a_body_and_what_follows_is_not_of_it() -> None:
    body = reader(("content-length", "5"))
    assert read(body, b"hel") == b"hel"
    assert not body.complete
    assert read(body, b"lo, and more", b"more") == b"lo"
    assert (body.complete, body.cut_short, body.received) == (True, False, 5)


def test_the_connection_ends_a_body_that_nothing_else_ends() -> None:
    body = reader()
    assert read(body, b"some", b"thing", b"") == b"something"
    assert (body.complete, body.cut_short) == (True, False)


@pytest.mark.parametrize("head", [("content-length", "5"), CHUNKED])
def test_a_body_that_ends_early_is_cut_short(head: tuple[str, str]) -> None:
    body = reader(head)
    read(body, b"3\r\n", b"")
    assert (body.complete, body.cut_short) == (False, True)
    assert body.feed(b"late") == b""


@pytest.mark.parametrize(("status", "length"), [(200, "0"), (200, "000"), (204, "5"), (304, "5")])
def test_some_answers_have_no_body(status: int, length: str) -> None:
    assert reader(("content-length", length), status=status).complete


def test_chunks_come_before_a_length() -> None:
    """RFC 9112 §6.3: who sends both means the chunks."""
    body = reader(("content-length", "3"), CHUNKED)
    assert read(body, CHUNKS) == b"hello world"
    assert body.complete


@pytest.mark.parametrize("text", ["", "-5", "5 kB", "1e3", "٣", "5, 6", "0x5"])
def test_a_length_that_is_none_says_nothing(text: str) -> None:
    body = reader(("content-length", text))
    assert read(body, b"whatever", b"") == b"whatever"
    assert body.complete


@pytest.mark.parametrize("text", ["5, 5", "5,5", " 5 ", "0000000000000000000000000005"])
def test_a_length_that_is_said_twice(text: str) -> None:
    assert Head(200, (("content-length", text),)).length == 5


def test_lengths_that_contradict_each_other() -> None:
    assert Head(200, (("content-length", "5"), ("content-length", "6"))).length is None


# -- chunks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [CHUNKS, CHUNKS.replace(b"\r\n", b"\n"), CHUNKS.replace(b"5\r\n", b"005  \r\n", 1)])
def test_every_split_of_chunks_gives_the_same(whole: bytes) -> None:
    for at in range(1, len(whole)):
        body = reader(CHUNKED)
        assert read(body, whole[:at], whole[at:]) == b"hello world"
        assert body.complete
    body = reader(CHUNKED)
    assert read(body, *(bytes((byte,)) for byte in whole)) == b"hello world"
    assert body.complete


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 30))
def test_chunks_of_every_size(payloads: list[bytes], step: int) -> None:
    whole = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in payloads) + b"0\r\n\r\n"
    body = reader(CHUNKED)
    assert read(body, *(whole[at : at + step] for at in range(0, len(whole), step))) == b"".join(payloads)
    assert body.complete


@given(st.binary(max_size=200), st.integers(1, 30))
def test_any_bytes_as_chunks(whole: bytes, step: int) -> None:
    """They are read, refused or waited for; nothing else."""
    body = reader(CHUNKED)
    try:
        read(body, *(whole[at : at + step] for at in range(0, len(whole), step)), b"")
    except (NotHttpError, TooLongError):
        return
    assert body.complete is not body.cut_short


@pytest.mark.parametrize(
    "broken",
    [
        b"hello\r\n",
        b"\r\n",
        b"-5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5 5\r\nhello\r\n",
        b"5\r\nhello world\r\n0\r\n\r\n",
        b"f" * 17 + b"\r\n",
        b"5" * (MAX_LINE + 1),
        b"<html>" * MAX_LINE,
    ],
)
def test_what_is_no_chunk(broken: bytes) -> None:
    with pytest.raises(NotHttpError):
        read(reader(CHUNKED, limit=None), broken)


@pytest.mark.parametrize("line", [b"1;" + b"x" * 2000 + b"\r\na\r\n", b"X-Trailer: " + b"x" * 2000 + b"\r\n"])
def test_extensions_and_trailers_do_not_go_on_for_ever(line: bytes) -> None:
    body = reader(CHUNKED, limit=None)
    if line.startswith(b"X"):
        body.feed(b"0\r\n")
    with pytest.raises(TooLongError):
        for _ in range(MAX_HEAD // 2000 + 1):
            body.feed(line)


# -- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", ["1001", "3221225472", "9" * 400])
def test_a_length_above_the_limit_is_known_before_a_byte_is_read(length: str) -> None:
    with pytest.raises(TooLongError):
        reader(("content-length", length))


def test_a_chunk_above_the_limit_is_known_before_it_is_read() -> None:
    with pytest.raises(TooLongError):
        reader(CHUNKED).feed(b"C0000000\r\n")


@pytest.mark.parametrize("fields", [(), (CHUNKED,)])
def test_a_body_stops_at_the_limit(fields: tuple[tuple[str, str], ...]) -> None:
    piece = b"64\r\n" + bytes(100) + b"\r\n" if fields else bytes(100)
    body = reader(*fields)
    assert len(read(body, *[piece] * 10)) == 1000
    with pytest.raises(TooLongError):
        body.feed(piece)


def test_without_a_limit_the_caller_stops() -> None:
    body = reader(("content-length", "3221225472"), limit=None)
    assert len(body.feed(bytes(100_000))) == 100_000


# -- codings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "codings", "chunked"),
    [
        ((), (), False),
        ((CHUNKED,), (), True),
        ((("transfer-encoding", "gzip, Chunked"),), ("gzip",), True),
        ((("transfer-encoding", "gzip"), CHUNKED), ("gzip",), True),
        ((("transfer-encoding", "chunked, gzip"),), ("gzip",), False),
        ((("content-encoding", "identity"),), (), False),
        ((("content-encoding", "BR"), CHUNKED), ("br",), True),
        ((("content-encoding", ""),), (), False),
    ],
)
def test_what_was_done_to_a_body(fields: tuple[tuple[str, str], ...], codings: tuple[str, ...], chunked: bool) -> None:
    head = Head(200, fields)
    assert (head.codings, head.chunked) == (codings, chunked)


# -- the rows on port 80 are read with it ----------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
ROW = Endpoint("c.pki.goog", 80, False, Authority.GOOGLE, (Row("http://c.pki.goog/x.crl"),))


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, b"hello world"),
        (OK + b"Content-Length: 5\r\n\r\nhello world", b"hello"),
        (OK + b"Content-Length: 50\r\n\r\nhello", b"hello"),
        (OK + b"\r\nhello", b"hello"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nhello", b""),
        (OK + b"Content-Length: 3221225472\r\n\r\n" + bytes(2 * MAX_BODY), bytes(MAX_BODY)),
    ],
    ids=["chunked", "length", "cut short", "until close", "broken chunks", "too much"],
)
def test_a_row_on_port_80_has_a_body(answer: bytes, body: bytes) -> None:
    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(answer)

    with serving(handle) as server:
        settings = Settings(resolved={("c.pki.goog", 80): [(server.host, server.port)]})
        got = asyncio.run(ask_plainly(ROW, Ways(), settings))
    assert (got.body, got.reason) == (body, None)
    assert got.head is not None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full backlog refuses, and 127.0.0.9 is not there")
def test_a_row_on_port_80_names_the_address_that_answered() -> None:
    """The attempts that another one outran end after it, and are none."""

    def handle(peer: Peer) -> None:
        peer.receive_head()
        peer.answer(OK + b"\r\n")

    with socket.create_server(("127.0.0.9", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        server = stack.enter_context(serving(handle))
        places = [full.getsockname(), (server.host, server.port)]
        got = asyncio.run(ask_plainly(ROW, Ways(), Settings(resolved={("c.pki.goog", 80): places})))
    assert (got.address, got.reason) == (server.host, None)
