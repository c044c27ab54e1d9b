"""The catalogue of interceptors, read strictly: `trust/interceptors.toml` and a file of the same form that a user adds.

A row that is not what it should be is an error that names the row, never a row that silently matches nothing. Nobody
can be kept busy by expressions: all of a file together can be tried in a bounded number of ways on a value, and a value
longer than LONGEST is no name of a product.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from tlsinspect.certificate import quietly
from tlsinspect.errors import TrustDataError, UsageError
from tlsinspect.files import read_bytes
from tlsinspect.model import Severity
from tlsinspect.text import printable
from tlsinspect.trust import Tables, Trust, tables_in

FILE = "interceptors.toml"
MAX_FILE = 1024 * 1024
MAX_ROWS = 1000  # of one table
LONGEST = 256  # characters of a value that is compared; RFC 5280 allows at most 128 in the attributes looked at
LABELS = frozenset({"CN", "O", "OU", "C", "ST", "L", "DC", "email", "serialNumber", "street", "UID"})
CERTAINTIES = ("verified-source", "vendor-doc", "observed", "reported", "unconfirmed")
UNVERIFIED = "issuer-signature-not-verified"
ListedCode = Literal["known-forgery", "leaked-key", "state-interception"]


@dataclass(frozen=True)
class Row:
    """One product, and the names and hashes it is known by."""

    id: str
    product: str
    vendor: str
    kind: str
    certainty: str
    severity: Severity
    requires: str
    issuer: Mapping[str, re.Pattern[str]]
    subject: Mapping[str, re.Pattern[str]]
    hashes: frozenset[str]  # certificate SHA-1 and SHA-256 and SPKI SHA-256, hex


@dataclass(frozen=True)
class Listed:
    """A certificate or key that decides by itself."""

    code: ListedCode
    name: str
    incident: str


@dataclass(frozen=True)
class Catalogue:
    """Everything in it, ready to be asked."""

    rows: tuple[Row, ...]  # the first that fits counts
    listed: Mapping[str, Listed]  # by every hash
    portal_keys: frozenset[str]  # SPKI SHA-256
    ports: Mapping[int, tuple[str, ...]]  # products that listen there unless they are told otherwise

    def row(self, id_: str) -> Row | None:
        return next((row for row in self.rows if row.id == id_), None)


@lru_cache(maxsize=4)
def catalogue_of(trust: Trust) -> Catalogue:
    """The catalogue of `trust`, with the rows the user added before the shipped ones. Raises TrustDataError."""
    severities = kinds_of(trust)
    shipped = _check(trust.interceptors, FILE, severities)
    own = _check(trust.added, trust.added_name, severities, own=True) if trust.added else {}
    _check_keys(own, trust)
    replaced = {row["id"] for row in own.get("interceptor", ())}
    kept = [row for row in shipped["interceptor"] if row["id"] not in replaced]
    ids = replaced | {row["id"] for row in kept}
    _check_references(shipped, FILE, ids)
    _check_references(own, trust.added_name, ids)
    raw = {table: [*own.get(table, ()), *shipped.get(table, ())] for table in _COLUMNS}
    rows = tuple(_row(each, severities) for each in (*own.get("interceptor", ()), *kept))
    return Catalogue(
        rows=rows,
        listed=_lists(raw),
        portal_keys=frozenset(row["spki_sha256"].lower() for row in raw["captive_portal_spki"]),
        ports=_ports(raw["local_port_hint"], {row.id: row.product.partition(" (")[0] for row in rows}),
    )


def _ports(hints: Iterable[Mapping[str, Any]], products: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for hint in hints:
        if hint["interceptor"] in products:
            found[hint["port"]] = (*found.get(hint["port"], ()), products[hint["interceptor"]])
    return found


def with_interceptors(trust: Trust, path: str | Path) -> Trust:
    """`trust` with the rows of a user's file before the shipped ones. Raises TrustDataError naming what is wrong."""
    name = printable(str(path))
    try:
        content = read_bytes(path)
    except UsageError as error:
        raise TrustDataError(str(error)) from None
    if len(content) > MAX_FILE:
        raise TrustDataError(f"{name}: larger than {MAX_FILE // 1024 // 1024} MB")
    added = trust.with_added(name, tables_in(name, content), content)
    catalogue_of(added)
    return added


def kinds_of(trust: Trust) -> dict[str, Severity]:
    """The kinds of products there are, and how bad it is to meet one. A user's file cannot add to them."""
    try:
        return {row["id"]: Severity(row["severity"]) for row in trust.interceptors["kind"]}
    except (KeyError, ValueError, TypeError) as error:
        raise TrustDataError(f"{FILE}: [[kind]] is not what it should be ({printable(str(error))})") from None


def _row(raw: Mapping[str, Any], severities: Mapping[str, Severity]) -> Row:
    return Row(
        id=raw["id"],
        product=raw["product"],
        vendor=raw["vendor"],
        kind=raw["kind"],
        certainty=raw["certainty"],
        severity=Severity(raw["severity"]) if "severity" in raw else severities[raw["kind"]],
        requires=raw.get("requires", ""),
        issuer={label: quietly(re.compile, p) for label, p in raw.get("issuer_patterns", {}).items()},
        subject={label: quietly(re.compile, p) for label, p in raw.get("subject_patterns", {}).items()},
        hashes=frozenset(h.lower() for column in _HASHES for h in raw.get(column, ())),
    )


_LISTS: tuple[tuple[ListedCode, str, str, str], ...] = (  # code, table, and its columns for name and incident
    ("known-forgery", "known_forgery", "subject", "incident"),
    ("leaked-key", "leaked_key", "name", "source"),
    ("state-interception", "state_key", "name", "source"),
)


def _lists(raw: Mapping[str, list[dict[str, Any]]]) -> dict[str, Listed]:
    """Every listed certificate and key by its hashes."""
    found: dict[str, Listed] = {}
    for code, table, name, incident in _LISTS:
        for row in raw[table]:
            for column in _HASHES:
                if row.get(column):
                    found.setdefault(row[column].lower(), Listed(code, row[name], row[incident]))
    return found


# -- expressions ----------------------------------------------------------------------------------------------------

_MAX_PATTERN = 300  # characters
_MOST_WORK = 1 << 24  # characters to look at in a value of LONGEST, by `_work`: of one expression, and of a whole file
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)  # an escape or a class: one character of the text
_OPEN = re.compile(r"[*+]|\{\d*,\d*\}")
_OPTIONAL = re.compile(r"(?<![*+}(])\?")
_FOREIGN = (
    (re.compile(r"\\[1-9]|\(\?P="), "refers back to itself"),
    (re.compile(r"\(\?(?![:i])|\(\?i(?!\))"), "uses a group that looks around or names something"),
    (re.compile(r"\)(?:[*+]|\{)"), "repeats a group"),
)


def checked(pattern: str) -> str | None:
    """Why an expression is not allowed, or None: it must compile, fit no empty value, and be quick on any value."""
    if len(pattern) > _MAX_PATTERN:
        return f"is longer than {_MAX_PATTERN} characters"
    try:
        matches_nothing = quietly(re.compile, pattern).fullmatch("")
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression ({error})"
    if matches_nothing:
        return "fits an empty value"
    if re.search(r"\\[1-9]", pattern.replace("\\\\", "")):
        return _FOREIGN[0][1]
    plain = _ATOM.sub("x", pattern)
    foreign = next((why for shape, why in _FOREIGN if shape.search(plain)), None)
    if foreign:
        return foreign
    if any(int(n) > 64 for n in re.findall(r"\{(\d+)\}", plain)):
        return "repeats something more than 64 times"
    return "could be kept busy by a long value" if _work(pattern) > _MOST_WORK else None


def _work(pattern: str) -> int:
    """How many characters may be looked at before an expression fails on one value: in every way in which it can be
    tried all that it spells out. Every open repetition may end anywhere, what is optional is there or not, and each
    group has its alternatives."""
    plain = _ATOM.sub("x", pattern)
    ways: int = LONGEST ** len(_OPEN.findall(plain)) * 2 ** len(_OPTIONAL.findall(plain))
    groups: list[int] = []
    for sign in plain:
        if sign == "(":
            groups.append(1)
        elif sign == "|" and groups:
            groups[-1] += 1
        elif sign == ")":
            ways *= groups.pop()
    spelt = sum(int(n) - 1 for n in re.findall(r"\{(\d+)\}", plain)) + len(re.sub(r"\{[^}]*\}|[()|?*+]", "", plain))
    return ways * max(1, spelt)


def is_closed(pattern: str) -> bool:
    """Whether an expression fits only values it spells out itself, however it groups them: nothing of a customer's can
    be in such a value."""
    escaped = re.sub(r"\\[^\w]", "x", pattern)
    return not re.search(r"[.\[*+{\\]", escaped)


# -- what a row may hold --------------------------------------------------------------------------------------------

Check = Callable[[Any], "str | None"]  # what is wrong with a value, or None


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return "must be text"
    return None if printable(value, len(value)) == value else "must be text of printable characters"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _port(value: Any) -> str | None:
    return None if type(value) is int and 0 < value < 65536 else "must be a port"


def _id(value: Any) -> str | None:
    fits = isinstance(value, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value)
    return None if fits and len(value) <= 64 else "must be small letters and digits, joined by hyphens"


def _one_of(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"must be one of: {', '.join(allowed)}"


def _hash(size: int) -> Check:
    def check(value: Any) -> str | None:
        fits = isinstance(value, str) and re.fullmatch(rf"[0-9A-Fa-f]{{{size}}}", value)
        return None if fits else f"must be {size} hexadecimal digits"

    return check


def _list_of(check: Check) -> Check:
    def each(value: Any) -> str | None:
        return next(filter(None, map(check, value)), None) if isinstance(value, list) else "must be a list"

    return each


def _patterns(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "must be a table of attributes"
    for label, pattern in value.items():
        if label not in LABELS:
            return f"names {printable(label)}, which is none of: {', '.join(sorted(LABELS))}"
        why = checked(pattern) if isinstance(pattern, str) else "must be text"
        if why:
            return f"{label}: the expression {why}"
    return None


def _example(value: Any) -> str | None:
    fits = isinstance(value, dict) and set(value) <= LABELS and all(isinstance(v, str) for v in value.values())
    return None if fits else "must be tables of attributes"


_SHA1, _SHA256 = _hash(40), _hash(64)
_HASHES = ("sha1", "sha256", "spki_sha256")
_LISTED: dict[str, Check] = dict(zip(_HASHES, (_SHA1, _SHA256, _SHA256), strict=True))
_SEVERITIES = _one_of(*Severity)
_COLUMNS: dict[str, dict[str, Check]] = {
    "interceptor": {
        "id": _id,
        "product": _text,
        "vendor": _text,
        "kind": _text,  # one of the file's own: see `_check`
        "certainty": _one_of(*CERTAINTIES),
        "source": _text,
        "issuer_patterns": _patterns,
        "subject_patterns": _patterns,
        "requires": _one_of(UNVERIFIED),
        "severity": _SEVERITIES,
        "examples": _list_of(_example),
        "meaning": _text,
        "leaf_profile": _text,
        "note": _text,
        **{column: _list_of(check) for column, check in _LISTED.items()},
    },
    "kind": {"id": _id, "severity": _SEVERITIES, "source": _text},
    "leaked_key": {"name": _text, "interceptor": _id, "source": _text, **_LISTED},
    "state_key": {"name": _text, "interceptor": _id, "source": _text, **_LISTED},
    "known_forgery": {
        "subject": _text,
        "role": _one_of("leaf", "issuer"),
        "incident": _text,
        "source": _text,
        "precertificate": _flag,
        **_LISTED,
    },
    "captive_portal_spki": {"name": _text, "spki_sha256": _SHA256, "source": _text},
    "local_port_hint": {"interceptor": _id, "port": _port, "source": _text},
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "interceptor": ("id", "product", "vendor", "kind", "certainty", "source"),
    "kind": ("id", "severity"),
    "leaked_key": ("name", "source"),
    "state_key": ("name", "source"),
    "known_forgery": ("subject", "role", "incident", "source"),
    "captive_portal_spki": ("name", "spki_sha256", "source"),
    "local_port_hint": ("interceptor", "port", "source"),
}
_PATTERNS = ("issuer_patterns", "subject_patterns")
_MATCHING = (*_PATTERNS, *_HASHES)  # without any of them a row would never count


def _check(raw: Tables, file: str, kinds: Iterable[str], *, own: bool = False) -> Tables:
    """`raw`, which is what it should be. Raises TrustDataError naming the row. A user's `own` file adds no kinds."""
    known = set(kinds)
    tables = [table for table in _COLUMNS if table != "kind" or not own]
    for table, rows in raw.items():
        if table not in tables:
            raise TrustDataError(f"{file}: there is no [[{printable(table)}]]; there are: {', '.join(tables)}")
        if len(rows) > MAX_ROWS:
            raise TrustDataError(f"{file}: more than {MAX_ROWS} rows of [[{table}]]")
        for number, row in enumerate(rows, 1):
            why = _wrong(table, row) or (_wrong_product(row, known) if table == "interceptor" else None)
            if why:
                raise TrustDataError(f"{file}: [[{table}]] {_named(row, number)}: {why}")
    ids = [row["id"] for row in raw.get("interceptor", ())]
    counted = Counter(ids)
    twice = next((each for each in ids if counted[each] > 1), None)
    if twice:
        raise TrustDataError(f"{file}: [[interceptor]] {twice}: the id is used twice")
    work = 0
    for row in raw.get("interceptor", ()):
        work += sum(_work(p) for column in _PATTERNS for p in row.get(column, {}).values())
        if work > _MOST_WORK:
            raise TrustDataError(f"{file}: [[interceptor]] {row['id']}: from here on the expressions are too much work")
    return raw


def _check_references(raw: Tables, file: str, ids: set[str]) -> None:
    """Every row that names a product names one there is. Raises TrustDataError."""
    for table, rows in raw.items():
        for number, row in enumerate(rows, 1):
            if "interceptor" in row and row["interceptor"] not in ids:
                unknown = printable(row["interceptor"])
                raise TrustDataError(f"{file}: [[{table}]] {_named(row, number)}: there is no interceptor {unknown}")


def _check_keys(own: Tables, trust: Trust) -> None:
    """No list of a user's own holds what we go by: nothing genuine may be called intercepted. Raises TrustDataError."""
    rows = [(table, *each) for _, table, *_ in _LISTS for each in enumerate(own.get(table, ()), 1)]
    trusted = _trusted(trust) if rows else {}
    for table, number, row in rows:
        title = next((trusted[row[c].lower()] for c in _HASHES if row.get(c, "").lower() in trusted), None)
        if title is not None:
            why = f"it lists {printable(title, 80)}, which genuine certificates lead to"
            raise TrustDataError(f"{trust.added_name}: [[{table}]] {_named(row, number)}: {why}")


def _trusted(trust: Trust) -> dict[str, str]:
    """The anchors and Google's intermediates by every hash that is known of them, and their names."""
    anchors = [c for tier in (trust.google, trust.alternate, trust.historical, trust.public) for c in tier.certificates]
    found = {digest: c.title for c in anchors for digest in (c.sha1, c.sha256, c.spki_sha256)}
    return found | {each.spki_sha256: each.cn for each in trust.intermediates}


def _wrong(table: str, row: Mapping[str, Any]) -> str | None:
    columns = _COLUMNS[table]
    missing = next((name for name in _NEEDED[table] if name not in row), None)
    if missing:
        return f"lacks {missing}"
    for name, value in row.items():
        if name not in columns:
            return f"there is no {printable(name)}; there are: {', '.join(columns)}"
        why = columns[name](value)
        if why:
            return f"{name} {why}"
    if {*_HASHES, "port", "severity"}.isdisjoint(row) and table != "interceptor":
        return f"lacks all of: {', '.join(_HASHES)}"
    return None


def _wrong_product(row: Mapping[str, Any], kinds: set[str]) -> str | None:
    if row["kind"] not in kinds:
        return f"kind must be one of: {', '.join(sorted(kinds))}"
    return None if any(row.get(each) for each in _MATCHING) else f"needs one of: {', '.join(_MATCHING)}"


def _named(row: Mapping[str, Any], number: int) -> str:
    name = next((row[each] for each in ("id", "name", "subject") if isinstance(row.get(each), str)), None)
    return printable(cast(str, name), 80) if name else f"number {number}"
