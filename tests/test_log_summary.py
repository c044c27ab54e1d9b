"""What many failures of a log come to: nothing is lost from the sums, nothing grows without a bound, and no line that
is to be pasted into a shell holds what a stranger wrote."""

import io
import itertools
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loggen import FIDDLER, GOOGLE, NOBODY, Incident, at, log, retried
from tests.logmade import MADE, TIME, TRUST, assessed, file, intercepted, report, skewed, unreachable
from tlsinspect import read_log
from tlsinspect.endpoints import load_profile
from tlsinspect.jsonform import from_json, to_json
from tlsinspect.judge.logs.commands import MOST_COMMANDS, profile_hosts, scanned
from tlsinspect.judge.logs.rules import LOG_RULES
from tlsinspect.judge.logs.words import moment, period
from tlsinspect.judge.rules import WORST_FIRST
from tlsinspect.logsummary import MOST_COUNTED, MOST_GROUPS, MOST_IN_GROUP, Summing
from tlsinspect.model import Assessment, LogKind, LogReport, Verdict
from tlsinspect.report import log_status
from tlsinspect.report.as_json import schema
from tlsinspect.tallies import MOST_STEPS, OTHERS, Tally, Times

EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def codes(found: LogReport) -> list[str]:
    return [each.code for each in found.conclusions]


def of_log(incidents: Sequence[Incident]) -> LogReport:
    return report(*read_log(io.BytesIO(log(incidents).text.encode())))


def said(found: LogReport, code: str) -> str:
    return next(each.sentence for each in found.conclusions if each.code == code)


def complete(found: LogReport) -> None:
    """Every sum is the number of failures, and it is what the schema says."""
    for counts in (found.verdicts, found.products, found.destinations, found.hosts):
        assert sum(counts.values()) == found.failures
    assert sum(group.count for group in found.groups) == found.failures
    for group in found.groups:
        assert sum(group.products.values()) == group.count
        assert sum(group.destinations.values()) == group.count
        if group.timeline is not None and found.timeline is not None:
            assert sum(group.timeline.counts) <= group.count
            assert (group.timeline.start, group.timeline.step) == (found.timeline.start, found.timeline.step)
            assert len(group.timeline.counts) == len(found.timeline.counts)
    document = to_json(found)
    jsonschema.Draft202012Validator({"$defs": schema()["$defs"], "$ref": "#/$defs/LogReport"}).validate(document)
    assert from_json(LogReport, document) == found


# -- groups ----------------------------------------------------------------------------------------------------------


def test_ten_thousand_repeats_are_one_line() -> None:
    summing = Summing()
    for number in range(10_000):
        where = f"216.58.{number % 250}.{number % 199 + 1}"
        summing.add(skewed(time=TIME + timedelta(seconds=number), line=number, address=where))
    found = summing.report([file()], TRUST, made=MADE)
    (group,) = found.groups
    assert (group.count, group.first, group.last) == (10_000, TIME, TIME + timedelta(seconds=9999))
    assert len(group.destinations) == MOST_IN_GROUP + 1
    assert list(group.destinations)[-1] == OTHERS
    assert len(found.destinations) == MOST_COUNTED + 1
    complete(found)


@pytest.mark.parametrize(
    "other",
    [
        intercepted(address="10.1.2.3"),
        intercepted(port=8889),
        intercepted(product="gwsmo"),
        intercepted(flags=1),
        intercepted(code=12002),
        intercepted(issuer=("Acme",)),
        assessed("log-timeout", Verdict.UNREACHABLE, {"product": "gwmmo"}),
    ],
    ids=["side", "proxy", "product", "flags", "code", "issuer", "rule"],
)
def test_what_differs_in_more_than_time_stands_apart(other: Assessment) -> None:
    found = report(intercepted(), intercepted(time=TIME + timedelta(days=1), line=7), other)
    assert sorted(group.count for group in found.groups) == [1, 2]
    complete(found)


def test_the_worst_come_first_then_the_most_frequent() -> None:
    given = [unreachable(), unreachable(), unreachable(code=12002), unreachable(code=12002), skewed(), intercepted()]
    found = report(*given, unreachable())
    verdicts = [group.assessment.verdict for group in found.groups]
    assert verdicts == sorted(verdicts, key=WORST_FIRST.index)
    assert [group.count for group in found.groups] == [1, 1, 3, 2]
    assert found.verdicts == {"unreachable": 5, "clock-skewed": 1, "intercepted": 1}


def test_more_kinds_than_can_be_told_are_counted_together() -> None:
    summing = Summing()
    for number in range(MOST_GROUPS + 500):
        summing.add(intercepted(issuer=(f"Company {number}",), address=f"10.0.{number % 256}.{number // 256}"))
        summing.add(unreachable())
    found = summing.report([file()], TRUST, made=MADE)
    beyond = [group for group in found.groups if group.assessment.endpoint.host == OTHERS]
    assert [(group.assessment.verdict, group.count) for group in beyond] == [(Verdict.INTERCEPTED, 501)]
    assert len(found.groups) == MOST_GROUPS + 1
    assert "Company" not in beyond[0].assessment.explanation
    assert "log-intercepted-here" not in codes(found)
    assert "501 failures" in said(found, "log-many-kinds")
    assert len(found.commands) <= MOST_COMMANDS
    complete(found)


def test_two_tries_are_one_failure_at_the_address_of_that_which_decided() -> None:
    tries: tuple[dict[str, Any], ...] = (
        {"address": "10.0.0.1", "port": 8080, "retry": "direct"},
        {"address": "8.8.8.8", "port": 443},
    )
    found = report(assessed("log-timeout", Verdict.UNREACHABLE, *tries))
    assert found.destinations == {"10.0.0.1:8080": 1}
    assert found.commands == ("tlsinspect scan --proxy http://10.0.0.1:8080 --compare-routes",)
    complete(found)


failures = st.builds(
    lambda made, **values: made(**values),
    st.sampled_from([skewed, intercepted, unreachable]),
    time=st.datetimes(timezones=st.just(UTC)),
    product=st.sampled_from(["", "gwsmo", "gwmmo", "nobody's"]),
    address=st.none() | st.ip_addresses().map(str),
    port=st.none() | st.integers(0, 65535),
    flags=st.none() | st.integers(0, 2**32 - 1),
    issuer=st.lists(st.text(max_size=20), min_size=1, max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(failures, max_size=30))
def test_whatever_comes_the_sums_hold(found: list[Assessment]) -> None:
    summed = report(*found)
    assert summed.failures == len(found)
    complete(summed)
    for line in summed.commands:
        harmless(line)


# -- tallies ---------------------------------------------------------------------------------------------------------


def test_a_tally_tells_so_many_apart_and_counts_all() -> None:
    tally = Tally(2)
    for word in ("a", "b", "c", "b", "d", "b", "c"):
        tally.add(word)
    assert list(tally.counts().items()) == [("b", 3), ("a", 1), (OTHERS, 3)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1, max_size=80), st.data())
def test_moments_in_any_order_fit_in_so_many_steps(moments: list[datetime], data: st.DataObject) -> None:
    whole, part = Times(), Times()
    chosen = data.draw(st.lists(st.sampled_from(moments), min_size=1, max_size=20))
    for each in moments:
        whole.add(each)
    for each in chosen:
        whole.add(each)
        part.add(each)
    timeline, inside = whole.timeline(), part.timeline(whole)
    assert timeline is not None
    assert inside is not None
    assert (whole.first, whole.last) == (min(moments), max(moments))
    assert len(timeline.counts) <= MOST_STEPS
    assert (sum(timeline.counts), sum(inside.counts)) == (len(moments) + len(chosen), len(chosen))
    step = timedelta(seconds=timeline.step)
    steps = Counter((each - timeline.start) // step for each in chosen)
    assert {number: count for number, count in enumerate(inside.counts) if count} == steps


def test_the_first_and_the_last_year() -> None:
    found = report(unreachable(time=EARLIEST), unreachable(time=LATEST - timedelta(days=1)), unreachable())
    assert found.timeline is not None
    assert found.timeline.start == EARLIEST
    assert sum(found.timeline.counts) == 3
    assert moment(EARLIEST) == "0001-01-01 00:00Z"
    complete(found)


def test_steps_are_as_small_as_they_can_be() -> None:
    times = Times()
    for second in range(MOST_STEPS):
        times.add(TIME + timedelta(seconds=second))
    assert times.step == 1
    times.add(TIME + timedelta(seconds=MOST_STEPS))
    assert times.step == 2


def test_a_period_says_a_day_once() -> None:
    assert period(TIME, TIME) == "2022-09-21 03:59:46Z"
    assert period(TIME, TIME + timedelta(hours=1)) == "2022-09-21 03:59:46Z to 04:59:46Z"
    assert period(TIME, TIME + timedelta(days=1)) == "2022-09-21 03:59:46Z to 2022-09-22 03:59:46Z"


# -- commands --------------------------------------------------------------------------------------------------------

_OPTION = re.compile(r"http://(?:[0-9.]+|\[[0-9a-f:.]+\]):[0-9]+")


def harmless(line: str) -> None:
    """Every word is ours, a host of our profile, or an address and a port written by us."""
    assert re.fullmatch(r"[A-Za-z0-9 .:/-]+(\"http://\[[0-9a-f:.]+\]:\d+\")?( --compare-routes)?", line), line
    for word in shlex.split(line):
        assert word in ("tlsinspect", "scan", "--proxy", "--compare-routes", *profile_hosts()) or _OPTION.fullmatch(
            word
        )


def test_a_pattern_becomes_the_hosts_of_the_profile_that_fit_it() -> None:
    assert profile_hosts() == tuple(e.host for e in load_profile("gwsmo").endpoints if e.tls)
    assert scanned("*.googleapis.com") == ("oauth2.googleapis.com", "www.googleapis.com")
    assert scanned("mail.google.com") == ("mail.google.com",)
    assert scanned("*.com") == scanned("google.com") == scanned("*") == scanned("accounts.google.com") == ()


def test_the_commands_of_both_excerpts() -> None:
    by_both_ways = "tlsinspect scan oauth2.googleapis.com www.googleapis.com --compare-routes"
    assert report(skewed()).commands == (by_both_ways,)
    proxied = "tlsinspect scan www.google.com mail.google.com --proxy http://127.0.0.1:8888"
    assert report(intercepted()).commands == (proxied,)
    assert report(intercepted(), skewed()).commands == (proxied, *report(skewed()).commands)


def test_a_host_that_is_not_known_asks_for_the_whole_profile() -> None:
    assert report(unreachable()).commands == ("tlsinspect scan",)
    found = report(unreachable(), skewed(product="gwsmo", retry=""))
    assert found.commands == ("tlsinspect scan",)
    revocation = assessed("log-revocation-unavailable", Verdict.INCONCLUSIVE, host="mail.google.com")
    assert report(revocation).commands == ("tlsinspect scan",)


@pytest.mark.parametrize(
    "host",
    ["x; rm -rf ~", "$(reboot).google.com", "--trust=evil.google.com", "*.evil.test", "mail.google.com\n", "`x`"],
)
def test_no_strange_host_reaches_a_command(host: str) -> None:
    found = report(assessed("log-timeout", Verdict.UNREACHABLE, host=host))
    assert found.commands == ("tlsinspect scan",)


@pytest.mark.parametrize(
    ("address", "port", "proxy"),
    [
        ("::1", 8888, ' --proxy "http://[::1]:8888"'),
        ("fe80::1%eth0;reboot", 3128, ' --proxy "http://[fe80::1]:3128"'),
        ("10.0.0.1", 0, ""),
        ("10.0.0.1", 443, ""),
        ("8.8.8.8", 8080, ""),
    ],
)
def test_an_address_is_written_anew(address: str, port: int, proxy: str) -> None:
    (line,) = report(unreachable(address=address, port=port)).commands
    assert line == "tlsinspect scan" + proxy
    harmless(line)


# -- conclusions -----------------------------------------------------------------------------------------------------


def test_nothing_that_failed_is_said_of_logs_alone() -> None:
    quiet = report(files=(file(failures=0, lines=1200),))
    assert codes(quiet) == ["log-no-failures"]
    assert "1,200 lines" in quiet.conclusions[0].sentence
    asked = report(files=(file(failures=0),), since=TIME)
    assert "in that time" in asked.conclusions[0].sentence
    strange = report(files=(file("notes.txt", kinds=(), failures=0),))
    assert codes(strange) == ["log-not-recognised"]
    assert "notes.txt" in strange.conclusions[0].sentence
    unread = report(files=(file("a.log", failures=0, problem="Permission denied"),))
    assert codes(unread) == ["log-no-failures", "log-unread"]


def test_interception_and_a_wrong_clock_are_both_said() -> None:
    both = report(intercepted(), skewed())
    assert "log-interception-and-clock" in codes(both)
    assert "log-interception-and-clock" not in codes(report(intercepted())) + codes(report(skewed()))
    assert {each.text.split()[0] for each in both.advice} >= {"Mend"}


def test_where_interception_ends_is_said_where_all_of_it_does() -> None:
    assert "127.0.0.1:8888" in said(report(intercepted()), "log-intercepted-here")
    elsewhere = intercepted(address="203.0.113.9", issuer=("Acme",))
    assert "log-intercepted-here" not in codes(report(intercepted(), elsewhere))
    assert "Acme" in said(report(intercepted(), elsewhere), "log-several-interceptors")


def test_the_same_in_several_tools() -> None:
    found = report(intercepted(), intercepted(product="gwsmo"))
    assert "Outlook" in said(found, "log-in-several-tools")
    assert "log-in-several-tools" not in codes(report(intercepted(), intercepted(product="")))


def test_an_older_version_is_named_with_where_to_get_the_next() -> None:
    old = assessed(
        "log-without-details", Verdict.INCONCLUSIVE, {"product": "gwsmo", "version": "4.0.9.0", "code": 12175}
    )
    sentence = said(report(old, old), "log-details-missing")
    assert "2 TLS failures" in sentence
    assert "4.0.9.0" in sentence
    assert "https://tools.google.com/dlpage/gappssync" in sentence
    unnamed = assessed("log-without-details", Verdict.INCONCLUSIVE, {"code": 12175})
    assert "one of Google's sync tools" in said(report(unnamed), "log-details-missing")


def test_that_it_was_over_before_the_log_was() -> None:
    ended = report(unreachable(), files=(file(last=TIME + timedelta(days=2)),))
    assert "2022-09-23 03:59:46Z" in said(ended, "log-ended")
    soon = (file(last=TIME + timedelta(minutes=59)),)
    assert "log-ended" not in codes(report(unreachable(), files=soon))
    late = (file(last=TIME + timedelta(days=2)),)
    for values in ({"until": TIME}, {"interrupted": True}):
        assert "log-ended" not in codes(report(unreachable(), files=late, **values))
    broken = (*late, file("b.log", problem="cannot be read"))
    assert "log-ended" not in codes(report(unreachable(), files=broken))


def test_a_clock_without_a_zone_is_said() -> None:
    files = (file(kinds=(LogKind.AUTHORISATION,)),)
    assert "14 hours" in said(report(skewed(), files=files), "log-clock-without-zone")
    assert "log-clock-without-zone" not in codes(report(intercepted()))


# -- advice and ticket -----------------------------------------------------------------------------------------------


def test_each_remedy_once_and_only_for_those_who_run_the_tools() -> None:
    found = report(*itertools.repeat(unreachable(), 5), unreachable(code=12029), intercepted(product="gwsmo"))
    texts = [each.text for each in found.advice]
    assert len(texts) == len(set(texts))
    assert {each.client for each in found.advice} <= {"", "gwsmo"}


def test_a_ticket_stands_by_itself_and_says_what_it_rests_on() -> None:
    found = report(*(intercepted(time=TIME + timedelta(hours=n)) for n in range(3)), unreachable())
    for words in (
        "no proof", "3 times from 2022-09-21 03:59:46Z to 05:59:46Z", "the rule log-interceptor says", "127.0.0.1:8888",
        "tlsinspect scan www.google.com mail.google.com --proxy http://127.0.0.1:8888", "on that machine itself",
    ):  # fmt: skip
        assert words in found.ticket
    assert "{" not in found.ticket


def test_nothing_is_asked_of_the_network_for_a_wrong_clock() -> None:
    text = report(skewed()).ticket
    assert "To be done on that machine: Mend" in text
    assert "the year is wrong by +5" in text
    assert "Please" not in text


def test_a_ticket_of_what_tells_of_nothing_says_why() -> None:
    assert report(files=(file("empty.log", octets=0, lines=0, kinds=()),)).ticket == "Nothing stands in empty.log."
    assert "standard input" in report(files=(file("-", octets=0, lines=0, kinds=()),)).ticket
    broken = report(unreachable(), files=(file(problem="ends too early (gzip)"),), interrupted=True).ticket
    assert "not to the end" in broken
    assert "Ended by an interrupt" in broken


def test_the_same_in_two_tools_is_told_once_in_a_ticket() -> None:
    text = report(unreachable(product="gwsmo"), unreachable(product="gwmmo"), unreachable(product="gwmmo")).ticket
    assert text.count("What the rule log-dns says") == 1
    assert "3 times" in text
    assert "GWSMO" in text
    assert "GWMMO" in text


@pytest.mark.parametrize("asked", [{"since": TIME + timedelta(days=1)}, {"until": TIME - timedelta(days=1)}])
def test_nothing_is_said_of_a_time_of_which_the_logs_do_not_tell(asked: dict[str, Any]) -> None:
    found = report(files=(file(failures=0),), **asked)
    assert "2022-09-21" in said(found, "log-outside")
    assert "log-no-failures" not in codes(found)
    assert log_status(found) == 3


@pytest.mark.parametrize("rule", LOG_RULES, ids=lambda rule: rule.id)
def test_every_rule_can_be_told(rule: Any) -> None:
    product = {"issuer": ("Acme",)}
    found = report(assessed(rule.id, rule.verdict, product, issuer_title="Acme"))
    complete(found)
    assert found.commands
    assert "{" not in found.ticket


def test_a_host_that_is_not_named_stands_for_all_of_them_in_a_ticket() -> None:
    found = report(assessed("log-timeout", Verdict.UNREACHABLE))
    assert all(f"{host}:443" in found.ticket for host in profile_hosts())
    assert "unknown:443" not in found.ticket


# -- exit status -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "files", "status"),
    [
        ((), (file(failures=0),), 0),
        ((), (file(failures=0), file("notes.txt", kinds=(), failures=0)), 0),
        ((), (file("notes.txt", kinds=(), failures=0),), 3),
        ((), (file(failures=0, problem="cannot be read"),), 3),
        ((), (), 3),
        ((unreachable(),), (file(),), 3),
        ((unreachable(), skewed()), (file(),), 1),
        ((intercepted(),), (file(),), 1),
    ],
)
def test_exit_status(given: tuple[Assessment, ...], files: Any, status: int) -> None:
    assert log_status(report(*given, files=files)) == status
    assert log_status(report(*given, files=files, interrupted=True)) == 130


@pytest.mark.parametrize(
    ("incident", "said", "unsaid"),
    [
        (Incident(at(0), flags=1, certificate=GOOGLE), ("o.pki.goog:80", "revoked", "unchanged"), ("unopened",)),
        (Incident(at(0), code=12057), ("o.pki.goog:80", "revoked"), ("unopened",)),
        (Incident(at(0), http_status=502), ("not reached through the proxy",), ("who answers",)),
        (Incident(at(0), http_status=407), ("without authentication",), ("Please allow connections",)),
        (Incident(at(0), flags=0x10, certificate=GOOGLE), ("not for the host", "who answers"), ("Please exempt",)),
    ],
)
def test_what_the_ticket_asks_for_fits_the_cause(
    incident: Incident, said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    found = of_log([incident])
    asked = found.ticket.partition("\n")[2]
    assert all(each in asked for each in said), asked
    assert not any(each in asked for each in unsaid), asked


def test_a_ticket_says_what_it_leaves_out() -> None:
    many = [
        Incident(at(60 * n), flags=0x8, certificate=replace(NOBODY, issuer=("DE", "GmbH", f"CA {n}")))
        for n in range(50)
    ]
    found = of_log(many)
    assert "Not told here: 30 failures" in found.ticket


def test_a_group_lasts_until_the_last_try_of_it() -> None:
    text = log(retried(Incident(at(0), code=12029), Incident(at(90), code=12029))).text
    (group,) = report(*read_log(io.BytesIO(text.encode()))).groups
    assert group.last is not None
    assert group.first is not None
    assert group.last - group.first == timedelta(seconds=90)
    assert group.timeline is not None
    assert sum(group.timeline.counts) == group.count == 1


def test_clocks_that_are_off_in_two_ways_are_two_groups() -> None:
    year = timedelta(days=365)
    incidents = [Incident(at(n) + (5 * year if n == 0 else -year), flags=0x21, certificate=GOOGLE) for n in range(4)]
    found = report(*(each for one in incidents for each in read_log(io.BytesIO(log([one]).text.encode()))))
    assert sorted(("ahead" in each.assessment.explanation, each.count) for each in found.groups) == [
        (False, 3),
        (True, 1),
    ]


def test_two_proxies_are_two_scans() -> None:
    two = (("10.1.2.3", 8080, "p1"), ("10.9.9.9", 3128, "p2"))
    incidents = [Incident(at(60 * n), LogKind.AUTHORISATION, code=12029, went_to=each) for n, each in enumerate(two)]
    found = of_log(incidents)
    assert [each.rpartition(" ")[2] for each in found.commands] == ["http://10.1.2.3:8080", "http://10.9.9.9:3128"]
    assert "not reached through the proxy" in found.ticket


def test_where_two_tries_met_certificates_in_two_places_no_place_is_all_of_it() -> None:
    here = Incident(at(10), flags=9, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))
    found = of_log(retried(here, Incident(at(12), flags=9, certificate=NOBODY)))
    assert "log-intercepted-here" not in codes(found)
    assert "Please exempt" in found.ticket
