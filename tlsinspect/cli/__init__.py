"""The command line: arguments and wiring, nothing else. Results go to standard output, everything else to standard
error.

Only argparse is imported before the arguments are read, so that --help and --version cost next to nothing.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

from tlsinspect.version import __version__

EPILOG = """\
exit status:
  0    every required endpoint is genuine, or as its expectation says
  1    at least one is intercepted, expired, blocked or anything else that is not well
  2    the command or a file it names makes no sense
  3    nothing worse than unreachable or inconclusive
  130  interrupted; what was finished is written
"""

INSPECT_EPILOG = """\
exit status:
  0    at least one certificate is shown
  2    the command or a file it names makes no sense
  3    there is nothing to show: no certificate can be read, or no host presents one
  130  interrupted; what was finished is written
"""


LOG_EPILOG = """\
Times of --since and --until are ISO 8601. Without a zone they are UTC, as the clock of an authorisation log, which
prints none, is read; a date alone is its midnight.

exit status:
  0    no failure stands in the logs
  1    one does, and it is more than unreachable or inconclusive
  2    the command or a file it names makes no sense
  3    nothing worse than unreachable or inconclusive; or no failure, and not all was read, or nothing
       is a log or of the time asked for
  130  interrupted; what was found until then is written
"""


DOCTOR_EPILOG = """\
exit status:
  0    nothing was found that somebody should act on
  1    something was: an interceptor's authority is installed, a trust store cannot be read, a program does not verify …
  2    the command or a file it names makes no sense
"""


class Parser(argparse.ArgumentParser):
    """As argparse has it, but a mistake is answered in one line, and no password in it is repeated."""

    def error(self, message: str) -> NoReturn:
        fail(f"{message}; see {self.prog} --help")
        sys.exit(2)


def fail(sentence: str) -> None:
    """One harmless line on standard error. What stands before an @ in a URL may be a password."""
    from tlsinspect.text import printable, without_password

    print(f"tlsinspect: {printable(without_password(sentence), 1000)}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    arguments = parser().parse_args(argv)
    from tlsinspect.errors import TlsinspectError

    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except TlsinspectError as error:
        fail(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as defect:  # noqa: BLE001 - status 1 would say that somebody intercepts
        fail(f"a defect of tlsinspect: {type(defect).__name__}: {defect}; please report it with this line")
        return 2


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="tlsinspect",
        description="Tell, with proof, whether hosts are reached untouched or through TLS interception, and why not.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"tlsinspect {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _scan(commands)
    _classify(commands)
    _inspect(commands)
    _log(commands)
    _doctor(commands)
    _trust(commands)
    _cache(commands)
    _demo(commands)
    return top


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def _command(commands: Commands, name: str, help_: str, epilog: str = "") -> argparse.ArgumentParser:
    made = commands.add_parser(
        name, help=help_, description=help_, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def run(arguments: argparse.Namespace) -> int:
        from importlib import import_module

        status: int = import_module(f"tlsinspect.cli.{name}").run(arguments)
        return status

    made.set_defaults(run=run)
    return made


def _scan(commands: Commands) -> None:
    p = _command(commands, "scan", "look at live hosts and say who answers at each", EPILOG)
    p.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="HOST, HOST:PORT, URL, @FILE with one a line, or - for standard input; without any, a profile is scanned",
    )
    p.add_argument("--profile", metavar="NAME|FILE", help="the hosts to scan: gwsmo (default), pki, or a TOML file")
    _network(p)
    p.add_argument("--concurrency", type=int, default=32, metavar="N", help="attempts at a time (32)")
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="attempts for each endpoint (1)")
    p.add_argument(
        "--compare-routes",
        action="store_true",
        help="ask every endpoint directly and through each configured proxy, and say what differs",
    )
    p.add_argument(
        "--slices",
        default="",
        metavar="KIND[,KIND]",
        help="ask each endpoint in other ways too: addresses, protocols, keys, sni, alpn, or all",
    )
    p.add_argument(
        "--probe",
        action="store_true",
        help="ask what only an interceptor answers: about seven handshakes more for each, one with a made-up name",
    )
    p.add_argument(
        "--control", action="append", default=[], metavar="HOST", help="another host to compare with; may be repeated"
    )
    p.add_argument(
        "--inspected",
        action="append",
        default=[],
        metavar="HOST",
        help="a host known to be inspected here: where it is not, inspection is off; may be repeated",
    )
    _fetching(p)
    p.add_argument("--at", metavar="TIME", help="judge as if it were this time, ISO 8601 with a zone (default: now)")
    _output(p, ("table", "json", "jsonl", "ticket"))
    p.add_argument("--export-ca", metavar="FILE", help="write the intercepting authorities here, PEM, if there are any")
    _verbose(p)
    _witness(p)
    _redact_option(p)
    _trust_option(p)
    _catalogue_option(p)


def _classify(commands: Commands) -> None:
    p = _command(commands, "classify", "say who signed a recorded chain", EPILOG)
    p.add_argument(
        "file", metavar="FILE", help="PEM (text around it is skipped) or DER, leaf first; - for standard input"
    )
    p.add_argument("--host", required=True, metavar="NAME", help="the name that was asked for")
    p.add_argument("--at", metavar="TIME", help="judge at this time, ISO 8601 with a zone (default: now)")
    p.add_argument("--authority", choices=("google", "public"), help="who must have signed (default: by the name)")
    p.add_argument(
        "--crl", action="append", default=[], metavar="FILE", help="a revocation list, DER or PEM; may be repeated"
    )
    p.add_argument("--ocsp", action="append", default=[], metavar="FILE", help="an OCSP answer, DER; may be repeated")
    _output(p, ("table", "json"))
    _witness(p)
    _redact_option(p)
    _trust_option(p)
    _catalogue_option(p)


def _inspect(commands: Commands) -> None:
    p = _command(commands, "inspect", "show certificates, and who signed whom", INSPECT_EPILOG)
    p.add_argument(
        "what",
        nargs="+",
        metavar="FILE|HOST[:PORT]|-",
        help="files in PEM (text around it is skipped), DER or PKCS#7; hosts; - for standard input",
    )
    p.add_argument("--long", action="store_true", help="every field of every certificate")
    p.add_argument("--at", metavar="TIME", help="compare dates with this time, ISO 8601 with a zone (default: now)")
    _output(p, ("table", "json"))
    p.add_argument("--json", action="store_const", dest="format", const="json", help="the same as --format json")
    _network(p)
    _trust_option(p)


def _log(commands: Commands) -> None:
    p = _command(commands, "log", "read the logs of Google's sync tools, and say what failed and why", LOG_EPILOG)
    p.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="files, folders or patterns, - for standard input; without any, on Windows, where the tools keep them",
    )
    p.add_argument("--since", metavar="TIME", help="leave out earlier failures")
    p.add_argument("--until", metavar="TIME", help="leave out later failures")
    p.add_argument(
        "--follow",
        action="store_true",
        help="go on reading, new files of a folder too, and show each failure as it is written",
    )
    _output(p, ("table", "json", "jsonl", "ticket"))
    _verbose(p)
    _redact_option(p)
    _trust_option(p)
    _catalogue_option(p)


def _doctor(commands: Commands) -> None:
    help_ = "look at this machine and ask nobody: proxies, clock, trust stores and who is in them, settings"
    p = _command(commands, "doctor", help_, DOCTOR_EPILOG)
    p.add_argument(
        "--unredacted", action="store_true", help="show the names of the user, the machine and the company as they are"
    )
    _output(p, ("table", "json"))
    _trust_option(p)


def _trust(commands: Commands) -> None:
    p = _command(commands, "trust", "show or verify the data everything is judged by")
    p.add_argument("action", choices=("list", "verify"))
    _output(p, ("table", "json"))
    _trust_option(p)


def _cache(commands: Commands) -> None:
    p = _command(commands, "cache", "show or clear the revocation lists and answers kept from earlier scans")
    p.add_argument("action", choices=("show", "clear"))
    _output(p, ("table", "json"))


def _demo(commands: Commands) -> None:
    p = _command(commands, "demo", "scan an embedded network on loopback, with an interceptor and other troubles")
    p.add_argument("-o", "--output", metavar="FILE", help="write the result here instead of standard output")
    _verbose(p)


def _network(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--proxy",
        default="auto",
        metavar="auto|none|system|pac:FILE|pac:URL|wpad|URL",
        help="auto takes the environment's, or else the system's (default); URLs are http, https, socks5 or socks5h",
    )
    p.add_argument(
        "--resolve",
        action="append",
        default=[],
        metavar="HOST:PORT:ADDRESS[:PORT]",
        help="connect here for that host and port; may be repeated",
    )
    p.add_argument("--timeout", type=float, default=15.0, metavar="S", help="for each attempt as a whole (15)")


def _fetching(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--offline",
        action="store_true",
        help="handshakes only: ask nobody for revocation or the time; the cache counts",
    )
    p.add_argument("--no-cache", action="store_true", help="neither use nor keep what is fetched for revocation")
    p.add_argument("--no-time-service", action="store_true", help="do not ask Google's signed time service")
    p.add_argument(
        "--reverse-dns", action="store_true", help="also ask for the reverse names of the addresses; they have no vote"
    )
    p.add_argument(
        "--allow-private-fetch",
        action="store_true",
        help="follow revocation addresses into private networks (laboratories)",
    )


def _output(p: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    p.add_argument("--format", choices=formats, default="table", help="(table)")
    p.add_argument("-o", "--output", metavar="FILE", help="write the result here instead of standard output")


def _verbose(p: argparse.ArgumentParser) -> None:
    p.add_argument("-v", "--verbose", action="store_true", help="show every finding in the table")


def _witness(p: argparse.ArgumentParser) -> None:
    p.add_argument("--witness", action="store_true", help="also ask OpenSSL and certvalidator; they have no vote")


def _catalogue_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--interceptors",
        metavar="FILE",
        help="interceptors of your own, in the form of trust/interceptors.toml; they come before the known ones",
    )


def _redact_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--redact",
        action="store_true",
        help="take out what names a company, a user, a machine or a private address; products and hosts asked for stay",
    )


def _trust_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--trust", metavar="DIR|PEM", help="judge by this data, or by roots that stand in for Google's (labs)"
    )
