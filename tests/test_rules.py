"""The rule table against its scenario file, and against itself."""

import itertools
import random
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any, get_args

import pytest

from tlsinspect.judge import rules
from tlsinspect.judge.rules import CAPS, RULES, Decision, Facts, decide
from tlsinspect.judge.words import wording
from tlsinspect.model import Authority, Basis, Confidence, Verdict

_TYPED = {"authority": Authority, "basis": Basis, "dates_confidence": Confidence}


def scenarios() -> list[dict[str, Any]]:
    text = files("tlsinspect.judge").joinpath("scenarios.toml").read_text(encoding="utf-8")
    loaded: list[dict[str, Any]] = tomllib.loads(text)["scenario"]
    return loaded


def facts_of(scenario: dict[str, Any]) -> Facts:
    given: dict[str, Any] = {k: _TYPED[k](v) if k in _TYPED else v for k, v in scenario["given"].items()}
    return Facts(**given)


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda s: s["name"])
def test_scenario(scenario: dict[str, Any]) -> None:
    decision = decide(facts_of(scenario))
    assert (decision.rule.id, decision.verdict, decision.confidence) == (
        scenario["rule"],
        scenario["verdict"],
        scenario["confidence"],
    )
    assert sorted((*decision.also, *decision.caps)) == sorted(scenario.get("findings", []))


def test_every_row_decides_a_scenario() -> None:
    assert {s["rule"] for s in scenarios()} == {rule.id for rule in RULES}


def test_every_cap_is_seen() -> None:
    seen = {finding for s in scenarios() for finding in s.get("findings", [])}
    assert {cap.finding for cap in CAPS} <= seen


def _any_facts(count: int) -> Iterator[Facts]:
    """Arbitrary combinations, most of them impossible in life: the table must be total all the same."""
    chance = random.Random(5280)
    choices: dict[str, tuple[Any, ...]] = {
        "authority": tuple(Authority),
        "basis": tuple(Basis),
        "absence": ("",) * 30 + get_args(rules.AbsenceFact),
        "listed": ("",) * 8 + get_args(rules.ListedFact),
        "signer": get_args(rules.SignerFact),
        "name": ("claimed",) * 4 + get_args(rules.NameFact),
        "possession": get_args(rules.PossessionFact),
        "scts": get_args(rules.SctFact),
        "dates": get_args(rules.DatesFact),
        "dates_confidence": tuple(Confidence),
    }
    flags = ("portal", "poisoned", "shared_key", "outdated", "revoked", "defect", "weak_key", "time_proven",
             "time_contested", "stand_in")  # fmt: skip
    for _ in range(count):
        drawn: dict[str, Any] = {name: chance.choice(values) for name, values in choices.items()}
        drawn |= {flag: chance.random() < 0.3 for flag in flags}
        yield Facts(**drawn)


def test_every_pair_of_neighbours_that_can_meet_has_a_scenario() -> None:
    """Wherever two neighbouring rows can hold together, a scenario shows which of them wins."""
    covered = [facts_of(s) for s in scenarios()]
    possible = list(_any_facts(20_000))
    for first, second in itertools.pairwise(RULES):
        meet = any(first.holds(f) and second.holds(f) for f in possible)
        shown = any(first.holds(f) and second.holds(f) for f in covered)
        assert shown or not meet, f"no scenario in which {first.id} and {second.id} both hold"


def test_the_table_is_total_and_genuine_is_narrow() -> None:
    for facts in _any_facts(20_000):
        decision: Decision = decide(facts)
        if decision.verdict is Verdict.GENUINE:
            assert facts.seen
            assert facts.proven
            assert facts.name == "claimed"
            assert facts.dates == "valid"
            assert facts.possession != "failed"
            assert facts.scts != "invalid"
            assert facts.signer != "google-alternate" or facts.scts == "verified"
            assert not any((facts.revoked, facts.defect, facts.weak_key, facts.listed, facts.poisoned))
        if not facts.seen:
            assert decision.verdict in (
                Verdict.CAPTIVE_PORTAL,
                Verdict.BLOCKED,
                Verdict.UNREACHABLE,
                Verdict.INCONCLUSIVE,
            )
        if decision.verdict is Verdict.INTERCEPTED:
            assert facts.listed or facts.signer in ("private", "impersonated")


def test_what_is_said_of_a_certificate_needs_a_proven_one() -> None:
    """Revocation, timestamps and dates of a leaf that nobody proved move nothing: interceptors copy what they like."""
    said: dict[str, Any] = {"revoked": True, "scts": "invalid", "dates": "expired", "time_contested": True}
    unsaid: dict[str, Any] = {"revoked": False, "scts": "absent", "dates": "valid", "time_contested": False}
    for facts in _any_facts(10_000):
        one, other = replace(facts, **said), replace(facts, **unsaid)
        if one.proven or other.proven:
            continue
        assert decide(one) == decide(other)
        assert decide(one).verdict not in (Verdict.REVOKED, Verdict.EXPIRED, Verdict.NOT_YET_VALID, Verdict.GENUINE)


def test_a_stand_in_is_never_certain() -> None:
    for facts in _any_facts(5_000):
        if facts.stand_in:
            assert decide(facts).confidence is not Confidence.CERTAIN


def test_every_row_and_cap_has_its_words() -> None:
    words = wording()
    live = {rule for rule in words["rule"] if not rule.startswith("log-")}  # the others: test_log_rules.py
    assert {rule.id for rule in RULES} | {rules.UNDESCRIBED.id} == live
    assert {cap.finding for cap in CAPS} <= set(words["finding"])
