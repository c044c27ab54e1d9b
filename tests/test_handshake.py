"""The handshake that does no I/O: driven against a server in memory, in pieces of every size, and with garbage."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from tests.faults import _message, _record, _server_hello, client_hello, server_name
from tlsinspect.lab.pki import GoogleLike, Issued
from tlsinspect.model import Reason
from tlsinspect.observe.handshake import FIRST_BYTES, LARGE, LEGACY, MAX_BYTES, SMALL, Handshake, Hello

NAME = "www.googleapis.com"
WHOLE = 1 << 20
VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


class Server:
    """The other side, in memory: `answer` takes what the client sends and gives back what a socket would carry."""

    def __init__(self, issued: Issued, version: str = "TLSv1.3", *, staple: bytes = b"", alpn: bool = True) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_max_proto_version(VERSIONS[version])
        context.use_privatekey(issued.key)
        context.use_certificate(issued.certificate)
        for above in issued.chain[1:]:
            context.add_extra_chain_cert(above)
        if staple:
            context.set_ocsp_server_callback(lambda _connection, _data: staple)
        if alpn:
            context.set_alpn_select_callback(lambda _connection, offered: offered[0])
        self.connection = SSL.Connection(context, None)
        self.connection.set_accept_state()
        self.completed = False

    def answer(self, data: bytes) -> bytes:
        if data:
            self.connection.bio_write(data)
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            pass
        else:
            self.completed = True
        return self.outgoing()

    def say(self, data: bytes) -> bytes:
        for piece in pieces(data, 0x4000):  # one record each: send() takes no more
            self.connection.send(piece)
        return self.outgoing()

    def goodbye(self) -> bytes:
        self.connection.shutdown()
        return self.outgoing()

    def outgoing(self) -> bytes:
        sent = b""
        while True:
            try:
                sent += self.connection.bio_read(65536)
            except SSL.WantReadError:
                return sent


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def drive(handshake: Handshake, server: Server, size: int = WHOLE) -> None:
    """Carry bytes both ways, `size` of them at a time to the client, until neither side has anything to say."""
    towards_server = handshake.start()
    while towards_server:
        towards_client = server.answer(towards_server)
        towards_server = b""
        for piece in pieces(towards_client, size):
            if handshake.finished:
                handshake.decrypt(piece)  # what follows the last message of the handshake: a socket keeps no borders
            else:
                towards_server += handshake.feed(piece)


def fed(handshake: Handshake, *chunks: bytes) -> Handshake:
    """The handshake after it got `chunks`, as far as it wanted them."""
    handshake.start()
    for chunk in chunks:
        if handshake.finished:
            break
        handshake.feed(chunk)
    return handshake


@pytest.fixture(scope="module")
def leaf(google: GoogleLike) -> Issued:
    return google.we2.issue([NAME])


# --- an honest server -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 333, 4096, WHOLE])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("hello", [LARGE, SMALL, LEGACY], ids=lambda hello: hello.name)
def test_it_completes_whatever_the_pieces(leaf: Issued, version: str, hello: Hello, size: int) -> None:
    handshake, server = Handshake(NAME, hello), Server(leaf, version)
    drive(handshake, server, size)
    tls = handshake.tls
    assert (handshake.finished, handshake.completed, handshake.reason, handshake.detail) == (True, True, None, "")
    assert server.completed
    assert tls.chain == leaf.ders
    assert (tls.hello, tls.completed, tls.protocol, tls.alert) == (hello.name, True, version, None)
    assert tls.alpn == "http/1.1"
    assert tls.cipher
    assert tls.group


def test_what_is_presented_is_kept_as_it_came(google: GoogleLike, leaf: Issued) -> None:
    """Duplicates, strangers and a root among them: the order and the number are evidence."""
    odd = leaf.followed_by(google.r1.certificate, google.we2.certificate, google.we2.certificate, leaf.certificate)
    handshake = Handshake(NAME)
    drive(handshake, Server(odd))
    assert handshake.tls.chain == odd.ders


def test_a_hundred_certificates_are_not_too_many(google: GoogleLike, leaf: Issued) -> None:
    many = leaf.followed_by(*[google.we2.certificate] * 99)
    handshake = Handshake(NAME)
    drive(handshake, Server(many))
    assert len(handshake.tls.chain) == 100


@pytest.mark.parametrize("size", [1, WHOLE])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_staple_is_kept(google: GoogleLike, leaf: Issued, version: str, size: int) -> None:
    handshake, staple = Handshake(NAME), google.we2.ocsp_answer(leaf.certificate)
    drive(handshake, Server(leaf, version, staple=staple), size)
    assert handshake.tls.staple == staple


def test_no_staple_and_no_alpn_are_told_from_empty_ones(leaf: Issued) -> None:
    handshake = Handshake(NAME)
    drive(handshake, Server(leaf, alpn=False))
    assert (handshake.tls.staple, handshake.tls.alpn) == (None, None)


@pytest.mark.parametrize("size", [1, 7, WHOLE])
@pytest.mark.parametrize("version", VERSIONS)
def test_application_data_both_ways_and_its_end(leaf: Issued, version: str, size: int) -> None:
    handshake, server = Handshake(NAME), Server(leaf, version)
    drive(handshake, server)
    server.connection.bio_write(handshake.encrypt(b"a question"))
    assert server.connection.recv(100) == b"a question"
    said = b"".join(handshake.decrypt(piece) or b"" for piece in pieces(server.say(b"an answer" * 5000), size))
    assert said == b"an answer" * 5000
    ends = [handshake.decrypt(piece) for piece in pieces(server.goodbye(), size)]
    assert ends[-1] is None  # not b"": there will be no more
    assert all(end == b"" for end in ends[:-1])


# --- the ClientHello ------------------------------------------------------------------------------------------------


def hello_message(handshake: Handshake) -> bytes:
    message = client_hello(handshake.start())
    assert message is not None
    return message


def extensions_of(message: bytes) -> set[int]:
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at] + 2
    found = set()
    while at + 4 <= len(message):
        found.add(int.from_bytes(message[at : at + 2], "big"))
        at += 4 + int.from_bytes(message[at + 2 : at + 4], "big")
    return found


@pytest.mark.parametrize("hello", [LARGE, SMALL, LEGACY], ids=lambda hello: hello.name)
def test_the_hello_names_the_server_or_nobody(hello: Hello) -> None:
    assert server_name(hello_message(Handshake(NAME, hello))) == NAME
    assert server_name(hello_message(Handshake(None, hello))) is None


def test_large_and_small_are_so() -> None:
    """A middlebox that reads a single segment takes the one and not the other."""
    assert len(hello_message(Handshake(NAME, LARGE))) > 1300
    assert len(hello_message(Handshake(NAME, SMALL))) < 700
    assert len(hello_message(Handshake(NAME, LEGACY))) < 700


@pytest.mark.parametrize("hello", [LARGE, SMALL, LEGACY], ids=lambda hello: hello.name)
def test_nothing_is_resumed_and_a_staple_is_asked_for(leaf: Issued, hello: Hello) -> None:
    drive(Handshake(NAME, hello), Server(leaf))
    after_another = extensions_of(hello_message(Handshake(NAME, hello)))
    assert 41 not in after_another  # pre_shared_key
    assert 35 not in after_another  # session_ticket
    assert 5 in after_another  # status_request


# --- a server that ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_at_any_byte_is_an_end(leaf: Issued, version: str) -> None:
    whole = len(Server(leaf, version).answer(Handshake(NAME).start()))
    for cut in range(0, whole, 97):
        handshake, server = Handshake(NAME), Server(leaf, version)
        flight = server.answer(handshake.start())[:cut]
        if flight:
            handshake.feed(flight)
        assert not handshake.finished
        assert handshake.feed(b"") == b""
        assert (handshake.finished, handshake.completed, handshake.reason) == (True, False, Reason.CLOSED)
        assert handshake.tls.chain in ((), leaf.ders)  # nothing half read


def test_the_chain_outlives_a_handshake_that_fails_after_it(leaf: Issued) -> None:
    handshake, server = Handshake(NAME), Server(leaf, "TLSv1.2")
    flight = server.answer(handshake.start())
    handshake.feed(flight[:-20])  # all but the end of ServerKeyExchange and what follows
    handshake.feed(b"")
    assert handshake.tls.chain == leaf.ders
    assert not handshake.tls.completed


@pytest.mark.parametrize("code", range(256))
def test_a_fatal_alert_is_told(code: int) -> None:
    handshake = fed(Handshake(NAME), _record(21, bytes((2, code))))
    assert (handshake.finished, handshake.completed) == (True, False)
    assert handshake.reason in (Reason.ALERT, Reason.TLS_ERROR, Reason.CLOSED)
    assert handshake.tls.chain == ()
    if code in (40, 49, 70, 71, 112):  # those that servers and filters do send in answer to a hello
        assert handshake.reason is Reason.ALERT
        assert handshake.alert == handshake.detail == handshake.tls.alert
        assert handshake.alert


def test_a_warning_does_not_end_it(leaf: Issued) -> None:
    """RFC 6066 lets a server warn that it does not know the name and go on; some do."""
    handshake, server = Handshake(NAME), Server(leaf, "TLSv1.2")
    flight = server.answer(handshake.start())
    assert handshake.feed(_record(21, bytes((1, 112)))) == b""
    assert not handshake.finished
    server.answer(handshake.feed(flight))
    assert handshake.tls.chain == leaf.ders
    assert server.completed


# --- a server that lies ---------------------------------------------------------------------------------------------


def _certificates(*ders: bytes) -> bytes:
    """A Certificate message of TLS 1.2."""
    each = b"".join(len(der).to_bytes(3, "big") + der for der in ders)
    return _message(11, len(each).to_bytes(3, "big") + each)


@pytest.mark.parametrize(
    "der", [b"\x30\x03\x02\x01\x00", b"\x00", b"\x30\x80\x00\x00", b"garbage" * 50], ids=["integer", "zero", "ber", "g"]
)
def test_a_certificate_nobody_reads_is_called_so(der: bytes) -> None:
    handshake = fed(Handshake(NAME), _record(22, _server_hello() + _certificates(der)))
    assert (handshake.reason, handshake.completed) == (Reason.CERTIFICATE_UNREADABLE, False)
    assert handshake.tls.chain == ()


def test_an_empty_list_of_certificates_shows_none() -> None:
    handshake = fed(Handshake(NAME), _record(22, _server_hello() + _certificates()))
    assert (handshake.finished, handshake.completed) == (True, False)
    assert handshake.reason in (Reason.TLS_ERROR, Reason.CERTIFICATE_UNREADABLE)
    assert handshake.tls.chain == ()


def test_a_message_of_sixteen_megabytes_is_not_waited_for() -> None:
    head = _record(22, _server_hello() + b"\x0b\xff\xff\xff\xff\xff\xfc")
    handshake = fed(Handshake(NAME), head, *[_record(22, bytes(0x4000))] * 1000)
    assert (handshake.finished, handshake.completed) == (True, False)
    assert handshake._received < MAX_BYTES  # refused by its length, long before the budget


@pytest.mark.parametrize("size", [100, 0x4000, 0x40000])
def test_a_handshake_that_never_ends_is_ended(size: int) -> None:
    """A client must ignore any number of HelloRequests (RFC 5246 §7.4.1.1); a budget of bytes does not."""
    flood = _record(22, bytes(0x4000)) * (3 * MAX_BYTES // 0x4000)
    handshake = fed(Handshake(NAME), _record(22, _server_hello()), *pieces(flood, size))
    assert (handshake.finished, handshake.completed) == (True, False)
    assert handshake.reason is Reason.TLS_ERROR
    assert handshake._received <= MAX_BYTES + size


@pytest.mark.parametrize(
    "begun", [b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0-x\r\n", b"\x00", b"\xff" * 9000, b"\x80\x2e\x01"]
)
def test_what_is_not_tls_is_kept_to_be_looked_at(begun: bytes) -> None:
    handshake = fed(Handshake(NAME), *pieces(begun, 4000))
    assert (handshake.reason, handshake.completed) == (Reason.NOT_TLS, False)
    assert handshake.first_bytes == begun[:4000]
    assert len(handshake.first_bytes) <= FIRST_BYTES


def test_an_echo_is_an_error() -> None:
    handshake = Handshake(NAME)
    handshake.feed(handshake.start())
    assert (handshake.finished, handshake.reason) == (True, Reason.TLS_ERROR)


# --- garbage --------------------------------------------------------------------------------------------------------

KINDS = st.sampled_from([20, 21, 22, 23, 24])
RECORDS = st.builds(_record, KINDS, st.binary(max_size=300))
MESSAGES = st.builds(lambda kind, body: _record(22, _message(kind, body)), st.integers(0, 255), st.binary(max_size=300))
AFTER_HELLO = st.builds(lambda body: _record(22, _server_hello() + body), st.binary(max_size=300))


def _ends(handshake: Handshake, chunks: list[bytes]) -> None:
    fed(handshake, *[chunk for chunk in chunks if chunk])
    if not handshake.finished:
        handshake.feed(b"")
    assert handshake.finished
    assert not handshake.completed
    assert handshake.reason is not None
    assert isinstance(handshake.detail, str)
    assert handshake.tls.chain == ()
    assert not handshake.tls.completed


@settings(deadline=None, max_examples=150)
@given(st.lists(st.binary(max_size=200), max_size=6), st.sampled_from([LARGE, SMALL, LEGACY]))
def test_any_bytes_end_in_a_reason(chunks: list[bytes], hello: Hello) -> None:
    _ends(Handshake(NAME, hello), chunks)


@settings(deadline=None, max_examples=250)
@given(st.lists(st.one_of(RECORDS, MESSAGES, AFTER_HELLO, st.binary(max_size=20)), min_size=1, max_size=6))
def test_any_records_end_in_a_reason(chunks: list[bytes]) -> None:
    _ends(Handshake(NAME), chunks)


@cache
def _standing(google: GoogleLike) -> Issued:
    return google.we2.issue([NAME])


@settings(deadline=None, max_examples=250)
@given(
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 255)), min_size=1, max_size=3),
    version=st.sampled_from(sorted(VERSIONS)),
    size=st.sampled_from([1, 50, WHOLE]),
)
def test_a_genuine_flight_with_bytes_changed(
    google: GoogleLike, changes: list[tuple[int, int]], version: str, size: int
) -> None:
    """Whatever is changed on the way: nothing raises, and nothing completes with another chain than was signed for."""
    issued = _standing(google)
    handshake, server = Handshake(NAME), Server(issued, version)
    flight = bytearray(server.answer(handshake.start()))
    for place, bits in changes:
        flight[place % len(flight)] ^= bits  # the length of a flight varies with its signatures
    for piece in pieces(bytes(flight), size):
        if handshake.finished:
            break
        handshake.feed(piece)
    tls = handshake.tls
    if handshake.completed:
        assert tls.chain == issued.ders
    elif handshake.finished:
        assert handshake.reason is not None


@settings(deadline=None, max_examples=150)
@given(
    chunks=st.lists(st.one_of(RECORDS, st.binary(max_size=100)), max_size=5),
    version=st.sampled_from(["TLSv1.2", "TLSv1.3"]),
)
def test_garbage_in_place_of_application_data(google: GoogleLike, chunks: list[bytes], version: str) -> None:
    handshake, server = Handshake(NAME), Server(_standing(google), version)
    drive(handshake, server)
    for chunk in chunks:
        assert handshake.decrypt(chunk) in (b"", None)  # never a byte that the server's key did not seal
