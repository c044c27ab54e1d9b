"""What is private is taken out of everything that is shown, and nothing else is."""

from pathlib import Path

import pytest

from tlsinspect.model import Confidence, Finding, Kind, Severity
from tlsinspect.scrub import of_this_machine, scrub


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
