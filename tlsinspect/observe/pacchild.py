"""The process in which a proxy script runs: one line of JSON in, one out, as `pac` starts it.

Nothing of the script's is trusted: it has an engine of its own with bounded memory and no way to files or sockets but
looking names up, in a process that `pac` ends when it takes too long. Should `pac` be gone, whatever ended it, the
process ends by itself: with its standard input, and at the latest after WALL_SECONDS.
"""

import faulthandler
import json
import os
import queue
import socket
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tlsinspect.observe.pacfunctions import functions

MEMORY = 64 * 1024 * 1024  # bytes for the engine
PROCESS_MEMORY = 1024 * 1024 * 1024  # of address space for the whole process
CPU_SECONDS = 60  # for the whole process
WALL_SECONDS = 20.0  # for one call; `pac` waits for less
LOOK_UPS = 64  # names for one call
_LONGEST_NAME = 253  # characters
LONGEST = 4096  # characters of an answer

# What no script can take away by assigning to a name it knows.
_CALL = """
(function (url, host) {
  const find = typeof FindProxyForURL === "function" ? FindProxyForURL : FindProxyForURLEx;
  return find(url, host);
})
"""
_DEFINED = 'typeof FindProxyForURL === "function" || typeof FindProxyForURLEx === "function"'


def main() -> None:
    _confine()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    _answer(lines)
    os._exit(0)  # while the thread waits, Python cannot end


def _answer(lines: "queue.SimpleQueue[str]") -> None:
    names = _Names()
    source = json.loads(lines.get())["source"]
    faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
    try:
        find = _load(source, names)
    except Exception as error:  # noqa: BLE001 - whatever the script does is its answer
        return _say(error=_words(error))
    _say(ready=True)
    while True:
        faulthandler.cancel_dump_traceback_later()
        asked = json.loads(lines.get())
        faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)  # works while nothing else of Python does
        names.forget()
        try:
            answer = find(asked["url"], asked["host"])
        except Exception as error:  # noqa: BLE001 - as above
            _say(error=_words(error))
            continue
        if names.too_many:
            _say(error=f"it looks up more than {LOOK_UPS} names")
        elif isinstance(answer, str):
            _say(answer=answer[:LONGEST])
        else:
            _say(error=f"it returns no text but {_kind(answer)}")


def _listen(lines: "queue.SimpleQueue[str]") -> None:
    """Where nothing more can come, nobody is left who waits for an answer, whatever the script is at."""
    try:
        for line in sys.stdin:
            lines.put(line)
    finally:
        os._exit(0)


class _Names:
    """Looks names up, each once a call, and not without end: a script may ask for all it likes, a name service is
    somebody else's."""

    def __init__(self) -> None:
        self.too_many = False
        self._found: dict[str, Sequence[str]] = {}

    def forget(self) -> None:
        self.too_many, self._found = False, {}

    def __call__(self, host: str) -> Sequence[str]:
        if host in self._found:
            return self._found[host]
        if len(host) > _LONGEST_NAME:
            return ()
        if len(self._found) == LOOK_UPS:
            self.too_many = True
            return ()
        self._found[host] = _look_up(host)
        return self._found[host]


def _load(source: str, names: _Names) -> Any:
    import quickjs

    context = quickjs.Context()
    context.set_memory_limit(MEMORY)
    for name, function in functions(names, _my_addresses, lambda: datetime.now().astimezone()).items():
        context.add_callable(name, function)
    context.eval(source)
    if not context.eval(_DEFINED):
        raise ValueError("it has no function FindProxyForURL")
    return context.eval(_CALL)


def _look_up(host: str) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError):
        return ()
    return list(dict.fromkeys(str(place[0]) for *_, place in found))[:16]


def _my_addresses() -> Sequence[str]:
    """This machine's addresses on the ways out. Connecting a datagram socket sends nothing."""
    found = []
    for family, outside in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((outside, 53))
                found.append(str(sock.getsockname()[0]))
        except OSError:
            continue
    return found


def _words(error: Exception) -> str:
    """What went wrong, without the engine's list of calls."""
    said = str(error).partition("\n    at ")[0].removesuffix("\nundefined")  # what is thrown and is no Error has none
    return " ".join(said[:1000].split())[:300] or type(error).__name__


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


def _say(**said: object) -> None:
    print(json.dumps(said), flush=True)


def _confine() -> None:
    if sys.platform == "win32":  # has no such limits; the engine's own holds there too
        return
    import resource

    for what, limit in ((resource.RLIMIT_AS, PROCESS_MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS)):
        try:
            resource.setrlimit(what, (limit, limit))
        except (OSError, ValueError):  # macOS does not take every one
            continue


if __name__ == "__main__":
    main()
