"""Which of Google's sync tools wrote a log, and where on Windows their logs lie: the tables of `products.toml`.

Paths are those of Windows on every system, since a log may be read on another machine than it was written on.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import PureWindowsPath
from typing import Any


@dataclass(frozen=True, slots=True)
class Product:
    id: str
    title: str
    former: tuple[str, ...]  # its earlier names, and the short forms of all
    update: str  # the vendor's page on getting the latest version
    modules: tuple[str, ...]  # shell patterns, in lower case as what follows
    programs: tuple[str, ...]
    folders: tuple[tuple[str, ...], ...]


def product_of(module: str = "", path: str = "") -> str:
    """The id of the tool to which a module of a trace line or a path belongs, the program's or the log's own; empty
    where neither tells."""
    return (module and _of_module(module.lower())) or (path and _of_path(path.lower())) or ""


def title(product: str) -> str:
    """Its name for people; empty for the empty id and for one not known."""
    found = products().get(product)
    return found.title if found is not None else ""


def folders(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where logs lie on the Windows machine whose environment this is, whether or not they are there."""
    values = {name.upper(): value for name, value in environ.items()}
    found = (
        PureWindowsPath(profile, folder)
        for place in _table()["place"]
        if (profile := _profile(place, values))
        for folder in place["folders"]
    )
    return tuple(dict.fromkeys(map(str, found)))


@cache
def products() -> Mapping[str, Product]:
    return {
        row["id"]: Product(
            id=row["id"],
            title=row["title"],
            former=tuple(row["former"]),
            update=row["update"],
            modules=tuple(name.lower() for name in row["modules"]),
            programs=tuple(name.lower() for name in row["programs"]),
            folders=tuple(_parts(folder.lower()) for folder in row["folders"]),
        )
        for row in _table()["product"]
    }


def _of_module(module: str) -> str:
    return next((p.id for p in products().values() if any(fnmatchcase(module, name) for name in p.modules)), "")


def _of_path(path: str) -> str:
    parts = _parts(path)
    for product in products().values():
        if parts and parts[-1] in product.programs:
            return product.id
    for product in products().values():
        if any(_contains(parts, folder) for folder in product.folders):
            return product.id
    return ""


def _parts(path: str) -> tuple[str, ...]:
    """As Windows divides it: both slashes do."""
    return tuple(part for part in path.replace("/", "\\").split("\\") if part)


def _contains(parts: tuple[str, ...], folder: tuple[str, ...]) -> bool:
    return any(parts[at : at + len(folder)] == folder for at in range(len(parts) - len(folder) + 1))


def _profile(place: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """The folder that is meant; empty where no variable gives a whole path, with a drive or a share."""
    for variable, below in ((place["variable"], ""), (place["else"]["variable"], place["else"]["below"])):
        base = PureWindowsPath(values.get(variable, ""))
        if base.is_absolute() and "\0" not in str(base):
            return str(base / below / place["below"])
    return ""


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("tlsinspect.logs").joinpath("products.toml").read_text(encoding="utf-8"))
