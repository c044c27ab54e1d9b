"""What to do, from `remedies.toml`: for one assessment the first row that fits, for a run each piece of advice once."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from tlsinspect.judge.rules import INCIDENTS
from tlsinspect.judge.words import enumerated, fill
from tlsinspect.model import Advice, Assessment, Attribution, Endpoint, Verdict

# What a ticket asks for, in this order.
ASKS = ("incident", "exempt", "authenticate", "allow", "plain", "reach", "explain")
TARGETS = "targets"  # the profile of hosts that were named one by one


@dataclass(frozen=True, slots=True)
class Case:
    """What the conditions of a row are compared with."""

    rule: str
    verdict: str
    profile: str = TARGETS
    kind: str = ""
    product: str = ""
    vendor: str = ""
    client: str = ""


CONDITIONS = tuple(field.name for field in fields(Case))


@dataclass(frozen=True, slots=True)
class Remedy:
    """A row of `remedies.toml`."""

    when: Mapping[str, frozenset[str]]
    text: str
    ask: str  # what a ticket asks for
    source: str

    def fits(self, case: Case) -> bool:
        """A row that names no client is for nobody's settings, and one that does for nobody else's."""
        for_whom = case.client in self.when.get("client", ("",))
        return for_whom and all(getattr(case, condition) in values for condition, values in self.when.items())


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("tlsinspect.judge").joinpath("remedies.toml").read_text(encoding="utf-8"))


@cache
def remedies() -> tuple[Remedy, ...]:
    return tuple(
        Remedy(
            when={key: frozenset([value] if isinstance(value, str) else value) for key, value in row["when"].items()},
            text=row["text"],
            ask=row.get("ask", ""),
            source=row.get("source", ""),
        )
        for row in _data()["remedy"]
    )


def clients_of(profile: str) -> Sequence[str]:
    """The programs that use the hosts of a profile."""
    listed: dict[str, list[str]] = _data()["clients"]
    return listed.get(profile, listed[TARGETS])


def case_of(endpoint: Endpoint, rule: str, verdict: Verdict, product: Attribution | None) -> Case:
    profile = next((row.profile for row in endpoint.rows if row.profile), TARGETS)
    named = {"kind": product.kind, "product": product.id, "vendor": product.vendor} if product else {}
    return Case(rule, str(verdict), profile, **named)


def remedy(case: Case, values: Mapping[str, str]) -> str:
    """What to do about one verdict, or the empty string."""
    return fill(remedy_for(case).text, values)


@lru_cache(maxsize=1024)  # many hosts, few cases
def remedy_for(case: Case) -> Remedy:
    """The first row that fits. Every rule has one."""
    return next(row for row in remedies() if row.fits(case))


@lru_cache(maxsize=1024)
def _for_clients_in(case: Case) -> tuple[tuple[str, Remedy], ...]:
    """The clients that there is something to say to, each with its row."""
    each = ((client, replace(case, client=client)) for client in clients_of(case.profile))
    found = ((client, next((row for row in remedies() if row.fits(its)), None)) for client, its in each)
    return tuple((client, row) for client, row in found if row is not None)


def asked(assessment: Assessment) -> str:
    """What a ticket about an assessment asks for: one of ASKS, or nothing."""
    return remedy_for(_case(assessment)).ask


def _case(a: Assessment) -> Case:
    return case_of(a.endpoint, a.rule, a.verdict, a.attribution)


def advice(assessments: Iterable[Assessment]) -> tuple[Advice, ...]:
    """Each remedy once, with the hosts it is for in it, incidents first; then what their clients can do beside it."""
    bad = sorted((a for a in assessments if not is_well(a)), key=lambda a: asked(a) != "incident")
    return (*_remedies(bad), *_for_clients(bad))


def is_well(assessment: Assessment) -> bool:
    """Genuine, or inspected where that is expected. Of a host that was only to be compared with nothing is asked."""
    if assessment.rule in INCIDENTS:
        return False
    if assessment.verdict is Verdict.GENUINE or assessment.endpoint.expectation == "exempt":
        return assessment.verdict is Verdict.GENUINE
    return assessment.verdict is Verdict.INTERCEPTED or not assessment.endpoint.required


def _remedies(bad: Iterable[Assessment]) -> Iterator[Advice]:
    found: dict[tuple[str, str], list[str]] = {}
    for a in bad:
        if a.remedy:
            without_host = a.remedy.replace(a.endpoint.host, "\0")
            found.setdefault((without_host, remedy_for(_case(a)).source), []).append(a.endpoint.host)
    for (text, source), hosts in found.items():
        each = tuple(dict.fromkeys(hosts))  # on several routes a host is there several times
        yield Advice(text.replace("\0", enumerated(each, len(each))), each, source=source)


def _for_clients(bad: Iterable[Assessment]) -> Iterator[Advice]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for a in bad:
        for client, row in _for_clients_in(_case(a)):
            found.setdefault((client, row.text, row.source), []).append(a.endpoint.host)
    for (client, text, source), hosts in found.items():
        yield Advice(text, tuple(dict.fromkeys(hosts)), client, source)
