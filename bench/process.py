"""Other processes: helpers that must not count, and programs of which only the CPU time counts."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def helper(module: str, *arguments: str) -> Iterator[dict[str, int]]:
    """Run a module of this package beside us; it prints its ports as JSON and ends when its standard input does."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            ports: dict[str, int] = json.loads(child.stdout.readline())
            yield ports
        finally:
            child.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)
            child.kill()


def cpu_seconds(*arguments: str) -> float:
    """User and system time of one run of this Python."""
    child = subprocess.Popen([sys.executable, *arguments], cwd=HERE, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{arguments} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime


def output_of(*arguments: str) -> str:
    """Standard output of one run of this Python, which must end well."""
    done = subprocess.run([sys.executable, *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments} ended with {done.returncode}")
    return done.stdout


def peak_rss() -> int:
    """The most memory this process ever had resident, in bytes.

    Linux's own mark is preferred: `ru_maxrss` of a child begins at what its parent had resident.
    """
    with contextlib.suppress(OSError):
        for text in Path("/proc/self/status").read_text().splitlines():
            if text.startswith("VmHWM:"):
                return int(text.split()[1]) * 1024
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
