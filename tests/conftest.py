"""What several test files share: recorded data that is not part of the repository, certificates, and the command."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tlsinspect.lab import pki

ROOT = Path(__file__).resolve().parent.parent
# Nothing a test starts may reach beyond this machine, not even where the command under test is wrong about what to do:
# unless a test says otherwise every connection goes to a proxy on a loopback port where nobody listens.
NOWHERE = "http://127.0.0.1:9"
# What scans keep for later runs is kept here, and gone with the tests.
_CACHE = tempfile.TemporaryDirectory(prefix="tlsinspect-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name


def shared_data(name: str) -> Path:
    """A file or folder of the recorded data beside the repository; without it the test is skipped by name, and fails
    where a pipeline (CI) would otherwise lose it without anybody noticing."""
    return _shared(f"data/{name}")


def shared_seed(name: str) -> Path:
    """One of the owner's documents, likewise."""
    return _shared(f"seeds/{name}")


def _shared(name: str) -> Path:
    path = ROOT.parent / "shared" / name
    if path.exists():
        return path
    if os.environ.get("CI"):
        pytest.fail(f"the recorded {name!r} is missing, and CI allows no skipping", pytrace=False)
    pytest.skip(f"the recorded {name!r} is not here")


@dataclass(frozen=True)
class Outcome:
    """How a run of the command ended."""

    status: int
    out: str
    err: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small environment of our own: no proxies, colours or widths of whoever runs the tests."""
    names = ("PATH", "HOME", "SYSTEMROOT", "TMPDIR", "XDG_CACHE_HOME")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), NOWHERE)
    return {**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", **proxies, **(extra or {})}


def command(*arguments: str) -> list[str]:
    """The command line. A scan asks nobody but the hosts it is given."""
    offline = ["--offline"] if arguments and arguments[0] == "scan" and "--offline" not in arguments else []
    return [sys.executable, "-m", "tlsinspect", *arguments[:1], *offline, *arguments[1:]]


def run(
    *arguments: str, given: bytes = b"", extra: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Outcome:
    """Run the command to its end. `given` is its standard input."""
    ended = subprocess.run(
        command(*arguments), input=given, env=environment(extra), cwd=cwd, capture_output=True, timeout=120, check=False
    )
    return Outcome(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def resolve(places: Mapping[str, tuple[str, int]], port: int = 443) -> list[str]:
    """`--resolve` values that lead each host to a loopback server."""
    return [f"{host}:{port}:{address}:{real}" for host, (address, real) in places.items()]


def options(values: Sequence[str], name: str = "--resolve") -> list[str]:
    return [word for value in values for word in (name, value)]


@pytest.fixture(autouse=True, scope="session")
def _no_names() -> Iterator[None]:
    """Within this process no name resolves but the machine's own: what a certificate names must never be asked."""
    real = socket.getaddrinfo

    def local_only(host: str | bytes | None, *rest: Any, **named: Any) -> Any:
        try:
            return real(host, *rest, **{**named, "flags": named.get("flags", 0) | socket.AI_NUMERICHOST})
        except socket.gaierror:
            if host in ("localhost", "ip6-localhost", socket.gethostname()):
                return real(host, *rest, **named)
            raise socket.gaierror(socket.EAI_NONAME, "no names in tests") from None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", local_only)
        yield


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def google(now: datetime) -> pki.GoogleLike:
    """Authorities that stand in for Google's."""
    return pki.google_like(now)


@pytest.fixture(scope="session")
def roots(google: pki.GoogleLike, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their roots as a file for ``--trust``."""
    path = tmp_path_factory.mktemp("roots") / "roots.pem"
    path.write_bytes(google.roots_pem)
    return path
