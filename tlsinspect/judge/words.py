"""Sentences for people, from `wording.toml`. Every value passes `printable` first: names are written by strangers."""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from tlsinspect.model import Finding, Kind, Route, Severity
from tlsinspect.text import counted, printable


@cache
def wording() -> dict[str, Any]:
    return tomllib.loads(files("tlsinspect.judge").joinpath("wording.toml").read_text(encoding="utf-8"))


LONGEST = 600  # characters of one value: several sentences of our own, or a very long name


Value = str | tuple[str, ...]  # several of them are listed, however many there are


class _Values(dict[str, Value]):
    """Escapes what is asked for, and only that."""

    def __getitem__(self, key: str) -> str:
        value = self.get(key, "unknown")
        return ", ".join(printable(v, LONGEST) for v in ((value,) if isinstance(value, str) else value))


def fill(template: str, values: Mapping[str, Value]) -> str:
    """`template` with its {placeholders} filled."""
    # Values come last in format_map, so braces inside them stay what they are.
    return template.format_map(_Values(values))


def explanation(rule: str, values: Mapping[str, str]) -> str:
    """Why this verdict, in a sentence."""
    return fill(wording()["rule"][rule]["explanation"], values)


def finding(
    code: str,
    values: Mapping[str, str] | None = None,
    context: Mapping[str, str] | None = None,
    *,
    proven: bool = True,
    severity: Severity | None = None,
) -> Finding:
    """The finding `code`. `values` are kept with it; `context` only helps to fill the sentence. What is not `proven`
    here is a hint, whatever it is elsewhere; `severity` is for findings whose own depends on what was found."""
    row = wording()["finding"][code]
    template = row["sentence"] if proven else row.get("unproven", row["sentence"])
    sentence = fill(template, {**(context or {}), **(values or {})})
    kind = Kind(row["kind"]) if proven else Kind.HINT
    return Finding(code, severity or Severity(row["severity"]), kind, sentence, dict(values or {}))


def rule_finding(rule: str, values: Mapping[str, str]) -> Finding:
    """A row of the rule table that holds beside the one that decided."""
    return Finding(rule, _SEVERITY.get(rule, Severity.MEDIUM), Kind.PROOF, explanation(rule, values))


# Rows that call for somebody to act at once.
_SEVERITY = {
    "issuer-impersonated": Severity.CRITICAL,
    "known-forgery": Severity.CRITICAL,
    "leaked-key": Severity.CRITICAL,
    "state-interception": Severity.CRITICAL,
    "revoked": Severity.HIGH,
    "sct-invalid": Severity.HIGH,
    "possession-failed": Severity.HIGH,
}


def enumerated(names: Sequence[str], most: int) -> str:
    """Names as a person lists them, and how many more there are."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def way(route: Route) -> str:
    """How something was reached."""
    return f"through {route.proxy}" if route.proxy else "directly"


def routes_taken(routes: Iterable[Route]) -> tuple[str, ...]:
    """All of them, each once."""
    return tuple(dict.fromkeys(f"through {route.proxy}" if route.proxy else "direct" for route in routes))


def day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"


def span(duration: timedelta) -> str:
    """A duration as a person says it, in the largest unit of which there is one, rounded to it."""
    seconds = abs(duration.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size - 1:
            n = round(seconds / size)
            return counted(n, unit)
    return "less than a second"


def skew_sentence(off: tuple[timedelta, timedelta | None] | None) -> str:
    """How far the local clock is off (see `evidence.clock.skew`)."""
    if off is None:
        return "by less than can be proven"
    least, most = off
    direction = "ahead" if least > timedelta(0) else "behind"
    if most is None:
        return f"it is at least {span(least)} {direction}"
    return f"it is about {span(least + (most - least) / 2)} {direction}"


def skew_finding(off: tuple[timedelta, timedelta | None], *, sure: bool) -> Finding:
    """That the local clock is off: in words, and for programs. Unless `sure`, only one host says so."""
    values = {"skew": skew_sentence(off), **outward(*off)}
    return finding("clock-ahead" if off[0] > timedelta(0) else "clock-behind", values, proven=sure)


def outward(least: timedelta, most: timedelta | None) -> dict[str, str]:
    """Two bounds in whole seconds, for programs, none of them closer than it is; what is not bounded is left out."""
    values = {"least_seconds": str(math.floor(least.total_seconds()))}
    if most is not None:
        values["most_seconds"] = str(math.ceil(most.total_seconds()))
    return values
