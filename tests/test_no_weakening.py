"""Nothing that is shipped or printed advises anybody to turn the verification of TLS off.

Every shipped file is read as a reader would: comments, docstrings and strings that go over several lines in one piece.
Whoever has to name such a switch, to warn of one that is set, adds the words to REVIEWED, with the reason.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, run
from tlsinspect.cli import parser

# Switches of programs and libraries, as they are written.
SWITCHES = (
    r"verify(?:_ssl|_certs?)?\s*=\s*(?:False|0)\b",
    r"verify\s*:\s*false\b",
    r"\bcurl\b[^.;]{0,60}\s-\w*k\b",
    r"--insecure\b",
    r"--no-check-certificates?\b",
    r"--no-verify-ssl\b",
    r"--no-ssl-verify\b",
    r"--trusted-host\b",
    r"--ignore-certificate-errors\b",
    r"NODE_TLS_REJECT_UNAUTHORIZED",
    r"PYTHONHTTPSVERIFY",
    r"GIT_SSL_NO_VERIFY",
    r"rejectUnauthorized\b",
    r"disable_ssl_validation",
    r"DISABLE_SSL_VALIDATION",
    r"DisableSSLValidation",
    r"DisableCRLCheck",
    r"http\.(?:\S+\.)?sslVerify\b",
    r"strict-ssl\b",
    r"InsecureSkipVerify",
    r"CERT_NONE\b",
    r"check_hostname\s*=\s*False",
    r"_create_unverified_context",
    r"trust_?all_?cert",
    r"ssl_verify\W+(?:false|off|no)\b",
)
# The same in words, in either order, within one sentence.
_OFF = (
    r"(?:disabl\w+|deactivat\w+|suppress\w*|bypass\w*|skip\w*|ignor\w+|(?:turn|switch)\w*(?:\s\w+){0,4}?\soff|"
    r"(?:turn|switch)\w*\soff|do(?:es)?\snot\s(?:verify|validate|check))"
)
_CHECK = (
    r"(?:(?:certificates?|tls|ssl|hostname|host\sname|chain)[-\s]+(?:verification|validation|checks?|checking|errors?|"
    r"warnings?)|verification|validation|verifying\s\w*|certificate\swarnings?)"
)
WORDS = (
    rf"\b{_OFF}\b[^.;:]{{0,50}}?\b{_CHECK}\b",
    rf"\b{_CHECK}\b[^.;:]{{0,30}}?\b(?:off|disabled|skipped)\b",
    r"\bdo(?:es)?\snot\s(?:verify|validate|check)\s(?:the|any|its)?\s?certificates?\b",
    r"\b(?:accept|trust)\s(?:any|every|all|invalid|untrusted)\s(?:\w+\s)?certificates?\b",
)
PATTERNS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in (*SWITCHES, *WORDS))

# (file, words): what may stand there, because it tells nobody to do it. Words that are gone must go from here too.
REVIEWED: tuple[tuple[str, str], ...] = (
    # How tlsinspect observes: it verifies afterwards, by signatures.
    ("tlsinspect/observe/__init__.py", "shake hands with verification off, keep everything, judge nothing"),
    ("tlsinspect/observe/handshake.py", "Verification is off:"),
    # The rule that this test enforces.
    ("tlsinspect/judge/wording.toml", "No sentence may advise to turn verification off."),
    ("tlsinspect/judge/remedies.toml", "No sentence may advise to turn verification off."),
    # What doctor finds and says to undo: the code of the finding.
    ("tlsinspect/judge/wording.toml", "[finding.verification-off]"),
    ("tlsinspect/doctor.py", 'finding("verification-off"'),
)
# Data whose rows are what doctor looks for; all of what stands behind this in the file is such rows.
SOUGHT = {"tlsinspect/stores/stores.toml": "[[switch]]"}


def shipped() -> Iterator[Path]:
    """What is installed, and what is read beside it."""
    for folder, kinds in (
        ("tlsinspect", ("*.py", "*.toml", "*.json")),
        ("trust", ("*.toml", "*.md")),
        ("docs", ("*.md",)),
    ):
        for kind in kinds:
            yield from sorted((ROOT / folder).rglob(kind))
    yield from sorted(ROOT.glob("*.md"))
    yield ROOT / "pyproject.toml"


def as_read(text: str) -> str:
    """Without what a line break adds to a sentence: comment signs, quotes between parts of a string, indentation."""
    text = re.sub(r"[\"']\s*\n\s*[frb]*[\"']", "", text)
    return re.sub(r"\s+(?:#\s*|//\s*|>\s*)?", " ", text)


def advice_in(text: str) -> list[str]:
    """What in `text` reads as advice to turn verification off."""
    return [found.group() for pattern in PATTERNS for found in pattern.finditer(as_read(text))]


def without_what_is_sought(name: str, text: str) -> str:
    if name not in SOUGHT:
        return text
    text, found, rows = text.partition(f"\n{SOUGHT[name]}\n")
    assert found
    assert set(re.findall(r"^\[.*\]$", rows, re.MULTILINE)) <= {SOUGHT[name]}, "something else stands behind the rows"
    return text


FILES = list(shipped())


def test_the_files_are_there() -> None:
    """Else the test below would say less than it seems to."""
    names = {path.relative_to(ROOT).as_posix() for path in FILES}
    assert {"README.md", "CHANGELOG.md", "docs/decision.md", "trust/interceptors.toml"} <= names
    assert {"tlsinspect/judge/wording.toml", "tlsinspect/judge/remedies.toml", "tlsinspect/cli/__init__.py"} <= names
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_shipped_file_advises_it(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    text = as_read(without_what_is_sought(name, path.read_text(encoding="utf-8")))
    for file, words in REVIEWED:
        if file == name:
            assert words in text, "reviewed words that are gone: take them from the list"
            text = text.replace(words, "")
    assert advice_in(text) == []


def test_every_reviewed_file_is_shipped() -> None:
    assert {file for file, _ in REVIEWED} <= {path.relative_to(ROOT).as_posix() for path in FILES}


def commands() -> list[str]:
    (subparsers,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return list(subparsers.choices)


def test_no_help_text_advises_it() -> None:
    assert {"scan", "demo"} <= set(commands())
    for command in commands():
        shown = run(command, "--help")
        assert shown.status == 0
        assert "--help" in shown.out
        assert advice_in(shown.out) == []


def test_no_output_of_the_demo_advises_it() -> None:
    shown = run("demo", "--verbose")
    assert shown.status == 0
    assert "→" in shown.out
    assert "For the ticket:" in shown.out
    assert advice_in(shown.out) == []


@pytest.mark.parametrize(
    "text",
    [
        "requests.get(url, verify=False)",
        "requests.get(url, verify = False)",
        "use `curl -k https://…`",
        "curl -sk https://host/",
        "curl --insecure https://host/",
        "run wget --no-check-certificate",
        "pip install --trusted-host pypi.org x",
        "export NODE_TLS_REJECT_UNAUTHORIZED=0",
        "gcloud config set auth/disable_ssl_validation True",
        "CLOUDSDK_AUTH_DISABLE_SSL_VALIDATION=1",
        "set DisableSSLValidation to 1",
        "git config http.sslVerify false",
        "git config http.https://host/.sslVerify false",
        "npm config set strict-ssl false",
        "PYTHONHTTPSVERIFY=0",
        "GIT_SSL_NO_VERIFY=1",
        "context.verify_mode = ssl.CERT_NONE",
        "context.check_hostname = False",
        "ssl._create_unverified_context()",
        "chrome --ignore-certificate-errors",
        "tls.Config{InsecureSkipVerify: true}",
        "Disable certificate verification in the client.",
        "Turn off SSL validation for this host.",
        "turn verification off",
        "Switch off the certificate check.",
        "switching the certificate checks off helps",
        "Ignore certificate errors and go on.",
        "Click through: skip the certificate warning.",
        "Bypass TLS verification.",
        "connect with verification disabled",
        "the client does not verify certificates then",
        "accept all certificates",
        "trust any certificate of the proxy",
        "# If it still fails, turn off\n# certificate validation.",
        'sentence = "Disable "\n    "verification."',
        "Turn it off: no. Better: disable the client's\n    TLS validation.",
    ],
)
def test_each_kind_of_advice_would_be_caught(text: str) -> None:
    assert advice_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "Exempt mail.google.com from TLS inspection, by server name (SNI).",
        "Take it out of its HTTPS scanning, or turn off HTTPS scanning for these hosts.",
        "Close Fiddler, or leave it out of what it decrypts.",
        "The certificate is not valid before Monday. Turn the clock back no more.",
        "revocation not checked",
        "curl takes its authority from --cacert or CURL_CA_BUNDLE",
        "The signature does not verify.",
    ],
)
def test_what_weakens_nothing_may_be_said(text: str) -> None:
    assert advice_in(text) == []
