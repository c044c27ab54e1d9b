"""The command under test, as its user starts it, and what it answered."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .network import Network

# Generous: no test asserts on time, but a command that never ends must fail its test.
_BOUND = 120


@dataclass(frozen=True)
class Result:
    """One run of `tlsinspect scan`."""

    status: int
    stdout: str
    stderr: str
    seconds: float = 0.0
    """How long it took, by the clock on the wall."""

    @cached_property
    def report(self) -> dict[str, Any]:
        try:
            report = json.loads(self.stdout)
        except ValueError:
            raise AssertionError(f"no report; {self.stderr.strip().rpartition(chr(10))[2]}") from None
        assert isinstance(report, dict)
        return report

    @property
    def assessments(self) -> dict[str, dict[str, Any]]:
        return {assessment["endpoint"]["host"]: assessment for assessment in self.report["assessments"]}

    @property
    def verdicts(self) -> dict[str, str]:
        return {host: assessment["verdict"] for host, assessment in self.assessments.items()}

    @property
    def rules(self) -> dict[str, str]:
        """Which row of the table decided, by host."""
        return {host: assessment["rule"] for host, assessment in self.assessments.items()}

    @property
    def confidences(self) -> dict[str, str]:
        return {host: assessment["confidence"] for host, assessment in self.assessments.items()}

    @property
    def conclusions(self) -> dict[str, dict[str, Any]]:
        """What is said of the run as a whole, by code."""
        return {finding["code"]: finding for finding in self.report["conclusions"]}

    def revocation(self, host: str) -> list[str]:
        """The state of each certificate of a host's path, leaf first, with the reason where there is one."""
        return [
            row["state"] + (f" {row['reason']}" if row["reason"] else "")
            for row in self.assessments[host]["revocation"]
        ]

    def codes(self, host: str) -> set[str]:
        return {finding["code"] for finding in self.assessments[host]["findings"]}

    @property
    def reachability(self) -> dict[str, str]:
        return {row["endpoint"]["host"]: row["result"] for row in self.report["reachability"]}

    def finding(self, host: str, code: str) -> dict[str, Any] | None:
        """The first finding of a host with this code."""
        return next((finding for finding in self.assessments[host]["findings"] if finding["code"] == code), None)

    def attribution(self, host: str) -> str | None:
        """The id of the product that a host's assessment names."""
        attribution = self.assessments[host]["attribution"]
        return attribution["id"] if attribution else None


@dataclass(frozen=True)
class Command:
    """`tlsinspect scan` on the client, its answer in JSON."""

    network: Network
    roots: Path
    """What `--trust` says stands in for Google's roots."""

    def __call__(
        self,
        *options: str,
        trusting: bool | Path = True,
        env: Mapping[str, str] | None = None,
        cache: Path | None = None,
    ) -> Result:
        """Run a scan. `trusting` names other trust data, or none; without `cache` the run finds an empty one."""
        argv = ["scan", "--format", "json"]
        if trusting:
            argv += ["--trust", str(self.roots if trusting is True else trusting)]
        done, seconds = self.run(*argv, *options, env=env, cache=cache)
        return Result(done.returncode, done.stdout, done.stderr, seconds)

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, cache: Path | None = None
    ) -> tuple[subprocess.CompletedProcess[str], float]:
        """Run any subcommand to its end, and say how long it took."""
        argv = [sys.executable, "-m", "tlsinspect", *arguments]
        folder = cache or Path(tempfile.mkdtemp(prefix="cache-", dir=self.network.folder))
        environment = {**_package(), "XDG_CACHE_HOME": str(folder), **(env or {})}
        begun = time.monotonic()
        try:
            done = self.network.run("client", argv, env=environment, timeout=_BOUND)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"the command did not end within {_BOUND} s") from error
        # Pytest shows this with a test that fails.
        print(f"exit status {done.returncode}\n{done.stderr}\n{done.stdout}")
        return done, time.monotonic() - begun


def _package() -> dict[str, str]:
    """The environment in which the child finds the same package as this process, installed or not."""
    spec = importlib.util.find_spec("tlsinspect")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folders = [str(Path(location).parent) for location in spec.submodule_search_locations]
    return {"PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1"}
