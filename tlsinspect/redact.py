"""Taking out of a report what is nobody else's business: users, machines, tenants, serial numbers.

What is private is found by whoever knows it and given here as a table; this only replaces it, wherever it stands.
"""

import getpass
import re
import socket
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")
SHORTEST = 3  # characters: what is shorter stands in other words too
EVERYBODY = {"root", "admin", "administrator", "user"}  # names of nobody, and words that stand elsewhere too


def of_this_machine() -> dict[str, str]:
    """What would name this machine and its user, and what stands for it."""
    found = {"the-home-folder": _home(), "the-user": _user(), "the-machine": socket.gethostname()}
    short = found["the-machine"].partition(".")[0]
    return {secret: f"<{name}>" for name, secret in (*found.items(), ("the-machine", short)) if secret}


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return ""
    return "" if name.casefold() in EVERYBODY else name


def scrub(noun: T, secrets: Mapping[str, str]) -> T:
    """`noun` (of `model`, or a string, or a tuple or mapping of them) with every secret replaced, whatever its case.

    A secret counts where it stands alone, not inside a longer word. Shorter ones than SHORTEST are left; so are bytes.
    """
    known = {secret.casefold(): shown for secret, shown in secrets.items() if len(secret) >= SHORTEST}
    if not known:
        return noun
    # As it is too: where folding changes letters (ß), no expression finds the one by the other.
    longest_first = sorted({*known, *secrets} - {s for s in secrets if len(s) < SHORTEST}, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)
    return cast(T, _scrubbed(noun, pattern, known))


def _scrubbed(value: Any, pattern: re.Pattern[str], known: Mapping[str, str]) -> Any:
    if type(value) is str:  # the strings of an enumeration are ours
        return pattern.sub(lambda found: known.get(found.group().casefold(), "<private>"), value)
    if isinstance(value, tuple):
        return tuple(_scrubbed(v, pattern, known) for v in value)
    if isinstance(value, Mapping):
        return {key: _scrubbed(v, pattern, known) for key, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _scrubbed(getattr(value, f.name), pattern, known) for f in fields(value)})
    return value
