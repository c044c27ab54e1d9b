"""What to scan: profiles as data, targets as people type them.

`targets` reads what is typed, `profile` what is listed; both give rows, and `gather` folds rows into endpoints, one for
each host and port, so that a host is shaken hands with once however many URLs name it.
"""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from tlsinspect.endpoints.target import Target, read_target
from tlsinspect.errors import ProfileError, UsageError
from tlsinspect.files import exists, read_text
from tlsinspect.model import Authority, Endpoint, Row
from tlsinspect.text import printable

MAX_ENDPOINTS = 100_000
TARGETS = "targets"  # the name of what was typed and stands in no profile
EXPECTATIONS = ("exempt", "inspected", "any")
_HEAD = {"schema_version", "name", "title", "source", "date", "completeness", "authority", "authority_file", "endpoint"}
_ROW = {
    "url", "purpose", "required", "pattern", "source", "date", "completeness", "authority", "authority_file",
    "expectation",
}  # fmt: skip


@dataclass(frozen=True)
class Profile:
    name: str
    title: str
    endpoints: tuple[Endpoint, ...]


def shipped_profiles() -> list[str]:
    """The names of the profiles that come with tlsinspect."""
    folder = files("tlsinspect.endpoints")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_profile(name_or_file: str) -> Profile:
    """A shipped profile by name, or a TOML file. Raises UsageError."""
    if name_or_file in shipped_profiles():
        text = files("tlsinspect.endpoints").joinpath(f"{name_or_file}.toml").read_text(encoding="utf-8")
        return _profile(name_or_file, text, Path())
    path = Path(name_or_file)
    if not path.suffix and not exists(path):
        named = printable(name_or_file, 60)
        raise ProfileError(f"no profile {named!r}: there are {', '.join(shipped_profiles())}, or name a file")
    return _profile(name_or_file, read_text(path), path.parent)


def _profile(where: str, text: str, folder: Path) -> Profile:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{where}: not TOML ({error})") from None
    _only(raw, _HEAD, where)
    if raw.get("schema_version", 1) != 1:
        raise ProfileError(f"{where}: schema_version {raw['schema_version']} is newer than this tlsinspect knows")
    rows = raw.get("endpoint")
    if not isinstance(rows, list) or not rows:
        raise ProfileError(f"{where}: holds no [[endpoint]]")
    name = str(raw.get("name", Path(where).stem))
    endpoints = [_endpoint(row, raw, name, f"{where}: endpoint {i}", folder) for i, row in enumerate(rows, 1)]
    return Profile(name, str(raw.get("title", name)), gather(endpoints))


def _endpoint(row: Any, head: dict[str, Any], profile: str, where: str, folder: Path) -> Endpoint:
    if not isinstance(row, dict):
        raise ProfileError(f"{where}: is not a table")
    _only(row, _ROW, where)
    merged = {key: row.get(key, head.get(key)) for key in _ROW}
    target = _target(merged, where)
    return Endpoint(
        host=target.host,
        port=target.port,
        tls=target.tls,
        authority=_authority(merged, where),
        rows=(
            Row(
                url=_text(merged, "url", where),
                purpose=_text(merged, "purpose", where),
                profile=profile,
                required=_flag(row, where),
                pattern=_text(merged, "pattern", where) or None,
                source=_text(merged, "source", where),
                date=_text(merged, "date", where),
                completeness=_text(merged, "completeness", where),
            ),
        ),
        expectation=_one_of(merged, "expectation", EXPECTATIONS, "exempt", where),
        authority_file=_authority_file(merged, where, folder),
    )


def _target(row: dict[str, Any], where: str) -> Target:
    try:
        return read_target(_text(row, "url", where))
    except UsageError as error:
        raise ProfileError(f"{where}: {error}") from None


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ProfileError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if key == "date":  # TOML has dates of its own
        return str(value)
    raise ProfileError(f"{where}: {key} must be a string")


def _flag(row: dict[str, Any], where: str) -> bool:
    value = row.get("required", True)
    if not isinstance(value, bool):
        raise ProfileError(f"{where}: required must be true or false")
    return value


def _one_of(row: dict[str, Any], key: str, known: Iterable[str], default: str, where: str) -> str:
    value = _text(row, key, where) or default
    if value not in known:
        raise ProfileError(f"{where}: {key} must be one of {', '.join(known)}")
    return value


def _authority(row: dict[str, Any], where: str) -> Authority:
    return Authority(_one_of(row, "authority", [a.value for a in Authority], "google", where))


def _authority_file(row: dict[str, Any], where: str, folder: Path) -> str | None:
    name = _text(row, "authority_file", where)
    if (_authority(row, where) is Authority.FILE) != bool(name):
        raise ProfileError(f'{where}: authority = "file" and authority_file go together')
    return str(folder / name) if name else None


def targets(typed: Iterable[str], is_google: Callable[[str], bool]) -> Profile:
    """Endpoints from what was typed: hosts, host:port, URLs. Who must have signed follows from the name.

    Raises UsageError, naming the first thing that is no target.
    """
    endpoints = []
    for text in typed:
        target = read_target(text)
        authority = Authority.GOOGLE if is_google(target.host) else Authority.PUBLIC
        row = Row(url=target.url, source="given")
        endpoints.append(Endpoint(target.host, target.port, target.tls, authority, (row,)))
    if not endpoints:
        raise UsageError("nothing to scan: name a host, or a profile with --profile")
    if len(endpoints) > MAX_ENDPOINTS:
        raise UsageError(f"more than {MAX_ENDPOINTS} targets")
    return Profile(TARGETS, "Targets", gather(endpoints))


def with_controls(
    profile: Profile, controls: Sequence[str], inspected: Sequence[str], is_google: Callable[[str], bool]
) -> Profile:
    """`profile` with hosts to compare with: any, and such as are known to be inspected. Raises UsageError."""
    known = {(e.host, e.port, e.tls) for e in profile.endpoints}
    both = {text for text in controls if text in set(inspected)}
    if both:
        raise UsageError(f"{printable(min(both))}: is either a control or known to be inspected")
    added = []
    for typed, expectation in ((controls, "any"), (inspected, "inspected")):
        for text in typed:
            (endpoint,) = targets([text], is_google).endpoints
            if not endpoint.tls:
                raise UsageError(
                    f"{printable(text)}: only hosts over TLS can be compared with (--control, --inspected)"
                )
            row = replace(endpoint.rows[0], purpose="Control", required=False)
            if (endpoint.host, endpoint.port, endpoint.tls) not in known:
                added.append(replace(endpoint, expectation=expectation, rows=(row,)))
            elif expectation == "inspected":
                raise UsageError(f"{endpoint.host}: cannot be scanned and known to be inspected at once (--inspected)")
    return replace(profile, endpoints=gather((*profile.endpoints, *added))) if added else profile


def lines_of(text: str) -> list[str]:
    """The targets in a list, one a line; what follows # is a comment."""
    return [line for raw in text.splitlines() if (line := raw.partition("#")[0].strip())]


def gather(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """One endpoint for each host and port, in the order first named, with all its rows."""
    found: dict[tuple[str, int, bool], Endpoint] = {}
    for endpoint in endpoints:
        key = (endpoint.host, endpoint.port, endpoint.tls)
        known = found.setdefault(key, replace(endpoint, rows=()))
        if replace(endpoint, rows=()) != replace(known, rows=()):
            raise ProfileError(f"{endpoint.host}:{endpoint.port}: its rows name different authorities or expectations")
        found[key] = replace(known, rows=known.rows + endpoint.rows)
    return tuple(found.values())
