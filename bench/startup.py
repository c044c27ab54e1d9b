"""Start-up: what importing the package and asking for its version cost beside an empty program."""

from collections.abc import Iterator
from statistics import median

from bench.options import Options
from bench.process import cpu_seconds, output_of
from bench.table import Row, against

ROUNDS = 41
VERSION = "import sys; sys.argv[1:] = ['--version']; from tlsinspect.cli import main; sys.exit(main())"
PROGRAMS = {"pass": "pass", "import": "import tlsinspect", "version": VERSION}
HEAVY = ("cryptography", "rich", "asyncio", "OpenSSL", "asn1crypto", "certvalidator", "ssl", "socket")
FORBIDDEN = ("cryptography", "rich", "asyncio")
_LOADED = """
import atexit, sys
atexit.register(lambda: print('loaded', *(m for m in {heavy!r} if m in sys.modules)))
{program}
"""


def run(_: Options) -> Iterator[Row]:
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _round in range(ROUNDS + 1):  # the first writes the byte code and is dropped
        for name, program in PROGRAMS.items():
            seconds[name].append(cpu_seconds("-c", program))
    middle = {name: median(values[1:]) for name, values in seconds.items()}
    for name, what, limit in (("import", "import tlsinspect", 1.5), ("version", "tlsinspect --version", 3.0)):
        measured = f"{middle[name] * 1e3:.1f} ms; python -c pass {middle['pass'] * 1e3:.1f} ms CPU"
        yield against(f"start-up: {what}", measured, middle[name] / middle["pass"], limit)
    loaded = {name: _heavy(PROGRAMS[name]) for name in ("import", "version")}
    told = "; ".join(f"{name}: {', '.join(modules) or 'none'}" for name, modules in loaded.items())
    clean = not any(module in FORBIDDEN for modules in loaded.values() for module in modules)
    yield Row("start-up: heavy modules imported", told, None, "none", clean)


def _heavy(program: str) -> list[str]:
    said = output_of("-c", _LOADED.format(heavy=HEAVY, program=program))
    return said.splitlines()[-1].split()[1:]
