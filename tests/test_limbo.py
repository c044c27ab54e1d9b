"""The judge before the conformance suite x509-limbo, and before every chain recorded that is not Google's.

Two things are asked of each: what comes out, and that something comes out at all, soon and without a word on the
terminal. Where our answer differs from the suite's, `limbo_differences.toml` says why.
"""

import csv
import json
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_crl

import tlsinspect
from tests.conftest import ROOT, shared_data
from tests.test_judge import codes, own_name, recorded
from tlsinspect import Trust
from tlsinspect.certificate import Certificate
from tlsinspect.cli import main
from tlsinspect.model import Assessment, Confidence, Revocation, RevocationReason, Verdict
from tlsinspect.trust import certificates_in

NEVER_ACCEPTED = {"trust", "malformed", "denial-of-service"}
SECONDS = 1.0  # of CPU; an ordinary case takes a hundredth of that
DIFFERENCES = ROOT / "tests" / "limbo_differences.toml"
YEARS = range(2009, 2031)
GOOGLES = ("www.google.com", "accounts.google.com", "www.googleapis.com", "oauth2.googleapis.com")


# -- the suite -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A case of the suite that is about a server."""

    id: str
    chain: tuple[bytes, ...]
    roots: bytes
    name: str
    at: datetime
    accept: bool
    crls: tuple[bytes, ...]

    def judged(self, **options: Any) -> Assessment:
        settings = {"authority": "public", "possession_proven": True, "crls": self.crls, **options}
        trust = settings.pop("trust", None) or Trust.default().with_public_roots(self.roots)
        return tlsinspect.classify(self.chain, self.name, at=self.at, trust=trust, **settings)


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    verdict: str  # or what was raised, which accepts nothing
    raised: str
    seconds: float

    unlearnt: bool  # lists were given, and of a certificate below the anchor they do not say that it is good

    @property
    def accepted(self) -> bool:
        """Who gives a list wants to know: what cannot be learnt from it is a failure to the suite."""
        return self.verdict == Verdict.GENUINE and not self.unlearnt


@cache
def suite() -> Mapping[str, Case]:
    raw = json.loads(shared_data("limbo/limbo-core.json").read_text(encoding="utf-8"))["testcases"]
    return {each["id"]: _case(each) for each in raw if each["validation_kind"] == "SERVER"}


def _case(raw: Mapping[str, Any]) -> Case:
    pems = [raw["peer_certificate"], *raw["untrusted_intermediates"]]
    chain = tuple(der for pem in pems for der in certificates_in(pem.encode()))
    leaf = Certificate(chain[0])
    said = raw["validation_time"]
    at = datetime.fromisoformat(said) if said else leaf.not_before + (leaf.not_after - leaf.not_before) / 2
    # One case asks for no name at all; its leaf's own is as good as any.
    name = raw["expected_peer_name"]["value"] if raw["expected_peer_name"] else own_name(leaf)
    roots = "\n".join(raw["trusted_certs"]).encode()
    return Case(raw["id"], chain, roots, name, at, raw["expected_result"] == "SUCCESS", tuple(_lists(raw)))


def _lists(raw: Mapping[str, Any]) -> Iterator[bytes]:
    for pem in raw["crls"]:
        yield load_pem_x509_crl(pem.encode()).public_bytes(Encoding.DER)


@cache
def meaning() -> Mapping[str, str]:
    """What accepting a case by mistake would mean."""
    with shared_data("limbo/classes.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["class_of_a_false_accept"] for row in csv.DictReader(file)}


@cache
def outcomes() -> Mapping[str, Outcome]:
    return {case.id: _outcome(case) for case in suite().values()}


def _outcome(case: Case) -> Outcome:
    verdict, raised, unlearnt = "", "", False
    begun = time.process_time()
    try:
        found = case.judged()
        verdict = found.verdict
        unlearnt = bool(case.crls) and any(status.state is not Revocation.GOOD for status in found.revocation)
    except Exception as error:  # noqa: BLE001 - that is what is asked: that there is none
        raised = f"{type(error).__name__}: {error}"
    return Outcome(verdict, raised, time.process_time() - begun, unlearnt)


@cache
def listed() -> Mapping[str, Mapping[str, str]]:
    rows = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))["difference"]
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows), "a case is listed twice"
    return found


def test_every_case_about_servers_has_a_class() -> None:
    """A suite that shrank, or cases nobody has thought about, would prove less than they seem to."""
    assert len(suite()) == 198
    refused = {case.id for case in suite().values() if not case.accept}
    assert refused <= {id_ for id_, class_ in meaning().items() if class_}


def test_no_case_ends_in_a_traceback() -> None:
    assert {id_: o.raised for id_, o in outcomes().items() if o.raised} == {}


def test_every_case_is_answered_soon() -> None:
    """Thousands of names against thousands of constraints included."""
    assert {id_: round(o.seconds, 1) for id_, o in outcomes().items() if o.seconds > SECONDS} == {}


def test_nothing_is_accepted_that_would_hurt() -> None:
    harmful = {id_ for id_, class_ in meaning().items() if class_ in NEVER_ACCEPTED}
    false = {case.id for case in suite().values() if not case.accept and outcomes()[case.id].accepted}
    assert false & harmful == set()


# What is learnt of the leaf from the lists of each case, and why where it is nothing.
LISTS: dict[str, tuple[Revocation, RevocationReason | None]] = {
    "certificate-not-on-crl": (Revocation.GOOD, None),
    "certificate-serial-on-crl-different-issuer": (Revocation.GOOD, None),
    "crlnumber-critical": (Revocation.UNKNOWN, RevocationReason.MALFORMED),
    "crlnumber-missing": (Revocation.UNKNOWN, RevocationReason.MALFORMED),
    "issuer-missing-crlsign": (Revocation.UNKNOWN, RevocationReason.NOT_AUTHORISED),
    "issuer-no-keyusage-extension": (Revocation.GOOD, None),
    "issuer-valid-crlsign-and-keycertsign": (Revocation.GOOD, None),
    "revoked-certificate-with-crl": (Revocation.REVOKED, None),
}


def test_every_case_about_lists_is_among_them() -> None:
    assert {case.id for case in suite().values() if case.crls} == {f"crl::{name}" for name in LISTS}


@pytest.mark.parametrize("name", LISTS)
def test_what_is_learnt_from_lists(name: str) -> None:
    """By the judge and by the function for one certificate alike; a list that is no good takes nothing from the path,
    which is why only a revocation moves the verdict."""
    case = suite()[f"crl::{name}"]
    found = case.judged()
    (leaf,) = found.revocation
    assert (leaf.state, leaf.reason) == LISTS[name]
    assert (found.verdict is Verdict.REVOKED) is (leaf.state is Revocation.REVOKED)
    assert (leaf.state is Revocation.GOOD) is case.accept
    (root,) = (c for c in certificates_in(case.roots) if Certificate(c).subject == Certificate(case.chain[0]).issuer)
    alone = tlsinspect.check_revocation(case.chain[0], root, at=case.at, crls=case.crls)
    assert (alone.state, alone.reason) == LISTS[name]


def test_every_difference_is_listed_and_none_is_listed_in_vain() -> None:
    """In both directions: a difference that is gone must leave the list."""
    differing = {id_ for id_, o in outcomes().items() if o.accepted is not suite()[id_].accept}
    assert differing == set(listed())


def test_the_list_says_what_is_so() -> None:
    for id_, row in listed().items():
        assert row["expected"] == ("accept" if suite()[id_].accept else "refuse"), id_
        assert row["ours"] == outcomes()[id_].verdict, id_
        assert len(row["reason"].split()) > 4, id_
        assert set(row) == {"id", "expected", "ours", "reason"}, id_


@pytest.mark.parametrize("case", ["pathological::nc-dos-1", "pathological::nc-dos-2", "pathological::nc-dos-3"])
def test_constraints_nobody_signed_cost_no_time(case: str) -> None:
    """The same names and constraints in a chain that any stranger can present to anybody who scans Google's hosts."""
    hostile = suite()[case]
    chain = [*hostile.chain, *certificates_in(hostile.roots)]
    begun = time.process_time()
    found = tlsinspect.classify(chain, "www.google.com", at=hostile.at, authority="google")
    spent = time.process_time() - begun
    assert found.verdict is not Verdict.GENUINE
    assert spent < SECONDS


# -- the suite's chains of real servers ------------------------------------------------------------------------------


@cache
def online(*, google: bool) -> tuple[Case, ...]:
    of_google = {"online::google.com", "online::storage.googleapis.com"}
    found = [case for id_, case in suite().items() if id_.startswith("online::") and (id_ in of_google) is google]
    return tuple(found)


def moments() -> Iterator[datetime]:
    """One in every year, not always the same day."""
    for year in YEARS:
        yield datetime(year, year % 12 + 1, year % 28 + 1, 12, tzinfo=UTC)


def test_the_suite_s_own_google_chains_are_google_s() -> None:
    """What follows would hold of a judge that refuses everything; this would not."""
    assert len(online(google=True)) == 2
    for case in online(google=True):
        found = case.judged(authority="google", trust=Trust.default())
        assert (found.verdict, found.confidence) == ("genuine", "certain"), case.id


def test_a_real_chain_of_somebody_else_is_never_google_s() -> None:
    assert len(online(google=False)) == 12
    for case in online(google=False):
        for at in moments():
            for host in GOOGLES:
                found = tlsinspect.classify(case.chain, host, at=at, authority="google", possession_proven=True)
                assert found.verdict is Verdict.WRONG_HOST, (case.id, host, at)


def test_for_its_own_name_it_is_signed_by_whoever_signed_it() -> None:
    """Were Google to have signed for these names: one of them really is a customer of Google Trust Services."""
    found = {case.id: case.judged(authority="google", trust=Trust.default()) for case in online(google=False)}
    customer = found.pop("online::cloudflare.com")
    assert customer.verdict is Verdict.GENUINE
    reserved = [a for a in found.values() if a.verdict is Verdict.GENUINE]  # by a root Google may move to, and logged
    assert all("root-alternate" in {f.code for f in a.findings} for a in reserved)
    assert all(a.confidence is Confidence.STRONG for a in reserved)
    assert {a.verdict for a in found.values() if a not in reserved} == {Verdict.UNEXPECTED_CA}


# -- everything recorded that was forged or issued by mistake --------------------------------------------------------


def forgeries() -> list[Path]:
    return [p for folder in ("interception", "misissued", "misissued_blocklist") for p in recorded(folder)]


def names_of(leaf: Certificate) -> Iterator[str]:
    """Google's names, and a few of the leaf's own where they can be asked for."""
    yield from GOOGLES
    for own in leaf.dns_names[:3]:
        asked = own.lower().replace("*", "any")
        if (
            asked.isascii()
            and "." in asked
            and all(part.strip("-").replace("-", "").isalnum() for part in asked.split("."))
        ):
            yield asked


@pytest.mark.slow
def test_nothing_forged_is_genuine_in_any_year(capfd: pytest.CaptureFixture[str]) -> None:
    """Chains as recorded, and each certificate of them alone. Any warning is an error to pytest."""
    count = 0
    for path in forgeries():
        chain = list(certificates_in(path.read_bytes()))
        for presented in {tuple(chain[i:]) for i in range(len(chain))} | {(der,) for der in chain}:
            count += 1
            for host in names_of(Certificate(presented[0])):
                for at in moments():
                    found = tlsinspect.classify(presented, host, at=at, authority="google", possession_proven=True)
                    assert found.verdict is not Verdict.GENUINE, (path.name, host, at)
    assert count >= 115
    assert capfd.readouterr() == ("", "")


def test_a_forgery_is_the_same_whenever_it_is_asked_about() -> None:
    """The years change what is said beside the verdict, and nothing else: dates of the unproven decide nothing."""
    for path in forgeries():
        chain = list(certificates_in(path.read_bytes()))
        found = [tlsinspect.classify(chain, GOOGLES[0], at=at, authority="google") for at in moments()]
        within = [a for a in found if "trust-data-outdated" not in {a.rule, *codes(a)}]
        assert len({(a.verdict, a.rule) for a in within}) == 1, path.name


def test_the_command_has_an_answer_for_each_and_no_other_word(capsys: pytest.CaptureFixture[str]) -> None:
    for path in forgeries():
        leaf = Certificate(next(certificates_in(path.read_bytes())))
        at = f"{min(max(leaf.not_before.year, 2009), 2030) + 1}-06-01T00:00:00Z"
        status = main(["classify", str(path), "--host", GOOGLES[0], "--authority", "google", "--at", at])
        out, err = capsys.readouterr()
        assert status in (1, 3), path.name
        assert err == "", path.name
        assert out.strip(), path.name
        assert "genuine" not in out.splitlines()[0], path.name
