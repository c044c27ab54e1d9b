"""Google's own recorded certificates, copied octet by octet under another key: the most faithful forgery there can be.

Nothing that can be read in them differs from what Google made; only signatures do.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import tlsinspect
from tests.test_judge import chain_of, codes, own_name, recorded
from tlsinspect import Trust
from tlsinspect.certificate import Certificate, quietly
from tlsinspect.lab.pki import PrivateKey, forged, new_key
from tlsinspect.model import Assessment, Confidence, Severity, Verdict

Copy = Callable[[Sequence[bytes]], list[bytes]]
"""What is presented in place of a genuine chain."""
DIFFERENT = 98  # leaves, in two folders


@cache
def key_of(rank: int) -> PrivateKey:
    """The forger's key for the leaf (0), what signed it (1), and so on."""
    return new_key("p256" if rank == 0 else "rsa2048")


def copied(genuine: bytes, rank: int) -> bytes:
    """A certificate under the forger's key, signed by the one of the next rank; a root signs itself."""
    certificate = quietly(x509.load_der_x509_certificate, genuine)
    signer = rank if quietly(lambda: certificate.subject == certificate.issuer) else rank + 1
    return quietly(forged, certificate, key_of(rank), key_of(signer)).public_bytes(Encoding.DER)


def leaf_alone(chain: Sequence[bytes]) -> list[bytes]:
    return [copied(chain[0], 0)]


def whole_chain(chain: Sequence[bytes]) -> list[bytes]:
    return [copied(der, rank) for rank, der in enumerate(chain)]


def before_the_genuine_chain(chain: Sequence[bytes]) -> list[bytes]:
    return [copied(chain[0], 0), *chain]


def before_the_genuine_authorities(chain: Sequence[bytes]) -> list[bytes]:
    return [copied(chain[0], 0), *chain[1:]]


COPIES = (leaf_alone, whole_chain, before_the_genuine_chain, before_the_genuine_authorities)


def leaves() -> list[Path]:
    return [*recorded("google_chains"), *recorded("google_presented")]


def in_its_time(chain: Sequence[bytes], genuine: Certificate, *, vouched: bool) -> Assessment:
    """`chain` judged by the real trust data, when the certificate it was copied from was valid."""
    middle: datetime = genuine.not_before + (genuine.not_after - genuine.not_before) / 2
    return tlsinspect.classify(chain, own_name(genuine), at=middle, authority="google", possession_proven=vouched)


def extensions(certificate: x509.Certificate) -> list[x509.Extension[x509.ExtensionType]]:
    return list(quietly(lambda: certificate.extensions))


def test_a_copy_says_what_the_original_says() -> None:
    for path in leaves():
        genuine = quietly(x509.load_der_x509_certificate, chain_of(path)[0])
        copy = quietly(x509.load_der_x509_certificate, copied(chain_of(path)[0], 0))
        assert copy.serial_number == genuine.serial_number
        assert (copy.issuer, copy.subject) == (genuine.issuer, genuine.subject)
        assert (copy.not_valid_before_utc, copy.not_valid_after_utc) == (
            genuine.not_valid_before_utc,
            genuine.not_valid_after_utc,
        )
        assert extensions(copy) == extensions(genuine)
        assert copy.public_key() != genuine.public_key()


@pytest.mark.parametrize("vouched", [False, True], ids=["recorded", "vouched-for"])
@pytest.mark.parametrize("copy", COPIES, ids=lambda each: each.__name__)
def test_a_copy_of_a_google_certificate_is_never_googles(copy: Copy, vouched: bool) -> None:
    """A name it borrows from an intermediate we know is refuted by that intermediate's key."""
    known = {intermediate.subject for intermediate in Trust.default().intermediates}
    rules: Counter[str] = Counter()
    for path in leaves():
        chain = chain_of(path)
        genuine = Certificate(chain[0])
        found = in_its_time(copy(chain), genuine, vouched=vouched)
        rules[found.rule] += 1
        assert found.verdict is not Verdict.GENUINE, path.name
        if genuine.poisoned:  # a precertificate is nobody's endpoint, whoever signed it
            assert found.rule == "precertificate", path.name
            continue
        assert (found.verdict, found.confidence) == (Verdict.INTERCEPTED, Confidence.CERTAIN), path.name
        assert found.attribution is None, path.name
        if genuine.issuer in known:
            assert found.rule == "issuer-impersonated", path.name
            critical = {f.code for f in found.findings if f.severity is Severity.CRITICAL}
            assert "issuer-impersonated" in critical, path.name
    assert rules.total() == DIFFERENT
    assert rules["precertificate"] == 2
    assert rules["issuer-impersonated"] >= 92


def test_the_original_beside_it_is_googles() -> None:
    """So that nothing above passes for a reason of its own."""
    newest = max(recorded("google_chains"))
    chain, genuine = chain_of(newest), Certificate(chain_of(newest)[0])
    assert in_its_time(chain, genuine, vouched=True).verdict is Verdict.GENUINE
    found = in_its_time(before_the_genuine_chain(chain), genuine, vouched=True)
    assert found.rule == "issuer-impersonated"
    assert "chain-incomplete" not in codes(found)
