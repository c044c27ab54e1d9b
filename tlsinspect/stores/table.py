"""The table of trust stores, `stores.toml`, as typed rows for one platform."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tlsinspect.evidence.truststores import Client, Unions


@dataclass(frozen=True)
class SettingRow:
    """A key in settings files."""

    files: tuple[str, ...]
    form: str  # of `formats.FORMATS`
    section: str
    key: str
    named: str  # the variable that names a file in the place of the user's own


@dataclass(frozen=True)
class StoreRow:
    id: str
    title: str
    effect: str
    system: bool
    find: str  # how it is found, where nothing names it
    variable: str
    setting: SettingRow | None
    folder: bool
    either: bool


@dataclass(frozen=True)
class SwitchRow:
    """A setting by which a program verifies nothing."""

    client: str
    what: str
    variable: str
    setting: SettingRow | None
    off: re.Pattern[str]
    hosts: bool  # its value is a list of hosts, for which alone it counts


@dataclass(frozen=True)
class Table:
    stores: tuple[StoreRow, ...]
    clients: tuple[Client, ...]
    unions: Unions
    switches: tuple[SwitchRow, ...]
    bundles: tuple[str, ...]
    libcurl: Mapping[str, str]  # a file that tells a kind of system, and the folder its libcurl was built with
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
        libcurl=raw.get(platform, {}).get("libcurl", {}),
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
        setting=_setting(row),
        folder=row.get("folder", False),
        either=row.get("either", False),
    )


def _switch(row: dict[str, Any]) -> SwitchRow:
    return SwitchRow(
        client=row["client"],
        what=row["what"],
        variable=row.get("variable", ""),
        setting=_setting(row),
        off=re.compile(row.get("off", ""), re.IGNORECASE),
        hosts=row.get("hosts", False),
    )


def _setting(row: dict[str, Any]) -> SettingRow | None:
    if "files" not in row:
        return None
    return SettingRow(tuple(row["files"]), row["form"], row.get("section", ""), row["key"], row.get("named", ""))
