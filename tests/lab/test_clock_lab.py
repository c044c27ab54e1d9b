"""The clock, wrong by libfaketime around the unmodified command; everybody else's stays right unless a test says so."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from . import programs
from .command import Command, Result
from .network import HTTP_HOSTS, TIME_HOST, TLS_HOSTS, Network, Peculiar
from .pki import STOLEN_EXPIRED, Pki
from .programs import AGE_PORT, DATELESS_PORT, STOLEN_PORT, Port80, faketime
from .revocation_server import Rule, What

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("movable_clock")]

GENUINE = dict.fromkeys(TLS_HOSTS, "genuine")
SKEWED = dict.fromkeys(TLS_HOSTS, "clock-skewed")
INTERCEPTED = dict.fromkeys(TLS_HOSTS, "intercepted")
INCONCLUSIVE = dict.fromkeys(TLS_HOSTS, "inconclusive")
CLOCK = {"clock-ahead", "clock-behind"}
MINUTE, DAY, YEAR = timedelta(minutes=1), timedelta(days=1), timedelta(days=365)
# Between the reading of the time by a test and by the command.
TOLERANCE = timedelta(seconds=5)
STOLEN_CLOCK = -2 * STOLEN_EXPIRED
STOLEN_HOST = "mail.google.com"
ALONE = "www.google.com"
TIMEOUT = 4


@dataclass(frozen=True)
class Run:
    """A result, and what time it really was at its local time."""

    result: Result
    truth: datetime

    @property
    def clock(self) -> set[str]:
        """Which way the run as a whole says that the clock is off."""
        return CLOCK & set(self.result.conclusions)

    @property
    def sources(self) -> str:
        return "; ".join(self.result.report["clock"]["sources"])

    def bounds(self) -> tuple[datetime, datetime | None]:
        clock = self.result.report["clock"]
        return datetime.fromisoformat(clock["lo"]), datetime.fromisoformat(clock["hi"]) if clock["hi"] else None

    def holds_the_truth(self) -> bool:
        """Whether the true time lies within the estimate, and so the true skew within the range that is said."""
        lo, hi = self.bounds()
        return lo <= self.truth + TOLERANCE and (hi is None or self.truth - TOLERANCE <= hi)


@dataclass(frozen=True)
class Off:
    """Runs a scan on a machine whose clock is off."""

    scan: Command

    def __call__(self, by: timedelta, *options: str, alone: bool = False) -> Run:
        """`by` how much the clock is ahead. `alone` leaves nobody to tell the time but the hosts scanned."""
        env = faketime(f"{by.total_seconds():+.0f}s") if by else {}
        begun = datetime.now(UTC)
        result = self.scan(*options, *(("--no-time-service",) if alone else ()), env=env)
        truth = datetime.fromisoformat(result.report["clock"]["local"]) - by
        assert begun - TOLERANCE < truth < datetime.now(UTC) + TOLERANCE, "the clock was not what it was set to"
        return Run(result, truth)


@pytest.fixture
def off(scan: Command, port80: Port80) -> Off:
    """With roots that stand in for Google's; the time service's own key is Google's, so the lab's is not believed."""
    assert port80
    return Off(scan)


@pytest.fixture
def off_as_google(scan_as_google: Command, off: Off) -> Off:
    """With trust data in which the lab is Google, so that nothing caps the confidence, and its time is believed."""
    assert off
    return Off(scan_as_google)


@contextmanager
def unreachable(network: Network, hosts: Iterable[str] = (), *, port80: bool = False) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(network.refuse(hosts=hosts))
        if port80:
            stack.enter_context(network.refuse(hosts=HTTP_HOSTS, port=80))
        yield


def said(run: Run, host: str) -> str:
    return json.dumps(run.result.assessments[host])


# -- genuine hosts, and a clock that is off ----------------------------------------------------------------------------


@pytest.mark.parametrize("years", [-16, -1, 1, 5])
@pytest.mark.parametrize("trust", ["stand-in", "as-google"])
def test_a_clock_that_is_years_off_is_skewed(off: Off, off_as_google: Off, years: int, trust: str) -> None:
    run = (off if trust == "stand-in" else off_as_google)(years * YEAR)
    assert run.result.verdicts == SKEWED
    assert run.clock == {"clock-ahead" if years > 0 else "clock-behind"}
    assert run.holds_the_truth()
    lo, hi = run.bounds()
    assert hi is not None
    assert hi - lo < 15 * MINUTE
    assert set(run.result.confidences.values()) == {"strong" if trust == "stand-in" else "certain"}
    assert run.result.status == 1


@pytest.mark.parametrize("by", [timedelta(0), 10 * MINUTE, -10 * MINUTE, DAY, -DAY], ids=str)
def test_a_clock_that_is_a_little_off_is_said_and_changes_no_verdict(off: Off, by: timedelta) -> None:
    run = off(by)
    assert run.result.verdicts == GENUINE
    assert run.clock == ({"clock-ahead" if by > timedelta(0) else "clock-behind"} if by else set())
    assert run.holds_the_truth()
    assert run.result.revocation("www.google.com") == ["good", "good"]
    assert run.result.status == 0


def test_a_year_typed_wrong_is_guessed(off_as_google: Off) -> None:
    run = off_as_google(5 * YEAR + DAY)  # one of them is a leap year
    assert "year" in " ".join(run.result.report["clock"]["hints"])


def test_one_host_alone_is_likely_and_with_another_certain(
    off_as_google: Off, network: Network, port80: Port80
) -> None:
    """Whoever stole an expired key could say the same, but not another host's key with it."""
    others = [host for host in TLS_HOSTS if host != ALONE]
    with unreachable(network, others, port80=True):
        run = off_as_google(YEAR, ALONE)
    assert run.result.verdicts == {ALONE: "clock-skewed"}
    assert run.result.confidences == {ALONE: "likely"}
    with port80.answering(Rule(f"{TIME_HOST}/", What.MISSING)):
        run = off_as_google(YEAR, ALONE)
    assert run.result.verdicts == {ALONE: "clock-skewed"}
    assert run.result.confidences == {ALONE: "certain"}


# -- really expired ----------------------------------------------------------------------------------------------------


def test_exactly_the_expired_one_is_expired(off: Off) -> None:
    run = off(timedelta(0), *TLS_HOSTS, Peculiar.EXPIRED)
    assert run.result.verdicts == {**GENUINE, Peculiar.EXPIRED: "expired"}
    assert not run.clock
    assert run.result.status == 1


@pytest.mark.parametrize("by", [2 * YEAR, 40 * DAY, -40 * DAY, -2 * YEAR], ids=str)
def test_expired_and_the_clock_wrong_are_both_said(off: Off, by: timedelta) -> None:
    """At forty days behind the expired one looks valid: the wrong clock hides it."""
    run = off(by, *TLS_HOSTS, Peculiar.EXPIRED)
    assert run.result.verdicts[Peculiar.EXPIRED] == "expired"
    clock = "clock-ahead" if by > timedelta(0) else "clock-behind"
    assert run.clock == {clock}
    assert clock in run.result.codes(Peculiar.EXPIRED)
    # Forty days ahead the authorities are past their end, not the leaves.
    assert {run.result.verdicts[host] for host in TLS_HOSTS} == {"clock-skewed"}
    assert run.holds_the_truth()


@pytest.mark.parametrize("by", [timedelta(0), -40 * DAY], ids=str)
def test_an_expired_one_alone(off_as_google: Off, by: timedelta) -> None:
    run = off_as_google(by, Peculiar.EXPIRED)
    assert run.result.verdicts == {Peculiar.EXPIRED: "expired"}
    assert run.clock == ({"clock-behind"} if by else set())


# -- a stolen key that has expired -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def thief(network: Network, pki: Pki) -> int:
    """Somebody with a leaf that expired, and the key; the time he tells is one at which it had not."""
    programs.stolen(network, pki, f"{STOLEN_CLOCK.days}d")
    return STOLEN_PORT


def trusts(run: Run, host: str) -> bool:
    """Whether somebody who reads the report might go on talking to the host."""
    return run.result.verdicts[host] in ("genuine", "clock-skewed")


def test_a_thief_among_honest_hosts_is_expired(off_as_google: Off, network: Network, thief: int) -> None:
    with network.divert(thief, hosts=[STOLEN_HOST]):
        run = off_as_google(timedelta(0), alone=True)
    assert run.result.verdicts == {**GENUINE, STOLEN_HOST: "expired"}
    assert not run.clock


@pytest.mark.parametrize("helper", ["time-service", "second-host"])
def test_a_thief_alone_is_compared_with_somebody_else(
    off_as_google: Off, network: Network, port80: Port80, thief: int, helper: str
) -> None:
    """Only he is scanned: the time service is asked for the time, or another of Google's hosts."""
    others = [host for host in TLS_HOSTS if host != STOLEN_HOST]
    with network.divert(thief, hosts=[STOLEN_HOST]), ExitStack() as stack:
        stack.enter_context(network.refuse(hosts=[host for host in HTTP_HOSTS if host != TIME_HOST], port=80))
        if helper == "time-service":
            stack.enter_context(network.refuse(hosts=others))
        else:
            stack.enter_context(port80.answering(Rule(f"{TIME_HOST}/", What.MISSING)))
        run = off_as_google(timedelta(0), STOLEN_HOST)
    assert run.result.verdicts == {STOLEN_HOST: "expired"}
    assert run.result.confidences == {STOLEN_HOST: "certain"}
    assert ("time service" if helper == "time-service" else "Date of www.google.com") in run.sources


def test_a_thief_whom_nobody_contradicts_but_the_clock_is_never_certain(
    off_as_google: Off, network: Network, thief: int
) -> None:
    others = [host for host in TLS_HOSTS if host != STOLEN_HOST]
    with network.divert(thief, hosts=[STOLEN_HOST]), unreachable(network, others, port80=True):
        run = off_as_google(timedelta(0), STOLEN_HOST, alone=True)
    assert run.result.verdicts[STOLEN_HOST] != "genuine"
    if trusts(run, STOLEN_HOST):
        assert run.result.confidences[STOLEN_HOST] not in ("certain", "strong")


def test_what_a_single_leaf_says_of_the_clock_is_no_proof(off_as_google: Off, network: Network, thief: int) -> None:
    others = [host for host in TLS_HOSTS if host != STOLEN_HOST]
    with network.divert(thief, hosts=[STOLEN_HOST]), unreachable(network, others, port80=True):
        run = off_as_google(timedelta(0), STOLEN_HOST, alone=True)
    findings = [*run.result.report["conclusions"], *run.result.assessments[STOLEN_HOST]["findings"]]
    assert "proof" not in {finding["kind"] for finding in findings if finding["code"] in CLOCK}


def test_a_thief_whom_the_clock_agrees_with_is_never_certain(off_as_google: Off, network: Network, thief: int) -> None:
    with network.divert(thief, hosts=[STOLEN_HOST]), unreachable(network, port80=True):
        run = off_as_google(STOLEN_CLOCK, STOLEN_HOST, alone=True)
    assert not (trusts(run, STOLEN_HOST) and run.result.confidences[STOLEN_HOST] == "certain")


@pytest.mark.parametrize("by", [timedelta(0), STOLEN_CLOCK], ids=["right", "set-back"])
def test_a_list_signed_since_proves_the_thief_expired(
    off_as_google: Off, network: Network, thief: int, by: timedelta
) -> None:
    others = [host for host in TLS_HOSTS if host != STOLEN_HOST]
    with network.divert(thief, hosts=[STOLEN_HOST]), unreachable(network, others):
        run = off_as_google(by, STOLEN_HOST, alone=True)
    assert run.result.verdicts == {STOLEN_HOST: "expired"}
    assert run.clock == ({"clock-behind"} if by else set())


def test_thieves_everywhere_convince_nobody_but_themselves(off_as_google: Off, network: Network, thief: int) -> None:
    """One key behind every name is one witness, however many hosts it answers for."""
    with network.divert(thief), unreachable(network, port80=True):
        run = off_as_google(timedelta(0), alone=True)
    for host in TLS_HOSTS:
        assert run.result.verdicts[host] != "genuine"
        if trusts(run, host):
            assert run.result.confidences[host] not in ("certain", "strong")


# -- everything intercepted --------------------------------------------------------------------------------------------


@pytest.fixture
def everything_intercepted(network: Network, front: int) -> Iterator[None]:
    with network.redirect(front):
        yield


@pytest.mark.usefixtures("everything_intercepted")
@pytest.mark.parametrize("by", [-DAY, -40 * DAY, -16 * YEAR], ids=str)
def test_behind_an_interceptor_a_signed_list_proves_the_clock_behind(off: Off, by: timedelta) -> None:
    run = off(by, alone=True)
    assert run.result.verdicts == INTERCEPTED
    assert run.clock == {"clock-behind"}
    assert "CRL" in run.sources
    assert run.holds_the_truth()


@pytest.mark.usefixtures("everything_intercepted")
def test_behind_an_interceptor_a_list_that_lies_proves_nothing(off: Off, port80: Port80) -> None:
    with port80.answering(Rule("c.pki.goog/r/", What.WRONG_SIGNER)):
        run = off(-DAY, alone=True)
    assert run.result.verdicts == INTERCEPTED
    assert "CRL" not in run.sources


@pytest.mark.usefixtures("everything_intercepted")
@pytest.mark.parametrize("by", [40 * DAY, 5 * YEAR], ids=str)
def test_behind_an_interceptor_the_time_service_proves_the_clock_ahead(off_as_google: Off, by: timedelta) -> None:
    run = off_as_google(by)
    assert run.result.verdicts == INTERCEPTED
    assert run.clock == {"clock-ahead"}
    assert "time service" in run.sources
    assert run.holds_the_truth()
    assert run.bounds()[1] is not None


@pytest.mark.usefixtures("everything_intercepted")
@pytest.mark.parametrize("what", [What.WRONG_KEY, What.REPLAY, What.MISSING, What.PAGE, What.SILENT, What.ZEROS])
def test_behind_an_interceptor_a_time_that_is_not_signed_is_no_time(
    off_as_google: Off, port80: Port80, what: What
) -> None:
    with port80.answering(Rule(f"{TIME_HOST}/", what)):
        run = off_as_google(40 * DAY, "--timeout", str(TIMEOUT))
    assert run.result.verdicts == INTERCEPTED
    assert run.result.seconds < TIMEOUT + 20
    assert not run.clock
    assert run.bounds()[1] is None
    assert run.holds_the_truth()


@pytest.mark.usefixtures("everything_intercepted")
def test_behind_an_interceptor_the_clock_ahead_is_unknown_without_the_time_service(
    off_as_google: Off, port80: Port80
) -> None:
    run = off_as_google(40 * DAY, alone=True)
    assert run.result.verdicts == INTERCEPTED
    assert not run.clock
    assert run.bounds()[1] is None
    assert not port80.requests(TIME_HOST)


@pytest.mark.usefixtures("everything_intercepted")
def test_an_unknown_key_of_the_time_service_is_no_attack(off: Off) -> None:
    """The lab's service signs with a key of its own; the shipped data know Google's."""
    run = off(timedelta(0))
    assert run.result.verdicts == INTERCEPTED
    assert not run.clock
    assert "time service" not in run.sources


# -- nobody tells the time ---------------------------------------------------------------------------------------------


@pytest.fixture
def timeless(network: Network) -> Iterator[None]:
    """Genuine hosts whose answers come out of a cache, so that their `Date` counts for nothing; port 80 is closed."""
    with network.divert(AGE_PORT), unreachable(network, port80=True):
        yield


@pytest.mark.usefixtures("timeless")
def test_a_right_clock_that_nobody_confirms_is_genuine_and_at_most_strong(off_as_google: Off) -> None:
    run = off_as_google(timedelta(0), alone=True)
    assert run.result.verdicts == GENUINE
    assert set(run.result.confidences.values()) == {"strong"}
    assert all("clock-unproven" in run.result.codes(host) for host in TLS_HOSTS)
    assert run.bounds()[1] is None


@pytest.mark.usefixtures("timeless")
@pytest.mark.parametrize("by", [YEAR, 5 * YEAR], ids=str)
def test_without_any_time_ahead_and_expired_cannot_be_told_apart(off_as_google: Off, by: timedelta) -> None:
    run = off_as_google(by, alone=True)
    assert run.result.verdicts == INCONCLUSIVE
    assert all("expired-or-clock" in said(run, host) for host in TLS_HOSTS)
    assert not run.clock
    assert run.result.report["clock"]["hints"]
    assert run.holds_the_truth()
    assert run.result.status == 3


@pytest.mark.usefixtures("timeless")
@pytest.mark.parametrize("by", [-YEAR, -16 * YEAR], ids=str)
def test_without_any_time_behind_is_proven_by_the_certificates_themselves(off_as_google: Off, by: timedelta) -> None:
    run = off_as_google(by, alone=True)
    assert run.result.verdicts == SKEWED
    assert run.clock == {"clock-behind"}
    assert run.holds_the_truth()


def test_a_list_alone_does_not_prove_the_clock_ahead(off_as_google: Off, network: Network) -> None:
    """It can be replayed for as long as somebody wants it to be the past."""
    with network.divert(AGE_PORT):
        run = off_as_google(YEAR, alone=True)
    assert run.result.verdicts == INCONCLUSIVE
    assert not run.clock
    assert run.bounds()[1] is None
    assert run.result.report["clock"]["hints"]


def test_the_time_service_is_enough_where_no_host_tells_the_time(off_as_google: Off, network: Network) -> None:
    with network.divert(AGE_PORT):
        run = off_as_google(YEAR)
    assert run.result.verdicts == SKEWED
    assert run.clock == {"clock-ahead"}
    assert run.sources.endswith("time service")
    assert run.holds_the_truth()


@pytest.mark.parametrize("by", [timedelta(0), YEAR], ids=str)
def test_a_host_that_sends_no_date(off_as_google: Off, network: Network, dateless: int, by: timedelta) -> None:
    with network.divert(dateless, hosts=[ALONE]), unreachable(network, port80=True):
        run = off_as_google(by, ALONE, alone=True)
    assert run.result.verdicts == {ALONE: "inconclusive" if by else "genuine"}
    if not by:
        assert run.result.confidences == {ALONE: "strong"}
    assert run.bounds()[1] is None


@pytest.fixture(scope="module")
def dateless(network: Network, pki: Pki) -> int:
    programs.dateless(network, pki, ALONE)
    return DATELESS_PORT


# -- a time of the caller's --------------------------------------------------------------------------------------------


def test_a_chosen_time_is_judged_at_and_said(scan: Command, port80: Port80) -> None:
    chosen = datetime.now(UTC).replace(microsecond=0) + YEAR
    result = scan("--at", chosen.isoformat())
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "expired")
    assert datetime.fromisoformat(result.report["judged_at"]) == chosen
    assert not port80.requests(TIME_HOST)
