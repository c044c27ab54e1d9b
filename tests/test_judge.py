"""The judge on real certificates: made here in every shape, and recorded over fifteen years."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

import tlsinspect
from tests.conftest import shared_data
from tlsinspect import Trust
from tlsinspect.certificate import Certificate
from tlsinspect.lab.pki import (
    GoogleLike,
    Issued,
    cases,
    fiddler,
    google_like,
    impersonator,
    name,
    nameless,
    plain_corporate,
    poisoned,
    self_signed,
    weak,
)
from tlsinspect.model import Assessment, Basis, Confidence, Verdict
from tlsinspect.trust import certificates_in

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOST = "www.googleapis.com"
DAY = timedelta(days=1)
TESTCERTS = Path(__file__).parent.parent / "testcerts"


@cache
def google() -> GoogleLike:
    return google_like(NOW)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    path = tmp_path_factory.mktemp("trust") / "roots.pem"
    path.write_bytes(google().roots_pem)
    return Trust.load(path)


Classify = Callable[..., Assessment]


@pytest.fixture
def judged(stand_in: Trust) -> Classify:
    """Classify what the lab's authorities issued, as if seen live."""

    def classify(issued: Issued, host: str = HOST, *, at: datetime = NOW, **options: object) -> Assessment:
        settings = {"trust": stand_in, "possession_proven": True, "authority": "google", **options}
        return tlsinspect.classify(issued.ders, host, at=at, **settings)  # type: ignore[arg-type]

    return classify


def us_name(organisation: str, common_name: str) -> x509.Name:
    return name(
        (NameOID.COUNTRY_NAME, "US"), (NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common_name)
    )


def codes(assessment: Assessment) -> set[str]:
    return {finding.code for finding in assessment.findings}


# -- the five cases every peer gets wrong somewhere ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "product", "also"),
    [
        ("A", "fiddler-classic", set()),
        ("B", "zscaler", set()),
        ("C", "zscaler", set()),
        ("D", "fiddler-classic", {"certificate-expired"}),
        ("E", None, {"issuer-impersonated"}),
    ],
)
def test_the_five_cases(case: str, product: str | None, also: set[str]) -> None:
    assessment = tlsinspect.classify(cases(NOW, HOST)[case].ders, HOST, at=NOW)
    assert assessment.verdict is Verdict.INTERCEPTED
    assert (assessment.attribution.id if assessment.attribution else None) == product
    assert also <= codes(assessment)


@pytest.mark.parametrize("path", sorted(TESTCERTS.glob("case-*.pem")), ids=lambda p: p.stem)
def test_the_five_cases_as_shipped(path: Path) -> None:
    assessment = tlsinspect.classify(list(certificates_in(path.read_bytes())), HOST, at=NOW)
    assert assessment.verdict is Verdict.INTERCEPTED
    assert assessment.basis is Basis.RECORDED


# -- genuine, and everything that is nearly so ---------------------------------------------------------------------


def test_genuine(judged: Classify) -> None:
    assessment = judged(google().wr2.issue([HOST]))
    assert (assessment.verdict, assessment.confidence) == (Verdict.GENUINE, Confidence.STRONG)  # a stand-in's word
    assert assessment.path == ("WR2", "GTS Root R1")
    assert "trust-stand-in" in codes(assessment)


def test_a_lab_named_like_google_is_not_google() -> None:
    """The same chain without --trust: names prove nothing."""
    assessment = tlsinspect.classify(google().wr2.issue([HOST]).ders, HOST, at=NOW, possession_proven=True)
    assert assessment.verdict is Verdict.INTERCEPTED
    assert "issuer-impersonated" in codes(assessment)


def test_a_recorded_chain_shows_no_possession(judged: Classify) -> None:
    assessment = judged(google().we2.issue([HOST]), possession_proven=False)
    assert assessment.verdict is Verdict.GENUINE
    assert "possession-unproven" in codes(assessment)


def test_a_genuine_chain_behind_a_foreign_leaf_proves_nothing(judged: Classify) -> None:
    genuine = google().wr2.issue([HOST])
    foreign = plain_corporate(NOW).issue([HOST]).alone().followed_by(*genuine.chain, google().r1.certificate)
    assert judged(foreign).verdict is Verdict.INTERCEPTED


def test_a_google_signed_leaf_for_another_name(judged: Classify) -> None:
    assessment = judged(google().wr2.issue(["evil.test"]))
    assert assessment.verdict is Verdict.WRONG_HOST
    assert "other-google-name" not in codes(assessment)


def test_a_google_signed_leaf_for_another_google_name(judged: Classify) -> None:
    assessment = judged(google().wr2.issue(["docs.google.com"]))
    assert assessment.verdict is Verdict.WRONG_HOST
    assert "other-google-name" in codes(assessment)


def test_self_signed_for_the_right_name(judged: Classify) -> None:
    assessment = judged(self_signed(HOST, NOW))
    assert assessment.verdict is Verdict.INTERCEPTED
    assert "self-signed" in codes(assessment)


def test_a_foreign_leaf_with_no_name_at_all(judged: Classify) -> None:
    assessment = judged(nameless(plain_corporate(NOW)))
    assert assessment.verdict is Verdict.WRONG_HOST
    assert "not-google" in codes(assessment)


def test_an_impersonated_issuer_is_never_unknown(judged: Classify) -> None:
    for issued in (impersonator(NOW).issue([HOST]), impersonator(NOW).issue([HOST]).alone()):
        assessment = judged(issued)
        assert assessment.verdict is Verdict.INTERCEPTED
        assert "issuer-impersonated" in codes(assessment)


def test_a_false_name_in_other_letters_is_still_that_name() -> None:
    lie = name(
        (NameOID.COUNTRY_NAME, "US"), (NameOID.ORGANIZATION_NAME, "google trust SERVICES"), (NameOID.COMMON_NAME, "wr2")
    )
    issued = plain_corporate(NOW).issue([HOST], issuer_name=lie).alone()
    assessment = tlsinspect.classify(issued.ders, HOST, at=NOW)
    assert assessment.verdict is Verdict.INTERCEPTED
    assert "issuer-impersonated" in codes(assessment)


def test_an_intermediate_we_have_never_heard_of_may_be_googles() -> None:
    new = name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Google Trust Services"),
        (NameOID.COMMON_NAME, "WR99"),
    )
    issued = plain_corporate(NOW).issue([HOST], issuer_name=new, issuer_key_id=b"\x01" * 20).alone()
    assessment = tlsinspect.classify(issued.ders, HOST, at=NOW)
    assert (assessment.verdict, assessment.rule) == (Verdict.INCONCLUSIVE, "unknown-intermediate")


def test_that_intermediate_presented_without_googles_signature_is_foreign() -> None:
    new = name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Google Trust Services"),
        (NameOID.COMMON_NAME, "WR99"),
    )
    issued = plain_corporate(NOW).subordinate(new).issue([HOST])
    assert tlsinspect.classify(issued.ders, HOST, at=NOW).verdict is Verdict.INTERCEPTED


def test_a_signature_from_the_future_excludes_nobody() -> None:
    """An algorithm nobody knew when this was released, as Merkle tree certificates will bring one."""
    leaf = plain_corporate(NOW).issue([HOST]).ders[0]
    ecdsa_with_sha256, unheard_of = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037b")
    assert leaf.count(ecdsa_with_sha256) == 2
    assessment = tlsinspect.classify([leaf.replace(ecdsa_with_sha256, unheard_of)], HOST, at=NOW)
    assert (assessment.verdict, assessment.rule) == (Verdict.INCONCLUSIVE, "signature-unknown")


def test_a_precertificate_proves_no_endpoint(judged: Classify) -> None:
    assert judged(poisoned(google().wr2, HOST)).rule == "precertificate"


def test_a_weak_leaf_key_proves_nobody(judged: Classify) -> None:
    assert judged(weak(google().wr2, HOST)).rule == "leaf-key-weak"


def test_the_name_in_the_common_name_alone_is_a_defect(judged: Classify) -> None:
    subject = name((NameOID.COMMON_NAME, HOST))
    bare = google().wr2.issue([HOST], subject=subject, drop=[ExtensionOID.SUBJECT_ALTERNATIVE_NAME])
    assert judged(bare).rule == "strict-profile-defect"


def test_a_signature_with_sha1_is_a_defect_not_an_interceptor(judged: Classify) -> None:
    assessment = judged(google().wr2.issue([HOST], sha1=True))
    assert (assessment.verdict, assessment.rule) == (Verdict.INCONCLUSIVE, "strict-profile-defect")


def test_name_constraints_are_kept(judged: Classify) -> None:
    """The lab's roots may sign for Google's names only: a leaf for another name has no path at all."""
    assessment = judged(google().wr2.issue(["www.example.com"]), "www.example.com")
    assert assessment.verdict is Verdict.INTERCEPTED


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (0, 1, 1, 2, 2)])
def test_shuffled_and_repeated_certificates_change_nothing(stand_in: Trust, order: tuple[int, ...]) -> None:
    issued = google().wr2.issue([HOST], send_root=True)
    chain = [issued.ders[i] for i in order]
    assert tlsinspect.classify(chain, HOST, at=NOW, trust=stand_in).verdict is Verdict.GENUINE


# -- time ------------------------------------------------------------------------------------------------------------


def test_expired_and_not_yet_valid(judged: Classify) -> None:
    issued = google().wr2.issue([HOST], not_before=NOW - 5 * DAY, not_after=NOW + 5 * DAY)
    assert judged(issued, at=NOW + 6 * DAY).verdict is Verdict.EXPIRED
    assert judged(issued, at=NOW - 6 * DAY).verdict is Verdict.NOT_YET_VALID
    assert judged(issued, at=NOW).verdict is Verdict.GENUINE


def test_an_interceptors_dates_decide_nothing(judged: Classify) -> None:
    issued = fiddler(NOW).issue([HOST], not_before=NOW - 90 * DAY, not_after=NOW - 30 * DAY)
    assessment = judged(issued)
    assert assessment.verdict is Verdict.INTERCEPTED
    assert "certificate-expired" in codes(assessment)


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["WWW.GoogleAPIs.com", "www.googleapis.com."])
def test_letter_case_and_a_trailing_dot_are_the_same_name(judged: Classify, asked: str) -> None:
    assessment = judged(google().wr2.issue([HOST]), asked)
    assert assessment.verdict is Verdict.GENUINE
    assert assessment.endpoint.host == HOST


def test_the_certificates_own_letter_case_does_not_matter(judged: Classify) -> None:
    assert judged(google().wr2.issue(["*.GoogleAPIs.COM"])).verdict is Verdict.GENUINE


@pytest.mark.parametrize(
    "claimed", ["*.com", "*", "www.*.com", "w*.googleapis.com", "*.www.googleapis.com", "googleapis.com"]
)
def test_names_that_do_not_cover_the_host(judged: Classify, claimed: str) -> None:
    assert judged(plain_corporate(NOW).issue([claimed])).verdict is Verdict.WRONG_HOST


def test_an_international_name(judged: Classify) -> None:
    issued = google().wr2.issue(["xn--bcher-kva.google.com"])
    assert judged(issued, "bücher.google.com").verdict is Verdict.GENUINE


def test_an_address_as_target(judged: Classify) -> None:
    assert judged(google().wr2.issue(["127.0.0.1"]), "127.0.0.1").verdict is Verdict.GENUINE
    assert judged(google().wr2.issue([HOST]), "127.0.0.1").verdict is Verdict.WRONG_HOST


# -- authorities -----------------------------------------------------------------------------------------------------


def test_other_targets_may_be_signed_by_any_public_authority() -> None:
    assessment = tlsinspect.classify(plain_corporate(NOW).issue(["intranet.test"]).ders, "intranet.test", at=NOW)
    assert (assessment.verdict, assessment.rule) == (Verdict.INCONCLUSIVE, "authority-unknown")


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(tlsinspect.UsageError, match="aware"):
        tlsinspect.classify([b"x"], HOST, at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(tlsinspect.UsageError, match="leaf first"):
        tlsinspect.classify([], HOST, at=NOW)
    with pytest.raises(tlsinspect.UsageError, match="authority"):
        tlsinspect.classify([b"x"], HOST, at=NOW, authority="nobody")


def test_what_no_reader_reads_is_inconclusive() -> None:
    for garbage in (b"", b"0", b"\x30\x82\xff\xff", b"not a certificate" * 100):
        assert tlsinspect.classify([garbage], HOST, at=NOW).rule == "certificate-unreadable"


def test_a_chain_of_a_thousand_ends() -> None:
    issued = plain_corporate(NOW).issue([HOST])
    chain = [issued.ders[0], *(self_signed(f"h{i}.test", NOW).ders[0] for i in range(20))] * 50
    assert tlsinspect.classify(chain, HOST, at=NOW).verdict is Verdict.INTERCEPTED


# -- recorded: see PROVENANCE.md beside the data -------------------------------------------------------------------


def recorded(folder: str) -> list[Path]:
    return sorted(shared_data(folder).rglob("*.pem"))


def chain_of(path: Path) -> list[bytes]:
    return list(certificates_in(path.read_bytes()))


def own_name(leaf: Certificate) -> str:
    names = leaf.dns_names or tuple(v for label, v in leaf.subject if label == "CN")
    return names[0].replace("*", "any")


NOT_GOOGLES = (Verdict.INTERCEPTED, Verdict.UNEXPECTED_CA, Verdict.WRONG_HOST)


def test_recorded_google_chains_are_googles_in_their_time_and_expired_today() -> None:
    """Sixty-six leaves of 2009 to 2024: those a modern client would take are genuine."""
    seen = 0
    for path in recorded("google_chains"):
        chain = chain_of(path)
        leaf = Certificate(chain[0])
        middle = leaf.not_before + (leaf.not_after - leaf.not_before) / 2
        then = tlsinspect.classify(chain, own_name(leaf), at=middle, authority="google")
        assert then.verdict not in NOT_GOOGLES, path.name
        if leaf.poisoned:
            assert then.rule == "precertificate", path.name
            continue
        if leaf.not_before.year >= 2018:
            assert (then.verdict, then.confidence) == (Verdict.GENUINE, Confidence.STRONG), path.name
        today = tlsinspect.classify(chain, own_name(leaf), at=datetime(2026, 11, 1, tzinfo=UTC), authority="google")
        assert today.verdict is Verdict.EXPIRED, path.name
        seen += 1
    assert seen == 64


def test_a_historical_root_vouches_for_nothing_live(stand_in: Trust) -> None:
    """What was genuine in 2017 is not when a server presents it now, and not under another trust."""
    path = next(p for p in recorded("google_chains") if "Authority_G2" in p.name and p.name.startswith("2017"))
    chain, leaf = chain_of(path), Certificate(chain_of(path)[0])
    middle = leaf.not_before + (leaf.not_after - leaf.not_before) / 2
    recorded_then = tlsinspect.classify(chain, own_name(leaf), at=middle, authority="google")
    assert "root-historical" in codes(recorded_then)
    elsewhere = tlsinspect.classify(chain, own_name(leaf), at=middle, authority="google", trust=stand_in)
    assert elsewhere.verdict is not Verdict.GENUINE


def test_chains_as_they_were_presented() -> None:
    """Captures of real connections, with the leaf or its issuers repeated in some."""
    captured = {Path(row["file"]).name: row for row in index() if row["file"].startswith("google_presented/")}
    assert len(captured) == 32
    for path in recorded("google_presented"):
        chain, leaf = chain_of(path), Certificate(chain_of(path)[0])
        at = datetime.fromisoformat(path.name[:10]).replace(hour=12, tzinfo=UTC)
        at = min(max(at, leaf.not_before), leaf.not_after)  # a capture of the day on which it was issued
        assessment = tlsinspect.classify(chain, own_name(leaf), at=at, authority="google")
        assert assessment.verdict not in NOT_GOOGLES, path.name
        assert assessment.verdict is not Verdict.EXPIRED, path.name


def index() -> list[dict[str, str]]:
    with shared_data("INDEX.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_recorded_forgeries_are_never_genuine() -> None:
    for path in [*recorded("interception"), *recorded("misissued"), *recorded("misissued_blocklist")]:
        for year in range(2009, 2031, 3):
            at = datetime(year, 6, 1, tzinfo=UTC)
            for host in ("www.google.com", "mail.google.com", own_name_or(path)):
                assessment = tlsinspect.classify(chain_of(path), host, at=at, authority="google")
                assert assessment.verdict is not Verdict.GENUINE, (path.name, host, at)


def own_name_or(path: Path) -> str:
    leaf = Certificate(chain_of(path)[0])
    plain = [n for n in leaf.dns_names if "*" not in n and n.isascii() and "." in n and " " not in n]
    return plain[0] if plain else "accounts.google.com"


@pytest.mark.parametrize(
    ("stem", "product"),
    [("fiddler-forged-star.google.com", "fiddler-classic"), ("fortigate-forged-imap.gmail.com-2009", "fortigate")],
)
def test_recorded_interceptors_are_named(stem: str, product: str) -> None:
    chain = chain_of(shared_data("interception/leafs") / f"{stem}.pem")
    assessment = tlsinspect.classify(chain, "any.google.com", at=NOW, authority="google")
    assert assessment.attribution is not None
    assert assessment.attribution.id == product
