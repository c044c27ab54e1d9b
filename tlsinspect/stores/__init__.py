"""The trust stores of this machine: the operating system's, and those that variables and settings name.

Nothing here decides anything. A store that cannot be read is one with a problem, in words. No socket is opened.
"""

import os
import time
from collections.abc import Callable

from tlsinspect.evidence.truststores import Store, Stores
from tlsinspect.model import TrustStore
from tlsinspect.stores.reading import Held, read_file, read_folders
from tlsinspect.stores.settings import Machine, SwitchedOff, switched_off
from tlsinspect.stores.system import certifi, from_windows, libcurl_folder, openssl_folder, shipped, system_store
from tlsinspect.stores.table import StoreRow, table
from tlsinspect.stores.within import within
from tlsinspect.text import without_password

SECONDS = 12.0  # for all stores, some of which may lie on a network
SECONDS_EACH = 10.0
MOMENT = 0.2
UNANSWERED = "no answer within {:.1f} seconds"


def read_stores(machine: Machine | None = None) -> Stores:
    """Every store that is there, in the order of the table."""
    machine = machine or Machine()
    rows = table(machine.platform)
    end = time.monotonic() + SECONDS
    read = ((row, _in_time(row, machine, end - time.monotonic())) for row in rows.stores)
    found = tuple(_store(row, held, machine) for row, held in read if held is not None)
    return Stores(found, rows.clients, rows.unions)


def _in_time(row: StoreRow, machine: Machine, left: float) -> Held | None:
    """As `_held`; a store that does not answer costs no other one, for which a moment is always left."""
    seconds = max(min(SECONDS_EACH, left), MOMENT)
    try:
        return within(seconds, lambda: _held(row, machine))
    except TimeoutError:
        return Held(problem=UNANSWERED.format(seconds), place=machine.value(row.variable) or "")


def _store(row: StoreRow, held: Held, machine: Machine) -> Store:
    facts = TrustStore(
        id=row.id,
        title=row.title,
        place=without_password(held.place),  # somebody may have named a URL
        effect=row.effect,
        system=row.system,
        certificates=len(held.certificates),
        problem=held.problem,
    )
    return Store(facts, held.certificates, whole=machine.platform != "win32")


def _held(row: StoreRow, machine: Machine) -> Held | None:
    """What a row's store holds; None where there is no such store here."""
    if row.find:
        return _FINDERS[row.find](machine)
    if row.variable:
        named = machine.value(row.variable)
        if named is None:
            return None
        return read_folders(named) if row.folder or (row.either and os.path.isdir(named)) else read_file(named)
    _, said = machine.settings(row.setting).get("", (None, "")) if row.setting is not None else (None, "")
    return read_file(machine.named(said)) if said else None


_FINDERS: dict[str, Callable[[Machine], Held | None]] = {
    "system": lambda machine: system_store(machine.platform),
    "openssl-folder": lambda _: openssl_folder(),
    "libcurl-folder": lambda machine: libcurl_folder(machine.platform, machine.root),
    "windows-ca": lambda _: from_windows("CA"),
    "certifi": lambda _: certifi(),
}

__all__ = ["Machine", "SwitchedOff", "read_stores", "shipped", "switched_off", "within"]
