"""What the observations of a run prove of the time, and what they merely suggest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tlsinspect.certificate import title_of
from tlsinspect.evidence.answer import Answer
from tlsinspect.evidence.clock import Bounds, Since, witness
from tlsinspect.evidence.clockhints import Hints, Told
from tlsinspect.evidence.gathered import Evidence, anchored_since
from tlsinspect.evidence.sighting import Known, Sighting
from tlsinspect.model import Basis, FetchOutcome
from tlsinspect.text import printable


def bounds_of(sightings: Sequence[Sighting], known: Known) -> Bounds:
    """Bounds on true time: from every session whose leaf is proven, from what was signed about proven certificates, and
    from the time service. What nobody proved is not looked at."""
    witnesses = []
    for s in sightings:
        if s.path is None or not s.proven:
            continue
        live = known.basis is Basis.LIVE and _completed(s)
        told = witness(s.endpoint.host, s.path.leaf.spki_sha256, s.seen.http, s.google) if live else None
        if told is not None:
            witnesses.append(told)
    since = [*anchored_since(known.evidence, known.trust), *(each for s in sightings for each in _since(s))]
    return replace(known.bounds, witnesses=tuple(witnesses), since=tuple(since), service=known.evidence.service)


def _since(sighting: Sighting) -> Iterator[Since]:
    """Moments that have passed, for Google or a transparency log signed something at them. Any public authority could
    post-date; only Google's own keys are believed about the time."""
    path = sighting.path
    if path is None or not sighting.google:
        return
    key = path.leaf.spki_sha256
    yield Since(path.not_before, "notBefore of a proven certificate", key)
    for stamp in sighting.timestamps:
        if stamp.result == "valid" and stamp.time is not None:
            yield Since(stamp.time, f"timestamp of {printable(stamp.log)}", key)
    for answer in (answer for learnt in sighting.learnt for answer in learnt.answers if answer.authentic):
        for moment in (answer.this_update, answer.produced_at):
            if moment is not None:
                yield Since(moment, _title(answer))


def _title(answer: Answer) -> str:
    what = "CRL" if answer.source == "crl" else "OCSP answer"
    return f"{what} of {printable(title_of(answer.issuer))}"


def hints_of(sightings: Sequence[Sighting], known: Known) -> Hints:
    """What may tell the time without proving it."""
    genuine = {s.path.leaf.spki_sha256: s for s in sightings if s.path is not None and s.google and _completed(s)}
    leaves = [s.path.not_after for s in genuine.values() if s.path is not None]
    lists = []
    if _just_fetched(known.evidence):
        answers = [a for s in genuine.values() for learnt in s.learnt for a in learnt.answers if a.authentic]
        lists = [a.next_update for a in answers if a.next_update is not None]
    told = [
        Told(f"an unproven session with {s.endpoint.host}", s.seen.http.date, s.seen.http.received)
        for s in sightings
        if s.seen.http is not None and s.seen.http.date is not None and not s.proven
    ]
    return Hints(tuple(leaves), tuple(lists), (*known.evidence.told, *told), known.evidence.synchronised)


def _just_fetched(evidence: Evidence) -> bool:
    """Whether the lists and answers came in this run: of an older copy nobody would expect that it is current."""
    outcomes = {fetch.outcome for fetch in evidence.fetches.values() if fetch.purpose in ("crl", "ocsp")}
    return FetchOutcome.FETCHED in outcomes and FetchOutcome.CACHED not in outcomes


def _completed(sighting: Sighting) -> bool:
    return sighting.seen.tls is not None and sighting.seen.tls.completed
