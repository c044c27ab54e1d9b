"""What the lines of a log come to, put together by thread: every failure the tools can write, read back."""

import random
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tests.conftest import shared_data
from tests.loggen import (
    CERTIFICATES,
    EVERY_FLAGS,
    FIDDLER,
    GOOGLE,
    MODULES,
    NOBODY,
    SYSTEM,
    VERSION,
    Certificate,
    Incident,
    at,
    authorisation_line,
    examples,
    head,
    hostile,
    log,
    messages,
    retried,
    threads,
    trace_line,
)
from tlsinspect.logs.assemble import Assembler, Origin
from tlsinspect.logs.grammar import head as read_head
from tlsinspect.logs.products import product_of
from tlsinspect.logs.stories import Tries
from tlsinspect.model import Logged, LogKind

KINDS = tuple(LogKind)


def failures(lines: Iterable[str], origin: Origin | None = None) -> list[Tries]:
    assembler = Assembler(origin or Origin(""))
    found = [each for number, line in enumerate(lines, 1) for each in assembler.feed(number, line)]
    return [*found, *assembler.flush()]


def told(lines: Iterable[str], origin: Origin | None = None) -> list[Logged]:
    """Every try, without its line, in the order of their beginning."""
    tries = sorted((each for failure in failures(lines, origin) for each in failure), key=lambda each: each.line)
    return [replace(each, line=0, mixed=False) for each in tries]


def test_what_is_made_is_what_the_tools_write() -> None:
    """The two examples of Google's help page, but for the words after the name of a flag."""
    authorisation = Incident(
        datetime(2022, 9, 21, 3, 59, 46, tzinfo=UTC),
        LogKind.AUTHORISATION,
        flags=0x1,
        certificate=Certificate(
            ("US", "California", "Mountain View", "Google Inc", "*.googleapis.com"),
            ("US", "Google Inc", "Google Internet Authority G2"),
            datetime(2017, 9, 13, 17, 23, 55, tzinfo=UTC),
            datetime(2017, 12, 6, 17, 10, tzinfo=UTC),
        ),
        retry="direct (without proxy)",
        went_to=("216.58.194.170", 443, "sfo07s13-in-f170.1e100.net"),
    )
    dates = (datetime(2016, 9, 20, 4, 8, 45, tzinfo=UTC), datetime(2022, 9, 20, 4, 8, 45, tzinfo=UTC))
    trace = Incident(
        datetime(2017, 9, 21, 7, 10, 4, 356_000, tzinfo=UTC),
        flags=0x9,
        certificate=replace(FIDDLER, not_before=dates[0], not_after=dates[1]),
        went_to=("127.0.0.1", 8888, "COMPUTERNAME"),
    )
    for incident, example in zip((authorisation, trace), examples(shared_data("..")), strict=True):
        assert [_named(line) for line in log([incident]).lines] == [_named(line) for line in example]


def _named(line: str) -> str:
    """Without what a flag means in words."""
    return re.sub(r"(WINHTTP_CALLBACK_STATUS_FLAG_\w+):.*", r"\1", line)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_every_combination_of_flags(kind: LogKind, certificate: str) -> None:
    incidents = [
        Incident(at(60 * n), kind, flags=flags, certificate=CERTIFICATES[certificate])
        for n, flags in enumerate(EVERY_FLAGS)
    ]
    written = log(incidents, between=2)
    assert told(written.lines) == list(written.failures)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [12002, 12007, 12029, 12030, 12044, 12152, 12166, 12188, 10060, 10061, 11001])
@pytest.mark.parametrize("destination", [True, False])
def test_failures_before_tls(kind: LogKind, code: int, destination: bool) -> None:
    went_to = ("10.0.0.7", 3128, "proxy.example.com") if destination else None
    written = log([Incident(at(60 * n), kind, code=code, went_to=went_to) for n in range(3)], between=3)
    assert told(written.lines) == list(written.failures)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [302, 403, 407, 502, 511])
def test_refusals_of_a_proxy(kind: LogKind, status: int) -> None:
    written = log([Incident(at(60 * n), kind, http_status=status) for n in range(2)], between=2)
    assert told(written.lines) == list(written.failures)


@pytest.mark.parametrize("code", [12017, 12032, 12180])
def test_what_is_no_failure_of_the_network(code: int) -> None:
    assert told(log([Incident(at(0), code=code)]).lines) == []


@pytest.mark.parametrize("seed", range(40))
def test_threads_that_write_between_each_other(seed: int) -> None:
    chance = random.Random(seed)
    incidents = [
        Incident(
            at(n / 1000),
            flags=chance.choice(EVERY_FLAGS),
            certificate=chance.choice(list(CERTIFICATES.values())),
            thread=f"{n + 0x1A20:x}",
        )
        if chance.random() < 0.7
        else Incident(at(n / 1000), code=12007, thread=f"{n + 0x1A20:x}")
        for n in range(12)
    ]
    written = threads(incidents, seed=seed)
    assert told(written.lines) == list(written.failures)


@pytest.mark.parametrize("seed", range(20))
def test_lines_of_other_threads_within_a_certificate(seed: int) -> None:
    incidents = [Incident(at(20 * n), flags=0x9, certificate=FIDDLER) for n in range(5)]
    written = log(incidents, between=1, within=4, seed=seed)
    assert told(written.lines) == list(written.failures)


def test_the_second_try_belongs_to_the_first() -> None:
    first, second = retried(
        Incident(at(0), flags=0x8, certificate=FIDDLER, went_to=("10.0.0.7", 3128, "proxy")),
        Incident(at(3), code=12002),
    )
    lines = [line for incident in (first, second) for message in messages(incident) for line in message]
    (story,) = failures(lines)
    assert [replace(each, line=0) for each in story] == [first.logged, second.logged]


@pytest.mark.parametrize("product", MODULES)
def test_the_head_tells_the_product(product: str) -> None:
    found = read_head("\n".join(head(product)))
    assert product_of(path=found["exe"]) == product
    assert (found["version"], found["system"]) == (VERSION, SYSTEM)
    incident = Incident(at(0), flags=1, certificate=GOOGLE, module=MODULES[product])
    written = log([incident], product=product, between=1)
    assert told(written.lines, Origin("", product, VERSION, SYSTEM)) == list(written.failures)


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_that_is_cut_says_less_and_nothing_else(kind: LogKind) -> None:
    """At its end or its beginning, at every line."""
    incident = Incident(at(0), kind, flags=0x29, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))
    lines = log([incident]).lines
    for cut in range(len(lines) + 1):
        for part in (lines[:cut], lines[cut:]):
            for found in told(part):
                assert_less(found, incident.logged)
                assert not found.whole or {"---Validity--", "-------------"} <= set(part)
                assert found.whole or part != lines


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_that_is_missing_is_not_made_up(kind: LogKind) -> None:
    incident = Incident(at(0), kind, flags=0x29, certificate=FIDDLER)
    lines = log([incident]).lines
    for gone in range(len(lines)):
        for found in told([*lines[:gone], *lines[gone + 1 :]]):
            assert_less(found, incident.logged)


def assert_less(found: Logged, whole: Logged) -> None:
    """All that is said is said of the whole as well. A name may be lost with its heading; then it is not whole."""
    assert set(found.subject) | set(found.issuer) <= set(whole.subject) | set(whole.issuer)
    if found.whole:
        assert set(found.subject) <= set(whole.subject)
        assert set(found.issuer) <= set(whole.issuer)
    for name in ("time", "status", "code", "not_before", "not_after", "address", "port"):
        assert getattr(found, name) in (None, getattr(whole, name)), name
    for name in ("api", "via", "retry", "name"):
        assert getattr(found, name) in ("", getattr(whole, name)), name
    assert (found.flags or 0) & ~(whole.flags or 0) == 0


def test_what_is_kept_has_a_bound() -> None:
    assembler = Assembler(Origin(""))
    count = 0
    for number, line in enumerate(hostile(40_000, longest=300), 1):
        for failure in assembler.feed(number, line):
            count += len(failure)
            assert all(len(value) <= 256 for each in failure for value in (*each.subject, *each.issuer))
        assert max(len(assembler._open), len(assembler._stories), len(assembler._echoes)) <= 64
    assert count


# -- clocks, callers, and lines that are somebody else's ---------------------------------------------------------------


def test_lines_of_another_clock_end_nothing() -> None:
    """An authorisation log has local times without a zone; in one file with a trace they lie hours from it."""
    trace = messages(Incident(at(0), flags=0x9, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7")))
    lines: list[str] = []
    for message in trace:
        lines += [*message, authorisation_line(at(-3 * 3600), "Refreshing the token.", level="INFO")]
    assert told(lines) == list(
        log([Incident(at(0), flags=0x9, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))]).failures
    )


def test_a_second_try_is_waited_for_by_its_own_clock() -> None:
    first, second = retried(Incident(at(-3 * 3600), code=12007), Incident(at(2 - 3 * 3600), code=12002))
    between = trace_line(at(1), "Error result 5, hr = 0x80072ee7.")
    lines = [line for message in messages(first) for line in message]
    lines += [between, *(line for message in messages(second) for line in message)]
    assert sorted(len(tries) for tries in failures(lines)) == [1, 2]


URL = "https://www.googleapis.com/calendar/v3/users/me"


@pytest.mark.parametrize("named", ["", f" of {URL}"])
@pytest.mark.parametrize("before_destination", [True, False])
def test_a_caller_repeats_the_code_and_nothing_more_failed(named: str, before_destination: bool) -> None:
    incident = Incident(at(0), flags=0x9, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))
    lines = list(log([incident]).lines)
    echo = trace_line(at(0.1), f"Request{named} failed, hr = 0x80072f8f", place="Calendar::Fetch", number=77)
    lines.insert(len(lines) - before_destination, echo)
    host = "www.googleapis.com" if named and before_destination else ""
    assert told(lines) == [replace(incident.logged, host=host)]


def test_a_caller_who_repeats_the_code_names_the_host() -> None:
    call = trace_line(at(0), "Error result 5, hr = 0x80072ee7.")
    repeated = [trace_line(at(n), f"Could not fetch https://{host}/, hr = 0x80072ee7", place=f"P{n}")
                for n, host in ((1, "oauth2.googleapis.com"), (2, "mail.google.com"))]  # fmt: skip
    assert [each.host for each in told([call, *repeated])] == ["oauth2.googleapis.com", "mail.google.com"]
    of_another_thread = trace_line(at(1), f"Could not fetch {URL}, hr = 0x80072ee7", thread="b2", place="P")
    assert [each.host for each in told([call, of_another_thread])] == [""]


def test_callers_of_two_hosts_tell_of_two_failures() -> None:
    lines = [
        trace_line(at(n), f"Request of https://{host}/ failed, hr = 0x80072ee7", place=f"Of::{host[:3]}")
        for n, host in enumerate(("www.googleapis.com", "mail.google.com", "www.googleapis.com"))
    ]
    assert [each.host for each in told(lines)] == ["www.googleapis.com", "mail.google.com", "www.googleapis.com"]
    # Who names no host repeats either; the second to name the first host is another statement of the same.
    echo = trace_line(at(4), "Failed, hr = 0x80072ee7", place="Caller", number=9)
    other = trace_line(at(5), "Request of https://mail.google.com/ failed, hr = 0x80072ee7", place="Other", number=9)
    assert len(told([*lines, echo, other])) == 3


def test_two_callers_after_two_calls_each_name_their_own() -> None:
    call = "Error result 5, hr = 0x80072ee7."
    named = "Request of https://{}/ failed, hr = 0x80072ee7"
    lines = [
        trace_line(at(0), call),
        trace_line(at(1), named.format("mail.google.com"), place="Mail", number=2),
        trace_line(at(2), named.format("mail.google.com"), place="Sync", number=3),
        trace_line(at(3), named.format("www.googleapis.com"), place="Sync", number=4),
        trace_line(at(5), call),
        trace_line(at(6), named.format("mail.google.com"), place="Mail", number=2),
    ]
    assert [(each.api != "", each.host) for each in told(lines)] == [
        (True, "mail.google.com"),
        (False, "www.googleapis.com"),
        (True, "mail.google.com"),
    ]


def test_two_blocks_that_are_both_open_are_mixed() -> None:
    """Lines without a thread may be either's."""
    fiddler, google = (
        [list(message) for message in messages(Incident(at(0), flags=flags, certificate=certificate, thread=thread))]
        for flags, certificate, thread in ((0x8, FIDDLER, "a1"), (0x1, GOOGLE, "b2"))
    )
    # The heading of one, the heading of the other, the lines of the first, and the other's are lost.
    lines = [*fiddler[0], *google[0], fiddler[1][0], google[1][0], *fiddler[1][1:], *google[2], *google[3]]
    found = [each for tries in failures(lines) for each in tries if each.thread == "b2"]
    assert [(each.flags, each.mixed) for each in found] == [(0x1, True)]


@pytest.mark.parametrize("via", ["proxy 10.0.0.1:8080", "proxy proxy.example.com:3128", "named proxy"])
def test_the_way_of_a_try_may_be_an_address(via: str) -> None:
    for retry in ("", "direct (without proxy)", "10.0.0.2:8080"):
        incident = Incident(at(0), LogKind.AUTHORISATION, code=12007, via=via, retry=retry)
        assert told(log([incident]).lines) == [incident.logged]


@pytest.mark.parametrize("printed", ["fe80::1%12", "[fe80::1%eth0]", "fe80::1"])
def test_where_a_connection_went_may_have_a_zone(printed: str) -> None:
    line = trace_line(at(0), f"Network connection destination details: {printed}:8888 (PC-7)")
    failed = trace_line(at(0), "Error result 5, hr = 0x80072ee7.")
    (found,) = told([failed, line])
    assert (found.address, found.port, found.name) == ("fe80::1", 8888, "PC-7")


STRAY = (
    "2026-03-02T06:00:01.250-03:00 1a2",  # cut short
    "2026-03-02T09:00:01.250+00:00 1b20 A:Network-IO M!Run @ 5 ()> Sync started",
    "2026-03-02T09:00:60.250+00:00 1b20 A:Network M!Run @ 5 ()> Sync started",
    "[0302/090001.123:INFO:token.cc(12)] Refreshing the token",
    "[1234:5678:0302/090001.123:INFO:token.cc(12)] Refreshing the token",
    "[2026-03-02T09:00:00:VERBOSE1:windows_http.cc(12)] Refreshing",
    "2026-03-02 09:00:01 Sync started",
    "1234:5678:0302/090001.123:INFO:token.cc(12) Refreshing the token",
    "WARNING: database is busy",
    *head("gwmmo")[:1],
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stray", STRAY)
def test_a_message_of_another_form_is_no_value_of_a_name(kind: LogKind, stray: str) -> None:
    lines = list(log([Incident(at(0), kind, flags=0x8, certificate=GOOGLE)]).lines)
    for place in range(lines.index("---Validity--"), lines.index("-------------") + 1):
        (found,) = told([*lines[:place], stray, *lines[place:]])
        assert stray not in (*found.subject, *found.issuer)
        assert not found.whole


@pytest.mark.parametrize(
    "value",
    [
        *("INFO Systems GmbH", "2026 Root CA", "ERROR", "0302/09 Holding", "[Test] CA"),
        *("1234/567890", "2024-01-01 12:00 CA", "2024-01-01 CA", "2024-01-01To"),
    ],
)
def test_a_value_may_begin_nearly_as_a_message_does(value: str) -> None:
    incident = Incident(at(0), flags=0x8, certificate=replace(FIDDLER, issuer=("DE", value, "CA")))
    assert told(log([incident]).lines) == [incident.logged]


def test_a_log_whose_predecessor_ends_in_a_certificate_does_not_go_on_with_its_head() -> None:
    lines = list(log([Incident(at(0), flags=0x8, certificate=GOOGLE)]).lines)
    cut = lines.index("Google Trust Services")
    (found,) = told([*lines[:cut], *head("gwmmo"), *lines[cut:]])
    assert not found.whole
    assert set(found.issuer) <= set(GOOGLE.issuer)


@pytest.mark.parametrize("kind", KINDS)
def test_blanks_around_lines_are_nothing(kind: LogKind) -> None:
    incident = Incident(at(0), kind, flags=0x9, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))
    lines = log([incident]).lines
    assert told(f"{line} " for line in lines) == [incident.logged]
    assert told(f"  {line}\t" for line in lines) == [incident.logged]
    assert told(f"\ufeff{line}" for line in lines) == [incident.logged]
    assert told(f"> {line}" for line in lines) == [incident.logged]  # as mails quote
    assert told(f"\xa0{line}\u200b" for line in lines) == [incident.logged]


def test_where_threads_have_no_names_and_write_between_each_other_all_is_mixed() -> None:
    one, other = (
        [
            list(message)
            for message in messages(Incident(at(0), LogKind.AUTHORISATION, flags=flags, certificate=certificate))
        ]
        for flags, certificate in ((0x1, GOOGLE), (0x8, company()))
    )
    whole = [line for message in (one[0], other[0], *one[1:], *other[1:]) for line in message]
    begun, left = one[1][:5], one[1][5:]
    torn = [*one[0], *begun, *other[0], *other[1][:5], *left[:1], *other[1][5:], *left[1:]]
    torn += [line for message in (*other[2:], *one[2:]) for line in message]
    for lines in (whole, torn):
        tries = [each for failure in failures(lines) for each in failure]
        assert all(each.mixed for each in tries if each.status is not None)
        assert all(each.mixed or each.issuer in ((), company().issuer, GOOGLE.issuer) for each in tries)


@pytest.mark.parametrize(
    ("message", "count"),
    [
        ("S/MIME: signer certificate of attachment, error 0x80092010", 2),
        ("Could not reach https://gmail.com/x, hr = 0x80072ee7", 2),
        ("Request of https://www.googleapis.com/ failed, hr = 0x80072f8f", 1),
        ("Connect failed, hr = 0x80072f7d", 1),  # TLS, for whatever reason
        ("Request of https://www.googleapis.com/ failed, hr = 0x80072f0d", 1),  # INVALID_CA, as a flag says too
    ],
)
def test_a_code_of_something_else_is_not_the_tls_failure_s(message: str, count: int) -> None:
    incident = Incident(at(0), flags=0x9, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))
    lines = list(log([incident]).lines)
    lines.insert(-2, trace_line(at(0.4), message, place="Mail::Check", number=7))
    found = told(lines)
    assert len(found) == count
    if count == 2:
        assert incident.logged in found


def test_a_caller_who_says_it_before_the_call_does_is_no_second_failure() -> None:
    lines = [
        trace_line(at(0), "Request of https://www.googleapis.com/ failed, hr = 0x80072ee7", place="Sync", number=2),
        trace_line(at(0.1), "Error result 5, hr = 0x80072ee7."),
    ]
    (found,) = told(lines)
    assert (found.host, found.api) == ("www.googleapis.com", "WinHttpSendRequest")


def test_what_is_told_slowly_is_one_failure() -> None:
    told_at = [
        message
        for n, each in enumerate(messages(Incident(at(0), flags=0x9, certificate=FIDDLER)))
        for message in (each[0].replace(":00.250", f":{9 * n:02}.250"), *each[1:])
    ]
    assert len(told(told_at)) == 1


TRIED = "Error from API WinHttpSendRequest with WinHTTP proxy. Will try direct (without proxy). Code: 0x00002efd"


@pytest.mark.parametrize(
    ("second", "stories"),
    [
        ("with direct connection. Code: 0x00002ee7", 1),
        ("with no proxy. Code: 0x00002ee7", 1),
        ("with WinHTTP proxy. Code: 0x00002ee7", 2),
        ("with WinHTTP proxy. Will try direct (without proxy). Code: 0x00002ee7", 2),
    ],
)
def test_a_second_try_goes_another_way(second: str, stories: int) -> None:
    lines = [
        authorisation_line(at(0), TRIED),
        authorisation_line(at(50), f"Error from API WinHttpSendRequest {second}"),
    ]
    assert len(failures(lines)) == stories
    mentioned = authorisation_line(at(50), "Request to https://www.googleapis.com/x failed. Code: 0x00002ee7")
    assert len(failures([lines[0], mentioned])) == 2


OTHER_TRIED = TRIED.replace("0x00002efd", "0x00002ee2")
DIRECT = "Error from API WinHttpSendRequest with direct connection. Code: 0x00002ee7"


def stories(*messages: str, thread: str = "") -> list[int]:
    """How many tries are told together, of messages a few seconds apart."""
    lines = [
        trace_line(at(3 * n), text, thread=thread) if thread else authorisation_line(at(3 * n), text)
        for n, text in enumerate(messages)
    ]
    return [len(tries) for tries in failures(lines)]


def test_of_two_that_are_to_be_tried_again_at_once_nobody_knows_whose_the_second_is() -> None:
    assert stories(TRIED, OTHER_TRIED, DIRECT, DIRECT) == [1, 1, 1, 1]
    assert stories(TRIED, OTHER_TRIED, DIRECT, thread="a1") == [1, 2]  # the direct try of the first did not fail
    # Of two that failed alike it makes no difference.
    assert stories(TRIED, TRIED, DIRECT) == [1, 2]


@pytest.mark.parametrize("thread", ["", "a1"])
def test_ways_that_are_tried_one_after_the_other_are_one_story(thread: str) -> None:
    named = "Error from API WinHttpSendRequest with {}. Will try {}. Code: 0x00002efd"
    ways = ("WinHTTP proxy", "IE proxy", "direct (without proxy)")
    chain = [named.format(*pair) for pair in pairwise(ways)]
    assert stories(*chain, DIRECT, thread=thread) == [3]
    assert stories(*chain, thread=thread) == [2]
    assert max(stories(*[named.format("IE proxy", "IE proxy")] * 10, thread=thread)) == 4


def company() -> Certificate:
    return Certificate(
        ("DE", "Corp GmbH", "server.corp.example"), ("DE", "Corp GmbH", "Corp CA"), GOOGLE.not_before, GOOGLE.not_after
    )


def unnamed(flags: int, certificate: Certificate, seconds: float = 0) -> list[str]:
    """What an authorisation log says of it, without the line of the call."""
    incident = Incident(at(seconds), LogKind.AUTHORISATION, flags=flags, certificate=certificate, went_to=None)
    return [line for line in log([incident]).lines if "Error from API" not in line]


@pytest.mark.parametrize("destination", [True, False])
def test_the_call_of_another_ends_no_certificate(destination: bool) -> None:
    """Lines of one failure's certificate stand after the call of a second and in the certificate of a third."""
    one, other = unnamed(0x20, company()), unnamed(0x9, GOOGLE)
    call = messages(
        Incident(at(0), LogKind.AUTHORISATION, code=12002, went_to=("127.0.0.1", 8888, "PC-7") if destination else None)
    )
    begun, cut = one.index("Corp CA"), other.index("Google Trust Services")
    lines = [*one[:begun], *(line for each in call for line in each), *other[:cut], *one[begun:], *other[cut:]]
    found = told_as_it_is(lines)
    assert [each.code for each in found if each.status is None] == [12002]
    assert all(each.mixed for each in found if each.issuer)


def told_as_it_is(lines: Iterable[str]) -> list[Logged]:
    return [each for tries in failures(lines) for each in tries]


def test_whole_failures_one_after_the_other_are_not_mixed() -> None:
    """Without the line of the call too; and where Windows calls back twice the first line stands twice."""
    twice = told_as_it_is(unnamed(0x9, FIDDLER) + unnamed(0x9, FIDDLER, seconds=4))
    again = told_as_it_is([unnamed(0x9, FIDDLER)[0], *unnamed(0x9, FIDDLER)])
    assert [(each.whole, each.mixed) for each in twice] == [(True, False)] * 2
    assert [(each.whole, each.mixed) for each in again] == [(False, False), (True, False)]


def test_a_call_s_own_line_some_seconds_after_its_code_in_words_is_no_second_failure() -> None:
    incident = Incident(at(0), flags=0x9, certificate=FIDDLER, went_to=None)
    lines = [line for line in log([incident]).lines if "Error result" not in line]
    lines.append(trace_line(at(1), "Connect failed, hr = 0x800b0109", place="Sync", number=2))
    lines.append(trace_line(at(4), "Error result 5, hr = 0x80072f8f."))
    assert len(told(lines)) == 1


@pytest.mark.parametrize(("code", "count"), [("0x800b0109", 1), ("0x80092010", 2)])  # an issuer not trusted; revoked
def test_where_flags_are_missing_a_code_in_words_tells_what_is_wrong(code: str, count: int) -> None:
    lines = [line for line in log([Incident(at(0), flags=0x8, certificate=FIDDLER, went_to=None)]).lines
             if "Error result" not in line and "Info 0x" not in line and "FLAG" not in line]  # fmt: skip
    lines.append(trace_line(at(0.2), f"Connect failed, hr = {code}", place="Sync", number=2))
    lines.append(trace_line(at(2), "Error result 5, hr = 0x80072f8f."))
    assert len(told(lines)) == count


def test_two_calls_at_once_whose_callers_name_two_hosts_are_two() -> None:
    call = "Error result 5, hr = 0x80072ee7."
    lines = [trace_line(at(0), call, thread=thread) for thread in ("a1", "b2")]
    lines += [
        trace_line(at(1), f"Request of https://{host}/ failed, hr = 0x80072ee7", thread=thread, place="Http")
        for thread, host in (("a1", "www.googleapis.com"), ("b2", "accounts.google.com"))
    ]
    assert len(told(lines)) == 2
    third = trace_line(at(2), "Request of https://mail.google.com/ failed, hr = 0x80072ee7", place="Http")
    assert len(told([*lines, third])) == 3


def parts(incident: Incident) -> list[list[str]]:
    return [list(message) for message in messages(incident)]


@pytest.mark.parametrize("order", ["ababababab", "abbbbbaaaa", "aabbbbbaaa", "aaabbbbbaa", "aaaabbbbba", "aabbaabbab"])
@pytest.mark.parametrize("flags", [(0x8, 0x8), (0x8, 0x1)])
def test_two_failures_at_once_are_two(order: str, flags: tuple[int, int]) -> None:
    """Without threads; where they failed alike it makes no difference whose each message is."""
    left = {
        name: parts(Incident(at(0), LogKind.AUTHORISATION, flags=each, certificate=GOOGLE))
        for name, each in zip("ab", flags, strict=True)
    }
    assert all(len(each) == 5 for each in left.values())
    found = told_as_it_is(line for name in order for line in left[name].pop(0))
    assert sorted(each.flags or 0 for each in found) == sorted(flags)
    assert all(each.code and each.address for each in found)
    if flags[0] == flags[1]:
        assert all(each.whole and not each.mixed for each in found)


def test_a_call_may_be_told_by_another_thread() -> None:
    incident = Incident(at(0), flags=0x8, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))
    *block, call, destination = log([incident]).lines
    (found,) = told([*block, call.replace(" 1a20 ", " 2b2b "), destination.replace(" 1a20 ", " 2b2b ")])
    assert found == incident.logged
    late = trace_line(at(5), "Error result 5, hr = 0x80072f8f.", thread="2b2b")
    assert len(told([*block, late])) == 2


@pytest.mark.parametrize("seconds", [0.0, 2.0, 5.0, 30.0])
def test_a_certificate_that_was_cut_makes_only_what_comes_at_once_doubtful(seconds: float) -> None:
    begun = unnamed(0x8, FIDDLER)
    torn = [*begun[: begun.index("---Issuer----")], authorisation_line(at(0), "Refreshing.", level="INFO")]
    found = told_as_it_is([*torn, *unnamed(0x8, FIDDLER, seconds)])
    assert [(each.whole, each.mixed) for each in found] == [(False, True), (True, seconds == 0.0)]


def test_a_failure_without_a_certificate_makes_others_doubtful_for_a_moment_alone() -> None:
    channel = parts(Incident(at(0), flags=0x80000000, thread="a1"))[:2]
    lines = [line for message in channel for line in message]
    for n, seconds in enumerate((0, 5, 12, 30, 50)):
        lines += log([Incident(at(seconds), flags=0x8, certificate=FIDDLER, thread=f"b{n}")]).lines
    found = told_as_it_is(lines)
    assert [each.mixed for each in found if each.thread != "a1"] == [True, False, False, False, False]


def test_a_certificate_after_the_call_is_another_s() -> None:
    status, *_, call, _destination = parts(Incident(at(0), LogKind.AUTHORISATION, flags=0x4, certificate=GOOGLE))
    certificate = parts(Incident(at(0), LogKind.AUTHORISATION, flags=0x10, certificate=GOOGLE))[1]
    found = told_as_it_is([*status, *call, *certificate])
    assert [(each.flags, each.subject) for each in found] == [(0x4, ()), (None, GOOGLE.subject)]


def test_where_a_connection_went_is_told_of_the_call_that_failed() -> None:
    """Without threads another failure may begin before it."""
    google, here = ("142.250.74.10", 443, "g"), ("127.0.0.1", 8888, "PC-7")
    one, other = (
        parts(Incident(at(0), LogKind.AUTHORISATION, flags=flags, certificate=certificate, went_to=went_to))
        for flags, certificate, went_to in ((0x8, GOOGLE, google), (0x1, NOBODY, here))
    )
    for begun in range(1, 4):
        order = (*one[:-1], *other[:begun], one[-1], *other[begun:])
        found = told_as_it_is(line for message in order for line in message)
        assert {(each.flags, each.address) for each in found} == {(0x8, google[0]), (0x1, here[0])}
