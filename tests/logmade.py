"""Assessments of logs, made by hand: for tests of what becomes of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tlsinspect import Trust
from tlsinspect.judge.words import finding
from tlsinspect.logs.observed import UNKNOWN_HOST, observed
from tlsinspect.logsummary import Summing
from tlsinspect.model import (
    Assessment,
    Attribution,
    Authority,
    Basis,
    Confidence,
    Endpoint,
    LogFile,
    Logged,
    LogKind,
    LogReport,
    Row,
    Severity,
    Verdict,
)

TRUST = Trust.default()
MADE = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TIME = datetime(2022, 9, 21, 3, 59, 46, tzinfo=UTC)
FIDDLER = Attribution(
    *("fiddler-classic", "Fiddler Classic (default certificates)", "Telerik", "debugging-proxy", "verified-source"),
    Confidence.LIKELY,
    "DO_NOT_TRUST_FiddlerRoot",
    Severity.MEDIUM,
)
CLOCK = finding("clock-hypothesis", {"hypothesis": "the year is wrong by +5"})
SEED_1: dict[str, Any] = {
    "kind": LogKind.AUTHORISATION,
    "zone": False,
    "status": 0x10000,
    "flags": 1,
    "code": 12175,
    "api": "WinHttpSendRequest",
    "via": "WinHTTP proxy",
    "retry": "direct (without proxy)",
    "subject": ("US", "California", "Mountain View", "Google Inc", "*.googleapis.com"),
    "issuer": ("US", "Google Inc", "Google Internet Authority G2"),
    "address": "216.58.194.170",
    "port": 443,
    "name": "sfo07s13-in-f170.1e100.net",
}
SEED_2: dict[str, Any] = {
    "status": 0x10000,
    "flags": 9,
    "code": 0x80072F8F,
    "product": "gwmmo",
    "thread": "1a20",
    "subject": ("Created by http://www.fiddler2.com", "DO_NOT_TRUST", "*.google.com"),
    "issuer": ("Created by http://www.fiddler2.com", "DO_NOT_TRUST", "DO_NOT_TRUST_FiddlerRoot"),
    "address": "127.0.0.1",
    "port": 8888,
    "name": "COMPUTERNAME",
}


def logged(**values: Any) -> Logged:
    return Logged(**{"file": "Trace.log", "line": 1, "kind": LogKind.TRACE, "time": TIME, **values})


def assessed(
    rule: str, verdict: Verdict, *tries: Mapping[str, Any], host: str = UNKNOWN_HOST, **values: Any
) -> Assessment:
    """An assessment of one try, or of two."""
    said = [logged(**each) for each in tries or ({},)]
    row = Row(url=f"https://{host}/", profile=said[0].product or "log", source=said[0].file)
    endpoint = Endpoint(host, 443, True, Authority.GOOGLE, (row,))
    fields: dict[str, Any] = {
        "endpoint": endpoint,
        "route": observed(said[0], endpoint).route,
        "verdict": verdict,
        "confidence": Confidence.LIKELY,
        "basis": Basis.TEXT,
        "rule": rule,
        "explanation": f"What the rule {rule} says of {host}.",
        "remedy": f"Mend {host}.",
        "observations": tuple(observed(each, endpoint) for each in said),
    }
    return Assessment(**{**fields, **values})


def skewed(**values: Any) -> Assessment:
    """The first excerpt of the help page."""
    said = "The clock of that machine is about 1,749 to 1,834 days ahead, or the log was written by somebody else."
    host = "*.googleapis.com"
    title = "Google Internet Authority G2"
    return assessed(
        *("log-clock", Verdict.CLOCK_SKEWED, {**SEED_1, **values}),
        host=host, explanation=said, findings=(CLOCK,), issuer_title=title,
    )  # fmt: skip


def intercepted(**values: Any) -> Assessment:
    """The second."""
    title = values.get("issuer", ("DO_NOT_TRUST_FiddlerRoot",))[-1]
    return assessed(
        *("log-interceptor", Verdict.INTERCEPTED, {**SEED_2, **values}),
        host="*.google.com", attribution=FIDDLER, issuer_title=title,
    )  # fmt: skip


def unreachable(**values: Any) -> Assessment:
    return assessed("log-dns", Verdict.UNREACHABLE, {"code": 12007, "product": "gwsmo", **values})


def file(name: str = "Trace.log", **values: Any) -> LogFile:
    base = {"octets": 1000, "lines": 13, "failures": 1, "kinds": (LogKind.TRACE,), "encoding": "utf-8"}
    return LogFile(**{"name": name, **base, "first": TIME, "last": TIME, **values})


def report(*assessments: Assessment, files: tuple[LogFile, ...] = (file(),), **values: Any) -> LogReport:
    summing = Summing()
    for assessment in assessments:
        summing.add(assessment)
    return summing.report(files, TRUST, **{"made": MADE, **values})
