"""What time it is: which bounds count, what they decide, and what merely suggests the time and decides nothing.

The rules T1 to T10 are tested by their numbers; the hints have tests of their own below.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.evidence.clock import (
    SLACK,
    TIME_SERVICE,
    Bounds,
    Dates,
    Since,
    Witness,
    judge_dates,
    service_witness,
    skew,
)
from tlsinspect.evidence.clockhints import Hints, Told, hints, hypotheses, likelier
from tlsinspect.model import Confidence

TRUE = datetime(2026, 11, 25, 12, tzinfo=UTC)
RELEASED = datetime(2026, 11, 23, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
YEAR = 365 * DAY
BEGIN, END = TRUE - 10 * DAY, TRUE + 74 * DAY


def bounds(ahead: timedelta = timedelta(0), *told: tuple[str, timedelta], **more: Any) -> Bounds:
    """A local clock that is `ahead` of the truth; each of `told` is a leaf's key and what its server's clock is off."""
    local = TRUE + ahead
    witnesses = tuple(
        Witness(f"{key}.google.com", key, lo=off - ahead - SECOND, hi=off - ahead + SECOND) for key, off in told
    )
    return Bounds(local, RELEASED, witnesses=witnesses, **more)


def service(ahead: timedelta) -> Witness:
    local = TRUE + ahead
    return service_witness(TRUE, local - SECOND, local + SECOND)


TWO = (("one", timedelta(0)), ("two", timedelta(0)))


# -- the rules ------------------------------------------------------------------------------------------------------


def test_t1_expired_by_two_clocks_is_certain() -> None:
    judged = judge_dates(TRUE - 90 * DAY, TRUE - DAY, bounds(timedelta(0), *TWO), "other")
    assert (judged.dates, judged.confidence) == (Dates.EXPIRED, Confidence.CERTAIN)


@pytest.mark.parametrize("ahead", [-16 * YEAR, -YEAR, -DAY, -10 * MINUTE, 10 * MINUTE, DAY, 40 * DAY, YEAR, 5 * YEAR])
def test_t2_the_skew_holds_the_truth_and_the_certificate_is_judged_at_the_true_time(ahead: timedelta) -> None:
    time = bounds(ahead, *TWO)
    off = skew(time)
    assert off is not None
    least, most = off
    assert most is not None
    assert least <= ahead <= most
    judged = judge_dates(BEGIN, END, time, "one")
    inside = BEGIN <= TRUE + ahead <= END
    assert judged.dates is (Dates.VALID if inside else Dates.SKEWED)
    assert judged.confidence is Confidence.CERTAIN


@pytest.mark.parametrize("ahead", [timedelta(0), 4 * MINUTE, -4 * MINUTE])
def test_a_clock_within_five_minutes_is_right(ahead: timedelta) -> None:
    assert skew(bounds(ahead, *TWO)) is None


def test_t3_a_clock_before_what_is_signed_is_behind() -> None:
    off = skew(bounds(-3 * YEAR, since=(Since(TRUE - DAY, "CRL of WR2"),)))
    assert off is not None
    least, most = off
    assert (least, most) == (-3 * YEAR + DAY, None)


def test_t8_without_a_genuine_host_signed_objects_prove_the_clock_behind_and_never_ahead() -> None:
    since = (Since(TRUE - DAY, "CRL of GTS Root R1"),)
    assert skew(bounds(-40 * DAY, since=since)) is not None
    assert skew(bounds(40 * DAY, since=since)) is None


def test_t8_the_time_service_proves_both() -> None:
    for ahead in (-40 * DAY, 40 * DAY):
        off = skew(bounds(ahead, service=service(ahead)))
        assert off is not None
        least, most = off
        assert most is not None
        assert least <= ahead <= most
        assert most - least <= 30 * SECOND


def test_t10_a_certificate_a_wrong_clock_still_accepts_is_expired() -> None:
    judged = judge_dates(TRUE - 90 * DAY, TRUE - 5 * DAY, bounds(-10 * DAY, *TWO), "other")
    assert (judged.dates, judged.confidence) == (Dates.EXPIRED, Confidence.CERTAIN)


# -- whoever stole an expired key -----------------------------------------------------------------------------------

STOLEN = (TRUE - 200 * DAY, TRUE - 110 * DAY)
FITTING = ("stolen", -120 * DAY)  # the Date its server sends


def test_a_fitting_date_against_a_right_clock_is_at_most_likely() -> None:
    old_data = replace(bounds(timedelta(0), FITTING), released=TRUE - 300 * DAY)
    judged = judge_dates(*STOLEN, old_data, "stolen")
    assert judged.dates is Dates.SKEWED
    assert judged.confidence is Confidence.LIKELY


def test_a_fitting_date_and_a_clock_set_back_are_not_certain() -> None:
    old_data = replace(bounds(-120 * DAY, FITTING), released=TRUE - 300 * DAY)
    judged = judge_dates(*STOLEN, old_data, "stolen")
    assert judged.dates is Dates.VALID
    assert judged.confidence is Confidence.STRONG
    assert not judged.proven


@pytest.mark.parametrize(
    "more",
    [{"since": (Since(TRUE - DAY, "CRL of WR2"),)}, {"service": service(timedelta(0))}, {"released": RELEASED}],
    ids=["a list signed since", "the time service", "the day of the data"],
)
def test_anything_proven_convicts_it(more: dict[str, Any]) -> None:
    old_data = replace(bounds(timedelta(0), FITTING), released=TRUE - 300 * DAY)
    judged = judge_dates(*STOLEN, replace(old_data, **more), "stolen")
    assert (judged.dates, judged.confidence) == (Dates.EXPIRED, Confidence.CERTAIN)


def test_a_second_leaf_convicts_it() -> None:
    judged = judge_dates(*STOLEN, bounds(timedelta(0), FITTING, ("other", timedelta(0))), "stolen")
    assert (judged.dates, judged.confidence) == (Dates.EXPIRED, Confidence.CERTAIN)


# -- the time service against everybody else ------------------------------------------------------------------------


def test_the_time_service_outvotes_sessions_and_they_are_named() -> None:
    time = bounds(timedelta(0), ("one", 2 * HOUR), ("two", 2 * HOUR), service=service(timedelta(0)))
    interval = time.interval("other")
    assert interval is not None
    assert interval.sure
    assert interval.lo <= TRUE <= interval.hi
    assert {w.host for w in time.dropped} == {"one.google.com", "two.google.com"}
    assert time.estimate().sources == (TIME_SERVICE,)


LATE = (Since(TRUE + HOUR, "CRL of WR2"),)


@pytest.mark.parametrize(
    "time",
    [bounds(since=LATE, service=service(timedelta(0))), bounds(timedelta(0), *TWO, since=LATE)],
    ids=["the time service", "two leaves and this clock"],
)
def test_what_is_signed_in_the_future_was_post_dated(time: Bounds) -> None:
    interval = time.interval("other")
    assert interval is not None
    assert interval.lo <= TRUE <= interval.hi
    assert time.lower() == RELEASED
    assert skew(time) is None


def test_a_single_leaf_does_not_outweigh_what_is_signed() -> None:
    assert bounds(timedelta(0), ("one", timedelta(0)), since=LATE).interval("other") is None


def test_its_answer_allows_for_the_way_and_for_its_own_clock() -> None:
    w = service_witness(TRUE, TRUE - 3 * SECOND, TRUE + 4 * SECOND)
    assert (w.lo, w.hi) == (-14 * SECOND, 13 * SECOND)


# -- lower bounds ---------------------------------------------------------------------------------------------------


def test_the_latest_signed_object_is_the_bound_and_is_named() -> None:
    time = bounds(
        timedelta(0), since=(Since(TRUE - DAY, "old"), Since(TRUE - HOUR, "new"), Since(TRUE - 2 * DAY, "older"))
    )
    assert (time.lower(), time.newest().source) == (TRUE - HOUR, "new")


def test_a_leaf_does_not_vouch_for_itself() -> None:
    time = bounds(timedelta(0), since=(Since(TRUE - HOUR, "itself", "leaf"), Since(TRUE - DAY, "CRL of WR2")))
    assert time.lower(without="leaf") == TRUE - DAY
    assert time.lower() == TRUE - HOUR


@given(
    st.lists(st.tuples(st.integers(-400, 400), st.sampled_from(["", "a", "b", "c"])), max_size=6),
    st.sampled_from(["", "a", "b"]),
)
def test_the_bound_without_a_leaf_is_what_the_others_say(rows: list[tuple[int, str]], without: str) -> None:
    since = tuple(Since(TRUE + days * DAY, "x", key) for days, key in rows)
    expected = max([RELEASED, *(s.time for s in since if not without or s.leaf_key != without)])
    assert bounds(timedelta(0), since=since).lower(without) == expected


def test_without_any_clock_the_best_guess_has_not_passed() -> None:
    assert bounds(-16 * YEAR).best == RELEASED
    assert bounds(DAY).best == TRUE + DAY


def test_a_chosen_time_is_the_time() -> None:
    time = Bounds(TRUE, RELEASED, exact=True)
    assert time.lower() == TRUE
    assert time.estimate().sources == ("chosen by the caller",)
    assert skew(time) is None


@given(st.timedeltas(-20 * YEAR, 20 * YEAR), st.timedeltas(-SLACK, SLACK))
def test_no_clock_makes_a_valid_certificate_expired(ahead: timedelta, drift: timedelta) -> None:
    judged = judge_dates(BEGIN, END, bounds(ahead, ("one", drift), ("two", timedelta(0))), "one")
    assert judged.dates in (Dates.VALID, Dates.SKEWED)


@given(st.timedeltas(-20 * YEAR, 20 * YEAR))
def test_no_clock_makes_an_expired_certificate_valid(ahead: timedelta) -> None:
    judged = judge_dates(TRUE - 90 * DAY, TRUE - DAY, bounds(ahead, *TWO), "other")
    assert judged.dates is Dates.EXPIRED


# -- hints ----------------------------------------------------------------------------------------------------------


def codes(found: Hints, time: Bounds) -> list[str]:
    return [hint.code for hint in hints(found, time)]


def test_t4_one_ended_among_others_is_really_expired() -> None:
    found = Hints(leaves=(TRUE - DAY, TRUE + DAY))
    assert "clock-probably-right" in codes(found, bounds())
    assert likelier(found, TRUE, TRUE - DAY) == "expired"


def test_t5_all_ended_is_a_clock_ahead() -> None:
    found = Hints(leaves=(TRUE - DAY, TRUE - 2 * DAY), lists=(TRUE - DAY,))
    assert "clock-probably-ahead" in codes(found, bounds())
    assert likelier(found, TRUE, TRUE - DAY) == "clock"


@pytest.mark.parametrize(("days", "answer"), [(29, "clock"), (27, "expired")])
def test_t6_and_t7_a_single_one(days: int, answer: str) -> None:
    found = Hints(leaves=(TRUE - days * DAY,))
    assert ("clock-perhaps-ahead" in codes(found, bounds())) is (answer == "clock")
    assert likelier(found, TRUE, TRUE - days * DAY) == answer


def test_t9_a_year_past_the_data() -> None:
    assert codes(Hints(), Bounds(RELEASED + 366 * DAY, RELEASED)) == ["clock-or-data-old"]
    assert codes(Hints(), Bounds(RELEASED + 360 * DAY, RELEASED)) == []


def test_u1_and_u2_bound_by_assumption_alone() -> None:
    found = Hints(leaves=(TRUE + 9 * DAY,), lists=(TRUE + 3 * DAY,))
    assert found.assumed(bounds()) == TRUE + 3 * DAY
    assert Hints(lists=found.lists).assumed(bounds()) is None
    late = bounds(since=(Since(TRUE + 4 * DAY, "signed"),))
    assert found.assumed(late) is None


def test_h1_and_h2_are_told_where_nothing_is_proven() -> None:
    found = Hints(told=(Told("plain HTTP from c.pki.goog", TRUE, TRUE),), synchronised=False)
    assert codes(found, bounds()) == ["clock-told", "clock-system-says"]
    assert codes(found, bounds(timedelta(0), *TWO)) == []


def test_hints_say_nothing_of_a_chosen_time() -> None:
    assert codes(Hints(synchronised=False), Bounds(TRUE, RELEASED, exact=True)) == []


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (YEAR, "the year is 1 too high"),
        (-YEAR, "the year is 1 too low"),
        (30 * DAY, "the date is 1 month too late"),  # 25 December
        (12 * HOUR, "morning and evening are mixed up (12 hours)"),
        (-5 * HOUR - 30 * MINUTE, "the time zone is off by -05:30"),
        (HOUR, "the time zone is off by +01:00"),
    ],
)
def test_human_errors_are_recognised(ahead: timedelta, words: str) -> None:
    assert words in hypotheses(TRUE + ahead, TRUE, TRUE)


def test_no_human_error_explains_any_odd_number() -> None:
    assert hypotheses(TRUE + 41 * DAY + 7 * MINUTE * 7, TRUE, TRUE) == ()


def test_the_first_worked_example_is_five_years() -> None:
    """The log of 2022-09-21 beside a certificate of 2017: between 1749 and 1834 days ahead, exactly five years."""
    log = datetime(2022, 9, 21, 3, 59, 46, tzinfo=UTC)
    begin, end = datetime(2017, 9, 13, 17, 23, 55, tzinfo=UTC), datetime(2017, 12, 6, 17, 10, tzinfo=UTC)
    assert ((log - end).days, (log - begin).days) == (1749, 1833)  # 1833 days and ten hours
    assert hypotheses(log, begin, end) == ("the year is 5 too high",)


@given(
    st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), 2 * YEAR)
)
def test_no_moment_is_too_strange_for_a_hypothesis(local: datetime, lo: datetime, width: timedelta) -> None:
    if lo < datetime(9990, 1, 1, tzinfo=UTC) and local < datetime(9990, 1, 1, tzinfo=UTC) and lo.year > 1 < local.year:
        hypotheses(local, lo, lo + width)
