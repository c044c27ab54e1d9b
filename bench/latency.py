"""The gwsmo profile at a distance: wall clock in round trips of 50 ms."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from bench.lab import HOST, Lab, issue, lab
from bench.options import Options
from bench.process import helper, output_of
from bench.table import Row
from tlsinspect.conductor import scan
from tlsinspect.endpoints import load_profile
from tlsinspect.model import Revocation, Verdict
from tlsinspect.trust import Trust

ONE_WAY = 0.025
ROUND_TRIP = 2 * ONE_WAY
ROUNDS = 7
BUDGET = 6
NAMED = ("c.pki.goog", "o.pki.goog", "clients2.google.com")  # asked beside the profile's hosts


def run(_options: Options) -> Iterator[Row]:
    profile = load_profile("gwsmo")
    with lab() as place:
        secure = [e.host for e in profile.endpoints if e.tls]
        for host, issued in zip(secure, issue(place.google, "EC", [[h] for h in secure]), strict=True):
            issued.write(place.folder, host)
        _publish_lists(place)
        cache = place.folder / "cache"
        os.environ["XDG_CACHE_HOME"] = str(cache)
        with (
            helper("bench.peer", str(place.folder)) as ports,
            helper("bench.relay", str(ONE_WAY), str(ports["tls"]), str(ports["plain"])) as far,
        ):
            to = {True: far[str(ports["tls"])], False: far[str(ports["plain"])]}
            resolve = [f"{e.host}:{e.port}:{HOST}:{to[e.tls]}" for e in profile.endpoints]
            resolve += [f"{host}:80:{HOST}:{to[False]}" for host in NAMED]
            _call(place, resolve)
            yield _row("scan() in a running process, lists cached", [_call(place, resolve) for _ in range(ROUNDS)])
            yield _row("the command, imports included, lists cached", [_command(place, resolve) for _ in range(ROUNDS)])
            cold = []
            for _ in range(ROUNDS):
                shutil.rmtree(cache)
                cold.append(_call(place, resolve))
            yield replace(_row("scan() in a running process, nothing cached", cold), budget="", ok=None)


def _publish_lists(place: Lab) -> None:
    files = place.folder / "files"
    files.mkdir()
    for name, authority in (("lab.crl", place.google.we2), ("r4.crl", place.google.r4)):
        (files / name).write_bytes(authority.crl())


def _call(place: Lab, resolve: list[str]) -> float:
    trust = Trust.load(place.roots)
    begun = time.monotonic()
    report = scan(profile="gwsmo", trust=trust, proxy="none", resolve=resolve)
    spent = time.monotonic() - begun
    if any(a.verdict is not Verdict.GENUINE for a in report.assessments):
        raise RuntimeError("a scan of honest hosts did not find them genuine")
    if any(status.state is not Revocation.GOOD for a in report.assessments for status in a.revocation):
        raise RuntimeError("a scan of honest hosts did not learn that they are not revoked")
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
