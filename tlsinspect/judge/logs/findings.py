"""What is worth saying of one try beside its verdict. All of it is a hint: it is read from text."""

from collections.abc import Iterator
from datetime import timedelta

from tlsinspect.evidence.attribution import default_at, interceptor
from tlsinspect.evidence.clockhints import hypotheses
from tlsinspect.judge.findings import REVERSE_ZONE, named_product
from tlsinspect.judge.logs.establish import Read, named
from tlsinspect.judge.logs.rules import LogRule
from tlsinspect.judge.words import finding, outward
from tlsinspect.logs.codes import Flag
from tlsinspect.model import Finding, Logged, Verdict
from tlsinspect.trust import Trust

LONGEST_LIFE = timedelta(days=398)  # of a certificate by a public authority, since September 2020


def findings(read: Read, rule: LogRule, words: dict[str, str], trust: Trust) -> Iterator[Finding]:
    """What is worth saying beside the verdict, most telling first."""
    verdict = rule.verdict
    yield from _of_product(read, words)
    yield from _of_clock(read, verdict, words)
    yield from _of_place(read, trust, words)
    yield from _of_flags(read, verdict, words)
    if read.facts.certificate == "damaged":
        yield from _of_damage(read, trust)
    if read.logged.mixed:
        yield finding("log-mixed-lines")
    if read.code is not None or read.logged.code is not None:
        yield finding("log-code", {"code": words["code"], "api": _api(read.logged)}, words)
    if read.facts.revoked and verdict is not Verdict.REVOKED:
        yield finding("log-revoked-certificate")
    if read.facts.malformed and rule.id != "log-malformed":
        yield finding("log-malformed-certificate")
    if not read.logged.zone:
        yield finding("log-clock-without-zone")
    if trust.stand_in:
        yield finding("trust-stand-in", {}, {"trust_name": trust.facts.name})


def _of_damage(read: Read, trust: Trust) -> Iterator[Finding]:
    """What stands in a certificate that is not whole accuses nobody, and hides nobody."""
    yield finding("log-block-damaged")
    found = interceptor(named(read.logged.issuer, trust) or named(read.logged.subject, trust))
    if found is not None:
        yield finding("log-name-in-damage", {"id": found.id, "product": found.name})


def _api(logged: Logged) -> str:
    return f" in {logged.api}" if logged.api else ""


def _of_product(read: Read, words: dict[str, str]) -> Iterator[Finding]:
    logged = read.logged
    yield from named_product(read.product, words)
    if read.facts.issuer == "other" and logged.not_before is not None and logged.not_after is not None:
        life = logged.not_after - logged.not_before
        if life > LONGEST_LIFE:
            yield finding("log-long-life", {"days": str(life.days)})


def _of_clock(read: Read, verdict: Verdict, words: dict[str, str]) -> Iterator[Finding]:
    dates, facts = read.dates, read.facts
    if dates.fact not in ("near", "far"):
        return
    if facts.google:
        least, most = sorted((dates.least, dates.most))
        values = {"skew": words["skew"], **outward(least, most)}
        if verdict is not Verdict.CLOCK_SKEWED:
            yield finding("log-clock-off", values, words)
        else:
            yield finding("log-clock-ahead" if dates.ahead else "log-clock-behind", values, words)
        hypothesis = _hypothesis(read)
        if hypothesis:
            yield finding("clock-hypothesis", {"hypothesis": hypothesis})
        if not facts.date:
            yield finding("log-date-not-flagged")
    else:
        yield finding("certificate-expired" if dates.ahead else "certificate-not-yet-valid", {}, words)


def _of_place(read: Read, trust: Trust, words: dict[str, str]) -> Iterator[Finding]:
    logged, place = read.logged, read.facts.place
    if logged.address is None:
        return
    values = {"address": logged.address, "port": str(logged.port), "name": logged.name or "no name"}
    if place in ("here", "private"):
        yield finding("log-ends-here" if place == "here" else "log-ends-nearby", values, words)
        products = default_at(logged.port or 0, trust) if place == "here" else ()
        if products:
            yield finding("local-port-hint", {"port": str(logged.port), "products": " or ".join(products)})
    elif logged.name.lower().endswith(REVERSE_ZONE):
        yield finding("log-reverse-name", values, words)


def _of_flags(read: Read, verdict: Verdict, words: dict[str, str]) -> Iterator[Finding]:
    """What Windows complained of, and which of it is only a consequence."""
    facts = read.facts
    if read.flags:
        said = "; ".join(f"{short_name(flag)}: {flag.sentence.rstrip('.')}" for flag in read.flags)
        yield finding(
            "log-flags", {"flags": f"0x{read.logged.flags:08x}", "names": words["complaints"]}, {"said": said}
        )
    if verdict is Verdict.INTERCEPTED:
        yield finding("log-root-not-trusted" if facts.untrusted else "log-root-trusted", {}, words)
    if not facts.revocation:
        return
    if verdict is Verdict.CLOCK_SKEWED:
        yield finding("log-revocation-by-clock")
    elif verdict is Verdict.INTERCEPTED:
        yield finding("log-revocation-by-interceptor")
    elif facts.google and facts.dates == "inside" and not facts.untrusted:
        detail = "Windows could not find out; its lists are fetched over plain HTTP on port 80"
        yield finding("revocation-unavailable", {}, {"certificates": "Google's certificate", "detail": detail},
                      proven=False)  # fmt: skip


def _hypothesis(read: Read) -> str:
    begin, end = read.logged.not_before, read.logged.not_after
    if read.dates.fact != "far" or begin is None or end is None:
        return ""
    return next(iter(hypotheses(read.logged.time, begin, end)), "")


def short_name(flag: Flag) -> str:
    return flag.name.removeprefix("WINHTTP_CALLBACK_STATUS_FLAG_")
