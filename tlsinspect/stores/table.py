"""The table of trust stores, `stores.toml`, as typed rows for one platform."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tlsinspect.evidence.truststores import Client, Unions


@dataclass(frozen=True)
class StoreRow:
    id: str
    title: str
    effect: str
    system: bool
    find: str  # how it is found, where nothing names it
    variable: str
    files: tuple[str, ...]
    line: re.Pattern[str] | None
    folder: bool
    either: bool


@dataclass(frozen=True)
class SwitchRow:
    """A setting by which a program verifies nothing."""

    client: str
    what: str
    variable: str
    off: re.Pattern[str] | None
    files: tuple[str, ...]
    line: re.Pattern[str] | None


@dataclass(frozen=True)
class Table:
    stores: tuple[StoreRow, ...]
    clients: tuple[Client, ...]
    unions: Unions
    switches: tuple[SwitchRow, ...]
    bundles: tuple[str, ...]
    keychains: tuple[str, ...]
    shipped: tuple[str, ...]  # files, or keychains, of the system's makers

    @property
    def variables(self) -> tuple[str, ...]:
        """Every environment variable the table knows."""
        rows: tuple[StoreRow | SwitchRow, ...] = (*self.stores, *self.switches)
        return tuple(dict.fromkeys(row.variable for row in rows if row.variable))


@cache
def table(platform: str) -> Table:
    """The rows that count on `platform` (as `sys.platform` has it)."""
    raw = tomllib.loads(files("tlsinspect.stores").joinpath("stores.toml").read_text(encoding="utf-8"))
    here = {kind: [row for row in raw[kind] if platform in row.get("on", (platform,))] for kind in ("store", "client")}
    return Table(
        stores=tuple(map(_store, here["store"])),
        clients=tuple(Client(r["title"], tuple(r.get("reads", ())), r.get("unread", "")) for r in here["client"]),
        unions={name: tuple(map(tuple, choices)) for name, choices in raw["union"].items()},
        switches=tuple(map(_switch, raw["switch"])),
        bundles=tuple(raw["linux"]["bundles"]),
        keychains=tuple(raw["darwin"]["keychains"]),
        shipped=tuple(raw.get(platform, {}).get("shipped", ())),
    )


def _store(row: dict[str, Any]) -> StoreRow:
    return StoreRow(
        id=row["id"],
        title=row["title"],
        effect=row["effect"],
        system=row.get("system", False),
        find=row.get("find", ""),
        variable=row.get("variable", ""),
        files=tuple(row.get("files", ())),
        line=_pattern(row.get("line")),
        folder=row.get("folder", False),
        either=row.get("either", False),
    )


def _switch(row: dict[str, Any]) -> SwitchRow:
    return SwitchRow(
        client=row["client"],
        what=row["what"],
        variable=row.get("variable", ""),
        off=_pattern(row.get("off")),
        files=tuple(row.get("files", ())),
        line=_pattern(row.get("line")),
    )


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text, re.IGNORECASE)
