"""Logs made to order, in every form they come in, read back by `read_log`: files, encodings, rotation, damage."""

import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.loggen import (
    CERTIFICATES,
    EVERY_FLAGS,
    FIDDLER,
    FORMS,
    GOOGLE,
    MODULES,
    NOBODY,
    SYSTEM,
    VERSION,
    Certificate,
    Form,
    Incident,
    at,
    log,
    retried,
    rotated,
    threads,
)
from tlsinspect import read_log
from tlsinspect.logged import Reading
from tlsinspect.logs.reading import Reader
from tlsinspect.logs.sources import find
from tlsinspect.model import Assessment, Basis, Confidence, Logged, LogKind, Verdict
from tlsinspect.trust import Trust

KINDS = tuple(LogKind)
HERE = ("127.0.0.1", 8888, "PC-MÜLLER-é")  # a machine with a name of its own alphabet


def written_to(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    return folder


def tries(assessments: Sequence[Assessment]) -> list[Logged]:
    """What they rest on, without where it stood."""
    found = [each.logged for assessment in assessments for each in assessment.observations]
    assert None not in found
    return [replace(each, file="", line=0, mixed=False) for each in found if each is not None]


def check(assessments: Sequence[Assessment]) -> None:
    """What holds of everything that a log says."""
    for each in assessments:
        assert each.basis is Basis.TEXT
        assert each.verdict is not Verdict.GENUINE
        assert each.confidence in (Confidence.LIKELY, Confidence.WEAK)
        assert each.explanation


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_of_flags_in_every_form(tmp_path: Path, kind: LogKind, form: Form) -> None:
    certificates = list(CERTIFICATES.values())
    incidents = [
        Incident(at(60 * n), kind, flags=flags, certificate=certificates[n % 3], went_to=HERE)
        for n, flags in enumerate(EVERY_FLAGS)
    ]
    written = log(incidents, between=1)
    name = "Trace-2026-03-02-09-00-00-p732.log" + ".gz" * form.packed
    written_to(tmp_path, {name: form.octets(written.lines)})
    found = list(read_log(tmp_path / name))
    assert tries(found) == list(written.failures)
    check(found)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_line_counts_and_the_last(tmp_path: Path, kind: LogKind, form: Form) -> None:
    """Neither is lost with what stands before a text, or for want of a line break."""
    incident = Incident(at(0), kind, flags=0x9, certificate=NOBODY, went_to=HERE)
    written = log([incident])
    path = tmp_path / ("Trace.log" + ".gz" * form.packed)
    path.write_bytes(form.octets(written.lines))
    assert tries(list(read_log(path))) == list(written.failures)


@pytest.mark.parametrize("form", FORMS[::3], ids=str)
@pytest.mark.parametrize("product", MODULES)
def test_heads_and_chatter(tmp_path: Path, product: str, form: Form) -> None:
    incidents = [
        Incident(at(60 * n), flags=0x9, certificate=NOBODY, module=MODULES[product], went_to=HERE) for n in range(3)
    ]
    written = log(incidents, product=product, between=40, within=3)
    path = tmp_path / ("Trace.log" + ".gz" * form.packed)
    path.write_bytes(form.octets(written.lines))
    reading = Reading(Reader(find([str(path)])), Trust.default())
    assert tries(list(reading)) == list(written.failures)
    (file,) = reading.files
    assert (file.product, file.version, file.system) == (product, VERSION, SYSTEM)
    assert (file.lines, file.failures, file.problem) == (len(written.lines), 3, "")
    assert file.octets == len(form.octets(written.lines)) if not form.packed else file.octets > 0
    assert file.encoding == (
        form.encoding if form.encoding.startswith("utf-16") else "utf-8"
    )  # or another of eight bits


@pytest.mark.parametrize("kind", KINDS)
def test_an_open_file_is_read_and_left_open(kind: LogKind) -> None:
    written = log([Incident(at(0), kind, flags=0x9, certificate=FIDDLER)])
    stream = io.BytesIO(Form().octets(written.lines))
    assert tries(list(read_log(stream))) == list(written.failures)
    assert not stream.closed


@pytest.mark.parametrize("ended", ["", "\n"])
def test_when_a_log_ends_is_known_though_its_last_line_says_no_time(tmp_path: Path, ended: str) -> None:
    path = tmp_path / "Trace.log"
    path.write_bytes(
        Form().octets(log([Incident(at(60), flags=0x9, certificate=FIDDLER)]).lines) + b"cut" + ended.encode()
    )
    reading = Reading(Reader(find([str(path)])), Trust.default())
    assert len(list(reading)) == 1
    assert reading.files[0].last == at(60)


def test_both_forms_in_one_file(tmp_path: Path) -> None:
    incidents = [Incident(at(60 * n), KINDS[n % 2], flags=0x9, certificate=FIDDLER) for n in range(6)]
    written = log(incidents, between=2)
    path = tmp_path / "both.log"
    path.write_bytes(Form("utf-16-le", "\r\n").octets(written.lines))
    of_the_file = [replace(each, product="gwmmo") for each in written.failures]
    assert tries(list(read_log(path))) == of_the_file


@pytest.mark.parametrize("seed", range(6))
def test_threads(tmp_path: Path, seed: int) -> None:
    incidents = [Incident(at(n / 50), flags=0x9, certificate=FIDDLER, thread=f"{n + 0x900:x}") for n in range(8)]
    written = threads(incidents, seed=seed)
    path = tmp_path / "threads.log"
    path.write_bytes(Form().octets(written.lines))
    assert sorted(tries(list(read_log(path))), key=lambda each: each.thread) == [each.logged for each in incidents]


def test_the_line_is_where_it_begins(tmp_path: Path) -> None:
    incidents = [Incident(at(60 * n), flags=0x9, certificate=FIDDLER) for n in range(20)]
    written = log(incidents, product="gwmmo", between=150)
    path = tmp_path / "Trace.log"
    path.write_bytes(Form(newline="\r\n").octets(written.lines))
    places = [each.logged.line for found in read_log(path) for each in found.observations if each.logged]
    assert places == [n for n, line in enumerate(written.lines, 1) if "Secure connection failure" in line]


# -- files ------------------------------------------------------------------------------------------------------------


def cuts() -> Iterator[tuple[LogKind, int, bool]]:
    for kind in KINDS:
        lines = log([Incident(at(0), kind, flags=0x9, certificate=FIDDLER)]).lines
        yield from ((kind, n, packed) for n in range(1, len(lines)) for packed in (False, True))


@pytest.mark.parametrize(("kind", "cut", "packed"), list(cuts()))
def test_a_block_cut_between_two_files_is_one(tmp_path: Path, kind: LogKind, cut: int, packed: bool) -> None:
    written = log([Incident(at(0), kind, flags=0x9, certificate=FIDDLER, went_to=HERE)])
    written_to(tmp_path, rotated(written.lines, cut, Form(packed=packed)))
    found = list(read_log(tmp_path))
    assert tries(found) == list(written.failures)
    (assessment,) = found
    assert assessment.verdict is Verdict.INTERCEPTED


@pytest.mark.parametrize("hole", ["missing", "damaged"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_between_two_files_joins_no_two_failures(tmp_path: Path, kind: LogKind, hole: str) -> None:
    """Of Google's certificate the beginning, and of a company's own the end."""
    company = Certificate(("DE", "Corp GmbH"), ("DE", "Corp GmbH", "Corp CA"), GOOGLE.not_before, GOOGLE.not_after)
    one, other = (
        log([Incident(at(seconds), kind, flags=flags, certificate=certificate)]).lines
        for seconds, flags, certificate in ((0, 0x9, GOOGLE), (60, 0x8, company))
    )
    begun = "\n".join(one[: one.index("---Subject---") + 2]) + "\n"
    left = "\n".join(other[other.index("---Subject---") + 1 :]) + "\n"
    if hole == "missing":
        (tmp_path / "Trace.log.3").write_text(begun, encoding="utf-8")
    else:
        (tmp_path / "Trace.log.2.gz").write_bytes(gzip.compress(begun.encode())[:-4])
    (tmp_path / "Trace.log.1").write_text(left, encoding="utf-8")
    assert all(found.verdict is Verdict.INCONCLUSIVE for found in read_log(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [Form(), Form("utf-16-le", "\r\n"), Form("cp1252"), Form(packed=True)], ids=str)
def test_a_file_that_ends_anywhere(tmp_path: Path, kind: LogKind, form: Form) -> None:
    """Truncated at every octet of the last lines: what is there is told, and nothing else."""
    written = log([Incident(at(0), kind, flags=0x9, certificate=FIDDLER, went_to=HERE)])
    octets = form.octets(written.lines)
    path = tmp_path / ("Trace.log" + ".gz" * form.packed)
    for end in range(0, len(octets), 7):
        path.write_bytes(octets[:end])
        found = list(read_log(path))
        check(found)
        assert len(found) <= 1
        for each in tries(found):
            whole = written.failures[0]
            assert each.code in (None, whole.code)
            assert each.flags in (None, whole.flags)
            assert not each.whole or (each.subject, each.issuer) == (whole.subject, whole.issuer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_begins_within_a_failure(tmp_path: Path, kind: LogKind) -> None:
    """As where a log was cut off at its beginning: the certificate counts even if nothing before it is there."""
    written = log([Incident(at(0), kind, flags=0x9, certificate=FIDDLER)])
    path = tmp_path / "Trace.log"
    path.write_bytes(Form().octets(written.lines[1:]))
    (found,) = read_log(path)
    assert found.verdict is Verdict.INTERCEPTED
    assert tries([found]) == [replace(written.failures[0], status=None)]


def test_two_files_of_their_own_are_not_one(tmp_path: Path) -> None:
    """What one leaves open the other does not end."""
    lines = log([Incident(at(0), flags=0x9, certificate=FIDDLER)]).lines
    written_to(tmp_path, {"Trace-a-p1.log": Form().octets(lines[:8]), "Trace-b-p2.log": Form().octets(lines[8:])})
    assert not any(each.whole for each in tries(list(read_log(tmp_path))))


# -- what it comes to -------------------------------------------------------------------------------------------------


def verdicts(folder: Path, incidents: Sequence[Incident]) -> list[Verdict]:
    path = folder / "x.log"
    path.write_bytes(Form().octets(log(incidents).lines))
    found = list(read_log(path))
    check(found)
    return [each.verdict for each in found]


@pytest.mark.parametrize("kind", KINDS)
def test_an_interceptor_by_name_outranks_every_flag(tmp_path: Path, kind: LogKind) -> None:
    incidents = [Incident(at(60 * n), kind, flags=flags, certificate=FIDDLER) for n, flags in enumerate(EVERY_FLAGS)]
    assert set(verdicts(tmp_path, incidents)) == {Verdict.INTERCEPTED}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("days", [-2000, -400, 400, 2000])
def test_a_clock_far_off_is_seen_without_the_flag(tmp_path: Path, kind: LogKind, days: int) -> None:
    others = [flags for flags in EVERY_FLAGS if not flags & 0x1C]  # neither another issuer, name, nor revocation
    incidents = [
        Incident(at(60 * n) + timedelta(days=days), kind, flags=flags, certificate=GOOGLE)
        for n, flags in enumerate(others)
    ]
    assert set(verdicts(tmp_path, incidents)) == {Verdict.CLOCK_SKEWED}


FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("time", [FIRST, at(0), LAST])
@pytest.mark.parametrize("begin", [FIRST, GOOGLE.not_before, LAST])
@pytest.mark.parametrize("end", [FIRST, GOOGLE.not_after, LAST])
def test_dates_at_the_ends_of_time(
    tmp_path: Path, kind: LogKind, time: datetime, begin: datetime, end: datetime
) -> None:
    """RFC 5280 itself has one: 9999-12-31 is a certificate that does not end."""
    incidents = [
        Incident(time, kind, flags=flags, certificate=replace(each, not_before=begin, not_after=end), zone=UTC)
        for each in CERTIFICATES.values()
        for flags in (0x1, 0x8, 0x20)
    ]
    assert len(verdicts(tmp_path, incidents)) == len(incidents)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("certificate", [GOOGLE, NOBODY])
def test_no_issuer_but_an_unknown_one_intercepts(tmp_path: Path, kind: LogKind, certificate: Certificate) -> None:
    """Google's own name as the issuer is never a reason to speak of interception."""
    incidents = [
        Incident(at(60 * n), kind, flags=flags, certificate=certificate) for n, flags in enumerate(EVERY_FLAGS)
    ]
    found = verdicts(tmp_path, incidents)
    if certificate is GOOGLE:
        assert Verdict.INTERCEPTED not in found
    else:
        assert {v for v, flags in zip(found, EVERY_FLAGS, strict=True) if flags & 0x18 == 8} == {Verdict.INTERCEPTED}


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (12002, Verdict.UNREACHABLE),
        (12007, Verdict.UNREACHABLE),
        (12029, Verdict.UNREACHABLE),
        (12030, Verdict.UNREACHABLE),
        (10054, Verdict.UNREACHABLE),
        (10061, Verdict.UNREACHABLE),
        (12044, Verdict.INCONCLUSIVE),
        (12175, Verdict.INCONCLUSIVE),  # without its flags
        (1, Verdict.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_no_error_of_the_network_is_interception(tmp_path: Path, kind: LogKind, code: int, verdict: Verdict) -> None:
    assert verdicts(tmp_path, [Incident(at(0), kind, code=code)]) == [verdict]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (302, Verdict.CAPTIVE_PORTAL),
        (403, Verdict.BLOCKED),
        (407, Verdict.BLOCKED),
        (502, Verdict.UNREACHABLE),
        (511, Verdict.CAPTIVE_PORTAL),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_refusals_of_a_proxy(tmp_path: Path, kind: LogKind, status: int, verdict: Verdict) -> None:
    assert verdicts(tmp_path, [Incident(at(0), kind, http_status=status, went_to=HERE)]) == [verdict]


def test_through_the_proxy_then_directly_is_one_story(tmp_path: Path) -> None:
    pair = retried(
        Incident(at(0), flags=0x8, certificate=NOBODY, went_to=("10.0.0.7", 3128, "proxy")),
        Incident(at(2), code=12002),
    )
    path = tmp_path / "x.log"
    path.write_bytes(Form().octets(log(pair).lines))
    (story,) = read_log(path)
    assert tries([story]) == [each.logged for each in pair]
