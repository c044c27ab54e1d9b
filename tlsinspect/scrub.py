"""Taking out of a report what is nobody else's business: users, machines, tenants, serial numbers.

What is private is found by whoever knows it and given here as a table; this only replaces it, wherever it stands.
"""

import getpass
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
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
    known = {secret: shown for secret, shown in secrets.items() if len(secret) >= SHORTEST}
    return each_text(noun, replacing(known)) if known else noun


Rule = Callable[[str], str]
_PIECE = re.compile(r"\w+|\W")  # a word, or one sign between words


@dataclass(slots=True)
class _Branch:
    """Where secrets go on that begin alike, and what stands for those that end here."""

    onward: dict[str, "_Branch"] = field(default_factory=dict)
    shown: str | None = None
    as_spelt: dict[str, str] = field(default_factory=dict)


def replacing(secrets: Mapping[str, str], as_spelt: Mapping[str, str] | None = None) -> Rule:
    """The rule that replaces secrets in a text, in whatever case; those in `as_spelt` only as they are spelt. Of all
    that begin at one place the longest counts.

    Whoever makes certificates has a say in their number: they become one tree, and a text is gone through once.
    """
    tree = _Branch()
    for secret, shown in secrets.items():
        _grown(tree, secret).shown = shown
    for secret, shown in (as_spelt or {}).items():
        _grown(tree, secret).as_spelt[secret] = shown

    def rule(text: str) -> str:
        pieces = _PIECE.findall(text)
        folded = [piece.casefold() for piece in pieces]
        if tree.onward.keys().isdisjoint(folded):
            return text
        written, at = [], 0
        while at < len(pieces):
            size, shown = _longest(tree, pieces, folded, at)
            written.append(shown if size else pieces[at])
            at += size or 1
        return "".join(written)

    return rule


def _grown(tree: _Branch, secret: str) -> _Branch:
    for piece in _PIECE.findall(secret):
        tree = tree.onward.setdefault(piece.casefold(), _Branch())
    return tree


def _longest(tree: _Branch, pieces: Sequence[str], folded: Sequence[str], begin: int) -> tuple[int, str]:
    """How many pieces the longest secret takes that stands alone here, and what stands for it; 0 where none does."""
    size, found = 0, ""
    if begin and not _is_word(pieces[begin]) and _is_word(pieces[begin - 1]):
        return size, found
    for end in range(begin, len(pieces)):
        branch = tree.onward.get(folded[end])
        if branch is None:
            break
        tree = branch
        alone = end + 1 == len(pieces) or _is_word(pieces[end]) or not _is_word(pieces[end + 1])
        if alone and (branch.shown is not None or branch.as_spelt):
            shown = branch.as_spelt.get("".join(pieces[begin : end + 1]), branch.shown)
            size, found = (end + 1 - begin, shown) if shown is not None else (size, found)
    return size, found


def _is_word(piece: str) -> bool:
    return piece[0].isalnum() or piece[0] == "_"


def each_text(noun: T, rule: Rule) -> T:
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
