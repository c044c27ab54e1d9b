"""What a proxy script may call: the functions that Netscape's format of 1996 names, and Microsoft's for IPv6.

Everything a script gives is taken as text; nothing here raises. The clock, and who looks names up, are given.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

Functions = dict[str, Callable[..., Any]]
LookUp = Callable[[str], Sequence[str]]  # every address of a name, or none

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LONGEST_PATTERN = 1000


def functions(look_up: LookUp, my_addresses: Callable[[], Sequence[str]], now: Callable[[], datetime]) -> Functions:
    """By name. `now` gives an aware datetime in the local zone."""

    def first_ipv4(host: str) -> str | None:
        return next((a for a in look_up(host) if ":" not in a), None)

    def moment(words: Sequence[Any]) -> tuple[datetime, list[str]]:
        texts = [_text(word).upper() for word in words if word is not None]
        if texts and texts[-1] == "GMT":
            return now().astimezone(UTC), texts[:-1]
        return now(), texts

    return {
        "isPlainHostName": lambda host="", *_: "." not in _text(host),
        "dnsDomainIs": lambda host="", domain="", *_: _text(host).lower().endswith(_text(domain).lower()),
        "localHostOrDomainIs": lambda host="", full="", *_: _local_or_domain(_text(host).lower(), _text(full).lower()),
        "isResolvable": lambda host="", *_: first_ipv4(_text(host)) is not None,
        "isInNet": lambda host="", net="", mask="", *_: _in_net(first_ipv4(_text(host)), _text(net), _text(mask)),
        "dnsResolve": lambda host="", *_: first_ipv4(_text(host)),
        "convert_addr": lambda address="", *_: _number(_text(address)),
        "myIpAddress": lambda *_: next((a for a in my_addresses() if ":" not in a), "127.0.0.1"),
        "dnsDomainLevels": lambda host="", *_: _text(host).count("."),
        "shExpMatch": lambda text="", pattern="", *_: _matches(_text(text), _text(pattern)),
        "weekdayRange": lambda *words: _weekday(*moment(words)),
        "dateRange": lambda *words: _date(*moment(words)),
        "timeRange": lambda *words: _time(*moment(words)),
        "isResolvableEx": lambda host="", *_: bool(look_up(_text(host))),
        "dnsResolveEx": lambda host="", *_: ";".join(look_up(_text(host))),
        "myIpAddressEx": lambda *_: ";".join(my_addresses()),
        "isInNetEx": lambda host="", prefix="", *_: _in_prefix(_text(host), _text(prefix)),
        "sortIpAddressList": lambda listed="", *_: _sorted(_text(listed)),
        "getClientVersion": lambda *_: "1.0",
        "alert": lambda *_: None,
    }


def _text(value: object) -> str:
    """As JavaScript writes it, near enough: 5.0 is 5."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def _local_or_domain(host: str, full: str) -> bool:
    return host == full or ("." not in host and full.startswith(host + "."))


def _in_net(address: str | None, network: str, mask: str) -> bool:
    try:
        here, there, bits = (int(ipaddress.IPv4Address(text)) for text in (address or "", network, mask))
    except ValueError:
        return False
    return here & bits == there & bits


def _in_prefix(address: str, prefix: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        return False


def _number(address: str) -> int:
    try:
        return int(ipaddress.IPv4Address(address))
    except ValueError:
        return 0


def _sorted(listed: str) -> str | bool:
    """IPv6 before IPv4, each in its order; false where one is no address."""
    try:
        found = [ipaddress.ip_address(each.strip()) for each in listed.split(";") if each.strip()]
    except ValueError:
        return False
    return ";".join(str(a) for a in sorted(found, key=lambda a: (-a.version, int(a)))) if found else False


def _matches(text: str, pattern: str) -> bool:
    """A shell expression: * and ?. The pieces between stars are found one after the other, so that no pattern takes
    longer than its length times the text's."""
    if len(pattern) > _LONGEST_PATTERN:
        return False
    pieces = [re.compile(re.escape(piece).replace(r"\?", "."), re.DOTALL) for piece in re.split(r"\*+", pattern)]
    if len(pieces) == 1:
        return pieces[0].fullmatch(text) is not None
    begun = pieces[0].match(text)
    if begun is None:
        return False
    at = begun.end()
    for piece in pieces[1:-1]:
        found = piece.search(text, at)
        if found is None:
            return False
        at = found.end()
    size = len(re.split(r"\*+", pattern)[-1])  # every character of a piece stands for one
    return len(text) - size >= at and pieces[-1].fullmatch(text, len(text) - size) is not None


def _weekday(at: datetime, words: list[str]) -> bool:
    if not words or any(word not in _DAYS for word in words[:2]):
        return False
    first, last = _DAYS.index(words[0]), _DAYS.index(words[min(1, len(words) - 1)])
    return _between(first, at.isoweekday() % 7, last)


def _between(first: Any, value: Any, last: Any) -> bool:
    """Within a range that may go over the end and begin anew: FRI to MON."""
    return bool(first <= value <= last if first <= last else value >= first or value <= last)


def _date(at: datetime, words: list[str]) -> bool:
    """A day, month or year, any of them together, or twice the same as a range."""
    kinds = [_kind(word) for word in words]
    if not words or None in kinds:
        return False
    half = len(kinds) // 2
    twice = len(kinds) % 2 == 0 and kinds[:half] == kinds[half:]
    first = words[:half] if twice else words
    last = words[half:] if twice else words
    order = [kind for kind in ("year", "month", "day") if kind in kinds]
    if len(set(kinds)) != len(first):
        return False

    def value(of: list[str]) -> tuple[int, ...]:
        named = {_kind(word): word for word in of}
        return tuple(_MONTHS.index(named[k]) + 1 if k == "month" else int(named[k]) for k in order)

    today = tuple({"year": at.year, "month": at.month, "day": at.day}[kind] for kind in order)
    if "year" in kinds:
        return value(first) <= today <= value(last)
    return _between(value(first), today, value(last))


def _kind(word: str) -> str | None:
    if word in _MONTHS:
        return "month"
    if not re.fullmatch(r"[0-9]{1,4}", word):
        return None
    return "day" if 1 <= int(word) <= 31 else "year"


def _time(at: datetime, words: list[str]) -> bool:
    """An hour; a range of hours; of hours and minutes; of hours, minutes and seconds."""
    if len(words) not in (1, 2, 4, 6) or not all(re.fullmatch(r"[0-9]{1,2}", word) for word in words):
        return False
    numbers = [int(word) for word in words]
    if len(numbers) == 1:
        return at.hour == numbers[0]
    size = len(numbers) // 2
    # As browsers do: the last hour, minute or second is still within.
    return _between(tuple(numbers[:size]), (at.hour, at.minute, at.second)[:size], tuple(numbers[size:]))
