"""What the environment and other programs' settings say: where a store is, and whether anything verifies."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tlsinspect.stores.table import SwitchRow, table

MAX_SETTINGS = 1024 * 1024  # bytes of a settings file
MAX_LINE = 4096
_A_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")  # of a configuration of gcloud's: nothing that leads elsewhere


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.sep)


@dataclass(frozen=True)
class Machine:
    """Where to look. The default is this process's own view."""

    platform: str = sys.platform
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path = field(default_factory=_home)
    root: Path = Path(os.sep)  # above settings for all users

    def value(self, variable: str) -> str | None:
        """What a variable says; set to nothing is not set, for the programs of the table."""
        return self.environment.get(variable) or None

    def place(self, template: str) -> Path | None:
        """A place of the table; None where this machine has none such."""
        if template.startswith("{gcloud}"):
            return self._gcloud()
        appdata = self.value("APPDATA")
        if template.startswith("{appdata}"):
            return Path(appdata + template.removeprefix("{appdata}")) if appdata else None
        config = self.value("XDG_CONFIG_HOME") or str(self.home / ".config")
        if template.startswith("{config}"):
            return Path(config + template.removeprefix("{config}"))
        if template.startswith("~/"):
            return self.home / template[2:]
        return self.root / template.removeprefix("/")

    def _gcloud(self) -> Path | None:
        """The properties file of gcloud's active configuration."""
        appdata = self.value("APPDATA")
        usual = Path(appdata, "gcloud") if self.platform == "win32" and appdata else self.home / ".config" / "gcloud"
        folder = Path(self.value("CLOUDSDK_CONFIG") or usual)
        chosen = self.value("CLOUDSDK_ACTIVE_CONFIG_NAME") or next(_lines(folder / "active_config"), "default")
        return folder / "configurations" / f"config_{chosen}" if _A_NAME.fullmatch(chosen) else None

    def setting(self, files: Iterable[str], line: re.Pattern[str]) -> tuple[Path, re.Match[str]] | None:
        """The last line in the first of `files` that has one which is wholly as `line` has it, and where it stands."""
        for template in files:
            place = self.place(template)
            found = [match for text in _lines(place) if (match := line.fullmatch(text))] if place else []
            if place is not None and found:
                return place, found[-1]
        return None

    def named(self, text: str) -> str:
        """A path as a settings file writes it."""
        path = text.strip().strip("\"'")
        return str(self.home / path[2:]) if path.startswith(("~/", "~\\")) else path


def _lines(place: Path) -> Iterator[str]:
    """The lines of a settings file, without comments; none where it cannot be read."""
    try:
        if not place.is_file():
            return
        with place.open("rb") as file:
            content = file.read(MAX_SETTINGS)
    except (OSError, ValueError):
        return
    for line in content.decode("utf-8", "replace").splitlines():
        text = line.strip()
        if text and len(text) <= MAX_LINE and not text.startswith(("#", ";", "//")):
            yield text


@dataclass(frozen=True)
class SwitchedOff:
    """A setting by which `client` verifies no certificate."""

    client: str
    what: str
    where: str  # "the environment", or a file


def switched_off(machine: Machine) -> tuple[SwitchedOff, ...]:
    found = (_switched(row, machine) for row in table(machine.platform).switches)
    return tuple(each for each in found if each is not None)


def _switched(row: SwitchRow, machine: Machine) -> SwitchedOff | None:
    if row.off is not None:
        value = machine.environment.get(row.variable)
        off = value is not None and row.off.fullmatch(value.strip())
        return SwitchedOff(row.client, row.what, "the environment") if off else None
    found = machine.setting(row.files, row.line) if row.line is not None else None
    return SwitchedOff(row.client, row.what, str(found[0])) if found else None
