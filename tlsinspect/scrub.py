"""Taking out of a report what is nobody else's business: users, machines, tenants, serial numbers.

What is private is found by whoever knows it and given here as a table; this only replaces it, wherever it stands.
"""

import getpass
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")
SHORTEST = 3  # characters: what is shorter stands in other words too
EVERYBODY = {"root", "admin", "administrator", "user", "localhost"}  # names nobody, and stands elsewhere too


def of_this_machine() -> dict[str, str]:
    """What would name this machine and its user, and what stands for it."""
    machine = socket.gethostname()
    named = {_home(): "home-folder", user(): "user", machine: "machine", machine.partition(".")[0]: "machine"}
    return {name: f"<the-{what}>" for name, what in named.items() if name and name.casefold() not in EVERYBODY}


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def user() -> str:
    """The name under which this process runs, as far as the system says."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def scrub(noun: T, secrets: Mapping[str, str]) -> T:
    """`noun` with every secret replaced, whatever its case.

    A secret counts where it stands alone, not inside a longer word. Shorter ones than SHORTEST are left.
    """
    known = {secret.casefold(): shown for secret, shown in secrets.items() if len(secret) >= SHORTEST}
    if not known:
        return noun
    # As it is too: where folding changes letters (ß), no expression finds the one by the other.
    longest_first = sorted({*known, *secrets} - {s for s in secrets if len(s) < SHORTEST}, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)
    return each_text(noun, lambda text: pattern.sub(lambda m: known.get(m.group().casefold(), "<private>"), text))


def each_text(noun: T, rule: Callable[[str], str]) -> T:
    """`noun` (of `model`, or a string, or a tuple or mapping of them) with every text in it as `rule` has it. Octets
    are left; so are the strings of an enumeration, which are ours."""

    def walked(value: Any) -> Any:
        if type(value) is str:
            return rule(value)
        if isinstance(value, tuple):
            return tuple(map(walked, value))
        if isinstance(value, Mapping):
            return {key: walked(each) for key, each in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{f.name: walked(getattr(value, f.name)) for f in fields(value)})
        return value

    return cast(T, walked(noun))
