"""Several observations of one endpoint give one assessment: the worst, and in what the others differ from it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tlsinspect.asked import Asked
from tlsinspect.judge.rules import WORST_FIRST
from tlsinspect.judge.words import finding
from tlsinspect.model import REASONS, Assessment, Authority, Finding, Observation, Reason, Verdict

# Servers need not speak every version, nor have a certificate of every kind: no certificate there says nothing of them.
_MAY_FAIL = {Asked.TLS_1_2, Asked.TLS_1_3, Asked.RSA, Asked.ECDSA}


def merged(each: Sequence[Assessment]) -> Assessment:
    """The assessments of each observation by itself, the usual way first, as one."""
    counted = [a for a in each if _counts(a)] or list(each[:1])
    worst = min(counted, key=lambda a: WORST_FIRST.index(a.verdict))
    found = (*_mixed(counted, worst.verdict), *worst.findings, *_uncounted([a for a in each if a not in counted]))
    return replace(worst, findings=found, observations=tuple(a.observations[0] for a in each))


def _counts(assessment: Assessment) -> bool:
    """Whether this way of asking must give the same answer as the usual one."""
    seen = assessment.observations[0]
    if seen.slice == Asked.NO_SNI:
        return assessment.verdict is Verdict.INTERCEPTED
    if seen.slice and seen.failure is not None and seen.failure.reason is Reason.NO_ROUTE:
        return False  # this machine has no way to that address, as one without IPv6 has not
    return seen.slice not in _MAY_FAIL or bool(seen.tls and seen.tls.chain)


def _mixed(counted: Sequence[Assessment], worst: Verdict) -> Iterator[Finding]:
    if len({a.verdict for a in counted}) > 1:
        slices = ", ".join(f"{a.verdict} at {_place(a.observations[0])}" for a in counted)
        yield finding("mixed", {"where": _where(counted, worst), "slices": slices})


def _place(seen: Observation) -> str:
    asked = seen.slice or f"try {seen.attempt}"
    return asked + (f" ({seen.address})" if seen.address and seen.address not in asked else "")


def _where(counted: Sequence[Assessment], worst: Verdict) -> str:
    """What all observations with the worst verdict have in common, and none of the others."""
    bad = [a.observations[0] for a in counted if a.verdict is worst]
    good = [a.observations[0] for a in counted if a.verdict is not worst]
    for word, read in _DIMENSIONS:
        those, others = {read(seen) for seen in bad}, {read(seen) for seen in good}
        if None not in those | others and not those & others:
            return f"{worst} only {word} {', '.join(sorted(map(str, those)))}"
    return f"{worst} on {len(bad)} of {len(counted)} connections"


def _family(seen: Observation) -> str | None:
    if seen.route.proxy is not None or seen.address is None:
        return None
    return "IPv6" if ":" in seen.address else "IPv4"


def _protocol(seen: Observation) -> str | None:
    return seen.tls.protocol if seen.tls is not None else None


_DIMENSIONS: tuple[tuple[str, Callable[[Observation], str | None]], ...] = (
    ("over", _family),
    ("with", _protocol),
    ("at", lambda seen: seen.address),
    ("when asked for", lambda seen: seen.slice or "the usual"),
)


def _uncounted(others: Sequence[Assessment]) -> Iterator[Finding]:
    """What the ways of asking that need not give the same answer gave."""
    failed = {a.observations[0].slice for a in others}
    for assessment in others:
        seen = assessment.observations[0]
        if seen.slice == Asked.NO_SNI:
            said = f"{assessment.verdict}, issued by {assessment.issuer_title or 'nobody'}"
            yield finding("no-sni-answer", {"answer": said})
        elif seen.failure is not None:
            google = assessment.endpoint.authority is Authority.GOOGLE
            refused = google and seen.slice == Asked.ECDSA and Asked.RSA not in failed
            code = "ecdsa-refused" if refused else "slice-failed"
            values = {"slice": seen.slice, "reason": REASONS[seen.failure.reason]}
            yield finding(code, values, {"hosts": seen.host})
