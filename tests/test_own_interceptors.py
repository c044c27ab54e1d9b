"""A user's own file of interceptors: read as strictly as the shipped one, before it, and without more power."""

import json
import re
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import tlsinspect
from tests.conftest import run
from tests.test_catalogue import as_issuer
from tests.test_traps import HOST, NOW
from tlsinspect import Trust, TrustDataError
from tlsinspect.certificate import Certificate, quietly
from tlsinspect.evidence.attribution import attribute
from tlsinspect.evidence.catalogue import (
    LONGEST,
    MAX_FILE,
    MAX_ROWS,
    catalogue_of,
    checked,
    is_closed,
    with_interceptors,
)
from tlsinspect.lab.pki import Authority, GoogleLike, Issued, plain_corporate
from tlsinspect.model import Assessment

OWN = """
[[interceptor]]
id = 'acme-box'
product = 'Acme inspection box'
vendor = 'Acme'
kind = 'enterprise-proxy'
certainty = 'verified-source'
issuer_patterns = { O = 'Acme Corp' }
source = 'our own network team'
"""


def own(tmp_path: Path, text: str = OWN) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def judged(issued: Issued, path: Path | None) -> Assessment:
    return tlsinspect.classify(issued.ders, HOST, at=NOW, interceptors=path)


def corporate() -> Issued:
    return plain_corporate(NOW).issue([HOST], send_root=True)


def row(**changed: str) -> str:
    """The row with some of its lines replaced, or taken out where the new one is empty."""
    lines = [line for line in OWN.splitlines() if line.partition(" =")[0] not in changed]
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in changed.items() if value)])


def test_its_rows_count_and_the_report_says_so(tmp_path: Path) -> None:
    assessment = judged(corporate(), own(tmp_path))
    assert assessment.attribution is not None
    assert (assessment.attribution.id, assessment.attribution.confidence) == ("acme-box", "likely")
    assert {"interceptor-match", "own-interceptors"} <= {f.code for f in assessment.findings}
    trust = with_interceptors(Trust.default(), own(tmp_path))
    assert trust.facts.interceptors_sha256 is not None
    assert Trust.default().facts.interceptors_sha256 is None
    assert "own-interceptors" not in {f.code for f in judged(corporate(), None).findings}


def test_its_rows_come_first_and_a_known_id_is_replaced(tmp_path: Path) -> None:
    zscaler = as_issuer({"O": "Zscaler Inc.", "CN": "Zscaler Root CA"})
    text = OWN.replace("Acme Corp", "Zscaler Inc[.]").replace("acme-box", "acme-cloud")
    first = judged(zscaler, own(tmp_path, text)).attribution
    assert first is not None
    assert first.id == "acme-cloud"
    replaced = OWN.replace("acme-box", "zscaler")
    found = judged(corporate(), own(tmp_path, replaced)).attribution
    assert found is not None
    assert found.id == "zscaler"
    trust = with_interceptors(Trust.default(), own(tmp_path, replaced))
    assert sum(each.id == "zscaler" for each in catalogue_of(trust).rows) == 1
    assert len(catalogue_of(trust).rows) == len(catalogue_of(Trust.default()).rows)


@pytest.mark.parametrize("kind", ["enterprise-proxy", "benign-google", "captive-portal", "government"])
def test_no_row_of_products_moves_a_verdict(
    kind: str, tmp_path: Path, google: GoogleLike, roots: Path, now: datetime
) -> None:
    """Not even one that fits everything, of any kind."""
    everything = own(tmp_path, OWN.replace("Acme Corp", ".+").replace("enterprise-proxy", kind))
    with_own, without = judged(corporate(), everything), judged(corporate(), None)
    assert (with_own.verdict, with_own.confidence) == (without.verdict, without.confidence)
    at, leaf, trust = now + timedelta(minutes=1), google.wr2.issue([HOST]), Trust.load(roots)
    genuine = tlsinspect.classify(leaf.ders, HOST, at=at, trust=trust, interceptors=everything)
    assert (genuine.verdict, genuine.attribution) == ("genuine", None)
    assert "own-interceptors" not in {f.code for f in genuine.findings}


def test_its_keys_decide_as_the_shipped_ones_do(tmp_path: Path) -> None:
    issued = corporate()
    key = Certificate(issued.ders[1]).spki_sha256
    text = f"[[leaked_key]]\nname = 'Acme'\nspki_sha256 = '{key.upper()}'\nsource = 'us'\n"
    assessment = judged(issued, own(tmp_path, text))
    assert (assessment.verdict, assessment.rule) == ("intercepted", "leaked-key")
    assert "own-interceptors" in {f.code for f in assessment.findings}


# -- what is refused ------------------------------------------------------------------------------------------------

BROKEN = {
    "not TOML": ("[[interceptor]", "not TOML"),
    "not tables": ("interceptor = 3", "arrays of tables"),
    "a table nobody knows": ("[[inteceptor]]\nid = 'a'", "no [[inteceptor]]"),
    "kinds of its own": ("[[kind]]\nid = 'a'\nseverity = 'low'", "no [[kind]]"),
    "another version": ("schema_version = 2\n" + OWN, "schema_version"),
    "an unknown column": (OWN + "colour = 'red'", "acme-box: there is no colour"),
    "an unknown kind": (row(kind="'magic'"), "acme-box: kind must be one of"),
    "an unknown certainty": (row(certainty="'sure'"), "acme-box: certainty must be one of"),
    "an unknown gate": (row(requires="'luck'"), "acme-box: requires must be one of"),
    "an unknown severity": (row(severity="'awful'"), "acme-box: severity must be one of"),
    "an unknown attribute": (row(issuer_patterns="{ X = 'y' }"), "acme-box: issuer_patterns names X"),
    "nothing to match": (row(issuer_patterns="{}"), "acme-box: needs one of"),
    "no source": (row(source=""), "acme-box: lacks source"),
    "a short hash": (OWN + "sha256 = ['abcd']", "acme-box: sha256 must be 64"),
    "a number for a name": (row(product="3"), "acme-box: product must be text"),
    "an escape in a name": (row(product='"Box \\u001b]0;x\\u0007"'), "acme-box: product must be text of printable"),
    "a line break in a name": (row(vendor='"Acme\\nforged line"'), "acme-box: vendor must be text of printable"),
    "a turn in a name": (row(product='"Box \\u202e xoB"'), "acme-box: product must be text of printable"),
    "an escape in an incident": (
        "[[known_forgery]]\nsubject = 'a'\nrole = 'leaf'\nincident = \"\\u001b[2J\"\nsource = 'b'\nsha1 = '"
        + "0" * 40
        + "'",
        "[[known_forgery]] a: incident must be text of printable",
    ),
    "an odd id": (row(id="'Acme Box'"), "id must be small letters"),
    "an id twice": (OWN + OWN, "acme-box: the id is used twice"),
    "no expression": (row(issuer_patterns="{ O = '(' }"), "is no regular expression"),
    "an expression for nothing": (row(issuer_patterns="{ O = '.*' }"), "fits an empty value"),
    "a slow expression": (row(issuer_patterns="{ O = '(x+)+y' }"), "repeats a group"),
    "a key without a key": ("[[leaked_key]]\nname = 'a'\nsource = 'b'", "lacks all of"),
    "a product there is not": (
        "[[local_port_hint]]\ninterceptor = 'nobody'\nport = 1\nsource = 'a'",
        "[[local_port_hint]] number 1: there is no interceptor nobody",
    ),
    "escapes in a name": (OWN + '"\\u001b[31m" = 1', "<U+001B>"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_said_with_the_name_of_the_row(case: str, tmp_path: Path) -> None:
    text, said = BROKEN[case]
    with pytest.raises(TrustDataError) as raised:
        with_interceptors(Trust.default(), own(tmp_path, text))
    assert said in str(raised.value)
    assert "own.toml" in str(raised.value)
    assert "\n" not in str(raised.value).strip()


def listing(table: str, column: str, digest: str) -> str:
    needed = {
        "leaked_key": "name = 'ours'",
        "state_key": "name = 'ours'",
        "known_forgery": "subject = 'ours'\nrole = 'issuer'\nincident = 'none'",
    }
    return f"[[{table}]]\n{needed[table]}\nsource = 'us'\n{column} = '{digest.upper()}'\n"


@pytest.mark.parametrize("table", ["leaked_key", "state_key", "known_forgery"])
@pytest.mark.parametrize("column", ["sha1", "sha256", "spki_sha256"])
@pytest.mark.parametrize("tier", ["google", "alternate", "historical", "public"])
def test_no_anchor_of_ours_is_listed(table: str, column: str, tier: str, tmp_path: Path) -> None:
    """Else a line in a file would call what is genuine intercepted."""
    trust = Trust.default()
    for anchor in (getattr(trust, tier).certificates[0], getattr(trust, tier).certificates[-1]):
        file = own(tmp_path, OWN + listing(table, column, getattr(anchor, column)))
        with pytest.raises(TrustDataError, match=rf"\[\[{table}\]\] ours: it lists .*genuine"):
            with_interceptors(trust, file)


@pytest.mark.parametrize("table", ["leaked_key", "state_key", "known_forgery"])
def test_no_intermediate_and_no_stand_in_is_listed(table: str, tmp_path: Path, google: GoogleLike, roots: Path) -> None:
    keys = [each.spki_sha256 for each in Trust.default().intermediates]
    for key in (keys[0], keys[-1]):
        with pytest.raises(TrustDataError, match="ours: it lists"):
            with_interceptors(Trust.default(), own(tmp_path, listing(table, "spki_sha256", key)))
    stand_in, file = Trust.load(roots), own(tmp_path, listing(table, "spki_sha256", _key(google)))
    assert with_interceptors(Trust.default(), file).added, "that key is nobody's elsewhere"
    with pytest.raises(TrustDataError, match="ours: it lists"):
        with_interceptors(stand_in, file)


def _key(google: GoogleLike) -> str:
    return Certificate(google.r1.certificate.public_bytes(Encoding.DER)).spki_sha256


def test_the_shipped_lists_hold_no_anchor_of_ours() -> None:
    trust = Trust.default()
    anchors = [c for tier in (trust.google, trust.alternate, trust.historical, trust.public) for c in tier.certificates]
    assert len(anchors) > 100
    listed = catalogue_of(trust).listed.keys()
    assert listed.isdisjoint(h for c in anchors for h in (c.sha1, c.sha256, c.spki_sha256))
    assert listed.isdisjoint(each.spki_sha256 for each in trust.intermediates)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustDataError, match="larger than"):
        with_interceptors(Trust.default(), own(tmp_path, "#" * (MAX_FILE + 1)))
    many = "".join("[[local_port_hint]]\ninterceptor='zap'\nport=1\nsource='b'\n" for _ in range(MAX_ROWS + 1))
    with pytest.raises(TrustDataError, match="more than"):
        with_interceptors(Trust.default(), own(tmp_path, many))
    with pytest.raises(TrustDataError, match="cannot be read"):
        with_interceptors(Trust.default(), tmp_path / "nothing")


@pytest.mark.parametrize(
    "pattern",
    ["(x+)+y", "(a|a)*b", "(?:a?){20}b", r"(a)\1", "(?=a)a", "(?P<n>a)(?P=n)", ".*.*.*x", "x{1000}",
     "(?<=a)b", "(?s:.+)+", "(a|a)" * 20 + "b", "a?" * 20 + "b",
     "a" * 400, "[a-z]+[a-z]+[a-z]+!", "(x{1,9}){1,9}", "(?#" + "x" * 10 + ")a"],
)  # fmt: skip
def test_an_expression_that_could_be_kept_busy_is_refused(pattern: str) -> None:
    assert checked(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        r".*.*x",
        r".+a?b?c?.+!",
        r"[^a]*[^b]+c",
        r"(a|ab|abc)?(b|bc)?x{64}.*y",
        "(a|a)" * 18 + "!",
        "[[a]]+",
        ".*.*(a|a)(a|a)(a|a)!",
    ],
)
def test_what_is_let_through_is_quick(pattern: str) -> None:
    assert checked(pattern) is None
    expression = re.compile(pattern)
    begun = time.process_time()
    for piece in ("a", "ab", "x", "abc", "!"):
        expression.fullmatch((piece * LONGEST)[:LONGEST])
    assert time.process_time() - begun < 1  # of CPU; the slow ones take minutes


@pytest.mark.parametrize(
    "pattern",
    ["(?i)" + "a?" * 12 + "a{64}" * 3 + "b", "(?i)" + "[ab]?" * 15 + "b", "(a|a)" * 14 + "a{16}b", ".*.*aaab"],
)
def test_a_file_as_full_as_may_be_is_quick(pattern: str, tmp_path: Path) -> None:
    """Each expression is, and so are all of them together, for a name that has as many values as are looked at."""
    value = quietly(lambda: x509.NameAttribute(NameOID.COMMON_NAME, "a" * LONGEST, _validate=False))
    issued = quietly(lambda: Authority.root(x509.Name([value] * 64), NOW).issue([HOST]))
    many = [row(id=f"'r{n}'", issuer_patterns=f"{{ CN = '{pattern}' }}") for n in range(100)]
    allowed = 0
    with pytest.raises(TrustDataError, match=r"r\d+: from here on the expressions are too much work"):
        for allowed in range(1, 100):
            trust = with_interceptors(Trust.default(), own(tmp_path, "\n".join(many[:allowed])))
    assert allowed > 4
    chain = (Certificate(issued.ders[0]),)
    begun = time.process_time()
    assert attribute(chain, trust) is None
    assert time.process_time() - begun < 10  # of CPU; without the budget it is half an hour


@pytest.mark.parametrize(
    ("pattern", "closed"),
    [(r"Zscaler Inc\.?", True), (r"Fortinet( Ltd\.)?", True), ("a|b", True), ("Charles .+", False), (r"\d", False),
     ("[A-Z]", False), ("x{3}", False), (r"a\.b", True), ("a.b", False)],
)  # fmt: skip
def test_whether_a_customer_can_be_in_it(pattern: str, closed: bool) -> None:
    assert is_closed(pattern) is closed


# -- the command ----------------------------------------------------------------------------------------------------


def test_classify_takes_it(tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes(corporate().pem)
    asked = ("classify", str(chain), "--host", HOST, "--at", NOW.isoformat(), "--format", "json")
    found = run(*asked, "--interceptors", str(own(tmp_path)))
    assert found.status == 1
    read = json.loads(found.out)
    assert read["assessment"]["attribution"]["id"] == "acme-box"
    assert read["trust"]["interceptors_sha256"]


@pytest.mark.parametrize("command", [("classify", "-", "--host", HOST), ("scan", HOST)])
def test_a_broken_one_is_one_line_and_status_2(command: tuple[str, ...], tmp_path: Path) -> None:
    found = run(*command, "--interceptors", str(own(tmp_path, "[[interceptor]]\nid = 'x'")))
    assert (found.status, found.out) == (2, "")
    assert found.err.count("\n") == 1
    assert "[[interceptor]] x: lacks product" in found.err
