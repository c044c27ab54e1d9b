"""Proxy scripts (PAC): asked for each host once a run, in a process that is ended when it takes too long."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tlsinspect.endpoints.target import bracketed
from tlsinspect.errors import UsageError
from tlsinspect.observe.apart import apart
from tlsinspect.observe.route import Proxy, Ways, read_place
from tlsinspect.text import printable, without_password

MAX_SCRIPT = 1024 * 1024
CALL_SECONDS = 5.0  # for one host, or for the script to be loaded
RUN_SECONDS = 15.0  # of waiting for the script in a run
MAX_WAYS = 16
_LONGEST_LINE = 64 * 1024  # bytes of what the process says: its own bounds make it far less
_UNREAD = 8  # lines nobody asked for, after which it is not listened to

# What an entry of an answer begins with: the scheme it means and its usual port. Where browsers differ about SOCKS,
# the version that is spoken by all servers of today is meant; names are then the proxy's to resolve.
_ENTRIES = {
    "PROXY": ("http", 80),
    "HTTP": ("http", 80),
    "HTTPS": ("https", 443),
    "SOCKS": ("socks5h", 1080),
    "SOCKS5": ("socks5h", 1080),
    "SOCKS4": ("socks4", 1080),
}
# Isolated, the process imports from Python's own library alone, and from the folders it is given.
_START = """
import runpy, sys
sys.path += sys.argv[1:]
runpy.run_module("tlsinspect.observe.pacchild", run_name="__main__")
"""


class ScriptError(Exception):
    """The script, or the process it runs in, gave no answer; says why in a few words."""


def read_answer(text: str, origin: str) -> Ways:
    """``PROXY a:1; SOCKS b:2; DIRECT`` as ways, in order. What is no entry is left out, as clients do; an empty answer
    is direct. Raises ScriptError where nothing is left."""
    entries = [entry.split() for entry in text.split(";") if entry.strip()]
    found: dict[Proxy | None, None] = {}
    for words in entries[:MAX_WAYS]:
        with suppress(UsageError):
            found[_entry(words, origin)] = None
    if entries and not found:
        _, at, after = text.rpartition("@")
        raise ScriptError(f'it answers "{printable("…@" + after if at else text, 60)}"')
    return Ways(tuple(found) or (None,), origin)


def _entry(words: list[str], origin: str) -> Proxy | None:
    kind = words[0].upper()
    if kind == "DIRECT" and len(words) == 1:
        return None
    if kind not in _ENTRIES or len(words) != 2:
        raise UsageError("not an entry")
    scheme, port = _ENTRIES[kind]
    return Proxy(*read_place(words[1], origin, port), origin, scheme=scheme)


class Script:
    """A script, and the process it runs in while it is asked, until `close`."""

    def __init__(self, source: str, origin: str) -> None:
        self.origin = origin
        self._source = source
        self._child: _Child | None = None
        self._left = RUN_SECONDS
        self._answers: dict[tuple[str, bool], Ways] = {}
        self._asking = threading.Lock()
        self._closed = False

    def check(self) -> None:
        """Load the script, and see that it can be asked. Raises ScriptError."""
        with self._asking:
            try:
                self._started()
            finally:
                self._end()

    async def ways(self, host: str, tls: bool) -> Ways:
        """The ways to `host`, for which the script is asked once."""
        known = self._answers.get((host, tls))
        return known if known is not None else await apart(lambda: self.ways_now(host, tls), "proxy script")

    def ways_now(self, host: str, tls: bool) -> Ways:
        """The same, waiting."""
        with self._asking:
            if (host, tls) not in self._answers:
                self._answers[host, tls] = self._ways(host, tls)
            return self._answers[host, tls]

    def close(self) -> None:
        """Ask no more. Whoever still waits is told so."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._asking:
            self._end()

    def _ways(self, host: str, tls: bool) -> Ways:
        # As browsers do: the script learns no path.
        url = f"{'https' if tls else 'http'}://{bracketed(host)}/"
        try:
            return read_answer(self._ask({"url": url, "host": host}), self.origin)
        except ScriptError as error:
            return Ways(origin=self.origin, trouble=f"{self.origin}: {error}")

    def _ask(self, question: dict[str, str]) -> str:
        answer = self._timed(self._started(), question)
        if "answer" not in answer:
            raise ScriptError(_said(answer))
        return str(answer["answer"])

    def _started(self) -> "_Child":
        if self._closed:
            raise ScriptError("interrupted")
        if self._child is None or not self._child.alive:
            self._end()
            self._child = _Child()
            answer = self._timed(self._child, {"source": self._source})
            if "ready" not in answer:
                self._end()
                raise ScriptError(_said(answer))
        return self._child

    def _timed(self, child: "_Child", line: dict[str, str]) -> dict[str, Any]:
        limit = min(CALL_SECONDS, self._left)
        if limit <= 0:
            raise ScriptError(f"{RUN_SECONDS:g} s of waiting for it in this run")
        begun = time.monotonic()
        try:
            return child.ask(line, limit)
        except ScriptError:
            self._end()
            raise
        finally:
            self._left -= time.monotonic() - begun

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


def _said(answer: dict[str, Any]) -> str:
    return printable(without_password(str(answer.get("error", "it says nothing that can be read"))), 200)


class _Child:
    """The process. What it writes is read by a thread, for no system lets every pipe be waited for with a limit."""

    def __init__(self) -> None:
        if not sys.executable:
            raise ScriptError("this Python cannot start another")
        engine = find_spec("quickjs")
        if engine is None or engine.origin is None:
            raise ScriptError("no JavaScript engine is installed; pip install 'tlsinspect[pac]' builds one")
        # The package and the engine: in folders of their own, or, in site-packages, in one.
        folders = dict.fromkeys((str(Path(__file__).parents[2]), str(Path(engine.origin).parents[1])))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, *folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        except OSError as error:
            raise ScriptError(f"no process can be started for it ({error.strerror})") from None
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True, name="proxy script")
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, line: dict[str, str], seconds: float) -> dict[str, Any]:
        """Send a line and wait for one. Raises ScriptError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise ScriptError(f"no answer within {seconds:.0f} s") from None
        except (OSError, ValueError):
            raise ScriptError("its process ended") from None
        if not answer:
            raise ScriptError("its process ended; it may need too much memory")
        try:
            read = json.loads(answer)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise ScriptError("it says nothing that can be read")
        return read

    def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(OSError, ValueError):
            while line := self._process.stdout.readline(_LONGEST_LINE):
                self._lines.put(line)
                if self._lines.qsize() > _UNREAD:
                    break
        self._lines.put(b"")

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not sent yet cannot be
                    pipe.close()


def _environment() -> dict[str, str]:
    """Nothing of this process's, which may hold passwords; Windows' sockets need to know where Windows is."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
