"""The gwsmo profile at a distance: wall clock in round trips of 50 ms."""

import time
from collections.abc import Iterator
from statistics import median

from bench.lab import HOST, Lab, issue, lab
from bench.options import Options
from bench.process import helper, output_of
from bench.table import Row
from tlsinspect.conductor import scan
from tlsinspect.endpoints import load_profile
from tlsinspect.model import Verdict
from tlsinspect.trust import Trust

ONE_WAY = 0.025
ROUND_TRIP = 2 * ONE_WAY
ROUNDS = 7
BUDGET = 6


def run(_: Options) -> Iterator[Row]:
    profile = load_profile("gwsmo")
    with lab() as place:
        secure = [e.host for e in profile.endpoints if e.tls]
        for host, issued in zip(secure, issue(place.google, "EC", [[h] for h in secure]), strict=True):
            issued.write(place.folder, host)
        with (
            helper("bench.peer", str(place.folder)) as ports,
            helper("bench.relay", str(ONE_WAY), str(ports["tls"]), str(ports["plain"])) as far,
        ):
            to = {True: far[str(ports["tls"])], False: far[str(ports["plain"])]}
            resolve = [f"{e.host}:{e.port}:{HOST}:{to[e.tls]}" for e in profile.endpoints]
            yield _row("scan() in a running process", [_call(place, resolve) for _ in range(ROUNDS + 1)][1:])
            yield _row("the command, imports included", [_command(place, resolve) for _ in range(ROUNDS)])


def _call(place: Lab, resolve: list[str]) -> float:
    trust = Trust.load(place.roots)
    begun = time.monotonic()
    report = scan(profile="gwsmo", trust=trust, proxy="none", resolve=resolve)
    spent = time.monotonic() - begun
    if any(a.verdict is not Verdict.GENUINE for a in report.assessments):
        raise RuntimeError("a scan of honest hosts did not find them genuine")
    return spent


def _command(place: Lab, resolve: list[str]) -> float:
    given = [part for each in resolve for part in ("--resolve", each)]
    begun = time.monotonic()
    output_of("-m", "tlsinspect", "scan", "--proxy", "none", "--trust", str(place.roots), *given)
    return time.monotonic() - begun


def _row(what: str, seconds: list[float]) -> Row:
    trips = median(seconds) / ROUND_TRIP
    measured = f"{median(seconds) * 1e3:.0f} ms = {trips:.1f} round trips ({min(seconds) * 1e3:.0f} at best)"
    return Row(f"latency: gwsmo, {what}", measured, None, f"≤ {BUDGET} RTT", trips <= BUDGET)
