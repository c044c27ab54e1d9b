"""Timestamps of transparency logs: each verified, or known to be false, or of a log nobody here knows."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import trust_folder
from tests.conftest import shared_data
from tlsinspect import der
from tlsinspect.certificate import Certificate
from tlsinspect.evidence import transparency
from tlsinspect.evidence.transparency import EMBEDDED, MAX_TIMESTAMPS, STAPLED, sct_lists_in, summary, timestamps
from tlsinspect.lab import pki
from tlsinspect.model import Timestamp
from tlsinspect.trust import Trust, certificates_in

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIGNED_AT = datetime(2026, 11, 20, 8, 30, 0, 250000, tzinfo=UTC)
HOST = "www.googleapis.com"
ONE, TWO, SAME = pki.Log("Lab 'One'", "Lab A"), pki.Log("Lab 'Two'", "Lab B"), pki.Log("Lab 'Three'", "Lab A")
STRANGER = pki.Log("Lab 'Elsewhere'", "Lab C")
LAB = pki.google_like(NOW)
WE2 = Certificate(LAB.we2.certificate.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """Trust data that knows three logs of the laboratory."""
    folder = tmp_path_factory.mktemp("transparency") / "trust"
    return Trust.load(trust_folder.make(folder, ct_logs=[ONE, TWO, SAME]))


def issued(*logs: pki.Log, authority: pki.Authority = LAB.we2) -> Certificate:
    return Certificate(authority.issue([HOST], logs=logs, sct_time=SIGNED_AT).ders[0])


def carrying(*serialized: bytes, raw: bytes | None = None) -> Certificate:
    """A leaf with these timestamps in it, whatever they are."""
    listed = pki.sct_list(serialized) if raw is None else raw
    value = der.encoded(der.OCTET_STRING, listed)
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(EMBEDDED), value)
    return Certificate(LAB.we2.issue([HOST], add=[(extension, False)]).ders[0])


def results(leaf: Certificate, trust: Trust, issuer: Certificate = WE2, lists: tuple[bytes, ...] = ()) -> list[str]:
    return [stamp.result for stamp in timestamps(leaf, issuer, lists, trust)]


# -- recorded certificates ------------------------------------------------------------------------------------------


def recorded() -> Iterator[tuple[Certificate, Certificate]]:
    """Every recorded leaf of Google's with the issuer that is beside it, or among the recorded intermediates."""
    paths = sorted(shared_data("intermediates").glob("*.pem"))
    known = {c.subject_der: c for path in paths for c in map(Certificate, certificates_in(path.read_bytes()))}
    chains = [
        [Certificate(der) for der in certificates_in(path.read_bytes())]
        for folder in ("google_chains", "google_presented")
        for path in sorted(shared_data(folder).glob("*.pem"))
    ]
    limbo = json.loads(shared_data("limbo/limbo-core.json").read_text(encoding="utf-8"))["testcases"]
    for case in limbo:
        if case["id"] in ("online::google.com", "online::storage.googleapis.com"):
            pems = [case["peer_certificate"], *case["untrusted_intermediates"]]
            chains.append([Certificate(der) for pem in pems for der in certificates_in(pem.encode())])
    for leaf, *others in chains:
        beside = next((c for c in others if c.subject_der == leaf.issuer_der), known.get(leaf.issuer_der))
        if beside is not None:
            yield leaf, beside


def test_every_timestamp_in_recorded_certificates_of_google_s_verifies() -> None:
    trust = Trust.default()
    facts, count = {}, 0
    for leaf, issuer in {leaf.der: (leaf, issuer) for leaf, issuer in recorded()}.values():
        stamps = timestamps(leaf, issuer, (), trust)
        assert [stamp for stamp in stamps if stamp.result != "valid"] == []
        for stamp in stamps:
            # An authority dates a certificate back by about an hour, and logs it before it signs it.
            assert stamp.time is not None
            assert abs(stamp.time - leaf.not_before) < timedelta(days=2)
            assert stamp.via == "embedded"
        facts[leaf.der] = summary(stamps)
        count += len(stamps)
    assert count >= 60
    assert set(facts.values()) == {"verified", "absent"}
    # Google's own have had timestamps inside since 2018.
    since = {Certificate(leaf).not_before.year for leaf, fact in facts.items() if fact == "verified"}
    assert max(since) == 2026


def test_under_another_issuer_s_key_every_one_is_false() -> None:
    trust, found = Trust.default(), 0
    for leaf, _ in recorded():
        for stamp in timestamps(leaf, WE2, (), trust):
            assert stamp.result == "invalid"
            found += 1
    assert found >= 60


# -- what the laboratory's logs sign --------------------------------------------------------------------------------


@pytest.mark.parametrize("authority", [LAB.we2, LAB.wr2], ids=["EC", "RSA"])
def test_a_leaf_with_timestamps(trust: Trust, authority: pki.Authority) -> None:
    issuer = Certificate(authority.certificate.public_bytes(Encoding.DER))
    stamps = timestamps(issued(ONE, TWO, authority=authority), issuer, (), trust)
    assert stamps == (
        Timestamp("valid", ONE.id.hex(), "Lab 'One'", "Lab A", SIGNED_AT),
        Timestamp("valid", TWO.id.hex(), "Lab 'Two'", "Lab B", SIGNED_AT),
    )
    assert summary(stamps) == "verified"


def test_a_leaf_without(trust: Trust) -> None:
    assert timestamps(issued(), WE2, (), trust) == ()


def test_a_log_nobody_knows(trust: Trust) -> None:
    stamps = timestamps(issued(STRANGER), WE2, (), trust)
    assert stamps == (Timestamp("unknown-log", STRANGER.id.hex(), time=SIGNED_AT),)


def test_a_timestamp_of_another_leaf(trust: Trust) -> None:
    """What a forger can copy: the genuine leaf's timestamps into one of his own."""
    genuine = issued(ONE, TWO)
    copied = transparency._serialized(transparency._embedded(genuine.der)[0])
    assert results(genuine, trust) == ["valid", "valid"]
    assert results(carrying(*copied), trust) == ["invalid", "invalid"]


TBS = b"some precertificate"


def made(log: pki.Log = ONE, extensions: bytes = b"") -> bytes:
    return log.sct(TBS, LAB.we2.certificate, SIGNED_AT, extensions=extensions)


def judged(serialized: bytes, trust: Trust) -> str:
    """The result of one timestamp over `made`'s precertificate."""
    about = (
        b"\0\1" + hashlib.sha256(WE2.spki).digest() + len(b"some precertificate").to_bytes(3) + b"some precertificate"
    )
    return transparency._judged(serialized, about, "embedded", trust).result


def test_a_timestamp_altered_anywhere_is_no_longer_valid(trust: Trust) -> None:
    """With extensions too: tiled logs say there where in the log the leaf will be, and sign it."""
    for serialized in (made(), made(extensions=b"\0\0\5\0\0\0\0\7")):
        assert judged(serialized, trust) == "valid"
        for at in range(len(serialized)):
            altered = serialized[:at] + bytes((serialized[at] ^ 1,)) + serialized[at + 1 :]
            assert judged(altered, trust) == ("unknown-log" if 1 <= at <= 32 else "invalid")
        for length in range(1, len(serialized)):
            assert judged(serialized[:length], trust) == ("unknown-log" if length < 33 else "invalid")
        assert judged(serialized + b"\0", trust) == "invalid"


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 1),  # version: RFC 9162's are made otherwise
        (0, 255),
        (43, 2),  # SHA-1
        (43, 6),  # SHA-512
        (43, 0),
        (44, 1),  # RSA, by a log whose key is EC
        (44, 2),
        (44, 0),
    ],
)
def test_versions_and_algorithms_that_cannot_be(trust: Trust, at: int, value: int) -> None:
    serialized = bytearray(made())
    serialized[at] = value
    assert judged(bytes(serialized), trust) == "invalid"
    assert results(carrying(bytes(serialized)), trust) == ["invalid"]


def test_a_log_with_an_rsa_key(tmp_path: Path) -> None:
    """Three of the oldest logs have one (RFC 6962 §2.1.4)."""
    key = rsa.generate_private_key(65537, 2048)

    class Old:
        description, operator = "Lab 'Old'", "Lab D"
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        id = hashlib.sha256(spki).digest()

    trust = Trust.load(trust_folder.make(tmp_path / "trust", ct_logs=[Old()]))
    elsewhere = made()
    about = b"\0\1" + hashlib.sha256(WE2.spki).digest() + len(TBS).to_bytes(3) + TBS + b"\0\0"
    signature = key.sign(b"\0\0" + elsewhere[33:41] + about, padding.PKCS1v15(), hashes.SHA256())
    start = b"\0" + Old.id + elsewhere[33:41] + b"\0\0"
    assert judged(start + b"\4\1" + b"\1\0" + signature, trust) == "valid"
    assert judged(start + b"\4\3" + b"\1\0" + signature, trust) == "invalid"
    assert judged(start + b"\4\1" + b"\1\0" + signature[:-1] + b"\0", trust) == "invalid"


def test_the_same_timestamp_twice_counts_once(trust: Trust) -> None:
    leaf = issued(ONE, ONE, TWO)
    assert results(leaf, trust) == ["valid", "valid"]
    twice = pki.sct_list([ONE.sct(leaf.der, None, SIGNED_AT), ONE.sct(leaf.der, None, SIGNED_AT + timedelta(1))])
    stamps = timestamps(leaf, WE2, [twice], trust)
    assert [(stamp.log, stamp.time, stamp.via) for stamp in stamps] == [
        ("Lab 'One'", SIGNED_AT, "embedded"),
        ("Lab 'Two'", SIGNED_AT, "embedded"),
        ("Lab 'One'", SIGNED_AT + timedelta(1), "ocsp"),
    ]


def test_no_more_than_twenty_are_looked_at(trust: Trust) -> None:
    leaf = carrying(*(STRANGER.sct(b"x", None, SIGNED_AT + timedelta(n)) for n in range(30)))
    assert len(timestamps(leaf, WE2, [], trust)) == MAX_TIMESTAMPS
    listed = pki.sct_list([ONE.sct(leaf.der, None, SIGNED_AT)])
    assert {stamp.via for stamp in timestamps(leaf, WE2, [listed] * 50, trust)} == {"embedded"}


def test_a_time_beyond_the_calendar(trust: Trust) -> None:
    serialized = made()
    (stamp,) = timestamps(carrying(serialized[:33] + b"\xff" * 8 + serialized[41:]), WE2, (), trust)
    assert (stamp.result, stamp.time) == ("invalid", None)


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\0", b"\0\1", b"\0\1\0", b"\0\2\0\0", b"\0\4\0\5abc", b"\0\3\0\0\0"])
def test_a_list_that_does_not_come_out_even(trust: Trust, raw: bytes) -> None:
    assert results(carrying(raw=raw), trust) == []
    assert results(issued(), trust, lists=(raw,)) == []


def test_a_leaf_only_the_lenient_reader_takes(trust: Trust) -> None:
    leaf = issued(ONE)
    spoilt = Certificate(leaf.der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04", 1))
    assert spoilt.handle is None
    assert results(spoilt, trust) == []


# -- in an OCSP answer ----------------------------------------------------------------------------------------------


def answer(
    lists: bytes | None, serial: int = 77, *, revoked: bool = False, more: bytes = b"", version: bool = False
) -> bytes:
    """An OCSP answer (RFC 6960 §4.2.1) with a list of timestamps; its signature is nobody's."""
    octets = der.encoded(der.OCTET_STRING, b"\0" * 20)
    algorithm = der.encoded(der.SEQUENCE, der.encoded(der.OID, bytes.fromhex("2b0e03021a")))
    identifier = der.encoded(der.SEQUENCE, algorithm, octets, octets, der.integer(serial))
    time = der.encoded(der.GENERALIZED_TIME, b"20261120080000Z")
    status = der.encoded(0xA1, time) if revoked else der.encoded(0x80)
    until = der.encoded(0xA0, time)
    extension = b""
    if lists is not None:
        oid = der.encoded(der.OID, bytes.fromhex("2b06010401d679020405"))
        value = der.encoded(der.OCTET_STRING, der.encoded(der.OCTET_STRING, lists))
        extension = der.encoded(0xA1, der.encoded(der.SEQUENCE, der.encoded(der.SEQUENCE, oid, value)))
    single = der.encoded(der.SEQUENCE, identifier, status, time, until, extension)
    responder = der.encoded(0xA2, octets)
    first = der.encoded(0xA0, der.integer(0)) if version else b""
    data = der.encoded(der.SEQUENCE, first, responder, time, der.encoded(der.SEQUENCE, single, more))
    signed = der.encoded(der.SEQUENCE, data, algorithm, der.encoded(der.BIT_STRING, b"\0sig"))
    kind = der.encoded(der.OID, bytes.fromhex("2b0601050507300101"))
    held = der.encoded(der.SEQUENCE, kind, der.encoded(der.OCTET_STRING, signed))
    return der.encoded(der.SEQUENCE, der.encoded(der.ENUMERATED, b"\0"), der.encoded(0xA0, held))


@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("version", [False, True])
def test_timestamps_in_a_stapled_answer(trust: Trust, revoked: bool, version: bool) -> None:
    leaf = issued()
    listed = pki.sct_list([ONE.sct(leaf.der, None, SIGNED_AT, extensions=b"abc"), TWO.sct(b"other", None, SIGNED_AT)])
    staple = answer(listed, leaf.serial, revoked=revoked, version=version)
    assert sct_lists_in(staple) == sct_lists_in(staple, leaf.serial) == (listed,)
    assert sct_lists_in(staple, leaf.serial + 1) == ()
    stamps = timestamps(leaf, WE2, sct_lists_in(staple), trust)
    assert [(stamp.result, stamp.via) for stamp in stamps] == [("valid", "ocsp"), ("invalid", "ocsp")]


def test_the_answer_is_read_as_cryptography_reads_it() -> None:
    """Else the test would prove no more than that reader and writer agree."""
    read = x509.ocsp.load_der_ocsp_response(answer(pki.sct_list([made()])))
    assert read.serial_number == 77
    (extension,) = read.single_extensions
    assert extension.oid.dotted_string == STAPLED
    assert isinstance(extension.value, x509.SignedCertificateTimestamps)
    assert [each.log_id for each in extension.value] == [ONE.id]


def test_answers_without_a_list() -> None:
    assert sct_lists_in(answer(None)) == ()
    for path in sorted(shared_data("ocsp").rglob("*")):
        if path.is_file():
            assert isinstance(sct_lists_in(path.read_bytes()), tuple)


def test_an_answer_of_the_laboratory_s_authority_has_none() -> None:
    assert sct_lists_in(LAB.we2.ocsp_answer(LAB.we2.issue([HOST]).certificate)) == ()


def test_an_answer_too_large_is_not_read() -> None:
    listed = pki.sct_list([made()])
    assert sct_lists_in(answer(listed, more=der.encoded(der.SEQUENCE, b"\0" * (1 << 15)))) == ()


# -- together -------------------------------------------------------------------------------------------------------


def test_what_timestamps_prove_together(trust: Trust) -> None:
    def of(*logs: pki.Log, issuer: Certificate = WE2) -> str:
        return summary(timestamps(issued(*logs), issuer, (), trust))

    assert of() == "absent"
    assert of(STRANGER) == "unknown-log"
    assert of(ONE) == of(ONE, SAME) == of(ONE, STRANGER) == "one-operator"
    assert of(ONE, TWO) == of(ONE, SAME, TWO, STRANGER) == "verified"
    stranger = Certificate(LAB.wr2.certificate.public_bytes(Encoding.DER))
    assert of(ONE, TWO, issuer=stranger) == of(ONE, STRANGER, issuer=stranger) == "invalid"
    assert of(STRANGER, issuer=stranger) == "unknown-log"
    false = timestamps(issued(ONE, TWO), WE2, [pki.sct_list([SAME.sct(b"", None, SIGNED_AT)])], trust)
    assert summary(false) == "invalid"  # one false signature outweighs two true ones


def test_a_leaf_met_again_is_not_verified_again(trust: Trust) -> None:
    leaf = issued(ONE, TWO)
    first = timestamps(leaf, WE2, (), trust)
    before = transparency._timestamps.cache_info()
    again = timestamps(Certificate(bytes(leaf.der)), WE2, [], trust)
    after = transparency._timestamps.cache_info()
    assert again is first
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    assert timestamps(leaf, WE2, (), Trust.default()) != first  # other logs, another answer


# -- whatever the bytes ---------------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_list_raises(inside: bytes, stapled: bytes) -> None:
    stamps = timestamps(carrying(raw=inside), WE2, [stapled], Trust.default())
    assert "valid" not in {stamp.result for stamp in stamps}


LEAF = issued(ONE, TWO)
STAPLE = answer(pki.sct_list([ONE.sct(LEAF.der, None, SIGNED_AT)]), LEAF.serial)


@given(st.data())
@settings(max_examples=300)
def test_no_altered_answer_raises(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(STAPLE)))
    changed = STAPLE[:at] + data.draw(st.binary(max_size=4)) + STAPLE[at + data.draw(st.integers(0, 4)) :]
    assert all(isinstance(each, bytes) for each in sct_lists_in(changed))
    assert isinstance(sct_lists_in(data.draw(st.binary(max_size=200))), tuple)


@given(st.data())
@settings(max_examples=300)
def test_no_altered_leaf_keeps_its_timestamps(trust: Trust, data: st.DataObject) -> None:
    """Whichever octet of what its issuer signed is another; the logs did not see the issuer's signature."""
    assert LEAF.handle is not None
    at = 4 + data.draw(st.integers(0, len(LEAF.handle.tbs_certificate_bytes) - 1))
    octet = LEAF.der[at] ^ data.draw(st.integers(1, 255))
    altered = LEAF.der[:at] + bytes((octet,)) + LEAF.der[at + 1 :]
    valid = [stamp.log for stamp in transparency._timestamps(altered, WE2.spki, (), trust) if stamp.result == "valid"]
    assert len(valid) <= 1  # where only the other one was altered
