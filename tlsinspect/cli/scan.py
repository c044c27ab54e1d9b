"""``tlsinspect scan``"""

import argparse
import threading
from collections.abc import Iterator
from pathlib import Path

from tlsinspect.cli.output import destination, progress, read_time, write_report
from tlsinspect.conductor import execute, prepare
from tlsinspect.endpoints import Profile, lines_of
from tlsinspect.errors import UsageError
from tlsinspect.files import exists, read_text
from tlsinspect.model import Report
from tlsinspect.report import exit_status
from tlsinspect.trust import Trust


def run(arguments: argparse.Namespace) -> int:
    if arguments.targets and arguments.profile is not None:
        raise UsageError("name targets or a profile, not both")
    if arguments.export_ca is not None:
        from tlsinspect.cli.export import check_export

        check_export(arguments.export_ca, arguments.output)
    prepared = prepare(
        list(_targets(arguments.targets)) if arguments.targets else None,
        profile="gwsmo" if arguments.profile is None else arguments.profile,
        trust=arguments.trust,
        interceptors=arguments.interceptors,
        proxy=arguments.proxy,
        resolve=arguments.resolve,
        timeout=arguments.timeout,
        concurrency=arguments.concurrency,
        repeat=arguments.repeat,
        compare_routes=arguments.compare_routes,
        slices=[kind for kind in arguments.slices.split(",") if kind],
        probe=arguments.probe,
        control=arguments.control,
        inspected=arguments.inspected,
        witness=arguments.witness,
        offline=arguments.offline,
        cache=not arguments.no_cache,
        time_service=not arguments.no_time_service,
        reverse_dns=arguments.reverse_dns,
        allow_private_fetch=arguments.allow_private_fetch,
        at=read_time(arguments.at) if arguments.at is not None else None,
    )
    profile = _anonymous(prepared.profile) if arguments.redact else prepared.profile
    title = profile.title + ("" if arguments.targets else f" ({profile.name})")
    threading.Thread(target=_load_ahead, args=(prepared.trust,), daemon=True).start()
    with destination(arguments.output) as out:
        with progress() as prepared.options["progress"]:
            report = execute(prepared)
        shown = _redacted(report, prepared.trust) if arguments.redact else report
        write_report(shown, arguments.format, title, out, verbose=arguments.verbose)
    if arguments.export_ca is not None:
        from tlsinspect.cli.export import export

        export(report, arguments.export_ca)
    return exit_status(report)


def _redacted(report: Report, trust: Trust) -> Report:
    from tlsinspect.redaction import redacted

    return redacted(report, trust)


def _anonymous(profile: Profile) -> Profile:
    from tlsinspect.redaction import anonymous

    return anonymous(profile)


def _load_ahead(trust: Trust) -> None:
    """Load what the judge and the table need while the network is waited for."""
    from tlsinspect.evidence.catalogue import catalogue_of
    from tlsinspect.judge.words import wording

    wording(), catalogue_of(trust), trust.google.store, trust.ct_logs


def _targets(typed: list[str]) -> Iterator[str]:
    for text in typed:
        listed = "-" if text == "-" else text[1:] if text.startswith("@") else text if _is_path(text) else None
        if listed is None:
            yield text
        else:
            yield from lines_of(read_text(listed))


def _is_path(text: str) -> bool:
    """Whether a word is the name of a list rather than a host: by its looks, or because there is such a file."""
    if "://" in text:
        return False
    looks_so = text.startswith((".", "/", "\\")) or text.endswith(".txt")
    return looks_so or (("/" in text or "\\" in text) and exists(Path(text)))
