"""Names with * ? [ and ** in them, where no shell has expanded them: Windows's do not.

The standard library's glob follows links below ``**``; a folder with three links to itself keeps it busy for years.
"""

import fnmatch
import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path


def fitting(pattern: str) -> Iterator[str]:
    """The files and folders that fit, some of them twice perhaps. Hidden ones must be asked for."""
    path = Path(pattern)
    return _below(path.anchor, path.parts[1:] if path.anchor else path.parts)


def _below(folder: str, parts: tuple[str, ...]) -> Iterator[str]:
    if not parts:
        yield folder
    elif parts[0] == "**":
        for here in _folders(folder):
            yield from _below(here, parts[1:] or ("*",))
    elif not glob.has_magic(parts[0]):
        path = os.path.join(folder, parts[0])
        if os.path.exists(path):
            yield from _below(path, parts[1:])
    else:
        for name in _names(folder, parts[0]):
            yield from _below(os.path.join(folder, name), parts[1:])


def _folders(folder: str) -> Iterator[str]:
    """`folder` and all below it; no link is followed."""
    for here, below, _ in os.walk(folder or os.curdir):
        below[:] = [name for name in below if not _is_hidden(name)]
        yield here if folder else here.removeprefix(os.curdir).lstrip(os.sep)


def _names(folder: str, part: str) -> list[str]:
    """What a folder holds that fits one part of a pattern."""
    fits = re.compile(fnmatch.translate(os.path.normcase(part))).fullmatch
    try:
        names = os.listdir(folder or os.curdir)
    except (OSError, ValueError):
        return []  # no folder, or none that may be looked into
    return [name for name in names if fits(os.path.normcase(name)) and (_is_hidden(part) or not _is_hidden(name))]


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
