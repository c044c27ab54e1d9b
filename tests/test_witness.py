"""The witnesses: they agree, disagree or abstain, and change nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import tlsinspect
from tests.conftest import shared_data
from tlsinspect.certificate import Certificate
from tlsinspect.evidence import witness
from tlsinspect.evidence.path import find_path
from tlsinspect.evidence.witness import Abstention, Opinion, ask_certvalidator, ask_openssl, opinions
from tlsinspect.lab import pki
from tlsinspect.model import Assessment, Authority
from tlsinspect.trust import Trust, certificates_in

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOST = "www.googleapis.com"


def chain_and_path(stem: str) -> tuple[tuple[Certificate, ...], tuple[Certificate, ...], datetime]:
    """A recorded Google chain, its path, and the middle of its leaf's life."""
    (file,) = (shared_data("google_chains")).glob(f"{stem}*.pem")
    chain = tuple(certificates_in(file.read_bytes()))
    leaf = Certificate(chain[0])
    middle = leaf.not_before + (leaf.not_after - leaf.not_before) / 2
    path = find_path(chain, leaf.dns_names[0].replace("*", "any"), Authority.GOOGLE, middle, Trust.default())
    return tuple(map(Certificate, chain)), path.certificates, middle


def answers(said: tuple[Opinion, ...]) -> dict[str, str]:
    return {each.witness: each.answer for each in said}


def test_both_agree_on_every_recorded_chain_of_today() -> None:
    files = list(shared_data("google_chains").glob("202[2-9]*.pem"))
    assert len(files) > 10
    for file in files:
        chain, path, middle = chain_and_path(file.stem)
        said = opinions(path, chain, middle, True, Trust.default())
        assert answers(said) == {"OpenSSL": "agrees", "certvalidator": "agrees"}, file.name


def test_both_see_an_expired_certificate() -> None:
    chain, path, middle = chain_and_path("2024-02-05_www.google.com_GTS_CA_1C3_EC")
    late = middle + timedelta(days=400)
    said = opinions(path, chain, late, False, Trust.default())
    assert answers(said) == {"OpenSSL": "agrees", "certvalidator": "agrees"}
    assert all("expired" in each.reason for each in said)
    wrong = opinions(path, chain, late, True, Trust.default())
    assert answers(wrong) == {"OpenSSL": "disagrees", "certvalidator": "disagrees"}


def test_both_refuse_a_tampered_leaf() -> None:
    _, path, middle = chain_and_path("2024-02-05_www.google.com_GTS_CA_1C3_EC")
    broken = bytearray(path[0].der)
    broken[-1] ^= 1
    forged = (Certificate(bytes(broken)), *path[1:])
    assert ask_openssl(forged, path[-1:], middle) is not None
    assert "signature" in (ask_certvalidator(forged, middle) or "")


def test_openssl_reads_the_time_in_utc() -> None:
    """pyOpenSSL takes the wall clock of a datetime, whatever its zone."""
    from zoneinfo import ZoneInfo

    chain, path, _ = chain_and_path("2024-02-05_www.google.com_GTS_CA_1C3_EC")
    just_before = path[0].not_before - timedelta(hours=1)
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        try:
            local = just_before.astimezone(ZoneInfo(zone))
        except KeyError:
            pytest.skip("this machine has no time zones")
        assert ask_openssl(chain, path[-1:], local) is not None


def test_abstentions_are_no_disagreements() -> None:
    google = pki.google_like(NOW)  # its authorities carry name constraints, which certvalidator does not know
    issued = google.wr2.issue([HOST])
    path = (*map(Certificate, issued.ders), Certificate(google.r1.certificate.public_bytes(Encoding.DER)))
    with pytest.raises(Abstention, match="name constraints"):
        ask_certvalidator(path, NOW)
    with pytest.raises(Abstention, match="no path"):
        ask_certvalidator((), NOW)
    with pytest.raises(Abstention, match="1 certificates"):
        ask_certvalidator(path[:1], NOW)
    with pytest.raises(Abstention, match="9 certificates"):
        ask_certvalidator(path[:1] * 9, NOW)


def test_a_witness_that_fails_its_self_test_abstains(monkeypatch: pytest.MonkeyPatch) -> None:
    _, path, middle = chain_and_path("2024-02-05_www.google.com_GTS_CA_1C3_EC")
    witness._self_test.cache_clear()
    monkeypatch.setattr(witness, "_certvalidator", lambda _path, _at: None)  # one that accepts everything
    with pytest.raises(Abstention, match="self-test"):
        ask_certvalidator(path, middle)
    witness._self_test.cache_clear()


def classify(witness: bool) -> Assessment:
    issued = pki.fiddler(NOW).issue([HOST], send_root=True)
    return tlsinspect.classify(issued.ders, HOST, at=NOW, witness=witness)


def test_they_are_findings_and_have_no_vote() -> None:
    without, with_them = classify(False), classify(True)
    codes = {f.code for f in with_them.findings} - {f.code for f in without.findings}
    assert codes == {"witness-openssl", "witness-certvalidator"}
    assert (without.verdict, without.confidence, without.explanation) == (
        with_them.verdict,
        with_them.confidence,
        with_them.explanation,
    )
    said = {f.values["witness"]: f.values["answer"] for f in with_them.findings if f.code.startswith("witness-")}
    assert said == {"OpenSSL": "agrees", "certvalidator": "abstains"}
