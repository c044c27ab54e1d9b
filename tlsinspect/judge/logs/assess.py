"""From what a log says of a failure to an assessment: the facts for `rules`, and the words.

Pure, and nothing is more than a hint: a name in a log can be typed by anybody, as can the whole line.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import zip_longest

from tlsinspect.endpoints.target import bracketed
from tlsinspect.evidence.attribution import interceptor
from tlsinspect.judge.advice import asked, case_of, remedy
from tlsinspect.judge.logs.establish import Dates, Read, read
from tlsinspect.judge.logs.findings import findings, short_name
from tlsinspect.judge.logs.rules import decide_log
from tlsinspect.judge.logs.words import word
from tlsinspect.judge.rules import WORST_FIRST
from tlsinspect.judge.words import day, explanation, finding
from tlsinspect.logs.codes import error
from tlsinspect.logs.observed import UNKNOWN_HOST, hosts_in, observed
from tlsinspect.logs.stories import Tries
from tlsinspect.model import Assessment, Attribution, Basis, Confidence, Finding, Logged, Verdict
from tlsinspect.trust import Trust


def assess_log(failure: Tries, trust: Trust) -> Assessment:
    """A failure that a log tells: one try, or one through a proxy and the direct one that followed."""
    tries = [_assessed(read(logged, trust), trust) for logged in failure]
    # Of two that are as bad the one about which something can be asked for.
    worst = min(tries, key=lambda a: (WORST_FIRST.index(a.verdict), not asked(a)))
    found = replace(
        worst,
        findings=(*_retries(failure, tries), *worst.findings),
        observations=tuple(a.observations[0] for a in tries),
    )
    if len({a.explanation for a in tries}) == 1:
        return found
    remedies = dict.fromkeys((worst.remedy, *(a.remedy for a in tries)))
    if tries[0].rule.startswith("log-proxy-") and worst.verdict is Verdict.UNREACHABLE:
        remedies = {tries[0].remedy: None}  # where there is a proxy no other way need be open
    return replace(found, explanation=_story(failure, tries), remedy=" ".join(filter(None, remedies)))


def _story(failure: Tries, tries: Sequence[Assessment]) -> str:
    """One try after the other."""
    begin = word("story", {**_ways(failure[0]), "first": tries[0].explanation})
    then = (
        word("story-then", {"retry": logged.retry, "second": after.explanation})
        for logged, after in zip(failure, tries[1:], strict=False)
    )
    return " ".join((begin, *then))


def _retries(failure: Tries, tries: Sequence[Assessment]) -> Iterator[Finding]:
    """Each try that was to be followed by another, and that one."""
    for logged, tried, after in zip_longest(failure, tries, tries[1:]):
        if not logged.retry:
            continue
        values = {**_ways(logged), "first": str(tried.verdict)}
        if after is None:
            yield finding("log-retry-untold", values)
        else:
            yield finding("log-retried", {**values, "second": str(after.verdict)}, {"why": after.explanation})


def _ways(first: Logged) -> dict[str, str]:
    return {"via": first.via or "the settings of Windows", "retry": first.retry}


# -- one try ----------------------------------------------------------------------------------------------------------


def _assessed(one: Read, trust: Trust) -> Assessment:
    rule = decide_log(one.facts)
    shown = interceptor(one.product)
    words = _words(one, shown)
    logged, seen = one.logged, observed(one.logged, one.endpoint)
    return Assessment(
        endpoint=one.endpoint,
        route=seen.route,
        verdict=rule.verdict,
        confidence=Confidence.WEAK if logged.mixed else rule.confidence,
        basis=Basis.TEXT,
        rule=rule.id,
        explanation=explanation(rule.id, words),
        remedy=remedy(case_of(one.endpoint, rule.id, rule.verdict, shown), words),
        findings=tuple(findings(one, rule, words, trust)),
        attribution=shown,
        issuer=", ".join(logged.issuer) or None,
        issuer_title=logged.issuer[-1] if logged.issuer else None,
        not_after=logged.not_after,
        observations=(seen,),
    )


def _words(one: Read, product: Attribution | None) -> dict[str, str]:
    logged, known = one.logged, one.endpoint.host != UNKNOWN_HOST
    host = one.endpoint.host if known else "Google's hosts"
    hosts, complaints = ", ".join(hosts_in(logged.subject)[:3]), ", ".join(map(short_name, one.flags))
    number = _number(one)
    what = one.code.sentence.rstrip(".") if one.code is not None else number
    return {
        "host": host,
        "whom": host if known else "a host that the log does not name",
        "names": hosts or "no host",
        "place": f"{host}:{one.endpoint.port}",
        "port": str(one.endpoint.port),
        "by_name": ", by server name (SNI) and not by certificate name or address",
        "in_product": f" in {product.name}" if product is not None else "",
        "product": product.name if product is not None else "somebody",
        "confidence": product.confidence if product is not None else "",
        "matched": product.matched if product is not None else "",
        # With the organisation, unless a product is named: "R3" alone tells nobody anything.
        "issuer": ", ".join(logged.issuer[-1:] if product else logged.issuer[-2:]) or "nobody that is printed",
        "peer": f"{bracketed(logged.address or '')}:{logged.port}",
        "where": _where(one),
        "time": day(logged.time) if logged.zone else f"{logged.time:%Y-%m-%d %H:%M} without a zone",
        "not_before": day(logged.not_before) if logged.not_before else "",
        "not_after": day(logged.not_after) if logged.not_after else "",
        "skew": _skew(one.dates),
        "what": what,
        "code": number,
        "complaints": complaints or "no flag",
        "told": complaints or number,
        "why": "; ".join(flag.sentence.rstrip(".") for flag in one.flags) or what,
        "good": word("good" if one.dates.sure else "perhaps-good"),
    }


def _number(one: Read) -> str:
    """The number that `what` is said of, as it is looked up elsewhere."""
    code, answer, known = one.logged.code, one.logged.http_status, one.code
    if code is not None and known is error(code):
        return f"{known.name} (0x{code:08x})" if known is not None else f"0x{code:08x}"
    if answer is not None:
        return f"{known.name} ({answer})" if known is not None else f"HTTP {answer}"
    return "no code"


def _where(one: Read) -> str:
    peer = f"{bracketed(one.logged.address or '')}:{one.logged.port}"
    near = {
        "here": f", which ends at {peer} on that machine itself,",
        "private": f", which ends at {peer} in its own network,",
    }
    return near.get(one.facts.place, "")


def _skew(dates: Dates) -> str:
    """How far the clock is off, outward in whole days."""
    least, most = sorted((abs(dates.least), abs(dates.most)))
    days = (math.floor(least / timedelta(days=1)), math.ceil(most / timedelta(days=1)))
    return f"about {days[0]} to {days[1]} days {'ahead' if dates.ahead else 'behind'}"
