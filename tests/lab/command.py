"""The command under test, as its user starts it, and what it answered."""

import importlib.util
import json
import os
import subprocess
import sys
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

    def __call__(self, *options: str, trusting: bool = True, env: Mapping[str, str] | None = None) -> Result:
        argv = [sys.executable, "-m", "tlsinspect", "scan", "--format", "json"]
        if trusting:
            argv += ["--trust", str(self.roots)]
        try:
            done = self.network.run("client", [*argv, *options], env={**_package(), **(env or {})}, timeout=_BOUND)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"the command did not end within {_BOUND} s") from error
        # Pytest shows this with a test that fails.
        print(f"exit status {done.returncode}\n{done.stderr}\n{done.stdout}")
        return Result(done.returncode, done.stdout, done.stderr)


def _package() -> dict[str, str]:
    """The environment in which the child finds the same package as this process, installed or not."""
    spec = importlib.util.find_spec("tlsinspect")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folders = [str(Path(location).parent) for location in spec.submodule_search_locations]
    return {"PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1"}
