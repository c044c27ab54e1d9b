"""What the environment and other programs' settings say: where a store is, and whether anything verifies."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tlsinspect.files import exists
from tlsinspect.stores.formats import FORMATS
from tlsinspect.stores.table import SettingRow, SwitchRow, table

MAX_SETTINGS = 1024 * 1024  # bytes of a settings file
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
        return self.variable(variable) or None

    def variable(self, name: str) -> str | None:
        """As it is set, even to nothing; those of npm in letters of any case."""
        found = self.environment.get(name)
        if found is None and name.startswith("npm_"):
            found = next((value for each, value in self.environment.items() if each.casefold() == name), None)
        return found

    def place(self, template: str) -> Path | None:
        """A place of the table; None where this machine has none such."""
        if template.startswith("{gcloud}"):
            return self._gcloud()
        if template.startswith("{node}"):
            folder = self._node()
            return Path(f"{folder}{template.removeprefix('{node}')}") if folder else None
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
        chosen = self.value("CLOUDSDK_ACTIVE_CONFIG_NAME") or (_text(folder / "active_config").strip() or "default")
        return folder / "configurations" / f"config_{chosen}" if _A_NAME.fullmatch(chosen) else None

    def _node(self) -> Path | None:
        """Where Node.js is installed, and with it npm's settings for all users."""
        found = shutil.which("node", path=self.value("PATH") or os.devnull)
        if found is None:
            return None
        program = Path(os.path.realpath(found))
        return program.parent if self.platform == "win32" else program.parent.parent

    def settings(self, row: SettingRow) -> dict[str, tuple[Path, str]]:
        """What files say for a row, and which: by what alone it counts for, the empty string being everything. The
        first file that says it counts, and in it the last line."""
        found: dict[str, tuple[Path, str]] = {}
        for place in self._places(row):
            settings = FORMATS[row.form](_text(place))
            here = {s.of: (place, s.value) for s in settings if (s.section, s.key) == (row.section, row.key)}
            found = here | found
        return found

    def _places(self, row: SettingRow) -> Iterator[Path]:
        own = self.value(row.named) if row.named else None
        if own == os.devnull:
            return
        if own is not None:
            yield Path(own)
        for template in row.files:
            place = self.place(template)
            if place is not None and not (own is not None and exists(Path(own)) and template.startswith(_OF_A_USER)):
                yield place

    def named(self, text: str) -> str:
        """A path as a settings file writes it."""
        path = re.sub(r"\$\{(\w+)\}", lambda found: self.environment.get(found[1], found[0]), text.strip())
        return str(self.home / path[2:]) if path.startswith(("~/", "~\\")) else path


_OF_A_USER = ("~", "{config}", "{appdata}")


def _text(place: Path) -> str:
    """A settings file; nothing where it cannot be read."""
    try:
        if not place.is_file():
            return ""
        with place.open("rb") as file:
            content = file.read(MAX_SETTINGS)
    except (OSError, ValueError):
        return ""
    return content.decode("utf-8-sig", "replace")


@dataclass(frozen=True)
class SwitchedOff:
    """A setting by which `client` verifies no certificate."""

    client: str
    what: str
    where: str  # "the environment", or a file
    hosts: tuple[str, ...] = ()  # hosts, or URLs, whose certificates alone it does not verify; none: all


def switched_off(machine: Machine) -> tuple[SwitchedOff, ...]:
    return tuple(off for row in table(machine.platform).switches for off in _switched(row, machine))


def _switched(row: SwitchRow, machine: Machine) -> Iterator[SwitchedOff]:
    said: dict[str, tuple[str, str]] = {}
    if row.setting is not None:
        said = {of: (str(place), value) for of, (place, value) in machine.settings(row.setting).items()}
    elif (set_ := machine.variable(row.variable)) is not None:
        said = {"": ("the environment", set_)}
    for of, (where, value) in said.items():
        hosts = tuple(value.split()) if row.hosts else (of,) if of else ()
        if hosts if row.hosts else row.off.fullmatch(value.strip()):
            yield SwitchedOff(row.client, row.what, where, hosts)
