"""``--export-ca FILE``"""

from pathlib import Path

from tlsinspect.cli import fail
from tlsinspect.cli.output import destination
from tlsinspect.errors import UsageError
from tlsinspect.files import exists
from tlsinspect.model import Report
from tlsinspect.report.authorities import exportable, missing, pem


def check_export(name: str, output: str | None) -> None:
    """Refuse, before anything is sent, a name that could not be written to. Raises UsageError."""
    if name == "-":
        raise UsageError("--export-ca needs the name of a file: standard output is for the result")
    if output is not None and output != "-" and _same(Path(name), Path(output)):
        raise UsageError(f"--export-ca and --output both name {name}")
    path = Path(name)
    if not name or not exists(path.parent) or (exists(path) and path.is_dir()):
        raise UsageError(f"--export-ca {name}: cannot be written (no such folder, or a folder itself)")


def _same(one: Path, other: Path) -> bool:
    """Whether two names lead to one file, however they are written, be it there or not yet."""
    try:
        return one.resolve() == other.resolve() or (exists(one) and exists(other) and one.samefile(other))
    except (OSError, ValueError, RuntimeError):  # names of no file, and links that lead to themselves
        return False


def export(report: Report, name: str) -> None:
    """Write the authorities there are, and say on standard error what is missing and why. Raises UsageError."""
    for sentence in missing(report.roots):
        fail(sentence)
    if not exportable(report.roots):
        why = "nothing that could be exported was seen" if report.roots else "nothing is intercepted"
        fail(f"{why}: {name} is not written")
        return
    with destination(name) as out:
        out.write(pem(report.roots))
