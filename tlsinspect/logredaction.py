"""What logs say without what is nobody else's business: companies, users, machines, files, addresses of their own.

A log prints values without their attributes, so each one that is not known to be Google's, a public authority's or the
product's own goes, whatever it is. Verdicts, products, codes, times, Google's names and addresses and loopback stay. A
private thing has one stand-in wherever it stands.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PureWindowsPath

from tlsinspect.judge.logs.words import word
from tlsinspect.logs.observed import UNKNOWN_HOST
from tlsinspect.logs.sources import STDIN
from tlsinspect.model import (
    Advice,
    Assessment,
    Attribution,
    LogFile,
    Logged,
    LogGroup,
    LogReport,
    Observation,
)
from tlsinspect.redaction import (
    Secrets,
    chosen_below,
    is_googles,
    is_ours,
    of_machine_and_files,
    redacted_facts,
    redacted_finding,
    rule_of,
    shipped,
    without_observations,
)
from tlsinspect.scrub import Rule, each_text, replacing
from tlsinspect.tallies import OTHERS
from tlsinspect.trust import Trust

MOST_NUMBERED = 20_000  # of one kind; those that follow have one stand-in for all
# Of the name on Google's certificates, beside what its authorities are called.
_GOOGLES = {"california", "mountain view", "google inc", "google llc", "google trust services llc"}
# What a field of a log may hold and name nobody by it.
_WAY = re.compile(
    r"(?:win(?:http|inet)|ie|internet|explorer|system|auto(?:matic|detect)?|named|default|no|direct|proxy|without|with|"
    r"using|settings|[\s(),.:/-])*",
    re.IGNORECASE,
)
_VERSION = re.compile(r"(?:\d|windows|server|service|pack|sp|build|x64|x86|[\s.,:/()-])*", re.IGNORECASE)
_THREAD = re.compile(r"(?:0x)?[0-9A-Fa-f]{0,16}")
_API = re.compile(
    r"(?:API \d{1,10}|WinHttp(?:Open|Connect|OpenRequest|SendRequest|ReceiveResponse|QueryHeaders|QueryDataAvailable|"
    r"ReadData|WriteData|SetOption|QueryOption|GetProxyForUrl(?:Ex)?|GetProxySettingsEx|GetIEProxyConfigForCurrentUser)|"
    r"(?:Internet(?:Open|OpenUrl|Connect|ReadFile)|Http(?:OpenRequest|SendRequest|QueryInfo))[AW]?)?"
)
_PLAIN: Mapping[str, re.Pattern[str]] = {
    "via": _WAY,
    "retry": _WAY,
    "version": _VERSION,
    "system": _VERSION,
    "thread": _THREAD,
    "api": _API,
}


class LogRedaction:
    """Takes out what is private, with the same stand-ins in all that it is given."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._known: dict[str, dict[str, str]] = {}  # stand-ins, by kind and by what they stand for
        self._machine = of_machine_and_files(trust)

    def report(self, report: LogReport) -> LogReport:
        secrets = self._secrets(report.files, [group.assessment for group in report.groups])
        for where in (report.destinations, *(group.destinations for group in report.groups)):
            for each in where:
                secrets |= self._of_address(each.rpartition(":")[0].strip("[]")) | self._of_address(each.strip("[]"))
        rule = rule_of(secrets, report)
        # In a command without brackets, which a shell would take for a redirection.
        plain = {secret: shown.strip("<>").upper() for secret, shown in secrets.items() if shown.startswith("<address")}
        addresses = replacing(plain)
        return replace(
            report,
            trust=redacted_facts(report.trust),
            files=tuple(_file(file, rule) for file in report.files),
            groups=tuple(_group(group, rule) for group in report.groups),
            destinations=_rekeyed(report.destinations, rule),
            hosts=_rekeyed(report.hosts, rule),
            conclusions=tuple(redacted_finding(each, rule) for each in report.conclusions),
            advice=tuple(_advice(each, rule) for each in report.advice),
            commands=tuple(map(addresses, report.commands)),
            ticket=rule(addresses(report.ticket)),
            redacted=True,
        )

    def assessment(self, assessment: Assessment) -> Assessment:
        """One by itself."""
        return _assessment(assessment, rule_of(self._secrets((), [assessment]), assessment))

    # -- what is private ----------------------------------------------------------------------------------------------

    def _secrets(self, files: Iterable[LogFile], assessments: Iterable[Assessment]) -> Secrets:
        found = dict(self._machine)
        kept: Secrets = {}
        for file in files:
            found |= self._of_file(file.name) | self._of_fields(file, ("version", "system"))
        for assessment in assessments:
            host = assessment.endpoint.host
            if host == UNKNOWN_HOST or is_googles(host, self._trust):
                kept[host] = host
            else:
                found[host] = self._shown_host("name", host)
            product = shipped(assessment.attribution, self._trust)
            for seen in assessment.observations:
                if seen.logged is not None:
                    found |= dict(self._of_logged(seen.logged, product))
        return {secret: shown for secret, shown in found.items() if secret} | kept

    def _of_logged(self, said: Logged, product: Attribution | None) -> Iterator[tuple[str, str]]:
        yield from self._of_file(said.file).items()
        yield from self._of_fields(said, tuple(_PLAIN)).items()
        yield from self._of_address(said.address or "").items()
        for value in (*said.subject, *said.issuer):
            if not self._is_known(value, product):
                yield value, self._shown_host("name", value)
        if said.name and not is_googles(said.name, self._trust) and said.name.casefold() != "localhost":
            yield said.name, self._shown_host("machine", said.name)
        if said.host and not is_googles(said.host, self._trust):
            yield said.host, self._shown_host("name", said.host)
        if said.message:
            yield said.message, "<message>"

    def _is_known(self, value: str, product: Attribution | None) -> bool:
        return value.casefold() in _GOOGLES or is_ours("", value, product, self._trust)

    def _of_file(self, name: str) -> Secrets:
        """Its path, and its own name, which stands by itself in what the system says of it."""
        if name == STDIN:
            return {}
        shown = self._shown("file", name)
        own = PureWindowsPath(name).name
        return {own: shown, name: shown}

    def _of_fields(self, noun: Logged | LogFile, names: Iterable[str]) -> Secrets:
        values = ((name, getattr(noun, name)) for name in names)
        return {v: self._shown(name, v) for name, v in values if v and not _PLAIN[name].fullmatch(v)}

    def _of_address(self, text: str) -> Secrets:
        """Whatever is neither this machine's own nor Google's: the address of a company's proxy tells the company."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return {}
        if address.is_loopback or address in self._trust.google_ranges.own:
            return {}
        bare = str(type(address)(int(address)))  # as commands have it
        shown = self._shown("address", bare)
        return {text: shown, bare: shown}

    def _shown_host(self, kind: str, secret: str) -> str:
        """A customer's name below a domain of Google's stays a host of that domain."""
        shown, domain = self._shown(kind, secret), chosen_below(secret)
        return f"{shown.strip('<>')}.{domain}" if domain else shown

    def _shown(self, kind: str, secret: str) -> str:
        known = self._known.setdefault(kind, {})
        if len(known) >= MOST_NUMBERED:
            return known.get(secret.casefold(), f"<{kind}>")
        return known.setdefault(secret.casefold(), f"<{kind}-{len(known) + 1}>")


# -- taking it out ----------------------------------------------------------------------------------------------------


def _rekeyed(counts: Mapping[str, int], rule: Rule) -> dict[str, int]:
    """Those that have become alike are counted together."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        shown = name if name in (OTHERS, word("unprinted")) else rule(name)
        found[shown] = found.get(shown, 0) + count
    return found


def _file(file: LogFile, rule: Rule) -> LogFile:
    return replace(each_text(file, rule), product=file.product, encoding=file.encoding)


def _group(group: LogGroup, rule: Rule) -> LogGroup:
    return replace(
        group,
        assessment=_assessment(group.assessment, rule),
        destinations=_rekeyed(group.destinations, rule),
        files=_rekeyed(group.files, rule),
    )


def _assessment(a: Assessment, rule: Rule) -> Assessment:
    rows = tuple(replace(row, source=rule(row.source), url=rule(row.url)) for row in a.endpoint.rows)
    return replace(
        without_observations(a, rule),
        endpoint=replace(a.endpoint, host=rule(a.endpoint.host), rows=rows),
        observations=tuple(_observation(each, rule) for each in a.observations),
    )


def _observation(seen: Observation, rule: Rule) -> Observation:
    clean = each_text(seen, rule)
    said = seen.logged
    if said is not None and clean.logged is not None:
        message = "<message>" if said.message else ""
        clean = replace(clean, logged=replace(clean.logged, product=said.product, message=message))
    return replace(clean, slice=seen.slice, address_source=seen.address_source)


def _advice(each: Advice, rule: Rule) -> Advice:
    return replace(each_text(each, rule), client=each.client, source=each.source)
