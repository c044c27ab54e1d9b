"""The catalogue of interceptors: each row finds what it is for, and nothing that is genuine.

A name is a hint; a catalogue that hints at the innocent, or that somebody can make us choke on, is worse than none.
"""

import re
import time
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cryptography import x509

import tlsinspect
from tests.conftest import ROOT, shared_data
from tests.test_judge import recorded
from tests.test_limbo import online
from tests.test_traps import (
    BMP,
    HOST,
    NOW,
    PRINTABLE,
    T61,
    UNIVERSAL,
    UTF8,
    distinguished,
)
from tests.test_traps import (
    attribute as written,
)
from tlsinspect import Trust
from tlsinspect.certificate import Certificate, quietly
from tlsinspect.evidence.attribution import NOT_PRODUCTS, attribute, attribute_values, is_portal_key, listed
from tlsinspect.evidence.path import find_path
from tlsinspect.lab.pki import GOOGLE_STYLE, Issued, plain_corporate
from tlsinspect.lab.pki import Authority as Issuer
from tlsinspect.model import Attribution, Authority, Confidence, Severity
from tlsinspect.trust import certificates_in

Row = dict[str, Any]
CODECS = {UTF8: "utf-8", BMP: "utf-16-be", UNIVERSAL: "utf-32-be", T61: "latin-1"}
OIDS = {
    "CN": "0603550403",
    "C": "0603550406",
    "L": "0603550407",
    "ST": "0603550408",
    "O": "060355040a",
    "OU": "060355040b",
    "email": "06092a864886f70d010901",
}
LENGTH = 10_000  # characters of a hostile string
SECONDS = 0.1  # of CPU for one such string


@cache
def tables() -> dict[str, list[Row]]:
    read = tomllib.loads((ROOT / "trust" / "interceptors.toml").read_text(encoding="utf-8"))
    return {table: rows for table, rows in read.items() if isinstance(rows, list)}


ROWS: dict[str, Row] = {row["id"]: row for row in tables()["interceptor"]}
EXAMPLES = [
    pytest.param(row_id, example, id=f"{row_id}-{n}")
    for row_id, row in ROWS.items()
    for n, example in enumerate(row.get("examples", ()))
]


def patterns() -> Iterator[tuple[str, str, str]]:
    """Row, attribute and expression."""
    for row_id, row in ROWS.items():
        for table in ("issuer_patterns", "subject_patterns"):
            for label, pattern in row.get(table, {}).items():
                yield row_id, label, pattern


PATTERNS = [pytest.param(*each, id=f"{each[0]}-{each[1]}") for each in patterns()]


def named(example: dict[str, str], tag: int = UTF8) -> x509.Name:
    """A distinguished name that cryptography itself would not write: other string types, countries of any length."""
    parts = []
    for label, value in example.items():
        own = PRINTABLE if label == "C" and tag == UTF8 else tag
        parts.append(written(OIDS[label], own, value.encode(CODECS.get(own, "ascii"))))
    return quietly(x509.Name.from_bytes, distinguished(*parts))


def as_issuer(example: dict[str, str], tag: int = UTF8) -> Issued:
    """A leaf, and the authority of that name that signed it."""
    return _issued(named(example, tag))


def _issued(authority: x509.Name) -> Issued:
    return quietly(lambda: Issuer.root(authority, NOW).issue([HOST], send_root=True))


def match(issued: Issued) -> Attribution | None:
    trust = Trust.default()
    path = find_path(issued.ders, HOST, Authority.GOOGLE, NOW, trust)
    return attribute([Certificate(der) for der in issued.ders], trust, path)


# --- each row finds what it is for ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("row_id", "example"), EXAMPLES)
def test_a_row_is_the_first_to_match_its_own_example(row_id: str, example: dict[str, str]) -> None:
    """Leaf and root, leaf alone, and through the judge; the confidence is what the row's certainty allows."""
    issued = as_issuer(example)
    found = match(issued)
    assert found is not None
    assert found.id == row_id
    assert match(issued.alone()) == found
    row = ROWS[row_id]
    assert (found.product, found.vendor, found.kind) == (row["product"], row["vendor"], row["kind"])
    assert found.confidence in (Confidence.LIKELY, Confidence.WEAK)
    if row["certainty"] in ("reported", "unconfirmed"):
        assert found.confidence is Confidence.WEAK
    assert all(value in found.matched.replace("\\", "") for value in example.values())  # commas are escaped


@pytest.mark.parametrize(("row_id", "example"), EXAMPLES)
def test_the_judge_says_what_the_catalogue_says(row_id: str, example: dict[str, str]) -> None:
    assessment = tlsinspect.classify(as_issuer(example).ders, HOST, at=NOW)
    assert assessment.verdict == "intercepted"
    if ROWS[row_id]["kind"] in NOT_PRODUCTS:
        assert assessment.attribution is None
    else:
        assert assessment.attribution is not None
        assert assessment.attribution.id == row_id


@pytest.mark.parametrize("tag", [BMP, UNIVERSAL, T61], ids=["BMPString", "UniversalString", "T61String"])
def test_string_types_make_no_difference(tag: int) -> None:
    """Fiddler is known to write a BMPString; nothing keeps the others from it."""
    for row_id, row in ROWS.items():
        for example in row.get("examples", ()):
            if tag == T61 and not all(value.isascii() for value in example.values()):
                continue
            found = match(as_issuer(example, tag))
            assert found is not None, (row_id, example)
            assert found.id == row_id, example


@pytest.mark.parametrize(
    ("row_id", "subject"),
    [
        ("goproxy", {"O": "GoProxy untrusted MITM proxy Inc", "CN": HOST}),
        ("caido", {"CN": "Caido Generated Certificate"}),
        ("zscaler", {"CN": HOST, "O": "Zscaler Inc.", "OU": "Zscaler Inc."}),
        ("captive-aruba", {"CN": "securelogin.arubanetworks.com"}),
    ],
)
def test_a_row_that_knows_its_leafs_finds_them(row_id: str, subject: dict[str, str]) -> None:
    """Whoever issued them; the same words in a foreign issuer's place are another matter."""
    found = match(plain_corporate(NOW).issue([HOST], subject=named(subject)))
    assert found is not None
    assert found.id == row_id
    assert {row["id"] for row in tables()["interceptor"] if row.get("subject_patterns")} == {
        "goproxy",
        "caido",
        "zscaler",
        "captive-aruba",
    }


@pytest.mark.parametrize(("row_id", "example"), EXAMPLES)
def test_a_leaf_cannot_accuse_an_innocent_issuer(row_id: str, example: dict[str, str]) -> None:
    """The subject of a leaf is whatever the interceptor copied; only rows that know their leafs look at it."""
    found = match(plain_corporate(NOW).issue([HOST], subject=named(example)))
    assert found is None or ROWS[found.id].get("subject_patterns"), row_id


def test_a_part_of_a_name_is_not_the_name() -> None:
    """Expressions match whole values: whoever merely mentions a product is not it."""
    for row_id, row in ROWS.items():
        for example in row.get("examples", ()):
            longer = {label: f"Not {value} at all" if label != "C" else value for label, value in example.items()}
            found = match(as_issuer(longer))
            assert found is None or found.confidence is Confidence.WEAK, (row_id, found)


def test_an_ordinary_company_is_no_product() -> None:
    assert match(plain_corporate(NOW).issue([HOST])) is None
    assert match(_issued(x509.Name([]))) is None
    assert attribute([], Trust.default()) is None


def test_a_row_without_names_goes_by_recorded_keys() -> None:
    """What has neither example nor expression must have a hash; what is recorded is found by it."""
    for row_id, row in ROWS.items():
        if not row.get("examples") and not row.get("subject_patterns"):
            assert any(row.get(kind) for kind in ("sha1", "sha256", "spki_sha256")), row_id
    seen = set()
    for path in [*recorded("misissued_blocklist"), *recorded("interception")]:
        for der in certificates_in(path.read_bytes()):
            certificate = Certificate(der)
            for row_id, row in ROWS.items():
                hashes = {h.lower() for kind in ("sha1", "sha256", "spki_sha256") for h in row.get(kind, ())}
                if hashes & {certificate.sha1, certificate.sha256, certificate.spki_sha256}:
                    found = attribute([certificate], Trust.default())
                    assert found is not None, path.name
                    assert found.id == row_id, path.name
                    seen.add(row_id)
    assert {"mitel", "superfish", "edellroot", "dsdtestprovider", "kz-qaznet", "mcsholding"} <= seen


# --- nearly is not enough -------------------------------------------------------------------------------------------


def near_misses(row: Row, example: dict[str, str], table: str) -> Iterator[dict[str, str]]:
    """The example with one letter changed in one of the attributes the row looks at; everything else as it was."""
    for label, pattern in row.get(table, {}).items():
        value = example[label]
        changed = (value[:n] + ("x" if value[n] != "x" else "y") + value[n + 1 :] for n in range(len(value)))
        yield {**example, label: next(each for each in changed if not re.fullmatch(pattern, each))}


@pytest.mark.parametrize(("row_id", "example"), EXAMPLES)
def test_one_letter_less_is_not_the_name(row_id: str, example: dict[str, str]) -> None:
    """In any attribute the row names: all of them must fit, in one name, each under its own label."""
    row = ROWS[row_id]
    patterned = row.get("issuer_patterns", {})
    for near in near_misses(row, example, "issuer_patterns"):
        found = match(as_issuer(near))
        assert found is None or found.id != row_id, near
    for label in patterned:
        for other in {"OU", "L", "ST", "email"} - {*patterned, *example}:
            moved = {**{k: v for k, v in example.items() if k != label}, other: example[label]}
            found = match(as_issuer(moved))
            assert found is None or found.id != row_id, moved
        if len(patterned) > 1:
            apart = {k: v for k, v in example.items() if k != label}
            found = match(as_issuer(apart))
            assert found is None or found.id != row_id, apart


SUBJECTS = {
    "goproxy": {"O": "GoProxy untrusted MITM proxy Inc"},
    "caido": {"CN": "Caido Generated Certificate"},
    "zscaler": {"O": "Zscaler Inc."},
    "captive-aruba": {"CN": "securelogin.arubanetworks.com"},
}


def test_nearly_the_leaf_is_not_the_leaf() -> None:
    assert {row["id"] for row in tables()["interceptor"] if row.get("subject_patterns")} == set(SUBJECTS)
    for row_id, subject in SUBJECTS.items():
        for near in near_misses(ROWS[row_id], subject, "subject_patterns"):
            assert match(plain_corporate(NOW).issue([HOST], subject=named(near))) is None, near


def with_hash(kind: str, digest: str) -> Certificate:
    """A certificate that hashes to what is listed: for most of them nobody has the key, or even the certificate."""
    certificate = Certificate(plain_corporate(NOW).issue([HOST]).ders[0])
    certificate.__dict__[kind] = digest.lower()
    return certificate


def hashes(row: Row) -> Iterator[tuple[str, str]]:
    for kind in ("sha1", "sha256", "spki_sha256"):
        values = row.get(kind, [])
        for value in [values] if isinstance(values, str) else values:
            yield kind, value


def wrong(digest: str) -> str:
    return ("1" if digest[0] == "0" else "0") + digest[1:]


def test_rows_with_hashes_go_by_the_whole_hash() -> None:
    count = 0
    for row_id, row in ROWS.items():
        for kind, digest in hashes(row):
            found = attribute([with_hash(kind, digest)], Trust.default())
            assert found is not None, row_id
            assert found.id == row_id
            assert attribute([with_hash(kind, wrong(digest))], Trust.default()) is None, row_id
            count += 1
    assert count > 20


@pytest.mark.parametrize(
    ("table", "code"),
    [("known_forgery", "known-forgery"), ("leaked_key", "leaked-key"), ("state_key", "state-interception")],
)
def test_each_list_that_decides_goes_by_the_whole_hash(table: str, code: str) -> None:
    for row in tables()[table]:
        assert list(hashes(row)), row
        for kind, digest in hashes(row):
            found = listed([with_hash(kind, digest)], Trust.default())
            assert found is not None, row
            assert found.code == code
            assert listed([with_hash(kind, wrong(digest))], Trust.default()) is None


def test_the_certificate_behind_a_listed_precertificate_is_known_by_its_key() -> None:
    """The precertificate itself was never on a server; what was issued from it, if anything, had the same key."""
    rows = [row for row in tables()["known_forgery"] if row.get("precertificate")]
    assert rows
    for row in rows:
        found = listed([with_hash("spki_sha256", row["spki_sha256"])], Trust.default())
        assert found is not None
        assert found.code == "known-forgery"


def test_portals_are_known_by_the_whole_key() -> None:
    for row in tables()["captive_portal_spki"]:
        assert is_portal_key(with_hash("spki_sha256", row["spki_sha256"]), Trust.default())
        assert not is_portal_key(with_hash("spki_sha256", wrong(row["spki_sha256"])), Trust.default())
        assert not is_portal_key(with_hash("sha256", row["spki_sha256"]), Trust.default())


# --- what a row asks for beside a name ------------------------------------------------------------------------------

GO_DADDY = ROWS["bettercap-proxy"]["examples"][0]


def test_a_borrowed_name_counts_only_where_its_owner_surely_did_not_sign() -> None:
    borrowed = as_issuer(GO_DADDY)
    found = match(borrowed)
    assert found is not None
    assert (found.id, found.severity) == ("bettercap-proxy", Severity.CRITICAL)
    # A leaf like a public authority's may be one of that name's, whose intermediate was not sent.
    public = quietly(lambda: Issuer.root(named(GO_DADDY), NOW, style=GOOGLE_STYLE).issue([HOST], send_root=True))
    assert match(public) == found
    assert match(public.alone()) is None
    # The name on something that had no part in signing the leaf says nothing.
    innocent = plain_corporate(NOW).issue([HOST], send_root=True)
    assert match(innocent.followed_by(*innocent.chain[1:], *borrowed.chain[1:])) is None
    # And who is not told what signed cannot tell.
    assert attribute([Certificate(der) for der in borrowed.ders], Trust.default()) is None


# --- what the row says is what the finding says ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row_id", "severity"),
    [("mitmproxy", "medium"), ("fortigate", "medium"), ("burp", "critical"), ("kz-isca", "critical"),
     ("superfish", "critical"), ("wajam", "critical"), ("cyberoam", "critical"), ("gen-untrusted", "high"),
     ("mkcert", "medium")],
)  # fmt: skip
def test_the_finding_has_the_severity_of_the_row_or_of_its_kind(row_id: str, severity: str) -> None:
    row = ROWS[row_id]
    assessment = tlsinspect.classify(as_issuer(row["examples"][0]).ders, HOST, at=NOW)
    found = next(f for f in assessment.findings if f.code == "interceptor-match")
    assert (found.severity, found.kind) == (severity, "hint")
    assert found.values["id"] == row_id
    assert (found.values["certainty"], found.values["kind"]) == (row["certainty"], row["kind"])
    assert assessment.attribution is not None
    assert assessment.attribution.severity == severity


def test_every_kind_has_rows_and_a_severity() -> None:
    kinds = {row["id"]: row["severity"] for row in tables()["kind"]}
    assert {row["kind"] for row in ROWS.values()} <= set(kinds)
    assert {kinds[each] for each in ("pentest-tool", "malware", "government", "compromised-root")} == {"critical"}
    assert kinds["debugging-proxy"] == "medium"


# --- values without attribute names ---------------------------------------------------------------------------------


def blocks(text: str) -> list[list[str]]:
    """The values under each `---Issuer----` of a log."""
    return [found.strip().splitlines() for found in re.findall(r"---Issuer-*\n(.*?)\n-{5,}", text, re.DOTALL)]


def test_the_log_on_the_help_page_names_fiddler_in_every_language() -> None:
    pages = sorted(shared_data("").parent.joinpath("seeds").glob("*.txt"))
    assert len(pages) == 3
    for page in pages:
        found = [attribute_values(block, Trust.default()) for block in blocks(page.read_text(encoding="utf-8"))]
        assert [each and (each.id, each.confidence) for each in found] == [None, ("fiddler-classic", "likely")]


def test_a_block_names_what_its_name_would_have() -> None:
    for row_id, row in ROWS.items():
        for example in row.get("examples", ()):
            found = attribute_values([*example.values()], Trust.default())
            if row.get("requires") or row_id in VAGUE:
                assert found is None, example
                continue
            assert found is not None, example
            assert len(row["issuer_patterns"]) > 1 or found.confidence is Confidence.WEAK
            assert found.id == row_id or ROWS[found.id]["kind"] == row["kind"], (row_id, found.id)


VAGUE = {"hetty", "iboss", "wajam"}  # a single open expression of a few letters: too little without its attribute


def test_no_block_of_anything_genuine_names_a_product() -> None:
    for where, certificate in genuine().items():
        for name in (certificate.issuer, certificate.subject):
            found = attribute_values([value for _, value in name], Trust.default())
            assert found is None or found.kind in NOT_PRODUCTS, (where, found)


def test_a_block_may_be_anything() -> None:
    trust = Trust.default()
    assert attribute_values([], trust) is None
    assert attribute_values([""], trust) is None
    assert attribute_values(["DO_NOT_TRUST_FiddlerRoot"], trust) is None
    begun = time.process_time()
    assert attribute_values(["Proxyman CA (" * 5000] * 500, trust) is None
    assert time.process_time() - begun < 1


# --- and nothing that is genuine ------------------------------------------------------------------------------------


@cache
def genuine() -> dict[str, Certificate]:
    """Every certificate of the corpora that is Google's or another public authority's, by where it was found."""
    found: dict[str, Certificate] = {}
    for folder in ("google_chains", "google_presented", "intermediates", "roots"):
        for path in recorded(folder):
            for n, der in enumerate(certificates_in(path.read_bytes())):
                found[f"{folder}/{path.name} {n}"] = Certificate(der)
    for file in ("public_roots.pem", "google_roots.pem", "historical_roots.pem"):
        for n, der in enumerate(certificates_in((ROOT / "trust" / file).read_bytes())):
            found[f"{file} {n}"] = Certificate(der)
    stores = shared_data("rootstores")
    for path in (*sorted(stores.glob("*.pem")), *sorted(stores.glob("*.certs"))):
        for n, der in enumerate(certificates_in(path.read_bytes())):
            found[f"rootstores/{path.name} {n}"] = Certificate(der)
    for case in (*online(google=True), *online(google=False)):
        for n, der in enumerate((*case.chain, *certificates_in(case.roots))):
            found[f"{case.id} {n}"] = Certificate(der)
    return found


def test_no_row_matches_anything_genuine() -> None:
    """Neither as issuer nor as subject: the names of public authorities are not products' names."""
    assert len(genuine()) > 400
    accused = {}
    for where, certificate in genuine().items():
        found = attribute([certificate], Trust.default())
        if found is not None and found.kind not in NOT_PRODUCTS:
            accused[where] = (found.id, found.matched)
    assert accused == {}


def test_no_row_matches_who_signs_revocation_lists() -> None:
    lists = sorted(shared_data("crl").glob("*.crl"))
    assert len(lists) > 20
    for path in lists:
        found = match(_issued(quietly(x509.load_der_x509_crl, path.read_bytes()).issuer))
        assert found is None, path.name


def test_what_borrows_a_real_authority_s_name_says_so() -> None:
    """One product writes the name of a public authority; its row must ask for more than the name."""
    for row_id, row in ROWS.items():
        for example in row.get("examples", ()):
            public = {"GoDaddy.com, Inc.", "Google Trust Services", "DigiCert Inc", "Let's Encrypt"}
            if public & set(example.values()):
                assert row.get("requires") == "issuer-signature-not-verified", row_id


def test_nothing_genuine_is_on_a_list_that_decides() -> None:
    for where, certificate in genuine().items():
        assert listed([certificate], Trust.default()) is None, where
    keys = {
        row[kind].lower() for rows in _deciding() for row in rows for kind in ("sha256", "spki_sha256") if kind in row
    }
    trust = Trust.default()
    assert not keys & {i.spki_sha256 for i in trust.intermediates}
    for anchors in (trust.google, trust.alternate, trust.historical):
        assert not keys & (anchors.keys | {c.sha256 for c in anchors.certificates})


def test_recorded_forgeries_are_on_the_list() -> None:
    """What was forged for Google's names and is recorded is known by its hash; so the list is read, and works."""
    forged = [*recorded("misissued"), *(p for p in recorded("misissued_blocklist") if p.name.startswith("GOOGLE_"))]
    known = {path.name for path in forged if _code(next(certificates_in(path.read_bytes()))) == "known-forgery"}
    assert len(known) >= 10
    assert "diginotar_star.google.com_2011.pem" in known


def _code(der: bytes) -> str | None:
    found = listed([Certificate(der)], Trust.default())
    return found.code if found else None


def _deciding() -> list[list[Row]]:
    return [tables()[table] for table in ("known_forgery", "leaked_key", "state_key")]


# --- the file itself ------------------------------------------------------------------------------------------------


def test_every_row_is_whole() -> None:
    assert len(ROWS) == len(tables()["interceptor"]), "an id is used twice"
    for row_id, row in ROWS.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row_id)
        assert all(row[field].strip() for field in ("product", "vendor", "kind", "certainty", "source")), row_id
        assert row["certainty"] in ("verified-source", "vendor-doc", "observed", "reported", "unconfirmed"), row_id
        assert set(row.get("issuer_patterns", {})) | set(row.get("subject_patterns", {})) <= set(OIDS), row_id


def test_what_points_to_a_row_points_to_one() -> None:
    for table in ("leaked_key", "state_key", "local_port_hint"):
        assert {row["interceptor"] for row in tables()[table] if "interceptor" in row} <= set(ROWS), table
    assert all(0 < row["port"] < 65536 for row in tables()["local_port_hint"])


def test_every_hash_is_one() -> None:
    sizes = {"sha1": 40, "sha256": 64, "spki_sha256": 64}
    count = 0
    for table, rows in tables().items():
        for row in rows:
            for kind, size in sizes.items():
                values = row.get(kind, [])
                for value in [values] if isinstance(values, str) else values:
                    assert re.fullmatch(rf"[0-9A-Fa-f]{{{size}}}", value), (table, value)
                    count += 1
    assert count > 100


def test_no_hash_is_listed_twice_with_two_meanings() -> None:
    """The first would win in silence."""
    meaning: dict[str, str] = {}
    for table in ("known_forgery", "leaked_key", "state_key"):
        for row in tables()[table]:
            for kind in ("sha1", "sha256", "spki_sha256"):
                if kind in row:
                    assert meaning.setdefault(row[kind].lower(), table) == table, row[kind]


def test_no_two_rows_look_for_the_same() -> None:
    """The second would never be reached."""
    written_as = [
        (sorted(row.get("issuer_patterns", {}).items()), sorted(row.get("subject_patterns", {}).items()))
        for row in ROWS.values()
        if row.get("issuer_patterns")
    ]
    assert len(written_as) == len({repr(each) for each in written_as})


# --- hostile names --------------------------------------------------------------------------------------------------


# How often a piece is repeated: in steps so small that an expression whose time doubles is found out before it hangs.
REPEATS = (*range(1, 32), 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 500, 1000, 3000, LENGTH)


def pieces(pattern: str) -> list[str]:
    """What long strings are made of: much that comes near to what the expression looks for, the shortest first."""
    plain = re.sub(r"\(\?i\)|\\.|[][()|?*+^$.{}]", " ", pattern)
    words = plain.split() or ["a"]
    near = [*words, " ".join(words), "".join(words), *(f"{word} CA " for word in words), *sorted(set(plain))]
    return sorted(
        {*near, "a", " ", ".", "-", "\n", "0", "a.", "Aa ", "(", "中", "\0"}, key=lambda piece: (len(piece), piece)
    )


def hostile(pattern: str) -> Iterator[str]:
    """Strings that grow, up to `LENGTH`."""
    first = (pattern.split() or [""])[0]
    for piece in pieces(pattern):
        for repeats in REPEATS:
            text = piece * min(repeats, LENGTH // len(piece))
            yield text
            yield (first + text)[: LENGTH - 1] + "!"
            if len(text) >= LENGTH - len(piece):
                break


@pytest.mark.parametrize(("row_id", "label", "pattern"), PATTERNS)
def test_no_expression_can_be_kept_busy(row_id: str, label: str, pattern: str) -> None:
    assert label in OIDS, row_id
    assert slow(pattern) is None


@pytest.mark.parametrize("pattern", ["(m+)+b", "(?:a|a)*b", "(.*)*Root", "(\\w+\\s?)+CA", ".*.*.*.*Root"])
def test_an_expression_that_can_is_found_out(pattern: str) -> None:
    """What is told of the catalogue's would be worth little if these passed."""
    assert slow(pattern) is not None


def slow(pattern: str) -> str | None:
    """A string that keeps the expression busy, or None."""
    expression = re.compile(pattern)
    for text in hostile(pattern):
        begun = time.process_time()
        expression.fullmatch(text)
        if time.process_time() - begun > SECONDS:
            return text
    return None


def test_names_that_go_on_for_ever_are_told_soon() -> None:
    """The whole catalogue against a name of many long values, as one certificate can carry it."""
    values = {"O": b"Zscaler Inc. " * 700, "CN": b"Proxyman CA (" * 700, "OU": b"\xc3\xa9" * 4500}
    parts = [written(OIDS[label], UTF8, value) for label, value in values.items()] * 5
    issued = _issued(quietly(x509.Name.from_bytes, distinguished(*parts)))
    begun = time.process_time()
    assessment = tlsinspect.classify(issued.ders, HOST, at=NOW)
    assert time.process_time() - begun < 1
    assert (assessment.verdict, assessment.attribution) == ("intercepted", None)
