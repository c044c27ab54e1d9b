"""Google's signed time: accepted when it is, and nothing else is."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.evidence.timeservice import MAX_BODY, NotSignedError, query, signed_time
from tlsinspect.lab import pki
from tlsinspect.trust import Trust

NOW = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
EMPTY = hashlib.sha256(b"").hexdigest()

# Answers of the real service, recorded by Chromium (components/network_time/network_time_test_utils.cc @12f80d13).
VERSION, NONCE = 7, "123123123"
RECORDED = [
    (
        b')]}\'\n{"current_time_millis":1676407030473,"server_nonce":-7.963518832647831E9}',
        "304402200b875bcd9391c08c319504ea4cac3703b58f50797c99ed008068d232c62f0868"
        "02207babace8807a911ef7af424abdadac5ba118b06d1c68ddbe6c79e0f36da97218",
        1676407030473,
    ),
    (
        b')]}\'\n{"current_time_millis":1676407054804,"server_nonce":2.660379914224199E64}',
        "30450220600b8b15525d52aa939f8174a24b63d3eb2b7543cf1d3a36eabd572518ec5118"
        "022100d6e79c05701e981308d22e95f945a4a1b7cc2b2ce9c67b87fbec44e3d4b2c4a5",
        1676407054804,
    ),
    (
        b')]}\'\n{"current_time_millis":1676407071199,"server_nonce":5.150419571081495E-301}',
        "3045022100f78429f21c9b5e4db283b7b4a81d2f91f51969aae4e9960edf0b82f21c37c84a"
        "02200aa5e9e56bbf3cb16441355759425a31b0052fb371dfcb972d127cf185fe5424",
        1676407071199,
    ),
]
KEYS = Trust.default().time_keys


def refused(body: bytes, proof: str | None, version: int = VERSION, nonce: str = NONCE) -> str:
    with pytest.raises(NotSignedError) as caught:
        signed_time(body, proof, version, nonce, KEYS)
    return str(caught.value)


@pytest.mark.parametrize(("body", "signature", "milliseconds"), RECORDED)
def test_recorded_answers(body: bytes, signature: str, milliseconds: int) -> None:
    told = signed_time(body, f"{signature}:{EMPTY}", VERSION, NONCE, KEYS)
    assert told == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert told.tzinfo is UTC


@pytest.mark.parametrize(("body", "signature", "_"), RECORDED)
def test_an_answer_altered_anywhere(body: bytes, signature: str, _: int) -> None:
    proof = f"{signature}:{EMPTY}"
    for at in range(len(body)):
        for bit in (1, 0x20, 0x80):
            refused(body[:at] + bytes((body[at] ^ bit,)) + body[at + 1 :], proof)
    for at in range(len(proof)):
        for bit in (1, 0x20):
            refused(body, proof[:at] + chr(ord(proof[at]) ^ bit) + proof[at + 1 :])
    refused(body, proof, nonce="123123124")
    refused(body, proof, version=8)
    refused(body, proof, version=5)
    refused(body[:-1], proof)
    refused(body + b"\n", proof)
    refused(body.removeprefix(b")]}'\n"), proof)


def test_a_signature_over_what_was_hashed_once_only() -> None:
    """ECDSA hashes what it is given; the service gives it a hash."""
    service = pki.TimeService(9)
    body, proof = service.answer(query(9, "1"), NOW)
    assert signed_time(body, proof, 9, "1", {9: service.spki}) == NOW
    message = hashlib.sha256(b"").digest() + hashlib.sha256(body).digest() + b"9:1"
    once = service.key.sign(message, ec.ECDSA(hashes.SHA256())).hex()
    with pytest.raises(NotSignedError, match="not the time service's"):
        signed_time(body, f"{once}:{EMPTY}", 9, "1", {9: service.spki})


def test_the_question_names_the_key_the_nonce_and_the_body_it_does_not_have() -> None:
    assert query(8, "abc") == f"cup2key=8:abc&cup2hreq={EMPTY}"


def test_a_key_this_release_does_not_know() -> None:
    body, signature, _ = RECORDED[0]
    assert "does not know key 11" in refused(body, f"{signature}:{EMPTY}", version=11)


@pytest.mark.parametrize(
    "proof",
    [None, "", ":", EMPTY, f":{EMPTY}", f"30:{EMPTY}", f"{RECORDED[0][1]}", f"{RECORDED[0][1]}:{EMPTY}:",
     f" {RECORDED[0][1]}:{EMPTY}", f"{RECORDED[0][1]}:{EMPTY}\n", f"{RECORDED[0][1]}0:{EMPTY}", "\u0663" * 144],
)  # fmt: skip
def test_no_proof(proof: str | None) -> None:
    assert "not signed" in refused(RECORDED[0][0], proof)


def test_an_answer_to_another_question() -> None:
    other = hashlib.sha256(b"x").hexdigest()
    assert "another question" in refused(RECORDED[0][0], f"{RECORDED[0][1]}:{other}")


SERVICE = pki.TimeService(1)


def signed(body: bytes) -> tuple[bytes, str]:
    """A body with a true signature: what Google could send if it made a mistake."""
    message = hashlib.sha256(hashlib.sha256(b"").digest() + hashlib.sha256(body).digest() + b"1:n").digest()
    return body, f"{SERVICE.key.sign(message, ec.ECDSA(hashes.SHA256())).hex()}:{EMPTY}"


PREFIX = b")]}'\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        PREFIX,
        b'{"current_time_millis":1676407030473}',
        PREFIX + b"null",
        PREFIX + b"[]",
        PREFIX + b"{}",
        PREFIX + b'{"current_time_millis":"1676407030473"}',
        PREFIX + b'{"current_time_millis":1676407030473.5}',
        PREFIX + b'{"current_time_millis":true}',
        PREFIX + b'{"current_time_millis":NaN}',
        PREFIX + b'{"current_time_millis":-1}',
        PREFIX + b'{"current_time_millis":0}',
        PREFIX + b'{"current_time_millis":99999999999999}',
        PREFIX + b'{"current_time_millis":' + b"9" * 900 + b"}",
        PREFIX + b'{"current_time_millis":1676407030473} and more',
        PREFIX + b"\xff\xfe{\0}\0",
        PREFIX + b"[" * 1000,
    ],
)
def test_a_true_signature_on_no_time(body: bytes) -> None:
    with pytest.raises(NotSignedError, match=r"the time|no time"):
        signed_time(*signed(body), 1, "n", {1: SERVICE.spki})


def test_an_answer_too_long() -> None:
    body = PREFIX + b'{"current_time_millis":1676407030473}' + b" " * MAX_BODY
    assert len(body[:MAX_BODY]) == MAX_BODY
    assert signed_time(*signed(body[:MAX_BODY]), 1, "n", {1: SERVICE.spki}).year == 2023
    with pytest.raises(NotSignedError, match="too long"):
        signed_time(*signed(body[: MAX_BODY + 1]), 1, "n", {1: SERVICE.spki})


@pytest.mark.parametrize(
    "spki",
    [
        b"",
        b"garbage",
        pki.new_key("rsa1024").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ],
)
def test_trust_data_with_a_key_that_is_none(spki: bytes) -> None:
    body, proof = SERVICE.answer(query(1, "n"), NOW)
    with pytest.raises(NotSignedError):
        signed_time(body, proof, 1, "n", {1: spki})


# -- whatever the bytes ---------------------------------------------------------------------------------------------


@given(st.binary(max_size=1100), st.one_of(st.none(), st.text(max_size=300)), st.integers(), st.text(max_size=40))
def test_nothing_but_a_signature_is_taken(body: bytes, proof: str | None, version: int, nonce: str) -> None:
    with pytest.raises(NotSignedError):
        signed_time(body, proof, version, nonce, KEYS)


@given(st.data())
def test_no_mutation_of_a_recorded_answer_is_taken(data: st.DataObject) -> None:
    body, signature, _ = data.draw(st.sampled_from(RECORDED))
    proof = f"{signature}:{EMPTY}"
    whole = body + proof.encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.integers(0, 3))
    changed = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + cut :]
    split = data.draw(st.sampled_from([len(body), len(body) + len(changed) - len(whole)]))
    other_body, other_proof = changed[:split], changed[split:].decode("latin-1")
    if (other_body, other_proof) == (body, proof):
        return
    with pytest.raises(NotSignedError):
        signed_time(other_body, other_proof, VERSION, NONCE, KEYS)


@given(st.datetimes(datetime(2021, 1, 1), datetime(2099, 1, 1)), st.from_regex(r"[A-Za-z0-9_-]{1,43}", fullmatch=True))  # noqa: DTZ001
def test_the_lab_s_service_is_believed_to_the_millisecond(now: datetime, nonce: str) -> None:
    moment = now.replace(tzinfo=UTC)
    body, proof = SERVICE.answer(query(1, nonce), moment)
    told = signed_time(body, proof, 1, nonce, {1: SERVICE.spki})
    assert timedelta(0) <= moment - told < timedelta(milliseconds=1)
