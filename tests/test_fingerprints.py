"""What certificates look like names the program that made them, or nobody.

Every interceptor measured in a laboratory is made here again as it was seen, under a company's own name: each is known
by its own fingerprint and by no other, and one mark less is enough to be nobody.
"""

import hashlib
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

import tlsinspect
from tests.conftest import ROOT
from tests.test_catalogue import genuine
from tests.test_judge import recorded
from tlsinspect import Trust, TrustDataError
from tlsinspect.certificate import Certificate, quietly
from tlsinspect.der import elements, encoded
from tlsinspect.evidence.fingerprints import (
    _MARKS,
    Fingerprint,
    Shape,
    attribute_shape,
    extension_names,
    fingerprints_of,
    fits,
    lacks_public_marks,
)
from tlsinspect.lab import pki
from tlsinspect.lab.pki import Authority, Issued, PrivateKey, name
from tlsinspect.model import Confidence, HttpAnswer, Observation, ProxyAnswer, Route, Severity, Stage
from tlsinspect.trust import certificates_in
from tools.build_trust import count_entries

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOST = "www.googleapis.com"
UPSTREAM = "upload.video.google.com"  # the common name on Google's leaf for that host
CLIENT_CN = ((NameOID.COMMON_NAME, HOST),)
_OIDS = {
    "SKI": "2.5.29.14", "KU": "2.5.29.15", "SAN": "2.5.29.17", "BC": "2.5.29.19", "AKI": "2.5.29.35",
    "EKU": "2.5.29.37", "nsType": "2.16.840.1.113730.1.1", "CP": "2.5.29.32",
}  # fmt: skip


@cache
def rsa_key(size: int = 2048, exponent: int = 65537, which: int = 0) -> rsa.RSAPrivateKey:  # noqa: ARG001 - of the cache
    return rsa.generate_private_key(exponent, size)


@dataclass(frozen=True)
class Made:
    """One way to make a certificate: what an interceptor does, whatever its authority is called."""

    extensions: tuple[str, ...]
    days: float
    begins: datetime
    subject: tuple[tuple[x509.ObjectIdentifier, str], ...] = CLIENT_CN
    names: tuple[str, ...] = (HOST,)
    key: PrivateKey | None = None
    serial: int | None = None
    roots_sent: int = 0
    ca_key: bool = False  # the leaf has the authority's own key
    via: str | None = None

    def issued(self, subject: x509.Name | None = None) -> Issued:
        common_name = (NameOID.COMMON_NAME, "Acme TLS Inspection CA")
        ca = Authority.root(name((NameOID.ORGANIZATION_NAME, "Acme Corp"), common_name), NOW, key=rsa_key(which=1))
        begins = self.begins.replace(microsecond=0)
        leaf = ca.issue(
            list(self.names),
            subject=name(*self.subject) if subject is None else subject,
            key=ca.key if self.ca_key else self.key or rsa_key(),
            not_before=begins,
            not_after=begins + timedelta(days=self.days),
            serial=self.serial,
            extensions=[self._extension(each) for each in self.extensions],
        )
        return leaf.followed_by(*[ca.certificate] * self.roots_sent)

    def _extension(self, written: str) -> tuple[x509.ExtensionType, bool]:
        short = written.lstrip("!")
        return self._value(short), written.startswith("!")

    def _value(self, short: str) -> x509.ExtensionType:
        if short == "SAN":
            return x509.SubjectAlternativeName([x509.DNSName(each) for each in self.names])
        if short == "EKU":
            return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        if short == "BC":
            return x509.BasicConstraints(ca=False, path_length=None)
        if short == "SKI":
            return x509.SubjectKeyIdentifier(b"k" * 20)
        if short == "AKI":
            return x509.AuthorityKeyIdentifier(b"a" * 20, None, None)
        return x509.UnrecognizedExtension(x509.ObjectIdentifier(_OIDS[short]), b"\x03\x02\x05\xa0")

    def shape(self) -> Shape:
        return Shape(tuple(Certificate(der) for der in self.issued().ders), seen(self.via))


def seen(via: str | None) -> Observation:
    http = HttpAnswer(200, NOW, NOW, via=via, server="nginx") if via else None
    return Observation(HOST, 443, Route(), NOW, Stage.HTTP, http=http, proxy=ProxyAnswer(200, server="BaseHTTP/0.6"))


def epoch(moment: datetime, after: str) -> int:
    return int(f"{int(moment.timestamp())}{after}")


_PRIVOXY = tuple((oid, HOST) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME,
                                         NameOID.ORGANIZATIONAL_UNIT_NAME))  # fmt: skip
_NODE = (NameOID.STATE_OR_PROVINCE_NAME, NameOID.LOCALITY_NAME)
# As measured: the table of certificates in the laboratory's notes.
MEASURED = {
    "mitmproxy": Made(("EKU", "SAN", "AKI"), 367, NOW - timedelta(days=2), ((NameOID.COMMON_NAME, UPSTREAM),),
                      (UPSTREAM, HOST)),
    "squid": Made(("SAN",), 3650, NOW, roots_sent=2, ca_key=True),
    "sslsplit": Made(("SKI", "AKI", "!BC", "KU", "EKU", "SAN"), 365, NOW - timedelta(days=1),
                     ((NameOID.COMMON_NAME, UPSTREAM),), (UPSTREAM,), rsa_key(exponent=3), roots_sent=2),
    "privoxy": Made(("BC", "SKI", "AKI", "SAN"), 120, NOW - timedelta(days=30),
                    (*_PRIVOXY, (NameOID.COUNTRY_NAME, "CZ")), serial=epoch(NOW, "1234567"), roots_sent=1),
    "proxy-py": Made(("SAN", "SKI", "AKI"), 730, NOW, ((NameOID.COMMON_NAME, UPSTREAM),), serial=epoch(NOW, "4711")),
    "warcprox": Made(("SAN",), 1095, NOW, ((NameOID.COMMON_NAME, "googleapis.com"),),
                     ("googleapis.com", "*.googleapis.com"), serial=0x7F00_1234_5678_9ABC, via="1.1 warcprox"),
    "goproxy": Made(("!KU", "EKU", "!BC", "AKI", "SAN"), 29219, datetime(1970, 1, 1, tzinfo=UTC),
                    ((NameOID.ORGANIZATION_NAME, "Acme proxy"), *CLIENT_CN), roots_sent=1),
    "node-http-mitm-proxy": Made(("BC", "KU", "EKU", "nsType", "SKI", "SAN"), 366, NOW - timedelta(days=1),
                                 (*CLIENT_CN, *((oid, "Internet") for oid in _NODE))),
}  # fmt: skip
NOBODY = {
    # A front that ends TLS, with a certificate made by the openssl tool.
    "nginx": Made(("SAN", "SKI", "AKI"), 825, NOW, names=(HOST, "mail.google.com"), roots_sent=1),
    "a company's own CA": Made(("SAN", "SKI", "AKI"), 730, NOW, roots_sent=1),
    "an openssl front": Made(("SAN",), 1095, NOW),
    "a relative of warcprox": Made(
        ("SAN",), 1095, NOW, names=("googleapis.com", "*.googleapis.com"), serial=0x7F00_1234_5678_9ABC
    ),
    "one leaf with its CA's key": Made(("SAN",), 365, NOW, ca_key=True, roots_sent=1),
}


def with_long_country(made: Made) -> Issued:
    """http-mitm-proxy writes a country of eight letters, which no builder does unless it is asked not to look."""
    parts = [x509.NameAttribute(oid, value) for oid, value in made.subject]

    def issue() -> Issued:
        long = x509.NameAttribute(NameOID.COUNTRY_NAME, "Internet", _validate=False)
        return made.issued(x509.Name([long, *parts]))

    return quietly(issue)


def shape_of(product: str) -> Shape:
    made = MEASURED[product]
    if product != "node-http-mitm-proxy":
        return made.shape()
    return Shape(tuple(Certificate(der) for der in with_long_country(made).ders), seen(None))


def rows() -> tuple[Fingerprint, ...]:
    return fingerprints_of(Trust.default())


def test_every_fingerprint_is_of_something_measured() -> None:
    assert {row.product for row in rows()} == set(MEASURED)
    assert all(row.source.startswith("measured: ") for row in rows())


@pytest.mark.parametrize("product", MEASURED)
def test_each_is_known_by_its_own_fingerprint_and_by_no_other(product: str) -> None:
    shape = shape_of(product)
    assert {row.product for row in rows() if fits(row, shape)} == {product}
    found = attribute_shape(shape, Trust.default())
    assert found is not None
    assert (found.id, found.confidence) == (product, Confidence.WEAK)
    assert found.matched
    assert "Acme" not in found.matched


@pytest.mark.parametrize("case", NOBODY)
def test_what_was_measured_nowhere_is_nobody(case: str) -> None:
    assert attribute_shape(NOBODY[case].shape(), Trust.default()) is None


# For each mark, something that differs in it alone (or nearly: an extension more is another order too).
SPOILT: dict[str, Callable[[Made], Made]] = {
    "extensions": lambda m: replace(m, extensions=(*m.extensions, "CP")),
    "leaf_key": lambda m: replace(m, key=pki.new_key("p256"), ca_key=False),
    "rsa_exponent": lambda m: replace(m, key=rsa_key()),
    "leaf_key_is_issuers": lambda m: replace(m, ca_key=False),
    "lifetime_days": lambda m: replace(m, days=m.days + 1 / 86400),
    "not_before": lambda m: replace(m, begins=m.begins + timedelta(days=1), days=m.days - 1),
    "not_after": lambda m: replace(m, days=m.days - 1),
    "serial_bits_at_most": lambda m: replace(m, serial=1 << 64),
    "serial_epoch_after_days": lambda m: replace(m, serial=epoch(m.begins + timedelta(days=60), "4711")),
    "subject": lambda m: replace(m, subject=m.subject[:-1]),
    "cn_is_o_and_ou": lambda m: replace(m, subject=((NameOID.COMMON_NAME, HOST), m.subject[-1])),
    "san_is_domain_and_below": lambda m: replace(m, names=("googleapis.com", "www.googleapis.com")),
    "root_copies": lambda m: replace(m, roots_sent=1),
    "http_via": lambda m: replace(m, via="1.1 squid (nginx)"),
}


def marks() -> Iterator[Any]:
    for number, row in enumerate(rows()):
        for mark in row.marks:
            yield pytest.param(number, mark, id=f"{row.product}-{number}-{mark}")


# A second row of the same product, which is fulfilled in another way.
OTHERWISE = {
    "squid-via": Made(("SAN",), 3650, NOW, roots_sent=1, ca_key=True, via="1.1 box.acme.example (squid/5.7)"),
    "proxy-py-without-key-id": replace(MEASURED["proxy-py"], extensions=("SAN", "SKI")),
}


@pytest.mark.parametrize(("number", "mark"), list(marks()))
def test_one_mark_less_is_enough(number: int, mark: str) -> None:
    row = rows()[number]
    candidates = [MEASURED[row.product], *(made for key, made in OTHERWISE.items() if key.startswith(row.product))]
    if row.product == "node-http-mitm-proxy":
        whole, spoilt = shape_of(row.product), SPOILT[mark](candidates[0])
        spoilt = replace(spoilt, begins=NOW)
        issued = with_long_country(spoilt)
        less = Shape(tuple(Certificate(der) for der in issued.ders))
        assert fits(row, whole)
    else:
        made = next(each for each in candidates if fits(row, each.shape()))
        less = SPOILT[mark](made).shape()
    assert not _MARKS[mark].fits(less, row.marks[mark])
    assert not fits(row, less)


@pytest.mark.parametrize("case", OTHERWISE)
def test_a_product_may_have_two_fingerprints(case: str) -> None:
    found = attribute_shape(OTHERWISE[case].shape(), Trust.default())
    assert found is not None
    assert case.startswith(found.id)


# -- nothing genuine, and nothing recorded under another name --------------------------------------------------------


def test_nothing_genuine_bears_a_fingerprint() -> None:
    """It is never looked at; and it would not fit if it were."""
    for where, certificate in genuine().items():
        shape = Shape((certificate,))
        assert [row.product for row in rows() if fits(row, shape)] == [], where


def test_recorded_interceptors_are_not_taken_for_others() -> None:
    count = 0
    for path in recorded("interception"):
        chain = tuple(Certificate(der) for der in certificates_in(path.read_bytes()))
        found = attribute_shape(Shape(chain), Trust.default())
        assert found is None or found.id in path.name, path.name
        count += 1
    assert count > 20


def test_the_lack_of_google_s_marks() -> None:
    lacking = [path.name for path in recorded("google_chains") if lacks_public_marks(_leaf(path))]
    assert lacking == []
    for product in MEASURED:
        assert lacks_public_marks(shape_of(product).leaf), product


def _leaf(path: Path) -> Certificate:
    return Certificate(next(certificates_in(path.read_bytes())))


def test_extensions_are_read_whatever_stands_in_them() -> None:
    made = MEASURED["privoxy"].issued()
    assert extension_names(Certificate(made.ders[0])) == ("BC", "SKI", "AKI", "SAN")
    broken = bytearray(made.ders[0])
    at = made.ders[0].index(bytes.fromhex("0603551d13"))
    broken[at - 1] = 0x7F  # the length of the extension
    assert extension_names(_unchecked(bytes(broken))) is None


def test_an_extension_that_holds_nothing_is_no_defect_of_ours() -> None:
    whole = MEASURED["warcprox"].issued().ders[0]
    certificate, tbs = _parts(whole), _parts(_parts(whole)[0])
    hollow = encoded(0xA3, encoded(0x30, encoded(0x30)))
    der = encoded(0x30, encoded(0x30, *tbs[:-1], hollow), *certificate[1:])
    assert extension_names(Certificate(der)) is None
    assert tlsinspect.classify([der], HOST, at=NOW).rule != "internal"


def _parts(element_: bytes) -> list[bytes]:
    (whole,) = elements(element_, 0, len(element_))
    return [element_[each.start : each.end] for each in elements(element_, whole.begin, whole.end)]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(MEASURED)), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4))
def test_a_broken_certificate_is_judged_all_the_same(product: str, changes: list[tuple[int, int]]) -> None:
    chain = [bytearray(der) for der in chain_of(product)]
    for at, octet in changes:
        chain[0][at % len(chain[0])] = octet
    assessment = tlsinspect.classify([bytes(der) for der in chain], HOST, at=NOW)
    assert assessment.rule != "internal"
    assert assessment.verdict != "genuine"


@cache
def chain_of(product: str) -> tuple[bytes, ...]:
    return tuple(certificate.der for certificate in shape_of(product).chain)


def _unchecked(der: bytes) -> Certificate:
    found = Certificate.__new__(Certificate)
    found.der = der
    return found


# -- what the judge makes of it -------------------------------------------------------------------------------------


def judged(made: Made) -> tlsinspect.Assessment:
    return tlsinspect.classify(made.issued().ders, HOST, at=NOW)


def test_a_fingerprint_names_weakly_where_no_name_does() -> None:
    assessment = judged(MEASURED["squid"])
    assert assessment.attribution is not None
    assert (assessment.attribution.id, assessment.attribution.confidence) == ("squid", "weak")
    assert (assessment.verdict, assessment.confidence) == ("intercepted", "certain")
    found = {f.code: f for f in assessment.findings}
    assert "interceptor-match" not in found
    assert (found["fingerprint-match"].kind, found["google-marks-missing"].severity) == ("hint", Severity.LOW)
    assert "by Squid (weak)" in assessment.explanation


def test_a_name_wins_and_both_are_said() -> None:
    """Squid under the name of another product."""
    ca = Authority.root(name((NameOID.COMMON_NAME, "mitmproxy"), (NameOID.ORGANIZATION_NAME, "mitmproxy")), NOW,
                        key=rsa_key(which=1))  # fmt: skip
    leaf = ca.issue([HOST], key=ca.key, send_root=True)
    chain = (*leaf.ders, leaf.ders[-1])
    assessment = tlsinspect.classify(chain, HOST, at=NOW)
    assert assessment.attribution is not None
    assert (assessment.attribution.id, assessment.attribution.confidence) == ("mitmproxy", "weak")
    said = {f.code: f.values["id"] for f in assessment.findings if f.code.endswith("-match")}
    assert said == {"interceptor-match": "mitmproxy", "fingerprint-match": "squid"}


OCTOPUS = """
[[fingerprint]]
product = 'octopus'
name = 'Octopus'
vendor = 'somebody'
kind = 'enterprise-proxy'
marks = { leaf_key_is_issuers = true, root_copies = 2 }
source = 'measured: never'
"""


def test_two_products_that_fit_are_none(tmp_path: Path) -> None:
    text = (ROOT / "trust" / "fingerprints.toml").read_text(encoding="utf-8")
    trust = altered(tmp_path, text + OCTOPUS)
    chain = MEASURED["squid"].issued().ders
    assessment = tlsinspect.classify(chain, HOST, at=NOW, trust=trust)
    assert (assessment.verdict, assessment.attribution) == ("intercepted", None)


def test_the_same_looks_on_a_genuine_chain_say_nothing(google: pki.GoogleLike, roots: Path, now: datetime) -> None:
    leaf = google.wr2.issue(
        [HOST], extensions=[MEASURED["mitmproxy"]._extension(each) for each in ("EKU", "SAN", "AKI")], key=rsa_key(),
        not_before=now - timedelta(days=2), not_after=now + timedelta(days=365))  # fmt: skip
    shape = Shape(tuple(Certificate(der) for der in leaf.ders))
    assert attribute_shape(shape, Trust.default()) is not None
    assessment = tlsinspect.classify(leaf.ders, HOST, at=now, trust=Trust.load(roots))
    assert not {"fingerprint-match", "google-marks-missing"} & {f.code for f in assessment.findings}
    assert assessment.attribution is None


# -- the file -------------------------------------------------------------------------------------------------------


def altered(tmp_path: Path, text: str) -> Trust:
    """The shipped data with other fingerprints, and a manifest that says so."""
    folder = tmp_path / "trust"
    shutil.copytree(ROOT / "trust", folder)
    (folder / "fingerprints.toml").write_text(text, encoding="utf-8")
    manifest = folder / "MANIFEST.toml"
    said = next(row for row in tomllib.loads(manifest.read_text("utf-8"))["file"] if row["path"] == "fingerprints.toml")
    known = manifest.read_text("utf-8").replace(said["sha256"], hashlib.sha256(text.encode()).hexdigest())
    head, _, tail = known.partition('path = "fingerprints.toml"')
    tail = tail.replace(f"count = {said['count']}", f"count = {count_entries('fingerprints.toml', text)}", 1)
    manifest.write_text(f'{head}path = "fingerprints.toml"{tail}', "utf-8")
    return Trust.load(folder)


MORE = "\n[[fingerprint]]\nproduct = 'mitmproxy'\nsource = 'measured: x'\nmarks = "
WRONG = {
    "a mark nobody knows": (MORE + "{ colour = 'red', root_copies = 1 }", "colour is no mark"),
    "a value of another kind": (MORE + "{ rsa_exponent = 'three', root_copies = 1 }", "rsa_exponent is no mark"),
    "a slow expression": (MORE + "{ http_via = '(x+)+', root_copies = 1 }", "http_via is no mark"),
    "one mark alone": (MORE + "{ root_copies = 1 }", "at least 2"),
    "an unknown product without a name": (MORE.replace("mitmproxy", "octopus") + "{ root_copies = 1 }", "exactly"),
    "a word without a meaning": ("\n[[mark]]\nname = 'x'\nwords = 'y'\n", "do not agree"),
    "another table": ("\n[[thing]]\na = 1\n", "no [[thing]]"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_row_that_is_not_what_it_should_be_is_named(case: str, tmp_path: Path) -> None:
    more, said = WRONG[case]
    text = (ROOT / "trust" / "fingerprints.toml").read_text(encoding="utf-8")
    trust = altered(tmp_path, text + more)
    with pytest.raises(TrustDataError) as raised:
        fingerprints_of(trust)
    assert said in str(raised.value)
    assert "fingerprints.toml" in str(raised.value)
