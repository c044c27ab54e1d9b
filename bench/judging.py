"""Judging chains beside cryptography's verifier on the same chains."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import median

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, ServerVerifier

import tlsinspect
from bench.lab import KINDS, Lab, issue, lab
from bench.options import Options
from bench.table import Row, against
from tlsinspect.evidence.path import Path, Signer, find_path
from tlsinspect.model import Authority, Verdict
from tlsinspect.trust import Trust

NAME = "www.google.com"
CHAINS = 400
BLOCK = 20  # chains judged by one before the other takes its turn
REPEATS = 20_000

Chain = tuple[bytes, ...]


def run(_: Options) -> Iterator[Row]:
    with lab() as place:
        trust = Trust.load(place.roots)
        for kind in KINDS:
            chains = [issued.ders for issued in issue(place.google, kind, [[NAME]] * CHAINS * 2)]
            yield _distinct(kind, chains[:CHAINS], place, trust)
            yield _classified(kind, chains[CHAINS:], place, trust)
        yield _repeated(chains[0], trust)


def _verifier(place: Lab, at: datetime) -> ServerVerifier:
    store = x509.verification.Store(list(place.google.roots))
    return PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(NAME))


def _verify(verifier: ServerVerifier, chains: Sequence[Chain]) -> float:
    """CPU seconds of cryptography on certificates it has parsed already: the reading does not count for it."""
    parsed = [[x509.load_der_x509_certificate(der) for der in chain] for chain in chains]
    begun = time.process_time()
    for leaf, *others in parsed:
        verifier.verify(leaf, others)
    return time.process_time() - begun


def _find(chains: Sequence[Chain], at: datetime, trust: Trust) -> float:
    begun = time.process_time()
    found = [find_path(chain, NAME, Authority.GOOGLE, at, trust) for chain in chains]
    spent = time.process_time() - begun
    _expect_google(found)
    return spent


def _expect_google(paths: Sequence[Path]) -> None:
    if any(path.signer is not Signer.GOOGLE or path.defect for path in paths):
        raise RuntimeError("an honest chain was not found to be Google's")


def _distinct(kind: str, chains: Sequence[Chain], place: Lab, trust: Trust) -> Row:
    at = datetime.now(UTC)
    verifier = _verifier(place, at)
    blocks = [chains[i : i + BLOCK] for i in range(0, len(chains), BLOCK)]
    _verify(verifier, blocks[0]), _find(blocks[0], at, trust)
    theirs, ours = [], []
    for block in blocks[1:]:
        theirs.append(_verify(verifier, block))
        ours.append(_find(block, at, trust))
    ratio = median(o / t for o, t in zip(ours, theirs, strict=True))
    each = f"{median(ours) / BLOCK * 1e6:.0f} µs; verify() alone {median(theirs) / BLOCK * 1e6:.0f} µs"
    return against(f"judging: find_path, {kind}, distinct chains", each, ratio, 1.3)


def _classified(kind: str, chains: Sequence[Chain], place: Lab, trust: Trust) -> Row:
    """The whole answer for a recorded chain, findings and words included."""
    at = datetime.now(UTC)
    verifier = _verifier(place, at)
    blocks = [chains[i : i + BLOCK] for i in range(0, len(chains), BLOCK)]
    theirs, ours = [], []
    for block in blocks:
        theirs.append(_verify(verifier, block))
        begun = time.process_time()
        verdicts = {tlsinspect.classify(chain, NAME, at=at, trust=trust).verdict for chain in block}
        ours.append(time.process_time() - begun)
        if verdicts != {Verdict.GENUINE}:
            raise RuntimeError(f"honest chains were called {sorted(verdicts)}")
    ratio = median(o / t for o, t in zip(ours, theirs, strict=True))
    return Row(f"judging: classify, {kind}, distinct chains", f"{median(ours) / BLOCK * 1e6:.0f} µs", ratio)


def _repeated(chain: Chain, trust: Trust) -> Row:
    """The same chain again, in bytes of its own as every handshake delivers it."""
    at = datetime.now(UTC)
    copies = [tuple(bytes(bytearray(der)) for der in chain) for _ in range(REPEATS)]
    begun = time.process_time()
    for copy in copies:
        find_path(copy, NAME, Authority.GOOGLE, at, trust)
    each = (time.process_time() - begun) / REPEATS
    return Row("judging: find_path, a repeated chain", f"{each * 1e6:.1f} µs", None, "≤ 10 µs", each <= 10e-6)
