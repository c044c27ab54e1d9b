"""``tlsinspect demo``: an embedded network with known troubles, scanned by the code that scans live hosts.

Three scenes. Each says what must come out; an answer that differs is a defect and ends the demo with status 1.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from tlsinspect.conductor import Run, execute, prepare
from tlsinspect.lab.pki import GoogleLike, fiddler, google_like, impersonator, zscaler
from tlsinspect.lab.servers import HOST, LoopbackNetwork
from tlsinspect.model import Report
from tlsinspect.trust import Trust

DAY = timedelta(days=1)


@dataclass
class Scene:
    """What a network looks like from one place, and what must be said of it."""

    title: str
    expected: dict[str, str]  # host: verdict
    ports: dict[str, int] = field(default_factory=dict)  # host: where it really listens
    plain: dict[str, int] = field(default_factory=dict)  # the same on port 80
    named: dict[str, int] = field(default_factory=dict)  # the same of hosts that only certificates name
    proxy: str = "none"
    clock_ahead: timedelta = timedelta(0)

    def run(self, trust: Trust) -> Run:
        names = [*self.ports, *(f"http://{host}" for host in self.plain)] or list(self.expected)
        resolve = [f"{h}:443:{HOST}:{p}" for h, p in self.ports.items()]
        resolve += [f"{h}:80:{HOST}:{p}" for h, p in {**self.plain, **self.named}.items()]
        return prepare(
            names,
            trust=trust,
            proxy=self.proxy,
            resolve=resolve,
            timeout=5,
            cache=False,
            time_service=False,
            clock=lambda: datetime.now(UTC) + self.clock_ahead,
        )


def scenes(network: LoopbackNetwork, google: GoogleLike, now: datetime) -> Iterator[Scene]:
    expired = google.we2.issue(["www.google.com"], not_before=now - 80 * DAY, not_after=now - 5 * DAY)
    other = google.wr2.issue(["docs.google.com", "sites.google.com"])
    revoked = google.wr2.issue(["meet.google.com"])
    lists = network.site(
        {
            "/wr2/lab.crl": google.wr2.crl({revoked.certificate.serial_number: now - DAY}),
            "/we2/lab.crl": google.we2.crl(),
            "/r/r1.crl": google.r1.crl(),
            "/r/r4.crl": google.r4.crl(),
        }
    )
    yield Scene(
        "An office network",
        {
            "oauth2.googleapis.com": "genuine",
            "www.googleapis.com": "intercepted",
            "mail.google.com": "intercepted",
            "accounts.google.com": "intercepted",
            "www.google.com": "expired",
            "meet.google.com": "revoked",
            "drive.google.com": "wrong-host",
            "chat.google.com": "unreachable",
        },
        ports={
            "oauth2.googleapis.com": network.tls(google.wr2.issue(["*.googleapis.com"])),
            "www.googleapis.com": network.tls(fiddler(now).issue(["www.googleapis.com"], send_root=True)),
            "mail.google.com": network.tls(zscaler(now).issue(["mail.google.com"])),
            "accounts.google.com": network.tls(impersonator(now).issue(["accounts.google.com"])),
            "www.google.com": network.tls(expired),
            "meet.google.com": network.tls(revoked),
            "drive.google.com": network.tls(other),
            "chat.google.com": network.nothing(),
        },
        plain={
            "c.pki.goog": lists,
            "crl.pki.goog": network.plain(b"403 Forbidden", b"<html>blocked by policy</html>"),
        },
        named={"o.pki.goog": network.nothing()},
    )
    yield Scene(
        "The same hosts through a proxy that asks for credentials",
        {"www.googleapis.com": "blocked", "mail.google.com": "blocked"},
        proxy=f"http://{HOST}:{network.proxy_asking_for_credentials()}",
    )
    yield Scene(
        "An untouched network, seen from a laptop whose clock is wrong",
        {"www.googleapis.com": "clock-skewed", "mail.google.com": "clock-skewed"},
        ports={
            "www.googleapis.com": network.tls(google.wr2.issue(["www.googleapis.com"])),
            "mail.google.com": network.tls(google.we2.issue(["mail.google.com"])),
        },
        named=dict.fromkeys(("c.pki.goog", "o.pki.goog"), lists),
        clock_ahead=90 * DAY,
    )


def demo(out: TextIO, *, verbose: bool = False) -> int:
    """Scan every scene, print what comes out; 0 when it is what must come out."""
    now = datetime.now(UTC)
    google = google_like(now, days=120)
    wrong: list[str] = []
    with LoopbackNetwork() as network, tempfile.TemporaryDirectory(prefix="tlsinspect-") as folder:
        roots = Path(folder) / "demo-roots.pem"
        roots.write_bytes(google.roots_pem)
        trust = Trust.load(roots)
        for number, scene in enumerate(scenes(network, google, now), 1):
            run = scene.run(trust)
            report = execute(run)
            _show(report, f"{number}. {scene.title}", out, verbose)
            wrong += _differences(scene, report)
    for difference in wrong:
        out.write(f"defect: {difference}\n")
    if not wrong:
        out.write("Every answer is what this network was built to get. Live hosts: tlsinspect scan\n")
    return 1 if wrong else 0


def _show(report: Report, title: str, out: TextIO, verbose: bool) -> None:
    from tlsinspect.report.table import PlainConsole, render

    render(report, title, PlainConsole(out), verbose=verbose)
    out.write("\n")


def _differences(scene: Scene, report: Report) -> Iterator[str]:
    said = {a.endpoint.host: str(a.verdict) for a in report.assessments}
    for host, verdict in scene.expected.items():
        if said.get(host) != verdict:
            yield f"{host} should be {verdict} and is {said.get(host)}"
