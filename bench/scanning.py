"""A scan beside a bare loop of handshakes with the same server: CPU for each endpoint."""

import asyncio
import cProfile
import pstats
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from OpenSSL import SSL, crypto

from bench.lab import HOST, KINDS, Lab, lab, publish
from bench.options import Options
from bench.process import helper
from bench.table import Row, against
from tlsinspect.conductor import prepare
from tlsinspect.model import Report, Verdict
from tlsinspect.trust import Trust


@dataclass(frozen=True)
class Spent:
    """CPU seconds of one scan, by phase."""

    prepare: float
    observe: float
    judge: float

    @property
    def total(self) -> float:
        return self.prepare + self.observe + self.judge


def run(options: Options) -> Iterator[Row]:
    for kind in KINDS:
        with lab() as place:
            shards = [f"s{i}" for i in range(options.endpoints * options.rounds + 20)]
            publish(place, kind, shards)
            names = [f"www.{shard}.google.com" for shard in shards]
            with helper("bench.peer", str(place.folder)) as ports:
                yield from _compare(kind, names, ports["tls"], place, options)


def _compare(kind: str, names: Sequence[str], port: int, place: Lab, options: Options) -> Iterator[Row]:
    trust = Trust.load(place.roots)
    bare(names[-20:], port)
    scan_timed(names[-20:], port, trust)
    store = Store(list(place.google.roots))
    bares, scans, plains = [], [], []
    for number in range(options.rounds):
        mine = names[number * options.endpoints : (number + 1) * options.endpoints]
        bare(mine[:20], port)  # the far side reads a certificate on its first use; both find some of them read
        bares.append(bare(mine, port))
        scans.append(scan_timed(mine, port, trust))
        plains.append(bare(mine, port, store))
    if options.profile:
        _profile(names[: options.endpoints], port, trust)
    n = options.endpoints
    ratio = median(s.total / b for s, b in zip(scans, bares, strict=True))
    phases = " + ".join(
        f"{name} {median(getattr(s, name) for s in scans) / n * 1e3:.2f}" for name in ("prepare", "observe", "judge")
    )
    measured = f"{median(s.total for s in scans) / n * 1e3:.2f} ms ({phases}); bare {median(bares) / n * 1e3:.2f}"
    yield against(f"scan: CPU an endpoint, {kind}, {n} endpoints", measured, ratio, 1.5)
    plain = f"{median(plains) / n * 1e3:.2f} ms: handshake, HEAD and verify(), nothing kept or said"
    yield Row(
        f"scan: the same work done plainly, {kind}", plain, median(p / b for p, b in zip(plains, bares, strict=True))
    )


def bare(names: Sequence[str], port: int, store: Store | None = None) -> float:
    """CPU seconds of the plainest client there is: connect, shake hands, take the chain, close.

    With a store it also asks for the head of a page and verifies the chain: what a scan cannot leave out.
    """
    begun = time.process_time()
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    for name in names:
        with socket.create_connection((HOST, port)) as sock:
            connection = SSL.Connection(context, sock)
            connection.set_tlsext_host_name(name.encode())
            connection.set_connect_state()
            connection.do_handshake()
            chain = [crypto.dump_certificate(crypto.FILETYPE_ASN1, c) for c in connection.get_peer_cert_chain() or ()]
            assert len(chain) == 2
            if store is not None:
                _ask_and_verify(connection, name, chain, store)
    return time.process_time() - begun


def _ask_and_verify(connection: SSL.Connection, name: str, chain: Sequence[bytes], store: Store) -> None:
    connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(16384)
    leaf, *others = (x509.load_der_x509_certificate(der) for der in chain)
    at = leaf.not_valid_before_utc + (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 2
    PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name)).verify(leaf, others)


def scan_timed(names: Sequence[str], port: int, trust: Trust) -> Spent:
    """What `tlsinspect.scan` does, with a look at the clock between its phases."""
    begun = time.process_time()
    resolve = [f"{name}:443:{HOST}:{port}" for name in names]
    # Revocation has rows of its own: see latency and revocation.
    run = prepare(names, trust=trust, proxy="none", resolve=resolve, offline=True)
    prepared = time.process_time()
    asyncio.run(run.observe())
    observed = time.process_time()
    report = run.report()
    judged = time.process_time()
    _all_genuine(report, len(names))
    return Spent(prepared - begun, observed - prepared, judged - observed)


def _all_genuine(report: Report, expected: int) -> None:
    verdicts = [a.verdict for a in report.assessments]
    if verdicts != [Verdict.GENUINE] * expected:
        raise RuntimeError(f"a scan of honest hosts gave {sorted(set(verdicts))}")


def _profile(names: Sequence[str], port: int, trust: Trust) -> None:
    """Where the time of one scan goes, on standard error: by function alone, then with what it calls."""
    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(scan_timed, names, port, trust)
    stats = pstats.Stats(profiler, stream=sys.stderr).strip_dirs()
    stats.sort_stats("tottime").print_stats(10)
    stats.sort_stats("cumulative").print_stats("observe|judge|evidence|attempt|handshake|connect|path|clock", 25)
