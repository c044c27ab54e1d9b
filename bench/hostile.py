"""Many endpoints, one in twenty hostile: nothing lost, memory bounded. The scan runs in a process of its own."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.lab import HOST, lab, publish
from bench.options import Options
from bench.peer import HOSTILE
from bench.process import helper, output_of, peak_rss
from bench.table import Row
from tlsinspect.model import Verdict

SHARDS = 100
EVERY = 20  # one endpoint in so many is hostile
TIMEOUT = 2.0
LIMIT = 300  # MB


def run(options: Options) -> Iterator[Row]:
    count = options.hostile
    with lab() as place:
        publish(place, "EC", [f"s{i}" for i in range(SHARDS)])
        with helper("bench.peer", str(place.folder)) as ports:
            said = output_of("-m", "bench.hostile", str(count), str(place.roots), json.dumps(ports))
    result = json.loads(said)
    told = ", ".join(f"{n} {verdict}" for verdict, n in sorted(result["verdicts"].items()))
    what = f"hostile mix: {count:,} endpoints"
    yield Row(f"{what}, lost or wrong", f"{result['wrong']}; {told}", None, "0", result["wrong"] == 0)
    marks = " → ".join(f"{mark / 1e6:.0f}" for mark in result["marks"])
    peak = result["peak"] / 1e6
    yield Row(f"{what}, memory", f"peak {peak:.0f} MB ({marks} by fifths)", None, f"< {LIMIT} MB", peak < LIMIT)
    told = (
        f"{result['seconds']:.1f} s; CPU an endpoint: observe {result['observe']:.2f}, judge {result['judge']:.2f} ms"
    )
    yield Row(f"{what}, time", told)


def names_and_ports(count: int, ports: dict[str, int]) -> dict[str, tuple[str, int]]:
    """Each name with the kind of server behind it and its port."""
    kinds = list(HOSTILE)
    found = {}
    for i in range(count):
        kind = kinds[i // EVERY % len(kinds)] if i % EVERY == 0 else "tls"
        found[f"n{i}.s{i % SHARDS}.google.com"] = (kind, ports[kind])
    return found


def _scan(count: int, roots: Path, ports: dict[str, int]) -> None:
    """In the scanning process: scan, and print what came of it as JSON."""
    import asyncio

    from tlsinspect.conductor import prepare

    expected = names_and_ports(count, ports)
    marks: list[int] = []

    def progress(done: int, of: int) -> None:
        if done and done % (of // 5) == 0:
            marks.append(peak_rss())

    resolve = [f"{name}:443:{HOST}:{port}" for name, (_, port) in expected.items()]
    run = prepare(
        list(expected),
        trust=roots,
        proxy="none",
        resolve=resolve,
        timeout=TIMEOUT,
        concurrency=64,
        offline=True,
        progress=progress,
    )
    begun, wall = time.process_time(), time.monotonic()
    asyncio.run(run.observe())
    observed = time.process_time()
    report = run.report()
    judged = time.process_time()
    said = {a.endpoint.host: a.verdict for a in report.assessments}
    wrong = sum(
        (said.get(n) is Verdict.GENUINE) != (kind == "tls") or n not in said for n, (kind, _) in expected.items()
    )
    result = {
        "wrong": wrong,
        "verdicts": Counter(str(verdict) for verdict in said.values()),
        "peak": peak_rss(),
        "marks": marks,
        "seconds": time.monotonic() - wall,
        "observe": (observed - begun) / count * 1e3,
        "judge": (judged - observed) / count * 1e3,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    _scan(int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
