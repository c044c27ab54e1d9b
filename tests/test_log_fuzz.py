"""Logs that nobody wrote, or that somebody wrote to do harm. Whatever comes: no exception, nothing lost from counts,
nothing said that a log cannot say."""

import io
import json
import random
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import shared_data
from tests.loggen import (
    CERTIFICATES,
    EVERY_FLAGS,
    Incident,
    at,
    authorisation_line,
    examples,
    hostile,
    log,
    messages,
    trace_line,
)
from tlsinspect import read_log
from tlsinspect.judge.logs.rules import LOG_RULES
from tlsinspect.logged import Reading
from tlsinspect.logs.assemble import Assembler, Origin
from tlsinspect.logs.reading import Reader
from tlsinspect.logs.sources import find
from tlsinspect.logs.stories import MOST_TRIES, Tries
from tlsinspect.logsummary import MOST_GROUPS, Summing
from tlsinspect.model import Assessment, Basis, Confidence, LogFile, Logged, LogKind, LogReport, Verdict
from tlsinspect.report import as_json, logtable
from tlsinspect.report.as_json import schema
from tlsinspect.report.table import PlainConsole
from tlsinspect.trust import Trust

# -- lines ------------------------------------------------------------------------------------------------------------

_NUMBERS = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda n: f"0x{n:08x}"),
    st.sampled_from(
        ("0x", "0x0", "0xffffffff", "0x123456789", "0x80072f8f", "0x00002f8f", "0x00000009", "12175", "٤٠٧")
    ),
)
_TIMES = st.one_of(
    st.datetimes().map(lambda t: t.isoformat(timespec="milliseconds")),
    st.sampled_from(
        (
            "0000-00-00T00:00:00", "0001-01-01T00:00:00.000", "9999-12-31T23:59:59.999", "2026-13-45T99:99:99.999",
            "2026-02-30T12:00:00.000", "٢٠٢٦-٠١-٠١T٠٠:٠٠:٠٠.٠٠٠", "2026-03-02T09:00:00.123456789",
        )
    ),
)  # fmt: skip
_ZONES = st.sampled_from(("", "Z", "+00:00", "-03:00", "+14:00", "-14:00", "+23:59", "-23:59", "+99:99", "+3"))
_WORDS = st.text(max_size=60)
_ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(("[::1]", "999.1.1.1", "::ffff:127.0.0.1", "fe80::1%eth0", "0.0.0.0", "1:2:3", "::", "")),
)
_MESSAGES = st.one_of(
    _WORDS,
    st.builds("Secure connection failure. Status: {}. Info {}".format, _NUMBERS, _NUMBERS),
    st.builds("TLS connection failure. [Status: {}. Status Info: {}]".format, _NUMBERS, _NUMBERS),
    st.sampled_from(("Failure details:", "Certificate details:", "Certificate details: x")),
    st.builds("WINHTTP_CALLBACK_STATUS_FLAG_{}: {}".format, st.sampled_from(("INVALID_CA", "X", "")), _WORDS),
    st.builds("Error from API {} with {}. Will try {}. Code: {}".format, _WORDS, _WORDS, _WORDS, _NUMBERS),
    st.builds("Error result {}, hr = {}. Setting event {}.".format, st.integers(-9, 10**12), _NUMBERS, _WORDS),
    st.builds(
        "Network connection destination details: {}:{} ({})".format, _ADDRESSES, st.integers(-1, 99999), _WORDS
    ),
    st.builds("{} proxy hr = {} HTTP status {} https://{}/".format, _WORDS, _NUMBERS, st.integers(0, 9999), _WORDS),
)  # fmt: skip
_TRACE = st.builds(
    "{}{} {} {}:{} {}!{} @ {} ({})> {}".format,
    _TIMES, _ZONES, st.sampled_from(("1a20", "1A20", "0", "ffffffff", "g", "123456789")),
    st.sampled_from("EWFAIV"), st.sampled_from(("Network", "Sync", "Ä")),
    st.sampled_from(("ClientMigration", "gsync32", "x")), st.sampled_from(("WinHttp::HandleCallback", "a", "@")),
    st.integers(0, 10**10), st.sampled_from(("", "x", "()")), _MESSAGES,
)  # fmt: skip
_AUTHORISATION = st.builds(
    "[{}{}:{}:{}({})] {}".format,
    _TIMES, _ZONES, st.sampled_from(("ERROR", "INFO", "")), st.sampled_from(("windows_http.cc", "a", "")),
    st.integers(0, 10**10), _MESSAGES,
)  # fmt: skip
_CONTINUED = st.one_of(
    st.sampled_from(
        (
            "---Validity--", "---Subject---", "---Issuer----", "-------------", "--------", "", " ", "\t",
            "Google Trust Services", "WR2", "*.google.com", "DO_NOT_TRUST_FiddlerRoot", "US",
        )
    ),
    st.builds("Valid {}: {}{}".format, st.sampled_from(("from", "until", "x")), _TIMES, st.sampled_from(("Z", " UTC"))),
    _WORDS,
)  # fmt: skip
LINES = st.lists(st.one_of(_TRACE, _AUTHORISATION, _CONTINUED, _CONTINUED), max_size=40)


def failures(lines: Sequence[str]) -> list[Tries]:
    assembler = Assembler(Origin("x.log"))
    found = [each for number, line in enumerate(lines, 1) for each in assembler.feed(number, line)]
    found += assembler.flush()
    assert not assembler.busy
    assert list(assembler.flush()) == []  # nothing is told twice
    return found


def check(lines: Sequence[str], found: Sequence[Tries]) -> None:
    """What holds of any log."""
    seen: set[int] = set()
    for failure in found:
        assert 1 <= len(failure) <= MOST_TRIES
        for each in failure:
            assert 1 <= each.line <= len(lines)
            assert each.line not in seen, "one line begins two failures"
            seen.add(each.line)
            check_logged(each, lines)


def check_logged(logged: Logged, lines: Sequence[str]) -> None:
    text = "\n".join(lines)
    assert logged.time.utcoffset() is not None
    for number in (logged.status, logged.flags, logged.code):
        assert number is None or 0 <= number < 2**32
    assert logged.port is None or 0 < logged.port < 65536
    assert len(logged.message) <= 300
    assert logged.message in text
    for values in (logged.subject, logged.issuer):
        assert len(values) <= 16
        assert all(len(value) <= 256 and value in text for value in values)
    if logged.whole:
        assert logged.issuer
        assert logged.not_before is not None
        assert logged.not_after is not None
    for each in fields(Logged):
        value = getattr(logged, each.name)
        assert not isinstance(value, str) or len(value) <= 512, each.name


@settings(max_examples=400, deadline=None)
@given(LINES)
def test_lines_of_both_forms_in_any_order(lines: list[str]) -> None:
    check(lines, failures(lines))


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text(text: str) -> None:
    lines = text.split("\n")
    check(lines, failures(lines))


# -- real excerpts, mutated -------------------------------------------------------------------------------------------


def excerpts() -> list[list[str]]:
    """The two examples of Google's help page, and one made of everything."""
    made = [
        Incident(at(n), kind, flags=flags, certificate=certificate)
        for n, (kind, flags, certificate) in enumerate(
            zip(list(LogKind) * 2, EVERY_FLAGS[3::50], [*CERTIFICATES.values()] * 2, strict=False)
        )
    ]
    return [*examples(shared_data("..")), list(log(made, between=1).lines)]


_OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(("gone", "twice", "swap", "cut", "joined")), st.integers(0, 10**6), st.integers(0, 10**6)
    ),
    min_size=1,
    max_size=8,
)


def mutated(lines: Sequence[str], operations: Sequence[tuple[str, int, int]]) -> list[str]:
    found = list(lines)
    for what, one, other in operations:
        if not found:
            break
        n, m = one % len(found), other % len(found)
        if what == "gone":
            del found[n]
        elif what == "twice":
            found.insert(m, found[n])
        elif what == "swap":
            found[n], found[m] = found[m], found[n]
        elif what == "cut":
            found[n] = found[n][: other % (len(found[n]) + 1)]
        else:
            found[n : n + 2] = ["".join(found[n : n + 2])]
    return found


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2), _OPERATIONS)
def test_real_excerpts_mutated(which: int, operations: list[tuple[str, int, int]]) -> None:
    lines = mutated(excerpts()[which], operations)
    found = failures(lines)
    check(lines, found)


def test_a_certificate_of_which_a_line_stands_twice_is_not_whole() -> None:
    for lines in excerpts():
        for n, line in enumerate(lines):
            if line.startswith(("---V", "---S", "---I", "Valid ")):
                found = [each for failure in failures([*lines[:n], line, *lines[n:]]) for each in failure]
                before = [each for failure in failures(lines) for each in failure]
                assert sum(each.whole for each in found) == sum(each.whole for each in before) - 1


def test_a_try_is_told_once_however_often_it_is_repeated() -> None:
    chance = random.Random(1)
    for _ in range(50):
        incidents = [
            Incident(at(30 * n), chance.choice(list(LogKind)), flags=chance.choice(EVERY_FLAGS)) for n in range(20)
        ]
        lines = [line for incident in incidents for message in messages(incident) for line in message]
        assert sum(map(len, failures(lines))) == len(incidents)


# -- octets -----------------------------------------------------------------------------------------------------------

TRUST = Trust.default()


def read(octets: bytes, name: str = "Trace.log") -> tuple[list[Assessment], LogFile]:
    """What a file of these octets says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(octets)
        reading = Reading(Reader(find([str(path)])), TRUST)
        found = list(reading)
        (file,) = reading.files
    assert file.failures == len(found)
    assert file.name.endswith(name)
    for each in found:
        assert each.basis is Basis.TEXT
        assert each.verdict is not Verdict.GENUINE
        assert each.confidence in (Confidence.LIKELY, Confidence.WEAK)
        for observation in each.observations:
            assert observation.logged is not None
            assert 1 <= observation.logged.line <= file.lines
    return found, file


def lines_in(octets: bytes) -> int:
    return octets.count(b"\n") + (not octets.endswith(b"\n") and octets != b"")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000), st.sampled_from((b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b\x08\x00")))
def test_any_octets(octets: bytes, begin: bytes) -> None:
    found, file = read(begin + octets)
    assert not found or file.lines


@settings(max_examples=150, deadline=None)
@given(LINES, st.sampled_from(("\n", "\r\n")), st.booleans())
def test_every_line_is_counted(lines: list[str], newline: str, last_break: bool) -> None:
    octets = (newline.join(lines) + newline * last_break).encode("utf-8", "surrogatepass")
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b"):
        return
    _, file = read(octets)
    assert (file.lines, file.octets) == (lines_in(octets), len(octets))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2), st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=10))
def test_real_excerpts_with_octets_flipped(which: int, flips: list[tuple[int, int]]) -> None:
    octets = bytearray("\n".join(excerpts()[which]).encode())
    for place, change in flips:
        octets[place % len(octets)] ^= change
    _, file = read(bytes(octets))
    if bytes(octets[:2]) not in (b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b"):
        assert file.lines == lines_in(bytes(octets))


def alone(tries: Iterable[Logged | None]) -> list[Logged]:
    """Without what a file says of itself."""
    return [replace(each, file="", product="", version="", system="") for each in tries if each is not None]


def passes_over_nothing(lines: Sequence[str]) -> None:
    """Blocks and lines that are passed over tell nothing: taking every line apart gives the same."""
    octets = "\n".join(lines).encode("utf-8", "replace")
    if octets[:2] == b"\x1f\x8b" or 0 in octets[:4] or octets[:1] >= b"\xef":
        return  # of another encoding, by its first octets
    every = [line.rstrip("\r") for line in octets.decode().split("\n")]
    found = read_log(io.BytesIO(octets), trust=TRUST)
    read_of_it = (seen.logged for each in found for seen in each.observations)
    assert alone(read_of_it) == alone(each for failure in failures(every) for each in failure)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_lines_that_are_passed_over_tell_nothing(lines: list[str]) -> None:
    passes_over_nothing(lines)


_CODES = (
    *("0x80072ee7", "0x80072EE7", "0x00002ee7", "0x2ee7", "0X80072EE7", "0x0000274c", "0x80092013", "0x800b0109"),
    *("0x00000040", "0x00000079", "0x000004c9", "0x000004CF", "0x000005b4"),
)
_WRITTEN = st.sampled_from(_CODES)
_MENTIONS = st.one_of(
    st.builds("{}{}{}".format, st.sampled_from(["hr = ", "HRESULT ", "error code: ", "Code: ", "result=0"]), _WRITTEN,
              st.sampled_from(["", ".", " x", "f"])),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "proxy: ", "PROXY ", "Proxy ", "pRoxy ", "CONNECT failed, ", "connect failed, "]),
        st.sampled_from(["status ", "HTTP/1.1 ", "status code: ", "HTTP ="]),
        st.sampled_from([302, 403, 407, 500, 502, 511]),
    ),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_MENTIONS, st.booleans())
def test_no_way_of_saying_it_is_passed_over(message: str, trace: bool) -> None:
    passes_over_nothing([trace_line(at(0), message) if trace else authorisation_line(at(0), message)])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2), st.integers(0, 30), _OPERATIONS)
def test_passed_over_between_mutated_excerpts(which: int, between: int, operations: list[tuple[str, int, int]]) -> None:
    quiet = log([Incident(at(50), flags=1, certificate=CERTIFICATES["google"])], between=between).lines
    passes_over_nothing(mutated([*excerpts()[which], *quiet], operations))


# -- what becomes of it -----------------------------------------------------------------------------------------------

SCHEMA = jsonschema.Draft202012Validator({"$defs": schema()["$defs"], "$ref": "#/$defs/LogReport"})


def summed(lines: Iterable[str]) -> LogReport:
    """Everything that was read is in the sums, and can be written and shown."""
    summing, count = Summing(), 0
    for each in read_log(io.BytesIO("\n".join(lines).encode("utf-8", "surrogatepass")), trust=TRUST):
        summing.add(each)
        count += 1
    report = summing.report((), TRUST, made=at(0))
    assert report.failures == sum(group.count for group in report.groups) == count
    for counts in (report.verdicts, report.products, report.destinations, report.hosts):
        assert sum(counts.values()) == count
    SCHEMA.validate(json.loads(as_json.document(report)))
    for verbose in (False, True):
        logtable.render(report, PlainConsole(io.StringIO()), verbose=verbose)
    return report


@settings(max_examples=100, deadline=None)
@given(LINES)
def test_whatever_is_read_is_summed_and_shown(lines: list[str]) -> None:
    summed(lines)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2), _OPERATIONS)
def test_mutated_excerpts_are_summed_and_shown(which: int, operations: list[tuple[str, int, int]]) -> None:
    summed(line for _ in range(3) for line in mutated(excerpts()[which], operations))


def test_many_distinct_failures_are_few_groups() -> None:
    report = summed(hostile(20_000, longest=50))
    assert report.failures > 5_000
    assert len(report.groups) <= MOST_GROUPS + len(LOG_RULES)


# -- memory -----------------------------------------------------------------------------------------------------------


class Made(io.RawIOBase):
    """A file as it is written: octets made when they are asked for."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = part
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


MEGABYTE = 1 << 20


def _hostile_lines() -> Iterator[bytes]:
    return (line.encode() + b"\n" for line in hostile(15_000, longest=600))


def _threads() -> Iterator[bytes]:
    """A failure that is begun in each of very many threads."""
    message = "Secure connection failure. Status: 0x00010000. Info 0x00000009"
    return (trace_line(at(0), message, thread=f"{n:x}").encode() + b"\n" for n in range(15_000))


def _endless_block() -> Iterator[bytes]:
    yield trace_line(at(0), "Secure connection failure. Status: 0x00010000. Info 0x00000009").encode() + b"\n"
    yield trace_line(at(0), "Failure details:").encode() + b"\n---Subject---\n"
    yield from (b"value %d\n" % n for n in range(200_000))


def _endless_line() -> Iterator[bytes]:
    yield trace_line(at(0), "Error result 5, hr = 0x80072ee7 ").encode()
    yield from (b"x" * 65536 for _ in range(64 * 16))  # 64 MB


def _endless_wide_line() -> Iterator[bytes]:
    yield b"\xff\xfe"
    yield from (b"x\0" * 32768 for _ in range(64 * 16))
    yield ("\n" + trace_line(at(0), "Error result 5, hr = 0x80072ee7.")).encode("utf-16-le")


def _zeros() -> Iterator[bytes]:
    """64 MB, packed into 64 kB, then a failure."""
    packed = zlib.compressobj(9, wbits=31)
    parts = [packed.compress(bytes(MEGABYTE)) for _ in range(64)]
    parts.append(packed.compress(b"\n" + trace_line(at(0), "Error result 5, hr = 0x80072ee7.").encode() + b"\n"))
    yield b"".join(parts) + packed.flush()


@pytest.mark.slow
@pytest.mark.parametrize("made", [_zeros, _hostile_lines, _threads, _endless_block, _endless_line, _endless_wide_line])
def test_memory_has_a_bound(made: Callable[[], Iterator[bytes]]) -> None:
    list(read_log(io.BytesIO(b"x"), trust=TRUST))  # what is loaded once
    count = 0
    tracemalloc.start()
    try:
        for each in read_log(io.BufferedReader(Made(made())), trust=TRUST):
            assert each.basis is Basis.TEXT
            count += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * MEGABYTE
    assert count
