"""The table by which logs are judged: what its scenario file says comes out, and what it can never say."""

import itertools
import random
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, get_args

import pytest

from tests.conftest import ROOT
from tlsinspect.judge.advice import remedies
from tlsinspect.judge.logs import rules as logrules
from tlsinspect.judge.logs.rules import LOG_RULES, LogFacts, decide_log
from tlsinspect.judge.words import wording
from tlsinspect.logs.codes import Means
from tlsinspect.logs.observed import PlaceFact
from tlsinspect.model import Confidence, Verdict


def scenarios() -> list[dict[str, Any]]:
    text = (ROOT / "tlsinspect" / "judge" / "logs/scenarios.toml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["scenario"]
    return found


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda s: str(s["name"]))
def test_scenario(scenario: dict[str, Any]) -> None:
    rule = decide_log(LogFacts(**scenario["given"]))
    assert (rule.id, rule.verdict, rule.confidence) == (scenario["rule"], scenario["verdict"], scenario["confidence"])


def test_every_row_has_a_scenario() -> None:
    assert {rule.id for rule in LOG_RULES} == {scenario["rule"] for scenario in scenarios()}


def any_facts(count: int) -> Iterator[LogFacts]:
    chance = random.Random(8888)
    choices: dict[str, tuple[Any, ...]] = {
        "certificate": get_args(logrules.CertificateFact),
        "product": ("",) * 4 + get_args(logrules.ProductFact),
        "issuer": get_args(logrules.IssuerFact),
        "subject": get_args(logrules.SubjectFact),
        "dates": get_args(logrules.DatesFact),
        "place": get_args(PlaceFact),
        "means": ("", *Means),
    }
    flags = [f.name for f in fields(LogFacts) if f.name not in choices]
    for _ in range(count):
        drawn: dict[str, Any] = {name: chance.choice(values) for name, values in choices.items()}
        drawn |= {flag: chance.random() < 0.25 for flag in flags}
        facts = LogFacts(**drawn)
        # As `judge.logs` makes them: nothing is known of a certificate that is not whole.
        yield facts if facts.certificate == "whole" else replace(facts, issuer="unknown", subject="none", product="")


def test_neighbours_that_can_meet_have_a_scenario() -> None:
    """Wherever two neighbouring rows can hold together, a scenario shows which of them wins; the rows of the network go
    by one value and never meet."""
    covered = [LogFacts(**s["given"]) for s in scenarios()]
    possible = list(any_facts(20_000))
    for first, second in itertools.pairwise(LOG_RULES[:-1]):
        meet = any(first.when(f) and second.when(f) and decide_log(f) is first for f in possible)
        shown = any(first.when(f) and second.when(f) for f in covered)
        assert shown or not meet or second.id == "log-portal", f"no scenario in which {first.id} and {second.id} hold"


def test_text_proves_nothing() -> None:
    for facts in any_facts(20_000):
        rule = decide_log(facts)
        assert rule.verdict is not Verdict.GENUINE
        assert rule.confidence in (Confidence.LIKELY, Confidence.WEAK)


def test_an_interception_needs_a_whole_certificate_of_somebody_else() -> None:
    seen = 0
    for facts in any_facts(20_000):
        rule = decide_log(facts)
        if rule.verdict is Verdict.INTERCEPTED:
            seen += 1
            assert facts.certificate == "whole"
            assert facts.product or facts.issuer == "other"
    assert seen > 1000


def test_a_clock_is_wrong_only_by_a_certificate_of_google_s() -> None:
    for facts in any_facts(20_000):
        rule = decide_log(facts)
        if rule.verdict is Verdict.CLOCK_SKEWED:
            assert facts.google
            assert facts.dates == "far"
            assert not facts.untrusted


def test_every_row_has_its_words_and_a_remedy_of_its_own() -> None:
    named = {rule for remedy in remedies() for rule in remedy.when.get("rule", ())}
    assert {rule.id for rule in LOG_RULES} <= named
    assert {rule.id for rule in LOG_RULES} == {rule for rule in wording()["rule"] if rule.startswith("log-")}
