"""The nouns as JSON, and back: by their type hints, so that a field is named once.

datetime becomes ISO 8601 with Z, bytes become base64, an enum its string, a tuple a list.
"""

import base64
import math
import types
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Return `value` (a noun of `model`, or anything it holds) as what `json.dumps` takes."""
    if is_dataclass(value):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    return value


def from_json(kind: type[T], data: Any) -> T:
    """Return the noun of type `kind` that `data` holds. Raises ValueError naming what does not fit."""
    result: T = _read(kind, data, kind.__name__)
    return result


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, data: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if data is None else _read(next(a for a in get_args(kind) if a is not type(None)), data, where)
    if origin is tuple:
        return tuple(_read(get_args(kind)[0], v, where) for v in _expect(data, list, where))
    if origin is dict:
        return {str(k): _read(get_args(kind)[1], v, where) for k, v in _expect(data, dict, where).items()}
    if is_dataclass(kind):
        return _noun(kind, _expect(data, dict, where), where)
    try:
        return _plain(kind, data, where)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{where} is not of the form it should have") from None


def _noun(kind: Any, data: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise ValueError(f"{where} has no field {unknown[0]!r}")
    try:
        return kind(**{k: _read(hints[k], v, f"{where}.{k}") for k, v in data.items()})
    except TypeError:
        missing = sorted(f.name for f in fields(kind) if f.name not in data)
        raise ValueError(f"{where} lacks one of: {', '.join(missing)}") from None


def _plain(kind: Any, data: Any, where: str) -> Any:
    if issubclass(kind, StrEnum):
        return kind(data)
    if kind is datetime:
        return _aware(datetime.fromisoformat(_expect(data, str, where)))
    if kind is bytes:
        return base64.b64decode(_expect(data, str, where), validate=True)
    if kind is float:
        return _finite(float(_expect(data, int | float, where)))
    return _expect(data, kind, where)


def _aware(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("in which time zone?")
    return time.astimezone(UTC)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _expect(data: Any, kind: Any, where: str) -> Any:
    # bool is an int to Python, not to JSON.
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise ValueError(f"{where} is not of the form it should have")
    return data
