"""What is private is taken out of everything that is shown, and nothing else is."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tlsinspect.scrub
from tlsinspect.model import Confidence, Finding, Kind, Severity
from tlsinspect.scrub import of_this_machine, replacing, scrub


def test_a_secret_is_replaced_wherever_it_stands_alone() -> None:
    noun = Finding("acme", Severity.HIGH, Kind.HINT, "by ACME's box, not acmeology", {"who": "CN=acme"})
    found = scrub((noun,), {"Acme": "<tenant>"})[0]
    assert found.sentence == "by <tenant>'s box, not acmeology"
    assert found.values == {"who": "CN=<tenant>"}
    assert found.severity is Severity.HIGH


def test_the_longest_secret_counts() -> None:
    assert scrub("FG100 FG100X1", {"FG100": "<a>", "FG100X1": "<b>"}) == "<a> <b>"


def test_letters_that_fold_into_others_are_found() -> None:
    assert scrub("by Groß & Co, GROSS & CO", {"Groß & Co": "<a>"}) == "by <a>, <a>"


def test_a_secret_of_signs_stands_alone_too() -> None:
    assert scrub("at /home/jdoe/x, not a/home/jdoe", {"/home/jdoe": "<a>"}) == "at <a>/x, not a/home/jdoe"
    assert scrub("Acme (DE), Acme (DE)x", {"Acme (DE)": "<a>"}) == "<a>, Acme (DE)x"


def test_what_counts_only_as_it_is_spelt() -> None:
    rule = replacing({"DE Root": "<a>"}, {"DE": "<b>", "No": "<c>"})
    assert rule("DE root, DE, de, No, no and NO: Node DE") == "<a>, <b>, de, <c>, no and NO: Node <b>"


@given(st.lists(st.text("ab .-é", min_size=3, max_size=8), max_size=6), st.text("abAB .-é", max_size=40))
def test_it_is_what_an_expression_of_all_secrets_would_do(secrets: list[str], text: str) -> None:
    either = "|".join(map(re.escape, sorted(secrets, key=len, reverse=True)))
    expected = re.sub(rf"(?<!\w)(?:{either})(?!\w)", "<x>", text, flags=re.IGNORECASE) if secrets else text
    assert scrub(text, dict.fromkeys(secrets, "<x>")) == expected


def test_a_text_is_gone_through_once_however_many_secrets_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    longest = tlsinspect.scrub._longest

    def counted(*arguments: Any) -> tuple[int, str]:
        looked.append(arguments)
        return longest(*arguments)

    monkeypatch.setattr("tlsinspect.scrub._longest", counted)
    rule = replacing({f"secret number {n}": "<x>" for n in range(20_000)})
    assert rule("it is secret number 19999, or secret letter 20") == "it is <x>, or secret letter 20"
    assert len(looked) < 20


def test_enumerations_and_short_words_are_left() -> None:
    assert scrub(Confidence.CERTAIN, {"certain": "<x>"}) is Confidence.CERTAIN
    assert scrub("a me", {"me": "<x>"}) == "a me"


def test_this_machine_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "jdoe42")
    monkeypatch.setattr("socket.gethostname", lambda: "laptop.corp.example")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/jdoe42"))
    assert of_this_machine() == {
        str(Path("/home/jdoe42")): "<the-home-folder>",
        "jdoe42": "<the-user>",
        "laptop.corp.example": "<the-machine>",
        "laptop": "<the-machine>",
    }


def test_a_name_that_everybody_has_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "Administrator")
    monkeypatch.setattr("socket.gethostname", lambda: "localhost.localdomain")
    found = of_this_machine()
    assert "localhost.localdomain" in found
    assert {"Administrator", "localhost"}.isdisjoint(found)
